//! What a route asks of each listener that takes it.

use super::merged;
use super::parents::{Parent, parents};
use super::slot::Slot;
use super::standalone;
use crate::attach::Taken;
use crate::backend::Listeners;
use crate::code::Code;
use crate::hostname::{do_meet, is_wildcard, no_domain};
use crate::policy;
use crate::problem::{Problem, quoted};
use crate::route::Route;
use crate::secret::SecretKey;
use crate::status;
use crate::view::View;
use serde_json::Value;
use std::collections::BTreeSet;
use std::rc::Rc;
use trellis_hint::{Kind, Scope};
use trellis_lattice::ListenerProtocol;

/// Names a Gateway within a cluster. Two of one name in two namespaces share a service network and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GatewayName {
    pub(crate) namespace: String,
    /// What the service network is called by too: its name, or its id.
    pub(crate) name: String,
}

/// One hostname of a route on one listener that takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Which of the claim's parents it is for.
    pub(crate) parent: usize,
    pub(crate) gateway: GatewayName,
    /// The ARN of the Gateway's service network, where that is known.
    pub(crate) network: Option<String>,
    /// None stands for any.
    pub(crate) hostname: Option<String>,
    /// The service that it can have.
    pub(crate) slot: Slot,
    /// Why it can have none, by what the Gateway says or since the route is closed.
    pub(crate) barred: Option<Problem>,
    pub(crate) port: u16,
    pub(crate) protocol: ListenerProtocol,
    pub(crate) certificate_arn: Option<String>,
    /// Whose account and Region the Gateway is in.
    pub(crate) scope: Scope,
    /// Hashes of the Secrets that the listener takes certificates from.
    pub(crate) secrets: Vec<String>,
}

impl Ask {
    /// Whether it is for the same service network: two Gateways stand for one also where the one is named after it and the other
    /// after its id.
    pub(crate) fn shares_network(&self, other: &Self) -> bool {
        self.gateway.name == other.gateway.name || self.network.is_some() && self.network == other.network
    }
}

/// A route, its parents and what it asks for.
pub(crate) struct Claim {
    pub(crate) route: Rc<Route>,
    pub(crate) parents: Vec<Parent>,
    /// In the order of the route's hostnames, then of its parents.
    pub(crate) asks: Vec<Ask>,
    /// Hostnames that are not served, or not as they stand there, whatever the parent.
    pub(crate) notes: Vec<Problem>,
    /// As `notes`, of one parent.
    pub(crate) notes_at: BTreeSet<(usize, Problem)>,
    /// Whether an IAMAuthPolicy names the route.
    pub(crate) has_auth: bool,
    /// Whether its services are to be in no service network.
    pub(crate) is_standalone: bool,
}

impl Claim {
    pub(crate) fn of(view: &View, route: Rc<Route>, object: &Value, unknown: &mut Vec<String>) -> Self {
        let parents = parents(view, &route, object, unknown);
        let (mut asks, notes_at) = asks(&route, &parents);
        let is_standalone = standalone::is_standalone(view, &route, &parents);
        let left = policy::left_closed(object);
        let shares = asks.iter().any(|ask| ask.slot != Slot::Own);
        let has_auth = (shares || left.is_some())
            && policy::has_its_own(view, &route.id).unwrap_or_else(|why| {
                unknown.push(why);
                false
            });
        if let Some(left) = left.filter(|_| !has_auth) {
            bar_left_closed(object, &left, &mut asks);
        }
        let mut notes = unheard(&route, &parents);
        match merged::obstacle(view, &route) {
            Ok(obstacle) => notes.extend(obstacle),
            Err(why) => unknown.push(why),
        }
        Self { route, parents, asks, notes, notes_at, has_auth, is_standalone }
    }

    /// The notes of the route and of all its parents, each once.
    pub(crate) fn all_notes(&self) -> Vec<Problem> {
        let of_parents = self.notes_at.iter().map(|(_, problem)| problem);
        let all: BTreeSet<&Problem> = self.notes.iter().chain(of_parents).collect();
        all.into_iter().cloned().collect()
    }

    /// The notes of the route and of one parent, each once.
    pub(crate) fn notes_of(&self, parent: usize) -> Vec<Problem> {
        let own = self.notes_at.iter().filter(|(at, _)| *at == parent).map(|(_, problem)| problem);
        let all: BTreeSet<&Problem> = self.notes.iter().chain(own).collect();
        all.into_iter().cloned().collect()
    }

    /// The listeners that take the route, and those of plain HTTP where it has others too.
    pub(crate) fn listeners(&self) -> (Listeners, Option<Listeners>) {
        let has_plain = self.parents.iter().any(Parent::has_plain);
        match (self.parents.iter().any(Parent::has_secure), has_plain) {
            (true, true) => (Listeners::Secure, Some(Listeners::PlainBeside)),
            (false, true) => (Listeners::Plain, None),
            (_, false) => (Listeners::Secure, None),
        }
    }

    /// What it asks for, each once, in the order of its hostnames.
    pub(crate) fn slots(&self) -> Vec<&Slot> {
        let mut slots: Vec<&Slot> = vec![];
        for ask in &self.asks {
            if !slots.contains(&&ask.slot) {
                slots.push(&ask.slot);
            }
        }
        slots
    }

    /// Whether it asks for a service.
    pub(crate) fn wants(&self, slot: &Slot) -> bool {
        self.asks.iter().any(|ask| ask.slot == *slot)
    }

    /// Whether the two ask for one service of one service network.
    pub(crate) fn contests(&self, other: &Self, slot: &Slot) -> bool {
        let asks_with = |ask: &Ask| other.asks.iter().any(|one| one.slot == *slot && one.shares_network(ask));
        self.is_standalone == other.is_standalone
            && self.asks.iter().any(|ask| ask.slot == *slot && asks_with(ask))
    }

    /// Why it comes before another one, in words.
    pub(crate) fn precedence(&self, other: &Self) -> &'static str {
        let ((own, name, kind), (others, others_name, others_kind)) = (self.seniority(), other.seniority());
        match (own == others, name == others_name, kind == others_kind) {
            (false, ..) => "is older",
            (true, false, _) => "is as old, comes first by name",
            (true, true, false) => "is as old, comes first by kind",
            // Of one route of several clusters.
            (true, true, true) => "is as old, comes first by its cluster's name",
        }
    }

    /// The older first; then by namespace and name as one text, as the specification asks.
    pub(crate) fn seniority(&self) -> (&str, String, &str) {
        let created = self.route.meta.creation_timestamp.as_deref().unwrap_or_default();
        let name = format!("{}/{}", self.route.id.namespace, self.route.id.name);
        (created, name, self.route.id.kind.as_str())
    }
}

/// Hostnames of a route for which none of the listeners that take it is.
fn unheard(route: &Route, parents: &[Parent]) -> Vec<Problem> {
    let taken: Vec<&Taken> = parents.iter().flat_map(|parent| &parent.attached).collect();
    let is_heard = |hostname: &String| {
        let mut served =
            taken.iter().flat_map(|one| &one.attached).flat_map(|one| one.hostnames.iter().flatten());
        served.any(|one| do_meet(one, hostname))
            || taken.iter().flat_map(|one| &one.isolated).any(|one| one.hostname == *hostname)
    };
    let unheard = route.hostnames.iter().filter(|hostname| !taken.is_empty() && !is_heard(hostname));
    let problem = |hostname: &String| {
        let text = format!(
            "No listener that takes the route is for {}, so no request for it is answered; attach the route to one that is, or take \
             it out",
            quoted(hostname)
        );
        Problem::new(Code::HostnameUnheard, "spec.hostnames", text)
    };
    unheard.map(problem).collect()
}

/// A route that a deleted IAMAuthPolicy has left closed moves into no service by its Gateway's word: nobody knows that to be closed.
fn bar_left_closed(object: &Value, left: &Problem, asks: &mut [Ask]) {
    let of_gateways: BTreeSet<GatewayName> = asks.iter().map(|ask| ask.gateway.clone()).collect();
    let of_gateways: Vec<String> =
        of_gateways.into_iter().filter_map(|gateway| Slot::Gateway(gateway).text()).collect();
    let networks: BTreeSet<String> = asks.iter().map(|ask| ask.gateway.name.clone()).collect();
    let networks: BTreeSet<&str> = networks.iter().map(String::as_str).collect();
    for ask in asks.iter_mut().filter(|ask| ask.hostname.is_none()) {
        let has_it = match ask.slot.text() {
            Some(slot) => status::tells_of(object, &slot, &networks),
            None => !status::tells_only(object, &of_gateways, &networks),
        };
        if !has_it {
            ask.barred.get_or_insert_with(|| left.clone());
        }
    }
}

/// What each parent is asked for, and what is to be said of what it cannot be.
fn asks(route: &Route, parents: &[Parent]) -> (Vec<Ask>, BTreeSet<(usize, Problem)>) {
    let (mut asks, mut notes) = (vec![], BTreeSet::new());
    for (at, parent) in parents.iter().enumerate() {
        let Ok(taken) = &parent.attached else { continue };
        let (namespace, name) = (parent.reference.namespace.clone(), parent.reference.name.clone());
        let gateway = GatewayName { namespace, name };
        for attached in &taken.attached {
            for hostname in &attached.hostnames {
                let hostname = match servable(route, hostname.as_deref()) {
                    Servable::Domain(domain) => Some(domain),
                    Servable::GeneratedName(note) => {
                        notes.extend(note.map(|note| (at, note)));
                        None
                    }
                    Servable::Not(why) => {
                        notes.insert((at, why));
                        continue;
                    }
                };
                let (slot, barred) = taken.sharing.slot(&gateway, hostname.as_deref());
                let ask = Ask {
                    parent: at,
                    gateway: gateway.clone(),
                    network: parent.network.clone(),
                    hostname,
                    slot,
                    barred,
                    port: attached.listener.port,
                    protocol: attached.listener.protocol,
                    certificate_arn: attached.listener.certificate_arn.clone(),
                    scope: route.id.cluster.scope.clone(),
                    secrets: attached.listener.secrets.iter().map(SecretKey::hash).collect(),
                };
                if !asks.contains(&ask) {
                    asks.push(ask);
                }
            }
        }
    }
    let place = |ask: &Ask| route.hostnames.iter().position(|one| Some(one) == ask.hostname.as_ref());
    asks.sort_by_key(|ask| (place(ask), ask.hostname.clone()));
    (asks, notes)
}

/// How VPC Lattice can serve an effective hostname.
enum Servable {
    /// As a custom domain.
    Domain(String),
    /// Under the service's generated name, with what is to be told of that.
    GeneratedName(Option<Problem>),
    /// Not at all.
    Not(Problem),
}

/// Whether a custom domain may be a wildcard is not documented, so none is made.
fn servable(route: &Route, hostname: Option<&str>) -> Servable {
    let is_tls = route.id.kind == Kind::TLSRoute;
    match hostname {
        None if is_tls => {
            let text = "VPC Lattice passes TLS on by hostname; name at least one";
            Servable::Not(Problem::new(Code::HostnameNeeded, "spec.hostnames", text))
        }
        None => Servable::GeneratedName(None),
        Some(wildcard) if is_wildcard(wildcard) => {
            let is_own = route.hostnames.iter().any(|own| own == wildcard);
            let path = if is_own { "spec.hostnames" } else { "spec.parentRefs" };
            let text = format!(
                "VPC Lattice serves no wildcard such as {}; name the hostnames one by one",
                quoted(wildcard)
            );
            let problem = Problem::new(Code::HostnameWildcard, path, text);
            // A wildcard of the listener alone still lets the route in.
            if route.hostnames.is_empty() && !is_tls {
                Servable::GeneratedName(Some(problem))
            } else {
                Servable::Not(problem)
            }
        }
        Some(hostname) => match no_domain(hostname) {
            Some(why) => {
                let is_own = route.hostnames.iter().any(|own| own == hostname);
                let path = if is_own { "spec.hostnames" } else { "spec.parentRefs" };
                Servable::Not(Problem::new(Code::HostnameNoDomain, path, why))
            }
            None => Servable::Domain(hostname.to_owned()),
        },
    }
}
