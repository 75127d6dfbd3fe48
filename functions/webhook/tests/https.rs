//! The TLS port as an API server meets it: a real handshake, HTTP/1.1, and whatever body.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use trellis_gateway::CONTROLLER;
use trellis_hint::{Hint, Kind};
use trellis_webhook::app::serve_tls;
use trellis_webhook::interest::REFERRING_KINDS;
use trellis_webhook::metrics::Metrics;
use trellis_webhook::queue::{Entry, PACE, Refusal, SendBatch, SendError, hint_queue};
use trellis_webhook::server::{BODY_BYTES_MAX, Reviewer};
use trellis_webhook::tls::Served;
use trellis_webhook::tls::identity::{Identity, issue};
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
    kept: Kept,
    drain: Option<oneshot::Sender<()>>,
    sender: Option<tokio::task::JoinHandle<()>>,
}

impl Webhook {
    fn start(served: Arc<Served>) -> Self {
        let (kept, metrics) = (Kept::default(), Arc::new(Metrics::new()));
        let (queue, sender, drain) = hint_queue(16, PACE, kept.clone(), metrics.clone());
        let interest = SharedInterest::default();
        let reviewer = Reviewer::new(
            "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            interest.clone(),
            queue,
            metrics.clone(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_tls(listener, served.clone(), reviewer.router(), axum_server::Handle::new()));
        let sender = Some(tokio::spawn(sender.run()));
        Self { address, served, metrics, interest, kept, drain: Some(drain), sender }
    }

    async fn connect(&self, identity: &Identity) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let authority = CertificateDer::from_pem_slice(identity.authority_pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority).unwrap();
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("w.ns.svc").unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        let (client, connection) = handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        Ok(client)
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

fn identity() -> (Identity, Arc<Served>) {
    let identity = issue(&["w.ns.svc".into()], OffsetDateTime::now_utc()).unwrap();
    let served = Served::nothing();
    served.set(identity.certified_key().unwrap());
    (identity, served)
}

async fn post(client: &mut SendRequest<Full<Bytes>>, body: impl Into<Bytes>) -> (StatusCode, Value) {
    let request = Request::post("/validate?timeout=1s")
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
async fn a_service_counts_as_soon_as_the_review_of_a_route_that_names_it_has_passed() {
    let (identity, served) = identity();
    let mut webhook = Webhook::start(served);
    for kind in REFERRING_KINDS {
        webhook.interest.write().unwrap().replace(kind, []);
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
    assert_eq!(
        units,
        [
            "route/123456789012/us-west-2/HTTPRoute/one/default/rates",
            "dependents/123456789012/us-west-2/Service/one/default/parking"
        ]
    );
    assert!(webhook.has_metric(r#"trellis_webhook_reviews_total{kind="Service",outcome="no_interest"} 2"#));
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
