//! What VPC Lattice would answer if it had all that a world's routes want: which route's backend gets a request.

use super::tenants::Made;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{Report, Settings, Snapshot, translate};
use trellis_lattice::{Action, Actual, DesiredService, PathMatch, RuleMatch};

/// A request from a VPC that is in a service network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) network: String,
    /// A custom domain, or the name of a service that has none.
    pub(crate) host: String,
    pub(crate) port: u16,
    path: &'static str,
    method: &'static str,
    has_header: bool,
}

/// All services of a world, and who they are.
#[derive(Debug)]
pub(crate) struct Answers {
    /// By network and host.
    services: BTreeMap<(String, String), DesiredService>,
    /// The route of each target group.
    routes: BTreeMap<String, String>,
    /// By route, whether something of it is refused beside other routes.
    refused: BTreeSet<String>,
}

const PATHS: [&str; 7] = ["/", "/x", "/x/y", "/x/z", "/other", "/s/m", "/s/n"];

/// What a world answers.
pub(crate) fn answers(snapshot: &Snapshot, routes: &[Made], settings: &Settings) -> Answers {
    let mut answers =
        Answers { services: BTreeMap::new(), routes: BTreeMap::new(), refused: BTreeSet::new() };
    let mut names = BTreeSet::new();
    for Made { unit, name: route, .. } in routes {
        let translation = translate(unit, snapshot, &Actual::default(), settings);
        let is_refused = |report: &Report| match report {
            Report::Route(report) => report
                .parents
                .iter()
                .any(|parent| parent.accepted.status != "True" || !parent.unserved.is_empty()),
            _ => false,
        };
        if translation.reports.iter().any(is_refused) {
            answers.refused.insert(route.clone());
        }
        let Some(desired) = translation.desired else { continue };
        for group in desired.target_groups {
            let tag = |name: &str| group.tags[&format!("application-networking.k8s.aws/{name}")].clone();
            let route = format!("{}/{}/{}", tag("SourceTypeKey"), tag("RouteNamespace"), tag("RouteName"));
            answers.routes.insert(group.name, route);
        }
        for service in desired.services {
            let is_new = names.insert(service.name.clone()) || service.custom_domain.is_none();
            assert!(is_new, "two services have the name {}", service.name);
            let host = service.custom_domain.clone().unwrap_or_else(|| unit.to_string());
            for network in &service.networks {
                let before = answers.services.insert((network.clone(), host.clone()), service.clone());
                assert!(before.is_none(), "two services have {host} in {network}");
            }
        }
    }
    answers
}

/// Every kind of request that some of the worlds may answer.
pub(crate) fn asked(worlds: &[&Answers]) -> Vec<Asked> {
    let mut all = BTreeSet::new();
    for ((network, host), service) in worlds.iter().flat_map(|world| &world.services) {
        for port in service.listeners.iter().map(|listener| listener.port) {
            for path in PATHS {
                for (method, has_header) in [("GET", false), ("GET", true), ("POST", false)] {
                    let (network, host) = (network.clone(), host.clone());
                    all.insert(Asked { network, host, port, path, method, has_header });
                }
            }
        }
    }
    all.into_iter().collect()
}

fn fits(matches: &RuleMatch, asked: &Asked) -> bool {
    let path = match &matches.path {
        None => true,
        Some(PathMatch::Exact(path)) => asked.path == path,
        Some(PathMatch::Prefix(prefix)) => asked.path.starts_with(prefix.as_str()),
    };
    let method = matches.method.as_deref().is_none_or(|method| method == asked.method);
    path && method && (matches.headers.is_empty() || asked.has_header)
}

impl Answers {
    /// The route that answers; none where VPC Lattice or nobody does.
    pub(crate) fn of(&self, asked: &Asked) -> Option<&str> {
        let service = self.services.get(&(asked.network.clone(), asked.host.clone()))?;
        let listener = service.listeners.iter().find(|listener| listener.port == asked.port)?;
        let rule = listener.rules.iter().find(|rule| fits(&rule.matches, asked));
        match rule.map_or(&listener.default_action, |rule| &rule.action) {
            Action::Forward(groups) => self.routes.get(&groups.first()?.target_group).map(String::as_str),
            Action::FixedResponse(_) => None,
        }
    }

    /// Routes that answer something under the host now, and were refused something before.
    pub(crate) fn let_in<'a>(&'a self, before: &'a Answers, asked: &Asked) -> impl Iterator<Item = &'a str> {
        let service = self.services.get(&(asked.network.clone(), asked.host.clone()));
        let of_service = service.into_iter().flat_map(|service| self.routes_of(service));
        of_service.filter(|route| before.refused.contains(*route))
    }

    fn routes_of<'a>(&'a self, service: &'a DesiredService) -> BTreeSet<&'a str> {
        let groups = service.listeners.iter().flat_map(|listener| listener.target_groups());
        groups.filter_map(|group| self.routes.get(group)).map(String::as_str).collect()
    }

    pub(crate) fn has_shared_service(&self) -> bool {
        self.services.values().any(|service| self.routes_of(service).len() > 1)
    }

    pub(crate) fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    pub(crate) fn has_hostname_in_several_services(&self) -> bool {
        let names: BTreeSet<(&str, &str)> = self
            .services
            .iter()
            .filter(|(_, service)| service.custom_domain.is_some())
            .map(|((_, host), service)| (host.as_str(), service.name.as_str()))
            .collect();
        let hosts: BTreeSet<&str> = names.iter().map(|(host, _)| *host).collect();
        hosts.len() < names.len()
    }
}
