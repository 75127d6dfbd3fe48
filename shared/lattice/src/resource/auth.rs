//! Who may call: the auth type and the auth policy of a service or a service network.
//!
//! With auth type NONE everybody may who reaches it. With AWS_IAM nobody may whom the policy does not let in, and without a
//! policy nobody at all (User Guide, auth policies). So whatever is closed stays closed between two steps.

use super::{Holder, ResourceMut};
use crate::check::{View, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// A wish for who may call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredAuth {
    /// Who is called. Whoever wishes for a policy gives the holder the tag [`crate::TAG_AUTH`].
    pub holder: Holder,
    /// The policy, as JSON in one line; none for everybody: only a person opens what was closed.
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
    /// The policy's text; none if there is none.
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

    /// Whether the policy says the same. Spaces and the order of members do not count.
    pub fn has(&self, policy: &str) -> bool {
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        self.policy.as_deref().is_some_and(|held| {
            held == policy || parsed(held).is_some_and(|held| Some(held) == parsed(policy))
        })
    }
}
