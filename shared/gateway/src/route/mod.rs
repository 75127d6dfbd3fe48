//! One internal route for HTTPRoute, GRPCRoute and TLSRoute. The kinds differ only in how a match is read.

mod grpc;
mod http;
mod tls;
mod unsupported;

use crate::api::{BackendRefWire, HeaderWire, MatchWire, Meta, ParentRefWire, RouteObject, RuleWire};
use crate::code::Code;
use crate::naming;
use crate::problem::{Problem, quoted};
use serde_json::Value;
use std::collections::BTreeMap;
use trellis_hint::{ClusterId, Kind, Scope, UnitKey};
use trellis_lattice::{HeaderMatch, Limits, RuleMatch, ValueMatch};

pub(crate) use unsupported::leftovers;

/// The route kinds.
pub(crate) const ROUTE_KINDS: [Kind; 3] = [Kind::HTTPRoute, Kind::GRPCRoute, Kind::TLSRoute];

/// Characters of a header match's name (API model, HeaderMatchName).
const HEADER_NAME_CHARS_MAX: usize = 100;
/// Characters of a header match's value (API model, HeaderMatchExact).
const HEADER_VALUE_CHARS_MAX: usize = 200;
/// The highest weight that the Gateway API allows.
const WEIGHT_MAX: i64 = 1_000_000;

/// Names a route in the whole installation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteId {
    pub(crate) kind: Kind,
    pub(crate) cluster: ClusterId,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl RouteId {
    /// What stands for the routes of a name in all clusters of a scope: it is in none of them.
    pub(crate) fn merged(scope: &Scope, kind: Kind, namespace: &str, name: &str) -> Self {
        let cluster = ClusterId { scope: scope.clone(), name: String::new() };
        Self { kind, cluster, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(crate) fn unit(&self) -> UnitKey {
        if self.cluster.name.is_empty() {
            return UnitKey::Merged {
                scope: self.cluster.scope.clone(),
                kind: self.kind,
                namespace: self.namespace.clone(),
                name: self.name.clone(),
            };
        }
        UnitKey::Route {
            kind: self.kind,
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// A route, whatever its kind.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) id: RouteId,
    pub(crate) meta: Meta,
    pub(crate) parents: Vec<ParentRef>,
    /// Lower case, in the user's order, each once.
    pub(crate) hostnames: Vec<String>,
    pub(crate) rules: Vec<Rule>,
    /// What is wrong outside of rules and costs no rule.
    pub(crate) problems: Vec<Problem>,
}

/// A reference to a parent.
#[derive(Debug, Clone)]
pub(crate) struct ParentRef {
    /// As the user wrote it, for the status.
    pub(crate) reference: Value,
    /// `spec.parentRefs[i]`.
    pub(crate) path: String,
    /// Whether it names a Gateway at all.
    pub(crate) is_gateway: bool,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) section: Option<String>,
    pub(crate) port: Option<i64>,
}

/// A rule. With a problem it is dropped as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) index: usize,
    /// What the requests look like: one request form per match, at least one.
    pub(crate) matches: Vec<Match>,
    pub(crate) backends: Vec<BackendRef>,
    pub(crate) problems: Vec<Problem>,
}

/// One match of a rule as VPC Lattice can express it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match {
    /// The Lattice rules that together are this match: two for a path prefix.
    pub(crate) alternatives: Vec<RuleMatch>,
    /// The specification's precedence; the greater one is asked first.
    pub(crate) specificity: [usize; 4],
}

/// A reference to a backend.
#[derive(Debug, Clone)]
pub(crate) struct BackendRef {
    /// `spec.rules[i].backendRefs[j]`.
    pub(crate) path: String,
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    /// None: the route's own.
    pub(crate) namespace: Option<String>,
    pub(crate) port: Option<i64>,
    pub(crate) weight: u32,
}

/// Reads a route object.
pub(crate) fn convert(id: RouteId, object: &Value, limits: &Limits) -> Result<Route, Problem> {
    let RouteObject { metadata, spec } = crate::api::parse(object)?;
    let references = object.pointer("/spec/parentRefs").and_then(Value::as_array);
    let wires = spec.parent_refs.unwrap_or_default();
    let mut problems = leftovers("spec", &spec.rest);
    let parents: Vec<ParentRef> = wires
        .into_iter()
        .zip(references.into_iter().flatten())
        .enumerate()
        .map(|(index, (wire, reference))| {
            problems.extend(leftovers(&format!("spec.parentRefs[{index}]"), &wire.rest));
            parent_ref(index, wire, reference, &id.namespace)
        })
        .collect();
    let mut hostnames: Vec<String> = vec![];
    for hostname in spec.hostnames.unwrap_or_default() {
        let hostname = hostname.to_ascii_lowercase();
        if !hostnames.contains(&hostname) {
            hostnames.push(hostname);
        }
    }
    let rules = spec.rules.unwrap_or_default();
    let mut rules: Vec<Rule> = rules
        .into_iter()
        .enumerate()
        .map(|(index, rule)| match crate::api::parse::<RuleWire>(&rule) {
            Ok(rule) => convert_rule(id.kind, index, rule, limits),
            Err(problem) => unreadable_rule(index, &problem),
        })
        .collect();
    if id.kind == Kind::TLSRoute {
        tls::only_one_rule(&mut rules);
    }
    // Nothing is made under a name that was not asked for: with the right one all of it would be made anew, under another domain name.
    if let Some(problem) = naming::override_problem(&metadata) {
        for rule in &mut rules {
            rule.problems.push(problem.clone());
        }
    }
    Ok(Route { id, meta: metadata, parents, hostnames, rules, problems })
}

/// The references to parents of an object that has them as routes do; one that cannot be read is left out.
pub(crate) fn parent_refs(object: &Value, namespace: &str) -> Vec<ParentRef> {
    let all = object.pointer("/spec/parentRefs").and_then(Value::as_array).into_iter().flatten();
    let read = all.enumerate().filter_map(|(index, reference)| {
        let wire = crate::api::parse(reference).ok()?;
        Some(parent_ref(index, wire, reference, namespace))
    });
    read.collect()
}

fn parent_ref(index: usize, wire: ParentRefWire, reference: &Value, own_namespace: &str) -> ParentRef {
    let group = wire.group.as_deref().unwrap_or(Kind::Gateway.group());
    let kind = wire.kind.as_deref().unwrap_or(Kind::Gateway.as_str());
    ParentRef {
        reference: reference.clone(),
        path: format!("spec.parentRefs[{index}]"),
        is_gateway: group == Kind::Gateway.group() && kind == Kind::Gateway.as_str(),
        namespace: wire.namespace.unwrap_or_else(|| own_namespace.to_owned()),
        name: wire.name,
        section: wire.section_name,
        port: wire.port,
    }
}

fn convert_rule(kind: Kind, index: usize, wire: RuleWire, limits: &Limits) -> Rule {
    let path = format!("spec.rules[{index}]");
    let mut problems = leftovers(&path, &wire.rest);
    let mut matches = vec![];
    let wires = wire.matches.unwrap_or_default();
    let wires = if wires.is_empty() { vec![MatchWire::default()] } else { wires };
    for (at, wire) in wires.into_iter().enumerate() {
        let path = format!("{path}.matches[{at}]");
        let converted = match kind {
            Kind::GRPCRoute => grpc::convert(&path, wire, limits),
            Kind::TLSRoute => tls::convert(&path, &wire),
            _ => http::convert(&path, wire, limits),
        };
        match converted {
            Ok(converted) => matches.push(converted),
            Err(found) => problems.extend(found),
        }
    }
    let mut backends = vec![];
    for (at, wire) in wire.backend_refs.unwrap_or_default().into_iter().enumerate() {
        let path = format!("{path}.backendRefs[{at}]");
        problems.extend(leftovers(&path, &wire.rest));
        backends.push(backend_ref(path, wire, &mut problems));
    }
    Rule { index, matches, backends, problems }
}

/// A rule that cannot be read, with the place that is wrong.
fn unreadable_rule(index: usize, problem: &Problem) -> Rule {
    let path = match problem.path.as_str() {
        "." | "" => format!("spec.rules[{index}]"),
        within => format!("spec.rules[{index}].{within}"),
    };
    Rule {
        index,
        matches: vec![],
        backends: vec![],
        problems: vec![Problem::new(problem.code, path, problem.text.clone())],
    }
}

fn backend_ref(path: String, wire: BackendRefWire, problems: &mut Vec<Problem>) -> BackendRef {
    let weight = wire.weight.unwrap_or(1);
    if !(0..=WEIGHT_MAX).contains(&weight) {
        problems.push(Problem::new(
            Code::Weight,
            format!("{path}.weight"),
            format!("{weight} is no weight; set one from 0 to {WEIGHT_MAX}"),
        ));
    }
    BackendRef {
        path,
        group: wire.group.unwrap_or_default(),
        kind: wire.kind.unwrap_or_else(|| Kind::Service.as_str().to_owned()),
        name: wire.name,
        namespace: wire.namespace,
        port: wire.port,
        weight: u32::try_from(weight.clamp(0, WEIGHT_MAX)).unwrap_or(0),
    }
}

/// Header matches of one rule, sorted by name. A repeated name is ignored, as the specification asks.
fn convert_headers(
    path: &str,
    wires: Vec<HeaderWire>,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) -> Vec<HeaderMatch> {
    let mut headers: BTreeMap<String, HeaderMatch> = BTreeMap::new();
    for (at, wire) in wires.into_iter().enumerate() {
        let path = format!("{path}.headers[{at}]");
        problems.extend(leftovers(&path, &wire.rest));
        if let Some(problem) = header_problem(&path, &wire) {
            problems.push(problem);
            continue;
        }
        let name = wire.name.to_ascii_lowercase();
        headers.entry(name.clone()).or_insert(HeaderMatch {
            name,
            value: ValueMatch::Exact(wire.value),
            case_sensitive: true,
        });
    }
    if headers.len() > limits.headers_per_rule {
        problems.push(Problem::new(
            Code::HeaderMatch,
            format!("{path}.headers"),
            format!(
                "{} headers are matched, VPC Lattice takes {} in one rule; match fewer",
                headers.len(),
                limits.headers_per_rule
            ),
        ));
    }
    headers.into_values().collect()
}

fn header_problem(path: &str, wire: &HeaderWire) -> Option<Problem> {
    let kind = wire.kind.as_deref().unwrap_or("Exact");
    if kind != "Exact" {
        return Some(Problem::new(
            Code::HeaderMatch,
            format!("{path}.type"),
            format!("VPC Lattice cannot match a header by {}; use Exact", quoted(kind)),
        ));
    }
    if !(1..=HEADER_NAME_CHARS_MAX).contains(&wire.name.chars().count()) {
        return Some(Problem::new(
            Code::HeaderMatch,
            format!("{path}.name"),
            format!("A header's name has 1 to {HEADER_NAME_CHARS_MAX} characters in VPC Lattice; shorten it"),
        ));
    }
    (!(1..=HEADER_VALUE_CHARS_MAX).contains(&wire.value.chars().count())).then(|| {
        Problem::new(
            Code::HeaderMatch,
            format!("{path}.value"),
            format!(
                "A header's value has 1 to {HEADER_VALUE_CHARS_MAX} characters in VPC Lattice; shorten it"
            ),
        )
    })
}

/// Why VPC Lattice would not take this path in a match (API model, PathMatchExact and PathMatchPrefix). `?` and `#`
/// are in its pattern, but whether they meet the query string is not documented, so they are refused.
fn path_problem(path: &str, value: &str, limits: &Limits) -> Option<Problem> {
    let strange = value.chars().find(|c| !(c.is_ascii_alphanumeric() || "/@:%_+.~&=-".contains(*c)));
    if !value.starts_with('/') {
        let text = format!("The path {} does not begin with a slash; put one before it", quoted(value));
        return Some(Problem::new(Code::PathMatch, path, text));
    }
    if let Some(strange) = strange {
        let text = format!(
            "VPC Lattice cannot match {} in the path {}; leave the character out",
            quoted(&strange.to_string()),
            quoted(value)
        );
        return Some(Problem::new(Code::PathMatch, path, text));
    }
    (value.len() > limits.path_chars).then(|| {
        let text = format!(
            "The path has {} characters, VPC Lattice matches {}; shorten it",
            value.len(),
            limits.path_chars
        );
        Problem::new(Code::PathMatch, path, text)
    })
}
