//! The target group. Its targets and its health check have modules of their own.

use super::{ActualTarget, HealthCheck, ResourceMut, Target};
use crate::check::{Deed, View, at_rest, is_broken, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, TargetHealth, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// A target group and its targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredTargetGroup {
    /// 3–128 characters, a hash of owner and `config` in it: another config is another target group.
    pub name: String,
    /// What cannot be changed after creation.
    pub config: TargetGroupConfig,
    /// Changeable in place; none where VPC Lattice checks nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub health_check: Option<HealthCheck>,
    /// All targets.
    pub targets: BTreeSet<Target>,
    /// Tags set at creation and kept.
    pub tags: Tags,
}

/// What the tag of a Backend's target group says of instances.
pub const BACKEND_INSTANCES: &str = "instances";

/// The immutable part of a target group, by its type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetGroupConfig {
    /// Addresses.
    Ip(IpConfig),
    /// A function.
    Lambda(LambdaConfig),
    /// Instances of EC2.
    Instances {
        /// How they are spoken to.
        instances: VpcConfig,
    },
    /// An Application Load Balancer.
    LoadBalancer {
        /// How it is spoken to.
        #[serde(rename = "loadBalancer")]
        load_balancer: VpcConfig,
    },
}

impl TargetGroupConfig {
    /// Where the targets are and how they are spoken to; none for a function.
    pub fn reached(&self) -> Option<VpcConfig> {
        match self {
            Self::Ip(config) => Some(config.reached()),
            Self::Instances { instances: config } | Self::LoadBalancer { load_balancer: config } => {
                Some(config.clone())
            }
            Self::Lambda(_) => None,
        }
    }

    /// The default port of targets.
    pub fn port(&self) -> Option<u16> {
        self.reached().map(|config| config.port)
    }

    /// The HTTP version to the targets; none for TCP and for a function.
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.reached().and_then(|config| config.protocol_version)
    }

    /// Whether VPC Lattice checks the targets' health if it is asked to: not that of a function or a load balancer (User Guide,
    /// health checks).
    pub const fn is_checked(&self) -> bool {
        match self {
            Self::Ip(_) | Self::Instances { .. } => true,
            Self::Lambda(_) | Self::LoadBalancer { .. } => false,
        }
    }

    /// What its targets are, as Backends name it.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Ip(_) => "addresses",
            Self::Lambda(_) => "lambda",
            Self::Instances { .. } => BACKEND_INSTANCES,
            Self::LoadBalancer { .. } => "loadBalancer",
        }
    }
}

/// The immutable part of a target group of instances or of a load balancer. Only addresses have a family (API reference,
/// TargetGroupConfig).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcConfig {
    /// Default port of targets, 1–65535.
    pub port: u16,
    /// Protocol to the targets.
    pub protocol: TargetProtocol,
    /// Absent for TCP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub protocol_version: Option<ProtocolVersion>,
    /// The VPC that the targets are in.
    pub vpc: String,
}

/// The immutable part of a target group of a function. It has no port, protocol, VPC or health check (API reference,
/// TargetGroupConfig).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaConfig {
    /// How the function is told of a request.
    pub event_structure_version: EventVersion,
}

/// The form of the event that a function gets (User Guide, Lambda functions as targets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventVersion {
    /// One text for each header, in `raw_path` and the like.
    V1,
    /// Lists of values, and who calls.
    V2,
}

/// The immutable part of an IP target group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpConfig {
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

impl IpConfig {
    /// Without the family.
    pub fn reached(&self) -> VpcConfig {
        let Self { port, protocol, protocol_version, ip_family: _, vpc } = self.clone();
        VpcConfig { port, protocol, protocol_version, vpc }
    }
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

impl ActualTargetGroup {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

impl Display for TargetGroupConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Ip(config) => config.fmt(f),
            Self::Lambda(config) => write!(f, "Lambda event {:?}", config.event_structure_version),
            Self::Instances { instances } => write!(f, "instances {instances}"),
            Self::LoadBalancer { load_balancer } => write!(f, "load balancer {load_balancer}"),
        }
    }
}

impl Display for VpcConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "{:?}", self.protocol)?;
        if let Some(version) = self.protocol_version {
            write!(f, "/{version:?}")?;
        }
        write!(f, " port {} {}", self.port, self.vpc)
    }
}

impl Display for IpConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "{:?}", self.protocol)?;
        if let Some(version) = self.protocol_version {
            write!(f, "/{version:?}")?;
        }
        write!(f, " port {} {:?} {}", self.port, self.ip_family, self.vpc)
    }
}

impl<'a> View<'a> {
    pub(crate) fn group(&self, name: &str) -> Result<&'a ActualTargetGroup, ViolationKind> {
        there(self.state.target_groups.iter().find(|g| g.name == name), || subject(name))
    }

    pub(crate) fn our_group(&self, name: &str) -> Result<&'a ActualTargetGroup, ViolationKind> {
        let group = self.group(name)?;
        ours(&group.ownership, &subject(name))?;
        Ok(group)
    }

    pub(crate) fn group_by_id(&self, id: &str) -> Result<&'a ActualTargetGroup, ViolationKind> {
        there(self.state.target_groups.iter().find(|g| g.id == id), || subject(id))
    }

    pub(crate) fn wanted_group(&self, name: &str) -> Option<&'a DesiredTargetGroup> {
        self.desired.target_groups.iter().find(|g| g.name == name)
    }
}

/// Names are unique in the account, but one that is being deleted may still be listed beside its successor.
pub(super) fn target_group_mut<'a>(state: &'a mut Actual, name: &str) -> Option<&'a mut ActualTargetGroup> {
    state.target_groups.iter_mut().find(|g| g.name == name)
}

pub(super) fn subject(target_group: &str) -> String {
    format!("target group {target_group}")
}

/// CreateTargetGroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateTargetGroup {
    /// Name.
    pub target_group: String,
    /// Immutable settings.
    pub config: TargetGroupConfig,
    /// Health check; none where VPC Lattice checks nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub health_check: Option<HealthCheck>,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateTargetGroup {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { target_group, config, health_check, tags } = self;
        state.target_groups.push(ActualTargetGroup {
            id: format!("tg-{target_group}"),
            arn: format!("arn:tg-{target_group}"),
            name: target_group.clone(),
            status: Status::CreateInProgress,
            config: Some(config.clone()),
            health_check: health_check.clone(),
            targets: vec![],
            service_arns: BTreeSet::new(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.bears_owner(&self.tags)?;
        let what = || ViolationKind::ThereAlready { what: self.subject() };
        require(view.group(&self.target_group).is_err(), what)
    }
}

impl Display for CreateTargetGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ target group {} {}", self.target_group, self.config)
    }
}

/// Wait until the target group is ACTIVE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitTargetGroup {
    /// The target group's name.
    pub target_group: String,
}

impl StepKind for AwaitTargetGroup {
    fn nature(&self) -> Nature<'_> {
        Nature::Awaits(format!("target group {} to become active", self.target_group))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(group) = target_group_mut(state, &self.target_group) {
            group.status.finish();
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.group(&self.target_group).map(|_| ())
    }
}

impl Display for AwaitTargetGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for target group {}", self.target_group)
    }
}

/// DeleteTargetGroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteTargetGroup {
    /// The target group's name.
    pub target_group: String,
    /// `tg-…`.
    pub id: String,
}

impl StepKind for DeleteTargetGroup {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let deleted = state.target_groups.iter_mut().filter(|g| g.id == self.id);
        deleted.for_each(|g| g.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { target_group, id } = self;
        let (held, what) = (view.group_by_id(id)?, self.subject());
        ours(&held.ownership, &what)?;
        at_rest(held.status, id, Deed::Delete)?;
        if view.wanted_group(target_group).is_some() && !is_broken(held.status) {
            return Err(ViolationKind::Wanted { what });
        }
        let user = view.state.services.iter().find(|s| s.target_groups().contains(target_group.as_str()));
        // Rules that were read tell more than a listing of target groups, which may be older.
        let read = |arn: &String| view.state.services.iter().any(|s| s.arn == *arn && s.is_known_below());
        let listed = || held.service_arns.iter().find(|arn| !read(arn)).cloned();
        if let Some(by) = user.map(|s| format!("service {}", s.name)).or_else(listed) {
            return Err(ViolationKind::InUse { what, by });
        }
        let draining = held.targets.iter().filter(|t| t.health == TargetHealth::Draining).count();
        require(held.targets.is_empty(), || ViolationKind::StillHas {
            what,
            held: format!("{} targets, {draining} draining", held.targets.len()),
        })
    }
}

impl Display for DeleteTargetGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- target group {}", self.target_group)
    }
}

/// Wait until the target group is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitTargetGroupGone {
    /// The target group's name.
    pub target_group: String,
    /// `tg-…`.
    pub id: String,
}

impl StepKind for AwaitTargetGroupGone {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("target group {} to be deleted", self.target_group))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.target_groups.retain(|g| g.id != self.id || g.status != Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.group_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitTargetGroupGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait until target group {} is gone", self.target_group)
    }
}
