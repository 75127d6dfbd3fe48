use std::error::Error;
use std::time::Duration;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The same call can succeed later: throttling, a fault of the service, no answer in time.
    Retry,
    /// Nobody answers there, which has cost time: whoever asks the same one again pays it again.
    NoAnswer,
    /// What was read is no longer so (a conflict, a resource that vanished): read again and plan anew.
    Stale,
    /// The same call will be refused until a person changes something: a quota, a wrong value, a missing permission.
    Terminal,
}

/// A call that failed, whatever SDK made it. The text is stable (no request ids, no times), so a condition can carry it;
/// the sources have the rest, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    text: String,
    class: ErrorClass,
    retry_after: Option<Duration>,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CallError {
    /// An error with this text and no further cause.
    pub fn new(class: ErrorClass, text: impl Into<String>) -> Self {
        Self { text: text.into(), class, retry_after: None, source: None }
    }

    /// As the SDK's own error tells it, with that error and its causes as the source.
    pub fn of(class: ErrorClass, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = error.into();
        Self { text: source.to_string(), class, retry_after: None, source: Some(source) }
    }

    /// With the time after which the callee wants to be asked again.
    #[must_use]
    pub fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// What can be done about it.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// When a retry makes sense, if the callee told; none when it did not.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
