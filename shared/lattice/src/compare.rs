//! When two settings mean the same to VPC Lattice.

use crate::desired::{Action, RuleMatch, WeightedTargetGroup};
use std::collections::BTreeMap;

/// The highest weight that the API takes.
const WEIGHT_MAX: u16 = 999;

impl Action {
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
}

impl RuleMatch {
    /// The one form of all matches that hold for the same requests: headers sorted, their names in lower case.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let mut normal = self.clone();
        for header in &mut normal.headers {
            header.name.make_ascii_lowercase();
        }
        normal.headers.sort();
        normal
    }
}

#[cfg(test)]
mod tests {
    use crate::desired::{HeaderMatch, ValueMatch};
    use crate::{Action, RuleMatch, WeightedTargetGroup};

    fn share(target_group: &str, weight: u16) -> WeightedTargetGroup {
        WeightedTargetGroup { target_group: target_group.into(), weight }
    }

    #[test]
    fn the_order_of_target_groups_does_not_matter_and_doubles_add_up() {
        let a = Action::Forward(vec![share("b", 1), share("a", 2), share("b", 3)]);
        assert_eq!(a.normalised(), Action::Forward(vec![share("a", 2), share("b", 4)]));
        assert_eq!(a.normalised(), a.normalised().normalised());
    }

    #[test]
    fn the_order_of_headers_and_the_case_of_their_names_do_not_matter() {
        let header = |name: &str, value: &str| HeaderMatch {
            name: name.into(),
            value: ValueMatch::Exact(value.into()),
            case_sensitive: true,
        };
        let a = RuleMatch { headers: vec![header("X-B", "1"), header("x-a", "2")], ..RuleMatch::default() };
        let b = RuleMatch { headers: vec![header("X-A", "2"), header("x-b", "1")], ..RuleMatch::default() };
        assert_ne!(a, b);
        assert_eq!(a.normalised(), b.normalised());
    }
}
