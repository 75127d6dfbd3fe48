//! What the data plane sees: compiled services, published after a delay, and the choice of a target. Which service and rule
//! a request means is decided in `lattice_routing`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use http::HeaderMap;
use lattice_routing::{Action, ListenerPlan, Reading, Request, ServicePlan, Share, Site, choose};

use super::address::{Location, locate};
use super::kind::{Kind, Status};
use super::resources::{Health, Target, TargetGroup, TargetKey, VpcAssociation};
use super::{Imported, Moment, State};
use crate::iam::Denial;

/// Plans of one service: the one that holds, and those that will.
#[derive(Debug, Default)]
pub(super) struct Published {
    current: Option<Arc<ServicePlan>>,
    waiting: VecDeque<(Moment, Arc<ServicePlan>)>,
}

/// Plans that wait for their moment. With more changes than this within one propagation delay the newest waiting
/// one is replaced, which no client can tell from a slower propagation.
const MAX_WAITING: usize = 256;

impl Published {
    fn push(&mut self, at: Moment, plan: Arc<ServicePlan>) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_back();
        }
        self.waiting.push_back((at, plan));
    }

    /// The plan that holds. It is kept apart from the waiting ones because requests take their moment before
    /// they get here: one that comes a little late must not see a state in which nothing holds yet.
    fn current(&mut self, now: Moment) -> Option<Arc<ServicePlan>> {
        while self.waiting.front().is_some_and(|(at, _)| *at <= now) {
            self.current = self.waiting.pop_front().map(|(_, plan)| plan);
        }
        self.current.clone()
    }
}

/// A request on its way to a service.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// VPC that the client is in.
    pub vpc: &'a str,
    /// Host without port, in lower case.
    pub host: &'a str,
    /// Host as the client named it, which is what it signed.
    pub authority: &'a str,
    /// Port of the listener.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Method.
    pub method: &'a str,
    /// Path without the query string, as it is on the wire.
    pub path: &'a str,
    /// Query string, empty when there is none.
    pub query: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Time of the machine, which signatures are held against.
    pub machine_time: Moment,
    /// Random number from 0 to below 1 that decides the weighted choice.
    pub roll: f64,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Decision {
    /// No service with this name is reachable from the VPC.
    UnknownService,
    /// The service has no listener on the port.
    NoListener,
    /// The caller may not.
    Denied(Via, Denial),
    /// A fixed response.
    Fixed(Via, u16),
    /// A forward without a target to go to; the status comes from the settings.
    NoTarget(Via, u16),
    /// To a target.
    Forward(Via, Box<Destination>),
}

/// The way that a request takes, for headers and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// Id of the service.
    pub service: String,
    /// ARN of the service.
    pub service_arn: String,
    /// Id of the service network.
    pub network: String,
    /// ARN of the service network.
    pub network_arn: String,
    /// Protocol of the listener.
    pub protocol: String,
    /// Who calls, if it is known.
    pub caller: Option<Caller>,
    /// Whether an access log wants to know of it.
    pub logged: bool,
}

/// Who calls, as targets and logs learn it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// ARN.
    pub principal: String,
    /// Organisation.
    pub org_id: Option<String>,
    /// Session name of an assumed role.
    pub session: Option<String>,
    /// Tags of the principal.
    pub tags: BTreeMap<String, String>,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// ARN of the target group.
    pub group_arn: String,
    /// Type of the target group: `IP`, `LAMBDA`, `INSTANCE` or `ALB`.
    pub kind: String,
    /// Protocol towards the target: `HTTP`, `HTTPS` or `TCP`.
    pub protocol: String,
    /// `HTTP1`, `HTTP2` or `GRPC`.
    pub protocol_version: String,
    /// VPC of the target.
    pub vpc: String,
    /// The target.
    pub target: TargetKey,
    /// Where it is; absent for functions and for what nobody has told the place of.
    pub location: Option<Location>,
    /// Event format for functions: `V1` or `V2`.
    pub lambda_version: String,
}

impl Site for State {
    fn network_of(&self, vpc: &str) -> Option<&str> {
        let is_led = |link: &&VpcAssociation| {
            link.vpc == vpc && !matches!(link.life.status, Status::CreateInProgress | Status::CreateFailed)
        };
        self.store.vpc_associations.values().find(is_led).map(|link| link.network.as_str())
    }

    fn services_named(&self, host: &str) -> impl Iterator<Item = &str> {
        self.domains.get(host).into_iter().flatten().map(String::as_str)
    }

    fn is_in(&self, service: &str, network: &str) -> bool {
        let Some(service) = self.store.services.get(service) else { return false };
        let mut links =
            service.associations.iter().filter_map(|link| self.store.service_associations.get(link));
        links.any(|link| link.network == network && link.life.status == Status::Active)
    }
}

impl State {
    /// Compiles a service and publishes it from `at` on.
    pub(super) fn publish_at(&mut self, at: Moment, service: &str) {
        let Some(it) = self.store.services.get(service) else { return };
        let listeners = it
            .listeners
            .iter()
            .filter_map(|id| self.store.listeners.get(id))
            .map(|listener| {
                let mut rules: Vec<_> =
                    listener.rules.iter().filter_map(|rule| self.store.rules.get(rule)).collect();
                rules.sort_by_key(|rule| rule.priority.unwrap_or(u32::MAX));
                let rules =
                    rules.into_iter().map(|rule| (rule.conditions.clone(), rule.action.clone())).collect();
                (listener.port, ListenerPlan { protocol: listener.protocol.clone(), rules })
            })
            .collect();
        let plan = Arc::new(ServicePlan { listeners });
        self.plans.entry(service.to_owned()).or_default().push(at, plan);
    }

    /// The service that a host name means for clients of a VPC, and the service network between them.
    pub fn reach(&self, vpc: &str, host: &str) -> Option<(String, String)> {
        let by_association = lattice_routing::reach(self, vpc, host)
            .map(|(service, network)| (service.to_owned(), network.to_owned()));
        by_association.or_else(|| self.reach_by_endpoint(vpc, host))
    }

    /// Decides what becomes of a request.
    pub fn decide(&mut self, now: Moment, arrival: Arrival<'_>) -> Decision {
        self.advance(now);
        let Some((service, network)) = self.reach(arrival.vpc, arrival.host) else {
            return Decision::UnknownService;
        };
        let plan = self.plans.get_mut(&service).and_then(|published| published.current(now));
        let Some((plan, port)) = plan.map(|plan| (plan, arrival.port)) else { return Decision::NoListener };
        let Some(listener) = plan.listener(port, arrival.tls) else { return Decision::NoListener };
        let mut via = self.via(service, network, &listener.protocol);
        match self.permit(now, &via, arrival) {
            Err(denial) => return Decision::Denied(via, denial),
            Ok(caller) => {
                via.caller = caller.map(|caller| Caller {
                    principal: caller.principal.clone(),
                    org_id: caller.org_id.clone(),
                    session: caller.session().map(str::to_owned),
                    tags: caller.tags.clone(),
                });
            }
        }
        let switches = &self.settings.switches;
        let reading = Reading { prefixes: switches.prefix_mode, raw: switches.match_raw_path };
        let request = Request { method: arrival.method, path: arrival.path, headers: arrival.headers };
        match listener.action(reading, request) {
            None => Decision::NoListener,
            Some(Action::Fixed(status)) => Decision::Fixed(via, *status),
            Some(Action::Forward(shares)) => match self.destination(now, shares, arrival.roll) {
                Some(destination) => Decision::Forward(via, Box::new(destination)),
                None => Decision::NoTarget(via, self.settings.switches.no_target_status),
            },
        }
    }

    /// What becomes of an encrypted connection to a server name: `None` = TLS ends here. A service with a
    /// TLS_PASSTHROUGH listener never ends it: the bytes go to a target. Where no listener of the service speaks TLS
    /// there is nobody to shake hands with, as VPC Lattice answers only where a listener is; all listeners share one
    /// port here, so which of them is meant is known only after the handshake, from the Host header.
    pub fn pass_through(&mut self, now: Moment, vpc: &str, server: &str, roll: f64) -> Option<Decision> {
        self.advance(now);
        let (service, network) = self.reach(vpc, server)?;
        let Some(plan) = self.plans.get_mut(&service).and_then(|published| published.current(now)) else {
            return Some(Decision::NoListener);
        };
        let of = |protocol| plan.listeners.iter().find(move |(_, listener)| listener.protocol == protocol);
        let Some((port, listener)) = of("TLS_PASSTHROUGH") else {
            return of("HTTPS").is_none().then_some(Decision::NoListener);
        };
        let via = self.via(service, network, &listener.protocol);
        if let Err(denial) = self.permit_connection(now, &via, vpc, *port) {
            return Some(Decision::Denied(via, denial));
        }
        let (_, Action::Forward(shares)) = listener.rules.last()? else { return None };
        Some(match self.destination(now, shares, roll) {
            Some(destination) => Decision::Forward(via, Box::new(destination)),
            None => Decision::NoTarget(via, self.settings.switches.no_target_status),
        })
    }

    /// The name that the certificate for a server name is for: the generated name always has one, a custom domain
    /// only if its service names a certificate. Otherwise the client gets a certificate of another name.
    pub fn certificate_name(&self, vpc: &str, server: &str) -> String {
        let found = self.reach(vpc, server).and_then(|(service, _)| self.store.services.get(&service));
        match found {
            Some(service)
                if service.domain == server
                    || Self::is_endpoint_name(server)
                    || service.certificate.is_some() =>
            {
                server.to_owned()
            }
            Some(service) => service.domain.clone(),
            None => format!("vpc-lattice-svcs.{}.on.aws", self.home.region),
        }
    }

    /// The imported certificate that a client gets for a server name, if its service has one.
    pub fn imported_certificate(&self, vpc: &str, server: &str) -> Option<Imported> {
        let (service, _) = self.reach(vpc, server)?;
        let service = self.store.services.get(&service).filter(|service| service.domain != server)?;
        if Self::is_endpoint_name(server) {
            return None;
        }
        self.imported().get(service.certificate.as_ref()?).cloned()
    }

    fn via(&self, service: String, network: String, protocol: &str) -> Via {
        let arn = |kind, id: &str| self.meta(kind, id).map(|meta| meta.arn.clone()).unwrap_or_default();
        Via {
            service_arn: arn(Kind::Service, &service),
            network_arn: arn(Kind::ServiceNetwork, &network),
            logged: self.logged(&service, &network),
            network,
            service,
            protocol: protocol.to_owned(),
            caller: None,
        }
    }

    /// A target of the group that the weights choose. It never moves on to another group.
    fn destination(&mut self, now: Moment, shares: &[Share], roll: f64) -> Option<Destination> {
        let share = choose(shares, roll)?;
        let group = self.store.groups.get_mut(&share.group)?;
        let target = group.next_target(now)?;
        let location = locate(&self.settings, &self.store.vpcs, group, &target, target.port, group.turn);
        let config = &group.config;
        let vpc = config.vpc.clone().unwrap_or_default();
        Some(Destination {
            group_arn: group.meta.arn.clone(),
            kind: group.kind.clone(),
            protocol: config.protocol.clone().unwrap_or_default(),
            protocol_version: config.protocol_version.clone().unwrap_or_default(),
            vpc,
            target,
            location,
            lambda_version: config.lambda_version.clone().unwrap_or_else(|| "V1".to_owned()),
        })
    }
}

impl TargetGroup {
    /// The next target in turn among the healthy ones, or among all when none is healthy. One that was registered or
    /// deregistered a moment ago is what it was before.
    pub(super) fn next_target(&mut self, now: Moment) -> Option<TargetKey> {
        let checked = self.checked();
        let good = |target: &Target| !checked || target.health == Health::Healthy;
        let takes = |target: &Target| {
            target.takes_from <= now
                && (target.draining.is_none() || target.takes_until.is_some_and(|end| end > now))
        };
        let registered = || self.targets.iter().filter(|(_, target)| takes(target));
        let healthy = registered().filter(|(_, target)| good(target)).count();
        let chosen = if healthy > 0 {
            registered().filter(|(_, target)| good(target)).nth(self.turn % healthy)
        } else {
            registered().nth(self.turn % registered().count().max(1))
        };
        let chosen = chosen.map(|(key, _)| key.clone());
        self.turn = self.turn.wrapping_add(1);
        chosen
    }
}
