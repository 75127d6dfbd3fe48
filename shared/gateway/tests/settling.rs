//! Units that wake each other by their statuses come to rest, and then all of them say the truth.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

#[path = "support/whole.rs"]
mod whole;

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{CONTROLLER, ObjectKey, Settings, Snapshot, dependents, statuses, translate, units};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Actual, Outcome, ServiceOutcome};
use whole::whole;

/// Reconciles that a handful of objects may take; a loop would take any number.
const RECONCILES_MAX: usize = 60;

fn one() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn route(name: &str, created: &str, hostnames: &[&str]) -> Value {
    json!({"kind": "HTTPRoute",
        "metadata": {"namespace": "d", "name": name, "generation": 1, "creationTimestamp": created},
        "spec": {"parentRefs": [{"name": "net"}], "hostnames": hostnames,
            "rules": [{"matches": [{"path": {"type": "Exact", "value": format!("/{name}")}}]}]}})
}

fn world(routes: &[Value]) -> Snapshot {
    let mut objects = vec![
        json!({"kind": "GatewayClass", "metadata": {"name": "c", "generation": 1}, "spec": {"controllerName": CONTROLLER}}),
        json!({"kind": "Gateway", "metadata": {"namespace": "d", "name": "net", "generation": 1},
            "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}),
    ];
    objects.extend_from_slice(routes);
    whole(one(), &objects)
}

fn unit(name: &str) -> UnitKey {
    UnitKey::Route { kind: Kind::HTTPRoute, cluster: one(), namespace: "d".into(), name: name.into() }
}

/// Reconciles the units and whom they wake, in order, with everything that is desired being there at once. Gives back
/// the services that are there in the end, by name, with their rules' paths.
fn settle(snapshot: &mut Snapshot, mut queue: Vec<UnitKey>) -> BTreeMap<String, Vec<String>> {
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    let mut by_unit: BTreeMap<UnitKey, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let mut reconciles = 0;
    while !queue.is_empty() {
        let unit = queue.remove(0);
        reconciles += 1;
        assert!(reconciles <= RECONCILES_MAX, "the units wake each other for ever");
        let translation = translate(&unit, snapshot, &Actual::default(), &settings);
        let mut outcome = Outcome::default();
        if let Some(desired) = &translation.desired {
            for service in &desired.services {
                let dns_name = format!("{}-01234567890abcdef.example.on.aws", service.name);
                let there = ServiceOutcome { arn: String::new(), dns_name: Some(dns_name) };
                outcome.services.insert(service.name.clone(), there);
            }
            if let Some(network) = &desired.network {
                outcome.networks.insert(network.name.clone(), "arn".into());
            }
            let paths = |service: &trellis_lattice::DesiredService| {
                let rules = service.listeners.iter().flat_map(|listener| &listener.rules);
                rules.map(|rule| format!("{:?}", rule.matches.path)).collect()
            };
            let services = desired.services.iter().map(|service| (service.name.clone(), paths(service)));
            by_unit.insert(unit.clone(), services.collect());
        }
        let mut woken: BTreeSet<UnitKey> = BTreeSet::new();
        if translation.desired.is_some() && translation.reports.is_empty() {
            woken.extend(dependents(&unit, snapshot).into_iter().map(|(unit, _)| unit));
        }
        for patch in statuses(snapshot, &translation, &outcome, "2026-01-01T00:00:00Z") {
            woken.extend(patch.notify.clone());
            let key = ObjectKey { kind: patch.kind, namespace: patch.namespace, name: patch.name };
            let object = snapshot.objects.get_mut(&patch.cluster).unwrap().get_mut(&key).unwrap();
            let status = object.as_object_mut().unwrap().entry("status").or_insert(Value::Object(Map::new()));
            for (member, value) in patch.status.as_object().unwrap() {
                status.as_object_mut().unwrap().insert(member.clone(), value.clone());
            }
        }
        queue.extend(woken.into_iter().filter(|one| !queue.contains(one)).collect::<Vec<_>>());
    }
    by_unit.into_values().flatten().collect()
}

fn condition<'a>(snapshot: &'a Snapshot, name: &str, kind: &str) -> &'a Value {
    let route = snapshot.get(&one(), Kind::HTTPRoute, "d", name).unwrap();
    let conditions = route.pointer("/status/parents/0/conditions").unwrap().as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap()
}

#[test]
fn routes_of_one_hostname_come_to_rest_programmed_with_one_name() {
    let mut snapshot = world(&[
        route("young", "2026-01-03T00:00:00Z", &["shop.example.com", "young.example.com"]),
        route("old", "2026-01-01T00:00:00Z", &["shop.example.com"]),
        route("middle", "2026-01-02T00:00:00Z", &["shop.example.com"]),
    ]);
    let queue: Vec<UnitKey> = units(&snapshot).into_keys().collect();
    let services = settle(&mut snapshot, queue);
    assert_eq!(services.len(), 2, "{services:?}");
    for name in ["old", "middle", "young"] {
        assert_eq!(condition(&snapshot, name, "Programmed")["status"], "True", "{name}");
    }
    let shared = condition(&snapshot, "old", "Accepted")["message"].as_str().unwrap();
    assert_eq!(condition(&snapshot, "middle", "Accepted")["message"], shared);
    assert!(condition(&snapshot, "young", "Accepted")["message"].as_str().unwrap().starts_with(shared));
    assert!(services.values().any(|paths| paths.len() == 3), "{services:?}");
    assert!(units(&snapshot).into_keys().all(|unit| settle(&mut snapshot.clone(), vec![unit]).len() <= 2));
}

#[test]
fn when_the_oldest_route_is_deleted_the_next_has_the_service() {
    let mut snapshot = world(&[
        route("old", "2026-01-01T00:00:00Z", &["shop.example.com"]),
        route("young", "2026-01-02T00:00:00Z", &["shop.example.com"]),
    ]);
    let queue: Vec<UnitKey> = units(&snapshot).into_keys().collect();
    settle(&mut snapshot, queue);
    let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "d".into(), name: "old".into() };
    snapshot.objects.get_mut(&one()).unwrap().remove(&key);
    let services = settle(&mut snapshot, vec![unit("old")]);
    assert_eq!(services.values().cloned().collect::<Vec<_>>(), [[r#"Some(Exact("/young"))"#.to_owned()]]);
    assert_eq!(condition(&snapshot, "young", "Programmed")["status"], "True");
}

#[test]
fn a_changed_follower_is_programmed_only_once_the_leader_has_its_rules() {
    let mut snapshot = world(&[
        route("old", "2026-01-01T00:00:00Z", &["shop.example.com"]),
        route("young", "2026-01-02T00:00:00Z", &["shop.example.com"]),
    ]);
    let queue: Vec<UnitKey> = units(&snapshot).into_keys().collect();
    settle(&mut snapshot, queue);
    let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "d".into(), name: "young".into() };
    let object = snapshot.objects.get_mut(&one()).unwrap().get_mut(&key).unwrap();
    object["metadata"]["generation"] = json!(2);
    object["spec"]["rules"][0]["matches"][0]["path"]["value"] = json!("/new");
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    let translation = translate(&unit("young"), &snapshot, &Actual::default(), &settings);
    let patches = statuses(&snapshot, &translation, &Outcome::default(), "2026-01-01T00:00:00Z");
    assert!(patches[0].summary.contains("Programmed=False/Pending"), "{}", patches[0].summary);
    assert!(patches[0].notify.contains(&unit("old")));
    let services = settle(&mut snapshot, vec![unit("young")]);
    assert!(services.values().flatten().any(|path| path.contains("/new")), "{services:?}");
    assert_eq!(condition(&snapshot, "young", "Programmed")["status"], "True");
    assert_eq!(condition(&snapshot, "young", "Programmed")["observedGeneration"], 2);
}

#[test]
fn objects_of_other_controllers_are_no_units() {
    let mut foreign = route("r", "2026-01-01T00:00:00Z", &[]);
    foreign["spec"]["parentRefs"] = json!([{"name": "mesh"}]);
    let snapshot = world(&[foreign]);
    let texts: Vec<String> = units(&snapshot).into_keys().map(|unit| unit.to_string()).collect();
    assert_eq!(
        texts,
        ["gateway/123456789012/us-west-2/net", "dependents/123456789012/us-west-2/GatewayClass/one//c"]
    );
}
