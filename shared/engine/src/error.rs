use crate::observe::ObserveError;
use std::time::Duration;
use trellis_lattice::Violation;
use trellis_ports::{CallError, TimeOver};

/// Why a unit could not be worked on. The message comes again.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// A call outside of the plan's steps failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The core asked for reads without end.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The plan breaks an invariant and was not applied. A fault of Trellis.
    #[error("the plan was refused by its check: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    PlanRefused(Vec<Violation>),
    /// The unit's budget is used up.
    #[error("the unit was not done in its time")]
    TimeOver(#[from] TimeOver),
}

impl UnitError {
    /// When a retry makes sense, if somebody told.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Call(error) => error.retry_after(),
            Self::Observe(_) | Self::PlanRefused(_) | Self::TimeOver(_) => None,
        }
    }
}
