//! Judges a plan without knowing how it was made.
//!
//! [`check`] walks the steps over a model of what is there and asks at each one what must hold for any plan whatever:
//! nothing of others is touched, nothing named is missing, no name is made twice, no priority is held twice, no quota
//! is broken, nothing goes that is wanted or that something else still needs. It runs in every test of the planner, and
//! before a plan is applied.

mod creates;
mod deletes;
mod view;

use crate::model::apply_step;
use crate::step::{Plan, Step};
use crate::{Actual, Desired, Limits};
use std::fmt::{Display, Formatter};
use view::View;

/// Something that no plan may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The step's index; none for the plan as a whole.
    pub step: Option<usize>,
    /// What is wrong, for people.
    pub message: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.step {
            Some(step) => write!(f, "step {}: {}", step + 1, self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// What is wrong with a plan that leads from `actual` to `desired`; empty if nothing is.
pub fn check(plan: &Plan, desired: &Desired, actual: &Actual, limits: &Limits) -> Vec<Violation> {
    let mut violations = vec![];
    if plan.owner != desired.owner {
        let message = format!("the plan is of {}, the wish of {}", plan.owner.key, desired.owner.key);
        violations.push(Violation { step: None, message });
    }
    let mut state = actual.clone();
    for (index, step) in plan.steps.iter().enumerate() {
        let view = View { state: &state, desired, limits };
        let mut messages = step_violations(&view, step);
        let mut after = state.clone();
        apply_step(&mut after, &plan.owner, step);
        messages.extend(new_state_violations(actual, &view, &View { state: &after, desired, limits }));
        violations.extend(messages.into_iter().map(|message| Violation { step: Some(index), message }));
        state = after;
    }
    violations
}

fn step_violations(view: &View, step: &Step) -> Vec<String> {
    let result = match step {
        Step::CreateNetwork { .. }
        | Step::CreateVpcAssociation { .. }
        | Step::CreateTargetGroup { .. }
        | Step::CreateService { .. }
        | Step::CreateAssociation { .. }
        | Step::CreateListener { .. }
        | Step::CreateRule { .. }
        | Step::UpdateVpcAssociation { .. }
        | Step::UpdateHealthCheck { .. }
        | Step::UpdateCertificate { .. }
        | Step::UpdateListener { .. }
        | Step::UpdateRules { .. }
        | Step::RegisterTargets { .. }
        | Step::Tag { .. } => creates::judge(view, step),
        step if step.takes_away() => deletes::judge(view, step),
        _ => awaited_is_there(view, step),
    };
    result.err().into_iter().collect()
}

/// A wait for what is not there would never end, or mean nothing.
fn awaited_is_there(view: &View, step: &Step) -> Result<(), String> {
    match step {
        Step::AwaitTargetGroup { target_group } => view.group(target_group).map(|_| ()),
        Step::AwaitService { service } => view.service(service).map(|_| ()),
        Step::AwaitAssociation { service, network } => view.association(service, network).map(|_| ()),
        Step::AwaitVpcAssociation { network, vpc } => view.vpc_association(network, vpc).map(|_| ()),
        Step::AwaitPropagation { target_groups } => {
            target_groups.iter().try_for_each(|name| view.group(name).map(|_| ()))
        }
        Step::AwaitAssociationGone { service, id, .. } => view.association_by_id(service, id).map(|_| ()),
        Step::AwaitServiceGone { id, .. } => view.service_by_id(id).map(|_| ()),
        Step::AwaitDrained { id, .. } | Step::AwaitTargetGroupGone { id, .. } => {
            view.group_by_id(id).map(|_| ())
        }
        Step::AwaitVpcAssociationGone { id, .. } => view.vpc_association_by_id(id).map(|_| ()),
        _ => Ok(()),
    }
}

/// What must hold of every state on the way, unless it was broken before. More target groups than the limit says are no
/// violation if the service had as many at first: then the account's real quota is a higher one.
fn new_state_violations(first: &Actual, before: &View, after: &View) -> Vec<String> {
    let mut messages = vec![];
    for service in &after.state.services {
        let held = before.service(&service.name).ok();
        let used = service.target_groups();
        let at_first =
            first.services.iter().find(|s| s.name == service.name).map_or(0, |s| s.target_groups().len());
        if used.len() > after.limits.target_groups_per_service.max(at_first) {
            messages.push(format!("service {} uses {} target groups", service.name, used.len()));
        }
        for group in used {
            let elsewhere =
                after.state.services.iter().any(|s| s.id != service.id && s.target_groups().contains(group));
            let new = held.is_none_or(|s| !s.target_groups().contains(group));
            if new && elsewhere {
                messages
                    .push(format!("target group {group} is used by {} and by another service", service.name));
            }
        }
        for listener in &service.listeners {
            let mut priorities: Vec<u16> = listener.rules.iter().map(|r| r.priority).collect();
            priorities.sort_unstable();
            for pair in priorities.windows(2).filter(|pair| pair.first() == pair.last()) {
                messages
                    .push(format!("two rules of {}:{} have priority {pair:?}", service.name, listener.port));
            }
        }
    }
    messages
}
