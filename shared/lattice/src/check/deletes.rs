//! What must hold when something is taken away.

use super::view::{View, our_rule, ours, require};
use crate::Ownership;
use crate::actual::{ActualRule, ActualService, Status, TargetHealth};
use crate::desired::{DesiredService, Target};
use crate::step::Step;
use std::collections::BTreeSet;

pub(super) fn judge(view: &View, step: &Step) -> Result<(), String> {
    match step {
        Step::DeregisterTargets { target_group, targets } => judge_targets(view, target_group, targets),
        Step::DeleteRule { service, port, id } => judge_rule(view, service, *port, id),
        Step::DeleteListener { service, port, id } => judge_listener(view, service, *port, id),
        Step::DeleteAssociation { service, network, id } => judge_association(view, service, network, id),
        Step::DeleteService { service, id } => judge_service(view, service, id),
        Step::DeleteTargetGroup { target_group, id } => judge_group(view, target_group, id),
        Step::DeleteVpcAssociation { network, vpc, id } => {
            let held = view.vpc_association_by_id(id)?;
            ours(&held.ownership, id)?;
            at_rest(held.status, id)?;
            let wanted = view.desired.vpc_associations.iter().any(|w| w.vpc == *vpc && w.network == *network);
            require(!wanted || is_broken(held.status), || {
                format!("VPC association {network} {vpc} is wanted")
            })
        }
        Step::DeleteNetwork { network, id } => {
            let held = view.state.networks.iter().find(|n| n.id == *id);
            let held = held.ok_or_else(|| format!("service network {id} is not there"))?;
            ours(&held.ownership, network)?;
            let wanted = view.desired.network.as_ref().is_some_and(|w| w.name == *network);
            require(!wanted, || format!("service network {network} is wanted"))?;
            let mut associations = view.state.vpc_associations.iter().filter(|a| a.network == *network);
            let mine = associations.find(|a| ours(&a.ownership, id).is_ok());
            require(mine.is_none(), || format!("service network {network} still has {mine:?}"))
        }
        _ => Ok(()),
    }
}

fn is_broken(status: Status) -> bool {
    matches!(status, Status::CreateFailed | Status::DeleteFailed)
}

/// A deletion while something is being made or changed is a conflict.
fn at_rest(status: Status, id: &str) -> Result<(), String> {
    let busy = matches!(status, Status::CreateInProgress | Status::UpdateInProgress);
    require(!busy, || format!("{id} is deleted while {status:?}"))
}

fn judge_targets(view: &View, target_group: &str, targets: &BTreeSet<Target>) -> Result<(), String> {
    let group = view.our_group(target_group)?;
    let registered = |t: &Target| group.targets.iter().any(|held| held.target == *t);
    let unknown = targets.iter().find(|t| !registered(t));
    require(unknown.is_none(), || format!("{unknown:?} is not registered in {target_group}"))?;
    // Of a group that is not wanted, the last requests are those that take a way that rules had a moment ago.
    let moving =
        view.state.services.iter().find(|s| s.is_propagating && view.wanted_service(&s.name).is_some());
    let moving =
        moving.filter(|s| view.wanted_group(target_group).is_none() && s.ownership == Ownership::Ours);
    require(moving.is_none(), || format!("requests may still be on the way to {target_group}"))?;
    let wanted = view.wanted_group(target_group).filter(|_| !is_broken(group.status));
    let lost = targets.iter().find(|t| wanted.is_some_and(|wanted| wanted.targets.contains(t)));
    require(lost.is_none(), || format!("target {lost:?} of {target_group} is wanted"))
}

/// A rule may go if its match is not wanted, or if another rule of the listener has the same.
fn judge_rule(view: &View, service: &str, port: u16, id: &str) -> Result<(), String> {
    let listener = view.listener(service, port)?;
    let rule = our_rule(listener, id)?;
    let same =
        |other: &ActualRule| other.id != rule.id && other.matches.normalised() == rule.matches.normalised();
    let wanted = view.wanted_listener(service, port);
    let wanted =
        wanted.is_some_and(|l| l.rules.iter().any(|r| r.matches.normalised() == rule.matches.normalised()));
    require(!wanted || listener.rules.iter().any(same), || format!("rule {id} is wanted"))
}

/// A wanted listener may go if it cannot be kept: its protocol is another, or its service has to go.
fn judge_listener(view: &View, service: &str, port: u16, id: &str) -> Result<(), String> {
    let held = view.our_service(service)?;
    let listener = held.listeners.iter().find(|l| l.id == *id);
    let listener = listener.ok_or_else(|| format!("listener {id} is not there"))?;
    ours(&listener.ownership, id)?;
    let wanted = view.wanted_listener(service, port).is_some_and(|l| l.protocol == listener.protocol);
    require(!wanted || !can_stay(view, held), || format!("listener {service}:{port} is wanted"))
}

fn judge_association(view: &View, service: &str, network: &str, id: &str) -> Result<(), String> {
    let held = view.our_service(service)?;
    let association = view.association_by_id(service, id)?;
    ours(&association.ownership, id)?;
    at_rest(association.status, id)?;
    let wanted = view.wanted_service(service).is_some_and(|w| w.networks.contains(network));
    let must_go = is_broken(association.status) || !can_stay(view, held);
    require(!wanted || must_go, || format!("association {service} {network} is wanted"))
}

fn judge_service(view: &View, service: &str, id: &str) -> Result<(), String> {
    let held = view.service_by_id(id)?;
    ours(&held.ownership, service)?;
    at_rest(held.status, id)?;
    require(view.wanted_service(service).is_none() || !can_stay(view, held), || {
        format!("service {service} is wanted")
    })?;
    let association = held.associations.first();
    require(association.is_none(), || format!("service {service} still has {association:?}"))
}

fn judge_group(view: &View, target_group: &str, id: &str) -> Result<(), String> {
    let held = view.group_by_id(id)?;
    ours(&held.ownership, target_group)?;
    at_rest(held.status, id)?;
    let wanted = view.wanted_group(target_group).is_some() && !is_broken(held.status);
    require(!wanted, || format!("target group {target_group} is wanted"))?;
    let user = view.state.services.iter().find(|s| s.target_groups().contains(target_group));
    require(user.is_none(), || {
        format!("target group {target_group} is used by {:?}", user.map(|s| &s.name))
    })?;
    // Rules that were read tell more than a listing of target groups, which may be older.
    let read = |arn: &String| view.state.services.iter().any(|s| s.arn == *arn && s.is_known_below());
    let arn = held.service_arns.iter().find(|arn| !read(arn));
    require(arn.is_none(), || format!("target group {target_group} is used by {arn:?}"))?;
    let target = held.targets.first();
    let draining = held.targets.iter().filter(|t| t.health == TargetHealth::Draining).count();
    require(target.is_none(), || {
        format!("{target_group} has {} targets, {draining} draining", held.targets.len())
    })
}

/// Whether a service can become what is wanted of it: it did not fail, and its custom domain is the wanted one.
fn can_stay(view: &View, held: &ActualService) -> bool {
    let domain = |name: &Option<String>| name.as_ref().map(|n| n.trim_end_matches('.').to_lowercase());
    let as_wanted = |wanted: &DesiredService| domain(&wanted.custom_domain) == domain(&held.custom_domain);
    !is_broken(held.status) && view.wanted_service(&held.name).is_some_and(as_wanted)
}
