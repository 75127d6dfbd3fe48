//! Which listeners of a Gateway take a route.

use crate::api::{self, AllowedRoutes};
use crate::code::Code;
use crate::gateway::{JudgedGateway, JudgedListener};
use crate::hostname;
use crate::problem::{Problem, quoted};
use crate::report::Condition;
use crate::route::{ParentRef, Route};
use crate::units::slot::Sharing;
use crate::view::{Found, View};
use crate::{conditions, reasons};
use std::collections::BTreeSet;
use std::rc::Rc;
use trellis_hint::{ClusterId, Kind};

/// A listener that takes a route, and the hostnames under which it does; `None` stands for any.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) listener: Rc<JudgedListener>,
    pub(crate) hostnames: Vec<Option<String>>,
}

/// The listeners that take a route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    /// At least one.
    pub(crate) attached: Vec<Attached>,
    /// Hostnames of the route that listeners of narrower hostnames have, which do not take it.
    pub(crate) isolated: Vec<Isolated>,
    /// How the Gateway's routes are shared out among services.
    pub(crate) sharing: Sharing,
}

/// A hostname of a route whose requests come to a listener that does not take it.
#[derive(Debug, Clone)]
pub(crate) struct Isolated {
    pub(crate) hostname: String,
    /// The listener's name.
    pub(crate) listener: String,
    holds: Holds,
}

/// Why a listener has the requests for a hostname.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// It serves it, by the narrower hostname.
    Narrower,
    /// As that, and it takes no routes of the kind.
    OfOtherKind,
    /// As that, and it takes no routes of the namespace.
    OfOtherNamespace,
    /// It asks for client certificates and is not served for that.
    ForKnownClients,
    /// It is refused, and would not take the route if it were not.
    Reserved,
}

impl Isolated {
    /// What is to be told of it; `remedy` is how to attach the route, where that helps.
    pub(crate) fn problem(&self, namespace: &str, gateway: &str, remedy: &str) -> Problem {
        let (why, remedy) = match self.holds {
            Holds::Narrower => ("whose hostname is the narrower one", remedy),
            Holds::OfOtherKind => (
                "whose hostname is the narrower one and which takes no routes of this kind",
                "; take the hostname out, or use another port",
            ),
            Holds::OfOtherNamespace => (
                "whose hostname is the narrower one and which takes no routes of this namespace",
                "; take the hostname out, or change its allowedRoutes",
            ),
            Holds::ForKnownClients => {
                ("which asks for client certificates and is not served; see its conditions", "")
            }
            Holds::Reserved => (
                "which is not served, see its conditions, and whose allowedRoutes do not let the route in",
                "",
            ),
        };
        let text = format!(
            "Requests for {} come to the listener {} of Gateway {namespace}/{gateway}, {why}{remedy}",
            quoted(&self.hostname),
            quoted(&self.listener)
        );
        Problem::new(Code::HostnameIsolated, "spec.hostnames", text)
    }
}

/// Why no listener takes a route.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// By the rules: this is the Accepted condition.
    Condition(Condition),
    /// What the rules ask for is not known.
    Unknown(String),
}

/// The listeners that take the route.
pub(crate) fn attach(
    view: &View,
    route: &Route,
    parent: &ParentRef,
    gateway: &JudgedGateway,
) -> Result<Taken, Refusal> {
    let refused = |reason, path: &str, text: String| {
        let code = Code::of_condition(conditions::ACCEPTED, reason).unwrap_or(Code::Invalid);
        let problem = Problem::new(code, path, text);
        Err(Refusal::Condition(Condition::no_for(conditions::ACCEPTED, reason, vec![problem])))
    };
    let named: Vec<&Rc<JudgedListener>> = gateway
        .listeners
        .iter()
        .filter(|listener| parent.section.as_ref().is_none_or(|section| *section == listener.wire.name))
        .filter(|listener| parent.port.is_none_or(|port| port == listener.wire.port))
        .collect();
    let gateway_name = format!("Gateway {}/{}", gateway.namespace, gateway.name);
    if gateway.listeners.is_empty() {
        let text = format!("{gateway_name} has no listener; give it one");
        return refused(reasons::NO_MATCHING_PARENT, &parent.path, text);
    }
    if named.is_empty() {
        let text =
            format!("{gateway_name} has no listener of that sectionName and port; name one that it has");
        return refused(reasons::NO_MATCHING_PARENT, &parent.path, text);
    }
    if named.iter().all(|listener| !listener.is_usable) {
        let text = format!(
            "No listener meant here is valid; see the listeners' conditions in the status of {gateway_name}"
        );
        return refused(reasons::NO_MATCHING_PARENT, &parent.path, text);
    }
    let mut allowed = vec![];
    for listener in named.into_iter().filter(|listener| listener.is_usable) {
        if listener.kinds.contains(&route.id.kind)
            && allows_namespace(
                view,
                (&route.id.cluster, &route.id.namespace),
                &gateway.namespace,
                listener.wire.allowed_routes.as_ref(),
            )
            .map_err(Refusal::Unknown)?
        {
            allowed.push(listener);
        }
    }
    if allowed.is_empty() {
        let text = format!(
            "No listener of {gateway_name} takes routes of kind {} from namespace {}; change the listener's allowedRoutes or \
             protocol",
            route.id.kind, route.id.namespace
        );
        return refused(reasons::NOT_ALLOWED_BY_LISTENERS, &parent.path, text);
    }
    let met: Vec<Attached> = allowed
        .into_iter()
        .map(|listener| Attached {
            hostnames: hostname::intersection(listener.wire.hostname.as_deref(), &route.hostnames),
            listener: Rc::clone(listener),
        })
        .filter(|attached| !attached.hostnames.is_empty())
        .collect();
    let is_reserved = reserved(view, route, gateway, &met)?;
    let (attached, mut isolated) = isolate(met, gateway, &is_reserved);
    let is_served = |hostname: &String| {
        attached.iter().flat_map(|one| &one.hostnames).flatten().any(|served| served == hostname)
    };
    isolated.retain(|one| !is_served(&one.hostname));
    for one in isolated.iter_mut().filter(|one| one.holds == Holds::Narrower) {
        one.holds = holds_against(view, route, gateway, &one.listener);
    }
    if let (true, Some(isolated)) = (attached.is_empty(), isolated.first()) {
        let problem =
            isolated.problem(&gateway.namespace, &gateway.name, "; attach the route to that listener");
        let reason = reasons::NO_MATCHING_LISTENER_HOSTNAME;
        return Err(Refusal::Condition(Condition::no_for(conditions::ACCEPTED, reason, vec![problem])));
    }
    if attached.is_empty() {
        let text = format!("None is within a hostname of a listener of {gateway_name}; change one of them");
        return refused(reasons::NO_MATCHING_LISTENER_HOSTNAME, "spec.hostnames", text);
    }
    Ok(Taken { attached, isolated, sharing: gateway.sharing.clone() })
}

/// The listeners that are refused and would not let the route in: what they name is not given to it by a wider one of their port. A
/// mistake in a listener opens its hostname to nobody.
fn reserved(
    view: &View,
    route: &Route,
    gateway: &JudgedGateway,
    met: &[Attached],
) -> Result<BTreeSet<String>, Refusal> {
    let mut reserved = BTreeSet::new();
    let of = (&route.id.cluster, route.id.namespace.as_str());
    let of_port = |listener: &JudgedListener| met.iter().any(|one| one.listener.port == listener.port);
    for listener in gateway.listeners.iter().filter(|listener| !listener.is_usable && of_port(listener)) {
        let is_named = listener.wire.hostname.as_deref().is_some_and(|hostname| !hostname.is_empty());
        let is_for_hosts = ["HTTP", "HTTPS", "TLS"].contains(&listener.wire.protocol.as_str());
        if is_named
            && is_for_hosts
            && !allows_namespace(view, of, &gateway.namespace, listener.wire.allowed_routes.as_ref())
                .map_err(Refusal::Unknown)?
        {
            reserved.insert(listener.wire.name.clone());
        }
    }
    Ok(reserved)
}

/// How a usable listener of a narrower hostname stands to a route that is not attached to it.
fn holds_against(view: &View, route: &Route, gateway: &JudgedGateway, listener: &str) -> Holds {
    let named = gateway.listeners.iter().find(|one| one.is_usable && one.wire.name == listener);
    let Some(listener) = named else { return Holds::Narrower };
    if !listener.kinds.contains(&route.id.kind) {
        return Holds::OfOtherKind;
    }
    match allows_namespace(
        view,
        (&route.id.cluster, &route.id.namespace),
        &gateway.namespace,
        listener.wire.allowed_routes.as_ref(),
    ) {
        Ok(false) => Holds::OfOtherNamespace,
        // What is not known is no reason to say that it does not help.
        Ok(true) | Err(_) => Holds::Narrower,
    }
}

/// Takes from each listener the hostnames that a narrower listener of the same port has: a request is served by the one
/// with the narrowest hostname that fits, and by the routes of that one alone (specification, listener isolation). So does a
/// listener that is refused since it asks for client certificates: else another one would serve its hostname to everybody; and one
/// that is refused and is not for the route. Where all that a listener serves has the one custom domain of the Gateway's service,
/// that is the hostname it is about. Given back with what was taken and the listeners that have it.
fn isolate(
    met: Vec<Attached>,
    gateway: &JudgedGateway,
    reserved: &BTreeSet<String>,
) -> (Vec<Attached>, Vec<Isolated>) {
    let mut isolated = vec![];
    let holds = |other: &JudgedListener| {
        let is_reserved = || reserved.contains(&other.wire.name);
        let held = [
            (other.is_usable, Holds::Narrower),
            (other.is_for_known_clients, Holds::ForKnownClients),
            (is_reserved(), Holds::Reserved),
        ];
        held.into_iter().find(|(is_so, _)| *is_so).map(|(_, holds)| holds)
    };
    let narrower = |attached: &Attached, hostname: &str| {
        let own = hostname::narrowness(attached.listener.wire.hostname.as_deref(), hostname);
        let others = gateway.listeners.iter().filter(|other| {
            (own.is_none() || other.port == attached.listener.port)
                && other.wire.name != attached.listener.wire.name
        });
        others
            .filter_map(|other| Some((holds(other)?, other)))
            .map(|(holds, other)| {
                (hostname::narrowness(other.wire.hostname.as_deref(), hostname), other, holds)
            })
            .filter(|(narrowness, ..)| *narrowness > own)
            .max_by_key(|(narrowness, other, _)| (*narrowness, other.wire.name.clone()))
            .map(|(_, other, holds)| Isolated {
                hostname: hostname.to_owned(),
                listener: other.wire.name.clone(),
                holds,
            })
    };
    let kept = met.into_iter().map(|mut attached| {
        let hostnames = std::mem::take(&mut attached.hostnames);
        for hostname in hostnames {
            let is_exact = hostname.as_deref().is_some_and(|one| !hostname::is_wildcard(one));
            let domain = gateway.sharing.domain().filter(|_| !is_exact);
            match domain.or(hostname.as_deref()).and_then(|one| narrower(&attached, one)) {
                Some(one) => isolated.push(one),
                None => attached.hostnames.push(hostname),
            }
        }
        attached
    });
    (kept.filter(|attached| !attached.hostnames.is_empty()).collect(), isolated)
}

/// Whether a listener takes what is in a namespace of a cluster.
pub(crate) fn allows_namespace(
    view: &View,
    (cluster, namespace): (&ClusterId, &str),
    gateway_namespace: &str,
    allowed: Option<&AllowedRoutes>,
) -> Result<bool, String> {
    let namespaces = allowed.and_then(|allowed| allowed.namespaces.as_ref());
    let from = namespaces.and_then(|namespaces| namespaces.from.as_deref()).unwrap_or("Same");
    match from {
        "All" => Ok(true),
        "Same" => Ok(namespace == gateway_namespace),
        "Selector" => {
            let Some(selector) = namespaces.and_then(|namespaces| namespaces.selector.as_ref()) else {
                return Ok(false);
            };
            match view.get(cluster, Kind::Namespace, "", namespace) {
                Found::Unknown(why) => Err(why),
                Found::Missing => Ok(false),
                Found::Object(object) => Ok(selector.fits(&api::meta(object).labels.unwrap_or_default())),
            }
        }
        _ => Ok(false),
    }
}
