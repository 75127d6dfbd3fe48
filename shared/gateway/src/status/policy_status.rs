//! A policy's status: an entry for each target, as the Gateway API's policies have it, and conditions over all of them, as
//! the AWS Gateway API Controller writes them.
//!
//! Targets belong to different units. Each writes the entries of its own and takes the others as they stand, so whatever
//! the order, the conditions come out the same.

use super::merge::Merge;
use super::{
    Context, Members, blocked, fails_in_passing, outcome_problem, programmed_before, sentences, vpc_status,
};
use crate::gateway::CONTROLLER;
use crate::report::{Condition, Effect, PolicyEntry, PolicyReport};
use crate::{api, conditions, reasons};
use serde_json::{Value, json};
use trellis_hint::{PolicyTarget, policy_targets};
use trellis_lattice::{Blocked, Holder, Outcome, log_type};

/// Entries that `status.ancestors` can hold (CRD).
const ANCESTORS_MAX: usize = 16;

pub(super) fn status(context: &Context, report: &PolicyReport, object: &Value) -> Members {
    let namespace = &report.subject.object.namespace;
    let old = object.pointer("/status/ancestors").and_then(Value::as_array);
    let old = old.map(Vec::as_slice).unwrap_or_default();
    let is_ours = |entry: &&Value| entry.get("controllerName").and_then(Value::as_str) == Some(CONTROLLER);
    // Of the targets that the stored policy names: entries of others that it named once go.
    let ours: Vec<Option<Value>> = policy_targets(object)
        .iter()
        .map(|target| {
            let reference = reference(target, namespace);
            let held = old.iter().filter(is_ours).find(|entry| entry.get("ancestorRef") == Some(&reference));
            let own = report.entries.iter().find(|entry| entry.target == *target);
            own.map(|own| render(context, report, own, &reference, held)).or_else(|| held.cloned())
        })
        .collect();
    let merge = Merge::new(object.pointer("/status/conditions"), observed(&ours, object), context.now);
    let all = [conditions::ACCEPTED, conditions::PROGRAMMED].map(|kind| over_all(&ours, kind));
    let others = old.iter().filter(|entry| !is_ours(entry)).cloned();
    let ancestors = ours.into_iter().flatten().chain(others).take(ANCESTORS_MAX).collect();
    vec![("conditions".into(), merge.conditions(all)), ("ancestors".into(), Value::Array(ancestors))]
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
    reference: &Value,
    old: Option<&Value>,
) -> Value {
    let old = old.and_then(|old| old.get("conditions"));
    let programmed = programmed(context, report, entry, old);
    let merge = Merge::new(old, report.subject.generation, context.now);
    json!({
        "ancestorRef": reference,
        "controllerName": CONTROLLER,
        "conditions": merge.conditions([entry.accepted.clone(), programmed]),
    })
}

fn programmed(
    context: &Context,
    report: &PolicyReport,
    entry: &PolicyEntry,
    old: Option<&Value>,
) -> Condition {
    let no = |reason, text: String| Condition::no(conditions::PROGRAMMED, reason, text);
    let effect = match &entry.effect {
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
        Effect::Nothing(why) => (None, why.clone()),
        Effect::AccessLogs { holders, destination } => (
            logs_problem(outcome, holders, destination),
            format!("The access logs of {} go to {destination}.", listed(holders)),
        ),
        Effect::Vpc(effect) => (vpc_status::problem(outcome, effect), effect.done.clone()),
        Effect::Auth { holders } => {
            (auth_problem(outcome, holders), format!("Whom the policy lets in may call {}.", listed(holders)))
        }
    };
    let missing = effect_holders(effect).iter().find(|holder| !is_there(outcome, holder));
    problem
        .or_else(|| outcome_problem(outcome, |_| missing.is_some()))
        .or_else(|| missing.map(|holder| no(reasons::PENDING, format!("The {holder} does not exist yet."))))
        .unwrap_or_else(|| Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, done))
}

fn effect_holders(effect: &Effect) -> &[Holder] {
    match effect {
        Effect::Nothing(_) | Effect::Vpc(_) => &[],
        Effect::AccessLogs { holders, .. } | Effect::Auth { holders } => holders,
    }
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
    let messages: Vec<String> = messages.filter(|message| !message.is_empty()).collect();
    let reason = if kind == conditions::ACCEPTED { reasons::ACCEPTED } else { reasons::PROGRAMMED };
    Condition::yes(kind, reason, messages.join(" "))
}

/// A reason that one of our entries has.
fn known_reason(reason: &str) -> &'static str {
    let ours = [reasons::CONFLICTED, reasons::TARGET_NOT_FOUND, reasons::INVALID, reasons::PENDING];
    ours.into_iter().find(|one| *one == reason).unwrap_or(reasons::INVALID)
}

/// The oldest generation that any target's entry is about.
fn observed(entries: &[Option<Value>], object: &Value) -> i64 {
    let of = |entry: &Value| {
        let conditions = entry.get("conditions").and_then(Value::as_array)?;
        conditions.iter().filter_map(|one| one.get("observedGeneration")?.as_i64()).min()
    };
    let oldest = entries.iter().flatten().filter_map(of).min();
    oldest.unwrap_or_else(|| api::meta(object).generation)
}
