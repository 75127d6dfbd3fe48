//! Pods with a readiness gate: looked at again until their targets are healthy, and read nowhere else.

use crate::fakes::{Mood, Trouble, World};
use crate::{count, message, route, route_hint, work, worker, world};
use serde_json::{Value, json};
use std::time::Duration;
use trellis_gateway::READINESS_GATE;
use trellis_hint::Kind;
use trellis_lattice::TargetHealth;
use trellis_ports::ErrorClass;
use trellis_telemetry::Metric;

fn endpoint(pod: &str, address: &str, ready: bool) -> Value {
    json!({"addresses": [address], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}})
}

/// A route to one Pod that is ready and one that has just been made.
fn rollout(containers_ready: bool) -> World {
    let world = world();
    world.route("one", "r");
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "parking"}},
        "addressType": "IPv4", "ports": [{"port": 8090, "protocol": "TCP"}],
        "endpoints": [endpoint("old", "10.0.0.1", true), endpoint("new", "10.0.0.2", false)],
    });
    world.put("one", Kind::EndpointSlice, "parking-a", slice);
    let containers =
        json!({"type": "ContainersReady", "status": if containers_ready { "True" } else { "False" }});
    let gates = json!([{"conditionType": READINESS_GATE}]);
    let pod = json!({"spec": {"readinessGates": gates}, "status": {"conditions": [containers]}});
    world.put("one", Kind::Pod, "new", pod);
    world
}

fn set_health(world: &World, health: TargetHealth) {
    let mut state = world.state();
    let targets = state.account.target_groups.iter_mut().flat_map(|group| &mut group.targets);
    targets.for_each(|target| target.health = health);
}

fn gate(world: &World) -> Option<Value> {
    let status = world.status("one", Kind::Pod, "new");
    status["conditions"].as_array()?.iter().find(|one| one["type"] == READINESS_GATE).cloned()
}

/// The route's next look, as the hint for later brings it.
async fn look_again(world: &World) -> (i64, Option<Duration>) {
    let (hint, _) = world.state().later.pop().expect("nothing is to be looked at again");
    world.state().later.clear();
    let ended = work(&worker(world), vec![message("later", &hint, 1)]).await;
    assert!(ended.returned.is_empty(), "no other hint stands behind it");
    (count(&ended, Metric::UnitsWaiting), world.state().later.last().map(|(_, after)| *after))
}

#[tokio::test(start_paused = true)]
async fn a_new_pod_is_a_target_first_and_ready_when_its_target_is_healthy() {
    let world = rollout(true);
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    let registered = world.state().steps.iter().any(|(step, _)| step.contains("10.0.0.2:8090"));
    assert!(registered, "{:?}", world.state().steps);
    assert_eq!(gate(&world).unwrap()["status"], "False");

    set_health(&world, TargetHealth::Initial);
    assert_eq!(look_again(&world).await, (1, Some(Duration::from_secs(5))));
    assert_eq!(gate(&world).unwrap()["reason"], "Initial");

    set_health(&world, TargetHealth::Healthy);
    assert_eq!(look_again(&world).await, (0, None));
    let met = gate(&world).unwrap();
    assert_eq!((&met["status"], &met["reason"]), (&json!("True"), &json!("Healthy")));
    assert_eq!(
        world.status("one", Kind::Pod, "new")["conditions"][0]["type"],
        "ContainersReady",
        "others' stay"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_containers_start_is_no_target_and_looked_at_again() {
    let world = rollout(false);
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert!(!world.state().steps.iter().any(|(step, _)| step.contains("10.0.0.2")));
    assert_eq!((gate(&world), world.state().later.len()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_becomes_healthy_is_given_up_after_twenty_minutes_and_says_why() {
    let world = rollout(true);
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    let mut waited = world.state().later[0].1;
    loop {
        set_health(&world, TargetHealth::Unhealthy);
        match look_again(&world).await {
            (_, Some(after)) => waited += after,
            (_, None) => break,
        }
    }
    assert_eq!(waited, Duration::from_mins(1 + 3 + 16));
    let shut = gate(&world).unwrap();
    assert_eq!((&shut["status"], &shut["reason"]), (&json!("False"), &json!("Unhealthy")));
    assert!(shut["message"].as_str().unwrap().contains("10.0.0.2:8090"), "{shut}");
}

/// Nobody else tells that a target is healthy.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_takes_no_status_for_long_ends_no_pods_waiting() {
    let world = rollout(true);
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    set_health(&world, TargetHealth::Initial);
    world.state().moods.insert("one".into(), Mood::TakesNoStatus);
    let mut after = vec![];
    for _ in 0..7 {
        after.push(look_again(&world).await.1.map(|after| after.as_secs()));
    }
    assert_eq!(after, [2, 4, 8, 16, 32, 5, 2].map(Some));
    world.state().moods.insert("one".into(), Mood::Fine);
    set_health(&world, TargetHealth::Healthy);
    look_again(&world).await;
    assert_eq!(gate(&world).unwrap()["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn a_vpc_lattice_that_fails_leaves_the_gate_as_it_is() {
    let world = rollout(true);
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    set_health(&world, TargetHealth::Healthy);
    let before = gate(&world);
    let (hint, _) = world.state().later.pop().unwrap();
    world.state().troubles.insert(route("one", "r").to_string(), Trouble::InspectFailsLater);
    let ended = work(&worker(&world), vec![message("later", &hint, 1)]).await;
    assert_eq!((ended.returned.len(), gate(&world)), (1, before));
}

#[tokio::test(start_paused = true)]
async fn only_a_person_can_help_the_route_so_its_pods_do_not_wait() {
    let world = rollout(true);
    world.state().troubles.insert(route("one", "r").to_string(), Trouble::Fails(ErrorClass::Terminal, false));
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    // What there is of the target group counts; nothing of it is.
    world.state().account.target_groups.clear();
    look_again(&world).await;
    assert_eq!(gate(&world).unwrap()["reason"], "NotProgrammed");
}

#[tokio::test(start_paused = true)]
async fn where_all_endpoints_are_ready_no_pod_is_read() {
    let (world, rollout) = (world(), rollout(true));
    world.route("one", "r");
    for world in [&world, &rollout] {
        work(&worker(world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    }
    let asked = |world: &World| world.state().asked["one"];
    // The Pod, its patch, and the Pod as it is stored then.
    assert_eq!(asked(&rollout), asked(&world) + 3);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_lets_nobody_read_pods_is_served_without_them() {
    let world = rollout(true);
    world.state().forbidden = Some(Kind::Pod);
    let ended = work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert_eq!((count(&ended, Metric::UnitsSettled), count(&ended, Metric::ClustersUnreadable)), (1, 0));
    assert!(world.state().steps.iter().any(|(step, _)| step.contains("10.0.0.1:8090")));
}
