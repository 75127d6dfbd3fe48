//! What is to be said of the association of a Gateway's VPC.

use super::{blocked, sentences};
use crate::report::{Condition, GatewayReport, VpcEffect};
use crate::{conditions, reasons};
use trellis_lattice::{Blocked, Outcome, RefusedVpcAssociation};

/// How an association loses its last security group.
pub(crate) const HOW_TO_BE_RID_OF_GROUPS: &str = "Name others in a VpcAssociationPolicy; or, to have none, set \
    associateWithVpc to false for each Gateway that shares the VPC until the condition VpcAssociated is False, and then to \
    true without securityGroupIds: meanwhile the VPC's Pods do not reach the Gateway.";

/// Whether a VPC is associated with a network, as far as the apply came.
pub(super) fn is_associated(outcome: &Outcome, network: &str, vpc: &str) -> bool {
    outcome.vpc_associations.iter().any(|one| one.network == network && one.vpc == vpc)
}

/// What keeps a policy's wish from being true.
pub(super) fn problem(outcome: &Outcome, effect: &VpcEffect) -> Option<Condition> {
    let VpcEffect { network, vpc, is_apart, hindrance, .. } = effect;
    let no = |reason, text: String| Condition::no(conditions::PROGRAMMED, reason, text);
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
