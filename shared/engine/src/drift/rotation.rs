//! Which units a pass looks at in depth, and in which order it goes. Both follow from the unit and the time alone.
//!
//! Each unit falls due once in [`Rotation::within`], at a moment that its hash tells. A pass looks at what has fallen due since
//! the pass before it. So whoever was not seen for longest comes first, nobody comes twice, and nothing has to be kept: no
//! table of a thousand moments that could be lost, grow or disagree with itself. What a pass must know is when the one before
//! it began. A warm function does; else it follows from the schedule, with a margin. Where the schedule tells no period,
//! everything is due.
//!
//! Each look goes through its units in an order of its own. One that is cut short for good leaves out other units than the
//! next one would, so there is no tail that is always left out.

use std::time::Duration;
use trellis_hint::{Look, UnitKey};

/// How much later than its time a pass may begin: EventBridge Scheduler is exact to a minute (its user guide).
const LATE_MAX: Duration = Duration::from_mins(1);

/// How often units are looked at in depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Each unit within this time. Zero: in each pass.
    pub within: Duration,
    /// The time from one pass to the next; none where nobody tells.
    pub every: Option<Duration>,
}

impl Rotation {
    /// Every unit in each pass.
    pub const ALWAYS: Self = Self { within: Duration::ZERO, every: None };

    /// The look of a pass that begins now (milliseconds since 1970). `last`: when the pass before it did, if that is known.
    pub(super) fn look(&self, now: u64, last: Option<u64>) -> Look {
        let by_schedule = self.every.map_or(0, |every| now.saturating_sub(millis(every + LATE_MAX)));
        // A clock that went back tells nothing.
        Look::of_pass(now, last.filter(|last| *last <= now).unwrap_or(by_schedule))
    }

    /// Whether the unit has fallen due since the pass before.
    pub(super) fn is_due(&self, unit: &UnitKey, look: &Look) -> bool {
        let within = millis(self.within);
        let Some(passed) = look.since.map(|since| look.began.saturating_sub(since)) else { return true };
        if passed >= within {
            return true;
        }
        let (due, began) = (part(&unit.hash(), 0) % within, look.began % within);
        let since_due = (began + within - due) % within;
        since_due < passed
    }
}

/// Where a unit comes in a look.
pub(super) fn place(unit: &UnitKey, look: &Look) -> u64 {
    mixed(part(&unit.hash(), PART_CHARS) ^ mixed(look.began))
}

/// Hexadecimal characters of 64 bits.
const PART_CHARS: usize = 16;

/// 64 bits of a unit's hash.
fn part(hash: &str, from: usize) -> u64 {
    hash.get(from..from + PART_CHARS)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .unwrap_or_default()
}

/// Another number for each number, without any likeness between neighbours (the finalizer of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Rotation = Rotation { within: Duration::from_hours(1), every: Some(Duration::from_mins(5)) };

    fn units() -> Vec<UnitKey> {
        let unit = |n: usize| format!("route/123456789012/us-west-2/HTTPRoute/one/default/r{n}");
        (0..1_000).map(|n| unit(n).parse().unwrap()).collect()
    }

    #[test]
    fn every_unit_is_looked_at_once_in_an_hour_however_late_the_passes_are() {
        let units = units();
        let (mut last, mut now) = (None, 1_800_000_000_000);
        let mut seen = vec![vec![]; units.len()];
        for pass in 0..25_u64 {
            let look = HOUR.look(now, last);
            for (unit, seen) in units.iter().zip(&mut seen) {
                if HOUR.is_due(unit, &look) {
                    seen.push(now);
                }
            }
            (last, now) = (Some(now), now + 300_000 + (pass % 3) * 20_000);
        }
        for seen in seen {
            let gaps: Vec<u64> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(!gaps.is_empty() && seen[0] <= 1_800_000_000_000 + 3_700_000, "{seen:?}");
            assert!(gaps.iter().all(|gap| (3_200_000..=4_000_000).contains(gap)), "{gaps:?}");
        }
    }

    #[test]
    fn a_pass_that_knows_no_other_looks_back_a_period_and_a_margin_and_without_a_period_at_everything() {
        assert_eq!(HOUR.look(1_000_000, None), Look::of_pass(1_000_000, 640_000));
        assert_eq!(HOUR.look(1_000_000, Some(900_000)), Look::of_pass(1_000_000, 900_000));
        assert_eq!(
            HOUR.look(1_000_000, Some(2_000_000)),
            Look::of_pass(1_000_000, 640_000),
            "the clock went back"
        );
        let cron = Rotation { every: None, ..HOUR };
        let look = cron.look(1_800_000_000_000, None);
        assert!(units().iter().all(|unit| cron.is_due(unit, &look)));
        let look = Rotation::ALWAYS.look(5, Some(5));
        assert!(units().iter().all(|unit| Rotation::ALWAYS.is_due(unit, &look)));
    }

    #[test]
    fn a_twelfth_is_due_in_each_pass_and_each_look_goes_another_way() {
        let units = units();
        let look = HOUR.look(1_800_000_000_000, Some(1_799_999_700_000));
        let due = units.iter().filter(|unit| HOUR.is_due(unit, &look)).count();
        assert!((60..=110).contains(&due), "{due}");
        let last = |began: u64| units.iter().max_by_key(|unit| place(unit, &Look::of_pass(began, 0)));
        let lasts: std::collections::BTreeSet<_> = (0..50).map(last).collect();
        assert!(lasts.len() > 40, "{}", lasts.len());
    }

    #[test]
    fn no_look_is_too_strange() {
        let unit = &units()[0];
        for (began, since) in [(0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX), (7, 7)] {
            let _ = HOUR.is_due(unit, &Look::of_pass(began, since));
            let _ = place(unit, &Look::of_pass(began, since));
        }
    }
}
