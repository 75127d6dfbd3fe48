//! The task that sends what the outbox gives out.

use super::outbox::{Loss, Next, Outbox, Waiting};
use super::{CALLS_IN_TROUBLE_MAX, CALLS_MAX, Entry, Pace, Place, Refusal, SendBatch, SendError};
use crate::losses::{Cause, Losses};
use crate::metrics::Metrics;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use trellis_telemetry::chain;

/// The end of the queue that sends.
pub struct HintSender<S> {
    entries: mpsc::UnboundedReceiver<(Entry, Place)>,
    drain: oneshot::Receiver<()>,
    outbox: Outbox<Place>,
    /// Whether the last call that ended has failed.
    in_trouble: bool,
    sqs: Arc<S>,
    metrics: Arc<Metrics>,
    losses: Losses,
}

type Batch = Vec<Waiting<Place>>;
type Ended = (Batch, Result<Vec<Refusal>, SendError>);
type Call = Pin<Box<dyn Future<Output = Ended> + Send>>;

impl<S: SendBatch> HintSender<S> {
    pub(super) fn new(
        entries: mpsc::UnboundedReceiver<(Entry, Place)>,
        drain: oneshot::Receiver<()>,
        pace: Pace,
        sqs: Arc<S>,
        metrics: Arc<Metrics>,
        losses: Losses,
    ) -> Self {
        Self { entries, drain, outbox: Outbox::new(pace), in_trouble: false, sqs, metrics, losses }
    }

    /// Sends until the drain has begun and everything queued by then is sent or lost.
    pub async fn run(mut self) {
        let mut calls: FuturesUnordered<Call> = FuturesUnordered::new();
        loop {
            while let Ok((entry, place)) = self.entries.try_recv() {
                self.outbox.push(entry, place, Instant::now());
            }
            let ask_again = self.begin_calls(&mut calls);
            if self.entries.is_closed()
                && self.entries.is_empty()
                && self.outbox.is_empty()
                && calls.is_empty()
            {
                return;
            }
            let is_open = !self.entries.is_closed();
            tokio::select! {
                Some((entry, place)) = self.entries.recv(), if is_open => {
                    self.outbox.push(entry, place, Instant::now());
                }
                _ = &mut self.drain, if is_open => self.entries.close(),
                Some((batch, result)) = calls.next(), if !calls.is_empty() => self.settle(batch, &result),
                () = at(ask_again) => {}
            }
        }
    }

    /// Begins what can go now; returns when to ask again, where a time is known.
    fn begin_calls(&mut self, calls: &mut FuturesUnordered<Call>) -> Option<Instant> {
        let calls_max = if self.in_trouble { CALLS_IN_TROUBLE_MAX } else { CALLS_MAX };
        while calls.len() < calls_max {
            match self.outbox.next(Instant::now()) {
                Next::Send(batch) => calls.push(self.call(batch)),
                Next::At(at) => return Some(at),
                Next::Idle => return None,
            }
        }
        None
    }

    fn call(&self, batch: Batch) -> Call {
        let (sqs, metrics) = (self.sqs.clone(), self.metrics.clone());
        Box::pin(async move {
            let entries: Vec<Entry> = batch.iter().map(|one| one.entry.clone()).collect();
            let started = Instant::now();
            let result = sqs.send_batch(&entries).await;
            metrics.send_seconds.observe(started.elapsed().as_secs_f64());
            (batch, result)
        })
    }

    fn settle(&mut self, batch: Batch, result: &Result<Vec<Refusal>, SendError>) {
        self.in_trouble = matches!(result, Err(SendError::Unavailable(_)));
        if let Err(error) = result {
            tracing::warn!(error = %chain(error), hints = batch.len(), "a batch of hints was not taken");
        }
        let settled = self.outbox.settle(batch, result, Instant::now());
        self.metrics.hints_sent.inc_by(settled.sent as u64);
        self.metrics.hints_retried.inc_by(settled.again as u64);
        self.metrics.hints_failed.inc_by(settled.lost.len() as u64);
        for (Entry { group_id: group, trace, .. }, loss) in settled.lost {
            match loss {
                Loss::Refused(reason) => {
                    tracing::error!(group, trace, reason, "SQS refuses a hint");
                    self.losses.note(Cause::Refused);
                }
                Loss::GivenUp => {
                    tracing::error!(group, trace, "a hint is given up");
                    self.losses.note(Cause::GivenUp);
                }
            }
        }
    }
}

/// Waits until `time`, for ever where there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
