use crate::desired::{Action, HealthCheck, ListenerProtocol, RuleMatch, Target, TargetGroupConfig};
use crate::{Ownership, RefusedTarget, Tags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What was read from VPC Lattice for one unit: what its owner has, and what else bears the names it wants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actual {
    /// Service networks that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub networks: Vec<ActualNetwork>,
    /// VPC associations of the wanted VPCs (with whatever network) and of the unit's own network.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vpc_associations: Vec<ActualVpcAssociation>,
    /// Services that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub services: Vec<ActualService>,
    /// Target groups that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub target_groups: Vec<ActualTargetGroup>,
    /// Targets that VPC Lattice refused a while ago, and that are not to be tried again yet.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused: Vec<RefusedTarget>,
}

/// The status of a resource that takes time (Service, target group, association).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Usable.
    Active,
    /// Being made.
    CreateInProgress,
    /// Being changed.
    UpdateInProgress,
    /// Being removed; then it is gone.
    DeleteInProgress,
    /// Must be deleted and made again.
    CreateFailed,
    /// The old settings hold.
    UpdateFailed,
    /// May be deleted again.
    DeleteFailed,
    /// A value this version does not know.
    Unknown,
}

/// A service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActualNetwork {
    /// `sn-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default)]
    pub tags: Tags,
}

/// A VPC's association with a service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualVpcAssociation {
    /// `snva-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Status.
    pub status: Status,
    /// Security groups; read only for ours.
    #[serde(default)]
    pub security_groups: BTreeSet<String>,
    /// Told by the tags.
    pub ownership: Ownership,
}

/// A service with all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualService {
    /// `svc-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Status.
    pub status: Status,
    /// The generated domain name; present from creation on.
    #[serde(default)]
    pub dns_name: Option<String>,
    /// Custom domain.
    #[serde(default)]
    pub custom_domain: Option<String>,
    /// ACM certificate.
    #[serde(default)]
    pub certificate_arn: Option<String>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default)]
    pub tags: Tags,
    /// Not read when the service is not ours.
    #[serde(default)]
    pub listeners: Vec<ActualListener>,
    /// Whether one of its listeners or rules was changed so lately that the data plane may not have followed yet.
    #[serde(default)]
    pub is_propagating: bool,
    /// Not read when the service is not ours.
    #[serde(default)]
    pub associations: Vec<ActualAssociation>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualListener {
    /// `listener-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Port.
    pub port: u16,
    /// Protocol.
    pub protocol: ListenerProtocol,
    /// Default action.
    pub default_action: Action,
    /// Without the default rule.
    pub rules: Vec<ActualRule>,
    /// Told by the tags.
    pub ownership: Ownership,
}

/// A rule that is not a default rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualRule {
    /// `rule-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Priority.
    pub priority: u16,
    /// Match.
    #[serde(rename = "match")]
    pub matches: RuleMatch,
    /// Action. A target group that no name was found for is named by its id.
    pub action: Action,
    /// Told by the tags.
    pub ownership: Ownership,
}

/// A service's association with a service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActualAssociation {
    /// `snsa-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The network's name.
    pub network: String,
    /// Status.
    pub status: Status,
    /// Told by the tags.
    pub ownership: Ownership,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualTargetGroup {
    /// `tg-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Status.
    pub status: Status,
    /// Absent for a type or setting that this project never makes, and when the target group is not ours.
    #[serde(default)]
    pub config: Option<TargetGroupConfig>,
    /// Absent when not read.
    #[serde(default)]
    pub health_check: Option<HealthCheck>,
    /// Targets, also draining ones.
    #[serde(default)]
    pub targets: Vec<ActualTarget>,
    /// ARNs of the services that use it.
    #[serde(default)]
    pub service_arns: BTreeSet<String>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default)]
    pub tags: Tags,
}

/// A registered or draining target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActualTarget {
    /// Address and port.
    #[serde(flatten)]
    pub target: Target,
    /// Its health.
    pub health: TargetHealth,
}

/// A target's status (API reference, TargetSummary).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TargetHealth {
    /// Deregistered, open requests are being finished.
    Draining,
    /// Checks have not passed or do not pass.
    Unhealthy,
    /// Takes traffic.
    Healthy,
    /// First checks run.
    Initial,
    /// Not used by any service.
    Unused,
    /// Not checked; takes traffic.
    Unavailable,
    /// A value this version does not know.
    Unknown,
}
