//! What must hold when something is made or changed.

use super::view::{View, our_rule, ours, require};
use crate::actual::{ActualListener, Status, TargetHealth};
use crate::desired::{Action, Target};
use crate::step::{RuleUpdate, Step};
use crate::{Ownership, TAG_OWNER, TAG_UNIT, Tags};
use std::collections::BTreeSet;

pub(super) fn judge(view: &View, step: &Step) -> Result<(), String> {
    match step {
        Step::CreateNetwork { network, tags } => {
            bears_owner(view, tags)?;
            require(view.network(network).is_err(), || format!("service network {network} is there already"))
        }
        Step::CreateVpcAssociation { network, vpc, security_groups: _, tags } => {
            bears_owner(view, tags)?;
            view.network(network)?;
            let associated = view.state.vpc_associations.iter().any(|a| a.vpc == *vpc);
            require(!associated, || format!("VPC {vpc} is associated already"))
        }
        Step::CreateTargetGroup { target_group, tags, .. } => {
            bears_owner(view, tags)?;
            require(view.group(target_group).is_err(), || {
                format!("target group {target_group} is there already")
            })
        }
        Step::CreateService { service, tags, .. } => {
            bears_owner(view, tags)?;
            require(view.service(service).is_err(), || format!("service {service} is there already"))
        }
        Step::CreateAssociation { service, network, tags } => {
            bears_owner(view, tags)?;
            let held = view.our_service(service)?;
            view.network(network)?;
            require(is_ready(held.status), || {
                format!("service {service} is associated while {:?}", held.status)
            })?;
            let associated = view.association(service, network).is_ok();
            require(!associated, || format!("service {service} is associated with {network} already"))
        }
        Step::CreateListener { .. } | Step::UpdateListener { .. } => judge_listener(view, step),
        Step::CreateRule { .. } | Step::UpdateRules { .. } => judge_rules(view, step),
        Step::RegisterTargets { target_group, targets } => judge_targets(view, target_group, targets),
        Step::UpdateHealthCheck { target_group, .. } => {
            let group = view.our_group(target_group)?;
            require(is_ready(group.status), || format!("{target_group} is not ready yet"))
        }
        Step::UpdateCertificate { service, .. } => view.our_service(service).map(|_| ()),
        Step::UpdateVpcAssociation { id, security_groups, .. } => {
            let held = view.vpc_association_by_id(id)?;
            ours(&held.ownership, id)?;
            let idle = !matches!(held.status, Status::CreateInProgress | Status::UpdateInProgress);
            require(idle, || format!("{id} is changed while {:?}", held.status))?;
            require(!security_groups.is_empty(), || format!("{id} would lose its last security group"))
        }
        Step::Tag { arn, tags } => judge_tags(view, arn, tags),
        _ => Ok(()),
    }
}

fn bears_owner(view: &View, tags: &Tags) -> Result<(), String> {
    require(view.desired.owner.of(tags) == Ownership::Ours, || "it would not bear its owner's tags".into())
}

fn judge_listener(view: &View, step: &Step) -> Result<(), String> {
    match step {
        Step::CreateListener { service, listener, port, default_action, tags, .. } => {
            bears_owner(view, tags)?;
            let held = view.our_service(service)?;
            require(is_ready(held.status), || format!("service {service} is not ready yet"))?;
            let port_taken = held.listeners.iter().any(|l| l.port == *port);
            require(!port_taken, || format!("port {port} of {service} is taken"))?;
            let name_taken = held.listeners.iter().any(|l| l.name == *listener);
            require(!name_taken, || format!("listener name {listener} of {service} is taken"))?;
            let room = held.listeners.len() < view.limits.listeners_per_service;
            require(room, || format!("service {service} has {} listeners already", held.listeners.len()))?;
            judge_action(view, service, default_action)
        }
        Step::UpdateListener { service, port, default_action } => {
            ours(&view.listener(service, *port)?.ownership, &format!("listener {service}:{port}"))?;
            judge_action(view, service, default_action)
        }
        _ => Ok(()),
    }
}

fn judge_rules(view: &View, step: &Step) -> Result<(), String> {
    match step {
        Step::CreateRule { service, port, rule, tags } => {
            bears_owner(view, tags)?;
            let listener = view.listener(service, *port)?;
            let name_taken = listener.rules.iter().any(|r| r.name == rule.name);
            require(!name_taken, || format!("rule name {} of {service}:{port} is taken", rule.name))?;
            let room = listener.rules.len() < view.limits.rules_per_listener;
            require(room, || {
                format!("listener {service}:{port} has {} rules already", listener.rules.len())
            })?;
            judge_priority(view, rule.priority)?;
            judge_action(view, service, &rule.action)
        }
        Step::UpdateRules { service, port, rules } => {
            let listener = view.listener(service, *port)?;
            let ids: BTreeSet<&String> = rules.iter().map(|update| &update.id).collect();
            require(ids.len() == rules.len(), || "a rule is updated twice in one step".into())?;
            rules.iter().try_for_each(|update| judge_update(view, service, listener, update))
        }
        _ => Ok(()),
    }
}

fn judge_update(
    view: &View,
    service: &str,
    listener: &ActualListener,
    update: &RuleUpdate,
) -> Result<(), String> {
    let rule = our_rule(listener, &update.id)?;
    update.priority.map_or(Ok(()), |priority| judge_priority(view, priority))?;
    update.action.as_ref().map_or(Ok(()), |action| judge_action(view, service, action))?;
    // Turning a rule into another one must not take away what is wanted: some rule has its old match afterwards.
    let Some(new) = &update.matches else { return Ok(()) };
    let old = rule.matches.normalised();
    let wanted = view.wanted_listener(service, listener.port);
    let wanted = wanted.is_some_and(|l| l.rules.iter().any(|r| r.matches.normalised() == old));
    let twin = listener.rules.iter().any(|r| r.id != rule.id && r.matches.normalised() == old);
    let loses = wanted && !twin && new.normalised() != old;
    require(!loses, || format!("rule {} is wanted as it is", rule.id))
}

fn judge_priority(view: &View, priority: u16) -> Result<(), String> {
    let max = view.limits.priority_max;
    require((1..=max).contains(&priority), || format!("priority {priority} is not within 1 to {max}"))
}

/// Whether others can build on it: not one that is being made or deleted, or failed to be made.
fn is_ready(status: Status) -> bool {
    !matches!(
        status,
        Status::CreateInProgress | Status::UpdateInProgress | Status::CreateFailed | Status::DeleteInProgress
    )
}

/// An action may name only target groups that are ours and ready.
fn judge_action(view: &View, service: &str, action: &Action) -> Result<(), String> {
    for name in action.target_groups() {
        let group = view.our_group(name)?;
        require(is_ready(group.status), || format!("target group {name} is used while {:?}", group.status))?;
        let users = view.state.services.iter().filter(|s| s.name == service).map(|s| &s.arn);
        let users: BTreeSet<&String> = users.collect();
        let foreign = group.service_arns.iter().find(|arn| !users.contains(arn));
        require(foreign.is_none(), || format!("target group {name} is used by {foreign:?}"))?;
    }
    Ok(())
}

fn judge_targets(view: &View, target_group: &str, targets: &BTreeSet<Target>) -> Result<(), String> {
    let group = view.our_group(target_group)?;
    require(is_ready(group.status), || {
        format!("targets of {target_group} are registered while {:?}", group.status)
    })?;
    let staying = group.targets.iter().filter(|t| t.health != TargetHealth::Draining).map(|t| &t.target);
    let all: BTreeSet<&Target> = staying.chain(targets).collect();
    let max = view.limits.targets_per_target_group;
    require(all.len() <= max, || format!("target group {target_group} would have {} targets", all.len()))?;
    let wanted = view.wanted_group(target_group).map(|g| &g.targets);
    let unwanted = targets.iter().find(|t| wanted.is_none_or(|wanted| !wanted.contains(t)));
    require(unwanted.is_none(), || {
        format!("a target is registered in {target_group} that nobody wants: {unwanted:?}")
    })
}

fn judge_tags(view: &View, arn: &str, tags: &Tags) -> Result<(), String> {
    let networks = view.state.networks.iter().map(|n| (&n.arn, &n.ownership));
    let services = view.state.services.iter().map(|s| (&s.arn, &s.ownership));
    let groups = view.state.target_groups.iter().map(|g| (&g.arn, &g.ownership));
    let held = networks.chain(services).chain(groups).find(|(held, _)| *held == arn);
    let (_, ownership) = held.ok_or_else(|| format!("{arn} is not there"))?;
    ours(ownership, arn)?;
    let owner = tags.contains_key(TAG_OWNER) || tags.contains_key(TAG_UNIT);
    require(!owner, || format!("the owner tags of {arn} would change"))
}
