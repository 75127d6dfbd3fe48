//! Which resources each unit was last seen with: the index of tags shows what is new only after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Units that are remembered: about 2 MB.
const UNITS_MAX: usize = 4_000;

/// ARNs of services and target groups by the unit's hash, ours or not: also those of others that bear a name which the
/// unit wants. It finds, and proves nothing: what is remembered is read before anything is decided on it.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    arns: BTreeSet<String>,
    is_in_doubt: bool,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Remembered>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > UNITS_MAX {
            all.clear();
        }
        all
    }

    pub(super) fn arns(&self, unit: &str) -> BTreeSet<String> {
        self.lock().get(unit).map(|one| one.arns.clone()).unwrap_or_default()
    }

    /// Notes what has just been made.
    pub(super) fn add(&self, unit: &str, arn: &str) {
        self.lock().entry(unit.to_owned()).or_default().arns.insert(arn.to_owned());
    }

    /// Notes what an inspection has seen.
    pub(super) fn set(&self, unit: &str, arns: BTreeSet<String>) {
        if arns.is_empty() {
            self.lock().remove(unit);
        } else {
            self.lock().insert(unit.to_owned(), Remembered { arns, is_in_doubt: false });
        }
    }

    /// Notes that something was not as it was read: there is more than what was found. The next inspection lists all.
    pub(super) fn doubt(&self, unit: &str) {
        self.lock().entry(unit.to_owned()).or_default().is_in_doubt = true;
    }

    pub(super) fn is_in_doubt(&self, unit: &str) -> bool {
        self.lock().get(unit).is_some_and(|one| one.is_in_doubt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_lasts_until_the_next_inspection_and_what_was_made_is_known_until_then() {
        let memory = Memory::default();
        memory.add("unit", "svc");
        memory.doubt("unit");
        assert!(memory.is_in_doubt("unit") && !memory.is_in_doubt("another"));
        assert_eq!(memory.arns("unit"), ["svc".to_owned()].into());
        memory.set("unit", ["tg".to_owned()].into());
        assert!(!memory.is_in_doubt("unit"));
        assert_eq!(memory.arns("unit"), ["tg".to_owned()].into());
        memory.set("unit", BTreeSet::new());
        assert!(memory.lock().is_empty());
    }

    #[test]
    fn the_memory_never_grows_beyond_its_bound() {
        let memory = Memory::default();
        for n in 0..=2 * UNITS_MAX {
            memory.add(&n.to_string(), "svc");
        }
        assert!(memory.lock().len() <= UNITS_MAX + 1);
    }
}
