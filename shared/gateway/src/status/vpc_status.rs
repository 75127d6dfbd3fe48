//! What is to be said of the association of a Gateway's VPC.

use super::{blocked, sentences};
use crate::report::{Condition, GatewayReport, VpcEffect};
use crate::{conditions, reasons};
use trellis_lattice::{Blocked, Outcome, RefusedVpcAssociation};

/// How an association loses its last security group.
pub(crate) const HOW_TO_BE_RID_OF_GROUPS: &str = "Name others in a VpcAssociationPolicy; or, to have none, set \
    associateWithVpc to false for each Gateway that shares the VPC until the condition VpcAssociated is False, and then to \
    true without securityGroupIds: meanwhile the VPC's Pods do not reach the Gateway.";

/// What lets a VPC come into a second network.
pub(super) const BY_ENDPOINT: &str =
    "application-networking.k8s.aws/vpc-access: endpoint, which lets the VPC come by an endpoint of its own";

/// The condition of a Gateway whose VPC comes by an endpoint.
pub(super) fn endpoint(outcome: &Outcome, report: &GatewayReport) -> Condition {
    let network = &report.subject.object.name;
    let of_this = |of_network: &str, vpc: &str| of_network == network && vpc == report.vpc;
    let no = |reason, text: String| Condition::no(conditions::VPC_ASSOCIATED, reason, text);
    if let Some(refused) = outcome.refused_endpoints.iter().find(|one| of_this(&one.network, &one.vpc)) {
        let said = sentences(std::slice::from_ref(&refused.message));
        let text =
            format!("EC2 does not give the VPC {} its endpoint as it is asked for. {said}", report.vpc);
        return no(reasons::INVALID, text);
    }
    let is_of_this = |blocked: &&Blocked| matches!(blocked, Blocked::EndpointWithoutSubnets { vpc, network } if of_this(network, vpc));
    if let Some(blocked) = outcome.blocked.iter().find(is_of_this) {
        return no(reasons::INVALID, blocked::text(blocked));
    }
    if let Some(problem) = &report.vpc_problem {
        return problem.clone();
    }
    let there = outcome.vpc_endpoints.iter().find(|one| of_this(&one.network, &one.vpc));
    match there {
        Some(endpoint) if outcome.waiting.is_none() && outcome.failure.is_none() => {
            let text = format!(
                "The VPC {} reaches the service network by its endpoint {}, under the Gateway's addresses. {}",
                report.vpc, endpoint.id, report.endpoint_notes
            );
            Condition::yes(conditions::VPC_ASSOCIATED, reasons::BY_ENDPOINT, text.trim_end())
        }
        _ => no(reasons::PENDING, format!("The endpoint of the VPC {} is not available yet.", report.vpc)),
    }
}

/// Whether a VPC is associated with a network, as far as the apply came.
pub(super) fn is_associated(outcome: &Outcome, network: &str, vpc: &str) -> bool {
    outcome.vpc_associations.iter().any(|one| one.network == network && one.vpc == vpc)
}

/// What keeps a policy's wish from being true.
pub(super) fn problem(outcome: &Outcome, effect: &VpcEffect) -> Option<Condition> {
    let VpcEffect { network, vpc, is_apart, hindrance, .. } = effect;
    let no = |reason, text: String| Condition::no(conditions::PROGRAMMED, reason, text);
    if effect.by_endpoint {
        let has = outcome.vpc_endpoints.iter().any(|one| one.network == *network && one.vpc == *vpc);
        let is_not = if *is_apart { "still has its" } else { "does not have its" };
        let text = || format!("The VPC {vpc} {is_not} endpoint; see the status of the Gateway.");
        return (has == *is_apart).then(|| no(reasons::PENDING, text()));
    }
    if let Some(why) = hindrance {
        return Some(no(reasons::CONFLICTED, why.clone()));
    }
    let is_associated = is_associated(outcome, network, vpc);
    if *is_apart {
        let text = || format!("The VPC {vpc} is still associated with service network {network}.");
        return is_associated.then(|| no(reasons::PENDING, text()));
    }
    if let Some(refused) = refused(outcome, network, vpc) {
        return Some(no(reason_of(refused), refused_text(refused)));
    }
    let in_the_way = |one: &&Blocked| match one {
        Blocked::SecurityGroupsKept { vpc: of, .. }
        | Blocked::VpcAssociationOfOthers { vpc: of, .. }
        | Blocked::VpcAssociatedElsewhere { vpc: of, .. } => of == vpc,
        _ => false,
    };
    if let Some(blocked) = outcome.blocked.iter().find(in_the_way) {
        return Some(no(reasons::CONFLICTED, blocked::text(blocked)));
    }
    let is_clear = outcome.failure.is_none() && outcome.waiting.is_none();
    (is_clear && !is_associated).then(|| {
        no(reasons::PENDING, format!("The VPC {vpc} is not associated yet; see the status of the Gateway."))
    })
}

/// Why a Gateway's VPC is not associated.
pub(super) fn gateway_problem(outcome: &Outcome, report: &GatewayReport) -> Option<Condition> {
    let refused = refused(outcome, &report.subject.object.name, &report.vpc);
    let refused = refused.map(|refused| {
        let text = format!("The VPC {} is not associated. {}", report.vpc, refused_text(refused));
        Condition::no(conditions::VPC_ASSOCIATED, reason_of(refused), text)
    });
    report.vpc_problem.clone().or(refused)
}

fn refused<'a>(outcome: &'a Outcome, network: &str, vpc: &str) -> Option<&'a RefusedVpcAssociation> {
    outcome.refused_vpcs.iter().find(|one| one.network == network && one.vpc == vpc)
}

/// Whether AWS denies it, or it cannot be as it is wanted.
fn reason_of(refused: &RefusedVpcAssociation) -> &'static str {
    if refused.is_denied { reasons::ACCESS_DENIED } else { reasons::INVALID }
}

fn refused_text(refused: &RefusedVpcAssociation) -> String {
    let said = sentences(std::slice::from_ref(&refused.message));
    if refused.security_groups.is_empty() {
        return said;
    }
    let groups = refused.security_groups.iter().cloned().collect::<Vec<_>>().join(", ");
    format!("{said} See whether the security groups {groups} exist and are of the VPC {}.", refused.vpc)
}
