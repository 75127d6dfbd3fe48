//! What a mode leaves out of a plan.

use crate::check::{View, is_left_out, judged};
use crate::{Actual, Desired, Limits, Mode, Plan, Step};

/// The plan with those steps alone that the mode allows; the others are told as withheld.
///
/// Without a deletion a later step may have nothing to stand on: a name that is still taken, a port, a priority. Such a step is
/// withheld as well. It is known by the judgement that each step is given before it is applied.
pub(super) fn withhold(plan: Plan, desired: &Desired, actual: &Actual, limits: &Limits) -> Plan {
    if desired.mode == Mode::Sync {
        return plan;
    }
    let (mut state, mut steps, mut withheld): (Actual, Vec<Step>, Vec<Step>) =
        (actual.clone(), vec![], vec![]);
    for step in plan.steps {
        let (wrong, after) = judged(&step, &plan.owner, actual, &View { state: &state, desired, limits });
        if !is_left_out(desired, &step) && wrong.is_empty() {
            state = after;
            steps.push(step);
        } else if !step.is_wait() {
            withheld.push(step);
        }
    }
    Plan { steps, withheld, ..plan }
}
