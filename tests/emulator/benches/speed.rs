//! How fast the emulator is, so that it is never what somebody measures: control-plane calls a second, and
//! requests a second through the data plane next to a direct connection.
//!
//! `cargo bench -p lattice-emulator --bench speed`

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lattice_emulator::model::Model;
use lattice_emulator::plane::{self, Outlets, Plane};
use lattice_emulator::state::{Home, Settings, State};
use lattice_emulator::{Emulator, server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const VPC: &str = "vpc-0a1b2c3d4e5f60001";

/// How long each measurement takes.
const SPAN: Duration = Duration::from_secs(3);

/// Clients at one time.
const CLIENTS: usize = 8;

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    let settings = quick()?;
    let home = Home { region: "us-west-2".to_owned(), account: "000000000000".to_owned() };
    let vpcs = BTreeMap::from([(VPC.to_owned(), "127.62".parse()?)]);
    let emulator = Arc::new(Emulator::new(Model::built_in()?, State::new(settings, home, vpcs, 1)));
    let data = Plane::open(Arc::clone(&emulator), 0, Outlets::default()).await?;
    let front: SocketAddr = format!("127.62.255.254:{}", data.port()).parse()?;
    tokio::spawn(plane::watch(Arc::clone(&emulator)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let control = listener.local_addr()?;
    tokio::spawn(server::serve(listener, emulator, data));

    let http: Http = Client::builder(TokioExecutor::new()).set_host(false).build(HttpConnector::new());
    let base = format!("http://{control}");
    let service = call(&http, Method::POST, &format!("{base}/services"), json!({"name": "svc"})).await?;
    let id = text(&service, "id");
    let listeners = format!("{base}/services/{id}/listeners");
    let not_found = json!({"fixedResponse": {"statusCode": 404}});
    let input = json!({"name": "http", "protocol": "HTTP", "defaultAction": not_found});
    let listener = text(&call(&http, Method::POST, &listeners, input).await?, "id");
    let rules = format!("{listeners}/{listener}/rules");

    let get = format!("{base}/services/{id}");
    measure("GetService", |_| call(&http, Method::GET, &get, Value::Null)).await?;
    measure("CreateRule and DeleteRule", |n| {
        let (http, rules) = (http.clone(), rules.clone());
        async move {
            let input = json!({"name": format!("r-{n:06}"), "priority": 1 + n % 2000,
                "match": {"httpMatch": {"method": "GET"}}, "action": {"fixedResponse": {"statusCode": 404}}});
            let made = call(&http, Method::POST, &rules, input).await?;
            call(&http, Method::DELETE, &format!("{rules}/{}", text(&made, "id")), Value::Null).await
        }
    })
    .await?;

    let target = target().await?;
    let domain = service["dnsEntry"]["domainName"].as_str().unwrap_or_default().to_owned();
    route(&http, &base, &id, &rules, target).await?;
    let direct = format!("http://{target}/x");
    measure("data plane, direct to the target", |_| request(&http, &direct, &domain)).await?;
    let through = format!("http://{front}/x");
    measure("data plane, through the emulator", |_| request(&http, &through, &domain)).await?;
    Ok(())
}

fn quick() -> Result<Settings, Failed> {
    let mut delays = serde_json::to_value(Settings::default().delays)?;
    for delay in delays.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        *delay = json!("0");
    }
    Ok(Settings::default().patched(&json!({"delays": delays, "quotas": {"rules-per-listener": 2000}}))?)
}

/// Runs something over and over by several clients and prints how often a second it was done.
async fn measure<F, R, T>(what: &str, act: F) -> Result<(), Failed>
where
    F: Fn(usize) -> R,
    R: Future<Output = Result<T, Failed>>,
{
    let started = Instant::now();
    let (act, started_at) = (&act, &started);
    let clients = (0..CLIENTS).map(|client| async move {
        let mut count = 0_usize;
        while started_at.elapsed() < SPAN {
            act(client + count * CLIENTS).await?;
            count += 1;
        }
        Ok::<usize, Failed>(count)
    });
    let counts = futures::future::try_join_all(clients).await?;
    let total = u32::try_from(counts.iter().sum::<usize>())?;
    println!("{what:36} {:>10.0} a second", f64::from(total) / started.elapsed().as_secs_f64());
    Ok(())
}

async fn call(http: &Http, method: Method, uri: &str, input: Value) -> Result<Value, Failed> {
    let body = if input.is_null() { String::new() } else { input.to_string() };
    let request =
        Request::builder().method(method).uri(uri).header("host", "lattice").body(Full::from(body))?;
    let response = http.request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(format!("{status} {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? })
}

async fn request(http: &Http, uri: &str, host: &str) -> Result<(), Failed> {
    let request = Request::builder().uri(uri).header("host", host).body(Full::default())?;
    let response = http.request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    if status.is_success() { Ok(()) } else { Err(status.to_string().into()) }
}

/// A target of the VPC.
async fn target() -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.62.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let service = service_fn(|_| async {
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
                });
                let io = TokioIo::new(stream);
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });
    Ok(address)
}

/// Makes the target reachable through the service.
async fn route(
    http: &Http,
    base: &str,
    service: &str,
    rules: &str,
    target: SocketAddr,
) -> Result<(), Failed> {
    let post = async |path: &str, input: Value| call(http, Method::POST, path, input).await;
    let config = json!({"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC});
    let input = json!({"name": "group", "type": "IP", "config": config});
    let group = text(&post(&format!("{base}/targetgroups"), input).await?, "id");
    let targets = json!({"targets": [{"id": "10.0.0.1", "port": target.port()}]});
    post(&format!("{base}/targetgroups/{group}/registertargets"), targets).await?;
    let forward = json!({"forward": {"targetGroups": [{"targetGroupIdentifier": group}]}});
    let matcher = json!({"httpMatch": {"pathMatch": {"match": {"prefix": "/x"}}}});
    post(rules, json!({"name": "forward", "priority": 2000, "match": matcher, "action": forward})).await?;
    let network = text(&post(&format!("{base}/servicenetworks"), json!({"name": "net"})).await?, "id");
    let both = json!({"serviceIdentifier": service, "serviceNetworkIdentifier": network});
    post(&format!("{base}/servicenetworkserviceassociations"), both).await?;
    let both = json!({"vpcIdentifier": VPC, "serviceNetworkIdentifier": network});
    post(&format!("{base}/servicenetworkvpcassociations"), both).await?;
    Ok(())
}

fn text(document: &Value, name: &str) -> String {
    document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
