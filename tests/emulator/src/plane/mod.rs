//! The data plane: one place a VPC for its clients, requests on their way to targets, health checks.

mod access_log;
mod client;
mod cloudwatch;
mod forward;
mod headers;
mod health;
mod host;
mod lambda;
mod resources;
pub(crate) mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::Emulator;
use crate::server::ACCEPT_PAUSE;
use crate::state::plan::{Decision, Destination};
use crate::state::{Home, Outlet, Prefix};
use access_log::Log;
use client::{Http1, Multiplexed, http1};
use cloudwatch::CloudWatch;
use lambda::Lambda;
use tls::Encryption;

pub use health::watch;
pub use tls::{Authority, TlsError};

/// Body of a request or response on its way through.
pub(crate) type Body = BoxBody<bytes::Bytes, hyper::Error>;

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);

/// Longest life of a connection that is passed through.
const PASSTHROUGH_LIFE: Duration = Duration::from_mins(10);

/// Header lines that are read before a request is refused by the parser itself; the service's own limit of 100,
/// with its own status, comes first.
const MAX_HEADER_LINES: usize = 256;

/// Why the data plane cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// A place cannot be listened at.
    #[error("the data plane cannot listen")]
    Listen(#[from] io::Error),
    /// The clients of targets, or the authority, cannot be made.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
}

/// A client of the data plane: where it is and how it came.
#[derive(Debug, Clone)]
struct Caller {
    vpc: Arc<str>,
    peer: SocketAddr,
    encryption: Option<Encryption>,
}

/// What the data plane has outside of itself.
#[derive(Debug, Clone, Default)]
pub struct Outlets {
    /// File that access log entries are appended to.
    pub access_log: Option<PathBuf>,
    /// Endpoint of CloudWatch Logs for access logs.
    pub logs: Option<http::Uri>,
    /// Endpoint of Lambda for functions as targets.
    pub lambda: Option<http::Uri>,
}

/// The data plane.
#[derive(Debug)]
pub struct Plane {
    emulator: Arc<Emulator>,
    /// Region and account, which never change.
    home: Home,
    port: u16,
    /// Prefixes whose place for clients is open.
    open: Mutex<BTreeSet<Prefix>>,
    /// Places of resources, each with what carries connections from there.
    outlets: Mutex<BTreeMap<SocketAddr, (Outlet, JoinHandle<()>)>>,
    http1: Http1<Body>,
    http2: Multiplexed<Body>,
    authority: Authority,
    log: Arc<Log>,
    lambda: Option<Lambda>,
}

impl Plane {
    /// Opens the places of all VPCs that are known. `port` 0 takes a free one, the same for all.
    ///
    /// # Errors
    /// When a place cannot be opened.
    pub async fn open(emulator: Arc<Emulator>, port: u16, outlets: Outlets) -> Result<Arc<Self>, PlaneError> {
        let first = emulator.state().vpcs().iter().next().map(|(vpc, prefix)| (vpc.clone(), *prefix));
        let address = first.as_ref().map_or(Ipv4Addr::LOCALHOST, |(_, prefix)| prefix.front());
        let listener = TcpListener::bind((address, port)).await?;
        let port = listener.local_addr()?.port();
        let home = emulator.state().home().clone();
        let cloudwatch = outlets.logs.map(|endpoint| CloudWatch::new(endpoint, home.clone())).transpose()?;
        let plane = Arc::new(Self {
            log: Log::open(outlets.access_log, cloudwatch),
            lambda: outlets.lambda.map(Lambda::new).transpose()?,
            emulator,
            home,
            port,
            open: Mutex::new(BTreeSet::new()),
            outlets: Mutex::new(BTreeMap::new()),
            http1: http1(true)?,
            http2: Multiplexed::new(true)?,
            authority: Authority::new()?,
        });
        if let Some((vpc, prefix)) = first {
            plane.open.lock().await.insert(prefix);
            tokio::spawn(Arc::clone(&plane).accept(listener, vpc));
        }
        plane.open_all().await?;
        Ok(plane)
    }

    /// The certificate of the authority that signs the data plane's certificates, as PEM.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }

    /// The last entries of the access logs, oldest first.
    pub fn access_log(&self) -> Vec<serde_json::Value> {
        self.log.last()
    }

    /// The port of all places.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Opens the places of VPCs and resources that are new, and closes those of resources that are gone. One that cannot be opened is logged and tried again next time.
    pub async fn ensure(self: &Arc<Self>) {
        if let Err(error) = self.open_all().await {
            tracing::error!(%error, "a VPC has no place on the data plane");
        }
        self.follow_resources().await;
    }

    async fn open_all(self: &Arc<Self>) -> io::Result<()> {
        let mut open = self.open.lock().await;
        // Every call that changes something comes here, and next to none brings a VPC.
        let new: Vec<(String, Prefix)> = {
            let state = self.emulator.state();
            let new = state.vpcs().iter().filter(|(_, prefix)| !open.contains(prefix));
            new.map(|(vpc, prefix)| (vpc.clone(), *prefix)).collect()
        };
        let mut outcome = Ok(());
        for (vpc, prefix) in new {
            // Two VPCs may have been given one prefix; its place is the first one's.
            if open.contains(&prefix) {
                continue;
            }
            match TcpListener::bind((prefix.front(), self.port)).await {
                Ok(listener) => {
                    open.insert(prefix);
                    tokio::spawn(Arc::clone(self).accept(listener, vpc));
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, vpc: String) {
        let vpc: Arc<str> = vpc.into();
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(Arc::clone(&self).connection(stream, peer, Arc::clone(&vpc)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a data-plane connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, vpc: Arc<str>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let mut first = [0_u8; 1];
        let peeked = tokio::time::timeout(HEADER_TIMEOUT, stream.peek(&mut first)).await;
        if !matches!(peeked, Ok(Ok(1))) {
            return;
        }
        if first == [tls::HANDSHAKE] {
            if let Err(error) = self.encrypted(stream, peer, vpc).await {
                tracing::debug!(%error, "an encrypted connection ended early");
            }
        } else {
            self.http(TokioIo::new(stream), Caller { vpc, peer, encryption: None }).await;
        }
    }

    /// An encrypted connection: passed through to a target, or ended here.
    async fn encrypted(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        vpc: Arc<str>,
    ) -> io::Result<()> {
        let name = tls::server_name(&stream).await?.unwrap_or_default();
        let (passed, certified, imported) = {
            let now = self.emulator.clock.now();
            let mut state = self.emulator.state();
            let passed = state.pass_through(now, &vpc, &name, rand::random());
            (passed, state.certificate_name(&vpc, &name), state.imported_certificate(&vpc, &name))
        };
        match passed {
            Some(Decision::Forward(_, destination)) => pass(stream, &destination).await,
            // There is nobody to talk to, and nothing can be said inside a connection that is not ours.
            Some(_) => Ok(()),
            None => {
                let config = match imported {
                    Some(imported) => tls::own_config(&imported),
                    None => self.authority.server_config(&certified),
                };
                let config = config.map_err(io::Error::other)?;
                let stream = TlsAcceptor::from(config).accept(stream).await?;
                let encryption = Some(Encryption::of(stream.get_ref().1));
                self.http(TokioIo::new(stream), Caller { vpc, peer, encryption }).await;
                Ok(())
            }
        }
    }

    async fn http<S: Read + Write + Unpin + Send + 'static>(self: Arc<Self>, stream: S, caller: Caller) {
        let service = service_fn(move |request| {
            let (plane, caller) = (Arc::clone(&self), caller.clone());
            async move { plane.serve(request, &caller).await }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(MAX_HEADER_LINES);
        builder.http2().timer(TokioTimer::new());
        if let Err(error) = builder.serve_connection(stream, service).await {
            tracing::debug!(%error, "a data-plane connection ended early");
        }
    }
}

/// Carries bytes both ways until both sides have ended or the connection is too old.
async fn pass(mut stream: TcpStream, destination: &Destination) -> io::Result<()> {
    let location = destination.location.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
    let mut target = TcpStream::connect(location.place).await?;
    let copied = tokio::io::copy_bidirectional(&mut stream, &mut target);
    tokio::time::timeout(PASSTHROUGH_LIFE, copied).await.map_err(io::Error::from)??;
    Ok(())
}
