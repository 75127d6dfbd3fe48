//! Listeners of the wanted services. A listener is its port.

use super::draft::{Draft, free_name};
use super::{groups, rules, services, unwanted};
use crate::{
    Action, ActualListener, ActualService, Blocked, CreateListener, DeleteListener, DesiredListener,
    DesiredService, ListenerProtocol, Ownership, Quota, RuleUpdate, UpdateListener, UpdateRules, apply_step,
};
use std::collections::BTreeSet;

/// Characters of a listener's name (API reference, CreateListener).
const LISTENER_NAME_CHARS_MAX: usize = 63;
/// What a rule answers whose target group had to go before the next one could come.
const IN_BETWEEN: Action = Action::FixedResponse(500);

/// Brings the listeners and rules of all wanted services in line.
pub(super) fn update(draft: &mut Draft) {
    for (wanted, held) in services::ours(draft) {
        update_service(draft, &wanted, &held);
    }
}

fn update_service(draft: &mut Draft, wanted: &DesiredService, held: &ActualService) {
    let possible: Vec<&DesiredListener> =
        wanted.listeners.iter().filter(|l| is_possible(draft, &wanted.name, l, held)).collect();
    let limit = draft.limits.target_groups_per_service;
    let last = last_target_groups(&possible, wanted, held);
    if last.len() > limit && last.iter().any(|group| !held.target_groups().contains(group.as_str())) {
        let (resource, quota) = (wanted.name.clone(), Quota::TargetGroupsPerService);
        return draft.block(Blocked::QuotaExceeded { resource, quota, limit });
    }

    let now = held.target_groups();
    let together = now.iter().filter(|group| !last.contains(**group)).count() + last.len();
    if together > limit && peaks_above(draft, wanted, &possible, limit.max(now.len())) {
        detach(draft, wanted, &possible, &last);
    }
    update_listeners(draft, wanted, &possible);
}

/// Whether the listener can be had: every target group is usable, and what holds the port is ours or as wanted.
fn is_possible(draft: &mut Draft, service: &str, wanted: &DesiredListener, held: &ActualService) -> bool {
    let port = wanted.port;
    let mut obstacles: Vec<Blocked> = wanted
        .target_groups()
        .iter()
        .filter_map(|group| groups::obstacle(draft, service, port, group))
        .collect();
    let holder = held.listeners.iter().find(|l| l.port == port);
    if holder.is_some_and(|l| l.ownership != Ownership::Ours && !is_as_wanted(l, wanted)) {
        obstacles.push(Blocked::ListenerPortTaken { service: service.to_owned(), port });
    }
    let possible = obstacles.is_empty();
    for obstacle in obstacles {
        draft.block(obstacle);
    }
    possible
}

fn is_as_wanted(held: &ActualListener, wanted: &DesiredListener) -> bool {
    held.protocol == wanted.protocol && held.default_action.normalised() == wanted.default_action
}

/// The target groups that the service uses in the end: those of the possible listeners, of listeners that have to stay
/// as they are, and of rules that are not ours.
fn last_target_groups(
    possible: &[&DesiredListener],
    wanted: &DesiredService,
    held: &ActualService,
) -> BTreeSet<String> {
    let mut last: BTreeSet<&str> = possible.iter().flat_map(|l| l.target_groups()).collect();
    for listener in &held.listeners {
        let is_possible = possible.iter().any(|l| l.port == listener.port);
        let is_wanted = wanted.listeners.iter().any(|l| l.port == listener.port);
        if listener.ownership != Ownership::Ours || (is_wanted && !is_possible) {
            last.extend(listener.target_groups());
        } else if is_wanted {
            let others = listener.rules.iter().filter(|r| r.ownership != Ownership::Ours);
            last.extend(others.flat_map(|r| r.action.target_groups()));
        }
    }
    last.into_iter().map(str::to_owned).collect()
}

fn update_listeners(draft: &mut Draft, wanted: &DesiredService, possible: &[&DesiredListener]) {
    for listener in possible {
        if update_listener(draft, wanted, listener) {
            rules::update(draft, &wanted.name, listener, &wanted.tags);
        }
    }
    for stale in stale_listeners(draft, wanted) {
        if !unwanted::listener_stays(draft, &wanted.name, stale.port) {
            delete_listener(draft, &wanted.name, &stale);
        }
    }
}

/// Makes the listener be there as wanted, its rules aside; false if it cannot.
fn update_listener(draft: &mut Draft, wanted: &DesiredService, listener: &DesiredListener) -> bool {
    let service = wanted.name.clone();
    let held = draft.listener(&service, listener.port).cloned();
    match held {
        Some(held) if held.protocol == listener.protocol => {
            if !is_as_wanted(&held, listener) {
                let default_action = listener.default_action.clone();
                draft.push(UpdateListener { service, port: listener.port, default_action });
            }
            return true;
        }
        // Its protocol cannot be changed: the port answers nobody until the rules are back.
        Some(held) if make_room(draft, wanted, 1) => delete_listener(draft, &service, &held),
        None if make_room(draft, wanted, 0) => {}
        _ => return false,
    }
    let names = draft.service(&service).map(|s| s.listeners.iter().map(|l| l.name.as_str()).collect());
    let name = free_name(&listener.name, &names.unwrap_or_default(), LISTENER_NAME_CHARS_MAX);
    draft.push(CreateListener {
        service,
        listener: name,
        port: listener.port,
        protocol: listener.protocol,
        default_action: listener.default_action.clone(),
        tags: draft.tags(&wanted.tags),
    });
    true
}

/// Where the quota leaves no room for one more listener, a stale one goes first; `going` of those there go anyway.
fn make_room(draft: &mut Draft, wanted: &DesiredService, going: usize) -> bool {
    let limit = draft.limits.listeners_per_service;
    while draft.service(&wanted.name).is_some_and(|s| s.listeners.len() >= limit + going) {
        let Some(stale) = stale_listeners(draft, wanted).into_iter().next() else {
            let (resource, quota) = (wanted.name.clone(), Quota::ListenersPerService);
            draft.block(Blocked::QuotaExceeded { resource, quota, limit });
            return false;
        };
        delete_listener(draft, &wanted.name, &stale);
    }
    true
}

fn stale_listeners(draft: &Draft, wanted: &DesiredService) -> Vec<ActualListener> {
    let held = draft.service(&wanted.name).map(|s| s.listeners.as_slice()).unwrap_or_default();
    let ours = held.iter().filter(|l| l.ownership == Ownership::Ours);
    ours.filter(|l| !wanted.listeners.iter().any(|w| w.port == l.port)).cloned().collect()
}

fn delete_listener(draft: &mut Draft, service: &str, listener: &ActualListener) {
    let (service, port, id) = (service.to_owned(), listener.port, listener.id.clone());
    draft.push(DeleteListener { service, port, id });
}

/// Whether the service would use more target groups than that at some moment of the update; found by trying.
fn peaks_above(draft: &Draft, wanted: &DesiredService, possible: &[&DesiredListener], limit: usize) -> bool {
    let mut trial = draft.clone();
    update_listeners(&mut trial, wanted, possible);
    let mut state = draft.model.clone();
    trial.steps.iter().skip(draft.steps.len()).any(|step| {
        apply_step(&mut state, &draft.desired.owner, step);
        let service = state.services.iter().find(|s| s.name == wanted.name);
        service.is_some_and(|s| s.target_groups().len() > limit)
    })
}

/// Takes target groups that nobody wants in the end out of our rules, so that the quota has room for their successors.
/// A listener for TLS passthrough knows no fixed response; it has no rules either, and changes in one step.
fn detach(
    draft: &mut Draft,
    wanted: &DesiredService,
    possible: &[&DesiredListener],
    last: &BTreeSet<String>,
) {
    let Some(held) = draft.our_service(&wanted.name).cloned() else { return };
    let stale = stale_listeners(draft, wanted);
    for listener in &stale {
        delete_listener(draft, &held.name, listener);
    }
    let goes = |action: &Action| action.target_groups().any(|group| !last.contains(group));
    let changing = held.listeners.iter().filter(|l| {
        l.protocol != ListenerProtocol::TlsPassthrough && possible.iter().any(|wanted| wanted.port == l.port)
    });
    for listener in changing {
        let (service, port) = (held.name.clone(), listener.port);
        if listener.ownership == Ownership::Ours && goes(&listener.default_action) {
            draft.push(UpdateListener { service: service.clone(), port, default_action: IN_BETWEEN });
        }
        let ours = listener.rules.iter().filter(|r| r.ownership == Ownership::Ours && goes(&r.action));
        let rules: Vec<RuleUpdate> = ours
            .map(|r| RuleUpdate { id: r.id.clone(), priority: None, matches: None, action: Some(IN_BETWEEN) })
            .collect();
        if !rules.is_empty() {
            draft.push(UpdateRules { service, port, rules });
        }
    }
}
