//! VPC endpoints of the service network: what a Gateway unit owns beside the associations of VPCs.

use super::auths::is_secured;
use super::draft::{Draft, in_progress, is_broken};
use super::{networks, unwanted};
use crate::{
    ActualVpcEndpoint, AwaitVpcEndpoint, AwaitVpcEndpointGone, Blocked, CreateVpcEndpoint, DeleteVpcEndpoint,
    DesiredVpcEndpoint, Holder, Ownership, Status, UpdateVpcEndpoint, counting_endpoint,
};
use std::collections::BTreeSet;

/// Makes the endpoints that are missing or broken, and brings subnets and security groups of the others in line. One that is being
/// deleted is in nobody's way: EC2 knows endpoints by their ids. Nobody reaches a network that lacks its auth policy.
pub(super) fn create(draft: &mut Draft) {
    for wanted in draft.desired.vpc_endpoints.clone() {
        match held(draft, &wanted) {
            Some(held) if !is_broken(held.status) => update(draft, &held, &wanted),
            Some(_) | None => make(draft, &wanted),
        }
    }
}

fn held(draft: &Draft, wanted: &DesiredVpcEndpoint) -> Option<ActualVpcEndpoint> {
    counting_endpoint(&draft.model.vpc_endpoints, &wanted.network, &wanted.vpc).cloned()
}

fn make(draft: &mut Draft, wanted: &DesiredVpcEndpoint) {
    let DesiredVpcEndpoint { network, vpc, security_groups, .. } = wanted.clone();
    let holder = Holder::Network(network.clone());
    if !is_secured(draft, &holder) || !networks::network_usable(draft, &network) {
        return;
    }
    let subnets = wanted.subnets_of(&draft.model.subnet_zones, &BTreeSet::new());
    if subnets.is_empty() {
        draft.block(Blocked::EndpointWithoutSubnets { vpc, network });
        return;
    }
    let tags = draft.tags(&wanted.tags);
    draft.push(CreateVpcEndpoint { network, vpc, subnets, security_groups, tags });
}

/// Not while another change is under way, and never to no subnet or no security group.
fn update(draft: &mut Draft, held: &ActualVpcEndpoint, wanted: &DesiredVpcEndpoint) {
    let subnets = wanted.subnets_of(&draft.model.subnet_zones, &held.subnets);
    let (mut add_subnets, mut remove_subnets) = differences(&held.subnets, &subnets);
    if subnets.is_empty() {
        (add_subnets, remove_subnets) = (BTreeSet::new(), BTreeSet::new());
    }
    let (mut add_groups, mut remove_groups) = differences(&held.security_groups, &wanted.security_groups);
    if wanted.security_groups.is_empty() {
        (add_groups, remove_groups) = (BTreeSet::new(), BTreeSet::new());
    }
    let all = [&add_subnets, &remove_subnets, &add_groups, &remove_groups];
    let is_due = all.iter().any(|some| !some.is_empty());
    if is_due && !in_progress(held.status) {
        let (id, network, vpc) = (held.id.clone(), held.network.clone(), held.vpc.clone());
        draft.push(UpdateVpcEndpoint {
            id,
            network,
            vpc,
            add_subnets,
            remove_subnets,
            add_groups,
            remove_groups,
        });
    }
}

/// What is to come, and what is to go.
fn differences(held: &BTreeSet<String>, wanted: &BTreeSet<String>) -> (BTreeSet<String>, BTreeSet<String>) {
    (wanted.difference(held).cloned().collect(), held.difference(wanted).cloned().collect())
}

/// Waits for what is wanted, and sets what could not be set while a change was under way.
pub(super) fn settle(draft: &mut Draft) {
    for wanted in draft.desired.vpc_endpoints.clone() {
        let Some(held) = held(draft, &wanted).filter(|held| in_progress(held.status)) else { continue };
        let (network, vpc) = (wanted.network.clone(), wanted.vpc.clone());
        draft.push(AwaitVpcEndpoint { network: network.clone(), vpc: vpc.clone() });
        let steps = draft.steps.len();
        update(draft, &ActualVpcEndpoint { status: Status::Active, ..held }, &wanted);
        if draft.steps.len() > steps {
            draft.push(AwaitVpcEndpoint { network, vpc });
        }
    }
}

/// Deletes what is not wanted, what is broken, and what a call whose answer was lost has left over.
pub(super) fn delete(draft: &mut Draft) {
    let ours = draft.model.vpc_endpoints.iter().filter(|one| one.ownership == Ownership::Ours);
    let lasting = ours.filter(|one| one.status != Status::DeleteInProgress);
    let stale = lasting.filter(|one| !is_wanted(draft, one));
    let stale: Vec<_> = stale.filter(|one| !unwanted::vpc_endpoint_stays(draft, one)).cloned().collect();
    for ActualVpcEndpoint { network, vpc, id, .. } in stale {
        draft.push(DeleteVpcEndpoint { network, vpc, id });
    }
}

/// A service network goes only when its endpoints are gone.
pub(super) fn await_gone_from(draft: &mut Draft, network: &str) {
    let of_network = draft.model.vpc_endpoints.iter().filter(|one| one.network == network);
    let going: Vec<_> = of_network.filter(|one| one.status == Status::DeleteInProgress).cloned().collect();
    for ActualVpcEndpoint { network, vpc, id, .. } in going {
        draft.push(AwaitVpcEndpointGone { network, vpc, id });
    }
}

/// Whether it is the one that counts for a VPC that wants one.
pub(super) fn is_wanted(draft: &Draft, held: &ActualVpcEndpoint) -> bool {
    let wanted = draft.desired.vpc_endpoints.iter().any(|w| w.vpc == held.vpc && w.network == held.network);
    let counting = counting_endpoint(&draft.model.vpc_endpoints, &held.network, &held.vpc);
    wanted && counting.is_some_and(|counting| counting.id == held.id)
}
