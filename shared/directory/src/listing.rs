//! What VPC Lattice lists, of this installation or not.

use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::Tags;

/// Everything that VPC Lattice shows to the account in its Region: its own, and what others share with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Service networks.
    pub networks: Vec<ListedNetwork>,
    /// Services.
    pub services: Vec<ListedService>,
    /// Target groups.
    pub target_groups: Vec<ListedGroup>,
    /// Which VPCs are in which networks.
    pub vpcs: Vec<ListedVpcAssociation>,
    /// Which services are in which networks.
    pub memberships: BTreeSet<Membership>,
    /// The tags of what is listed, by ARN, as the index of tags shows them.
    pub tags: BTreeMap<String, Tags>,
    /// What could not be read, each in a sentence: what it would show is unknown.
    pub left_out: Vec<String>,
}

/// A service network (API reference, ServiceNetworkSummary).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedNetwork {
    /// `sn-…`.
    pub id: String,
    /// ARN; its account is the owner's.
    pub arn: String,
    /// Name.
    pub name: String,
}

/// A service (API reference, ServiceSummary).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedService {
    /// `svc-…`.
    pub id: String,
    /// ARN; its account is the owner's.
    pub arn: String,
    /// Name.
    pub name: String,
    /// The domain name that VPC Lattice gives it.
    pub dns_name: String,
    /// The domain name that it has beside it.
    pub custom_domain: Option<String>,
    /// As VPC Lattice writes it, such as `ACTIVE`.
    pub status: String,
}

/// A target group (API reference, TargetGroupSummary).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// `IP`, `LAMBDA`, `INSTANCE` or `ALB`.
    pub kind: String,
    /// As VPC Lattice writes it, such as `HTTP`; functions have none.
    pub protocol: Option<String>,
    /// Functions have none.
    pub port: Option<u16>,
    /// Functions have none.
    pub vpc: Option<String>,
    /// ARNs of the services that lead there.
    pub services: BTreeSet<String>,
    /// How its targets are; none where that was not read.
    pub health: Option<Health>,
}

/// How many targets are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// They answer their checks, or have none.
    pub healthy: usize,
    /// They get no requests.
    pub unhealthy: usize,
    /// They are on their way in or out, or are not used.
    pub other: usize,
}

/// A VPC in a service network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedVpcAssociation {
    /// The network's ARN.
    pub network: String,
    /// `vpc-…`.
    pub vpc: String,
    /// As VPC Lattice writes it.
    pub status: String,
}

/// A service in a service network, each by its ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The network.
    pub network: String,
    /// The service.
    pub service: String,
}
