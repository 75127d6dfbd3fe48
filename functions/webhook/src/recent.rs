//! A bounded memory of the last minutes.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long what was put in is found. A watch shows a stored object within a second; one that has gone silent is given up
/// after [`crate::watch::SILENCE_MAX`], and everything is listed anew within seconds then.
pub(crate) const WINDOW: Duration = Duration::from_mins(3);

/// What is too old is thrown out this often at most: going through all of it costs some 50 µs.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Values by key, each for [`WINDOW`] from when it was put in last.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    values: HashMap<K, (Instant, V)>,
    keys_max: usize,
    swept_at: Option<Instant>,
    overflowed_at: Option<Instant>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Remembers nothing yet, and `keys_max` keys at most.
    pub(crate) fn new(keys_max: usize) -> Self {
        Self { values: HashMap::new(), keys_max, swept_at: None, overflowed_at: None }
    }

    /// Puts a value in, over the one that is there. If there is no room it is forgotten at once, which
    /// [`Recent::has_forgotten`] tells.
    pub(crate) fn put(&mut self, key: K, value: V, now: Instant) {
        if self.swept_at.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP_INTERVAL) {
            self.values.retain(|_, (at, _)| is_recent(*at, now));
            self.swept_at = Some(now);
        }
        if self.values.len() < self.keys_max || self.values.contains_key(&key) {
            self.values.insert(key, (now, value));
        } else {
            self.overflowed_at = Some(now);
        }
    }

    /// The value of a key, if it was put in within [`WINDOW`].
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<&V> {
        self.values.get(key).filter(|(at, _)| is_recent(*at, now)).map(|(_, value)| value)
    }

    /// The value of a key and when it was put in, if within this time, which is at most [`WINDOW`].
    pub(crate) fn get_within(&self, key: &K, time: Duration, now: Instant) -> Option<(Instant, &V)> {
        let (at, value) = self.values.get(key)?;
        (now.saturating_duration_since(*at) < time).then_some((*at, value))
    }

    /// Whether there was no room for something within [`WINDOW`].
    pub(crate) fn has_forgotten(&self, now: Instant) -> bool {
        self.overflowed_at.is_some_and(|at| is_recent(at, now))
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_for_a_while_and_leaves_room_then() {
        let (mut recent, start) = (Recent::new(2), Instant::now());
        recent.put("a", 1, start);
        recent.put("b", 2, start + WINDOW / 2);
        recent.put("a", 3, start + WINDOW / 2);
        assert_eq!(
            (recent.get(&"a", start + WINDOW), recent.has_forgotten(start + WINDOW)),
            (Some(&3), false)
        );
        assert_eq!(recent.get(&"a", start + WINDOW / 2 + WINDOW), None);
        recent.put("c", 4, start + WINDOW * 2);
        recent.put("d", 5, start + WINDOW * 2);
        assert_eq!(
            (recent.get(&"c", start + WINDOW * 2), recent.get(&"d", start + WINDOW * 2)),
            (Some(&4), Some(&5))
        );
    }

    #[test]
    fn what_does_not_fit_is_told_for_a_while() {
        let (mut recent, start) = (Recent::new(1), Instant::now());
        recent.put("a", 1, start);
        recent.put("b", 2, start);
        assert_eq!(recent.get(&"b", start), None);
        assert!(recent.has_forgotten(start + WINDOW / 2) && !recent.has_forgotten(start + WINDOW));
    }
}
