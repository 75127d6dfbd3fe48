//! What must hold of every single step, judged by what is true and not by what was read.

use crate::resource::{self, Effect};
use crate::run::settings;
use crate::sim::State;
use crate::truth;
use trellis_gateway::translate;
use trellis_hint::UnitKey;
use trellis_lattice::{Actual, Owner, Ownership, Step};

/// Judges a step before it is done.
pub(crate) fn step(state: &mut State, owner: &Owner, step: &Step, view: &Actual) {
    if let Effect::Touches(ids) = resource::effect(step, view) {
        let others =
            |id: &String| state.account.tags_by_id(id).is_some_and(|tags| owner.of(tags) != Ownership::Ours);
        if ids.iter().any(others) {
            state.violate(format!("{}: {step} touches what is not its own", owner.key));
        }
    }
    let Ok(unit) = owner.key.parse::<UnitKey>() else {
        return state.violate(format!("{} is no unit", owner.key));
    };
    let Some(began) = state.at_work.get(&owner.key).copied() else {
        return state.violate(format!("{}: {step} by a unit that is not at work", owner.key));
    };
    // Who edits while a unit is at work is told by a hint of its own.
    let edited = state.clusters.values().map(|cluster| cluster.edited).max();
    if edited >= Some(began) {
        return;
    }
    // A network that nothing is associated with, and no other is ever deleted, is nobody's loss whom nobody has registered:
    // nothing tells that it is wanted there.
    let snapshot = match step {
        Step::DeleteNetwork(_) => truth::snapshot_of_registered(state),
        _ => truth::snapshot(state),
    };
    if let Some(desired) = translate(&unit, &snapshot, &Actual::default(), &settings()).desired
        && let Some(what) = resource::loses(&desired, view, step)
    {
        state.violate(format!("{unit}: {step} takes {what} away, which the clusters' objects want"));
    }
}
