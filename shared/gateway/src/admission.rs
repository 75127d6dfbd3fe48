//! The checks that need no other object, for whoever applies one.

use crate::annotations;
use crate::api;
use crate::backend::{self, left_out_note, never_targets};
use crate::beside;
use crate::code::Code;
use crate::gateway::{self, judge};
use crate::policy;
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::report::{Condition, ParentReport};
use crate::resource_spec;
use crate::route::{RouteId, convert};
use crate::status::is_foreign_only;
use crate::units::{network_name, service_network, slot};
use crate::view::{Found, View};
use crate::{Report, Settings, Snapshot, references, translate};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, Scope, UnitKey};
use trellis_lattice::{Actual, Limits};

/// Warnings for one object: `kubectl` prints each, and the API server cuts all of them at 4096 bytes together.
const WARNINGS_MAX: usize = 10;

/// Characters of one warning; longer ones are cut by the API server.
const WARNING_CHARS_MAX: usize = 256;

/// Warnings for an object.
pub(crate) fn warnings(kind: Kind, object: &Value) -> Vec<String> {
    bounded(&problems(kind, object))
}

/// Whose the parents of a route are, or the Gateway itself, as far as that is known.
#[derive(PartialEq, Eq)]
enum Whose {
    /// Other controllers'.
    Others,
    /// At least one is ours.
    Ours,
    /// One is not there, or its class is not.
    Unknown,
}

/// What is wrong with an object, as [`problems`], beside others of its cluster: nothing with what another controller's class has;
/// and of a route whose Gateway is there, its report says which hostnames cannot be had.
pub(crate) fn problems_in(
    snapshot: &Snapshot,
    cluster: &ClusterId,
    kind: Kind,
    object: &Value,
) -> Vec<Problem> {
    let mut all = problems(kind, object);
    match whose(snapshot, cluster, kind, object) {
        Whose::Others => return vec![],
        Whose::Ours if kind.is_route() => all.retain(|problem| !OF_HOSTNAMES.contains(&problem.code)),
        Whose::Ours | Whose::Unknown => {}
    }
    all
}

/// What can be wrong with a route's hostnames, where those of its Gateways' listeners do not make up for it.
const OF_HOSTNAMES: [Code; 3] = [Code::HostnameWildcard, Code::HostnameNeeded, Code::HostnameNoDomain];

fn whose(snapshot: &Snapshot, cluster: &ClusterId, kind: Kind, object: &Value) -> Whose {
    let nothing = Actual::default();
    let view = View::new(snapshot, &nothing);
    let of_gateway = |gateway: &Value| {
        let class = gateway.pointer("/spec/gatewayClassName").and_then(Value::as_str).unwrap_or_default();
        let has_class = matches!(view.get(cluster, Kind::GatewayClass, "", class), Found::Object(_));
        match gateway::whose(&view, cluster, gateway) {
            gateway::Whose::Ours => Whose::Ours,
            gateway::Whose::Others if has_class => Whose::Others,
            gateway::Whose::Others | gateway::Whose::Unknown(_) => Whose::Unknown,
        }
    };
    if kind == Kind::Gateway {
        return of_gateway(object);
    }
    if !kind.is_route() {
        return Whose::Unknown;
    }
    let own = api::meta(object).namespace;
    let parents = object.pointer("/spec/parentRefs").and_then(Value::as_array).into_iter().flatten();
    let text = |parent: &Value, member: &str| parent.get(member).and_then(Value::as_str).map(str::to_owned);
    let all = parents.map(|parent| {
        let is_gateway = text(parent, "kind").is_none_or(|kind| kind == Kind::Gateway.as_str())
            && text(parent, "group").is_none_or(|group| group == Kind::Gateway.group());
        if !is_gateway {
            return Whose::Others;
        }
        let namespace = text(parent, "namespace").unwrap_or_else(|| own.clone());
        match view.get(cluster, Kind::Gateway, &namespace, &text(parent, "name").unwrap_or_default()) {
            Found::Object(gateway) => of_gateway(gateway),
            Found::Missing | Found::Unknown(_) => Whose::Unknown,
        }
    });
    let all: Vec<Whose> = all.collect();
    if all.contains(&Whose::Ours) {
        Whose::Ours
    } else if !all.is_empty() && all.iter().all(|one| *one == Whose::Others) {
        Whose::Others
    } else {
        Whose::Unknown
    }
}

/// What is wrong with an object by itself.
pub(crate) fn problems(kind: Kind, object: &Value) -> Vec<Problem> {
    if is_foreign_only(object) {
        return vec![];
    }
    match kind {
        Kind::HTTPRoute | Kind::GRPCRoute | Kind::TLSRoute => route_problems(kind, object),
        Kind::Gateway => gateway_problems(object),
        Kind::ServiceExport => {
            let mut problems = parse_problem::<api::ServiceExport>(object);
            problems.extend(annotations::problems(kind, &api::meta(object)));
            problems
        }
        Kind::EndpointSlice => slice_problems(object),
        Kind::ServiceImport => {
            let mut problems = parse_problem::<api::ServiceImport>(object);
            problems.extend(annotations::problems(kind, &api::meta(object)));
            problems
        }
        // Of which account and Region it is, whoever reviews does not know.
        Kind::Backend => backend::declared::problem(object).into_iter().collect(),
        Kind::ServiceNetwork => network_problems(object),
        Kind::ResourceGateway | Kind::ResourceConfiguration => {
            resource_spec::problem(kind, object).into_iter().collect()
        }
        kind if kind.is_policy() => policy::problems(kind, object),
        _ => vec![],
    }
}

fn bounded(problems: &[Problem]) -> Vec<String> {
    let mut warnings: Vec<String> = problems.iter().map(|problem| shortened(&problem.coded())).collect();
    if warnings.len() > WARNINGS_MAX {
        let more = warnings.len() - WARNINGS_MAX + 1;
        warnings.truncate(WARNINGS_MAX - 1);
        warnings.push(format!("And {more} more."));
    }
    warnings
}

fn route_problems(kind: Kind, object: &Value) -> Vec<Problem> {
    let meta = api::meta(object);
    let id = RouteId { kind, cluster: nowhere(), namespace: meta.namespace.clone(), name: meta.name.clone() };
    let route = match convert(id, object, &Limits::default()) {
        Ok(route) => route,
        Err(problem) => return vec![problem],
    };
    let mut problems = route.problems;
    for rule in route.rules {
        problems.extend(rule.problems);
        for backend in &rule.backends {
            if let Err(crate::backend::BackendError::Broken(_, problem)) =
                crate::backend::referent_kind(backend)
            {
                problems.push(problem);
            }
        }
    }
    let domains = route.hostnames.iter().filter(|hostname| !crate::hostname::is_wildcard(hostname));
    let domains = domains.filter_map(|hostname| crate::hostname::no_domain(hostname));
    problems.extend(domains.map(|why| Problem::new(Code::HostnameNoDomain, "spec.hostnames", why)));
    for hostname in route.hostnames.iter().filter(|hostname| crate::hostname::is_wildcard(hostname)) {
        let text = format!(
            "VPC Lattice serves no wildcard such as {}, only hostnames of listeners within it; name the hostnames one by one",
            quoted(hostname)
        );
        problems.push(Problem::new(Code::HostnameWildcard, "spec.hostnames", text));
    }
    if kind == Kind::TLSRoute && route.hostnames.is_empty() {
        let text = "VPC Lattice passes TLS on by hostname; name at least one, or on the listener";
        problems.push(Problem::new(Code::HostnameNeeded, "spec.hostnames", text));
    }
    problems.extend(annotations::problems(kind, &meta));
    // What is wrong with the route as a whole is wrong with each of its rules.
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert(problem.clone()));
    problems
}

fn gateway_problems(object: &Value) -> Vec<Problem> {
    let gateway = match judge(None, object) {
        Ok(gateway) => gateway,
        Err(problem) => return vec![problem],
    };
    let listeners = gateway.listeners.iter().flat_map(|listener| {
        let name = format!("Listener {}", quoted(&listener.wire.name));
        let conditions = [&listener.accepted, &listener.resolved_refs];
        let telling = conditions.into_iter().filter(|condition| !condition.message.is_empty());
        telling.map(move |one| Problem::new(code_of(one), name.clone(), one.message.trim_end_matches('.')))
    });
    let own = gateway.accepted.message.trim_end_matches('.');
    // Of listeners that are there each says what is wrong with it.
    let is_of_listeners =
        gateway.accepted.reason == reasons::LISTENERS_NOT_VALID && !gateway.listeners.is_empty();
    let own = (!is_of_listeners && !own.is_empty())
        .then(|| Problem::new(code_of(&gateway.accepted), format!("Gateway {}", quoted(&gateway.name)), own));
    let annotations = annotations::problems(Kind::Gateway, &api::meta(object));
    own.into_iter().chain(listeners).chain(annotations).chain(slot::listener_problem(&gateway)).collect()
}

/// The code of what a condition tells.
fn code_of(condition: &Condition) -> Code {
    let listed = condition.problems.first().map(|problem| problem.code);
    listed.or_else(|| Code::of_condition(condition.kind, condition.reason)).unwrap_or(Code::UnknownField)
}

fn network_problems(object: &Value) -> Vec<Problem> {
    let meta = api::meta(object);
    let name = network_name::bad_to_make(&meta.name);
    name.into_iter().chain(annotations::problems(Kind::ServiceNetwork, &meta)).collect()
}

/// Warnings for the deletion of an object.
pub(crate) fn deletion_warnings(kind: Kind, object: &Value) -> Vec<String> {
    let warning = (kind == Kind::ServiceNetwork).then(|| service_network::deletion_warning(object)).flatten();
    warning.iter().map(|text| shortened(&format!("{} {text}", Code::NetworkStays))).collect()
}

/// Endpoints that are left out in whatever VPC. A controller's slices have none.
fn slice_problems(object: &Value) -> Vec<Problem> {
    let Ok(slice) = api::parse::<api::EndpointSlice>(object) else { return vec![] };
    let problem = |address: String| {
        let text = format!(
            "{} is no address of a VPC, so VPC Lattice sends no requests there; name addresses of the cluster's VPC",
            quoted(&address)
        );
        Problem::new(Code::EndpointsLeftOut, "endpoints", text)
    };
    never_targets(&slice).map(problem).collect()
}

/// Warnings for an object beside these other ones of its cluster. Of a route also what it would be told: parents that refuse it or
/// do not get all, matches and hostnames that others have, and endpoints that get no requests.
pub(crate) fn warnings_among(
    cluster: &ClusterId,
    kind: Kind,
    object: &Value,
    beside: impl IntoIterator<Item = (Kind, Value)>,
) -> Vec<String> {
    let snapshot = beside::snapshot(cluster, beside.into_iter().chain([(kind, made(object))]));
    if !kind.is_route() || whose(&snapshot, cluster, kind, object) == Whose::Others {
        return bounded(&problems_in(&snapshot, cluster, kind, object));
    }
    let meta = api::meta(object);
    let unit = UnitKey::Route { kind, cluster: cluster.clone(), namespace: meta.namespace, name: meta.name };
    let settings = Settings { limits: without_quotas(), ..Settings::default() };
    let translation = translate(&unit, &snapshot, &Actual::default(), &settings);
    let reports = translation.reports.iter().filter_map(|report| match report {
        Report::Route(report) if translation.desired.is_some() => Some(report),
        _ => None,
    });
    let told = reports.flat_map(|report| &report.parents).flat_map(|parent| {
        let refused = if parent.accepted.is_true() { vec![] } else { refusal(parent) };
        refused.into_iter().chain(parent.problems.iter().cloned())
    });
    // Which Services there are, whoever reviews does not know.
    let told = told.filter(|problem| problem.code != Code::NoTlsBackend);
    let is_told = translation.desired.is_some();
    let mut all =
        if is_told { problems_in(&snapshot, cluster, kind, object) } else { problems(kind, object) };
    for problem in told.chain(left_out_problems(cluster, kind, object, &snapshot)) {
        // Beside others is told again what is told of the object alone.
        if !all.iter().any(|said| (&said.path, &said.text) == (&problem.path, &problem.text)) {
            all.push(problem);
        }
    }
    bounded(&all)
}

/// Why a parent does not take a route.
fn refusal(parent: &ParentReport) -> Vec<Problem> {
    let accepted = &parent.accepted;
    if !accepted.problems.is_empty() {
        return accepted.problems.clone();
    }
    let name = format!("Gateway {}", quoted(&parent.gateway));
    vec![Problem::new(code_of(accepted), name, accepted.message.trim_end_matches('.'))]
}

/// The object with the time at which it is made: the youngest, as long as nobody says another.
fn made(object: &Value) -> Value {
    let mut made = object.clone();
    let metadata = made.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata.filter(|metadata| !metadata.contains_key("creationTimestamp")) {
        metadata.insert("creationTimestamp".to_owned(), "9999-12-31T23:59:59Z".into());
    }
    made
}

/// What an account has raised is not known to whoever reviews: nothing is said of what more of it could do.
fn without_quotas() -> Limits {
    Limits {
        rules_per_listener: usize::MAX,
        listeners_per_service: usize::MAX,
        target_groups_per_service: usize::MAX,
        ..Limits::default()
    }
}

/// Endpoints of the Services that a route names to which nobody sends requests.
fn left_out_problems(cluster: &ClusterId, kind: Kind, object: &Value, snapshot: &Snapshot) -> Vec<Problem> {
    let named: BTreeSet<(String, String)> = references(cluster, kind, object).services;
    let mut left_out: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for (key, slice) in snapshot.all(cluster, Kind::EndpointSlice) {
        let Some(service) = api::service_of_slice(slice) else { continue };
        let Ok(read) = api::parse::<api::EndpointSlice>(slice) else { continue };
        if named.contains(&(key.namespace.clone(), service.to_owned())) {
            left_out.entry((&key.namespace, service)).or_default().extend(never_targets(&read));
        }
    }
    let problems =
        left_out.into_iter().filter_map(|((_, name), left_out)| left_out_note(name, &left_out, "spec.rules"));
    problems.collect()
}

fn parse_problem<T: serde::de::DeserializeOwned>(object: &Value) -> Vec<Problem> {
    api::parse::<T>(object).err().into_iter().collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= WARNING_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(WARNING_CHARS_MAX - 1).chain(['…']).collect()
}
/// A review is of one object alone: what is said of it does not depend on its cluster.
pub(crate) fn nowhere() -> ClusterId {
    let scope = Scope { account: String::new(), region: String::new() };
    ClusterId { scope, name: String::new() }
}
