//! What is counted on the way, for the invocation's metrics.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use trellis_hint::ClusterId;
use trellis_telemetry::{Metric, Metrics};

/// Counts of one invocation.
#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    metrics: Metrics,
    /// Each once, however many units met it.
    unreadable: BTreeSet<ClusterId>,
}

impl Figures {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, metric: Metric, count: usize) {
        self.counted().metrics.add(metric, count);
    }

    /// Measures a duration.
    pub(crate) fn record(&self, metric: Metric, time: std::time::Duration) {
        self.counted().metrics.record(metric, time.as_secs_f64() * 1000.0);
    }

    /// A registered cluster could not be read.
    pub(crate) fn unreadable(&self, cluster: &ClusterId) {
        self.counted().unreadable.insert(cluster.clone());
    }

    /// What was counted since this was last asked.
    pub(crate) fn take(&self) -> Metrics {
        let Counted { mut metrics, unreadable } = std::mem::take(&mut *self.counted());
        metrics.add(Metric::ClustersUnreadable, unreadable.len());
        metrics
    }
}
