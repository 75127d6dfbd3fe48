//! The two ports: sockets for both address families, and bounds on what whoever reaches them can hold.
//!
//! API servers speak HTTP/1.1 to webhooks (client-go asks for nothing else, so that calls are spread over the replicas),
//! and so does a kubelet: HTTP/2 is not offered.

use crate::losses::{Cause, Losses};
use crate::metrics::Metrics;
use crate::tls::{Served, server_config};
use anyhow::Context;
use axum::Router;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// Connections that wait to be accepted: what Go and Rust ask for too.
const BACKLOG: i32 = 1024;

/// Time for a TLS handshake, and for the first request after it.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for the head of a later request, the pause before it included. An API server closes what it has not used for 90 s
/// (Go's IdleConnTimeout), and must be the first to: a request on a connection that is just being closed fails.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);

/// Header fields of a request: an API server sends eight.
const HEADERS_MAX: usize = 32;

/// Bytes of a request's head, and of what is read ahead of a body. An API server's heads have some 400 bytes.
const BUFFER_BYTES_MAX: usize = 16 * 1024;

/// How many connections there may be at once.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// From one address.
    pub from_one_max: usize,
    /// In all.
    pub all_max: usize,
}

/// An API server has a connection for each review under way, 200 in its default settings, and each connection costs some
/// 30 KB: all of them a quarter of what a Pod may use.
pub const REVIEW_CROWD: Crowd = Crowd { from_one_max: 256, all_max: 1024 };

/// A kubelet and a scraper or two.
pub const OPS_CROWD: Crowd = Crowd { from_one_max: 16, all_max: 64 };

/// Listens on `address`. `[::]` takes IPv4 too, whatever the kernel's default, and becomes `0.0.0.0` where the kernel has
/// no IPv6.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    bind_by(address, bind_to).with_context(|| format!("{address} cannot be listened on"))
}

fn bind_by<T>(address: SocketAddr, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let error = match bind(address) {
        Ok(bound) => return Ok(bound),
        Err(error) => error,
    };
    let is_any = address.is_ipv6() && address.ip().is_unspecified();
    // EAFNOSUPPORT: a kernel without IPv6. EADDRNOTAVAIL: IPv6 is switched off by sysctl.
    let has_no_ipv6 = matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::AddrNotAvailable);
    if !(is_any && has_no_ipv6) {
        return Err(error);
    }
    let fallback = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    tracing::warn!(%address, %fallback, error = %error, "there is no IPv6 here");
    bind(fallback)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // As every server: a restart must not wait for connections of before to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves `router` with the certificate in `served` until `handle` says otherwise.
pub async fn serve_tls(
    listener: TcpListener,
    served: Arc<Served>,
    router: Router,
    gate: Gate,
    handle: Handle<SocketAddr>,
) -> anyhow::Result<()> {
    let config = RustlsConfig::from_config(Arc::new(server_config(served)?));
    let acceptor = RustlsAcceptor::new(config).handshake_timeout(GREETING_TIMEOUT).acceptor(gate);
    let https = bounded(axum_server::from_tcp(listener)?).acceptor(acceptor).handle(handle);
    Ok(https.serve(router.into_make_service()).await?)
}

/// Serves `router` without TLS.
pub async fn serve_plain(listener: TcpListener, router: Router, gate: Gate) -> anyhow::Result<()> {
    let server = bounded(axum_server::from_tcp(listener)?).acceptor(gate);
    Ok(server.serve(router.into_make_service()).await?)
}

fn bounded(server: Server<SocketAddr>) -> Server<SocketAddr> {
    let mut server = server.http1_only().first_request_timeout(GREETING_TIMEOUT);
    let mut http = server.http_builder().http1();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    http.max_headers(HEADERS_MAX).max_buf_size(BUFFER_BYTES_MAX);
    server
}

/// Lets connections in as long as there are not too many.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Doorkeeper>);

#[derive(Debug)]
struct Doorkeeper {
    crowd: Crowd,
    inside: Mutex<HashMap<IpAddr, usize>>,
    metrics: Arc<Metrics>,
    losses: Option<Losses>,
}

/// A connection's place, given back when the connection ends.
#[derive(Debug)]
struct Place {
    address: IpAddr,
    doorkeeper: Arc<Doorkeeper>,
}

impl Gate {
    /// For so many. `losses`: a connection that is turned away may be the API server's.
    pub fn new(crowd: Crowd, metrics: Arc<Metrics>, losses: Option<Losses>) -> Self {
        Self(Arc::new(Doorkeeper { crowd, inside: Mutex::default(), metrics, losses }))
    }

    fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let Doorkeeper { crowd, inside, .. } = &*self.0;
        let mut inside = inside.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, from_one) = (inside.values().sum::<usize>(), inside.get(&address).copied().unwrap_or(0));
        if all >= crowd.all_max || from_one >= crowd.from_one_max {
            return None;
        }
        *inside.entry(address).or_insert(0) += 1;
        Some(Place { address, doorkeeper: self.0.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.doorkeeper.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.address);
            }
        }
    }
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = TcpStream;
    type Service = Inside<S>;
    type Future = Ready<io::Result<(TcpStream, Inside<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().map(|address| self.enter(address.ip()));
        ready(match place {
            Ok(Some(place)) => Ok((stream, Inside { service, _place: Arc::new(place) })),
            Ok(None) => {
                self.0.metrics.connections_refused.inc();
                if let Some(losses) = &self.0.losses {
                    losses.note(Cause::Crowded);
                }
                Err(ErrorKind::ConnectionRefused.into())
            }
            Err(error) => Err(error),
        })
    }
}

/// The service of one connection, which lives as long as the connection.
#[derive(Debug, Clone)]
pub struct Inside<S> {
    service: S,
    _place: Arc<Place>,
}

impl<S: tower_service::Service<R>, R> tower_service::Service<R> for Inside<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;
    use std::net::TcpStream as StdStream;

    #[test]
    fn a_socket_on_all_addresses_takes_both_families() {
        let listener = bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = listener.local_addr().unwrap().port();
        StdStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        StdStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    }

    #[test]
    fn a_kernel_without_ipv6_is_listened_on_by_ipv4() {
        for kind in [ErrorKind::Unsupported, ErrorKind::AddrNotAvailable] {
            let without =
                |address: SocketAddr| if address.is_ipv6() { Err(kind.into()) } else { Ok(address) };
            assert_eq!(
                bind_by("[::]:9443".parse().unwrap(), without).unwrap(),
                "0.0.0.0:9443".parse().unwrap()
            );
            assert_eq!(bind_by("[::1]:9443".parse().unwrap(), without).unwrap_err().kind(), kind);
        }
        let taken = |_| -> io::Result<()> { Err(ErrorKind::AddrInUse.into()) };
        assert!(bind_by("[::]:9443".parse().unwrap(), taken).is_err());
    }

    #[test]
    fn there_are_so_many_connections_and_no_more_and_one_address_has_not_all() {
        let gate = Gate::new(Crowd { from_one_max: 2, all_max: 3 }, Arc::default(), None);
        let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let mapped = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        let (first, _second) = (gate.enter(a).unwrap(), gate.enter(mapped).unwrap());
        assert!(gate.enter(a).is_none() && gate.enter(mapped).is_none());
        let _third = gate.enter(b).unwrap();
        assert!(gate.enter(c).is_none());
        drop(first);
        gate.enter(c).unwrap();
    }
}
