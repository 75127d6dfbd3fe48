//! The switches that are not tested where their subject is. Both settings of each.

use serde_json::{Value, json};

use super::{World, forward, not_found, rule, text};

#[test]
fn switch_02_the_error_of_a_duplicate_is_a_conflict_or_a_validation() {
    for (switch, code) in [("conflict", "ConflictException"), ("validation", "ValidationException")] {
        let mut world = World::with(&json!({"switches": {"dup-error": switch}}));
        let service = world.service("svc");
        assert_eq!(world.refused("CreateService", json!({"name": "svc"})).0, code);
        let listener = world.listener(&service, "http", 80);
        world.rule(&service, &listener, "one", 1);
        assert_eq!(world.refused("CreateRule", rule(&service, &listener, "two", 1, &not_found())).0, code);
    }
}

#[test]
fn switch_05_a_resource_has_at_most_as_many_tags_as_the_switch_says() {
    for (max, good) in [(50, true), (200, true), (3, false)] {
        let mut world = World::with(&json!({"switches": {"max-tags": max}}));
        let tags: std::collections::BTreeMap<String, &str> =
            (0..50).map(|n| (format!("k{n}"), "v")).collect();
        assert_eq!(world.call("CreateService", json!({"name": "svc", "tags": tags})).is_ok(), good, "{max}");
    }
}

#[test]
fn switch_06_an_auth_policy_is_at_most_as_long_as_the_switch_says() {
    for (max, good) in [(10_240, false), (102_400, true)] {
        let mut world = World::with(&json!({"switches": {"auth-policy-max": max}}));
        let service = world.service("svc");
        let policy = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
        let outcome = world.call("PutAuthPolicy", json!({"resourceIdentifier": service, "policy": policy}));
        assert_eq!(outcome.is_ok(), good, "{max}");
    }
}

#[test]
fn switch_08_a_batch_is_done_by_rule_or_not_at_all() {
    for (atomic, done) in [(false, 1), (true, 0)] {
        let mut world = World::with(&json!({"switches": {"batch-atomic": atomic}}));
        let service = world.service("svc");
        let listener = world.listener(&service, "http", 80);
        let first = world.rule(&service, &listener, "one", 1);
        let answer = world.ok(
            "BatchUpdateRule",
            json!({"serviceIdentifier": service, "listenerIdentifier": listener, "rules": [
                {"ruleIdentifier": first, "priority": 9},
                {"ruleIdentifier": "rule-00000000000000000", "priority": 10}]}),
        );
        assert_eq!(answer["successful"].as_array().unwrap().len(), done);
        let read = world.ok(
            "GetRule",
            json!({"serviceIdentifier": service, "listenerIdentifier": listener, "ruleIdentifier": first}),
        );
        assert_eq!(read["priority"] == json!(9), !atomic);
    }
}

#[test]
fn switch_13_a_page_without_a_size_has_the_size_of_the_switch() {
    for (size, seen) in [(100, 3), (2, 2)] {
        let mut world = World::with(&json!({"switches": {"page": size}}));
        for name in ["one", "two", "three"] {
            world.network(name);
        }
        let listed = world.ok("ListServiceNetworks", json!({}));
        assert_eq!(listed["items"].as_array().unwrap().len(), seen);
    }
}

#[test]
fn switch_15_a_target_group_is_echoed_as_its_id_or_as_it_was_sent() {
    for (switch, by_arn) in [("id", false), ("as-sent", true)] {
        let mut world = World::with(&json!({"switches": {"echo-tg": switch}}));
        let service = world.service("svc");
        let listener = world.listener(&service, "http", 80);
        let group = world.group("grp");
        let arn = text(&world.ok("GetTargetGroup", json!({"targetGroupIdentifier": group})), "arn");
        let made = world.ok("CreateRule", rule(&service, &listener, "one", 1, &forward(&[(&arn, 1)])));
        let echoed = &made["action"]["forward"]["targetGroups"][0]["targetGroupIdentifier"];
        assert_eq!(*echoed, json!(if by_arn { arn } else { group }));
    }
}

#[test]
fn switch_16_the_default_rule_shows_a_priority_or_none() {
    for (switch, shown) in [(Value::Null, None), (json!(2000), Some(json!(2000)))] {
        let mut world = World::with(&json!({"switches": {"default-rule-priority": switch}}));
        let service = world.service("svc");
        let listener = world.listener(&service, "http", 80);
        let path = json!({"serviceIdentifier": service, "listenerIdentifier": listener});
        let rules = world.ok("ListRules", path);
        assert_eq!(rules["items"][0].get("priority").cloned(), shown);
    }
}

#[test]
fn switch_17_weights_that_are_not_given_are_those_of_the_switches() {
    for (single, several) in [(100, 1), (1, 100)] {
        let patch = json!({"switches": {"weight-default": single, "weight-default-several": several}});
        let mut world = World::with(&patch);
        let service = world.service("svc");
        let listener = world.listener(&service, "http", 80);
        let groups = [world.group("grp-a"), world.group("grp-b")];
        let bare = |ids: &[String]| {
            let groups: Vec<Value> = ids.iter().map(|id| json!({"targetGroupIdentifier": id})).collect();
            json!({"forward": {"targetGroups": groups}})
        };
        let weight =
            |made: &crate::state::Document| made["action"]["forward"]["targetGroups"][0]["weight"].clone();
        let one = world.ok("CreateRule", rule(&service, &listener, "one", 1, &bare(&groups[..1])));
        assert_eq!(weight(&one), json!(single));
        let two = world.ok("CreateRule", rule(&service, &listener, "two", 2, &bare(&groups)));
        assert_eq!(weight(&two), json!(several));
    }
}

#[test]
fn switch_case_sensitivity_of_paths_that_name_none_is_that_of_the_switch() {
    for default in [true, false] {
        let mut world = World::with(&json!({"switches": {"case-sensitive-default": default}}));
        let service = world.service("svc");
        let listener = world.listener(&service, "http", 80);
        let made = world.ok("CreateRule", rule(&service, &listener, "one", 1, &not_found()));
        assert_eq!(made["match"]["httpMatch"]["pathMatch"]["caseSensitive"], json!(default));
    }
}

#[test]
fn a_health_check_shows_all_defaults_and_zero_resets_a_field() {
    let mut world = World::quick();
    let group = world.group("grp");
    let input = json!({"targetGroupIdentifier": group, "healthCheck": {"healthCheckIntervalSeconds": 10,
        "path": "/healthz", "matcher": {"httpCode": "200-299"}, "port": 9000}});
    let changed = world.ok("UpdateTargetGroup", input);
    let check = &changed["config"]["healthCheck"];
    assert_eq!(check["healthCheckIntervalSeconds"], json!(10));
    assert_eq!(check["healthyThresholdCount"], json!(5));
    assert_eq!(check["port"], json!(9000));
    let input = json!({"targetGroupIdentifier": group, "healthCheck": {"healthCheckIntervalSeconds": 0,
        "path": "", "matcher": {"httpCode": ""}, "port": 0}});
    let changed = world.ok("UpdateTargetGroup", input);
    let check = &changed["config"]["healthCheck"];
    assert_eq!(check["healthCheckIntervalSeconds"], json!(30));
    assert_eq!(check["path"], json!("/"));
    assert_eq!(check["matcher"]["httpCode"], json!("200"));
    assert!(check.get("port").is_none());
}
