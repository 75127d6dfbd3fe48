//! What becomes of requests: reachability, propagation, weights, turns, health, draining.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::json;

use super::{World, forward, rule, slow};
use crate::state::plan::{Arrival, Decision};
use crate::state::tests::VPC;

/// A service that forwards `/one` to the given groups, reachable from the VPC.
struct Site {
    world: World,
    service: String,
    listener: String,
    domain: String,
}

fn site(mut world: World, groups: &[(&str, u32)]) -> Site {
    let network = world.network("net");
    let made = world.ok("CreateService", json!({"name": "svc"}));
    let service = made["id"].as_str().unwrap().to_owned();
    let domain = made["dnsEntry"]["domainName"].as_str().unwrap().to_owned();
    world.pass(2);
    let listener = world.listener(&service, "http", 80);
    let ids: Vec<(String, u32)> = groups.iter().map(|(name, weight)| (world.group(name), *weight)).collect();
    world.pass(2);
    let shares: Vec<(&str, u32)> = ids.iter().map(|(id, weight)| (id.as_str(), *weight)).collect();
    if !shares.is_empty() {
        world.ok("CreateRule", rule(&service, &listener, "one", 1, &forward(&shares)));
    }
    world.link(&service, &network);
    world.link_vpc(&network, VPC);
    world.pass(75);
    Site { world, service, listener, domain }
}

impl Site {
    fn ask(&mut self, path: &str, roll: f64) -> Decision {
        let headers = HeaderMap::new();
        let host = self.domain.clone();
        let arrival = Arrival {
            vpc: VPC,
            host: &host,
            authority: &host,
            query: "",
            port: 80,
            tls: false,
            method: "GET",
            path,
            headers: &headers,
            machine_time: self.world.now,
            roll,
        };
        self.world.state.decide(self.world.now, arrival)
    }

    fn target(&mut self, roll: f64) -> String {
        match self.ask("/one", roll) {
            Decision::Forward(_, destination) => destination.target.id,
            other => panic!("{other:?}"),
        }
    }

    fn group(&mut self, name: &str) -> String {
        let groups = self.world.ok("ListTargetGroups", json!({}));
        let groups = groups["items"].as_array().unwrap().clone();
        groups.iter().find(|group| group["name"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn register(&mut self, group: &str, addresses: &[&str]) {
        let id = self.group(group);
        let targets: Vec<_> = addresses.iter().map(|address| json!({"id": address, "port": 8080})).collect();
        self.world.ok("RegisterTargets", json!({"targetGroupIdentifier": id, "targets": targets}));
    }

    fn deregister(&mut self, group: &str, address: &str) {
        let targets = json!([{"id": address, "port": 8080}]);
        let gone = json!({"targetGroupIdentifier": self.group(group), "targets": targets});
        self.world.ok("DeregisterTargets", gone);
    }

    /// Runs the checks that are due; addresses in `bad` fail.
    fn check(&mut self, bad: &[&str]) -> usize {
        let checks = self.world.state.due_checks(self.world.now);
        for check in &checks {
            let good = !bad.contains(&check.target.id.as_str());
            self.world.state.checked(&check.group, &check.target, good);
        }
        checks.len()
    }

    fn statuses(&mut self, group: &str) -> BTreeMap<String, String> {
        let id = self.group(group);
        let listed = self.world.ok("ListTargets", json!({"targetGroupIdentifier": id}));
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let items = listed["items"].as_array().unwrap();
        items.iter().map(|item| (text(&item["id"]), text(&item["status"]))).collect()
    }
}

#[test]
fn a_service_is_reachable_only_from_a_vpc_whose_network_has_it() {
    let mut site = site(World::quick(), &[]);
    assert!(matches!(site.ask("/", 0.0), Decision::Fixed(_, 404)));
    let headers = HeaderMap::new();
    let host = site.domain.clone();
    for (vpc, host, port) in [("vpc-other", host.as_str(), 80), (VPC, "unknown.example", 80)] {
        let arrival = Arrival {
            vpc,
            host,
            authority: host,
            query: "",
            port,
            tls: false,
            method: "GET",
            path: "/",
            headers: &headers,
            machine_time: site.world.now,
            roll: 0.0,
        };
        let decision = site.world.state.decide(site.world.now, arrival);
        assert!(matches!(decision, Decision::UnknownService), "{decision:?}");
    }
    let arrival = Arrival {
        vpc: VPC,
        host: &host,
        authority: &host,
        query: "",
        port: 81,
        tls: false,
        method: "GET",
        path: "/",
        headers: &headers,
        machine_time: site.world.now,
        roll: 0.0,
    };
    assert!(matches!(site.world.state.decide(site.world.now, arrival), Decision::NoListener));
}

#[test]
fn a_service_is_reachable_under_its_custom_domain_too() {
    let mut world = World::quick();
    let network = world.network("net");
    let service = world.id("CreateService", json!({"name": "svc", "customDomainName": "Shop.example.com"}));
    world.link(&service, &network);
    world.link_vpc(&network, VPC);
    assert_eq!(world.state.reach(VPC, "shop.example.com"), Some((service, network)));
}

#[test]
fn switch_18_a_change_of_rules_is_felt_after_the_propagation_delay() {
    for (propagation, early) in [("2s", 404), ("0", 500)] {
        let mut site = site(World::with(&json!({"delays": {"propagation": propagation}})), &[]);
        let action = json!({"fixedResponse": {"statusCode": 500}});
        let input = rule(&site.service, &site.listener, "one", 1, &action);
        site.world.ok("CreateRule", input);
        site.world.pass(1);
        assert!(matches!(site.ask("/one", 0.0), Decision::Fixed(_, status) if status == early));
        site.world.pass(1);
        assert!(matches!(site.ask("/one", 0.0), Decision::Fixed(_, 500)));
    }
}

#[test]
fn rules_are_tried_in_the_order_of_their_priorities_and_the_default_comes_last() {
    let mut site = site(World::quick(), &[]);
    for (name, priority, status) in [("one-more", 1, 500), ("one", 2, 404)] {
        let action = json!({"fixedResponse": {"statusCode": status}});
        let input = rule(&site.service, &site.listener, name, priority, &action);
        site.world.ok("CreateRule", input);
    }
    assert!(matches!(site.ask("/one-more", 0.0), Decision::Fixed(_, 500)));
    assert!(matches!(site.ask("/one", 0.0), Decision::Fixed(_, 404)));
    assert!(matches!(site.ask("/other", 0.0), Decision::Fixed(_, 404)));
}

#[test]
fn weights_decide_the_group_and_a_weight_of_zero_gets_nothing() {
    let mut site = site(World::quick(), &[("grp-a", 90), ("grp-b", 10), ("grp-c", 0)]);
    for (group, address) in [("grp-a", "10.0.0.1"), ("grp-b", "10.0.0.2"), ("grp-c", "10.0.0.3")] {
        site.register(group, &[address]);
    }
    site.check(&[]);
    let mut counts = BTreeMap::new();
    for step in 0..1000_u32 {
        *counts.entry(site.target(f64::from(step) / 1000.0)).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([("10.0.0.1".to_owned(), 900), ("10.0.0.2".to_owned(), 100)]));
}

#[test]
fn healthy_targets_take_turns_and_without_any_all_do() {
    let mut site = site(World::quick(), &[("grp", 1)]);
    site.register("grp", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let turns = |site: &mut Site, count: usize| -> Vec<String> {
        let mut seen: Vec<String> = (0..count).map(|_| site.target(0.5)).collect();
        seen.sort();
        seen
    };
    assert_eq!(turns(&mut site, 3), ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "none is known to be healthy");
    site.check(&["10.0.0.2"]);
    assert_eq!(turns(&mut site, 4), ["10.0.0.1", "10.0.0.1", "10.0.0.3", "10.0.0.3"]);
}

#[test]
fn switch_07_a_group_without_targets_answers_the_status_of_the_switch() {
    for status in [503, 500] {
        let mut site = site(World::with(&json!({"switches": {"no-target-status": status}})), &[("grp", 1)]);
        assert!(matches!(site.ask("/one", 0.5), Decision::NoTarget(_, seen) if seen == status));
    }
}

#[test]
fn all_weights_zero_leads_nowhere() {
    let mut site = site(World::quick(), &[("grp", 0)]);
    site.register("grp", &["10.0.0.1"]);
    assert!(matches!(site.ask("/one", 0.5), Decision::NoTarget(_, 503)));
}

#[test]
fn a_new_target_is_healthy_on_its_first_success_and_an_old_one_after_its_threshold() {
    let mut site = site(World::quick(), &[("grp", 1)]);
    site.register("grp", &["10.0.0.1"]);
    let status = |site: &mut Site| site.statuses("grp")["10.0.0.1"].clone();
    assert_eq!(status(&mut site), "INITIAL");
    assert_eq!(site.check(&[]), 1);
    assert_eq!(site.check(&[]), 0, "the next check is an interval away");
    assert_eq!(status(&mut site), "HEALTHY");
    for expected in ["HEALTHY", "UNHEALTHY"] {
        site.world.pass(30);
        assert_eq!(site.check(&["10.0.0.1"]), 1);
        assert_eq!(status(&mut site), expected);
    }
    for expected in ["UNHEALTHY", "UNHEALTHY", "UNHEALTHY", "UNHEALTHY", "HEALTHY"] {
        site.world.pass(30);
        site.check(&[]);
        assert_eq!(status(&mut site), expected);
    }
}

#[test]
fn targets_of_an_unused_group_are_unused_and_never_checked() {
    let mut world = World::quick();
    let group = world.group("grp");
    world.ok("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": [{"id": "10.0.0.1"}]}));
    let listed = world.ok("ListTargets", json!({"targetGroupIdentifier": group}));
    let expected =
        json!({"id": "10.0.0.1", "port": 80, "status": "UNUSED", "reasonCode": "TargetGroupNotInUse"});
    assert_eq!(listed["items"], json!([expected]));
    assert!(world.state.due_checks(world.now).is_empty());
}

#[test]
fn targets_without_health_checks_are_unavailable_and_get_requests() {
    let mut site = site(World::quick(), &[("grp", 1)]);
    let group = site.group("grp");
    site.world
        .ok("UpdateTargetGroup", json!({"targetGroupIdentifier": group, "healthCheck": {"enabled": false}}));
    site.register("grp", &["10.0.0.1"]);
    assert_eq!(site.statuses("grp")["10.0.0.1"], "UNAVAILABLE");
    assert_eq!(site.target(0.5), "10.0.0.1");
}

#[test]
fn a_deregistered_target_drains_gets_nothing_new_and_vanishes() {
    let mut site = site(World::new(slow()), &[("grp", 1)]);
    site.register("grp", &["10.0.0.1", "10.0.0.2"]);
    site.check(&[]);
    site.deregister("grp", "10.0.0.1");
    assert_eq!(site.statuses("grp")["10.0.0.1"], "DRAINING");
    for _ in 0..4 {
        assert_eq!(site.target(0.5), "10.0.0.2");
    }
    site.world.pass(60);
    assert_eq!(site.statuses("grp").keys().collect::<Vec<_>>(), ["10.0.0.2"]);
}

#[test]
fn a_target_gets_its_first_check_and_requests_when_its_registration_is_through() {
    let mut site = site(World::with(&json!({"delays": {"target-register": "30s"}})), &[("grp", 1)]);
    site.register("grp", &["10.0.0.1"]);
    assert!(matches!(site.ask("/one", 0.5), Decision::NoTarget(..)), "it is not known yet");
    assert_eq!(site.check(&[]), 0);
    site.world.pass(30);
    assert_eq!(site.statuses("grp")["10.0.0.1"], "INITIAL");
    assert_eq!(site.target(0.5), "10.0.0.1", "where none is healthy any gets requests");
    site.check(&[]);
    site.register("grp", &["10.0.0.2"]);
    for _ in 0..4 {
        assert_eq!(site.target(0.5), "10.0.0.1");
    }
}

#[test]
fn a_deregistered_target_gets_requests_until_they_feel_it() {
    let delays = json!({"delays": {"target-deregister": "30s", "drain": "60s"}});
    let mut site = site(World::with(&delays), &[("grp", 1)]);
    site.register("grp", &["10.0.0.1", "10.0.0.2"]);
    site.check(&[]);
    site.deregister("grp", "10.0.0.1");
    assert_eq!(site.statuses("grp")["10.0.0.1"], "DRAINING");
    let of = |site: &mut Site| {
        [site.target(0.5), site.target(0.5)].iter().filter(|one| *one == "10.0.0.1").count()
    };
    assert_eq!(of(&mut site), 1);
    site.world.pass(30);
    assert_eq!(of(&mut site), 0);
}

#[test]
fn a_target_that_is_registered_again_while_it_drains_stays() {
    let mut site = site(World::new(slow()), &[("grp", 1)]);
    site.register("grp", &["10.0.0.1"]);
    site.deregister("grp", "10.0.0.1");
    site.world.pass(30);
    site.register("grp", &["10.0.0.1"]);
    site.world.pass(60);
    assert_eq!(site.statuses("grp")["10.0.0.1"], "INITIAL");
}

#[test]
fn a_deregistered_port_leaves_the_other_port_of_the_address_alone() {
    let mut site = site(World::quick(), &[("grp", 1)]);
    let group = site.group("grp");
    let targets = json!([{"id": "10.0.0.1", "port": 1}, {"id": "10.0.0.1", "port": 2}]);
    site.world.ok("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": targets}));
    let gone = json!({"targetGroupIdentifier": group, "targets": [{"id": "10.0.0.1", "port": 1}, {"id": "10.9.9.9", "port": 1}]});
    let answer = site.world.ok("DeregisterTargets", gone);
    assert_eq!(answer["unsuccessful"][0]["id"], json!("10.9.9.9"));
    let listed = site.world.ok("ListTargets", json!({"targetGroupIdentifier": group}));
    assert_eq!(listed["items"][0]["port"], json!(2));
}

#[test]
fn switch_01_a_prefix_matches_by_string_or_by_path_element() {
    for (mode, longer) in [("string", 500), ("element", 404)] {
        let mut site = site(World::with(&json!({"switches": {"prefix-mode": mode}})), &[]);
        let action = json!({"fixedResponse": {"statusCode": 500}});
        let input = rule(&site.service, &site.listener, "one", 1, &action);
        site.world.ok("CreateRule", input);
        assert!(matches!(site.ask("/one/two", 0.0), Decision::Fixed(_, 500)));
        assert!(matches!(site.ask("/onetwo", 0.0), Decision::Fixed(_, status) if status == longer));
    }
}

#[test]
fn switch_19_paths_match_as_they_are_on_the_wire_or_decoded() {
    for (raw, status) in [(true, 404), (false, 500)] {
        let mut site = site(World::with(&json!({"switches": {"match-raw-path": raw}})), &[]);
        let action = json!({"fixedResponse": {"statusCode": 500}});
        let input = rule(&site.service, &site.listener, "one", 1, &action);
        site.world.ok("CreateRule", input);
        assert!(matches!(site.ask("/%6fne", 0.0), Decision::Fixed(_, seen) if seen == status));
    }
}
