//! Functions that VPC Lattice may not invoke yet.

use super::draft::Draft;
use super::targets;
use crate::{AllowInvoke, DesiredTargetGroup, Invocation};

/// Whether a target group that is there, or is being made, is to lead to a function.
fn is_led_to(draft: &Draft, function: &str) -> bool {
    let leads =
        |group: &&DesiredTargetGroup| group.targets.iter().any(|one| one.function() == Some(function));
    draft.desired.target_groups.iter().filter(leads).any(|group| draft.group(&group.name).is_some())
}

/// Lets VPC Lattice invoke them, before they become targets.
pub(super) fn allow(draft: &mut Draft) {
    let to_be = draft.desired.functions.iter().filter(|(_, said)| **said == Invocation::ToBeAllowed);
    let closed = to_be.filter(|(function, _)| !draft.may_invoke(function) && is_led_to(draft, function));
    let closed: Vec<String> = closed.map(|(function, _)| function.clone()).collect();
    if !closed.is_empty() {
        // A refusal ends the plan, and Pods that are ending must not wait for a function's owner.
        targets::deregister_surplus(draft);
    }
    for function in closed {
        draft.push(AllowInvoke { function });
    }
}
