//! Service networks and VPC associations: what a Gateway unit owns.

use super::auths::{is_secured, marked};
use super::draft::{Draft, in_progress, is_broken};
use super::{endpoints, unwanted};
use crate::names::is_network_id;
use crate::{
    Actual, ActualVpcAssociation, AwaitVpcAssociation, AwaitVpcAssociationGone, Blocked, CreateNetwork,
    CreateVpcAssociation, DeleteNetwork, DeleteVpcAssociation, DesiredVpcAssociation, Holder, Ownership,
    Status, UpdateVpcAssociation,
};
use std::collections::BTreeSet;

/// Creates the network. One that is named by its id is somebody else's to make, and in the place of one that is not shown none is
/// made: the VPC would be taken out of that.
pub(super) fn create(draft: &mut Draft) {
    if let Some(wanted) = draft.desired.network.clone() {
        let is_shown = draft.model.networks.iter().any(|n| n.name == wanted.name);
        if is_shown || is_network_id(&wanted.name) || is_unseen(draft, &wanted.name) {
            network_usable(draft, &wanted.name);
        } else {
            let holder = Holder::Network(wanted.name.clone());
            let tags = marked(draft, &holder, draft.tags(&wanted.tags));
            draft.push(CreateNetwork { network: wanted.name, tags });
        }
    }
}

/// Creates the VPC associations that nothing stands in the way of. Nobody reaches a network that lacks its auth policy.
pub(super) fn associate(draft: &mut Draft) {
    for wanted in draft.desired.vpc_associations.clone() {
        match held(&draft.model, &wanted) {
            None if !is_secured(draft, &Holder::Network(wanted.network.clone())) => {}
            None if network_usable(draft, &wanted.network) => create_association(draft, &wanted),
            None => {}
            Some(held) if held.network == wanted.network => update_settings(draft, &held, &wanted),
            Some(held) if gives_way(&held) => {}
            Some(held) => {
                let (vpc, network) = (held.vpc, held.network);
                draft.block(Blocked::VpcAssociatedElsewhere { vpc, network });
            }
        }
    }
}

/// Makes anew the VPC associations that are broken, being deleted, or with a network that is no longer wanted.
pub(super) fn associate_again(draft: &mut Draft) {
    let mut going = vec![];
    for wanted in draft.desired.vpc_associations.clone() {
        let Some(held) = held(&draft.model, &wanted) else { continue };
        let goes = if held.network == wanted.network {
            held.status == Status::DeleteInProgress || (is_ours(&held) && is_broken(held.status))
        } else {
            gives_way(&held)
        };
        let is_secured = is_secured(draft, &Holder::Network(wanted.network.clone()));
        if goes && is_secured && network_usable(draft, &wanted.network) {
            delete_association(draft, &held);
            going.push((held, wanted));
        }
    }
    for (held, wanted) in going {
        await_gone(draft, held);
        create_association(draft, &wanted);
    }
}

/// Waits for what is wanted, and sets what could not be set while a change was under way.
pub(super) fn await_associations(draft: &mut Draft) {
    for wanted in draft.desired.vpc_associations.clone() {
        let Some(held) = held(&draft.model, &wanted).filter(|a| a.network == wanted.network) else {
            continue;
        };
        // One that failed and is not ours is awaited too: the wait reports what nobody here may repair.
        if in_progress(held.status) || is_broken(held.status) {
            let (network, vpc) = (wanted.network.clone(), wanted.vpc.clone());
            draft.push(AwaitVpcAssociation { network: network.clone(), vpc: vpc.clone() });
            let held = ActualVpcAssociation { status: Status::Active, ..held };
            let steps = draft.steps.len();
            update_settings(draft, &held, &wanted);
            if draft.steps.len() > steps {
                draft.push(AwaitVpcAssociation { network, vpc });
            }
        }
    }
}

/// Deletes what is not wanted. Others' associations with our network make its deletion fail until they are gone;
/// whoever applies the plan tries again then.
pub(super) fn delete(draft: &mut Draft) {
    let ours = draft.model.vpc_associations.iter().filter(|a| is_ours(a));
    let stale = ours.filter(|a| !is_wanted(draft, a));
    let stale: Vec<_> = stale.filter(|a| !unwanted::vpc_association_stays(draft, a)).cloned().collect();
    for association in &stale {
        delete_association(draft, association);
    }
    let wanted = wanted(draft);
    let ours = draft.model.networks.iter().filter(|n| n.ownership == Ownership::Ours);
    let stale = ours.filter(|n| !wanted.contains(&n.name));
    let stale: Vec<_> = stale.filter(|n| !unwanted::network_stays(draft, n)).cloned().collect();
    for network in stale {
        let going = draft.model.vpc_associations.iter().filter(|a| a.network == network.name);
        let going: Vec<_> = going.filter(|a| a.status == Status::DeleteInProgress).cloned().collect();
        for association in going {
            await_gone(draft, association);
        }
        endpoints::await_gone_from(draft, &network.name);
        draft.push(DeleteNetwork { network: network.name, id: network.id });
    }
}

/// Names of the networks that are wanted.
pub(super) fn wanted(draft: &Draft) -> BTreeSet<String> {
    let named = draft.desired.network.iter().map(|n| &n.name);
    let used = draft.desired.vpc_associations.iter().map(|a| &a.network);
    let used = used.chain(draft.desired.vpc_endpoints.iter().map(|one| &one.network));
    let used = used.chain(draft.desired.resource_configurations.iter().flat_map(|one| &one.networks));
    let used = used.chain(draft.desired.services.iter().flat_map(|s| &s.networks));
    named.chain(used).cloned().collect()
}

/// Whether exactly one network bears the name, and may be used. If not, says why.
pub(super) fn network_usable(draft: &mut Draft, network: &str) -> bool {
    let network = network.to_owned();
    let named: Vec<_> = draft.model.networks.iter().filter(|n| n.name == network).collect();
    let blocked = match named.as_slice() {
        [] if is_unseen(draft, &network) => Blocked::NetworkUnseen { network },
        [] => Blocked::NetworkMissing { network },
        [only] if draft.desired.may_use(only) => return true,
        [only] => Blocked::NetworkNotAllowed { network, arn: only.arn.clone() },
        _ => Blocked::NetworkAmbiguous { network },
    };
    draft.block(blocked);
    false
}

/// The association that the VPC has: with the wanted network rather than with another.
fn held(model: &Actual, wanted: &DesiredVpcAssociation) -> Option<ActualVpcAssociation> {
    let of_vpc = || model.vpc_associations.iter().filter(|a| a.vpc == wanted.vpc);
    let with_network = || of_vpc().filter(|a| a.network == wanted.network);
    let lasting = with_network().find(|a| a.status != Status::DeleteInProgress);
    lasting.or_else(|| with_network().next()).or_else(|| of_vpc().next()).cloned()
}

/// Whether an association with another network than the VPC's wanted one ends: it is ours, or ending already.
fn gives_way(held: &ActualVpcAssociation) -> bool {
    held.status == Status::DeleteInProgress || is_ours(held)
}

/// Whether a VPC is with a network of a name that none is shown by, and is to stay so: the network is there, since none is deleted
/// while it has a VPC.
fn is_unseen(draft: &Draft, network: &str) -> bool {
    let with_it = draft.model.vpc_associations.iter().filter(|held| held.network == network);
    let mut lasting = with_it.filter(|held| held.status.lasts());
    lasting.any(|held| !is_ours(held) || is_wanted(draft, held))
}

fn is_ours(association: &ActualVpcAssociation) -> bool {
    association.ownership == Ownership::Ours
}

pub(super) fn is_wanted(draft: &Draft, association: &ActualVpcAssociation) -> bool {
    let mut wanted = draft.desired.vpc_associations.iter();
    wanted.any(|w| w.vpc == association.vpc && w.network == association.network)
}

fn create_association(draft: &mut Draft, wanted: &DesiredVpcAssociation) {
    let tags = draft.tags(&wanted.tags);
    let DesiredVpcAssociation { network, vpc, security_groups, private_dns, .. } = wanted.clone();
    draft.push(CreateVpcAssociation { network, vpc, security_groups, private_dns, tags });
}

/// Brings security groups and private DNS in line where the API allows it: not while another change is under way (conflict),
/// never to no group, and never of an association that somebody else made.
fn update_settings(draft: &mut Draft, held: &ActualVpcAssociation, wanted: &DesiredVpcAssociation) {
    let (id, network, vpc) = (held.id.clone(), held.network.clone(), held.vpc.clone());
    if !is_ours(held) {
        if wanted.has_settings() {
            draft.block(Blocked::VpcAssociationOfOthers { network, vpc, id });
        }
        return;
    }
    if is_broken(held.status) || held.status == Status::DeleteInProgress {
        return;
    }
    if wanted.security_groups.is_empty() && !held.security_groups.is_empty() {
        let security_groups = held.security_groups.clone();
        let (network, vpc) = (network.clone(), vpc.clone());
        draft.block(Blocked::SecurityGroupsKept { network, vpc, security_groups });
    }
    let differ = held.security_groups != wanted.security_groups;
    let groups = Some(&wanted.security_groups).filter(|_| differ).cloned().unwrap_or_default();
    let is_met = wanted.private_dns.is_met_by(&held.private_dns);
    let private_dns = Some(&wanted.private_dns).filter(|_| !is_met).cloned().unwrap_or_default();
    let is_due = !groups.is_empty() || !private_dns.is_unnamed();
    if is_due && !in_progress(held.status) {
        draft.push(UpdateVpcAssociation { id, network, vpc, security_groups: groups, private_dns });
    }
}

/// A deletion during a creation or an update is a conflict, so that one is awaited first.
fn delete_association(draft: &mut Draft, held: &ActualVpcAssociation) {
    let (network, vpc, id) = (held.network.clone(), held.vpc.clone(), held.id.clone());
    if in_progress(held.status) {
        draft.push(AwaitVpcAssociation { network: network.clone(), vpc: vpc.clone() });
    }
    if held.status != Status::DeleteInProgress {
        draft.push(DeleteVpcAssociation { network, vpc, id });
    }
}

fn await_gone(draft: &mut Draft, held: ActualVpcAssociation) {
    let ActualVpcAssociation { network, vpc, id, .. } = held;
    draft.push(AwaitVpcAssociationGone { network, vpc, id });
}
