//! What of a plan may be done when not everything is known.

use trellis_lattice::Plan;

/// The plan without anything that takes away: what is done while a cluster that may want it cannot be read.
///
/// Steps after the first wait for a deletion are left out too, since they may need what it makes room for.
pub(crate) fn without_deletes(plan: Plan) -> Plan {
    let steps = plan
        .steps
        .into_iter()
        .take_while(|step| !step.awaits_removal())
        .filter(|step| !step.takes_away())
        .collect();
    Plan { steps, ..plan }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_lattice::{
        AwaitAssociation, AwaitAssociationGone, AwaitService, CreateAssociation, CreateService,
        DeleteAssociation, DeleteRule, Owner, Step, Tags,
    };

    fn plan(steps: Vec<Step>) -> Plan {
        let owner = Owner {
            installation: "trellis".into(),
            unit: "0a1b".into(),
            key: "gateway/123456789012/us-west-2/a".into(),
        };
        Plan { owner, steps, blocked: vec![] }
    }

    fn steps() -> Vec<Step> {
        let (service, network) = ("s".to_owned(), "n".to_owned());
        vec![
            Step::CreateService(CreateService {
                service: service.clone(),
                custom_domain: None,
                certificate_arn: None,
                tags: Tags::new(),
            }),
            Step::AwaitService(AwaitService { service: service.clone() }),
            Step::CreateAssociation(CreateAssociation {
                service: service.clone(),
                network: network.clone(),
                tags: Tags::new(),
            }),
            Step::DeleteRule(DeleteRule { service: service.clone(), port: 80, id: "rule-1".into() }),
            Step::AwaitAssociation(AwaitAssociation { service: service.clone(), network: network.clone() }),
            Step::DeleteAssociation(DeleteAssociation {
                service: service.clone(),
                network: "old".into(),
                id: "snsa-1".into(),
            }),
            Step::AwaitAssociationGone(AwaitAssociationGone {
                service: service.clone(),
                network: "old".into(),
                id: "snsa-1".into(),
            }),
            Step::CreateAssociation(CreateAssociation { service, network: "old".into(), tags: Tags::new() }),
        ]
    }

    #[test]
    fn without_deletes_nothing_is_taken_away_and_nothing_needs_the_room() {
        let kept = without_deletes(plan(steps()));
        assert_eq!(kept.steps.len(), 4);
        assert!(!kept.steps.iter().any(Step::takes_away));
    }
}
