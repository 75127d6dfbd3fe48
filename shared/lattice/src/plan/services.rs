//! Services and their associations with service networks.

use super::auths::{is_secured, marked};
use super::draft::{Draft, in_progress, is_broken};
use super::networks::network_usable;
use super::unwanted;
use crate::names::domain;
use crate::user_tags::below_mark;
use crate::{
    ActualAssociation, ActualService, AwaitAssociation, AwaitAssociationGone, AwaitService, AwaitServiceGone,
    Blocked, CreateAssociation, CreateService, DeleteAssociation, DeleteListener, DeleteService,
    DesiredListener, DesiredService, HandOver, Holder, IDLE_TIMEOUT_DEFAULT, Ownership, Quota, Status,
    TAG_BELOW, Tags, TakenDomain, UpdateCertificate, UpdateIdleTimeout,
};
use std::collections::BTreeSet;

/// Gives services to other units, with all below them. The service is last: until then what is left is found again.
pub(super) fn hand_over(draft: &mut Draft) {
    for (name, to) in draft.desired.handovers.clone() {
        let Some(service) = draft.our_service(&name).cloned() else { continue };
        let used = service.target_groups();
        let groups = draft
            .model
            .target_groups
            .iter()
            .filter(|group| group.ownership == Ownership::Ours && used.contains(group.name.as_str()));
        let below = service.below().chain(groups.map(|group| (&group.arn, &group.ownership)));
        let ours = below.filter(|(_, ownership)| **ownership == Ownership::Ours);
        let arns: Vec<String> = ours.map(|(arn, _)| arn.clone()).chain([service.arn.clone()]).collect();
        for arn in arns {
            draft.push(HandOver { arn, to: to.clone() });
        }
    }
}

/// Takes back what was given of a service to another unit than the one that is to have it: a hand-over was cut off, and is not
/// wished any more.
pub(super) fn take_back(draft: &mut Draft) {
    let mut arns: Vec<String> = vec![];
    for service in draft.model.services.iter().filter(|service| service.ownership == Ownership::Ours) {
        let heir = draft.desired.handovers.get(&service.name).map(|heir| heir.key.as_str());
        let is_given = |ownership: &Ownership| matches!(ownership, Ownership::OtherUnit(unit) if Some(unit.as_str()) != heir);
        let used = service.target_groups();
        let groups =
            draft.model.target_groups.iter().filter(|group| {
                used.contains(group.name.as_str()) && draft.wanted_group(&group.name).is_some()
            });
        let below = service.below().chain(groups.map(|group| (&group.arn, &group.ownership)));
        arns.extend(below.filter(|(_, ownership)| is_given(ownership)).map(|(arn, _)| arn.clone()));
    }
    let to = draft.desired.owner.clone();
    for arn in arns {
        draft.push(HandOver { arn, to: to.clone() });
    }
}

/// Removes what bears a wanted name and must be made anew.
pub(super) fn clear(draft: &mut Draft) {
    let named = |wanted: &DesiredService| draft.service(&wanted.name).map(|s| (s.clone(), wanted.clone()));
    let named: Vec<_> = draft.desired.services.iter().filter_map(named).collect();
    let broken: Vec<_> = named
        .iter()
        .filter(|(held, wanted)| must_be_replaced(held, wanted))
        .map(|(held, _)| held.clone())
        .collect();
    for service in &broken {
        delete_associations(draft, service, |_| true);
    }
    for service in &broken {
        delete_service(draft, service);
    }
    for (held, _) in named {
        let status = draft.service(&held.name).map(|s| s.status);
        if status == Some(Status::DeleteInProgress) {
            draft.push(AwaitServiceGone { service: held.name, id: held.id });
        }
    }
}

/// Creates what is missing.
pub(super) fn create(draft: &mut Draft) {
    for wanted in draft.desired.services.clone() {
        match draft.service(&wanted.name) {
            Some(held) if held.ownership == Ownership::Ours => {}
            Some(held) => {
                let unit = match &held.ownership {
                    Ownership::OtherUnit(unit) => Some(unit.clone()),
                    Ownership::Ours | Ownership::Foreign | Ownership::Unread => None,
                };
                let blocked = Blocked::ServiceNameTaken { service: wanted.name, arn: held.arn.clone(), unit };
                draft.block(blocked);
            }
            None if is_barred(draft, &wanted) => block_taken(draft, &wanted, |_| true),
            // A service costs from the moment it is made, and none of its networks would take it.
            None if !wanted.networks.is_empty() && wanted.networks.iter().all(|one| is_full(draft, one)) => {
                block_full(draft, &wanted.networks);
            }
            None => {
                let holder = Holder::Service(wanted.name.clone());
                let mut tags = marked(draft, &holder, draft.tags(&wanted.tags));
                // All below it is made with the same.
                tags.extend(below_mark(&wanted.tags).map(|mark| (TAG_BELOW.to_owned(), mark)));
                let DesiredService { name, custom_domain, certificate_arn, idle_timeout_seconds, .. } =
                    wanted;
                let service = name;
                draft.push(CreateService {
                    service,
                    custom_domain,
                    certificate_arn,
                    idle_timeout_seconds,
                    tags,
                });
            }
        }
    }
}

/// What stands in the way of a service's domain in a network.
fn taken<'a>(draft: &'a Draft, wanted: &'a DesiredService, network: &'a str) -> Option<&'a TakenDomain> {
    let own = domain(wanted.custom_domain.as_deref()?);
    draft.model.taken_domains.iter().find(|one| one.network == *network && one.domain == own)
}

/// Whether others have a service's domain wherever it is to be: then nothing is made for it.
fn is_barred(draft: &Draft, wanted: &DesiredService) -> bool {
    !wanted.networks.is_empty() && wanted.networks.iter().all(|one| taken(draft, wanted, one).is_some())
}

/// The target groups that only services that are not there need, and that others' domains keep from being made.
pub(super) fn barred_groups(draft: &Draft) -> BTreeSet<String> {
    let is_barred = |one: &&DesiredService| draft.service(&one.name).is_none() && is_barred(draft, one);
    let (barred, others): (Vec<&DesiredService>, Vec<&DesiredService>) =
        draft.desired.services.iter().partition(is_barred);
    let used: BTreeSet<&str> = others.into_iter().flat_map(DesiredService::target_groups).collect();
    let groups = barred.into_iter().flat_map(DesiredService::target_groups);
    groups.filter(|group| !used.contains(group)).map(str::to_owned).collect()
}

/// Tells of the networks in which others have the domain.
fn block_taken(draft: &mut Draft, wanted: &DesiredService, of: impl Fn(&str) -> bool) {
    let networks = wanted.networks.iter().filter(|network| of(network));
    let taken: Vec<TakenDomain> =
        networks.filter_map(|network| taken(draft, wanted, network).cloned()).collect();
    for TakenDomain { network, domain, arn, unit } in taken {
        draft.block(Blocked::DomainTaken { domain, network, arn, unit });
    }
}

/// Awaits what is being made, then sets certificates and idle time-outs.
pub(super) fn settle(draft: &mut Draft) {
    for (wanted, held) in ours(draft) {
        if in_progress(held.status) {
            draft.push(AwaitService { service: wanted.name });
        }
    }
    for (wanted, held) in ours(draft) {
        // A certificate that is no longer wanted stays: without a custom domain it serves nobody.
        if let Some(certificate_arn) =
            wanted.certificate_arn.filter(|c| held.certificate_arn.as_ref() != Some(c))
        {
            draft.push(UpdateCertificate { service: wanted.name, certificate_arn });
        }
    }
    for (wanted, held) in ours(draft) {
        // Where nobody asks for one any more, the default comes back.
        let default = held.had_idle_timeout().then_some(IDLE_TIMEOUT_DEFAULT);
        if let Some(idle_timeout_seconds) = wanted.idle_timeout_seconds.or(default)
            && held.idle_timeout_seconds != Some(idle_timeout_seconds)
        {
            draft.push(UpdateIdleTimeout { service: wanted.name, idle_timeout_seconds });
        }
    }
}

/// Leaves the networks in which another route's service waits for the place.
pub(super) fn give_way(draft: &mut Draft) {
    let giving_way = draft.desired.giving_way.clone();
    let waits = |held: &ActualService, one: &ActualAssociation| {
        giving_way.contains(&(held.name.clone(), one.network.clone()))
    };
    for (wanted, held) in ours(draft) {
        let unwanted = unwanted_associations(draft, &wanted, &held).filter(|one| waits(&held, one));
        let going: BTreeSet<String> = unwanted.map(|one| one.id.clone()).collect();
        delete_associations(draft, &held, |one| going.contains(&one.id));
    }
    for held in draft.going_services() {
        delete_associations(draft, &held, |one| waits(&held, one));
    }
}

/// The associations of a service that are to go.
fn unwanted_associations<'a>(
    draft: &'a Draft,
    wanted: &'a DesiredService,
    held: &'a ActualService,
) -> impl Iterator<Item = &'a ActualAssociation> {
    let unwanted = held.associations.iter().filter(|one| !wanted.networks.contains(&one.network));
    unwanted.filter(|one| !unwanted::association_stays(draft, held, one))
}

/// Associates with the networks that are there, with one that has two names once.
pub(super) fn associate(draft: &mut Draft) {
    for (wanted, held) in ours(draft) {
        if !is_secured(draft, &Holder::Service(wanted.name.clone())) {
            continue;
        }
        let missing = wanted.networks.iter().filter(|network| association(&held, network).is_none());
        let (full, open): (BTreeSet<String>, BTreeSet<String>) =
            missing.cloned().partition(|network| is_full(draft, network));
        block_full(draft, &full);
        block_taken(draft, &wanted, |network| open.contains(network));
        for network in open {
            let is_joined = joined(draft, &held, &network).is_some();
            let is_taken = taken(draft, &wanted, &network).is_some();
            if !is_joined
                && !is_taken
                && network_usable(draft, &network)
                && predecessor(draft, &held, &network).is_none()
            {
                create_association(draft, &wanted.name, &network, &wanted.tags);
            }
        }
    }
}

/// Whether a network has as many services as it can have.
fn is_full(draft: &Draft, network: &str) -> bool {
    draft.model.network_usage.get(network).is_some_and(|used| *used >= draft.limits.services_per_network)
}

fn block_full(draft: &mut Draft, networks: &BTreeSet<String>) {
    let (quota, limit) = (Quota::ServicesPerNetwork, draft.limits.services_per_network);
    for network in networks {
        draft.block(Blocked::QuotaExceeded { resource: network.clone(), quota, limit });
    }
}

/// Deletes listeners of services that are to go where they use a target group that a wanted service waits for, since a
/// target group serves one service only.
pub(super) fn release_target_groups(draft: &mut Draft) {
    let listeners = draft.desired.services.iter().flat_map(|s| &s.listeners);
    let wanted: BTreeSet<String> =
        listeners.flat_map(DesiredListener::target_groups).map(str::to_owned).collect();
    for service in draft.stale_services() {
        let uses = |names: BTreeSet<&str>| names.iter().any(|name| wanted.contains(*name));
        if service.status == Status::DeleteInProgress && uses(service.target_groups()) {
            draft.push(AwaitServiceGone { service: service.name, id: service.id });
            continue;
        }
        let ours = service.listeners.iter().filter(|l| l.ownership == Ownership::Ours);
        for listener in ours.filter(|l| uses(l.target_groups())) {
            let (service, id) = (service.name.clone(), listener.id.clone());
            draft.push(DeleteListener { service, port: listener.port, id });
        }
    }
}

/// Makes anew the associations that are broken or being deleted.
pub(super) fn associate_again(draft: &mut Draft) {
    let mut going = vec![];
    for (wanted, held) in ours(draft) {
        for network in &wanted.networks {
            let Some(association) = association(&held, network).cloned() else { continue };
            let broken = association.ownership == Ownership::Ours && is_broken(association.status);
            let is_secured = is_secured(draft, &Holder::Service(wanted.name.clone()));
            let goes = broken || association.status == Status::DeleteInProgress;
            let is_known = going.iter().any(|(_, one): &(_, ActualAssociation)| one.id == association.id);
            let is_free = !is_known && taken(draft, &wanted, network).is_none();
            if goes && is_secured && is_free && network_usable(draft, network) {
                delete_association(draft, &held.name, &association);
                going.push((wanted.clone(), association));
            }
        }
    }
    for (wanted, association) in going {
        await_gone(draft, &wanted.name, &association);
        create_association(draft, &wanted.name, &association.network, &wanted.tags);
    }
}

/// A custom domain is one service's in a network. Where another of ours has it that is not wanted there any more, this one
/// comes in its place, once it has its listeners: no grace can bridge that.
pub(super) fn associate_instead(draft: &mut Draft) {
    for (wanted, held) in ours(draft) {
        let missing: Vec<&String> =
            wanted.networks.iter().filter(|network| association(&held, network).is_none()).collect();
        let listens = |port: u16| held.listeners.iter().any(|listener| listener.port == port);
        let is_ready = wanted.listeners.iter().all(|listener| listens(listener.port));
        if !is_secured(draft, &Holder::Service(wanted.name.clone())) {
            continue;
        }
        for network in missing {
            if joined(draft, &held, network).is_some() {
                continue;
            }
            let Some((before, association)) = predecessor(draft, &held, network) else { continue };
            let stays = match draft.wanted_service(&before.name) {
                Some(_) => unwanted::association_stays(draft, &before, &association),
                None => unwanted::service_stays(draft, &before),
            };
            if network_usable(draft, network) && (is_ready || !stays) {
                delete_association(draft, &before.name, &association);
                await_gone(draft, &before.name, &association);
                create_association(draft, &wanted.name, network, &wanted.tags);
            }
        }
    }
}

/// The service of ours that has another one's custom domain in a network and is not wanted there any more.
fn predecessor(
    draft: &Draft,
    service: &ActualService,
    network: &str,
) -> Option<(ActualService, ActualAssociation)> {
    let domain = service.domain()?;
    let others = draft.model.services.iter().filter(|one| {
        one.ownership == Ownership::Ours && one.id != service.id && one.domain().as_ref() == Some(&domain)
    });
    let is_wanted_there = |one: &ActualService| {
        draft.wanted_service(&one.name).is_some_and(|wanted| wanted.networks.contains(network))
    };
    let mut there = others.filter(|one| !is_wanted_there(one)).filter_map(|one| {
        let held = association(one, network).filter(|held| held.ownership == Ownership::Ours)?;
        Some((one.clone(), held.clone()))
    });
    there.next()
}

/// Waits for what is wanted.
pub(super) fn await_associations(draft: &mut Draft) {
    for (wanted, held) in ours(draft) {
        for network in wanted.networks {
            // One that failed and is not ours is awaited too: the wait reports what nobody here may repair.
            // One of two names is awaited by the other.
            let awaited =
                joined(draft, &held, &network).is_some_and(|a| in_progress(a.status) || is_broken(a.status));
            if awaited {
                draft.push(AwaitAssociation { service: wanted.name.clone(), network });
            }
        }
    }
}

/// Deletes associations that are not wanted.
pub(super) fn disassociate(draft: &mut Draft) {
    for (wanted, held) in ours(draft) {
        let going: BTreeSet<String> =
            unwanted_associations(draft, &wanted, &held).map(|one| one.id.clone()).collect();
        delete_associations(draft, &held, |a| going.contains(&a.id));
    }
    for held in draft.going_services() {
        delete_associations(draft, &held, |_| true);
    }
}

/// Deletes services that are not wanted.
pub(super) fn delete(draft: &mut Draft) {
    for service in draft.going_services() {
        delete_service(draft, &service);
    }
}

/// The wanted services that are there and ours.
pub(super) fn ours(draft: &Draft) -> Vec<(DesiredService, ActualService)> {
    let wanted = draft.desired.services.iter();
    let there = wanted.filter_map(|w| draft.our_service(&w.name).map(|held| (w.clone(), held.clone())));
    // One that could not be replaced is left alone.
    there.filter(|(wanted, held)| !must_be_replaced(held, wanted)).collect()
}

/// A failed service must be deleted (API reference, `status`), and a custom domain cannot be changed.
fn must_be_replaced(held: &ActualService, wanted: &DesiredService) -> bool {
    held.ownership == Ownership::Ours
        && (is_broken(held.status) || held.domain() != wanted.custom_domain.as_deref().map(domain))
}

fn association<'a>(service: &'a ActualService, network: &str) -> Option<&'a ActualAssociation> {
    let with_network = || service.associations.iter().filter(|a| a.network == network);
    with_network().find(|a| a.status != Status::DeleteInProgress).or_else(|| with_network().next())
}

/// The association with a network after the steps so far.
fn joined(draft: &Draft, service: &ActualService, network: &str) -> Option<ActualAssociation> {
    draft.our_service(&service.name).and_then(|held| association(held, network)).cloned()
}

/// Associations, of which one with a network of two names is read under each.
fn each_once<'a>(
    associations: impl Iterator<Item = &'a ActualAssociation>,
) -> impl Iterator<Item = &'a ActualAssociation> {
    let mut seen = BTreeSet::new();
    associations.filter(move |one| seen.insert(one.id.as_str()))
}

fn create_association(draft: &mut Draft, service: &str, network: &str, tags: &Tags) {
    let (service, network, tags) = (service.to_owned(), network.to_owned(), draft.tags(tags));
    draft.push(CreateAssociation { service, network, tags });
}

fn delete_associations(
    draft: &mut Draft,
    service: &ActualService,
    stale: impl Fn(&ActualAssociation) -> bool,
) {
    let ours = service.associations.iter().filter(|a| a.ownership == Ownership::Ours);
    for association in each_once(ours.filter(|a| stale(a))) {
        delete_association(draft, &service.name, association);
    }
}

/// A deletion during the creation is a conflict, so that one is awaited first.
fn delete_association(draft: &mut Draft, service: &str, association: &ActualAssociation) {
    let (service, network, id) = (service.to_owned(), association.network.clone(), association.id.clone());
    if in_progress(association.status) {
        draft.push(AwaitAssociation { service: service.clone(), network: network.clone() });
    }
    if association.status != Status::DeleteInProgress {
        draft.push(DeleteAssociation { service, network, id });
    }
}

fn await_gone(draft: &mut Draft, service: &str, association: &ActualAssociation) {
    let (service, network, id) = (service.to_owned(), association.network.clone(), association.id.clone());
    draft.push(AwaitAssociationGone { service, network, id });
}

/// A service cannot be deleted while it is associated. Where an association is not ours, at least the listeners go, so
/// that nothing is served that nobody wants any more.
fn delete_service(draft: &mut Draft, service: &ActualService) {
    let Some(held) = draft.our_service(&service.name).filter(|s| s.id == service.id).cloned() else { return };
    if let Some(other) = held.associations.iter().find(|a| a.status != Status::DeleteInProgress) {
        let (service, network) = (held.name.clone(), other.network.clone());
        draft.block(Blocked::ServiceInUse { service, network });
        for listener in held.listeners.iter().filter(|l| l.ownership == Ownership::Ours) {
            let (service, id) = (held.name.clone(), listener.id.clone());
            draft.push(DeleteListener { service, port: listener.port, id });
        }
        return;
    }
    for association in each_once(held.associations.iter()) {
        await_gone(draft, &held.name, association);
    }
    if in_progress(held.status) {
        draft.push(AwaitService { service: held.name.clone() });
    }
    draft.push(DeleteService { service: held.name, id: held.id });
}
