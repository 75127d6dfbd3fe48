//! What a rule or a listener does with a request.

use super::Joined;
use crate::ViolationKind;
use crate::check::{View, ready};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter, Result as Written};

/// The highest weight that the API takes.
const WEIGHT_MAX: u16 = 999;

/// What a rule or a listener does with a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Answer with this status: 404 or 500, VPC Lattice knows no other.
    FixedResponse(u16),
    /// Forward to one of 1–10 target groups, by weight. Sorted by target group.
    Forward(Vec<WeightedTargetGroup>),
}

/// A share of a forward action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightedTargetGroup {
    /// The target group's name.
    pub target_group: String,
    /// 0–999, relative to the others' sum.
    pub weight: u16,
}

impl Action {
    /// Names of the target groups that it forwards to.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let shares = match self {
            Self::FixedResponse(_) => &[][..],
            Self::Forward(shares) => shares,
        };
        shares.iter().map(|share| share.target_group.as_str())
    }

    /// The one form of all actions that do the same: target groups sorted, each named once, with its weights added up.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let Self::Forward(shares) = self else { return self.clone() };
        let mut weights: BTreeMap<&str, u16> = BTreeMap::new();
        for share in shares {
            let weight = weights.entry(&share.target_group).or_default();
            *weight = weight.saturating_add(share.weight).min(WEIGHT_MAX);
        }
        let shares = weights.into_iter().map(|(target_group, weight)| WeightedTargetGroup {
            target_group: target_group.to_owned(),
            weight,
        });
        Self::Forward(shares.collect())
    }

    /// It may name only target groups that are ours, ready, and used by no other service, and those of others that the wish
    /// names by their ids: which are as they should be was asked before, and that no two services have one is asked of
    /// every state.
    pub(crate) fn judge(&self, view: &View, service: &str) -> Result<(), ViolationKind> {
        for name in self.target_groups().filter(|name| !view.desired.external_groups.contains(*name)) {
            let (group, what) = (view.our_group(name)?, format!("target group {name}"));
            ready(group.status, &what)?;
            let users = view.state.services.iter().filter(|s| s.name == service).map(|s| &s.arn);
            let users: BTreeSet<&String> = users.collect();
            if let Some(by) = group.service_arns.iter().find(|arn| !users.contains(arn)).cloned() {
                return Err(ViolationKind::InUse { what, by });
            }
        }
        Ok(())
    }
}

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::FixedResponse(status) => write!(f, "{status}"),
            Self::Forward(shares) => Joined(shares).fmt(f),
        }
    }
}

impl Display for WeightedTargetGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "{} {}", self.target_group, self.weight)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Action, WeightedTargetGroup};

    fn share(target_group: &str, weight: u16) -> WeightedTargetGroup {
        WeightedTargetGroup { target_group: target_group.into(), weight }
    }

    #[test]
    fn the_order_of_target_groups_does_not_matter_and_doubles_add_up() {
        let a = Action::Forward(vec![share("b", 1), share("a", 2), share("b", 3)]);
        assert_eq!(a.normalised(), Action::Forward(vec![share("a", 2), share("b", 4)]));
        assert_eq!(a.normalised(), a.normalised().normalised());
    }
}
