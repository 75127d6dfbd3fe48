//! Who may call a service: signatures of requests, and policies of service networks, services and callers.
//!
//! Pure: time, secrets and policies are arguments.

mod condition;
mod policy;
mod signature;

pub use policy::{Context, Effect, PolicyDocument, Question};
pub use signature::{Payload, Scope, SignatureError, Signed, verify};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A caller that the emulator knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Identity {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Session token that must come along, for temporary credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// ARN of a user, or of an assumed role with its session.
    pub principal: String,
    /// Organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// Tags of the principal.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The caller's own policies; absent = everything is allowed from that side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<serde_json::Value>>,
}

impl Identity {
    /// Account of the principal.
    pub fn account(&self) -> &str {
        self.principal.split(':').nth(4).unwrap_or_default()
    }

    /// Session name of an assumed role.
    pub fn session(&self) -> Option<&str> {
        let (kind, rest) = self.principal.rsplit_once(':')?.1.split_once('/')?;
        rest.rsplit_once('/').filter(|_| kind == "assumed-role").map(|(_, session)| session)
    }

    /// ARN of the role that was assumed.
    pub fn role(&self) -> Option<String> {
        let (_, resource) = self.principal.rsplit_once(':')?;
        let role = resource.strip_prefix("assumed-role/")?.rsplit_once('/')?.0;
        Some(format!("arn:aws:iam::{}:role/{role}", self.account()))
    }
}

/// Which policy refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The service network's.
    Network,
    /// The service's.
    Service,
    /// The caller's own.
    Identity,
}

impl Side {
    /// As access logs name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Service => "Service",
            Self::Identity => "Identity",
        }
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// By which policy; absent when the signature is bad.
    pub side: Option<Side>,
    /// The body of the answer.
    pub message: String,
}

/// The policies that a call meets.
#[derive(Debug, Default)]
pub struct Policies<'a> {
    /// The service network's, when its auth type is AWS_IAM; the inner absence is an absent policy.
    pub network: Option<Option<&'a str>>,
    /// The service's, when its auth type is AWS_IAM.
    pub service: Option<Option<&'a str>>,
}

impl Policies<'_> {
    /// Whether nobody asks who calls.
    pub fn ask_nothing(&self) -> bool {
        self.network.is_none() && self.service.is_none()
    }
}

/// Decides a call: each resource policy that counts must allow it, then the caller's own; a deny anywhere wins.
///
/// # Errors
/// Why it is refused.
pub fn decide(policies: &Policies<'_>, question: &Question<'_>) -> Result<(), Denial> {
    // AWS names the service's policy before the caller's.
    for (side, policy) in [(Side::Network, policies.network), (Side::Service, policies.service)] {
        let Some(policy) = policy else { continue };
        // A policy that cannot be read allows nothing; an absent one neither.
        let document = policy.and_then(|text| PolicyDocument::read(text).ok());
        match document.map(|document| document.ask(question, true)) {
            Some(Effect::Allow) => {}
            Some(Effect::Deny) => return Err(denial(side, question, true)),
            Some(Effect::Nothing) | None => return Err(denial(side, question, false)),
        }
    }
    let own = question.caller.filter(|_| !policies.ask_nothing()).and_then(|caller| caller.policies.as_ref());
    let Some(own) = own else { return Ok(()) };
    let effects: Vec<Effect> = own
        .iter()
        .filter_map(|document| PolicyDocument::read(&document.to_string()).ok())
        .map(|document| document.ask(question, false))
        .collect();
    if effects.contains(&Effect::Deny) {
        Err(denial(Side::Identity, question, true))
    } else if effects.contains(&Effect::Allow) {
        Ok(())
    } else {
        Err(denial(Side::Identity, question, false))
    }
}

fn denial(side: Side, question: &Question<'_>, explicit: bool) -> Denial {
    let user = question.caller.map_or("anonymous", |caller| caller.principal.as_str());
    let (action, resource) = (question.action, &question.resource);
    let kind = side.label().to_lowercase();
    let why = if explicit {
        format!("with an explicit deny in a {kind}-based policy")
    } else {
        format!("because no {kind}-based policy allows the {action} action")
    };
    let message = format!(
        "AccessDeniedException: User: {user} is not authorized to perform: {action} on resource: {resource} {why}"
    );
    Denial { side: Some(side), message }
}

#[cfg(test)]
mod tests;
