//! Targets of target groups: what joins, what leaves, and the waits between.

use super::Joined;
use super::target_group::{subject, target_group_mut};
use crate::check::{View, is_broken, ready, require};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Quota, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// An address; it and the port together are the identity.
    Ip {
        /// IP address as text.
        ip: String,
        /// 1–65535.
        port: u16,
    },
    /// A function, of which a target group has one only.
    Function {
        /// Its ARN, with a version or an alias if one is meant.
        function: String,
    },
    /// An instance of EC2, of the group's VPC.
    Instance {
        /// `i-…`.
        instance: String,
        /// 1–65535.
        port: u16,
    },
    /// An Application Load Balancer, of which a target group has one only.
    LoadBalancer {
        /// Its ARN.
        #[serde(rename = "loadBalancer")]
        load_balancer: String,
        /// Its listener's, 1–65535.
        port: u16,
    },
}

impl Target {
    /// An address and a port.
    pub fn at(ip: impl Into<String>, port: u16) -> Self {
        Self::Ip { ip: ip.into(), port }
    }

    /// How VPC Lattice names it beside the port: by the address, the ARN or the instance's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Ip { ip, .. } => ip,
            Self::Function { function } => function,
            Self::Instance { instance, .. } => instance,
            Self::LoadBalancer { load_balancer, .. } => load_balancer,
        }
    }

    /// The port, where it has one.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Ip { port, .. } | Self::Instance { port, .. } | Self::LoadBalancer { port, .. } => {
                Some(*port)
            }
            Self::Function { .. } => None,
        }
    }

    /// The ARN, if it is a function.
    pub fn function(&self) -> Option<&str> {
        match self {
            Self::Ip { .. } | Self::Instance { .. } | Self::LoadBalancer { .. } => None,
            Self::Function { function } => Some(function),
        }
    }

    /// The ARN, if it is what a target group has one only of: another one is another target group's (User Guide, Lambda functions and
    /// Application Load Balancers as targets).
    pub fn only(&self) -> Option<&str> {
        match self {
            Self::Ip { .. } | Self::Instance { .. } => None,
            Self::Function { .. } | Self::LoadBalancer { .. } => Some(self.id()),
        }
    }
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

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Ip { ip, port } if ip.contains(':') => write!(f, "[{ip}]:{port}"),
            Self::Ip { ip, port } => write!(f, "{ip}:{port}"),
            Self::Function { function } => f.write_str(function),
            Self::Instance { instance: id, port } | Self::LoadBalancer { load_balancer: id, port } => {
                write!(f, "{id}:{port}")
            }
        }
    }
}

/// Targets named in one line; beyond that they are counted.
const TARGETS_SHOWN_MAX: usize = 10;

struct Listed<'a>(&'a BTreeSet<Target>);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        Joined(self.0.iter().take(TARGETS_SHOWN_MAX)).fmt(f)?;
        match self.0.len().saturating_sub(TARGETS_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// RegisterTargets, in batches of 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterTargets {
    /// The target group's name.
    pub target_group: String,
    /// The targets that are missing; of a function VPC Lattice may invoke it by then.
    pub targets: BTreeSet<Target>,
}

impl StepKind for RegisterTargets {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "register targets of"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let Some(group) = target_group_mut(state, &self.target_group) else { return };
        let health = TargetHealth::Initial;
        let known: BTreeSet<Target> = group.targets.iter().map(|t| t.target.clone()).collect();
        for held in group.targets.iter_mut().filter(|t| self.targets.contains(&t.target)) {
            held.health = health;
        }
        let new = self.targets.difference(&known).cloned();
        group.targets.extend(new.map(|target| ActualTarget { target, health }));
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { target_group, targets } = self;
        let group = view.our_group(target_group)?;
        ready(group.status, &self.subject())?;
        let staying = group.targets.iter().filter(|t| t.health != TargetHealth::Draining).map(|t| &t.target);
        let count = staying.chain(targets).collect::<BTreeSet<&Target>>().len();
        require(count <= view.limits.targets_per_target_group, || ViolationKind::AboveQuota {
            what: self.subject(),
            quota: Quota::TargetsPerTargetGroup,
            count,
        })?;
        let wanted = view.wanted_group(target_group).map(|g| &g.targets);
        let unwanted = targets.iter().find(|t| wanted.is_none_or(|wanted| !wanted.contains(t)));
        if let Some(target) = unwanted {
            return Err(ViolationKind::Unwanted { what: format!("target {target} of {target_group}") });
        }
        let closed = targets.iter().filter_map(Target::function).find(|function| !view.may_invoke(function));
        closed.map_or(Ok(()), |function| Err(ViolationKind::NotInvocable { function: function.to_owned() }))
    }
}

impl Display for RegisterTargets {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ targets of {} {}", self.target_group, Listed(&self.targets))
    }
}

/// DeregisterTargets, in batches of 100.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeregisterTargets {
    /// The target group's name.
    pub target_group: String,
    /// The targets that are too many.
    pub targets: BTreeSet<Target>,
}

impl StepKind for DeregisterTargets {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "deregister targets of"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let Some(group) = target_group_mut(state, &self.target_group) else { return };
        for held in group.targets.iter_mut().filter(|t| self.targets.contains(&t.target)) {
            held.health = TargetHealth::Draining;
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { target_group, targets } = self;
        let group = view.our_group(target_group)?;
        let text = |target: &Target| format!("target {target} of {target_group}");
        let registered = |t: &Target| group.targets.iter().any(|held| held.target == *t);
        if let Some(unknown) = targets.iter().find(|t| !registered(t)) {
            return Err(ViolationKind::NotThere { what: text(unknown) });
        }
        // Of a group that is not wanted, the last requests are those that take a way that rules had a moment ago.
        let moving =
            view.state.services.iter().find(|s| s.is_propagating && view.wanted_service(&s.name).is_some());
        let moving =
            moving.filter(|s| view.wanted_group(target_group).is_none() && s.ownership == Ownership::Ours);
        require(moving.is_none(), || ViolationKind::RequestsOnTheWay { target_group: target_group.clone() })?;
        let wanted = view.wanted_group(target_group).filter(|_| !is_broken(group.status));
        let lost = targets.iter().find(|t| wanted.is_some_and(|wanted| wanted.targets.contains(t)));
        lost.map_or(Ok(()), |target| Err(ViolationKind::Wanted { what: text(target) }))
    }
}

impl Display for DeregisterTargets {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- targets of {} {}", self.target_group, Listed(&self.targets))
    }
}

/// Wait until no target is draining, since a target group with one cannot be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitDrained {
    /// The target group's name.
    pub target_group: String,
    /// `tg-…`.
    pub id: String,
}

impl StepKind for AwaitDrained {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("targets of {} to drain", self.target_group))
    }

    fn verb(&self) -> &'static str {
        "wait for the targets of"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(group) = target_group_mut(state, &self.target_group) {
            group.targets.retain(|t| t.health != TargetHealth::Draining);
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.group_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitDrained {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait until {} is drained", self.target_group)
    }
}

/// Wait until VPC Lattice's data plane, which follows its API a moment later, sends no more requests to target groups
/// that rules have just been moved away from: their targets must serve until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitPropagation {
    /// The target groups' names.
    pub target_groups: BTreeSet<String>,
}

impl StepKind for AwaitPropagation {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("requests to leave {}", self.subject()))
    }

    fn verb(&self) -> &'static str {
        "wait for requests to leave"
    }

    fn subject(&self) -> String {
        format!("target group {}", Joined(&self.target_groups))
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.services.iter_mut().for_each(|service| service.is_propagating = false);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        self.target_groups.iter().try_for_each(|name| view.group(name).map(|_| ()))
    }
}

impl Display for AwaitPropagation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait until no request goes to {}", Joined(&self.target_groups))
    }
}
