//! The TLS port as an API server meets it: a real handshake, HTTP/1.1, and whatever body.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::ByteString;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use trellis_gateway::{BEHIND_KINDS, BESIDE_KINDS, CONTROLLER, REFERRING_KINDS};
use trellis_hint::{Hint, Kind};
use trellis_webhook::listen::{Crowd, Gate, REVIEW_CROWD, bind, serve_tls};
use trellis_webhook::losses::Losses;
use trellis_webhook::metrics::Metrics;
use trellis_webhook::neighbours::{Kept as Beside, Objects, SharedNeighbours};
use trellis_webhook::queue::{Entry, PACE, Refusal, SendBatch, SendError, hint_queue};
use trellis_webhook::server::{BODY_BYTES_MAX, Reviewer, VALUES_MAX};
use trellis_webhook::tls::Served;
use trellis_webhook::tls::identity::{Identity, issue};
use trellis_webhook::tls::path::{Token, Tokens};
use trellis_webhook::watch::SharedInterest;

/// Keeps what it is sent.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Entry>>>);

impl SendBatch for Kept {
    async fn send_batch(&self, batch: &[Entry]) -> Result<Vec<Refusal>, SendError> {
        self.0.lock().unwrap().extend_from_slice(batch);
        Ok(vec![])
    }
}

struct Webhook {
    address: SocketAddr,
    served: Arc<Served>,
    metrics: Arc<Metrics>,
    interest: SharedInterest,
    neighbours: SharedNeighbours,
    wake: Arc<Notify>,
    kept: Kept,
    drain: Option<oneshot::Sender<()>>,
    sender: Option<tokio::task::JoinHandle<()>>,
}

impl Webhook {
    fn start(served: Arc<Served>) -> Self {
        Self::start_for(REVIEW_CROWD, served)
    }

    fn start_for(crowd: Crowd, served: Arc<Served>) -> Self {
        let (kept, metrics) = (Kept::default(), Arc::new(Metrics::new()));
        let losses = Losses::new(metrics.clone(), OffsetDateTime::now_utc);
        let (queue, sender, drain) =
            hint_queue(16, PACE, Arc::new(kept.clone()), metrics.clone(), losses.clone());
        let (interest, wake, tokens) =
            (SharedInterest::default(), Arc::new(Notify::new()), Tokens::default());
        tokens.take([token()].into());
        let neighbours = SharedNeighbours::default();
        let reviewer = Reviewer {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            interest: interest.clone(),
            neighbours: neighbours.clone(),
            queue,
            metrics: metrics.clone(),
            losses: losses.clone(),
            tokens,
            wake: wake.clone(),
        };
        let listener = bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()));
        let gate = Gate::new(crowd, metrics.clone(), Some(losses));
        tokio::spawn(serve_tls(
            listener,
            served.clone(),
            reviewer.router(),
            gate,
            axum_server::Handle::new(),
        ));
        let sender = Some(tokio::spawn(sender.run()));
        Self { address, served, metrics, interest, neighbours, wake, kept, drain: Some(drain), sender }
    }

    async fn connect(&self, identity: &Identity) -> std::io::Result<SendRequest<Full<Bytes>>> {
        self.connect_to(self.address, identity).await
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        identity: &Identity,
    ) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let (client, connection) = handshake(TokioIo::new(self.tls(address, identity).await?))
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn tls(
        &self,
        address: SocketAddr,
        identity: &Identity,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let authority = CertificateDer::from_pem_slice(identity.authority_pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority).unwrap();
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from("w.ns.svc").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    /// Drains; returns the hints that were sent.
    async fn hints(&mut self) -> Vec<Hint> {
        self.drain.take().unwrap().send(()).unwrap();
        self.sender.take().unwrap().await.unwrap();
        self.kept.0.lock().unwrap().iter().map(|entry| Hint::parse(&entry.body).unwrap()).collect()
    }

    fn has_metric(&self, line: &str) -> bool {
        self.metrics.encode().unwrap().lines().any(|written| written == line)
    }
}

fn token() -> Token {
    Token::in_path("/validate/0123456789abcdef0123456789abcdef").unwrap()
}

async fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "the condition was not met");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn raw(webhook: &Webhook, identity: &Identity) -> tokio_rustls::client::TlsStream<TcpStream> {
    webhook.tls(webhook.address, identity).await.unwrap()
}

fn identity() -> (Identity, Arc<Served>) {
    let identity = issue(&["w.ns.svc".into()], OffsetDateTime::now_utc()).unwrap();
    let served = Served::nothing();
    served.set(identity.certified_key().unwrap());
    (identity, served)
}

async fn post(client: &mut SendRequest<Full<Bytes>>, body: impl Into<Bytes>) -> (StatusCode, Value) {
    let request = Request::post(format!("{}?timeout=1s", token().path()))
        .header("host", "w.ns.svc")
        .header("content-type", "application/json");
    let response = client.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn allowed(uid: &str) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": uid, "allowed": true}})
}

fn review(kind: Kind, name: &str, spec: &Value) -> String {
    let object = json!({"metadata": {"name": name, "namespace": "default", "uid": "u", "generation": 1}, "spec": spec});
    let kind = json!({"group": kind.group(), "version": "v1", "kind": kind.as_str()});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "r", "kind": kind,
        "name": name, "namespace": "default", "operation": "CREATE", "object": object, "oldObject": null}})
    .to_string()
}

#[tokio::test]
async fn a_review_is_allowed_under_its_uid_and_its_hint_is_sent() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let class = json!({"controllerName": CONTROLLER});
    let answer = post(&mut client, review(Kind::GatewayClass, "amazon-vpc-lattice", &class)).await;
    assert_eq!(answer, (StatusCode::OK, allowed("r")));
    let hints = webhook.hints().await;
    let units: Vec<String> = hints.iter().map(|hint| hint.unit.to_string()).collect();
    assert_eq!(units, ["dependents/123456789012/us-west-2/GatewayClass/one//amazon-vpc-lattice"]);
    assert!(webhook.has_metric(r#"trellis_webhook_reviews_total{kind="GatewayClass",outcome="hinted"} 1"#));
}

#[tokio::test]
async fn a_user_is_warned_at_once_of_what_vpc_lattice_cannot_do() {
    let (identity, served) = identity();
    let webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let spec = json!({"gatewayClassName": "amazon-vpc-lattice", "listeners": [{"name": "udp", "protocol": "UDP", "port": 53}]});
    let (_, answer) = post(&mut client, review(Kind::Gateway, "my-hotel", &spec)).await;
    assert_eq!(answer["response"]["allowed"], true);
    let warnings = answer["response"]["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains("UDP")), "{warnings:?}");
    assert!(webhook.has_metric(&format!("trellis_webhook_warnings_total {}", warnings.len())));
}

#[tokio::test]
async fn a_user_is_warned_of_what_refuses_a_route_once_all_that_it_stands_beside_is_known() {
    let (identity, served) = identity();
    let webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let route = json!({"parentRefs": [{"name": "edge", "sectionName": "none"}], "rules": []});
    let (_, answer) = post(&mut client, review(Kind::HTTPRoute, "rates", &route)).await;
    assert_eq!(
        (&answer["response"]["allowed"], &answer["response"]["warnings"]),
        (&json!(true), &Value::Null)
    );

    let class = json!({"metadata": {"name": "ours"}, "spec": {"controllerName": CONTROLLER}});
    let spec =
        json!({"gatewayClassName": "ours", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]});
    let gateway = json!({"metadata": {"namespace": "default", "name": "edge"}, "spec": spec});
    for kind in BESIDE_KINDS {
        webhook.neighbours.write().unwrap().replace(kind, Objects::default());
    }
    for (kind, namespace, name, object) in
        [(Kind::GatewayClass, "", "ours", class), (Kind::Gateway, "default", "edge", gateway)]
    {
        let mut neighbours = webhook.neighbours.write().unwrap();
        neighbours.apply(kind, (namespace.to_owned(), name.to_owned()), Beside::of(kind, &object));
    }
    let (_, answer) = post(&mut client, review(Kind::HTTPRoute, "rates", &route)).await;
    let warnings = answer["response"]["warnings"].as_array().unwrap();
    assert!(warnings[0].as_str().unwrap().contains("has no listener of that sectionName"), "{warnings:?}");
}

#[tokio::test]
async fn a_service_counts_as_soon_as_the_review_of_a_route_that_names_it_has_passed() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    for kind in REFERRING_KINDS {
        let _ = webhook.interest.write().unwrap().replace(kind, [], Instant::now());
    }
    let mut client = webhook.connect(&identity).await.unwrap();
    let route = json!({"rules": [{"backendRefs": [{"name": "parking"}]}]});
    for (kind, name, spec) in [
        (Kind::Service, "parking", &json!({})),
        (Kind::HTTPRoute, "rates", &route),
        (Kind::Service, "parking", &json!({})),
        (Kind::Service, "other", &json!({})),
    ] {
        post(&mut client, review(kind, name, spec)).await;
    }
    let units: Vec<String> = webhook.hints().await.iter().map(|hint| hint.unit.to_string()).collect();
    assert_eq!(units, ["route/123456789012/us-west-2/HTTPRoute/one/default/rates"; 2]);
    assert!(webhook.has_metric(r#"trellis_webhook_reviews_total{kind="Service",outcome="no_interest"} 2"#));
}

#[tokio::test]
async fn a_new_pod_behind_an_export_gets_its_readiness_gate_as_a_patch() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    let name = ("default".to_owned(), "shop".to_owned());
    let selector = json!({"app": "shop"});
    let service =
        json!({"metadata": {"namespace": "default", "name": "shop"}, "spec": {"selector": selector}});
    for kind in REFERRING_KINDS {
        let _ = webhook.interest.write().unwrap().replace(kind, [], Instant::now());
    }
    for kind in BEHIND_KINDS {
        webhook.neighbours.write().unwrap().replace(kind, Objects::default());
    }
    webhook.neighbours.write().unwrap().apply(Kind::Service, name, Beside::of(Kind::Service, &service));
    let mut client = webhook.connect(&identity).await.unwrap();
    post(&mut client, review(Kind::ServiceExport, "shop", &json!({}))).await;
    let pod = review(Kind::Pod, "shop-1", &json!({"containers": []}));
    assert_eq!(post(&mut client, pod.clone()).await.1, allowed("r"), "no label of the Service's");
    let pod = pod.replace(r#""uid":"u""#, r#""labels":{"app":"shop"}"#);
    let (_, answer) = post(&mut client, pod).await;
    assert_eq!(
        (&answer["response"]["allowed"], &answer["response"]["patchType"]),
        (&json!(true), &json!("JSONPatch"))
    );
    let ByteString(patch) = serde_json::from_value(answer["response"]["patch"].clone()).unwrap();
    let gates = json!([{"conditionType": "application-networking.k8s.aws/pod-readiness-gate"}]);
    assert_eq!(
        serde_json::from_slice::<Value>(&patch).unwrap(),
        json!([{"op": "add", "path": "/spec/readinessGates", "value": gates}])
    );
    assert_eq!(webhook.hints().await.len(), 2, "the export's");
    assert!(webhook.has_metric(r#"trellis_webhook_reviews_total{kind="Pod",outcome="gated"} 1"#));
}

#[tokio::test]
async fn nonsense_is_answered_200_and_allowed() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let bodies: [(&[u8], &str); 6] = [
        (b"", ""),
        (b"{", ""),
        (b"\xff\xfe", ""),
        (b"[[]]", ""),
        (br#"{"request": {"uid": "x", "kind": 7}}"#, "x"),
        (br#"{"request": {"uid": 7, "kind": {"kind": "Gateway"}}}"#, ""),
    ];
    for (body, uid) in bodies {
        assert_eq!(post(&mut client, body).await, (StatusCode::OK, allowed(uid)), "{body:?}");
    }
    assert!(webhook.hints().await.is_empty());
    assert!(webhook.has_metric(r#"trellis_webhook_reviews_total{kind="other",outcome="unreadable"} 5"#));
}

#[tokio::test]
async fn a_review_that_is_nested_too_deeply_is_still_allowed_under_its_uid() {
    let (identity, served) = identity();
    let webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let deep =
        format!(r#"{{"request": {{"uid": "deep", "object": {}{}}}}}"#, "[".repeat(1000), "]".repeat(1000));
    assert_eq!(post(&mut client, deep).await, (StatusCode::OK, allowed("deep")));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_allowed_and_not_kept() {
    let (identity, served) = identity();
    let webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let answer = post(&mut client, vec![b' '; BODY_BYTES_MAX + 1]).await;
    assert_eq!(answer, (StatusCode::OK, allowed("")));
    assert!(webhook.has_metric(r#"trellis_webhook_reviews_total{kind="other",outcome="unreadable"} 1"#));
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_while_old_ones_go_on() {
    let (old, served) = identity();
    let webhook = Webhook::start(served);
    let mut before = webhook.connect(&old).await.unwrap();
    let (new, _) = identity();
    webhook.served.set(new.certified_key().unwrap());
    webhook.connect(&new).await.unwrap();
    assert!(webhook.connect(&old).await.is_err());
    assert_eq!(post(&mut before, "{}").await.0, StatusCode::OK);
}

#[tokio::test]
async fn there_is_no_handshake_without_a_certificate() {
    let (identity, _) = identity();
    let webhook = Webhook::start(Served::nothing());
    assert!(webhook.connect(&identity).await.is_err());
}

#[tokio::test]
async fn both_address_families_are_served() {
    let (identity, served) = identity();
    let webhook = Webhook::start(served);
    for address in [SocketAddr::from((Ipv6Addr::LOCALHOST, webhook.address.port())), webhook.address] {
        let mut client = webhook.connect_to(address, &identity).await.unwrap();
        assert_eq!(post(&mut client, "{}").await.0, StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn who_does_not_know_the_path_is_not_read_and_its_connection_ends() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    let other = "/validate/ffffffffffffffffffffffffffffffff";
    for (method, path) in
        [("POST", "/validate"), ("POST", "/"), ("POST", other), ("GET", &token().path()), ("PUT", "/x")]
    {
        let mut client = webhook.connect(&identity).await.unwrap();
        let request = Request::builder().method(method).uri(path).header("host", "w.ns.svc");
        let body = review(Kind::GatewayClass, "amazon-vpc-lattice", &json!({"controllerName": CONTROLLER}));
        let response = client.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        until(|| client.is_closed()).await;
    }
    // Somebody posted: whether the API server was told another path is to be looked at.
    tokio::time::timeout(Duration::from_secs(10), webhook.wake.notified()).await.unwrap();
    assert!(webhook.hints().await.is_empty());
    assert!(webhook.has_metric("trellis_webhook_strangers_total 5"));
}

#[tokio::test]
async fn one_address_cannot_take_all_connections_and_a_place_is_free_again_when_one_ends() {
    let (identity, served) = identity();
    let webhook = Webhook::start_for(Crowd { from_one_max: 2, all_max: 3 }, served);
    let mut first = webhook.connect(&identity).await.unwrap();
    let mut second = webhook.connect(&identity).await.unwrap();
    assert_eq!(post(&mut first, "{}").await.0, StatusCode::OK);
    assert!(webhook.connect(&identity).await.is_err());
    let elsewhere = SocketAddr::from((Ipv6Addr::LOCALHOST, webhook.address.port()));
    let mut third = webhook.connect_to(elsewhere, &identity).await.unwrap();
    assert_eq!(post(&mut third, "{}").await.0, StatusCode::OK);
    drop(first);
    let mut again = None;
    for _ in 0..100 {
        again = webhook.connect(&identity).await.ok();
        if again.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(post(&mut again.unwrap(), "{}").await.0, StatusCode::OK);
    assert_eq!(post(&mut second, "{}").await.0, StatusCode::OK);
    assert!(webhook.metrics.connections_refused.get() >= 1);
}

/// A connection that says nothing, one that never ends its head, and one that never ends its body.
#[tokio::test]
async fn slow_clients_are_cut_off_and_hold_up_nobody() {
    let (identity, served) = identity();
    let webhook = Webhook::start(served);
    let mut silent = TcpStream::connect(webhook.address).await.unwrap();
    let mut client = webhook.connect(&identity).await.unwrap();
    // The body is promised and never sent: the answer comes in time all the same.
    let started = Instant::now();
    let promised = format!("POST {} HTTP/1.1\r\nhost: w\r\ncontent-length: 100\r\n\r\n{{", token().path());
    let mut slow = raw(&webhook, &identity).await;
    slow.write_all(promised.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());

    let mut endless = raw(&webhook, &identity).await;
    endless.write_all(b"POST /validate HTTP/1.1\r\nhost: w\r\nx-").await.unwrap();
    assert_eq!(post(&mut client, "{}").await.0, StatusCode::OK);
    // Both are closed by the webhook: the read ends.
    let both = async {
        let _ = silent.read(&mut [0; 16]).await;
        let _ = endless.read(&mut [0; 16]).await;
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    assert_eq!(post(&mut client, "{}").await.0, StatusCode::OK);
    assert!(webhook.has_metric(r#"trellis_webhook_losses_total{cause="unread"} 1"#));
}

#[tokio::test]
async fn a_body_of_more_values_than_are_read_is_allowed_under_its_uid() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let many = format!(r#"{{"request": {{"uid": "many", "object": [{}0]}}}}"#, "0,".repeat(VALUES_MAX));
    assert_eq!(post(&mut client, many).await, (StatusCode::OK, allowed("many")));
    assert!(webhook.hints().await.is_empty());
}

#[tokio::test]
async fn a_name_of_a_megabyte_is_allowed_and_gives_no_hint() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    let mut client = webhook.connect(&identity).await.unwrap();
    let huge = review(Kind::Gateway, &"n".repeat(1024 * 1024), &json!({}));
    assert_eq!(post(&mut client, huge).await, (StatusCode::OK, allowed("r")));
    assert_eq!(post(&mut client, review(Kind::Gateway, "n", &json!({}))).await.0, StatusCode::OK);
    assert_eq!(webhook.hints().await.len(), 1);
    assert!(webhook.has_metric(r#"trellis_webhook_reviews_total{kind="Gateway",outcome="impossible"} 1"#));
}
