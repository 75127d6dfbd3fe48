//! How much one webhook takes: `cargo run --release -p trellis-webhook --example load`.
//!
//! Starts itself a second time as the webhook (the real TLS port, decisions and queue on one thread, with an SQS that
//! takes 5 ms, in a cluster of 1,000 routes), then sends reviews of route updates, as an API server does over kept
//! connections: first as many as it takes, then 1000 a second, then of a route that shares its hostname with ten others. Prints the figures beside their bars; the exit status says whether all were met.

use anyhow::{Context, ensure};
use axum_server::Handle;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep};
use trellis_gateway::{BESIDE_KINDS, CONTROLLER};
use trellis_hint::Kind;
use trellis_webhook::listen::{Gate, REVIEW_CROWD, serve_tls};
use trellis_webhook::losses::Losses;
use trellis_webhook::metrics::Metrics;
use trellis_webhook::neighbours::{Kept, Neighbours, Objects};
use trellis_webhook::queue::{Entry, PACE, QUEUE_LENGTH_MAX, Refusal, SendBatch, SendError, hint_queue};
use trellis_webhook::server::Reviewer;
use trellis_webhook::tls::Served;
use trellis_webhook::tls::identity::issue;
use trellis_webhook::tls::path::{Token, Tokens};
use trellis_webhook::watch::SharedInterest;

const CONNECTIONS: u32 = 8;
const PHASE: Duration = Duration::from_secs(5);
const PACED_PER_SECOND: u32 = 1000;
/// Routes of the cluster, how many of them share a hostname, and the number of that.
const ROUTES: u32 = 1000;
const SHARING: u32 = 10;
const SHARED: u32 = 2;
const SQS_LATENCY: Duration = Duration::from_millis(5);

/// The bars: an API server waits one second, but every write in the cluster waits with it.
const REVIEWS_PER_CPU_SECOND_MIN: f64 = 1000.0;
const P99_MAX: Duration = Duration::from_millis(10);
/// Of a route that has to be read beside ten others: a person waits for it, at a pace of persons.
const SHARED_P99_MAX: Duration = Duration::from_millis(50);
const SHARED_PER_SECOND: u32 = 20;
const RSS_MIB_MAX: f64 = 20.0;

struct SlowSqs;

impl SendBatch for SlowSqs {
    async fn send_batch(&self, _batch: &[Entry]) -> Result<Vec<Refusal>, SendError> {
        sleep(SQS_LATENCY).await;
        Ok(vec![])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("webhook") { webhook().await } else { load().await }
}

/// The webhook without a cluster: everything counts, and the authority is printed. Ends with its standard input.
async fn webhook() -> anyhow::Result<()> {
    let identity = issue(&[], OffsetDateTime::now_utc())?;
    let (served, metrics) = (Served::nothing(), Arc::new(Metrics::new()));
    served.set(identity.certified_key()?);
    let losses = Losses::new(metrics.clone(), OffsetDateTime::now_utc);
    let (queue, sender, _drain) =
        hint_queue(QUEUE_LENGTH_MAX, PACE, Arc::new(SlowSqs), metrics.clone(), losses.clone());
    tokio::spawn(sender.run());
    let (token, tokens) = (Token::of(&identity), Tokens::default());
    tokens.take([token.clone()].into());
    let gate = Gate::new(REVIEW_CROWD, metrics.clone(), Some(losses.clone()));
    let reviewer = Reviewer {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse()?,
        interest: SharedInterest::default(),
        neighbours: Arc::new(RwLock::new(neighbours())),
        queue,
        metrics,
        losses,
        tokens,
        wake: Arc::new(Notify::new()),
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let hello =
        json!({"address": listener.local_addr()?, "authority": identity.authority_pem, "path": token.path()});
    println!("{hello}");
    std::thread::spawn(|| {
        let mut end = Vec::new();
        // Whether the parent closes the pipe or fails, this process has no more to do.
        let _ = std::io::stdin().read_to_end(&mut end);
        std::process::exit(0);
    });
    serve_tls(listener, served, reviewer.router(), gate, Handle::new()).await
}

/// A Gateway with its routes.
fn neighbours() -> Neighbours {
    let mut all = Neighbours::default();
    for kind in BESIDE_KINDS {
        all.replace(kind, Objects::default());
    }
    let mut put = |kind: Kind, name: &str, object: Value| {
        let namespace = if kind == Kind::GatewayClass { "" } else { "default" };
        all.apply(kind, (namespace.to_owned(), name.to_owned()), Kept::of(kind, &object));
    };
    put(
        Kind::GatewayClass,
        "ours",
        json!({"metadata": {"name": "ours"}, "spec": {"controllerName": CONTROLLER}}),
    );
    let spec =
        json!({"gatewayClassName": "ours", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]});
    put(
        Kind::Gateway,
        "my-hotel",
        json!({"metadata": {"namespace": "default", "name": "my-hotel"}, "spec": spec}),
    );
    for number in 0..ROUTES {
        let name = format!("beside-{number}");
        let hostname = if number < SHARING { SHARED } else { number + 10 };
        put(Kind::HTTPRoute, &name, route(&name, hostname, 1));
    }
    all
}

async fn load() -> anyhow::Result<()> {
    let mut child = Command::new(std::env::current_exe()?);
    let mut child = child.arg("webhook").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
    let hello: Value = serde_json::from_str(&line)?;
    let address: SocketAddr = hello["address"].as_str().context("no address")?.parse()?;
    let authority =
        CertificateDer::from_pem_slice(hello["authority"].as_str().unwrap_or_default().as_bytes())?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(address, authority.clone()).await?);
    }
    let path = hello["path"].as_str().context("no path")?.to_owned();
    let (review, shared) = (Bytes::from(review(1).to_string()), Bytes::from(review(SHARED).to_string()));
    println!("{CONNECTIONS} connections, reviews of {} bytes, SQS of {SQS_LATENCY:?}", review.len());

    let cpu_before = cpu_seconds(&child)?;
    let started = Instant::now();
    let (clients, mut latencies) = phase(clients, &path, &review, None).await?;
    let cpu = cpu_seconds(&child)? - cpu_before;
    let reviews = f64::from(u32::try_from(latencies.len())?);
    println!(
        "at full speed: {:.0} reviews a second, p99 {:?}",
        reviews / started.elapsed().as_secs_f64(),
        share(&mut latencies, 99)
    );

    let (clients, mut latencies) = phase(clients, &path, &review, Some(PACED_PER_SECOND)).await?;
    let (paced_p50, paced_p99) = (share(&mut latencies, 50), share(&mut latencies, 99));
    let (_, mut latencies) = phase(clients, &path, &shared, Some(SHARED_PER_SECOND)).await?;
    let (shared_p50, shared_p99) = (share(&mut latencies, 50), share(&mut latencies, 99));
    let rss = rss_mib(&child)?;
    let per_cpu = reviews / cpu;
    println!("one core takes {per_cpu:.0} reviews a second (bar: at least {REVIEWS_PER_CPU_SECOND_MIN})");
    println!(
        "p50 at {PACED_PER_SECOND} a second: {paced_p50:?}, p99: {paced_p99:?} (bar: at most {P99_MAX:?})"
    );
    println!(
        "beside {SHARING} others, at {SHARED_PER_SECOND} a second: p50 {shared_p50:?}, p99 {shared_p99:?} (bar: at most \
         {SHARED_P99_MAX:?})"
    );
    println!("most memory resident: {rss:.1} MiB (bar: at most {RSS_MIB_MAX})");
    drop(child.stdin.take());
    child.wait()?;
    ensure!(
        per_cpu >= REVIEWS_PER_CPU_SECOND_MIN
            && paced_p99 <= P99_MAX
            && shared_p99 <= SHARED_P99_MAX
            && rss <= RSS_MIB_MAX,
        "a bar was missed"
    );
    Ok(())
}

type Client = SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr, authority: CertificateDer<'static>) -> anyhow::Result<Client> {
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost")?, tcp)
        .await?;
    let (client, connection) = handshake(TokioIo::new(tls)).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Sends over all connections at once, as fast as they go or so many a second; gives the time of each answer.
async fn phase(
    clients: Vec<Client>,
    path: &str,
    review: &Bytes,
    per_second: Option<u32>,
) -> anyhow::Result<(Vec<Client>, Vec<Duration>)> {
    let tasks: Vec<_> = clients
        .into_iter()
        .zip(0..)
        .map(|(mut client, index)| {
            let (path, review) = (path.to_owned(), review.clone());
            tokio::spawn(async move {
                // The connections take turns.
                let mut ticks = per_second
                    .map(|rate| Duration::from_secs(1) / rate)
                    .map(|gap| interval_at(Instant::now() + gap * index, gap * CONNECTIONS));
                let (end, mut latencies) = (Instant::now() + PHASE, Vec::new());
                while Instant::now() < end {
                    // Measured from the moment it was due, so that a stall counts for all that it delays.
                    let due = match &mut ticks {
                        Some(ticks) => ticks.tick().await,
                        None => Instant::now(),
                    };
                    post(&mut client, &path, review.clone()).await?;
                    latencies.push(due.elapsed());
                }
                anyhow::Ok((client, latencies))
            })
        })
        .collect();
    let (mut clients, mut all) = (Vec::new(), Vec::new());
    for task in tasks {
        let (client, latencies) = task.await??;
        clients.push(client);
        all.extend(latencies);
    }
    Ok((clients, all))
}

async fn post(client: &mut Client, path: &str, review: Bytes) -> anyhow::Result<()> {
    client.ready().await?;
    let request =
        Request::post(format!("{path}?timeout=1s")).header("host", "localhost").body(Full::new(review))?;
    let response = client.send_request(request).await?;
    ensure!(response.status().is_success(), "{}", response.status());
    response.into_body().collect().await?;
    Ok(())
}

/// A route with a dozen rules and the managed fields of two managers.
fn route(name: &str, hostname: u32, generation: u32) -> Value {
    let rule = |number: u32| {
        json!({"matches": [{"path": {"type": "PathPrefix", "value": format!("/parking/{name}/{number}")}}],
        "backendRefs": [{"name": "parking", "kind": "Service", "port": 80, "weight": 10}]})
    };
    let fields = json!({"f:spec": {"f:parentRefs": {}, "f:rules": {}, "f:hostnames": {}}});
    let managed = json!({"manager": "kubectl", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields});
    json!({"metadata": {"name": name, "namespace": "default", "uid": "5a2f", "generation": generation,
            "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1234", "managedFields": [managed, managed]},
        "spec": {"parentRefs": [{"name": "my-hotel", "sectionName": "http"}],
            "rules": (0..12).map(rule).collect::<Vec<Value>>(), "hostnames": [format!("host-{hostname}.example.com")]}})
}

/// An update of a route of the hostname of this number.
fn review(hostname: u32) -> Value {
    let (new, old) = (route("rates", hostname, 2), route("rates", 0, 1));
    let kind = json!({"group": "gateway.networking.k8s.io", "version": "v1", "kind": "HTTPRoute"});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": "r", "kind": kind,
        "name": "rates", "namespace": "default", "operation": "UPDATE", "object": new, "oldObject": old}})
}

/// The latency that so many of a hundred are at most.
fn share(latencies: &mut [Duration], percent: usize) -> Duration {
    latencies.sort_unstable();
    let index = latencies.len() * percent / 100;
    latencies.get(index).copied().unwrap_or_default()
}

/// User and system time of the process, in the 10 ms ticks that Linux counts in.
fn cpu_seconds(child: &Child) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: Vec<f64> =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// The most memory that was ever resident.
fn rss_mib(child: &Child) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
