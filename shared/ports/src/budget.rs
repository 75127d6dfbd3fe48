use std::time::Duration;
use tokio::time::Instant;

/// Until when something may take.
///
/// A value that is handed down: who has one gives the same or less to those whom he calls, so that what they take in sum
/// is bounded by the one at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    ends: Instant,
}

/// The time was over before the work was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is over")]
pub struct TimeOver;

impl Budget {
    /// So long from now on.
    pub fn lasting(time: Duration) -> Self {
        Self { ends: Instant::now() + time }
    }

    /// The same, but no longer than so long from now on.
    #[must_use]
    pub fn at_most(self, time: Duration) -> Self {
        Self { ends: self.ends.min(Instant::now() + time) }
    }

    /// The same less a reserve at its end.
    #[must_use]
    pub fn leaving(self, reserve: Duration) -> Self {
        Self { ends: self.ends.checked_sub(reserve).unwrap_or(self.ends) }
    }

    /// When it is over.
    pub fn ends(self) -> Instant {
        self.ends
    }

    /// How much there still is.
    pub fn left(self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Whether there is nothing left.
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// The work's result, or that the time was over first; the work is then dropped where it stands.
    pub async fn spend<T>(self, work: impl Future<Output = T>) -> Result<T, TimeOver> {
        tokio::time::timeout_at(self.ends, work).await.map_err(|_| TimeOver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_never_outlasts_the_whole() {
        let whole = Budget::lasting(Duration::from_secs(10));
        assert_eq!(whole.at_most(Duration::from_secs(3)).left(), Duration::from_secs(3));
        assert_eq!(whole.leaving(Duration::from_secs(4)).left(), Duration::from_secs(6));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!(whole.at_most(Duration::from_secs(3)).left(), Duration::from_secs(2));
        assert!(whole.leaving(Duration::from_secs(4)).is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_ends_with_the_budget() {
        let began = Instant::now();
        let budget = Budget::lasting(Duration::from_secs(5));
        assert_eq!(budget.spend(std::future::pending::<()>()).await, Err(TimeOver));
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert_eq!(Budget::lasting(Duration::from_secs(5)).spend(async { 7 }).await, Ok(7));
    }
}
