//! What a route wants: its services, and what is to be said to each of its parents.

use super::hostname_sharing::{Claim, shares};
use super::rules::{self, ResolvedRule, resolved_refs, unresolved};
use super::services::{self, Built};
use super::subject;
use crate::api::ParentRefWire;
use crate::gateway::{self, Whose};
use crate::problem::{self, Problem};
use crate::report::{Condition, ParentReport, Report, RouteReport};
use crate::route::{self, RouteId};
use crate::view::{Found, View};
use crate::{Settings, Translation, status};
use crate::{conditions, reasons};
use serde::Deserialize;
use serde_json::Value;
use trellis_hint::Kind;
use trellis_lattice::{Desired, Owner};

/// Translates one route.
///
/// | the route | in VPC Lattice |
/// |---|---|
/// | is gone, or no parent of it is ours (any more) | nothing is left |
/// | is refused by every parent of ours | nothing is left: who may use a network is its owner's to say |
/// | asks for nothing that VPC Lattice can do | what is there stays: a mistake in an edit is no reason for an outage, and a service made anew has another domain name |
/// | leads to something that is not known now | what is there stays |
/// | has a hostname that an older route has | for that hostname the older route's service has its rules |
/// | else | its services |
pub(crate) fn translate(view: &View, id: &RouteId, settings: &Settings) -> Translation {
    let owner = settings.owner(&id.unit());
    // Asked for with the route itself, which saves a round: whose its Gateways are depends on them.
    let _ = view.list(&id.cluster, Kind::GatewayClass, None);
    let object = match view.get(&id.cluster, id.kind, &id.namespace, &id.name) {
        Found::Unknown(why) => return Translation::held(vec![why], vec![]),
        Found::Missing => return Translation::nothing(owner, vec![]),
        Found::Object(object) => object,
    };
    let route = match route::convert(id.clone(), object, &settings.limits) {
        Ok(route) => route,
        Err(problem) => return unreadable(view, id, object, &problem),
    };
    let mut unknown = vec![];
    let claim = Claim::of(view, route, object, &mut unknown);
    // Resolved even while the Gateways are not known yet, so that one round of reads asks for everything; but not for a
    // route that only another controller has taken.
    let is_worth_reading =
        !claim.parents.is_empty() || !unknown.is_empty() && !status::is_foreign_only(object);
    let (mut rules, mut shared) = (vec![], vec![]);
    if is_worth_reading {
        let take_http2 = claim.listeners_take_http2();
        rules = rules::resolve(view, &claim.route, take_http2, settings, &mut unknown);
        shared = shares(view, &claim, settings, &mut unknown);
    }
    let built = services::build(view, &claim, &rules, &shared, settings, &owner, &mut unknown);
    unknown.sort();
    unknown.dedup();
    if !unknown.is_empty() {
        return Translation::held(unknown.clone(), held_reports(&claim, object, &unknown));
    }
    let mut partly = built.unknown.clone();
    partly.sort();
    partly.dedup();
    let mut translation = judge(&claim, object, &rules, built, owner);
    if let Some(desired) = translation.desired.take() {
        translation.desired = Some(settings.allowing_networks(desired));
        translation.held = partly;
    }
    translation
}

/// What the parents and the built services come to.
fn judge(claim: &Claim, object: &Value, rules: &[ResolvedRule], built: Built, owner: Owner) -> Translation {
    let reports = Reports { claim, object, rules, built: &built };
    if claim.parents.iter().all(|parent| parent.attached.is_err()) {
        // Without parents the report removes entries of ours that the status still has.
        let accepted = Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, "");
        let report = reports.report(&accepted, None, false);
        return Translation::nothing(owner, vec![report]);
    }
    if !built.refused.is_empty() {
        let text = problem::message(&built.refused);
        let refused = Condition::no(conditions::ACCEPTED, reasons::UNSUPPORTED_VALUE, text);
        return Translation::refused(vec![reports.report(&refused, None, false)]);
    }
    let partial = (!built.dropped.is_empty()).then(|| {
        let text = format!("Dropped Rule(s) {}", problem::message(&built.dropped));
        Condition::yes(conditions::PARTIALLY_INVALID, reasons::UNSUPPORTED_VALUE, text)
    });
    let accepted = Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, "");
    let report = reports.report(&accepted, partial.as_ref(), true);
    let desired =
        Desired { services: built.services, target_groups: built.target_groups, ..Desired::nothing(owner) };
    Translation::wanting(desired, vec![report])
}

/// What reports are made of.
struct Reports<'a> {
    claim: &'a Claim,
    object: &'a Value,
    rules: &'a [ResolvedRule],
    built: &'a Built,
}

impl Reports<'_> {
    /// A report in which the parents that take the route accept it so.
    fn report(&self, accepted: &Condition, partial: Option<&Condition>, is_served: bool) -> Report {
        let resolved_refs = resolved_refs(self.rules);
        let notes = problem::message(&self.built.notes);
        let parents = self.claim.parents.iter().map(|parent| ParentReport {
            parent_ref: parent.reference.reference.clone(),
            gateway: parent.reference.name.clone(),
            accepted: parent.attached.as_ref().err().unwrap_or(accepted).clone(),
            resolved_refs: resolved_refs.clone(),
            partially_invalid: partial.filter(|_| parent.attached.is_ok()).cloned(),
            notes: notes.clone(),
        });
        let id = &self.claim.route.id;
        Report::Route(RouteReport {
            subject: subject(&id.cluster, id.kind, self.object),
            parents: parents.collect(),
            services: if is_served { self.built.serving.clone() } else { vec![] },
        })
    }
}

/// Reports while something is not known: what the parents say is told, the rest is being held.
fn held_reports(claim: &Claim, object: &Value, unknown: &[String]) -> Vec<Report> {
    if claim.parents.is_empty() {
        return vec![];
    }
    let text = format!("{}. VPC Lattice keeps what it has.", unknown.join(". "));
    let parents = claim.parents.iter().map(|parent| ParentReport {
        parent_ref: parent.reference.reference.clone(),
        gateway: parent.reference.name.clone(),
        accepted: match &parent.attached {
            Ok(_) => Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, ""),
            Err(refused) => refused.clone(),
        },
        resolved_refs: unresolved(text.clone()),
        partially_invalid: None,
        notes: String::new(),
    });
    let id = &claim.route.id;
    let subject = subject(&id.cluster, id.kind, object);
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
        if whose == Whose::Ours {
            parents.push(ParentReport {
                parent_ref: reference.clone(),
                gateway: wire.name.clone(),
                accepted: Condition::no(
                    conditions::ACCEPTED,
                    reasons::UNSUPPORTED_VALUE,
                    problem.to_string(),
                ),
                resolved_refs: unresolved("The route could not be read.".into()),
                partially_invalid: None,
                notes: String::new(),
            });
        }
    }
    if parents.is_empty() {
        return Translation::refused(vec![]);
    }
    let subject = subject(&id.cluster, id.kind, object);
    let report = RouteReport { subject, parents, services: vec![] };
    Translation::refused(vec![Report::Route(report)])
}
