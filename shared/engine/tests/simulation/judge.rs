//! What must hold of every single step, judged by what is true and not by what was read.

use crate::api::Outage;
use crate::run::settings;
use crate::sim::State;
use crate::truth;
use trellis_gateway::{Snapshot, translate};
use trellis_hint::{ClusterId, UnitKey};
use trellis_lattice::{Actual, ActualService, Desired, Owner, Ownership, Status, Step};

/// Judges a step before it is done.
pub(crate) fn step(state: &mut State, owner: &Owner, step: &Step, view: &Actual) {
    if let Some(id) = touched(step)
        && let Some(tags) = state.account.tags_by_id(id)
        && owner.of(tags) != Ownership::Ours
    {
        state.violate(format!("{}: {step} touches what is not its own", owner.key));
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
        && let Some(what) = lost(&desired, view, step)
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
        |id: &ClusterId| unit.cluster() == Some(id) || matches!(step, Step::DeleteVpcAssociation { .. });
    snapshot.facts.retain(|name, _| !unregistered(name) || counts_anyway(name));
    snapshot
}

/// The id that a step changes or deletes.
fn touched(step: &Step) -> Option<&str> {
    match step {
        Step::UpdateVpcAssociation { id, .. }
        | Step::DeleteRule { id, .. }
        | Step::DeleteListener { id, .. }
        | Step::DeleteAssociation { id, .. }
        | Step::DeleteService { id, .. }
        | Step::DeleteTargetGroup { id, .. }
        | Step::DeleteVpcAssociation { id, .. }
        | Step::DeleteNetwork { id, .. } => Some(id),
        Step::UpdateRules { rules, .. } => rules.first().map(|rule| rule.id.as_str()),
        _ => None,
    }
}

/// What is in order, is wanted, and would be gone after the step.
fn lost(desired: &Desired, view: &Actual, step: &Step) -> Option<String> {
    let service = |name: &str| {
        let wanted = desired.services.iter().find(|one| one.name == name)?;
        let held = view.services.iter().find(|one| one.name == name)?;
        let same = |held: &ActualService| {
            held.status == Status::Active && held.custom_domain == wanted.custom_domain
        };
        same(held).then_some((wanted, held))
    };
    let active_group =
        |name: &str| view.target_groups.iter().any(|one| one.name == name && one.status == Status::Active);
    let group =
        |name: &str| desired.target_groups.iter().find(|one| one.name == name).filter(|_| active_group(name));
    match step {
        Step::DeregisterTargets { target_group, targets } => {
            let wanted = group(target_group)?;
            targets.iter().find(|one| wanted.targets.contains(one)).map(|one| format!("target {one:?}"))
        }
        Step::DeleteTargetGroup { target_group, .. } => group(target_group).map(|_| target_group.clone()),
        Step::DeleteService { service: name, .. } => service(name).map(|_| name.clone()),
        Step::DeleteListener { service: name, port, id } => {
            let (wanted, held) = service(name)?;
            let protocol = held.listeners.iter().find(|one| one.id == *id)?.protocol;
            let kept = wanted.listeners.iter().any(|one| one.port == *port && one.protocol == protocol);
            kept.then(|| format!("listener {port}"))
        }
        Step::DeleteAssociation { service: name, network, id } => {
            let (wanted, held) = service(name)?;
            let active = held.associations.iter().any(|one| one.id == *id && one.status == Status::Active);
            (active && wanted.networks.contains(network)).then(|| format!("network {network}"))
        }
        Step::DeleteVpcAssociation { network, vpc, id } => {
            let active =
                view.vpc_associations.iter().any(|one| one.id == *id && one.status == Status::Active);
            let wanted =
                desired.vpc_associations.iter().any(|one| one.vpc == *vpc && one.network == *network);
            (active && wanted).then(|| format!("VPC {vpc}"))
        }
        Step::DeleteNetwork { network, .. } => {
            let wanted = desired.network.as_ref().is_some_and(|one| one.name == *network);
            wanted.then(|| network.clone())
        }
        _ => None,
    }
}
