//! Limits of a service that several routes share: whose rules it has room for.
//!
//! The oldest first, as for all else. But an edit takes no room from a route that is served as it stands: a route that grows, or
//! comes anew to a hostname, is refused then, also an older one, and keeps what it had.

use super::builder::Builder;
use super::claim::Ask;
use super::contest::{Contest, Member, Place, Port, Seated, ServiceDraft};
use super::kept;
use crate::code::Code;
use crate::problem::Problem;
use crate::status;
use std::collections::{BTreeMap, BTreeSet};

impl Contest<'_> {
    /// Who has which port in one network, so that all who are served as they stand have room.
    pub(super) fn seated(&self, place: &Place) -> Seated {
        let first = self.seat(place, &BTreeMap::new());
        let crowded_out = self.crowded_out(place, &first);
        let chosen = match crowded_out.first() {
            None => first,
            Some(oldest) => {
                let back = self.growing(place, &first, *oldest);
                let second = self.seat(place, &back);
                if crowded_out.is_disjoint(&second.table.kept) { second } else { first }
            }
        };
        self.with_room_for_what_is_kept(place, chosen)
    }

    /// Those that are served as they stand and would not be any more for lack of room.
    fn crowded_out(&self, place: &Place, seated: &Seated) -> BTreeSet<usize> {
        let has_no_room = |at: &usize| {
            let mut refused = seated.refused.iter().filter(|(member, ..)| member == at);
            refused.any(|(.., problem)| problem.code == Code::QuotaExceeded)
        };
        let kept = seated.table.kept.iter().copied();
        kept.filter(has_no_room).filter(|at| self.is_told(*at, place)).collect()
    }

    /// Those that have a part in the service and whose status does not tell of it as they are now, but `besides`.
    fn growing(&self, place: &Place, seated: &Seated, besides: usize) -> BTreeMap<usize, Problem> {
        let members: BTreeSet<usize> =
            seated.table.ports.values().flat_map(|port| port.members.iter().copied()).collect();
        let grows =
            |at: &usize| *at != besides && !seated.table.kept.contains(at) && !self.is_told(*at, place);
        let problem = |at: usize| {
            let text = format!(
                "The service of {} has no room for what this route asks for now beside {}, which is served as it stands; ask for less, \
                 or name another hostname",
                self.slot.requests(),
                self.named_to(besides, at)
            );
            (at, Problem::new(Code::QuotaExceeded, "spec.rules", text))
        };
        members.into_iter().filter(grows).map(problem).collect()
    }

    /// Only the leader's unit knows how many rules are kept. Where there is no room beside them everything stays as it is.
    fn with_room_for_what_is_kept(&self, place: &Place, seated: Seated) -> Seated {
        let kept = &seated.table.kept;
        let Some(at) = kept.first().copied() else { return seated };
        let asks = self.asks(at, place);
        if self.exceeded(at, &asks, &seated.table.ports, kept).is_empty() {
            return seated;
        }
        let back = self.growing(place, &seated, at);
        if back.is_empty() { seated } else { self.seat(place, &back) }
    }

    /// Whether the status of a member tells that all its parents here take it as it is now.
    fn is_told(&self, at: usize, place: &Place) -> bool {
        let Member { claim, object, .. } = &self.members[at];
        let generation = claim.route.meta.generation;
        let takes = |ask: &Ask| {
            let reference = &claim.parents[ask.parent].reference.reference;
            status::accepts(object, reference, generation) == Some(true)
        };
        self.asks(at, place).iter().all(takes)
    }

    /// The limits that a service with these ports would exceed because of a member.
    pub(super) fn exceeded(
        &self,
        at: usize,
        asks: &[Ask],
        ports: &BTreeMap<u16, Port>,
        kept: &BTreeSet<usize>,
    ) -> Vec<Problem> {
        let draft = ServiceDraft {
            slot: self.slot.clone(),
            scope: self.slot.text(),
            networks: asks.iter().map(|ask| ask.gateway.name.clone()).collect(),
            ports: ports.clone(),
            certificate_arn: None,
            kept: kept.clone(),
            is_standalone: false,
        };
        let Some(leader) = draft.leader() else { return vec![] };
        if self.is_far_below_limits(&draft) {
            return vec![];
        }
        let builder = Builder::of(self.view, self.settings, &self.members[leader].claim.route);
        // By its name: what leads to a target group that serves no other service.
        let name = kept::service_of(self.view.actual, &draft).map_or("", |held| held.name.as_str());
        let problems = builder.service(&draft, name, self.members).problems;
        problems.into_iter().map(|problem| self.beside_older(problem, at, leader)).collect()
    }

    /// The problem of a member, with who has a part in it: when that one asks for less, this one may be had.
    fn beside_older(&self, problem: Problem, at: usize, leader: usize) -> Problem {
        if leader == at {
            return problem;
        }
        let older = self.named_to(leader, at);
        Problem::new(
            problem.code,
            problem.path,
            format!("{}. It shares the service of {older}", problem.text),
        )
    }

    /// Whether even one rule for each alternative of each match, and one target group for each backend, would be within the
    /// limits: so it is almost always, and nothing has to be tried then.
    fn is_far_below_limits(&self, draft: &ServiceDraft) -> bool {
        let limits = &self.settings.limits;
        let members: Vec<&Member> =
            draft.members().difference(&draft.kept).map(|at| &self.members[*at]).collect();
        let rules = || members.iter().flat_map(|member| member.rules);
        let alternatives: usize =
            rules().flat_map(|rule| &rule.rule.matches).map(|one| one.alternatives.len()).sum();
        let groups = rules().map(|rule| rule.pools().count() + rule.externals().count()).sum::<usize>();
        draft.kept.is_empty()
            && draft.ports.len() <= limits.listeners_per_service
            && alternatives <= limits.rules_per_listener
            && groups <= limits.target_groups_per_service
    }
}
