//! What rules lead to for a while whose ServiceImport, or the grant for it, is gone: `kubectl replace --force` first takes it away
//! ([`trellis_lattice::Grace`]). It is for imports of which no target group tells what they stood for ([`Gone`] for those that name
//! exports); where one tells, that stays and bears the mark itself.
//!
//! A target group of others bears no tag of ours, and one of an export tells of no import. So the rule stays as it is, each backend with
//! its share, and the service that has it is marked. Where the routes are one of several clusters, of the rule the share of the cluster
//! stays whose import is gone: what leads to its own target groups, and to those of others that no cluster's backends name.
//!
//! | of the service | a rule of it with such a backend that leads to a target group which may be that backend's alone |
//! |---|---|
//! | it bears no mark | stays, and the service is marked; if its route was edited since its status was written, it goes at once |
//! | it bears a mark of a while ago | stays; the target group of an export only as long as its route is not edited |
//! | it bears a mark for longer than the grace | goes, and the mark with it |
//!
//! A target group of others may be its that no backend names, one of an export that neither the rule's other backends lead to nor
//! another route was made it for.

use super::contest::Member;
use super::kept::Held;
use super::merged;
use super::rules::ResolvedRule;
use crate::backend::{BackendError, Gone, is_of_route};
use crate::view::View;
use crate::{Settings, reasons, status};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{
    Action, ActualTargetGroup, Grace, Ownership, RuleMatch, TAG_EXPORT, TARGET_GROUP_ID, Tags, Unwanted,
    imports_mark,
};

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
    view: Option<&'a View<'a>>,
    grace: Option<Grace>,
    /// Names of the target groups of exports that were made for a member which leads there still, or whose import is gone.
    of_members: BTreeSet<String>,
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
        Self { shares: Some(shares), ..Self::of(view, service, members, settings) }
    }

    /// Of the unit's service of that name.
    pub(crate) fn of(view: &'a View<'a>, service: &str, members: &[Member], settings: &Settings) -> Self {
        let mut services = view.actual.services.iter();
        let held = services.find(|one| one.name == service && one.ownership == Ownership::Ours);
        let (Some(held), Some(grace)) = (held, settings.grace) else { return Self::default() };
        let mark = imports_mark();
        let since = held.tags.get(&mark).filter(|since| !since.is_empty());
        let judged = grace.judge(&mark, &held.tags);
        let held = Held::of_service(held);
        Self {
            of_members: of_members(view, &held, members, settings.grace),
            held,
            view: Some(view),
            grace: settings.grace,
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
        if !has_gone_import(rule) {
            return None;
        }
        let is_old = is_old(member);
        if self.is_news && !is_old {
            return None;
        }
        let known: BTreeSet<&str> = rule.externals().map(String::as_str).collect();
        let leads_further = |action: &Action| {
            let (others, own): (Vec<&str>, Vec<&str>) =
                action.target_groups().partition(|group| group.starts_with(TARGET_GROUP_ID));
            others.iter().any(|group| !known.contains(group)) || is_old && self.has_left(member, rule, &own)
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

    /// Whether one of these target groups may be of an import of the rule that names exports and is gone.
    fn has_left(&self, member: &Member, rule: &ResolvedRule, groups: &[&str]) -> bool {
        let Some(view) = self.view else { return false };
        let gone = Gone::of(view, &member.claim.route.id, &rule.rule, &rule.backends, self.grace);
        let mut all = view.actual.target_groups.iter();
        all.any(|group| {
            groups.contains(&group.name.as_str())
                && self.of_members.contains(&group.name)
                && gone.may_have(group)
        })
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

/// Names of the target groups of exports that bear the tags of a member which leads there, or led there by an import that is gone.
/// What another route has left, by its deletion or an edit just now, is nobody else's.
fn of_members(view: &View, held: &Held, members: &[Member], grace: Option<Grace>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if !members.iter().flat_map(|member| member.rules).any(has_gone_import) {
        return names;
    }
    let ports = held.ports();
    for member in members.iter().filter(|member| is_old(member)) {
        let route = &member.claim.route.id;
        let exported = view.actual.target_groups.iter().filter(|group| group.tags.contains_key(TAG_EXPORT));
        let own: Vec<&ActualTargetGroup> = exported.filter(|group| is_of_route(group, route)).collect();
        for rule in member.rules {
            let gone = Gone::of(view, route, &rule.rule, &rule.backends, grace);
            let matches = rule.rule.matches.iter().flat_map(|one| &one.alternatives);
            let places = matches.flat_map(|one| ports.iter().map(move |port| (*port, one)));
            let actions = places.filter_map(|(port, matches)| held.action(port, matches));
            let led_to: BTreeSet<&str> = actions.flat_map(Action::target_groups).collect();
            let is_led_to = |group: &ActualTargetGroup| led_to.contains(group.name.as_str());
            let has =
                |group: &ActualTargetGroup| gone.leads_to(group) || gone.may_have(group) && is_led_to(group);
            names.extend(own.iter().filter(|group| has(group)).map(|group| group.name.clone()));
        }
    }
    names
}

/// Whether no edit of a member is new, as its status tells: it says so, or nothing yet of a route that is made anew.
fn is_old(member: &Member) -> bool {
    status::is_told(member.object) || status::tells_nothing(member.object)
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
