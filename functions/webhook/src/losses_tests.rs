//! When a look at the whole cluster is owed, and the task that asks for it.

use super::*;
use crate::queue::Refusal;
use proptest::prelude::*;
use std::sync::Mutex;
use tokio::time::{Instant, sleep};

const MINUTE: i64 = 60_000;

const FAST: Pace = Pace {
    linger: Duration::ZERO,
    backoff_min: Duration::from_millis(1),
    backoff_max: Duration::from_millis(4),
    tries_max: 64,
};

#[test]
fn the_first_hint_goes_at_once_and_the_second_in_the_next_bucket_and_then_none() {
    let lost = 10 * MINUTE + 30_000;
    let mut debt = Debt::default();
    assert_eq!(debt.due(lost), Some(lost));
    debt.sent(10);
    assert_eq!(
        debt.due(lost),
        Some(11 * MINUTE),
        "another replica's hint of bucket 10 may have been before the loss"
    );
    debt.sent(11);
    assert_eq!(debt.due(lost), None);
}

#[test]
fn a_loss_at_a_buckets_end_is_made_good_by_a_bucket_that_began_after_it_by_any_clock() {
    let lost = 11 * MINUTE - 1_000;
    let mut debt = Debt { sent: Some(10) };
    assert_eq!(debt.due(lost), Some(11 * MINUTE));
    debt.sent(11);
    assert_eq!(debt.due(lost), Some(12 * MINUTE));
    debt.sent(12);
    assert_eq!(debt.due(lost), None);
}

#[test]
fn losses_all_the_time_cost_one_hint_a_bucket() {
    let (mut debt, mut hints) = (Debt::default(), Vec::new());
    for now in (0..10 * MINUTE).step_by(100) {
        if debt.due(now).is_some_and(|due| due <= now) {
            hints.push(now);
            debt.sent(bucket_of(now));
        }
    }
    assert_eq!(hints, (0..10).map(|bucket| bucket * MINUTE).collect::<Vec<_>>());
}

proptest! {
    /// Two replicas that know nothing of each other, whose clocks are a little apart, and a queue that takes the first
    /// hint of a bucket: each loss is followed by a hint that the queue took, within two buckets.
    #[test]
    fn of_two_replicas_hints_one_that_the_queue_takes_follows_each_loss(
        losses in prop::collection::vec((0..5 * MINUTE, any::<bool>()), 1..20),
        skew in -5_000..5_000i64,
    ) {
        let (mut debts, mut latest) = ([Debt::default(), Debt::default()], [None, None]);
        let (mut taken, mut buckets) = (Vec::new(), std::collections::BTreeSet::new());
        for now in (0..8 * MINUTE).step_by(50) {
            for replica in 0..2 {
                // What the replica's own clock says.
                let clock = if replica == 0 { now } else { now + skew };
                let just = losses.iter().filter(|(at, second)| usize::from(*second) == replica && (now - 50..now).contains(at));
                latest[replica] = just.map(|_| clock).max().or(latest[replica]);
                let due = latest[replica].and_then(|lost| debts[replica].due(lost));
                if due.is_some_and(|due| due <= clock) {
                    debts[replica].sent(bucket_of(clock));
                    if buckets.insert(bucket_of(clock)) {
                        taken.push(now);
                    }
                }
            }
        }
        for (at, _) in losses {
            prop_assert!(taken.iter().any(|sent| (at..at + 2 * MINUTE + 11_000).contains(sent)), "{} of {:?}", at, taken);
        }
        // The buckets of both clocks touch ten minutes at most.
        prop_assert!(taken.len() <= 10);
    }
}

/// Refuses as often as told, then takes.
#[derive(Clone, Default)]
struct FakeSqs {
    failures: Arc<Mutex<usize>>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl SendBatch for FakeSqs {
    async fn send_batch(&self, batch: &[Entry]) -> Result<Vec<Refusal>, SendError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(SendError::Unavailable("down".into()));
        }
        self.taken.lock().unwrap().extend(batch.iter().map(|entry| entry.deduplication_id.clone()));
        Ok(vec![])
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "the condition was not met");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Half a minute into a bucket, for ever.
fn clock() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(30)
}

fn teller(sqs: &FakeSqs) -> (Losses, Teller<FakeSqs>) {
    let losses = Losses::new(Arc::default(), clock);
    let hint = Box::new(|moment: &str| Entry {
        group_id: "cluster".into(),
        deduplication_id: moment.into(),
        body: "{}".into(),
        trace: String::new(),
    });
    (losses.clone(), Teller { losses, sqs: Arc::new(sqs.clone()), hint, pace: FAST })
}

#[tokio::test]
async fn a_loss_is_told_as_soon_as_sqs_takes_it_and_once_more_at_the_end() {
    let sqs = FakeSqs::default();
    *sqs.failures.lock().unwrap() = 3;
    let (losses, teller) = teller(&sqs);
    let (end, ended) = oneshot::channel();
    let running = tokio::spawn(teller.run(ended));
    assert!(sqs.taken.lock().unwrap().is_empty());
    losses.note(Cause::Started);
    until(|| *sqs.taken.lock().unwrap() == ["0"]).await;
    // The second hint is due in half a minute, which this process does not live to see.
    assert_eq!(losses.0.metrics.whole_cluster_owed.get(), 1);
    losses.note(Cause::QueueFull);
    end.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(*sqs.taken.lock().unwrap(), ["0", "end-30000"]);
}

#[tokio::test]
async fn without_a_loss_nothing_is_told() {
    let sqs = FakeSqs::default();
    let (losses, teller) = teller(&sqs);
    let (end, ended) = oneshot::channel();
    let running = tokio::spawn(teller.run(ended));
    end.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(losses.0.metrics.whole_cluster_owed.get(), 0);
    assert!(sqs.taken.lock().unwrap().is_empty());
}
