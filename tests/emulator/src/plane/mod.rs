//! The data plane: one place a VPC for its clients, requests on their way to targets, health checks.

mod forward;
mod headers;
mod health;
mod host;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::Emulator;
use crate::state::Prefix;

pub use health::watch;

/// Body of a request or response on its way through.
pub(crate) type Body = BoxBody<bytes::Bytes, hyper::Error>;

/// How long a connection to a target may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);

/// Header lines that are read before a request is refused by the parser itself; the service's own limit of 100,
/// with its own status, comes first.
const MAX_HEADER_LINES: usize = 256;

/// The data plane.
#[derive(Debug)]
pub struct Plane {
    emulator: Arc<Emulator>,
    port: u16,
    /// Prefixes whose place for clients is open.
    open: Mutex<BTreeSet<Prefix>>,
    http1: Client<HttpConnector, Body>,
    http2: Client<HttpConnector, Body>,
}

impl Plane {
    /// Opens the places of all VPCs that are known. `port` 0 takes a free one, the same for all.
    ///
    /// # Errors
    /// When a place cannot be opened.
    pub async fn open(emulator: Arc<Emulator>, port: u16) -> io::Result<Arc<Self>> {
        let first = emulator.state().vpcs().iter().next().map(|(vpc, prefix)| (vpc.clone(), *prefix));
        let address = first.as_ref().map_or(Ipv4Addr::LOCALHOST, |(_, prefix)| prefix.front());
        let listener = TcpListener::bind((address, port)).await?;
        let port = listener.local_addr()?.port();
        let plane = Arc::new(Self {
            emulator,
            port,
            open: Mutex::new(BTreeSet::new()),
            http1: client(false),
            http2: client(true),
        });
        if let Some((vpc, prefix)) = first {
            plane.open.lock().await.insert(prefix);
            tokio::spawn(Arc::clone(&plane).accept(listener, vpc));
        }
        plane.open_all().await?;
        Ok(plane)
    }

    /// The port of all places.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Opens the places of VPCs that are new. One that cannot be opened is logged and tried again next time.
    pub async fn ensure(self: &Arc<Self>) {
        if let Err(error) = self.open_all().await {
            tracing::error!(%error, "a VPC has no place on the data plane");
        }
    }

    async fn open_all(self: &Arc<Self>) -> io::Result<()> {
        let vpcs = self.emulator.state().vpcs().clone();
        let mut open = self.open.lock().await;
        for (vpc, prefix) in vpcs {
            if !open.contains(&prefix) {
                let listener = TcpListener::bind((prefix.front(), self.port)).await?;
                open.insert(prefix);
                tokio::spawn(Arc::clone(self).accept(listener, vpc));
            }
        }
        Ok(())
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, vpc: String) {
        let vpc: Arc<str> = vpc.into();
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tokio::spawn(Arc::clone(&self).connection(stream, peer, Arc::clone(&vpc)));
                }
                Err(error) => tracing::warn!(%error, "a data-plane connection was not accepted"),
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, vpc: Arc<str>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
        let service = service_fn(move |request| {
            let (plane, vpc) = (Arc::clone(&self), Arc::clone(&vpc));
            async move { plane.serve(request, &vpc, peer).await }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(MAX_HEADER_LINES);
        builder.http2().timer(TokioTimer::new());
        if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "a data-plane connection ended early");
        }
    }
}

fn client(http2: bool) -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).http2_only(http2).set_host(false).build(connector)
}
