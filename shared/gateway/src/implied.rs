//! The units that the objects of a snapshot imply, each with an object that a hint can name.

use crate::route::ROUTE_KINDS;
use crate::snapshot::{ObjectKey, Snapshot};
use crate::units::dependents::object_ref;
use crate::units::merged;
use crate::{Settings, statuses, translate};
use std::collections::BTreeMap;
use trellis_hint::{ClusterId, Kind, ObjectRef, UnitKey, units_of};
use trellis_lattice::{Actual, Desired, Outcome};

/// Kinds beside the routes' that units are named after.
pub(crate) const WITH_UNITS: [Kind; 8] = [
    Kind::Gateway,
    Kind::ServiceNetwork,
    Kind::ServiceExport,
    Kind::GatewayClass,
    Kind::ServiceImport,
    Kind::Backend,
    Kind::ResourceGateway,
    Kind::ResourceConfiguration,
];

/// The units of all objects of one cluster, and whoever imports what it exports: whom to hint at when changes of the cluster
/// may have gone unnoticed. Each with the object that the hint is to name.
pub fn units_of_cluster(cluster: &ClusterId, snapshot: &Snapshot) -> BTreeMap<UnitKey, ObjectRef> {
    let mut units = BTreeMap::new();
    for (key, object) in
        ROUTE_KINDS.into_iter().chain(WITH_UNITS).flat_map(|kind| snapshot.all(cluster, kind))
    {
        let named = object_ref(cluster, key.kind, object);
        if key.kind == Kind::ServiceExport {
            let (kind, cluster) = (key.kind, cluster.clone());
            let (namespace, name) = (key.namespace.clone(), key.name.clone());
            units.insert(UnitKey::Dependents { kind, cluster, namespace, name }, named.clone());
        }
        if let Some(merged) = merged::unit_of(snapshot, cluster, key.kind, object) {
            units.insert(merged, named.clone());
        }
        units.entry(unit_of(cluster, key)).or_insert(named);
    }
    for (unit, named) in units_of_policies(cluster, snapshot) {
        units.entry(unit).or_insert(named);
    }
    units
}

/// Every unit that a full snapshot implies, with an object that a hint can name (drift pass). Units that want nothing and
/// have nothing to tell are left out.
pub fn units(snapshot: &Snapshot) -> BTreeMap<UnitKey, ObjectRef> {
    let mut units = BTreeMap::new();
    for cluster in snapshot.facts.keys().filter(|cluster| !snapshot.is_leaving(cluster)) {
        let all = |kind| snapshot.all(cluster, kind);
        for (key, object) in ROUTE_KINDS.into_iter().chain(WITH_UNITS).flat_map(all) {
            if let Some(merged) = merged::unit_of(snapshot, cluster, key.kind, object)
                && !units.contains_key(&merged)
                && is_of_interest(&merged, snapshot)
            {
                units.insert(merged, object_ref(cluster, key.kind, object));
            }
            let unit = unit_of(cluster, key);
            if !units.contains_key(&unit) && is_of_interest(&unit, snapshot) {
                units.insert(unit, object_ref(cluster, key.kind, object));
            }
        }
        // One whose target is not there has a status all the same.
        for (unit, named) in units_of_policies(cluster, snapshot) {
            if !units.contains_key(&unit) && is_of_interest(&unit, snapshot) {
                units.insert(unit, named);
            }
        }
    }
    units
}

/// The units that do what the policies of a cluster ask for, each with a policy.
fn units_of_policies<'a>(
    cluster: &'a ClusterId,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (UnitKey, ObjectRef)> + 'a {
    let policies = Kind::POLICIES.into_iter().flat_map(|kind| snapshot.all(cluster, kind));
    policies.flat_map(move |(key, object)| {
        let named = object_ref(cluster, key.kind, object);
        units_of(&named, Some(object), None).into_iter().map(move |unit| (unit, named.clone()))
    })
}

/// The unit that is named after an object.
pub(crate) fn unit_of(cluster: &ClusterId, key: &ObjectKey) -> UnitKey {
    let (kind, cluster) = (key.kind, cluster.clone());
    let (namespace, name) = (key.namespace.clone(), key.name.clone());
    match kind {
        Kind::Gateway | Kind::ServiceNetwork => UnitKey::Gateway { scope: cluster.scope, name },
        Kind::ServiceExport => UnitKey::Export { cluster, namespace, name },
        kind if ROUTE_KINDS.contains(&kind) => UnitKey::Route { kind, cluster, namespace, name },
        kind if kind.is_resource() => UnitKey::Resource { kind, cluster, namespace, name },
        kind => UnitKey::Dependents { kind, cluster, namespace, name },
    }
}

/// Whether a unit wants anything, is held, or has a status to write. The routes and Gateways of other controllers do not;
/// what is left in VPC Lattice of one that was ours is found by its tags.
fn is_of_interest(unit: &UnitKey, snapshot: &Snapshot) -> bool {
    let settings = Settings::default();
    let translation = translate(unit, snapshot, &Actual::default(), &settings);
    let wants_nothing = translation.desired.as_ref().is_some_and(|desired| {
        translation.held.is_empty() && *desired == Desired::nothing(desired.owner.clone())
    });
    // Of Dependents units nothing is ever desired. The time does not matter: a patch that differs in nothing else is none.
    let is_busy = !wants_nothing && !matches!(unit, UnitKey::Dependents { .. });
    is_busy || !statuses(snapshot, &translation, &Outcome::default(), "").is_empty()
}
