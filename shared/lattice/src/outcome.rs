use crate::{ActualResourceConfiguration, Blocked, Holder, Status, Target};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How far a unit's wishes have become true in VPC Lattice: what the status builder needs to know of an apply.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outcome {
    /// ARNs of the service networks that exist, by name.
    pub networks: BTreeMap<String, String>,
    /// The services that exist, by name.
    pub services: BTreeMap<String, ServiceOutcome>,
    /// ARNs of the target groups that exist, by name.
    pub target_groups: BTreeMap<String, String>,
    /// What the plan had to leave out.
    pub blocked: Vec<Blocked>,
    /// Wanted targets that VPC Lattice does not take. Everything else is done as if they were not wanted.
    pub refused: Vec<RefusedTarget>,
    /// Wanted access logs that AWS does not give. Everything else is done as if they were not wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_logs: Vec<RefusedAccessLog>,
    /// Wanted settings of VPC associations that AWS does not give. Everything else is done as if they were not wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_vpcs: Vec<RefusedVpcAssociation>,
    /// Certificates of Secrets that ACM does not take. Everything else is done as if they were not wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_certificates: Vec<RefusedCertificate>,
    /// The associations of VPCs that there are, whosever; none that is ending.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub vpc_associations: BTreeSet<VpcAssociationOutcome>,
    /// Ids of the VPC endpoints that there are of this installation's, by network and VPC; none that is ending.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub vpc_endpoints: BTreeSet<VpcEndpointOutcome>,
    /// Wanted VPC endpoints that EC2 does not make or change. Everything else is done as if they were not wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_endpoints: Vec<RefusedVpcEndpoint>,
    /// ARNs of the unit's resource gateways that exist, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resource_gateways: BTreeMap<String, String>,
    /// The unit's resource configurations that exist, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, ResourceOutcome>,
    /// What is under way and being waited for, in words for a condition's message.
    pub waiting: Option<String>,
    /// What failed.
    pub failure: Option<Failure>,
}

/// A service that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOutcome {
    /// ARN.
    pub arn: String,
    /// The generated domain name.
    pub dns_name: Option<String>,
}

/// A resource configuration that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceOutcome {
    /// ARN.
    pub arn: String,
    /// The generated domain names under which it is reached, by service network.
    pub dns_names: BTreeMap<String, String>,
}

impl ResourceOutcome {
    /// What is told of one that is there.
    pub fn of(held: &ActualResourceConfiguration) -> Self {
        let named = held.associations.iter().filter(|one| one.status != Status::DeleteInProgress);
        let named = named.filter_map(|one| Some((one.network.clone(), one.dns_name.clone()?)));
        Self { arn: held.arn.clone(), dns_names: named.collect() }
    }
}

/// A target that VPC Lattice does not take, as it answers RegisterTargets: an address outside of the VPC's subnets, say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedTarget {
    /// The target group's name.
    pub target_group: String,
    /// The target.
    pub target: Target,
    /// AWS's code, such as `UnsupportedTarget`.
    pub code: String,
    /// What AWS says of it; may be empty.
    pub message: String,
}

/// Access logs that AWS does not give: the destination is missing, or the role lacks a right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedAccessLog {
    /// Whose requests were to be logged.
    pub holder: Holder,
    /// ARN of the destination.
    pub destination: String,
    /// What AWS says of it; stable text without request ids.
    pub message: String,
}

/// A certificate of a Secret that ACM does not take: it has ended, say, or a quota is used up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedCertificate {
    /// The Secret's hash ([`crate::TAG_SECRET`]).
    pub secret: String,
    /// What AWS says of it; stable text without request ids.
    pub message: String,
}

/// A VPC's association that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcAssociationOutcome {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
}

/// A VPC's endpoint that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcEndpointOutcome {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// `vpce-…`.
    pub id: String,
}

/// A VPC's endpoint that EC2 does not make or change: a subnet has too few addresses, say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedVpcEndpoint {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// What AWS says of it; stable text without request ids.
    pub message: String,
}

/// A VPC's association that AWS does not make or change as it is wanted: a security group is missing, or of another VPC; or it is not
/// for this account to make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedVpcAssociation {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// The security groups that were asked for, where the call has said so.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub security_groups: BTreeSet<String>,
    /// What AWS says of it; stable text without request ids.
    pub message: String,
    /// Whether AWS denies this account the association.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_denied: bool,
}

/// A failed call, in words for a condition's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The operation and what AWS said; stable text without request ids.
    pub message: String,
    /// Whether trying again without any change can help.
    pub retryable: bool,
}

impl Outcome {
    /// Whether everything that was wished for is there and in use.
    pub fn is_complete(&self) -> bool {
        self.blocked.is_empty() && self.waiting.is_none() && self.failure.is_none()
    }
}
