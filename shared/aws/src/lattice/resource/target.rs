//! Targets of target groups.

use crate::AwsError;
use crate::lattice::convert::small;
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{DRAINED, Look, PROPAGATION, poll};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};
use trellis_lattice::{
    ActualTarget, ActualTargetGroup, AwaitDrained, AwaitPropagation, DeregisterTargets, Desired,
    RefusedTarget, RegisterTargets, Target, TargetHealth,
};

/// What the ARN of a load balancer has, and of a function not.
const BALANCERS: &str = ":elasticloadbalancing:";
/// Targets of one RegisterTargets or DeregisterTargets (API model).
const BATCH_TARGETS_MAX: usize = 100;

impl LatticeClient {
    /// The targets of a target group, by its id, also draining ones.
    pub(in crate::lattice) async fn targets(&self, id: &str) -> Result<Vec<sdk::TargetSummary>, AwsError> {
        let pages = self
            .api()
            .list_targets()
            .target_group_identifier(id)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        self.list("ListTargets", pages).await
    }

    /// Which targets that are wanted in these groups were refused a while ago.
    pub(in crate::lattice) fn refused_targets(
        &self,
        desired: &Desired,
        groups: &[ActualTargetGroup],
    ) -> Vec<RefusedTarget> {
        let now = SystemTime::now();
        let of_group = |group: &ActualTargetGroup| {
            let wanted = desired.target_groups.iter().filter(|wanted| wanted.name == group.name);
            let targets = wanted.flat_map(|wanted| &wanted.targets);
            targets.filter_map(|target| self.inner.refused.get(&group.arn, target, now)).collect::<Vec<_>>()
        };
        groups.iter().flat_map(of_group).collect()
    }
}

/// Targets as they were listed; one without an address cannot be worked with. `default_port` is the target group's.
pub(super) fn actual_targets(
    listed: Vec<sdk::TargetSummary>,
    default_port: Option<u16>,
) -> Vec<ActualTarget> {
    let targets = listed.into_iter().filter_map(|target| {
        let health = target_health(target.status.as_ref());
        Some(ActualTarget { target: named(target.id?, small(target.port).or(default_port))?, health })
    });
    let mut targets: Vec<ActualTarget> = targets.collect();
    targets.sort();
    targets
}

/// A target by what VPC Lattice calls it; none for an address without a port.
fn named(id: String, port: Option<u16>) -> Option<Target> {
    if id.starts_with("arn:") && id.contains(BALANCERS) {
        return Some(Target::LoadBalancer { load_balancer: id, port: port? });
    }
    if id.starts_with("arn:") {
        return Some(Target::Function { function: id });
    }
    if id.starts_with("i-") {
        return Some(Target::Instance { instance: id, port: port? });
    }
    Some(Target::at(id, port?))
}

fn target_health(status: Option<&sdk::TargetStatus>) -> TargetHealth {
    match status {
        Some(sdk::TargetStatus::Draining) => TargetHealth::Draining,
        Some(sdk::TargetStatus::Unhealthy) => TargetHealth::Unhealthy,
        Some(sdk::TargetStatus::Healthy) => TargetHealth::Healthy,
        Some(sdk::TargetStatus::Initial) => TargetHealth::Initial,
        Some(sdk::TargetStatus::Unused) => TargetHealth::Unused,
        Some(sdk::TargetStatus::Unavailable) => TargetHealth::Unavailable,
        _ => TargetHealth::Unknown,
    }
}

fn batches(operation: &'static str, targets: &BTreeSet<Target>) -> Result<Vec<Vec<sdk::Target>>, AwsError> {
    let wire = |target: &Target| {
        sdk::Target::builder().id(target.id()).set_port(target.port().map(Into::into)).build()
    };
    let targets = targets.iter().map(wire).collect::<Result<Vec<_>, _>>();
    let targets = targets.map_err(|error| AwsError::unbuildable(operation, error))?;
    Ok(targets.chunks(BATCH_TARGETS_MAX).map(<[sdk::Target]>::to_vec).collect())
}

/// What stands for a target's refusal that names no code; the model requires none.
const NO_CODE: &str = "Refused";

/// A refused target as the outcome tells it; none for one that cannot be told from others.
fn refused_target(target_group: &str, failure: sdk::TargetFailure) -> Option<RefusedTarget> {
    Some(RefusedTarget {
        target_group: target_group.to_owned(),
        target: named(failure.id?, small(failure.port))?,
        code: failure.failure_code.unwrap_or_else(|| NO_CODE.to_owned()),
        message: failure.failure_message.unwrap_or_default(),
    })
}

/// Targets are refused one by one, by an answer that is a success. One that is refused is a finding, which the outcome
/// tells, and no failure of the step: the good ones are registered, and all that follows is to be done.
impl Perform for RegisterTargets {
    const LANE: Lane = Lane::Targets;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "RegisterTargets";
        let known = names.target_group(OPERATION, &self.target_group)?;
        for batch in batches(OPERATION, &self.targets)? {
            let register = client.api().register_targets().target_group_identifier(&known.id);
            let output = client.write(OPERATION, register.set_targets(Some(batch)).send()).await?;
            for failure in output.unsuccessful.into_iter().flatten() {
                tracing::warn!(target_group = self.target_group, ?failure, "target refused");
                let Some(refused) = refused_target(&self.target_group, failure) else { continue };
                client.inner.refused.note(&known.arn, &refused, SystemTime::now());
                names.lock().refused.insert(refused);
            }
        }
        Ok(StepEnd::Done)
    }
}

/// What cannot be deregistered is gone already, or is seen again by the next inspection: it holds up nothing that follows.
impl Perform for DeregisterTargets {
    const LANE: Lane = Lane::Targets;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "DeregisterTargets";
        let known = names.target_group(OPERATION, &self.target_group)?;
        for batch in batches(OPERATION, &self.targets)? {
            let deregister = client.api().deregister_targets().target_group_identifier(&known.id);
            let output = client.write(OPERATION, deregister.set_targets(Some(batch)).send()).await?;
            for failure in output.unsuccessful.into_iter().flatten() {
                tracing::warn!(target_group = self.target_group, ?failure, "target not deregistered");
            }
        }
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitDrained {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        poll(&DRAINED, Some(Instant::now()), until, || client.targets(&self.id), drained).await
    }
}

/// What a listing means for one who waits until nothing drains.
fn drained(listed: Result<Vec<sdk::TargetSummary>, AwsError>) -> Result<Look, AwsError> {
    let targets = found(listed)?.unwrap_or_default();
    let draining = targets.iter().any(|target| target.status == Some(sdk::TargetStatus::Draining));
    Ok(if draining { Look::NotYet("DRAINING") } else { Look::Ready })
}

/// Nothing tells that it is over. An inspection after this time plans no such wait.
impl Perform for AwaitPropagation {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, _: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        Ok(StepEnd::NotYet { status: "propagating", retry_after: PROPAGATION })
    }
}
