//! Translation holds for any input: it never panics, and it does not depend on the order in which objects come.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use trellis_gateway::{
    CONTROLLER, ClusterFacts, Code, REFERRING_KINDS, Read, ReadResult, Settings, Snapshot,
    admission_warnings, dependents, references, statuses, translate, units, wants, wants_everything,
};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Action, Actual, Limits, ListenerProtocol, Outcome, ProtocolVersion, plan};

/// Cases of each property: the whole file runs for seconds.
const CASES: u32 = 300;

/// Places in an object that are overwritten with nonsense.
const MUTATIONS_MAX: usize = 4;

const NAMES: [&str; 3] = ["a", "b", "long-name-that-does-not-fit-into-a-service-name-at-all"];
const NAMESPACES: [&str; 2] = ["default", "other"];
const CLUSTERS: [&str; 2] = ["one", "two"];

fn cluster(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:123456789012:cluster/{name}").parse().unwrap()
}

fn route_spec() -> impl Strategy<Value = Value> {
    let path = (
        select(vec!["Exact", "PathPrefix", "RegularExpression"]),
        select(vec!["/", "/a", "/a/", "/a/b", "x", ""]),
    );
    let header =
        (select(vec!["Exact", "RegularExpression"]), select(vec!["x-a", "X-A", "x-b"]), "[a-z]{0,3}");
    let matched = (
        prop::option::of(path),
        prop::collection::vec(header, 0..7),
        prop::option::of(select(vec!["GET", "PUT"])),
    )
        .prop_map(|(path, headers, method)| {
            let mut matched = Map::new();
            if let Some((kind, value)) = path {
                matched.insert("path".into(), json!({"type": kind, "value": value}));
            }
            let headers: Vec<Value> = headers
                .into_iter()
                .map(|(kind, name, value)| json!({"type": kind, "name": name, "value": value}))
                .collect();
            matched.insert("headers".into(), json!(headers));
            if let Some(method) = method {
                matched.insert("method".into(), json!(method));
            }
            Value::Object(matched)
        });
    let backend = (
        select(vec!["", "", "core", "application-networking.k8s.aws"]),
        select(vec!["Service", "ServiceImport", "Bucket"]),
        select(NAMES.to_vec()),
        prop::option::of(select(NAMESPACES.to_vec())),
        select(vec![80, 81, 0, -1]),
        select(vec![0, 1, 999, 1_000_000]),
    )
        .prop_map(|(group, kind, name, namespace, port, weight)| {
            json!({"group": group, "kind": kind, "name": name, "namespace": namespace, "port": port, "weight": weight})
        });
    let rule = (prop::collection::vec(matched, 0..4), prop::collection::vec(backend, 0..4))
        .prop_map(|(matches, backends)| json!({"matches": matches, "backendRefs": backends}));
    let hostnames =
        prop::collection::vec(select(vec!["a.example.com", "b.example.com", "*.example.com"]), 0..3);
    (hostnames, prop::collection::vec(rule, 0..5)).prop_map(|(hostnames, rules)| {
        json!({"parentRefs": [{"name": "net"}, {"name": "gone"}], "hostnames": hostnames, "rules": rules})
    })
}

fn gateway_spec() -> impl Strategy<Value = Value> {
    let listener = (
        select(vec!["HTTP", "HTTPS", "TLS", "UDP"]),
        select(vec![80, 443, 0, 70_000]),
        prop::option::of(select(vec!["a.example.com", "*.example.com"])),
        select(vec!["All", "Same", "Selector", "Some"]),
    );
    prop::collection::vec(listener, 0..4).prop_map(|listeners| {
        let listeners: Vec<Value> = listeners
            .into_iter()
            .enumerate()
            .map(|(at, (protocol, port, hostname, from))| {
                let tls = json!({"options": {"application-networking.k8s.aws/certificate-arn":
                    "arn:aws:acm:us-west-2:123456789012:certificate/00000000-0000-0000-0000-000000000001"}});
                let tls = if protocol == "HTTPS" { tls } else { Value::Null };
                json!({"name": format!("l{at}"), "protocol": protocol, "port": port, "hostname": hostname,
                    "tls": tls, "allowedRoutes": {"namespaces": {"from": from}}})
            })
            .collect();
        json!({"gatewayClassName": "lattice", "listeners": listeners})
    })
}

fn other_spec() -> impl Strategy<Value = (Kind, Value)> {
    prop_oneof![
        Just((
            Kind::Service,
            json!({"ports": [{"port": 80}, {"name": "b", "port": 81, "appProtocol": "kubernetes.io/h2c"}]})
        )),
        Just((Kind::ServiceExport, json!({}))),
        Just((Kind::ServiceImport, json!({"type": "ClusterSetIP", "ports": [{"port": 80}]}))),
        Just((
            Kind::ReferenceGrant,
            json!({"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute",
            "namespace": "default"}], "to": [{"group": "", "kind": "Service"}]})
        )),
    ]
}

fn object() -> impl Strategy<Value = (usize, Kind, Value)> {
    let spec = prop_oneof![
        4 => (select(vec![Kind::HTTPRoute, Kind::GRPCRoute, Kind::TLSRoute]), route_spec()),
        1 => gateway_spec().prop_map(|spec| (Kind::Gateway, spec)),
        3 => other_spec(),
    ];
    (0..CLUSTERS.len(), select(NAMESPACES.to_vec()), select(NAMES.to_vec()), spec).prop_map(
        |(cluster, namespace, name, (kind, spec))| {
            let name = if kind == Kind::Gateway { "net" } else { name };
            let meta = json!({"namespace": namespace, "name": name, "generation": 1, "resourceVersion": "1"});
            (cluster, kind, json!({"kind": kind.as_str(), "metadata": meta, "spec": spec}))
        },
    )
}

/// Objects, some of the routes with a status that says that they share a service with another.
fn told() -> impl Strategy<Value = (usize, Kind, Value)> {
    let sharing = prop::option::of((select(NAMESPACES.to_vec()), select(NAMES.to_vec())));
    (mutated(), sharing).prop_map(|((cluster, kind, mut object), sharing)| {
        if let (true, Some((namespace, name)), Some(members)) =
            (kind.is_route(), sharing, object.as_object_mut())
        {
            let message = format!(
                "The service of HTTPRoute {namespace}/{name} serves a.example.com for this route too."
            );
            let condition =
                json!({"type": "application-networking.k8s.aws/SharedService", "message": message});
            let parent = json!({"controllerName": CONTROLLER, "conditions": [condition]});
            members.insert("status".into(), json!({"parents": [parent]}));
        }
        (cluster, kind, object)
    })
}

/// The units that an index of references finds for a Service, looks at an export's importers included.
fn found_by_references(
    objects: &Snapshot,
    cluster: &ClusterId,
    service: &(String, String),
) -> BTreeSet<UnitKey> {
    let all = REFERRING_KINDS.into_iter().flat_map(|kind| objects.all(cluster, kind));
    let references = all.map(|(key, object)| references(cluster, key.kind, object));
    let named = references.filter(|one| one.services.contains(service)).flat_map(|one| one.units);
    let (importers, mut units): (BTreeSet<_>, BTreeSet<_>) =
        named.partition(|unit| matches!(unit, UnitKey::Dependents { .. }));
    units.extend(importers.iter().flat_map(|unit| dependents(unit, objects)).map(|(unit, _)| unit));
    units
}

fn nonsense() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{"a": [null]}]])),
    ]
}

/// All places in an object below the metadata that name it.
fn places(value: &Value, path: &str, into: &mut Vec<String>) {
    if !path.is_empty() && !path.starts_with("/kind") && path != "/metadata" {
        into.push(path.to_owned());
    }
    match value {
        Value::Object(members) if path != "/metadata" => {
            for (member, value) in members {
                places(value, &format!("{path}/{member}"), into);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                places(value, &format!("{path}/{at}"), into);
            }
        }
        _ => {}
    }
}

fn mutated() -> impl Strategy<Value = (usize, Kind, Value)> {
    let mutations = prop::collection::vec((any::<Index>(), nonsense()), 0..MUTATIONS_MAX);
    (object(), mutations).prop_map(|((cluster, kind, mut object), mutations)| {
        for (index, value) in mutations {
            let mut all = vec![];
            places(&object, "", &mut all);
            if let Some(place) =
                (!all.is_empty()).then(|| index.get(&all)).and_then(|place| object.pointer_mut(place))
            {
                *place = value;
            }
        }
        (cluster, kind, object)
    })
}

fn snapshot(objects: &[(usize, Kind, Value)]) -> Snapshot {
    let facts = CLUSTERS
        .iter()
        .zip(1..)
        .map(|(name, digit)| ClusterFacts::registered(cluster(name), format!("vpc-0a1b2c3d4e5f6000{digit}")));
    let mut snapshot = Snapshot::of(facts);
    for read in wants_everything(&snapshot) {
        let Read::List { kind, .. } = &read else { continue };
        let (kind, cluster) = (*kind, read.cluster().to_owned());
        let mut found: Vec<Value> = objects
            .iter()
            .filter(|(at, one, _)| CLUSTERS[*at] == cluster.name && *one == kind)
            .map(|(.., object)| object.clone())
            .collect();
        if kind == Kind::GatewayClass {
            found.push(json!({"kind": "GatewayClass", "metadata": {"name": "lattice"}, "spec":
                {"controllerName": "application-networking.k8s.aws/gateway-api-controller"}}));
        }
        snapshot.insert(&read, ReadResult::of(found));
    }
    snapshot
}

fn settings() -> Settings {
    Settings { installation: "trellis".into(), ..Settings::default() }
}

fn all_units(snapshot: &Snapshot) -> Vec<UnitKey> {
    let mut all: Vec<UnitKey> = units(snapshot).into_keys().collect();
    for (cluster, objects) in &snapshot.objects {
        all.extend(objects.keys().map(|key| UnitKey::Dependents {
            kind: key.kind,
            cluster: cluster.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }));
    }
    all
}

/// Everything that is said of a snapshot, as text.
fn everything(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for unit in all_units(snapshot) {
        let translation = translate(&unit, snapshot, &Actual::default(), &settings());
        let patches = statuses(snapshot, &translation, &Outcome::default(), "2026-01-01T00:00:00Z");
        let hints = dependents(&unit, snapshot);
        writeln!(text, "{unit}\n{translation:?}\n{patches:?}\n{hints:?}").unwrap();
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn any_input_is_translated_without_a_panic_and_in_any_order_to_the_same_bytes(
        objects in prop::collection::vec(mutated(), 0..12),
        seed in any::<u64>(),
    ) {
        // Of objects with one name the API server has one only.
        let mut distinct: Vec<(usize, Kind, Value)> = vec![];
        for object in objects {
            let same = |other: &(usize, Kind, Value)| {
                (other.0, other.1, other.2.pointer("/metadata")) == (object.0, object.1, object.2.pointer("/metadata"))
            };
            if !distinct.iter().any(same) {
                distinct.push(object);
            }
        }
        let mut shuffled = distinct.clone();
        let length = shuffled.len().max(1);
        shuffled.rotate_left(usize::try_from(seed % length as u64).unwrap());
        if seed % 2 == 0 {
            shuffled.reverse();
        }
        prop_assert_eq!(everything(&snapshot(&distinct)), everything(&snapshot(&shuffled)));
    }

    #[test]
    fn whatever_is_desired_keeps_the_limits_and_names_what_it_refers_to(
        objects in prop::collection::vec(object(), 0..14),
    ) {
        let snapshot = snapshot(&objects);
        let limits = Limits::default();
        for unit in units(&snapshot).into_keys() {
            let Some(desired) = translate(&unit, &snapshot, &Actual::default(), &settings()).desired else { continue };
            let groups: Vec<&str> = desired.target_groups.iter().map(|group| group.name.as_str()).collect();
            prop_assert!(groups.windows(2).all(|pair| pair[0] < pair[1]), "target groups are not sorted or not distinct");
            prop_assert!(groups.iter().all(|name| name.len() <= 128));
            for service in &desired.services {
                prop_assert!((3..=40).contains(&service.name.len()), "{}", service.name);
                prop_assert!(service.listeners.len() <= limits.listeners_per_service);
                for listener in &service.listeners {
                    prop_assert!((3..=63).contains(&listener.name.len()), "{}", listener.name);
                    prop_assert!(listener.rules.len() <= limits.rules_per_listener);
                    let priorities: Vec<u16> = listener.rules.iter().map(|rule| rule.priority).collect();
                    prop_assert!(priorities.windows(2).all(|pair| pair[0] < pair[1]), "priorities are not distinct");
                    let matches: Vec<_> = listener.rules.iter().map(|rule| &rule.matches).collect();
                    prop_assert!(matches.iter().enumerate().all(|(at, one)| !matches[..at].contains(one)));
                    for action in listener.rules.iter().map(|rule| &rule.action).chain([&listener.default_action]) {
                        let Action::Forward(forward) = action else { continue };
                        prop_assert!((1..=10).contains(&forward.len()));
                        prop_assert!(forward.iter().all(|one| (1..=999).contains(&one.weight)));
                        prop_assert!(forward.iter().all(|one| groups.contains(&one.target_group.as_str())));
                        let led_to = desired.target_groups.iter().filter(|group| {
                            forward.iter().any(|one| one.target_group == group.name)
                        });
                        let mut versions = led_to.filter_map(|group| group.config.protocol_version());
                        let is_plain = listener.protocol == ListenerProtocol::Http;
                        prop_assert!(!is_plain || versions.all(|version| version == ProtocolVersion::Http1));
                    }
                }
            }
            // A plan can be made of it.
            plan(&desired, &Actual::default(), &limits);
        }
    }

    #[test]
    fn reading_step_by_step_ends_and_gives_what_full_lists_give(objects in prop::collection::vec(object(), 0..10)) {
        let full = snapshot(&objects);
        for unit in all_units(&full) {
            let mut step = Snapshot::of(full.facts.values().cloned());
            let mut rounds = 0;
            loop {
                let wanted = wants(&unit, &step);
                if wanted.is_empty() {
                    break;
                }
                rounds += 1;
                prop_assert!(rounds <= trellis_gateway::ROUNDS_MAX, "{unit} wants {wanted:?}");
                for read in wanted {
                    let answer = answer(&full, &read);
                    step.insert(&read, answer);
                }
            }
            prop_assert_eq!(translate(&unit, &step, &Actual::default(), &settings()), translate(&unit, &full, &Actual::default(), &settings()));
        }
    }

    #[test]
    fn the_references_of_all_objects_find_everybody_whom_a_search_of_the_lists_finds(
        objects in prop::collection::vec(told(), 0..14),
    ) {
        let snapshot = snapshot(&objects);
        for cluster in snapshot.facts.keys() {
            for (namespace, name) in NAMESPACES.iter().flat_map(|namespace| NAMES.map(|name| (*namespace, name))) {
                let service = (namespace.to_owned(), name.to_owned());
                let unit = UnitKey::Dependents {
                    kind: Kind::Service, cluster: cluster.clone(), namespace: namespace.into(), name: name.into(),
                };
                let searched: BTreeSet<UnitKey> =
                    dependents(&unit, &snapshot).into_iter().map(|(unit, _)| unit).collect();
                let found = found_by_references(&snapshot, cluster, &service);
                prop_assert!(searched.is_subset(&found), "{}: {:?} and not {:?}", unit, searched, found);
            }
        }
    }

    #[test]
    fn warnings_are_few_and_short_for_any_object((_, kind, object) in mutated()) {
        let warnings = admission_warnings(kind, &object);
        prop_assert!(warnings.len() <= 10);
        prop_assert!(warnings.iter().all(|warning| warning.chars().count() <= 256 && !warning.is_empty()));
        let code = |warning: &str| warning.split(' ').next().and_then(Code::parse);
        prop_assert!(warnings.iter().all(|one| code(one).is_some() || one.starts_with("And ")), "{warnings:?}");
    }
}

/// What an API server that holds the snapshot answers.
fn answer(full: &Snapshot, read: &Read) -> ReadResult {
    let objects: Vec<Value> = match read {
        Read::Get { cluster, kind, namespace, name } => {
            full.get(cluster, *kind, namespace, name).into_iter().cloned().collect()
        }
        Read::List { cluster, kind, namespace, name, service } => full
            .all(cluster, *kind)
            .filter(|(key, _)| namespace.as_ref().is_none_or(|one| *one == key.namespace))
            .filter(|(key, _)| name.as_ref().is_none_or(|one| *one == key.name))
            .filter(|(_, object)| {
                let owner =
                    object.pointer("/metadata/labels/kubernetes.io~1service-name").and_then(Value::as_str);
                service.as_ref().is_none_or(|one| Some(one.as_str()) == owner)
            })
            .map(|(_, object)| object.clone())
            .collect(),
    };
    ReadResult::of(objects)
}
