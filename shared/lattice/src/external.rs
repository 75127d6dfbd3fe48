//! Target groups that a wish leads to by their id and that the unit did not make.

use crate::resource::{ProtocolVersion, TargetProtocol};
use crate::{Status, Tags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an id of a target group begins with, and no name may (API model, TargetGroupName).
pub const TARGET_GROUP_ID: &str = "tg-";

/// What is known of a target group that somebody names by its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExternalGroup {
    /// VPC Lattice did not tell: why. Nothing is said of it.
    Unknown(String),
    /// VPC Lattice said that there is none.
    Missing,
    /// It is there.
    Known(Box<ExternalTargetGroup>),
}

/// A target group that somebody else made, or another unit. Rules may lead to it; nothing of it is ever changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalTargetGroup {
    /// Name.
    pub name: String,
    /// Status.
    pub status: Status,
    /// `IP`, `INSTANCE`, `LAMBDA` or `ALB`, as the API names it.
    pub kind: String,
    /// Absent for LAMBDA, and for a protocol that this version does not know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub protocol: Option<TargetProtocol>,
    /// Absent for LAMBDA and TCP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub protocol_version: Option<ProtocolVersion>,
    /// The VPC that its targets are in; absent for LAMBDA.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vpc: Option<String>,
    /// ARNs of the services that use it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub service_arns: BTreeSet<String>,
    /// Its tags tell whose it is; none where they may not be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tags: Option<Tags>,
}
