//! Which routes a Gateway's listeners take: for the numbers and the addresses in its status.
//!
//! A listener counts the routes that it takes and that are not refused there. A route's own status, which tells of the rest, has one
//! verdict for a parent; a hostname that on this port is an older route's of another kind is the part of it that is told by listener.

use super::claim::GatewayName;
use super::cluster_routes::routes;
use super::gateway_addresses::Names;
use super::slot::Slot;
use crate::attach::{Refusal, Taken, attach};
use crate::gateway::JudgedGateway;
use crate::hostname::is_wildcard;
use crate::route::{ParentRef, Route};
use crate::view::View;
use crate::{Settings, status};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use trellis_hint::{ClusterId, Kind};

/// Older, by name, by kind.
type Seniority = (String, String, &'static str);

/// How many routes each listener takes, and their domain names, the oldest route's first.
pub(super) fn attached_routes(
    view: &View,
    cluster: &ClusterId,
    gateway: &JudgedGateway,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> (BTreeMap<String, usize>, Vec<Names>) {
    let mut all: Vec<(Seniority, Rc<Route>, &Value, Vec<Taken>)> = vec![];
    for (route, object) in routes(view, cluster, settings, unknown) {
        let mut of_route = vec![];
        let parents = route.parents.iter().filter(|parent| {
            parent.is_gateway && parent.namespace == gateway.namespace && parent.name == gateway.name
        });
        for parent in parents.filter(|parent| !is_refused(&route, parent, object)) {
            match attach(view, &route, parent, gateway) {
                Ok(taken) => of_route.push(taken),
                Err(Refusal::Unknown(why)) => unknown.push(why),
                Err(Refusal::Condition(_)) => {}
            }
        }
        let created = route.meta.creation_timestamp.clone().unwrap_or_default();
        let name = format!("{}/{}", route.id.namespace, route.id.name);
        all.push(((created, name, route.id.kind.as_str()), route, object, of_route));
    }
    all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut holders: BTreeMap<(u16, Slot), Kind> = BTreeMap::new();
    for (_, route, _, of_route) in &all {
        for listener in listeners(route.id.kind, of_route, gateway, &mut holders) {
            *counts.entry(listener).or_default() += 1;
        }
    }
    let names = all.iter().map(|(_, route, object, of_route)| names(route, object, of_route, gateway));
    (counts, names.collect())
}

/// The listeners that have a route: by at least one of its hostnames, of which on a port the oldest one's kind has all. `holders`
/// is what older ones have.
fn listeners(
    kind: Kind,
    of_route: &[Taken],
    gateway: &JudgedGateway,
    holders: &mut BTreeMap<(u16, Slot), Kind>,
) -> BTreeSet<String> {
    let name = GatewayName { namespace: gateway.namespace.clone(), name: gateway.name.clone() };
    let mut listeners = BTreeSet::new();
    for taken in of_route {
        for attached in &taken.attached {
            for hostname in &attached.hostnames {
                let hostname = hostname.as_deref().filter(|hostname| !is_wildcard(hostname));
                let (slot, _) = taken.sharing.slot(&name, hostname);
                let has_it = slot == Slot::Own
                    || *holders.entry((attached.listener.port, slot)).or_insert(kind) == kind;
                if has_it {
                    listeners.insert(attached.listener.wire.name.clone());
                }
            }
        }
    }
    listeners
}

/// The domain names under which a route answers by the Gateway.
fn names(route: &Route, object: &Value, of_route: &[Taken], gateway: &JudgedGateway) -> Names {
    let mut hostnames = of_route.iter().flat_map(|taken| &taken.attached).flat_map(|one| &one.hostnames);
    // What is in no network is no address of one.
    let told = if status::is_standalone(object) {
        vec![]
    } else {
        status::dns_names_at(object, &gateway.namespace, &gateway.name)
    };
    let is_for_hostname = hostnames.any(|hostname| hostname.as_ref().is_some_and(|one| !is_wildcard(one)));
    Names { told, is_for_hostname, unit: route.id.unit() }
}

/// Whether a route's own status, or its rules before there is a status, refuse a parent whose listeners would take it.
fn is_refused(route: &Route, parent: &ParentRef, object: &Value) -> bool {
    match status::accepts(object, &parent.reference, route.meta.generation) {
        Some(accepts) => !accepts,
        None => !route.rules.is_empty() && route.rules.iter().all(|rule| !rule.problems.is_empty()),
    }
}
