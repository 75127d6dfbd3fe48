//! Goes round certificate, trust and listener: at start, each minute, and sooner after a failure.
//!
//! The order keeps every moment trusted: a new authority is in the `caBundle`, and the API servers have had time to see
//! it, before its certificate is served; and a new path is told to them only when every replica has had time to read the
//! certificate that it follows from. What is due is decided by the wall clock, not by a timer, so that a machine that
//! slept for weeks renews when it wakes.

use super::Served;
use super::bundle::missing_from;
use super::identity::{CLOCK_SKEW, Identity, IssueError, UnusableError, issue, renewal_due};
use super::path::{Token, Tokens};
use super::store::{Change, Registration, Store, StoreError};
use crate::losses::{Cause, Losses};
use crate::metrics::Metrics;
use crate::ops::Readiness;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::Notify;
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
    /// Shortest time between rounds that somebody asks for.
    pub wake_interval: Duration,
}

/// A round is two small reads, so one a minute costs nothing and bounds what a `caBundle` that somebody removed can
/// cost; a failed one is repeated soon, since reviews are lost meanwhile. API servers watch the configuration and see a
/// change within a second.
pub const PACE: Pace = Pace {
    round_interval: Duration::from_mins(1),
    retry_min: Duration::from_secs(1),
    retry_max: Duration::from_secs(5),
    trust_delay: Duration::from_secs(5),
    wake_interval: Duration::from_secs(5),
};

/// Age of an identity before API servers are told its path: two rounds of every replica, and the time that a round may
/// take. Until then they go on calling the path before, which is taken as long as they are told it.
const PATH_DELAY: Duration = Duration::from_mins(3);

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
    /// The paths that reviews may come to.
    pub tokens: Tokens,
    /// Asks for a round: somebody has called a path that is not known here.
    pub wake: Arc<Notify>,
    /// Told when the API server could not call.
    pub losses: Losses,
    /// Told what has been reached.
    pub readiness: Arc<Readiness>,
    /// Told the certificate's end.
    pub metrics: Arc<Metrics>,
    /// What is served now.
    pub current: Option<Identity>,
    /// The tokens in the paths that API servers were told when the last round began: some may still call them.
    pub told: BTreeSet<Token>,
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
                    let asked = async {
                        tokio::time::sleep(self.pace.wake_interval).await;
                        self.wake.notified().await;
                    };
                    // Whether asked for or due, the next round is the same.
                    let _ = tokio::time::timeout(self.pace.round_interval, asked).await;
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
        let present = self.store.registrations().await?;
        if !is_first && self.has_missed(&present) {
            self.losses.note(Cause::Unreachable);
        }
        let told: BTreeSet<Token> = present.values().filter_map(|one| Token::in_path(&one.path)).collect();
        let ours = [Some(&identity), self.current.as_ref()].into_iter().flatten().map(Token::of);
        let before = std::mem::replace(&mut self.told, told.clone());
        self.tokens.take(told.into_iter().chain(before).chain(ours).collect());
        let wanted = changes(&present, &identity, now);
        if !wanted.is_empty() {
            self.store.register(&wanted).await?;
            tracing::info!(webhooks = wanted.len(), "the API server is told whom to trust and where to call");
        }
        if self.readiness.trusted() {
            self.losses.note(Cause::Started);
        }
        if self.current.as_ref() != Some(&identity) {
            if !wanted.is_empty() {
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

    /// Whether API servers were told something by which they could not call: a path that is not taken here, or not to
    /// trust what is served. The API server lets such a request pass without a word to us.
    fn has_missed(&self, present: &BTreeMap<String, Registration>) -> bool {
        let served = self.current.as_ref().map(|current| current.authority_pem.trim());
        let is_trusted =
            |bundle: &[u8]| served.is_none_or(|served| String::from_utf8_lossy(bundle).contains(served));
        let of_hints = present.values().filter(|one| !one.is_mutating);
        of_hints.into_iter().any(|one| !self.tokens.admit(&one.path) || !is_trusted(&one.bundle))
    }

    fn serve(&mut self, identity: &Identity) -> Result<(), RoundError> {
        self.served.set(identity.certified_key()?);
        self.metrics.certificate_expiry.set(identity.validity()?.not_after.unix_timestamp());
        self.readiness.serving();
        self.current = Some(identity.clone());
        Ok(())
    }
}

/// What API servers are to be told instead of what they are, so that they trust and find `identity`.
fn changes(
    present: &BTreeMap<String, Registration>,
    identity: &Identity,
    now: OffsetDateTime,
) -> BTreeMap<String, Change> {
    let path = Token::of(identity).path();
    let known_since = identity.validity().ok().map(|validity| validity.not_before + CLOCK_SKEW);
    let is_known_to_all = known_since.is_some_and(|since| now >= since + PATH_DELAY);
    let change = |one: &Registration| {
        let is_old = Token::in_path(&one.path).is_none() || (is_known_to_all && one.path != path);
        Change {
            bundle: missing_from(&one.bundle, &identity.authority_pem, now),
            path: is_old.then(|| path.clone()),
            url: one.url.clone(),
            is_mutating: one.is_mutating,
        }
    };
    let changes = present.iter().map(|(name, one)| (name.clone(), change(one)));
    changes.filter(|(_, change)| change.bundle.is_some() || change.path.is_some()).collect()
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
