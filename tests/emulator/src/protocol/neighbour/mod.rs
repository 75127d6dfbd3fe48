//! The neighbours that users of VPC Lattice call. The Resource Groups Tagging API over these resources and EKS clusters, Service
//! Quotas, and ACM's certificates speak AWS's JSON 1.1; EC2's VPC endpoints have a protocol of their own.

mod acm;
mod ec2;
mod eks;
mod quotas;
mod tagging;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Lost, request_id, signature};
use crate::Emulator;
use crate::state::Effect;

/// Names the operation of a JSON 1.1 request.
const TARGET: &str = "x-amz-target";

/// The service's error: status, name and a text.
struct Fault(StatusCode, &'static str, String);

impl Fault {
    /// The caller's mistake.
    fn bad(name: &'static str, message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, name, message.into())
    }
}

/// What a neighbour says to a call.
pub(super) struct Reply {
    /// Name of the call in the account of calls.
    pub(super) operation: String,
    /// The answer; none when it was lost on purpose.
    pub(super) answer: Result<Answer, Lost>,
    /// Name of the error in it.
    pub(super) error: Option<&'static str>,
}

/// A service and the names that its models give to errors.
struct Service {
    /// Name that calls are signed for, and first part of the name in the account of calls.
    name: &'static str,
    throttled: &'static str,
    internal: &'static str,
    denied: &'static str,
}

/// What most services call it.
const DENIED: &str = "AccessDeniedException";

const TAGGING: Service = Service {
    name: "tagging",
    throttled: "ThrottledException",
    internal: "InternalServiceException",
    denied: DENIED,
};
const QUOTAS: Service = Service {
    name: "servicequotas",
    throttled: "TooManyRequestsException",
    internal: "ServiceException",
    denied: DENIED,
};
const ACM: Service =
    Service { name: "acm", throttled: "ThrottlingException", internal: "InternalFailure", denied: DENIED };

/// Answers a request of a neighbour; `None` when it is none.
pub(super) async fn handle(emulator: &Emulator, parts: &Parts, body: &[u8]) -> Option<Reply> {
    let Some(target) = parts.headers.get(TARGET) else { return ec2::handle(emulator, parts, body).await };
    let target = target.to_str().ok()?;
    let (api, operation) = target.split_once('.')?;
    let service = match api {
        "CertificateManager" => ACM,
        "ServiceQuotasV20190624" => QUOTAS,
        _ => TAGGING,
    };
    let name = format!("{}:{operation}", service.name);
    let outcome = match signature::check(emulator, parts, service.name, body) {
        Err(error) => Ok(Err(Fault::bad(error.code(), error.to_string()))),
        Ok(()) => suffer(emulator, &service, &name, perform(emulator, (api, operation), body)).await,
    };
    let error = match &outcome {
        Ok(Ok(_)) => None,
        Ok(Err(fault)) => Some(fault.1),
        Err(_) => Some("Lost"),
    };
    Some(Reply { operation: name, answer: outcome.map(answer), error })
}

/// Carries a call out as the faults of the settings want it.
async fn suffer<T>(
    emulator: &Emulator,
    service: &Service,
    name: &str,
    call: impl Future<Output = Result<T, Fault>>,
) -> Result<Result<T, Fault>, Lost> {
    let internal = || {
        Fault(
            StatusCode::INTERNAL_SERVER_ERROR,
            service.internal,
            "An internal error was made to happen.".into(),
        )
    };
    let effect = emulator.state().effect_on(name, true);
    Ok(match effect {
        Effect::Throttle => Err(Fault::bad(service.throttled, "Rate exceeded")),
        Effect::Deny => Err(Fault::bad(service.denied, format!("not authorized to perform {name}"))),
        Effect::ErrorBefore => Err(internal()),
        Effect::ErrorAfter => call.await.and(Err(internal())),
        Effect::TimeoutAfter => {
            let _done = call.await;
            return Err(Lost);
        }
        Effect::Slow(delay) => {
            tokio::time::sleep(delay.std()).await;
            call.await
        }
        Effect::None | Effect::Stale(_) => call.await,
    })
}

async fn perform(emulator: &Emulator, target: (&str, &str), body: &[u8]) -> Result<Value, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    match target {
        ("ResourceGroupsTaggingAPI_20170126", "GetResources") => {
            tagging::get_resources(emulator, &read(body)?).await
        }
        ("ResourceGroupsTaggingAPI_20170126", "TagResources") => tagging::tag(emulator, &read(body)?),
        ("ResourceGroupsTaggingAPI_20170126", "UntagResources") => tagging::untag(emulator, &read(body)?),
        ("ServiceQuotasV20190624", "ListServiceQuotas") => quotas::list(emulator, &read(body)?, true),
        ("ServiceQuotasV20190624", "ListAWSDefaultServiceQuotas") => {
            quotas::list(emulator, &read(body)?, false)
        }
        ("CertificateManager", "ListCertificates") => acm::list_certificates(emulator, &read(body)?),
        ("CertificateManager", "ImportCertificate") => acm::import(emulator, read(body)?),
        ("CertificateManager", "DescribeCertificate") => acm::describe(emulator, &read(body)?),
        ("CertificateManager", "DeleteCertificate") => acm::delete(emulator, &read(body)?),
        ("CertificateManager", "ListTagsForCertificate") => acm::list_tags(emulator, &read(body)?),
        ("CertificateManager", "AddTagsToCertificate") => acm::add_tags(emulator, read(body)?),
        ("CertificateManager", "RemoveTagsFromCertificate") => acm::remove_tags(emulator, &read(body)?),
        (api, operation) => {
            Err(Fault::bad("UnknownOperationException", format!("{api}.{operation} is not served here")))
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| Fault::bad("SerializationException", error.to_string()))
}

fn answer(outcome: Result<Value, Fault>) -> Answer {
    let (status, body) = match outcome {
        Ok(document) => (StatusCode::OK, document),
        Err(Fault(status, name, message)) => (status, json!({"__type": name, "Message": message})),
    };
    let mut answer = Answer::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(id) = HeaderValue::from_str(&request_id()) {
        headers.insert("x-amzn-requestid", id);
    }
    answer
}
