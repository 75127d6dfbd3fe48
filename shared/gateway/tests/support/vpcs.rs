//! The VPCs that are in a network after an apply.

use super::case::{Apply, with_networks};
use std::collections::BTreeSet;
use trellis_gateway::Translation;
use trellis_lattice::{
    Actual, ActualVpcEndpoint, Limits, Status, VpcAssociationOutcome, VpcEndpointOutcome, plan, simulate,
};

/// The associations of VPCs after the plan; a new one that AWS refuses is none.
pub(crate) fn associated(
    apply: &Apply,
    translation: &Translation,
    actual: &Actual,
    limits: &Limits,
) -> BTreeSet<VpcAssociationOutcome> {
    let then = match &translation.desired {
        Some(desired) if !apply.nothing => {
            simulate(actual, &plan(desired, &with_networks(desired, actual.clone()), limits))
        }
        _ => actual.clone(),
    };
    let is_new = |vpc: &str| !actual.vpc_associations.iter().any(|one| one.vpc == vpc);
    let is_refused = |vpc: &str| is_new(vpc) && apply.refused_vpcs.iter().any(|one| one.vpc == vpc);
    let lasting = then.vpc_associations.iter().filter(|one| one.status != Status::DeleteInProgress);
    let there = lasting.filter(|one| !is_refused(&one.vpc));
    there.map(|one| VpcAssociationOutcome { network: one.network.clone(), vpc: one.vpc.clone() }).collect()
}

/// The endpoints of VPCs after the plan; a new one that EC2 refuses is none.
pub(crate) fn endpoints(
    apply: &Apply,
    translation: &Translation,
    actual: &Actual,
    limits: &Limits,
) -> BTreeSet<VpcEndpointOutcome> {
    let then = match &translation.desired {
        Some(desired) if !apply.nothing => {
            simulate(actual, &plan(desired, &with_networks(desired, actual.clone()), limits))
        }
        _ => actual.clone(),
    };
    let is_new = |vpc: &str| !actual.vpc_endpoints.iter().any(|one| one.vpc == vpc);
    let is_refused = |vpc: &str| is_new(vpc) && apply.refused_endpoints.iter().any(|one| one.vpc == vpc);
    let there = then.vpc_endpoints.iter().filter(|one| one.counts_for(&one.network, &one.vpc));
    let there = there.filter(|one| !is_refused(&one.vpc));
    let told = |one: &ActualVpcEndpoint| VpcEndpointOutcome {
        network: one.network.clone(),
        vpc: one.vpc.clone(),
        id: one.id.clone(),
    };
    there.map(told).collect()
}
