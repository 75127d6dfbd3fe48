use super::merge::Merge;
use super::shared_service::{self, Leader, mentioned, mentions, named};
use super::told::{DNS_MESSAGE, KEPT_MESSAGE, has_words, is_ours};
use super::told_names;
use super::{
    Context, Members, blocked, endpoint_names, fails_in_passing, outcome_problem, programmed_before,
    programmed_but, refused,
};
use crate::gateway::CONTROLLER;
use crate::implied::unit_of;
use crate::objects::dns_endpoint;
use crate::report::{Condition, ParentReport, RouteReport, Serving};
use crate::route::ROUTE_KINDS;
use crate::units::vpc_access::is_by_endpoint;
use crate::{conditions, reasons};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trellis_hint::UnitKey;
use trellis_lattice::{Blocked, PLACE_TAKEN};

/// Entries that `status.parents` can hold (CRD).
const PARENTS_MAX: usize = 32;
/// Conditions that an entry of it can hold (CRD).
const CONDITIONS_MAX: usize = 8;

/// A route's status, and the units that read it and are to be hinted at: Gateways whose addresses and counts depend on
/// it, and routes that share a service with it.
pub(super) fn status(context: &Context, report: &RouteReport, object: &Value) -> (Members, Vec<UnitKey>) {
    let namespace = &report.subject.object.namespace;
    let entries = object.pointer("/status/parents").and_then(Value::as_array);
    let entries = entries.map(Vec::as_slice).unwrap_or_default();
    let mut wanted: Vec<Option<&ParentReport>> = report.parents.iter().map(Some).collect();
    let mut parents = vec![];
    let mut notify = sharing_units(context, report, object);
    let gateway = |name: &str| {
        let (scope, name) = (report.subject.cluster.scope.clone(), name.to_owned());
        UnitKey::Gateway { scope, name }
    };
    for entry in entries {
        if !is_ours(entry) {
            parents.push(entry.clone());
            continue;
        }
        let reference = entry.get("parentRef").unwrap_or(&Value::Null);
        let same = wanted.iter_mut().find(|one| {
            one.is_some_and(|one| identity(&one.parent_ref, namespace) == identity(reference, namespace))
        });
        // An entry of ours for which the route names no parent of ours any more is left out.
        let Some(parent) = same.and_then(Option::take) else {
            notify.extend(reference.get("name").and_then(Value::as_str).map(gateway));
            continue;
        };
        let new = render(context, report, parent, Some(entry));
        if accepted(&new) != accepted(entry) {
            notify.insert(gateway(&parent.gateway));
        }
        parents.push(new);
    }
    for parent in wanted.into_iter().flatten() {
        if parents.len() < PARENTS_MAX {
            parents.push(render(context, report, parent, None));
            notify.insert(gateway(&parent.gateway));
        }
    }
    if parents.is_empty() && entries.is_empty() {
        return (vec![], vec![]);
    }
    (vec![("parents".into(), Value::Array(parents))], notify.into_iter().collect())
}

/// Routes that share a service with this one and do not know of its present state: the followers of its services, a
/// leader that has not its rules yet, those that its old status names and the new one does not, those whose status
/// names this one, since it has what they ask for, and those that ask for what it asks for.
fn sharing_units(context: &Context, report: &RouteReport, object: &Value) -> BTreeSet<UnitKey> {
    let subject = &report.subject;
    let cluster = &subject.cluster;
    let mut units = mentioned(cluster, object);
    let own = unit_of(cluster, &subject.object);
    for (key, other) in ROUTE_KINDS.into_iter().flat_map(|kind| context.snapshot.all(cluster, kind)) {
        if mentions(cluster, other, &own, &subject.object) {
            units.insert(unit_of(cluster, key));
        }
    }
    units.extend(report.rivals.iter().cloned());
    // Of routes that change places each waits for another one's; who came first has given up, perhaps.
    if context.outcome.failure.as_ref().is_some_and(|failure| failure.message.contains(PLACE_TAKEN)) {
        let all = ROUTE_KINDS.into_iter().flat_map(|kind| context.snapshot.all(cluster, kind));
        let waiting = all.filter(|(_, other)| has_words(other, PLACE_TAKEN));
        units.extend(waiting.map(|(key, _)| unit_of(cluster, key)));
    }
    units.remove(&own);
    for serving in &report.services {
        if let Some(leader) = Leader::of(context.snapshot, cluster, serving) {
            if leader.lists(&subject.object, subject.generation) {
                units.remove(&leader.unit(cluster));
            } else {
                units.insert(leader.unit(cluster));
            }
        }
        units.extend(serving.followers.iter().map(|(follower, _)| unit_of(cluster, follower)));
    }
    units
}

/// Whether two references of a route's status or spec mean the same parent: defaults may stand or be left out.
pub(crate) fn is_same_parent(one: &Value, other: &Value, namespace: &str) -> bool {
    identity(one, namespace) == identity(other, namespace)
}

/// Whether a route's status says, of this generation, that a parent takes it; none where it says nothing.
pub(crate) fn accepts(route: &Value, reference: &Value, generation: i64) -> Option<bool> {
    let namespace = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let entries = route.pointer("/status/parents").and_then(Value::as_array).into_iter().flatten();
    let is_meant =
        |entry: &&Value| is_same_parent(entry.get("parentRef").unwrap_or(&Value::Null), reference, namespace);
    let entry = entries.filter(|entry| is_ours(entry)).find(is_meant)?;
    let condition = find(entry, conditions::ACCEPTED)?;
    let is_of_this = condition.get("observedGeneration").and_then(Value::as_i64) == Some(generation);
    is_of_this.then(|| condition.get("status").and_then(Value::as_str) == Some("True"))
}

fn render(context: &Context, report: &RouteReport, parent: &ParentReport, old: Option<&Value>) -> Value {
    let old_message = old.and_then(|old| message_of(old, conditions::ACCEPTED));
    let accepted = Condition {
        message: accepted_message(context, report, parent, old_message),
        ..parent.accepted.clone()
    };
    let mut conditions =
        vec![accepted, parent.resolved_refs.clone(), programmed_of(context, report, parent, old)];
    conditions.extend(parent.partially_invalid.clone());
    let is_in_service = parent.accepted.is_true() || !names_of(context, report, parent).is_empty();
    conditions.extend(shared_service::condition(report, parent).filter(|_| is_in_service));
    conditions.extend(told_names::condition(context, report).filter(|_| is_in_service));
    conditions.extend(shared_service::kept_condition(report).filter(|_| is_in_service));
    conditions.extend(standalone(report).filter(|_| is_in_service));
    let merged = report
        .merged
        .as_ref()
        .map(|text| Condition::yes(conditions::MERGED, reasons::BY_ANNOTATION, text.clone()));
    conditions.extend(merged.filter(|_| is_in_service));
    conditions.extend(refused::condition(context.outcome).filter(|_| parent.accepted.is_true()));
    let old = old.and_then(|old| old.get("conditions"));
    let told = dns_endpoint_told(old);
    conditions.extend(dns_endpoint::condition(context, report, told).filter(|_| is_in_service));
    if context.translation.desired.is_none() {
        conditions.extend(standing(old));
    }
    // Those that are read by nobody but people are the last.
    conditions.truncate(CONDITIONS_MAX);
    let merge = Merge::new(old, report.subject.generation, context.now);
    json!({
        "parentRef": parent.parent_ref,
        "controllerName": CONTROLLER,
        "conditions": merge.conditions(conditions),
    })
}

/// What stays told while nothing is changed in VPC Lattice: who shares a service with the route, and what is kept, is so as
/// long as it stands there. The heir of a service knows by that which one it waits for.
fn standing(old: Option<&Value>) -> Vec<Condition> {
    const STANDING: [(&str, &str); 5] = [
        (conditions::MERGED, reasons::BY_ANNOTATION),
        (conditions::SHARED_SERVICE, reasons::SAME_HOSTNAME),
        (conditions::SERVICE_NAMES, reasons::NAMED),
        (conditions::KEPT_RULES, reasons::EDIT_REFUSED),
        (conditions::STANDALONE, reasons::BY_ANNOTATION),
    ];
    let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |one: &Value, member: &str| one.get(member).and_then(Value::as_str).map(str::to_owned);
    let held = |kind: &str| old.iter().find(|one| text(one, "type").as_deref() == Some(kind));
    let all = STANDING
        .into_iter()
        .filter_map(|(kind, reason)| Some(Condition::yes(kind, reason, text(held(kind)?, "message")?)));
    all.collect()
}

/// What a parent's entry says of the DNSEndpoint.
fn dns_endpoint_told(conditions: Option<&Value>) -> Option<Condition> {
    let told = conditions?
        .as_array()?
        .iter()
        .find(|one| one.get("type").and_then(Value::as_str) == Some(conditions::DNS_ENDPOINT))?;
    let text = |member: &str| told.get(member).and_then(Value::as_str);
    let reason =
        [reasons::CONFLICTED, reasons::NOT_WRITTEN].into_iter().find(|one| text("reason") == Some(one))?;
    Some(Condition::no(conditions::DNS_ENDPOINT, reason, text("message")?))
}

/// Says why the domain names of a parent do not answer in its network.
fn standalone(report: &RouteReport) -> Option<Condition> {
    let text = "The route is standalone: its services are in no service network, and answer only in those that somebody \
                else associates them with.";
    report
        .is_standalone
        .then(|| Condition::yes(conditions::STANDALONE, reasons::BY_ANNOTATION, text.to_owned()))
}

/// The domain names that answer for the route in a parent's network; of a standalone route those that could.
fn names_of(context: &Context, report: &RouteReport, parent: &ParentReport) -> Vec<String> {
    report.services_of(parent).filter_map(|serving| domain_name(context, report, serving)).collect()
}

/// The domain name of a service that serves a route, of its own or of another; none while it is not known.
pub(crate) fn domain_name(context: &Context, report: &RouteReport, serving: &Serving) -> Option<String> {
    match Leader::of(context.snapshot, &report.subject.cluster, serving) {
        Some(leader) => leader.dns_name(serving),
        None => context.outcome.services.get(&serving.service)?.dns_name.clone(),
    }
}

fn accepted_message(
    context: &Context,
    report: &RouteReport,
    parent: &ParentReport,
    old: Option<&str>,
) -> String {
    if !parent.accepted.is_true() {
        return parent.accepted.message.clone();
    }
    let names = names_of(context, report, parent);
    if !names.is_empty() {
        return format!("{DNS_MESSAGE}{}", names.join(", "));
    }
    // While nothing is changed in VPC Lattice the names stay what they were.
    let kept = old.filter(|old| old.starts_with(DNS_MESSAGE) && context.translation.desired.is_none());
    kept.unwrap_or(&parent.accepted.message).to_owned()
}

fn programmed_of(
    context: &Context,
    report: &RouteReport,
    parent: &ParentReport,
    old: Option<&Value>,
) -> Condition {
    // Not to know what a route leads to takes nothing away from what VPC Lattice has of this very generation; that the
    // references are not known is told by ResolvedRefs. Nor does a call that failed in passing.
    let is_held =
        context.translation.desired.is_none() && !report.is_heir || fails_in_passing(context.outcome);
    let before = old.filter(|_| is_held && parent.accepted.is_true()).and_then(|old| old.get("conditions"));
    if let Some(message) = programmed_before(before, report.subject.generation) {
        return Condition::yes(conditions::PROGRAMMED, reasons::PROGRAMMED, message);
    }
    if !parent.accepted.is_true() {
        return of_a_refused_parent(context, report, parent);
    }
    let by_endpoint = by_endpoint(context, report, parent);
    let done = match parent.notes.as_str() {
        "" => format!("VPC Lattice has all rules and targets.{by_endpoint}"),
        notes => format!("VPC Lattice has all rules and targets.{by_endpoint} Not honoured: {notes}"),
    };
    let own = programmed_but(context, |blocked| counts(context, report, parent, blocked), done);
    let subject = &report.subject;
    let waits_for = report.services_of(parent).find_map(|serving| {
        let leader = Leader::of(context.snapshot, &subject.cluster, serving)?;
        let has_it = leader.lists(&subject.object, subject.generation) && leader.is_done(&parent.gateway);
        (!has_it).then(|| (named(leader.key), serving.hostname.clone().unwrap_or_default()))
    });
    match waits_for {
        Some((leader, hostname)) if own.is_true() => {
            let text = format!(
                "The service of {leader} serves {hostname} and does not have these rules yet; if that lasts, see \
                 that route's status."
            );
            Condition::no(conditions::PROGRAMMED, reasons::PENDING, text)
        }
        _ if own.is_true() && !parent.unserved.is_empty() => {
            let text = format!("Some of what the route asks for is not served: {}", parent.unserved);
            let text = match parent.notes.as_str() {
                "" => text,
                notes => format!("{text} Not honoured: {notes}"),
            };
            Condition::no(conditions::PROGRAMMED, parent.unserved_reason, text)
        }
        _ => own,
    }
}

/// Whether a wish that cannot be met keeps a parent from being programmed: what is in the way in one network, or of a service that
/// does not serve this parent, is nothing to it.
fn counts(context: &Context, report: &RouteReport, parent: &ParentReport, blocked: &Blocked) -> bool {
    let serves = |name: &str| report.services_of(parent).any(|one| one.service == name);
    let elsewhere = |name: &str| report.services.iter().any(|one| one.service == name) && !serves(name);
    blocked::concerns(blocked, &parent.gateway, context.translation.desired.as_ref(), elsewhere)
}

/// What is to be told of a parent whose VPC comes by an endpoint: there the service's own domain name leads nowhere.
fn by_endpoint(context: &Context, report: &RouteReport, parent: &ParentReport) -> String {
    let gateway = endpoint_names::gateway(context, report, &parent.parent_ref, &parent.gateway);
    let by_endpoint = gateway.filter(|gateway| is_by_endpoint(&crate::api::meta(gateway)));
    let Some(gateway) = by_endpoint.filter(|_| !report.is_standalone) else { return String::new() };
    let own = names_of(context, report, parent);
    let known: Vec<String> = own.iter().filter_map(|own| endpoint_names::name_for(gateway, own)).collect();
    let by = if known.is_empty() || known.len() < own.len() {
        let namespace = crate::api::meta(gateway).namespace;
        format!("the addresses of Gateway {namespace}/{}", parent.gateway)
    } else {
        known.join(", ")
    };
    format!(" The cluster's VPC comes by an endpoint: its Pods reach the route by {by}.")
}

/// The Programmed condition where a parent does not take the route: what of it is still served tells the way back.
fn of_a_refused_parent(context: &Context, report: &RouteReport, parent: &ParentReport) -> Condition {
    let text = "The route is not accepted; see condition Accepted.";
    if context.translation.desired.is_none() {
        let text = format!("{text} VPC Lattice keeps what it has.");
        return Condition::no(conditions::PROGRAMMED, reasons::INVALID, text);
    }
    // What serves another parentRef to the Gateway is not what was kept.
    let is_served = |one: &ParentReport| one.gateway == parent.gateway && one.accepted.is_true();
    let names = names_of(context, report, parent);
    if names.is_empty() || report.parents.iter().any(is_served) {
        return Condition::no(conditions::PROGRAMMED, reasons::INVALID, text);
    }
    let reason = match outcome_problem(context.outcome, |blocked| counts(context, report, parent, blocked)) {
        None => reasons::KEPT,
        Some(_) => reasons::INVALID,
    };
    let text = format!("{text} {KEPT_MESSAGE}{}.", names.join(", "));
    Condition::no(conditions::PROGRAMMED, reason, text)
}

/// What a Gateway's status takes from an entry.
fn accepted(entry: &Value) -> Option<(&Value, &Value, Option<&Value>)> {
    let condition = find(entry, conditions::ACCEPTED)?;
    let status = condition.get("status")?;
    // Until the status of an edit is told, a Gateway counts the route by its rules alone: that it is refused again is news to it.
    let generation = condition.get("observedGeneration").filter(|_| status != "True");
    Some((status, condition.get("message")?, generation))
}

fn find<'a>(entry: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = entry.get("conditions")?.as_array()?;
    conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
}

fn message_of<'a>(entry: &'a Value, kind: &str) -> Option<&'a str> {
    find(entry, kind)?.get("message")?.as_str()
}

fn identity<'a>(reference: &'a Value, namespace: &'a str) -> [String; 6] {
    let text = |member: &str, default: &str| {
        reference.get(member).and_then(Value::as_str).unwrap_or(default).to_owned()
    };
    [
        text("group", "gateway.networking.k8s.io"),
        text("kind", "Gateway"),
        text("namespace", namespace),
        text("name", ""),
        text("sectionName", ""),
        reference.get("port").map(ToString::to_string).unwrap_or_default(),
    ]
}

/// Whether a status has entries of parents and none of them is ours: then another controller has the route.
pub(crate) fn is_foreign_only(object: &Value) -> bool {
    let entries = object.pointer("/status/parents").and_then(Value::as_array);
    entries.is_some_and(|entries| !entries.is_empty() && !entries.iter().any(is_ours))
}
