//! From one service of a route to another, when its Gateways are told to share their routes out otherwise: the service that
//! requests come to stays as it is until the one in its place answers, and the status tells its domain name first till then.
//!
//! | the old service | stays until |
//! |---|---|
//! | the route's own | the new one is active in its networks; where that is another route's, until that one's status lists this route |
//! | the one of a Gateway, of the unit that leads it | the same, and no other route's status names it any more |
//! | the one of a Gateway, for a route that followed there | it is told by its domain name until the route's own is active |
//!
//! From then on nobody wants it, and it goes after the grace. Who asks for another hostname, or other Gateways, moves by an edit
//! of the route: that is as it always was.

use super::kept;
use super::services::{Built, Contender};
use super::slot::Slot;
use crate::report::Serving;
use crate::route::{ROUTE_KINDS, RouteId};
use crate::snapshot::ObjectKey;
use crate::view::View;
use crate::{Settings, naming, status};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, UnitKey};
use trellis_lattice::{ActualService, ActualTargetGroup, Ownership, Status};

/// Keeps what requests still come to. The others are the routes that the route may share a service with, or did.
pub(crate) fn keep(
    view: &View,
    own: &Contender,
    others: &[Contender],
    settings: &Settings,
    built: &mut Built,
) {
    // As long as a request for any hostname is asked for, it is the Gateway's word that moved it.
    if !own.claim.asks.iter().any(|ask| ask.hostname.is_none()) {
        return;
    }
    let is_there = !built.serving.is_empty() && built.serving.iter().all(|new| answers(view, own, new));
    let networks: BTreeSet<String> = own.claim.asks.iter().map(|ask| ask.gateway.name.clone()).collect();
    let is_left = |service: &&ActualService| {
        let slot = Slot::of(service);
        let is_wanted = match slot {
            Slot::Own => own.claim.wants(&slot),
            Slot::Gateway(_) => others.iter().chain([own]).any(|one| one.claim.wants(&slot)),
            Slot::Domain(_) => true,
        };
        kept::is_for(service, &slot)
            && !is_wanted
            && !built.services.iter().any(|wanted| wanted.name == service.name)
            && (!is_there || told_by(others, service).next().is_some())
    };
    let left: Vec<&ActualService> = view.actual.services.iter().filter(is_left).collect();
    let mut old = vec![];
    for service in left {
        let id = &own.claim.route.id;
        let made_for = |group: &ActualTargetGroup| route_of(&id.cluster, group).unwrap_or_else(|| id.clone());
        let whole = kept::whole(view, service, &networks, made_for, settings);
        let wanted = whole.service;
        if wanted.networks.is_empty() && !own.claim.is_standalone {
            continue;
        }
        built.target_groups.extend(whole.groups);
        old.push(Serving {
            service: service.name.clone(),
            hostname: Slot::of(service).text(),
            networks: if own.claim.is_standalone { networks.clone() } else { wanted.networks.clone() },
            parents: None,
            leader: None,
            followers: told_by(others, service)
                .map(|one| (key(&one.claim.route.id), Some(one.claim.route.meta.generation)))
                .collect(),
        });
        built.services.push(wanted);
    }
    if !is_there {
        old.extend(followed_before(own, others));
    }
    // A route that is refused comes into no other service: it stays where it is, and a person has to help.
    built.is_moving = !(old.is_empty() || built.serving.is_empty());
    built.serving.splice(0..0, old);
}

/// The services of Gateways that the route followed in and is in no more, as its status tells, and as that of the leader does:
/// what that one does not tell of, requests come to no more.
fn followed_before(own: &Contender, others: &[Contender]) -> Vec<Serving> {
    let id = &own.claim.route.id;
    let mut gateways: Vec<_> = own.claim.asks.iter().map(|ask| ask.gateway.clone()).collect();
    gateways.sort();
    gateways.dedup();
    let served = gateways.into_iter().filter_map(|gateway| {
        let slot = Slot::Gateway(gateway.clone());
        let text = slot.text().filter(|_| !own.claim.wants(&slot))?;
        let leader = status::leader_of(&id.cluster, own.object, &text)?;
        let UnitKey::Route { kind, namespace, name, .. } = leader else { return None };
        let leader = ObjectKey { kind, namespace, name };
        let service = status::told_service(own.object, &text, &BTreeSet::from([gateway.name.as_str()]))?;
        let of_leader = others.iter().find(|one| key(&one.claim.route.id) == leader)?;
        status::told_services(of_leader.object).contains(&service).then(|| Serving {
            service,
            hostname: Some(text),
            networks: BTreeSet::from([gateway.name]),
            parents: None,
            leader: Some(leader),
            followers: vec![],
        })
    });
    served.collect()
}

/// The routes whose status names a service.
fn told_by<'a>(
    others: &'a [Contender<'a>],
    service: &'a ActualService,
) -> impl Iterator<Item = &'a Contender<'a>> {
    others.iter().filter(|one| status::told_services(one.object).contains(&service.name))
}

/// Whether a service serves the route: its own is active, with all its listeners, in all its networks; another route's status
/// says so.
fn answers(view: &View, own: &Contender, serving: &Serving) -> bool {
    let id = &own.claim.route.id;
    if serving.leader.is_some() {
        let generation = own.claim.route.meta.generation;
        return status::is_in_service(view.snapshot, &id.cluster, serving, (&key(id), generation));
    }
    let named = view.actual.services.iter().filter(|service| service.name == serving.service);
    named.into_iter().any(|service| {
        let is_in = |network: &String| {
            let mut links = service.associations.iter().filter(|one| one.network == *network);
            links.any(|one| one.status == Status::Active)
        };
        service.ownership == Ownership::Ours
            && service.status == Status::Active
            && !service.listeners.is_empty()
            && (own.claim.is_standalone || serving.networks.iter().all(is_in))
    })
}

fn key(id: &RouteId) -> ObjectKey {
    ObjectKey { kind: id.kind, namespace: id.namespace.clone(), name: id.name.clone() }
}

/// The route that a target group was made for, as its tags tell.
fn route_of(cluster: &ClusterId, group: &ActualTargetGroup) -> Option<RouteId> {
    let tag = |name: &str| group.tags.get(&naming::tag_key(name)).cloned();
    let kind = tag("SourceTypeKey")?;
    let kind = ROUTE_KINDS.into_iter().find(|one| one.as_str() == kind)?;
    Some(RouteId {
        kind,
        cluster: cluster.clone(),
        namespace: tag("RouteNamespace")?,
        name: tag("RouteName")?,
    })
}
