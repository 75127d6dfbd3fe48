//! Judges a plan without knowing how it was made.
//!
//! [`check`] walks the steps over a model of what is there and asks at each one what must hold for any plan whatever:
//! nothing of others is touched, nothing named is missing, no name is made twice, no priority is held twice, no quota
//! is broken, nothing goes that is wanted or that something else still needs. What is asked of a kind of step is its
//! `judge`, in the module of its resource. It runs in every test of the planner, and before a plan is applied.
//!
//! The one thing it has in common with the planner is the model of what a step does (`model`): a second model would be
//! the same 32 sentences again. Whether the model is true is asked by tests of `trellis_aws`, which compare what it
//! foretells with what an emulator of VPC Lattice holds after the calls; the emulator shares no code with it.

mod view;
mod violation;

pub(crate) use view::{View, at_rest, is_broken, ours, ready, require, there};
pub use violation::{Deed, Violation, ViolationKind};

use crate::model::apply_step;
use crate::plan::Plan;
use crate::{Actual, ActualService, Desired, Limits, Mode, Owner, Quota, Step};
use std::collections::BTreeSet;

/// What is wrong with a plan that leads from `actual` to `desired`; empty if nothing is.
pub fn check(plan: &Plan, desired: &Desired, actual: &Actual, limits: &Limits) -> Vec<Violation> {
    let mut violations = vec![];
    if plan.owner != desired.owner {
        let (plan, desired) = (plan.owner.key.clone(), desired.owner.key.clone());
        violations.push(Violation { step: None, kind: ViolationKind::OtherOwner { plan, desired } });
    }
    violations.extend(wished_twice(desired).map(|kind| Violation { step: None, kind }));
    let forbidden = plan.steps.iter().enumerate().filter(|(_, step)| is_left_out(desired, step));
    let forbidden = forbidden.filter(|(_, step)| !step.is_wait());
    violations.extend(forbidden.map(|(index, _)| {
        let kind = ViolationKind::NotInThisMode { mode: desired.mode };
        Violation { step: Some(index), kind }
    }));
    let mut state = actual.clone();
    for (index, step) in plan.steps.iter().enumerate() {
        let (kinds, after) = judged(step, &plan.owner, actual, &View { state: &state, desired, limits });
        violations.extend(kinds.into_iter().map(|kind| Violation { step: Some(index), kind }));
        state = after;
    }
    violations
}

/// Names that the wish gives to two things: one would be changed to and fro.
fn wished_twice(desired: &Desired) -> impl Iterator<Item = ViolationKind> {
    let services = desired.services.iter().map(|one| format!("service {}", one.name));
    let groups = desired.target_groups.iter().map(|one| format!("target group {}", one.name));
    let gateways = desired.resource_gateways.iter().map(|one| format!("resource gateway {}", one.name));
    let configurations =
        desired.resource_configurations.iter().map(|one| format!("resource configuration {}", one.name));
    let mut seen = BTreeSet::new();
    let all = services.chain(groups).chain(gateways).chain(configurations);
    let twice = all.filter(move |what| !seen.insert(what.clone()));
    twice.map(|what| ViolationKind::WishedTwice { what })
}

/// What is wrong with a step, and the state after it.
pub(crate) fn judged(
    step: &Step,
    owner: &Owner,
    first: &Actual,
    view: &View,
) -> (Vec<ViolationKind>, Actual) {
    let mut kinds: Vec<ViolationKind> = step.kind().judge(view).err().into_iter().collect();
    let mut after = view.state.clone();
    apply_step(&mut after, owner, step);
    kinds.extend(new_state_violations(first, view, &View { state: &after, ..*view }));
    (kinds, after)
}

/// Whether the wish's mode leaves a step out: by observing all of them, by upserting those that delete a resource, and what
/// waits for the end of something. Targets of a group that stays are no resource of their own: they follow the Pods.
pub(crate) fn is_left_out(desired: &Desired, step: &Step) -> bool {
    let group_stays = |name: &str| desired.target_groups.iter().any(|group| group.name == name);
    match desired.mode {
        Mode::Sync => false,
        Mode::Observe => true,
        Mode::Upsert => {
            if let Step::DeregisterTargets(of) = step {
                return !group_stays(&of.target_group);
            }
            step.takes_away() || step.awaits_removal()
        }
    }
}

/// What must hold of every state on the way, unless it was broken before. More target groups than the limit says are no
/// violation if the service had as many at first: then the account's real quota is a higher one.
fn new_state_violations(first: &Actual, before: &View, after: &View) -> Vec<ViolationKind> {
    let services = after.state.services.iter();
    services.flat_map(|service| service_violations(first, before, after, service)).collect()
}

fn service_violations(
    first: &Actual,
    before: &View,
    after: &View,
    service: &ActualService,
) -> Vec<ViolationKind> {
    let mut found = vec![];
    let held = before.service(&service.name).ok();
    let used = service.target_groups();
    let at_first =
        first.services.iter().find(|s| s.name == service.name).map_or(0, |s| s.target_groups().len());
    if used.len() > after.limits.target_groups_per_service.max(at_first) {
        let (what, quota) = (format!("service {}", service.name), Quota::TargetGroupsPerService);
        found.push(ViolationKind::AboveQuota { what, quota, count: used.len() });
    }
    for group in used {
        let elsewhere =
            after.state.services.iter().any(|s| s.id != service.id && s.target_groups().contains(group));
        let new = held.is_none_or(|s| !s.target_groups().contains(group));
        if new && elsewhere {
            let (target_group, service) = (group.to_owned(), service.name.clone());
            found.push(ViolationKind::Shared { target_group, service });
        }
    }
    for listener in &service.listeners {
        let mut priorities: Vec<u16> = listener.rules.iter().map(|r| r.priority).collect();
        priorities.sort_unstable();
        let twice = priorities.windows(2).filter(|pair| pair.first() == pair.last());
        found.extend(twice.filter_map(|pair| pair.first()).map(|priority| ViolationKind::PriorityTwice {
            what: format!("{}:{}", service.name, listener.port),
            priority: *priority,
        }));
    }
    found
}
