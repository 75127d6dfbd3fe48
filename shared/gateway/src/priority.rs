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
    /// Then the older route, then the order of rules and matches in it.
    pub(crate) origin: Origin,
    /// A priority that the user asked for by annotation.
    pub(crate) priority: Option<u16>,
    pub(crate) matches: RuleMatch,
    pub(crate) action: Action,
}

/// Where in its route a candidate comes from; the lesser first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) rule: usize,
    pub(crate) matched: usize,
    pub(crate) alternative: usize,
}

/// The candidates with their priorities, in that order, each match once: of equal ones the first by precedence stands.
///
/// Priorities are 1 to n, except that a rule with the user's own priority gets that or, where it is taken, the next
/// free one; the rules without one fill the numbers that are left. No number is given twice, and where the user's
/// numbers would leave none below the highest, only their order counts.
///
/// Where several routes have the listener, the numbers of one order its own rules only: a rule that they put behind
/// another one of its route waits for that, and none of any other route moves.
pub(crate) fn order(mut candidates: Vec<Candidate>, priority_max: u16) -> Vec<(u16, Candidate)> {
    candidates.sort_by_cached_key(place);
    let mut seen = BTreeSet::new();
    candidates.retain(|candidate| seen.insert(candidate.matches.clone()));
    let contributors: BTreeSet<usize> = candidates.iter().map(|one| one.contributor).collect();
    if contributors.len() <= 1 {
        return numbered(candidates, priority_max);
    }
    let mut placed: Vec<((Place, usize), Candidate)> = vec![];
    for contributor in contributors {
        let own = candidates.iter().filter(|one| one.contributor == contributor).cloned().collect();
        let mut last: Option<Place> = None;
        for (at, (_, one)) in numbered(own, priority_max).into_iter().enumerate() {
            let own = place(&one);
            let after = last.filter(|last| *last > own).unwrap_or(own);
            last = Some(after);
            placed.push(((after, at), one));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    (1..).zip(placed.into_iter().map(|(_, one)| one)).collect()
}

/// What the specification orders matches by; the lesser is asked first.
type Place = (Reverse<[usize; 4]>, usize, Origin);

fn place(candidate: &Candidate) -> Place {
    (Reverse(candidate.specificity), candidate.contributor, candidate.origin)
}

/// The candidates of one route, in order of the specification, with the numbers that its user gives.
fn numbered(candidates: Vec<Candidate>, priority_max: u16) -> Vec<(u16, Candidate)> {
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
