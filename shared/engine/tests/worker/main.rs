//! The worker with everything behind the ports in bad moods: whatever hangs or fails costs its own unit only, and nothing
//! that was written loses its hint.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

mod directory;
mod external;
mod facts;
mod fakes;
mod functions;
mod held;
mod instances;
mod looks;
mod networks;
mod objects;
mod pods;
mod secrets;

use fakes::{Mood, Trouble, World, id};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use trellis_engine::{Engine, UNIT_MAX, Worked, Worker};
use trellis_gateway::Settings;
use trellis_hint::{Hint, Kind, Look, ObjectRef, Operation, UnitKey};
use trellis_ports::{Budget, ErrorClass, Lane, Message};
use trellis_telemetry::Metric;

/// What Lambda gives a batch.
const INVOCATION: Duration = Duration::from_secs(59);

fn worker(world: &World) -> Worker<World, World, World> {
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    Worker::new(Arc::new(Engine::new(world.clone(), world.clone(), world.clone(), settings)))
}

fn world() -> World {
    let world = World::default();
    world.cluster("one");
    world.cluster("two");
    world
}

fn object(cluster: &str, kind: Kind, name: &str) -> ObjectRef {
    let (cluster, namespace, name) = (id(cluster), "default".into(), name.into());
    ObjectRef { cluster, kind, namespace, name, uid: String::new(), generation: 1 }
}

fn gateway() -> UnitKey {
    UnitKey::Gateway { scope: id("one").scope, name: "my-hotel".into() }
}

fn route(cluster: &str, name: &str) -> UnitKey {
    let (cluster, namespace, name) = (id(cluster), "default".into(), name.into());
    UnitKey::Route { kind: Kind::HTTPRoute, cluster, namespace, name }
}

fn route_hint(cluster: &str, name: &str) -> Hint {
    Hint::new(route(cluster, name), object(cluster, Kind::HTTPRoute, name), Operation::Update)
}

fn message(id: &str, hint: &Hint, receives: u32) -> Message {
    Message {
        id: id.into(),
        receipt_handle: format!("r-{id}"),
        group: Some(hint.unit.group_id()),
        body: hint.body(),
        receives,
        sent: None,
    }
}

async fn work(worker: &Worker<World, World, World>, messages: Vec<Message>) -> Worked {
    let work = worker.work(messages, Budget::lasting(INVOCATION));
    tokio::time::timeout(INVOCATION, work).await.expect("the invocation would have been killed")
}

/// What was counted, or measured in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "a test counts to ten and waits for seconds")]
fn count(ended: &Worked, metric: Metric) -> i64 {
    ended.metrics.get(metric) as i64
}

#[tokio::test(start_paused = true)]
async fn ten_hints_of_a_cluster_that_hangs_cost_one_timeout_and_the_other_units_are_done() {
    let world = world();
    world.state().moods.insert("two".into(), Mood::Hangs);
    let mut messages = vec![];
    for n in 0..7 {
        let object = object("two", Kind::HTTPRoute, &format!("r{n}"));
        messages.push(message(&format!("g{n}"), &Hint::new(gateway(), object, Operation::Create), 1));
    }
    for name in ["a", "b"] {
        world.route("one", name);
        messages.push(message(name, &route_hint("one", name), 1));
    }
    let began = Instant::now();
    let ended = work(&worker(&world), messages).await;
    // One timeout of eight seconds, and the waits for the VPC's association.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(ended.returned.is_empty(), "no other hint stands behind these: {:?}", ended.returned);
    assert_eq!(world.state().later.len(), 1, "but the cluster is looked at again");
    assert_eq!(count(&ended, Metric::UnitsHeld) + count(&ended, Metric::UnitsSettled), 3);
    assert_eq!(count(&ended, Metric::ClustersUnreadable), 1);
    let status = world.status("one", Kind::Gateway, "my-hotel").to_string();
    assert!(
        status.contains("servicenetwork") || status.contains("arn:"),
        "its own cluster is told: {status}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hangs_is_asked_once_in_an_invocation_whatever_number_of_units_names_it() {
    let world = world();
    world.state().moods.insert("two".into(), Mood::Hangs);
    let worker = worker(&world);
    let routes: Vec<Message> =
        (0..10).map(|n| message(&n.to_string(), &route_hint("two", &format!("r{n}")), 1)).collect();
    let began = Instant::now();
    let ended = work(&worker, routes.clone()).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((world.state().later.len(), count(&ended, Metric::UnitsHeld)), (10, 10));
    assert!(ended.returned.is_empty());
    // The next invocation comes at once and does not pay again.
    let (began, asked) = (Instant::now(), world.state().asked["two"]);
    work(&worker, routes).await;
    assert_eq!((began.elapsed(), world.state().asked["two"]), (Duration::ZERO, asked));
}

/// What a new Pod of the importing route's own cluster stands behind.
#[tokio::test(start_paused = true)]
async fn a_route_goes_on_after_two_seconds_without_an_exporter_that_hangs_and_waits_longer_in_its_last_look()
{
    let world = world();
    let import = json!({"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "lobby"});
    let backends = json!([{"name": "parking", "port": 80}, import]);
    let spec = json!({"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": backends}]});
    world.put("one", Kind::HTTPRoute, "r", json!({"spec": spec}));
    world.put("one", Kind::ServiceImport, "lobby", json!({"spec": {"ports": [{"port": 80}]}}));
    world.state().moods.insert("two".into(), Mood::Hangs);
    let worker = worker(&world);
    let began = Instant::now();
    let ended = work(&worker, vec![message("0", &route_hint("one", "r"), 1)]).await;
    let first = world.state().steps[0].1;
    assert_eq!((first - began, count(&ended, Metric::UnitsHeld)), (Duration::from_secs(2), 1));
    // Whoever asks with more patience is not told that the cluster does not answer.
    let began = Instant::now();
    work(&worker, vec![message("1", &route_hint("two", "r"), 1)]).await;
    assert_eq!(began.elapsed(), Duration::from_secs(8));
    let last = Hint { hindered: 5, ..route_hint("one", "r").again() };
    tokio::time::advance(Duration::from_secs(10)).await;
    let began = Instant::now();
    work(&worker, vec![message("2", &last, 1)]).await;
    assert_eq!(began.elapsed(), Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_hangs_is_given_back_in_time_and_the_others_are_acknowledged() {
    let world = world();
    world.route("one", "a");
    world.route("one", "b");
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::InspectHangs);
    let began = Instant::now();
    let messages = vec![message("a", &route_hint("one", "a"), 1), message("b", &route_hint("one", "b"), 1)];
    let ended = work(&worker(&world), messages).await;
    assert_eq!(ended.returned, ["a"]);
    assert!(began.elapsed() <= UNIT_MAX, "{:?}", began.elapsed());
    assert_eq!(count(&ended, Metric::UnitsFailed), 1);
    assert!(world.state().put_off.contains_key(&(Lane::Units, "r-a".into())));
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_panics_comes_again_and_the_others_are_done() {
    let world = world();
    world.route("one", "a");
    world.route("one", "b");
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::Panics);
    let messages = vec![message("a", &route_hint("one", "a"), 1), message("b", &route_hint("one", "b"), 1)];
    assert_eq!(work(&worker(&world), messages).await.returned, ["a"]);
}

/// Review B6, scenario a.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_takes_no_status_keeps_no_steps_and_no_hints_from_being_done_and_fills_no_dead_letter_queue()
 {
    let world = world();
    world.route("one", "a");
    world.state().moods.insert("two".into(), Mood::TakesNoStatus);
    let worker = worker(&world);
    let hint = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    let ended = work(&worker, vec![message("g", &hint, 1)]).await;
    assert_eq!(world.state().account.vpc_associations.len(), 2, "all steps are done");
    assert!(world.status("one", Kind::Gateway, "my-hotel").to_string().contains("Programmed"));
    assert!(
        world.sent_to().contains(&route("one", "a").to_string()),
        "whoever waits for the network is told"
    );
    assert_eq!((ended.returned.len(), count(&ended, Metric::UnitsHeld)), (0, 1));
    assert!(count(&ended, Metric::StatusesFailed) >= 1);
    let mut delays = vec![];
    loop {
        let Some((again, after)) = world.state().later.pop() else { break };
        delays.push(after.as_secs());
        assert!(work(&worker, vec![message("g", &again, 1)]).await.returned.is_empty());
    }
    assert_eq!(delays, [2, 4, 8, 16, 32], "then it is left to the drift pass");
}

/// Review B6, scenario b.
#[tokio::test(start_paused = true)]
async fn what_was_written_on_the_way_is_told_to_its_readers_although_the_unit_fails_then() {
    let world = world();
    world.route("one", "a");
    let worker = worker(&world);
    let of_gateway = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    work(&worker, vec![message("g", &of_gateway, 1)]).await;
    world.state().sent.clear();
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::InspectFailsLater);
    let ended = work(&worker, vec![message("a", &route_hint("one", "a"), 1)]).await;
    assert_eq!((ended.returned.len(), count(&ended, Metric::UnitsFailed)), (1, 1));
    assert!(world.status("one", Kind::HTTPRoute, "a").to_string().contains("DNS Name"));
    assert!(world.sent_to().contains(&gateway().to_string()), "{:?}", world.sent_to());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_given_out_before_tells_its_readers_again_and_each_but_once() {
    let world = world();
    world.route("one", "a");
    let worker = worker(&world);
    work(&worker, vec![message("a", &route_hint("one", "a"), 1)]).await;
    world.state().sent.clear();
    work(&worker, vec![message("a", &route_hint("one", "a"), 1)]).await;
    assert!(world.sent_to().is_empty(), "nothing is new");
    for _ in 0..2 {
        work(&worker, vec![message("a", &route_hint("one", "a"), 2)]).await;
    }
    let state = world.state();
    let ids: Vec<&String> = state.sent.iter().map(|sent| &sent.deduplication_id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "the queue takes one of them: {ids:?}");
}

#[tokio::test(start_paused = true)]
async fn hints_that_cannot_be_sent_give_the_message_back() {
    let world = world();
    world.route("one", "a");
    world.state().queue_fails = true;
    let ended = work(&worker(&world), vec![message("a", &route_hint("one", "a"), 1)]).await;
    assert_eq!((ended.returned.len(), count(&ended, Metric::UnitsFailed)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_steps_do_not_wait_for_a_status_that_takes_its_time() {
    let world = world();
    world.route("one", "a");
    world.state().moods.insert("one".into(), Mood::SlowStatus(Duration::from_secs(6)));
    let began = Instant::now();
    let hint = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    work(&worker(&world), vec![message("g", &hint, 1)]).await;
    let last = world.state().steps.iter().map(|(_, at)| *at).max().unwrap();
    assert!(last - began < Duration::from_secs(6), "{:?}", last - began);
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_waits_comes_back_by_a_hint_for_later_and_is_left_to_the_drift_pass_after_forty() {
    let world = world();
    world.route("one", "a");
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::Waits);
    let worker = worker(&world);
    let ended = work(&worker, vec![message("a", &route_hint("one", "a"), 1)]).await;
    assert!(ended.returned.is_empty(), "acknowledged, so that other hints are not held up");
    let (hint, after) = world.state().later.remove(0);
    assert_eq!((hint.waits, hint.operation, after), (1, Operation::Resync, Duration::from_secs(15)));

    // Its time has come: it is sent on to its unit, and equal ones are one.
    world.state().sent.clear();
    work(&worker, vec![due("l1", &hint, 105), due("l2", &hint, 106), due("l3", &hint, 200)]).await;
    let ids: Vec<String> = world.state().sent.iter().map(|sent| sent.deduplication_id.clone()).collect();
    assert!(ids[0] == ids[1] && ids[0] != ids[2], "{ids:?}");

    world.state().later.clear();
    let tired = Hint { waits: 40, ..hint };
    let ended = work(&worker, vec![message("a", &tired, 1)]).await;
    assert!(ended.returned.is_empty() && world.state().later.is_empty());

    // Who may send to the queue must not end a unit's waiting by a count of his own.
    let true_one = Hint { waits: 3, ..tired.clone() };
    work(&worker, vec![message("a", &true_one, 1), message("b", &tired, 1)]).await;
    let (hint, _) = world.state().later.remove(0);
    assert_eq!(hint.waits, 4, "the least count is counted on");
}

/// A hint for later that was sent so many seconds after 1970 and whose time has come.
fn due(id: &str, hint: &Hint, sent: u64) -> Message {
    let sent = Some(std::time::UNIX_EPOCH + Duration::from_secs(sent));
    Message { group: None, sent, ..message(id, hint, 1) }
}

/// The queue would take a hint that equals one of the last minutes for sent, and nobody would look again.
#[tokio::test(start_paused = true)]
async fn a_hint_for_later_is_never_taken_for_the_one_whose_look_it_came_from() {
    let world = world();
    world.route("one", "a");
    let worker = worker(&world);
    for seconds in [1, 2, 5, 15] {
        // A wait for the grace does not count: both hints have waited equally often.
        let hint = Hint { put_off: seconds, ..route_hint("one", "a").again() };
        world.state().sent.clear();
        for sent in 100..120 {
            let next = sent + u64::from(seconds);
            work(&worker, vec![due("l1", &hint, sent), due("l2", &hint, next)]).await;
            let two: Vec<String> = world.state().sent.drain(..).map(|sent| sent.deduplication_id).collect();
            assert!(two.len() == 2 && two[0] != two[1], "{seconds} s after {sent}");
        }
    }
}

/// Two looks at one cluster that pause in the same minute, of which each has a rest of its own.
#[tokio::test(start_paused = true)]
async fn the_rest_of_a_look_is_never_taken_for_the_rest_of_another() {
    let world = world();
    let unit = UnitKey::Cluster { cluster: id("one") };
    let rest = |look: Look| {
        let look = Look { after: Some(7), ..look };
        let hint = Hint::new(unit.clone(), object("one", Kind::Namespace, "default"), Operation::Resync);
        Hint { waits: 1, put_off: 60, ..hint.with_look(look) }
    };
    let of_pass = rest(Look::of_pass(1_800_000_000_000, 1_799_999_700_000));
    let in_depth = rest(Look::in_depth(1_800_000_010_000));
    work(&worker(&world), vec![due("l1", &of_pass, 120), due("l2", &in_depth, 130)]).await;
    let ids: BTreeSet<String> = world.state().sent.iter().map(|sent| sent.deduplication_id.clone()).collect();
    assert_eq!(ids.len(), 2, "the queue takes one of equal ids, and the other look has no end");
}

#[tokio::test(start_paused = true)]
async fn a_hint_for_later_that_cannot_be_sent_gives_the_messages_back() {
    let world = world();
    world.route("one", "a");
    let worker = worker(&world);
    work(&worker, vec![message("a", &route_hint("one", "a"), 1)]).await;
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::Waits);
    world.state().queue_fails = true;
    let messages = vec![message("a", &route_hint("one", "a"), 1)];
    assert_eq!(work(&worker, messages).await.returned, ["a"]);
    let due = Message { group: None, ..message("l", &route_hint("one", "a"), 1) };
    assert_eq!(work(&worker, vec![due]).await.returned, ["l"], "nor is one that could not be sent on lost");
    assert_eq!(
        world.state().put_off[&(Lane::Later, "r-l".into())],
        Duration::from_secs(2),
        "in its own queue"
    );
}

/// The one from a look at a whole cluster has no further look follow, the one from a change has.
#[tokio::test(start_paused = true)]
async fn a_hint_of_a_change_that_waits_is_never_taken_for_one_of_a_look_at_a_whole_cluster() {
    let world = world();
    let news = Hint { hindered: 5, put_off: 32, ..route_hint("one", "a").again() };
    let looked_at = Hint { catch_ups: 1, ..news.clone() };
    work(&worker(&world), vec![due("l1", &looked_at, 3_200), due("l2", &news, 3_210)]).await;
    let ids: BTreeSet<String> = world.state().sent.iter().map(|sent| sent.deduplication_id.clone()).collect();
    assert_eq!(ids.len(), 2, "the queue takes the first of equal ids, and nobody looks for the change");
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_refused_ends_with_a_person_and_not_in_the_dead_letter_queue() {
    let world = world();
    world.route("one", "a");
    let trouble = Trouble::Fails(ErrorClass::Stale, true);
    world.state().troubles.insert(route("one", "a").to_string(), trouble);
    let worker = worker(&world);
    let mut hint = route_hint("one", "a");
    let (mut delays, mut applies) = (vec![], vec![]);
    let last = loop {
        world.state().applies = 0;
        let ended = work(&worker, vec![message("a", &hint, 1)]).await;
        assert!(ended.returned.is_empty(), "never given back");
        applies.push(world.state().applies);
        let Some((later, after)) = world.state().later.pop() else { break ended };
        delays.push(after.as_secs());
        hint = later;
    };
    assert_eq!(delays, [15, 30]);
    assert_eq!(applies, [2, 1, 1], "not again at once where reading anew shows no reason");
    assert_eq!(count(&last, Metric::UnitsBlocked), 1);
}

#[tokio::test(start_paused = true)]
async fn what_only_a_person_can_change_is_acknowledged_and_counted_as_that() {
    let world = world();
    world.route("one", "a");
    let trouble = Trouble::Fails(ErrorClass::Terminal, false);
    world.state().troubles.insert(route("one", "a").to_string(), trouble);
    let ended = work(&worker(&world), vec![message("a", &route_hint("one", "a"), 1)]).await;
    assert!(ended.returned.is_empty());
    assert_eq!(count(&ended, Metric::UnitsBlocked), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_names_its_time_is_tried_again_then() {
    let world = world();
    world.route("one", "a");
    let trouble = Trouble::Throttled(Duration::from_mins(2));
    world.state().troubles.insert(route("one", "a").to_string(), trouble);
    work(&worker(&world), vec![message("a", &route_hint("one", "a"), 1)]).await;
    assert_eq!(world.state().put_off[&(Lane::Units, "r-a".into())], Duration::from_mins(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_hint_is_acknowledged_and_every_figure_is_told() {
    let world = world();
    world.route("one", "a");
    let nonsense = Message { body: "]".into(), ..message("n", &route_hint("one", "a"), 1) };
    let unregistered = message("u", &route_hint("nowhere", "a"), 1);
    let sent = std::time::SystemTime::now() - Duration::from_secs(2);
    let told = Message { sent: Some(sent), ..message("a", &route_hint("one", "a"), 1) };
    let gateway = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    let worker = worker(&world);
    work(&worker, vec![message("g", &gateway, 1)]).await;
    let ended = work(&worker, vec![nonsense, unregistered, told]).await;
    assert!(ended.returned.is_empty());
    for (metric, least) in [
        (Metric::HintsReceived, 3),
        (Metric::HintsRefused, 1),
        (Metric::HintsUnregistered, 1),
        (Metric::UnitsSettled, 2),
        (Metric::StepsApplied, 1),
        (Metric::LatticeCalls, 3),
        (Metric::KubernetesReads, 1),
        (Metric::StatusPatches, 1),
        (Metric::HintsSent, 1),
        (Metric::QueueDelay, 2000),
        (Metric::TimeToProgrammed, 2000),
    ] {
        assert!(count(&ended, metric) >= least, "{}: {}", metric.name(), count(&ended, metric));
    }
}
