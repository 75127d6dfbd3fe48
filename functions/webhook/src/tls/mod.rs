//! The webhook's own certificate: made, shared by the replicas, trusted by the API server, and renewed, by itself.
//!
//! [`identity`] makes and judges certificates, [`bundle`] decides what the API server must trust and [`path`] where it calls,
//! [`store`] keeps them in the cluster, [`rotation`] goes round them, and [`Served`] is what the TLS listener shows.

pub mod bundle;
pub mod identity;
pub mod path;
pub mod rotation;
pub mod store;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto};
use std::sync::Arc;

/// The certificate that new connections see; it can be exchanged at any time.
#[derive(Debug, Default)]
pub struct Served(ArcSwapOption<CertifiedKey>);

impl Served {
    /// Serves nothing: handshakes fail.
    pub fn nothing() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Shows this certificate from now on.
    pub fn set(&self, certificate: Arc<CertifiedKey>) {
        self.0.store(Some(certificate));
    }

    /// Whether there is a certificate to show.
    pub fn is_set(&self) -> bool {
        self.0.load().is_some()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// The listener's TLS: no client certificates, since the API server has none to show unless configured to; HTTP/1.1 only,
/// see [`crate::listen`].
pub fn server_config(served: Arc<Served>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(served);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
