//! Who has what of a hostname: a custom domain is unique in a service network, so of all routes that ask for it there, one
//! Lattice service has the rules.
//!
//! | on one hostname in one service network | has it |
//! |---|---|
//! | routes of one kind on the same Gateways | all of them, the oldest first; each rule by the specification's precedence |
//! | routes of several kinds, or listeners of several protocols, on one port | the oldest one's kind and protocol; the others are refused there |
//! | routes on other Gateways than the oldest one's, also on those of the same name in another namespace, or that name the network by its id where the other names it by its name | the oldest one's Gateways; the others are refused there |
//! | a route with an IAMAuthPolicy of its own that is not the oldest | the others; it is refused there, since a service has one auth policy |
//! | a route without a hostname that a deleted IAMAuthPolicy has left closed | the others, also younger ones; it is refused there until it is opened, and its own service stays |
//! | a route whose rules are refused, or exceed a limit | the others, as if it were not there |
//!
//! A service is the same in all its networks. So networks in which a hostname is to answer alike have one service, and
//! others have one each: nothing answers on a port, by a protocol or with rules that nobody asked for there.
//!
//! The oldest route of a service leads: its unit owns it. The others own nothing of it; they read in the leader's status
//! whether it has their rules. Every unit comes to the same result by itself, from the same objects.

use super::claim::{Ask, Claim, GatewayName};
use super::kept;
use super::rules::{ResolvedRule, is_sound};
use super::slot::Slot;
use crate::Settings;
use crate::certificate;
use crate::code::Code;
use crate::gateway::protocol_name;
use crate::policy::ONE_FOR_A_SERVICE;
use crate::problem::Problem;
use crate::route::RouteId;
use crate::view::View;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{Kind, UnitKey};
use trellis_lattice::{ActualService, Certificate, Certificates, ListenerProtocol};

/// A route among those that ask for one slot.
pub(crate) struct Member<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) rules: &'a [ResolvedRule],
    /// The route's object, whose status tells of what was there before.
    pub(crate) object: &'a Value,
    /// Whether VPC Lattice has something of it in this slot from before: an edit that cannot be had keeps that.
    pub(crate) was_served: bool,
}

/// A port of a service: by which protocol, and with the rules of which members, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) protocol: ListenerProtocol,
    pub(crate) kind: Kind,
    /// None stands for any. Rules of one port cannot tell hosts apart.
    pub(crate) hostname: Option<String>,
    pub(crate) members: Vec<usize>,
}

/// A Lattice service to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceDraft {
    pub(crate) slot: Slot,
    /// Tells it from the leader's other services: what it is for, and the network where that needs several.
    pub(crate) scope: Option<String>,
    pub(crate) networks: BTreeSet<String>,
    pub(crate) ports: BTreeMap<u16, Port>,
    pub(crate) certificate_arn: Option<String>,
    /// Members of which it has what it had before an edit that cannot be had, and nothing new.
    pub(crate) kept: BTreeSet<usize>,
    /// Whether it is in none of these networks: they only say for which Gateways it is.
    pub(crate) is_standalone: bool,
}

impl ServiceDraft {
    /// The networks that it is associated with.
    pub(crate) fn associated(&self) -> BTreeSet<String> {
        if self.is_standalone { BTreeSet::new() } else { self.networks.clone() }
    }

    /// The scope of a further service of its slot: by its first network, which no other one of the slot has.
    pub(crate) fn scope_beside(&self) -> String {
        let network = self.networks.first().map(String::as_str).unwrap_or_default();
        scope_beside(self.slot.text().as_deref(), network)
    }

    /// Whether a service is where this one is to be.
    pub(crate) fn is_where(&self, service: &ActualService) -> bool {
        if self.is_standalone {
            return service.associations.is_empty();
        }
        service.associations.iter().any(|one| self.networks.contains(&one.network))
    }

    /// Whether this one can be made of a service of its leader's: it is there, or it is nowhere, or may be taken from where
    /// it is.
    pub(crate) fn can_be(&self, service: &ActualService) -> bool {
        self.is_standalone || service.associations.is_empty() || self.is_where(service)
    }

    /// The members that have rules in it, the oldest first. The first one leads.
    pub(crate) fn members(&self) -> BTreeSet<usize> {
        self.ports.values().flat_map(|port| port.members.iter().copied()).collect()
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        self.members().first().copied()
    }
}

/// Where a slot is contested: a service network, or beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What Gateways call it by: its name, its id, or both.
    network: BTreeSet<String>,
    is_standalone: bool,
}

/// What one service network is to have of a slot.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// What those who have it call the network by.
    networks: BTreeSet<String>,
    pub(super) ports: BTreeMap<u16, Port>,
    pub(super) kept: BTreeSet<usize>,
}

/// Who has which port of a network, and who has not, with the reason.
pub(super) struct Seated {
    pub(super) table: Table,
    pub(super) refused: Vec<(usize, Ask, Problem)>,
}

/// What became of the asks for one slot.
pub(crate) struct Outcome {
    pub(crate) drafts: Vec<ServiceDraft>,
    /// By member and ask, why it is not served.
    pub(crate) refused: Vec<(usize, Ask, Problem)>,
}

/// Decides who has what of a slot. The members come the oldest first.
pub(crate) fn decide(view: &View, settings: &Settings, slot: &Slot, members: &[Member]) -> Outcome {
    let mut contest = Contest { view, settings, slot, members, refused: vec![] };
    let of_slot = members.iter().flat_map(|member| member.claim.asks.iter());
    let of_slot = of_slot.filter(|ask| ask.slot == *slot);
    // Who is in a network and who is not cannot have one service, and are in nobody's way.
    let places = networks(of_slot).into_iter().flat_map(|network| {
        [false, true].map(|is_standalone| Place { network: network.clone(), is_standalone })
    });
    let tables: Vec<(Place, Table)> = places
        .map(|place| {
            let table = contest.table(&place);
            (place, table)
        })
        .collect();
    let drafts = contest.drafts(tables);
    Outcome { drafts, refused: contest.refused }
}

/// The service networks that are asked for, each by all that Gateways call it by, in order of these.
fn networks<'a>(asks: impl Iterator<Item = &'a Ask>) -> BTreeSet<BTreeSet<String>> {
    let mut arns: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for ask in asks {
        let arn = arns.entry(&ask.gateway.name).or_default();
        *arn = arn.or(ask.network.as_deref());
    }
    let is_one = |own: (&str, Option<&str>), other: (&str, Option<&str>)| {
        own.0 == other.0 || own.1.is_some() && own.1 == other.1
    };
    let names = |own| {
        let all = arns.iter().map(|(name, arn)| (*name, *arn));
        all.filter(|other| is_one(own, *other)).map(|(name, _)| name.to_owned()).collect()
    };
    arns.iter().map(|(name, arn)| names((name, *arn))).collect()
}

pub(super) struct Contest<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) settings: &'a Settings,
    pub(super) slot: &'a Slot,
    pub(super) members: &'a [Member<'a>],
    refused: Vec<(usize, Ask, Problem)>,
}

impl Contest<'_> {
    pub(super) fn asks(&self, member: usize, place: &Place) -> Vec<Ask> {
        let claim = self.members[member].claim;
        let asks = claim.asks.iter().filter(|_| claim.is_standalone == place.is_standalone);
        let fits = |ask: &&Ask| ask.slot == *self.slot && place.network.contains(&ask.gateway.name);
        asks.filter(fits).cloned().collect()
    }

    /// Who has which port in one network.
    fn table(&mut self, place: &Place) -> Table {
        let seated = self.seated(place);
        self.refused.extend(seated.refused);
        seated.table
    }

    /// Who has which port in one network, the oldest first; of those that step `back` it has what it had.
    pub(super) fn seat(&self, place: &Place, back: &BTreeMap<usize, Problem>) -> Seated {
        let (mut table, mut all_refused) = (Table::default(), vec![]);
        let mut holder: Option<(usize, BTreeSet<GatewayName>)> = None;
        for at in 0..self.members.len() {
            let member = &self.members[at];
            let asks = self.asks(at, place);
            let is_sound = is_sound(member.rules, self.settings);
            if asks.is_empty() || !(member.was_served || is_sound) {
                continue;
            }
            let gateways: BTreeSet<GatewayName> = asks.iter().map(|ask| ask.gateway.clone()).collect();
            let apart = holder.as_ref().and_then(|(oldest, theirs)| {
                let others = *theirs != gateways;
                let problem = || self.of_other_gateways((*oldest, at), theirs, &asks[0].gateway.name);
                others
                    .then(problem)
                    .or_else(|| member.claim.has_auth.then(|| self.of_other_auth(*oldest, at)))
            });
            if let Some(problem) = apart {
                all_refused.extend(asks.into_iter().map(|ask| (at, ask, problem.clone())));
                continue;
            }
            let mut tried = table.ports.clone();
            let mut refused = vec![];
            for ask in &asks {
                if let Err(problem) = self.add(&mut tried, at, ask) {
                    refused.push((at, ask.clone(), problem));
                }
            }
            let has_any = refused.len() < asks.len();
            let unfit = || {
                let barred = asks.iter().find_map(|ask| ask.barred.clone());
                let exceeded = || self.exceeded(at, &asks, &tried, &table.kept).into_iter().next();
                barred.or_else(|| back.get(&at).cloned()).or_else(exceeded)
            };
            let unfit = (has_any && is_sound).then(unfit).flatten();
            if let Some(problem) = &unfit {
                refused = asks.iter().map(|ask| (at, ask.clone(), problem.clone())).collect();
            }
            all_refused.extend(refused);
            if !has_any || unfit.is_some() && !member.was_served {
                continue;
            }
            if !is_sound || unfit.is_some() {
                table.kept.insert(at);
            }
            table.networks.extend(gateways.iter().map(|one| one.name.clone()));
            holder.get_or_insert((at, gateways));
            table.ports = tried;
        }
        Seated { table, refused: all_refused }
    }

    /// Gives a member a port, where that is possible beside the older ones.
    fn add(&self, ports: &mut BTreeMap<u16, Port>, at: usize, ask: &Ask) -> Result<(), Problem> {
        let kind = self.members[at].claim.route.id.kind;
        let port = ports.entry(ask.port).or_insert_with(|| Port {
            protocol: ask.protocol,
            kind,
            hostname: ask.hostname.clone(),
            members: vec![],
        });
        // What one route has for several hostnames it has for all of them.
        if port.hostname != ask.hostname && port.members == [at] {
            port.hostname = None;
        }
        let is_other_host = port.hostname != ask.hostname && port.members != [at];
        if port.protocol != ask.protocol || port.kind != kind || is_other_host {
            let winner = port.members.first().copied().unwrap_or(at);
            return Err(self.of_other_kind(winner, at, port, ask));
        }
        if !port.members.contains(&at) {
            port.members.push(at);
        }
        Ok(())
    }

    fn of_other_kind(&self, winner: usize, at: usize, port: &Port, ask: &Ask) -> Problem {
        let number = ask.port;
        if winner == at {
            let text = format!(
                "Port {number} is asked for by {} and by {}: a VPC Lattice service has one protocol on a port, and the first \
                 one stands; use a route for each",
                protocol_name(port.protocol),
                protocol_name(ask.protocol)
            );
            return Problem::new(
                Code::PortTaken,
                self.members[at].claim.parents[ask.parent].reference.path.clone(),
                text,
            );
        }
        let what = if port.hostname != ask.hostname {
            "for other hostnames than this route, and in a service requests cannot be told apart by their host".to_owned()
        } else if port.protocol == ask.protocol {
            format!("and a listener serves a hostname to routes of one kind, {}", port.kind)
        } else {
            format!("by {} instead of {}", protocol_name(port.protocol), protocol_name(ask.protocol))
        };
        let text = format!(
            "{} {} and has {} on port {number} of Gateway {}/{}, {what}; use another hostname or port",
            self.named_to(winner, at),
            self.members[winner].claim.precedence(self.members[at].claim),
            self.shown(),
            ask.gateway.namespace,
            ask.gateway.name,
        );
        Problem::new(Code::PortTaken, "spec.hostnames", text)
    }

    fn of_other_gateways(
        &self,
        (oldest, at): (usize, usize),
        theirs: &BTreeSet<GatewayName>,
        network: &str,
    ) -> Problem {
        let gateways: Vec<String> =
            theirs.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect();
        let text = format!(
            "{} {} and has {} in the service network {network} by Gateway {}: routes of one hostname have one service only if \
             they are on the same Gateways; use another hostname, or Gateways of another name",
            self.named_to(oldest, at),
            self.members[oldest].claim.precedence(self.members[at].claim),
            self.shown(),
            gateways.join(" and "),
        );
        Problem::new(Code::HostnameTaken, "spec.hostnames", text)
    }

    /// In another route's service others could call a route than its policy says.
    fn of_other_auth(&self, oldest: usize, at: usize) -> Problem {
        let text = format!(
            "{} has {} too, and {ONE_FOR_A_SERVICE}; attach the IAMAuthPolicy of this route to that one, or name another hostname",
            self.named_to(oldest, at),
            self.shown(),
        );
        Problem::new(Code::HostnameTaken, "spec.hostnames", text)
    }

    /// A member in what another one is told.
    pub(super) fn named_to(&self, member: usize, told: usize) -> String {
        named_to(&self.members[member].claim.route.id, &self.members[told].claim.route.id)
    }

    fn shown(&self) -> String {
        self.slot.shown()
    }

    /// The services: one for all networks in which the hostname answers alike.
    fn drafts(&self, tables: Vec<(Place, Table)>) -> Vec<ServiceDraft> {
        let mut drafts: Vec<ServiceDraft> = vec![];
        for (place, Table { networks, ports, kept }) in
            tables.into_iter().filter(|(_, table)| !table.ports.is_empty())
        {
            let certificate_arn = self.certificate(&place, &ports);
            let is_standalone = place.is_standalone;
            let alike = |draft: &&mut ServiceDraft| {
                draft.ports == ports
                    && draft.kept == kept
                    && draft.certificate_arn == certificate_arn
                    && draft.is_standalone == is_standalone
            };
            match drafts.iter_mut().find(alike) {
                Some(draft) => draft.networks.extend(networks),
                None => drafts.push(ServiceDraft {
                    slot: self.slot.clone(),
                    scope: None,
                    networks,
                    ports,
                    certificate_arn,
                    kept,
                    is_standalone,
                }),
            }
        }
        // A leader's first service of a hostname has the plain scope: the one of the parent that it names first.
        let place = |draft: &ServiceDraft| {
            let leader = draft.leader();
            let asks = leader.map(|leader| self.members[leader].claim.asks.iter());
            let first = asks.and_then(|mut asks| {
                asks.position(|ask| ask.slot == *self.slot && draft.networks.contains(&ask.gateway.name))
            });
            (leader, first)
        };
        drafts.sort_by_key(place);
        let mut leaders = BTreeSet::new();
        for draft in &mut drafts {
            let is_first = draft.leader().is_some_and(|leader| leaders.insert(leader));
            draft.scope = if is_first { self.slot.text() } else { Some(draft.scope_beside()) };
        }
        drafts
    }

    /// The certificate that the oldest member's listeners name, else one of the Secrets that they name, else the one that ACM has for
    /// the hostname. Where that is not known, or has none, the one that the service has.
    fn certificate(&self, place: &Place, ports: &BTreeMap<u16, Port>) -> Option<String> {
        let members: BTreeSet<usize> = ports.values().flat_map(|port| port.members.clone()).collect();
        let named = members
            .iter()
            .find_map(|at| self.asks(*at, place).into_iter().find_map(|ask| ask.certificate_arn));
        let of_secrets = || {
            let beside: Vec<Ask> =
                members.iter().flat_map(|at| self.members[*at].claim.asks.clone()).collect();
            let mut asks = members.iter().flat_map(|at| self.asks(*at, place));
            asks.find_map(|ask| {
                Some(secrets_certificate(self.view, self.settings, &ask, &beside)?.arn.clone())
            })
        };
        named.or_else(of_secrets).or_else(|| self.found_certificate(ports))
    }

    fn found_certificate(&self, ports: &BTreeMap<u16, Port>) -> Option<String> {
        let hostname = self.slot.domain()?;
        if !ports.values().any(|port| port.protocol == ListenerProtocol::Https) {
            return None;
        }
        let found = match &self.view.snapshot.certificates {
            Certificates::Known(all) => certificate::choose(all, hostname).map(|one| one.arn.clone()),
            Certificates::NotAsked | Certificates::Unknown(_) => None,
        };
        found.or_else(|| {
            let mut held = self.view.actual.services.iter().filter(|one| kept::is_for(one, self.slot));
            held.find_map(|service| service.certificate_arn.clone())
        })
    }
}

/// The certificate of a Secret that an ask's listener names, as the unit of its Gateway has imported it, or that of a Gateway of another
/// ask whose listener names the Secret too.
pub(crate) fn secrets_certificate<'a>(
    view: &View<'a>,
    settings: &Settings,
    ask: &Ask,
    beside: &[Ask],
) -> Option<&'a Certificate> {
    let hostname = ask.slot.domain()?;
    let Certificates::Known(all) = &view.snapshot.certificates else { return None };
    if ask.secrets.is_empty() {
        return None;
    }
    let units = beside.iter().filter(|one| one.slot == ask.slot).flat_map(|one| {
        let unit = UnitKey::Gateway { scope: one.scope.clone(), name: one.gateway.name.clone() }.hash();
        one.secrets.iter().map(move |secret| (secret.clone(), unit.clone()))
    });
    certificate::of_secrets(all, &settings.installation, &ask.secrets, &units.collect(), hostname)
}

/// The scope of a further service of one slot, in a network.
pub(crate) fn scope_beside(slot: Option<&str>, network: &str) -> String {
    format!("{}@{network}", slot.unwrap_or_default())
}

/// As [`named`], for the status of another route: one of another cluster with that.
fn named_to(id: &RouteId, told: &RouteId) -> String {
    if id.cluster == told.cluster {
        return named(id);
    }
    format!("{} of cluster {}", named(id), id.cluster.name)
}

/// A route in a message. Statuses are searched for this form: whoever is named is told when the route changes.
pub(crate) fn named(id: &RouteId) -> String {
    format!("{} {}/{}", id.kind, id.namespace, id.name)
}
