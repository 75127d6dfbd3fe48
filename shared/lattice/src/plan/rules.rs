//! Rules of one listener.
//!
//! A rule is what it matches. Which of our rules becomes which wanted one:
//!
//! | there is a rule of ours … | what becomes of it |
//! |---|---|
//! | with the wanted match (the one of the wanted name first) | kept; priority and action updated |
//! | with the wanted name and another match | its match is set right |
//! | that nobody wants, while a wanted one is missing | becomes the missing one, by an update of match, priority and action |
//! | that nobody wants | deleted, last |
//!
//! Turning a stale rule into a missing one takes one call instead of two, needs no room under the quota, and leaves no
//! moment with neither. What is missing after that is created.
//!
//! All updates are one step, so that priorities can swap. A stale rule whose priority another one gets moves out of the
//! way in the same step, to the highest free priority.

use super::draft::{Draft, free_name};
use super::priorities::{Wish, assign};
use crate::{
    ActualListener, ActualRule, Blocked, CreateRule, DeleteRule, DesiredListener, DesiredRule, Ownership,
    Quota, RuleUpdate, Tags, UpdateRules,
};
use std::collections::BTreeSet;

/// Characters of a rule's name (API reference, CreateRule).
const RULE_NAME_CHARS_MAX: usize = 63;

/// Where a wanted rule comes from.
#[derive(Debug, Clone)]
enum Source {
    /// A rule that is not ours and is as wanted already.
    Satisfied,
    /// A rule of ours.
    Held(Box<ActualRule>),
    /// To be created.
    New,
}

/// Brings the rules of a listener that is there in line with what is wanted.
pub(super) fn update(draft: &mut Draft, service: &str, wanted: &DesiredListener, tags: &Tags) {
    let Some(listener) = draft.listener(service, wanted.port).cloned() else { return };
    let (sources, stale) = pair(&listener, &wanted.rules);
    let foreign: BTreeSet<u16> =
        listener.rules.iter().filter(|r| r.ownership != Ownership::Ours).map(|r| r.priority).collect();
    let (service, port) = (service.to_owned(), wanted.port);

    let made = sources.iter().filter(|s| matches!(s, Source::New)).count();
    if made > 0 && listener.rules.len() + made > draft.limits.rules_per_listener {
        let limit = draft.limits.rules_per_listener;
        return draft.block(Blocked::QuotaExceeded {
            resource: service,
            quota: Quota::RulesPerListener,
            limit,
        });
    }
    let wish = |(rule, source): (&DesiredRule, &Source)| Wish {
        priority: rule.priority,
        fixed: matches!(source, Source::Satisfied),
    };
    let wishes: Vec<Wish> = wanted.rules.iter().zip(&sources).map(wish).collect();
    let Some(priorities) = assign(&wishes, &foreign, draft.limits.priority_max) else {
        return draft.block(Blocked::NoPriorityLeft { service, port });
    };

    let wanted =
        wanted.rules.iter().zip(priorities).map(|(r, priority)| DesiredRule { priority, ..r.clone() });
    let wanted: Vec<(DesiredRule, Source)> = wanted.zip(sources).collect();
    let taken: BTreeSet<u16> = wanted.iter().map(|(rule, _)| rule.priority).chain(foreign).collect();
    let (parked, in_the_way) = park(&stale, &taken, draft.limits.priority_max);

    for id in in_the_way {
        draft.push(DeleteRule { service: service.clone(), port, id });
    }
    let updates = wanted.iter().filter_map(|(rule, source)| change(rule, source)).chain(parked);
    let rules: Vec<RuleUpdate> = updates.collect();
    if !rules.is_empty() {
        draft.push(UpdateRules { service: service.clone(), port, rules });
    }
    create(draft, &service, port, wanted, tags);
    delete(draft, &service, port, &stale);
}

/// For each wanted rule where it comes from, and the rules of ours that are left over.
fn pair(listener: &ActualListener, wanted: &[DesiredRule]) -> (Vec<Source>, Vec<ActualRule>) {
    let (mut ours, mut others): (Vec<ActualRule>, Vec<ActualRule>) =
        listener.rules.iter().cloned().partition(|r| r.ownership == Ownership::Ours);
    let same_match =
        |held: &ActualRule, rule: &DesiredRule| held.matches.normalised() == rule.matches.normalised();
    let same_action =
        |held: &ActualRule, rule: &DesiredRule| held.action.normalised() == rule.action.normalised();
    let mut sources = vec![Source::New; wanted.len()];

    take(&mut sources, wanted, &mut ours, |held, rule| held.name == rule.name && same_match(held, rule));
    take(&mut sources, wanted, &mut ours, |held, rule| same_match(held, rule));
    for (source, rule) in sources.iter_mut().zip(wanted).filter(|(s, _)| matches!(s, Source::New)) {
        let satisfies = |held: &ActualRule| {
            held.priority == rule.priority && same_match(held, rule) && same_action(held, rule)
        };
        if let Some(index) = others.iter().position(satisfies) {
            others.remove(index);
            *source = Source::Satisfied;
        }
    }
    take(&mut sources, wanted, &mut ours, |held, rule| held.name == rule.name);
    take(&mut sources, wanted, &mut ours, |_, _| true);
    (sources, ours)
}

/// Gives each wanted rule that has no source yet the first rule that fits it.
fn take(
    sources: &mut [Source],
    wanted: &[DesiredRule],
    ours: &mut Vec<ActualRule>,
    fits: impl Fn(&ActualRule, &DesiredRule) -> bool,
) {
    for (source, rule) in sources.iter_mut().zip(wanted).filter(|(s, _)| matches!(s, Source::New)) {
        if let Some(index) = ours.iter().position(|held| fits(held, rule)) {
            *source = Source::Held(Box::new(ours.remove(index)));
        }
    }
}

/// What of a held rule is to be changed.
fn change(rule: &DesiredRule, source: &Source) -> Option<RuleUpdate> {
    let Source::Held(held) = source else { return None };
    let update = RuleUpdate {
        id: held.id.clone(),
        priority: (held.priority != rule.priority).then_some(rule.priority),
        matches: (held.matches.normalised() != rule.matches.normalised()).then(|| rule.matches.clone()),
        action: (held.action.normalised() != rule.action.normalised()).then(|| rule.action.clone()),
    };
    (update.priority.is_some() || update.matches.is_some() || update.action.is_some()).then_some(update)
}

/// Moves stale rules away from priorities that others get. Where no priority is free, the ids of those that must be
/// deleted first.
fn park(stale: &[ActualRule], taken: &BTreeSet<u16>, max: u16) -> (Vec<RuleUpdate>, Vec<String>) {
    let mut occupied: BTreeSet<u16> = stale.iter().map(|r| r.priority).chain(taken.iter().copied()).collect();
    let (mut parked, mut in_the_way) = (vec![], vec![]);
    for rule in stale.iter().filter(|r| taken.contains(&r.priority)) {
        match (1..=max).rev().find(|p| !occupied.contains(p)) {
            Some(priority) => {
                occupied.insert(priority);
                let (id, priority) = (rule.id.clone(), Some(priority));
                parked.push(RuleUpdate { id, priority, matches: None, action: None });
            }
            None => in_the_way.push(rule.id.clone()),
        }
    }
    (parked, in_the_way)
}

fn create(draft: &mut Draft, service: &str, port: u16, wanted: Vec<(DesiredRule, Source)>, tags: &Tags) {
    for (rule, _) in wanted.into_iter().filter(|(_, source)| matches!(source, Source::New)) {
        let listener = draft.listener(service, port);
        // A rule that became another one keeps the name of what it was.
        let names = listener.map(|l| l.rules.iter().map(|r| r.name.as_str()).collect()).unwrap_or_default();
        let name = free_name(&rule.name, &names, RULE_NAME_CHARS_MAX);
        let (service, tags) = (service.to_owned(), draft.tags(tags));
        draft.push(CreateRule { service, port, rule: DesiredRule { name, ..rule }, tags });
    }
}

fn delete(draft: &mut Draft, service: &str, port: u16, stale: &[ActualRule]) {
    for rule in stale {
        let there = draft.listener(service, port).is_some_and(|l| l.rules.iter().any(|r| r.id == rule.id));
        if there {
            draft.push(DeleteRule { service: service.to_owned(), port, id: rule.id.clone() });
        }
    }
}
