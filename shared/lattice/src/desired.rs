use crate::{Owner, Tags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// All that one unit wants to exist in VPC Lattice. What its owner has and this does not name is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// The unit.
    pub owner: Owner,
    /// Gateway units: the service network, created if there is none of that name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<DesiredNetwork>,
    /// Gateway units: the VPCs of the clusters that have the Gateway.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vpc_associations: Vec<DesiredVpcAssociation>,
    /// Route units: one service for each custom domain, or one without.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub services: Vec<DesiredService>,
    /// Route and export units. A target group is used by one service only (CreateTargetGroup, API reference).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub target_groups: Vec<DesiredTargetGroup>,
}

impl Desired {
    /// A unit that wants nothing: whatever it owns is to be deleted.
    pub fn nothing(owner: Owner) -> Self {
        Self { owner, network: None, vpc_associations: vec![], services: vec![], target_groups: vec![] }
    }
}

/// A service network. One that exists and is not ours is used, and never changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredNetwork {
    /// 3–63 characters, unique in the account and Region.
    pub name: String,
    /// Tags set at creation.
    pub tags: Tags,
}

/// A VPC's association with the unit's service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredVpcAssociation {
    /// The service network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Security groups of the association; empty for none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub security_groups: BTreeSet<String>,
    /// Tags set at creation.
    pub tags: Tags,
}

/// A Lattice service with all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredService {
    /// 3–40 characters, unique in the account and Region.
    pub name: String,
    /// Immutable once created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub custom_domain: Option<String>,
    /// ACM certificate for the custom domain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate_arn: Option<String>,
    /// Names of the service networks to associate with. They are made by Gateway units.
    pub networks: BTreeSet<String>,
    /// By port; the port is a listener's identity.
    pub listeners: Vec<DesiredListener>,
    /// Tags set at creation and kept; tags of others are left alone.
    pub tags: Tags,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredListener {
    /// 3–63 characters, unique in the service.
    pub name: String,
    /// 1–65535; the identity.
    pub port: u16,
    /// Immutable once created.
    pub protocol: ListenerProtocol,
    /// What answers when no rule matches.
    pub default_action: Action,
    /// In order of priority.
    pub rules: Vec<DesiredRule>,
}

/// A listener's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ListenerProtocol {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS that VPC Lattice ends.
    Https,
    /// TLS handed on as it is, by SNI.
    TlsPassthrough,
}

/// A rule. Its identity is its match, which its name is a hash of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredRule {
    /// 3–63 characters, unique in the listener.
    pub name: String,
    /// 1–100, unique in the listener; the lowest is asked first.
    pub priority: u16,
    /// What a request must look like.
    #[serde(rename = "match")]
    pub matches: RuleMatch,
    /// What is done with it.
    pub action: Action,
}

/// Conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RuleMatch {
    /// The path, always case-sensitive here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<PathMatch>,
    /// Upper-case method.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<String>,
    /// At most five.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub headers: Vec<HeaderMatch>,
}

/// How a path is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// The path begins so. Whether VPC Lattice means characters or path elements is not documented.
    Prefix(String),
}

/// One header's condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatch {
    /// Compared without regard to case.
    pub name: String,
    /// How the value is compared.
    pub value: ValueMatch,
    /// Whether case counts in the value.
    pub case_sensitive: bool,
}

/// How a header's value is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueMatch {
    /// The whole value.
    Exact(String),
    /// The value begins so.
    Prefix(String),
    /// The value has this in it.
    Contains(String),
}

/// What a rule or a listener does with a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Answer with this status: 404 or 500, VPC Lattice knows no other.
    FixedResponse(u16),
    /// Forward to one of 1–10 target groups, by weight. Sorted by target group.
    Forward(Vec<WeightedTargetGroup>),
}

/// A share of a forward action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightedTargetGroup {
    /// The target group's name.
    pub target_group: String,
    /// 0–999, relative to the others' sum.
    pub weight: u16,
}

/// A target group and its targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredTargetGroup {
    /// 3–128 characters, a hash of owner and `config` in it: another config is another target group.
    pub name: String,
    /// What cannot be changed after creation.
    pub config: TargetGroupConfig,
    /// Changeable in place.
    pub health_check: HealthCheck,
    /// All targets.
    pub targets: BTreeSet<Target>,
    /// Tags set at creation and kept.
    pub tags: Tags,
}

/// The immutable part of an IP target group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroupConfig {
    /// Default port of targets, 1–65535.
    pub port: u16,
    /// Protocol to the targets.
    pub protocol: TargetProtocol,
    /// Absent for TCP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub protocol_version: Option<ProtocolVersion>,
    /// Address family of the targets.
    pub ip_family: IpFamily,
    /// The VPC that the targets are in: the exporting cluster's for an imported Service.
    pub vpc: String,
}

/// Protocol to the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetProtocol {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS; VPC Lattice does not verify the target's certificate.
    Https,
    /// For TLS passthrough listeners only.
    Tcp,
}

/// HTTP version to the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProtocolVersion {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
}

/// Address family of an IP target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IpFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Health check settings; all are always sent, so that no default of the service is relied on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// Whether targets are checked.
    pub enabled: bool,
    /// HTTP or HTTPS.
    pub protocol: TargetProtocol,
    /// HTTP1 or HTTP2.
    pub protocol_version: ProtocolVersion,
    /// Path to ask for.
    pub path: String,
    /// Port to ask at; none means the target's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub port: Option<u16>,
    /// Codes that count as healthy, such as `200-399`.
    pub matcher: String,
    /// Seconds, 5–300.
    pub interval_seconds: u16,
    /// Seconds, 1–120.
    pub timeout_seconds: u16,
    /// 2–10.
    pub healthy_threshold: u16,
    /// 2–10.
    pub unhealthy_threshold: u16,
}

/// Codes that count as healthy by default. Whether a Pod is ready is Kubernetes' to say, and what is not ready is no
/// target. The check is to find out that nothing answers any more, so an application without a page at `/`, behind a
/// login, or one that speaks gRPC only (405 or 415 to a plain GET), is as healthy as any. 499 is the highest code that the
/// API takes (User Guide, health checks).
const HEALTHY_CODES: &str = "200-499";

impl HealthCheck {
    /// The check of a target group that nobody asked another one for.
    ///
    /// | targets speak | check |
    /// |---|---|
    /// | HTTP/1.1 | HTTP/1.1 |
    /// | HTTP/2, gRPC | HTTP/2, though VPC Lattice has it off by default: without checks it goes on sending requests to targets that drain (seen by users of the AWS Gateway API Controller, its issue 582). A check in gRPC does not exist |
    /// | TCP, which is TLS handed on | none: only HTTP can be checked, and what is in the TLS is not known |
    pub fn default_for(config: &TargetGroupConfig) -> Self {
        let is_http = config.protocol != TargetProtocol::Tcp;
        Self {
            enabled: is_http,
            protocol: if is_http { config.protocol } else { TargetProtocol::Http },
            protocol_version: match config.protocol_version {
                Some(ProtocolVersion::Http2 | ProtocolVersion::Grpc) => ProtocolVersion::Http2,
                Some(ProtocolVersion::Http1) | None => ProtocolVersion::Http1,
            },
            path: "/".into(),
            port: None,
            matcher: HEALTHY_CODES.into(),
            interval_seconds: 30,
            timeout_seconds: 5,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
        }
    }
}

/// One IP target; address and port together are its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// IP address as text.
    pub ip: String,
    /// 1–65535.
    pub port: u16,
}
