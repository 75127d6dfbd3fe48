//! Turns what comes back, an answer or a failure, into a [`KubeError`] by pure functions.

use crate::{
    KubeError,
    error::{Asked, ServerMessage, Subject},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use kube::core::{Status, response::reason};
use rustls::CertificateError;
use std::{error::Error, io, time::Duration};

/// How much of a server's message is kept: a message is a sentence, but a proxy may answer with a page.
const MESSAGE_CHARS_MAX: usize = 300;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The body of a good answer, or why the answer is not good. `name` is the object that was asked for, if it was one.
pub(crate) fn accept(answer: Answer, asked: Asked, name: Option<&str>) -> Result<Bytes, KubeError> {
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    let code = answer.status.as_u16();
    let status: Option<Status> = serde_json::from_slice(&answer.body).ok();
    let message = cut(&status
        .as_ref()
        .map_or_else(|| String::from_utf8_lossy(&answer.body).into_owned(), |status| status.message.clone()));
    let reason = status.as_ref().map(|status| status.reason.clone()).filter(|reason| !reason.is_empty());
    let reason =
        reason.unwrap_or_else(|| answer.status.canonical_reason().unwrap_or("without a reason").to_owned());
    Err(match answer.status {
        StatusCode::UNAUTHORIZED => KubeError::Unauthorized,
        StatusCode::FORBIDDEN => KubeError::Forbidden {
            verb: asked.verb,
            group: asked.subject.group(),
            resource: asked.rbac_resource(),
        },
        StatusCode::NOT_FOUND if names_this_object(status.as_ref(), asked, name) => KubeError::Missing,
        StatusCode::NOT_FOUND if let Subject::Kind(kind) = asked.subject => KubeError::KindMissing(kind),
        StatusCode::CONFLICT => KubeError::Conflict,
        status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
            KubeError::Unavailable {
                what: asked.to_string(),
                code,
                reason,
                source: ServerMessage(message),
                retry_after: retry_after(&answer.headers),
            }
        }
        _ => KubeError::Refused { what: asked.to_string(), code, reason, message },
    })
}

/// Whether a 404 is about this very object. Anything else, such as the plain text that the server answers where a kind or
/// a version is not served, or a page of something in between, proves nothing about the object.
fn names_this_object(status: Option<&Status>, asked: Asked, name: Option<&str>) -> bool {
    let details = status.filter(|status| status.reason == reason::NOT_FOUND).and_then(|s| s.details.as_ref());
    details.is_some_and(|details| {
        Some(details.name.as_str()) == name
            && details.kind == asked.subject.plural()
            && details.group == asked.subject.group()
    })
}

/// `Retry-After` in seconds, the only form that API servers use.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn cut(message: &str) -> String {
    let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// What a failed request means.
pub(crate) fn failure(error: kube::Error) -> KubeError {
    if let Some(tls) = find::<rustls::Error>(&error) {
        return KubeError::Tls { reason: distrust(tls), source: Box::new(error) };
    }
    let io_kind = find::<io::Error>(&error).map(io::Error::kind);
    let connecting = find::<hyper_util::client::legacy::Error>(&error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect);
    if !connecting {
        return KubeError::Interrupted(Box::new(error));
    }
    let reason = match io_kind {
        Some(io::ErrorKind::TimedOut) => "no connection in time".to_owned(),
        Some(
            kind @ (io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable),
        ) => kind.to_string(),
        _ => "no connection".to_owned(),
    };
    KubeError::Connect { reason, source: Box::new(error) }
}

/// Why the server's certificate or the handshake was refused, without the times and names that the library puts into
/// its own texts.
fn distrust(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "no certificate of the cluster's CA bundle signed its certificate".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host".to_owned()
            }
            _ => "its certificate is not valid".to_owned(),
        },
        rustls::Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        _ => "the TLS handshake failed".to_owned(),
    }
}

/// The first error of that type in the chain. What an [`io::Error`] wraps is no source of it but may be the very error
/// looked for.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map_or_else(|| error.source(), |inner| Some(inner as &(dyn Error + 'static)));
    }
    None
}
