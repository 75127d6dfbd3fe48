//! Nothing is lost in silence: for every hint that may be missing, the queue is told to look at the whole cluster.
//!
//! A webhook cannot know what it has missed, but it knows when: before it was ready, when a hint was dropped or given up,
//! when the API server called it in vain. [`Losses`] notes that, and one task sends the hint "look at this whole cluster",
//! past the queue, at once for the first loss and then at most once in [`BUCKET`].
//!
//! The replicas do not agree on who sends. Time is cut into buckets, and the message's de-duplication id holds the bucket:
//! of all replicas' hints of one bucket the queue takes the first. That one may have been sent before a later loss of
//! another replica, so a loss is made good only by a hint of a bucket that began after it ([`Debt`]): the first hint is
//! there for speed, the second for certainty.

use crate::metrics::Metrics;
use crate::queue::{Entry, Pace, SendBatch, SendError};
use crate::seldom::Seldom;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{Notify, oneshot};
use trellis_telemetry::chain;

/// Length of a bucket: a look at a whole cluster costs a read of all its objects, and the hint for the next one does no
/// more than bring it forward. It divides the day, so that buckets are whole minutes.
pub const BUCKET: Duration = Duration::from_mins(1);

/// How far the clocks of two replicas may be apart; the nodes' clocks are kept within milliseconds.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5);

/// Why a hint may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The webhook has just become ready: it was away before.
    Started,
    /// The queue was full.
    QueueFull,
    /// SQS refused a hint, or a hint was too long to be sent.
    Refused,
    /// SQS did not take a hint in all its tries.
    GivenUp,
    /// The API server could not call: it did not trust the certificate or did not know the path.
    Unreachable,
    /// A review could not be read in time, or the decision on it failed.
    Unread,
    /// There were more connections than are served.
    Crowded,
    /// A reference came into view after more changes than are remembered.
    Forgotten,
}

impl Cause {
    /// The value of the metric's label `cause`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
            Self::Unreachable => "unreachable",
            Self::Unread => "unread",
            Self::Crowded => "crowded",
            Self::Forgotten => "forgotten",
        }
    }
}

/// Takes note of losses, from anywhere, without waiting.
#[derive(Debug, Clone)]
pub struct Losses(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    /// Milliseconds since 1970 of the latest loss; `i64::MIN` before the first.
    latest: AtomicI64,
    news: Notify,
    clock: fn() -> OffsetDateTime,
    log: Seldom,
    metrics: Arc<Metrics>,
}

impl Losses {
    /// None yet. Losses are counted in `metrics` and dated by `clock`.
    pub fn new(metrics: Arc<Metrics>, clock: fn() -> OffsetDateTime) -> Self {
        let (latest, news) = (AtomicI64::new(i64::MIN), Notify::new());
        Self(Arc::new(Noted { latest, news, clock, log: Seldom::default(), metrics }))
    }

    /// A hint may be missing.
    pub fn note(&self, cause: Cause) {
        let noted = &*self.0;
        noted.metrics.lost(cause.as_str());
        noted.latest.fetch_max(millis((noted.clock)()), Ordering::Relaxed);
        noted.news.notify_one();
        if let Some(unsaid) = noted.log.say() {
            let cause = cause.as_str();
            tracing::warn!(cause, unsaid, "hints may be missing: the cluster is to be looked at as a whole");
        }
    }

    fn latest(&self) -> Option<i64> {
        Some(self.0.latest.load(Ordering::Relaxed)).filter(|at| *at != i64::MIN)
    }
}

/// Whether a look at the whole cluster is owed, and when. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Debt {
    /// The bucket of the last hint that the queue took.
    sent: Option<i64>,
}

impl Debt {
    /// When the hint is due that makes a loss at `lost` good; none if one has.
    fn due(&self, lost: i64) -> Option<i64> {
        let Some(sent) = self.sent else { return Some(lost) };
        let is_good = start_of(sent) > lost + millis_of(CLOCK_SKEW_MAX);
        (!is_good).then(|| start_of(sent + 1).max(lost))
    }

    fn sent(&mut self, bucket: i64) {
        self.sent = self.sent.max(Some(bucket));
    }
}

fn bucket_of(at: i64) -> i64 {
    at.div_euclid(millis_of(BUCKET))
}

fn start_of(bucket: i64) -> i64 {
    bucket.saturating_mul(millis_of(BUCKET))
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The task that sends the hint for the whole cluster.
pub struct Teller<S> {
    /// What there is to make good.
    pub losses: Losses,
    /// Where the hint goes.
    pub sqs: Arc<S>,
    /// The hint; its argument makes its de-duplication id: see [`crate::review::whole_cluster`].
    pub hint: Box<dyn Fn(&str) -> Entry + Send + Sync>,
    /// How soon it is tried again.
    pub pace: Pace,
}

impl<S: SendBatch> Teller<S> {
    /// Sends whenever a look is owed, until the drain begins; then once more if one is owed still, since nobody may start
    /// after this webhook.
    pub async fn run(self, mut drain: oneshot::Receiver<()>) {
        let (mut debt, mut failures) = (Debt::default(), 0);
        loop {
            let now = millis((self.losses.0.clock)());
            let due = self.losses.latest().and_then(|lost| debt.due(lost));
            self.losses.0.metrics.whole_cluster_owed.set(i64::from(due.is_some()));
            let wait = due.map(|due| {
                let wait = Duration::from_millis(u64::try_from(due - now).unwrap_or_default());
                if failures > 0 { wait.max(self.pace.backoff(failures)) } else { wait }
            });
            tokio::select! {
                () = wait_for(wait) => {}
                () = self.losses.0.news.notified(), if failures == 0 => continue,
                _ = &mut drain => {
                    if due.is_some() {
                        self.send(&format!("end-{now}")).await;
                    }
                    return;
                }
            }
            let bucket = bucket_of(millis((self.losses.0.clock)()));
            if self.send(&bucket.to_string()).await {
                debt.sent(bucket);
                failures = 0;
            } else {
                failures += 1;
            }
        }
    }

    /// Whether the queue took the hint.
    async fn send(&self, moment: &str) -> bool {
        let entry = (self.hint)(moment);
        let group = entry.group_id.clone();
        let error = match self.sqs.send_batch(&[entry]).await {
            Ok(refusals) if refusals.is_empty() => {
                tracing::info!(group, "the queue is told to look at the whole cluster");
                self.losses.0.metrics.whole_cluster_sent.inc();
                return true;
            }
            Ok(refusals) => refusals.into_iter().map(|refusal| refusal.reason).collect(),
            Err(error @ (SendError::Refused(_) | SendError::Unavailable(_))) => chain(&error).to_string(),
        };
        tracing::warn!(group, error, "the queue could not be told to look at the whole cluster");
        false
    }
}

/// Waits that long, for ever where nothing is due.
async fn wait_for(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[path = "losses_tests.rs"]
mod tests;
