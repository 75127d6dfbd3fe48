//! Addresses behind a route.

use super::BackendError;
use super::declared;
use super::endpoints;
use super::protocol::{Place, spoken};
use super::service::{Asked, Pool};
use crate::api::AddressesWire;
use crate::code::Code;
use crate::policy::target_group;
use crate::problem::{Problem, quoted};
use crate::view::View;
use std::collections::BTreeSet;
use std::net::IpAddr;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{IpConfig, IpFamily, Target, TargetGroupConfig, TargetProtocol};

/// Addresses of one family at one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// None: the cluster's.
    vpc: Option<String>,
    ips: BTreeSet<IpAddr>,
    port: u16,
    family: IpFamily,
    protocol: TargetProtocol,
}

/// Reads what a Backend says of them.
pub(super) fn read(wire: AddressesWire) -> Result<Addresses, Problem> {
    let refuse = |text: String| Err(Problem::new(Code::BackendValue, "spec.addresses.addresses", text));
    let vpc = declared::vpc("spec.addresses", wire.vpc)?;
    let port = declared::port("spec.addresses", wire.port)?;
    let protocol = declared::protocol("spec.addresses", wire.protocol.as_deref(), true)?;
    let mut ips = BTreeSet::new();
    for text in &wire.addresses {
        match text.parse::<IpAddr>() {
            Ok(ip) if endpoints::can_be_in_a_vpc(text) => _ = ips.insert(ip),
            _ => return refuse(format!("{} is no address of a VPC; correct it", quoted(text))),
        }
    }
    let Some(first) = ips.first() else {
        return refuse("The list is empty; name an address".to_owned());
    };
    if ips.iter().any(|ip| ip.is_ipv4() != first.is_ipv4()) {
        let text = "VPC Lattice takes IPv4 or IPv6 in one target group; make a Backend for each";
        return refuse(text.to_owned());
    }
    let family = if first.is_ipv4() { IpFamily::Ipv4 } else { IpFamily::Ipv6 };
    Ok(Addresses { vpc, ips, port, family, protocol })
}

impl Addresses {
    /// What the Backend's own status says.
    pub(super) fn told(&self) -> String {
        format!("Routes lead to {} addresses at port {}.", self.ips.len(), self.port)
    }
}

/// The pool of addresses: spoken to and checked as a Service's port that says the same.
pub(super) fn pool(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    addresses: &Addresses,
    asked: &Asked,
) -> Result<Pool, BackendError> {
    let spec = (addresses.port, addresses.protocol);
    let port = declared::service_port("spec.addresses", name, spec, asked)?;
    let policy = target_group::in_force(view, cluster, (Kind::Backend, namespace, name), None);
    let policy = policy.map_err(BackendError::Unknown)?;
    let mut notes = vec![];
    let place = Place { cluster, kind: Kind::Backend, namespace, service: name };
    let spoken = spoken(view, &place, &port, asked, policy, &mut notes)?;
    notes.extend(declared::too_many_note(name, addresses.ips.len(), asked));
    let own = || view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
    let config = IpConfig {
        port: addresses.port,
        protocol: spoken.protocol,
        protocol_version: spoken.protocol_version,
        ip_family: addresses.family,
        vpc: addresses.vpc.clone().unwrap_or_else(own),
    };
    let targets = addresses.ips.iter().map(|ip| Target::at(ip.to_string(), addresses.port));
    let (config, targets) = (TargetGroupConfig::Ip(config), targets.take(asked.targets_max).collect());
    Ok(Pool {
        health_check: Some(spoken.health_check()),
        policy: spoken.policy,
        notes,
        ..declared::pool_of(cluster, (namespace, name), config, targets)
    })
}
