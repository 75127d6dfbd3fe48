//! What a route wants: its services, and what is to be said to each of its parents.

use super::aside::{Aside, Bystanders};
use super::claim::Claim;
use super::cluster_routes::{objects, read};
use super::giving_way::giving_way;
use super::heirs::Heirs;
use super::kept;
use super::merged;
use super::parents::Parent;
use super::rules::{self, ResolvedRule, resolved_refs, unresolved};
use super::services::{self, Built, Contender};
use super::slot::Slot;
use super::subject;
use crate::api::{self, ParentRefWire};
use crate::attach::Isolated;
use crate::code::Code;
use crate::gateway::{self, Whose};
use crate::hostname::do_meet;
use crate::problem::{self, Problem};
use crate::report::{Condition, KeptRules, ParentReport, Report, RouteReport};
use crate::route::{Route, RouteId};
use crate::snapshot::ObjectKey;
use crate::view::{Found, View};
use crate::{Settings, Translation, naming, status};
use crate::{conditions, reasons};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::rc::Rc;
use trellis_hint::{Kind, UnitKey, parent_gateway_names};
use trellis_lattice::{Desired, Owner};

/// What becomes of requests for rules that are dropped for their filters.
const ANSWERS_ERRORS: &str =
    " Requests for rules with such filters get 500, where no other rule has the same match.";

/// Translates one route.
///
/// | the route | in VPC Lattice |
/// |---|---|
/// | is gone, or no parent of it is ours (any more) | nothing is left |
/// | is refused by every parent of ours | nothing is left: who may use a network is its owner's to say |
/// | asks for nothing that VPC Lattice can do | what is there stays, and its targets follow the Pods: a mistake in an edit is no reason for an outage, and a service made anew has another domain name |
/// | leads to something that is not known now | what is there stays |
/// | has a hostname that other routes have too | who has what of it is in `contest` |
/// | else | its services |
pub(crate) fn translate(view: &View, id: &RouteId, settings: &Settings) -> Translation {
    let owner = settings.owner(&id.unit());
    // Asked for with the route itself, which saves a round: whose its Gateways are depends on them.
    let _ = view.list(&id.cluster, Kind::GatewayClass, None);
    let object = match view.get(&id.cluster, id.kind, &id.namespace, &id.name) {
        Found::Unknown(why) => return Translation::held(vec![why], vec![]),
        Found::Missing => {
            let stays = BTreeSet::new();
            let handovers = Heirs::of(view, id, &stays, settings).handovers(view, None, &stays, settings);
            return Translation::wanting(Desired { handovers, ..Desired::nothing(owner) }, vec![]);
        }
        Found::Object(object) => object,
    };
    let route = match view.route(|| id.clone(), object, settings) {
        Ok(route) => route,
        Err(problem) => return unreadable(view, id, object, &problem),
    };
    let mut unknown = vec![];
    kept::ask_for_followed(view, id, object);
    let claim = Claim::of(view, route, object, &mut unknown);
    // Resolved even while the Gateways are not known yet, so that one round of reads asks its cluster for everything; but not
    // for a route that only another controller has taken.
    let is_worth_reading =
        !claim.parents.is_empty() || !unknown.is_empty() && !status::is_foreign_only(object);
    let mentioned = status::mentioned(&id.cluster, object);
    let (mut rules, mut rivals, mut aside) = (vec![], vec![], Aside::default());
    if is_worth_reading {
        let told = status::told_ids(object);
        rules = rules::resolve(view, &claim, Some(&told), settings, &mut unknown);
        (rivals, aside) = others(view, &claim, &mentioned, settings, &mut unknown);
    }
    let mut own = Contender { claim, rules, object };
    if own.claim.parents.is_empty() {
        // Other clusters may be slow, and the route may turn out to be no concern of theirs.
        view.ask_only(&id.cluster);
    }
    let (merged, mut rivals) = merged::split_merged(view, rivals);
    for one in rivals.iter_mut().chain([&mut own]) {
        merged::bar_what_is_merged(&mut one.claim, &merged);
    }
    let built = services::build(view, &own, (&rivals, &aside), settings);
    let stays: BTreeSet<&str> = built.services.iter().map(|service| service.name.as_str()).collect();
    let heirs = if mentioned.is_empty() { Heirs::none() } else { Heirs::of(view, id, &stays, settings) };
    let handovers = heirs.handovers(view, Some((&own, &rivals)), &stays, settings);
    let rules = unknown.is_empty().then_some(own.rules.as_slice());
    unknown.extend(built.held.iter().cloned());
    unknown.sort();
    unknown.dedup();
    if !unknown.is_empty() {
        return Translation::held(
            unknown.clone(),
            held_reports(&own.claim, object, &unknown, rival_units(&own, &rivals), rules),
        );
    }
    let mut partly = built.unknown.clone();
    partly.sort();
    partly.dedup();
    let mut translation = judge(&own, &rivals, built, owner);
    if let Some(mut desired) = translation.desired.take() {
        desired.handovers = handovers;
        translation.waiting = giving_way(view, [&id.cluster], &desired);
        desired.giving_way = translation.waiting.keys().cloned().collect();
        translation.desired = Some(settings.allowing_networks(desired));
        translation.held = partly;
    }
    translation
}

/// The other routes of the cluster that may have a service together with this one, or whose service it
/// had part in, as its status mentions: where one of these leads now decides whether it gives that service away. Beside them those
/// that may answer where it does not.
fn others<'a>(
    view: &View<'a>,
    own: &Claim,
    mentioned: &BTreeSet<UnitKey>,
    settings: &Settings,
    unknown: &mut Vec<String>,
) -> (Vec<Contender<'a>>, Aside<'a>) {
    let slots = own.slots();
    let hostnames: Vec<&str> = slots.iter().filter_map(|slot| slot.domain()).collect();
    let is_alone = slots.iter().all(|slot| **slot == Slot::Own)
        && !mentioned.iter().any(|one| *one != own.route.id.unit());
    if is_alone && own.route.hostnames.is_empty() {
        return (vec![], Aside::default());
    }
    let cluster = &own.route.id.cluster;
    // Told by the bare objects, since there may be thousands of routes and few of them are. Asked for even while the
    // Gateways are not known, so that one round of reads asks for everything.
    let gateways: BTreeSet<&str> = own.route.parents.iter().map(|parent| parent.name.as_str()).collect();
    let is_mentioned = |kind: Kind, object: &Value| {
        let unit = || {
            let (namespace, name) = api::name_of(object);
            let cluster = own.route.id.cluster.clone();
            RouteId { kind, cluster, namespace: namespace.to_owned(), name: name.to_owned() }.unit()
        };
        !mentioned.is_empty() && mentioned.contains(&unit())
    };
    let may_share = |kind: Kind, object: &Value| {
        let named = object.get("spec").and_then(|spec| spec.get("hostnames")?.as_array()).map(Vec::as_slice);
        let named = named.unwrap_or_default().iter().filter_map(Value::as_str);
        let meets = |one: &str| hostnames.iter().any(|hostname| do_meet(&one.to_ascii_lowercase(), hostname));
        let names_it = named.clone().any(meets);
        let shares = || parent_gateway_names(object).any(|gateway| gateways.contains(gateway));
        (names_it || named.clone().next().is_none()) && (shares() || is_mentioned(kind, object))
            || names_it
                && read(view, cluster, kind, object, settings)
                    .is_some_and(|other| is_in_network_of(view, own, &other))
    };
    let (mut bystanders, mut aside) = (Bystanders::of(view, cluster), Aside::default());
    let mut fitting: Vec<(Rc<Route>, &Value)> = vec![];
    for (kind, object) in
        objects(view, cluster, unknown).into_iter().filter(|(kind, one)| may_share(*kind, one))
    {
        if !own.route.hostnames.is_empty() && !is_mentioned(kind, object) && bystanders.has(object) {
            aside.push(kind, object);
        } else {
            fitting.extend(read(view, cluster, kind, object, settings).map(|route| (route, object)));
        }
    }
    let mut others = vec![];
    for (route, object) in fitting.into_iter().filter(|(route, _)| route.id != own.route.id) {
        let claim = Claim::of(view, route, object, unknown);
        let rules = if slots.iter().any(|slot| **slot != Slot::Own && claim.wants(slot)) {
            // What is not known of another route's backends holds up that route, not this one.
            rules::resolve(view, &claim, None, settings, &mut vec![])
        } else {
            vec![]
        };
        others.push(Contender { claim, rules, object });
    }
    (others, aside)
}

/// Whether a Gateway of another route stands for a service network of the route's, under whatever name.
fn is_in_network_of(view: &View, own: &Claim, other: &Route) -> bool {
    let networks: BTreeSet<&str> =
        own.parents.iter().filter_map(|parent| parent.network.as_deref()).collect();
    // Each is asked for, so that one round of reads has all of them.
    let gateways = other
        .parents
        .iter()
        .filter(|parent| parent.is_gateway)
        .filter_map(|parent| gateway::find(view, &other.id.cluster, &parent.namespace, &parent.name).1);
    let told: Vec<&str> = gateways.filter_map(status::network_told).collect();
    told.iter().any(|arn| networks.contains(arn))
}

/// What the parents and the built services come to.
fn judge(own: &Contender, rivals: &[Contender], built: Built, owner: Owner) -> Translation {
    let reports = Reports { own, built: &built, rivals: rival_units(own, rivals) };
    if own.claim.parents.iter().all(|parent| parent.attached.is_err()) {
        // Without parents the report removes entries of ours that the status still has.
        return Translation::nothing(owner, vec![reports.report()]);
    }
    let report = reports.report();
    let desired =
        Desired { services: built.services, target_groups: built.target_groups, ..Desired::nothing(owner) };
    Translation::wanting(desired, vec![report])
}

/// The units of the routes that ask for a service of a route's too.
fn rival_units(own: &Contender, rivals: &[Contender]) -> BTreeSet<UnitKey> {
    let meets = |rival: &&Contender| {
        rival.claim.slots().into_iter().any(|slot| *slot != Slot::Own && own.claim.wants(slot))
    };
    rivals.iter().filter(meets).map(|rival| rival.claim.route.id.unit()).collect()
}

/// What reports are made of.
pub(super) struct Reports<'a> {
    pub(super) own: &'a Contender<'a>,
    pub(super) built: &'a Built,
    /// The routes that ask for one of its hostnames too.
    pub(super) rivals: BTreeSet<UnitKey>,
}

impl Reports<'_> {
    pub(super) fn report(&self) -> Report {
        let claim = &self.own.claim;
        let partial = (!self.built.dropped.is_empty()).then(|| {
            let answered = if self.built.answers_errors { ANSWERS_ERRORS } else { "" };
            let text = format!("Dropped Rule(s) {}{answered}", problem::message(&self.built.dropped));
            Condition::yes(conditions::PARTIALLY_INVALID, reasons::UNSUPPORTED_VALUE, text)
                .telling(self.built.dropped.iter().cloned())
        });
        let parents = claim.parents.iter().enumerate().map(|(at, parent)| {
            let accepted = self.accepted(at, parent);
            let unserved = if accepted.is_true() { self.unserved(at) } else { vec![] };
            let notes = self.built.notes_of(at);
            ParentReport {
                index: at,
                parent_ref: parent.reference.reference.clone(),
                gateway: parent.reference.name.clone(),
                resolved_refs: resolved_refs(&self.own.rules, parent),
                partially_invalid: partial.clone().filter(|_| accepted.is_true()),
                unserved: problem::message(&unserved),
                unserved_reason: why_unserved(&unserved),
                notes: problem::message(&notes),
                problems: unserved.into_iter().chain(notes).collect(),
                accepted,
            }
        });
        let id = &claim.route.id;
        Report::Route(RouteReport {
            subject: subject(&id.cluster, id.kind, self.own.object),
            parents: parents.collect(),
            services: self.built.serving.clone(),
            kept: self.kept(),
            rivals: self.rivals.clone(),
            is_standalone: self.own.claim.is_standalone,
            is_heir: false,
            is_moving: self.built.is_moving,
            awaits: self.awaits(),
            merged: None,
            unwritten: None,
        })
    }

    /// Whether a parent takes the route: by its listeners, by the route's own rules, and beside other routes.
    fn accepted(&self, at: usize, parent: &Parent) -> Condition {
        if let Err(refused) = &parent.attached {
            return refused.clone();
        }
        let refused = |problems: &[Problem]| {
            Condition::no_for(conditions::ACCEPTED, reasons::UNSUPPORTED_VALUE, problems.to_vec())
        };
        let claim = &self.own.claim;
        let notes = claim.notes_of(at);
        // Where nothing at all can be served, each parent says what is in its own way.
        let is_own = !notes.is_empty() && claim.asks.is_empty() && self.built.refused == claim.all_notes();
        if !self.built.refused.is_empty() && !is_own {
            return refused(&self.built.refused);
        }
        match self.built.verdicts.get(&at) {
            Some(verdict) if verdict.is_served => Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, ""),
            Some(verdict) => refused(&verdict.refused),
            // None of its hostnames can be served at all.
            None => refused(&notes),
        }
    }

    /// What a parent does not get although it takes the route.
    fn unserved(&self, at: usize) -> Vec<Problem> {
        let parent = &self.own.claim.parents[at];
        // Another parentRef may name that listener.
        let is_attached = |isolated: &&Isolated| {
            let of_gateway = self.own.claim.parents.iter().filter(|other| {
                let (one, other) = (&parent.reference, &other.reference);
                (&one.namespace, &one.name) == (&other.namespace, &other.name)
            });
            let mut listeners = of_gateway.flat_map(Parent::listeners);
            listeners.any(|one| {
                one.listener.wire.name == isolated.listener
                    && one.hostnames.contains(&Some(isolated.hostname.clone()))
            })
        };
        let isolated =
            parent.attached.iter().flat_map(|taken| &taken.isolated).filter(|one| !is_attached(one));
        let (namespace, gateway) = (&parent.reference.namespace, &parent.reference.name);
        let remedy = "; attach the route to that listener too, or take the hostname out";
        let isolated = isolated.map(|isolated| isolated.problem(namespace, gateway, remedy));
        let isolated: Vec<Problem> = isolated.collect();
        let refused =
            self.built.verdicts.get(&at).map(|verdict| verdict.refused.as_slice()).unwrap_or_default();
        let shadowed = self.built.unserved.iter().filter(|(there, _)| *there == at);
        refused.iter().chain(&isolated).chain(shadowed.map(|(_, problem)| problem)).cloned().collect()
    }

    /// A target group of others that is not there, or not free yet, or a function that is not there or that may not be invoked yet.
    fn awaits(&self) -> Option<&'static str> {
        let is_missing = self.own.rules.iter().any(ResolvedRule::awaits_external);
        let of_followers = self.built.awaits_for_followers;
        (is_missing || of_followers || !self.built.without_external.is_empty())
            .then_some("a target group of others or a function")
    }

    fn kept(&self) -> Option<KeptRules> {
        let kept = &self.built.kept;
        let cluster = &self.own.claim.route.id.cluster;
        let routes = kept.iter().map(|one| {
            let RouteId { kind, namespace, name, .. } = one.route.clone();
            ObjectKey { kind, namespace, name }
        });
        let sources = kept.iter().filter_map(|one| {
            let (source, namespace, name) = naming::source_of(&one.group.tags)?;
            (source == *cluster).then(|| (naming::kind_of_source(&one.group.tags), namespace, name))
        });
        (!kept.is_empty()).then(|| KeptRules { routes: routes.collect(), sources: sources.collect() })
    }
}

/// The reason of what a parent does not get: other routes, unless nothing of it is theirs.
fn why_unserved(unserved: &[Problem]) -> &'static str {
    let is_without_backend = |problem: &Problem| problem.code == Code::NoTlsBackend;
    if !unserved.is_empty() && unserved.iter().all(is_without_backend) {
        reasons::NO_BACKEND
    } else {
        reasons::SHADOWED
    }
}

/// Reports while something is not known: what the parents say is told, the rest is being held. What the rules lead to is
/// known where the route only waits for a service.
fn held_reports(
    claim: &Claim,
    object: &Value,
    unknown: &[String],
    rivals: BTreeSet<UnitKey>,
    rules: Option<&[ResolvedRule]>,
) -> Vec<Report> {
    if claim.parents.is_empty() {
        return vec![];
    }
    let text = format!("{}. VPC Lattice keeps what it has.", unknown.join(". "));
    let parents = claim.parents.iter().enumerate().map(|(index, parent)| ParentReport {
        index,
        parent_ref: parent.reference.reference.clone(),
        gateway: parent.reference.name.clone(),
        accepted: match &parent.attached {
            Ok(_) => Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, ""),
            Err(refused) => refused.clone(),
        },
        resolved_refs: rules.map_or_else(|| unresolved(text.clone()), |rules| resolved_refs(rules, parent)),
        partially_invalid: None,
        unserved: String::new(),
        unserved_reason: reasons::SHADOWED,
        notes: String::new(),
        problems: vec![],
    });
    let id = &claim.route.id;
    let subject = subject(&id.cluster, id.kind, object);
    vec![Report::Route(RouteReport {
        subject,
        parents: parents.collect(),
        services: vec![],
        kept: None,
        rivals,
        is_standalone: false,
        is_heir: rules.is_some(),
        is_moving: false,
        awaits: None,
        merged: None,
        unwritten: None,
    })]
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
                index: parents.len(),
                parent_ref: reference.clone(),
                gateway: wire.name.clone(),
                accepted: Condition::no_for(
                    conditions::ACCEPTED,
                    reasons::UNSUPPORTED_VALUE,
                    vec![problem.clone()],
                ),
                resolved_refs: unresolved("The route could not be read.".into()),
                partially_invalid: None,
                unserved: String::new(),
                unserved_reason: reasons::SHADOWED,
                notes: String::new(),
                problems: vec![],
            });
        }
    }
    if parents.is_empty() {
        return Translation::refused(vec![]);
    }
    let subject = subject(&id.cluster, id.kind, object);
    let report = RouteReport {
        subject,
        parents,
        services: vec![],
        kept: None,
        rivals: BTreeSet::new(),
        is_standalone: false,
        is_heir: false,
        is_moving: false,
        awaits: None,
        merged: None,
        unwritten: None,
    };
    Translation::refused(vec![Report::Route(report)])
}
