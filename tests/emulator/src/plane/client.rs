//! Clients of targets. Towards a target of protocol HTTPS the connection is encrypted and the target's
//! certificate is not looked at, as VPC Lattice does it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Uri};
use hyper::body::Body;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tower_service::Service;

use super::tls::TlsError;

/// How long a connection to a target may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Targets that clients of HTTP/2 are kept for. With more of them at one time all start anew, which costs a
/// connection each.
const MAX_TARGETS: usize = 1024;

/// A client of HTTP/1.1 for all targets.
pub(super) type Http1<B> = Client<HttpsConnector<HttpConnector>, B>;

/// A client of HTTP/2 for one target.
type Http2<B> = Client<HttpsConnector<To>, B>;

/// A client that speaks HTTP/1.1. `keep` says whether connections are kept for the next request.
pub(super) fn http1<B>(keep: bool) -> Result<Http1<B>, TlsError>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(trusting()?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(builder(keep).build(connector))
}

fn builder(keep: bool) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.set_host(false);
    if !keep {
        builder.pool_max_idle_per_host(0);
    }
    builder
}

/// Clients that speak HTTP/2. There a request's authority is the client's host, which says nothing of the place of
/// the target, so each target has a client that goes nowhere else.
#[derive(Debug)]
pub(super) struct Multiplexed<B> {
    tls: ClientConfig,
    keep: bool,
    clients: Mutex<HashMap<SocketAddr, Http2<B>>>,
}

impl<B> Multiplexed<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// No clients yet.
    pub(super) fn new(keep: bool) -> Result<Self, TlsError> {
        Ok(Self { tls: trusting()?, keep, clients: Mutex::default() })
    }

    /// Sends a request to the target at a place.
    pub(super) fn request(&self, place: SocketAddr, request: Request<B>) -> ResponseFuture {
        self.to(place).request(request)
    }

    fn to(&self, place: SocketAddr) -> Http2<B> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&place) {
            return client.clone();
        }
        if clients.len() >= MAX_TARGETS {
            clients.clear();
        }
        let name = ServerName::IpAddress(place.ip().into());
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.clone())
            .https_or_http()
            .with_server_name_resolver(FixedServerNameResolver::new(name))
            .enable_http2()
            .wrap_connector(To(place));
        let client: Http2<B> = builder(self.keep).http2_only(true).build(connector);
        clients.insert(place, client.clone());
        client
    }
}

/// Connects to one place, whatever a request's authority is.
#[derive(Debug, Clone, Copy)]
struct To(SocketAddr);

impl Service<Uri> for To {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let place = self.0;
        Box::pin(async move {
            let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(place)).await??;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(stream))
        })
    }
}

fn trusting() -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Takes every certificate; still checks that the peer has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
