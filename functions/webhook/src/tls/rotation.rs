//! Goes round certificate, trust and listener: at start, each minute, and sooner after a failure.
//!
//! The order keeps every moment trusted: a new authority is in the `caBundle`, and the API servers have had time to see
//! it, before its certificate is served. What is due is decided by the wall clock, not by a timer, so that a machine that
//! slept for weeks renews when it wakes.

use super::Served;
use super::bundle::missing_from;
use super::identity::{Identity, IssueError, UnusableError, issue, renewal_due};
use super::store::{Store, StoreError};
use crate::metrics::Metrics;
use crate::ops::Readiness;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use trellis_telemetry::chain;

/// The times of a [`Rotation`].
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time between rounds.
    pub round_interval: Duration,
    /// First wait after a failed round; it doubles up to `retry_max`.
    pub retry_min: Duration,
    /// Longest wait after a failed round.
    pub retry_max: Duration,
    /// How long API servers may take to see a changed webhook configuration.
    pub trust_delay: Duration,
}

/// A round is two small reads, so one a minute costs nothing and bounds what a `caBundle` that somebody removed can
/// cost; a failed one is repeated soon, since reviews are lost meanwhile. API servers watch the configuration and see a
/// change within a second.
pub const PACE: Pace = Pace {
    round_interval: Duration::from_mins(1),
    retry_min: Duration::from_secs(1),
    retry_max: Duration::from_secs(5),
    trust_delay: Duration::from_secs(5),
};

/// A round makes four small calls at most.
const ROUND_TIMEOUT: Duration = Duration::from_secs(20);

/// Reads of the Secret in one round; each conflict means that another replica has just written it.
const READS_MAX: usize = 5;

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The cluster did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No certificate could be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A certificate just read or made cannot be used.
    #[error(transparent)]
    Unusable(#[from] UnusableError),
    /// The replicas would not agree.
    #[error("the Secret changed {READS_MAX} times in one round")]
    Contended,
    /// The API server took too long.
    #[error("the round took longer than {} s", ROUND_TIMEOUT.as_secs())]
    TimedOut,
}

/// What goes round.
pub struct Rotation<S> {
    /// The Secret and the webhook configuration.
    pub store: S,
    /// The names that the certificate must bear.
    pub names: Vec<String>,
    /// How fast.
    pub pace: Pace,
    /// The listener's certificate.
    pub served: Arc<Served>,
    /// Told what has been reached.
    pub readiness: Arc<Readiness>,
    /// Told the certificate's end.
    pub metrics: Arc<Metrics>,
    /// What is served now.
    pub current: Option<Identity>,
}

impl<S: Store> Rotation<S> {
    /// Goes round for ever.
    pub async fn run(mut self, clock: fn() -> OffsetDateTime) {
        let mut retry = self.pace.retry_min;
        loop {
            let round = tokio::time::timeout(ROUND_TIMEOUT, self.round(clock())).await;
            match round.unwrap_or(Err(RoundError::TimedOut)) {
                Ok(()) => {
                    retry = self.pace.retry_min;
                    tokio::time::sleep(self.pace.round_interval).await;
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the certificate could not be seen to");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(self.pace.retry_max);
                }
            }
        }
    }

    /// One round at the time `now`.
    pub async fn round(&mut self, now: OffsetDateTime) -> Result<(), RoundError> {
        let identity = self.agree(now).await?;
        let is_first = self.current.is_none();
        if is_first {
            // The bundle may hold this authority since the last start: nothing is gained by waiting.
            self.serve(&identity)?;
        }
        let patched = self.trust(&identity, now).await?;
        self.readiness.trusted();
        if self.current.as_ref() != Some(&identity) {
            if patched {
                tokio::time::sleep(self.pace.trust_delay).await;
            }
            self.serve(&identity)?;
        }
        Ok(())
    }

    /// The identity that all replicas serve: the stored one, or a new one if that is unusable or old.
    async fn agree(&self, now: OffsetDateTime) -> Result<Identity, RoundError> {
        for _ in 0..READS_MAX {
            let stored = self.store.identity().await?;
            if let Some(stored) = stored.as_ref().filter(|stored| self.is_good(&stored.identity, now)) {
                return Ok(stored.identity.clone());
            }
            let identity = issue(&self.names, now)?;
            match self.store.keep(&identity, stored.as_ref()).await {
                Ok(()) => {
                    tracing::info!("a new certificate is stored");
                    return Ok(identity);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RoundError::Contended)
    }

    fn is_good(&self, identity: &Identity, now: OffsetDateTime) -> bool {
        let current = identity.validity().is_ok_and(|validity| !renewal_due(&validity, &self.names, now));
        current && identity.certified_key().is_ok() && !identity.authority_pem.is_empty()
    }

    /// Sees that every webhook's bundle holds the authority; tells whether one had to be changed.
    async fn trust(&self, identity: &Identity, now: OffsetDateTime) -> Result<bool, RoundError> {
        let present = self.store.bundles().await?;
        let missing: BTreeMap<String, String> = present
            .into_iter()
            .filter_map(|(name, bundle)| Some((name, missing_from(&bundle, &identity.authority_pem, now)?)))
            .collect();
        if missing.is_empty() {
            return Ok(false);
        }
        self.store.set_bundles(&missing).await?;
        tracing::info!(webhooks = missing.len(), "the API server is told whom to trust");
        Ok(true)
    }

    fn serve(&mut self, identity: &Identity) -> Result<(), RoundError> {
        self.served.set(identity.certified_key()?);
        self.metrics.certificate_expiry.set(identity.validity()?.not_after.unix_timestamp());
        self.readiness.serving();
        self.current = Some(identity.clone());
        Ok(())
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
