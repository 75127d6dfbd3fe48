//! Weights of the Gateway API as weights of VPC Lattice.

use std::collections::BTreeMap;

/// The highest weight of a target group in a forward action (API model, TargetGroupWeight).
const WEIGHT_MAX: u128 = 999;

/// The least common multiple of 1 to 16: a weight that up to 16 clusters share is split without a rest.
const SCALE: u128 = 720_720;

/// The weight of each target group, from each backend's weight and the names of the target groups that share it. One that
/// several backends name has the sum, and only what is left over is scaled: what is positive stays positive, and shares
/// differ from the exact ones by rounding at 1/999 only. A backend without a share counts nowhere.
pub(crate) fn weights<'a>(backends: &[(u32, Vec<&'a str>)]) -> BTreeMap<&'a str, u16> {
    let mut exact: BTreeMap<&str, u128> = BTreeMap::new();
    for (weight, groups) in backends.iter().filter(|(weight, _)| *weight > 0) {
        for group in groups {
            *exact.entry(group).or_default() += u128::from(*weight) * SCALE / groups.len() as u128;
        }
    }
    // Weights that fit are the user's own wherever that is possible: they are what he will look for in the console.
    let is_own = exact.values().all(|share| share % SCALE == 0 && share / SCALE <= WEIGHT_MAX);
    let divisor = if is_own { SCALE } else { exact.values().copied().fold(0, gcd).max(1) };
    let most = exact.values().map(|share| share / divisor).max().unwrap_or(0);
    let fitting = |share: u128| {
        let share = share / divisor;
        if most <= WEIGHT_MAX { share } else { ((share * WEIGHT_MAX + most / 2) / most).max(1) }
    };
    exact
        .into_iter()
        .map(|(group, share)| (group, u16::try_from(fitting(share)).unwrap_or(u16::MAX)))
        .collect()
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(backends: &[(u32, &[&'static str])]) -> Vec<u16> {
        let backends: Vec<_> = backends.iter().map(|(weight, groups)| (*weight, groups.to_vec())).collect();
        weights(&backends).into_values().collect()
    }

    #[test]
    fn weights_that_fit_stay_as_they_are() {
        assert_eq!(all(&[(10, &["a"]), (90, &["b"])]), [10, 90]);
        assert_eq!(all(&[(0, &["a"]), (1, &["b"])]), [1]);
        assert_eq!(all(&[(300, &["a"]), (600, &["b"])]), [300, 600]);
    }

    #[test]
    fn clusters_share_the_weight_of_their_import() {
        assert_eq!(all(&[(10, &["a"]), (90, &["b", "c"])]), [10, 45, 45]);
        assert_eq!(all(&[(1, &["a"]), (1, &["b", "c", "d"])]), [3, 1, 1, 1]);
    }

    #[test]
    fn great_weights_are_scaled_down_and_none_vanishes() {
        assert_eq!(all(&[(1_000_000, &["a"]), (1, &["b"])]), [999, 1]);
        assert_eq!(all(&[(2000, &["a"]), (1000, &["b"])]), [2, 1]);
    }

    #[test]
    fn what_is_named_twice_has_the_sum_of_both() {
        assert_eq!(all(&[(600, &["a"]), (300, &["b"]), (600, &["a"])]), [4, 1]);
        assert_eq!(all(&[(999, &["a"]), (1, &["b"]), (999, &["a"]), (1, &["b"])]), [999, 1]);
        assert_eq!(all(&[(1_000_000, &["a"]), (1_000_000, &["b"]), (1_000_000, &["a"])]), [2, 1]);
    }
}
