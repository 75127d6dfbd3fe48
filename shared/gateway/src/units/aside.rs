//! The routes that stand beside one with hostnames and can have no service together with it: they name no hostname, nor does any
//! listener of their Gateways. There may be hundreds of them on its Gateway, and all that it is told of them is that one of them
//! answers for none of its hostnames; so of most of them no more is read than this.

use super::claim::{Claim, GatewayName};
use super::cluster_routes::read;
use super::contest::{Member, ServiceDraft, named};
use super::merged::is_merging;
use super::services::Contender;
use crate::Settings;
use crate::api;
use crate::code::Code;
use crate::gateway::{self, Whose};
use crate::prefixes;
use crate::problem::{Problem, quoted};
use crate::route::RouteId;
use crate::snapshot::Snapshot;
use crate::view::View;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Action, Actual, DesiredService};

/// Tells such routes from others by their bare objects.
pub(crate) struct Bystanders<'v, 'a> {
    view: &'v View<'a>,
    cluster: &'v ClusterId,
    /// By namespace and name, whether a Gateway gives a route without a hostname nothing but a service of its own.
    gateways: BTreeMap<(&'a str, &'a str), bool>,
}

impl<'v, 'a> Bystanders<'v, 'a> {
    pub(crate) fn of(view: &'v View<'a>, cluster: &'v ClusterId) -> Self {
        Self { view, cluster, gateways: BTreeMap::new() }
    }

    /// Whether a route can have no service but its own. Of a Gateway that is not known yet nothing is said.
    pub(crate) fn has(&mut self, route: &'a Value) -> bool {
        let list = |member: &str| route.get("spec").and_then(|spec| spec.get(member)?.as_array());
        if list("hostnames").is_some_and(|hostnames| !hostnames.is_empty()) {
            return false;
        }
        let own = route.get("metadata").and_then(|metadata| text(metadata, "namespace")).unwrap_or_default();
        let is_gateway = |parent: &&Value| {
            text(parent, "kind").is_none_or(|kind| kind == Kind::Gateway.as_str())
                && text(parent, "group").is_none_or(|group| group == Kind::Gateway.group())
        };
        let parents = list("parentRefs").into_iter().flatten().filter(is_gateway);
        parents.into_iter().all(|parent| {
            let name = text(parent, "name").unwrap_or_default();
            self.is_plain(text(parent, "namespace").unwrap_or(own), name)
        })
    }

    fn is_plain(&mut self, namespace: &'a str, name: &'a str) -> bool {
        let key = (namespace, name);
        if let Some(known) = self.gateways.get(&key) {
            return *known;
        }
        let is_plain = match gateway::find(self.view, self.cluster, namespace, name) {
            (Whose::Unknown(_), _) => false,
            (Whose::Others, _) | (Whose::Ours, None) => true,
            (Whose::Ours, Some(object)) => {
                let judged = self.view.judged(self.cluster, object);
                !is_merging(object) && judged.is_ok_and(|gateway| gateway.is_for_own_services())
            }
        };
        self.gateways.insert(key, is_plain);
        is_plain
    }
}

/// Whether a route can have no service together with any other one, as far as it can be read. What others are told of several such
/// routes of one kind and namespace is the same, where their `parentRefs` are.
pub fn stands_aside(
    snapshot: &Snapshot,
    cluster: &ClusterId,
    (kind, route): (Kind, &Value),
    settings: &Settings,
) -> bool {
    let nothing = Actual::default();
    let view = View::new(snapshot, &nothing);
    !api::is_terminating(route)
        && Bystanders::of(&view, cluster).has(route)
        && read(&view, cluster, kind, route, settings).is_some()
}

fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

/// These routes, in the order of their kinds, namespaces and names.
#[derive(Debug, Default)]
pub(crate) struct Aside<'a>(Vec<(Kind, &'a Value)>);

impl<'a> Aside<'a> {
    pub(crate) fn push(&mut self, kind: Kind, object: &'a Value) {
        self.0.push((kind, object));
    }

    /// The first one of a kind whose claim is so.
    pub(crate) fn first(
        &self,
        view: &View,
        settings: &Settings,
        (kind, cluster): (Kind, &ClusterId),
        is_so: impl Fn(&Claim) -> bool,
    ) -> Option<RouteId> {
        let of_kind = self.0.iter().filter(|(own, _)| *own == kind);
        let claims = of_kind.filter_map(|(kind, object)| {
            // What is not known of it holds nobody up.
            Some(Claim::of(view, read(view, cluster, *kind, object, settings)?, object, &mut vec![]))
        });
        claims.into_iter().find(|claim| is_so(claim)).map(|claim| claim.route.id.clone())
    }
}

/// What of a hostname nobody answers although a route for all hostnames is on the same listener, by the parent that asks for the
/// hostname there: by the specification that one would, and here it is a service of its own.
pub(super) fn unanswered(
    (view, settings): (&View, &Settings),
    service: &DesiredService,
    (draft, members, me): (&ServiceDraft, &[Member], usize),
    (others, aside): (&[Contender], &Aside),
) -> Vec<(usize, Problem)> {
    let (Some(hostname), Some(leader)) = (draft.slot.domain(), draft.leader()) else { return vec![] };
    let leader = &members[leader].claim.route.id;
    let is_open = |port: u16| {
        let listener = service.listeners.iter().find(|listener| listener.port == port);
        listener.is_some_and(|listener| {
            listener.default_action == Action::FixedResponse(404)
                && !listener.rules.iter().any(|rule| prefixes::takes_everything(&rule.matches))
        })
    };
    let asks = members[me].claim.asks.iter().filter(|ask| ask.slot == draft.slot);
    let of_draft = asks.filter(|ask| draft.networks.contains(&ask.gateway.name) && is_open(ask.port));
    let mut of_parents: BTreeMap<usize, BTreeSet<(&GatewayName, u16)>> = BTreeMap::new();
    for ask in of_draft {
        of_parents.entry(ask.parent).or_default().insert((&ask.gateway, ask.port));
    }
    let other = |listeners: &BTreeSet<(&GatewayName, u16)>| {
        let is_beside = |claim: &Claim| {
            let open = claim.asks.iter().filter(|ask| ask.hostname.is_none() && ask.slot != draft.slot);
            open.into_iter().any(|ask| listeners.contains(&(&ask.gateway, ask.port)))
        };
        let of_kind = others.iter().filter(|one| one.claim.route.id.kind == leader.kind);
        let among_others =
            of_kind.into_iter().find(|one| is_beside(&one.claim)).map(|one| one.claim.route.id.clone());
        let of_aside = aside.first(view, settings, (leader.kind, &leader.cluster), is_beside);
        among_others.into_iter().chain(of_aside).min()
    };
    // Parents of the same listeners are told the same: each look reads routes.
    let each: BTreeSet<&BTreeSet<(&GatewayName, u16)>> = of_parents.values().collect();
    let of_listeners: BTreeMap<_, Option<RouteId>> =
        each.into_iter().map(|listeners| (listeners, other(listeners))).collect();
    let problem = |other: &RouteId| {
        let text = format!(
            "Requests for {} that no rule matches are answered 404, and not by {}: in VPC Lattice a route without hostnames is a \
             service of its own; name the hostname in that route too, if it is to answer them",
            quoted(hostname),
            named(other)
        );
        Problem::new(Code::HostnameUnanswered, "spec.hostnames", text)
    };
    let told = of_parents
        .iter()
        .filter_map(|(parent, listeners)| Some((*parent, problem(of_listeners.get(listeners)?.as_ref()?))));
    told.collect()
}
