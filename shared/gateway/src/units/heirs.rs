//! Who has a service when its leader does not lead it any more: the next route of the hostname carries on with it, under
//! the same domain name and without a moment in which nothing answers.
//!
//! The old leader's unit gives the service away, for it alone may; the heir waits for that. Both find the heir from the
//! same objects: it leads the hostname in the service's network now, and its status tells that the service serves it. A
//! route that was never served by the service was promised nothing: it makes its own.

use super::claim::Claim;
use super::cluster_routes::{objects, routes};
use super::contest::{Member, decide};
use super::kept;
use super::merged;
use super::rules;
use super::services::Contender;
use super::slot::Slot;
use crate::hostname::do_meet;
use crate::naming::ServiceName;
use crate::route::{Route, RouteId};
use crate::view::View;
use crate::{Settings, status};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::UnitKey;
use trellis_lattice::{ActualService, Owner};

/// The routes among which the heirs of a unit are: those whose status names it, and whoever has a hostname or a
/// Gateway of theirs.
pub(crate) struct Heirs<'a> {
    contenders: Vec<Contender<'a>>,
}

impl<'a> Heirs<'a> {
    /// Reads all that deciding needs; what is not known makes no heir. `stays`: names of services that the route still leads.
    pub(crate) fn of(view: &View<'a>, id: &RouteId, stays: &BTreeSet<&str>, settings: &Settings) -> Self {
        if view.is_inspected && left(view, stays).next().is_none() {
            return Self::none();
        }
        let unit = id.unit();
        // Told by the bare objects, since there may be thousands of routes and mostly nobody names another one.
        let names = |object: &Value| status::mentioned(&id.cluster, object).contains(&unit);
        if !objects(view, &id.cluster, &mut vec![]).into_iter().any(|(_, object)| names(object)) {
            return Self::none();
        }
        let mut others = routes(view, &id.cluster, settings, &mut vec![]);
        others.retain(|(route, _)| route.id != *id);
        let naming: Vec<&Route> =
            others.iter().filter(|(_, object)| names(object)).map(|(route, _)| &**route).collect();
        let hostnames: BTreeSet<String> =
            naming.iter().flat_map(|route| route.hostnames.iter().cloned()).collect();
        let gateways = |route: &Route| -> BTreeSet<(String, String)> {
            route.parents.iter().map(|parent| (parent.namespace.clone(), parent.name.clone())).collect()
        };
        let all_gateways: BTreeSet<(String, String)> =
            naming.iter().flat_map(|route| gateways(route)).collect();
        // Only these: what the rules of a route lead to costs reads.
        others.retain(|(route, _)| {
            let meets = |one: &String| hostnames.iter().any(|other| do_meet(one, other));
            route.hostnames.iter().any(meets)
                || route.hostnames.is_empty() && !gateways(route).is_disjoint(&all_gateways)
        });
        let claims =
            others.into_iter().map(|(route, object)| (Claim::of(view, route, object, &mut vec![]), object));
        let may_share = |claim: &Claim| {
            !claim.route.hostnames.is_empty() || claim.slots().iter().any(|slot| **slot != Slot::Own)
        };
        let sharing = claims.filter(|(claim, _)| may_share(claim));
        let contenders = sharing.map(|(claim, object)| {
            let rules = rules::resolve(view, &claim, None, settings, &mut vec![]);
            Contender { claim, rules, object }
        });
        // One that is merged has its service from its merged unit.
        let (_, contenders) = merged::split_merged(view, contenders.collect());
        Self { contenders }
    }

    /// None: a route that nobody's status names has no heirs but those that it knows.
    pub(crate) fn none() -> Self {
        Self { contenders: vec![] }
    }

    /// The services that go to another unit, by name. `own`: the route itself and those that may have a hostname in common
    /// with it, while it stands; `stays`: names of services that it still leads.
    pub(crate) fn handovers(
        &self,
        view: &View,
        own: Option<(&Contender, &[Contender])>,
        stays: &BTreeSet<&str>,
        settings: &Settings,
    ) -> BTreeMap<String, Owner> {
        left(view, stays)
            .filter_map(|service| {
                let heir = self.heir_of(view, own, service, settings)?;
                Some((service.name.clone(), settings.owner(&heir.unit())))
            })
            .collect()
    }

    fn heir_of(
        &self,
        view: &View,
        own: Option<(&Contender, &[Contender])>,
        service: &ActualService,
        settings: &Settings,
    ) -> Option<RouteId> {
        let slot = Slot::of(service);
        let text = slot.text()?;
        let asks = |one: &&Contender| one.claim.wants(&slot);
        let known = own.map(|(own, others)| others.iter().chain([own])).into_iter().flatten();
        let mut by_id: BTreeMap<&RouteId, &Contender> = BTreeMap::new();
        for one in self.contenders.iter().chain(known).filter(asks) {
            by_id.insert(&one.claim.route.id, one);
        }
        let mut contenders: Vec<&Contender> = by_id.into_values().collect();
        sort(&mut contenders);
        let members: Vec<Member> = contenders
            .iter()
            .map(|one| Member {
                claim: &one.claim,
                rules: &one.rules,
                object: one.object,
                was_served: was_served(one, &text),
            })
            .collect();
        let outcome = decide(view, settings, &slot, &members);
        let of_service = outcome.drafts.iter().filter(|draft| draft.is_where(service));
        let is_own =
            |at: &usize| own.is_some_and(|(own, _)| own.claim.route.id == contenders[*at].claim.route.id);
        let heir = of_service.into_iter().find_map(|draft| {
            let members = draft.members();
            let leader = members.first().copied().filter(|at| !is_own(at))?;
            // A leader that becomes a follower hands over in any case: its own rules are in that service.
            let was_led_by_own = members.iter().any(is_own);
            (was_led_by_own || expects(contenders[leader], service, &text)).then_some(leader)
        })?;
        Some(contenders[heir].claim.route.id.clone())
    }
}

/// The services that others may have parts in and that the route does not lead any more.
fn left<'a>(view: &View<'a>, stays: &BTreeSet<&str>) -> impl Iterator<Item = &'a ActualService> {
    view.actual.services.iter().filter(|service| {
        let slot = Slot::of(service);
        slot != Slot::Own && kept::is_for(service, &slot) && !stays.contains(service.name.as_str())
    })
}

pub(crate) fn sort(contenders: &mut [&Contender]) {
    contenders.sort_by_cached_key(|one| {
        let (created, name, kind) = one.claim.seniority();
        (created.to_owned(), name, kind.to_owned())
    });
}

/// Whether a route's status tells that something serves it in a slot.
pub(crate) fn was_served(one: &Contender, slot: &str) -> bool {
    status::tells_of(one.object, slot, &networks_of(one))
}

fn networks_of<'a>(one: &'a Contender) -> BTreeSet<&'a str> {
    one.claim.asks.iter().map(|ask| ask.gateway.name.as_str()).collect()
}

/// Whether a route carries on with that very service: its status tells that the service serves it, or the name is its own.
fn expects(one: &Contender, service: &ActualService, slot: &str) -> bool {
    let route = &one.claim.route;
    let own = ServiceName::of(&route.id, &route.meta, Some(slot), Some(slot));
    status::told_services(one.object).contains(&service.name)
        || [own.first(), own.with_hash()].contains(&service.name)
}

/// The service that a route is to carry on with although it has not made it: that of a leader that has fallen, which its
/// own status tells, or that of a younger member, which led while this one could not.
pub(crate) fn inherited(
    own: &Contender,
    others: &[Contender],
    (members, leading): (&BTreeSet<&RouteId>, &BTreeSet<&RouteId>),
    slot: &str,
    networks: &BTreeSet<String>,
) -> Option<String> {
    let networks: BTreeSet<&str> = networks.iter().map(String::as_str).collect();
    let id = &own.claim.route.id;
    let leader = status::leader_of(&id.cluster, own.object, slot).filter(|leader| *leader != id.unit());
    // Whoever still leads the hostname anywhere keeps the service that it has.
    let stands = |unit: &UnitKey| members.union(leading).any(|member| member.unit() == *unit);
    if leader.is_some_and(|leader| !stands(&leader)) {
        return status::told_service(own.object, slot, &networks);
    }
    let mut led = others.iter().filter(|one| {
        let id = &one.claim.route.id;
        members.contains(id)
            && !leading.contains(id)
            && status::leader_of(&id.cluster, one.object, slot).is_none()
    });
    led.find_map(|one| status::told_service(one.object, slot, &networks))
}
