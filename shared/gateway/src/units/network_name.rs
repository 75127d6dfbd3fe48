//! What a service network can be called.

use crate::Settings;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::view::View;
use trellis_lattice::names::{is_network_id, label};

/// Characters of a service network's name (API model, ServiceNetworkName).
const NETWORK_NAME_CHARS: usize = 63;

/// How no new service network's name begins (CloudFormation, AWS::VpcLattice::ServiceNetwork; the API model does not say so, and
/// the stricter of the two counts: a name that is refused is found at once, one that AWS refuses only in a failed call).
const NETWORK_RESERVED: &str = "servicenetwork-";

/// Why a name can be no service network's.
fn bad(name: &str) -> Option<Problem> {
    let is_good = (3..=NETWORK_NAME_CHARS).contains(&name.len()) && label(name, NETWORK_NAME_CHARS) == name;
    (!is_good).then(|| {
        let text = format!(
            "{} cannot be a service network's name; use 3 to {NETWORK_NAME_CHARS} lower-case letters, digits and \
             single hyphens",
            quoted(name)
        );
        Problem::new(Code::NetworkName, "metadata.name", text)
    })
}

/// Why no network can be made by a name.
pub(crate) fn bad_to_make(name: &str) -> Option<Problem> {
    let is_id = is_network_id(name).then(|| {
        let text =
            format!("{} is the id of a service network, by which none is made; choose a name", quoted(name));
        Problem::new(Code::NetworkName, "metadata.name", text)
    });
    is_id.or_else(|| bad(name))
}

/// Why the Gateway's name cannot be a service network's.
pub(super) fn problem(view: &View, name: &str, settings: &Settings) -> Option<Problem> {
    let reserved = || {
        let text = format!(
            "{} begins with \"{NETWORK_RESERVED}\", which AWS reserves; choose another name",
            quoted(name)
        );
        let is_new = name.starts_with(NETWORK_RESERVED) && !is_network(view, name, settings);
        is_new.then(|| Problem::new(Code::NetworkName, "metadata.name", text))
    };
    bad(name).or_else(reserved)
}

/// Whether there is such a network: then the name can be had, whatever the documents say.
fn is_network(view: &View, name: &str, settings: &Settings) -> bool {
    settings.allowed_networks.contains(name)
        || view.actual.networks.iter().any(|network| network.name == name)
}

/// The same of a network that is to be made by the name.
pub(super) fn problem_of_making(view: &View, name: &str, settings: &Settings) -> Option<Problem> {
    bad_to_make(name).or_else(|| problem(view, name, settings))
}
