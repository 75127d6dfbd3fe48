//! Which Lattice services a route asks for: one for each hostname that listeners serve.

use super::parents::Parent;
use crate::gateway;
use crate::hostname::is_wildcard;
use crate::problem::{Problem, quoted};
use crate::route::Route;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::Kind;
use trellis_lattice::ListenerProtocol;

/// A Lattice service to be: a hostname, and the listeners and networks that serve it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceDraft {
    /// The custom domain; none where the service answers under its generated name only.
    pub(crate) hostname: Option<String>,
    pub(crate) networks: BTreeSet<String>,
    pub(crate) ports: BTreeMap<u16, ListenerProtocol>,
    pub(crate) certificate_arn: Option<String>,
    /// What the listeners of each Gateway ask for, by network, port and protocol. A service cannot differ by network.
    asked: BTreeSet<(String, u16, ListenerProtocol)>,
    /// All certificates that its listeners name.
    certificates: BTreeSet<String>,
}

/// What a route asks for.
#[derive(Debug, Default)]
pub(crate) struct ServiceDrafts {
    /// In the order of the route's hostnames; each hostname once.
    pub(crate) services: Vec<ServiceDraft>,
    /// Why the route cannot be had at all.
    pub(crate) refused: Vec<Problem>,
    /// Hostnames that are not served.
    pub(crate) notes: Vec<Problem>,
}

/// The drafts of a route with these parents.
pub(crate) fn drafts(route: &Route, parents: &[Parent]) -> ServiceDrafts {
    let mut drafts = ServiceDrafts::default();
    for parent in parents {
        for attached in parent.attached.iter().flatten() {
            for hostname in &attached.hostnames {
                let hostname = match servable(route, hostname.as_deref()) {
                    Servable::Domain(domain) => Some(domain),
                    Servable::GeneratedName(note) => {
                        drafts.notes.extend(note);
                        None
                    }
                    Servable::Not(why) => {
                        drafts.notes.push(why);
                        continue;
                    }
                };
                let at = drafts.services.iter().position(|draft| draft.hostname == hostname);
                let at = at.unwrap_or_else(|| {
                    drafts.services.push(ServiceDraft { hostname, ..ServiceDraft::default() });
                    drafts.services.len() - 1
                });
                let draft = &mut drafts.services[at];
                draft.networks.insert(parent.reference.name.clone());
                let (port, protocol) = (attached.listener.port, attached.listener.protocol);
                draft.ports.entry(port).or_insert(protocol);
                draft.asked.insert((parent.reference.name.clone(), port, protocol));
                draft.certificates.extend(attached.listener.certificate_arn.clone());
                if draft.certificate_arn.is_none() {
                    draft.certificate_arn.clone_from(&attached.listener.certificate_arn);
                }
            }
        }
    }
    let place =
        |draft: &ServiceDraft| route.hostnames.iter().position(|one| Some(one) == draft.hostname.as_ref());
    drafts.services.sort_by_key(|draft| (place(draft), draft.hostname.clone()));
    drafts.notes.extend(drafts.services.iter().flat_map(ServiceDraft::differences));
    drafts.notes.sort();
    drafts.notes.dedup();
    if drafts.services.is_empty() {
        drafts.refused.append(&mut drafts.notes);
    }
    drafts
}

impl ServiceDraft {
    /// Where the one service is not what each of the Gateways asks for.
    fn differences(&self) -> Vec<Problem> {
        let mut notes = vec![];
        for (network, (port, given)) in
            self.networks.iter().flat_map(|n| self.ports.iter().map(move |p| (n, p)))
        {
            let asked = |protocol: ListenerProtocol| self.asked.contains(&(network.clone(), *port, protocol));
            if asked(*given) {
                continue;
            }
            let other = [ListenerProtocol::Http, ListenerProtocol::Https, ListenerProtocol::TlsPassthrough]
                .into_iter()
                .find(|protocol| asked(*protocol));
            let (network, given) = (quoted(network), gateway::protocol_name(*given));
            let text = match other.map(gateway::protocol_name) {
                Some(asked) => format!(
                    "Gateway {network} asks for {asked} on port {port} and gets {given}, as another Gateway of the route \
                     asks for: a VPC Lattice service has one protocol on a port; use another port or a route for each \
                     Gateway"
                ),
                None => format!(
                    "Port {port} ({given}) answers in the network of Gateway {network} too, which has no listener for the \
                     route there: a VPC Lattice service has the same ports in all its networks; use a route for each \
                     Gateway"
                ),
            };
            notes.push(Problem::new("spec.parentRefs", text));
        }
        if let (true, Some(used)) = (self.certificates.len() > 1, &self.certificate_arn) {
            let text = format!(
                "The listeners name {} certificates for {}: a VPC Lattice service has one, {used}; name the same one, or \
                 the listener in the parentRef's sectionName",
                self.certificates.len(),
                self.hostname.as_deref().map_or_else(|| "the route".to_owned(), quoted),
            );
            notes.push(Problem::new("spec.parentRefs", text));
        }
        notes
    }
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
