//! The resources as they are stored. Everything here can be written to a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use lattice_routing::{Action, Conditions};

use super::Moment;
use super::kind::{Life, Meta};

/// Service network. It has no status: its changes are synchronous.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceNetwork {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Name, unique in the account.
    pub name: String,
    /// `NONE` or `AWS_IAM`.
    pub auth_type: String,
    /// `sharingConfig` as given.
    pub sharing: Option<Value>,
}

/// Service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Service {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Status.
    pub life: Life,
    /// Name, unique in the account.
    pub name: String,
    /// `NONE` or `AWS_IAM`.
    pub auth_type: String,
    /// The user's own domain name; never changes.
    pub custom_domain: Option<String>,
    /// ARN of the certificate of the custom domain.
    pub certificate: Option<String>,
    /// `idleTimeoutSeconds` if it was set.
    pub idle_timeout: Option<u64>,
    /// The generated domain name.
    pub domain: String,
    /// Ids of its listeners.
    pub listeners: BTreeSet<String>,
    /// Ids of its associations with service networks.
    pub associations: BTreeSet<String>,
    /// Ids of the target groups that its actions name.
    pub groups: BTreeSet<String>,
}

/// Listener. Its default action is the action of its default rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listener {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Id of its service.
    pub service: String,
    /// Name, unique in the service.
    pub name: String,
    /// `HTTP`, `HTTPS` or `TLS_PASSTHROUGH`.
    pub protocol: String,
    /// Port, unique in the service.
    pub port: u16,
    /// Id of its default rule.
    pub default_rule: String,
    /// Ids of all its rules, the default one too.
    pub rules: BTreeSet<String>,
}

/// Rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Id of its service.
    pub service: String,
    /// Id of its listener.
    pub listener: String,
    /// Name, unique in the listener.
    pub name: String,
    /// Priority, unique in the listener; absent on the default rule.
    pub priority: Option<u32>,
    /// Conditions.
    pub conditions: Conditions,
    /// Action.
    pub action: Action,
}

impl Rule {
    /// Whether it is the listener's default rule.
    pub fn is_default(&self) -> bool {
        self.priority.is_none()
    }
}

/// Health check of a target group, with all defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Whether targets are checked.
    pub enabled: bool,
    /// `HTTP`, `HTTPS` or `TCP`.
    pub protocol: String,
    /// `HTTP1` or `HTTP2`.
    pub protocol_version: String,
    /// Port; absent = the target's.
    pub port: Option<u16>,
    /// Path.
    pub path: String,
    /// Seconds between checks.
    pub interval: u64,
    /// Seconds that an answer may take.
    pub timeout: u64,
    /// Successes in a row that make a target healthy.
    pub healthy: u32,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy: u32,
    /// Statuses that are successes: `200`, `200,202` or `200-299`.
    pub matcher: String,
}

/// What a target group is made of; fixed at creation except the health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupConfig {
    /// Port of targets that name none.
    pub port: Option<u16>,
    /// `HTTP`, `HTTPS` or `TCP`; absent for LAMBDA.
    pub protocol: Option<String>,
    /// `HTTP1`, `HTTP2` or `GRPC`; absent for LAMBDA and TCP.
    pub protocol_version: Option<String>,
    /// `IPV4` or `IPV6`; only for IP.
    pub ip_address_type: Option<String>,
    /// VPC of the targets; absent for LAMBDA.
    pub vpc: Option<String>,
    /// `V1` or `V2`; only for LAMBDA.
    pub lambda_version: Option<String>,
    /// Health check; absent for LAMBDA and ALB.
    pub health_check: Option<HealthCheck>,
}

/// Target group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Status.
    pub life: Life,
    /// Name, unique in the account.
    pub name: String,
    /// `IP`, `LAMBDA`, `INSTANCE` or `ALB`.
    pub kind: String,
    /// Configuration; absent when a LAMBDA group was created without any.
    pub config: GroupConfig,
    /// Targets in the order of id and port.
    #[serde(with = "super::pairs")]
    pub targets: BTreeMap<TargetKey, Target>,
    /// Ids of services whose actions name the group.
    pub services: BTreeSet<String>,
    /// Where the round robin stands.
    pub turn: usize,
}

/// What makes a target one: an address may be registered with several ports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetKey {
    /// IP address, instance id, function ARN or load balancer ARN.
    pub id: String,
    /// Port; absent for functions.
    pub port: Option<u16>,
}

/// What health checks have found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// No verdict yet.
    Initial,
    /// Good.
    Healthy,
    /// Bad.
    Unhealthy,
}

/// A registered target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// When it was registered.
    pub registered: Moment,
    /// When draining ends; absent = not draining.
    pub draining: Option<Moment>,
    /// From when on it can get requests.
    #[serde(default = "Moment::ever")]
    pub takes_from: Moment,
    /// Until when it gets requests although it drains.
    #[serde(default)]
    pub takes_until: Option<Moment>,
    /// Verdict of the health checks.
    pub health: Health,
    /// Successes in a row.
    pub successes: u32,
    /// Failures in a row.
    pub failures: u32,
    /// When the next check is due.
    pub next_check: Moment,
}

/// Association of a service network with a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceAssociation {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Status.
    pub life: Life,
    /// Id of the service.
    pub service: String,
    /// Id of the service network.
    pub network: String,
}

/// Association of a service network with a VPC.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VpcAssociation {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Status.
    pub life: Life,
    /// Id of the service network.
    pub network: String,
    /// Id of the VPC.
    pub vpc: String,
    /// Security groups of the clients.
    pub security_groups: Option<Vec<String>>,
    /// `privateDnsEnabled` if given.
    pub private_dns: Option<bool>,
    /// `dnsOptions` as given.
    pub dns_options: Option<Value>,
}

/// A resource that is echoed more than it is interpreted: access log subscriptions, resource gateways and
/// configurations, their associations, domain verifications.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Generic {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Status; absent for synchronous ones.
    pub life: Option<Life>,
    /// Members beyond id, ARN, times and status.
    pub members: super::Document,
}

/// A policy document attached to a resource.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Policy {
    /// The document as given.
    pub text: String,
    /// What it replaced; requests still feel that for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// When it was first put.
    pub created: Moment,
    /// When it was last put.
    pub updated: Moment,
}
