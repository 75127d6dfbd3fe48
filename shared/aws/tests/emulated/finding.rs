//! How a unit's resources are found: by tags, whose index lags, and by listing.

use crate::harness::{Emulator, converge, inspect, pass, pass_after_a_conflict};
use crate::wishes::{gateway, no_route, route};
use serde_json::json;
use trellis_aws::LatticeClient;
use trellis_lattice::{Blocked, Desired, Step};

fn listings(emulator: &Emulator) -> u64 {
    let calls = emulator.calls();
    ["ListServices", "ListTargetGroups"].iter().filter_map(|name| calls.get(*name)).sum()
}

/// An emulator with a Gateway's network, and a client.
async fn world() -> (Emulator, LatticeClient) {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    (emulator, lattice)
}

/// The index of tags shows no change any more.
fn freeze_index(emulator: &Emulator) {
    emulator.configure(&json!({"delays": {"tag-index": "1h"}}));
}

fn counted(emulator: &Emulator) -> (usize, usize) {
    let state = emulator.state();
    let count = |kind: &str| state[kind].as_array().unwrap().len();
    (count("services"), count("targetGroups"))
}

#[tokio::test]
async fn calls_for_a_route_do_not_grow_with_the_account() {
    let mut figures = vec![];
    for others in [0, 220] {
        let (emulator, _) = world().await;
        let stranger = emulator.stranger().await;
        for n in 0..others {
            stranger.create_service().name(format!("other-{n}")).send().await.unwrap();
        }
        let (wish, aws) = (route(&["/inventory"], 2), emulator.aws().await);
        emulator.reset_calls();
        converge(&emulator, &aws.lattice(), &wish).await;
        let made = emulator.all_calls();
        emulator.reset_calls();
        inspect(&emulator.aws().await.lattice(), &wish).await;
        assert_eq!(listings(&emulator), 0, "{:?}", emulator.calls());
        figures.push((made, emulator.all_calls()));
    }
    assert_eq!(figures[0], figures[1]);
    println!("settled, cold, whatever the account has: {:?}", figures[0].1);
}

#[tokio::test]
async fn what_the_index_does_not_show_yet_is_neither_doubled_nor_deleted() {
    let (emulator, lattice) = world().await;
    freeze_index(&emulator);
    let wish = route(&["/inventory"], 2);
    converge_remembering(&emulator, &lattice, &wish).await;
    assert_eq!(listings(&emulator), 0, "who made it knows it");

    // Another process sees nothing, meets the conflict, lists, and finds that all is done.
    let other = emulator.aws().await.lattice();
    let settled = pass_after_a_conflict(&other, &wish).await;
    assert!(settled.plan.steps.is_empty(), "{}", settled.plan);
    assert_eq!(counted(&emulator), (1, 1));

    // A third one is told that the route is gone: it lists, and leaves nothing.
    let third = emulator.aws().await.lattice();
    let gone = inspect(&third, &no_route()).await;
    assert_eq!((gone.services.len(), gone.target_groups.len()), (1, 1));
    for _ in 0..3 {
        pass(&third, &no_route()).await;
        emulator.advance("2m");
    }
    assert_eq!(counted(&emulator), (0, 0));
}

/// As [`converge`], without asking a client that has seen nothing.
async fn converge_remembering(emulator: &Emulator, lattice: &LatticeClient, wish: &Desired) {
    emulator.reset_calls();
    pass(lattice, wish).await;
    let again = pass(lattice, wish).await;
    assert!(again.plan.steps.is_empty(), "{}", again.plan);
}

#[tokio::test]
async fn what_a_rule_leads_to_is_known_whatever_the_index_shows() {
    let (emulator, lattice) = world().await;
    let wish = route(&["/inventory"], 2);
    converge(&emulator, &lattice, &wish).await;
    freeze_index(&emulator);
    // The rule moves to a target group that the index does not show.
    let mut moved = wish;
    moved.target_groups[0].name = format!("{}-new", moved.target_groups[0].name);
    let name = moved.target_groups[0].name.clone();
    moved.services[0].listeners[0].rules[0].action = crate::wishes::forward(&name);
    converge_until_propagation(&lattice, &moved).await;

    let seen = inspect(&emulator.aws().await.lattice(), &moved).await;
    let names: Vec<&str> = seen.target_groups.iter().map(|group| group.name.as_str()).collect();
    assert!(names.contains(&name.as_str()), "{names:?}");
    assert!(seen.target_groups.iter().all(|group| group.ownership == trellis_lattice::Ownership::Ours));
    let plan = trellis_lattice::plan(&moved, &seen, &crate::harness::limits());
    let makes = |step: &Step| matches!(step, Step::CreateTargetGroup(_) | Step::UpdateRules(_));
    assert!(!plan.steps.iter().any(makes), "{plan}");
}

/// What is known of a unit's clusters may be less than what it has: what is then wanted as it is must have been read.
#[tokio::test]
async fn what_the_first_look_does_not_want_is_read_in_full_as_long_as_the_unit_wants_anything() {
    let (emulator, lattice) = world().await;
    let mut wish = route(&["/inventory", "/more"], 2);
    let mut other = wish.target_groups[0].clone();
    other.name = format!("{}-other", other.name);
    wish.services[0].listeners[0].rules[1].action = crate::wishes::forward(&other.name);
    wish.target_groups.push(other);
    converge(&emulator, &lattice, &wish).await;

    let mut less = wish.clone();
    less.target_groups.truncate(1);
    less.services[0].name = "inventory-default-another".into();
    for by_listing in [false, true] {
        let fault = json!({"kind": "deny", "operation": "tagging:*"});
        let faults = if by_listing { vec![fault] } else { vec![] };
        emulator.configure(&json!({ "faults": faults }));
        let cold = emulator.aws().await.lattice();
        let actual =
            cold.inspect(&less, &["inventory-default".into()], std::time::SystemTime::now()).await.unwrap();
        assert_eq!(actual.target_groups.len(), 2);
        let is_read = |group: &trellis_lattice::ActualTargetGroup| {
            group.config.is_some() && group.health_check.is_some() && group.targets.len() == 2
        };
        assert!(actual.target_groups.iter().all(is_read), "{:?}", actual.target_groups);
        assert_eq!(actual.services[0].listeners[0].rules.len(), 2);
        assert!(trellis_lattice::plan(&wish, &actual, &crate::harness::limits()).steps.is_empty());
    }
}

async fn converge_until_propagation(lattice: &LatticeClient, wish: &Desired) {
    let moved = pass(lattice, wish).await;
    assert!(moved.applied.outcome.is_complete(), "{:?}", moved.applied);
}

#[tokio::test]
async fn without_the_index_all_is_listed_and_the_rest_is_the_same() {
    let (emulator, _) = world().await;
    emulator.configure(&json!({"faults": [{"kind": "deny", "operation": "tagging:*"}]}));
    let lattice = emulator.aws().await.lattice();
    let wish = route(&["/inventory"], 2);
    converge(&emulator, &lattice, &wish).await;
    assert!(listings(&emulator) > 0);
    converge(&emulator, &lattice, &route(&["/inventory", "/more"], 1)).await;
    for _ in 0..3 {
        pass(&lattice, &no_route()).await;
        emulator.advance("2m");
    }
    assert_eq!(counted(&emulator), (0, 0));
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_whatever_error_says_so_and_is_remembered() {
    for (dup_error, quota) in [("conflict", 2_000), ("validation", 2_000), ("conflict", 1)] {
        let (emulator, lattice) = world().await;
        let stranger = emulator.stranger().await;
        stranger.create_service().name("inventory-default").send().await.unwrap();
        emulator.configure(&json!({"switches": {"dup-error": dup_error}, "quotas": {"services": quota}}));
        let wish = route(&["/inventory"], 1);
        let blocked = pass_after_a_conflict(&lattice, &wish).await;
        assert!(matches!(blocked.plan.blocked[..], [Blocked::ServiceNameTaken { .. }]), "{:?}", blocked.plan);
        emulator.reset_calls();
        let again = pass(&lattice, &wish).await;
        assert_eq!(again.plan.blocked, blocked.plan.blocked);
        assert_eq!(listings(&emulator), 0, "the stranger is remembered");
        assert_eq!(emulator.calls().get("CreateService"), None);
    }
}
