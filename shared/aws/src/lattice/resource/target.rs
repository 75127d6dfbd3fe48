//! Targets of target groups.

use crate::AwsError;
use crate::lattice::convert::small;
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd, refused_text};
use crate::lattice::wait::{DRAINED, Look, PROPAGATION, poll};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use std::collections::BTreeSet;
use std::time::Instant;
use trellis_lattice::{
    ActualTarget, AwaitDrained, AwaitPropagation, DeregisterTargets, RegisterTargets, Target, TargetHealth,
};

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
}

/// Targets as they were listed; one without an address cannot be worked with. `default_port` is the target group's.
pub(super) fn actual_targets(
    listed: Vec<sdk::TargetSummary>,
    default_port: Option<u16>,
) -> Vec<ActualTarget> {
    let targets = listed.into_iter().filter_map(|target| {
        let port = small(target.port).or(default_port)?;
        let health = target_health(target.status.as_ref());
        Some(ActualTarget { target: Target { ip: target.id?, port }, health })
    });
    let mut targets: Vec<ActualTarget> = targets.collect();
    targets.sort();
    targets
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
    let wire = |target: &Target| sdk::Target::builder().id(&target.ip).port(target.port.into()).build();
    let targets = targets.iter().map(wire).collect::<Result<Vec<_>, _>>();
    let targets = targets.map_err(|error| AwsError::unbuildable(operation, error))?;
    Ok(targets.chunks(BATCH_TARGETS_MAX).map(<[sdk::Target]>::to_vec).collect())
}

fn none_refused(operation: &'static str, refused: &[sdk::TargetFailure]) -> Result<(), AwsError> {
    if refused.is_empty() {
        return Ok(());
    }
    let said = refused.iter().map(|target| {
        format!(
            "{}:{} {}: {}",
            target.id().unwrap_or("?"),
            target.port().unwrap_or_default(),
            target.failure_code().unwrap_or("no code"),
            target.failure_message().unwrap_or("no message")
        )
    });
    Err(AwsError::refused(operation, refused_text("targets", said.collect())))
}

impl Perform for RegisterTargets {
    const LANE: Lane = Lane::Targets;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "RegisterTargets";
        let known = names.target_group(OPERATION, &self.target_group)?;
        let mut refused = Vec::new();
        for batch in batches(OPERATION, &self.targets)? {
            let register = client.api().register_targets().target_group_identifier(&known.id);
            let output = client.write(OPERATION, register.set_targets(Some(batch)).send()).await?;
            refused.extend(output.unsuccessful.into_iter().flatten());
        }
        none_refused(OPERATION, &refused).map(|()| StepEnd::Done)
    }
}

impl Perform for DeregisterTargets {
    const LANE: Lane = Lane::Targets;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "DeregisterTargets";
        let known = names.target_group(OPERATION, &self.target_group)?;
        let mut refused = Vec::new();
        for batch in batches(OPERATION, &self.targets)? {
            let deregister = client.api().deregister_targets().target_group_identifier(&known.id);
            let output = client.write(OPERATION, deregister.set_targets(Some(batch)).send()).await?;
            refused.extend(output.unsuccessful.into_iter().flatten());
        }
        none_refused(OPERATION, &refused).map(|()| StepEnd::Done)
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
