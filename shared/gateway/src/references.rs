//! What a route or an export means for the Services that it names, for whoever keeps an index of them instead of a search
//! in lists, which is [`crate::dependents`]. Both read references by the same rules ([`trellis_hint::referents`]); the index
//! also has routes that the translation cannot read.

use crate::api::{self, Meta};
use crate::route::ROUTE_KINDS;
use crate::status;
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, UnitKey, referents};

/// The Services of its own cluster that an object names, and the units to look at when one of them or its endpoints
/// change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Namespaces and names.
    pub services: BTreeSet<(String, String)>,
    /// The object's own unit, and those that serve what it asks for. For an export that is the look at the routes that
    /// import it, in whatever cluster.
    pub units: BTreeSet<UnitKey>,
}

/// The kinds whose objects can name Services.
pub const REFERRING_KINDS: [Kind; 4] = [ROUTE_KINDS[0], ROUTE_KINDS[1], ROUTE_KINDS[2], Kind::ServiceExport];

/// The references of one object of a cluster: none for an object of another kind, or one that names no Service.
pub fn references(cluster: &ClusterId, kind: Kind, object: &Value) -> References {
    let services = referents(kind, object).into_iter().filter(|(kind, ..)| *kind == Kind::Service);
    let mut services: BTreeSet<_> = services.map(|(_, namespace, name)| (namespace, name)).collect();
    services.extend(status::kept_services(object));
    if services.is_empty() {
        return References::default();
    }
    let Meta { namespace, name, .. } = api::meta(object);
    let cluster = cluster.clone();
    let units = if kind == Kind::ServiceExport {
        let importers = UnitKey::Dependents {
            kind,
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        };
        BTreeSet::from([importers, UnitKey::Export { cluster, namespace, name }])
    } else {
        let served_by = status::mentioned(&cluster, object);
        served_by.into_iter().chain([UnitKey::Route { kind, cluster, namespace, name }]).collect()
    };
    References { services, units }
}
