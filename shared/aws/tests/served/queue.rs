//! The queue.

use crate::server::Server;
use serde_json::{Value, json};
use std::time::Duration;
use trellis_aws::{ErrorClass, OutgoingHint};
use trellis_hint::{Hint, Kind, ObjectRef, Operation, UnitKey};
use trellis_ports::Lane;

const QUEUE: &str = "https://sqs.us-west-2.amazonaws.com/000000000000/trellis.fifo";
const LATER: &str = "https://sqs.us-west-2.amazonaws.com/000000000000/later";

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
    let server = Server::in_order(vec![(200, sent.clone()), (200, sent)]);
    let mut hints: Vec<OutgoingHint> = (0..12).map(hint).collect();
    hints.push(hint(0));
    server.aws().await.hints(QUEUE).send(&hints).await.unwrap();
    let calls: Vec<Value> = server.asked().into_iter().map(|asked| asked.body).collect();
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
        let server = Server::in_order(vec![(200, json!({"Successful": [], "Failed": failed}))]);
        let error = server.aws().await.hints(QUEUE).send(&[hint(0)]).await.unwrap_err();
        assert_eq!(error.class(), class);
        assert!(error.to_string().contains("InvalidMessageContents"), "{error}");
    }
}

#[tokio::test]
async fn a_message_is_put_off_by_seconds_and_never_longer_than_the_queue_takes() {
    let server = Server::in_order(vec![(200, json!({})), (200, json!({}))]);
    let queue = server.aws().await.hints(QUEUE);
    queue.put_off(Lane::Units, "handle", Duration::from_secs(15)).await.unwrap();
    queue.put_off(Lane::Units, "handle", Duration::from_hours(100)).await.unwrap();
    let seconds: Vec<Value> =
        server.asked().into_iter().map(|asked| asked.body["VisibilityTimeout"].clone()).collect();
    assert_eq!(seconds, [json!(15), json!(43_200)]);
}

#[tokio::test]
async fn a_message_is_put_off_in_the_queue_that_it_came_from() {
    let server = Server::in_order(vec![(200, json!({})), (200, json!({}))]);
    let queue = server.aws().await.hints(QUEUE).with_later(LATER);
    for lane in [Lane::Units, Lane::Later] {
        queue.put_off(lane, "handle", Duration::from_secs(15)).await.unwrap();
    }
    let urls: Vec<Value> = server.asked().into_iter().map(|asked| asked.body["QueueUrl"].clone()).collect();
    assert_eq!(urls, [json!(QUEUE), json!(LATER)]);
}

#[tokio::test]
async fn a_hint_for_later_goes_into_the_other_queue_with_a_delay_that_is_never_longer_than_that_takes() {
    let sent = json!({"MessageId": "m"});
    let server = Server::in_order(vec![(200, sent.clone()), (200, sent)]);
    let queue = server.aws().await.hints(QUEUE);
    let error = queue.send_later(&hint(0).hint, Duration::from_secs(15)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Terminal, "{error}");
    let queue = queue.with_later(LATER);
    queue.send_later(&hint(0).hint, Duration::from_secs(15)).await.unwrap();
    queue.send_later(&hint(0).hint, Duration::from_hours(100)).await.unwrap();
    let calls: Vec<Value> = server.asked().into_iter().map(|asked| asked.body).collect();
    let delays: Vec<Value> = calls.iter().map(|call| call["DelaySeconds"].clone()).collect();
    assert_eq!(delays, [json!(15), json!(900)]);
    let elsewhere = |call: &Value| call["QueueUrl"] == LATER && call.get("MessageGroupId").is_none();
    assert!(calls.iter().all(elsewhere), "{calls:?}");
}
