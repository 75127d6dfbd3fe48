//! The SQS client against a server that answers as SQS does: the codes are those that the SDK makes of the wire.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use trellis_webhook::losses::Losses;
use trellis_webhook::metrics::Metrics;
use trellis_webhook::queue::{Entry, PACE, SendBatch, SendError, hint_queue};
use trellis_webhook::sqs::Sqs;

/// Serves SendMessageBatch on a port of its own.
fn sqs(answer: impl Fn(&Value) -> (StatusCode, HeaderMap, Value) + Clone + Send + Sync + 'static) -> Sqs {
    // Not `Json`: the protocol has a media type of its own.
    let handler = move |request: Bytes| {
        let (status, headers, body) = answer(&serde_json::from_slice(&request).unwrap());
        async move { (status, headers, Json(body)) }
    };
    let router = Router::new().fallback(handler);
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = axum_server::from_tcp(listener).unwrap();
    tokio::spawn(server.serve(router.into_make_service()));
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .credentials_provider(Credentials::for_tests())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(&endpoint)
        .build();
    Sqs::new(aws_sdk_sqs::Client::from_conf(config), format!("{endpoint}/123456789012/hints.fifo"))
}

/// An error as SQS sends it: the code in the body, and with the prefix of the older protocol in a header.
fn error(code: &str, query_code: &str) -> (StatusCode, HeaderMap, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-query-error", format!("{query_code};Sender").parse().unwrap());
    let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "test"});
    (StatusCode::BAD_REQUEST, headers, body)
}

fn entry(body: &str) -> Entry {
    Entry { group_id: "g".into(), deduplication_id: "d".into(), body: body.into(), trace: String::new() }
}

#[tokio::test]
async fn a_batch_at_fault_is_told_from_a_moment_at_fault_by_the_codes_that_sqs_sends() {
    for (code, is_final) in [
        ("BatchRequestTooLong", true),
        ("TooManyEntriesInBatchRequest", true),
        ("BatchEntryIdsNotDistinct", true),
        ("InvalidBatchEntryId", true),
        ("EmptyBatchRequest", true),
        ("RequestThrottled", false),
        ("QueueDoesNotExist", false),
        ("KmsThrottled", false),
    ] {
        for prefix in ["AWS.SimpleQueueService.", ""] {
            let query_code = format!("{prefix}{code}");
            let sqs = sqs(move |_| error(code, &query_code));
            match sqs.send_batch(&[entry("x")]).await.unwrap_err() {
                SendError::Refused(_) => assert!(is_final, "{prefix}{code}"),
                SendError::Unavailable(_) => assert!(!is_final, "{prefix}{code}"),
            }
        }
    }
}

#[tokio::test]
async fn entries_that_sqs_refuses_are_told_one_by_one() {
    let failed =
        |id: &str, code: &str, is_sender: bool| json!({"Id": id, "Code": code, "SenderFault": is_sender});
    let answer = json!({"Successful": [], "Failed": [
        failed("0", "InternalError", false), failed("1", "InvalidMessageContents", true),
        failed("2", "RequestThrottled", true), failed("3", "AWS.SimpleQueueService.InvalidParameterValue", false)]});
    let sqs = sqs(move |_| (StatusCode::OK, HeaderMap::new(), answer.clone()));
    let refusals = sqs.send_batch(&["a", "b", "c", "d"].map(entry)).await.unwrap();
    let retryable: Vec<bool> = refusals.iter().map(|refusal| refusal.retryable).collect();
    assert_eq!(retryable, [true, false, true, false]);
}

/// The whole way: one hint that makes SQS refuse its batch costs itself, once.
#[tokio::test]
async fn a_batch_that_is_too_long_is_not_tried_again_as_it_was() {
    let calls: Arc<Mutex<Vec<usize>>> = Arc::default();
    let counted = calls.clone();
    let sqs = sqs(move |request| {
        let entries = request["Entries"].as_array().unwrap();
        counted.lock().unwrap().push(entries.len());
        if entries.iter().any(|entry| entry["MessageBody"] == "guilty") {
            return error("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong");
        }
        let successful = |entry: &Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""});
        let body = json!({"Successful": entries.iter().map(successful).collect::<Vec<_>>(), "Failed": []});
        (StatusCode::OK, HeaderMap::new(), body)
    });
    let metrics = Arc::new(Metrics::new());
    let losses = Losses::new(metrics.clone(), OffsetDateTime::now_utc);
    let (queue, sender, drain) = hint_queue(16, PACE, Arc::new(sqs), metrics.clone(), losses);
    for body in ["a", "guilty", "b"] {
        queue.offer(entry(body));
    }
    drain.send(()).unwrap();
    // As it was it would be tried for five minutes.
    tokio::time::timeout(Duration::from_secs(20), sender.run()).await.unwrap();
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (2, 1));
    assert_eq!(*calls.lock().unwrap(), [3, 1, 1, 1]);
}
