//! Turns the names in a plan into ids: those that were read, and those that the plan's earlier steps made.

use crate::AwsError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use trellis_lattice::{
    Actual, Blocked, Outcome, Ownership, RefusedAccessLog, RefusedCertificate, RefusedTarget,
    RefusedVpcAssociation, RefusedVpcEndpoint, ResourceOutcome, ServiceOutcome, Status,
    VpcAssociationOutcome, VpcEndpointOutcome, counting_endpoint,
};

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
    /// By network and VPC.
    pub(super) vpc_endpoints: BTreeMap<(String, String), Resource>,
    /// By name.
    pub(super) resource_gateways: BTreeMap<String, Resource>,
    /// By name.
    pub(super) resource_configurations: BTreeMap<String, Resource>,
    /// By configuration and network.
    pub(super) resource_associations: BTreeMap<(String, String), Resource>,
    /// Priorities by rule id, by service and port.
    pub(super) priorities: BTreeMap<(String, u16), BTreeMap<String, u16>>,
    /// Wanted targets that VPC Lattice does not take.
    pub(super) refused: BTreeSet<RefusedTarget>,
    /// Wanted access logs that AWS does not give.
    pub(super) refused_logs: BTreeSet<RefusedAccessLog>,
    /// Wanted settings of VPC associations that AWS does not give.
    pub(super) refused_vpcs: BTreeSet<RefusedVpcAssociation>,
    /// Wanted VPC endpoints that EC2 does not give.
    pub(super) refused_endpoints: BTreeSet<RefusedVpcEndpoint>,
    /// Certificates of Secrets that ACM does not take.
    pub(super) refused_certificates: BTreeSet<RefusedCertificate>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) arn: String,
    /// The generated domain name of a service, or of a resource's association.
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

/// A plan that names what neither was read nor made: the planner's mistake, seen again by a new plan.
fn unknown(operation: &'static str, what: &str) -> AwsError {
    AwsError::stale(operation, format!("{what} is not known to this plan"))
}

impl Known {
    /// Notes that a change of what bears the name is under way.
    pub(super) fn is_changing(
        &mut self,
        of: impl FnOnce(&mut Self) -> &mut BTreeMap<String, Resource>,
        name: &str,
    ) {
        if let Some(resource) = of(self).get_mut(name) {
            resource.active = false;
        }
    }

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
        // In full, so that a new kind of resource is not forgotten here.
        let Actual {
            networks,
            vpc_associations,
            vpc_endpoints,
            subnet_zones: _,
            resource_gateways,
            resource_configurations,
            services,
            target_groups,
            // Nobody names one: they are changed by their ids.
            access_logs: _,
            auth: _,
            certificates: _,
            refused,
            allowed_functions: _,
            network_usage: _,
            taken_domains: _,
        } = actual;
        known.refused = refused.iter().cloned().collect();
        for network in networks {
            let resource = Resource::read(&network.id, &network.arn, &network.ownership);
            keep(&mut known.networks, &network.name, resource);
        }
        for gateway in resource_gateways.iter().filter(|one| one.status != Status::DeleteInProgress) {
            let resource = Resource::read(&gateway.id, &gateway.arn, &gateway.ownership);
            keep(&mut known.resource_gateways, &gateway.name, resource);
        }
        for one in resource_configurations.iter().filter(|one| one.status != Status::DeleteInProgress) {
            let resource = Resource::read(&one.id, &one.arn, &one.ownership);
            keep(&mut known.resource_configurations, &one.name, resource);
            for association in one.associations.iter().filter(|a| a.status != Status::DeleteInProgress) {
                let mut resource = Resource::read(&association.id, &association.arn, &association.ownership);
                resource.dns_name.clone_from(&association.dns_name);
                let key = (one.name.clone(), association.network.clone());
                known.resource_associations.insert(key, resource);
            }
        }
        for group in target_groups {
            let resource = Resource::read(&group.id, &group.arn, &group.ownership);
            keep(&mut known.target_groups, &group.name, resource);
        }
        for service in services {
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
        for association in vpc_associations.iter().filter(|a| a.status != Status::DeleteInProgress) {
            let resource = Resource::read(&association.id, &association.arn, &association.ownership);
            known.vpc_associations.insert((association.network.clone(), association.vpc.clone()), resource);
        }
        for endpoint in vpc_endpoints {
            if let Some(one) = counting_endpoint(vpc_endpoints, &endpoint.network, &endpoint.vpc) {
                let resource = Resource::read(&one.id, &one.arn, &one.ownership);
                known.vpc_endpoints.insert((one.network.clone(), one.vpc.clone()), resource);
            }
        }
        Self(Mutex::new(known))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn network(&self, operation: &'static str, name: &str) -> Result<Resource, AwsError> {
        let found = self.lock().networks.get(name).cloned();
        found.ok_or_else(|| unknown(operation, &format!("service network {name}")))
    }

    pub(super) fn resource_gateway(&self, operation: &'static str, name: &str) -> Result<Resource, AwsError> {
        let found = self.lock().resource_gateways.get(name).cloned();
        found.ok_or_else(|| unknown(operation, &format!("resource gateway {name}")))
    }

    pub(super) fn resource_configuration(
        &self,
        operation: &'static str,
        name: &str,
    ) -> Result<Resource, AwsError> {
        let found = self.lock().resource_configurations.get(name).cloned();
        found.ok_or_else(|| unknown(operation, &format!("resource configuration {name}")))
    }

    pub(super) fn resource_association(
        &self,
        operation: &'static str,
        configuration: &str,
        network: &str,
    ) -> Result<Resource, AwsError> {
        let key = (configuration.to_owned(), network.to_owned());
        let found = self.lock().resource_associations.get(&key).cloned();
        let what = || format!("resource configuration {configuration} with service network {network}");
        found.ok_or_else(|| unknown(operation, &what()))
    }

    pub(super) fn service(&self, operation: &'static str, name: &str) -> Result<Resource, AwsError> {
        let found = self.lock().services.get(name).cloned();
        found.ok_or_else(|| unknown(operation, &format!("service {name}")))
    }

    pub(super) fn target_group(&self, operation: &'static str, name: &str) -> Result<Resource, AwsError> {
        let found = self.lock().target_groups.get(name).cloned();
        found.ok_or_else(|| unknown(operation, &format!("target group {name}")))
    }

    /// The ids of a service and of its listener on a port.
    pub(super) fn listener(
        &self,
        operation: &'static str,
        service: &str,
        port: u16,
    ) -> Result<(String, String), AwsError> {
        let of_service = self.service(operation, service)?;
        let found = self.lock().listeners.get(&(service.to_owned(), port)).cloned();
        let listener =
            found.ok_or_else(|| unknown(operation, &format!("listener {port} of service {service}")))?;
        Ok((of_service.id, listener))
    }

    pub(super) fn association(
        &self,
        operation: &'static str,
        service: &str,
        network: &str,
    ) -> Result<Resource, AwsError> {
        let found = self.lock().associations.get(&(service.to_owned(), network.to_owned())).cloned();
        found.ok_or_else(|| unknown(operation, &format!("service {service} with service network {network}")))
    }

    pub(super) fn vpc_association(
        &self,
        operation: &'static str,
        network: &str,
        vpc: &str,
    ) -> Result<Resource, AwsError> {
        let found = self.lock().vpc_associations.get(&(network.to_owned(), vpc.to_owned())).cloned();
        found.ok_or_else(|| unknown(operation, &format!("VPC {vpc} with service network {network}")))
    }

    pub(super) fn vpc_endpoint(
        &self,
        operation: &'static str,
        network: &str,
        vpc: &str,
    ) -> Result<Resource, AwsError> {
        let found = self.lock().vpc_endpoints.get(&(network.to_owned(), vpc.to_owned())).cloned();
        found.ok_or_else(|| {
            unknown(operation, &format!("the endpoint of VPC {vpc} for service network {network}"))
        })
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
            refused: known.refused.iter().cloned().collect(),
            refused_logs: known.refused_logs.iter().cloned().collect(),
            refused_vpcs: known.refused_vpcs.iter().cloned().collect(),
            refused_certificates: known.refused_certificates.iter().cloned().collect(),
            vpc_associations: known
                .vpc_associations
                .keys()
                .map(|(network, vpc)| VpcAssociationOutcome { network: network.clone(), vpc: vpc.clone() })
                .collect(),
            vpc_endpoints: known
                .vpc_endpoints
                .iter()
                .map(|((network, vpc), one)| VpcEndpointOutcome {
                    network: network.clone(),
                    vpc: vpc.clone(),
                    id: one.id.clone(),
                })
                .collect(),
            resource_gateways: ours(&known.resource_gateways)
                .into_iter()
                .map(|(name, r)| (name, r.arn))
                .collect(),
            resources: ours(&known.resource_configurations)
                .into_iter()
                .map(|(name, r)| {
                    let of = known.resource_associations.iter().filter(|((one, _), _)| *one == name);
                    let named =
                        of.filter_map(|((_, network), r)| Some((network.clone(), r.dns_name.clone()?)));
                    let dns_names = named.collect();
                    (name, ResourceOutcome { arn: r.arn, dns_names })
                })
                .collect(),
            refused_endpoints: known.refused_endpoints.iter().cloned().collect(),
            waiting: None,
            failure: None,
        }
    }
}
