//! What can have access logs and an auth policy.

use trellis_lattice::{Actual, Holder, Ownership, Status};

/// Our services and networks that are to have something, or once had it, which the tag `mark` tells; each with its id.
pub(super) fn holders_that_matter<'a>(
    actual: &'a Actual,
    mark: &str,
    is_wanted: impl Fn(&Holder) -> bool,
) -> Vec<(Holder, &'a str)> {
    let services = actual.services.iter().filter(|one| one.status != Status::DeleteInProgress);
    let services =
        services.map(|one| (Holder::Service(one.name.clone()), &one.id, &one.ownership, &one.tags));
    let networks = actual.networks.iter();
    let networks =
        networks.map(|one| (Holder::Network(one.name.clone()), &one.id, &one.ownership, &one.tags));
    let ours = services.chain(networks).filter(|(_, _, ownership, _)| **ownership == Ownership::Ours);
    let matter = ours.filter(|(holder, _, _, tags)| tags.contains_key(mark) || is_wanted(holder));
    matter.map(|(holder, id, ..)| (holder, id.as_str())).collect()
}
