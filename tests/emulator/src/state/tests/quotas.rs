//! Row 38 of the conflict matrix: quotas and their codes. Row 39: rates.

use serde_json::{Value, json};

use super::{MODEL, World, forward, not_found, rule};
use crate::state::tests::VPC;
use crate::state::{Effect, Refusal};

fn code(world: &mut World, operation: &str, input: Value) -> &'static str {
    match world.call(operation, input) {
        Err(Refusal::Quota { code, .. }) => code,
        other => panic!("{operation}: {other:?}"),
    }
}

#[test]
fn row_38_d_quotas_of_the_region_and_of_services() {
    let quotas = json!({"service-networks": 1, "services": 1, "target-groups": 2, "listeners-per-service": 1,
                        "rules-per-listener": 1, "target-groups-per-service": 1, "targets-per-group": 1});
    let mut world = World::with(&json!({"quotas": quotas}));
    world.network("one");
    assert_eq!(code(&mut world, "CreateServiceNetwork", json!({"name": "two"})), "L-9CAD07FB");
    let service = world.service("one");
    assert_eq!(code(&mut world, "CreateService", json!({"name": "two"})), "L-620C821E");
    let groups = [world.group("one"), world.group("two")];
    let third = json!({"name": "three", "type": "LAMBDA"});
    assert_eq!(code(&mut world, "CreateTargetGroup", third), "L-BB11C6B9");
    let listener = world.listener(&service, "http", 80);
    let second = json!({"serviceIdentifier": service, "name": "other", "protocol": "HTTP", "port": 81,
                        "defaultAction": not_found()});
    assert_eq!(code(&mut world, "CreateListener", second), "L-D64E952E");
    let both = forward(&[(&groups[0], 1), (&groups[1], 1)]);
    assert_eq!(code(&mut world, "CreateRule", rule(&service, &listener, "one", 1, &both)), "L-3DEC3B9F");
    world.ok("CreateRule", rule(&service, &listener, "one", 1, &forward(&[(&groups[0], 1)])));
    let another = rule(&service, &listener, "two", 2, &not_found());
    assert_eq!(code(&mut world, "CreateRule", another), "L-CF78395E");
    let targets =
        json!({"targetGroupIdentifier": groups[0], "targets": [{"id": "10.0.0.1"}, {"id": "10.0.0.2"}]});
    assert_eq!(code(&mut world, "RegisterTargets", targets), "L-D71303F3");
}

#[test]
fn row_38_d_quotas_of_service_networks() {
    let quotas = json!({"services-per-network": 1, "vpcs-per-network": 1, "resources-per-network": 0});
    let mut world = World::with(&json!({"quotas": quotas}));
    let network = world.network("net");
    let (first, second) = (world.service("one"), world.service("two"));
    world.link(&first, &network);
    let input = json!({"serviceIdentifier": second, "serviceNetworkIdentifier": network});
    assert_eq!(code(&mut world, "CreateServiceNetworkServiceAssociation", input), "L-75D4A19E");
    world.link_vpc(&network, VPC);
    let input = json!({"vpcIdentifier": "vpc-00000000000000002", "serviceNetworkIdentifier": network});
    assert_eq!(code(&mut world, "CreateServiceNetworkVpcAssociation", input), "L-EF6E2D62");
    let resource = world.id("CreateResourceConfiguration", json!({"name": "res", "type": "SINGLE"}));
    let input = json!({"resourceConfigurationIdentifier": resource, "serviceNetworkIdentifier": network});
    assert_eq!(code(&mut world, "CreateServiceNetworkResourceAssociation", input), "L-6095700C");
}

#[test]
fn row_38_d_quotas_of_resources_and_domains() {
    let quotas = json!({"resource-configurations": 2, "children-per-group": 1, "resource-gateways-per-vpc": 1,
                        "domain-verifications": 1});
    let mut world = World::with(&json!({"quotas": quotas}));
    world.ok("CreateResourceGateway", json!({"name": "one", "vpcIdentifier": VPC}));
    let gateway = json!({"name": "two", "vpcIdentifier": VPC});
    assert_eq!(code(&mut world, "CreateResourceGateway", gateway), "L-0DCA4434");
    let group = world.id("CreateResourceConfiguration", json!({"name": "group", "type": "GROUP"}));
    let child = |name| json!({"name": name, "type": "CHILD", "resourceConfigurationGroupIdentifier": group});
    let first = world.id("CreateResourceConfiguration", child("one"));
    assert_eq!(code(&mut world, "CreateResourceConfiguration", child("two")), "L-5FF8F9B9");
    world.state.settings.quotas.resource_configurations = 10;
    assert_eq!(code(&mut world, "CreateResourceConfiguration", child("two")), "L-9BC96FEF");
    world.ok("DeleteResourceConfiguration", json!({"resourceConfigurationIdentifier": first}));
    world.ok("CreateResourceConfiguration", child("two"));
    world.ok("StartDomainVerification", json!({"domainName": "one.example.com"}));
    let domain = json!({"domainName": "two.example.com"});
    assert_eq!(code(&mut world, "StartDomainVerification", domain), "L-73D0F278");
}

#[test]
fn switch_20_the_quota_of_rules_counts_the_default_rule_or_not() {
    for (counts, room) in [(false, 1), (true, 0)] {
        let patch =
            json!({"quotas": {"rules-per-listener": 1}, "switches": {"quota-counts-default": counts}});
        let mut world = World::with(&patch);
        let service = world.service("svc");
        let listener = world.listener(&service, "http", 80);
        let made = (1..=3)
            .take_while(|n| {
                let input = rule(&service, &listener, &format!("r-{n}"), *n, &not_found());
                world.call("CreateRule", input).is_ok()
            })
            .count();
        assert_eq!(made, room, "{counts}");
    }
}

#[test]
fn row_39_o_and_switch_11_rates_refill_with_time_and_spare_operations_that_cannot_be_throttled() {
    let rate = json!({"per-second": 1.0, "burst": 2.0});
    let mut world = World::with(&json!({"throttle": {"read": rate, "mutate": rate,
        "operations": {"ListServices": {"per-second": 1.0, "burst": 1.0}}}}));
    let admitted = |world: &mut World, name: &str| {
        let now = world.now;
        world.state.admit(now, MODEL.operation(name).unwrap()).is_ok()
    };
    let asked = |world: &mut World, name: &str| [0; 3].map(|_| admitted(world, name));
    assert_eq!(asked(&mut world, "GetService"), [true, true, false]);
    assert_eq!(asked(&mut world, "CreateService"), [true, true, false]);
    assert_eq!(asked(&mut world, "ListServices"), [true, false, false]);
    assert_eq!(asked(&mut world, "ListTagsForResource"), [true, true, true]);
    world.pass(1);
    assert_eq!(asked(&mut world, "GetService"), [true, false, false]);
}

#[test]
fn switch_11_without_rates_nothing_is_throttled() {
    let mut world = World::quick();
    let operation = MODEL.operation("CreateService").unwrap();
    assert!((0..1000).all(|_| world.state.admit(world.now, operation).is_ok()));
}

#[test]
fn faults_hit_the_operations_that_they_name_as_often_as_they_say() {
    let faults = json!([{"kind": "error-after", "operation": "Create*", "count": 2},
                        {"kind": "slow", "operation": "GetService", "delay": "3s"},
                        {"kind": "stale-list", "delay": "1s"}]);
    let mut world = World::with(&json!({"faults": faults}));
    let mut effect = |name: &str| world.state.effect(MODEL.operation(name).unwrap());
    let created = [0; 3].map(|_| effect("CreateRule"));
    assert_eq!(created, [Effect::ErrorAfter, Effect::ErrorAfter, Effect::None]);
    assert!(matches!(effect("GetService"), Effect::Slow(_)));
    assert!(matches!(effect("ListServices"), Effect::Stale(_)));
    assert_eq!(effect("GetRule"), Effect::None);
}

#[test]
fn faults_by_seed_hit_their_share_of_calls_and_the_same_ones_each_time() {
    let faults = json!([{"kind": "error-before", "probability": 0.25}]);
    let run = || {
        let mut world = World::with(&json!({"faults": faults}));
        let operation = MODEL.operation("GetRule").unwrap();
        (0..1000).map(|_| world.state.effect(operation) == Effect::ErrorBefore).collect::<Vec<_>>()
    };
    let hits = run();
    let count = hits.iter().filter(|hit| **hit).count();
    // Five standard deviations of a binomial with n = 1000 and p = 0.25 are 68.
    assert!((182..=318).contains(&count), "{count}");
    assert_eq!(hits, run());
}
