//! Functions that VPC Lattice may not invoke yet.

use super::draft::Draft;
use super::targets;
use crate::{AllowInvoke, Invocation};

/// Lets VPC Lattice invoke them, before they become targets.
pub(super) fn allow(draft: &mut Draft) {
    let to_be = draft.desired.functions.iter().filter(|(_, said)| **said == Invocation::ToBeAllowed);
    let closed = to_be.filter(|(function, _)| !draft.may_invoke(function));
    let closed: Vec<String> = closed.map(|(function, _)| function.clone()).collect();
    if !closed.is_empty() {
        // A refusal ends the plan, and Pods that are ending must not wait for a function's owner.
        targets::deregister_surplus(draft);
    }
    for function in closed {
        draft.push(AllowInvoke { function });
    }
}
