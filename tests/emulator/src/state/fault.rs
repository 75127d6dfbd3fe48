//! Faults of calls and rates of calls: decided here, carried out where the answers are written.

use std::collections::BTreeMap;

use super::lifecycle::scramble;
use super::settings::{FaultKind, Rate};
use super::{Delay, Moment, Refusal, State};
use crate::model::Operation;

/// Token buckets by name.
#[derive(Debug, Default)]
pub(super) struct Buckets(BTreeMap<String, (Moment, f64)>);

impl Buckets {
    /// Takes one token; tells whether there was one.
    fn take(&mut self, now: Moment, name: &str, rate: Rate) -> bool {
        let (at, left) = self.0.entry(name.to_owned()).or_insert((now, rate.burst));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a test run fit a double exactly")]
        let refill = now.since(*at) as f64 / 1000.0 * rate.per_second;
        *left = (*left + refill).min(rate.burst.max(1.0));
        *at = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

/// What a call suffers beside its own outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It is slow by this much.
    Slow(Delay),
    /// It fails and nothing has happened.
    ErrorBefore,
    /// It fails and has had its effect.
    ErrorAfter,
    /// Its answer never arrives and it has had its effect.
    TimeoutAfter,
    /// It is throttled.
    Throttle,
    /// The caller may not do it.
    Deny,
    /// A list hides what is younger than this.
    Stale(Delay),
}

/// Seconds that a throttled caller is told to wait.
const RETRY_AFTER: u32 = 1;

impl State {
    /// The fault that a call meets, if any. Counts down the fault that it uses.
    pub fn effect(&mut self, operation: &Operation) -> Effect {
        self.effect_on(&operation.name, operation.errors.contains('T'))
    }

    /// As [`State::effect`], for an operation of this name that may be throttled or never is.
    pub fn effect_on(&mut self, name: &str, throttles: bool) -> Effect {
        for at in 0..self.settings.faults.len() {
            let fits = self.settings.faults.get(at).is_some_and(|fault| {
                fault.covers(name)
                    && fault.count != Some(0)
                    && (fault.kind != FaultKind::StaleList || name.starts_with("List"))
                    && (fault.kind != FaultKind::Throttle || throttles)
            });
            if !fits {
                continue;
            }
            let roll = self.roll();
            let Some(fault) = self.settings.faults.get_mut(at).filter(|fault| roll < fault.probability)
            else {
                continue;
            };
            if let Some(count) = &mut fault.count {
                *count -= 1;
            }
            return match fault.kind {
                FaultKind::ErrorBefore => Effect::ErrorBefore,
                FaultKind::ErrorAfter => Effect::ErrorAfter,
                FaultKind::TimeoutAfter => Effect::TimeoutAfter,
                FaultKind::Throttle => Effect::Throttle,
                FaultKind::Deny => Effect::Deny,
                FaultKind::Slow => Effect::Slow(fault.delay),
                FaultKind::StaleList => Effect::Stale(fault.delay),
            };
        }
        Effect::None
    }

    /// A number from 0 to below 1 out of the seed.
    fn roll(&mut self) -> f64 {
        self.store.drawn += 1;
        let drawn = scramble(self.seed.wrapping_add(self.store.drawn)) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let roll = drawn as f64 / (1_u64 << 53) as f64;
        roll
    }

    /// Whether the rates let a call pass.
    ///
    /// # Errors
    /// ThrottlingException when they do not. Operations that cannot raise it always pass.
    pub fn admit(&mut self, now: Moment, operation: &Operation) -> Result<(), Refusal> {
        let Some(throttle) = &self.settings.throttle else { return Ok(()) };
        if !operation.errors.contains('T') {
            return Ok(());
        }
        let name = operation.name.as_str();
        let own = throttle.operations.get(name).copied();
        let class = if operation.reads() { throttle.read } else { throttle.mutate };
        let (bucket, rate) = match own {
            Some(rate) => (name, rate),
            None if operation.reads() => ("read", class),
            None => ("mutate", class),
        };
        if self.rates.take(now, bucket, rate) { Ok(()) } else { Err(Self::throttled()) }
    }

    /// ThrottlingException.
    pub fn throttled() -> Refusal {
        Refusal::Throttling { message: "Rate exceeded".to_owned(), retry_after: RETRY_AFTER }
    }
}
