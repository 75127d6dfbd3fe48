//! Matches that several routes have on a port of their service.

use crate::priority::{Candidate, Origin};
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::RuleMatch;

/// Matches of a member that an older one has: that one's place among the members, where the match stands, and on which ports it
/// is so.
pub(crate) type Shadowed = BTreeMap<(usize, String), BTreeSet<u16>>;

/// Matches that several members have on a port: the oldest one's stands.
pub(super) fn note_shadowed(port: u16, candidates: &[Candidate], shadowed: &mut BTreeMap<usize, Shadowed>) {
    // Where the specification orders two by what they match, nobody is shadowed.
    let mut first: BTreeMap<(&RuleMatch, [usize; 4]), usize> = BTreeMap::new();
    for one in candidates {
        let winner = first.entry((&one.matches, one.specificity)).or_insert(one.contributor);
        *winner = (*winner).min(one.contributor);
    }
    let mut matches: BTreeMap<(usize, usize), BTreeSet<usize>> = BTreeMap::new();
    let mut lost: BTreeMap<(usize, usize, usize), BTreeSet<usize>> = BTreeMap::new();
    for one in candidates {
        let Origin { rule, matched, .. } = one.origin;
        matches.entry((one.contributor, rule)).or_default().insert(matched);
        let winner = first.get(&(&one.matches, one.specificity)).copied().unwrap_or(one.contributor);
        if winner != one.contributor {
            lost.entry((one.contributor, winner, rule)).or_default().insert(matched);
        }
    }
    for ((contributor, winner, rule), lost) in lost {
        let mut place = format!("spec.rules[{rule}]");
        if matches.get(&(contributor, rule)) != Some(&lost) {
            let at: Vec<String> = lost.iter().map(ToString::to_string).collect();
            place = format!("{place}.matches[{}]", at.join(","));
        }
        shadowed.entry(contributor).or_default().entry((winner, place)).or_default().insert(port);
    }
}
