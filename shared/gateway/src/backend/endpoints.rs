use crate::api::{self, EndpointSlice, ServicePort};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_lattice::{IpFamily, Target};

/// The targets of a Service's port: every endpoint that is ready and not on its way out; where there is none, those on
/// their way out that still serve, as kube-proxy does it: until another one is ready they are all there is.
///
/// The AWS Gateway API Controller registers endpoints that are not ready too and leaves the rest to health checks. Here
/// the Pod's own readiness decides: it is what the user wrote down. VPC Lattice's check of `/` only finds out that
/// nothing answers any more, and there is none for TCP.
pub(super) fn targets<'a>(
    slices: impl Iterator<Item = &'a Value>,
    port: &ServicePort,
    ip_family: IpFamily,
) -> BTreeSet<Target> {
    let address_type = match ip_family {
        IpFamily::Ipv4 => "IPv4",
        IpFamily::Ipv6 => "IPv6",
    };
    let wanted = port.name.as_deref().unwrap_or_default();
    // A slice that cannot be read gives no targets: its Service's others still do.
    let slices = slices.filter_map(|slice| api::parse::<EndpointSlice>(slice).ok());
    let (mut targets, mut leaving) = (BTreeSet::new(), BTreeSet::new());
    for slice in slices.filter(|slice| slice.address_type == address_type) {
        let ports = slice.ports.iter().flatten().filter(|one| {
            one.name.as_deref().unwrap_or_default() == wanted
                && one.protocol.as_deref().unwrap_or("TCP") == "TCP"
        });
        let numbers: Vec<u16> =
            ports.filter_map(|one| u16::try_from(one.port?).ok()).filter(|port| *port > 0).collect();
        for endpoint in slice.endpoints.iter().flatten() {
            let conditions = &endpoint.conditions;
            let is_ready = conditions.ready != Some(false);
            let into = match conditions.terminating {
                Some(true) if conditions.serving.unwrap_or(is_ready) => &mut leaving,
                Some(true) => continue,
                _ if is_ready => &mut targets,
                _ => continue,
            };
            // Addresses of one endpoint are interchangeable (EndpointSlice API), so the first stands for all.
            if let Some(ip) = endpoint.addresses.first() {
                into.extend(numbers.iter().map(|port| Target { ip: ip.clone(), port: *port }));
            }
        }
    }
    if targets.is_empty() { leaving } else { targets }
}
