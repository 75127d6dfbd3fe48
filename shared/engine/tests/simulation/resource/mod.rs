//! VPC Lattice as the simulation has it, resource by resource: what it answers to a step, and what is judged of it.
//!
//! It shares no code with the planner's `check`. A kind of step that is not told of here does not compile: `each_step!`
//! has an arm for every kind, and [`InAccount`] has no defaults.

mod access_log;
mod auth;
mod function;
mod imported;
mod listener;
mod network;
mod resources;
mod rule;
mod service;
mod service_association;
mod tag;
mod target_group;
mod vpc_association;
mod vpc_endpoint;

use crate::account::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trellis_lattice::{
    Action, Actual, ActualService, Desired, Ownership, RefusedTarget, Status, Step, Tags, each_step,
};

/// What is true when a step comes.
pub(crate) struct Scene<'a> {
    /// All there is, as the plan's owner sees it.
    pub(crate) state: &'a Actual,
    pub(crate) account: &'a Account,
    pub(crate) known: &'a Known,
}

/// How far a step is that is not refused.
pub(crate) enum Standing {
    /// It can be done now, or what it waits for is so.
    Done,
    /// What it waits for will be so at this second.
    UnderWay(u64),
    /// It is to be looked at again after these seconds.
    Later(u64),
}

/// What a step does to resources that bear tags.
pub(crate) enum Effect<'a> {
    /// Makes one: its kind and its name, if a later step can call it so, and its tags.
    Makes(Option<(&'static str, &'a str)>, &'a Tags),
    /// Changes or deletes those of these ids.
    Touches(Vec<String>),
    /// Looks only.
    Nothing,
}

/// What a kind of step means in the account. No method has a default.
pub(crate) trait InAccount {
    /// What VPC Lattice answers: done, under way, or why it refuses.
    fn answer(&self, scene: &Scene) -> Result<Standing, String>;

    /// What it makes or touches.
    fn effect(&self, state: &Actual) -> Effect<'_>;

    /// What is in order, is wanted, and would be gone afterwards.
    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String>;
}

pub(crate) fn answer(scene: &Scene, step: &Step) -> Result<Standing, String> {
    each_step!(step, step => step.answer(scene))
}

pub(crate) fn effect<'a>(step: &'a Step, state: &Actual) -> Effect<'a> {
    each_step!(step, step => step.effect(state))
}

pub(crate) fn loses(desired: &Desired, state: &Actual, step: &Step) -> Option<String> {
    each_step!(step, step => step.loses(desired, state))
}

/// What a plan's names meant when it was made, and what its own steps made: kind and name to id.
#[derive(Default)]
pub(crate) struct Known {
    ids: BTreeMap<(&'static str, String), String>,
    /// Wanted targets that are refused.
    pub(crate) refused: BTreeSet<RefusedTarget>,
}

impl Known {
    pub(crate) fn of(actual: &Actual) -> Self {
        let mut known = Self::default();
        known.add(actual, true);
        known.add(actual, false);
        known
    }

    /// Names of what was made since.
    pub(crate) fn learn(&mut self, step: &Step, state: impl FnOnce() -> Arc<Actual>) {
        if let Effect::Makes(Some((kind, name)), _) = effect(step, &Actual::default()) {
            let mut fresh = Self::default();
            fresh.add(&state(), true);
            self.ids.extend(fresh.ids.remove_entry(&(kind, name.to_owned())));
        }
    }

    pub(crate) fn means(&self, kind: &'static str, name: &str, id: &str) -> bool {
        self.ids.get(&(kind, name.to_owned())).is_some_and(|known| known == id)
    }

    fn add(&mut self, actual: &Actual, ours: bool) {
        // In full, so that a new kind of resource is not forgotten here. Associations are called by what they join.
        let Actual {
            networks,
            vpc_associations: _,
            vpc_endpoints: _,
            subnet_zones: _,
            // Nobody calls them by what they were when the plan was made.
            resource_gateways: _,
            resource_configurations: _,
            services,
            target_groups,
            access_logs: _,
            auth: _,
            certificates: _,
            refused: _,
            allowed_functions: _,
            network_usage: _,
            taken_domains: _,
        } = actual;
        let networks = networks.iter().map(|one| (network::KIND, &one.name, &one.id, &one.ownership));
        let services = services.iter().map(|one| (service::KIND, &one.name, &one.id, &one.ownership));
        let groups = target_groups.iter().map(|one| (target_group::KIND, &one.name, &one.id, &one.ownership));
        for (kind, name, id, ownership) in networks.chain(services).chain(groups) {
            if (*ownership == Ownership::Ours) == ours {
                self.ids.entry((kind, name.clone())).or_insert_with(|| id.clone());
            }
        }
    }
}

impl Scene<'_> {
    fn has_network(&self, name: &str) -> Result<(), String> {
        let named = |id: &str| self.known.means(network::KIND, name, id);
        found(self.state.networks.iter().any(|one| one.name == name && named(&one.id)))
    }

    fn service(&self, name: &str) -> Result<&ActualService, String> {
        let named = |one: &&ActualService| one.name == name && self.known.means(service::KIND, name, &one.id);
        let service = self.state.services.iter().find(named).ok_or("service not found")?;
        if service.status == Status::DeleteInProgress {
            return Err("conflict: it is being deleted".into());
        }
        Ok(service)
    }

    /// A target group can be forwarded to once it is active, and by one service only.
    fn usable<'a>(
        &self,
        service: &ActualService,
        actions: impl IntoIterator<Item = &'a Action>,
    ) -> Result<(), String> {
        for name in actions.into_iter().flat_map(Action::target_groups) {
            let group = self.state.target_groups.iter().find(|one| one.name == name);
            let group = group.ok_or("target group not found")?;
            active(group.status)?;
            free(group.service_arns.iter().all(|arn| *arn == service.arn), name)?;
        }
        Ok(())
    }

    /// What one learns who waits until something is usable.
    fn made(&self, one: Option<(Status, &str)>) -> Result<Standing, String> {
        let (status, arn) = one.ok_or("not found")?;
        match status {
            Status::Active | Status::UpdateFailed => Ok(Standing::Done),
            Status::CreateInProgress | Status::UpdateInProgress => {
                Ok(Standing::UnderWay(self.account.ready_at(arn)))
            }
            Status::DeleteInProgress | Status::CreateFailed | Status::DeleteFailed | Status::Unknown => {
                Err(format!("it is {status:?}"))
            }
        }
    }

    /// What one learns who waits until something is gone.
    fn gone(&self, one: Option<(Status, &str)>) -> Result<Standing, String> {
        match one {
            None => Ok(Standing::Done),
            Some((Status::DeleteInProgress, arn)) => Ok(Standing::UnderWay(self.account.ready_at(arn))),
            Some((status, _)) => Err(format!("it is {status:?}")),
        }
    }
}

fn free(is_free: bool, what: &str) -> Result<(), String> {
    if is_free { Ok(()) } else { Err(format!("conflict: {what}")) }
}

fn found(is_found: bool) -> Result<(), String> {
    if is_found { Ok(()) } else { Err("not found".into()) }
}

fn active(status: Status) -> Result<(), String> {
    free(matches!(status, Status::Active | Status::UpdateFailed), &format!("{status:?}"))
}

fn at_rest(status: Status) -> Result<(), String> {
    let busy =
        matches!(status, Status::CreateInProgress | Status::UpdateInProgress | Status::DeleteInProgress);
    free(!busy, &format!("{status:?}"))
}
