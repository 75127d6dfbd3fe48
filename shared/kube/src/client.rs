use crate::{
    Clock, KubeError, TokenError, TokenSource,
    error::{Asked, ErrorClass},
    resource::{api_resource, versions},
    token::Tokens,
    transport::{Answer, accept, failure},
};
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::{client::Body, core::ApiResource};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use trellis_hint::Kind;

/// How long connecting (TCP and TLS) may take. Within a Region it takes milliseconds; three seconds outlast one lost
/// packet, and a cluster that is not there holds up the others of a pass no longer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one request may take from connecting to the last byte. A list of [`crate::PAGE_OBJECTS`] takes well under a
/// second; a unit has several times as long, so that it goes on without a cluster that hangs.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes. A page of 500 routes is about 2 MB; this bounds the function's memory.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How often a request is repeated after a passing failure. The queue repeats the whole unit later anyhow.
const RETRIES_MAX: usize = 2;

/// The wait before the first repetition; it doubles.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);

/// The longest wait that a server's `Retry-After` is granted inside an invocation.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// Builds a request for the kind as served under a version.
type BuildRequest<'a> =
    dyn Fn(&ApiResource) -> Result<Request<Vec<u8>>, kube::core::request::Error> + Send + Sync + 'a;

/// The client of one registered cluster's API server. Cheap to keep while a function is warm.
pub struct ClusterClient {
    client: kube::Client,
    tokens: Tokens,
    /// The version under which each kind was found to be served, for kinds that have several.
    served: Mutex<BTreeMap<Kind, &'static str>>,
    describe_again: AtomicBool,
    requests: AtomicU64,
    /// How often an Event was told, by its name.
    pub(crate) told: Mutex<BTreeMap<String, u32>>,
}

impl fmt::Debug for ClusterClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterClient").finish_non_exhaustive()
    }
}

impl ClusterClient {
    /// A client of the API server at `endpoint` (an https URL), trusting every certificate of the PEM bundle `ca_pem` and
    /// no other: during a rotation the bundle holds the old CA and the new.
    ///
    /// Nothing is asked yet. Must be called within a Tokio runtime, on which the client's connections then live.
    pub fn connect(endpoint: &str, ca_pem: &[u8], token: TokenSource) -> Result<Self, KubeError> {
        Self::connect_with_clock(endpoint, ca_pem, token, Arc::new(SystemTime::now))
    }

    /// As [`connect`](Self::connect), with a clock of the caller's to tell the token's age.
    pub fn connect_with_clock(
        endpoint: &str,
        ca_pem: &[u8],
        token: TokenSource,
        clock: Clock,
    ) -> Result<Self, KubeError> {
        let mut config = kube::Config::new(https_url(endpoint)?);
        config.root_cert = Some(ca_certificates(ca_pem)?);
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // The time of a whole request is bounded by ANSWER_TIMEOUT, and repetitions are ours to count.
        config.read_timeout = None;
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(|error| KubeError::Client(Box::new(error)))?;
        Ok(Self {
            client,
            tokens: Tokens::new(token, clock),
            served: Mutex::default(),
            describe_again: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            told: Mutex::default(),
        })
    }

    /// Whether a request failed in a way that makes it likely that the cluster's endpoint or CA has changed: describe the
    /// cluster again before the next use and connect anew.
    pub fn must_describe_again(&self) -> bool {
        self.describe_again.load(Ordering::Relaxed)
    }

    /// How many requests were sent so far, repetitions included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Sends the request that `build` makes for the version under which the kind is served, and finds that version out
    /// where it is not known. `name` is the object that is asked for, if it is one.
    pub(crate) async fn ask(
        &self,
        kind: Kind,
        asked: Asked,
        name: Option<&str>,
        build: &BuildRequest<'_>,
    ) -> Result<Bytes, KubeError> {
        for version in self.versions_to_try(kind) {
            let request = build(&api_resource(kind, version)).map_err(KubeError::Request)?;
            let result = self.send_repeatedly(&request, asked, name).await;
            if matches!(result, Err(KubeError::KindMissing(_))) {
                continue;
            }
            if matches!(result, Ok(_) | Err(KubeError::Missing)) {
                self.remember(kind, version);
            }
            return result;
        }
        self.forget(kind);
        Err(KubeError::KindMissing(kind))
    }

    /// The versions of the kind, the one that is known to be served first.
    fn versions_to_try(&self, kind: Kind) -> Vec<&'static str> {
        let known = self.served.lock().unwrap_or_else(PoisonError::into_inner).get(&kind).copied();
        let others = versions(kind).iter().copied().filter(|version| Some(*version) != known);
        known.into_iter().chain(others).collect()
    }

    fn remember(&self, kind: Kind, version: &'static str) {
        if versions(kind).len() > 1 {
            self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, version);
        }
    }

    fn forget(&self, kind: Kind) {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).remove(&kind);
    }

    pub(crate) async fn send_repeatedly(
        &self,
        request: &Request<Vec<u8>>,
        asked: Asked,
        name: Option<&str>,
    ) -> Result<Bytes, KubeError> {
        let backoff = ExponentialBuilder::new()
            .with_min_delay(RETRY_DELAY_MIN)
            .with_max_delay(RETRY_DELAY_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter();
        let result = (|| async { accept(self.send_authenticated(request).await?, asked, name) })
            .retry(backoff)
            .when(KubeError::is_passing)
            .adjust(|error, delay| match error {
                KubeError::Unavailable { retry_after: Some(wanted), .. } => {
                    delay.map(|delay| delay.max(*wanted).min(RETRY_DELAY_MAX))
                }
                _ => delay,
            })
            .notify(|error, delay| {
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                tracing::debug!(error = %trellis_telemetry::chain(error), delay_ms, "asking again");
            })
            .await;
        if let Err(error) = &result
            && error.class() == ErrorClass::DescribeAgain
        {
            self.describe_again.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Sends a request with the present token; after a 401 once more with a new one.
    async fn send_authenticated(&self, request: &Request<Vec<u8>>) -> Result<Answer, KubeError> {
        let token = self.tokens.get(None).await?;
        let answer = self.send(request, &token).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let token = self.tokens.get(Some(&token)).await?;
        self.send(request, &token).await
    }

    async fn send(&self, request: &Request<Vec<u8>>, token: &str) -> Result<Answer, KubeError> {
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|_| TokenError::NotAHeader)?;
        bearer.set_sensitive(true);
        let mut request = request.clone().map(Body::from);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        self.requests.fetch_add(1, Ordering::Relaxed);
        tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(request))
            .await
            .map_err(|_| KubeError::Timeout { after: ANSWER_TIMEOUT })?
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, KubeError> {
        let (parts, body) = self.client.send(request).await.map_err(failure)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                KubeError::AnswerTooLong { bytes_max: ANSWER_BYTES_MAX }
            } else {
                KubeError::Interrupted(error)
            }
        })?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }
}

fn https_url(endpoint: &str) -> Result<Uri, KubeError> {
    let wrong = |source| KubeError::Endpoint { endpoint: endpoint.to_owned(), source };
    let url: Uri = endpoint.parse().map_err(|error| wrong(Some(error)))?;
    // A token over plain HTTP would be given to whoever listens.
    if url.scheme_str() == Some("https") { Ok(url) } else { Err(wrong(None)) }
}

/// All certificates of the bundle. One that cannot be read is an error, not skipped: it may be the one in use.
fn ca_certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, KubeError> {
    let wrong = |reason: String| KubeError::CaBundle { reason };
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        let certificate =
            certificate.map_err(|error| wrong(format!("certificate {number} is not PEM: {error}")))?;
        roots
            .add(certificate.clone())
            .map_err(|error| wrong(format!("certificate {number} cannot be read: {error}")))?;
        certificates.push(certificate.to_vec());
    }
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate".into()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(["kubernetes".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn a_bundle_of_two_certificates_is_both() {
        let bundle = certificate() + &certificate();
        assert_eq!(ca_certificates(bundle.as_bytes()).unwrap().len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// What EKS or somebody in between gives as a certificate authority is refused with a reason, or it is certificates.
        #[test]
        fn a_damaged_bundle_is_refused_or_certificates(
            at in any::<prop::sample::Index>(),
            to in any::<u8>(),
            cut in any::<prop::sample::Index>(),
            stranger in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut pem = certificate().into_bytes();
            let place = at.index(pem.len());
            pem[place] = to;
            let cut = cut.index(pem.len());
            for bundle in [&pem[..], &pem[..cut], &stranger[..]] {
                match ca_certificates(bundle) {
                    Ok(certificates) => prop_assert!(!certificates.is_empty()),
                    Err(error) => {
                        let is_told = matches!(error, KubeError::CaBundle { .. });
                        prop_assert!(is_told, "{error}");
                    }
                }
            }
        }

        /// A token is sent by TLS or not at all, whatever an endpoint is called.
        #[test]
        fn an_endpoint_of_any_text_is_https_or_refused(endpoint in "(https?://)?.*") {
            if let Ok(url) = https_url(&endpoint) {
                prop_assert_eq!(url.scheme_str(), Some("https"));
            }
        }
    }
}
