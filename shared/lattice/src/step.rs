//! The kinds of steps of a plan: the one list of them, and what is asked of each.
//!
//! A new kind of step is a struct in the module of its resource and one name in the list below. It cannot be forgotten
//! anywhere, since the compiler asks for the rest:
//!
//! - Everything that this crate must know of a step is a method of [`StepKind`], and no method has a default.
//! - Other crates reach the structs by [`each_step!`](crate::each_step), which has an arm for each, and a trait of their
//!   own without defaults (`trellis_aws` has one for the calls).
//! - Where a `match` over steps is written out, `clippy::wildcard_enum_match_arm` is denied, so it has no `_` that would
//!   swallow the new one.

use crate::check::View;
use crate::{Actual, Owner, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};

/// What a step tells of itself. No method has a default: a kind of step that lacks one of them does not compile.
/// Its `Display` is its line in a plan, which begins with `+` makes, `~` changes, `-` removes or `…` waits.
pub(crate) trait StepKind: Display {
    /// Whether it makes, takes away or waits.
    fn nature(&self) -> Nature<'_>;

    /// What is done, in words that [`Self::subject`] follows.
    fn verb(&self) -> &'static str;

    /// What it is done to, in words that name it in the account.
    fn subject(&self) -> String;

    /// What VPC Lattice would hold afterwards. A step that names what is not there changes nothing.
    fn simulate(&self, state: &mut Actual, owner: &Owner);

    /// What no plan may do. It relies on nothing that the planner is made of.
    fn judge(&self, view: &View) -> Result<(), ViolationKind>;
}

/// What kind of thing a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nature<'a> {
    /// Makes or changes something.
    Builds {
        /// The service whose requests may take another way afterwards.
        moves_requests_of: Option<&'a str>,
    },
    /// Takes something away.
    TakesAway {
        /// The service whose requests may take another way afterwards.
        moves_requests_of: Option<&'a str>,
    },
    /// Waits for something wanted; what for, in words that follow "waiting for".
    Awaits(String),
    /// Waits for the end of something; what for, in words that follow "waiting for".
    AwaitsRemoval(String),
}

impl Nature<'_> {
    /// Makes or changes something that no request takes another way for.
    pub(crate) const BUILDS: Self = Nature::Builds { moves_requests_of: None };
    /// Takes away something that no request takes another way for.
    pub(crate) const TAKES_AWAY: Self = Nature::TakesAway { moves_requests_of: None };
}

/// Makes [`Step`] of a list of its kinds, and the macro that reaches them. `$d` is a dollar sign for the inner macro.
macro_rules! steps {
    ($d:tt $($kind:ident,)+) => {
        /// One step. A name refers to what `Actual` holds or to what an earlier step makes. Each step is safe to repeat
        /// and safe to stop after.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "step", rename_all = "camelCase")]
        pub enum Step {
            $(
                #[doc = concat!("[`", stringify!($kind), "`](crate::", stringify!($kind), ").")]
                $kind(crate::$kind),
            )+
        }

        $(
            impl From<crate::$kind> for Step {
                fn from(step: crate::$kind) -> Self {
                    Self::$kind(step)
                }
            }
        )+

        /// The struct inside a [`Step`], whichever it is: `each_step!(step, inner => inner.perform())`. Whatever is
        /// called on it must be there for every kind of step.
        #[macro_export]
        macro_rules! each_step {
            ($d step:expr, $d inner:ident => $d body:expr) => {
                match $d step {
                    $($crate::Step::$kind($d inner) => $d body,)+
                }
            };
        }
    };
}

steps! { $
    HandOver,
    ImportCertificate,
    CreateNetwork,
    CreateVpcAssociation,
    UpdateVpcAssociation,
    CreateVpcEndpoint,
    UpdateVpcEndpoint,
    CreateResourceGateway,
    UpdateResourceGateway,
    CreateResourceConfiguration,
    UpdateResourceConfiguration,
    CreateResourceAssociation,
    CreateTargetGroup,
    UpdateHealthCheck,
    CreateService,
    UpdateCertificate,
    UpdateIdleTimeout,
    Untag,
    Tag,
    AwaitTargetGroup,
    AllowInvoke,
    RegisterTargets,
    AwaitService,
    PutAuthPolicy,
    SetAuthType,
    CreateAccessLog,
    UpdateAccessLog,
    CreateAssociation,
    CreateListener,
    UpdateListener,
    UpdateRules,
    CreateRule,
    AwaitAssociation,
    AwaitVpcAssociation,
    AwaitVpcEndpoint,
    AwaitResourceGateway,
    AwaitResourceConfiguration,
    AwaitResourceAssociation,
    DeregisterTargets,
    DeleteRule,
    DeleteListener,
    AwaitPropagation,
    DeleteAccessLog,
    DeleteAssociation,
    AwaitAssociationGone,
    DeleteService,
    AwaitServiceGone,
    AwaitDrained,
    DeleteTargetGroup,
    AwaitTargetGroupGone,
    DeleteVpcAssociation,
    AwaitVpcAssociationGone,
    DeleteVpcEndpoint,
    AwaitVpcEndpointGone,
    DeleteResourceAssociation,
    AwaitResourceAssociationGone,
    DeleteResourceConfiguration,
    AwaitResourceConfigurationGone,
    DeleteResourceGateway,
    AwaitResourceGatewayGone,
    DeleteNetwork,
    DeleteCertificate,
}

impl Step {
    pub(crate) fn kind(&self) -> &dyn StepKind {
        each_step!(self, step => step)
    }

    /// Whether the step takes something away.
    pub fn takes_away(&self) -> bool {
        matches!(self.kind().nature(), Nature::TakesAway { .. })
    }

    /// The service whose requests may take another way after the step.
    pub fn moves_requests_of(&self) -> Option<&str> {
        match self.kind().nature() {
            Nature::Builds { moves_requests_of } | Nature::TakesAway { moves_requests_of } => {
                moves_requests_of
            }
            Nature::Awaits(_) | Nature::AwaitsRemoval(_) => None,
        }
    }

    /// Whether the step only waits and changes nothing.
    pub fn is_wait(&self) -> bool {
        self.awaited().is_some()
    }

    /// Whether the step waits for the end of something.
    pub fn awaits_removal(&self) -> bool {
        matches!(self.kind().nature(), Nature::AwaitsRemoval(_))
    }

    /// What a wait waits for, in words that follow "waiting for"; none for other steps.
    pub fn awaited(&self) -> Option<String> {
        match self.kind().nature() {
            Nature::Awaits(what) | Nature::AwaitsRemoval(what) => Some(what),
            Nature::Builds { .. } | Nature::TakesAway { .. } => None,
        }
    }

    /// What the step is done to, in words that name it in the account.
    pub fn subject(&self) -> String {
        self.kind().subject()
    }

    /// The operation, or what is waited for, and what it is done to; for logs, errors and messages.
    pub fn description(&self) -> String {
        format!("{} {}", self.kind().verb(), self.kind().subject())
    }
}

/// The step's line in a plan.
impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.kind().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use crate::{AwaitService, CreateNetwork, DeleteRule, Step, Tags};

    /// The struct of a kind leaves no trace in the JSON form.
    #[test]
    fn a_step_is_written_as_its_name_and_its_members() {
        let steps: [Step; 2] = [
            CreateNetwork { network: "n".into(), tags: Tags::from([("a".into(), "b".into())]) }.into(),
            DeleteRule { service: "s".into(), port: 80, id: "rule-1".into() }.into(),
        ];
        let text = serde_json::to_string(&steps).unwrap();
        let network = r#"{"step":"createNetwork","network":"n","tags":{"a":"b"}}"#;
        let rule = r#"{"step":"deleteRule","service":"s","port":80,"id":"rule-1"}"#;
        assert_eq!(text, format!("[{network},{rule}]"));
        assert_eq!(serde_json::from_str::<[Step; 2]>(&text).unwrap(), steps);
    }

    #[test]
    fn a_step_tells_what_it_is() {
        let wait = Step::from(AwaitService { service: "s".into() });
        assert!(wait.is_wait() && !wait.awaits_removal() && !wait.takes_away());
        assert_eq!(wait.awaited().as_deref(), Some("service s to become active"));
        assert_eq!(wait.description(), "wait for service s");
        let rule = Step::from(DeleteRule { service: "s".into(), port: 80, id: "rule-1".into() });
        assert!(rule.takes_away() && !rule.is_wait());
        assert_eq!(rule.moves_requests_of(), Some("s"));
        assert_eq!(rule.description(), "delete rule rule-1 of listener 80 of service s");
    }
}
