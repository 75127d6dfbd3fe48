//! Weights of the Gateway API as weights of VPC Lattice.

/// The highest weight of a target group in a forward action (API model, TargetGroupWeight).
const WEIGHT_MAX: u128 = 999;

/// The least common multiple of 1 to 16: a weight that up to 16 clusters share is split without a rest.
const SCALE: u128 = 720_720;

/// One weight for each pool of each backend: `(weight of the backend, number of its pools)`. The pools of one backend
/// share its weight; one without any changes nobody's. What is positive stays positive; shares differ from the exact ones by rounding at 1/999 only.
pub(crate) fn shares(backends: &[(u32, usize)]) -> Vec<u16> {
    let exact: Vec<u128> = backends
        .iter()
        .flat_map(|(weight, pools)| {
            let pools = *pools;
            std::iter::repeat_n(u128::from(*weight) * SCALE / pools.max(1) as u128, pools)
        })
        .collect();
    let divisor = exact.iter().copied().fold(0, gcd).max(1);
    let reduced: Vec<u128> = exact.iter().map(|share| share / divisor).collect();
    let most = reduced.iter().copied().max().unwrap_or(0).max(1);
    // Weights that fit are the user's own wherever that is possible: they are what he will look for in the console.
    let own: Option<Vec<u16>> = backends
        .iter()
        .filter(|(_, pools)| *pools > 0)
        .map(|(weight, pools)| {
            (*pools == 1 && u128::from(*weight) <= WEIGHT_MAX).then(|| u16::try_from(*weight).ok())?
        })
        .collect();
    if let Some(own) = own {
        return own;
    }
    let scaled = reduced.into_iter().map(|share| match share {
        0 => 0,
        share if most <= WEIGHT_MAX => share,
        share => ((share * WEIGHT_MAX + most / 2) / most).max(1),
    });
    scaled.map(|share| u16::try_from(share).unwrap_or(u16::MAX)).collect()
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_fit_stay_as_they_are() {
        assert_eq!(shares(&[(10, 1), (90, 1)]), [10, 90]);
        assert_eq!(shares(&[(0, 1), (1, 1)]), [0, 1]);
        assert_eq!(shares(&[(10, 1), (90, 0)]), [10]);
    }

    #[test]
    fn clusters_share_the_weight_of_their_import() {
        assert_eq!(shares(&[(10, 1), (90, 2)]), [2, 9, 9]);
        assert_eq!(shares(&[(1, 1), (1, 3)]), [3, 1, 1, 1]);
    }

    #[test]
    fn great_weights_are_scaled_down_and_none_vanishes() {
        assert_eq!(shares(&[(1_000_000, 1), (1, 1)]), [999, 1]);
        assert_eq!(shares(&[(2000, 1), (1000, 1)]), [2, 1]);
    }
}
