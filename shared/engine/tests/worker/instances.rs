//! Instances that Backends mean: events of EC2 and Auto Scaling reach their target groups, by few calls, and nothing else follows from one.

use crate::fakes::World;
use crate::{count, message, route_hint, work, worker, world};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trellis_gateway::Instance;
use trellis_hint::Kind;
use trellis_ports::Message;
use trellis_telemetry::Metric;

const A: &str = "i-0a1b2c3d4e5f60001";
const B: &str = "i-0a1b2c3d4e5f60002";
const OTHER: &str = "i-0a1b2c3d4e5f60009";

fn instance(world: &World, id: &str, state: &str, app: &str) {
    let tags = [("app".to_owned(), app.to_owned())].into();
    let one = Instance { state: state.into(), vpc: Some("vpc-one".into()), lifecycle: None, tags };
    world.state().instances.insert(id.into(), one);
}

/// A route to instances with a tag, beside a Backend of others.
async fn standing() -> World {
    let world = world();
    instance(&world, A, "running", "rates");
    instance(&world, B, "stopped", "rates");
    instance(&world, OTHER, "running", "rooms");
    let backend = |app: &str| json!({"spec": {"instances": {"tags": {"app": app}, "port": 8080}}});
    world.put("one", Kind::Backend, "rates", backend("rates"));
    world.put("one", Kind::Backend, "rooms", backend("rooms"));
    let reference = json!({"group": Kind::Backend.group(), "kind": "Backend", "name": "rates"});
    let spec = json!({"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": [reference]}]});
    world.put("one", Kind::HTTPRoute, "r", json!({"spec": spec}));
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert_eq!(targets(&world), [A]);
    world.state().sent.clear();
    world
}

/// The instances that stay in the target groups.
fn targets(world: &World) -> Vec<String> {
    let state = world.state();
    let all = state.account.target_groups.iter().flat_map(|group| &group.targets);
    let all: BTreeSet<String> = all.map(|one| one.target.id().to_owned()).collect();
    all.into_iter().collect()
}

fn event(body: &Value) -> Message {
    let body = body.to_string();
    Message { id: "e".into(), receipt_handle: "r".into(), group: None, body, receives: 1, sent: None }
}

fn state_change(id: &str, state: &str) -> Value {
    json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification",
        "detail": {"instance-id": id, "state": state}})
}

/// Works off an event and all hints that follow.
async fn told(world: &World, body: &Value) {
    let worker = worker(world);
    let mut next = vec![event(body)];
    for round in 0..4 {
        let ended = work(&worker, std::mem::take(&mut next)).await;
        assert_eq!(count(&ended, Metric::UnitsFailed), 0);
        let sent = std::mem::take(&mut world.state().sent);
        next =
            sent.iter().enumerate().map(|(n, one)| message(&format!("{round}-{n}"), &one.hint, 1)).collect();
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_starts_is_a_target_and_one_that_stops_is_none_with_no_look_at_anything_else() {
    let world = standing().await;
    let looks = world.state().inspected.clone();
    let steps = world.state().steps.len();
    instance(&world, B, "running", "rates");
    told(&world, &state_change(B, "running")).await;
    assert_eq!(targets(&world), [A, B]);
    instance(&world, A, "stopping", "rates");
    told(&world, &state_change(A, "stopping")).await;
    let state = world.state();
    assert_eq!(state.steps.len(), steps + 2, "{:?}", state.steps);
    let whole = |looks: &std::collections::BTreeMap<String, usize>| {
        looks.iter().filter(|(unit, _)| unit.starts_with("route/")).map(|(_, n)| n).sum::<usize>()
    };
    assert_eq!(whole(&state.inspected), whole(&looks), "the route was looked at as a whole");
    drop(state);
    let status = world.status("one", Kind::Backend, "rates").to_string();
    assert!(status.contains("Routes lead to 1 instance at port 8080"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_no_backend_means_wakes_nobody() {
    let world = standing().await;
    instance(&world, "i-0a1b2c3d4e5f60007", "running", "nobody");
    work(&worker(&world), vec![event(&state_change("i-0a1b2c3d4e5f60007", "running"))]).await;
    assert!(world.state().sent.is_empty(), "{:?}", world.state().sent);
    work(&worker(&world), vec![event(&state_change(OTHER, "running"))]).await;
    let told: Vec<String> = world.state().sent.iter().map(|one| one.hint.unit.to_string()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("/default/rooms"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_which_nothing_is_known_wakes_all_who_may_mean_it_and_moves_nothing() {
    let world = standing().await;
    world.state().instances_unknown = Some("throttled".into());
    let steps = world.state().steps.len();
    told(&world, &state_change(A, "stopping")).await;
    assert_eq!(world.state().steps.len(), steps, "{:?}", world.state().steps);
    assert_eq!(targets(&world), [A]);
    let status = world.status("one", Kind::Backend, "rates").to_string();
    assert!(status.contains("throttled"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn an_event_where_no_cluster_has_such_backends_asks_aws_nothing() {
    let world = world();
    work(&worker(&world), vec![event(&state_change(A, "running"))]).await;
    assert!(world.state().instances_asked.is_empty() && world.state().sent.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_edit_beside_an_event_is_looked_at_as_a_whole() {
    let world = standing().await;
    instance(&world, B, "running", "rates");
    let edit = route_hint("one", "r");
    let only = trellis_hint::Hint { only_instances: true, ..edit.clone() };
    let ended = work(&worker(&world), vec![message("1", &only, 1), message("2", &edit, 1)]).await;
    assert_eq!(count(&ended, Metric::UnitsSettled), 1);
    assert_eq!(world.state().inspected[&edit.unit.to_string()], 2);
    assert_eq!(targets(&world), [A, B]);
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_instances_for_a_route_that_has_nothing_yet_makes_all_of_it() {
    let world = standing().await;
    world.state().account = trellis_lattice::Actual::default();
    let only = trellis_hint::Hint { only_instances: true, ..route_hint("one", "r") };
    work(&worker(&world), vec![message("1", &only, 1)]).await;
    assert_eq!(targets(&world), [A]);
    assert_eq!(world.state().account.services.len(), 1);
}

/// Whatever somebody writes into the queue: what runs is what EC2 says, so that nothing changes.
#[tokio::test(start_paused = true)]
async fn a_forged_event_changes_nothing() {
    let kinds = [
        ("aws.ec2", "EC2 Instance State-change Notification"),
        ("aws.autoscaling", "EC2 Instance Launch Successful"),
        ("aws.autoscaling", "AWS API Call via CloudTrail"),
        ("aws.tag", "Tag Change on Resource"),
        ("mine", "whatever"),
    ];
    let long = "i-".repeat(100_000);
    let texts = [A, B, OTHER, "i-0000000000000000a", "", "../../etc", "\u{0}", "*", long.as_str()];
    let world = standing().await;
    let steps = world.state().steps.len();
    for (source, kind) in kinds {
        for text in texts {
            for detail in [
                json!({"instance-id": text, "state": "terminated", "EC2InstanceId": text, "AutoScalingGroupName": text,
                    "requestParameters": {"autoScalingGroupName": text}}),
                json!({"instance-id": [text], "EC2InstanceId": {"a": text}, "requestParameters": 7}),
                json!([text]),
            ] {
                let resources = json!([format!("arn:aws:ec2:r:a:instance/{text}"), 7, null]);
                told(
                    &world,
                    &json!({"source": source, "detail-type": kind, "resources": resources, "detail": detail}),
                )
                .await;
            }
        }
    }
    assert_eq!(world.state().steps.len(), steps, "{:?}", world.state().steps);
    assert_eq!(targets(&world), [A]);
}
