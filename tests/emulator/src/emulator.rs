//! What all parts share: the model, the state, the account of calls, and the clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Model;
use crate::state::{CallLog, Delay, Moment, State};

/// The virtual clock: the machine's time plus what tests have let pass.
#[derive(Debug, Default)]
pub struct Clock {
    ahead: AtomicI64,
}

impl Clock {
    /// The moment it shows.
    pub fn now(&self) -> Moment {
        Moment(Self::machine().0.saturating_add(self.ahead.load(Ordering::Relaxed)))
    }

    /// The machine's own time.
    pub fn machine() -> Moment {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Moment(i64::try_from(real).unwrap_or(i64::MAX))
    }

    /// Lets time pass at once.
    pub fn advance(&self, by: Delay) {
        self.ahead.fetch_add(i64::try_from(by.0).unwrap_or(0), Ordering::Relaxed);
    }
}

/// The emulator without its sockets.
#[derive(Debug)]
pub struct Emulator {
    /// The API model.
    pub model: Model,
    /// The clock that everything goes by.
    pub clock: Clock,
    state: Mutex<State>,
    calls: Mutex<CallLog>,
}

impl Emulator {
    /// Around a model and a state.
    pub fn new(model: Model, state: State) -> Self {
        let clock = Clock::default();
        let calls = Mutex::new(CallLog::new(clock.now()));
        Self { model, clock, state: Mutex::new(state), calls }
    }

    /// The state. The lock is never held while something is awaited. A panic of another holder cannot leave the
    /// state half changed for readers that matter more than an answer, so poisoning is passed over.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of calls.
    pub fn calls(&self) -> MutexGuard<'_, CallLog> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
