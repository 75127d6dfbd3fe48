//! Priorities for our rules around those that stay where they are.

use std::collections::BTreeSet;

/// A rule in need of a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// What it would best have.
    pub(super) priority: u16,
    /// Whether it has just that and cannot move.
    pub(super) fixed: bool,
}

/// A priority for each wish, rising in their order, none of them in `taken` (fixed wishes aside), each as near above
/// the wished one as goes; none if there is no such assignment within 1 to `max`.
///
/// | wishes | taken | given |
/// |---|---|---|
/// | 1, 2, 3 | – | 1, 2, 3 |
/// | 1, 2, 3 | 2 | 1, 3, 4 |
/// | 99, 100 | 100, with `max` 100 | 98, 99 |
pub(super) fn assign(wishes: &[Wish], taken: &BTreeSet<u16>, max: u16) -> Option<Vec<u16>> {
    let ceilings = ceilings(wishes, taken, max)?;
    let mut given = Vec::with_capacity(wishes.len());
    let mut last = 0_u16;
    for (wish, ceiling) in wishes.iter().zip(ceilings) {
        let priority = if wish.fixed {
            wish.priority
        } else {
            // The ceiling is free itself, so that the search ends there at the latest.
            (last.saturating_add(1).max(wish.priority).min(ceiling)..=ceiling).find(|p| !taken.contains(p))?
        };
        if priority <= last {
            return None;
        }
        last = priority;
        given.push(priority);
    }
    Some(given)
}

/// The highest priority that each wish can have so that all after it still find one.
fn ceilings(wishes: &[Wish], taken: &BTreeSet<u16>, max: u16) -> Option<Vec<u16>> {
    let mut limit = max;
    let mut ceilings = Vec::with_capacity(wishes.len());
    for wish in wishes.iter().rev() {
        let ceiling =
            if wish.fixed { wish.priority } else { (1..=limit).rev().find(|p| !taken.contains(p))? };
        limit = ceiling.saturating_sub(1);
        ceilings.push(ceiling);
    }
    ceilings.reverse();
    Some(ceilings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(priority: u16) -> Wish {
        Wish { priority, fixed: false }
    }

    #[test]
    fn wishes_come_true_where_nothing_is_in_the_way() {
        assert_eq!(assign(&[free(1), free(5), free(100)], &BTreeSet::new(), 100), Some(vec![1, 5, 100]));
        assert_eq!(assign(&[], &BTreeSet::new(), 0), Some(vec![]));
    }

    #[test]
    fn taken_priorities_are_passed_over_and_the_order_is_kept() {
        assert_eq!(assign(&[free(1), free(2), free(3)], &[2, 4].into(), 100), Some(vec![1, 3, 5]));
    }

    #[test]
    fn rules_move_up_where_there_is_no_room_below() {
        assert_eq!(assign(&[free(99), free(100)], &[100].into(), 100), Some(vec![98, 99]));
        assert_eq!(assign(&[free(4), free(4), free(4)], &[3].into(), 4), Some(vec![1, 2, 4]));
    }

    #[test]
    fn too_few_priorities_give_none() {
        assert_eq!(assign(&[free(1), free(2)], &[1].into(), 2), None);
        assert_eq!(assign(&[free(1)], &BTreeSet::new(), 0), None);
        assert_eq!(
            assign(&[free(u16::MAX), free(u16::MAX)], &BTreeSet::new(), u16::MAX),
            Some(vec![65534, 65535])
        );
    }

    #[test]
    fn a_fixed_rule_stays_and_others_keep_to_their_side_of_it() {
        let fixed = |priority| Wish { priority, fixed: true };
        assert_eq!(assign(&[free(3), fixed(3), free(3)], &[3].into(), 9), Some(vec![2, 3, 4]));
        assert_eq!(assign(&[free(1), fixed(1)], &[1].into(), 9), None);
    }
}
