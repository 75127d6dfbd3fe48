//! Rules that are dropped for nothing but their filters. Requests for them get an error, and no other rule's backends
//! (specification, HTTPRouteFilter.type): a filter may be there to keep somebody out.

use super::contest::{Member, Port, ServiceDraft};
use super::rules::{self, Priorities, ResolvedRule};
use crate::Settings;
use crate::backend::NO_BACKEND;
use crate::code::Code;
use crate::priority::Candidate;
use std::collections::BTreeSet;
use trellis_lattice::{ListenerProtocol, RuleMatch};

/// Whether a dropped rule answers with an error.
pub(crate) fn answers(rule: &ResolvedRule, settings: &Settings) -> bool {
    let problems = rules::problems(rule, settings);
    !problems.is_empty() && problems.iter().all(|problem| problem.code == Code::Filter)
}

/// What such rules of a port's members have for themselves: matches that no other rule has. One that can be had loses nothing to
/// one that cannot.
pub(crate) fn of_port(
    draft: &ServiceDraft,
    port: &Port,
    members: &[Member],
    others: &[Candidate],
    settings: &Settings,
) -> Vec<Candidate> {
    // Passing TLS on knows no fixed response.
    if port.protocol == ListenerProtocol::TlsPassthrough {
        return vec![];
    }
    let taken: BTreeSet<RuleMatch> = others.iter().map(|one| one.matches.normalised()).collect();
    let mut errors = vec![];
    for at in port.members.iter().copied().filter(|at| !draft.kept.contains(at)) {
        let priorities = Priorities::of(&members[at].claim.route, settings, &mut vec![]);
        for rule in members[at].rules.iter().filter(|rule| answers(rule, settings)) {
            errors.extend(rules::candidates(at, &priorities, &rule.rule, &NO_BACKEND));
        }
    }
    errors.retain(|one| !taken.contains(&one.matches.normalised()));
    errors
}
