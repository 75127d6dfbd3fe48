//! What nobody wants any more and what stays for a while all the same ([`crate::Grace`]).

use super::draft::Draft;
use super::{endpoints, imports, networks};
use crate::grace::{imports_mark, is_marked, network_mark, port_mark, rules_mark};
use crate::{
    ActualAssociation, ActualCertificate, ActualNetwork, ActualResourceAssociation,
    ActualResourceConfiguration, ActualResourceGateway, ActualService, ActualTargetGroup,
    ActualVpcAssociation, ActualVpcEndpoint, Grace, Mode, Ownership, TAG_UNWANTED, Tag, Tags, Unwanted,
    counting_endpoint,
};
use std::collections::BTreeMap;

/// Something of ours that is there, and the mark that it has or could have.
struct Markable {
    /// The resource that bears the tag.
    arn: String,
    mark: String,
    tags: Tags,
    is_wanted: bool,
}

/// Where nothing may be deleted at all, nothing has to wait for it.
fn grace(draft: &Draft) -> Option<Grace> {
    draft.desired.grace.filter(|_| draft.desired.mode == Mode::Sync)
}

/// Marks what is unwanted from now on, and takes the mark from what is wanted again.
pub(super) fn mark(draft: &mut Draft) {
    let Some(grace) = grace(draft) else { return };
    let mut tags: BTreeMap<String, Tags> = BTreeMap::new();
    for Markable { arn, mark, tags: held, is_wanted } in markables(draft) {
        let value = match (is_wanted, grace.judge(&mark, &held)) {
            (true, _) if is_marked(&mark, &held) => String::new(),
            (false, Unwanted::IsNews) => grace.mark(),
            (true, _) | (false, Unwanted::Goes | Unwanted::Stays(_)) => continue,
        };
        tags.entry(arn).or_default().insert(mark, value);
    }
    for (arn, tags) in tags {
        draft.push(Tag { arn, tags });
    }
}

/// Seconds until the first of what stays is to go.
pub(super) fn left(draft: &Draft) -> Option<u64> {
    let grace = grace(draft)?;
    let stays = |mark: &str, tags: &Tags| match grace.judge(mark, tags) {
        Unwanted::Stays(left) => Some(left),
        Unwanted::Goes | Unwanted::IsNews => None,
    };
    let unwanted = markables(draft).into_iter().filter(|one| !one.is_wanted);
    let unwanted = unwanted.filter_map(|one| stays(&one.mark, &one.tags));
    // A target group whose Service is gone is wanted with its mark.
    let groups = draft.desired.target_groups.iter().filter(|group| is_marked(TAG_UNWANTED, &group.tags));
    let groups = groups.filter_map(|group| stays(TAG_UNWANTED, &group.tags));
    // And so is a service with rules of a route, or to a target group of others, that is gone.
    let services = [rules_mark(), imports_mark()].map(|mark| {
        let services = draft.desired.services.iter().filter(|service| is_marked(&mark, &service.tags));
        services.filter_map(|service| stays(&mark, &service.tags)).min()
    });
    unwanted.chain(groups).chain(services.into_iter().flatten()).min()
}

/// Whether something that nobody wants stays for now.
fn stays(draft: &Draft, mark: &str, tags: &Tags) -> bool {
    let judge = |grace: Grace| grace.judge(mark, tags) != Unwanted::Goes;
    grace(draft).is_some_and(judge)
}

/// Whether a service that nobody wants stays for now, with all that is below it.
pub(super) fn service_stays(draft: &Draft, service: &ActualService) -> bool {
    service.status.lasts() && stays(draft, TAG_UNWANTED, &service.tags)
}

/// Whether the listener of a wanted service stays for now that nobody wants.
pub(super) fn listener_stays(draft: &Draft, service: &str, port: u16) -> bool {
    draft.our_service(service).is_some_and(|held| stays(draft, &port_mark(port), &held.tags))
}

/// Whether the association of a wanted service stays for now that nobody wants.
pub(super) fn association_stays(draft: &Draft, service: &ActualService, held: &ActualAssociation) -> bool {
    held.status.lasts() && stays(draft, &network_mark(&held.network), &service.tags)
}

/// Whether the association of a VPC stays for now that nobody wants.
pub(super) fn vpc_association_stays(draft: &Draft, held: &ActualVpcAssociation) -> bool {
    held.status.lasts() && stays(draft, TAG_UNWANTED, &held.tags)
}

/// Whether a resource gateway stays for now that nobody wants.
pub(super) fn resource_gateway_stays(draft: &Draft, held: &ActualResourceGateway) -> bool {
    held.status.lasts() && stays(draft, TAG_UNWANTED, &held.tags)
}

/// Whether a resource configuration stays for now that nobody wants, with all its associations.
pub(super) fn resource_configuration_stays(draft: &Draft, held: &ActualResourceConfiguration) -> bool {
    held.status.lasts() && stays(draft, TAG_UNWANTED, &held.tags)
}

/// Whether the association of a wanted resource stays for now that nobody wants.
pub(super) fn resource_association_stays(draft: &Draft, held: &ActualResourceAssociation) -> bool {
    held.status.lasts() && stays(draft, TAG_UNWANTED, &held.tags)
}

/// Whether a VPC's endpoint stays for now that nobody wants. One beside the one that counts goes at once.
pub(super) fn vpc_endpoint_stays(draft: &Draft, held: &ActualVpcEndpoint) -> bool {
    is_markable(draft, held) && stays(draft, TAG_UNWANTED, &held.tags)
}

/// Whether an endpoint is a VPC's way into a network: the mark of any other would count down to nothing.
fn is_markable(draft: &Draft, held: &ActualVpcEndpoint) -> bool {
    let counting = counting_endpoint(&draft.model.vpc_endpoints, &held.network, &held.vpc);
    held.status.lasts() && counting.is_some_and(|counting| counting.id == held.id)
}

/// Whether a network that nobody wants stays for now: for itself, or for a VPC that does.
pub(super) fn network_stays(draft: &Draft, network: &ActualNetwork) -> bool {
    let of_network = draft.model.vpc_associations.iter().filter(|held| held.network == network.name);
    let mut ours = of_network.filter(|held| held.ownership == Ownership::Ours);
    let mut endpoints = draft.model.vpc_endpoints.iter().filter(|held| held.network == network.name);
    stays(draft, TAG_UNWANTED, &network.tags)
        || ours.any(|held| vpc_association_stays(draft, held))
        || endpoints.any(|held| vpc_endpoint_stays(draft, held))
}

/// Whether an imported certificate that nobody wants stays for now.
pub(super) fn certificate_stays(draft: &Draft, held: &ActualCertificate) -> bool {
    stays(draft, TAG_UNWANTED, &held.tags)
}

/// Whether a target group that nobody wants stays for now, with the service that it serves.
pub(super) fn group_stays(draft: &Draft, group: &ActualTargetGroup) -> bool {
    let users = draft.users(group);
    let is_user = |service: &ActualService| users.contains(&service.name) || users.contains(&service.arn);
    draft.stale_services().iter().any(|one| is_user(one) && service_stays(draft, one))
}

/// Resources and their gateways: ARN, tags, and whether it is wanted. An association goes and stays with what it is of.
fn resource_markables<'d>(draft: &'d Draft) -> Vec<(&'d String, &'d Tags, bool)> {
    let (model, desired) = (&draft.model, &draft.desired);
    let mut all = vec![];
    for held in &model.resource_gateways {
        if held.ownership == Ownership::Ours && held.status.lasts() {
            let is_wanted = desired.resource_gateways.iter().any(|one| one.name == held.name);
            all.push((&held.arn, &held.tags, is_wanted));
        }
    }
    for held in &model.resource_configurations {
        if held.ownership != Ownership::Ours || !held.status.lasts() {
            continue;
        }
        let wanted = desired.resource_configurations.iter().find(|one| one.name == held.name);
        all.push((&held.arn, &held.tags, wanted.is_some()));
        let Some(wanted) = wanted else { continue };
        let ours = held.associations.iter().filter(|one| one.ownership == Ownership::Ours);
        let lasting = ours.filter(|one| one.status.lasts());
        all.extend(lasting.map(|one| (&one.arn, &one.tags, wanted.networks.contains(&one.network))));
    }
    all
}

fn markables(draft: &Draft) -> Vec<Markable> {
    let mut all = vec![];
    let mut add = |arn: &String, mark: String, tags: &Tags, is_wanted: bool| {
        all.push(Markable { arn: arn.clone(), mark, tags: tags.clone(), is_wanted });
    };
    let whole = || TAG_UNWANTED.to_owned();
    let model = &draft.model;
    let ours = |ownership: &Ownership| *ownership == Ownership::Ours;
    for held in model.services.iter().filter(|held| ours(&held.ownership) && held.status.lasts()) {
        let wanted = draft.wanted_service(&held.name);
        add(&held.arn, whole(), &held.tags, wanted.is_some());
        let Some(wanted) = wanted else { continue };
        // Of what is wanted the marks go before it is there.
        for listener in &wanted.listeners {
            add(&held.arn, port_mark(listener.port), &held.tags, true);
        }
        for network in &wanted.networks {
            add(&held.arn, network_mark(network), &held.tags, true);
        }
        let stale = held.listeners.iter().filter(|l| !wanted.listeners.iter().any(|one| one.port == l.port));
        for listener in stale.filter(|listener| ours(&listener.ownership)) {
            add(&held.arn, port_mark(listener.port), &held.tags, false);
        }
        let stale = held.associations.iter().filter(|one| !wanted.networks.contains(&one.network));
        for association in stale.filter(|one| ours(&one.ownership) && one.status.lasts()) {
            add(&held.arn, network_mark(&association.network), &held.tags, false);
        }
    }
    for held in model.vpc_associations.iter().filter(|a| ours(&a.ownership) && a.status.lasts()) {
        add(&held.arn, whole(), &held.tags, networks::is_wanted(draft, held));
    }
    for held in model.vpc_endpoints.iter().filter(|held| ours(&held.ownership) && is_markable(draft, held)) {
        add(&held.arn, whole(), &held.tags, endpoints::is_wanted(draft, held));
    }
    for (arn, tags, is_wanted) in resource_markables(draft) {
        add(arn, whole(), tags, is_wanted);
    }
    let wanted_networks = networks::wanted(draft);
    for held in model.networks.iter().filter(|held| ours(&held.ownership)) {
        add(&held.arn, whole(), &held.tags, wanted_networks.contains(&held.name));
    }
    for held in model.certificates.iter().filter(|held| ours(&held.ownership)) {
        // While a service has it the mark would count down to nothing.
        let is_wanted = imports::is_wanted(draft, held);
        if is_wanted || !held.in_use {
            add(&held.arn, whole(), &held.tags, is_wanted);
        }
    }
    for held in model.target_groups.iter().filter(|held| ours(&held.ownership)) {
        // One whose Service is gone is wanted with its mark; one that nobody wants goes and stays with its service.
        if draft.wanted_group(&held.name).is_some_and(|wanted| !is_marked(TAG_UNWANTED, &wanted.tags)) {
            add(&held.arn, whole(), &held.tags, true);
        }
    }
    all
}
