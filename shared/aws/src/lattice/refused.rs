//! Targets that VPC Lattice does not take, remembered for a while so that they are not tried at every pass.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use trellis_lattice::{RefusedTarget, Target};

/// How long a refusal is believed. What helps (another endpoint, a new subnet of the VPC) is a person's act, and a Pod's
/// new address is another target; a try costs a call and a status no change.
const REFUSED_AGE_MAX: Duration = Duration::from_mins(10);
/// Refusals that are kept: about 1 MB.
const REFUSED_MAX: usize = 5_000;

/// Refusals by the target group's ARN: a group that is made anew starts without any.
#[derive(Debug, Default)]
pub(super) struct RefusedTargets(Mutex<BTreeMap<(String, Target), (SystemTime, RefusedTarget)>>);

impl RefusedTargets {
    pub(super) fn note(&self, group_arn: &str, refused: &RefusedTarget, now: SystemTime) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REFUSED_MAX {
            known.retain(|_, (at, _)| is_believed(*at, now));
        }
        if known.len() >= REFUSED_MAX {
            known.clear();
        }
        known.insert((group_arn.to_owned(), refused.target.clone()), (now, refused.clone()));
    }

    /// The refusal of a target, if it is still believed.
    pub(super) fn get(&self, group_arn: &str, target: &Target, now: SystemTime) -> Option<RefusedTarget> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, refused) = known.get(&(group_arn.to_owned(), target.clone()))?;
        is_believed(*at, now).then(|| refused.clone())
    }
}

fn is_believed(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age < REFUSED_AGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(port: u16) -> RefusedTarget {
        RefusedTarget {
            target_group: "k8s-a".into(),
            target: Target::at("192.168.0.1", port),
            code: "UnsupportedTarget".into(),
            message: String::new(),
        }
    }

    #[test]
    fn a_refusal_is_believed_for_ten_minutes_and_of_that_group_only() {
        let (known, now) = (RefusedTargets::default(), SystemTime::now());
        known.note("arn", &refused(80), now);
        let target = refused(80).target;
        assert_eq!(known.get("arn", &target, now + Duration::from_secs(599)), Some(refused(80)));
        assert_eq!(known.get("arn", &target, now + Duration::from_mins(10)), None);
        assert_eq!(known.get("arn", &target, now - Duration::from_secs(1)), None, "a clock that went back");
        assert_eq!(known.get("another", &target, now), None);
        assert_eq!(known.get("arn", &refused(81).target, now), None);
    }

    #[test]
    fn refusals_never_grow_beyond_their_bound() {
        let (known, now) = (RefusedTargets::default(), SystemTime::now());
        for n in 0..=REFUSED_MAX {
            known.note(&n.to_string(), &refused(80), now);
        }
        assert!(known.0.lock().unwrap().len() <= REFUSED_MAX);
    }
}
