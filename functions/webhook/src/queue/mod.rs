//! The way of a hint from the review to SQS: a bounded queue, batches, retries, and a drain at the end.
//!
//! A review never waits for it: [`HintQueue::offer`] takes the hint or drops it. One task sends, a few batches at a time,
//! in an order that `outbox` decides: hints of one message group arrive in the order of their reviews, and no batch holds
//! up the next. (An entry that SQS took behind a refused one of the same unit stays ahead of it; the reader looks at the
//! object either way.) What is lost is counted, and the cluster is looked at as a whole for it: see [`crate::losses`].

mod outbox;
mod sender;

pub use sender::HintSender;

use crate::losses::{Cause, Losses};
use crate::metrics::Metrics;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use trellis_hint::BODY_BYTES_MAX;

/// Hints that wait at most, those of calls under way included. At about 700 bytes each this is 3 MB, and a second of a
/// queue at full speed.
pub const QUEUE_LENGTH_MAX: usize = 4096;

/// Entries of one SendMessageBatch (SQS API reference).
pub const BATCH_ENTRIES_MAX: usize = 10;

/// Bytes of all entries of one batch: a quarter of what SQS takes since 2025 (1 MiB), and the limit of before, which every
/// queue and emulator takes. Ten of the longest hints are 160 KiB.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;

/// Calls under way at once while SQS answers. One call takes 20 ms, so this is some 2,000 hints a second.
pub const CALLS_MAX: usize = 4;

/// Calls under way at once after one that failed: SQS is asked whether it is back, not stormed.
pub const CALLS_IN_TROUBLE_MAX: usize = 1;

/// The times of the sender.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long the first hint of a batch waits for company.
    pub linger: Duration,
    /// First wait before a hint is tried again; it doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest wait before a hint is tried again.
    pub backoff_max: Duration,
    /// Tries of one hint.
    pub tries_max: usize,
}

/// The hints of one `kubectl apply` come within 5 ms, which is small against the 20 ms that a message needs to reach its
/// reader. Five seconds after SQS is back everything flows. A hint is given up after 5 minutes: it tells nothing then that
/// a look at the whole cluster does not.
pub const PACE: Pace = Pace {
    linger: Duration::from_millis(5),
    backoff_min: Duration::from_millis(100),
    backoff_max: Duration::from_secs(5),
    tries_max: 64,
};

/// One SQS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// MessageGroupId.
    pub group_id: String,
    /// MessageDeduplicationId.
    pub deduplication_id: String,
    /// MessageBody.
    pub body: String,
    /// The hint's trace, for log lines; empty for none.
    pub trace: String,
}

impl Entry {
    /// What the entry counts in a batch: the body, and the ids to be on the safe side.
    fn bytes(&self) -> usize {
        self.body.len() + self.group_id.len() + self.deduplication_id.len()
    }
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
    /// The batch itself is at fault: another try of the same cannot help.
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
    entries: mpsc::UnboundedSender<(Entry, Place)>,
    places: Arc<Semaphore>,
    length_max: usize,
    metrics: Arc<Metrics>,
    losses: Losses,
}

/// A hint's place in the queue, free again when the hint is sent or lost.
type Place = OwnedSemaphorePermit;

/// A queue of at most `length_max` hints; a message on the returned channel, or its end, begins the drain.
pub fn hint_queue<S: SendBatch>(
    length_max: usize,
    pace: Pace,
    sqs: Arc<S>,
    metrics: Arc<Metrics>,
    losses: Losses,
) -> (HintQueue, HintSender<S>, oneshot::Sender<()>) {
    // Places bound what the channel and the sender hold together.
    let (sender, receiver) = mpsc::unbounded_channel();
    let (drain, drained) = oneshot::channel();
    let places = Arc::new(Semaphore::new(length_max));
    let sender_end = HintSender::new(receiver, drained, pace, sqs, metrics.clone(), losses.clone());
    (HintQueue { entries: sender, places, length_max, metrics, losses }, sender_end, drain)
}

impl HintQueue {
    /// Queues the hint, or drops it if there is no room. Never waits.
    pub fn offer(&self, entry: Entry) {
        if entry.body.len() > BODY_BYTES_MAX {
            tracing::error!(
                trace = entry.trace,
                bytes = entry.body.len(),
                "a hint is too long for its reader"
            );
            self.metrics.hints_failed.inc();
            self.losses.note(Cause::Refused);
            return;
        }
        let place = self.places.clone().try_acquire_owned().ok();
        if place.is_some_and(|place| self.entries.send((entry, place)).is_ok()) {
            self.metrics.hints_queued.inc();
        } else {
            self.metrics.hints_dropped.inc();
            self.losses.note(Cause::QueueFull);
        }
    }

    /// How many hints wait.
    pub fn len(&self) -> usize {
        self.length_max - self.places.available_permits()
    }

    /// Whether no hint waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
