//! Which steps of a plan may run side by side.

use trellis_lattice::Step;

/// Steps of one lane that follow each other and concern different things do not need each other's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// Never beside another step.
    Alone,
    Make,
    Await,
    Targets,
    Attach,
    Rules,
    Vpcs,
    DeleteRules,
    DeleteListeners,
    DeleteAssociations,
    DeleteServices,
    DeleteTargetGroups,
    DeleteVpcAssociations,
}

/// Cuts the steps into runs that are done one after the other; the steps of a run are done side by side. The order of
/// the plan is kept otherwise.
pub(super) fn runs(steps: &[Step]) -> Vec<&[Step]> {
    let mut runs = Vec::new();
    let mut start = 0;
    for end in 1..=steps.len() {
        let run = &steps[start..end];
        let joins = steps.get(end).is_some_and(|next| {
            let lane = lane(next);
            lane != Lane::Alone
                && run.iter().all(|step| self::lane(step) == lane && subject(step) != subject(next))
        });
        if !joins {
            runs.push(run);
            start = end;
        }
    }
    runs
}

fn lane(step: &Step) -> Lane {
    match step {
        Step::CreateNetwork { .. }
        | Step::UpdateRules { .. }
        | Step::AwaitPropagation { .. }
        | Step::DeleteNetwork { .. } => Lane::Alone,
        Step::CreateTargetGroup { .. }
        | Step::UpdateHealthCheck { .. }
        | Step::CreateService { .. }
        | Step::UpdateCertificate { .. }
        | Step::Tag { .. } => Lane::Make,
        Step::AwaitTargetGroup { .. }
        | Step::AwaitService { .. }
        | Step::AwaitAssociation { .. }
        | Step::AwaitVpcAssociation { .. }
        | Step::AwaitAssociationGone { .. }
        | Step::AwaitServiceGone { .. }
        | Step::AwaitDrained { .. }
        | Step::AwaitTargetGroupGone { .. }
        | Step::AwaitVpcAssociationGone { .. } => Lane::Await,
        Step::RegisterTargets { .. } | Step::DeregisterTargets { .. } => Lane::Targets,
        Step::CreateAssociation { .. } | Step::CreateListener { .. } | Step::UpdateListener { .. } => {
            Lane::Attach
        }
        Step::CreateRule { .. } => Lane::Rules,
        Step::CreateVpcAssociation { .. } | Step::UpdateVpcAssociation { .. } => Lane::Vpcs,
        Step::DeleteRule { .. } => Lane::DeleteRules,
        Step::DeleteListener { .. } => Lane::DeleteListeners,
        Step::DeleteAssociation { .. } => Lane::DeleteAssociations,
        Step::DeleteService { .. } => Lane::DeleteServices,
        Step::DeleteTargetGroup { .. } => Lane::DeleteTargetGroups,
        Step::DeleteVpcAssociation { .. } => Lane::DeleteVpcAssociations,
    }
}

/// The operation, or what is waited for, and what it is done to; for logs, errors and messages.
pub(super) fn describe(step: &Step) -> String {
    let operation = match step {
        Step::CreateVpcAssociation { .. } | Step::CreateAssociation { .. } => "associate",
        Step::CreateNetwork { .. }
        | Step::CreateTargetGroup { .. }
        | Step::CreateService { .. }
        | Step::CreateListener { .. }
        | Step::CreateRule { .. } => "create",
        Step::UpdateVpcAssociation { .. }
        | Step::UpdateHealthCheck { .. }
        | Step::UpdateCertificate { .. }
        | Step::UpdateListener { .. }
        | Step::UpdateRules { .. } => "update",
        Step::Tag { .. } => "tag",
        Step::RegisterTargets { .. } => "register targets of",
        Step::DeregisterTargets { .. } => "deregister targets of",
        Step::DeleteAssociation { .. } | Step::DeleteVpcAssociation { .. } => "disassociate",
        Step::DeleteRule { .. }
        | Step::DeleteListener { .. }
        | Step::DeleteService { .. }
        | Step::DeleteTargetGroup { .. }
        | Step::DeleteNetwork { .. } => "delete",
        Step::AwaitDrained { .. } => "wait for the targets of",
        Step::AwaitPropagation { .. } => "wait for requests to leave",
        Step::AwaitAssociationGone { .. }
        | Step::AwaitServiceGone { .. }
        | Step::AwaitTargetGroupGone { .. }
        | Step::AwaitVpcAssociationGone { .. } => "wait for the end of",
        Step::AwaitTargetGroup { .. }
        | Step::AwaitService { .. }
        | Step::AwaitAssociation { .. }
        | Step::AwaitVpcAssociation { .. } => "wait for",
    };
    format!("{operation} {}", subject(step))
}

/// What a step is done to, in words that name it in the account.
pub(super) fn subject(step: &Step) -> String {
    match step {
        Step::CreateNetwork { network, .. } | Step::DeleteNetwork { network, .. } => {
            format!("service network {network}")
        }
        Step::CreateVpcAssociation { network, vpc, .. }
        | Step::AwaitVpcAssociation { network, vpc }
        | Step::DeleteVpcAssociation { network, vpc, .. }
        | Step::AwaitVpcAssociationGone { network, vpc, .. } => {
            format!("VPC {vpc} with service network {network}")
        }
        Step::UpdateVpcAssociation { vpc, .. } => format!("association of VPC {vpc}"),
        Step::CreateTargetGroup { target_group, .. }
        | Step::UpdateHealthCheck { target_group, .. }
        | Step::AwaitTargetGroup { target_group }
        | Step::RegisterTargets { target_group, .. }
        | Step::DeregisterTargets { target_group, .. }
        | Step::AwaitDrained { target_group, .. }
        | Step::DeleteTargetGroup { target_group, .. }
        | Step::AwaitTargetGroupGone { target_group, .. } => format!("target group {target_group}"),
        Step::CreateService { service, .. }
        | Step::UpdateCertificate { service, .. }
        | Step::AwaitService { service }
        | Step::DeleteService { service, .. }
        | Step::AwaitServiceGone { service, .. } => format!("service {service}"),
        Step::Tag { arn, .. } => arn.clone(),
        Step::AwaitPropagation { target_groups } => {
            let names: Vec<&str> = target_groups.iter().map(String::as_str).collect();
            format!("target group {}", names.join(", "))
        }
        Step::CreateAssociation { service, network, .. }
        | Step::AwaitAssociation { service, network }
        | Step::DeleteAssociation { service, network, .. }
        | Step::AwaitAssociationGone { service, network, .. } => {
            format!("service {service} with service network {network}")
        }
        Step::CreateListener { service, port, .. }
        | Step::UpdateListener { service, port, .. }
        | Step::DeleteListener { service, port, .. } => format!("listener {port} of service {service}"),
        Step::UpdateRules { service, port, .. } => format!("rules of listener {port} of service {service}"),
        Step::CreateRule { service, port, rule, .. } => {
            format!("rule {} of listener {port} of service {service}", rule.name)
        }
        Step::DeleteRule { service, port, id } => {
            format!("rule {id} of listener {port} of service {service}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use trellis_lattice::Tags;

    fn await_group(name: &str) -> Step {
        Step::AwaitTargetGroup { target_group: name.into() }
    }

    fn register(name: &str) -> Step {
        Step::RegisterTargets { target_group: name.into(), targets: BTreeSet::new() }
    }

    fn deregister(name: &str) -> Step {
        Step::DeregisterTargets { target_group: name.into(), targets: BTreeSet::new() }
    }

    #[test]
    fn waits_that_follow_each_other_run_together_and_registrations_after_them() {
        let service = Step::AwaitService { service: "s".into() };
        let steps = [await_group("a"), await_group("b"), service, register("a"), register("b")];
        let lengths: Vec<usize> = runs(&steps).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [3, 2]);
    }

    #[test]
    fn two_steps_of_one_target_group_keep_their_order() {
        let steps = [register("a"), deregister("a"), deregister("b")];
        let lengths: Vec<usize> = runs(&steps).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [1, 2]);
    }

    #[test]
    fn a_network_is_made_alone_and_no_steps_give_no_runs() {
        let network = |name: &str| Step::CreateNetwork { network: name.into(), tags: Tags::new() };
        assert_eq!(runs(&[network("a"), network("b")]).len(), 2);
        assert!(runs(&[]).is_empty());
    }
}
