//! What VPC Lattice would hold after a step: an idealised service that does what it is told and takes its time.
//!
//! The planner looks at it to decide the next step, `check` to judge one, and tests to see where a plan leads. It is no
//! emulator: a step that names what is not there changes nothing.

use crate::actual::{
    Actual, ActualAssociation, ActualListener, ActualNetwork, ActualRule, ActualService, ActualTarget,
    ActualTargetGroup, ActualVpcAssociation, Status, TargetHealth,
};
use crate::desired::{DesiredRule, Target};
use crate::step::{Plan, RuleUpdate, Step};
use crate::{Owner, Ownership, Tags};
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
    state.vpc_associations.retain(|a| lasting(a.status));
    forget_services(&mut state, |s| !lasting(s.status));
    state.target_groups.retain(|g| lasting(g.status));
    state.vpc_associations.iter_mut().for_each(|a| finish(&mut a.status));
    for service in &mut state.services {
        finish(&mut service.status);
        service.is_propagating = false;
        service.associations.retain(|a| lasting(a.status));
        service.associations.iter_mut().for_each(|a| finish(&mut a.status));
    }
    for group in &mut state.target_groups {
        finish(&mut group.status);
        group.targets.retain(|t| t.health != TargetHealth::Draining);
    }
    note_users(&mut state);
    state
}

/// Does one step of `owner`'s plan.
pub fn apply_step(state: &mut Actual, owner: &Owner, step: &Step) {
    match step {
        Step::CreateNetwork { .. }
        | Step::CreateVpcAssociation { .. }
        | Step::UpdateVpcAssociation { .. }
        | Step::AwaitVpcAssociation { .. }
        | Step::DeleteVpcAssociation { .. }
        | Step::AwaitVpcAssociationGone { .. }
        | Step::DeleteNetwork { .. } => network_step(state, owner, step),
        Step::CreateTargetGroup { .. }
        | Step::UpdateHealthCheck { .. }
        | Step::AwaitTargetGroup { .. }
        | Step::RegisterTargets { .. }
        | Step::DeregisterTargets { .. }
        | Step::AwaitDrained { .. }
        | Step::DeleteTargetGroup { .. }
        | Step::AwaitTargetGroupGone { .. } => target_group_step(state, owner, step),
        Step::CreateListener { .. }
        | Step::UpdateListener { .. }
        | Step::UpdateRules { .. }
        | Step::CreateRule { .. }
        | Step::DeleteRule { .. }
        | Step::DeleteListener { .. } => listener_step(state, owner, step),
        Step::CreateService { .. }
        | Step::UpdateCertificate { .. }
        | Step::AwaitService { .. }
        | Step::CreateAssociation { .. }
        | Step::AwaitAssociation { .. }
        | Step::DeleteAssociation { .. }
        | Step::AwaitAssociationGone { .. }
        | Step::DeleteService { .. }
        | Step::AwaitServiceGone { .. } => service_step(state, owner, step),
        Step::Tag { arn, tags } => tag(state, arn, tags),
        Step::AwaitPropagation { .. } => {
            state.services.iter_mut().for_each(|service| service.is_propagating = false);
        }
    }
    // The data plane follows a moment after the API.
    if let Some(service) = step.moves_requests_of().and_then(|name| service_mut(state, name)) {
        service.is_propagating = true;
    }
    note_users(state);
}

fn network_step(state: &mut Actual, owner: &Owner, step: &Step) {
    match step {
        Step::CreateNetwork { network, tags } => state.networks.push(ActualNetwork {
            id: format!("sn-{network}"),
            arn: format!("arn:sn-{network}"),
            name: network.clone(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        }),
        Step::CreateVpcAssociation { network, vpc, security_groups, tags } => {
            state.vpc_associations.push(ActualVpcAssociation {
                id: format!("snva-{network}-{vpc}"),
                arn: format!("arn:snva-{network}-{vpc}"),
                network: network.clone(),
                vpc: vpc.clone(),
                status: Status::CreateInProgress,
                security_groups: security_groups.clone(),
                ownership: owner.of(tags),
            });
        }
        Step::UpdateVpcAssociation { id, security_groups, .. } => {
            for association in state.vpc_associations.iter_mut().filter(|a| a.id == *id) {
                association.security_groups.clone_from(security_groups);
                association.status = Status::UpdateInProgress;
            }
        }
        Step::AwaitVpcAssociation { network, vpc } => {
            let awaited = |a: &&mut ActualVpcAssociation| a.network == *network && a.vpc == *vpc;
            state.vpc_associations.iter_mut().filter(awaited).for_each(|a| finish(&mut a.status));
        }
        Step::DeleteVpcAssociation { id, .. } => {
            let deleted = state.vpc_associations.iter_mut().filter(|a| a.id == *id);
            deleted.for_each(|a| a.status = Status::DeleteInProgress);
        }
        Step::AwaitVpcAssociationGone { id, .. } => {
            state.vpc_associations.retain(|a| a.id != *id || a.status != Status::DeleteInProgress);
        }
        Step::DeleteNetwork { id, .. } => state.networks.retain(|n| n.id != *id),
        _ => {}
    }
}

fn target_group_step(state: &mut Actual, owner: &Owner, step: &Step) {
    match step {
        Step::CreateTargetGroup { target_group, config, health_check, tags } => {
            state.target_groups.push(ActualTargetGroup {
                id: format!("tg-{target_group}"),
                arn: format!("arn:tg-{target_group}"),
                name: target_group.clone(),
                status: Status::CreateInProgress,
                config: Some(config.clone()),
                health_check: Some(health_check.clone()),
                targets: vec![],
                service_arns: BTreeSet::new(),
                ownership: owner.of(tags),
                tags: tags.clone(),
            });
        }
        Step::DeleteTargetGroup { id, .. } => {
            let deleted = state.target_groups.iter_mut().filter(|g| g.id == *id);
            deleted.for_each(|g| g.status = Status::DeleteInProgress);
        }
        Step::AwaitTargetGroupGone { id, .. } => {
            state.target_groups.retain(|g| g.id != *id || g.status != Status::DeleteInProgress);
        }
        Step::UpdateHealthCheck { target_group, health_check } => {
            if let Some(group) = target_group_mut(state, target_group) {
                group.health_check = Some(health_check.clone());
            }
        }
        Step::AwaitTargetGroup { target_group } => {
            if let Some(group) = target_group_mut(state, target_group) {
                finish(&mut group.status);
            }
        }
        Step::RegisterTargets { target_group, targets } => {
            set_health(target_group_mut(state, target_group), targets, TargetHealth::Initial);
        }
        Step::DeregisterTargets { target_group, targets } => {
            set_health(target_group_mut(state, target_group), targets, TargetHealth::Draining);
        }
        Step::AwaitDrained { target_group, .. } => {
            if let Some(group) = target_group_mut(state, target_group) {
                group.targets.retain(|t| t.health != TargetHealth::Draining);
            }
        }
        _ => {}
    }
}

fn listener_step(state: &mut Actual, owner: &Owner, step: &Step) {
    match step {
        Step::CreateListener { service, listener, port, protocol, default_action, tags } => {
            if let Some(service) = service_mut(state, service) {
                let id = format!("listener-{}-{port}", service.name);
                service.listeners.push(ActualListener {
                    arn: format!("arn:{id}"),
                    id,
                    name: listener.clone(),
                    port: *port,
                    protocol: *protocol,
                    default_action: default_action.clone(),
                    rules: vec![],
                    ownership: owner.of(tags),
                });
            }
        }
        Step::DeleteListener { service, id, .. } => {
            let Some(service) = service_mut(state, service) else { return };
            service.listeners.retain(|l| l.id != *id);
            // With its last listener a service uses no target group any more.
            if service.listeners.is_empty() {
                let arn = service.arn.clone();
                state.target_groups.iter_mut().for_each(|group| {
                    group.service_arns.remove(&arn);
                });
            }
        }
        Step::UpdateListener { service, port, default_action } => {
            if let Some(listener) = listener_mut(state, service, *port) {
                listener.default_action = default_action.clone();
            }
        }
        Step::UpdateRules { service, port, rules } => {
            if let Some(listener) = listener_mut(state, service, *port) {
                for update in rules {
                    update_rule(listener, update);
                }
            }
        }
        Step::CreateRule { service, port, rule, tags } => {
            if let Some(listener) = listener_mut(state, service, *port) {
                listener.rules.push(made_rule(&listener.id, rule, owner.of(tags)));
            }
        }
        Step::DeleteRule { service, port, id } => {
            if let Some(listener) = listener_mut(state, service, *port) {
                listener.rules.retain(|r| r.id != *id);
            }
        }
        _ => {}
    }
}

fn service_step(state: &mut Actual, owner: &Owner, step: &Step) {
    match step {
        Step::CreateService { service, custom_domain, certificate_arn, tags } => {
            state.services.push(ActualService {
                id: format!("svc-{service}"),
                arn: format!("arn:svc-{service}"),
                name: service.clone(),
                status: Status::CreateInProgress,
                dns_name: None,
                custom_domain: custom_domain.clone(),
                certificate_arn: certificate_arn.clone(),
                ownership: owner.of(tags),
                tags: tags.clone(),
                listeners: vec![],
                is_propagating: false,
                associations: vec![],
            });
        }
        Step::DeleteService { id, .. } => {
            let deleted = state.services.iter_mut().filter(|s| s.id == *id);
            deleted.for_each(|s| s.status = Status::DeleteInProgress);
        }
        Step::AwaitServiceGone { id, .. } => {
            forget_services(state, |s| s.id == *id && s.status == Status::DeleteInProgress);
        }
        Step::UpdateCertificate { service, certificate_arn } => {
            if let Some(service) = service_mut(state, service) {
                service.certificate_arn = Some(certificate_arn.clone());
            }
        }
        Step::AwaitService { service } => {
            if let Some(service) = service_mut(state, service) {
                finish(&mut service.status);
            }
        }
        Step::CreateAssociation { service, network, tags } => {
            if let Some(service) = service_mut(state, service) {
                let id = format!("snsa-{}-{network}", service.name);
                service.associations.push(ActualAssociation {
                    arn: format!("arn:{id}"),
                    id,
                    network: network.clone(),
                    status: Status::CreateInProgress,
                    ownership: owner.of(tags),
                });
            }
        }
        Step::AwaitAssociation { service, network } => {
            let associations = service_mut(state, service).map(|s| s.associations.iter_mut());
            let awaited = associations.into_iter().flatten().filter(|a| a.network == *network);
            awaited.for_each(|a| finish(&mut a.status));
        }
        Step::DeleteAssociation { service, id, .. } => {
            let associations = service_mut(state, service).map(|s| s.associations.iter_mut());
            let deleted = associations.into_iter().flatten().filter(|a| a.id == *id);
            deleted.for_each(|a| a.status = Status::DeleteInProgress);
        }
        Step::AwaitAssociationGone { service, id, .. } => {
            if let Some(service) = service_mut(state, service) {
                service.associations.retain(|a| a.id != *id || a.status != Status::DeleteInProgress);
            }
        }
        _ => {}
    }
}

fn tag(state: &mut Actual, arn: &str, tags: &Tags) {
    let networks = state.networks.iter_mut().map(|n| (&n.arn, &mut n.tags));
    let services = state.services.iter_mut().map(|s| (&s.arn, &mut s.tags));
    let target_groups = state.target_groups.iter_mut().map(|g| (&g.arn, &mut g.tags));
    for (_, held) in networks.chain(services).chain(target_groups).filter(|(held, _)| *held == arn) {
        held.extend(tags.clone());
    }
}

/// A change under way ends well.
fn finish(status: &mut Status) {
    if matches!(status, Status::CreateInProgress | Status::UpdateInProgress) {
        *status = Status::Active;
    }
}

/// Names are unique in the account, but one that is being deleted may still be listed beside its successor.
fn target_group_mut<'a>(state: &'a mut Actual, name: &str) -> Option<&'a mut ActualTargetGroup> {
    state.target_groups.iter_mut().find(|g| g.name == name)
}

fn service_mut<'a>(state: &'a mut Actual, name: &str) -> Option<&'a mut ActualService> {
    state.services.iter_mut().find(|s| s.name == name)
}

fn listener_mut<'a>(state: &'a mut Actual, service: &str, port: u16) -> Option<&'a mut ActualListener> {
    service_mut(state, service)?.listeners.iter_mut().find(|l| l.port == port)
}

fn set_health(group: Option<&mut ActualTargetGroup>, targets: &BTreeSet<Target>, health: TargetHealth) {
    let Some(group) = group else { return };
    let known: BTreeSet<Target> = group.targets.iter().map(|t| t.target.clone()).collect();
    for held in group.targets.iter_mut().filter(|t| targets.contains(&t.target)) {
        held.health = health;
    }
    if health != TargetHealth::Draining {
        let new = targets.difference(&known).cloned();
        group.targets.extend(new.map(|target| ActualTarget { target, health }));
    }
}

fn update_rule(listener: &mut ActualListener, update: &RuleUpdate) {
    for rule in listener.rules.iter_mut().filter(|r| r.id == update.id) {
        rule.priority = update.priority.unwrap_or(rule.priority);
        rule.matches = update.matches.clone().unwrap_or_else(|| rule.matches.clone());
        rule.action = update.action.clone().unwrap_or_else(|| rule.action.clone());
    }
}

fn made_rule(listener: &str, rule: &DesiredRule, ownership: Ownership) -> ActualRule {
    let id = format!("rule-{listener}-{}", rule.name);
    ActualRule {
        arn: format!("arn:{id}"),
        id,
        name: rule.name.clone(),
        priority: rule.priority,
        matches: rule.matches.clone(),
        action: rule.action.clone(),
        ownership,
    }
}

/// Services that are gone use no target group.
fn forget_services(state: &mut Actual, gone: impl Fn(&ActualService) -> bool) {
    for service in state.services.extract_if(.., |s| gone(s)) {
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

impl ActualService {
    /// Whether its listeners and rules tell which target groups it uses. Those of one that is to go, or is going, are not
    /// always read: then the target groups' own word counts.
    pub(crate) fn is_known_below(&self) -> bool {
        self.ownership == Ownership::Ours && !self.listeners.is_empty()
    }
}
