//! A policy's status: an entry for each target, as the Gateway API's policies have it, and conditions over all of them, as
//! the AWS Gateway API Controller writes them.
//!
//! Targets belong to different units. Each writes the entries of its own and takes the others as they stand, so whatever
//! the order, the conditions come out the same. A TargetGroupPolicy also has an entry for each route that follows it, and
//! its Service's or Backend's entry is made of theirs.

use super::merge::Merge;
use super::{
    Context, Members, blocked, fails_in_passing, is_ours, outcome_problem, programmed_before, sentences,
    vpc_status,
};
use crate::annotations;
use crate::gateway::CONTROLLER;
use crate::problem::{message, quoted};
use crate::report::{Condition, Effect, PolicyEntry, PolicyReport};
use crate::{api, conditions, reasons};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trellis_hint::{Kind, PolicyTarget, policy_targets};
use trellis_lattice::{Blocked, Holder, Outcome, log_type};

/// Entries that `status.ancestors` can hold (CRD).
const ANCESTORS_MAX: usize = 16;
/// Entries that routes leave to others.
const ROOM_FOR_TARGETS: usize = 4;

pub(super) fn status(context: &Context, report: &PolicyReport, object: &Value) -> Members {
    let namespace = &report.subject.object.namespace;
    let old = object.pointer("/status/ancestors").and_then(Value::as_array);
    let old = old.map(Vec::as_slice).unwrap_or_default();
    // Of the targets that the stored policy names: entries of others that it named once go, and those of the routes of a
    // Service with it, to which nobody else would see.
    let targets = policy_targets(object);
    let is_of_service =
        report.subject.object.kind == Kind::TargetGroupPolicy && targets.iter().any(is_followed_by_routes);
    let routes = if is_of_service { routes(context, report, old) } else { vec![] };
    let ours: Vec<Option<Value>> = targets
        .iter()
        .map(|target| {
            let reference = reference(target, namespace);
            let held = old
                .iter()
                .filter(|entry| is_ours(entry))
                .find(|entry| entry.get("ancestorRef") == Some(&reference));
            let own = report.entries.iter().find(|entry| entry.target == *target);
            own.map(|own| render(context, report, own, (&reference, held), &routes))
                .or_else(|| held.map(|held| made_anew(context, report, target, held, &routes)))
        })
        .collect();
    let observed = observed(ours.iter().flatten().chain(&routes));
    let observed = observed.unwrap_or_else(|| api::meta(object).generation);
    let merge = Merge::new(object.pointer("/status/conditions"), observed, context.now);
    let all = [conditions::ACCEPTED, conditions::PROGRAMMED].map(|kind| over_all(&ours, kind));
    let all = all.map(|condition| with_notes(condition, report.subject.object.kind, object));
    let others = old.iter().filter(|entry| !is_ours(entry)).cloned();
    let ancestors = ours.into_iter().flatten().chain(routes).chain(others).take(ANCESTORS_MAX).collect();
    vec![("conditions".into(), merge.conditions(all)), ("ancestors".into(), Value::Array(ancestors))]
}

/// Whether a policy of it is followed by the routes that lead there.
fn is_followed_by_routes(target: &PolicyTarget) -> bool {
    matches!(target.known_kind(), Some(Kind::Service | Kind::Backend))
}

/// The routes that follow a policy of a Service or a Backend, as its status tells.
pub(crate) fn policy_routes(policy: &Value) -> BTreeSet<PolicyTarget> {
    let entries = policy.pointer("/status/ancestors").and_then(Value::as_array).into_iter().flatten();
    entries.filter(|entry| is_ours(entry)).filter_map(route_of).collect()
}

fn route_of(entry: &Value) -> Option<PolicyTarget> {
    let text = |member: &str| entry.get("ancestorRef")?.get(member)?.as_str().map(str::to_owned);
    let target = PolicyTarget {
        group: text("group")?,
        kind: text("kind")?,
        namespace: text("namespace"),
        name: text("name")?,
    };
    target.known_kind().is_some_and(Kind::is_route).then_some(target)
}

/// The entries of the routes that follow a policy: the unit's own as it is now, others as they stand.
fn routes(context: &Context, report: &PolicyReport, old: &[Value]) -> Vec<Value> {
    let PolicyReport { subject, entries, routes } = report;
    let is_route = |entry: &&PolicyEntry| entry.target.known_kind().is_some_and(Kind::is_route);
    let mut own: Vec<&PolicyEntry> = entries.iter().filter(is_route).collect();
    let namespace = &subject.object.namespace;
    let rendered = |entry: &PolicyEntry, held: Option<&Value>| {
        render(context, report, entry, (&reference(&entry.target, namespace), held), &[])
    };
    let mut all = vec![];
    for held in old.iter().filter(|entry| is_ours(entry)) {
        let Some(route) = route_of(held) else { continue };
        if let Some(at) = own.iter().position(|entry| entry.target == route) {
            all.push(rendered(own.swap_remove(at), Some(held)));
        } else if routes.as_ref().is_none_or(|routes| routes.contains(&route)) {
            all.push(held.clone());
        }
    }
    all.extend(own.into_iter().map(|entry| rendered(entry, None)));
    all.truncate(ANCESTORS_MAX.saturating_sub(ROOM_FOR_TARGETS));
    all
}

/// A target as `status.ancestors` names it.
fn reference(target: &PolicyTarget, namespace: &str) -> Value {
    let namespace = target.namespace.as_deref().unwrap_or(namespace);
    json!({ "group": target.group, "kind": target.kind, "namespace": namespace, "name": target.name })
}

fn render(
    context: &Context,
    report: &PolicyReport,
    entry: &PolicyEntry,
    (reference, old): (&Value, Option<&Value>),
    routes: &[Value],
) -> Value {
    let old = old.and_then(|old| old.get("conditions"));
    let programmed = match &entry.effect {
        Some(Effect::Followed) => followed(&entry.target, routes),
        effect => programmed(context, report, effect.as_ref(), old),
    };
    // A Service's entry is made of those of its routes, of which some may not have seen the last edit.
    let generation = report.subject.generation.min(observed(routes.iter()).unwrap_or(i64::MAX));
    let merge = Merge::new(old, generation, context.now);
    json!({
        "ancestorRef": reference,
        "controllerName": CONTROLLER,
        "conditions": merge.conditions([entry.accepted.clone(), programmed]),
    })
}

/// The entry of another unit's target. A Service's is made of those of its policy's routes, whoever writes one of these.
fn made_anew(
    context: &Context,
    report: &PolicyReport,
    target: &PolicyTarget,
    held: &Value,
    routes: &[Value],
) -> Value {
    let is_of_routes = report.subject.object.kind == Kind::TargetGroupPolicy && is_followed_by_routes(target);
    let held_conditions = held.get("conditions").and_then(Value::as_array).into_iter().flatten();
    let mut accepted = held_conditions.filter(|one| one["type"] == conditions::ACCEPTED);
    if !(is_of_routes && accepted.any(|one| one["status"] == "True")) {
        return held.clone();
    }
    let generation = observed(routes.iter().chain([held])).unwrap_or_default();
    let merge = Merge::new(held.get("conditions"), generation, context.now);
    let mut entry = held.clone();
    entry["conditions"] = merge.conditions([followed(target, routes)]);
    entry
}

fn programmed(
    context: &Context,
    report: &PolicyReport,
    effect: Option<&Effect>,
    old: Option<&Value>,
) -> Condition {
    let no = |reason, text: String| Condition::no(conditions::PROGRAMMED, reason, text);
    let effect = match effect {
        None => return no(reasons::INVALID, "The policy is not accepted; see condition Accepted.".into()),
        Some(Effect::Nothing(why)) => return no(reasons::PENDING, why.clone()),
        Some(effect) => effect,
    };
    let (is_unknown, outcome) = (context.translation.desired.is_none(), context.outcome);
    if (is_unknown || fails_in_passing(outcome))
        && let Some(message) = programmed_before(old, report.subject.generation)
    {
        return Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, message);
    }
    if is_unknown {
        let why = match sentences(&context.translation.held) {
            held if held.is_empty() => "The target is not as VPC Lattice can have it; see its status.".into(),
            held => held,
        };
        return no(reasons::PENDING, format!("{why} VPC Lattice keeps what it has."));
    }
    let (problem, done) = match effect {
        Effect::Nothing(_) | Effect::Followed => (None, String::new()),
        Effect::TargetGroups { target_groups, moot, .. } => {
            (groups_problem(outcome, target_groups), groups_text(target_groups, moot))
        }
        Effect::AccessLogs { holders, destination } => (
            logs_problem(outcome, holders, destination),
            format!("The access logs of {} go to {destination}.", listed(holders)),
        ),
        Effect::Vpc(effect) => (vpc_status::problem(outcome, effect), effect.done.clone()),
        Effect::Auth { holders } => {
            (auth_problem(outcome, holders), format!("Whom the policy lets in may call {}.", listed(holders)))
        }
    };
    let missing = missing(effect, outcome);
    problem
        .or_else(|| outcome_problem(outcome, |_| missing.is_some()))
        .or_else(|| missing.map(|what| no(reasons::PENDING, format!("The {what} does not exist yet."))))
        .or_else(|| unheeded(effect))
        .or_else(|| lagging(effect))
        .unwrap_or_else(|| Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, done))
}

/// What a policy changes and is not there yet.
fn missing(effect: &Effect, outcome: &Outcome) -> Option<String> {
    match effect {
        Effect::Nothing(_) | Effect::Followed | Effect::Vpc(_) => None,
        Effect::AccessLogs { holders, .. } | Effect::Auth { holders } => {
            holders.iter().find(|holder| !is_there(outcome, holder)).map(ToString::to_string)
        }
        Effect::TargetGroups { target_groups, .. } => {
            let missing = target_groups.iter().find(|group| !outcome.target_groups.contains_key(*group));
            missing.map(|group| format!("target group {group}"))
        }
    }
}

/// What of a policy its target groups cannot have: all else of it is in place.
fn unheeded(effect: &Effect) -> Option<Condition> {
    let Effect::TargetGroups { unheeded, .. } = effect else { return None };
    let text = unheeded.join(" ");
    (!unheeded.is_empty()).then(|| Condition::no(conditions::PROGRAMMED, reasons::INVALID, text))
}

/// Target groups that are as the policy said before: what leads to them stays for a while, or until something else is mended.
fn lagging(effect: &Effect) -> Option<Condition> {
    let Effect::TargetGroups { lagging, .. } = effect else { return None };
    let text = || {
        let (groups, stay) = (lagging.join(", "), if lagging.len() == 1 { "stays" } else { "stay" });
        format!(
            "{groups} {stay} as before, with rules or a service that VPC Lattice keeps; see the status of the route."
        )
    };
    (!lagging.is_empty()).then(|| Condition::no(conditions::PROGRAMMED, reasons::PENDING, text()))
}

/// What is told of target groups that are as a policy says.
fn groups_text(groups: &[String], moot: &[String]) -> String {
    let done = match groups {
        [] => "The target groups of routes that import the export follow it.".to_owned(),
        groups => format!("Target groups: {}.", groups.join(", ")),
    };
    [done].into_iter().chain(moot.iter().cloned()).collect::<Vec<_>>().join(" ")
}

/// What keeps target groups from being as a policy says.
fn groups_problem(outcome: &Outcome, groups: &[String]) -> Option<Condition> {
    let in_the_way = |one: &&Blocked| matches!(one, Blocked::TargetGroupNameTaken { target_group, .. } if groups.contains(target_group));
    let blocked = outcome.blocked.iter().find(in_the_way)?;
    Some(Condition::no(conditions::PROGRAMMED, reasons::CONFLICTED, blocked::text(blocked)))
}

/// Whether the routes that lead to a Service follow its policy, as their entries tell.
fn followed(target: &PolicyTarget, routes: &[Value]) -> Condition {
    let no = |reason, text: String| Condition::no(conditions::PROGRAMMED, reason, text);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let route = |entry: &Value| {
        let member = |member: &str| text(entry.get("ancestorRef").and_then(|one| one.get(member)));
        format!("{} {}/{}", member("kind"), member("namespace"), member("name"))
    };
    for entry in routes {
        let mut conditions = entry.get("conditions").and_then(Value::as_array).into_iter().flatten();
        let programmed = conditions.find(|one| text(one.get("type")) == conditions::PROGRAMMED);
        let Some(one) = programmed.filter(|one| text(one.get("status")) != "True") else { continue };
        let reason = known_reason(&text(one.get("reason")));
        return no(reason, format!("{}: {}", route(entry), text(one.get("message"))));
    }
    if routes.is_empty() {
        let text = format!(
            "No route of the cluster has a target group for {} {} yet; routes that lead to it follow the policy.",
            target.kind,
            quoted(&target.name)
        );
        return no(reasons::PENDING, text);
    }
    let names: Vec<String> = routes.iter().map(route).collect();
    let done = format!("The target groups of {} follow it.", names.join(", "));
    Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, done)
}

/// What keeps access logs from their destination.
fn logs_problem(outcome: &Outcome, holders: &[Holder], destination: &str) -> Option<Condition> {
    let no = |reason, text: String| Condition::no(conditions::PROGRAMMED, reason, text);
    let refused = outcome
        .refused_logs
        .iter()
        .find(|one| holders.contains(&one.holder) && one.destination == destination);
    if let Some(refused) = refused {
        let text = format!(
            "{} See whether {destination} exists, and is named in the installation's parameter AccessLogDestinations.",
            sentences(std::slice::from_ref(&refused.message))
        );
        return Some(no(reasons::INVALID, text));
    }
    let in_the_way = |one: &&Blocked| match one {
        Blocked::AccessLogTaken { holder, destination: taken, .. } => {
            holders.contains(holder) && log_type(taken) == log_type(destination)
        }
        Blocked::AccessLogsOfOthers { holder } => holders.contains(holder),
        _ => false,
    };
    let blocked = outcome.blocked.iter().find(in_the_way)?;
    Some(no(reasons::CONFLICTED, blocked::text(blocked)))
}

/// What keeps a policy from its holders.
fn auth_problem(outcome: &Outcome, holders: &[Holder]) -> Option<Condition> {
    let in_the_way = |one: &&Blocked| {
        matches!(one, Blocked::AuthPolicyOfOthers { holder } | Blocked::AuthOfOthers { holder }
            if holders.contains(holder))
    };
    let blocked = outcome.blocked.iter().find(in_the_way)?;
    Some(Condition::no(conditions::PROGRAMMED, reasons::CONFLICTED, blocked::text(blocked)))
}

fn is_there(outcome: &Outcome, holder: &Holder) -> bool {
    match holder {
        Holder::Service(name) => outcome.services.contains_key(name),
        Holder::Network(name) => outcome.networks.contains_key(name),
    }
}

fn listed(holders: &[Holder]) -> String {
    holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The condition over all targets: the first that is not true, else true. One that nobody has looked at yet is awaited.
fn over_all(entries: &[Option<Value>], kind: &'static str) -> Condition {
    let text = |condition: &Value, member: &str| {
        condition.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let of_kind = |entry: &Value| {
        let conditions = entry.get("conditions").and_then(Value::as_array)?;
        conditions.iter().find(|one| text(one, "type") == kind).cloned()
    };
    let found: Vec<Option<Value>> = entries.iter().map(|entry| entry.as_ref().and_then(of_kind)).collect();
    let is_true = |condition: &&Value| text(condition, "status") == "True";
    if let Some(bad) = found.iter().flatten().find(|condition| !is_true(condition)) {
        return Condition::no(kind, known_reason(&text(bad, "reason")), text(bad, "message"));
    }
    if found.is_empty() || found.iter().any(Option::is_none) {
        return Condition::no(kind, reasons::PENDING, "Not all targets have been looked at yet.");
    }
    let messages = found.iter().flatten().map(|one| text(one, "message"));
    let mut messages: Vec<String> = messages.filter(|message| !message.is_empty()).collect();
    messages.dedup();
    let reason = if kind == conditions::ACCEPTED { reasons::ACCEPTED } else { reasons::PROGRAMMED };
    Condition::yes(kind, reason, messages.join(" "))
}

/// What a policy is accepted with, and what of its annotations nobody reads: that is not a matter of any one target.
fn with_notes(condition: Condition, kind: Kind, policy: &Value) -> Condition {
    if condition.kind != conditions::ACCEPTED || !condition.is_true() {
        return condition;
    }
    let notes = message(&annotations::problems(kind, &api::meta(policy)));
    let told = [condition.message.as_str(), &notes].into_iter().filter(|text| !text.is_empty());
    let message = told.collect::<Vec<_>>().join(" ");
    Condition { message, ..condition }
}

/// A reason that one of our entries has.
fn known_reason(reason: &str) -> &'static str {
    let ours = [reasons::CONFLICTED, reasons::TARGET_NOT_FOUND, reasons::INVALID, reasons::PENDING];
    ours.into_iter().find(|one| *one == reason).unwrap_or(reasons::INVALID)
}

/// The oldest generation that any of these entries is about.
fn observed<'e>(entries: impl Iterator<Item = &'e Value>) -> Option<i64> {
    let of = |entry: &Value| {
        let conditions = entry.get("conditions").and_then(Value::as_array)?;
        conditions.iter().filter_map(|one| one.get("observedGeneration")?.as_i64()).min()
    };
    entries.filter_map(of).min()
}
