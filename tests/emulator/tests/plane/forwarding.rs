//! Single requests: where they go, what is added, what comes back when something is wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::site::{Site, VPC, keys};

/// A target that answers with what it got.
pub(crate) async fn echo(site: &Site, octet: u8) -> SocketAddr {
    site.target(octet, |request| async move {
        let headers: serde_json::Map<String, Value> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        let (method, path) =
            (request.method().to_string(), request.uri().path_and_query().unwrap().to_string());
        let version = format!("{:?}", request.version());
        let authority = request.uri().authority().map(ToString::to_string);
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        let seen =
            json!({"method": method, "path": path, "headers": headers, "body": body, "version": version,
                   "authority": authority});
        Response::new(Full::from(seen.to_string()))
    })
    .await
}

#[tokio::test]
async fn a_request_reaches_its_target_with_method_path_query_body_and_host_unchanged() {
    let site = Site::new(json!({})).await;
    let target = echo(&site, 1).await;
    let group = site.group("grp", &[target], json!({})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    let request = site.request(Method::POST, "/a%20b/c?x=1&y").body(Full::from("hello")).unwrap();
    let (status, _, body) = site.send(request).await.unwrap();
    let seen: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, StatusCode::OK);
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["path"], "/a%20b/c?x=1&y");
    assert_eq!(seen["body"], "hello");
    assert_eq!(seen["headers"]["host"], json!(site.domain));
}

#[tokio::test]
async fn the_target_learns_the_way_of_the_request_and_clients_cannot_forge_it() {
    let site = Site::new(json!({})).await;
    let target = echo(&site, 1).await;
    let group = site.group("grp", &[target], json!({})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    let long = "i".repeat(600);
    let request = site
        .request(Method::GET, "/")
        .header("x-amzn-lattice-identity", "Principal=forged")
        .header("x-amzn-lattice-network", "forged")
        .header("x-forwarded-for", "192.0.2.1")
        .header("x-amzn-requestid", &long)
        .body(Full::default())
        .unwrap();
    let (_, headers, body) = site.send(request).await.unwrap();
    let seen: Value = serde_json::from_str(&body).unwrap();
    let header = |name: &str| seen["headers"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(header("x-amzn-lattice-identity"), "");
    let vpc = format!("SourceVpcArn=arn:aws:ec2:us-west-2:000000000000:vpc/{VPC}");
    assert_eq!(header("x-amzn-lattice-network"), vpc);
    assert!(
        header("x-amzn-lattice-target").contains(&format!("service/{};ServiceNetworkArn=", site.service))
    );
    assert!(header("x-amzn-lattice-target").ends_with(&format!("targetgroup/{group}")));
    assert!(header("x-forwarded-for").starts_with("192.0.2.1, 127."));
    assert_eq!(header("x-forwarded-for-proto"), "http");
    assert_eq!(header("x-amzn-requestid").len(), 512, "the client's id is kept, cut to 512 bytes");
    assert_eq!(headers["x-amzn-requestid"].to_str().unwrap(), header("x-amzn-requestid"));
}

#[tokio::test]
async fn a_response_carries_a_request_id_also_when_the_client_sent_none() {
    let site = Site::new(json!({})).await;
    let request = site.request(Method::GET, "/").body(Full::default()).unwrap();
    let (status, headers, body) = site.send(request).await.unwrap();
    assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, "Not Found"));
    assert_eq!(headers["x-amzn-requestid"].len(), 36);
}

#[tokio::test]
async fn an_unknown_host_is_a_non_existent_service_and_a_port_without_listener_breaks_the_connection() {
    let site = Site::new(json!({})).await;
    let mut request = site.request(Method::GET, "/").body(Full::default()).unwrap();
    request.headers_mut().insert("host", "nobody.example".parse().unwrap());
    let (status, _, body) = site.send(request).await.unwrap();
    assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, "Non Existent Service"));
    let mut request = site.request(Method::GET, "/").body(Full::default()).unwrap();
    request.headers_mut().insert("host", format!("{}:8080", site.domain).parse().unwrap());
    assert!(site.send(request).await.is_err());
}

#[tokio::test]
async fn headers_beyond_the_limits_are_refused_with_400() {
    let site = Site::new(json!({})).await;
    let mut many = site.request(Method::GET, "/");
    for number in 0..100 {
        many = many.header(format!("x-many-{number}"), "1");
    }
    let (status, _, _) = site.send(many.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let large = site.request(Method::GET, "/").header("x-large", "l".repeat(61 * 1024));
    let (status, _, _) = site.send(large.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_target_that_cannot_be_connected_to_is_500_and_one_that_breaks_off_is_502() {
    let site = Site::new(json!({})).await;
    let nobody: SocketAddr = "10.0.0.9:9".parse().unwrap();
    let group = site.group("nobody", &[nobody], json!({})).await;
    site.rule("/nobody", 1, &[(&group, 1)]).await;
    assert_eq!(site.get("/nobody").await.0, StatusCode::INTERNAL_SERVER_ERROR);

    let place = "127.64.0.8:0".parse::<SocketAddr>().unwrap();
    let listener = tokio::net::TcpListener::bind(place).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0_u8; 1024];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
            });
        }
    });
    let target = SocketAddr::from(([10, 0, 0, 8], port));
    let off = json!({"healthCheck": {"enabled": false}});
    let group = site.group("breaks", &[target], off).await;
    site.rule("/breaks", 2, &[(&group, 1)]).await;
    assert_eq!(site.get("/breaks").await.0, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn an_empty_group_answers_503_or_what_the_switch_says() {
    for status in [503, 500] {
        let site = Site::new(json!({"switches": {"no-target-status": status}})).await;
        let group = site.group("grp", &[], json!({})).await;
        site.rule("/", 1, &[(&group, 1)]).await;
        assert_eq!(site.get("/").await.0.as_u16(), status);
    }
}

#[tokio::test]
async fn real_checks_find_targets_healthy_and_unhealthy_and_requests_follow() {
    let site = Site::new(json!({})).await;
    let good = site.named(1, "good").await;
    let bad = site
        .target(2, |request| async move {
            let mut response = Response::new(Full::from("bad"));
            if request.uri().path() == "/" {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            response
        })
        .await;
    let check = json!({"healthCheck": {"healthCheckIntervalSeconds": 5, "healthCheckTimeoutSeconds": 1}});
    let group = site.group("grp", &[good, bad], check).await;
    site.rule("/x", 1, &[(&group, 1)]).await;
    site.until_target(&group, "HEALTHY").await;
    for _ in 0..4 {
        assert_eq!(site.get("/x").await.1, "good", "only the healthy target gets requests");
    }
    site.emulator.clock.advance("5s".parse().unwrap());
    site.until_target(&group, "UNHEALTHY").await;
    site.call("DeregisterTargets", json!({"targetGroupIdentifier": group, "targets": keys(&[good])})).await;
    assert_eq!(site.get("/x").await.1, "bad", "with no healthy target all are used");
}

#[tokio::test]
async fn a_request_under_way_outlives_its_rule_and_its_target() {
    let site = Site::new(json!({})).await;
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let target = {
        let (arrived, go) = (Arc::clone(&arrived), Arc::clone(&go));
        site.target(1, move |_| {
            let (arrived, go) = (Arc::clone(&arrived), Arc::clone(&go));
            async move {
                arrived.notify_one();
                go.notified().await;
                Response::new(Full::from("finished"))
            }
        })
        .await
    };
    let off = json!({"healthCheck": {"enabled": false}});
    let group = site.group("grp", &[target], off).await;
    let rule = site.rule("/slow", 1, &[(&group, 1)]).await;
    let site = Arc::new(site);
    let request = {
        let site = Arc::clone(&site);
        tokio::spawn(async move { site.get("/slow").await })
    };
    tokio::time::timeout(Duration::from_secs(10), arrived.notified()).await.unwrap();
    site.call("DeregisterTargets", json!({"targetGroupIdentifier": group, "targets": keys(&[target])})).await;
    let path = json!({"serviceIdentifier": site.service, "listenerIdentifier": site.listener,
                      "ruleIdentifier": rule});
    site.call("DeleteRule", path).await;
    assert_eq!(site.get("/slow").await.0, StatusCode::NOT_FOUND);
    go.notify_one();
    assert_eq!(request.await.unwrap(), (StatusCode::OK, "finished".to_owned()));
}
