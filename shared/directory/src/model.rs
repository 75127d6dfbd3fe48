//! The service directory as a value, which is written as JSON too.

use crate::listing::Listing;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{ShownGateway, ShownRoute};
use trellis_hint::{ClusterId, Kind};

/// What a directory is made of.
#[derive(Debug, Default)]
pub struct Sources {
    /// The installation's name.
    pub installation: String,
    /// When it was read (RFC 3339).
    pub read: String,
    /// The account and Region, such as `123456789012/us-west-2`.
    pub scope: String,
    /// The clusters that the installation knows.
    pub clusters: BTreeMap<ClusterId, Seen>,
    /// What VPC Lattice lists.
    pub listing: Listing,
}

/// A cluster as it was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Where it stands.
    pub state: ClusterState,
    /// Why it is unknown.
    pub why: Option<String>,
    /// Its VPC; empty where EKS does not tell.
    pub vpc: String,
    /// Kinds of routes that its API server does not serve: whether it has such is not known.
    pub not_served: BTreeSet<Kind>,
    /// Its routes, as far as it could be read.
    pub routes: Vec<ShownRoute>,
    /// Its Gateways, as far as it could be read.
    pub gateways: Vec<ShownGateway>,
}

/// Where a cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ClusterState {
    /// It takes part, and was read.
    Registered,
    /// It cannot be read now: what it has stays as it is.
    #[default]
    Unknown,
    /// A person takes it out.
    Leaving,
    /// It has something in VPC Lattice, and does not bear the registration tag.
    NotRegistered,
}

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "owner", rename_all = "camelCase")]
pub enum Whose {
    /// This installation's, by its owner tag.
    Ours,
    /// Another installation's of Trellis.
    Installation {
        /// Its name.
        installation: String,
    },
    /// Another account's, which shares it.
    Account {
        /// Its id.
        account: String,
    },
    /// Somebody else's of this account.
    Others,
}

/// The service directory of an account and Region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// The form of this value.
    pub api_version: &'static str,
    /// `ServiceDirectory`.
    pub kind: &'static str,
    /// The installation's name.
    pub installation: String,
    /// The account and Region.
    pub scope: String,
    /// When it was read (RFC 3339).
    pub read: String,
    /// Counts.
    pub totals: Totals,
    /// What a person should look at, the most urgent first.
    pub remarks: Vec<Remark>,
    /// Service networks by name.
    pub networks: Vec<Network>,
    /// Clusters by name.
    pub clusters: Vec<Cluster>,
    /// Services by name.
    pub services: Vec<Service>,
    /// Routes of the clusters that could be read, by cluster, namespace and name.
    pub routes: Vec<Route>,
    /// What could not be read; what it would show is unknown.
    pub left_out: Vec<String>,
}

/// Counts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Service networks.
    pub networks: usize,
    /// Clusters.
    pub clusters: usize,
    /// Services.
    pub services: usize,
    /// Those of them that are this installation's.
    pub services_of_ours: usize,
    /// Target groups.
    pub target_groups: usize,
    /// Routes.
    pub routes: usize,
    /// Those of them that are Programmed.
    pub routes_programmed: usize,
    /// What the account's own services cost in a month, in USD, without traffic.
    pub usd_a_month: f64,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// What it is about.
    pub subject: String,
    /// A sentence.
    pub text: String,
}

/// A service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Name.
    pub name: String,
    /// `sn-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Whose it is.
    #[serde(flatten)]
    pub whose: Whose,
    /// The VPCs in it.
    pub vpcs: Vec<Vpc>,
    /// How many services are in it.
    pub services: usize,
    /// The Gateways that stand for it.
    pub gateways: Vec<Gateway>,
}

/// A VPC in a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Vpc {
    /// `vpc-…`.
    pub id: String,
    /// As VPC Lattice writes it.
    pub status: String,
    /// The clusters in it.
    pub clusters: Vec<String>,
}

/// A Gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// The cluster's name.
    pub cluster: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// How many routes are attached.
    pub attached_routes: i64,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// Where it stands.
    pub state: ClusterState,
    /// Why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its VPC.
    pub vpc: String,
    /// Its routes.
    pub routes: usize,
    /// Those of them that are Programmed.
    pub routes_programmed: usize,
    /// Services that were made for its routes.
    pub services: usize,
    /// What these cost in a month, in USD, without traffic.
    pub usd_a_month: f64,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Name.
    pub name: String,
    /// `svc-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The domain name that VPC Lattice gives it.
    pub dns_name: String,
    /// The domain name that it has beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_domain: Option<String>,
    /// As VPC Lattice writes it.
    pub status: String,
    /// Whose it is.
    #[serde(flatten)]
    pub whose: Whose,
    /// The unit that made it, if it is ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Names of the networks that it is in.
    pub networks: Vec<String>,
    /// Names of the clusters that have part in it: its routes' and its targets'.
    pub clusters: Vec<String>,
    /// The routes that it serves, as `cluster/Kind/namespace/name`.
    pub routes: Vec<String>,
    /// Where its requests go.
    pub backends: Vec<Backend>,
    /// Whether no object asks for it.
    pub is_orphan: bool,
}

/// Where a service's requests go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// The target group's name.
    pub target_group: String,
    /// `IP`, `LAMBDA`, `INSTANCE` or `ALB`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it stands for, as `cluster/Kind/namespace/name`; none where its tags do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Such as `HTTP:8090`.
    pub speaks: String,
    /// Targets that get requests; none where that was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<usize>,
    /// All its targets; none where that was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<usize>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The cluster's name.
    pub cluster: String,
    /// HTTPRoute, GRPCRoute or TLSRoute.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its own hostnames.
    pub hostnames: Vec<String>,
    /// The Gateways that it names, as `namespace/name`.
    pub gateways: Vec<String>,
    /// `Programmed`, `NotProgrammed`, `Refused` or `Untold`.
    pub standing: String,
    /// Why it is not Programmed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Names of the services that serve it.
    pub services: Vec<String>,
}
