//! What is measured: an emulator with one service, a target, and a proxy that does nothing but carry requests.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::Authority;
use http::{Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lattice_emulator::model::Model;
use lattice_emulator::plane::{self, Outlets, Plane};
use lattice_emulator::state::{Home, Settings, State};
use lattice_emulator::{Emulator, server};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{Failed, Http, call, text};

const VPC: &str = "vpc-0a1b2c3d4e5f60001";

/// A running emulator whose service forwards `/x` to one target.
pub(crate) struct Site {
    /// Where the control plane is.
    pub(crate) base: String,
    /// Id of the service.
    pub(crate) service: String,
    /// Address of the listener's rules.
    pub(crate) rules: String,
    /// Domain name of the service.
    pub(crate) domain: String,
    /// Where clients of the VPC reach it.
    pub(crate) front: SocketAddr,
    /// The target's own address.
    pub(crate) target: SocketAddr,
}

impl Site {
    /// Starts everything and makes the service reachable.
    pub(crate) async fn open(http: &Http) -> Result<Self, Failed> {
        let home = Home { region: "us-west-2".to_owned(), account: "000000000000".to_owned() };
        let vpcs = BTreeMap::from([(VPC.to_owned(), "127.62".parse()?)]);
        let state = State::new(quick()?, home, vpcs, 1);
        let emulator = Arc::new(Emulator::new(Model::built_in()?, state));
        let data = Plane::open(Arc::clone(&emulator), 0, Outlets::default()).await?;
        let front: SocketAddr = format!("127.62.255.254:{}", data.port()).parse()?;
        tokio::spawn(plane::watch(Arc::clone(&emulator)));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        tokio::spawn(server::serve(listener, emulator, data));

        let post = async |path: &str, input| call(http, Method::POST, &format!("{base}{path}"), input).await;
        let made = post("/services", json!({"name": "svc"})).await?;
        let service = text(&made, "id");
        let not_found = json!({"fixedResponse": {"statusCode": 404}});
        let input = json!({"name": "http", "protocol": "HTTP", "defaultAction": not_found});
        let listener = text(&post(&format!("/services/{service}/listeners"), input).await?, "id");
        let network = text(&post("/servicenetworks", json!({"name": "net"})).await?, "id");
        let both = json!({"serviceIdentifier": service, "serviceNetworkIdentifier": network});
        post("/servicenetworkserviceassociations", both).await?;
        let both = json!({"vpcIdentifier": VPC, "serviceNetworkIdentifier": network});
        post("/servicenetworkvpcassociations", both).await?;
        let domain = made["dnsEntry"]["domainName"].as_str().unwrap_or_default().to_owned();
        let rules = format!("{base}/services/{service}/listeners/{listener}/rules");
        let site = Self { base, service, rules, domain, front, target: target().await? };
        site.forward(http).await?;
        Ok(site)
    }

    /// A rule to the target.
    async fn forward(&self, http: &Http) -> Result<(), Failed> {
        let groups = format!("{}/targetgroups", self.base);
        let config = json!({"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC});
        let input = json!({"name": "group", "type": "IP", "config": config});
        let group = text(&call(http, Method::POST, &groups, input).await?, "id");
        let targets = json!({"targets": [{"id": "10.0.0.1", "port": self.target.port()}]});
        call(http, Method::POST, &format!("{groups}/{group}/registertargets"), targets).await?;
        let input = json!({"name": "to-target", "priority": 2000,
            "match": {"httpMatch": {"pathMatch": {"match": {"prefix": "/x"}}}},
            "action": {"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}}});
        call(http, Method::POST, &self.rules, input).await?;
        Ok(())
    }
}

/// No delays, and room for the rules of the measurement.
fn quick() -> Result<Settings, Failed> {
    let mut delays = serde_json::to_value(Settings::default().delays)?;
    for delay in delays.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        *delay = json!("0");
    }
    Ok(Settings::default().patched(&json!({"delays": delays, "quotas": {"rules-per-listener": 2000}}))?)
}

/// A target of the VPC, by HTTP/1.1 and HTTP/2.
async fn target() -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.62.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, |_| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
    }));
    Ok(address)
}

/// A proxy that sends every request on to one address with the same client as the emulator's data plane.
pub(crate) async fn bare_proxy(to: SocketAddr, http: Http) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let authority: Authority = to.to_string().parse()?;
    tokio::spawn(serve(listener, move |request: Request<Incoming>| {
        let (http, authority) = (http.clone(), authority.clone());
        async move {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let uri = Uri::builder().scheme("http").authority(authority).path_and_query(path).build()?;
            let mut outgoing = Request::builder().method(request.method()).uri(uri).body(Full::default())?;
            if let Some(host) = request.headers().get(header::HOST) {
                outgoing.headers_mut().insert(header::HOST, host.clone());
            }
            Ok::<_, Failed>(http.request(outgoing).await?)
        }
    }));
    Ok(address)
}

async fn serve<F, R, B, E>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Failed>,
    E: Into<Failed> + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let service = service_fn(answer);
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
