//! VPC Lattice as plain values: what a unit wants ([`Desired`]), what is there ([`Actual`]), and the [`Plan`] between.
//!
//! Everything here is pure: no clock, no network, ordered collections, the same bytes on every run. References
//! between resources are by name (names of services, service networks and target groups are unique in an account and
//! Region), so a plan can be made, printed and compared before anything exists; `apply` turns names into ids.

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod actual;
mod blocked;
mod certificate;
mod check;
mod desired;
mod external;
mod grace;
mod limits;
mod marks;
mod mode;
mod model;
pub mod names;
mod outcome;
mod owner;
mod plan;
mod resource;
mod resource_kind;
mod step;
mod user_tags;

pub use actual::{Actual, Status};
pub use blocked::{Blocked, Quota};
pub use certificate::{Certificate, CertificateOrigin, Certificates};
pub use check::{Deed, Violation, ViolationKind, check};
pub use desired::Desired;
pub use external::{ExternalGroup, ExternalTargetGroup, TARGET_GROUP_ID};
pub use grace::{Grace, TAG_UNWANTED, Unwanted, imports_mark, rules_mark};
pub use limits::{LimitOverrides, Limits};
pub use marks::marks_that_matter;
pub use mode::{Mode, ParseModeError};
pub use model::{apply_step, settle, simulate};
pub use outcome::{
    Failure, Outcome, RefusedAccessLog, RefusedCertificate, RefusedTarget, RefusedVpcAssociation,
    RefusedVpcEndpoint, ResourceOutcome, ServiceOutcome, VpcAssociationOutcome, VpcEndpointOutcome,
};
pub use owner::{
    Owner, Ownership, TAG_ACCESS_LOGS, TAG_AUTH, TAG_BACKEND, TAG_BELOW, TAG_CERTIFICATE, TAG_EXPORT,
    TAG_GATEWAY, TAG_IDLE_TIMEOUT, TAG_KEY, TAG_KEY_REST, TAG_MANAGED_BY, TAG_OWNER, TAG_POLICY, TAG_PREFIX,
    TAG_SECRET, TAG_SECRET_NAME, TAG_SOURCE, TAG_UNIT, TAG_USER, TAG_VPC_ENDPOINTS, TAG_VPC_POLICY,
    TAG_WANTED_BY, Tags,
};
pub use plan::{Plan, plan, plan_instances};
pub use resource::*;
pub use resource_kind::ResourceKind;
pub use step::Step;
pub use user_tags::{is_below_as_wished, user_tags_mark, was_asked_for};
