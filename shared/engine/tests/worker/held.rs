//! What is held for a while: nothing that was told meanwhile is lost, and a hindrance ends no other waiting.

use crate::fakes::{Mood, Trouble, World, id};
use crate::{count, gateway, message, object, route, route_hint, work, worker, world};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trellis_engine::{Engine, Worker};
use trellis_gateway::{ObjectKey, Settings};
use trellis_hint::{Hint, Kind, Look, Operation, UnitKey};
use trellis_ports::{ErrorClass, Message};
use trellis_telemetry::Metric;

fn cluster(name: &str) -> UnitKey {
    UnitKey::Cluster { cluster: id(name) }
}

/// Works on the hints for later as their times come, until none is left or `enough`; when each came, and for whom.
async fn by_and_by(
    world: &World,
    worker: &Worker<World, World, World>,
    enough: usize,
) -> Vec<(u64, UnitKey)> {
    let mut came = vec![];
    while came.len() < enough {
        let Some((hint, after)) = ({ world.state().later.pop() }) else { break };
        tokio::time::advance(after).await;
        came.push((after.as_secs(), hint.unit.clone()));
        let ended = work(worker, vec![message("later", &hint, 1)]).await;
        assert!(ended.returned.is_empty());
    }
    came
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_was_away_for_long_is_looked_at_in_depth_as_soon_as_it_answers() {
    let world = world();
    world.route("two", "a");
    let worker = worker(&world);
    work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    world.state().moods.insert("two".into(), Mood::Hangs);
    work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    let came = by_and_by(&world, &worker, 105).await;
    let of_route = [2, 4, 8, 16, 32].map(|after| (after, route("two", "a")));
    assert_eq!(came[..5], of_route);
    assert_eq!(came[5..], vec![(60, cluster("two")); 100], "once a minute, however long it is away");
    // A Pod was replaced meanwhile. Neither a generation nor a number of resources shows that.
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "parking"}},
        "addressType": "IPv4", "ports": [{"port": 8090, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": true}}],
    });
    world.put("two", Kind::EndpointSlice, "parking-a", slice);
    world.state().moods.insert("two".into(), Mood::Fine);
    assert_eq!(by_and_by(&world, &worker, 2).await, [(60, cluster("two"))], "and then no more");
    assert!(world.sent_to().contains(&route("two", "a").to_string()), "{:?}", world.sent_to());
}

/// Its routes can be listed, and what they lead to cannot be read: each of them would order the look that finds them.
#[tokio::test(start_paused = true)]
async fn a_unit_that_is_held_again_after_its_cluster_was_looked_at_orders_no_further_look() {
    let world = world();
    world.route("two", "a");
    let worker = worker(&world);
    world.state().forbidden = Some(Kind::EndpointSlice);
    work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    let came = by_and_by(&world, &worker, 20).await;
    assert_eq!(came.last(), Some(&(60, cluster("two"))), "once: {came:?}");
    let told = Hint { catch_ups: 2, ..route_hint("two", "a") };
    work(&worker, vec![message("a", &told, 1)]).await;
    let came = by_and_by(&world, &worker, 20).await;
    assert_eq!(came.len(), 5, "{came:?}");
    // What is news is told as ever.
    work(&worker, vec![message("a", &told, 1), message("b", &route_hint("two", "a"), 1)]).await;
    assert_eq!(by_and_by(&world, &worker, 20).await.len(), 6);
}

/// The look finds the route stale, and the cluster is away again before the route's turn has come.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_away_again_after_the_look_that_it_answered_is_looked_at_when_it_is_back() {
    let world = world();
    world.route("two", "a");
    let worker = worker(&world);
    let look = Hint::new(cluster("two"), object("two", Kind::Namespace, "default"), Operation::Resync);
    work(&worker, vec![message("l", &look.with_look(Look::in_depth(1_800_000_000_000)), 1)]).await;
    let sent = world.state().sent.iter().map(|sent| sent.hint.clone()).collect::<Vec<Hint>>();
    let found = sent.into_iter().find(|hint| hint.unit == route("two", "a")).unwrap();
    world.state().moods.insert("two".into(), Mood::Hangs);
    work(&worker, vec![message("a", &found, 1)]).await;
    let came = by_and_by(&world, &worker, 10).await;
    assert_eq!(came.last(), Some(&(60, cluster("two"))), "what the look has found is given up: {came:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_takes_no_status_is_not_looked_at_for_that() {
    let world = world();
    world.state().moods.insert("two".into(), Mood::TakesNoStatus);
    let worker = worker(&world);
    let hint = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    work(&worker, vec![message("g", &hint, 1)]).await;
    assert_eq!(by_and_by(&world, &worker, 9).await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_a_cluster_tells_while_its_tag_is_lost_is_found_when_it_is_back_and_a_made_up_name_has_no_looks()
{
    let world = world();
    let worker = worker(&world);
    work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    world.state().later.clear();
    let lost = world.state().moods.remove("two").unwrap();
    work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    let came = by_and_by(&world, &worker, 3).await;
    assert_eq!(came, vec![(60, cluster("two")); 3]);
    world.state().moods.insert("two".into(), lost);
    let (hint, _) = world.state().later.pop().unwrap();
    assert_eq!(hint.look.and_then(|look| look.since), Some(0));
    let looks = work(&worker, vec![message("l", &hint, 1)]).await.looks;
    assert!(looks[0].unknown.is_none() && world.state().later.is_empty());
    // One that does not come back is forgotten in the end.
    world.state().moods.remove("two");
    work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    assert_eq!(by_and_by(&world, &worker, 100).await.len(), 41);
    work(&worker, vec![message("b", &route_hint("ghost", "a"), 1)]).await;
    assert_eq!(by_and_by(&world, &worker, 100).await, [], "nobody has ever registered that one");
}

#[tokio::test(start_paused = true)]
async fn however_long_a_unit_has_waited_before_a_hindrance_has_all_its_tries() {
    let world = world();
    world.state().moods.insert("two".into(), Mood::TakesNoStatus);
    let hint = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Update);
    let waited = Hint { waits: 8, ..hint.again() };
    let ended = work(&worker(&world), vec![message("g", &waited, 1)]).await;
    assert_eq!(count(&ended, Metric::UnitsHeld), 1);
    let (next, after) = world.state().later.pop().unwrap();
    assert_eq!((next.waits, next.hindered, after.as_secs()), (9, 1, 2));
    // Nor does a delete that is refused begin with its last try.
    world.state().moods.insert("two".into(), Mood::Fine);
    world.state().troubles.insert(gateway().to_string(), Trouble::Fails(ErrorClass::Stale, true));
    work(&worker(&world), vec![message("g", &waited, 1)]).await;
    let (next, after) = world.state().later.pop().unwrap();
    assert_eq!((next.waits, next.hindered, after.as_secs()), (9, 1, 15));
}

#[tokio::test(start_paused = true)]
async fn a_hindrance_that_is_over_is_forgotten() {
    let world = world();
    world.route("one", "a");
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::Waits);
    let hint = Hint { waits: 3, hindered: 4, ..route_hint("one", "a") };
    work(&worker(&world), vec![message("a", &hint, 1)]).await;
    let (next, _) = world.state().later.pop().unwrap();
    assert_eq!((next.waits, next.hindered), (4, 0));
    // A forged count takes no try away.
    let forged = Hint { hindered: u32::MAX, waits: u32::MAX, ..hint };
    work(&worker(&world), vec![message("a", &forged, 1)]).await;
    assert_eq!(world.state().later.pop().unwrap().0.waits, 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_for_good_takes_no_status_its_next_try() {
    let world = world();
    world.state().moods.insert("two".into(), Mood::TakesNoStatus);
    world.state().troubles.insert(gateway().to_string(), Trouble::Fails(ErrorClass::Terminal, false));
    let hint = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Update);
    let ended = work(&worker(&world), vec![message("g", &hint, 1)]).await;
    assert_eq!((count(&ended, Metric::UnitsHeld), count(&ended, Metric::UnitsBlocked)), (1, 0));
    assert_eq!(by_and_by(&world, &worker(&world), 9).await.len(), 5);
}

/// The grace may not even have begun behind the step.
#[tokio::test(start_paused = true)]
async fn a_step_that_fails_for_good_is_tried_a_few_times_for_what_stays_for_the_grace() {
    let world = world();
    world.route("one", "a");
    let settings = Settings { installation: "trellis".into(), ..Settings::default() };
    let engine = Engine::new(world.clone(), world.clone(), world.clone(), settings);
    let worker = Worker::new(Arc::new(engine.with_grace(Duration::from_secs(20), SystemTime::now)));
    let gateway = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    work(&worker, vec![message("g", &gateway, 1)]).await;
    work(&worker, vec![message("a", &route_hint("one", "a"), 1)]).await;
    world.state().later.clear();
    let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "default".into(), name: "a".into() };
    world.state().objects.remove(&("one".to_owned(), key));
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::Fails(ErrorClass::Terminal, false));
    let ended = work(&worker, vec![message("a", &route_hint("one", "a"), 1)]).await;
    assert_eq!(count(&ended, Metric::UnitsWaiting), 1);
    let came = by_and_by(&world, &worker, 50).await;
    assert_eq!(came.len(), 5, "{came:?}");
    assert!(
        came.iter().all(|(after, unit)| (18..=20).contains(after) && *unit == route("one", "a")),
        "{came:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_until_a_change_is_programmed_goes_from_the_change_and_not_from_the_last_look() {
    let world = world();
    world.route("one", "a");
    let worker = worker(&world);
    let gateway = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    work(&worker, vec![message("g", &gateway, 1)]).await;
    world.state().later.clear();
    world.state().troubles.insert(route("one", "a").to_string(), Trouble::Waits);
    let sent = Some(SystemTime::now() - Duration::from_secs(30));
    let ended = work(&worker, vec![Message { sent, ..message("a", &route_hint("one", "a"), 1) }]).await;
    assert_eq!((count(&ended, Metric::TimeToProgrammed), count(&ended, Metric::QueueDelay) / 10_000), (0, 3));
    let (hint, _) = world.state().later.pop().unwrap();
    // It lies in the queue for later as long as it is to: nobody waits for a place there.
    let ended = work(&worker, vec![Message { sent, group: None, ..message("l", &hint, 1) }]).await;
    assert_eq!(count(&ended, Metric::QueueDelay), 0);
    world.state().troubles.clear();
    let ended = work(&worker, vec![message("a", &hint, 1)]).await;
    assert_eq!(count(&ended, Metric::TimeToProgrammed) / 10_000, 3, "{hint:?}");
    // Nobody waits for years: such a time is made up.
    for changed in [0, u64::MAX] {
        let forged = Hint { changed: Some(changed), ..hint.clone() };
        let ended = work(&worker, vec![message("a", &forged, 1)]).await;
        assert_eq!(count(&ended, Metric::TimeToProgrammed), 0);
    }
}

/// A hint a minute, as of any cluster that is in use.
#[tokio::test(start_paused = true)]
async fn a_cluster_whose_tag_is_lost_costs_one_look_a_minute_whatever_it_tells() {
    let world = world();
    let worker = worker(&world);
    work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    world.state().later.clear();
    world.state().moods.remove("two");
    let mut sent = BTreeSet::new();
    for minute in 0..30_u64 {
        // As the queue gives them out: all that were put off a minute ago, one of those that it takes for equal.
        let later: Vec<_> = std::mem::take(&mut world.state().later);
        for (hint, after) in later {
            assert_eq!(after, Duration::from_mins(1));
            let at = SystemTime::UNIX_EPOCH + Duration::from_mins(minute);
            let due = Message { group: None, sent: Some(at), ..message("l", &hint, 1) };
            work(&worker, vec![due]).await;
        }
        sent.clear();
        let looks: Vec<_> = std::mem::take(&mut world.state().sent);
        for look in looks {
            if sent.insert(look.deduplication_id.clone()) {
                work(&worker, vec![message("c", &look.hint, 1)]).await;
            }
        }
        work(&worker, vec![message("a", &route_hint("two", "a"), 1)]).await;
    }
    assert!(sent.len() <= 2, "{} looks in the last minute", sent.len());
}

/// Its Gateway is edited while it is away: service networks and merged routes are no units of one cluster.
#[tokio::test(start_paused = true)]
async fn a_gateway_of_a_cluster_that_was_away_is_looked_at_as_soon_as_it_answers() {
    let world = world();
    let worker = worker(&world);
    let edit = Hint::new(gateway(), object("two", Kind::Gateway, "my-hotel"), Operation::Update);
    work(&worker, vec![message("g", &edit, 1)]).await;
    world.state().later.clear();
    world.state().moods.insert("two".into(), Mood::Hangs);
    work(&worker, vec![message("g", &edit, 1)]).await;
    let came = by_and_by(&world, &worker, 10).await;
    assert_eq!(came.last(), Some(&(60, cluster("two"))), "{came:?}");
    let listeners = json!([{"name": "web", "protocol": "HTTP", "port": 8080}]);
    let spec = json!({"gatewayClassName": "amazon-vpc-lattice", "listeners": listeners});
    world.put("two", Kind::Gateway, "my-hotel", json!({"spec": spec}));
    world.state().moods.insert("two".into(), Mood::Fine);
    world.state().sent.clear();
    by_and_by(&world, &worker, 10).await;
    assert!(world.sent_to().contains(&gateway().to_string()), "{:?}", world.sent_to());
}

#[tokio::test(start_paused = true)]
async fn a_count_that_somebody_made_up_ends_no_look_at_a_cluster() {
    let world = world();
    for n in 0..64 {
        world.route("one", &format!("r{n}"));
        world.state().troubles.insert(route("one", &format!("r{n}")).to_string(), Trouble::InspectHangs);
    }
    let unit = cluster("one");
    let hint = Hint::new(unit, object("one", Kind::Namespace, "default"), Operation::Resync);
    let look = hint.with_look(Look::in_depth(1_800_000_000_000));
    let forged = Hint { waits: 80, ..look.clone() };
    let ended = work(&worker(&world), vec![message("p", &look, 1), message("f", &forged, 1)]).await;
    assert_eq!(ended.looks.iter().map(|look| look.left_out).sum::<usize>(), 0, "{:?}", ended.looks);
    assert!(world.sent_to().contains(&cluster("one").to_string()), "its rest is gone through");
}

/// Cluster one's route leads to what cluster two exports: the route is no unit of the cluster that was away.
#[tokio::test(start_paused = true)]
async fn who_imports_from_a_cluster_that_was_away_for_long_is_looked_at_as_soon_as_it_answers() {
    let world = world();
    let import =
        json!({"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "parking"});
    let spec = json!({"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": [import]}]});
    world.put("one", Kind::HTTPRoute, "b", json!({"spec": spec}));
    world.put("one", Kind::ServiceImport, "parking", json!({"spec": {"type": "ClusterSetIP", "ports": []}}));
    world.put("two", Kind::ServiceExport, "parking", json!({}));
    let worker = worker(&world);
    // Nothing is new about what is exported.
    let (namespace, name) = ("default".to_owned(), "parking".to_owned());
    let export = UnitKey::Export { cluster: id("two"), namespace, name };
    let export = Hint::new(export, object("two", Kind::ServiceExport, "parking"), Operation::Create);
    work(&worker, vec![message("e", &export, 1)]).await;
    let gateway = Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), Operation::Create);
    work(&worker, vec![message("g", &gateway, 1)]).await;
    work(&worker, vec![message("b", &route_hint("one", "b"), 1)]).await;
    let targets = |world: &World| format!("{:?}", world.state().account.target_groups);
    assert!(targets(&world).contains("10.0.0.1"), "{}", targets(&world));
    world.state().later.clear();
    world.state().moods.insert("two".into(), Mood::Hangs);
    // A Pod is replaced; the webhook of cluster two told the Service's dependents, and these the route.
    work(&worker, vec![message("r", &route_hint("one", "b"), 1)]).await;
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "parking"}},
        "addressType": "IPv4", "ports": [{"port": 8090, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": true}}],
    });
    let came = by_and_by(&world, &worker, 30).await;
    assert_eq!(came.last(), Some(&(60, cluster("two"))), "{came:?}");
    world.put("two", Kind::EndpointSlice, "parking-a", slice);
    world.state().moods.insert("two".into(), Mood::Fine);
    world.state().sent.clear();
    by_and_by(&world, &worker, 30).await;
    assert!(world.state().later.is_empty());
    let importers = UnitKey::Dependents {
        kind: Kind::ServiceExport,
        cluster: id("two"),
        namespace: "default".into(),
        name: "parking".into(),
    };
    let sent: Vec<Hint> = world.state().sent.drain(..).map(|sent| sent.hint).collect();
    let told = sent.into_iter().find(|hint| hint.unit == importers).unwrap();
    work(&worker, vec![message("d", &told, 1)]).await;
    assert!(
        world.sent_to().contains(&route("one", "b").to_string()),
        "nobody looks at it: {:?}, {}",
        world.sent_to(),
        targets(&world)
    );
}
