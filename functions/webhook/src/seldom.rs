//! Log lines that anybody can cause are written seldom.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// At most one line in this time: enough to see that something goes on, and how much of it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Says when a line may be written.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// How many lines were left out before the one that may be written now; none if none may.
    pub(crate) fn say(&self) -> Option<u64> {
        self.say_at(Instant::now())
    }

    fn say_at(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.at.is_some_and(|at| now.saturating_duration_since(at) < INTERVAL) {
            said.unsaid += 1;
            return None;
        }
        said.at = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_written_in_an_interval_and_tells_how_many_were_not() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.say_at(start), Some(0));
        assert_eq!(seldom.say_at(start), None);
        assert_eq!(seldom.say_at(start + INTERVAL / 2), None);
        assert_eq!(seldom.say_at(start + INTERVAL), Some(2));
        assert_eq!(seldom.say_at(start + INTERVAL * 3), Some(0));
    }
}
