//! Logs, error chains and counters, the same in every program.
//!
//! One line is one event. In a Lambda function everything goes to standard output, where CloudWatch Logs reads it:
//! [`init`] sets up the log, [`chain()`] puts an error with all its causes into one line, and [`Metrics`] writes counters
//! in the embedded metric format, so that no metric needs a call of its own.

mod chain;
mod emf;
mod log;
mod metric;

pub use chain::{Chain, chain};
pub use emf::{EMF_NAMESPACE, Metrics, Source, emf_line};
pub use log::{Format, init};
pub use metric::{Metric, Unit};
