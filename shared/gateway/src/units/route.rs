//! What a route wants: its services, and what is to be said to each of its parents.

use super::services::{self, ResolvedRule};
use super::subject;
use crate::api::{self, ParentRefWire};
use crate::attach::{Attached, Refusal, attach};
use crate::backend::{self, BackendError};
use crate::gateway::{self, JudgedGateway, Whose};
use crate::problem::{self, Problem};
use crate::report::{Condition, ParentReport, Report, RouteReport};
use crate::route::{self, ParentRef, Route, RouteId};
use crate::view::{Found, View};
use crate::{Settings, Translation, status};
use serde::Deserialize;
use serde_json::Value;
use trellis_lattice::{Desired, ListenerProtocol, Owner};

/// A parent that is ours, and whether it takes the route.
pub(crate) struct Parent<'r> {
    pub(crate) reference: &'r ParentRef,
    pub(crate) attached: Result<Vec<Attached>, Condition>,
}

/// Translates one route.
///
/// | the route | in VPC Lattice |
/// |---|---|
/// | is gone, or no parent of it is ours (any more) | nothing is left |
/// | is refused by every parent of ours | nothing is left: who may use a network is its owner's to say |
/// | asks for nothing that VPC Lattice can do | what is there stays: a mistake in an edit is no reason for an outage, and a service made anew has another domain name |
/// | leads to something that is not known now | what is there stays |
/// | else | its services |
pub(crate) fn translate(view: &View, id: &RouteId, settings: &Settings) -> Translation {
    let owner = Owner { installation: settings.installation.clone(), unit: id.unit().to_string() };
    let object = match view.get(&id.cluster, id.kind, &id.namespace, &id.name) {
        Found::Unknown(why) => return Translation::held(vec![why], vec![]),
        Found::Missing => return Translation::nothing(owner, vec![]),
        Found::Object(object) => object,
    };
    let route = match route::convert(id.clone(), object, &settings.limits) {
        Ok(route) => route,
        Err(problem) => return unreadable(view, id, object, &problem),
    };
    let (parents, mut unknown) = parents(view, &route, object);
    // Resolved even if something is unknown already, so that one round of reads asks for everything.
    let take_http2 = parents.iter().flat_map(|parent| parent.attached.iter().flatten()).all(|attached| {
        attached.listener.protocol != ListenerProtocol::Http
    });
    let (rules, unresolved) =
        if parents.is_empty() { (vec![], vec![]) } else { resolve_rules(view, &route, take_http2, settings) };
    unknown.extend(unresolved);
    if !unknown.is_empty() {
        return Translation::held(unknown.clone(), held_reports(&route, object, &parents, &unknown));
    }
    let drafts = services::drafts(&route, &parents);
    let built = services::build(view, &route, &drafts, &rules, settings, &owner);
    let report = |accepted: &Condition, partial: Option<Condition>, services: Vec<String>| {
        let resolved_refs = resolved_refs(&rules);
        let notes = problem::message(&built.notes);
        let parents = parents.iter().map(|parent| ParentReport {
            parent_ref: parent.reference.reference.clone(),
            gateway: parent.reference.name.clone(),
            accepted: parent.attached.as_ref().err().unwrap_or(accepted).clone(),
            resolved_refs: resolved_refs.clone(),
            partially_invalid: partial.clone().filter(|_| parent.attached.is_ok()),
            notes: notes.clone(),
        });
        let subject = subject(&id.cluster, id.kind, object);
        Report::Route(RouteReport { subject, parents: parents.collect(), services })
    };
    let accepted = Condition::yes("Accepted", "Accepted", "");
    if parents.is_empty() {
        // The report without parents removes entries of ours that the status still has.
        let report = RouteReport { subject: subject(&id.cluster, id.kind, object), parents: vec![], services: vec![] };
        return Translation::nothing(owner, vec![Report::Route(report)]);
    }
    if parents.iter().all(|parent| parent.attached.is_err()) {
        return Translation::nothing(owner, vec![report(&accepted, None, vec![])]);
    }
    if !built.refused.is_empty() {
        let text = problem::message(&built.refused);
        let refused = Condition::no("Accepted", "UnsupportedValue", text.clone());
        return Translation::held(vec![text], vec![report(&refused, None, vec![])]);
    }
    let names = built.services.iter().map(|service| service.name.clone()).collect();
    let partial = (!built.dropped.is_empty()).then(|| {
        let text = format!("Dropped Rule(s) {}", problem::message(&built.dropped));
        Condition::yes("PartiallyInvalid", "UnsupportedValue", text)
    });
    let reports = vec![report(&accepted, partial, names)];
    let desired = Desired {
        services: built.services,
        target_groups: built.target_groups,
        ..Desired::nothing(owner)
    };
    Translation::wanting(desired, reports)
}

/// The parents that are ours, and why some cannot be told.
fn parents<'r>(view: &View, route: &'r Route, object: &Value) -> (Vec<Parent<'r>>, Vec<String>) {
    let (mut parents, mut unknown) = (vec![], vec![]);
    for reference in route.parents.iter().filter(|parent| parent.is_gateway) {
        match gateway::find(view, &route.id.cluster, &reference.namespace, &reference.name) {
            (Whose::Unknown(why), _) => unknown.push(why),
            (Whose::Others, None) if has_entry_of_ours(object, &reference.reference, &route.id.namespace) => {
                let text = format!(
                    "{}: Gateway {}/{} does not exist; create it or remove the reference.",
                    reference.path, reference.namespace, reference.name
                );
                let attached = Err(Condition::no("Accepted", "NoMatchingParent", text));
                parents.push(Parent { reference, attached });
            }
            (Whose::Others, _) | (Whose::Ours, None) => {}
            (Whose::Ours, Some(gateway)) => match attach_to(view, route, reference, gateway) {
                Ok(attached) => parents.push(Parent { reference, attached: Ok(attached) }),
                Err(Refusal::Condition(refused)) => parents.push(Parent { reference, attached: Err(refused) }),
                Err(Refusal::Unknown(why)) => unknown.push(why),
            },
        }
    }
    (parents, unknown)
}

fn attach_to(
    view: &View,
    route: &Route,
    reference: &ParentRef,
    gateway: &Value,
) -> Result<Vec<Attached>, Refusal> {
    let judged: JudgedGateway = gateway::judge(gateway).map_err(|problem| {
        let text = format!(
            "Gateway {}/{} cannot be read: {problem}",
            reference.namespace, reference.name
        );
        Refusal::Condition(Condition::no("Accepted", "NoMatchingParent", text))
    })?;
    attach(view, route, reference, &judged)
}

/// Whether the route's status has an entry of ours for this reference.
fn has_entry_of_ours(object: &Value, reference: &Value, namespace: &str) -> bool {
    let entries = object.pointer("/status/parents").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        let parent = entry.get("parentRef").unwrap_or(&Value::Null);
        status::is_ours(entry) && status::is_same_parent(parent, reference, namespace)
    })
}

fn resolve_rules<'r>(
    view: &View,
    route: &'r Route,
    take_http2: bool,
    settings: &Settings,
) -> (Vec<ResolvedRule<'r>>, Vec<String>) {
    let mut unknown = vec![];
    let rules = route.rules.iter().map(|rule| {
        let backends = rule.backends.iter().map(|wanted| {
            let resolved = backend::resolve(view, route, wanted, take_http2, &settings.limits);
            if let Err(BackendError::Unknown(why)) = &resolved {
                unknown.push(why.clone());
            }
            (wanted, resolved)
        });
        ResolvedRule { backends: backends.collect(), rule }
    });
    let rules = rules.collect();
    unknown.sort();
    unknown.dedup();
    (rules, unknown)
}

fn resolved_refs(rules: &[ResolvedRule]) -> Condition {
    let broken: Vec<(&'static str, &Problem)> = rules
        .iter()
        .flat_map(|rule| &rule.backends)
        .filter_map(|(_, resolved)| match resolved {
            Err(BackendError::Broken(reason, problem)) => Some((*reason, problem)),
            _ => None,
        })
        .collect();
    match broken.first() {
        None => Condition::yes("ResolvedRefs", "ResolvedRefs", ""),
        Some((reason, _)) => {
            let text = problem::message(broken.iter().map(|(_, problem)| *problem));
            Condition::no("ResolvedRefs", reason, text)
        }
    }
}

/// Reports while something is not known: what the parents say is told, the rest is being held.
fn held_reports(route: &Route, object: &Value, parents: &[Parent], unknown: &[String]) -> Vec<Report> {
    if parents.is_empty() {
        return vec![];
    }
    let text = format!("{}. VPC Lattice keeps what it has.", unknown.join(". "));
    let parents = parents.iter().map(|parent| ParentReport {
        parent_ref: parent.reference.reference.clone(),
        gateway: parent.reference.name.clone(),
        accepted: match &parent.attached {
            Ok(_) => Condition::yes("Accepted", "Accepted", ""),
            Err(refused) => refused.clone(),
        },
        resolved_refs: Condition {
            kind: "ResolvedRefs",
            status: "Unknown",
            reason: "Pending",
            message: text.clone(),
        },
        partially_invalid: None,
        notes: String::new(),
    });
    let subject = subject(&route.id.cluster, route.id.kind, object);
    vec![Report::Route(RouteReport { subject, parents: parents.collect(), services: vec![] })]
}

/// A route whose spec does not parse: nothing is changed, and the parents that can be read are told.
fn unreadable(view: &View, id: &RouteId, object: &Value, problem: &Problem) -> Translation {
    let references = object.pointer("/spec/parentRefs").and_then(Value::as_array);
    let mut parents = vec![];
    for reference in references.into_iter().flatten() {
        let Ok(wire) = ParentRefWire::deserialize(reference) else { continue };
        let namespace = wire.namespace.as_deref().unwrap_or(&id.namespace);
        let (whose, _) = gateway::find(view, &id.cluster, namespace, &wire.name);
        if whose != Whose::Ours {
            continue;
        }
        parents.push(ParentReport {
            parent_ref: reference.clone(),
            gateway: wire.name.clone(),
            accepted: Condition::no("Accepted", "UnsupportedValue", problem.to_string()),
            resolved_refs: Condition {
                kind: "ResolvedRefs",
                status: "Unknown",
                reason: "Pending",
                message: "The route could not be read.".into(),
            },
            partially_invalid: None,
            notes: String::new(),
        });
    }
    let why = vec![format!("{} {}/{} cannot be read: {problem}", id.kind, id.namespace, id.name)];
    if parents.is_empty() {
        return Translation::held(why, vec![]);
    }
    let subject = subject(&id.cluster, id.kind, object);
    let report = RouteReport { subject, parents, services: vec![] };
    Translation::held(why, vec![Report::Route(report)])
}

/// The route of an object, if it can be read.
pub(crate) fn read(cluster: &str, kind: trellis_hint::Kind, object: &Value, settings: &Settings) -> Option<Route> {
    let meta = api::meta(object);
    let id = RouteId { kind, cluster: cluster.to_owned(), namespace: meta.namespace, name: meta.name };
    route::convert(id, object, &settings.limits).ok()
}
