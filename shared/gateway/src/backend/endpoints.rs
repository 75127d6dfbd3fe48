use crate::api::{Endpoint, EndpointSlice, ServicePort, SlicePort};
use crate::gates::Gated;
use crate::problem::quoted;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use trellis_lattice::{IpFamily, Target};

/// The targets of a Service's port: every endpoint that is ready and not on its way out; where there is none, those on
/// their way out that still serve, as kube-proxy does it: until another one is ready they are all there is. And those whose
/// Pods wait for nothing but to be targets (`gated`, by name).
///
/// The AWS Gateway API Controller registers endpoints that are not ready too and leaves the rest to health checks. Here
/// the Pod's own readiness decides: it is what the user wrote down. VPC Lattice's check of `/` only finds out that
/// nothing answers any more, and there is none for TCP.
pub(super) fn targets(
    slices: &[EndpointSlice],
    gated: &BTreeMap<String, Gated>,
    port: &ServicePort,
    ip_family: IpFamily,
) -> Targets {
    let address_type = address_type(ip_family);
    let (mut targets, mut leaving, mut left_out) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut coming = BTreeSet::new();
    let comes =
        |endpoint: &Endpoint| endpoint.pod().and_then(|pod| gated.get(pod)).is_some_and(Gated::serves);
    for slice in slices {
        if slice.address_type != address_type {
            left_out.extend(never_targets(slice).filter(|_| slice.address_type == FQDN));
            continue;
        }
        left_out.extend(never_targets(slice));
        let numbers: Vec<u16> = numbers(slice, port).collect();
        for endpoint in slice.endpoints.iter().flatten() {
            let conditions = &endpoint.conditions;
            let is_ready = conditions.ready != Some(false);
            let into = match conditions.terminating {
                Some(true) if conditions.serving.unwrap_or(is_ready) => &mut leaving,
                Some(true) => continue,
                _ if is_ready => &mut targets,
                _ if comes(endpoint) => &mut coming,
                _ => continue,
            };
            // Addresses of one endpoint are interchangeable (EndpointSlice API), so the first stands for all.
            if let Some(ip) = endpoint.addresses.first().filter(|ip| can_be_in_a_vpc(ip)) {
                into.extend(numbers.iter().map(|port| Target::at(ip.clone(), *port)));
            }
        }
    }
    let mut targets = if targets.is_empty() { leaving } else { targets };
    targets.extend(coming);
    Targets { targets, left_out }
}

/// The numbers of a slice's ports that are the Service's: of its name and of TCP.
fn numbers(slice: &EndpointSlice, port: &ServicePort) -> impl Iterator<Item = u16> {
    let wanted = port.name.as_deref().unwrap_or_default();
    let fitting = slice.ports.iter().flatten().filter(move |one| {
        one.name.as_deref().unwrap_or_default() == wanted && one.protocol.as_deref().unwrap_or("TCP") == "TCP"
    });
    fitting.filter_map(|one| u16::try_from(one.port?).ok()).filter(|port| *port > 0)
}

/// What the slices with endpoints of a family offer, in words, where none of them has the Service's port. None: one has it, or there is no
/// endpoint.
pub(super) fn other_ports(
    slices: &[EndpointSlice],
    port: &ServicePort,
    ip_family: IpFamily,
) -> Option<BTreeSet<String>> {
    let has_endpoints =
        |slice: &&EndpointSlice| slice.endpoints.iter().flatten().any(|one| !one.addresses.is_empty());
    let of_family = slices.iter().filter(|slice| slice.address_type == address_type(ip_family));
    let full: Vec<&EndpointSlice> = of_family.filter(has_endpoints).collect();
    if full.is_empty() || full.iter().any(|slice| numbers(slice, port).next().is_some()) {
        return None;
    }
    let shown = |one: &SlicePort| {
        let number = one.port.map_or_else(|| "no number".to_owned(), |number| number.to_string());
        let protocol = one.protocol.as_deref().unwrap_or("TCP");
        let name = one.name.as_deref().filter(|name| !name.is_empty());
        let name = name.map(|name| format!(" {}", quoted(name))).unwrap_or_default();
        format!("{number}/{}{name}", quoted(protocol).trim_matches('"'))
    };
    Some(full.iter().flat_map(|slice| slice.ports.iter().flatten()).map(shown).collect())
}

/// The type of slices that hold addresses of a family.
pub(super) fn address_type(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "IPv4",
        IpFamily::Ipv6 => "IPv6",
    }
}

/// The type of slices that hold names instead of addresses.
pub(crate) const FQDN: &str = "FQDN";

/// What a Service's slices come to.
pub(super) struct Targets {
    pub(super) targets: BTreeSet<Target>,
    /// Addresses that no target can have.
    pub(super) left_out: BTreeSet<String>,
}

/// The addresses of a slice that can be no target, in a VPC of whatever range.
pub(crate) fn never_targets(slice: &EndpointSlice) -> impl Iterator<Item = String> {
    let first = slice.endpoints.iter().flatten().filter_map(|endpoint| endpoint.addresses.first());
    first.filter(|address| !can_be_in_a_vpc(address)).cloned()
}

/// The instance metadata service by IPv6 (EC2 User Guide, instance metadata service).
const METADATA_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Whether an address may be one of a VPC's; of which VPC, only VPC Lattice knows.
pub(super) fn can_be_in_a_vpc(address: &str) -> bool {
    // An IPv4 address may be written as one of IPv6.
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => {
            !(ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_unspecified()
                || ip.is_broadcast())
        }
        Ok(IpAddr::V6(ip)) => {
            let is_metadata = ip == METADATA_IPV6;
            !(ip.is_loopback()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
                || ip.is_unspecified()
                || is_metadata
                || ip.to_ipv4().is_some())
        }
        Err(_) => false,
    }
}
