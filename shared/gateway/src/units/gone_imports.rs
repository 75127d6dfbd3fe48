//! What rules lead to for a while whose ServiceImport of a target group of others, or the grant for it, is gone: `kubectl replace
//! --force` first takes it away ([`trellis_lattice::Grace`]).
//!
//! Such a target group bears no tag of ours, and nothing tells which import led to it. So the rule stays as it is, and the service
//! that has it is marked. Where the routes are one of several clusters, of the rule the share of the cluster stays whose import is gone:
//! what leads to its own target groups, and to those of others that no cluster's backends name.
//!
//! | of the service | a rule of it with such a backend that leads to a target group of others which no backend names |
//! |---|---|
//! | it bears no mark | stays, and the service is marked; if its route was edited since its status was written, it goes at once |
//! | it bears a mark of a while ago | stays |
//! | it bears a mark for longer than the grace | goes, and the mark with it |

use super::contest::Member;
use super::kept::Held;
use super::merged;
use super::rules::ResolvedRule;
use crate::backend::BackendError;
use crate::view::View;
use crate::{Settings, reasons, status};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Action, Ownership, RuleMatch, TARGET_GROUP_ID, Tags, Unwanted, imports_mark};

/// Where the members are one route of several clusters: what tells their shares apart.
struct Shares<'a> {
    view: &'a View<'a>,
    /// Ids of the target groups of others that backends of any of them name.
    named: BTreeSet<String>,
}

/// What a service has of such rules.
#[derive(Default)]
pub(crate) struct GoneImports<'a> {
    held: Held<'a>,
    shares: Option<Shares<'a>>,
    /// The value of the mark, as long as what is there stays.
    since: Option<String>,
    is_news: bool,
    is_marked: bool,
}

impl<'a> GoneImports<'a> {
    /// Of the unit's service of that name, whose members are one route of several clusters.
    pub(crate) fn merging(
        view: &'a View<'a>,
        service: &str,
        members: &[Member],
        settings: &Settings,
    ) -> Self {
        let named = members.iter().flat_map(|member| member.rules).flat_map(ResolvedRule::externals);
        let shares = Shares { view, named: named.cloned().collect() };
        Self { shares: Some(shares), ..Self::of(view, service, settings) }
    }

    /// Of the unit's service of that name.
    pub(crate) fn of(view: &'a View<'a>, service: &str, settings: &Settings) -> Self {
        let mut services = view.actual.services.iter();
        let held = services.find(|one| one.name == service && one.ownership == Ownership::Ours);
        let (Some(held), Some(grace)) = (held, settings.grace) else { return Self::default() };
        let mark = imports_mark();
        let since = held.tags.get(&mark).filter(|since| !since.is_empty());
        let judged = grace.judge(&mark, &held.tags);
        Self {
            held: Held::of_service(held),
            shares: None,
            since: match judged {
                Unwanted::Goes => None,
                Unwanted::Stays(_) => since.cloned(),
                Unwanted::IsNews => Some(grace.mark()),
            },
            is_news: judged == Unwanted::IsNews,
            is_marked: since.is_some(),
        }
    }

    /// What is there at a port of a match of a rule, if that stays.
    pub(crate) fn action(
        &self,
        member: &Member,
        rule: &ResolvedRule,
        (port, matches): (u16, &RuleMatch),
    ) -> Option<Action> {
        self.since.as_ref()?;
        let is_old = || status::is_told(member.object) || status::tells_nothing(member.object);
        if !has_gone_import(rule) || self.is_news && !is_old() {
            return None;
        }
        let known: BTreeSet<&str> = rule.externals().map(String::as_str).collect();
        let leads_further = |action: &Action| {
            let mut others = action.target_groups().filter(|group| group.starts_with(TARGET_GROUP_ID));
            others.any(|group| !known.contains(group))
        };
        let cluster = &member.claim.route.id.cluster;
        let is_theirs = |group: &str| {
            known.contains(group) || self.shares.as_ref().is_none_or(|shares| shares.is_of(cluster, group))
        };
        let share = match self.held.action(port, matches)? {
            Action::Forward(all) => {
                Action::Forward(all.iter().filter(|one| is_theirs(&one.target_group)).cloned().collect())
            }
            fixed @ Action::FixedResponse(_) => fixed.clone(),
        };
        leads_further(&share).then_some(share)
    }

    /// Tags of the service. A mark that stands for nothing any more is emptied.
    pub(crate) fn tags(&self, members: &[Member]) -> Tags {
        let ports = self.held.ports();
        let stays = |member: &Member, rule: &ResolvedRule| {
            let mut all = rule.rule.matches.iter().flat_map(|one| &one.alternatives);
            all.any(|matches| ports.iter().any(|port| self.action(member, rule, (*port, matches)).is_some()))
        };
        let stays = members.iter().any(|member| member.rules.iter().any(|rule| stays(member, rule)));
        let emptied = || self.is_marked.then(String::new);
        let value = self.since.clone().filter(|_| stays).or_else(emptied);
        value.map(|value| (imports_mark(), value)).into_iter().collect()
    }
}

impl Shares<'_> {
    /// Whether a target group may be of a cluster's share.
    fn is_of(&self, cluster: &ClusterId, group: &str) -> bool {
        if group.starts_with(TARGET_GROUP_ID) {
            return !self.named.contains(group);
        }
        let mut groups = self.view.actual.target_groups.iter().filter(|one| one.name == group);
        groups.any(|one| merged::cluster_of(&cluster.scope, one).as_ref() == Some(cluster))
    }
}

/// Whether a backend of the rule that gets requests is an import or a Backend that is not there, or that nothing permits any more.
fn has_gone_import(rule: &ResolvedRule) -> bool {
    let mut all = rule.rule.backends.iter().zip(&rule.backends);
    all.any(|(wanted, (weight, pools))| {
        let reason = match pools {
            Err(BackendError::Broken(reason, _)) => *reason,
            Ok(_) | Err(BackendError::Awaited(..) | BackendError::Unknown(_)) => return false,
        };
        *weight > 0
            && [Kind::ServiceImport, Kind::Backend].iter().any(|kind| wanted.kind == kind.as_str())
            && matches!(reason, reasons::BACKEND_NOT_FOUND | reasons::REF_NOT_PERMITTED)
    })
}
