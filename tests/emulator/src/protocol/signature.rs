//! Signatures of calls: from a request to what the verifier wants to know.

use http::header;
use http::request::Parts;

use crate::iam::{SignatureError, Signed};
use crate::{Clock, Emulator};

/// Whether a call may pass that must be signed for `service`.
pub(super) fn check(
    emulator: &Emulator,
    parts: &Parts,
    service: &str,
    body: &[u8],
) -> Result<(), SignatureError> {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let signed = Signed {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        host: parts.uri.authority().map(http::uri::Authority::as_str).or(named).unwrap_or_default(),
        headers: &parts.headers,
    };
    emulator.state().authenticate(Clock::machine(), signed, service, body)
}
