//! Which steps of a plan may run side by side.

use super::step::{Lane, lane};
use trellis_lattice::{Step, TAG_BELOW};

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
                && !tells_of_others(next)
                && run.iter().all(|step| self::lane(step) == lane && step.subject() != next.subject())
        });
        if !joins {
            runs.push(run);
            start = end;
        }
    }
    runs
}

/// Whether a step says of others that they are done.
fn tells_of_others(step: &Step) -> bool {
    matches!(step, Step::Tag(tag) if tag.tags.contains_key(TAG_BELOW))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use trellis_lattice::{
        AwaitService, AwaitTargetGroup, CreateNetwork, DeregisterTargets, RegisterTargets, Tag, Tags,
    };

    fn await_group(name: &str) -> Step {
        Step::AwaitTargetGroup(AwaitTargetGroup { target_group: name.into() })
    }

    fn register(name: &str) -> Step {
        Step::RegisterTargets(RegisterTargets { target_group: name.into(), targets: BTreeSet::new() })
    }

    fn deregister(name: &str) -> Step {
        Step::DeregisterTargets(DeregisterTargets { target_group: name.into(), targets: BTreeSet::new() })
    }

    #[test]
    fn waits_that_follow_each_other_run_together_and_registrations_after_them() {
        let service = Step::AwaitService(AwaitService { service: "s".into() });
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
    fn what_is_below_a_service_bears_its_tags_before_the_service_says_so() {
        let tag = |arn: &str, key: &str| {
            Step::Tag(Tag { arn: arn.into(), tags: Tags::from([(key.into(), String::new())]) })
        };
        let steps =
            [tag("rule", "team"), tag("listener", "team"), tag("service", TAG_BELOW), tag("other", "team")];
        let lengths: Vec<usize> = runs(&steps).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [2, 2]);
    }

    #[test]
    fn a_network_is_made_alone_and_no_steps_give_no_runs() {
        let network =
            |name: &str| Step::CreateNetwork(CreateNetwork { network: name.into(), tags: Tags::new() });
        assert_eq!(runs(&[network("a"), network("b")]).len(), 2);
        assert!(runs(&[]).is_empty());
    }
}
