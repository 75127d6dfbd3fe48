//! How fast the emulator is, so that it is never what somebody measures: control-plane calls, and requests through
//! the data plane next to a direct connection and next to a proxy of the same libraries that does nothing else.
//!
//! `cargo bench -p lattice-emulator --bench speed`
//!
//! Clients, emulator and target are one process, so a hop in between costs at least half of the direct figure.

mod site;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// How long each measurement takes.
const SPAN: Duration = Duration::from_secs(3);

/// How long each measurement goes on before it counts: connections are opened, pages are touched.
const WARM_UP: Duration = Duration::from_millis(500);

/// Clients at one time.
const CLIENTS: usize = 8;

pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    println!("{:44} {:>9} {:>9} {:>9}", "", "a second", "p50", "p99");
    let http = client();
    let site = site::Site::open(&http).await?;
    control(&http, &site).await?;
    for multiplexed in [false, true] {
        data(&site, multiplexed).await?;
    }
    Ok(())
}

/// A client of HTTP/1.1 that keeps its connections.
fn client() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).set_host(false).build(connector)
}

/// The control plane.
async fn control(http: &Http, site: &site::Site) -> Result<(), Failed> {
    let get = format!("{}/services/{}", site.base, site.service);
    measure("GetService", |_| timed(call(http, Method::GET, &get, Value::Null))).await?;
    measure("CreateRule, each deleted again unmeasured", |n| async move {
        let input = json!({"name": format!("r-{n:07}"), "priority": 1 + n % 1000,
            "match": {"httpMatch": {"method": "GET"}}, "action": {"fixedResponse": {"statusCode": 404}}});
        let started = Instant::now();
        let made = call(http, Method::POST, &site.rules, input).await?;
        let took = started.elapsed();
        let path = format!("{}/{}", site.rules, text(&made, "id"));
        call(http, Method::DELETE, &path, Value::Null).await?;
        Ok(took)
    })
    .await
}

/// The data plane, beside what it is held against. The way on to the target is by HTTP/1.1, because a target group
/// of HTTP/2 needs a listener of HTTPS.
async fn data(site: &site::Site, multiplexed: bool) -> Result<(), Failed> {
    let version = if multiplexed { "HTTP/2" } else { "HTTP/1.1" };
    let bare = site::bare_proxy(site.target, client()).await?;
    for (way, address) in
        [("direct", site.target), ("through a bare proxy", bare), ("through the emulator", site.front)]
    {
        let what = format!("{version} requests, {way}");
        if multiplexed {
            let sender = &connection(address).await?;
            let uri = &format!("http://{}/x", site.domain);
            measure(&what, |_| async move {
                let request = Request::builder().uri(uri).body(Full::default())?;
                timed(answered(sender.clone().send_request(request))).await
            })
            .await?;
        } else {
            let (http, uri) = (&client(), &format!("http://{address}/x"));
            measure(&what, |_| async move {
                let request = Request::builder().uri(uri).header("host", &site.domain);
                timed(answered(http.request(request.body(Full::default())?))).await
            })
            .await?;
        }
    }
    Ok(())
}

/// A connection of HTTP/2 with prior knowledge, which all clients share.
async fn connection(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Failed> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Runs something over and over by several clients and prints how often a second it was done and how long it took.
async fn measure<F, R>(what: &str, act: F) -> Result<(), Failed>
where
    F: Fn(usize) -> R,
    R: Future<Output = Result<Duration, Failed>>,
{
    let started = Instant::now();
    let act = &act;
    let clients = (0..CLIENTS).map(|client| async move {
        let (mut round, mut took) = (0_usize, Vec::new());
        while started.elapsed() < WARM_UP + SPAN {
            let counts = started.elapsed() >= WARM_UP;
            let one = act(client + round * CLIENTS).await?;
            round += 1;
            if counts {
                took.push(one);
            }
        }
        Ok::<Vec<Duration>, Failed>(took)
    });
    let mut took = futures::future::try_join_all(clients).await?.concat();
    let span = started.elapsed().saturating_sub(WARM_UP).as_secs_f64();
    took.sort_unstable();
    let rate = f64::from(u32::try_from(took.len())?) / span;
    let share = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    println!("{what:44} {rate:>9.0} {:>9.1?} {:>9.1?}", share(50), share(99));
    Ok(())
}

async fn timed<T>(act: impl Future<Output = Result<T, Failed>>) -> Result<Duration, Failed> {
    let started = Instant::now();
    act.await?;
    Ok(started.elapsed())
}

/// One call of the control plane.
pub(crate) async fn call(http: &Http, method: Method, uri: &str, input: Value) -> Result<Value, Failed> {
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

/// Waits for a response and its body.
async fn answered<E>(response: impl Future<Output = Result<Response<Incoming>, E>>) -> Result<(), Failed>
where
    E: Into<Failed>,
{
    let response = response.await.map_err(Into::into)?;
    let status = response.status();
    response.into_body().collect().await?;
    if status.is_success() { Ok(()) } else { Err(status.to_string().into()) }
}

pub(crate) fn text(document: &Value, name: &str) -> String {
    document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
