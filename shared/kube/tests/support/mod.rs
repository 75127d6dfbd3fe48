//! An API server of the test's own, over TLS: it answers as the test says and keeps what it was asked.

#![allow(dead_code, reason = "each test program uses a part of it")]

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};
use trellis_gateway::Read;
use trellis_hint::Kind;
use trellis_kube::{ClusterClient, TokenSource};

/// A certificate authority.
pub(crate) struct Ca {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key of a server of that name, as PEM.
    fn server(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) bearer: String,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

type Answer = Arc<dyn Fn(&Asked) -> Response + Send + Sync>;

#[derive(Clone)]
struct World {
    answer: Answer,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// The server; it ends with the value.
pub(crate) struct ApiServer {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    handle: Handle<SocketAddr>,
}

impl ApiServer {
    /// Starts a server on a free port of 127.0.0.1 whose certificate that CA signed.
    pub(crate) async fn start(ca: &Ca, answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        Self::start_as("127.0.0.1", ca, answer).await
    }

    /// As `start`, with a certificate for another name.
    pub(crate) async fn start_as(
        name: &str,
        ca: &Ca,
        answer: impl Fn(&Asked) -> Response + Send + Sync + 'static,
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (certificate, key) = ca.server(name);
        let tls = RustlsConfig::from_pem(certificate.into_bytes(), key.into_bytes()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let world = World { answer: Arc::new(answer), asked: Arc::default() };
        let asked = Arc::clone(&world.asked);
        let app = Router::new().fallback(serve).with_state(world);
        let handle = Handle::new();
        let server = axum_server::from_tcp_rustls(listener, tls).unwrap().handle(handle.clone());
        tokio::spawn(server.serve(app.into_make_service()));
        Self { url, asked, handle }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Method and target of everything that was asked.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect()
    }

    /// A client that trusts this CA, with a token that stays.
    pub(crate) fn client(&self, ca: &Ca) -> ClusterClient {
        ClusterClient::connect(&self.url, ca.pem.as_bytes(), TokenSource::fixed("token")).unwrap()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

async fn serve(State(world): State<World>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let asked = Asked {
        method: parts.method.clone(),
        target: parts.uri.to_string(),
        bearer: header("authorization").trim_start_matches("Bearer ").to_owned(),
        content_type: header("content-type"),
        body: to_bytes(body, 1 << 20).await.unwrap(),
    };
    world.asked.lock().unwrap().push(asked.clone());
    (world.answer)(&asked)
}

/// A JSON answer.
pub(crate) fn answer(code: u16, body: &Value) -> Response {
    let headers = [("content-type", "application/json")];
    (StatusCode::from_u16(code).unwrap(), headers, body.to_string()).into_response()
}

/// A failure as API servers write it.
pub(crate) fn failure(code: u16, reason: &str, details: &Value) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "as the server says", "details": details,
    });
    answer(code, &status)
}

/// What an API server answers where no object of that name is.
pub(crate) fn object_missing(plural: &str, name: &str) -> Response {
    let details = json!({"group": "gateway.networking.k8s.io", "kind": plural, "name": name});
    failure(404, "NotFound", &details)
}

/// What an API server answers where it does not know the path.
pub(crate) fn page_missing() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

pub(crate) fn get(kind: Kind, name: &str) -> Read {
    Read::Get {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        kind,
        namespace: "default".into(),
        name: name.into(),
    }
}

pub(crate) fn list(kind: Kind) -> Read {
    Read::List {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        kind,
        namespace: None,
        name: None,
        service: None,
    }
}
