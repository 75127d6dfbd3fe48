//! Routes of one kind, namespace and name in several clusters whose Gateways say so: one service has the rules of all of them,
//! and equal matches share their requests over the clusters' endpoints.
//!
//! | a cluster | its share |
//! |---|---|
//! | has such a route, on Gateways that all bear the annotation | its rules; of equal matches each cluster has as much as the others, divided as its own weights say |
//! | has it, and its edit cannot be had | the rules that VPC Lattice has of it; their targets follow the Pods |
//! | cannot be read now, or nobody has registered it any more, or it is only observed | what VPC Lattice has of it, as it is: also ports, networks and hostnames that only its route has |
//! | has endpoints for a match nowhere, and others have | none, as long as that lasts |
//! | has no such route, or a person takes it out | none |
//!
//! The service is no cluster's own: a unit of its own writes it and the statuses of the routes in all clusters. The unit of
//! each cluster's route gives it the services that the route had, so that domain names stay, and passes on whatever it
//! hears; from the clusters' Gateways on which the annotation is gone, the first one's route gets the service back.

mod asked;
mod shares;
mod staying;
mod taken;

pub(crate) use asked::{ANNOTATION, is_merging, observed, obstacle, problem, unit_of};
pub(crate) use shares::{kept_shares, merge};
pub(super) use taken::{bar_what_is_merged, split_merged};

use super::builder::{Builder, Unheeded};
use super::claim::Claim;
use super::contest::{Member, ServiceDraft, decide};
use super::dependents::object_ref;
use super::giving_way::giving_way;
use super::kept::{self, Kept};
use super::route_unit::Reports;
use super::rules::{self, ResolvedRule, is_sound};
use super::service_names::not_to_the_letter;
use super::services::{Built, Contender, PortsOfParents, ports_of_parents, tell_of_route};
use super::slot::Slot;
use crate::backend::external;
use crate::naming::ServiceName;
use crate::problem::Problem;
use crate::report::{Report, Serving};
use crate::route::{Route, RouteId};
use crate::view::{Found, View};
use crate::{Settings, Translation, naming, status};
use asked::{KINDS, is_merged};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, ObjectRef, Scope, UnitKey};
use trellis_lattice::{ActualService, ActualTargetGroup, Desired, Owner, Ownership};

/// What the unit of a cluster's own route does where the route is merged: it gives away what it has, and says that it was
/// told of something. None: the route is its own.
pub(crate) fn of_member(view: &View, id: &RouteId, settings: &Settings) -> Option<Translation> {
    if !KINDS.contains(&id.kind) {
        return None;
    }
    let Found::Object(object) = view.get(&id.cluster, id.kind, &id.namespace, &id.name) else { return None };
    let route = view.route(|| id.clone(), object, settings).ok()?;
    if is_merged(view, &route) != Ok(true) {
        return None;
    }
    let merged = RouteId::merged(&id.cluster.scope, id.kind, &id.namespace, &id.name).unit();
    let desired = Desired {
        handovers: given(view, &settings.owner(&merged)),
        ..Desired::nothing(settings.owner(&id.unit()))
    };
    let told = vec![(merged, object_ref(&id.cluster, id.kind, object))];
    Some(Translation { told, ..Translation::wanting(desired, vec![]) })
}

/// The unit that merges a route, where that may have the route's share although the route is not merged: it is gone, or its
/// Gateways do not say so any more.
pub(crate) fn of_former(view: &View, id: &RouteId) -> Vec<(UnitKey, ObjectRef)> {
    if !KINDS.contains(&id.kind) {
        return vec![];
    }
    let merged = RouteId::merged(&id.cluster.scope, id.kind, &id.namespace, &id.name).unit();
    match view.get(&id.cluster, id.kind, &id.namespace, &id.name) {
        Found::Object(object) if status::is_merged(object) => {
            vec![(merged, object_ref(&id.cluster, id.kind, object))]
        }
        Found::Missing if asked::is_any_asked_for(view, &id.cluster) => {
            let object = ObjectRef {
                cluster: id.cluster.clone(),
                kind: id.kind,
                namespace: id.namespace.clone(),
                name: id.name.clone(),
                uid: String::new(),
                generation: 0,
            };
            vec![(merged, object)]
        }
        Found::Object(_) | Found::Missing | Found::Unknown(_) => vec![],
    }
}

/// All services of the unit, to another one.
fn given(view: &View, to: &Owner) -> BTreeMap<String, Owner> {
    let ours = view
        .actual
        .services
        .iter()
        .filter(|service| service.ownership == Ownership::Ours && !naming::is_ending(service));
    ours.map(|service| (service.name.clone(), to.clone())).collect()
}

/// A cluster's route among those that are merged.
struct Merging<'a> {
    contender: Contender<'a>,
    built: Built,
}

/// The clusters, by what is known of their routes.
#[derive(Default)]
struct Clusters<'a> {
    merging: Vec<Merging<'a>>,
    /// Those that keep what VPC Lattice has of them, and why.
    unknown: BTreeMap<ClusterId, String>,
    /// Those that have such a route, and do not say that it is merged.
    apart: Vec<ClusterId>,
}

/// Translates the routes of one name in all clusters; beside it, the clusters whose share stays as it is.
pub(crate) fn translate(
    view: &View,
    id: &RouteId,
    settings: &Settings,
) -> (Translation, BTreeSet<ClusterId>) {
    let owner = settings.owner(&id.unit());
    let mut clusters = Clusters::default();
    for cluster in view.snapshot.facts.keys().filter(|cluster| cluster.scope == id.cluster.scope) {
        clusters.add(view, &RouteId { cluster: cluster.clone(), ..id.clone() }, settings);
    }
    let Clusters { merging, mut unknown, apart } = clusters;
    let makers = makers(view, &id.cluster.scope);
    let observed = observed(view.snapshot, &id.cluster.scope, id.kind, (&id.namespace, &id.name));
    let is_observed = |one: &Merging| observed.contains(&one.contender.claim.route.id.cluster);
    let (seen, mut merging): (Vec<Merging>, Vec<Merging>) = merging.into_iter().partition(is_observed);
    let taking_part = seen.iter().map(|one| &one.contender.claim.route.id.cluster);
    for cluster in taking_part.chain(makers.iter().filter(|cluster| observed.contains(cluster))) {
        unknown.insert(cluster.clone(), "it is only observed".to_owned());
    }
    for cluster in makers.iter().filter(|cluster| !view.snapshot.facts.contains_key(cluster)) {
        unknown
            .entry(cluster.clone())
            .or_insert_with(|| format!("Cluster {} is not registered", cluster.name));
    }
    if merging.is_empty() && !unknown.is_empty() {
        return (Translation::held(unknown.into_values().collect(), vec![]), BTreeSet::new());
    }
    if merging.is_empty() {
        let heir = apart.into_iter().next().map(|cluster| RouteId { cluster, ..id.clone() });
        let handovers = heir.map(|heir| given(view, &settings.owner(&heir.unit()))).unwrap_or_default();
        let nothing = Desired { handovers, ..Desired::nothing(owner) };
        return (Translation::wanting(nothing, vec![]), BTreeSet::new());
    }
    merging.sort_by_cached_key(|one| {
        let route = &one.contender.claim.route;
        (route.meta.creation_timestamp.clone(), route.id.cluster.clone())
    });
    let of_others = of_others(view, &merging, settings);
    // Who has nothing there, such as a cluster just registered, holds nobody up.
    unknown.retain(|cluster, _| makers.contains(cluster) || !of_others.is_empty());
    let mut service = Merged {
        view,
        id,
        settings,
        stays: unknown.keys().cloned().collect(),
        of_others,
        refused: BTreeSet::new(),
        held: vec![],
        desired: Desired::nothing(owner),
    };
    service.build(&mut merging);
    if !service.held.is_empty() {
        return (Translation::held(service.held, vec![]), service.stays);
    }
    let shown = unknown.clone();
    // An edit that cannot be had and a mode are known: only a person can help.
    for one in &merging {
        unknown.remove(&one.contender.claim.route.id.cluster);
    }
    unknown.retain(|cluster, _| !observed.contains(cluster));
    let mut partly: Vec<String> = unknown.into_values().collect();
    partly.extend(
        merging.iter().flat_map(|one| one.contender.rules.iter().flat_map(ResolvedRule::unknown)).cloned(),
    );
    partly.sort();
    partly.dedup();
    let reports = merging.iter().map(|one| report(one, &told(one, &merging, &shown))).collect();
    let Merged { mut desired, stays, .. } = service;
    // Of those that ask for a hostname all routes of the cluster are read.
    let claims = merging.iter().map(|one| &one.contender.claim);
    let asking = claims.filter(|claim| claim.slots().into_iter().any(|slot| slot.domain().is_some()));
    let waiting = giving_way(view, asking.map(|claim| &claim.route.id.cluster), &desired);
    desired.giving_way = waiting.keys().cloned().collect();
    let wanted = Translation::wanting_but(settings.allowing_networks(desired), partly, reports);
    (Translation { waiting, ..wanted }, stays)
}

impl<'a> Clusters<'a> {
    fn add(&mut self, view: &View<'a>, id: &RouteId, settings: &Settings) {
        let cluster = id.cluster.clone();
        match self.find(view, id, settings) {
            Ok(found) => {
                if found.as_ref().is_some_and(|one| !is_sound(&one.contender.rules, settings)) {
                    self.unknown.insert(cluster, "its edit cannot be had".to_owned());
                }
                self.merging.extend(found);
            }
            Err(why) => _ = self.unknown.insert(cluster, why),
        }
    }

    /// The route of a cluster, if it is merged; why that is not known.
    fn find(
        &mut self,
        view: &View<'a>,
        id: &RouteId,
        settings: &Settings,
    ) -> Result<Option<Merging<'a>>, String> {
        // Asked for with the route itself, which saves a round; and so are its policies.
        let _ = view.list(&id.cluster, Kind::GatewayClass, None);
        let object = match view.get(&id.cluster, id.kind, &id.namespace, &id.name) {
            Found::Unknown(why) => return Err(why),
            Found::Missing => return Ok(None),
            Found::Object(object) => object,
        };
        kept::ask_for_followed(view, id, object);
        let _ = view.list(&id.cluster, Kind::AccessLogPolicy, Some(&id.namespace));
        let route = view.route(|| id.clone(), object, settings).map_err(|problem| problem.to_string())?;
        if !is_merged(view, &route)? {
            self.apart.push(id.cluster.clone());
            return Ok(None);
        }
        let mut unknown = vec![];
        let mut claim = Claim::of(view, route, object, &mut unknown);
        for ask in &mut claim.asks {
            ask.slot = ask.hostname.clone().map_or(Slot::Own, Slot::Domain);
            ask.barred = None;
        }
        let rules = rules::resolve(view, &claim, None, settings, &mut unknown);
        if let Some(why) = unknown.into_iter().next() {
            return Err(why);
        }
        let contender = Contender { claim, rules, object };
        let mut built = Built::default();
        tell_of_route(&contender, settings, &mut built);
        Ok(Some(Merging { contender, built }))
    }
}

/// The clusters whose routes VPC Lattice has target groups of.
fn makers(view: &View, scope: &Scope) -> BTreeSet<ClusterId> {
    let ours = view.actual.target_groups.iter().filter(|group| group.ownership == Ownership::Ours);
    ours.filter_map(|group| cluster_of(scope, group)).collect()
}

/// The cluster whose route a target group of the unit was made for.
pub(super) fn cluster_of(scope: &Scope, group: &ActualTargetGroup) -> Option<ClusterId> {
    ClusterId::new(scope.clone(), group.tags.get(&naming::tag_key("ClusterName"))?)
}

/// Target groups that the unit did not make, which tell of no cluster, and that no route leads to whose rules are known: one of a
/// cluster of which nothing is known does.
fn of_others(view: &View, merging: &[Merging], settings: &Settings) -> BTreeSet<String> {
    let known = merging.iter().map(|one| &one.contender.rules).filter(|rules| is_sound(rules, settings));
    let led_to: BTreeSet<&String> = known.flatten().flat_map(ResolvedRule::externals).collect();
    let used = external::used_by(view).into_keys().map(str::to_owned);
    used.filter(|id| !led_to.contains(id)).collect()
}

/// The service, or services, of the merged routes.
struct Merged<'a, 'b> {
    view: &'b View<'a>,
    id: &'b RouteId,
    settings: &'b Settings,
    /// The clusters whose share stays as it is.
    stays: BTreeSet<ClusterId>,
    /// Ids of target groups that the unit did not make and that they lead to: nobody else does.
    of_others: BTreeSet<String>,
    /// Those whose route cannot be had in a slot, which keep what they have there.
    refused: BTreeSet<(ClusterId, Slot)>,
    held: Vec<String>,
    desired: Desired,
}

impl Merged<'_, '_> {
    fn build(&mut self, merging: &mut [Merging]) {
        let mut slots: Vec<Slot> = vec![];
        for slot in merging.iter().flat_map(|one| one.contender.claim.slots()) {
            if !slots.contains(slot) {
                slots.push(slot.clone());
            }
        }
        for slot in &slots {
            if let Some(problem) = taken::taken(self.view, self.settings, self.id, slot, merging) {
                refuse(merging, slot, &problem);
                continue;
            }
            self.build_for(slot, merging);
        }
        self.keep_the_rest(merging);
        let stays: BTreeSet<&str> = self.desired.services.iter().map(|one| one.name.as_str()).collect();
        for one in merging.iter_mut() {
            one.built.without_external.retain(|user| !stays.contains(user.as_str()));
        }
        self.desired.target_groups.sort_by(|a, b| a.name.cmp(&b.name));
        self.desired.target_groups.dedup_by(|a, b| a.name == b.name);
    }

    fn build_for(&mut self, slot: &Slot, merging: &mut [Merging]) {
        let asking: Vec<usize> =
            (0..merging.len()).filter(|at| merging[*at].contender.claim.wants(slot)).collect();
        let members: Vec<Member> = asking
            .iter()
            .map(|at| &merging[*at].contender)
            .map(|one| Member { claim: &one.claim, rules: &one.rules, object: one.object, was_served: false })
            .collect();
        let outcome = decide(self.view, self.settings, slot, &members);
        let mut verdicts: Vec<(usize, usize, Option<Problem>)> = outcome
            .refused
            .into_iter()
            .map(|(at, ask, problem)| (asking[at], ask.parent, Some(problem)))
            .collect();
        let mut serving: Vec<(usize, Serving)> = vec![];
        let mut unheeded: Vec<(usize, Unheeded, PortsOfParents)> = vec![];
        let stays = self.staying_in(slot, &members, &outcome.drafts);
        let mut kept: Vec<(Kept, Serving)> = vec![];
        let mut left: BTreeSet<String> = BTreeSet::new();
        for draft in &outcome.drafts {
            let Some(leader) = draft.members().first().map(|at| &members[*at].claim.route) else { continue };
            let name = match self.name(leader, draft) {
                Ok(name) => name,
                Err(why) => {
                    self.held.push(why);
                    continue;
                }
            };
            let route = Route { id: self.id.clone(), ..Route::clone(leader) };
            let beside = self.desired.services.clone();
            let note = not_to_the_letter(self.view, (&leader.meta, &draft.slot), &beside, &name);
            let builder = Builder::merging(self.view, self.settings, &route, &stays).beside(&beside);
            let mut whole = self.with_what_stays(draft, &outcome.drafts, &stays, merging);
            if outcome.drafts.first().is_some_and(|first| !std::ptr::eq(first, draft)) {
                // A target group is of one service only.
                whole.scope = Some(name.clone());
            }
            let built = builder.service(&whole, &name, &members);
            let note = note.map(|note| (None, note));
            let told = Unheeded { problems: note.into_iter().collect(), ..Unheeded::default() };
            let told = draft.leader().map(|at| (at, told));
            let at_ports = |(at, one)| (asking[at], one, ports_of_parents(draft, &members, at));
            unheeded.extend(told.into_iter().chain(built.unheeded).map(at_ports));
            let problem = built.problems.first().cloned();
            let here = served_by(name, slot, draft.networks.clone());
            for at in draft.members() {
                let asks = members[at].claim.asks.iter().filter(|ask| ask.slot == *slot);
                let served = asks.filter(|ask| {
                    draft.networks.contains(&ask.gateway.name)
                        && draft.ports.get(&ask.port).is_some_and(|port| port.members.contains(&at))
                });
                verdicts.extend(served.map(|ask| (asking[at], ask.parent, problem.clone())));
                let parents = ports_of_parents(draft, &members, at).into_keys().collect();
                serving.push((asking[at], Serving { parents: Some(parents), ..here.clone() }));
            }
            // What exceeds a limit in sum is not made; what is there stays.
            match problem {
                None => {
                    kept.extend(built.kept.into_iter().map(|one| (one, here.clone())));
                    self.desired.target_groups.extend(built.groups);
                    self.desired.services.push(built.service);
                }
                Some(_) => left.extend(whole.networks),
            }
        }
        note(verdicts, serving, unheeded, merging);
        self.keep_what_is_left(slot, kept, &left, merging);
    }

    /// The name of a service: of one that is there its own, so that its domain name stays, also of one that a cluster's route has
    /// and is about to give.
    fn name(&self, leader: &Route, draft: &ServiceDraft) -> Result<String, String> {
        let actual = self.view.actual;
        // The leaders' units name a slot's services in several networks; here all are of one unit.
        let is_free = |name: &String| !self.desired.services.iter().any(|other| other.name == *name);
        let ours = actual
            .services
            .iter()
            .filter(|one| kept::is_for(one, &draft.slot) && draft.can_be(one) && is_free(&one.name));
        let mut ours: Vec<&ActualService> = ours.collect();
        let slot = draft.slot.text();
        let names = |scope| ServiceName::of(self.id, &leader.meta, slot.as_deref(), scope);
        let own = names(draft.scope.as_deref());
        let beside = draft.scope_beside();
        // One name is one service's, so a further one of the route has it with a hash.
        let with_hash = draft.scope.is_some().then(|| own.with_hash());
        let plain = [own.first()].into_iter().chain(with_hash).find(is_free);
        let own = if plain.is_some() { own } else { names(Some(&beside)) };
        let plain = plain.unwrap_or_else(|| own.first());
        let object = self.view.get(&leader.id.cluster, self.id.kind, &self.id.namespace, &self.id.name);
        let told =
            if let Found::Object(object) = object { status::told_services(object) } else { BTreeSet::new() };
        // Of several that were given, the one that is told already.
        ours.sort_by_key(|one| (!told.contains(&one.name), one.name != plain, one.name.clone()));
        if let Some(service) = ours.first() {
            return Ok(service.name.clone());
        }
        let name = match &draft.slot {
            Slot::Own => told.iter().next().filter(|_| leader.hostnames.is_empty()).cloned(),
            slot => slot.text().and_then(|text| {
                let networks = draft.networks.iter().map(String::as_str).collect();
                let Found::Object(object) = object else { return None };
                status::told_service(object, &text, &networks)
            }),
        };
        let name = name.filter(is_free).unwrap_or(plain);
        let held = actual.services.iter().find(|one| one.name == name && !naming::is_ending(one));
        match held.map(|service| &service.ownership) {
            Some(Ownership::OtherUnit(unit)) if self.is_members(unit) => {
                Err(format!("The service {name} is being given to the merged routes"))
            }
            Some(Ownership::OtherUnit(_) | Ownership::Foreign) => {
                Ok(naming::service_beside(actual, own, |one| kept::is_for(one, &draft.slot)))
            }
            _ => Ok(name),
        }
    }

    fn is_members(&self, unit: &str) -> bool {
        let clusters = self.view.snapshot.facts.keys();
        clusters
            .into_iter()
            .any(|cluster| RouteId { cluster: cluster.clone(), ..self.id.clone() }.unit().hash() == unit)
    }
}

fn served_by(service: String, slot: &Slot, networks: BTreeSet<String>) -> Serving {
    let hostname = slot.text();
    Serving { service, hostname, networks, parents: None, leader: None, followers: vec![] }
}

/// Notes what became of each route's parents, with the reason where one is refused, which services serve it, and what it does not
/// get.
fn note(
    verdicts: Vec<(usize, usize, Option<Problem>)>,
    serving: Vec<(usize, Serving)>,
    unheeded: Vec<(usize, Unheeded, PortsOfParents)>,
    merging: &mut [Merging],
) {
    for (at, unheeded, ports) in unheeded {
        merging[at].built.tell(unheeded, &ports);
    }
    for (at, parent, problem) in verdicts {
        let verdict = merging[at].built.verdicts.entry(parent).or_default();
        match problem {
            None => verdict.is_served = true,
            Some(problem) => verdict.refused.push(problem),
        }
    }
    for (at, serving) in serving {
        merging[at].built.serving.push(serving);
    }
}

fn refuse(merging: &mut [Merging], slot: &Slot, problem: &Problem) {
    for one in merging {
        let asks = one.contender.claim.asks.iter().filter(|ask| ask.slot == *slot);
        for ask in asks {
            one.built.verdicts.entry(ask.parent).or_default().refused.push(problem.clone());
        }
    }
}

/// Which clusters' routes have a service in common with a route, as its status tells: one that is refused, or in no network as the
/// others are, has none.
fn told(of: &Merging, merging: &[Merging], unknown: &BTreeMap<ClusterId, String>) -> String {
    let services = |one: &Merging| -> BTreeSet<String> {
        one.built.serving.iter().map(|serving| serving.service.clone()).collect()
    };
    let own = services(of);
    let cluster = |one: &Merging| one.contender.claim.route.id.cluster.clone();
    let shares = |one: &&Merging| cluster(one) == cluster(of) || !services(one).is_disjoint(&own);
    let names: BTreeSet<String> = merging.iter().filter(shares).map(|one| cluster(one).name).collect();
    let names: Vec<String> = names.into_iter().collect();
    let mut text = format!("Clusters that share the service: {}.", names.join(", "));
    for (cluster, why) in unknown {
        text = format!("{text} The share of cluster {} stays as it is: {why}.", cluster.name);
    }
    text
}

fn report(one: &Merging, text: &str) -> Report {
    let reports = Reports { own: &one.contender, built: &one.built, rivals: BTreeSet::new() };
    match reports.report() {
        Report::Route(report) => {
            Report::Route(crate::RouteReport { merged: Some(text.to_owned()), ..report })
        }
        other => other,
    }
}
