//! What is made of a plan, as a case says how far it was applied.

use super::case::Apply;
use trellis_gateway::Translation;
use trellis_lattice::{Outcome, ResourceOutcome, ServiceOutcome};

/// The outcome, with ARNs and domain names that are told by names alone.
pub(crate) fn applied(apply: &Apply, translation: &Translation) -> Outcome {
    let mut outcome = Outcome {
        blocked: apply.blocked.clone(),
        waiting: apply.waiting.clone(),
        failure: apply.failure.clone(),
        refused: apply.refused.clone(),
        refused_logs: apply.refused_logs.clone(),
        refused_vpcs: apply.refused_vpcs.clone(),
        refused_certificates: apply.refused_certificates.clone(),
        refused_endpoints: apply.refused_endpoints.clone(),
        ..Outcome::default()
    };
    let Some(desired) = translation.desired.as_ref().filter(|_| !apply.nothing) else { return outcome };
    let arn = |kind: &str, id: &str, name: &str| {
        let digits = trellis_lattice::names::short_hash(&[name], 16);
        format!("arn:aws:vpc-lattice:us-west-2:123456789012:{kind}/{id}-0{digits}")
    };
    if let Some(network) = &desired.network {
        outcome.networks.insert(network.name.clone(), arn("servicenetwork", "sn", &network.name));
    }
    for service in &desired.services {
        let digits = trellis_lattice::names::short_hash(&[&service.name], 16);
        let dns_name = format!("{}-0{digits}.7d67968.vpc-lattice-svcs.us-west-2.on.aws", service.name);
        let there = ServiceOutcome { arn: arn("service", "svc", &service.name), dns_name: Some(dns_name) };
        outcome.services.insert(service.name.clone(), there);
    }
    for group in &desired.target_groups {
        outcome.target_groups.insert(group.name.clone(), arn("targetgroup", "tg", &group.name));
    }
    for gateway in &desired.resource_gateways {
        let told = arn("resourcegateway", "rgw", &gateway.name);
        outcome.resource_gateways.insert(gateway.name.clone(), told);
    }
    for resource in &desired.resource_configurations {
        let digits = trellis_lattice::names::short_hash(&[&resource.name], 16);
        let name = |network: &String| {
            let dns_name = format!("snra-0{digits}.rcfg-0{digits}.4232ccc.vpc-lattice-rsc.us-west-2.on.aws");
            (network.clone(), dns_name)
        };
        let dns_names = resource.networks.iter().map(name).collect();
        let there = ResourceOutcome { arn: arn("resourceconfiguration", "rcfg", &resource.name), dns_names };
        outcome.resources.insert(resource.name.clone(), there);
    }
    outcome
}
