//! VPC Lattice as plain values: what a unit wants ([`Desired`]), what is there ([`Actual`]), and the [`Plan`] between.
//!
//! Everything here is pure: no clock, no network, ordered collections, the same bytes on every run. References
//! between resources are by name (names of services, service networks and target groups are unique in an account and
//! Region), so a plan can be made, printed and compared before anything exists; `apply` turns names into ids.

mod actual;
mod blocked;
mod check;
mod compare;
mod desired;
mod display;
mod limits;
mod model;
pub mod names;
mod outcome;
mod owner;
mod plan;
mod step;
mod uses;

pub use actual::{
    Actual, ActualAssociation, ActualListener, ActualNetwork, ActualRule, ActualService, ActualTarget,
    ActualTargetGroup, ActualVpcAssociation, Status, TargetHealth,
};
pub use blocked::{Blocked, Quota};
pub use check::{Violation, check};
pub use desired::{
    Action, Desired, DesiredListener, DesiredNetwork, DesiredRule, DesiredService, DesiredTargetGroup,
    DesiredVpcAssociation, HeaderMatch, HealthCheck, IpFamily, ListenerProtocol, PathMatch, ProtocolVersion,
    RuleMatch, Target, TargetGroupConfig, TargetProtocol, ValueMatch, WeightedTargetGroup,
};
pub use limits::{LimitOverrides, Limits};
pub use model::{apply_step, settle, simulate};
pub use outcome::{Failure, Outcome, RefusedTarget, ServiceOutcome};
pub use owner::{Owner, Ownership, TAG_MANAGED_BY, TAG_OWNER, TAG_PREFIX, TAG_UNIT, Tags};
pub use plan::plan;
pub use step::{Plan, RuleUpdate, Step};
