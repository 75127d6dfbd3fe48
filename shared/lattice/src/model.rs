//! What VPC Lattice would hold after a step: an idealised service that does what it is told and takes its time.
//!
//! The planner looks at it to decide the next step, `check` to judge one, and tests to see where a plan leads. It is no
//! emulator: a step that names what is not there changes nothing.

use crate::{Actual, ActualService, Holder, Owner, Ownership, Plan, Status, Step, TargetHealth};
use std::collections::BTreeSet;

/// What is there once all steps of the plan have been done.
#[must_use]
pub fn simulate(actual: &Actual, plan: &Plan) -> Actual {
    let mut state = actual.clone();
    for step in &plan.steps {
        apply_step(&mut state, &plan.owner, step);
    }
    state
}

/// What is there once everything under way has ended well: creations are done, deletions over, targets drained.
#[must_use]
pub fn settle(actual: &Actual) -> Actual {
    let mut state = actual.clone();
    let lasting = |status: Status| status != Status::DeleteInProgress;
    forget_services(&mut state, |s| !lasting(s.status));
    // In full, so that a new kind of resource is not forgotten here.
    let Actual {
        networks: _,
        vpc_associations,
        vpc_endpoints,
        subnet_zones: _,
        resource_gateways,
        resource_configurations,
        services,
        target_groups,
        access_logs: _,
        auth: _,
        certificates: _,
        refused: _,
        allowed_functions: _,
        network_usage: _,
        taken_domains: _,
    } = &mut state;
    vpc_associations.retain(|a| lasting(a.status));
    for association in vpc_associations {
        association.status.finish();
    }
    vpc_endpoints.retain(|one| lasting(one.status));
    for endpoint in vpc_endpoints {
        endpoint.status.finish();
    }
    resource_gateways.retain(|one| lasting(one.status));
    for gateway in resource_gateways {
        gateway.status.finish();
    }
    resource_configurations.retain(|one| lasting(one.status));
    for configuration in resource_configurations {
        configuration.status.finish();
        configuration.associations.retain(|one| lasting(one.status));
        configuration.associations.iter_mut().for_each(|one| one.status.finish());
    }
    target_groups.retain(|g| lasting(g.status));
    for service in services {
        service.status.finish();
        service.is_propagating = false;
        service.associations.retain(|a| lasting(a.status));
        service.associations.iter_mut().for_each(|a| a.status.finish());
    }
    for group in target_groups {
        group.status.finish();
        group.targets.retain(|t| t.health != TargetHealth::Draining);
    }
    note_users(&mut state);
    state
}

/// Does one step of `owner`'s plan.
pub fn apply_step(state: &mut Actual, owner: &Owner, step: &Step) {
    step.kind().simulate(state, owner);
    // The data plane follows a moment after the API.
    let moves = step.moves_requests_of();
    if let Some(service) = moves.and_then(|name| state.services.iter_mut().find(|s| s.name == name)) {
        service.is_propagating = true;
    }
    note_users(state);
}

/// Services that are gone use no target group, and their access logs are gone with them.
pub(crate) fn forget_services(state: &mut Actual, gone: impl Fn(&ActualService) -> bool) {
    for service in state.services.extract_if(.., |s| gone(s)) {
        state.auth.retain(|one| one.holder != Holder::Service(service.name.clone()));
        state.access_logs.retain(|one| one.holder != Holder::Service(service.name.clone()));
        for group in &mut state.target_groups {
            group.service_arns.remove(&service.arn);
        }
    }
}

/// Brings `service_arns` of our target groups in line with the rules of the services that are known.
fn note_users(state: &mut Actual) {
    let known: BTreeSet<&str> =
        state.services.iter().filter(|s| s.is_known_below()).map(|s| s.arn.as_str()).collect();
    for group in state.target_groups.iter_mut().filter(|g| g.ownership == Ownership::Ours) {
        let using = state.services.iter().filter(|s| s.target_groups().contains(group.name.as_str()));
        let others = group.service_arns.iter().filter(|arn| !known.contains(arn.as_str())).cloned();
        group.service_arns = others.chain(using.map(|s| s.arn.clone())).collect();
    }
}
