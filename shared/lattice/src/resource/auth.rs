//! Who may call: the auth type and the auth policy of a service or a service network.
//!
//! With auth type NONE everybody may who reaches it. With AWS_IAM nobody may whom the policy does not let in, and without a
//! policy nobody at all (User Guide, auth policies). So whatever is closed stays closed between two steps.

use super::Holder;
use crate::check::{View, require, there};
use crate::names::short_hash;
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, TAG_AUTH, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// A wish for who may call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredAuth {
    /// Who is called. Whoever wishes for a policy gives the holder the tag [`crate::TAG_AUTH`].
    pub holder: Holder,
    /// The policy, as JSON without spaces between its tokens; none for everybody: only a person opens what was closed.
    pub policy: Option<String>,
    /// Whether a person has said that a policy which Trellis did not write may be replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces_others: bool,
}

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualAuth {
    /// Who is called.
    pub holder: Holder,
    /// Whether the auth type is AWS_IAM.
    pub is_closed: bool,
    /// The policy as JSON without spaces between its tokens; none if there is none.
    #[serde(default)]
    pub policy: Option<String>,
}

impl ActualAuth {
    /// Nobody has asked for anything: everybody may call.
    pub fn open(holder: Holder) -> Self {
        Self { holder, is_closed: false, policy: None }
    }

    /// Whether it is as wished.
    pub fn is_as(&self, wanted: &DesiredAuth) -> bool {
        match &wanted.policy {
            Some(policy) => self.is_closed && self.has(policy),
            None => !self.is_closed,
        }
    }

    /// Whether it is this policy.
    pub fn has(&self, policy: &str) -> bool {
        self.policy.as_deref() == Some(policy)
    }
}

/// A text by which a policy is known again: 48 bits among the few that one holder ever had.
pub fn policy_mark(policy: &str) -> String {
    short_hash(&[policy], 12)
}

impl<'a> View<'a> {
    fn auth(&self, holder: &Holder) -> Option<&'a ActualAuth> {
        self.state.auth.iter().find(|one| one.holder == *holder)
    }

    fn wanted_auth(&self, holder: &Holder) -> Option<&'a DesiredAuth> {
        self.desired.auth.iter().find(|one| one.holder == *holder)
    }

    /// Nobody reaches what lacks the policy that is wanted for it.
    pub(super) fn is_secured(&self, holder: &Holder) -> Result<(), ViolationKind> {
        let Some(wanted) = self.wanted_auth(holder).filter(|wanted| wanted.policy.is_some()) else {
            return Ok(());
        };
        let secured = self.auth(holder).is_some_and(|held| held.is_as(wanted));
        require(secured, || ViolationKind::Unsecured { what: holder.to_string() })
    }

    /// A holder's tags.
    fn tags_of(&self, holder: &Holder) -> Result<&'a Tags, ViolationKind> {
        self.our_holder(holder)?;
        match holder {
            Holder::Service(name) => Ok(&self.service(name)?.tags),
            Holder::Network(name) => Ok(&self.network(name)?.tags),
        }
    }
}

/// Whether a policy was written by us, as its holder's tags tell.
pub(crate) fn is_our_policy(tags: &Tags, policy: &str) -> bool {
    let mark = policy_mark(policy);
    tags.get(TAG_AUTH).is_some_and(|marks| marks.split(' ').any(|one| one == mark))
}

fn auth_mut<'a>(state: &'a mut Actual, holder: &Holder) -> Option<&'a mut ActualAuth> {
    if !state.auth.iter().any(|one| one.holder == *holder) {
        state.auth.push(ActualAuth::open(holder.clone()));
    }
    state.auth.iter_mut().find(|one| one.holder == *holder)
}

/// PutAuthPolicy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutAuthPolicy {
    /// Who is called.
    pub holder: Holder,
    /// The policy.
    pub policy: String,
}

impl StepKind for PutAuthPolicy {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "write"
    }

    fn subject(&self) -> String {
        format!("auth policy of {}", self.holder)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(held) = auth_mut(state, &self.holder) {
            held.policy = Some(self.policy.clone());
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { holder, policy } = self;
        let tags = view.tags_of(holder)?;
        let wanted = there(view.wanted_auth(holder), || self.subject())?;
        require(wanted.policy.as_ref() == Some(policy), || ViolationKind::Unwanted { what: self.subject() })?;
        // It is known again by its mark.
        require(is_our_policy(tags, policy), || ViolationKind::Unmarked)?;
        let held = view.auth(holder).and_then(|held| held.policy.as_deref());
        let is_a_persons = held.is_some_and(|held| !is_our_policy(tags, held));
        require(!is_a_persons || wanted.replaces_others, || ViolationKind::Taken { what: self.subject() })
    }
}

impl Display for PutAuthPolicy {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ auth policy of {} {}", self.holder, policy_mark(&self.policy))
    }
}

/// UpdateService or UpdateServiceNetwork with an auth type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAuthType {
    /// Who is called.
    pub holder: Holder,
    /// AWS_IAM, or else NONE.
    pub is_closed: bool,
}

impl StepKind for SetAuthType {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "set"
    }

    fn subject(&self) -> String {
        format!("auth type of {}", self.holder)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(held) = auth_mut(state, &self.holder) {
            held.is_closed = self.is_closed;
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { holder, is_closed } = self;
        view.our_holder(holder)?;
        // Only a person opens, and whoever closes knows for whom not.
        let wanted = there(view.wanted_auth(holder), || self.subject())?;
        let fits = match &wanted.policy {
            None => !is_closed,
            Some(policy) => *is_closed && view.auth(holder).is_some_and(|held| held.has(policy)),
        };
        require(fits, || ViolationKind::Unwanted { what: self.subject() })
    }
}

impl Display for SetAuthType {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let auth_type = if self.is_closed { "AWS_IAM" } else { "NONE" };
        write!(f, "~ auth type of {} {auth_type}", self.holder)
    }
}
