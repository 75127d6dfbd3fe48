//! From matches of many rules to one list of Lattice rules, by the specification's precedence.

use crate::naming;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use trellis_lattice::{Action, DesiredRule, RuleMatch};

/// One Lattice rule that a match asks for, and what decides its place.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Which of the routes that have the listener, by age; 0 is the oldest.
    pub(crate) contributor: usize,
    /// The specification's precedence among matches; greater first.
    pub(crate) specificity: [usize; 4],
    /// Then the older route, then its namespace and name, then the order of rules and matches in it.
    pub(crate) origin: Origin,
    /// A priority that the user asked for by annotation.
    pub(crate) priority: Option<u16>,
    pub(crate) matches: RuleMatch,
    pub(crate) action: Action,
}

/// Where a candidate comes from; the lesser first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) created: String,
    pub(crate) route: String,
    pub(crate) rule: usize,
    pub(crate) matched: usize,
    pub(crate) alternative: usize,
}

/// The candidates with their priorities, in that order, each match once: of equal ones the first by precedence stands.
///
/// Priorities are 1 to n, except that a rule with the user's own priority gets that or, where it is taken, the next
/// free one; the rules without one fill the numbers that are left. No number is given twice, and where the user's
/// numbers would leave none below the highest, only their order counts.
pub(crate) fn order(mut candidates: Vec<Candidate>, priority_max: u16) -> Vec<(u16, Candidate)> {
    candidates.sort_by(|a, b| {
        let key = |candidate: &Candidate| (Reverse(candidate.specificity), candidate.origin.clone());
        key(a).cmp(&key(b))
    });
    let mut seen = BTreeSet::new();
    candidates.retain(|candidate| seen.insert(candidate.matches.clone()));
    let mut taken = BTreeSet::new();
    let mut priorities = vec![0; candidates.len()];
    let mut annotated: Vec<(u16, usize)> =
        candidates.iter().enumerate().filter_map(|(at, one)| Some((one.priority?, at))).collect();
    annotated.sort_unstable();
    for (wanted, at) in annotated {
        let free = (wanted..=u16::MAX).find(|number| !taken.contains(number)).unwrap_or(u16::MAX);
        taken.insert(free);
        priorities[at] = free;
    }
    let mut free = (1..=u16::MAX).filter(|number| !taken.contains(number));
    for (at, candidate) in candidates.iter().enumerate() {
        if candidate.priority.is_none() {
            priorities[at] = free.next().unwrap_or(u16::MAX);
        }
    }
    let mut ordered: Vec<(u16, Candidate)> = priorities.into_iter().zip(candidates).collect();
    ordered.sort_by_key(|(priority, _)| *priority);
    if ordered.last().is_some_and(|(priority, _)| *priority > priority_max) {
        for ((priority, _), number) in ordered.iter_mut().zip(1..) {
            *priority = number;
        }
    }
    ordered
}

/// The rule of a candidate.
pub(crate) fn rule((priority, candidate): (u16, Candidate)) -> DesiredRule {
    DesiredRule {
        name: naming::rule(&candidate.matches),
        priority,
        matches: candidate.matches,
        action: candidate.action,
    }
}
