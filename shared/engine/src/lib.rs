//! The stages put together: [`Engine::reconcile`] for one unit, [`Engine::drift`] for everything.
//!
//! What is decided is decided in the pure crates; this crate calls them in order and does what they say.

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod aws;
mod drift;
mod eks;
mod error;
mod names;
mod outcome;
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

use std::collections::{BTreeMap, BTreeSet};
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

/// How often in a row a unit waits before it is left to the drift pass: with 10 to 20 seconds each, about ten minutes,
/// twice as long as a target drains at most.
const WAITS_MAX: u32 = 40;

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

    /// Sends a hint that brings the unit of these hints back `after` this time, counted by `now`; true if it was sent, false
    /// if the unit has waited so often that the next drift pass is soon enough.
    ///
    /// The hints' own messages can then be acknowledged, so that other hints for the unit are not held up. Several for one
    /// unit that would come at about the same time are one.
    pub async fn later(&self, hints: &[Hint], after: Duration, now: SystemTime) -> Result<bool, AwsError> {
        let waits = hints.iter().map(|hint| hint.waits).max().unwrap_or_default();
        let Some(last) = hints.last().filter(|_| waits < WAITS_MAX) else { return Ok(false) };
        let names: BTreeSet<String> =
            hints.iter().flat_map(|hint| hint.service_names.iter().cloned()).collect();
        let hint = Hint { waits, ..last.clone() }.with_service_names(names);
        let seconds = u32::try_from(after.as_secs()).unwrap_or(u32::MAX).max(1);
        let period =
            now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / u64::from(seconds);
        let hint = spread::outgoing(hint.in_a_while(seconds), "later", &period.to_string());
        self.queue.send(&[hint]).await?;
        Ok(true)
    }

    /// Sends a hint that was to come later on to its unit. `message` names the message that it came with.
    pub async fn wake(&self, hint: &Hint, message: &str) -> Result<(), AwsError> {
        self.queue.send(&[spread::outgoing(hint.clone().now(), "wake", message)]).await
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
