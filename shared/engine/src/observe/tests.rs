use super::*;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use trellis_gateway::ClusterFacts;
use trellis_hint::{ClusterId, Kind};

/// Answers by the object's name, and counts.
#[derive(Default)]
struct Cluster {
    down: Option<&'static str>,
    /// How long each answer takes.
    slow: Duration,
    given_up: Mutex<Vec<String>>,
    asked: Mutex<Vec<Read>>,
    running: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Reader for Cluster {
    async fn read(&self, read: &Read) -> ReadResult {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(running, Ordering::SeqCst);
        self.asked.lock().unwrap().push(read.clone());
        tokio::task::yield_now().await;
        if !self.slow.is_zero() {
            tokio::time::sleep(self.slow).await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        match (self.down, read) {
            (Some(reason), _) => ReadResult::Unreadable(reason.into()),
            (None, Read::Get { name, .. }) if name == "absent" => ReadResult::Objects(vec![]),
            (None, Read::Get { namespace, name, .. }) => {
                ReadResult::of([json!({"metadata": {"namespace": namespace, "name": name}})])
            }
            (None, Read::List { .. }) => ReadResult::KindMissing,
        }
    }

    fn is_given_up(&self, why: &str) {
        self.given_up.lock().unwrap().push(why.to_owned());
    }
}

fn id(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}").parse().unwrap()
}

fn get(cluster: &str, name: &str) -> Read {
    Read::Get { cluster: id(cluster), kind: Kind::HTTPRoute, namespace: "default".into(), name: name.into() }
}

fn start() -> Snapshot {
    Snapshot::of(["one", "two"].map(|name| ClusterFacts::registered(id(name), format!("vpc-{name}"))))
}

fn clusters(one: Cluster, two: Result<Cluster, String>) -> BTreeMap<ClusterId, Result<Cluster, String>> {
    BTreeMap::from([(id("one"), Ok(one)), (id("two"), two)])
}

fn asked(clusters: &BTreeMap<ClusterId, Result<Cluster, String>>, name: &str) -> usize {
    clusters[&id(name)].as_ref().map_or(0, |cluster| cluster.asked.lock().unwrap().len())
}

#[tokio::test]
async fn what_answers_lead_to_is_read_in_further_rounds_and_nothing_twice() {
    let clusters = clusters(Cluster::default(), Ok(Cluster::default()));
    let wants = |snapshot: &Snapshot| {
        let mut reads = vec![get("one", "route"), get("one", "route")];
        if snapshot.get(&id("one"), Kind::HTTPRoute, "default", "route").is_some() {
            reads.extend([get("one", "absent"), get("two", "export")]);
        }
        reads
    };
    let observed = observe(&clusters, start(), Usual::new(), wants).await.unwrap();
    assert_eq!((observed.rounds, observed.reads), (2, 3));
    assert_eq!((asked(&clusters, "one"), asked(&clusters, "two")), (2, 1));
    assert!(observed.snapshot.get(&id("two"), Kind::HTTPRoute, "default", "export").is_some());
    assert!(observed.snapshot.has_answer(&get("one", "absent")));
    assert_eq!(observed.snapshot.facts.len(), 2);
}

#[tokio::test]
async fn a_cluster_that_is_asked_is_asked_for_all_that_it_was_asked_the_last_time() {
    let clusters = clusters(Cluster::default(), Ok(Cluster::default()));
    let wants = |snapshot: &Snapshot| {
        let mut reads = vec![get("one", "route")];
        if snapshot.get(&id("one"), Kind::HTTPRoute, "default", "route").is_some() {
            reads.push(get("one", "other"));
        }
        reads
    };
    let usual = Usual::from([
        (id("one"), vec![get("one", "route"), get("one", "other"), get("one", "gone")]),
        (id("two"), vec![get("two", "export")]),
    ]);
    let observed = observe(&clusters, start(), usual, wants).await.unwrap();
    assert_eq!((observed.rounds, observed.reads), (1, 3));
    assert_eq!(asked(&clusters, "two"), 0, "nobody wants anything of it now");
}

#[tokio::test]
async fn what_is_known_at_the_start_is_not_read() {
    let clusters = clusters(Cluster::default(), Ok(Cluster::default()));
    let mut known = start();
    known.insert(&get("one", "route"), ReadResult::Objects(vec![]));
    let observed = observe(&clusters, known, Usual::new(), |_| vec![get("one", "route")]).await.unwrap();
    assert_eq!((observed.rounds, asked(&clusters, "one")), (0, 0));
}

#[tokio::test]
async fn a_cluster_that_fails_is_given_up_with_its_reason_and_the_others_are_read() {
    let down = Cluster { down: Some("connection refused"), ..Cluster::default() };
    let clusters = clusters(Cluster::default(), Ok(down));
    let wants = |_: &Snapshot| {
        let of = |cluster: &'static str| (0..50).map(move |index| get(cluster, &format!("r{index}")));
        of("one").chain(of("two")).collect()
    };
    let observed = observe(&clusters, start(), Usual::new(), wants).await.unwrap();
    assert_eq!(observed.snapshot.unreadable, BTreeMap::from([(id("two"), "connection refused".into())]));
    assert_eq!(asked(&clusters, "one"), 50);
    assert!(asked(&clusters, "two") <= 2 * READS_AT_ONCE_MAX, "{}", asked(&clusters, "two"));
}

#[tokio::test]
async fn a_cluster_without_a_reader_is_unreadable_by_its_reason() {
    let clusters = clusters(Cluster::default(), Err("it has no endpoint yet".into()));
    let wants = |_: &Snapshot| vec![get("two", "a"), get("three", "a")];
    let observed = observe(&clusters, start(), Usual::new(), wants).await.unwrap();
    assert_eq!(observed.snapshot.unreadable[&id("two")], "it has no endpoint yet");
    assert_eq!(observed.snapshot.unreadable[&id("three")], "cluster three is not registered");
}

#[tokio::test]
async fn no_more_than_the_bound_runs_at_once() {
    let clusters = clusters(Cluster::default(), Ok(Cluster::default()));
    let wants = |_: &Snapshot| (0..100).map(|index| get("one", &format!("r{index}"))).collect();
    observe(&clusters, start(), Usual::new(), wants).await.unwrap();
    let most = clusters[&id("one")].as_ref().map(|one| one.most_at_once.load(Ordering::SeqCst)).unwrap();
    assert_eq!(most, READS_AT_ONCE_MAX);
}

#[tokio::test]
async fn a_core_that_never_has_enough_is_stopped() {
    let clusters = clusters(Cluster::default(), Ok(Cluster::default()));
    let wants = |snapshot: &Snapshot| vec![get("one", &format!("r{}", snapshot.answered().count()))];
    let error = observe(&clusters, start(), Usual::new(), wants).await.unwrap_err();
    assert_eq!(error, ObserveError::NoEnd(1));
    assert_eq!(asked(&clusters, "one"), ROUNDS_MAX);
}

#[tokio::test]
async fn a_missing_kind_is_kept_apart_from_missing_objects() {
    let clusters = clusters(Cluster::default(), Ok(Cluster::default()));
    let list = || Read::List {
        cluster: id("one"),
        kind: Kind::TLSRoute,
        namespace: None,
        name: None,
        service: None,
    };
    let observed = observe(&clusters, start(), Usual::new(), |_| vec![list()]).await.unwrap();
    assert!(observed.snapshot.kinds_missing.contains(&(id("one"), Kind::TLSRoute)));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_slow_in_every_round_is_given_up_and_costs_the_others_no_more_than_its_time() {
    let slow = Cluster { slow: Duration::from_secs(4), ..Cluster::default() };
    let clusters = clusters(Cluster::default(), Ok(slow));
    // Seven rounds of one read of each.
    let wants = |snapshot: &Snapshot| {
        let round = snapshot.answered().filter(|read| read.cluster().name == "one").count().min(6);
        vec![get("one", &format!("r{round}")), get("two", &format!("r{round}"))]
    };
    let began = Instant::now();
    let observed = observe(&clusters, start(), Usual::new(), wants).await.unwrap();
    assert_eq!(began.elapsed(), CLUSTER_TIME_MAX);
    assert_eq!(observed.snapshot.unreadable[&id("two")], "the reads of cluster two take longer than 10 s");
    assert_eq!(asked(&clusters, "one"), 7);
    let given_up = &clusters[&id("two")].as_ref().map(|two| two.given_up.lock().unwrap().len());
    assert_eq!(*given_up, Ok(1));
}
