//! Cuts a set of rule updates into BatchUpdateRule calls, after each of which all priorities are still unique.

use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::RuleUpdate;

/// Entries of one BatchUpdateRule (API model, RuleUpdateList).
const BATCH_RULES_MAX: usize = 10;
/// The highest priority that a rule may be parked at for a moment; what all AWS sources agree on.
const PRIORITY_MAX: u16 = 100;

/// The updates in calls of at most ten. `current` holds the priorities of all rules of the listener, by id.
///
/// Within one call priorities may be exchanged; between calls a priority that a rule still has cannot be given to
/// another. So a rule moves in the same call as the one that has its new priority, or later. Rules that move in a ring
/// (each to the next one's place) go in one call; a ring of more than ten is opened by parking one of its rules at a
/// free priority first. Between two calls rules are then ordered neither as before nor as wanted; the API offers no
/// way around it.
pub(super) fn batches(current: &BTreeMap<String, u16>, updates: &[RuleUpdate]) -> Vec<Vec<RuleUpdate>> {
    let mut holders: BTreeMap<u16, &str> = current.iter().map(|(id, at)| (*at, id.as_str())).collect();
    let moving: BTreeMap<&str, &RuleUpdate> = updates
        .iter()
        .filter(|update| update.priority.is_some_and(|to| current.get(&update.id) != Some(&to)))
        .map(|update| (update.id.as_str(), update))
        .collect();

    let mut units: Vec<Vec<RuleUpdate>> =
        updates.iter().filter(|u| !moving.contains_key(u.id.as_str())).map(|u| vec![u.clone()]).collect();
    let mut placed = BTreeSet::new();
    for start in moving.keys() {
        let (path, ring) = path_from(start, &moving, &holders, &placed);
        placed.extend(path.iter().map(|update| update.id.as_str()));
        if !ring {
            // The last one moves to a free place and so frees its own for the one before it.
            units.extend(path.into_iter().rev().map(|update| vec![update.clone()]));
        } else if path.len() <= BATCH_RULES_MAX {
            units.push(path.into_iter().cloned().collect());
        } else {
            let wanted: BTreeSet<u16> = updates.iter().filter_map(|update| update.priority).collect();
            let free = (1..=PRIORITY_MAX).rev().find(|p| !holders.contains_key(p) && !wanted.contains(p));
            if let (Some(free), Some(first)) = (free, path.first()) {
                holders.insert(free, first.id.as_str());
                units.push(vec![park(first, free)]);
            }
            // Opened, the ring is a path whose last rule moves to the parked one's old place. Without a free priority
            // (a hundred rules) the call is made as it is, and VPC Lattice says what it thinks of it.
            units.extend(path.into_iter().rev().map(|update| vec![update.clone()]));
        }
    }
    pack(units)
}

/// The rules that must make room, one after the other, before `start` can move; and whether they form a ring.
fn path_from<'a>(
    start: &str,
    moving: &BTreeMap<&'a str, &'a RuleUpdate>,
    holders: &BTreeMap<u16, &'a str>,
    placed: &BTreeSet<&str>,
) -> (Vec<&'a RuleUpdate>, bool) {
    let mut path: Vec<&RuleUpdate> = Vec::new();
    let mut next = moving.get(start).filter(|update| !placed.contains(update.id.as_str()));
    while let Some(update) = next {
        path.push(update);
        let holder = update.priority.and_then(|to| holders.get(&to));
        if holder.is_some_and(|holder| path.first().is_some_and(|first| first.id == *holder)) {
            return (path, true);
        }
        next = holder
            .and_then(|holder| moving.get(holder))
            .filter(|update| !placed.contains(update.id.as_str()) && !path.iter().any(|p| p.id == update.id));
    }
    (path, false)
}

fn park(update: &RuleUpdate, priority: u16) -> RuleUpdate {
    RuleUpdate { id: update.id.clone(), priority: Some(priority), matches: None, action: None }
}

/// Fills calls in order; a unit is never cut, and a rule is at most once in a call.
fn pack(units: Vec<Vec<RuleUpdate>>) -> Vec<Vec<RuleUpdate>> {
    let mut batches: Vec<Vec<RuleUpdate>> = Vec::new();
    for unit in units {
        match batches.last_mut() {
            Some(batch)
                if batch.len() + unit.len() <= BATCH_RULES_MAX
                    && !unit.iter().any(|u| batch.iter().any(|b| b.id == u.id)) =>
            {
                batch.extend(unit);
            }
            _ => batches.push(unit),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn update(id: usize, priority: u16) -> RuleUpdate {
        RuleUpdate { id: format!("rule-{id:03}"), priority: Some(priority), matches: None, action: None }
    }

    /// Applies calls as VPC Lattice does: priorities must be unique after each.
    fn apply(mut priorities: BTreeMap<String, u16>, batches: &[Vec<RuleUpdate>]) -> BTreeMap<String, u16> {
        for batch in batches {
            assert!((1..=BATCH_RULES_MAX).contains(&batch.len()), "{} entries", batch.len());
            for update in batch {
                priorities.extend(update.priority.map(|priority| (update.id.clone(), priority)));
            }
            let distinct: BTreeSet<&u16> = priorities.values().collect();
            assert_eq!(distinct.len(), priorities.len(), "two rules of one priority after {batch:?}");
        }
        priorities
    }

    fn in_order(count: usize) -> BTreeMap<String, u16> {
        (1..=count).map(|n| (format!("rule-{n:03}"), u16::try_from(n).unwrap())).collect()
    }

    #[test]
    fn two_rules_change_places_in_one_call() {
        let made = batches(&in_order(2), &[update(1, 2), update(2, 1)]);
        assert_eq!(made.len(), 1);
        assert_eq!(apply(in_order(2), &made)["rule-001"], 2);
    }

    #[test]
    fn twenty_five_rules_in_a_ring_are_moved_by_parking_one() {
        let updates: Vec<RuleUpdate> =
            (1..=25).map(|n| update(n, if n == 25 { 1 } else { u16::try_from(n).unwrap() + 1 })).collect();
        let made = batches(&in_order(25), &updates);
        let end = apply(in_order(25), &made);
        assert_eq!((end["rule-001"], end["rule-024"], end["rule-025"]), (2, 25, 1));
        assert_eq!(made.len(), 3, "26 entries: one parked, 25 moved");
    }

    #[test]
    fn a_new_place_in_front_pushes_all_others_from_the_last_on() {
        let updates: Vec<RuleUpdate> = (1..=25).map(|n| update(n, u16::try_from(n).unwrap() + 1)).collect();
        let made = batches(&in_order(25), &updates);
        assert_eq!(apply(in_order(25), &made)["rule-025"], 26);
        assert_eq!(made.len(), 3);
    }

    #[test]
    fn updates_that_move_nothing_are_sent_ten_a_call() {
        let updates: Vec<RuleUpdate> =
            (1..=12).map(|n| RuleUpdate { priority: None, ..update(n, 1) }).collect();
        assert_eq!(batches(&in_order(12), &updates).iter().map(Vec::len).collect::<Vec<_>>(), [10, 2]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_new_order_of_any_rules_is_reached_without_a_clash(
            (count, targets) in (1_usize..40).prop_flat_map(|count| {
                let places: Vec<u16> = (1..=50).collect();
                (Just(count), Just(places).prop_shuffle().prop_map(move |p| p[..count].to_vec()))
            }),
        ) {
            let updates: Vec<RuleUpdate> =
                targets.iter().enumerate().map(|(n, to)| update(n + 1, *to)).collect();
            let end = apply(in_order(count), &batches(&in_order(count), &updates));
            for update in &updates {
                prop_assert_eq!(Some(end[&update.id]), update.priority);
            }
        }
    }
}
