//! A request reaches the backend that the specification says, whether VPC Lattice compares path prefixes by characters
//! or by whole elements: rules are evaluated here as VPC Lattice does (by priority, first match) and the route as the
//! specification words it, and both must name one backend.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

#[path = "support/whole.rs"]
mod whole;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use trellis_gateway::{Settings, translate};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Action, Actual, Desired, HeaderMatch, Limits, PathMatch, RuleMatch, ValueMatch};
use whole::whole;

const CASES: u32 = 400;

/// How VPC Lattice might compare a path with a prefix.
#[derive(Debug, Clone, Copy)]
enum PrefixReading {
    Characters,
    Elements,
}

#[derive(Debug, Clone)]
struct Request {
    path: String,
    method: &'static str,
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Match {
    exact: bool,
    path: &'static str,
    method: Option<&'static str>,
    headers: BTreeMap<&'static str, &'static str>,
}

fn one() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn matched() -> impl Strategy<Value = Match> {
    let path = select(vec!["/", "/a", "/a/", "/ab", "/a/b", "/b"]);
    let headers = prop::collection::btree_map(select(vec!["x", "y"]), select(vec!["1", "2"]), 0..3);
    (any::<bool>(), path, prop::option::of(select(vec!["GET", "PUT"])), headers)
        .prop_map(|(exact, path, method, headers)| Match { exact, path, method, headers })
}

fn request() -> impl Strategy<Value = Request> {
    let path = select(vec!["/", "/a", "/a/", "/ab", "/abc", "/a/b", "/a/b/c", "/a/bc", "/b", "/c"]);
    let headers = prop::collection::btree_map(select(vec!["x", "y"]), select(vec!["1", "2"]), 0..3);
    (path, select(vec!["GET", "PUT", "POST"]), headers).prop_map(|(path, method, headers)| Request {
        path: path.to_owned(),
        method,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    })
}

/// The rule that the specification gives a request to: of all matches that fit the most specific one, then the first.
fn by_specification(rules: &[Vec<Match>], request: &Request) -> Option<usize> {
    let fits = |one: &Match| {
        let trimmed = one.path.trim_end_matches('/');
        let path = if one.exact {
            request.path == one.path
        } else {
            request.path == trimmed || request.path.starts_with(&format!("{trimmed}/"))
        };
        path && one.method.is_none_or(|method| method == request.method)
            && one
                .headers
                .iter()
                .all(|(name, value)| request.headers.get(*name).is_some_and(|has| has == value))
    };
    let matches = rules.iter().enumerate().flat_map(|(at, matches)| matches.iter().map(move |one| (at, one)));
    let fitting = matches.filter(|(_, one)| fits(one));
    let specificity = |one: &Match| {
        let prefix = if one.exact { 0 } else { one.path.trim_end_matches('/').len() };
        (one.exact, prefix, one.method.is_some(), one.headers.len())
    };
    // `min_by_key` takes the first of equals.
    fitting.min_by_key(|(_, one)| Reverse(specificity(one))).map(|(at, _)| at)
}

fn lattice_fits(matches: &RuleMatch, request: &Request, reading: PrefixReading) -> bool {
    let path = match matches.path.as_ref() {
        None => true,
        Some(PathMatch::Exact(path)) => request.path == *path,
        Some(PathMatch::Prefix(prefix)) => match reading {
            PrefixReading::Characters => request.path.starts_with(prefix),
            PrefixReading::Elements => {
                let elements = |text: &str| -> Vec<String> {
                    text.split('/').filter(|element| !element.is_empty()).map(str::to_owned).collect()
                };
                elements(&request.path).starts_with(&elements(prefix))
            }
        },
    };
    let header = |one: &HeaderMatch| {
        let ValueMatch::Exact(value) = &one.value else { panic!("only exact headers are made") };
        request.headers.get(&one.name) == Some(value)
    };
    path && matches.method.as_deref().is_none_or(|method| method == request.method)
        && matches.headers.iter().all(header)
}

/// The Service that VPC Lattice gives a request to.
fn by_lattice(desired: &Desired, request: &Request, reading: PrefixReading) -> Option<String> {
    let listener = &desired.services[0].listeners[0];
    let rule = listener.rules.iter().find(|rule| lattice_fits(&rule.matches, request, reading));
    match rule.map_or(&listener.default_action, |rule| &rule.action) {
        Action::FixedResponse(404) => None,
        Action::FixedResponse(other) => panic!("a request is answered {other}"),
        Action::Forward(groups) => {
            let group = desired.target_groups.iter().find(|group| group.name == groups[0].target_group);
            group.unwrap().tags.get("application-networking.k8s.aws/ServiceName").cloned()
        }
    }
}

/// What the route wants under a quota of rules; none where it is refused.
fn desired(rules: &[Vec<Match>], rules_per_listener: usize) -> Option<Desired> {
    let wire = |one: &Match| {
        let headers: Vec<Value> =
            one.headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let kind = if one.exact { "Exact" } else { "PathPrefix" };
        let mut wire = json!({"path": {"type": kind, "value": one.path}, "headers": headers});
        if let Some(method) = one.method {
            wire["method"] = json!(method);
        }
        wire
    };
    let rules: Vec<Value> = rules
        .iter()
        .enumerate()
        .map(|(at, matches)| {
            let matches: Vec<Value> = matches.iter().map(wire).collect();
            json!({"matches": matches, "backendRefs": [{"name": format!("s{at}"), "port": 80}]})
        })
        .collect();
    let services = (0..rules.len())
        .map(|at| json!({"kind": "Service", "metadata": {"namespace": "d", "name": format!("s{at}")}, "spec": {"ports": [{"port": 80}]}}));
    let others = [
        json!({"kind": "GatewayClass", "metadata": {"name": "c"}, "spec": {"controllerName": trellis_gateway::CONTROLLER}}),
        json!({"kind": "Gateway", "metadata": {"namespace": "d", "name": "net"},
            "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}),
        json!({"kind": "HTTPRoute", "metadata": {"namespace": "d", "name": "r"},
            "spec": {"parentRefs": [{"name": "net"}], "rules": rules}}),
    ];
    let objects: Vec<Value> = services.chain(others).collect();
    let snapshot = whole(one(), &objects);
    let limits = Limits { rules_per_listener, target_groups_per_service: 100, ..Limits::default() };
    let unit =
        UnitKey::Route { kind: Kind::HTTPRoute, cluster: one(), namespace: "d".into(), name: "r".into() };
    translate(
        &unit,
        &snapshot,
        &Actual::default(),
        &Settings { installation: "trellis".into(), limits, ..Settings::default() },
    )
    .desired
    // A route that is refused has no service.
    .filter(|desired| !desired.services.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn a_request_reaches_the_backend_of_the_specification_under_both_readings_of_a_prefix(
        rules in prop::collection::vec(prop::collection::vec(matched(), 1..4), 1..5),
        requests in prop::collection::vec(request(), 1..20),
    ) {
        let desired = desired(&rules, 100).unwrap();
        for request in requests {
            let expected = by_specification(&rules, &request).map(|at| format!("s{at}"));
            for reading in [PrefixReading::Characters, PrefixReading::Elements] {
                let seen = by_lattice(&desired, &request, reading);
                prop_assert_eq!(&seen, &expected, "{:?} under {:?}", &request, reading);
            }
        }
    }

    #[test]
    fn under_a_small_quota_only_paths_that_go_on_after_a_prefix_are_matched_otherwise(
        rules in prop::collection::vec(prop::collection::vec(matched(), 1..3), 1..5),
        requests in prop::collection::vec(request(), 1..20),
        quota in 3_usize..9,
    ) {
        let Some(desired) = desired(&rules, quota) else { return Ok(()) };
        let listener = &desired.services[0].listeners[0];
        prop_assert!(listener.rules.len() <= quota);
        let widened = listener.rules.iter().filter_map(|rule| match &rule.matches.path {
            Some(PathMatch::Prefix(prefix)) if !prefix.ends_with('/') => Some(prefix.as_str()),
            _ => None,
        });
        let widened: Vec<&str> = widened.collect();
        let goes_on = |request: &Request| widened.iter().any(|prefix| {
            request.path.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        for request in requests {
            let expected = by_specification(&rules, &request).map(|at| format!("s{at}"));
            prop_assert_eq!(&by_lattice(&desired, &request, PrefixReading::Elements), &expected, "{:?}", &request);
            if !goes_on(&request) {
                prop_assert_eq!(&by_lattice(&desired, &request, PrefixReading::Characters), &expected, "{:?}", &request);
            }
        }
    }
}
