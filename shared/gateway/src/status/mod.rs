//! From reports and the outcome of an apply to status patches.
//!
//! Only what is ours is written: of a route's `parents`, which is one atomic list, the entries of other controllers are
//! copied as they are. A condition's transition time changes with its status only, and an object whose status says the
//! same already gets no patch.

mod blocked;
pub(crate) mod endpoint_names;
mod features;
mod gateway_status;
mod merge;
mod network_status;
mod news;
mod policy_status;
mod refused;
mod resource_status;
mod route_status;
mod shared_service;
mod told;
mod told_names;
mod vpc_status;

pub(crate) use gateway_status::{network_message, network_told};
pub use news::{ClusterEvent, News, cluster_events};
pub(crate) use policy_status::policy_routes;
pub(crate) use route_status::{accepts, domain_name, is_foreign_only, is_same_parent};
pub(crate) use shared_service::{
    is_cut, is_in_service, kept_services, kept_sources, leader_of, mentioned, sharers, tells_leader,
};
pub(crate) use told::{
    dns_names_at, entries_of, has_words, is_merged, is_ours, is_programmed, is_standalone, is_told,
    tells_nothing, tells_of, tells_only, told_ids, told_service, told_services, untold_since,
};
pub(crate) use told_names::tells_name;

pub(crate) use vpc_status::HOW_TO_BE_RID_OF_GROUPS;

use crate::StatusPatch;
use crate::Translation;
use crate::gates;
use crate::report::{BackendReport, ClassReport, Condition, ExportReport, ImportReport, Report};
use crate::snapshot::Snapshot;
use crate::{conditions, reasons};
use merge::Merge;
use serde_json::{Value, json};
use trellis_lattice::{Blocked, Outcome};

/// What all status builders need.
pub(crate) struct Context<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) translation: &'a Translation,
    pub(crate) outcome: &'a Outcome,
    /// RFC 3339.
    pub(crate) now: &'a str,
}

/// The patches that are due.
pub(crate) fn patches(context: &Context) -> Vec<StatusPatch> {
    context.translation.reports.iter().filter_map(|report| patch(context, report)).collect()
}

fn patch(context: &Context, report: &Report) -> Option<StatusPatch> {
    let subject = report.subject();
    let key = &subject.object;
    let object = context.snapshot.get(&subject.cluster, key.kind, &key.namespace, &key.name)?;
    let old = object.get("status").cloned().unwrap_or(Value::Null);
    let (new, notify) = match report {
        Report::Route(report) => route_status::status(context, report, object),
        Report::Gateway(report) => {
            let new = gateway_status::status(context, report, &old);
            let conditions = new.iter().find(|(member, _)| member == "conditions").map(|(_, value)| value);
            let is_news = endpoint_names::are_news(old.get("conditions"), conditions);
            let readers = report.routes.iter().filter(|_| is_news).cloned().collect();
            (new, readers)
        }
        Report::Class(report) => (class(context, report, &old), vec![]),
        Report::Export(report) => (export(context, report, &old), vec![]),
        Report::Import(report) => (import(context, report, &old)?, vec![]),
        Report::Backend(report) => (backend(context, report, &old), vec![]),
        Report::Policy(report) => (policy_status::status(context, report, object), vec![]),
        Report::ResourceGateway(report) => (resource_status::of_gateway(context, report, &old), vec![]),
        Report::Resource(report) => (resource_status::of_configuration(context, report, object), vec![]),
        Report::Network(report) => (network_status::status(context, report, &old), vec![]),
        Report::Pod(report) => {
            let conditions = gates::conditions(report, context.outcome, object, context.now)?;
            (vec![("conditions".into(), conditions)], vec![])
        }
    };
    // Only the members that differ are sent: a merge patch leaves the others alone.
    let changed: serde_json::Map<String, Value> =
        new.into_iter().filter(|(member, value)| old.get(member).unwrap_or(&Value::Null) != value).collect();
    if changed.is_empty() {
        return None;
    }
    Some(StatusPatch {
        cluster: subject.cluster.clone(),
        kind: key.kind,
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        resource_version: crate::api::meta(object).resource_version,
        summary: summary(report, &changed),
        // A Pod's own condition is Kubernetes' to tell of.
        news: if matches!(report, Report::Pod(_)) { vec![] } else { news::of(&old, &changed) },
        notify: if concerns_others(&old, &changed) { notify } else { vec![] },
        status: Value::Object(changed),
    })
}

/// What of a route's status no other unit reads. While a cluster is slow it is known to one look and not to the next: told to the
/// routes that share its service, it would go to and fro between them.
const OWN: [&str; 2] = [crate::conditions::RESOLVED_REFS, crate::conditions::REFUSED_TARGETS];

/// Whether a change of a status concerns who reads it.
fn concerns_others(old: &Value, changed: &serde_json::Map<String, Value>) -> bool {
    let read = |parents: Option<&Value>| {
        let mut parents = parents.cloned().unwrap_or_default();
        for parent in parents.as_array_mut().into_iter().flatten() {
            if let Some(conditions) = parent.get_mut("conditions").and_then(Value::as_array_mut) {
                let is_read = |one: &Value| {
                    one.get("type").and_then(Value::as_str).is_none_or(|kind| !OWN.contains(&kind))
                };
                conditions.retain(is_read);
            }
        }
        parents
    };
    let is_apart = |(member, value): (&String, &Value)| {
        member != "parents" || read(old.get("parents")) != read(Some(value))
    };
    changed.iter().any(is_apart)
}

/// Members of a new `.status`.
pub(crate) type Members = Vec<(String, Value)>;

/// The conditions after the patch, in a line for logs.
fn summary(report: &Report, changed: &serde_json::Map<String, Value>) -> String {
    let lists: Vec<&Value> = match report {
        Report::Route(_) | Report::Resource(_) => {
            let parents = changed.get("parents").and_then(Value::as_array);
            parents.into_iter().flatten().filter_map(|parent| parent.get("conditions")).collect()
        }
        _ => changed.get("conditions").into_iter().collect(),
    };
    let conditions = lists.into_iter().filter_map(Value::as_array).flatten();
    let mut words: Vec<String> = conditions
        .map(|condition| {
            let text = |member: &str| condition.get(member).and_then(Value::as_str).unwrap_or_default();
            format!("{}={}/{}", text("type"), text("status"), text("reason"))
        })
        .collect();
    if words.is_empty() {
        words = changed.keys().cloned().collect();
    }
    words.join(" ")
}

fn class(context: &Context, report: &ClassReport, old: &Value) -> Members {
    let conditions = Merge::new(old.get("conditions"), report.subject.generation, context.now)
        .conditions([report.accepted.clone()]);
    let features: Vec<Value> = features::SUPPORTED.iter().map(|name| json!({ "name": name })).collect();
    vec![("conditions".into(), conditions), ("supportedFeatures".into(), Value::Array(features))]
}

fn export(context: &Context, report: &ExportReport, old: &Value) -> Members {
    let before = programmed_before(old.get("conditions"), report.subject.generation);
    let done = match report.target_groups.as_slice() {
        [] => "The export has no target group of its own and needs none: importing routes make theirs. For users \
               outside Kubernetes or imports of the AWS Gateway API Controller, set the annotation \
               application-networking.k8s.aws/export-target-group to \"true\"."
            .to_owned(),
        groups => format!("Target groups: {}.", groups.join(", ")),
    };
    let programmed = if report.valid.is_true() {
        let passing = before.filter(|_| fails_in_passing(context.outcome));
        passing.map_or_else(
            || programmed(context, done),
            |message| Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, message),
        )
    } else {
        Condition::no(
            conditions::PROGRAMMED,
            reasons::INVALID,
            "The export is not valid; see condition Valid.",
        )
    };
    let conditions = Merge::new(old.get("conditions"), report.subject.generation, context.now).conditions(
        [report.valid.clone(), programmed].into_iter().chain(refused::condition(context.outcome)),
    );
    vec![("conditions".into(), conditions)]
}

fn backend(context: &Context, report: &BackendReport, old: &Value) -> Members {
    let merge = Merge::new(old.get("conditions"), report.subject.generation, context.now);
    let conditions = merge.conditions([report.accepted.clone(), report.resolved.clone()]);
    vec![("conditions".into(), conditions)]
}

fn import(context: &Context, report: &ImportReport, old: &Value) -> Option<Members> {
    let had = old.get("conditions");
    let is_told = had
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|one| one.get("type").and_then(Value::as_str) == Some(crate::conditions::TARGET_GROUP));
    let mut members = vec![];
    if report.external.is_some() || is_told {
        let merge = Merge::new(had, report.subject.generation, context.now);
        members.push(("conditions".into(), merge.conditions(report.external.clone())));
    }
    if let Some(clusters) = &report.clusters
        && !(clusters.is_empty() && old.get("clusters").is_none())
    {
        let clusters = clusters.iter().map(|cluster| json!({ "cluster": cluster.name })).collect();
        members.push(("clusters".into(), Value::Array(clusters)));
    }
    (!members.is_empty()).then_some(members)
}

/// The Programmed condition of something that was accepted, by how the apply went.
pub(crate) fn programmed(context: &Context, done: String) -> Condition {
    programmed_but(context, |_| true, done)
}

/// As [`programmed`]. Of blocked wishes only those that count.
pub(crate) fn programmed_but(
    context: &Context,
    counts: impl Fn(&Blocked) -> bool,
    done: String,
) -> Condition {
    if context.translation.desired.is_none() {
        let text = format!("{} VPC Lattice keeps what it has.", sentences(&context.translation.held));
        return Condition::no(conditions::PROGRAMMED, reasons::PENDING, text);
    }
    outcome_problem(context.outcome, counts)
        .unwrap_or_else(|| Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, done))
}

/// The message of the condition Programmed among an object's conditions, if that is true of this generation.
pub(crate) fn programmed_before(conditions: Option<&Value>, generation: i64) -> Option<&str> {
    let conditions = conditions?.as_array()?;
    let text =
        |condition: &Value, member: &str| condition.get(member).and_then(Value::as_str).map(str::to_owned);
    let condition =
        conditions.iter().find(|one| text(one, "type").as_deref() == Some(crate::conditions::PROGRAMMED))?;
    let is_true = text(condition, "status").as_deref() == Some("True");
    let is_of_this = condition.get("observedGeneration").and_then(Value::as_i64) == Some(generation);
    (is_true && is_of_this).then(|| condition.get("message").and_then(Value::as_str).unwrap_or_default())
}

/// Whether nothing but a call that may succeed when it is tried again keeps an outcome from being complete. It takes
/// nothing away from what VPC Lattice has, so what was programmed still is.
pub(crate) fn fails_in_passing(outcome: &Outcome) -> bool {
    outcome.blocked.iter().all(Blocked::is_of_policy)
        && outcome.failure.as_ref().is_some_and(|failure| failure.retryable)
}

/// What keeps an outcome from being complete, as a Programmed condition. Of blocked wishes only those that count; a
/// policy's are told by its own status.
pub(crate) fn outcome_problem(outcome: &Outcome, counts: impl Fn(&Blocked) -> bool) -> Option<Condition> {
    let blocked = outcome.blocked.iter().filter(|one| !one.is_of_policy());
    let blocked: Vec<&Blocked> = blocked.filter(|one| counts(one)).collect();
    if let Some(failure) = &outcome.failure {
        let reason = if failure.retryable { reasons::PENDING } else { reasons::INVALID };
        return Some(Condition::no(
            conditions::PROGRAMMED,
            reason,
            sentences(std::slice::from_ref(&failure.message)),
        ));
    }
    if !blocked.is_empty() {
        // A network that does not exist yet is in nobody's way: its Gateway's unit makes it.
        let is_passing = blocked.iter().all(|one| {
            matches!(one, Blocked::NetworkMissing { .. } | Blocked::ResourceGatewayMissing { .. })
        });
        let reason = if is_passing { reasons::PENDING } else { reasons::CONFLICTED };
        let texts: Vec<String> = blocked.into_iter().map(blocked::text).collect();
        return Some(Condition::no(conditions::PROGRAMMED, reason, texts.join(" ")));
    }
    let waiting = outcome.waiting.as_ref()?;
    Some(Condition::no(conditions::PROGRAMMED, reasons::PENDING, sentences(std::slice::from_ref(waiting))))
}

/// Texts as sentences: a capital first letter and a full stop.
fn sentences(texts: &[String]) -> String {
    let sentence = |text: &String| {
        let text = text.trim().trim_end_matches('.');
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}.", chars.as_str())
    };
    texts.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_only_the_route_itself_reads_of_its_status_concerns_nobody_else() {
        let parents = |kind: &str, message: &str| {
            let accepted = json!({"type": "Accepted", "status": "True"});
            json!([{"parentRef": {"name": "g"}, "conditions": [accepted, {"type": kind, "message": message}]}])
        };
        let changed = |kind: &str| {
            let old = json!({"parents": parents(kind, "before")});
            let new = serde_json::Map::from_iter([("parents".to_owned(), parents(kind, "after"))]);
            concerns_others(&old, &new)
        };
        assert!(!changed("ResolvedRefs") && !changed("application-networking.k8s.aws/RefusedTargets"));
        assert!(changed("Programmed") && changed("application-networking.k8s.aws/SharedService"));
    }
}
