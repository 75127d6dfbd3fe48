use trellis_lattice::{Actual, Outcome, Ownership, Plan, ServiceOutcome};

/// What exists already, and what a plan has to leave out: as an apply of a plan without steps would tell it. Services and
/// target groups that only bear a wanted name are another's, and their domain names are not the unit's to tell.
pub(crate) fn of(actual: &Actual, plan: &Plan) -> Outcome {
    Outcome {
        networks: actual.networks.iter().map(|network| (network.name.clone(), network.arn.clone())).collect(),
        services: actual
            .services
            .iter()
            .filter(|service| service.ownership == Ownership::Ours)
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
        refused: actual.refused.clone(),
        waiting: None,
        failure: None,
    }
}
