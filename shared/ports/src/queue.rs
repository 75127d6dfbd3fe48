use crate::CallError;
use std::time::{Duration, SystemTime};
use trellis_hint::Hint;

/// The longest delay of a message (SQS API reference, DelaySeconds).
pub const LATER_MAX: Duration = Duration::from_mins(15);

/// The queue of hints.
pub trait Queue: Send + Sync + 'static {
    /// Sends hints, in their order.
    fn send(&self, hints: &[OutgoingHint]) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Sends a hint that comes back by itself after this time, at most [`LATER_MAX`]: as a [`crate::Message`] without a
    /// group, which is then to be sent on to its unit.
    fn send_later(&self, hint: &Hint, after: Duration) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Gives a message back to the queue that it came from, to be received again after this time.
    fn put_off(
        &self,
        lane: Lane,
        receipt_handle: &str,
        after: Duration,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// The queue that a message came from. A receipt handle means something to that one only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The queue of hints for units, each unit a message group.
    Units,
    /// The queue of hints for later.
    Later,
}

/// A hint to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingHint {
    /// The hint; it tells its message group.
    pub hint: Hint,
    /// SQS drops a second message with the same id within five minutes, also after the first was processed. So the id
    /// must hold what makes this hint another one than the last: the review's hash, a resourceVersion, a pass id.
    pub deduplication_id: String,
}

/// A message as the queue gives it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is called in the answer that gives it back.
    pub id: String,
    /// What it is called when it is put off, in its [`Lane`].
    pub receipt_handle: String,
    /// Its message group; none if it comes from the queue of hints for later.
    pub group: Option<String>,
    /// A hint, if it is one.
    pub body: String,
    /// How often the queue has given this message out, this time included.
    pub receives: u32,
    /// When it was sent, if the queue told.
    pub sent: Option<SystemTime>,
}
