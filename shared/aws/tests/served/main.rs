//! The queue and the clusters against an HTTP server that answers what the test has prepared and remembers what was asked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use trellis_aws::{Aws, AwsOptions, ErrorClass, OutgoingHint};
use trellis_hint::{Hint, Kind, ObjectRef, Operation, UnitKey};

const QUEUE: &str = "https://sqs.us-west-2.amazonaws.com/000000000000/trellis.fifo";

/// Serves the answers, one a request, in their order; then ends. Gives what was asked.
fn serve(answers: Vec<(u16, Value)>) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let mut length = 0;
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).unwrap();
                if header == "\r\n" {
                    break;
                }
                let value = header.to_ascii_lowercase();
                if let Some(value) = value.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut asked = vec![0; length];
            reader.read_exact(&mut asked).unwrap();
            let asked = serde_json::from_slice(&asked).unwrap_or(Value::Null);
            tell.send((line.trim().to_owned(), asked)).unwrap();
            let body = body.to_string();
            write!(
                &stream,
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    (url, told)
}

async fn aws(url: String) -> Aws {
    Aws::with(AwsOptions {
        region: Some("us-west-2".into()),
        endpoint_url: Some(url),
        static_credentials: Some(("test".into(), "test".into())),
    })
    .await
}

fn hint(number: usize) -> OutgoingHint {
    let route = ObjectRef {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        kind: Kind::HTTPRoute,
        namespace: "shop".into(),
        name: format!("r{number}"),
        uid: String::new(),
        generation: 0,
    };
    let unit = UnitKey::Route {
        kind: Kind::HTTPRoute,
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        namespace: "shop".into(),
        name: route.name.clone(),
    };
    OutgoingHint {
        hint: Hint::new(unit, route, Operation::Resync),
        deduplication_id: format!("pass-7-{number}"),
    }
}

#[tokio::test]
async fn hints_go_ten_a_call_each_in_its_units_group_and_equal_ones_once() {
    let sent = json!({"Successful": [], "Failed": []});
    let (url, told) = serve(vec![(200, sent.clone()), (200, sent)]);
    let mut hints: Vec<OutgoingHint> = (0..12).map(hint).collect();
    hints.push(hint(0));
    aws(url).await.hints(QUEUE).send(&hints).await.unwrap();
    let calls: Vec<Value> = told.iter().map(|(_, body)| body).collect();
    let lengths: Vec<usize> = calls.iter().map(|call| call["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [10, 2]);
    let first = &calls[0]["Entries"][0];
    assert_eq!(first["MessageGroupId"], "route/123456789012/us-west-2/HTTPRoute/one/shop/r0");
    assert_eq!(first["MessageDeduplicationId"], "pass-7-0");
    assert_eq!(Hint::parse(first["MessageBody"].as_str().unwrap()).unwrap(), hints[0].hint);
}

#[tokio::test]
async fn a_hint_that_the_queue_refuses_is_an_error_whose_class_says_whose_fault_it_is() {
    for (sender_fault, class) in [(true, ErrorClass::Terminal), (false, ErrorClass::Retry)] {
        let failed = json!([{"Id": "0", "Code": "InvalidMessageContents", "SenderFault": sender_fault, "Message": "m"}]);
        let (url, _told) = serve(vec![(200, json!({"Successful": [], "Failed": failed}))]);
        let error = aws(url).await.hints(QUEUE).send(&[hint(0)]).await.unwrap_err();
        assert_eq!(error.class(), class);
        assert!(error.to_string().contains("InvalidMessageContents"), "{error}");
    }
}

#[tokio::test]
async fn a_message_is_put_off_by_seconds_and_never_longer_than_the_queue_takes() {
    let (url, told) = serve(vec![(200, json!({})), (200, json!({}))]);
    let queue = aws(url).await.hints(QUEUE);
    queue.put_off("handle", Duration::from_secs(15)).await.unwrap();
    queue.put_off("handle", Duration::from_hours(100)).await.unwrap();
    let seconds: Vec<Value> = told.iter().map(|(_, body)| body["VisibilityTimeout"].clone()).collect();
    assert_eq!(seconds, [json!(15), json!(43_200)]);
}

#[tokio::test]
async fn a_hint_for_later_goes_into_the_other_queue_with_a_delay_that_is_never_longer_than_that_takes() {
    const LATER: &str = "https://sqs.us-west-2.amazonaws.com/000000000000/later";
    let sent = json!({"MessageId": "m"});
    let (url, told) = serve(vec![(200, sent.clone()), (200, sent)]);
    let queue = aws(url).await.hints(QUEUE);
    let error = queue.send_later(&hint(0).hint, Duration::from_secs(15)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Terminal, "{error}");
    let queue = queue.with_later(LATER);
    queue.send_later(&hint(0).hint, Duration::from_secs(15)).await.unwrap();
    queue.send_later(&hint(0).hint, Duration::from_hours(100)).await.unwrap();
    let calls: Vec<Value> = told.iter().map(|(_, body)| body).collect();
    assert_eq!(
        calls.iter().map(|call| call["DelaySeconds"].clone()).collect::<Vec<_>>(),
        [json!(15), json!(900)]
    );
    assert!(
        calls.iter().all(|call| call["QueueUrl"] == LATER && call.get("MessageGroupId").is_none()),
        "{calls:?}"
    );
}

#[tokio::test]
async fn clusters_are_paged_through_described_and_remembered_and_one_that_vanished_is_left_out() {
    let cluster = json!({"cluster": {
        "name": "one", "arn": "arn:aws:eks:us-west-2:000000000000:cluster/one", "status": "ACTIVE",
        "endpoint": "https://example.invalid", "certificateAuthority": {"data": "Y2E="},
        "resourcesVpcConfig": {"vpcId": "vpc-1"}, "tags": {"trellis:registered": "true"},
        "createdAt": 1_700_000_000.5,
    }});
    let vanished = json!({"__type": "ResourceNotFoundException", "message": "No cluster found."});
    let (url, told) = serve(vec![
        (200, json!({"clusters": ["one"], "nextToken": "t"})),
        (200, json!({"clusters": ["two"]})),
        (200, cluster),
        (404, vanished),
    ]);
    let aws = aws(url).await;
    let clusters = aws.clusters("trellis:registered=true".parse().unwrap());
    let registry = clusters.registered().await.unwrap();
    // A request more would find nobody who answers.
    assert_eq!(clusters.registered().await.unwrap(), registry);
    assert_eq!(registry.clusters["one"].vpc, "vpc-1");
    assert_eq!((registry.clusters.len(), registry.unusable.len()), (1, 0));
    let asked: Vec<String> = told.iter().map(|(line, _)| line).collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[1].starts_with("GET /clusters?nextToken=t"), "{asked:?}");

    let token = clusters.token("us-west-2", "one").await.unwrap();
    assert!(token.starts_with("k8s-aws-v1."));
}
