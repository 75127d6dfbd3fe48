//! What VPC Lattice refuses: conflicts, and names or ids that are not there.

use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{Action, Actual, ActualListener, ActualService, Ownership, Status, Step};

/// What a plan's names meant when it was made, and what its own steps made: kind and name to id.
pub(crate) struct Known(BTreeMap<(&'static str, String), String>);

impl Known {
    pub(crate) fn of(actual: &Actual) -> Self {
        let mut known = Self(BTreeMap::new());
        known.add(actual, true);
        known.add(actual, false);
        known
    }

    /// Names of what was made since.
    pub(crate) fn learn(&mut self, step: &Step, state: &Actual) {
        if matches!(
            step,
            Step::CreateNetwork { .. } | Step::CreateService { .. } | Step::CreateTargetGroup { .. }
        ) {
            let mut fresh = Self(BTreeMap::new());
            fresh.add(state, true);
            let of_step = |kind: &str, name: &str| match step {
                Step::CreateNetwork { network, .. } => kind == "network" && network == name,
                Step::CreateService { service, .. } => kind == "service" && service == name,
                Step::CreateTargetGroup { target_group, .. } => kind == "group" && target_group == name,
                _ => false,
            };
            self.0.extend(fresh.0.into_iter().filter(|((kind, name), _)| of_step(kind, name)));
        }
    }

    pub(crate) fn means(&self, kind: &'static str, name: &str, id: &str) -> bool {
        self.0.get(&(kind, name.to_owned())).is_some_and(|known| known == id)
    }

    fn add(&mut self, actual: &Actual, ours: bool) {
        let fits = |ownership: &Ownership| (*ownership == Ownership::Ours) == ours;
        let networks = actual
            .networks
            .iter()
            .filter(|one| fits(&one.ownership))
            .map(|one| ("network", &one.name, &one.id));
        let services = actual
            .services
            .iter()
            .filter(|one| fits(&one.ownership))
            .map(|one| ("service", &one.name, &one.id));
        let groups = actual
            .target_groups
            .iter()
            .filter(|one| fits(&one.ownership))
            .map(|one| ("group", &one.name, &one.id));
        for (kind, name, id) in networks.chain(services).chain(groups) {
            self.0.entry((kind, name.clone())).or_insert_with(|| id.clone());
        }
    }
}

/// Why a step cannot be done now.
pub(crate) fn refusal(state: &Actual, known: &Known, step: &Step) -> Result<(), String> {
    match step {
        Step::CreateNetwork { network, .. } => {
            free(state.networks.iter().all(|one| one.name != *network), network)
        }
        Step::CreateVpcAssociation { network, vpc, .. } => {
            has_network(state, known, network)?;
            free(state.vpc_associations.iter().all(|one| one.vpc != *vpc), vpc)
        }
        Step::UpdateVpcAssociation { id, .. } => {
            let one = state.vpc_associations.iter().find(|one| one.id == *id).ok_or("not found")?;
            at_rest(one.status)
        }
        Step::CreateTargetGroup { target_group, .. } => {
            free(state.target_groups.iter().all(|one| one.name != *target_group), target_group)
        }
        Step::CreateService { service, .. } => {
            free(state.services.iter().all(|one| one.name != *service), service)
        }
        Step::UpdateHealthCheck { target_group, .. } | Step::RegisterTargets { target_group, .. } => {
            let group =
                state.target_groups.iter().find(|one| one.name == *target_group).ok_or("not found")?;
            found(known.means("group", target_group, &group.id))?;
            active(group.status)
        }
        Step::DeregisterTargets { target_group, .. } => {
            let group =
                state.target_groups.iter().find(|one| one.name == *target_group).ok_or("not found")?;
            found(known.means("group", target_group, &group.id))
        }
        Step::UpdateCertificate { service, .. } => active(service_of(state, known, service)?.status),
        Step::CreateAssociation { service, network, .. } => {
            let held = service_of(state, known, service)?;
            active(held.status)?;
            has_network(state, known, network)?;
            free(held.associations.iter().all(|one| one.network != *network), network)
        }
        Step::Tag { .. } => Ok(()),
        _ => listener_refusal(state, known, step),
    }
}

fn listener_refusal(state: &Actual, known: &Known, step: &Step) -> Result<(), String> {
    match step {
        Step::CreateListener { service, port, listener, default_action, .. } => {
            let held = service_of(state, known, service)?;
            free(held.listeners.iter().all(|one| one.port != *port && one.name != *listener), listener)?;
            usable(state, held, [default_action])
        }
        Step::UpdateListener { service, port, default_action } => {
            let held = service_of(state, known, service)?;
            listener_of(held, *port)?;
            usable(state, held, [default_action])
        }
        Step::UpdateRules { service, port, rules } => {
            let held = service_of(state, known, service)?;
            let listener = listener_of(held, *port)?;
            let mut priorities: BTreeMap<&str, u16> =
                listener.rules.iter().map(|rule| (rule.id.as_str(), rule.priority)).collect();
            for update in rules {
                let priority = priorities.get_mut(update.id.as_str()).ok_or("rule not found")?;
                *priority = update.priority.unwrap_or(*priority);
            }
            let distinct: BTreeSet<&u16> = priorities.values().collect();
            free(distinct.len() == priorities.len(), "priority")?;
            usable(state, held, rules.iter().filter_map(|update| update.action.as_ref()))
        }
        Step::CreateRule { service, port, rule, .. } => {
            let held = service_of(state, known, service)?;
            let listener = listener_of(held, *port)?;
            free(
                listener.rules.iter().all(|one| one.priority != rule.priority && one.name != rule.name),
                &rule.name,
            )?;
            usable(state, held, [&rule.action])
        }
        _ => delete_refusal(state, step),
    }
}

/// What is not there any more need not be deleted.
fn delete_refusal(state: &Actual, step: &Step) -> Result<(), String> {
    match step {
        Step::DeleteAssociation { id, .. } => {
            let all = state.services.iter().flat_map(|service| &service.associations);
            all.filter(|one| one.id == *id).try_for_each(|one| at_rest(one.status))
        }
        Step::DeleteService { id, .. } => {
            state.services.iter().filter(|one| one.id == *id).try_for_each(|one| {
                at_rest(one.status)?;
                free(one.associations.is_empty(), "its associations")
            })
        }
        Step::DeleteTargetGroup { id, .. } => {
            state.target_groups.iter().filter(|one| one.id == *id).try_for_each(|one| {
                at_rest(one.status)?;
                free(one.targets.is_empty() && one.service_arns.is_empty(), "its targets and users")
            })
        }
        Step::DeleteVpcAssociation { id, .. } => {
            state.vpc_associations.iter().filter(|one| one.id == *id).try_for_each(|one| at_rest(one.status))
        }
        Step::DeleteNetwork { id, network } => {
            let named = state.networks.iter().filter(|one| one.id == *id).count() > 0;
            let mut services = state.services.iter().flat_map(|service| &service.associations);
            let used = state.vpc_associations.iter().any(|one| one.network == *network)
                || services.any(|one| one.network == *network);
            free(!(named && used), network)
        }
        _ => Ok(()),
    }
}

fn free(is_free: bool, what: &str) -> Result<(), String> {
    if is_free { Ok(()) } else { Err(format!("conflict: {what}")) }
}

fn found(is_found: bool) -> Result<(), String> {
    if is_found { Ok(()) } else { Err("not found".into()) }
}

fn active(status: Status) -> Result<(), String> {
    if matches!(status, Status::Active | Status::UpdateFailed) {
        Ok(())
    } else {
        Err(format!("conflict: {status:?}"))
    }
}

fn at_rest(status: Status) -> Result<(), String> {
    let busy =
        matches!(status, Status::CreateInProgress | Status::UpdateInProgress | Status::DeleteInProgress);
    if busy { Err(format!("conflict: {status:?}")) } else { Ok(()) }
}

fn has_network(state: &Actual, known: &Known, name: &str) -> Result<(), String> {
    let is_there = state.networks.iter().any(|one| one.name == name && known.means("network", name, &one.id));
    found(is_there)
}

fn service_of<'a>(state: &'a Actual, known: &Known, name: &str) -> Result<&'a ActualService, String> {
    let service = state.services.iter().find(|one| one.name == name && known.means("service", name, &one.id));
    let service = service.ok_or("service not found")?;
    if service.status == Status::DeleteInProgress {
        Err("conflict: it is being deleted".into())
    } else {
        Ok(service)
    }
}

fn listener_of(service: &ActualService, port: u16) -> Result<&ActualListener, String> {
    service.listeners.iter().find(|one| one.port == port).ok_or_else(|| "listener not found".into())
}

/// A target group can be forwarded to once it is active, and by one service only.
fn usable<'a>(
    state: &Actual,
    service: &ActualService,
    actions: impl IntoIterator<Item = &'a Action>,
) -> Result<(), String> {
    for name in actions.into_iter().flat_map(Action::target_groups) {
        let group =
            state.target_groups.iter().find(|one| one.name == name).ok_or("target group not found")?;
        active(group.status)?;
        free(group.service_arns.iter().all(|arn| *arn == service.arn), name)?;
    }
    Ok(())
}
