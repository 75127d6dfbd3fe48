//! The queue against a sender that does what the test says, at a pace of milliseconds.

use super::*;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Mutex;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

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
}

/// Plays `turns`, then `after` for ever; remembers each batch by its bodies.
#[derive(Clone)]
struct FakeSqs {
    turns: Arc<Mutex<VecDeque<Turn>>>,
    seen: Arc<Mutex<Vec<Vec<String>>>>,
    answer_after: Duration,
    is_dead: bool,
    /// A batch with this body is refused as a whole.
    guilty: Option<String>,
    /// A batch with this body is never answered.
    hangs_on: Option<String>,
    /// Calls under way now, and at most so far.
    at_once: Arc<Mutex<(usize, usize)>>,
}

impl FakeSqs {
    fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self {
            turns: Arc::new(Mutex::new(turns.into_iter().collect())),
            seen: Arc::default(),
            answer_after: Duration::from_millis(1),
            is_dead: false,
            guilty: None,
            hangs_on: None,
            at_once: Arc::default(),
        }
    }

    fn dead() -> Self {
        Self { is_dead: true, ..Self::new([]) }
    }

    fn most_at_once(&self) -> usize {
        self.at_once.lock().unwrap().1
    }

    fn seen(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap().clone()
    }
}

impl SendBatch for FakeSqs {
    async fn send_batch(&self, batch: &[Entry]) -> Result<Vec<Refusal>, SendError> {
        self.seen.lock().unwrap().push(batch.iter().map(|entry| entry.body.clone()).collect());
        let has = |wanted: &Option<String>| {
            wanted.as_ref().is_some_and(|wanted| batch.iter().any(|entry| entry.body == *wanted))
        };
        if has(&self.hangs_on) {
            std::future::pending::<()>().await;
        }
        {
            let mut at_once = self.at_once.lock().unwrap();
            at_once.0 += 1;
            at_once.1 = at_once.1.max(at_once.0);
        }
        sleep(self.answer_after).await;
        self.at_once.lock().unwrap().0 -= 1;
        if has(&self.guilty) {
            return Err(SendError::Refused("BatchRequestTooLong".into()));
        }
        let default = if self.is_dead { Turn::Fail } else { Turn::Take };
        let turn = self.turns.lock().unwrap().pop_front().unwrap_or(default);
        let cause = || Box::new(std::io::Error::from(ErrorKind::ConnectionRefused));
        match turn {
            Turn::Take => Ok(vec![]),
            Turn::Refuse(refusals) => Ok(refusals),
            Turn::Fail => Err(SendError::Unavailable(cause())),
        }
    }
}

fn entry(group: &str, body: impl Into<String>) -> Entry {
    let body = body.into();
    Entry { group_id: group.into(), deduplication_id: body.clone(), body, trace: String::new() }
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn queue_to(
    sqs: &FakeSqs,
    length_max: usize,
) -> (HintQueue, HintSender<FakeSqs>, oneshot::Sender<()>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new());
    let losses = Losses::new(metrics.clone(), OffsetDateTime::now_utc);
    let (queue, sender, drain) = hint_queue(length_max, FAST, Arc::new(sqs.clone()), metrics.clone(), losses);
    (queue, sender, drain, metrics)
}

fn lost(metrics: &Metrics, cause: &str) -> bool {
    metrics.encode().unwrap().contains(&format!(r#"losses_total{{cause="{cause}"}}"#))
}

/// Offers the entries, drains, and returns the metrics when everything is sent or given up.
async fn sent(sqs: &FakeSqs, entries: Vec<Entry>) -> Arc<Metrics> {
    let (queue, sender, drain, metrics) = queue_to(sqs, QUEUE_LENGTH_MAX);
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
async fn a_lone_hint_goes_after_the_linger_without_waiting_for_company() {
    let sqs = FakeSqs::new([]);
    let (queue, sender, drain, _) = queue_to(&sqs, QUEUE_LENGTH_MAX);
    let running = tokio::spawn(sender.run());
    queue.offer(entry("g", "lone"));
    until(|| sqs.seen() == [["lone"]]).await;
    drop(drain);
    running.await.unwrap();
}

#[tokio::test]
async fn what_sqs_refused_is_sent_again_before_anything_newer_of_its_group() {
    let refusal = |index, retryable| Refusal { index, retryable, reason: "test".into() };
    let sqs = FakeSqs::new([Turn::Refuse(vec![refusal(2, true), refusal(0, true), refusal(5, false)])]);
    let metrics = sent(&sqs, numbers(0..12).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!(sqs.seen(), [numbers(0..10), ["0", "2", "10", "11"].map(str::to_owned).into()]);
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (11, 1));
    assert!(lost(&metrics, "refused"));
}

#[tokio::test]
async fn a_batch_is_sent_again_while_sqs_cannot_be_reached() {
    let sqs = FakeSqs::new([Turn::Fail, Turn::Fail]);
    let metrics = sent(&sqs, numbers(0..2).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!(sqs.seen(), [numbers(0..2), numbers(0..2), numbers(0..2)]);
    assert_eq!(
        (metrics.hints_sent.get(), metrics.hints_failed.get(), metrics.hints_retried.get()),
        (2, 0, 4)
    );
}

/// What a review with a name of a megabyte once did to everybody else for five minutes.
#[tokio::test]
async fn of_a_batch_that_sqs_refuses_the_guilty_hint_is_dropped_and_all_others_are_sent_at_once() {
    let sqs = FakeSqs { guilty: Some("3".into()), ..FakeSqs::new([]) };
    let metrics = sent(&sqs, numbers(0..25).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (24, 1));
    assert_eq!(sqs.seen().len(), 13, "one batch of ten, its ten one by one, and the rest in two");
    assert!(lost(&metrics, "refused"));
}

#[tokio::test]
async fn a_hint_that_is_too_long_for_its_reader_is_not_queued() {
    let sqs = FakeSqs::new([]);
    let (queue, _sender, _drain, metrics) = queue_to(&sqs, QUEUE_LENGTH_MAX);
    queue.offer(entry("g", "x".repeat(BODY_BYTES_MAX + 1)));
    assert!(queue.is_empty() && lost(&metrics, "refused"));
    assert_eq!((metrics.hints_failed.get(), metrics.hints_queued.get()), (1, 0));
}

#[tokio::test]
async fn a_call_that_does_not_end_holds_up_its_own_groups_only() {
    let sqs = FakeSqs { hangs_on: Some("stuck".into()), ..FakeSqs::new([]) };
    let (queue, sender, _drain, _) = queue_to(&sqs, QUEUE_LENGTH_MAX);
    let running = tokio::spawn(sender.run());
    queue.offer(entry("a", "stuck"));
    until(|| sqs.seen().len() == 1).await;
    queue.offer(entry("a", "behind"));
    queue.offer(entry("b", "beside"));
    until(|| sqs.seen().contains(&vec!["beside".to_owned()])).await;
    assert_eq!(sqs.seen().len(), 2);
    running.abort();
}

#[tokio::test]
async fn so_many_calls_are_under_way_and_no_more_and_one_while_sqs_is_in_trouble() {
    let sqs = FakeSqs { hangs_on: Some("stuck".into()), ..FakeSqs::new([]) };
    let (queue, sender, _drain, _) = queue_to(&sqs, QUEUE_LENGTH_MAX);
    let running = tokio::spawn(sender.run());
    for group in numbers(0..CALLS_MAX + 1) {
        queue.offer(entry(&group, "stuck"));
        let calls = (group.parse::<usize>().unwrap() + 1).min(CALLS_MAX);
        until(|| sqs.seen().len() == calls).await;
    }
    running.abort();

    let dead = FakeSqs { answer_after: Duration::from_millis(20), ..FakeSqs::dead() };
    let (queue, sender, _drain, _) = queue_to(&dead, QUEUE_LENGTH_MAX);
    let running = tokio::spawn(sender.run());
    queue.offer(entry("a", "a"));
    until(|| dead.seen().len() >= 2).await;
    for group in numbers(0..10) {
        queue.offer(entry(&group, "x"));
    }
    until(|| dead.seen().len() >= 10).await;
    assert_eq!(dead.most_at_once(), 1);
    running.abort();
}

#[tokio::test]
async fn a_dead_queue_costs_no_more_than_the_bound_and_no_review_waits() {
    let sqs = FakeSqs::dead();
    let (queue, sender, _drain, metrics) = queue_to(&sqs, 4);
    let running = tokio::spawn(sender.run());
    queue.offer(entry("g", "first"));
    until(|| !sqs.seen().is_empty()).await;
    // `offer` is no future: it cannot wait.
    for body in numbers(0..100) {
        queue.offer(entry("g", body));
    }
    assert_eq!((queue.len(), metrics.hints_queued.get(), metrics.hints_dropped.get()), (4, 4, 97));
    assert!(lost(&metrics, "queue_full"));
    running.abort();
}

#[tokio::test]
async fn a_hint_is_given_up_after_its_tries() {
    let sqs = FakeSqs::dead();
    let metrics = sent(&sqs, numbers(0..11).into_iter().map(|body| entry("g", body)).collect()).await;
    assert_eq!((metrics.hints_sent.get(), metrics.hints_failed.get()), (0, 11));
    for body in numbers(0..11) {
        let tries = sqs.seen().iter().filter(|batch| batch.contains(&body)).count();
        assert_eq!(tries, FAST.tries_max, "{body}");
    }
    assert!(lost(&metrics, "given_up"));
}

#[test]
fn the_tries_of_one_hint_take_about_five_minutes() {
    let waits = (1..PACE.tries_max).map(|tries| PACE.backoff(tries));
    let minutes = waits.sum::<Duration>().as_secs_f64() / 60.0;
    assert!((4.5..5.5).contains(&minutes), "{minutes}");
}

#[tokio::test]
async fn a_drain_sends_what_waits_and_then_ends_though_reviews_still_hold_the_queue() {
    let sqs = FakeSqs::new([Turn::Fail]);
    let (queue, sender, drain, metrics) = queue_to(&sqs, QUEUE_LENGTH_MAX);
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
