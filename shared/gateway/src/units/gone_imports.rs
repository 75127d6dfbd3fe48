//! What rules lead to for a while whose ServiceImport of a target group of others, or the grant for it, is gone: `kubectl replace
//! --force` first takes it away ([`trellis_lattice::Grace`]).
//!
//! Such a target group bears no tag of ours, and nothing tells which import led to it. So the rule stays as it is, and the service
//! that has it is marked.
//!
//! | of the service | a rule of it with such a backend that leads to a target group of others which no backend names |
//! |---|---|
//! | it bears no mark | stays, and the service is marked; if its route was edited since its status was written, it goes at once |
//! | it bears a mark of a while ago | stays |
//! | it bears a mark for longer than the grace | goes, and the mark with it |

use super::contest::Member;
use super::kept::Held;
use super::rules::ResolvedRule;
use crate::backend::BackendError;
use crate::view::View;
use crate::{Settings, reasons, status};
use std::collections::BTreeSet;
use trellis_hint::Kind;
use trellis_lattice::{Action, Ownership, RuleMatch, TARGET_GROUP_ID, Tags, Unwanted, imports_mark};

/// What a service has of such rules.
#[derive(Debug, Default)]
pub(crate) struct GoneImports<'a> {
    held: Held<'a>,
    /// The value of the mark, as long as what is there stays.
    since: Option<String>,
    is_news: bool,
    is_marked: bool,
}

impl<'a> GoneImports<'a> {
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
    ) -> Option<&'a Action> {
        self.since.as_ref()?;
        let is_old = || status::is_told(member.object) || status::tells_nothing(member.object);
        if !has_gone_import(rule) || self.is_news && !is_old() {
            return None;
        }
        let known: BTreeSet<&str> = rule.externals().map(String::as_str).collect();
        let leads_further = |action: &&Action| {
            let mut others = action.target_groups().filter(|group| group.starts_with(TARGET_GROUP_ID));
            others.any(|group| !known.contains(group))
        };
        self.held.action(port, matches).filter(leads_further)
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

/// Whether a backend of the rule that gets requests is an import that is not there, or that nothing permits any more.
fn has_gone_import(rule: &ResolvedRule) -> bool {
    let mut all = rule.rule.backends.iter().zip(&rule.backends);
    all.any(|(wanted, (weight, pools))| {
        let reason = match pools {
            Err(BackendError::Broken(reason, _)) => *reason,
            Ok(_) | Err(BackendError::Unknown(_)) => return false,
        };
        *weight > 0
            && wanted.kind == Kind::ServiceImport.as_str()
            && matches!(reason, reasons::BACKEND_NOT_FOUND | reasons::REF_NOT_PERMITTED)
    })
}
