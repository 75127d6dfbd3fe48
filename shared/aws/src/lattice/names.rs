//! Turns the names in a plan into ids: those that were read, and those that the plan's earlier steps made.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use trellis_lattice::{Actual, Blocked, Outcome, Ownership, ServiceOutcome, Status};

/// What a plan's names mean while it is being applied.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Known>);

#[derive(Debug, Default, Clone)]
pub(super) struct Known {
    /// By name.
    pub(super) networks: BTreeMap<String, Resource>,
    /// By name.
    pub(super) services: BTreeMap<String, Resource>,
    /// By name.
    pub(super) target_groups: BTreeMap<String, Resource>,
    /// Listener ids by service and port.
    pub(super) listeners: BTreeMap<(String, u16), String>,
    /// By service and network.
    pub(super) associations: BTreeMap<(String, String), Resource>,
    /// By network and VPC.
    pub(super) vpc_associations: BTreeMap<(String, String), Resource>,
    /// Priorities by rule id, by service and port.
    pub(super) priorities: BTreeMap<(String, u16), BTreeMap<String, u16>>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) arn: String,
    /// The generated domain name of a service.
    pub(super) dns_name: Option<String>,
    /// When this plan made it; none for what was there before.
    pub(super) made: Option<Instant>,
    /// Whether the create call's own answer said that it is ACTIVE, so that nobody needs to look.
    pub(super) active: bool,
    /// Whether it bears the unit's tags.
    pub(super) ours: bool,
}

impl Resource {
    fn read(id: &str, arn: &str, ownership: &Ownership) -> Self {
        let ours = *ownership == Ownership::Ours;
        Self { id: id.to_owned(), arn: arn.to_owned(), dns_name: None, made: None, active: false, ours }
    }

    /// What a create call has just answered; none if it left out the id or the ARN.
    pub(super) fn made(id: Option<String>, arn: Option<String>) -> Option<Self> {
        Some(Self {
            id: id?,
            arn: arn?,
            dns_name: None,
            made: Some(Instant::now()),
            active: false,
            ours: true,
        })
    }
}

impl Known {
    /// Forgets a service and what was below it, unless the name is by now another one's.
    pub(super) fn forget_service(&mut self, name: &str, id: &str) {
        if forget(&mut self.services, name, id) {
            self.listeners.retain(|(service, _), _| service != name);
            self.priorities.retain(|(service, _), _| service != name);
        }
    }
}

/// Forgets a name, unless it is by now another resource's. Says whether it was forgotten.
pub(super) fn forget(resources: &mut BTreeMap<String, Resource>, name: &str, id: &str) -> bool {
    let same = resources.get(name).is_some_and(|resource| resource.id == id);
    if same {
        resources.remove(name);
    }
    same
}

impl Names {
    /// The names that were read. Where two resources bear one name, ours counts.
    pub(super) fn of(actual: &Actual) -> Self {
        let mut known = Known::default();
        let keep = |map: &mut BTreeMap<String, Resource>, name: &str, resource: Resource| {
            if resource.ours || !map.contains_key(name) {
                map.insert(name.to_owned(), resource);
            }
        };
        for network in &actual.networks {
            let resource = Resource::read(&network.id, &network.arn, &network.ownership);
            keep(&mut known.networks, &network.name, resource);
        }
        for group in &actual.target_groups {
            let resource = Resource::read(&group.id, &group.arn, &group.ownership);
            keep(&mut known.target_groups, &group.name, resource);
        }
        for service in &actual.services {
            let mut resource = Resource::read(&service.id, &service.arn, &service.ownership);
            resource.dns_name.clone_from(&service.dns_name);
            keep(&mut known.services, &service.name, resource);
            for listener in &service.listeners {
                let key = (service.name.clone(), listener.port);
                known.listeners.insert(key.clone(), listener.id.clone());
                let priorities = listener.rules.iter().map(|rule| (rule.id.clone(), rule.priority));
                known.priorities.insert(key, priorities.collect());
            }
            // One that is going is waited for by its id; its successor takes the name.
            for association in service.associations.iter().filter(|a| a.status != Status::DeleteInProgress) {
                let resource = Resource::read(&association.id, &association.arn, &association.ownership);
                known.associations.insert((service.name.clone(), association.network.clone()), resource);
            }
        }
        for association in actual.vpc_associations.iter().filter(|a| a.status != Status::DeleteInProgress) {
            let resource = Resource::read(&association.id, &association.arn, &association.ownership);
            known.vpc_associations.insert((association.network.clone(), association.vpc.clone()), resource);
        }
        Self(Mutex::new(known))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What exists now, as far as it is the unit's (networks: also those of others).
    pub(super) fn outcome(&self, blocked: &[Blocked]) -> Outcome {
        let known = self.lock();
        let ours = |map: &BTreeMap<String, Resource>| -> BTreeMap<String, Resource> {
            map.iter().filter(|(_, r)| r.ours).map(|(name, r)| (name.clone(), r.clone())).collect()
        };
        Outcome {
            networks: known.networks.iter().map(|(name, r)| (name.clone(), r.arn.clone())).collect(),
            services: ours(&known.services)
                .into_iter()
                .map(|(name, r)| (name, ServiceOutcome { arn: r.arn, dns_name: r.dns_name }))
                .collect(),
            target_groups: ours(&known.target_groups).into_iter().map(|(name, r)| (name, r.arn)).collect(),
            blocked: blocked.to_vec(),
            refused: vec![],
            waiting: None,
            failure: None,
        }
    }
}
