//! Answers that no AWS service gives: cut off, of other shapes, without end. They are errors or say nothing, and never a
//! panic.

use crate::server::{Answer, Server, owner};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use trellis_aws::{ClusterTag, ErrorClass};
use trellis_lattice::{Desired, Limits};

/// Bodies that stand for everything that can come instead of an answer.
fn bodies() -> Vec<Vec<u8>> {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let wrong_types = json!({
        "ResourceTagMappingList": [{"ResourceARN": 7}], "Quotas": [{"Value": "many"}], "items": [{"id": {}}],
        "cluster": [], "tags": 1,
    });
    let empty_members = json!({
        "ResourceTagMappingList": [{}, null, {"ResourceARN": "", "Tags": [null]}], "Quotas": [{}, null],
        "items": [{}, null], "cluster": {}, "tags": null,
    });
    vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"<html><body>502 Bad Gateway</body></html>".to_vec(),
        deep.into_bytes(),
        wrong_types.to_string().into_bytes(),
        empty_members.to_string().into_bytes(),
    ]
}

fn desired() -> Desired {
    Desired::nothing(owner("gateway/123456789012/us-west-2/g"))
}

fn route() -> Desired {
    Desired::nothing(owner("route/123456789012/us-west-2/HTTPRoute/one/shop/r"))
}

#[tokio::test]
async fn odd_answers_are_errors_or_say_nothing_and_nobody_panics() {
    for status in [200_u16, 400] {
        for body in bodies() {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let server = Server::start(move |_| Answer { status, body: body.clone(), missing: 0 });
            let aws = server.aws().await;
            let clusters = aws.clusters(ClusterTag::default()).registered().await;
            assert!(clusters.is_err() || clusters.unwrap().clusters.is_empty(), "{status} {shown}");
            assert_eq!(aws.quotas().limits().await, Limits::default(), "{status} {shown}");
            for desired in [desired(), route()] {
                if let Ok(actual) = aws.lattice().inspect(&desired, &[], SystemTime::now()).await {
                    assert!(actual.services.is_empty() && actual.networks.is_empty(), "{status} {shown}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_an_error_that_a_retry_may_mend() {
    let server = Server::start(|_| Answer { status: 200, body: b"{\"items\": [".to_vec(), missing: 100 });
    let (lattice, desired) = (server.aws().await.lattice(), desired());
    let inspect = lattice.inspect(&desired, &[], SystemTime::now());
    let inspected = tokio::time::timeout(Duration::from_mins(1), inspect);
    assert_eq!(inspected.await.unwrap().unwrap_err().class(), ErrorClass::Retry);
}

#[tokio::test]
async fn pages_without_end_are_an_error_and_not_a_loop() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let next = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst).to_string();
        let list: Vec<Value> = vec![];
        Answer::json(200, &json!({"ResourceTagMappingList": list, "PaginationToken": next}))
    });
    let error = server.aws().await.clusters(ClusterTag::default()).registered().await.unwrap_err();
    assert!(error.to_string().contains("pages"), "{error}");
}
