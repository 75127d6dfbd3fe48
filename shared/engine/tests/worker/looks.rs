//! Looks at whole clusters, and what others change.

use crate::fakes::{Mood, Trouble, World, id};
use crate::{count, gateway, message, object, route, route_hint, work, worker, world};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trellis_engine::{Engine, Life, LookReport, Rotation, Worker};
use trellis_gateway::{ObjectKey, Settings};
use trellis_hint::{Hint, Kind, Look, Operation, UnitKey};
use trellis_lattice::{Mode, ResourceKind};
use trellis_ports::{Budget, Message, Owned};
use trellis_telemetry::Metric;

fn cluster(name: &str) -> UnitKey {
    UnitKey::Cluster { cluster: id(name) }
}

fn sweep(name: &str) -> Hint {
    Hint::new(cluster(name), object(name, Kind::Namespace, "default"), Operation::Resync)
}

fn pass(name: &str) -> Hint {
    sweep(name).with_look(Look::of_pass(1_800_000_000_000, 0))
}

/// Works off the queue as SQS gives it out, but for the routes themselves, which would meet in the one account that all units
/// have here; how many hints each unit got.
async fn pump(
    world: &World,
    worker: &Worker<World, World, World>,
    first: Vec<Hint>,
) -> (BTreeMap<String, usize>, Vec<LookReport>) {
    let (mut hints, mut looks): (BTreeMap<String, usize>, Vec<LookReport>) = (BTreeMap::new(), vec![]);
    let mut seen = BTreeSet::new();
    let mut queue: VecDeque<Hint> = first.into();
    while let Some(hint) = queue.pop_front() {
        if !matches!(hint.unit, UnitKey::Route { .. } | UnitKey::Export { .. }) {
            looks.extend(work(worker, vec![message("m", &hint, 1)]).await.looks);
        }
        let mut state = world.state();
        for sent in std::mem::take(&mut state.sent) {
            if seen.insert(sent.deduplication_id.clone()) {
                *hints.entry(sent.hint.unit.to_string()).or_default() += 1;
                queue.push_back(sent.hint);
            }
        }
        queue.extend(std::mem::take(&mut state.later).into_iter().map(|(hint, _)| hint));
    }
    (hints, looks)
}

/// Cluster one has two routes, of which one imports what cluster two exports twice.
fn sharing() -> World {
    let world = world();
    world.route("one", "a");
    let backend = |name: &str| json!({"name": name, "kind": "ServiceImport", "group": "application-networking.k8s.aws"});
    let rules = json!([{"backendRefs": [backend("parking"), backend("review")]}]);
    world.put(
        "one",
        Kind::HTTPRoute,
        "b",
        json!({"spec": {"parentRefs": [{"name": "my-hotel"}], "rules": rules}}),
    );
    for name in ["parking", "review"] {
        world.put("one", Kind::ServiceImport, name, json!({"spec": {"type": "ClusterSetIP", "ports": []}}));
        world.put("two", Kind::ServiceExport, name, json!({}));
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_look_at_a_whole_cluster_reaches_each_unit_by_one_hint() {
    let world = sharing();
    let worker = worker(&world);
    // Once nothing is new to the Gateways.
    pump(&world, &worker, vec![sweep("one"), sweep("two")]).await;
    for name in ["one", "two"] {
        let (hints, _) = pump(&world, &worker, vec![sweep(name)]).await;
        assert!(hints.values().all(|count| *count == 1), "{hints:#?}");
        assert!(hints.contains_key(&gateway().to_string()), "{hints:#?}");
        assert!(
            hints.contains_key(&route("one", "b").to_string()),
            "it imports from cluster two: {hints:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_whose_network_is_new_tells_its_routes_although_they_were_told_by_the_same_look() {
    let world = world();
    world.route("one", "a");
    let worker = worker(&world);
    let looked = gateway_hint().with_look(Look::of_all(7));
    assert_eq!(count(&work(&worker, vec![message("g", &looked, 1)]).await, Metric::UnitsSettled), 1);
    assert!(world.sent_to().contains(&route("one", "a").to_string()), "{:?}", world.sent_to());
    world.state().sent.clear();
    work(&worker, vec![message("g", &looked, 1)]).await;
    assert!(!world.sent_to().contains(&route("one", "a").to_string()), "nothing is new");
}

/// The webhook's port may be closed: the API server then says nothing, and only drift passes find what was changed.
#[tokio::test(start_paused = true)]
async fn a_look_counts_changes_that_no_status_tells_of_minutes_later() {
    let world = world();
    let changed = |name: &str, minutes: Option<i64>, gateway: &str| {
        let time = |minutes| jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
        let text = minutes.map(|minutes| time(minutes).strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let fields: Vec<_> = text.map(|text| json!({"time": text})).into_iter().collect();
        let backend = json!([{"name": "parking", "kind": "Service", "port": 80}]);
        let spec = json!({"parentRefs": [{"name": gateway}], "rules": [{"backendRefs": backend}]});
        let metadata = json!({"managedFields": fields});
        world.put("one", Kind::HTTPRoute, name, json!({"metadata": metadata, "spec": spec}));
        let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "default".into(), name: name.into() };
        world.state().objects.get_mut(&("one".to_owned(), key)).unwrap()["metadata"]["generation"] = json!(2);
    };
    changed("missed", Some(3), "my-hotel");
    changed("just-now", Some(1), "my-hotel");
    changed("not-ours", Some(3), "of-another-class");
    changed("nobody-says-when", None, "my-hotel");
    let worker = worker(&world);
    let ended = work(&worker, vec![message("m", &pass("one"), 1)]).await;
    assert_eq!((ended.looks[0].untold, count(&ended, Metric::ChangesMissed)), (1, 1), "{:?}", ended.looks);
}

fn gateway_hint() -> Hint {
    Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Resync)
}

#[tokio::test(start_paused = true)]
async fn a_pass_sends_many_hints_in_portions_and_every_unit_gets_one() {
    let world = world();
    let routes: BTreeSet<String> = (0..400).map(|n| format!("r{n}")).collect();
    for name in &routes {
        world.route("one", name);
    }
    let worker = worker(&world);
    let first = work(&worker, vec![message("p", &pass("one"), 1)]).await;
    assert_eq!(world.sent_to().len(), first.looks[0].hints);
    assert!((300..340).contains(&first.looks[0].hints), "{}", first.looks[0].hints);
    let (rest, after) = world.state().later.pop().unwrap();
    assert_eq!((after, rest.waits, rest.unit.clone()), (Duration::from_mins(1), 1, cluster("one")));
    let second = work(&worker, vec![message("p", &rest, 1)]).await;
    assert_eq!(second.looks[0].goes_on_with, 0);
    assert_eq!(first.looks[0].goes_on_with, second.looks[0].units);
    let told: Vec<String> = world.state().sent.iter().map(|sent| sent.hint.unit.to_string()).collect();
    let expected: BTreeSet<String> = routes.iter().map(|name| route("one", name).to_string()).collect();
    let told_once: BTreeSet<String> =
        told.iter().filter(|unit| unit.starts_with("route/")).cloned().collect();
    assert_eq!((told.len(), &told_once), (told.iter().collect::<BTreeSet<_>>().len(), &expected));
    assert!(world.state().steps.is_empty(), "a look changes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_cannot_be_looked_at_keeps_no_other_from_its_look() {
    let world = world();
    for n in 0..100 {
        world.route("one", &format!("r{n}"));
    }
    for n in [3, 50, 51] {
        let unit = route("one", &format!("r{n}")).to_string();
        world.state().troubles.insert(unit, Trouble::InspectHangs);
    }
    let worker = worker(&world);
    let (_, looks) = pump_looks(&world, &worker, pass("one")).await;
    let failed: usize = looks.iter().map(|look| look.failed.len()).sum();
    let drifted: usize = looks.iter().map(|look| look.drifted_count).sum();
    assert_eq!((failed, looks.last().unwrap().goes_on_with), (3, 0));
    assert!(drifted >= 97, "{drifted}");
}

/// Works off the messages of a look alone.
async fn pump_looks(
    world: &World,
    worker: &Worker<World, World, World>,
    first: Hint,
) -> (usize, Vec<LookReport>) {
    let (mut next, mut looks, mut messages) = (Some(first), vec![], 0);
    while let Some(hint) = next {
        messages += 1;
        looks.extend(work(worker, vec![message("p", &hint, 1)]).await.looks);
        let mut state = world.state();
        let sent = std::mem::take(&mut state.sent).into_iter().map(|sent| sent.hint);
        let later = std::mem::take(&mut state.later).into_iter().map(|(hint, _)| hint);
        next = sent.chain(later).find(|hint| matches!(hint.unit, UnitKey::Cluster { .. }));
    }
    (messages, looks)
}

#[tokio::test(start_paused = true)]
async fn a_look_without_end_is_ended_and_says_what_it_has_not_seen() {
    let world = world();
    for n in 0..2_800 {
        world.route("one", &format!("r{n}"));
        let unit = route("one", &format!("r{n}")).to_string();
        world.state().troubles.insert(unit, Trouble::InspectHangs);
    }
    let (messages, looks) = pump_looks(&world, &worker(&world), pass("one")).await;
    assert!(messages <= 82, "{messages}");
    let (seen, last) = (looks.iter().map(|look| look.units).sum::<usize>(), looks.last().unwrap());
    assert_eq!(last.goes_on_with, 0);
    assert!(last.left_out > 0 && seen + last.left_out >= 2_800, "{seen} seen, {} left out", last.left_out);
}

/// A look that takes longer than from one pass to the next: its rest and the next pass's are in one batch.
#[tokio::test(start_paused = true)]
async fn two_looks_at_a_cluster_in_one_batch_end_in_time_and_each_goes_on_once() {
    let world = world();
    for n in 0..400 {
        world.route("one", &format!("r{n}"));
        // Every part takes eight seconds.
        if n % 20 == 0 {
            world.state().troubles.insert(route("one", &format!("r{n}")).to_string(), Trouble::InspectHangs);
        }
    }
    // 150 calls of 100 ms: fifteen thousand resources.
    world.state().index_takes = Duration::from_secs(15);
    let rest = |began: u64| Look { after: Some(1), ..Look::of_pass(began, 0) };
    let hints = [1_800_000_000_000, 1_800_000_300_000].map(|began| pass("one").with_look(rest(began)));
    let messages = vec![message("1", &hints[0], 1), message("2", &hints[1], 1)];
    let worker = worker(&world);
    let ended = work(&worker, messages.clone()).await;
    let of_cluster = |world: &World| {
        let state = world.state();
        let later = state.later.iter().map(|(hint, _)| hint.clone());
        let all = state.sent.iter().map(|sent| sent.hint.clone()).chain(later);
        all.filter(|hint| hint.unit == cluster("one")).filter_map(|hint| hint.look).collect::<Vec<Look>>()
    };
    let rests = of_cluster(&world);
    assert!(
        ended.returned.is_empty(),
        "both are given back, and come up to twenty times, each time with one more rest: {rests:?}"
    );
    assert_eq!(rests.len(), 2, "{rests:?}");
}

/// Any webhook may write such messages, as many as it likes.
#[tokio::test(start_paused = true)]
async fn rests_of_looks_that_somebody_made_up_keep_no_other_look_from_its_turn() {
    let world = world();
    for n in 0..300 {
        world.route("one", &format!("r{n}"));
        world.state().troubles.insert(route("one", &format!("r{n}")).to_string(), Trouble::InspectHangs);
    }
    let genuine = 1_800_000_000_000;
    let mut queue = VecDeque::from([pass("one").with_look(Look::of_pass(genuine, genuine - 1))]);
    for n in 1..10 {
        let forged = Look { after: Some(n), ..Look::of_pass(n, 0) };
        queue.push_back(pass("one").with_look(forged));
    }
    let is_genuine = |hint: &Hint| hint.look.is_some_and(|look| look.began == genuine);
    let (worker, mut batches, mut begins) = (worker(&world), 0, None);
    while queue.iter().any(is_genuine) && begins.is_none() {
        batches += 1;
        let batch: Vec<Hint> = queue.drain(..queue.len().min(10)).collect();
        let messages = batch.iter().enumerate().map(|(n, hint)| message(&n.to_string(), hint, 1)).collect();
        assert!(work(&worker, messages).await.returned.is_empty());
        let sent: Vec<Hint> = world.state().sent.drain(..).map(|sent| sent.hint).collect();
        queue.extend(sent.into_iter().filter(|hint| hint.unit == cluster("one")));
        let has_begun = |hint: &Hint| is_genuine(hint) && hint.look.is_some_and(|look| look.after.is_some());
        begins = queue.iter().any(has_begun).then_some(batches);
    }
    assert!(begins.is_some_and(|begins| begins <= 10), "begins {begins:?} of {batches} batches");
}

/// A count ends a look, and an alarm tells of what a look has left out.
#[tokio::test(start_paused = true)]
async fn a_count_that_somebody_made_up_rings_no_alarm() {
    let world = world();
    for n in 0..64 {
        world.route("one", &format!("r{n}"));
        world.state().troubles.insert(route("one", &format!("r{n}")).to_string(), Trouble::InspectHangs);
    }
    let forged = Hint { waits: 81, ..pass("one") };
    let ended = work(&worker(&world), vec![message("f", &forged, 1)]).await;
    assert_eq!(count(&ended, Metric::UnitsLeftOut), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_read_ends_its_look_and_keeps_what_it_has() {
    let world = world();
    world.route("two", "a");
    world.state().moods.insert("two".into(), Mood::Hangs);
    let ended = work(&worker(&world), vec![message("p", &pass("two"), 1)]).await;
    assert!(ended.returned.is_empty() && ended.looks[0].unknown.is_some(), "{:?}", ended.looks);
    assert!(world.state().sent.is_empty());
    let later: Vec<(UnitKey, Duration)> =
        world.state().later.iter().map(|(hint, after)| (hint.unit.clone(), *after)).collect();
    assert_eq!(later, [(cluster("two"), Duration::from_mins(1))], "it is looked at as soon as it answers");
}

#[tokio::test(start_paused = true)]
async fn a_pass_looks_in_depth_at_a_cluster_that_was_not_registered_in_the_pass_before() {
    let world = world();
    let lost = world.state().moods.remove("two").unwrap();
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    let rotation = Rotation { within: Duration::from_hours(1), every: Some(Duration::from_mins(5)) };
    let engine = Engine::new(world.clone(), world.clone(), world.clone(), settings).with_rotation(rotation);
    let mut since = vec![];
    for is_back in [false, true, true] {
        if is_back {
            world.state().moods.insert("two".into(), lost);
        }
        engine.drift(SystemTime::now(), Budget::lasting(Duration::from_mins(15))).await.unwrap();
        let sent: Vec<_> = world.state().sent.drain(..).collect();
        let look = |cluster: &str| {
            let unit = UnitKey::Cluster { cluster: id(cluster) };
            let hint = sent.iter().find(|sent| sent.hint.unit == unit)?;
            Some(hint.hint.look?.since? > 0)
        };
        since.push((look("one"), look("two")));
    }
    assert_eq!(since, [(Some(true), None), (Some(true), Some(false)), (Some(true), Some(true))]);
}

fn owned(unit: &UnitKey, kind: ResourceKind, arn: &str) -> Owned {
    Owned { arn: arn.into(), kind, unit: unit.hash(), key: unit.to_string(), service: None }
}

#[tokio::test(start_paused = true)]
async fn a_pass_begins_a_look_at_each_cluster_and_tells_what_a_cluster_that_is_not_registered_still_costs() {
    let world = world();
    world.route("one", "a");
    world.state().moods.insert("two".into(), Mood::Hangs);
    let lost = route("lost", "a");
    for (kind, arn) in
        [(ResourceKind::Service, "1"), (ResourceKind::Rule, "2"), (ResourceKind::TargetGroup, "3")]
    {
        world.state().owned.push(owned(&lost, kind, arn));
    }
    let forgotten = route("one", "forgotten");
    world.state().owned.push(owned(&forgotten, ResourceKind::Service, "4"));
    let settings =
        Settings { installation: "trellis".into(), leaving: [id("old")].into(), ..Settings::default() };
    let engine = Engine::new(world.clone(), world.clone(), world.clone(), settings);
    let report = engine.drift(SystemTime::now(), Budget::lasting(Duration::from_mins(15))).await.unwrap();
    assert_eq!(report.looks, 3);
    let states: BTreeMap<&str, Life> = report
        .clusters
        .iter()
        .map(|(arn, cluster)| (arn.rsplit('/').next().unwrap(), cluster.state))
        .collect();
    let expected = [
        ("one", Life::Registered),
        ("two", Life::Unknown),
        ("old", Life::Leaving),
        ("lost", Life::NotRegistered),
    ];
    assert_eq!(states, expected.into());
    let gone = &report.clusters[&id("lost").to_string()];
    assert_eq!((gone.has.services, gone.has.target_groups), (1, 1));
    assert!((gone.has.usd_a_month - 18.25).abs() < 0.001);
    assert!(report.clusters[&id("two").to_string()].why.as_ref().unwrap().contains("did not answer"));
    let orphans: Vec<&String> = report.orphans.keys().collect();
    assert_eq!(orphans, [&lost.to_string(), &forgotten.to_string()]);
    assert_eq!(report.orphans_count, 3, "a rule goes with its service");
    let text = report.to_string();
    assert!(
        text.contains("cluster/lost: not registered; has: 1 services, 1 target groups, 18.25 USD a month"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_hangs_or_cannot_be_told_in_a_pass_costs_its_own_unit_only() {
    let world = world();
    world.put(
        "one",
        Kind::Gateway,
        "other",
        json!({"spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": []}}),
    );
    world.state().troubles.insert(gateway().to_string(), Trouble::InspectHangs);
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    let engine = Engine::new(world.clone(), world.clone(), world.clone(), settings);
    let began = tokio::time::Instant::now();
    let report = engine.drift(SystemTime::now(), Budget::lasting(Duration::from_mins(1))).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(report.failed.keys().collect::<Vec<_>>(), [&gateway().to_string()]);
    assert_eq!((report.units, report.drifted.len(), report.hints), (2, 1, 1), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn an_installation_that_observes_reports_what_it_would_do_and_does_nothing() {
    let world = world();
    world.route("one", "a");
    let settings = Settings { installation: "trellis".into(), mode: Mode::Observe, ..Settings::default() };
    let engine = Arc::new(Engine::new(world.clone(), world.clone(), world.clone(), settings));
    let worker = Worker::new(Arc::clone(&engine));
    let ended = work(
        &worker,
        vec![
            message("g", &gateway_hint(), 1),
            message("r", &route_hint("one", "a"), 1),
            message("p", &pass("one"), 1),
        ],
    )
    .await;
    assert_eq!((ended.returned.len(), count(&ended, Metric::UnitsSettled)), (0, 3));
    let report = engine.drift(SystemTime::now(), Budget::lasting(Duration::from_mins(15))).await.unwrap();
    assert!(world.state().steps.is_empty() && world.state().later.is_empty());
    assert_eq!(world.status("one", Kind::HTTPRoute, "a"), serde_json::Value::Null);
    assert_eq!((report.hints, ended.looks[0].hints), (0, 0), "a hint would change nothing");
    let route = &ended.looks[0].drifted[0];
    assert!(
        route.steps.is_empty() && route.withheld.iter().any(|step| step.starts_with("+ service")),
        "{route:?}"
    );
    assert!(report.to_string().contains("its mode withholds + service network my-hotel"), "{report}");
}

/// An event of CloudTrail, from the queue that has no groups.
fn event(session: &str, service: &str) -> Message {
    let body = json!({
        "source": "aws.vpc-lattice", "detail-type": "AWS API Call via CloudTrail",
        "account": "000000000000", "region": "us-west-2",
        "detail": {
            "eventSource": "vpc-lattice.amazonaws.com", "eventName": "DeleteRule", "readOnly": false,
            "userIdentity": {"type": "AssumedRole", "arn": session},
            "requestParameters": {"serviceIdentifier": service},
        },
    });
    let hint = route_hint("one", "a");
    Message { group: None, body: body.to_string(), ..message(service, &hint, 1) }
}

#[tokio::test(start_paused = true)]
async fn a_change_by_somebody_else_tells_the_unit_once_and_our_own_tells_nobody() {
    let world = world();
    world.route("one", "a");
    let arn = |service: &str| format!("arn:aws:vpc-lattice:us-west-2:000000000000:service/{service}");
    let ours = "svc-0123456789abcdef0";
    world.state().owned.push(owned(&route("one", "a"), ResourceKind::Service, &arn(ours)));
    let worker = worker(&world);
    let jane = "arn:aws:sts::000000000000:assumed-role/admin/jane";
    let own = "arn:aws:sts::000000000000:assumed-role/trellis-ReconcilerRole-1/trellis-reconcile";
    let ended = work(&worker, vec![event(own, ours), event(jane, "svc-00000000000000000")]).await;
    assert!(ended.returned.is_empty() && world.state().sent.is_empty(), "{:?}", world.sent_to());
    assert_eq!(count(&ended, Metric::HintsRefused), 0);
    work(&worker, vec![event(jane, ours), event(jane, ours)]).await;
    assert_eq!(world.state().sent.len(), 1, "a hundred changes of one service are one look");
    assert_eq!(world.sent_to(), [route("one", "a").to_string()].into());
    world.state().queue_fails = true;
    assert_eq!(work(&worker, vec![event(jane, ours)]).await.returned, [ours]);
}
