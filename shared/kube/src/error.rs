use crate::{TokenError, resource::plural};
use std::{fmt, time::Duration};
use trellis_hint::Kind;

/// What the caller can do about a [`KubeError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The cluster is not where, or not who, EKS said it was: describe it again (a rotated CA, a cluster made anew under
    /// its old name) and connect with what comes.
    DescribeAgain,
    /// May succeed later with nothing changed.
    Retry,
    /// Stays so until a person changes something.
    Terminal,
}

/// What was asked of the API server, for the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) verb: &'static str,
    pub(crate) subject: Subject,
    pub(crate) subresource: Option<&'static str>,
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Objects of a kind that is read as a whole.
    Kind(Kind),
    /// One Secret.
    Secret,
}

impl Subject {
    /// The name in paths and in RBAC rules.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Kind(kind) => plural(kind),
            Self::Secret => "secrets",
        }
    }

    /// The API group; empty for the core group.
    pub(crate) const fn group(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.group(),
            Self::Secret => "",
        }
    }
}

impl Asked {
    pub(crate) const fn new(verb: &'static str, kind: Kind) -> Self {
        Self { verb, subject: Subject::Kind(kind), subresource: None }
    }

    /// The name of the resource in an RBAC rule.
    pub(crate) fn rbac_resource(self) -> String {
        let Self { subject, subresource, .. } = self;
        let plural = subject.plural();
        subresource.map_or_else(|| plural.to_owned(), |sub| format!("{plural}/{sub}"))
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.rbac_resource())
    }
}

/// Why a cluster could not be asked, or why it did not do what it was asked.
///
/// The texts come into status messages: each names its remedy where there is one, and says the same each time for the
/// same cause. The source has the rest, for the log.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    /// The endpoint is no URL of an API server.
    #[error("the endpoint {endpoint:?} is not an https URL")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// Why it is no URL; absent when it is one of another scheme.
        #[source]
        source: Option<http::uri::InvalidUri>,
    },
    /// The CA bundle holds no certificate, or one that cannot be read.
    #[error("the cluster's CA bundle is of no use: {reason}")]
    CaBundle {
        /// What is wrong with it.
        reason: String,
    },
    /// The client could not be built.
    #[error("the client of the cluster could not be built")]
    Client(#[source] Box<kube::Error>),
    /// There is no token to authenticate with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The TLS handshake failed.
    #[error("the API server cannot be trusted: {reason}")]
    Tls {
        /// Why, in words that stay the same.
        reason: String,
        /// The client's error.
        #[source]
        source: Box<kube::Error>,
    },
    /// Nobody answers at the endpoint.
    #[error("the API server cannot be reached: {reason}")]
    Connect {
        /// Why, in words that stay the same.
        reason: String,
        /// The client's error.
        #[source]
        source: Box<kube::Error>,
    },
    /// The connection broke under way.
    #[error("the connection to the API server broke")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("the API server did not answer within {} s", after.as_secs())]
    Timeout {
        /// The time that was waited.
        after: Duration,
    },
    /// 401, also with a new token.
    #[error(
        "the API server does not accept the token: the cluster needs an access entry that maps the reconciler's role to \
         the group trellis-reconcilers"
    )]
    Unauthorized,
    /// 403.
    #[error(
        "the API server forbids to {verb} {resource}: the group trellis-reconcilers needs the rule {{apiGroups: \
         [{group:?}], resources: [{resource:?}], verbs: [{verb:?}]}} (deploy/reconciler-rbac.yaml has it)"
    )]
    Forbidden {
        /// The verb of the missing rule.
        verb: &'static str,
        /// The API group of the missing rule.
        group: &'static str,
        /// The resource of the missing rule.
        resource: String,
    },
    /// The object is not there. The server said so of this very object.
    #[error("the object does not exist")]
    Missing,
    /// The server does not know the kind: no proof that an object of it was deleted.
    #[error("the API server does not know the kind {0}: its custom resource definition is not installed")]
    KindMissing(Kind),
    /// 409: the object has changed since it was read.
    #[error("the object has changed meanwhile")]
    Conflict,
    /// 429 or 5xx.
    #[error("the API server cannot {what} at present: {code} {reason}")]
    Unavailable {
        /// What was asked.
        what: String,
        /// The HTTP status.
        code: u16,
        /// The server's reason.
        reason: String,
        /// The server's message, for the log only: it may differ each time.
        #[source]
        source: ServerMessage,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Any other refusal.
    #[error("the API server refused to {what}: {code} {reason}: {message}")]
    Refused {
        /// What was asked.
        what: String,
        /// The HTTP status.
        code: u16,
        /// The server's reason.
        reason: String,
        /// The server's message.
        message: String,
    },
    /// There are more objects than are read.
    #[error("there are more than {objects_max} {resource}: more than can be read at once")]
    TooMany {
        /// The most that is read.
        objects_max: usize,
        /// What was listed.
        resource: String,
    },
    /// One answer is longer than what is read.
    #[error("the API server's answer is longer than {bytes_max} bytes")]
    AnswerTooLong {
        /// The most that is read.
        bytes_max: usize,
    },
    /// The answer is not the JSON that was expected.
    #[error("the API server's answer cannot be understood")]
    Answer(#[source] serde_json::Error),
    /// The request could not be built.
    #[error("the request could not be built")]
    Request(#[source] kube::core::request::Error),
}

/// What an API server wrote about a failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ServerMessage(pub String);

impl KubeError {
    /// What the caller can do about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Tls { .. } | Self::Connect { .. } => ErrorClass::DescribeAgain,
            Self::Token(_)
            | Self::Interrupted(_)
            | Self::Timeout { .. }
            // An access entry takes effect some seconds after it was made.
            | Self::Unauthorized
            | Self::Conflict
            | Self::Unavailable { .. } => ErrorClass::Retry,
            Self::Endpoint { .. }
            | Self::CaBundle { .. }
            | Self::Client(_)
            | Self::Forbidden { .. }
            | Self::Missing
            | Self::KindMissing(_)
            | Self::Refused { .. }
            | Self::TooMany { .. }
            | Self::AnswerTooLong { .. }
            | Self::Answer(_)
            | Self::Request(_) => ErrorClass::Terminal,
        }
    }

    /// Whether to ask again at once. A timeout is not: it has cost the caller enough time already.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Interrupted(_) | Self::Unavailable { .. })
    }
}
