//! What a route asks of each listener that takes it.

use super::parents::{Parent, parents};
use super::standalone;
use crate::hostname::is_wildcard;
use crate::policy;
use crate::problem::{Problem, quoted};
use crate::route::Route;
use crate::secret::SecretKey;
use crate::view::View;
use serde_json::Value;
use trellis_hint::{Kind, Scope};
use trellis_lattice::ListenerProtocol;

/// Names a Gateway within a cluster. Two of one name in two namespaces share a service network and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GatewayName {
    pub(crate) namespace: String,
    /// The service network's name too.
    pub(crate) name: String,
}

/// One hostname of a route on one listener that takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Which of the claim's parents it is for.
    pub(crate) parent: usize,
    pub(crate) gateway: GatewayName,
    /// The custom domain; none where the route answers under a generated name only.
    pub(crate) hostname: Option<String>,
    pub(crate) port: u16,
    pub(crate) protocol: ListenerProtocol,
    pub(crate) certificate_arn: Option<String>,
    /// Whose account and Region the Gateway is in.
    pub(crate) scope: Scope,
    /// Hashes of the Secrets that the listener takes certificates from.
    pub(crate) secrets: Vec<String>,
}

/// A route, its parents and what it asks for.
pub(crate) struct Claim {
    pub(crate) route: Route,
    pub(crate) parents: Vec<Parent>,
    /// In the order of the route's hostnames, then of its parents.
    pub(crate) asks: Vec<Ask>,
    /// Hostnames that are not served, or not as they stand there.
    pub(crate) notes: Vec<Problem>,
    /// Whether an IAMAuthPolicy names the route.
    pub(crate) has_auth: bool,
    /// Whether its services are to be in no service network.
    pub(crate) is_standalone: bool,
}

impl Claim {
    pub(crate) fn of(view: &View, route: Route, object: &Value, unknown: &mut Vec<String>) -> Self {
        let parents = parents(view, &route, object, unknown);
        let (asks, notes) = asks(&route, &parents);
        let is_standalone = standalone::is_standalone(view, &route);
        // Who has no hostname shares no service.
        let shares = asks.iter().any(|ask| ask.hostname.is_some());
        let has_auth = shares
            && policy::has_its_own(view, &route.id).unwrap_or_else(|why| {
                unknown.push(why);
                false
            });
        Self { route, parents, asks, notes, has_auth, is_standalone }
    }

    /// Whether every listener that takes the route can lead to an HTTP/2 target group.
    pub(crate) fn listeners_take_http2(&self) -> bool {
        self.parents
            .iter()
            .flat_map(Parent::listeners)
            .all(|attached| attached.listener.protocol != ListenerProtocol::Http)
    }

    /// The hostnames that it asks for, each once, in its order.
    pub(crate) fn hostnames(&self) -> Vec<Option<&str>> {
        let mut hostnames: Vec<Option<&str>> = vec![];
        for ask in &self.asks {
            if !hostnames.contains(&ask.hostname.as_deref()) {
                hostnames.push(ask.hostname.as_deref());
            }
        }
        hostnames
    }

    /// The older first; then by namespace and name as one text, as the specification asks.
    pub(crate) fn seniority(&self) -> (&str, String, &str) {
        let created = self.route.meta.creation_timestamp.as_deref().unwrap_or_default();
        let name = format!("{}/{}", self.route.id.namespace, self.route.id.name);
        (created, name, self.route.id.kind.as_str())
    }
}

fn asks(route: &Route, parents: &[Parent]) -> (Vec<Ask>, Vec<Problem>) {
    let (mut asks, mut notes) = (vec![], vec![]);
    for (at, parent) in parents.iter().enumerate() {
        for attached in parent.listeners() {
            for hostname in &attached.hostnames {
                let hostname = match servable(route, hostname.as_deref()) {
                    Servable::Domain(domain) => Some(domain),
                    Servable::GeneratedName(note) => {
                        notes.extend(note);
                        None
                    }
                    Servable::Not(why) => {
                        notes.push(why);
                        continue;
                    }
                };
                let (namespace, name) = (parent.reference.namespace.clone(), parent.reference.name.clone());
                let ask = Ask {
                    parent: at,
                    gateway: GatewayName { namespace, name },
                    hostname,
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
    notes.sort();
    notes.dedup();
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
            Servable::Not(Problem::new("spec.hostnames", text))
        }
        None => Servable::GeneratedName(None),
        Some(wildcard) if is_wildcard(wildcard) => {
            let is_own = route.hostnames.iter().any(|own| own == wildcard);
            let path = if is_own { "spec.hostnames" } else { "spec.parentRefs" };
            let text = format!(
                "VPC Lattice serves no wildcard such as {}; name the hostnames one by one",
                quoted(wildcard)
            );
            let problem = Problem::new(path, text);
            // A wildcard of the listener alone still lets the route in.
            if route.hostnames.is_empty() && !is_tls {
                Servable::GeneratedName(Some(problem))
            } else {
                Servable::Not(problem)
            }
        }
        Some(hostname) => Servable::Domain(hostname.to_owned()),
    }
}
