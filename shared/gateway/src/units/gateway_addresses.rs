//! The addresses in a Gateway's status.

use trellis_hint::UnitKey;

/// Addresses that a Gateway's status can hold (CRD).
const ADDRESSES_MAX: usize = 16;

/// The domain names under which a route answers by a Gateway.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Names {
    pub(super) told: Vec<String>,
    pub(super) is_for_hostname: bool,
    /// The route's unit.
    pub(super) unit: UnitKey,
}

/// The addresses of a Gateway, the oldest route's first.
///
/// Who makes DNS records from a Gateway (ExternalDNS) points every hostname of every route at all of its addresses, and a
/// record that is an alias has one of them. So as soon as there is a hostname, the Gateway has one address: the domain name
/// of the oldest route's service. It is right for all of them, since a domain name only leads to VPC Lattice: which service
/// answers there is chosen by the request's host, or by the name in its TLS greeting (VPC Lattice User Guide, HTTP, HTTPS
/// and TLS listeners).
pub(super) fn addresses(routes: impl Iterator<Item = Names>) -> Vec<String> {
    let (mut generated, mut of_hostnames): (Vec<String>, Vec<String>) = (vec![], vec![]);
    for names in routes {
        let into = if names.is_for_hostname { &mut of_hostnames } else { &mut generated };
        for name in names.told {
            if !into.contains(&name) {
                into.push(name);
            }
        }
    }
    of_hostnames.truncate(1);
    if of_hostnames.is_empty() { generated.into_iter().take(ADDRESSES_MAX).collect() } else { of_hostnames }
}
