//! Places that services leave at once, since others wait for them: two routes that change hostnames or networks with each other would
//! wait for each other's place for good. Who waits says so in his status, and may have given up meanwhile; so he is told when the place
//! is free, and whoever begins to wait tells all others that wait.

use super::cluster_routes::objects;
use super::dependents::{Hints, object_ref, unit_of_route};
use crate::status;
use crate::view::View;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::ClusterId;
use trellis_lattice::{Desired, Ownership, place_taken};

/// The services of the unit, each with a network in which it is not wanted, and who waits there for its place, as his status tells. The
/// routes are those of these clusters.
pub(super) fn giving_way<'a>(
    view: &View,
    clusters: impl IntoIterator<Item = &'a ClusterId>,
    desired: &Desired,
) -> BTreeMap<(String, String), Hints> {
    let wanted = desired.services.iter().map(|one| (one.name.as_str(), &one.networks));
    let wanted: BTreeMap<&str, &BTreeSet<String>> = wanted.collect();
    // One that is given to another unit stays where it is.
    let ours = view
        .actual
        .services
        .iter()
        .filter(|one| one.ownership == Ownership::Ours && !desired.handovers.contains_key(&one.name));
    let places = ours.flat_map(|service| service.associations.iter().map(move |one| (service, &one.network)));
    let mut left = places
        .filter(|(service, network)| {
            wanted.get(service.name.as_str()).is_none_or(|networks| !networks.contains(*network))
        })
        .peekable();
    if left.peek().is_none() {
        return BTreeMap::new();
    }
    // By the bare objects: a route that is in the one network may have no Gateway in common with this one now.
    let routes = clusters.into_iter().flat_map(|cluster| {
        let all = objects(view, cluster, &mut vec![]).into_iter();
        all.map(move |(kind, object)| (object, object_ref(cluster, kind, object)))
    });
    let routes: Vec<_> = routes.collect();
    let waiting = left.filter_map(|(service, network)| {
        let words = place_taken(service.custom_domain.as_deref()?, network);
        let waiting = routes.iter().filter(|(object, _)| status::has_words(object, &words));
        let waiting: Hints = waiting
            .map(|(_, named)| (unit_of_route(&named.cluster, named.kind, named), named.clone()))
            .collect();
        (!waiting.is_empty()).then(|| ((service.name.clone(), network.clone()), waiting))
    });
    waiting.collect()
}
