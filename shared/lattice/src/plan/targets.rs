//! Targets of target groups.

use super::draft::Draft;
use crate::{
    Actual, ActualTargetGroup, Blocked, DeregisterTargets, Desired, DesiredTargetGroup, Limits, Mode,
    Ownership, Plan, Quota, RegisterTargets, Status, Target, TargetGroupConfig, TargetHealth,
};
use std::collections::BTreeSet;

/// Registers what is missing; a target that drains and is wanted again counts as missing. One that VPC Lattice refused a
/// while ago does not: the status tells of it, and trying again at every pass would not help.
///
/// New targets come before old ones go, so that the group is never empty in between. Where both together exceed the
/// quota, half of the surplus gives way for as many new ones, as often as needed.
pub(super) fn register_missing(draft: &mut Draft, group: &ActualTargetGroup, wanted: &BTreeSet<Target>) {
    // Of what a group has one only, a stranger's goes first.
    let is_only = wanted.iter().any(|target| target.only().is_some());
    let limit = if is_only { 1 } else { draft.limits.targets_per_target_group };
    let mut registered = registered(group);
    let refused = refused(draft, &group.name);
    let mut missing: Vec<Target> =
        wanted.difference(&registered).filter(|target| !refused.contains(target)).cloned().collect();
    // Nothing leads to a function that VPC Lattice may not invoke.
    missing.retain(|target| target.function().is_none_or(|function| draft.may_invoke(function)));
    if wanted.len() > limit {
        let (resource, quota) = (group.name.clone(), Quota::TargetsPerTargetGroup);
        draft.block(Blocked::QuotaExceeded { resource, quota, limit });
        let kept = wanted.intersection(&registered).count();
        missing.truncate(limit.saturating_sub(kept));
    }
    while !missing.is_empty() {
        let room = limit.saturating_sub(registered.len());
        let target_group = group.name.clone();
        if room == 0 {
            // The wish fits, so what is in its way is surplus.
            let surplus: Vec<Target> = registered.difference(wanted).cloned().collect();
            let targets: BTreeSet<Target> = surplus.iter().take(surplus.len().div_ceil(2)).cloned().collect();
            if targets.is_empty() {
                return;
            }
            registered.retain(|t| !targets.contains(t));
            draft.push(DeregisterTargets { target_group, targets });
            continue;
        }
        let targets: BTreeSet<Target> = missing.drain(..room.min(missing.len())).collect();
        registered.extend(targets.iter().cloned());
        draft.push(RegisterTargets { target_group, targets });
    }
}

/// The steps for the targets of wanted groups of instances, where nothing else of them is to be done; none where that is not so, or there
/// is no such group.
pub fn plan_instances(desired: &Desired, actual: &Actual, limits: &Limits) -> Option<Plan> {
    let are_instances =
        |group: &&DesiredTargetGroup| matches!(group.config, TargetGroupConfig::Instances { .. });
    let wanted: Vec<DesiredTargetGroup> =
        desired.target_groups.iter().filter(are_instances).cloned().collect();
    if wanted.is_empty() || desired.mode != Mode::Sync {
        return None;
    }
    let desired = Desired { target_groups: wanted.clone(), ..Desired::nothing(desired.owner.clone()) };
    let mut draft = Draft::new(&desired, actual, limits);
    for wanted in &wanted {
        let group = draft.group(&wanted.name).filter(|group| {
            group.ownership == Ownership::Ours
                && group.status == Status::Active
                && group.config.as_ref() == Some(&wanted.config)
        });
        let group = group?.clone();
        register_missing(&mut draft, &group, &wanted.targets);
    }
    deregister_surplus(&mut draft);
    Some(draft.finish()).filter(|plan| plan.blocked.is_empty())
}

/// Deregisters what is not wanted in groups that stay.
pub(super) fn deregister_surplus(draft: &mut Draft) {
    for wanted in draft.desired.target_groups.clone() {
        let group = draft.group(&wanted.name).filter(|g| g.ownership == Ownership::Ours);
        let fitting = group.filter(|g| g.config.as_ref() == Some(&wanted.config));
        let surplus = fitting.map(|g| registered(g).difference(&wanted.targets).cloned().collect());
        deregister(draft, wanted.name, surplus.unwrap_or_default());
    }
}

/// Deregisters all targets that are not draining yet.
pub(super) fn deregister_all(draft: &mut Draft, group: &ActualTargetGroup) {
    deregister(draft, group.name.clone(), registered(group));
}

/// Whether the group has targets that are not draining.
pub(super) fn takes_requests(group: &ActualTargetGroup) -> bool {
    !registered(group).is_empty()
}

fn deregister(draft: &mut Draft, target_group: String, targets: BTreeSet<Target>) {
    if !targets.is_empty() {
        draft.push(DeregisterTargets { target_group, targets });
    }
}

fn refused(draft: &Draft, group: &str) -> BTreeSet<Target> {
    let of_group = draft.model.refused.iter().filter(|refused| refused.target_group == group);
    of_group.map(|refused| refused.target.clone()).collect()
}

fn registered(group: &ActualTargetGroup) -> BTreeSet<Target> {
    let staying = group.targets.iter().filter(|t| t.health != TargetHealth::Draining);
    staying.map(|t| t.target.clone()).collect()
}
