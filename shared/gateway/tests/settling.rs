//! Units that wake each other by their statuses come to rest, and then all of them say the truth.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

#[path = "support/whole.rs"]
mod whole;

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trellis_gateway::{
    CONTROLLER, ObjectKey, Settings, Snapshot, StatusPatch, concerns_dependents, dependents, statuses,
    translate, units,
};
use trellis_hint::{ClusterId, Hint, Kind, ObjectRef, Operation, UnitKey};
use trellis_lattice::{
    Actual, CreateService, Desired, Outcome, Ownership, ServiceOutcome, Status, Step, Tags, apply_step,
};
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

/// Services by name, with their rules' paths.
type Services = BTreeMap<String, Vec<String>>;

/// What a unit has once everything that it wants is there, and the statuses that are due then.
fn reconcile(snapshot: &Snapshot, unit: &UnitKey) -> (Option<Services>, Vec<StatusPatch>) {
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    let translation = translate(unit, snapshot, &Actual::default(), &settings);
    let mut outcome = Outcome::default();
    let desired = translation.desired.as_ref();
    for service in desired.iter().flat_map(|desired| &desired.services) {
        let dns_name = format!("{}-01234567890abcdef.example.on.aws", service.name);
        let there = ServiceOutcome { arn: String::new(), dns_name: Some(dns_name) };
        outcome.services.insert(service.name.clone(), there);
    }
    if let Some(network) = desired.and_then(|desired| desired.network.as_ref()) {
        outcome.networks.insert(network.name.clone(), "arn".into());
    }
    let paths = |service: &trellis_lattice::DesiredService| {
        let rules = service.listeners.iter().flat_map(|listener| &listener.rules);
        rules.map(|rule| format!("{:?}", rule.matches.path)).collect()
    };
    let services = |desired: &Desired| {
        desired.services.iter().map(|service| (service.name.clone(), paths(service))).collect()
    };
    let patches = statuses(snapshot, &translation, &outcome, "2026-01-01T00:00:00Z");
    (desired.map(services), patches)
}

/// An object, to be changed.
fn edited<'a>(snapshot: &'a mut Snapshot, cluster: &ClusterId, key: &ObjectKey) -> &'a mut Value {
    Arc::make_mut(snapshot.objects.get_mut(cluster).unwrap().get_mut(key).unwrap())
}

/// Writes statuses.
fn store(snapshot: &mut Snapshot, patches: Vec<StatusPatch>) {
    for patch in patches {
        let key = ObjectKey { kind: patch.kind, namespace: patch.namespace, name: patch.name };
        let object = edited(snapshot, &patch.cluster, &key);
        let status = object.as_object_mut().unwrap().entry("status").or_insert(Value::Object(Map::new()));
        for (member, value) in patch.status.as_object().unwrap() {
            status.as_object_mut().unwrap().insert(member.clone(), value.clone());
        }
    }
}

/// Reconciles units whose objects were edited and whom they wake, in order, with everything that is desired being there at
/// once. Gives back the services that are there in the end.
fn settle(snapshot: &mut Snapshot, mut queue: Vec<UnitKey>) -> Services {
    let mut edited: BTreeSet<UnitKey> = queue.iter().cloned().collect();
    let mut by_unit: BTreeMap<UnitKey, Services> = BTreeMap::new();
    let mut reconciles = 0;
    while !queue.is_empty() {
        let unit = queue.remove(0);
        reconciles += 1;
        assert!(reconciles <= RECONCILES_MAX, "the units wake each other for ever");
        let (services, patches) = reconcile(snapshot, &unit);
        by_unit.extend(services.map(|services| (unit.clone(), services)));
        let mut woken: BTreeSet<UnitKey> = BTreeSet::new();
        if edited.remove(&unit) {
            woken.extend(dependents(&unit, snapshot).into_iter().map(|(unit, _)| unit));
        }
        woken.extend(patches.iter().flat_map(|patch| patch.notify.clone()));
        store(snapshot, patches);
        queue.extend(woken.into_iter().filter(|one| !queue.contains(one)).collect::<Vec<_>>());
    }
    by_unit.into_values().flatten().collect()
}

/// The statuses that are due although nobody was hinted at.
fn missed(snapshot: &Snapshot) -> Vec<String> {
    let patches = units(snapshot).into_keys().flat_map(|unit| reconcile(snapshot, &unit).1);
    patches.map(|patch| format!("{}: {}", patch.name, patch.summary)).collect()
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
fn routes_of_a_gateway_with_one_service_come_to_rest_with_one_name_also_without_the_oldest() {
    let mut snapshot = world(&[
        route("young", "2026-01-03T00:00:00Z", &[]),
        route("old", "2026-01-01T00:00:00Z", &[]),
        route("middle", "2026-01-02T00:00:00Z", &[]),
    ]);
    let gateway = ObjectKey { kind: Kind::Gateway, namespace: "d".into(), name: "net".into() };
    let gateway = edited(&mut snapshot, &one(), &gateway);
    gateway["metadata"]["annotations"] = json!({"application-networking.k8s.aws/service-per": "gateway"});
    let queue: Vec<UnitKey> = units(&snapshot).into_keys().collect();
    let services = settle(&mut snapshot, queue);
    assert!(services.len() == 1 && services.values().all(|paths| paths.len() == 3), "{services:?}");
    let shared = condition(&snapshot, "old", "Accepted")["message"].clone();
    for name in ["old", "middle", "young"] {
        assert_eq!(condition(&snapshot, name, "Programmed")["status"], "True", "{name}");
        assert_eq!(condition(&snapshot, name, "Accepted")["message"], shared, "{name}");
    }
    assert_eq!(missed(&snapshot), [""; 0]);
    let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "d".into(), name: "old".into() };
    snapshot.objects.get_mut(&one()).unwrap().remove(&key);
    let left = settle(&mut snapshot, vec![unit("old")]);
    assert!(left.len() == 1 && left.values().all(|paths| paths.len() == 2), "{left:?}");
    for name in ["middle", "young"] {
        assert_eq!(condition(&snapshot, name, "Programmed")["status"], "True", "{name}");
    }
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
    let object = edited(&mut snapshot, &one(), &key);
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

/// Changes of the oldest route of a hostname that leave it to younger ones.
const LEAVING: [&str; 6] = [
    "is deleted",
    "names no hostname",
    "names another hostname",
    "has no parent",
    "is on another Gateway",
    "cannot be read",
];

fn leave(snapshot: &mut Snapshot, name: &str, how: &str) {
    let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "d".into(), name: name.into() };
    if how == "is deleted" {
        snapshot.objects.get_mut(&one()).unwrap().remove(&key);
        return;
    }
    let object = edited(snapshot, &one(), &key);
    object["metadata"]["generation"] = json!(2);
    let spec = &mut object["spec"];
    match how {
        "names no hostname" => spec["hostnames"] = json!([]),
        "names another hostname" => spec["hostnames"] = json!(["else.example.com"]),
        "has no parent" => spec["parentRefs"] = json!([]),
        "is on another Gateway" => spec["parentRefs"] = json!([{"name": "apart"}]),
        _ => spec["hostnames"] = json!(7),
    }
}

/// A world in which an oldest route has all and the others what it leaves them, settled.
fn contested(others: Vec<Value>) -> Snapshot {
    let mut oldest = route("old", "2026-01-01T00:00:00Z", &HOSTNAMES);
    oldest["spec"]["rules"][0]["matches"][0]["path"]["value"] = json!("/");
    let apart = json!({"kind": "Gateway", "metadata": {"namespace": "d", "name": "apart", "generation": 1},
        "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}});
    let net = json!({"kind": "Gateway", "metadata": {"namespace": "e", "name": "net", "generation": 1},
        "spec": {"gatewayClassName": "c", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]}});
    let mut snapshot = world(&[vec![oldest, apart, net], others].concat());
    let queue: Vec<UnitKey> = units(&snapshot).into_keys().collect();
    settle(&mut snapshot, queue);
    assert_eq!(missed(&snapshot), [""; 0]);
    snapshot
}

/// More than a message lists problems of.
const HOSTNAMES: [&str; 7] = [
    "a.example.com",
    "b.example.com",
    "c.example.com",
    "d.example.com",
    "e.example.com",
    "f.example.com",
    "g.example.com",
];

fn follows_when_the_oldest_leaves(other: &dyn Fn() -> Value) {
    for how in LEAVING {
        let mut snapshot = contested(vec![other()]);
        let before = condition(&snapshot, "young", "Accepted").clone();
        leave(&mut snapshot, "old", how);
        // A route's change is told to its Gateway too.
        let net = UnitKey::Gateway { scope: one().scope, name: "net".into() };
        settle(&mut snapshot, vec![unit("old"), net]);
        assert_ne!(*condition(&snapshot, "young", "Accepted"), before, "the oldest route {how}");
        assert_eq!(missed(&snapshot), [""; 0], "the oldest route {how}");
    }
}

#[test]
fn who_is_refused_for_its_gateways_is_told_when_the_oldest_route_leaves_the_hostname() {
    follows_when_the_oldest_leaves(&|| {
        let mut young = route("young", "2026-01-02T00:00:00Z", &HOSTNAMES[..1]);
        young["spec"]["parentRefs"] = json!([{"name": "net", "namespace": "e"}]);
        young
    });
}

#[test]
fn who_is_refused_for_more_hostnames_than_a_message_names_is_told_when_the_oldest_route_leaves_them() {
    follows_when_the_oldest_leaves(&|| {
        let mut young = route("young", "2026-01-02T00:00:00Z", &HOSTNAMES);
        young["spec"]["parentRefs"] = json!([{"name": "net", "namespace": "e"}]);
        young
    });
}

#[test]
fn who_is_refused_for_a_quota_is_told_when_the_oldest_route_leaves_the_hostname() {
    follows_when_the_oldest_leaves(&|| {
        let mut young = route("young", "2026-01-02T00:00:00Z", &HOSTNAMES[..1]);
        let paths = (0..10).map(|n| json!({"path": {"type": "Exact", "value": format!("/{n}")}}));
        young["spec"]["rules"][0]["matches"] = paths.collect();
        young
    });
}

/// An heir that forgot whose service it waits for would make one of its own, and a hostname would have two.
#[test]
fn an_heir_that_waits_for_its_service_goes_on_telling_whose_it_is() {
    let young = route("young", "2026-01-02T00:00:00Z", &HOSTNAMES[..1]);
    let mut snapshot = contested(vec![young]);
    let told = |snapshot: &Snapshot| {
        condition(snapshot, "young", "application-networking.k8s.aws/SharedService")["message"].clone()
    };
    let before = told(&snapshot);
    let message = condition(&snapshot, "young", "Accepted")["message"].as_str().unwrap().to_owned();
    let name =
        message.trim_start_matches("DNS Name: ").split("-01234567890abcdef").next().unwrap().to_owned();
    leave(&mut snapshot, "old", "is deleted");
    let mut actual = Actual::default();
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    let (service, custom_domain) = (name.clone(), Some(HOSTNAMES[0].to_owned()));
    let made = CreateService {
        service,
        custom_domain,
        certificate_arn: None,
        idle_timeout_seconds: None,
        tags: Tags::new(),
    };
    apply_step(&mut actual, &settings.owner(&unit("old")), &Step::CreateService(made));
    actual.services[0].ownership = Ownership::OtherUnit(unit("old").to_string());
    actual.services[0].status = Status::Active;
    for _ in 0..2 {
        let translation = translate(&unit("young"), &snapshot, &actual, &settings);
        assert!(translation.desired.is_none(), "{:?}", translation.desired);
        assert!(translation.held[0].contains(&name), "{:?}", translation.held);
        let due = statuses(&snapshot, &translation, &Outcome::default(), "2026-01-01T00:00:00Z");
        store(&mut snapshot, due);
        assert_eq!(told(&snapshot), before);
    }
}

#[test]
fn a_route_that_is_edited_concerns_others_and_one_that_is_only_looked_at_does_not() {
    let object = |kind| ObjectRef {
        cluster: one(),
        kind,
        namespace: "d".into(),
        name: "old".into(),
        uid: String::new(),
        generation: 2,
    };
    let concerns = |operation, kind| {
        concerns_dependents(&unit("old"), &[Hint::new(unit("old"), object(kind), operation)], true)
    };
    for operation in [Operation::Create, Operation::Update, Operation::Delete] {
        assert!(concerns(operation, Kind::HTTPRoute), "{operation:?}");
    }
    assert!(!concerns(Operation::Resync, Kind::HTTPRoute));
    assert!(!concerns(Operation::Update, Kind::Service), "a new Pod must not cost a list of all routes");
}

#[test]
fn a_route_without_hostnames_tells_those_that_leave_requests_for_theirs_unanswered() {
    let mut all = route("all", "2026-01-01T00:00:00Z", &["all.example.com"]);
    all["spec"]["rules"] = json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]);
    let mut elsewhere = route("elsewhere", "2026-01-01T00:00:00Z", &["elsewhere.example.com"]);
    elsewhere["spec"]["parentRefs"] = json!([{"name": "net", "sectionName": "none"}]);
    let some = route("some", "2026-01-01T00:00:00Z", &["some.example.com"]);
    let others = route("others", "2026-01-01T00:00:00Z", &[]);
    let snapshot = world(&[all, elsewhere, some, others, route("open", "2026-02-01T00:00:00Z", &[])]);
    let told: Vec<UnitKey> = dependents(&unit("open"), &snapshot).into_iter().map(|(unit, _)| unit).collect();
    assert_eq!(told, [unit("some")]);
    assert_eq!(dependents(&unit("some"), &snapshot), []);
}

/// The oldest one of a service tells what a younger one leaves unanswered on a listener that is the younger one's alone.
#[test]
fn a_route_without_hostnames_tells_all_routes_of_a_service_that_leaves_requests_for_theirs_unanswered() {
    let of_listener = |mut route: Value, section: &str| {
        route["spec"]["parentRefs"] = json!([{"name": "net", "sectionName": section}]);
        route
    };
    let leader = of_listener(route("leader", "2026-01-01T00:00:00Z", &["shop.example.com"]), "http");
    let mut follower = of_listener(route("follower", "2026-01-02T00:00:00Z", &["shop.example.com"]), "other");
    let everything = json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]);
    let some = follower["spec"]["rules"].take();
    for rules in [some, everything] {
        follower["spec"]["rules"] = rules;
        let gateway = json!({"kind": "Gateway", "metadata": {"namespace": "d", "name": "net", "generation": 1},
            "spec": {"gatewayClassName": "c", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"},
                {"name": "other", "port": 8080, "protocol": "HTTP"}]}});
        let open = of_listener(route("open", "2026-02-01T00:00:00Z", &[]), "other");
        let mut snapshot = world(&[gateway.clone(), leader.clone(), follower.clone()]);
        let all = units(&snapshot).into_keys().collect();
        settle(&mut snapshot, all);
        let before = snapshot.objects.remove(&one()).unwrap();
        snapshot =
            world(&[vec![gateway, open], before.into_values().map(Arc::unwrap_or_clone).collect()].concat());
        settle(&mut snapshot, vec![unit("open")]);
        assert_eq!(missed(&snapshot), Vec::<String>::new());
    }
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
