//! One error for every call to AWS, with what a caller can do about it.

use aws_sdk_vpclattice::config::http::HttpResponse;
use aws_sdk_vpclattice::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use trellis_ports::{CallError, ErrorClass};

/// When to come back after throttling or a fault that named no time of its own: the SDK's own attempts are over by
/// then, so the service needs more than the second that its backoff starts with.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// When to come back after a conflict: whatever holds the resource (draining, a change under way) takes seconds.
const CONFLICT_RETRY_AFTER: Duration = Duration::from_secs(2);
/// The longest that a `Retry-After` header is believed, so that a wrong one cannot park a unit for hours.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);
/// The longest code of a quota (Service Quotas API reference, ServiceQuota).
const QUOTA_CODE_CHARS_MAX: usize = 128;
/// Message characters that are kept: a condition's message has 32,768, and a service's message is one sentence.
const MESSAGE_CHARS_MAX: usize = 1024;

/// A call to AWS that failed. The text names operation, AWS error code and message, and no request id: it is stable,
/// so a condition can carry it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {text}")]
pub struct AwsError {
    operation: &'static str,
    text: String,
    code: Option<String>,
    class: ErrorClass,
    retry_after: Option<Duration>,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl AwsError {
    /// An error that the service told.
    pub(crate) fn from_sdk<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let class = classify(code.as_deref(), status);
        let retry_after = match class {
            ErrorClass::Retry | ErrorClass::NoAnswer => {
                Some(retry_after_header(&error).unwrap_or(RETRY_AFTER))
            }
            ErrorClass::Stale => Some(CONFLICT_RETRY_AFTER),
            ErrorClass::Terminal => None,
        };
        let text = match (&code, &error) {
            (Some(code), _) => {
                let quota = quota_code(&error).map(|quota| format!(" (quota {quota} in Service Quotas)"));
                let told = format!(
                    "{code}: {}{}",
                    error.message().unwrap_or("no message"),
                    quota.unwrap_or_default()
                );
                match for_people(code) {
                    Some(sentence) => format!("{sentence} ({told})"),
                    None => told,
                }
            }
            (None, SdkError::TimeoutError(_)) => "no answer in time".to_owned(),
            (None, SdkError::DispatchFailure(_)) => "the request did not reach the service".to_owned(),
            (None, SdkError::ConstructionFailure(_)) => "the request could not be built".to_owned(),
            (None, _) => {
                format!("an answer that cannot be read, HTTP status {}", status.unwrap_or_default())
            }
        };
        Self {
            operation,
            text: text.chars().take(MESSAGE_CHARS_MAX).collect(),
            code,
            class: if matches!(error, SdkError::ConstructionFailure(_)) {
                ErrorClass::Terminal
            } else {
                class
            },
            retry_after,
            source: Some(Arc::new(error)),
        }
    }

    /// An answer of 200 that says that some entries were refused.
    pub(crate) fn refused(operation: &'static str, text: String) -> Self {
        Self::own(operation, ErrorClass::Terminal, text)
    }

    /// Something that only a person can change, in words for him.
    pub(crate) fn needs_a_person(operation: &'static str, text: String) -> Self {
        Self::own(operation, ErrorClass::Terminal, text)
    }

    /// Something is in a state that a new plan must start from.
    pub(crate) fn stale(operation: &'static str, text: String) -> Self {
        Self::own(operation, ErrorClass::Stale, text)
    }

    /// Something took too long here.
    pub(crate) fn late(operation: &'static str, text: String) -> Self {
        Self::own(operation, ErrorClass::Retry, text)
    }

    /// An answer that cannot be read.
    pub(crate) fn unreadable(
        operation: &'static str,
        class: ErrorClass,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let error = Self::own(operation, class, "an answer that cannot be read".to_owned());
        Self { source: Some(Arc::from(source.into())), ..error }
    }

    /// An error that stands in a successful answer, for one of its entries.
    pub(crate) fn from_entry(operation: &'static str, code: &str, message: &str) -> Self {
        let told = format!("{code}: {message}");
        let text = match for_people(code) {
            Some(sentence) => format!("{sentence} ({told})"),
            None => told,
        };
        let text = text.chars().take(MESSAGE_CHARS_MAX).collect();
        Self { code: Some(code.to_owned()), ..Self::own(operation, classify(Some(code), None), text) }
    }

    /// A value that the SDK's builder does not take.
    pub(crate) fn unbuildable(
        operation: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        let error = Self::own(operation, ErrorClass::Terminal, "the request could not be built".to_owned());
        Self { source: Some(Arc::from(source.into())), ..error }
    }

    fn own(operation: &'static str, class: ErrorClass, text: String) -> Self {
        let retry_after = match class {
            ErrorClass::Retry | ErrorClass::NoAnswer => Some(RETRY_AFTER),
            ErrorClass::Stale => Some(CONFLICT_RETRY_AFTER),
            ErrorClass::Terminal => None,
        };
        Self { operation, text, code: None, class, retry_after, source: None }
    }

    /// The AWS error code, such as `ConflictException`; none when no answer came.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What can be done about it.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// When a retry makes sense; none when it does not.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the resource does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code().is_some_and(|code| code == "ResourceNotFoundException" || is_missing_endpoint(code))
    }

    /// Whether a create that meets this may have met a thing of its own name.
    pub(crate) fn may_hide_a_duplicate(&self) -> bool {
        matches!(self.code(), Some("ValidationException" | "ServiceQuotaExceededException"))
    }

    /// Whether the service does not take the input.
    pub(crate) fn is_invalid(&self) -> bool {
        self.code() == Some("ValidationException")
    }

    /// Whether the caller may not do this, or not with this resource.
    pub fn is_access_denied(&self) -> bool {
        let codes = ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"];
        self.code().is_some_and(|code| codes.contains(&code))
    }
}

impl From<AwsError> for CallError {
    fn from(error: AwsError) -> Self {
        let (class, retry_after) = (error.class(), error.retry_after());
        Self::of(class, error).after(retry_after)
    }
}

/// What a used-up quota means for a person.
const USED_UP: &str =
    "a quota of the account is used up; delete what is not needed, or raise the quota in Service Quotas";

/// What an error code means for a person who has to do something about it.
fn for_people(code: &str) -> Option<&'static str> {
    match code.rsplit(['.', '#']).next()? {
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => Some(
            "AWS denies Trellis this call; its function's role, or a policy of the organization, must allow it",
        ),
        "ServiceQuotaExceededException" => Some(USED_UP),
        _ => None,
    }
}

/// The class of an answer.
///
/// | answer | class |
/// |---|---|
/// | none (timeout, connection) | Retry |
/// | throttling, 429, 5xx | Retry |
/// | expired or unknown credentials, clock skew | Retry: new credentials come with the next invocation |
/// | conflict, not found | Stale |
/// | quota, validation, access denied, any other | Terminal |
///
/// SQS's codes come with the prefix of its older protocol (`AWS.SimpleQueueService.RequestThrottled`), which says nothing.
fn classify(code: Option<&str>, status: Option<u16>) -> ErrorClass {
    if code.is_some_and(is_missing_endpoint) {
        return ErrorClass::Stale;
    }
    let code = code.and_then(|code| code.rsplit(['.', '#']).next());
    match (code, status) {
        (
            Some(
                "ConflictException"
                | "ResourceConflictException"
                | "ResourceNotFoundException"
                | "ResourceInUseException"
                | "IncorrectState"
                | "OperationInProgress",
            ),
            _,
        ) => ErrorClass::Stale,
        (
            Some(
                "ThrottlingException"
                | "Throttling"
                | "ThrottledException"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "RequestThrottled"
                | "SlowDown"
                | "InternalServerException"
                | "InternalServiceException"
                | "ServiceException"
                | "ServiceUnavailableException"
                | "ServerException"
                | "ExpiredTokenException"
                | "ExpiredToken"
                | "RequestExpired"
                | "RequestTimeTooSkewed",
            ),
            _,
        )
        | (_, Some(429 | 500..))
        // Success that cannot be read did not come from the service itself but from a proxy or a load balancer.
        | (None, None | Some(200..=299)) => ErrorClass::Retry,
        _ => ErrorClass::Terminal,
    }
}

/// EC2's codes for a VPC endpoint that is not there: `InvalidVpcEndpointId.NotFound` and `InvalidVpcEndpoint.NotFound`.
fn is_missing_endpoint(code: &str) -> bool {
    code.starts_with("InvalidVpcEndpoint") && code.ends_with(".NotFound")
}

/// Which quota is used up, as the answer's body tells it (API model, ServiceQuotaExceededException).
fn quota_code<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        quota_code: String,
    }
    let body = error.raw_response()?.body().bytes()?;
    let code = serde_json::from_slice::<Body>(body).ok()?.quota_code;
    let is_code =
        code.len() <= QUOTA_CODE_CHARS_MAX && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_code.then_some(code)
}

/// VPC Lattice's throttling and server errors carry `Retry-After` in seconds (API model, `retryAfterSeconds`).
fn retry_after_header<E>(error: &SdkError<E, HttpResponse>) -> Option<Duration> {
    let seconds = error.raw_response()?.headers().get("retry-after")?.parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(Duration::from_secs(1), RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_vpclattice::error::ErrorMetadata;
    use aws_sdk_vpclattice::operation::create_service::CreateServiceError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    fn answer(status: u16, code: &str, message: &str, header: Option<&str>) -> AwsError {
        answer_with(status, code, message, header, SdkBody::empty())
    }

    fn answer_with(status: u16, code: &str, message: &str, header: Option<&str>, body: SdkBody) -> AwsError {
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), body);
        if let Some(header) = header {
            response.headers_mut().insert("retry-after", header.to_owned());
        }
        let metadata = ErrorMetadata::builder().code(code).message(message).build();
        AwsError::from_sdk(
            "CreateService",
            SdkError::service_error(CreateServiceError::generic(metadata), response),
        )
    }

    #[test]
    fn a_quota_is_final_and_its_text_names_code_and_message() {
        let error = answer(402, "ServiceQuotaExceededException", "Limit of 10 rules.", None);
        assert_eq!(error.class(), ErrorClass::Terminal);
        assert_eq!(error.retry_after(), None);
        assert_eq!(
            error.to_string(),
            format!("CreateService: {USED_UP} (ServiceQuotaExceededException: Limit of 10 rules.)")
        );
        assert!(error.source().is_some(), "the cause is kept");
    }

    #[test]
    fn a_quota_that_is_used_up_is_named_if_the_answer_tells_it() {
        let told = |body: &'static str| {
            answer_with(402, "ServiceQuotaExceededException", "Too many.", None, SdkBody::from(body))
                .to_string()
        };
        assert_eq!(
            told(r#"{"quotaCode": "L-BB11C6B9", "serviceCode": "vpc-lattice"}"#),
            format!(
                "CreateService: {USED_UP} (ServiceQuotaExceededException: Too many. (quota L-BB11C6B9 in Service Quotas))"
            )
        );
        for odd in ["", "{", r#"{"quotaCode": 7}"#, r#"{"quotaCode": "<script>"}"#] {
            assert!(told(odd).ends_with(": Too many.)"), "{odd}");
        }
    }

    #[test]
    fn throttling_is_retried_when_the_service_says_and_never_after_hours() {
        assert_eq!(
            answer(429, "ThrottlingException", "", Some("7")).retry_after(),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            answer(429, "ThrottlingException", "", Some("86400")).retry_after(),
            Some(RETRY_AFTER_MAX)
        );
        assert_eq!(answer(429, "ThrottlingException", "", Some("soon")).retry_after(), Some(RETRY_AFTER));
    }

    #[test]
    fn classes_follow_the_table() {
        for (status, code, class) in [
            (409, "ConflictException", ErrorClass::Stale),
            // Lambda: another unit has let VPC Lattice in a moment ago, or the function is being updated.
            (409, "ResourceConflictException", ErrorClass::Stale),
            (404, "ResourceNotFoundException", ErrorClass::Stale),
            (400, "InvalidVpcEndpointId.NotFound", ErrorClass::Stale),
            (400, "InvalidSubnetID.NotFound", ErrorClass::Terminal),
            (403, "UnauthorizedOperation", ErrorClass::Terminal),
            (503, "RequestLimitExceeded", ErrorClass::Retry),
            (400, "ValidationException", ErrorClass::Terminal),
            (403, "AccessDeniedException", ErrorClass::Terminal),
            (403, "ExpiredTokenException", ErrorClass::Retry),
            (500, "InternalServerException", ErrorClass::Retry),
            (400, "ThrottledException", ErrorClass::Retry),
            (400, "TooManyRequestsException", ErrorClass::Retry),
            (503, "Whatever", ErrorClass::Retry),
            (403, "AWS.SimpleQueueService.RequestThrottled", ErrorClass::Retry),
            (400, "AWS.SimpleQueueService.BatchRequestTooLong", ErrorClass::Terminal),
        ] {
            assert_eq!(answer(status, code, "", None).class(), class, "{status} {code}");
        }
        assert_eq!(classify(None, None), ErrorClass::Retry);
        assert_eq!(classify(None, Some(502)), ErrorClass::Retry);
    }
}
