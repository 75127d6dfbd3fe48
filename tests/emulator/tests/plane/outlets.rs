//! What the data plane has outside of itself: access logs and functions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use lattice_emulator::plane::Outlets;
use serde_json::{Value, json};

use crate::site::{Site, VPC, local};

const LOGS: &str = "arn:aws:logs:us-west-2:000000000000:log-group:/lattice/all:*";

async fn subscribe(site: &Site, destination: &str) {
    let input = json!({"resourceIdentifier": site.service, "destinationArn": destination});
    site.call("CreateAccessLogSubscription", input).await;
}

/// An endpoint that keeps what it got and answers by a function of path and body.
async fn endpoint(
    answer: impl Fn(&str, &Value) -> Response<Full<Bytes>> + Send + Sync + 'static,
) -> (http::Uri, Arc<Mutex<Vec<(String, Value)>>>) {
    let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let (kept, answer) = (Arc::clone(&seen), Arc::new(answer));
    let address: SocketAddr = local(move |request| {
        let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
        async move {
            let target = request.headers().get("x-amz-target").map(|it| it.to_str().unwrap().to_owned());
            let name = target.unwrap_or_else(|| request.uri().path().to_owned());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let response = answer(&name, &body);
            kept.lock().unwrap().push((name, body));
            response
        }
    })
    .await;
    (format!("http://{address}").parse().unwrap(), seen)
}

#[tokio::test]
async fn an_access_log_entry_has_the_fields_of_the_services_own_logs() {
    let folder = std::env::temp_dir().join(format!("lattice-emulator-{}", std::process::id()));
    let outlets = Outlets { access_log: Some(folder.clone()), ..Outlets::default() };
    let site = Site::with(json!({}), outlets).await;
    let target = site.named(1, "hello").await;
    let group = site.group("grp", &[target], json!({})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    site.get("/before").await;
    subscribe(&site, LOGS).await;
    let request =
        site.request(Method::POST, "/x?y=1").header("user-agent", "test").body(Full::from("12345")).unwrap();
    site.send(request).await.unwrap();
    let entry = site.logged().await;
    assert_eq!(entry["requestPath"], "/x?y=1", "what came before the subscription is not logged");
    assert_eq!(entry["requestMethod"], "POST");
    assert_eq!(entry["responseCode"], 200);
    assert_eq!((&entry["bytesReceived"], &entry["bytesSent"]), (&json!(5), &json!(5)));
    assert_eq!(entry["hostHeader"], json!(site.domain));
    assert_eq!(entry["userAgent"], "test");
    assert_eq!(entry["targetIpPort"], json!(target.to_string()));
    assert_eq!((&entry["sourceVpcId"], &entry["destinationVpcId"]), (&json!(VPC), &json!(VPC)));
    assert_eq!(entry["protocol"], "HTTP/1.1");
    assert_eq!((&entry["authDeniedReason"], &entry["failureReason"]), (&Value::Null, &json!("-")));
    assert_eq!(entry.as_object().unwrap().len(), 36);
    let wait = async {
        loop {
            if let Ok(text) = std::fs::read_to_string(&folder)
                && let Ok(written) = serde_json::from_str::<Value>(&text)
            {
                return written;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let written = tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(written, entry);
}

#[tokio::test]
async fn a_denied_and_a_failed_request_say_why() {
    let site = Site::new(json!({})).await;
    subscribe(&site, LOGS).await;
    site.call("UpdateService", json!({"serviceIdentifier": site.service, "authType": "AWS_IAM"})).await;
    assert_eq!(site.get("/").await.0, StatusCode::FORBIDDEN);
    let entry = site.logged().await;
    assert_eq!(entry["authDeniedReason"], "Service");
    assert_eq!(entry["failureReason"], "ClientAccessDenied");
    assert_eq!((&entry["targetIpPort"], &entry["requestToTargetDuration"]), (&json!("-"), &json!(0)));

    let site = Site::new(json!({})).await;
    subscribe(&site, LOGS).await;
    let nobody: SocketAddr = "10.0.0.9:9".parse().unwrap();
    let group = site.group("nobody", &[nobody], json!({})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    site.get("/").await;
    assert_eq!(site.logged().await["failureReason"], "TargetConnectionError");
}

#[tokio::test]
async fn entries_go_to_the_log_group_of_their_subscription() {
    let (logs, seen) = endpoint(|_, _| Response::new(Full::from("{}"))).await;
    let site = Site::with(json!({}), Outlets { logs: Some(logs), ..Outlets::default() }).await;
    subscribe(&site, LOGS).await;
    site.get("/one").await;
    site.get("/two").await;
    let wait = async {
        while seen.lock().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
    let seen = seen.lock().unwrap();
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["Logs_20140328.CreateLogStream", "Logs_20140328.PutLogEvents", "Logs_20140328.PutLogEvents"]
    );
    assert_eq!(seen[1].1["logGroupName"], "/lattice/all");
    let entry: Value = serde_json::from_str(seen[1].1["logEvents"][0]["message"].as_str().unwrap()).unwrap();
    assert_eq!(entry["requestPath"], "/one");
}

/// A site whose only rule forwards to a function, and what the function got.
async fn function(version: &str, answer: Value) -> (Site, Arc<Mutex<Vec<(String, Value)>>>) {
    let (lambda, seen) = endpoint(move |_, _| Response::new(Full::from(answer.to_string()))).await;
    let site = Site::with(json!({}), Outlets { lambda: Some(lambda), ..Outlets::default() }).await;
    let config = json!({"lambdaEventStructureVersion": version});
    let group =
        site.id("CreateTargetGroup", json!({"name": "function", "type": "LAMBDA", "config": config})).await;
    let arn = "arn:aws:lambda:us-west-2:000000000000:function:hello";
    site.call("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": [{"id": arn}]})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    site.until_target(&group, "UNAVAILABLE").await;
    (site, seen)
}

#[tokio::test]
async fn a_function_gets_its_event_in_version_1_and_its_document_is_the_response() {
    let answer =
        json!({"statusCode": 201, "headers": {"x-made": "yes"}, "body": "made", "isBase64Encoded": false});
    let (site, seen) = function("V1", answer).await;
    let request = site
        .request(Method::PUT, "/a/b?x=1&x=2")
        .header("x-many", "one")
        .header("x-many", "two")
        .body(Full::from("text"))
        .unwrap();
    let (status, headers, body) = site.send(request).await.unwrap();
    assert_eq!(
        (status, body.as_str(), &headers["x-made"]),
        (StatusCode::CREATED, "made", &"yes".parse().unwrap())
    );
    let (path, event) = seen.lock().unwrap()[0].clone();
    assert!(path.ends_with("function%3Ahello/invocations"), "{path}");
    assert_eq!((&event["method"], &event["raw_path"]), (&json!("PUT"), &json!("/a/b?x=1&x=2")));
    assert_eq!(event["headers"]["x-many"], "one, two");
    assert_eq!(event["query_string_parameters"], json!({"x": "2"}));
    assert_eq!((&event["body"], &event["is_base64_encoded"]), (&json!("text"), &json!(false)));
}

#[tokio::test]
async fn a_function_gets_its_event_in_version_2_and_binary_bodies_as_base64() {
    let answer = json!({"statusCode": 200, "body": "AAEC", "isBase64Encoded": true});
    let (site, seen) = function("V2", answer).await;
    let request = site
        .request(Method::POST, "/a?x=1&x=2")
        .header("content-type", "application/octet-stream")
        .body(Full::from(vec![0, 255]))
        .unwrap();
    let (status, _, body) = site.send(request).await.unwrap();
    assert_eq!((status, body.as_bytes()), (StatusCode::OK, [0, 1, 2].as_slice()));
    let event = seen.lock().unwrap()[0].1.clone();
    assert_eq!((&event["version"], &event["path"]), (&json!("2.0"), &json!("/a?x=1&x=2")));
    assert_eq!(event["queryStringParameters"], json!({"x": ["1", "2"]}));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("AP8="), &json!(true)));
    assert_eq!(event["requestContext"]["region"], "us-west-2");
    let vpc = format!("arn:aws:ec2:us-west-2:000000000000:vpc/{VPC}");
    assert_eq!(event["requestContext"]["identity"]["sourceVpcArn"], json!(vpc));
}

#[tokio::test]
async fn a_function_that_answers_nonsense_is_502() {
    let (site, _) = function("V1", json!("nonsense")).await;
    assert_eq!(site.get("/").await.0, StatusCode::BAD_GATEWAY);
}
