//! What a rule or a listener does with a request, in the SDK's words.

use crate::AwsError;
use crate::lattice::convert::{last_part, small};
use crate::lattice::names::Names;
use aws_sdk_vpclattice::types as sdk;
use std::collections::BTreeMap;
use trellis_lattice::{Action, TARGET_GROUP_ID, WeightedTargetGroup};

/// Stands for an action that this version cannot express. It is equal to no wish: a forward has at least one group.
pub(super) const UNKNOWN: Action = Action::Forward(Vec::new());

/// An action with target groups by name. `names` maps ids to names; the API echoes an id where an ARN was sent, or
/// perhaps the ARN, so both are looked up. A target group without a name keeps its id.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK's enum is open; what is new in it is none of ours"
)]
pub(super) fn action(action: &sdk::RuleAction, names: &BTreeMap<String, String>) -> Option<Action> {
    match action {
        sdk::RuleAction::FixedResponse(fixed) => Some(Action::FixedResponse(small(Some(fixed.status_code))?)),
        sdk::RuleAction::Forward(forward) => {
            // Weights are always sent; these are the defaults of the API reference for an action that somebody else
            // made (ForwardAction, WeightedTargetGroup).
            let default_weight = if forward.target_groups.len() == 1 { 100 } else { 1 };
            let mut weighted = forward
                .target_groups
                .iter()
                .map(|group| {
                    let id = last_part(&group.target_group_identifier);
                    Some(WeightedTargetGroup {
                        target_group: names.get(id).map_or(id, String::as_str).to_owned(),
                        weight: small(Some(group.weight.unwrap_or(default_weight)))?,
                    })
                })
                .collect::<Option<Vec<_>>>()?;
            weighted.sort();
            Some(Action::Forward(weighted))
        }
        _ => None,
    }
}

/// An action with target groups by id.
pub(super) fn sdk_action(
    names: &Names,
    operation: &'static str,
    action: &Action,
) -> Result<sdk::RuleAction, AwsError> {
    let known = names.lock();
    with_ids(action, |name| known.target_groups.get(name).map(|group| group.id.clone()))
        .map_err(|error| AwsError::unbuildable(operation, error))
}

/// A name that `ids` does not know is an error, which names it.
fn with_ids(
    action: &Action,
    ids: impl Fn(&str) -> Option<String>,
) -> Result<sdk::RuleAction, Box<dyn std::error::Error + Send + Sync>> {
    match action {
        Action::FixedResponse(status) => Ok(sdk::RuleAction::FixedResponse(
            sdk::FixedResponseAction::builder().status_code((*status).into()).build()?,
        )),
        Action::Forward(weighted) => {
            let mut forward = sdk::ForwardAction::builder();
            for group in weighted {
                let name = &group.target_group;
                let id = ids(name)
                    .or_else(|| name.starts_with(TARGET_GROUP_ID).then(|| name.clone()))
                    .ok_or_else(|| format!("target group {name:?} is not known"))?;
                forward = forward.target_groups(
                    sdk::WeightedTargetGroup::builder()
                        .target_group_identifier(id)
                        .weight(group.weight.into())
                        .build()?,
                );
            }
            Ok(sdk::RuleAction::Forward(forward.build()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_name_target_groups_whether_the_id_or_the_arn_is_echoed() {
        let share = |identifier: &str, weight: Option<i32>| {
            sdk::WeightedTargetGroup::builder()
                .target_group_identifier(identifier)
                .set_weight(weight)
                .build()
                .unwrap()
        };
        let arn = "arn:aws:vpc-lattice:us-west-2:000000000000:targetgroup/tg-2";
        let forward = sdk::ForwardAction::builder()
            .target_groups(share(arn, Some(90)))
            .target_groups(share("tg-1", None))
            .target_groups(share("tg-3", Some(0)))
            .build()
            .unwrap();
        let names = [("tg-1".to_owned(), "b".to_owned()), ("tg-2".to_owned(), "a".to_owned())].into();
        let share = |name: &str, weight| WeightedTargetGroup { target_group: name.into(), weight };
        assert_eq!(
            action(&sdk::RuleAction::Forward(forward), &names),
            Some(Action::Forward(vec![share("a", 90), share("b", 1), share("tg-3", 0)]))
        );
    }

    #[test]
    fn an_action_on_an_unknown_target_group_cannot_be_sent_and_says_which() {
        let share = WeightedTargetGroup { target_group: "nobody".into(), weight: 1 };
        let error = with_ids(&Action::Forward(vec![share]), |_| None).unwrap_err();
        assert!(error.to_string().contains("nobody"), "{error}");
    }
}
