//! What a route or an export means for the Services that it names: the one reading of these references, for whoever
//! keeps an index of them and for [`crate::dependents`], which looks for them in lists.

use crate::backend::{referent_kind, service_of_export};
use crate::route::{BackendRef, ROUTE_KINDS, Route, RouteId, convert};
use crate::{api, status};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::Limits;

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

/// The references of one object of a cluster: none for an object of another kind, for a route that cannot be read (what
/// it has in VPC Lattice stays as it is, whatever its Services do), or for one that names no Service.
pub fn references(cluster: &ClusterId, kind: Kind, object: &Value) -> References {
    let meta = api::meta(object);
    if meta.name.is_empty() {
        return References::default();
    }
    let (cluster, namespace, name) = (cluster.clone(), meta.namespace.clone(), meta.name.clone());
    if kind == Kind::ServiceExport {
        let service = service_of_export(&meta).to_owned();
        let importers = UnitKey::Dependents {
            kind,
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        };
        return References {
            services: BTreeSet::from([(namespace.clone(), service)]),
            units: BTreeSet::from([UnitKey::Export { cluster, namespace, name }, importers]),
        };
    }
    if !ROUTE_KINDS.contains(&kind) {
        return References::default();
    }
    let id = RouteId { kind, cluster: cluster.clone(), namespace, name };
    // The limits bound what VPC Lattice takes; they say nothing of what is named.
    let Ok(route) = convert(id, object, &Limits::default()) else { return References::default() };
    let services: BTreeSet<_> = backends(&route)
        .filter(|backend| referent_kind(backend) == Ok(Kind::Service))
        .map(|backend| (namespace_of(&route, backend).to_owned(), backend.name.clone()))
        .collect();
    if services.is_empty() {
        return References::default();
    }
    let served_by = status::mentioned(&cluster, object);
    References { services, units: served_by.into_iter().chain([route.id.unit()]).collect() }
}

/// Whether a route's rules name an object.
pub(crate) fn refers_to(route: &Route, kind: Kind, namespace: &str, name: &str) -> bool {
    backends(route).any(|backend| {
        referent_kind(backend) == Ok(kind)
            && backend.name == name
            && namespace_of(route, backend) == namespace
    })
}

fn backends(route: &Route) -> impl Iterator<Item = &BackendRef> {
    route.rules.iter().flat_map(|rule| &rule.backends)
}

fn namespace_of<'a>(route: &'a Route, backend: &'a BackendRef) -> &'a str {
    backend.namespace.as_deref().unwrap_or(&route.id.namespace)
}
