//! Target groups, without the question of which targets.

use super::draft::{Draft, in_progress, is_broken};
use super::{services, targets};
use crate::{
    ActualService, ActualTargetGroup, AwaitDrained, AwaitPropagation, AwaitServiceGone, AwaitTargetGroup,
    AwaitTargetGroupGone, Blocked, CreateTargetGroup, DeleteTargetGroup, DesiredTargetGroup, Ownership,
    Status, TargetGroupConfig, UpdateHealthCheck,
};
use std::collections::BTreeSet;

/// Removes what bears a wanted name and must be made anew.
pub(super) fn clear(draft: &mut Draft) {
    let mut going = vec![];
    for wanted in draft.desired.target_groups.clone() {
        let Some(group) = draft.group(&wanted.name).cloned() else { continue };
        // A group that a rule uses works, whatever its status says, and could not be deleted.
        let broken = group.ownership == Ownership::Ours && is_broken(group.status);
        if broken && draft.users(&group).is_empty() {
            targets::deregister_all(draft, &group);
            going.push(group);
        } else if group.status == Status::DeleteInProgress {
            going.push(group);
        }
    }
    for group in &going {
        delete_group(draft, group);
    }
    for ActualTargetGroup { name, id, .. } in going {
        draft.push(AwaitTargetGroupGone { target_group: name, id });
    }
}

/// Creates what is missing.
pub(super) fn create(draft: &mut Draft) {
    let barred = services::barred_groups(draft);
    let wanted = draft.desired.target_groups.clone().into_iter();
    for wanted in wanted.filter(|wanted| !barred.contains(&wanted.name)) {
        match draft.group(&wanted.name) {
            Some(group) if fits(group, &wanted) => {}
            Some(group) => {
                let (target_group, arn) = (group.name.clone(), group.arn.clone());
                draft.block(Blocked::TargetGroupNameTaken { target_group, arn });
            }
            None => {
                let tags = draft.tags(&wanted.tags);
                let DesiredTargetGroup { name, config, health_check, .. } = wanted;
                draft.push(CreateTargetGroup { target_group: name, config, health_check, tags });
            }
        }
    }
}

/// Awaits what is being made, then sets health checks and registers targets, of those groups.
pub(super) fn prepare(draft: &mut Draft, of: impl Fn(&TargetGroupConfig) -> bool) {
    let wanted = draft.desired.target_groups.iter().filter(|group| of(&group.config));
    let wanted: Vec<DesiredTargetGroup> = wanted.cloned().collect();
    let ours = |draft: &Draft, wanted: &DesiredTargetGroup| {
        draft.group(&wanted.name).filter(|g| fits(g, wanted) && g.status != Status::CreateFailed).cloned()
    };
    for wanted in &wanted {
        if ours(draft, wanted).is_some_and(|g| in_progress(g.status)) {
            draft.push(AwaitTargetGroup { target_group: wanted.name.clone() });
        }
    }
    for wanted in &wanted {
        if let Some(group) = ours(draft, wanted) {
            if let Some(health_check) = wanted.health_check.clone()
                && group.health_check.as_ref() != Some(&health_check)
            {
                draft.push(UpdateHealthCheck { target_group: group.name.clone(), health_check });
            }
            targets::register_missing(draft, &group, &wanted.targets);
        }
    }
}

/// Why a service may not forward to the target group, if so.
pub(super) fn obstacle(draft: &Draft, service: &str, port: u16, target_group: &str) -> Option<Blocked> {
    if draft.desired.external_groups.contains(target_group) {
        let mut others = draft.model.services.iter().filter(|one| one.name != service);
        let user = others.find(|one| one.target_groups().contains(target_group))?;
        let (target_group, service) = (target_group.to_owned(), user.name.clone());
        return Some(Blocked::TargetGroupInUse { target_group, service });
    }
    let group = draft.group(target_group).filter(|g| {
        let as_wanted = draft.wanted_group(target_group).is_some_and(|wanted| fits(g, wanted));
        as_wanted && !matches!(g.status, Status::CreateFailed | Status::DeleteInProgress)
    });
    let (service, target_group) = (service.to_owned(), target_group.to_owned());
    let Some(group) = group else {
        return Some(Blocked::TargetGroupMissing { service, port, target_group });
    };
    let other = draft.users(group).into_iter().find(|user| *user != service);
    other.map(|service| Blocked::TargetGroupInUse { target_group, service })
}

/// Deregisters the targets of groups that are to go, so that they drain while other things end. What requests were moved
/// away from, by this plan or a moment before, serves on until the data plane knows.
pub(super) fn empty_stale(draft: &mut Draft) {
    let groups: Vec<ActualTargetGroup> = draft
        .going_groups()
        .into_iter()
        // A listener that had to stay as it is still sends requests there, and so does another unit's service, of which this
        // unit was given only a part.
        .filter(|group| !draft.users(group).iter().any(|user| stays(draft, user)))
        .collect();
    let left = groups.iter().filter(|group| targets::takes_requests(group) && draft.is_propagating());
    let left: BTreeSet<String> = left.map(|group| group.name.clone()).collect();
    if !left.is_empty() {
        draft.push(AwaitPropagation { target_groups: left });
    }
    for group in &groups {
        targets::deregister_all(draft, group);
    }
}

/// Whether a service, by its name or ARN, is wanted, or another unit's and not on its way out.
fn stays(draft: &Draft, user: &str) -> bool {
    let is_meant = |service: &&ActualService| service.name == user || service.arn == user;
    let held = draft.model.services.iter().find(is_meant);
    let is_others = |held: &ActualService| {
        matches!(held.ownership, Ownership::OtherUnit(_)) && held.status != Status::DeleteInProgress
    };
    draft.wanted_service(user).is_some() || held.is_some_and(is_others)
}

/// Deletes what is not wanted and used by nobody who stays.
pub(super) fn delete(draft: &mut Draft) {
    for group in &draft.going_groups() {
        let users = draft.users(group);
        let going = draft.model.services.iter().filter(|s| s.status == Status::DeleteInProgress);
        let going: Vec<_> =
            going.filter(|s| users.contains(&s.name) || users.contains(&s.arn)).cloned().collect();
        for service in going {
            draft.push(AwaitServiceGone { service: service.name, id: service.id });
        }
    }
    for group in &draft.going_groups() {
        match draft.users(group).into_iter().next() {
            None => delete_group(draft, group),
            // Its listener is blocked for a reason of its own.
            Some(user) if draft.wanted_service(&user).is_some() => {}
            Some(service) => {
                let target_group = group.name.clone();
                draft.block(Blocked::TargetGroupInUse { target_group, service });
            }
        }
    }
}

/// A target group cannot be deleted while it is being made or a target drains.
fn delete_group(draft: &mut Draft, group: &ActualTargetGroup) {
    let (target_group, id) = (group.name.clone(), group.id.clone());
    if group.status == Status::DeleteInProgress {
        return;
    }
    if in_progress(group.status) {
        draft.push(AwaitTargetGroup { target_group: target_group.clone() });
    }
    if !group.targets.is_empty() {
        draft.push(AwaitDrained { target_group: target_group.clone(), id: id.clone() });
    }
    draft.push(DeleteTargetGroup { target_group, id });
}

/// Whether the group is ours and made as wanted. Its name is a hash of its settings, so that another setting under the
/// same name is somebody's doing, and no update can mend it.
fn fits(group: &ActualTargetGroup, wanted: &DesiredTargetGroup) -> bool {
    group.ownership == Ownership::Ours && group.config.as_ref() == Some(&wanted.config)
}
