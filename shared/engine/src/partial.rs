//! What of a plan may be done when not everything is known, and what it waits for.

use trellis_lattice::{Plan, Step};

/// The plan without anything that takes away: what is done while a cluster that may want it cannot be read.
///
/// Steps after the first wait for a deletion are left out too, since they may need what it makes room for.
pub(crate) fn without_deletes(plan: Plan) -> Plan {
    let steps = plan
        .steps
        .into_iter()
        .take_while(|step| !waits_for_deletion(step))
        .filter(|step| !step.takes_away())
        .collect();
    Plan { steps, ..plan }
}

fn waits_for_deletion(step: &Step) -> bool {
    matches!(
        step,
        Step::AwaitAssociationGone { .. }
            | Step::AwaitServiceGone { .. }
            | Step::AwaitDrained { .. }
            | Step::AwaitTargetGroupGone { .. }
            | Step::AwaitVpcAssociationGone { .. }
    )
}

/// What the first wait of a plan waits for, in words for a condition's message.
pub(crate) fn waiting_for(plan: &Plan) -> Option<String> {
    let text = plan.steps.iter().find(|step| step.is_wait()).map(|step| match step {
        Step::AwaitAssociation { service, network } => {
            format!("service {service} to be associated with service network {network}")
        }
        Step::AwaitVpcAssociation { network, vpc } => {
            format!("VPC {vpc} to be associated with service network {network}")
        }
        Step::AwaitTargetGroup { target_group } => format!("target group {target_group} to become active"),
        Step::AwaitService { service } => format!("service {service} to become active"),
        Step::AwaitAssociationGone { service, network, .. } => {
            format!("service {service} to leave service network {network}")
        }
        Step::AwaitServiceGone { service, .. } => format!("service {service} to be deleted"),
        Step::AwaitDrained { target_group, .. } => format!("targets of {target_group} to drain"),
        Step::AwaitTargetGroupGone { target_group, .. } => {
            format!("target group {target_group} to be deleted")
        }
        Step::AwaitVpcAssociationGone { network, vpc, .. } => {
            format!("VPC {vpc} to leave service network {network}")
        }
        other => format!("{other:?}"),
    })?;
    Some(format!("Waiting for {text}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_lattice::{Owner, Tags};

    fn plan(steps: Vec<Step>) -> Plan {
        let owner = Owner { installation: "trellis".into(), unit: "gateway/a".into() };
        Plan { owner, steps, blocked: vec![] }
    }

    fn steps() -> Vec<Step> {
        let (service, network) = ("s".to_owned(), "n".to_owned());
        vec![
            Step::CreateService {
                service: service.clone(),
                custom_domain: None,
                certificate_arn: None,
                tags: Tags::new(),
            },
            Step::AwaitService { service: service.clone() },
            Step::CreateAssociation { service: service.clone(), network: network.clone(), tags: Tags::new() },
            Step::DeleteRule { service: service.clone(), port: 80, id: "rule-1".into() },
            Step::AwaitAssociation { service: service.clone(), network: network.clone() },
            Step::DeleteAssociation { service: service.clone(), network: "old".into(), id: "snsa-1".into() },
            Step::AwaitAssociationGone {
                service: service.clone(),
                network: "old".into(),
                id: "snsa-1".into(),
            },
            Step::CreateAssociation { service, network: "old".into(), tags: Tags::new() },
        ]
    }

    #[test]
    fn the_first_wait_is_told_in_words() {
        assert_eq!(waiting_for(&plan(steps())).unwrap(), "Waiting for service s to become active.");
        assert_eq!(waiting_for(&plan(vec![])), None);
    }

    #[test]
    fn without_deletes_nothing_is_taken_away_and_nothing_needs_the_room() {
        let kept = without_deletes(plan(steps()));
        assert_eq!(kept.steps.len(), 4);
        assert!(!kept.steps.iter().any(Step::takes_away));
    }
}
