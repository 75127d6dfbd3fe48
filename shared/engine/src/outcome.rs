use trellis_lattice::{Actual, Outcome, Plan, ServiceOutcome};

/// What exists already, and what a plan has to leave out.
pub(crate) fn of(actual: &Actual, plan: &Plan) -> Outcome {
    Outcome {
        networks: actual.networks.iter().map(|network| (network.name.clone(), network.arn.clone())).collect(),
        services: actual
            .services
            .iter()
            .map(|service| {
                let outcome = ServiceOutcome { arn: service.arn.clone(), dns_name: service.dns_name.clone() };
                (service.name.clone(), outcome)
            })
            .collect(),
        target_groups: actual
            .target_groups
            .iter()
            .map(|group| (group.name.clone(), group.arn.clone()))
            .collect(),
        blocked: plan.blocked.clone(),
        waiting: None,
        failure: None,
    }
}
