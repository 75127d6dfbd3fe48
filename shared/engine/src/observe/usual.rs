//! What units asked of the clusters the last time.
//!
//! Each answer leads to further questions: a route to its Gateways, these to the routes beside it, those to Services and
//! Pods, in up to ten rounds. A unit mostly asks what it asked before, so a warm function asks for that at once. It is a
//! guess and nothing else: what is made of a unit follows from what it asks for now, and a guess that is wrong costs a read.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use trellis_gateway::Read;
use trellis_hint::{ClusterId, UnitKey};

/// Units that are remembered. With forty reads each, which is many, they take some megabytes.
const UNITS_MAX: usize = 1024;

/// Reads of one unit. More are a Gateway's with hundreds of routes, which is looked at seldom and has its lists.
const READS_MAX: usize = 256;

/// Reads by cluster.
pub(crate) type Usual = BTreeMap<ClusterId, Vec<Read>>;

/// The reads of the units that were looked at lately.
#[derive(Debug, Default)]
pub(crate) struct UsualReads(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Each with the turn in which it was noted.
    units: BTreeMap<UnitKey, (u64, Usual)>,
    turns: u64,
}

impl UsualReads {
    /// What the unit asked for the last time, as far as that is known.
    pub(crate) fn of(&self, unit: &UnitKey) -> Usual {
        self.known().units.get(unit).map(|(_, usual)| usual.clone()).unwrap_or_default()
    }

    /// A unit has asked for that. Of too many units the one that was noted first is forgotten.
    pub(crate) fn note(&self, unit: &UnitKey, asked: Vec<Read>) {
        let mut known = self.known();
        if asked.len() > READS_MAX {
            known.units.remove(unit);
            return;
        }
        let mut usual = Usual::new();
        for read in asked {
            usual.entry(read.cluster().clone()).or_default().push(read);
        }
        known.turns += 1;
        let turn = known.turns;
        known.units.insert(unit.clone(), (turn, usual));
        if known.units.len() > UNITS_MAX {
            let first = known.units.iter().min_by_key(|(_, (turn, _))| *turn).map(|(unit, _)| unit.clone());
            first.and_then(|unit| known.units.remove(&unit));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_hint::Kind;

    fn unit(name: &str) -> UnitKey {
        format!("route/123456789012/us-west-2/HTTPRoute/one/default/{name}").parse().expect("a route's unit")
    }

    fn reads(count: usize) -> Vec<Read> {
        let cluster = unit("a").cluster().expect("a route's cluster").clone();
        let read = |index| Read::Get {
            cluster: cluster.clone(),
            kind: Kind::Service,
            namespace: "default".into(),
            name: format!("s{index}"),
        };
        (0..count).map(read).collect()
    }

    #[test]
    fn of_too_many_units_the_oldest_is_forgotten() {
        let usual = UsualReads::default();
        for index in 0..=UNITS_MAX {
            usual.note(&unit(&format!("r{index}")), reads(1));
        }
        assert_eq!(usual.of(&unit("r0")), Usual::new());
        assert_eq!(usual.of(&unit("r1")).len(), 1);
        assert_eq!(usual.of(&unit(&format!("r{UNITS_MAX}"))).len(), 1);
    }

    #[test]
    fn what_is_noted_replaces_what_was_and_too_much_is_not_kept() {
        let usual = UsualReads::default();
        usual.note(&unit("a"), reads(3));
        usual.note(&unit("a"), reads(1));
        assert_eq!(usual.of(&unit("a")).into_values().flatten().collect::<Vec<_>>(), reads(1));
        usual.note(&unit("a"), reads(READS_MAX + 1));
        assert_eq!(usual.of(&unit("a")), Usual::new());
    }
}
