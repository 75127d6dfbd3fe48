//! The queue against a sender that does what the test says, at a pace of milliseconds.

use super::*;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Mutex;

/// Long enough for any condition that will ever be met.
const DEADLINE: Duration = Duration::from_secs(10);

const FAST: Pace = Pace {
    linger: Duration::from_millis(5),
    backoff_min: Duration::from_millis(1),
    backoff_max: Duration::from_millis(4),
    tries_max: 64,
};

async fn until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "the condition was not met");
        sleep(Duration::from_millis(1)).await;
    }
}

/// What SQS does with the next batch.
enum Turn {
    Take,
    Refuse(Vec<Refusal>),
    Fail,
    RefuseBatch,
}

/// Plays `turns`, then `after` for ever; remembers each batch by its bodies.
#[derive(Clone)]
struct FakeSqs {
    turns: Arc<Mutex<VecDeque<Turn>>>,
    seen: Arc<Mutex<Vec<Vec<String>>>>,
    answer_after: Duration,
    is_dead: bool,
}

impl FakeSqs {
    fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            turns: Arc::new(Mutex::new(turns.into_iter().collect())),
            seen: Arc::default(),
            answer_after: Duration::from_millis(1),
            is_dead: false,
        }
    }

    fn dead() -> Self {
        Self { is_dead: true, ..Self::new([]) }
    }

    fn seen(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap().clone()
    }
}

impl SendBatch for FakeSqs {
    async fn send_batch(&self, batch: &[Entry]) -> Result<Vec<Refusal>, SendError> {
        self.seen.lock().unwrap().push(batch.iter().map(|entry| entry.body.clone()).collect());
        sleep(self.answer_after).await;
        let default = if self.is_dead { Turn::Fail } else { Turn::Take };
        let turn = self.turns.lock().unwrap().pop_front().unwrap_or(default);
        let cause = || Box::new(std::io::Error::from(ErrorKind::ConnectionRefused));
        match turn {
            Turn::Take => Ok(vec![]),
            Turn::Refuse(refusals) => Ok(refusals),
            Turn::Fail => Err(SendError::Unavailable(cause())),
            Turn::RefuseBatch => Err(SendError::Refused(cause())),
        }
    }
}

fn entry(group: &str, body: impl Into<String>) -> Entry {
    let body = body.into();
    Entry { group_id: group.into(), deduplication_id: body.clone(), body }
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Offers the entries, drains, and returns the metrics when everything is sent or given up.
async fn sent(sqs: &FakeSqs, entries: Vec<Entry>) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new());
    let (queue, sender, drain) = hint_queue(QUEUE_LENGTH_MAX, FAST, sqs.clone(), metrics.clone());
    for entry in entries {
        queue.offer(entry);
    }
    drain.send(()).unwrap();
    sender.run().await;
    metrics
}

#[tokio::test]
async fn hints_go_in_batches_of_ten_in_their_order() {
    let sqs = FakeSqs::new([]);
    let metrics = sent(&sqs, numbers(0..25).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!(sqs.seen(), [numbers(0..10), numbers(10..20), numbers(20..25)]);
    assert_eq!((metrics.hints_queued.get(), metrics.hints_sent.get()), (25, 25));
}

#[tokio::test]
async fn a_batch_never_exceeds_the_bytes_that_sqs_takes() {
    let sqs = FakeSqs::new([]);
    let large = || "x".repeat(BATCH_BYTES_MAX / 2);
    sent(&sqs, vec![entry("g", large()), entry("g", large()), entry("g", "y"), entry("g", "z")]).await;
    let sizes: Vec<usize> = sqs.seen().iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2]);
    assert_eq!(sqs.seen()[1], ["y", "z"]);
}

#[tokio::test]
async fn a_lone_hint_goes_after_the_linger_without_waiting_for_company() {
    let sqs = FakeSqs::new([]);
    let (queue, sender, drain) = hint_queue(QUEUE_LENGTH_MAX, FAST, sqs.clone(), Arc::new(Metrics::new()));
    let running = tokio::spawn(sender.run());
    queue.offer(entry("g", "lone"));
    until(|| sqs.seen() == [["lone"]]).await;
    drop(drain);
    running.await.unwrap();
}

#[tokio::test]
async fn what_sqs_refused_is_sent_again_before_anything_newer() {
    let refusal = |index, retryable| Refusal { index, retryable, reason: "test".into() };
    let sqs = FakeSqs::new([Turn::Refuse(vec![refusal(2, true), refusal(0, true), refusal(5, false)])]);
    let metrics = sent(&sqs, numbers(0..12).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!(sqs.seen(), [numbers(0..10), vec!["0".to_owned(), "2".to_owned()], numbers(10..12)]);
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (11, 1));
}

#[tokio::test]
async fn a_batch_is_sent_again_as_it_was_while_sqs_cannot_be_reached() {
    let sqs = FakeSqs::new([Turn::Fail, Turn::Fail]);
    let metrics = sent(&sqs, numbers(0..2).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!(sqs.seen(), [numbers(0..2), numbers(0..2), numbers(0..2)]);
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (2, 0));
}

#[tokio::test]
async fn a_batch_that_is_itself_at_fault_is_given_up_and_the_next_one_goes() {
    let sqs = FakeSqs::new([Turn::RefuseBatch]);
    let metrics = sent(&sqs, numbers(0..11).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!(sqs.seen(), [numbers(0..10), numbers(10..11)]);
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (1, 10));
}

#[tokio::test]
async fn a_dead_queue_costs_no_more_than_the_bound_and_no_review_waits() {
    let sqs = FakeSqs::dead();
    let metrics = Arc::new(Metrics::new());
    let (queue, sender, _drain) = hint_queue(4, FAST, sqs.clone(), metrics.clone());
    let running = tokio::spawn(sender.run());
    queue.offer(entry("g", "first"));
    until(|| !sqs.seen().is_empty()).await;
    // `offer` is no future: it cannot wait.
    for body in numbers(0..100) {
        queue.offer(entry("g", body));
    }
    assert_eq!((queue.len(), metrics.hints_queued.get(), metrics.hints_dropped.get()), (4, 5, 96));
    running.abort();
}

#[tokio::test]
async fn a_batch_is_given_up_after_its_tries_and_the_next_one_has_its_own() {
    let sqs = FakeSqs::dead();
    let metrics = sent(&sqs, numbers(0..11).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (0, 11));
    assert_eq!(sqs.seen().len(), 2 * FAST.tries_max);
}

#[test]
fn the_tries_of_one_batch_take_about_five_minutes() {
    let minutes = PACE.backoffs().sum::<Duration>().as_secs_f64() / 60.0;
    assert!((4.5..5.5).contains(&minutes), "{minutes}");
}

#[tokio::test]
async fn a_drain_sends_what_waits_and_then_ends_though_reviews_still_hold_the_queue() {
    let sqs = FakeSqs::new([Turn::Fail]);
    let metrics = Arc::new(Metrics::new());
    let (queue, sender, drain) = hint_queue(QUEUE_LENGTH_MAX, FAST, sqs.clone(), metrics.clone());
    let running = tokio::spawn(sender.run());
    for body in numbers(0..15) {
        queue.offer(entry("g", body));
    }
    drain.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(metrics.hints_sent.get(), 15);
    queue.offer(entry("g", "late"));
    assert_eq!((metrics.hints_dropped.get(), queue.is_empty()), (1, true));
}
