//! The `drift` Lambda: on a schedule, reads every registered cluster and VPC Lattice, sends a hint for each unit that
//! differs, and logs a report. It changes nothing itself: the unit's one writer is the reconciler.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use trellis_engine::DriftReport;
use trellis_wiring::Engine;

/// Kept of the function's time for sending the last hints and the report.
const RESERVE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    trellis_telemetry::init("drift");
    let engine = Arc::new(trellis_wiring::engine_from_env().await?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| handle(Arc::clone(&engine), event))).await
}

/// The event's content does not matter: a pass is always over everything, so that a person may invoke it by hand.
async fn handle(
    engine: Arc<Engine>,
    event: LambdaEvent<Value>,
) -> Result<DriftReport, lambda_runtime::Error> {
    let remaining = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let report = engine.drift(Instant::now() + remaining.saturating_sub(RESERVE)).await?;
    Ok(report)
}
