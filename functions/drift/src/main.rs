//! The `drift` Lambda: on a schedule, reads every registered cluster and VPC Lattice, sends a hint for each unit that
//! differs, logs a report and emits its figures. It changes nothing itself: the unit's one writer is the reconciler.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use trellis_engine::DriftReport;
use trellis_telemetry::{Metric, Metrics};
use trellis_wiring::Engine;

/// Kept of the function's time for sending the last hints and the report.
const RESERVE: Duration = Duration::from_secs(10);

/// What the report says of a cluster that could be read; anything else is why it could not.
const READABLE: &str = "ok";

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    trellis_telemetry::init("drift");
    let engine = Arc::new(trellis_wiring::engine_from_env().await?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| handle(Arc::clone(&engine), event))).await
}

/// The event's content does not matter: a pass is always over everything, so that a person may invoke it by hand.
///
/// A pass that fails emits nothing: the function's `Errors` and the missing heartbeat tell of it.
async fn handle(
    engine: Arc<Engine>,
    event: LambdaEvent<Value>,
) -> Result<DriftReport, lambda_runtime::Error> {
    let remaining = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let report = engine.drift(Instant::now() + remaining.saturating_sub(RESERVE)).await?;
    figures(&report).emit("drift");
    Ok(report)
}

/// A pass's figures. Those that are 0 are told as well: an alarm that sees no figure cannot end.
fn figures(report: &DriftReport) -> Metrics {
    let unreadable = report.clusters.values().filter(|state| *state != READABLE).count();
    let mut metrics = Metrics::new();
    metrics.add(Metric::DriftPasses, 1);
    metrics.add(Metric::UnitsLookedAt, report.units.saturating_sub(report.left_out));
    metrics.add(Metric::UnitsLeftOut, report.left_out);
    metrics.add(Metric::UnitsDrifted, report.drifted_count);
    metrics.add(Metric::UnitsFailed, report.failed.len());
    metrics.add(Metric::ClustersUnreadable, unreadable);
    metrics.add(Metric::Orphans, report.orphans.len());
    metrics.add(Metric::HintsSent, report.hints);
    // Milliseconds of a pass of at most 15 minutes are far below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    metrics.record(Metric::PassDuration, report.elapsed_ms as f64);
    metrics.property("calls", json!(report.calls));
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn report() -> DriftReport {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        DriftReport {
            clusters: map(&[("one", "ok"), ("two", "403 Forbidden"), ("three", "ok")]),
            units: 50,
            drifted_count: 3,
            orphans: map(&[("arn:1", "route/HTTPRoute/one/default/a"), ("arn:2", "unknown")]),
            failed: map(&[("route/HTTPRoute/one/default/b", "throttled")]),
            left_out: 7,
            hints: 3,
            calls: BTreeMap::from([("ListServices".to_owned(), 2), ("GetService".to_owned(), 50)]),
            elapsed_ms: 3400,
            ..DriftReport::default()
        }
    }

    #[test]
    fn a_pass_tells_what_it_found_what_it_left_out_and_that_it_ended() {
        let metrics = figures(&report());
        let expected = [
            (Metric::DriftPasses, 1.0),
            (Metric::UnitsLookedAt, 43.0),
            (Metric::UnitsLeftOut, 7.0),
            (Metric::UnitsDrifted, 3.0),
            (Metric::UnitsFailed, 1.0),
            (Metric::ClustersUnreadable, 1.0),
            (Metric::Orphans, 2.0),
            (Metric::HintsSent, 3.0),
            (Metric::PassDuration, 3400.0),
        ];
        for (metric, value) in expected {
            assert!((metrics.get(metric) - value).abs() < f64::EPSILON, "{}", metric.name());
        }
    }

    #[test]
    fn a_pass_that_finds_nothing_tells_noughts_so_that_alarms_end() {
        let source = trellis_telemetry::Source { installation: "trellis", function: "drift" };
        let line = figures(&DriftReport::default()).line(source, 1).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        for metric in ["Orphans", "ClustersUnreadable", "UnitsLeftOut", "UnitsDrifted"] {
            assert_eq!(line[metric], 0.0, "{metric}");
        }
        assert_eq!(line["DriftPasses"], 1.0);
    }
}
