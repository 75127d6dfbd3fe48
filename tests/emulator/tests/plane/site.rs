//! An emulator inside the test process, with targets that answer HTTP.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lattice_emulator::model::Model;
use lattice_emulator::plane::{self, Outlets, Plane};
use lattice_emulator::state::{Document, Home, Prefix, Settings, State};
use lattice_emulator::{Emulator, protocol, server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const VPC: &str = "vpc-0a1b2c3d4e5f60001";
const PREFIX: &str = "127.64";

/// How long a condition may take to come true.
const DEADLINE: Duration = Duration::from_secs(10);

/// A running emulator with one service `svc` in the VPC's network and a listener at port 80.
pub(crate) struct Site {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) service: String,
    pub(crate) listener: String,
    pub(crate) domain: String,
    front: SocketAddr,
    plane: Arc<Plane>,
    http1: Client<HttpConnector, Full<Bytes>>,
    prefix: Prefix,
}

/// Status, headers and body of an answer.
pub(crate) type Seen = (StatusCode, http::HeaderMap, String);

pub(crate) fn no_delays() -> Settings {
    let Value::Object(delays) = serde_json::to_value(Settings::default().delays).unwrap() else { panic!() };
    let zero: BTreeMap<String, &str> = delays.into_iter().map(|(name, _)| (name, "0")).collect();
    Settings::default().patched(&json!({"delays": zero})).unwrap()
}

impl Site {
    pub(crate) async fn new(patch: Value) -> Self {
        Self::with(patch, Outlets::default()).await
    }

    pub(crate) async fn with(patch: Value, outlets: Outlets) -> Self {
        let settings = no_delays().patched(&patch).unwrap();
        let home = Home { region: "us-west-2".to_owned(), account: "000000000000".to_owned() };
        let prefix: Prefix = PREFIX.parse().unwrap();
        let state = State::new(settings, home, BTreeMap::from([(VPC.to_owned(), prefix)]), 1);
        let emulator = Arc::new(Emulator::new(Model::built_in().unwrap(), state));
        let plane = Plane::open(Arc::clone(&emulator), 0, outlets).await.unwrap();
        tokio::spawn(plane::watch(Arc::clone(&emulator)));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.set_host(false);
        let mut site = Self {
            emulator,
            service: String::new(),
            listener: String::new(),
            domain: String::new(),
            front: SocketAddr::from((prefix.front(), plane.port())),
            plane,
            http1: builder.build(HttpConnector::new()),
            prefix,
        };
        let network = site.id("CreateServiceNetwork", json!({"name": "net"})).await;
        let made = site.call("CreateService", json!({"name": "svc"})).await;
        site.service = text(&made["id"]);
        site.domain = text(&made["dnsEntry"]["domainName"]);
        let not_found = json!({"fixedResponse": {"statusCode": 404}});
        let input = json!({"serviceIdentifier": site.service, "name": "http", "protocol": "HTTP", "port": 80,
                           "defaultAction": not_found});
        site.listener = site.id("CreateListener", input).await;
        let both = json!({"serviceIdentifier": site.service, "serviceNetworkIdentifier": network});
        site.call("CreateServiceNetworkServiceAssociation", both).await;
        let both = json!({"vpcIdentifier": VPC, "serviceNetworkIdentifier": network});
        site.call("CreateServiceNetworkVpcAssociation", both).await;
        site
    }

    /// Starts the control plane's listener.
    pub(crate) async fn control(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(server::serve(listener, Arc::clone(&self.emulator), Arc::clone(&self.plane)));
        address
    }

    /// Opens and closes places, as the control plane's listener does after a call.
    pub(crate) async fn ensure(&self) {
        self.plane.ensure().await;
    }

    /// Calls an operation through the protocol layer.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Document {
        let described = self.emulator.model.operation(operation).unwrap();
        let path: String = described
            .path
            .iter()
            .map(|segment| match segment {
                lattice_emulator::model::Segment::Literal(text) => format!("/{text}"),
                lattice_emulator::model::Segment::Member(name) => format!("/{}", text(&input[name])),
            })
            .collect();
        let request = Request::builder().method(described.method.as_str()).uri(path).body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let answer = protocol::handle(&self.emulator, &parts, input.to_string().as_bytes()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{operation}: {status} {body:?}");
        if body.is_empty() { Document::new() } else { serde_json::from_slice(&body).unwrap() }
    }

    pub(crate) async fn id(&self, operation: &str, input: Value) -> String {
        text(&self.call(operation, input).await["id"])
    }

    /// A target group of the VPC of another type than IP, holding one target.
    pub(crate) async fn group_of(&self, kind: &str, target: &str, port: u16) -> String {
        let mut config = json!({"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC});
        if kind != "ALB" {
            config["healthCheck"] = json!({"healthCheckIntervalSeconds": 5, "healthCheckTimeoutSeconds": 1});
        }
        let input = json!({"name": format!("grp-{port}"), "type": kind, "config": config});
        let group = self.id("CreateTargetGroup", input).await;
        let targets = json!({"targetGroupIdentifier": group, "targets": [{"id": target, "port": port}]});
        let registered = self.call("RegisterTargets", targets).await;
        assert_eq!(registered["unsuccessful"], json!([]));
        group
    }

    /// A target group of the VPC with a fast health check, holding these targets.
    pub(crate) async fn group(&self, name: &str, targets: &[SocketAddr], config: Value) -> String {
        let mut whole = json!({"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC,
                               "healthCheck": {"healthCheckIntervalSeconds": 5, "healthCheckTimeoutSeconds": 1}});
        whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let input = json!({"name": name, "type": "IP", "config": whole});
        let group = self.id("CreateTargetGroup", input).await;
        if !targets.is_empty() {
            let input = json!({"targetGroupIdentifier": group, "targets": keys(targets)});
            self.call("RegisterTargets", input).await;
        }
        group
    }

    /// A rule that forwards a path prefix by weight.
    pub(crate) async fn rule(&self, path: &str, priority: u32, groups: &[(&str, u32)]) -> String {
        let input = json!({"serviceIdentifier": self.service, "listenerIdentifier": self.listener,
            "name": format!("r-{priority}"), "priority": priority,
            "match": {"httpMatch": {"pathMatch": {"match": {"prefix": path}}}}, "action": forward(groups)});
        self.id("CreateRule", input).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.front))
            .header("host", &self.domain)
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Seen, String> {
        let response = self.http1.request(request).await.map_err(|error| format!("{error:?}"))?;
        seen(response).await
    }

    /// Sends a request for `http://<service>/<path>` by HTTP/2 with prior knowledge.
    pub(crate) async fn send_http2(&self, request: Request<Full<Bytes>>) -> Result<Seen, String> {
        let stream = TcpStream::connect(self.front).await.unwrap();
        http2(TokioIo::new(stream), request).await
    }

    /// Opens an encrypted connection that trusts the emulator's authority, or nobody's certificate else.
    pub(crate) async fn encrypted(
        &self,
        name: &str,
        protocols: &[&str],
        authority: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let pem = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
        roots.add(pem).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.front).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// The first entry of the access logs, which are written a moment after the response.
    pub(crate) async fn logged(&self) -> Value {
        let wait = async {
            loop {
                if let Some(entry) = self.plane.access_log().into_iter().next() {
                    return entry;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("an entry in the access log")
    }

    /// The certificate of the emulator's authority.
    pub(crate) fn authority(&self) -> String {
        self.plane.authority()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = self.request(Method::GET, path).body(Full::default()).unwrap();
        let (status, _, body) = self.send(request).await.unwrap();
        (status, body)
    }

    /// Changes the settings.
    pub(crate) fn configure(&self, patch: &Value) {
        let mut state = self.emulator.state();
        state.settings = state.settings.patched(patch).unwrap();
    }

    /// Waits until a target of the group has the status.
    pub(crate) async fn until_target(&self, group: &str, status: &str) {
        let wait = async {
            loop {
                let listed = self.call("ListTargets", json!({"targetGroupIdentifier": group})).await;
                let items = listed["items"].as_array().unwrap();
                if items.iter().any(|item| item["status"] == status) {
                    return;
                }
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("no target became {status}"));
    }

    /// The last two octets of a target are those of its address on this machine.
    pub(crate) async fn target<F, R>(&self, octet: u8, answer: F) -> SocketAddr
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        self.target_at(octet, 0, answer).await.unwrap()
    }

    /// The same at a port.
    async fn target_at<F, R>(&self, octet: u8, port: u16, answer: F) -> io::Result<SocketAddr>
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let place = self.prefix.place(Ipv4Addr::new(10, 0, 0, octet).into());
        let listener = TcpListener::bind((place, port)).await?;
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, Arc::new(answer)));
        Ok(SocketAddr::from((Ipv4Addr::new(10, 0, 0, octet), port)))
    }

    /// Two targets at one port that answer with their names.
    pub(crate) async fn named_at_two(&self, one: (u8, &'static str), two: (u8, &'static str)) -> u16 {
        let open = async {
            loop {
                let port = self.named(one.0, one.1).await.port();
                let answer = move |_| async move { Response::new(Full::from(two.1)) };
                // The port may be in use at the other address, by another test.
                if self.target_at(two.0, port, answer).await.is_ok() {
                    return port;
                }
            }
        };
        tokio::time::timeout(DEADLINE, open).await.expect("a port that is free at two addresses")
    }

    /// A target that answers with its name.
    pub(crate) async fn named(&self, octet: u8, name: &'static str) -> SocketAddr {
        self.target(octet, move |_| async move { Response::new(Full::from(name)) }).await
    }
}

/// A server at a free port of this machine, outside of every VPC.
pub(crate) async fn local<F, R>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Arc::new(answer)));
    address
}

async fn seen(response: Response<Incoming>) -> Result<Seen, String> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
    Ok((parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned()))
}

/// One request by HTTP/1.1 over a connection.
pub(crate) async fn http1<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Seen, String>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    seen(sender.send_request(request).await.map_err(|error| format!("{error:?}"))?).await
}

/// One request by HTTP/2 over a connection.
pub(crate) async fn http2<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Seen, String>
where
    S: Read + Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    seen(sender.send_request(request).await.map_err(|error| format!("{error:?}"))?).await
}

async fn serve<F, R>(listener: TcpListener, answer: Arc<F>)
where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

pub(crate) fn forward(groups: &[(&str, u32)]) -> Value {
    let groups: Vec<Value> =
        groups.iter().map(|(id, weight)| json!({"targetGroupIdentifier": id, "weight": weight})).collect();
    json!({"forward": {"targetGroups": groups}})
}

pub(crate) fn keys(targets: &[SocketAddr]) -> Vec<Value> {
    targets.iter().map(|target| json!({"id": target.ip(), "port": target.port()})).collect()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
