//! The model of what a step does (`trellis_lattice::simulate`), asked whether it is true: the planner and `check` both
//! believe it, so a fault in it would blind both. The emulator shares no code with it.

use std::collections::BTreeMap;
use trellis_lattice::{
    Actual, ActualListener, ActualService, Ownership, Plan, TargetHealth, settle, simulate,
};

/// What the model says is there after the plan, and what was inspected, both without what the model cannot know.
pub(crate) fn foretold_and_found(before: &Actual, plan: &Plan, after: &Actual) -> (Actual, Actual) {
    (comparable(&simulate(before, plan)), comparable(after))
}

/// The end of all that is under way, without identities, health and order, and without what is read only where it
/// matters: whose something is, and networks of others.
fn comparable(actual: &Actual) -> Actual {
    let mut state = settle(actual);
    let names: BTreeMap<String, String> =
        state.services.iter().map(|one| (one.arn.clone(), one.name.clone())).collect();
    let Actual {
        networks,
        vpc_associations,
        vpc_endpoints,
        subnet_zones,
        resource_gateways,
        resource_configurations,
        services,
        target_groups,
        access_logs,
        auth,
        certificates,
        refused: _,
        allowed_functions: _,
        network_usage,
        taken_domains,
    } = &mut state;
    certificates.sort_by(|a, b| a.secret().cmp(b.secret()));
    for one in certificates {
        one.in_use = false;
    }
    auth.sort_by(|a, b| a.holder.cmp(&b.holder));
    access_logs.sort_by(|a, b| (&a.holder, &a.destination).cmp(&(&b.holder, &b.destination)));
    network_usage.clear();
    taken_domains.clear();
    networks.retain(|one| one.ownership == Ownership::Ours);
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    vpc_associations.sort_by(|a, b| (&a.network, &a.vpc).cmp(&(&b.network, &b.vpc)));
    vpc_endpoints.sort_by(|a, b| (&a.network, &a.vpc).cmp(&(&b.network, &b.vpc)));
    for endpoint in vpc_endpoints {
        endpoint.names.clear();
    }
    // Those of others are read where a configuration leads through them.
    resource_gateways.retain(|one| one.ownership == Ownership::Ours);
    resource_gateways.sort_by(|a, b| a.name.cmp(&b.name));
    for one in resource_gateways {
        one.users.clear();
    }
    resource_configurations.sort_by(|a, b| a.name.cmp(&b.name));
    for one in resource_configurations {
        one.associations.sort_by(|a, b| a.network.cmp(&b.network));
        for association in &mut one.associations {
            association.dns_name = None;
        }
    }
    subnet_zones.clear();
    services.iter_mut().for_each(order);
    services.sort_by(|a, b| a.name.cmp(&b.name));
    for group in &mut *target_groups {
        let users = group.service_arns.iter().map(|arn| names.get(arn).unwrap_or(arn).clone());
        group.service_arns = users.collect();
        for target in &mut group.targets {
            target.health = TargetHealth::Unknown;
        }
        group.targets.sort();
    }
    target_groups.sort_by(|a, b| a.name.cmp(&b.name));
    for one in state.resources_mut() {
        one.id.clear();
        one.arn.clear();
        *one.ownership = Ownership::Unread;
    }
    state
}

fn order(service: &mut ActualService) {
    service.dns_name = None;
    // They are read only where they are to be changed.
    service.associations.iter_mut().for_each(|one| one.tags.clear());
    service.associations.sort_by(|a, b| a.network.cmp(&b.network));
    service.listeners.sort_by_key(|listener| listener.port);
    for ActualListener { default_action, rules, tags, .. } in &mut service.listeners {
        tags.clear();
        *default_action = default_action.normalised();
        rules.sort_by_key(|rule| rule.priority);
        for rule in rules {
            rule.tags.clear();
            rule.matches = rule.matches.normalised();
            rule.action = rule.action.normalised();
        }
    }
}
