//! What must hold of every single step, judged by what is true and not by what was read.

use crate::memo::Counting;
use crate::resource::{self, Effect};
use crate::run::settings;
use crate::sim::State;
use trellis_gateway::translate;
use trellis_hint::UnitKey;
use trellis_lattice::{
    Action, Actual, ActualService, DeregisterTargets, Desired, HandOver, Owner, RuleMatch, Step, TAG_OWNER,
    TAG_UNIT, Tags, Target, TargetHealth, apply_step,
};

/// Judges a step before it is done.
pub(crate) fn step(state: &mut State, owner: &Owner, step: &Step, view: &Actual) {
    if let Effect::Touches(ids) = resource::effect(step, view) {
        // Told by the tags themselves, not by the product's word on them.
        let own = |tags: &Tags| {
            let is = |tag: &str, value: &String| tags.get(tag) == Some(value);
            is(TAG_OWNER, &owner.installation) && is(TAG_UNIT, &owner.unit)
        };
        // Said once more of what an old listing shows as one's own still: it is his already to whom it is given.
        let is_given = |tags: &Tags| {
            let Step::HandOver(HandOver { to, .. }) = step else { return false };
            to.tags().iter().all(|(key, value)| tags.get(key) == Some(value))
        };
        let others =
            |id: &String| state.account.tags_by_id(id).is_some_and(|tags| !own(tags) && !is_given(tags));
        // What was given of a service half done is taken back by whose the service still is.
        if ids.iter().any(others) && !is_taken_back(state, step, view, own) {
            state.violate(format!("{}: {step} touches what is not its own", owner.key));
        }
    }
    let Ok(unit) = owner.key.parse::<UnitKey>() else {
        return state.violate(format!("{} is no unit", owner.key));
    };
    let Some(began) = state.at_work.get(&owner.key).copied() else {
        return state.violate(format!("{}: {step} by a unit that is not at work", owner.key));
    };
    // Who edits while a unit is at work is told by a hint of its own.
    let edited = state.clusters.values().map(|cluster| cluster.edited).max();
    if edited >= Some(began) {
        return;
    }
    // A network that nothing is associated with, and no other is ever deleted, is nobody's loss whom nobody has registered:
    // nothing tells that it is wanted there.
    let counting = match step {
        Step::DeleteNetwork(_) => Counting::Registered,
        _ => Counting::All,
    };
    let desired = state.desired(counting, &unit);
    let Some(desired) = desired.as_ref() else { return };
    let mut wrongs = wrongs_of(state, desired, view, owner, step);
    if !wrongs.is_empty() {
        // Names follow from what is there: a service that was inherited keeps its own, and so do its target groups.
        let named = translate(&unit, &state.whole(counting), view, &settings()).desired;
        wrongs = named.map(|named| wrongs_of(state, &named, view, owner, step)).unwrap_or_default();
    }
    for wrong in wrongs {
        state.violate(format!("{unit}: {step} {wrong}"));
    }
}

/// What is wrong with a step, held against what the objects want.
fn wrongs_of(state: &State, desired: &Desired, view: &Actual, owner: &Owner, step: &Step) -> Vec<String> {
    let loses = resource::loses(desired, view, step)
        .map(|what| format!("takes {what} away, which the clusters' objects want"));
    let misleads = misleads(desired, view, owner, step)
        .map(|what| format!("makes {what} another than the clusters' objects want"));
    let empties = empties(state, desired, view, step)
        .map(|target_group| format!("leaves {target_group} without a target, before the new ones"));
    [loses, misleads, empties].into_iter().flatten().collect()
}

fn is_taken_back(state: &State, step: &Step, view: &Actual, own: impl Fn(&Tags) -> bool) -> bool {
    let Step::HandOver(HandOver { arn, to }) = step else { return false };
    let is_own = |service: &&ActualService| state.account.tags_by_id(&service.id).is_some_and(&own);
    let is_part = |service: &ActualService| {
        let rules = service.listeners.iter().flat_map(|listener| &listener.rules);
        let mut below = rules
            .map(|rule| &rule.arn)
            .chain(service.listeners.iter().map(|listener| &listener.arn))
            .chain(service.associations.iter().map(|one| &one.arn));
        let used = service.target_groups();
        let mut groups = view.target_groups.iter().filter(|group| used.contains(group.name.as_str()));
        below.any(|part| part == arn) || groups.any(|group| group.arn == *arn)
    };
    own(&to.tags()) && view.services.iter().filter(is_own).any(is_part)
}

/// A rule that did what is wanted and no longer does: requests go another way.
fn misleads(desired: &Desired, view: &Actual, owner: &Owner, step: &Step) -> Option<String> {
    if !matches!(step, Step::UpdateRules(_) | Step::DeleteRule(_) | Step::CreateRule(_)) {
        return None;
    }
    let mut after = view.clone();
    apply_step(&mut after, owner, step);
    let rules = desired.services.iter().flat_map(|service| {
        service.listeners.iter().flat_map(move |listener| {
            listener.rules.iter().map(move |rule| (&service.name, listener.port, rule))
        })
    });
    let mut rules = rules.filter(|(service, port, rule)| {
        let is_right =
            |state: &Actual| action(state, service, *port, &rule.matches) == Some(rule.action.normalised());
        is_right(view) && !is_right(&after)
    });
    rules.next().map(|(service, port, rule)| format!("rule {} of {service}:{port}", rule.name))
}

/// What a rule with these matches does with requests.
fn action(state: &Actual, service: &str, port: u16, matches: &RuleMatch) -> Option<Action> {
    let service = state.services.iter().find(|one| one.name == service)?;
    let listener = service.listeners.iter().find(|one| one.port == port)?;
    let rule = listener.rules.iter().find(|one| one.matches.normalised() == matches.normalised())?;
    Some(rule.action.normalised())
}

/// The target group that stays and loses its last target although others are wanted: requests fail until they are there.
fn empties<'a>(state: &State, desired: &Desired, view: &Actual, step: &'a Step) -> Option<&'a str> {
    let Step::DeregisterTargets(DeregisterTargets { target_group, targets }) = step else { return None };
    let wanted = desired.target_groups.iter().find(|one| one.name == *target_group)?;
    let held = view.target_groups.iter().find(|one| one.name == *target_group)?;
    let serves = |target: &Target| {
        let mut held = held.targets.iter().filter(|one| one.health != TargetHealth::Draining);
        held.any(|one| one.target == *target)
    };
    let served_before = targets.iter().any(serves);
    let serves_after =
        held.targets.iter().map(|one| &one.target).any(|one| serves(one) && !targets.contains(one));
    let can_serve = wanted.targets.iter().any(|target| !state.account.refuses(target.id()));
    (served_before && !serves_after && can_serve).then_some(target_group.as_str())
}
