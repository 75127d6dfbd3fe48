//! What a unit has to say of the Pods that it leads to.

use super::pod::{Gate, Gated, gated};
use super::{PodReport, Word};
use crate::api::{self, EndpointSlice};
use crate::backend::service_of_export;
use crate::grant::{From, To, is_granted};
use crate::reasons;
use crate::references::references;
use crate::report::Report;
use crate::route::RouteId;
use crate::snapshot::ObjectKey;
use crate::units::used_groups;
use crate::view::{Found, View};
use crate::{Subject, Translation, naming};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{DesiredTargetGroup, HealthCheck, Target, TargetHealth};

/// A Service of a cluster.
type Source = (ClusterId, String, String);

/// Adds what a route has to say of the Pods behind its Services. Where something is not known, and of a route that is
/// nobody's of ours, nothing is said.
pub(crate) fn add_of_route(view: &View, id: &RouteId, translation: &mut Translation) {
    let is_ours = translation
        .reports
        .iter()
        .any(|report| matches!(report, Report::Route(route) if !route.parents.is_empty()));
    let Found::Object(object) = view.get(&id.cluster, id.kind, &id.namespace, &id.name) else { return };
    if !is_ours || is_held(translation) {
        return;
    }
    let named = references(&id.cluster, id.kind, object).services.into_iter();
    // What a route may not lead to in another namespace is none of its business.
    let named = named.filter(|(namespace, name)| {
        let from = From { kind: id.kind.as_str(), namespace: &id.namespace };
        let to = To { group: "", kind: Kind::Service.as_str(), namespace, name };
        *namespace == id.namespace || is_granted(view, &id.cluster, &from, &to) == Ok(true)
    });
    let mut sources: BTreeMap<Source, Vec<&DesiredTargetGroup>> =
        named.map(|(namespace, name)| ((id.cluster.clone(), namespace, name), vec![])).collect();
    let groups = translation.desired.iter().flat_map(|desired| &desired.target_groups);
    // No Pod stands behind a Backend, as far as anybody tells.
    let groups = groups.filter(|group| naming::kind_of_source(&group.tags) == Kind::Service);
    for (source, group) in groups.filter_map(|group| Some((naming::source_of(&group.tags)?, group))) {
        sources.entry(source).or_default().push(group);
    }
    let reports = reports(view, &id.unit(), &sources, translation);
    translation.reports.extend(reports);
}

/// Adds what an export has to say of its Service's Pods. One without target groups of its own waits for nothing, but it answers
/// for Pods that no route leads to.
pub(crate) fn add_of_export(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    translation: &mut Translation,
) {
    let Found::Object(export) = view.get(cluster, Kind::ServiceExport, namespace, name) else { return };
    if is_held(translation) {
        return;
    }
    let service = service_of_export(&api::meta(export)).to_owned();
    let groups = translation.desired.iter().flat_map(|desired| &desired.target_groups).collect();
    let sources = BTreeMap::from([((cluster.clone(), namespace.to_owned(), service), groups)]);
    let (cluster, namespace, name) = (cluster.clone(), namespace.to_owned(), name.to_owned());
    let reports = reports(view, &UnitKey::Export { cluster, namespace, name }, &sources, translation);
    translation.reports.extend(reports);
}

/// Whether nothing is to be said since something is not known.
fn is_held(translation: &Translation) -> bool {
    translation.desired.is_none() && !translation.refused
}

fn reports(
    view: &View,
    unit: &UnitKey,
    sources: &BTreeMap<Source, Vec<&DesiredTargetGroup>>,
    translation: &Translation,
) -> Vec<Report> {
    let mut pods: BTreeMap<(ClusterId, String, String), Said> = BTreeMap::new();
    for (source, groups) in sources {
        let (cluster, namespace, service) = source;
        let Ok(slices) = view.slices(cluster, namespace, service) else { continue };
        let slices: Vec<EndpointSlice> =
            slices.into_values().filter_map(|one| api::parse(one).ok()).collect();
        let mut found = gated(view, cluster, namespace, &slices);
        found.retain(|_, pod| pod.gate != Gate::Met);
        for (name, pod) in &found {
            let key = (cluster.clone(), namespace.clone(), name.clone());
            let said = pods.entry(key).or_insert_with(|| Said::of(view, unit, source, pod));
            let addresses = addresses_of(&slices, name);
            for group in groups {
                let targets = group.targets.iter().filter(|target| addresses.contains(target.id()));
                said.healths.extend(targets.map(|target| health_of(view, translation, group, target)));
            }
        }
    }
    pods.into_iter().map(|(key, said)| Report::Pod(said.report(key, unit))).collect()
}

fn addresses_of<'s>(slices: &'s [EndpointSlice], pod: &str) -> BTreeSet<&'s str> {
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    let of_pod = endpoints.filter(|endpoint| endpoint.pod() == Some(pod));
    of_pod.filter_map(|endpoint| endpoint.addresses.first()).map(String::as_str).collect()
}

/// What is known of one Pod.
struct Said {
    gate: Gate,
    generation: i64,
    is_known: bool,
    gone: BTreeSet<String>,
    healths: Vec<Health>,
}

impl Said {
    fn of(view: &View, unit: &UnitKey, source: &Source, pod: &Gated) -> Self {
        let (own, told) = (unit.to_string(), pod.told());
        let is_known = told.contains_key(&own);
        let others = told.into_keys().filter(|other| *other != own);
        let gone = others.filter(|other| is_gone(view, source, other)).collect();
        Self { gate: pod.gate, generation: api::meta(pod.pod).generation, is_known, gone, healths: vec![] }
    }

    fn report(self, (cluster, namespace, name): (ClusterId, String, String), unit: &UnitKey) -> PodReport {
        let is_known = self.is_known;
        let word = match self.healths.iter().max() {
            _ if self.gate == Gate::Starting => Word::Starting,
            Some(Health { rank, text, reason }) if *rank >= Rank::Unprogrammed => Word::Wait {
                reason,
                text: text.clone(),
                is_unprogrammed: *rank == Rank::Unprogrammed,
                is_known,
            },
            // What is content at once has to be looked at twice, see above.
            _ if !is_known => Word::Wait {
                reason: reasons::INITIAL,
                text: "it has just been seen".to_owned(),
                is_unprogrammed: false,
                is_known,
            },
            Some(health) => Word::Go(health.reason),
            None => Word::Go(reasons::NOT_PROGRAMMED),
        };
        let subject = Subject {
            cluster,
            object: ObjectKey { kind: Kind::Pod, namespace, name },
            generation: self.generation,
        };
        PodReport { subject, unit: unit.to_string(), word, gone: self.gone }
    }
}

/// How much a target holds its Pod up: the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// There will be no target.
    Refused,
    Unchecked,
    Healthy,
    /// It is not there yet, or nothing leads to it.
    Unprogrammed,
    Waits,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Health {
    rank: Rank,
    reason: &'static str,
    text: String,
}

fn health_of(view: &View, translation: &Translation, group: &DesiredTargetGroup, target: &Target) -> Health {
    let is_of_group = |name: &str| name == group.name;
    if view.actual.refused.iter().any(|one| is_of_group(&one.target_group) && one.target == *target) {
        return Health { rank: Rank::Refused, reason: reasons::NOT_PROGRAMMED, text: String::new() };
    }
    let held = view.actual.target_groups.iter().find(|one| is_of_group(&one.name));
    let held = held.and_then(|group| group.targets.iter().find(|one| one.target == *target));
    let (rank, reason, what) = match held.map(|one| one.health) {
        Some(TargetHealth::Healthy) => (Rank::Healthy, reasons::HEALTHY, "HEALTHY"),
        Some(TargetHealth::Unavailable) => {
            (Rank::Unchecked, reasons::HEALTH_CHECK_UNAVAILABLE, "UNAVAILABLE")
        }
        Some(TargetHealth::Initial) => (Rank::Waits, reasons::INITIAL, "INITIAL"),
        Some(TargetHealth::Unhealthy) => (Rank::Waits, reasons::UNHEALTHY, "UNHEALTHY"),
        Some(TargetHealth::Draining) => (Rank::Waits, reasons::UNHEALTHY, "DRAINING"),
        // Of a state that is not known here, nobody can say that it takes requests.
        Some(TargetHealth::Unknown) => (Rank::Waits, reasons::UNHEALTHY, "in a state that is not known here"),
        // Who uses an export's groups, nobody here knows.
        Some(TargetHealth::Unused) if !is_led_to(translation, group) => {
            (Rank::Unchecked, reasons::UNUSED, "UNUSED")
        }
        Some(TargetHealth::Unused) => (Rank::Unprogrammed, reasons::UNUSED, "UNUSED"),
        None => (Rank::Unprogrammed, reasons::TARGET_NOT_FOUND, "not registered yet"),
    };
    let check = group.health_check.as_ref().filter(|_| what == "UNHEALTHY");
    let why = check.map(|HealthCheck { path, matcher, port, .. }| {
        let port = port.map(|port| format!(" on port {port}")).unwrap_or_default();
        format!(", its health check asks for {path}{port} and expects {matcher}")
    });
    let why = why.unwrap_or_default();
    let text = format!("target {target} of {} is {what}{why}", group.name);
    Health { rank, reason, text }
}

/// Whether rules of the unit's services are to lead to a target group.
fn is_led_to(translation: &Translation, group: &DesiredTargetGroup) -> bool {
    let services = translation.desired.iter().flat_map(|desired| &desired.services);
    services.map(|service| used_groups(&service.listeners)).any(|used| used.contains(group.name.as_str()))
}

/// Whether a unit that a Pod was told to wait for is not there any more, or does not lead to the Pod's Service. Of one in
/// another cluster only that it is there can be told; one that cannot be read must not hold the Pod up.
fn is_gone(view: &View, source: &Source, unit: &str) -> bool {
    let (cluster, namespace, service) = source;
    match unit.parse() {
        Ok(UnitKey::Route { kind, cluster: own, namespace: place, name }) => {
            let Found::Object(route) = view.get(&own, kind, &place, &name) else { return true };
            let leads = |route: &Value| {
                references(&own, kind, route).services.contains(&(namespace.clone(), service.clone()))
            };
            own == *cluster && !leads(route)
        }
        Ok(UnitKey::Export { cluster: own, namespace: place, name }) => {
            let Found::Object(export) = view.get(&own, Kind::ServiceExport, &place, &name) else {
                return true;
            };
            own != *cluster || place != *namespace || service_of_export(&api::meta(export)) != service
        }
        Ok(
            UnitKey::Gateway { .. }
            | UnitKey::Resource { .. }
            | UnitKey::Merged { .. }
            | UnitKey::Dependents { .. }
            | UnitKey::Cluster { .. },
        )
        | Err(_) => true,
    }
}
