//! Which tags must be those of now. Another process works on the same unit the next time, and marks what nobody wants any
//! more ([`crate::Grace`]): a mark is decided on, so neither it nor its absence is believed from memory or from an old listing.

use crate::{
    Actual, ActualService, ActualVpcAssociation, ActualVpcEndpoint, Desired, Ownership, TAG_UNWANTED, Tags,
};
use std::collections::BTreeSet;

/// ARNs of what is ours and bears a mark, or is not wanted as it stands: their tags are read anew before anything is decided.
/// Without a grace no mark is decided on.
pub fn marks_that_matter(desired: &Desired, actual: &Actual) -> BTreeSet<String> {
    if desired.grace.is_none() {
        return BTreeSet::new();
    }
    let services = actual.services.iter().filter(|one| is_unwanted(desired, one));
    let services = services.map(|one| (&one.arn, &one.ownership));
    let wanted = |name: &String| desired.target_groups.iter().any(|group| group.name == *name);
    // One that nobody wants goes and stays with its service; but a backend that is gone may leave one for a while.
    let may_stay = |name: &String| desired.reads_in_full() && !wanted(name);
    let groups = actual.target_groups.iter().filter(|one| may_stay(&one.name) || is_marked(&one.tags));
    let groups = groups.map(|one| (&one.arn, &one.ownership));
    let wanted = |name: &String| desired.network.as_ref().is_some_and(|network| network.name == *name);
    let networks = actual.networks.iter().filter(|one| !wanted(&one.name) || is_marked(&one.tags));
    let networks = networks.map(|one| (&one.arn, &one.ownership));
    let wanted = |held: &&ActualVpcAssociation| {
        desired.vpc_associations.iter().any(|one| one.network == held.network && one.vpc == held.vpc)
    };
    let vpcs = actual.vpc_associations.iter().filter(|one| !wanted(one) || is_marked(&one.tags));
    let vpcs = vpcs.map(|one| (&one.arn, &one.ownership));
    let wanted = |secret: &str| desired.certificates.iter().flatten().any(|one| one.secret == secret);
    let certificates = actual.certificates.iter().filter(|one| !wanted(one.secret()) || is_marked(&one.tags));
    let certificates = certificates.map(|one| (&one.arn, &one.ownership));
    let wanted = |held: &&ActualVpcEndpoint| {
        desired.vpc_endpoints.iter().any(|one| one.network == held.network && one.vpc == held.vpc)
    };
    let endpoints = actual.vpc_endpoints.iter().filter(|one| !wanted(one) || is_marked(&one.tags));
    let endpoints = endpoints.map(|one| (&one.arn, &one.ownership));
    let resources = resources(desired, actual);
    let resources = resources.into_iter();
    let all = services.chain(groups).chain(networks).chain(vpcs).chain(endpoints).chain(certificates);
    let all = all.chain(resources);
    all.filter(|(_, ownership)| **ownership == Ownership::Ours).map(|(arn, _)| arn.clone()).collect()
}

/// The same of resources and their gateways.
fn resources<'a>(desired: &Desired, actual: &'a Actual) -> Vec<(&'a String, &'a Ownership)> {
    let mut all = vec![];
    for held in &actual.resource_gateways {
        let is_wanted = desired.resource_gateways.iter().any(|one| one.name == held.name);
        if !is_wanted || is_marked(&held.tags) {
            all.push((&held.arn, &held.ownership));
        }
    }
    for held in &actual.resource_configurations {
        let wanted = desired.resource_configurations.iter().find(|one| one.name == held.name);
        if wanted.is_none() || is_marked(&held.tags) {
            all.push((&held.arn, &held.ownership));
        }
        let stale = held.associations.iter().filter(|one| {
            wanted.is_none_or(|wanted| !wanted.networks.contains(&one.network)) || is_marked(&one.tags)
        });
        all.extend(stale.map(|one| (&one.arn, &one.ownership)));
    }
    all
}

/// Whether a service bears a mark or is not wanted as it stands.
fn is_unwanted(desired: &Desired, service: &ActualService) -> bool {
    let Some(wanted) = desired.services.iter().find(|wanted| wanted.name == service.name) else {
        return true;
    };
    is_marked(&service.tags)
        || service.listeners.iter().any(|held| wanted.listeners.iter().all(|one| one.port != held.port))
        || service.associations.iter().any(|held| !wanted.networks.contains(&held.network))
}

fn is_marked(tags: &Tags) -> bool {
    tags.iter().any(|(key, value)| key.starts_with(TAG_UNWANTED) && !value.is_empty())
}
