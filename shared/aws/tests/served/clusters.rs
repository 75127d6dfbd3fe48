//! Registered clusters: which calls find them, and what one that fails costs.

use crate::server::{Answer, Asked, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use trellis_aws::{ErrorClass, Registration};
use trellis_hint::ClusterId;

fn arn(name: &str) -> String {
    format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}")
}

fn id(name: &str) -> ClusterId {
    arn(name).parse().unwrap()
}

fn described(name: &str) -> Value {
    json!({"cluster": {
        "name": name, "arn": arn(name), "status": "ACTIVE",
        "endpoint": "https://example.invalid", "certificateAuthority": {"data": "Y2E="},
        "resourcesVpcConfig": {"vpcId": "vpc-1"}, "tags": {"trellis:registered": "true"},
        "createdAt": 1_700_000_000.5,
    }})
}

fn tagged(name: &str, value: &str) -> Value {
    json!({"ResourceARN": arn(name), "Tags": [{"Key": "trellis:registered", "Value": value}]})
}

/// Finds these clusters, with the values of their tags; those of the name `broken…` cannot be described.
fn world(asked: &Asked, clusters: &[(&str, &str)]) -> Answer {
    if asked.target.ends_with("GetResources") {
        let list: Vec<Value> = clusters.iter().map(|(name, value)| tagged(name, value)).collect();
        return Answer::json(200, &json!({"ResourceTagMappingList": list, "PaginationToken": ""}));
    }
    let name = asked.line.strip_prefix("GET /clusters/").unwrap().split_whitespace().next().unwrap();
    if name.starts_with("broken") {
        return Answer::json(403, &json!({"__type": "AccessDeniedException", "message": "an SCP says no"}));
    }
    if name == "gone" {
        return Answer::json(
            404,
            &json!({"__type": "ResourceNotFoundException", "message": "No cluster found."}),
        );
    }
    Answer::json(200, &described(name))
}

/// How often each call was made: GetResources, or the path.
fn calls(server: &Server) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for asked in server.asked() {
        let path = asked.line.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let name = if asked.target.is_empty() { path } else { asked.target };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn only_clusters_that_bear_the_tag_are_described_and_once() {
    let server = Server::start(|asked| {
        world(asked, &[("one", "true"), ("two", "leaving"), ("three", "false"), ("gone", "true")])
    });
    let clusters = server.aws().await.clusters("trellis:registered=true".parse().unwrap());
    let registry = clusters.registered().await.unwrap();
    assert_eq!(clusters.registered().await.unwrap(), registry);
    let states: Vec<_> =
        registry.clusters.values().map(|c| (c.id.name.as_str(), c.membership.registration)).collect();
    assert_eq!(states, [("one", Registration::Registered), ("two", Registration::Leaving)]);
    assert_eq!(registry.clusters[&id("one")].vpc, "vpc-1");
    assert_eq!(registry.unusable.len(), 1);
    assert_eq!(registry.unusable[0].why, "EKS says that it does not exist");
    let counts = calls(&server);
    let expected = [
        "/clusters/gone",
        "/clusters/one",
        "/clusters/two",
        "ResourceGroupsTaggingAPI_20170126.GetResources",
    ];
    assert_eq!(counts.keys().collect::<Vec<_>>(), expected);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    let search = server.asked().into_iter().find(|asked| !asked.target.is_empty()).unwrap().body;
    assert_eq!(search["ResourceTypeFilters"], json!(["eks:cluster"]));
    assert_eq!(search["TagFilters"], json!([{"Key": "trellis:registered"}]));

    let token = clusters.token(&id("one")).await.unwrap();
    assert!(token.starts_with("k8s-aws-v1."));
}

#[tokio::test]
async fn a_cluster_that_cannot_be_described_costs_no_other_one_and_is_named_with_its_cause() {
    let server = Server::start(|asked| world(asked, &[("broken", "true"), ("one", "true")]));
    let clusters = server.aws().await.clusters(trellis_aws::ClusterTag::default());
    let registry = clusters.registered().await.unwrap();
    assert_eq!(registry.clusters.keys().collect::<Vec<_>>(), [&id("one")]);
    let broken = &registry.unusable[0];
    assert_eq!(broken.id, id("broken"));
    assert!(broken.why.contains("AccessDeniedException: an SCP says no"), "{}", broken.why);
    let asked = calls(&server)["/clusters/broken"];
    for _ in 0..20 {
        clusters.describe_again(&id("broken"));
        clusters.describe_again(&id("one"));
        assert_eq!(clusters.registered().await.unwrap(), registry);
    }
    assert_eq!(calls(&server)["/clusters/broken"], asked, "not again within half a minute");
    assert_eq!(calls(&server)["/clusters/one"], 1);
}

#[tokio::test]
async fn a_search_that_has_never_succeeded_is_an_error_that_is_not_repeated_at_once() {
    let searches = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        searches.fetch_add(1, Ordering::SeqCst);
        Answer::json(400, &json!({"__type": "AccessDeniedException", "Message": "not authorized"}))
    });
    let clusters = server.aws().await.clusters(trellis_aws::ClusterTag::default());
    let error = clusters.registered().await.unwrap_err();
    assert!(error.to_string().starts_with("GetResources: AWS denies Trellis this call"), "{error}");
    assert!(error.to_string().ends_with("(AccessDeniedException: not authorized)"), "{error}");
    let again = clusters.registered().await.unwrap_err();
    assert_eq!(again.class(), ErrorClass::Retry);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn pages_of_the_search_add_up_also_when_one_is_empty() {
    let server = Server::start(|asked| {
        if asked.target.is_empty() {
            return world(asked, &[]);
        }
        let (list, next) = match asked.body["PaginationToken"].as_str().unwrap_or_default() {
            "" => (json!([tagged("one", "true")]), "a"),
            "a" => (json!([]), "b"),
            _ => (json!([tagged("two", "true")]), ""),
        };
        Answer::json(200, &json!({"ResourceTagMappingList": list, "PaginationToken": next}))
    });
    let registry =
        server.aws().await.clusters(trellis_aws::ClusterTag::default()).registered().await.unwrap();
    assert_eq!(registry.clusters.keys().collect::<Vec<_>>(), [&id("one"), &id("two")]);
}
