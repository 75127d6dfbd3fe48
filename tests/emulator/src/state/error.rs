//! The modelled errors of the API.

use serde_json::{Map, Value, json};

use super::quota::SERVICE_CODE;
use crate::model::check::Problem;

/// Why the service refuses a call. One variant an exception of the API model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// ValidationException, 400.
    #[error("{message}")]
    Validation {
        /// For a person.
        message: String,
        /// `unknownOperation`, `cannotParse`, `fieldValidationFailed` or `other`.
        reason: &'static str,
        /// The fields that are wrong: name and message.
        fields: Vec<(String, String)>,
    },
    /// AccessDeniedException, 403.
    #[error("{message}")]
    AccessDenied {
        /// For a person.
        message: String,
    },
    /// ResourceNotFoundException, 404.
    #[error("{message}")]
    NotFound {
        /// For a person.
        message: String,
        /// What the caller named.
        id: String,
        /// Its kind, such as `TARGET_GROUP`.
        kind: &'static str,
    },
    /// ConflictException, 409.
    #[error("{message}")]
    Conflict {
        /// For a person.
        message: String,
        /// The resource that is in the way.
        id: String,
        /// Its kind.
        kind: &'static str,
    },
    /// ServiceQuotaExceededException, 402.
    #[error("{message}")]
    Quota {
        /// For a person.
        message: String,
        /// Kind of resource that is too many.
        kind: &'static str,
        /// Code in Service Quotas.
        code: &'static str,
        /// The resource whose quota it is, when it is not the account's.
        id: Option<String>,
    },
    /// ThrottlingException, 429.
    #[error("{message}")]
    Throttling {
        /// For a person.
        message: String,
        /// Seconds to wait, sent as Retry-After.
        retry_after: u32,
    },
    /// InternalServerException, 500.
    #[error("{message}")]
    Internal {
        /// For a person.
        message: String,
    },
}

impl Refusal {
    /// One field is wrong.
    pub fn field(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Validation {
            message: format!("1 validation error detected: {name} {message}"),
            reason: "fieldValidationFailed",
            fields: vec![(name.to_owned(), message)],
        }
    }

    /// The request is wrong as a whole.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Validation { message: message.into(), reason: "other", fields: Vec::new() }
    }

    /// The request cannot be read.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::Validation { message: message.into(), reason: "cannotParse", fields: Vec::new() }
    }

    /// There is no such operation.
    pub fn unknown_operation(method: &str, path: &str) -> Self {
        Self::Validation {
            message: format!("No operation answers to {method} {path}."),
            reason: "unknownOperation",
            fields: Vec::new(),
        }
    }

    /// What the model's check found; `None` when it found nothing.
    pub fn from_problems(problems: &[Problem]) -> Option<Self> {
        if problems.is_empty() {
            return None;
        }
        let unparsable = problems.iter().any(|problem| problem.unparsable);
        let texts: Vec<String> =
            problems.iter().map(|problem| format!("{} {}", problem.field, problem.message)).collect();
        let count = problems.len();
        let plural = if count == 1 { "error" } else { "errors" };
        Some(Self::Validation {
            message: format!("{count} validation {plural} detected: {}", texts.join("; ")),
            reason: if unparsable { "cannotParse" } else { "fieldValidationFailed" },
            fields: problems.iter().map(|problem| (problem.field.clone(), problem.message.clone())).collect(),
        })
    }

    /// There is no such resource.
    pub fn not_found(kind: &'static str, id: &str) -> Self {
        let name = kind.to_lowercase().replace('_', " ");
        Self::NotFound { message: format!("No {name} {id} was found."), id: id.to_owned(), kind }
    }

    /// Something is in the way.
    pub fn conflict(kind: &'static str, id: &str, message: impl Into<String>) -> Self {
        Self::Conflict { message: message.into(), id: id.to_owned(), kind }
    }

    /// The resource is in a status that does not allow the call. The text is AWS's.
    pub fn status(kind: &'static str, id: &str, status: &str) -> Self {
        let message =
            format!("Invalid resource status for this operation, resource id {id}, status: {status}.");
        Self::conflict(kind, id, message)
    }

    /// Letter of the exception in the model's error lists.
    pub fn letter(&self) -> char {
        match self {
            Self::Validation { .. } => 'V',
            Self::AccessDenied { .. } => 'A',
            Self::NotFound { .. } => 'N',
            Self::Conflict { .. } => 'C',
            Self::Quota { .. } => 'Q',
            Self::Throttling { .. } => 'T',
            Self::Internal { .. } => 'I',
        }
    }

    /// Name of the exception.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Validation { .. } => "ValidationException",
            Self::AccessDenied { .. } => "AccessDeniedException",
            Self::NotFound { .. } => "ResourceNotFoundException",
            Self::Conflict { .. } => "ConflictException",
            Self::Quota { .. } => "ServiceQuotaExceededException",
            Self::Throttling { .. } => "ThrottlingException",
            Self::Internal { .. } => "InternalServerException",
        }
    }

    /// HTTP status of the exception.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Validation { .. } => 400,
            Self::AccessDenied { .. } => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Quota { .. } => 402,
            Self::Throttling { .. } => 429,
            Self::Internal { .. } => 500,
        }
    }

    /// The modelled body, with the given text as the message.
    pub fn body(&self, message: &str) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("message".to_owned(), json!(message));
        match self {
            Self::Validation { reason, fields, .. } => {
                body.insert("reason".to_owned(), json!(reason));
                if !fields.is_empty() {
                    let list: Vec<Value> = fields
                        .iter()
                        .map(|(name, message)| json!({"name": name, "message": message}))
                        .collect();
                    body.insert("fieldList".to_owned(), Value::Array(list));
                }
            }
            Self::NotFound { id, kind, .. } | Self::Conflict { id, kind, .. } => {
                body.insert("resourceId".to_owned(), json!(id));
                body.insert("resourceType".to_owned(), json!(kind));
            }
            Self::Quota { kind, code, id, .. } => {
                body.insert("resourceType".to_owned(), json!(kind));
                body.insert("serviceCode".to_owned(), json!(SERVICE_CODE));
                body.insert("quotaCode".to_owned(), json!(code));
                if let Some(id) = id {
                    body.insert("resourceId".to_owned(), json!(id));
                }
            }
            Self::Throttling { .. } => {
                body.insert("serviceCode".to_owned(), json!(SERVICE_CODE));
            }
            Self::AccessDenied { .. } | Self::Internal { .. } => {}
        }
        body
    }
}
