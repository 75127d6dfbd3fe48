//! Inspect, plan, check and apply against the VPC Lattice emulator, over real HTTP with the real SDK.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod access_logs;
mod auth;
#[path = "../support/emulator.rs"]
mod emulator;
mod external;
mod finding;
mod hand_over;
mod harness;
mod imported;
mod listing;
mod model;
mod ownership;
mod quotas;
mod refused;
mod resources;
mod services;
mod shared_networks;
mod vpc_endpoints;
mod vpc_settings;
mod wishes;

use harness::{Emulator, converge, inspect, pass, pass_after_a_conflict, pass_until};
use serde_json::json;
use std::time::{Duration, Instant};
use trellis_aws::{End, ErrorClass};
use trellis_lattice::{Blocked, Ownership, Step, plan};
use wishes::{VPC, allowing, export, forward, gateway, no_gateway, no_route, route};

/// The budgets that the project has set itself.
const CREATE_CALLS_MAX: u64 = 15;
const SETTLED_CALLS_MAX: u64 = 8;
const CREATE_TIME_MAX: Duration = Duration::from_secs(7);

#[tokio::test]
async fn a_route_is_made_within_its_budget_of_calls_and_time_and_tells_its_name_early() {
    let emulator = Emulator::start(&[
        "--delay",
        "all=0",
        "--delay",
        "service=1s",
        "--delay",
        "target-group=1s",
        "--delay",
        "association=5s",
        "--latency",
        "50ms",
    ]);
    converge(&emulator, &emulator.aws().await.lattice(), &gateway(&[])).await;
    let aws = emulator.aws().await;
    emulator.reset_calls();

    let began = Instant::now();
    let made = pass(&aws.lattice(), &route(&["/inventory"], 2)).await;
    let (elapsed, calls) = (began.elapsed(), emulator.calls());
    assert!(matches!(made.applied.end, End::Complete), "{:?}", made.applied.end);
    println!("create: {} ms, {} calls {calls:?}", elapsed.as_millis(), calls.values().sum::<u64>());
    assert!(calls.values().sum::<u64>() <= CREATE_CALLS_MAX, "{calls:?}");
    assert!(elapsed <= CREATE_TIME_MAX, "{elapsed:?}");
    let mut counted = aws.counts().take();
    assert_eq!(counted.remove("GetResources"), Some(1));
    assert_eq!(counted, calls, "our count is the emulator's");

    let dns_name = made.progress.services["inventory-default"].dns_name.clone();
    assert!(dns_name.unwrap().starts_with("inventory-default-"), "told before the association was active");
    assert!(made.applied.outcome.is_complete());
    assert_eq!(made.applied.outcome.networks.keys().collect::<Vec<_>>(), ["my-hotel"]);
}

#[tokio::test]
async fn a_settled_route_is_looked_at_within_its_budget_and_nothing_is_written() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let wish = route(&["/inventory"], 2);
    converge(&emulator, &lattice, &wish).await;
    emulator.reset_calls();
    let again = pass(&lattice, &wish).await;
    let calls = emulator.calls();
    println!("settled: {} calls {calls:?}", calls.values().sum::<u64>());
    assert!(again.plan.steps.is_empty(), "{}", again.plan);
    emulator.reset_calls();
    inspect(&emulator.aws().await.lattice(), &wish).await;
    let cold = emulator.calls();
    println!("settled, seen by a new process: {} calls", cold.values().sum::<u64>());
    assert_eq!(cold["ListTagsForResource"], 2, "service and target group: {cold:?}");
    assert!(calls.values().sum::<u64>() <= SETTLED_CALLS_MAX, "{calls:?}");
    assert!(calls.keys().all(|name| name.starts_with("Get") || name.starts_with("List")), "{calls:?}");
}

#[tokio::test]
async fn a_gateway_makes_its_network_associates_the_vpc_and_takes_both_away_again() {
    let emulator = Emulator::start(&["--delay", "all=0", "--delay", "vpc-association-delete=75s"]);
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[VPC])).await;
    let state = emulator.state();
    assert_eq!(state["serviceNetworks"][0]["name"], "my-hotel");
    assert_eq!(state["serviceNetworkVpcAssociations"][0]["status"], "ACTIVE");

    let going = pass(&lattice, &no_gateway()).await;
    let End::Waiting(waiting) = going.applied.end else { panic!("{:?}", going.applied.end) };
    assert!(waiting.retry_after >= Duration::from_secs(10), "a function is not paid for waiting 75 s");
    assert_eq!(
        going.applied.outcome.waiting, None,
        "nobody who wants something waits for that: {}",
        waiting.text
    );
    emulator.advance("75s");
    converge(&emulator, &lattice, &no_gateway()).await;
    assert_eq!(emulator.state()["serviceNetworks"], json!([]));
}

#[tokio::test]
async fn a_route_that_is_gone_takes_all_it_had_with_it_and_draining_is_not_waited_out() {
    let emulator = Emulator::start(&["--delay", "all=0", "--delay", "drain=60s"]);
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &route(&["/a", "/b"], 3)).await;
    let going = pass(&lattice, &no_route()).await;
    assert!(matches!(going.applied.end, End::Waiting(_)), "{:?}\n{}", going.applied.end, going.plan);
    emulator.advance("60s");
    converge(&emulator, &lattice, &no_route()).await;
    let state = emulator.state();
    assert_eq!((&state["services"], &state["targetGroups"]), (&json!([]), &json!([])));
    assert_eq!(state["serviceNetworks"][0]["name"], "my-hotel", "another unit's");
}

#[tokio::test]
async fn a_rule_that_moves_leaves_its_old_targets_serving_until_the_data_plane_has_followed() {
    let emulator = Emulator::start(&["--delay", "all=0", "--delay", "drain=60s"]);
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &route(&["/a"], 2)).await;
    let registered = |name: &str| {
        let state = emulator.state();
        let groups = state["targetGroups"].as_array().unwrap().clone();
        let group = groups.into_iter().find(|group| group["name"] == name);
        let targets = group.map(|group| group["targets"].as_array().unwrap().clone()).unwrap_or_default();
        targets.iter().filter(|target| target["status"] != "DRAINING").count()
    };
    let old = route(&["/a"], 2).target_groups[0].name.clone();
    let mut moved = route(&["/a"], 2);
    moved.target_groups[0].name = format!("{old}-new");
    moved.services[0].listeners[0].rules[0].action = forward(&format!("{old}-new"));

    let first = pass(&lattice, &moved).await;
    let End::Waiting(waiting) = &first.applied.end else { panic!("{:?}\n{}", first.applied.end, first.plan) };
    assert_eq!(waiting.retry_after, Duration::from_secs(10));
    assert!(
        first.applied.outcome.is_complete(),
        "the route is as its owner asks: {:?}",
        first.applied.outcome
    );
    assert_eq!((registered(&old), registered(&format!("{old}-new"))), (2, 2));

    let soon = pass(&lattice, &moved).await;
    assert!(matches!(soon.plan.steps[..], [Step::AwaitPropagation(_), ..]), "{}", soon.plan);
    assert_eq!((registered(&old), registered(&format!("{old}-new"))), (2, 2));
}

#[tokio::test]
async fn a_target_group_that_rules_left_a_while_ago_is_emptied() {
    let emulator = Emulator::start(&["--delay", "all=0", "--delay", "drain=60s"]);
    // Whatever is changed now was, by this machine's clock, not changed a moment ago.
    emulator.advance("1h");
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &route(&["/a"], 2)).await;
    let mut moved = route(&["/a"], 2);
    let name = format!("{}-new", moved.target_groups[0].name);
    moved.services[0].listeners[0].rules[0].action = forward(&name);
    moved.target_groups[0].name = name;
    pass(&lattice, &moved).await;
    let later = pass(&lattice, &moved).await;
    assert!(matches!(later.plan.steps[0], Step::DeregisterTargets(_)), "{}", later.plan);
}

#[tokio::test]
async fn twenty_five_rules_in_another_order_keep_their_rules_and_swap_their_priorities() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let paths: Vec<String> = (0..25).map(|n| format!("/p{n:02}")).collect();
    let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    converge(&emulator, &lattice, &route(&paths, 1)).await;

    paths.reverse();
    let moved = converge(&emulator, &lattice, &route(&paths, 1)).await;
    assert!(moved.plan.steps.iter().all(|s| matches!(s, Step::UpdateRules(_))), "{}", moved.plan);
    paths.rotate_left(1);
    emulator.reset_calls();
    converge(&emulator, &lattice, &route(&paths, 1)).await;
    assert_eq!(emulator.calls()["BatchUpdateRule"], 3, "a ring of 25, one of them parked");
}

#[tokio::test]
async fn what_is_changed_behind_our_back_is_repaired() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let wish = route(&["/a", "/b"], 2);
    converge(&emulator, &lattice, &wish).await;
    let actual = inspect(&lattice, &wish).await;
    let (service, group) = (&actual.services[0], &actual.target_groups[0]);
    let listener = &service.listeners[0];
    let stranger = emulator.stranger().await;
    stranger
        .delete_rule()
        .service_identifier(&service.id)
        .listener_identifier(&listener.id)
        .rule_identifier(&listener.rules[0].id)
        .send()
        .await
        .unwrap();
    let gone = aws_sdk_vpclattice::types::Target::builder().id("10.0.0.1").port(8090).build().unwrap();
    stranger.deregister_targets().target_group_identifier(&group.id).targets(gone).send().await.unwrap();
    let repair = converge(&emulator, &lattice, &wish).await;
    assert!(repair.plan.steps.iter().any(|step| matches!(step, Step::CreateRule(_))), "{}", repair.plan);
    assert!(repair.plan.steps.iter().any(|step| matches!(step, Step::RegisterTargets(_))), "{}", repair.plan);
}

#[tokio::test]
async fn strangers_resources_are_used_or_left_alone_and_never_changed() {
    let emulator = Emulator::instant();
    let stranger = emulator.stranger().await;
    stranger.create_service_network().name("my-hotel").send().await.unwrap();
    stranger.create_service().name("inventory-default").send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &allowing(gateway(&[VPC]))).await;
    let before = emulator.state();

    let wish = route(&["/a"], 1);
    let blocked = pass_after_a_conflict(&lattice, &wish).await;
    assert!(matches!(blocked.plan.blocked[..], [Blocked::ServiceNameTaken { .. }]), "{:?}", blocked.plan);
    assert_eq!(blocked.applied.outcome.blocked, blocked.plan.blocked);
    pass(&lattice, &no_route()).await;
    converge(&emulator, &lattice, &no_gateway()).await;
    let after = emulator.state();
    assert_eq!(after["services"], before["services"]);
    assert_eq!(after["serviceNetworks"][0]["id"], before["serviceNetworks"][0]["id"]);
    assert_eq!(after["serviceNetworkVpcAssociations"], json!([]), "ours, on the stranger's network");
}

#[tokio::test]
async fn a_create_that_was_cut_off_is_found_again_and_not_doubled() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let wish = route(&["/a"], 2);
    // Each pass is cut off a little later, so that every call is once the one in flight.
    emulator.configure(&json!({"latency": "40ms"}));
    let mut cut = 0;
    for time in (100..).step_by(60).take(40) {
        let pass = pass_until(&lattice, &wish, Instant::now() + Duration::from_millis(time)).await;
        match pass.applied.end {
            End::Complete => break,
            End::Failed(error) => {
                assert_ne!(error.source.class(), ErrorClass::Terminal, "{error}: {}", error.source);
                cut += 1;
            }
            End::Waiting(_) => cut += 1,
        }
    }
    assert!(cut > 0, "no pass was cut off");
    converge(&emulator, &lattice, &wish).await;
    let state = emulator.state();
    for kind in ["services", "targetGroups", "serviceNetworkServiceAssociations"] {
        assert_eq!(state[kind].as_array().unwrap().len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn answers_that_are_lost_after_their_effect_are_survived() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    emulator.configure(&json!({"faults": [
        {"operation": "Create*", "kind": "error-after", "count": 3},
        {"operation": "RegisterTargets", "kind": "error-after", "count": 1},
    ]}));
    converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    emulator.configure(&json!({"faults": [{"operation": "Delete*", "kind": "error-after", "count": 3}]}));
    converge(&emulator, &lattice, &no_route()).await;
}

#[tokio::test]
async fn throttling_at_one_call_a_second_slows_a_route_down_and_fails_nothing() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let rate = json!({"per-second": 1.0, "burst": 1.0});
    emulator.configure(&json!({"throttle": {"read": rate, "mutate": rate}}));
    let slow = pass(&lattice, &route(&["/a"], 1)).await;
    assert!(matches!(slow.applied.end, End::Complete), "{:?}", slow.applied.end);
    emulator.configure(&json!({"throttle": null}));
    converge(&emulator, &lattice, &route(&["/a"], 1)).await;
}

#[tokio::test]
async fn a_listing_that_another_process_made_old_leads_to_a_new_plan_and_not_to_doubles() {
    let emulator = Emulator::instant();
    let (one, other) = (emulator.aws().await.lattice(), emulator.aws().await.lattice());
    let wish = export(1);
    let (nothing, limits) = (inspect(&one, &wish).await, harness::limits());
    converge(&emulator, &other, &wish).await;

    let stale = plan(&wish, &nothing, &limits);
    let (tell, _told) = tokio::sync::watch::channel(trellis_lattice::Outcome::default());
    let applied = one.apply(&stale, &nothing, Instant::now() + Duration::from_secs(10), &tell).await;
    let End::Failed(error) = applied.end else { panic!("{:?}", applied.end) };
    assert_eq!(error.source.class(), ErrorClass::Stale);
    assert!(applied.outcome.failure.unwrap().retryable);
    converge(&emulator, &one, &wish).await;
    assert_eq!(emulator.state()["targetGroups"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn two_hundred_and_fifty_targets_are_registered_in_three_calls_and_paged_through() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &export(250)).await;
    assert_eq!(emulator.calls()["RegisterTargets"], 3);
    let fewer = converge(&emulator, &lattice, &export(20)).await;
    assert_eq!(fewer.actual.target_groups[0].targets.len(), 250);
    assert_eq!(emulator.calls()["DeregisterTargets"], 3);
}

#[tokio::test]
async fn a_wrong_value_is_final_and_its_message_names_operation_and_code() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let mut wish = export(1);
    wish.target_groups[0].health_check.as_mut().unwrap().interval_seconds = 301;
    let refused = pass(&lattice, &wish).await;
    let failure = refused.applied.outcome.failure.unwrap();
    assert!(!failure.retryable);
    assert!(failure.message.contains("CreateTargetGroup: ValidationException"), "{}", failure.message);
}

#[tokio::test]
async fn a_route_lives_and_dies_whichever_way_the_undocumented_behaviour_goes() {
    for switches in [
        json!({"echo-tg": "as-sent", "default-rule-priority": 100, "page": 1}),
        json!({"batch-atomic": true, "scramble-messages": true, "token-error": "validation"}),
        json!({"delete-tg-registered": "allow", "weight-default-several": 100, "page": 3}),
    ] {
        let emulator = Emulator::instant();
        emulator.configure(&json!({ "switches": switches }));
        let lattice = emulator.aws().await.lattice();
        converge(&emulator, &lattice, &gateway(&[VPC])).await;
        converge(&emulator, &lattice, &route(&["/a", "/b", "/c"], 3)).await;
        converge(&emulator, &lattice, &route(&["/c", "/b", "/d", "/a"], 5)).await;
        converge(&emulator, &lattice, &route(&["/d"], 1)).await;
        converge(&emulator, &lattice, &no_route()).await;
        converge(&emulator, &lattice, &no_gateway()).await;
        let state = emulator.state();
        for kind in ["services", "targetGroups", "serviceNetworks", "serviceNetworkVpcAssociations"] {
            assert_eq!(state[kind], json!([]), "{kind} with {switches}");
        }
    }
}

#[tokio::test]
async fn a_target_group_moves_to_the_service_of_another_domain() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let mut wish = route(&["/a"], 1);
    converge(&emulator, &lattice, &wish).await;
    let hash = trellis_lattice::names::unit_hash(&wish.owner.unit);
    wish.services[0].name = format!("inventory-{hash}");
    wish.services[0].custom_domain = Some("inventory.example.com".into());
    converge(&emulator, &lattice, &wish).await;
    let state = emulator.state();
    assert_eq!(state["services"].as_array().unwrap().len(), 1);
    assert_eq!(state["services"][0]["customDomainName"], "inventory.example.com");
}

#[tokio::test]
async fn settings_that_can_change_are_changed_in_place() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let mut hotel = gateway(&[VPC]);
    hotel.vpc_associations[0].security_groups = ["sg-0a1b2c3d4e5f60001".to_owned()].into();
    converge(&emulator, &lattice, &hotel).await;
    hotel.vpc_associations[0].security_groups.insert("sg-0a1b2c3d4e5f60002".to_owned());
    let groups = converge(&emulator, &lattice, &hotel).await;
    assert!(matches!(groups.plan.steps[0], Step::UpdateVpcAssociation(_)), "{}", groups.plan);

    let mut wish = route(&["/a"], 1);
    converge(&emulator, &lattice, &wish).await;
    wish.target_groups[0].health_check.as_mut().unwrap().path = "/healthz".into();
    wish.target_groups[0].health_check.as_mut().unwrap().port = Some(9000);
    wish.services[0].tags.insert("team".into(), "hotel".into());
    wish.services[0].listeners[0].default_action = trellis_lattice::Action::FixedResponse(500);
    converge(&emulator, &lattice, &wish).await;
    wish.target_groups[0].health_check.as_mut().unwrap().port = None;
    let back = converge(&emulator, &lattice, &wish).await;
    assert!(matches!(back.plan.steps[..], [Step::UpdateHealthCheck(_)]), "{}", back.plan);
}

#[tokio::test]
async fn units_that_want_nothing_share_their_listings() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let began = std::time::SystemTime::now();
    let gone = |name: &str| {
        let key = format!("route/123456789012/us-west-2/HTTPRoute/one/default/{name}");
        let unit = key.parse::<trellis_hint::UnitKey>().unwrap().hash();
        trellis_lattice::Desired::nothing(trellis_lattice::Owner {
            installation: "trellis".into(),
            unit,
            key,
        })
    };
    let wishes = [no_route(), gone("one"), gone("two")];
    let looks = wishes.iter().map(|wish| lattice.inspect(wish, &[], began));
    for actual in futures::future::join_all(looks).await {
        assert!(actual.unwrap().services.is_empty());
    }
    let calls = emulator.calls();
    assert_eq!((calls["ListTargetGroups"], calls["ListServices"]), (1, 1), "{calls:?}");
}

/// Lattice calls of everyday changes where every wait is over at the first look. They are printed, so that a report can quote them.
#[tokio::test]
async fn everyday_changes_cost_no_more_calls_than_they_may() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let mut two_paths = route(&["/inventory", "/stock"], 3);
    two_paths.services[0].listeners[0].rules[1].action = trellis_lattice::Action::FixedResponse(500);
    for (change, wish, calls_max) in [
        ("a gateway with its VPC is made", gateway(&[VPC]), 5),
        ("a route with one rule and two targets is made", route(&["/inventory"], 2), 9),
        ("nothing has changed", route(&["/inventory"], 2), 8),
        ("a third pod comes", route(&["/inventory"], 3), 9),
        ("a rule is added", route(&["/inventory", "/stock"], 3), 9),
        ("a rule's action changes", two_paths, 10),
        ("a rule and a pod go", route(&["/inventory"], 2), 11),
        // One of them waits for the service to be gone: until then VPC Lattice refuses to delete its target group.
        ("the route goes", no_route(), 11),
        ("the gateway goes", no_gateway(), 5),
    ] {
        emulator.reset_calls();
        let pass = pass(&lattice, &wish).await;
        let calls = emulator.calls();
        let sum = calls.values().sum::<u64>();
        println!("{sum:>3} calls: {change} {calls:?}");
        assert!(matches!(pass.applied.end, End::Complete), "{change}: {:?}", pass.applied.end);
        assert!(sum <= calls_max, "{change}: {sum} calls, at most {calls_max}\n{}", pass.plan);
    }
}

#[tokio::test]
async fn a_strangers_rule_in_our_listener_keeps_its_place_and_ours_go_around_it() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    let actual = inspect(&lattice, &route(&["/a"], 1)).await;
    let service = &actual.services[0];
    let path = aws_sdk_vpclattice::types::PathMatch::builder()
        .r#match(aws_sdk_vpclattice::types::PathMatchType::Exact("/theirs".into()))
        .build();
    let http = aws_sdk_vpclattice::types::HttpMatch::builder().path_match(path).build();
    let answer = aws_sdk_vpclattice::types::FixedResponseAction::builder().status_code(404).build().unwrap();
    emulator
        .stranger()
        .await
        .create_rule()
        .service_identifier(&service.id)
        .listener_identifier(&service.listeners[0].id)
        .name("theirs")
        .priority(2)
        .r#match(aws_sdk_vpclattice::types::RuleMatch::HttpMatch(http))
        .action(aws_sdk_vpclattice::types::RuleAction::FixedResponse(answer))
        .send()
        .await
        .unwrap();
    let wish = route(&["/a", "/b", "/c"], 1);
    converge(&emulator, &lattice, &wish).await;
    let actual = inspect(&lattice, &wish).await;
    let rules: Vec<(u16, bool)> = actual.services[0].listeners[0]
        .rules
        .iter()
        .map(|rule| (rule.priority, rule.ownership == Ownership::Foreign))
        .collect();
    assert_eq!(rules, [(1, false), (2, true), (3, false), (4, false)]);
    converge(&emulator, &lattice, &no_route()).await;
}
