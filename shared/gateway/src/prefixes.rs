//! One rule of VPC Lattice for a path prefix, where two would exceed the quota.
//!
//! A PathPrefix `/foo` is two rules, exact `/foo` and prefix `/foo/`, which mean it whatever VPC Lattice compares. One
//! rule, prefix `/foo`, may take `/foobar` too, so it is used only where the rules would not fit otherwise, for as few
//! prefixes as possible, and the status says so. A route's prefixes are widened for the route's own sake, never for that
//! of a younger route of its hostname: what one team adds changes nothing for another.

use crate::code::Code;
use crate::priority::{Candidate, order};
use crate::problem::{Problem, quoted};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use trellis_lattice::{PathMatch, RuleMatch};

/// Prefixes that one message names; the rest is counted.
const PREFIXES_SHOWN_MAX: usize = 5;

/// The quota that is at stake, as AWS names it.
pub(crate) const QUOTA: &str = "\"Rules per listener\" (L-CF78395E)";

/// What came out.
pub(crate) struct Fitted {
    /// The candidates to make rules of. More than fit if nothing helps.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) widened: Vec<Widened>,
}

/// A path prefix that one rule stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Widened {
    /// The route, as [`Candidate::contributor`].
    pub(crate) contributor: usize,
    /// Such as `/foo`.
    prefix: String,
    difference: Difference,
}

/// What becomes of requests whose path goes on after the prefix without a slash; the greater, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// They go where they would go anyway.
    None,
    /// They are answered, and no rule would have taken them.
    Unclaimed,
    /// They belong to another rule.
    Taken,
}

/// Names one match of one rule of one contributor.
type MatchId = (usize, usize, usize);

/// Makes the candidates fit into `most` rules, route by route, if one rule for some of their prefixes is enough for that.
pub(crate) fn fit(candidates: Vec<Candidate>, most: usize, priority_max: u16) -> Fitted {
    let contributors: BTreeSet<usize> = candidates.iter().map(|one| one.contributor).collect();
    let mut chosen: BTreeSet<MatchId> = BTreeSet::new();
    for own in contributors {
        let until_own: Vec<Candidate> =
            candidates.iter().filter(|one| one.contributor <= own).cloned().collect();
        if !fit_one(&until_own, own, most, priority_max, &mut chosen) {
            // Whoever comes later fits even less.
            break;
        }
    }
    let mut widened = vec![];
    if !chosen.is_empty() {
        let as_specified = order(candidates.clone(), priority_max);
        for pair in pairs(&as_specified).into_iter().filter(|pair| chosen.contains(&pair.id)) {
            let difference = difference(&as_specified, &pair).unwrap_or(Difference::Taken);
            widened.push(Widened { contributor: pair.id.0, prefix: pair.prefix, difference });
        }
    }
    Fitted { candidates: with_widened(candidates, &chosen), widened }
}

/// Rules that these candidates need: the default action can stand for the last one if that takes everything.
pub(crate) fn needed(ordered: &[(u16, Candidate)], most: usize) -> usize {
    let last_is_default =
        ordered.len() > most && ordered.last().is_some_and(|(_, last)| takes_everything(&last.matches));
    ordered.len() - usize::from(last_is_default)
}

/// Whether every request fits.
pub(crate) fn takes_everything(matches: &RuleMatch) -> bool {
    let path = PathMatch::Prefix("/".into());
    matches.path == Some(path) && matches.method.is_none() && matches.headers.is_empty()
}

/// Chooses among the prefixes of one route, the least harmful first, until all candidates fit. Whether they do.
fn fit_one(
    candidates: &[Candidate],
    own: usize,
    most: usize,
    priority_max: u16,
    chosen: &mut BTreeSet<MatchId>,
) -> bool {
    let as_specified = order(candidates.to_vec(), priority_max);
    let harmless_first = |pair: &Pair| {
        let difference = difference(&as_specified, pair)?;
        // The longer a prefix, the fewer paths go on after it by chance.
        Some((difference, Reverse(pair.prefix.len()), pair.prefix.clone(), pair.id))
    };
    let mut possible: Vec<_> =
        pairs(&as_specified).iter().filter(|pair| pair.id.0 == own).filter_map(harmless_first).collect();
    possible.sort();
    let mut possible = possible.into_iter();
    loop {
        let ordered = order(with_widened(candidates.to_vec(), chosen), priority_max);
        if needed(&ordered, most) <= most {
            return true;
        }
        let Some((.., id)) = possible.next() else { return false };
        chosen.insert(id);
    }
}

/// Two rules that are one prefix.
struct Pair {
    id: MatchId,
    prefix: String,
    /// Where its rule for the paths below the prefix stands.
    at: usize,
}

/// The prefixes of which both rules stand; a rule of another match may stand for one of them.
fn pairs(ordered: &[(u16, Candidate)]) -> Vec<Pair> {
    let exact = ordered.iter().filter_map(|(_, one)| match &one.matches.path {
        Some(PathMatch::Exact(path)) => Some((id(one), path)),
        _ => None,
    });
    let below = |id_of: MatchId, path: &str| {
        ordered.iter().position(|(_, one)| {
            id(one) == id_of && one.matches.path == Some(PathMatch::Prefix(format!("{path}/")))
        })
    };
    exact.filter_map(|(id, path)| Some(Pair { id, prefix: path.clone(), at: below(id, path)? })).collect()
}

fn id(candidate: &Candidate) -> MatchId {
    (candidate.contributor, candidate.origin.rule, candidate.origin.matched)
}

/// The candidates with one instead of two for each chosen match.
fn with_widened(mut candidates: Vec<Candidate>, chosen: &BTreeSet<MatchId>) -> Vec<Candidate> {
    candidates.retain_mut(|one| {
        if !chosen.contains(&id(one)) {
            return true;
        }
        match &one.matches.path {
            Some(PathMatch::Exact(path)) => {
                one.matches.path = Some(PathMatch::Prefix(path.clone()));
                true
            }
            _ => false,
        }
    });
    candidates
}

/// What one rule for the prefix would change; none if it would take from a rule what is meant for that rule by name,
/// which only a priority given by annotation can bring about.
fn difference(ordered: &[(u16, Candidate)], pair: &Pair) -> Option<Difference> {
    let (before, rest) = ordered.split_at(pair.at);
    let [(_, own), after @ ..] = rest else { return None };
    let is_same_rule =
        |other: &Candidate| (other.contributor, other.origin.rule) == (own.contributor, own.origin.rule);
    let covers = |other: &Candidate| {
        reach(&other.matches, &pair.prefix) == Reach::All && is_within(&own.matches, &other.matches)
    };
    if before.iter().any(|(_, other)| covers(other)) {
        return Some(Difference::None);
    }
    let meeting = || after.iter().map(|(_, one)| one).filter(|one| can_meet(&own.matches, &one.matches));
    if meeting().any(|one| reach(&one.matches, &pair.prefix) == Reach::Some && !is_same_rule(one)) {
        return None;
    }
    for other in meeting().filter(|one| reach(&one.matches, &pair.prefix) == Reach::All) {
        if !is_same_rule(other) {
            return Some(Difference::Taken);
        }
        if covers(other) {
            return Some(Difference::None);
        }
    }
    Some(Difference::Unclaimed)
}

/// Of the paths that go on after a prefix without a slash, which ones a match takes.
#[derive(PartialEq, Eq)]
enum Reach {
    None,
    Some,
    All,
}

fn reach(matches: &RuleMatch, prefix: &str) -> Reach {
    let goes_on =
        |path: &str| path.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    match &matches.path {
        None => Reach::All,
        Some(PathMatch::Prefix(path)) if prefix.starts_with(path.as_str()) => Reach::All,
        Some(PathMatch::Exact(path) | PathMatch::Prefix(path)) if goes_on(path) => Reach::Some,
        Some(_) => Reach::None,
    }
}

/// Whether some request has the method and the headers of both.
fn can_meet(one: &RuleMatch, other: &RuleMatch) -> bool {
    let methods = one.method.is_none() || other.method.is_none() || one.method == other.method;
    methods
        && one.headers.iter().all(|header| {
            other.headers.iter().all(|theirs| theirs.name != header.name || theirs.value == header.value)
        })
}

/// Whether all requests with the method and the headers of one have those of the other.
fn is_within(one: &RuleMatch, other: &RuleMatch) -> bool {
    (other.method.is_none() || one.method == other.method)
        && other.headers.iter().all(|header| one.headers.contains(header))
}

/// What is to be told of a route's widened prefixes.
pub(crate) fn notes(widened: &[Widened], contributor: usize, most: usize) -> Vec<Problem> {
    let of = |difference: Difference| {
        let own = widened.iter().filter(|one| one.contributor == contributor && one.difference == difference);
        own.map(|one| one.prefix.as_str()).collect::<BTreeSet<&str>>()
    };
    let note = |prefixes: &BTreeSet<&str>, consequence: &str| {
        let first = prefixes.first()?;
        let mut named =
            prefixes.iter().take(PREFIXES_SHOWN_MAX).map(|one| quoted(one)).collect::<Vec<_>>().join(", ");
        if let Some(more @ 1..) = prefixes.len().checked_sub(PREFIXES_SHOWN_MAX) {
            named = format!("{named} and {more} more");
        }
        let text = format!(
            "One rule of VPC Lattice stands for each of the path prefixes {named}, since two would exceed the limit \
             of {most} rules in a listener: paths that go on without a slash, such as {}, may match too{consequence}; \
             raise the quota {QUOTA} to match whole path elements",
            quoted(&format!("{first}-more"))
        );
        Some(Problem::new(Code::PrefixWidened, "spec.rules", text))
    };
    let taken = note(&of(Difference::Taken), " and miss the rule that they belong to");
    taken.into_iter().chain(note(&of(Difference::Unclaimed), "")).collect()
}
