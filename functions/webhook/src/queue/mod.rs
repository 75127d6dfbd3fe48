//! The way of a hint from the review to SQS: a bounded queue, batches, retries, and a drain at the end.
//!
//! A review never waits for it: [`HintQueue::offer`] takes the hint or drops it. One task sends, one batch at a time and
//! what failed before anything newer, so that hints of one unit arrive in the order of their reviews. (An entry that SQS
//! took behind a refused one of the same unit stays ahead of it; the reader looks at the object either way.)
//! What is dropped is counted, and the drift pass finds what it would have told.

use crate::metrics::Metrics;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use trellis_telemetry::chain;

/// Hints that wait at most. At about 700 bytes each this is 3 MB, and 2 to 4 seconds of a queue at full speed.
pub const QUEUE_LENGTH_MAX: usize = 4096;

/// Entries of one SendMessageBatch (SQS API reference).
pub const BATCH_ENTRIES_MAX: usize = 10;

/// Bytes of all bodies of one batch: the older of SQS's limits (256 KiB), which every queue and emulator takes.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;

/// The times of the sender.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long the first hint of a batch waits for company.
    pub linger: Duration,
    /// First wait before a batch is tried again; it doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest wait before a batch is tried again.
    pub backoff_max: Duration,
    /// Tries of one batch.
    pub tries_max: usize,
}

/// The hints of one `kubectl apply` come within 5 ms, which is small against the 20 ms that a message needs to reach its
/// reader. Five seconds after SQS is back everything flows. A batch is given up after 5 minutes: a hint that is older
/// tells nothing that the next drift pass does not.
pub const PACE: Pace = Pace {
    linger: Duration::from_millis(5),
    backoff_min: Duration::from_millis(100),
    backoff_max: Duration::from_secs(5),
    tries_max: 64,
};

impl Pace {
    /// The wait after each try.
    fn backoffs(self) -> impl Iterator<Item = Duration> {
        let doubled = std::iter::successors(Some(self.backoff_min), move |wait| {
            Some((*wait * 2).min(self.backoff_max))
        });
        doubled.take(self.tries_max)
    }
}

/// One SQS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// MessageGroupId.
    pub group_id: String,
    /// MessageDeduplicationId.
    pub deduplication_id: String,
    /// MessageBody.
    pub body: String,
}

/// One entry that SQS refused while it took others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The entry's place in the batch.
    pub index: usize,
    /// False where SQS says that the entry itself is at fault.
    pub retryable: bool,
    /// What SQS says.
    pub reason: String,
}

/// Nothing of a batch was taken, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The batch itself is at fault: another try cannot help.
    #[error("SQS refuses the batch")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// SQS cannot be reached, is throttling, or refuses us at present.
    #[error("SQS did not take the batch")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// Sends one batch: SQS, or what a test puts in its place.
pub trait SendBatch: Send + Sync + 'static {
    /// Sends the entries in their order; returns those that were refused.
    fn send_batch(&self, batch: &[Entry]) -> impl Future<Output = Result<Vec<Refusal>, SendError>> + Send;
}

/// The end of the queue that reviews see.
#[derive(Debug, Clone)]
pub struct HintQueue {
    entries: mpsc::Sender<Entry>,
    metrics: Arc<Metrics>,
}

/// The end of the queue that sends.
pub struct HintSender<S> {
    entries: mpsc::Receiver<Entry>,
    drain: oneshot::Receiver<()>,
    /// Taken from the queue, but too large for the batch before.
    next: Option<Entry>,
    pace: Pace,
    sqs: S,
    metrics: Arc<Metrics>,
}

/// A queue of at most `length_max` hints; a message on the returned channel, or its end, begins the drain.
pub fn hint_queue<S: SendBatch>(
    length_max: usize,
    pace: Pace,
    sqs: S,
    metrics: Arc<Metrics>,
) -> (HintQueue, HintSender<S>, oneshot::Sender<()>) {
    let (sender, receiver) = mpsc::channel(length_max);
    let (drain, drained) = oneshot::channel();
    let queue = HintQueue { entries: sender, metrics: metrics.clone() };
    (queue, HintSender { entries: receiver, drain: drained, next: None, pace, sqs, metrics }, drain)
}

impl HintQueue {
    /// Queues the hint, or drops it if there is no room. Never waits.
    pub fn offer(&self, entry: Entry) {
        match self.entries.try_send(entry) {
            Ok(()) => self.metrics.hints_queued.inc(),
            Err(_) => self.metrics.hints_dropped.inc(),
        };
    }

    /// How many hints wait.
    pub fn len(&self) -> usize {
        self.entries.max_capacity() - self.entries.capacity()
    }

    /// Whether no hint waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: SendBatch> HintSender<S> {
    /// Sends until the drain has begun and everything queued by then is sent.
    pub async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            self.deliver(batch).await;
        }
    }

    async fn next_batch(&mut self) -> Option<Vec<Entry>> {
        let first = match self.next.take() {
            Some(entry) => entry,
            None => self.receive().await?,
        };
        let deadline = Instant::now() + self.pace.linger;
        let mut bytes = first.body.len();
        let mut batch = vec![first];
        while batch.len() < BATCH_ENTRIES_MAX {
            let Ok(Some(entry)) = timeout_at(deadline, self.entries.recv()).await else { break };
            bytes += entry.body.len();
            if bytes > BATCH_BYTES_MAX {
                self.next = Some(entry);
                break;
            }
            batch.push(entry);
        }
        Some(batch)
    }

    async fn receive(&mut self) -> Option<Entry> {
        if !self.entries.is_closed() {
            tokio::select! {
                entry = self.entries.recv() => return entry,
                _ = &mut self.drain => self.entries.close(),
            }
        }
        self.entries.recv().await
    }

    async fn deliver(&self, mut batch: Vec<Entry>) {
        for backoff in self.pace.backoffs() {
            let started = Instant::now();
            let result = self.sqs.send_batch(&batch).await;
            self.metrics.send_seconds.observe(started.elapsed().as_secs_f64());
            match result {
                Ok(refusals) => batch = self.retryable(batch, &refusals),
                Err(error @ SendError::Refused(_)) => {
                    tracing::error!(error = %chain(&error), hints = batch.len(), "a batch of hints is given up");
                    break;
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), hints = batch.len(), "a batch of hints will be tried again");
                }
            }
            if batch.is_empty() {
                return;
            }
            sleep(backoff).await;
        }
        self.metrics.hints_failed.inc_by(batch.len() as u64);
    }

    /// Counts what was taken and what will never be; returns the rest in its order.
    fn retryable(&self, batch: Vec<Entry>, refusals: &[Refusal]) -> Vec<Entry> {
        let mut rest = Vec::new();
        for (index, entry) in batch.into_iter().enumerate() {
            match refusals.iter().find(|refusal| refusal.index == index) {
                None => {
                    self.metrics.hints_sent.inc();
                }
                Some(refusal) if refusal.retryable => rest.push(entry),
                Some(refusal) => {
                    tracing::error!(group = entry.group_id, reason = refusal.reason, "SQS refuses a hint");
                    self.metrics.hints_failed.inc();
                }
            }
        }
        rest
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
