//! What must hold of every single step, judged by what is true and not by what was read.

use crate::api::Outage;
use crate::resource::{self, Effect};
use crate::run::settings;
use crate::sim::State;
use crate::truth;
use trellis_gateway::{Snapshot, translate};
use trellis_hint::{ClusterId, UnitKey};
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
    let edited =
        state.clusters.values().flat_map(|cluster| cluster.edited.values()).max().copied().unwrap_or(0);
    if edited >= began {
        return;
    }
    if let Some(desired) = translate(&unit, &believed(state, &unit, step), &settings()).desired
        && let Some(what) = resource::loses(&desired, view, step)
    {
        state.violate(format!("{unit}: {step} takes {what} away, which the clusters' objects want"));
    }
}

/// Everything that the clusters hold and that must be believed, although some of them may not be reached now.
///
/// Of a cluster that is not registered, two things are not believed (known limits of the engine): that it exports to
/// routes of others, and that it wants a service network with which its VPC is not associated.
fn believed(state: &State, unit: &UnitKey, step: &Step) -> Snapshot {
    let mut snapshot = truth::snapshot(state);
    let unregistered =
        |id: &ClusterId| matches!(state.clusters[&id.name].outage, Some((Outage::Unregistered, _)));
    let counts_anyway =
        |id: &ClusterId| unit.cluster() == Some(id) || matches!(step, Step::DeleteVpcAssociation(_));
    snapshot.facts.retain(|name, _| !unregistered(name) || counts_anyway(name));
    snapshot
}
