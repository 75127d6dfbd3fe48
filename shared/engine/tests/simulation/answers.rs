//! What the account answers to a request, by the very decision of the emulator's data plane.

use crate::account::Account;
use crate::objects::owner;
use crate::run::INSTALLATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use lattice_routing::{
    Comparison, Conditions, ListenerPlan, PrefixMode, Reading, Request, ServicePlan, Share, Site, TextMatch,
    reach,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trellis_lattice::{
    Action, Actual, ActualListener, ActualService, HeaderMatch, ListenerProtocol, PathMatch, RuleMatch,
    Status, TargetHealth, ValueMatch,
};

/// A request of a client in a VPC.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) vpc: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) scheme: Scheme,
    pub(crate) path: String,
    pub(crate) method: String,
    pub(crate) headers: BTreeMap<String, String>,
}

/// How a client speaks to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    /// VPC Lattice ends the client's TLS.
    Https,
    /// The client's TLS goes through to the backend, chosen by the name that it is for.
    Tls,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// Nobody of that name is there for that VPC.
    UnknownService,
    /// Nobody listens.
    NoListener,
    /// A fixed response.
    Fixed(u16),
    /// One of these sets of addresses, each with its share of the requests in percent.
    From(BTreeMap<BTreeSet<String>, f64>),
}

/// An account in which requests are asked.
pub(crate) struct Answers {
    state: Arc<Actual>,
}

/// The VPC that stands for clients in a network that no cluster's VPC is in, such as those of a VPC endpoint.
pub(crate) fn imagined_vpc(network: &str) -> String {
    format!("vpc-in-{network}")
}

impl Site for Answers {
    fn network_of(&self, vpc: &str) -> Option<&str> {
        let is_led = |status| !matches!(status, Status::CreateInProgress | Status::CreateFailed);
        let led = self.state.vpc_associations.iter().find(|one| one.vpc == vpc && is_led(one.status));
        let imagined = || self.state.networks.iter().find(|one| imagined_vpc(&one.name) == vpc);
        led.map(|one| one.network.as_str()).or_else(|| Some(imagined()?.name.as_str()))
    }

    fn services_named(&self, host: &str) -> impl Iterator<Item = &str> {
        let is_named = move |service: &&ActualService| {
            service.dns_name.as_deref() == Some(host) || service.custom_domain.as_deref() == Some(host)
        };
        self.state.services.iter().filter(is_named).map(|service| service.arn.as_str())
    }

    fn is_in(&self, service: &str, network: &str) -> bool {
        let service = self.state.services.iter().find(|one| one.arn == service);
        let mut links = service.into_iter().flat_map(|service| &service.associations);
        links.any(|link| link.network == network && link.status == Status::Active)
    }
}

impl Answers {
    pub(crate) fn of(account: &Account) -> Self {
        Self { state: account.view(&owner(INSTALLATION, "")) }
    }

    /// The VPCs whose clients are in that network.
    pub(crate) fn vpcs_in(&self, network: &str) -> Vec<String> {
        let vpcs = self.state.vpc_associations.iter().map(|one| one.vpc.clone());
        let all = vpcs.chain([imagined_vpc(network)]);
        all.filter(|vpc| self.network_of(vpc) == Some(network)).collect()
    }

    /// The ports at which a host listens for a VPC.
    pub(crate) fn ports(&self, vpc: &str, host: &str) -> BTreeSet<u16> {
        let service =
            reach(self, vpc, host).and_then(|(arn, _)| self.state.services.iter().find(|one| one.arn == arn));
        service.into_iter().flat_map(|service| &service.listeners).map(|listener| listener.port).collect()
    }

    /// What is answered, however VPC Lattice reads a prefix.
    pub(crate) fn of_request(&self, asked: &Asked, prefixes: PrefixMode) -> Answer {
        let Some((service, _)) = reach(self, &asked.vpc, &asked.host) else { return Answer::UnknownService };
        let service = self.state.services.iter().find(|one| one.arn == service);
        let plan = ServicePlan {
            listeners: service
                .into_iter()
                .flat_map(|one| &one.listeners)
                .map(|one| (one.port, planned(one)))
                .collect(),
        };
        let listener = match asked.scheme {
            Scheme::Http => plan.listener(asked.port, false),
            Scheme::Https => plan.listener(asked.port, true),
            Scheme::Tls => plan.listeners.get(&asked.port).filter(|one| one.protocol == PASSTHROUGH),
        };
        let Some(listener) = listener else { return Answer::NoListener };
        let mut headers = HeaderMap::new();
        for (name, value) in &asked.headers {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let request = Request { method: &asked.method, path: &asked.path, headers: &headers };
        match listener.action(Reading { prefixes, raw: true }, request) {
            None => Answer::NoListener,
            Some(lattice_routing::Action::Fixed(status)) => Answer::Fixed(*status),
            Some(lattice_routing::Action::Forward(shares)) => self.shares(shares),
        }
    }

    fn shares(&self, shares: &[Share]) -> Answer {
        let mut all = BTreeMap::new();
        let sum: u32 = shares.iter().map(|share| share.weight).sum();
        for share in shares.iter().filter(|share| share.weight > 0) {
            let group = self.state.target_groups.iter().find(|group| group.name == share.group);
            let targets = group.into_iter().flat_map(|group| &group.targets);
            let serving = targets.filter(|target| target.health != TargetHealth::Draining);
            let addresses = serving.map(|target| target.target.id().to_owned()).collect();
            *all.entry(addresses).or_default() += f64::from(share.weight) * 100.0 / f64::from(sum);
        }
        Answer::From(all)
    }
}

const PASSTHROUGH: &str = "TLS_PASSTHROUGH";

/// As VPC Lattice has the listener: rules by priority, the default action last.
fn planned(listener: &ActualListener) -> ListenerPlan {
    let protocol = match listener.protocol {
        ListenerProtocol::Http => "HTTP",
        ListenerProtocol::Https => "HTTPS",
        ListenerProtocol::TlsPassthrough => PASSTHROUGH,
    };
    let mut rules: Vec<_> = listener.rules.iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    let default = (Conditions::default(), action(&listener.default_action));
    let rules = rules.into_iter().map(|rule| (conditions(&rule.matches), action(&rule.action)));
    ListenerPlan { protocol: protocol.to_owned(), rules: rules.chain([default]).collect() }
}

fn action(action: &Action) -> lattice_routing::Action {
    match action {
        Action::FixedResponse(status) => lattice_routing::Action::Fixed(*status),
        Action::Forward(shares) => {
            let share = |group: &str, weight: u16| Share {
                group: group.to_owned(),
                sent: group.to_owned(),
                weight: u32::from(weight),
            };
            let shares = shares.iter().map(|one| share(&one.target_group, one.weight));
            lattice_routing::Action::Forward(shares.collect())
        }
    }
}

fn conditions(matches: &RuleMatch) -> Conditions {
    let path = matches.path.as_ref().map(|path| TextMatch {
        comparison: match path {
            PathMatch::Exact(path) => Comparison::Exact(path.clone()),
            PathMatch::Prefix(path) => Comparison::Prefix(path.clone()),
        },
        case_sensitive: true,
    });
    let header = |one: &HeaderMatch| {
        let comparison = match one.value.clone() {
            ValueMatch::Exact(value) => Comparison::Exact(value),
            ValueMatch::Prefix(value) => Comparison::Prefix(value),
            ValueMatch::Contains(value) => Comparison::Contains(value),
        };
        (one.name.clone(), TextMatch { comparison, case_sensitive: one.case_sensitive })
    };
    Conditions { method: matches.method.clone(), path, headers: matches.headers.iter().map(header).collect() }
}
