//! The stages put together: [`Engine::reconcile`] for one unit, [`Engine::drift`] for everything.
//!
//! What is decided is decided in the pure crates; this crate calls them in order and does what they say.

mod aws;
mod drift;
mod eks;
mod error;
mod names;
mod outcome;
mod partial;
mod ports;
mod reconcile;
mod settings;
mod spread;
mod status;

pub use aws::AwsLattice;
pub use drift::{DriftReport, Drifted};
pub use eks::EksClusters;
pub use error::UnitError;
pub use ports::{Cluster, Clusters, Fleet, Lattice, Owned, Queue};
pub use settings::{ConfigError, EngineSettings};

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use trellis_aws::{Aws, AwsError, HintQueue};
use trellis_gateway::Settings;
use trellis_hint::{Hint, UnitKey};

/// Everything that a reconcile needs, kept while a function is warm.
#[derive(Debug)]
pub struct Engine<L = AwsLattice, C = EksClusters, Q = HintQueue> {
    pub(crate) lattice: L,
    pub(crate) clusters: C,
    pub(crate) queue: Q,
    pub(crate) settings: Settings,
    began: Mutex<SystemTime>,
}

/// What became of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as it should be, or only a change by a person can help and the status says so.
    Done,
    /// VPC Lattice is at work on it; look again.
    Waiting {
        /// When to look again.
        after: Duration,
        /// What for.
        reason: String,
    },
    /// Nothing was changed, since something that has to be known could not be read.
    Held(String),
    /// It has failed; trying again may help.
    Failed(String),
}

impl Engine {
    /// An engine as the functions run it: settings from `TRELLIS_*`, AWS from the SDK's environment.
    pub async fn from_env() -> Result<Self, ConfigError> {
        let settings = EngineSettings::from_env()?;
        let aws = Aws::from_env().await;
        Ok(Self::new(
            AwsLattice::new(aws.lattice(), aws.counts().clone()),
            EksClusters::new(aws.clusters(settings.cluster_tag.clone())),
            aws.hints(&settings.queue_url),
            settings.gateway,
        ))
    }
}

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// An engine on these ports.
    pub fn new(lattice: L, clusters: C, queue: Q, settings: Settings) -> Self {
        Self { lattice, clusters, queue, settings, began: Mutex::new(SystemTime::UNIX_EPOCH) }
    }

    /// Tells the engine that an invocation begins: listings of VPC Lattice from before are not used any more.
    pub fn begin(&self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = SystemTime::now();
    }

    fn began(&self) -> SystemTime {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings one unit to what its objects ask for, and says whether it is to be looked at again.
    pub async fn reconcile(&self, unit: &UnitKey, hints: &[Hint], deadline: Instant) -> Verdict {
        let started = Instant::now();
        let verdict = match self.reconcile_unit(unit, hints, deadline).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Failed(trellis_telemetry::chain(&error).to_string()),
        };
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &verdict {
            Verdict::Done => tracing::info!(%unit, elapsed_ms, outcome = "done", "unit"),
            Verdict::Waiting { reason, .. } => {
                tracing::info!(%unit, elapsed_ms, outcome = "waiting", reason, "unit");
            }
            Verdict::Held(reason) => tracing::warn!(%unit, elapsed_ms, outcome = "held", reason, "unit"),
            Verdict::Failed(reason) => tracing::error!(%unit, elapsed_ms, outcome = "failed", reason, "unit"),
        }
        verdict
    }

    /// Gives a message back to the queue, to be received again after this time.
    pub async fn put_off(&self, receipt_handle: &str, after: Duration) -> Result<(), AwsError> {
        self.queue.put_off(receipt_handle, after).await
    }

    /// Calls to AWS by operation since this was last asked.
    pub fn take_calls(&self) -> BTreeMap<String, u64> {
        self.lattice.take_calls()
    }
}
