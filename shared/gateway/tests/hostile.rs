//! An object that has become unreadable is a mistake and no wish: what stands for it in VPC Lattice stays.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::sync::LazyLock;
use trellis_gateway::{
    ClusterFacts, ObjectKey, ReadResult, Settings, Snapshot, assess, to_inspect, units, wants_everything,
};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Actual, Owner, Ownership, Plan, Status, Step, apply_step};

/// What the units have made of the world as it was before the mistake.
static MADE: LazyLock<Vec<(UnitKey, Actual)>> = LazyLock::new(|| {
    let good = snapshot(&world());
    let units = [ROUTE, GATEWAY].map(|unit| unit.parse::<UnitKey>().unwrap());
    units.into_iter().map(|unit| (unit.clone(), made(&good, &unit))).collect()
});

const GATEWAY: &str = "gateway/123456789012/us-west-2/my-hotel";
const ROUTE: &str = "route/123456789012/us-west-2/HTTPRoute/one/default/inventory";

fn cluster() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn settings() -> Settings {
    Settings { installation: "trellis".into(), ..Settings::default() }
}

fn object(kind: Kind, name: &str, mut rest: Value) -> Value {
    rest["kind"] = json!(kind.as_str());
    rest["metadata"]["namespace"] = json!("default");
    rest["metadata"]["name"] = json!(name);
    rest["metadata"]["generation"] = json!(1);
    rest["metadata"]["resourceVersion"] = json!("1");
    rest
}

/// The guide's route with a path for each of two Services.
fn world() -> Vec<(Kind, Value)> {
    let slice = |service: &str, ip: &str| {
        json!({"metadata": {"labels": {"kubernetes.io/service-name": service}}, "addressType": "IPv4",
            "ports": [{"port": 8090, "protocol": "TCP"}],
            "endpoints": [{"addresses": [ip], "conditions": {"ready": true}}]})
    };
    let service = json!({"spec": {"clusterIP": "172.20.0.10", "ipFamilies": ["IPv4"],
        "ports": [{"protocol": "TCP", "port": 80, "targetPort": 8090}]}});
    let rule = |path: &str, name: &str| {
        json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": [{"kind": "Service", "name": name, "port": 80, "weight": 1}]})
    };
    let route = json!({"spec": {"parentRefs": [{"name": "my-hotel", "sectionName": "http"}],
        "hostnames": ["inventory.example.com"], "rules": [rule("/a", "a"), rule("/b", "b")]}});
    let programmed = json!({"type": "application-networking.k8s.aws/VpcAssociated", "status": "True"});
    let gateway = json!({"status": {"conditions": [programmed]}, "spec": {"gatewayClassName": "lattice",
        "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}});
    let class = json!({"metadata": {"name": "lattice"}, "kind": "GatewayClass",
        "spec": {"controllerName": trellis_gateway::CONTROLLER}});
    vec![
        (Kind::GatewayClass, class),
        (Kind::Gateway, object(Kind::Gateway, "my-hotel", gateway)),
        (Kind::Service, object(Kind::Service, "a", service.clone())),
        (Kind::Service, object(Kind::Service, "b", service)),
        (Kind::EndpointSlice, object(Kind::EndpointSlice, "a-1", slice("a", "10.0.0.1"))),
        (Kind::EndpointSlice, object(Kind::EndpointSlice, "b-1", slice("b", "10.0.0.2"))),
        (Kind::HTTPRoute, object(Kind::HTTPRoute, "inventory", route)),
    ]
}

fn snapshot(world: &[(Kind, Value)]) -> Snapshot {
    let mut snapshot = Snapshot::of([ClusterFacts::registered(cluster(), "vpc-0a1b2c3d4e5f60001")]);
    for read in wants_everything(&snapshot) {
        let kind = read.kind();
        let of_kind = world.iter().filter(|(one, _)| *one == kind).map(|(_, object)| object.clone());
        snapshot.insert(&read, ReadResult::of(of_kind));
    }
    snapshot
}

fn plan_of(unit: &UnitKey, snapshot: &Snapshot, actual: &Actual) -> Option<Plan> {
    let assessment = assess(snapshot, actual, unit, &settings());
    assert!(assessment.violations.is_empty(), "{:?}", assessment.violations);
    assessment.plan
}

/// VPC Lattice as the world's units have made it, as one unit sees it.
fn made(snapshot: &Snapshot, seen_by: &UnitKey) -> Actual {
    let mut actual = Actual::default();
    for unit in units(snapshot).into_keys() {
        if to_inspect(&unit, snapshot, &settings()).is_none() {
            continue;
        }
        let owner: Owner = settings().owner(&unit);
        for step in plan_of(&unit, snapshot, &actual).unwrap().steps {
            apply_step(&mut actual, &owner, &step);
        }
        let own = *seen_by == unit;
        for one in actual.resources_mut().into_iter().filter(|_| !own) {
            if *one.ownership == Ownership::Ours {
                *one.ownership = Ownership::OtherUnit(unit.to_string());
            }
        }
    }
    for service in &mut actual.services {
        service.status = Status::Active;
        service.is_propagating = false;
        service.associations.iter_mut().for_each(|one| one.status = Status::Active);
    }
    actual.target_groups.iter_mut().for_each(|one| one.status = Status::Active);
    actual.vpc_associations.iter_mut().for_each(|one| one.status = Status::Active);
    actual
}

/// All places of a value, and of what is in it.
fn places(value: &Value, path: &str, into: &mut Vec<String>) {
    into.push(path.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| places(value, &format!("{path}/{key}"), into));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| places(value, &format!("{path}/{at}"), into));
        }
        _ => {}
    }
}

/// A value of a type that its place cannot have: no member of these objects may be an array in an array, or a number with a
/// fraction.
fn of_no_type() -> impl Strategy<Value = Value> {
    select(vec![json!([[1.5]]), json!(1.5), json!([[["a"]]])])
}

fn takes_away(step: &Step) -> bool {
    matches!(
        step,
        Step::DeleteService(_)
            | Step::DeleteListener(_)
            | Step::DeleteAssociation(_)
            | Step::DeleteVpcAssociation(_)
            | Step::DeleteNetwork(_)
    )
}

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey { kind, namespace: "default".into(), name: name.into() }
}

#[test]
fn the_world_of_these_tests_is_settled() {
    let snapshot = snapshot(&world());
    assert!(snapshot.objects[&cluster()].contains_key(&key(Kind::HTTPRoute, "inventory")));
    let unit: UnitKey = ROUTE.parse().unwrap();
    let actual = made(&snapshot, &unit);
    assert_eq!(actual.services.len(), 1);
    let plan = plan_of(&unit, &snapshot, &actual).unwrap();
    assert!(plan.is_settled(), "{plan}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_route_or_gateway_that_cannot_be_read_loses_no_service_and_no_network(
        kind in select(vec![Kind::HTTPRoute, Kind::Gateway]),
        place in any::<Index>(),
        value in of_no_type(),
    ) {
        let mut broken = world();
        let object = &mut broken.iter_mut().find(|(one, _)| *one == kind).unwrap().1;
        let mut all = vec![];
        places(&object["spec"], "/spec", &mut all);
        let place = place.get(&all).clone();
        *object.pointer_mut(&place).unwrap() = value.clone();
        let broken = snapshot(&broken);
        for (unit, actual) in &*MADE {
            let Some(plan) = plan_of(unit, &broken, actual) else { continue };
            let lost: Vec<String> = plan.steps.iter().filter(|step| takes_away(step)).map(ToString::to_string).collect();
            prop_assert!(lost.is_empty(), "{} of the {kind} is {value}: {unit} loses {lost:?}", place);
        }
    }
}
