//! TLS at the data plane: a certificate authority of its own, certificates by server name, and the reading of
//! server names from connections that are passed through.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::Acceptor;
use tokio::net::TcpStream;

use crate::state::Imported;

/// How a connection is encrypted, for access logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encryption {
    pub(super) version: String,
    pub(super) cipher: String,
    pub(super) server_name: String,
}

impl Encryption {
    /// Of a connection whose handshake is over.
    pub(super) fn of(connection: &rustls::ServerConnection) -> Self {
        let version = connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        let suite = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
        Self {
            version: version.replace('_', "."),
            cipher: suite.unwrap_or_default().replace("TLS13_", "TLS_"),
            server_name: connection.server_name().unwrap_or_default().to_owned(),
        }
    }
}

/// Why TLS does not work.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate cannot be made.
    #[error("a certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses its configuration.
    #[error("TLS cannot be configured")]
    Configuration(#[from] rustls::Error),
}

/// Common name of the made-up authority.
const AUTHORITY: &str = "lattice-emulator";

/// Names whose certificates are kept. A run has a service a name; more only come from clients that ask for names
/// at random, for whom everything is made anew.
const MAX_KEPT: usize = 4096;

/// First byte of a TLS handshake record.
pub(super) const HANDSHAKE: u8 = 0x16;

/// Longest client hello that is read; a TLS record has 16 KiB at most.
const MAX_HELLO: usize = 16 * 1024;

/// How long a client may take to send its hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause before an incomplete hello is looked at again: `peek` returns at once when anything is there.
const HELLO_PAUSE: Duration = Duration::from_millis(5);

/// A certificate authority that lives as long as the process.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    kept: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// A new one with a new key.
    ///
    /// # Errors
    /// When the key or the certificate cannot be made.
    pub fn new() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, AUTHORITY);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer, kept: Mutex::new(HashMap::new()) })
    }

    /// Its certificate, for clients to trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a server of this name says, with ALPN for both versions of HTTP.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn server_config(&self, name: &str) -> Result<Arc<ServerConfig>, TlsError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = kept.get(name) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make(name)?);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(name.to_owned(), Arc::clone(&config));
        Ok(config)
    }

    fn make(&self, name: &str) -> Result<ServerConfig, TlsError> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![name.to_owned()])?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.issuer.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(config(chain, key)?)
    }
}

/// What a server says that has a certificate of ACM's.
///
/// # Errors
/// When the certificate and its key are of no use together.
pub(crate) fn own_config(imported: &Imported) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |_| rustls::Error::General("an imported certificate cannot be read".to_owned());
    let chain = CertificateDer::pem_slice_iter(imported.chain.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let key = PrivateKeyDer::from_pem_slice(imported.key.as_bytes()).map_err(unreadable)?;
    Ok(Arc::new(config(chain, key)?))
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The server name that a client asks for, read without taking the bytes from the connection. `None` = it names
/// none.
pub(super) async fn server_name(stream: &TcpStream) -> io::Result<Option<String>> {
    let read = async {
        let mut buffer = vec![0_u8; MAX_HELLO];
        loop {
            let count = stream.peek(&mut buffer).await?;
            let mut bytes = buffer.get(..count).unwrap_or_default();
            let mut acceptor = Acceptor::default();
            while !bytes.is_empty() {
                acceptor.read_tls(&mut bytes)?;
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => {
                    return Ok(accepted.client_hello().server_name().map(str::to_ascii_lowercase));
                }
                Ok(None) if count == 0 || count == MAX_HELLO => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                Ok(None) => tokio::time::sleep(HELLO_PAUSE).await,
                Err((error, _)) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
    };
    tokio::time::timeout(HELLO_TIMEOUT, read).await.map_err(io::Error::from)?
}
