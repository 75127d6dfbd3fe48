//! Lambda functions that target groups lead to. They are nobody's of ours: all that is ever done to one is to let VPC Lattice invoke
//! it, where it bears a tag that says so.

use crate::check::{View, require};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// The tag of a function by which its owner lets routes lead to it: Trellis may then let VPC Lattice invoke it.
pub const TAG_INVOKE: &str = "trellis:invoke";
/// The value that says so.
pub const INVOKE_ALLOW: &str = "allow";

/// What is known of a function that somebody names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FunctionFacts {
    /// AWS did not tell: why. Nothing is said of it.
    Unknown(String),
    /// Lambda said that there is none.
    Missing,
    /// It is there.
    Known(Function),
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// The resource-based policy of the qualifier that is meant, as JSON; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<String>,
}

/// Whether VPC Lattice may invoke a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Invocation {
    /// Its policy says so, or what it says is not known and stays as it is.
    Allowed,
    /// Its policy does not, and its tag lets Trellis add that.
    ToBeAllowed,
}

impl View<'_> {
    /// Whether VPC Lattice may invoke a function by now.
    pub(crate) fn may_invoke(&self, function: &str) -> bool {
        self.desired.functions.get(function) == Some(&Invocation::Allowed)
            || self.state.allowed_functions.contains(function)
    }
}

/// AddPermission of Lambda, for VPC Lattice and target groups of the function's own account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowInvoke {
    /// ARN, with a version or an alias if one is meant.
    pub function: String,
}

impl StepKind for AllowInvoke {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "let VPC Lattice invoke"
    }

    fn subject(&self) -> String {
        format!("function {}", self.function)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.allowed_functions.insert(self.function.clone());
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let is_wanted = view.desired.functions.get(&self.function) == Some(&Invocation::ToBeAllowed);
        require(is_wanted, || ViolationKind::Unwanted { what: self.subject() })
    }
}

impl Display for AllowInvoke {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ VPC Lattice may invoke function {}", self.function)
    }
}
