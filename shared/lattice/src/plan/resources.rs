//! Resource gateways, resource configurations and their associations with service networks: what a unit of a resource owns.

use super::draft::{Draft, in_progress, is_broken, tag_steps};
use super::networks::network_usable;
use super::unwanted;
use crate::{
    ActualResourceAssociation, ActualResourceConfiguration, ActualResourceGateway, AwaitResourceAssociation,
    AwaitResourceAssociationGone, AwaitResourceConfiguration, AwaitResourceConfigurationGone,
    AwaitResourceGateway, AwaitResourceGatewayGone, Blocked, CreateResourceAssociation,
    CreateResourceConfiguration, CreateResourceGateway, DeleteResourceAssociation,
    DeleteResourceConfiguration, DeleteResourceGateway, DesiredResourceConfiguration, DesiredResourceGateway,
    Ownership, Status, Step, UpdateResourceConfiguration, UpdateResourceGateway,
};

/// Makes the resource gateways that are missing, those that failed anew, and sets security groups.
pub(super) fn open(draft: &mut Draft) {
    for wanted in draft.desired.resource_gateways.clone() {
        if let Some(held) = gateway(draft, &wanted.name).cloned() {
            clear_gateway(draft, &held);
        }
        match gateway(draft, &wanted.name).cloned() {
            None => make_gateway(draft, &wanted),
            Some(held) if held.ownership == Ownership::Ours => {
                if !is_broken(held.status) {
                    secure_gateway(draft, &held, &wanted);
                }
            }
            Some(held) => block_taken(draft, wanted.name, held.arn, &held.ownership),
        }
    }
}

/// A name is free when its holder is gone; one that resources still lead through cannot go.
fn clear_gateway(draft: &mut Draft, held: &ActualResourceGateway) {
    if is_broken(held.status) && held.ownership == Ownership::Ours {
        delete_gateway(draft, held);
    }
    if gateway(draft, &held.name).is_some_and(|held| held.status == Status::DeleteInProgress) {
        draft.push(AwaitResourceGatewayGone { gateway: held.name.clone(), id: held.id.clone() });
    }
}

fn make_gateway(draft: &mut Draft, wanted: &DesiredResourceGateway) {
    let tags = draft.tags(&wanted.tags);
    let DesiredResourceGateway {
        name, vpc, subnets, security_groups, family, ipv4_addresses_per_eni, ..
    } = wanted.clone();
    draft.push(CreateResourceGateway {
        gateway: name,
        vpc,
        subnets,
        security_groups,
        family,
        ipv4_addresses_per_eni,
        tags,
    });
}

/// While another change is under way one more would be a conflict.
fn secure_gateway(draft: &mut Draft, held: &ActualResourceGateway, wanted: &DesiredResourceGateway) {
    if held.security_groups != wanted.security_groups {
        if in_progress(held.status) {
            draft.push(AwaitResourceGateway { gateway: held.name.clone() });
        }
        let (gateway, id) = (held.name.clone(), held.id.clone());
        draft.push(UpdateResourceGateway { gateway, id, security_groups: wanted.security_groups.clone() });
    }
}

/// Makes the resource configurations that are missing, those that failed anew, and changes what can be changed.
pub(super) fn configure(draft: &mut Draft) {
    for wanted in draft.desired.resource_configurations.clone() {
        if let Some(held) = configuration(draft, &wanted.name).cloned() {
            clear_configuration(draft, &held);
        }
        match configuration(draft, &wanted.name).cloned() {
            None => make_configuration(draft, &wanted),
            Some(held) if held.ownership == Ownership::Ours => {
                if !is_broken(held.status) {
                    change_configuration(draft, &held, &wanted);
                }
            }
            Some(held) => block_taken(draft, wanted.name, held.arn, &held.ownership),
        }
    }
}

fn clear_configuration(draft: &mut Draft, held: &ActualResourceConfiguration) {
    if is_broken(held.status) && held.ownership == Ownership::Ours {
        remove_configuration(draft, held);
    }
    let going = configuration(draft, &held.name).filter(|held| held.status == Status::DeleteInProgress);
    if going.is_some() {
        let (configuration, id) = (held.name.clone(), held.id.clone());
        draft.push(AwaitResourceConfigurationGone { configuration, id });
    }
}

/// A resource needs an active gateway, which another unit may just have made.
fn make_configuration(draft: &mut Draft, wanted: &DesiredResourceConfiguration) {
    let Some(through) = gateway(draft, &wanted.gateway).cloned() else {
        draft.block(Blocked::ResourceGatewayMissing { gateway: wanted.gateway.clone() });
        return;
    };
    if !matches!(through.ownership, Ownership::Ours | Ownership::OtherUnit(_)) {
        block_taken(draft, wanted.gateway.clone(), through.arn, &through.ownership);
        return;
    }
    if is_broken(through.status) || through.status == Status::DeleteInProgress {
        draft.block(Blocked::ResourceGatewayMissing { gateway: wanted.gateway.clone() });
        return;
    }
    if in_progress(through.status) {
        draft.push(AwaitResourceGateway { gateway: wanted.gateway.clone() });
    }
    let tags = draft.tags(&wanted.tags);
    let DesiredResourceConfiguration { name, gateway, definition, port_ranges, custom_domain, .. } =
        wanted.clone();
    draft.push(CreateResourceConfiguration {
        configuration: name,
        gateway,
        definition,
        port_ranges,
        custom_domain,
        tags,
    });
}

/// What is not known of one is not told to be another.
fn change_configuration(
    draft: &mut Draft,
    held: &ActualResourceConfiguration,
    wanted: &DesiredResourceConfiguration,
) {
    let is_as_wished = held.definition.as_ref().is_none_or(|definition| *definition == wanted.definition)
        && held.port_ranges == wanted.port_ranges;
    if is_as_wished {
        return;
    }
    if in_progress(held.status) {
        draft.push(AwaitResourceConfiguration { configuration: held.name.clone() });
    }
    draft.push(UpdateResourceConfiguration {
        configuration: held.name.clone(),
        id: held.id.clone(),
        definition: wanted.definition.clone(),
        port_ranges: wanted.port_ranges.clone(),
    });
}

/// Associates what is wanted with its networks. An association needs an active configuration. A custom domain is one resource's in a
/// network, so what the unit has under the same one leaves first.
pub(super) fn associate(draft: &mut Draft) {
    for wanted in draft.desired.resource_configurations.clone() {
        for network in wanted.networks.clone() {
            let Some(held) = our_configuration(draft, &wanted.name).filter(|held| !is_broken(held.status))
            else {
                continue;
            };
            let known = held.associations.iter().find(|one| one.network == network).cloned();
            let is_broken_one = |one: &ActualResourceAssociation| {
                one.ownership == Ownership::Ours && is_broken(one.status)
                    || one.status == Status::DeleteInProgress
            };
            match known {
                Some(known) if !is_broken_one(&known) => {}
                known => {
                    if !network_usable(draft, &network) {
                        continue;
                    }
                    if let Some(known) = known {
                        remove_association(draft, &held.name, &known);
                    }
                    // What is there answers until its successor can come.
                    await_configuration(draft, &wanted.name);
                    make_room(draft, &wanted, &network);
                    make_association(draft, &wanted, network);
                }
            }
        }
    }
}

/// Takes other resources of the unit with the same custom domain out of a network that they are not wanted in.
fn make_room(draft: &mut Draft, wanted: &DesiredResourceConfiguration, network: &str) {
    if wanted.custom_domain.is_none() {
        return;
    }
    let others = draft.model.resource_configurations.iter().filter(|one| {
        one.ownership == Ownership::Ours
            && one.name != wanted.name
            && one.custom_domain == wanted.custom_domain
            && draft
                .desired
                .resource_configurations
                .iter()
                .all(|wanted| wanted.name != one.name || !wanted.networks.contains(network))
    });
    let theirs = others.flat_map(|one| one.associations.iter().map(|held| (one.name.clone(), held.clone())));
    let theirs: Vec<_> =
        theirs.filter(|(_, held)| held.network == network && held.ownership == Ownership::Ours).collect();
    for (name, held) in theirs {
        remove_association(draft, &name, &held);
    }
    // Whosever is going will have left: an association by itself, or with its configuration.
    let holding = draft.model.resource_configurations.iter().filter(|one| {
        one.name != wanted.name
            && one.custom_domain == wanted.custom_domain
            && one.associations.iter().any(|held| held.network == network)
    });
    for held in holding.cloned().collect::<Vec<_>>() {
        if held.status == Status::DeleteInProgress {
            draft.push(AwaitResourceConfigurationGone { configuration: held.name, id: held.id });
            continue;
        }
        let of_network = held.associations.iter().filter(|one| one.network == network);
        for going in of_network.filter(|one| one.status == Status::DeleteInProgress) {
            await_association_gone(draft, &held.name, going);
        }
    }
}

fn await_configuration(draft: &mut Draft, name: &str) {
    if our_configuration(draft, name).is_some_and(|held| in_progress(held.status)) {
        draft.push(AwaitResourceConfiguration { configuration: name.to_owned() });
    }
}

fn make_association(draft: &mut Draft, wanted: &DesiredResourceConfiguration, network: String) {
    let has_domain = draft.model.resource_configurations.iter().any(|one| {
        wanted.custom_domain.is_some()
            && one.name != wanted.name
            && one.custom_domain == wanted.custom_domain
            && one.associations.iter().any(|held| held.network == network)
    });
    if has_domain {
        let domain = wanted.custom_domain.clone().unwrap_or_default();
        draft.block(Blocked::ResourceDomainTaken { domain, network });
        return;
    }
    let tags = draft.tags(&wanted.tags);
    draft.push(CreateResourceAssociation {
        configuration: wanted.name.clone(),
        network,
        private_dns: wanted.custom_domain.is_some(),
        tags,
    });
}

/// Sets tags that are wished for and missing, and takes away those that a user wishes for no more.
pub(super) fn tag(draft: &mut Draft) {
    let mut steps: Vec<Step> = vec![];
    for wanted in &draft.desired.resource_gateways {
        if let Some(held) = our_gateway(draft, &wanted.name).filter(|held| held.status.lasts()) {
            steps.extend(tag_steps(&held.arn, &wanted.tags, &held.tags));
        }
    }
    for wanted in &draft.desired.resource_configurations {
        let held = our_configuration(draft, &wanted.name).filter(|held| held.status.lasts());
        let Some(held) = held else { continue };
        steps.extend(tag_steps(&held.arn, &wanted.tags, &held.tags));
        let ours = held.associations.iter().filter(|one| one.ownership == Ownership::Ours);
        let staying = ours.filter(|one| one.status.lasts() && wanted.networks.contains(&one.network));
        steps.extend(staying.flat_map(|one| tag_steps(&one.arn, &wanted.tags, &one.tags)));
    }
    for step in steps {
        draft.push(step);
    }
}

/// Waits for what is wanted.
pub(super) fn settle(draft: &mut Draft) {
    for wanted in draft.desired.resource_gateways.clone() {
        if our_gateway(draft, &wanted.name).is_some_and(|held| in_progress(held.status)) {
            draft.push(AwaitResourceGateway { gateway: wanted.name });
        }
    }
    for wanted in draft.desired.resource_configurations.clone() {
        await_configuration(draft, &wanted.name);
        let Some(held) = our_configuration(draft, &wanted.name) else { continue };
        // One that failed and is not ours is awaited too: the wait reports what nobody here may repair.
        let open = held.associations.iter().filter(|one| in_progress(one.status) || is_broken(one.status));
        for network in open.map(|one| one.network.clone()).filter(|one| wanted.networks.contains(one)) {
            draft.push(AwaitResourceAssociation { configuration: wanted.name.clone(), network });
        }
    }
}

/// Deletes what is not wanted: associations, then configurations, then gateways.
pub(super) fn remove(draft: &mut Draft) {
    let ours = draft.model.resource_configurations.iter().filter(|one| one.ownership == Ownership::Ours);
    for held in ours.cloned().collect::<Vec<_>>() {
        match draft.desired.resource_configurations.iter().find(|one| one.name == held.name).cloned() {
            Some(wanted) => leave_networks(draft, &held, &wanted),
            None if unwanted::resource_configuration_stays(draft, &held) => {}
            None => remove_configuration(draft, &held),
        }
    }
    // Whoever has the gateway waits for that.
    let going = draft
        .model
        .resource_configurations
        .iter()
        .filter(|one| one.ownership == Ownership::Ours && one.status == Status::DeleteInProgress);
    for held in going.cloned().collect::<Vec<_>>() {
        draft.push(AwaitResourceConfigurationGone { configuration: held.name, id: held.id });
    }
    let ours = draft.model.resource_gateways.iter().filter(|one| one.ownership == Ownership::Ours);
    let stale = ours.filter(|one| draft.desired.resource_gateways.iter().all(|w| w.name != one.name));
    let stale = stale.filter(|one| one.status != Status::DeleteInProgress);
    let stale: Vec<_> = stale.filter(|one| !unwanted::resource_gateway_stays(draft, one)).cloned().collect();
    for held in stale {
        delete_gateway(draft, &held);
    }
}

/// Takes a wanted resource out of networks that it is not wanted in.
fn leave_networks(
    draft: &mut Draft,
    held: &ActualResourceConfiguration,
    wanted: &DesiredResourceConfiguration,
) {
    let ours = held.associations.iter().filter(|one| one.ownership == Ownership::Ours);
    let stale = ours.filter(|one| !wanted.networks.contains(&one.network));
    let stale = stale.filter(|one| one.status != Status::DeleteInProgress);
    for one in
        stale.filter(|one| !unwanted::resource_association_stays(draft, one)).cloned().collect::<Vec<_>>()
    {
        delete_association(draft, &held.name, &one);
    }
}

/// Deletes a configuration with its associations. Others' associations hold it.
fn remove_configuration(draft: &mut Draft, held: &ActualResourceConfiguration) {
    for association in &held.associations {
        if association.ownership == Ownership::Ours && association.status != Status::DeleteInProgress {
            delete_association(draft, &held.name, association);
        }
    }
    let Some(held) = configuration(draft, &held.name).filter(|one| one.id == held.id).cloned() else {
        return;
    };
    for association in held.associations.iter().filter(|one| one.status == Status::DeleteInProgress) {
        await_association_gone(draft, &held.name, association);
    }
    let left = configuration(draft, &held.name).and_then(|held| held.associations.first().cloned());
    if let Some(left) = left {
        draft.block(Blocked::ResourceInUse { configuration: held.name, network: left.network });
        return;
    }
    if in_progress(held.status) {
        draft.push(AwaitResourceConfiguration { configuration: held.name.clone() });
    }
    if held.status != Status::DeleteInProgress {
        draft.push(DeleteResourceConfiguration { configuration: held.name, id: held.id });
    }
}

/// Deletes an association and waits for its end.
fn remove_association(draft: &mut Draft, configuration: &str, held: &ActualResourceAssociation) {
    if held.status != Status::DeleteInProgress {
        delete_association(draft, configuration, held);
    }
    await_association_gone(draft, configuration, held);
}

/// A deletion during a creation is a conflict, so that one is awaited first.
fn delete_association(draft: &mut Draft, configuration: &str, held: &ActualResourceAssociation) {
    let (configuration, network) = (configuration.to_owned(), held.network.clone());
    if in_progress(held.status) {
        let (configuration, network) = (configuration.clone(), network.clone());
        draft.push(AwaitResourceAssociation { configuration, network });
    }
    draft.push(DeleteResourceAssociation { configuration, network, id: held.id.clone() });
}

fn await_association_gone(draft: &mut Draft, configuration: &str, held: &ActualResourceAssociation) {
    draft.push(AwaitResourceAssociationGone {
        configuration: configuration.to_owned(),
        network: held.network.clone(),
        id: held.id.clone(),
    });
}

/// A gateway that resources lead through stays until they are gone.
fn delete_gateway(draft: &mut Draft, held: &ActualResourceGateway) {
    if !held.users.is_empty() {
        let (gateway, users) = (held.name.clone(), held.users.clone());
        draft.block(Blocked::ResourceGatewayInUse { gateway, users });
        return;
    }
    if in_progress(held.status) {
        draft.push(AwaitResourceGateway { gateway: held.name.clone() });
    }
    draft.push(DeleteResourceGateway { gateway: held.name.clone(), id: held.id.clone() });
}

fn block_taken(draft: &mut Draft, name: String, arn: String, ownership: &Ownership) {
    let unit = match ownership {
        Ownership::OtherUnit(unit) => Some(unit.clone()),
        Ownership::Ours | Ownership::Foreign | Ownership::Unread => None,
    };
    draft.block(Blocked::ResourceNameTaken { name, arn, unit });
}

fn gateway<'d>(draft: &'d Draft, name: &str) -> Option<&'d ActualResourceGateway> {
    draft.model.resource_gateways.iter().find(|one| one.name == name)
}

fn our_gateway(draft: &Draft, name: &str) -> Option<ActualResourceGateway> {
    gateway(draft, name).filter(|one| one.ownership == Ownership::Ours).cloned()
}

fn configuration<'d>(draft: &'d Draft, name: &str) -> Option<&'d ActualResourceConfiguration> {
    draft.model.resource_configurations.iter().find(|one| one.name == name)
}

fn our_configuration(draft: &Draft, name: &str) -> Option<ActualResourceConfiguration> {
    configuration(draft, name).filter(|one| one.ownership == Ownership::Ours).cloned()
}
