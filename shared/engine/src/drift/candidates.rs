//! The units that a look at a cluster goes through, and those that it leaves to others.

use super::index::Index;
use super::object_of;
use super::rotation::place;
use std::collections::BTreeMap;
use trellis_gateway::{Snapshot, units_of_cluster};
use trellis_hint::{ClusterId, Kind, Look, ObjectRef, UnitKey};

/// A unit that is to be gone through.
pub(super) struct Candidate {
    pub(super) place: u64,
    pub(super) unit: UnitKey,
    pub(super) object: ObjectRef,
}

/// The units whom a look at a cluster leaves to others, since they are not its own, and that may have missed what the cluster told:
/// service networks, merged routes, and whoever imports what it exports or did.
pub(super) fn beside(
    cluster: &ClusterId,
    snapshot: &Snapshot,
    index: &Index,
) -> BTreeMap<UnitKey, ObjectRef> {
    let mut units: BTreeMap<UnitKey, ObjectRef> = units_of_cluster(cluster, snapshot).into_iter().collect();
    units.retain(|unit, _| !is_own(unit));
    for holding in index.of_cluster(cluster) {
        let UnitKey::Export { cluster, namespace, name } = holding.unit.clone() else { continue };
        let importers = UnitKey::Dependents { kind: Kind::ServiceExport, cluster, namespace, name };
        let object = object_of(&importers);
        units.entry(importers).or_insert(object);
    }
    units
}

/// Whether a look at a cluster goes through units of that kind. Service networks belong to no cluster.
fn is_own(unit: &UnitKey) -> bool {
    match unit {
        UnitKey::Gateway { .. } | UnitKey::Merged { .. } | UnitKey::Cluster { .. } => false,
        // What it would tell others of is looked at with those.
        UnitKey::Dependents { kind, .. } => *kind != Kind::ServiceExport,
        UnitKey::Route { .. } | UnitKey::Export { .. } | UnitKey::Resource { .. } => true,
    }
}

/// The units of the cluster that the look has still to go through, in its order: those of all objects, and those of which the
/// index shows something.
pub(super) fn candidates(
    cluster: &ClusterId,
    snapshot: &Snapshot,
    index: &Index,
    look: &Look,
) -> Vec<Candidate> {
    let mut units: BTreeMap<UnitKey, ObjectRef> = BTreeMap::new();
    if !snapshot.is_leaving(cluster) {
        units.extend(units_of_cluster(cluster, snapshot));
    }
    for holding in index.of_cluster(cluster) {
        units.entry(holding.unit.clone()).or_insert_with(|| object_of(&holding.unit));
    }
    let units = units.into_iter().filter(|(unit, _)| is_own(unit));
    let placed = units.map(|(unit, object)| Candidate { place: place(&unit, look), unit, object });
    let mut todo: Vec<Candidate> =
        placed.filter(|one| look.after.is_none_or(|after| one.place > after)).collect();
    todo.sort_by_key(|one| one.place);
    todo
}
