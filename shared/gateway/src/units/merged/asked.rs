//! Whether a route is merged with those of its name in other clusters: by an annotation of its Gateways.

use crate::api::{self, Meta};
use crate::code::Code;
use crate::gateway::{self, Whose};
use crate::policy;
use crate::problem::{Problem, quoted};
use crate::route::{Route, RouteId};
use crate::view::{Found, View};
use crate::{ClusterFacts, Snapshot};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, Scope, UnitKey, parent_gateways};
use trellis_lattice::{Mode, TAG_PREFIX};

/// The annotation of a Gateway, without the common prefix.
pub(crate) const ANNOTATION: &str = "merge-routes";

/// The kinds that can be merged: a TLSRoute's listener has no rules.
pub(super) const KINDS: [Kind; 2] = [Kind::HTTPRoute, Kind::GRPCRoute];

fn is_yes(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}

/// Whether a Gateway says that its routes are merged.
pub(crate) fn is_merging(gateway: &Value) -> bool {
    api::annotation(gateway, ANNOTATION).is_some_and(is_yes)
}

/// What is wrong with the annotation of a Gateway.
pub(crate) fn problem(meta: &Meta) -> Option<Problem> {
    let value = meta.annotation(ANNOTATION)?;
    let is_clear = is_yes(value) || value.trim().eq_ignore_ascii_case("false");
    (!is_clear).then(|| {
        let text = format!("{} counts as \"false\"; write \"true\" or \"false\"", quoted(value));
        Problem::new(Code::AnnotationValue, format!("metadata.annotations[{TAG_PREFIX}{ANNOTATION}]"), text)
    })
}

/// Whether all Gateways of ours that a route names say that their routes are merged.
fn is_asked_for(view: &View, route: &Route) -> Result<bool, String> {
    let mut is_any = false;
    for parent in route.parents.iter().filter(|parent| parent.is_gateway) {
        match gateway::find(view, &route.id.cluster, &parent.namespace, &parent.name) {
            (Whose::Unknown(why), _) => return Err(why),
            (Whose::Ours, Some(gateway)) if is_merging(gateway) => is_any = true,
            (Whose::Ours, _) => return Ok(false),
            (Whose::Others, _) => {}
        }
    }
    Ok(is_any)
}

/// The clusters that are only observed while another one has such a route: they cost that one nothing, and what VPC Lattice has of
/// them stays.
pub(crate) fn observed<'a>(
    snapshot: &'a Snapshot,
    scope: &Scope,
    kind: Kind,
    (namespace, name): (&str, &str),
) -> BTreeSet<&'a ClusterId> {
    let of_scope = || snapshot.facts.iter().filter(|(cluster, _)| cluster.scope == *scope);
    let is_served = |(cluster, facts): (&ClusterId, &ClusterFacts)| {
        facts.mode != Mode::Observe && snapshot.get(cluster, kind, namespace, name).is_some()
    };
    if !of_scope().any(is_served) {
        return BTreeSet::new();
    }
    of_scope().filter(|(_, facts)| facts.mode == Mode::Observe).map(|(cluster, _)| cluster).collect()
}

/// Whether any Gateway of a cluster says so.
pub(super) fn is_any_asked_for(view: &View, cluster: &ClusterId) -> bool {
    let gateways = view.list(cluster, Kind::Gateway, None).unwrap_or_default();
    gateways.into_values().any(is_merging)
}

/// Why a route is not merged although its Gateways say so.
pub(crate) fn obstacle(view: &View, route: &Route) -> Result<Option<Problem>, String> {
    if !is_asked_for(view, route)? {
        return Ok(None);
    }
    let set = view.snapshot.facts.get(&route.id.cluster).and_then(|facts| facts.cluster_set.as_deref());
    let why = if !KINDS.contains(&route.id.kind) {
        format!("a {} cannot be: its listener has no rules", route.id.kind)
    } else if set.is_some_and(|set| !set.is_empty()) {
        format!("cluster {} is in a cluster set of its own", quoted(&route.id.cluster.name))
    } else if policy::has_its_own(view, &route.id)? {
        format!("{}, and the service would be other routes' too", policy::OF_ITS_OWN)
    } else if let Found::Object(object) =
        view.get(&route.id.cluster, route.id.kind, &route.id.namespace, &route.id.name)
        && let Some(left) = policy::left_closed(object)
    {
        left.text
    } else {
        return Ok(None);
    };
    Ok(Some(Problem::new(
        Code::NotMerged,
        "spec.parentRefs",
        format!("The route is not merged with those of other clusters: {why}"),
    )))
}

/// Whether a route is merged.
pub(super) fn is_merged(view: &View, route: &Route) -> Result<bool, String> {
    Ok(is_asked_for(view, route)? && obstacle(view, route)?.is_none())
}

/// The unit that merges a route, as far as the route's objects and its Gateways' alone tell it.
pub(crate) fn unit_of(
    snapshot: &Snapshot,
    cluster: &ClusterId,
    kind: Kind,
    object: &Value,
) -> Option<UnitKey> {
    if !KINDS.contains(&kind) {
        return None;
    }
    let names = parent_gateways(object);
    let gateways = snapshot.all(cluster, Kind::Gateway).filter(|(key, _)| names.contains(&key.name));
    let is_asked_for = gateways.map(|(_, gateway)| gateway).any(is_merging);
    let (namespace, name) = api::name_of(object);
    is_asked_for.then(|| RouteId::merged(&cluster.scope, kind, namespace, name).unit())
}
