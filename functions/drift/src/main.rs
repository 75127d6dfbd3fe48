//! The `drift` Lambda: on a schedule, begins a look at every registered cluster by a hint, looks itself at the service networks,
//! logs a report on all clusters and emits its figures. It changes nothing itself: the unit's one writer is the reconciler.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trellis_engine::{DriftReport, Life};
use trellis_ports::Budget;
use trellis_telemetry::{Metric, Metrics};
use trellis_wiring::Engine;

mod shelf;

use shelf::Shelf;

/// Kept of the function's time for sending the last hints and the report.
const RESERVE: Duration = Duration::from_secs(10);

fn main() -> Result<(), lambda_runtime::Error> {
    trellis_telemetry::init("drift");
    trellis_wiring::runtime()?.block_on(serve())
}

async fn serve() -> Result<(), lambda_runtime::Error> {
    let engine = trellis_wiring::engine_from_env().await?;
    let shelf = trellis_wiring::directory_from_env().await?;
    let pass = Arc::new(Pass { engine, shelf: shelf.map(|(bucket, every)| Shelf::new(bucket, every)) });
    // On a thread of the runtime, whose stack is large: the main thread's is the system's to say.
    let serving =
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| handle(Arc::clone(&pass), event)));
    tokio::spawn(serving).await?
}

/// What is kept while the function is warm.
struct Pass {
    engine: Engine,
    shelf: Option<Shelf>,
}

/// The event's content does not matter but for the service directory: a pass is always over everything, so that a person may invoke it by hand.
///
/// A pass that fails emits nothing: the function's `Errors` and the missing heartbeat tell of it.
async fn handle(pass: Arc<Pass>, event: LambdaEvent<Value>) -> Result<DriftReport, lambda_runtime::Error> {
    let now = SystemTime::now();
    let remaining = event.context.deadline().duration_since(now).unwrap_or_default();
    let budget = Budget::lasting(remaining.saturating_sub(RESERVE));
    let mut report = pass.engine.drift(now, budget).await?;
    if let Some(shelf) = &pass.shelf
        && (shelf.is_due(now) || asks_for_a_directory(&event.payload))
    {
        shelf.fill(&pass.engine, now, budget, &mut report).await;
    }
    figures(&report).emit("drift");
    Ok(report)
}

/// Whether a person wants the service directory now: `{"directory": true}`.
fn asks_for_a_directory(event: &Value) -> bool {
    event.get("directory") == Some(&Value::Bool(true))
}

/// A pass's figures. Those that are 0 are told as well: an alarm that sees no figure cannot end.
fn figures(report: &DriftReport) -> Metrics {
    let unreadable = report.clusters.values().filter(|cluster| cluster.state == Life::Unknown).count();
    let mut metrics = Metrics::new();
    metrics.add(Metric::DriftPasses, 1);
    metrics.add(Metric::UnitsLookedAt, report.units);
    metrics.add(Metric::UnitsLeftOut, report.left_out.len());
    metrics.add(Metric::UnitsDrifted, report.drifted.len());
    metrics.add(Metric::UnitsFailed, report.failed.len());
    metrics.add(Metric::ClustersUnreadable, unreadable);
    metrics.add(Metric::Orphans, report.orphans_count);
    metrics.add(Metric::HintsSent, report.looks + report.hints);
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
    use trellis_engine::{ClusterReport, Drifted, Holdings};

    fn report() -> DriftReport {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let cluster = |state| ClusterReport {
            state,
            why: None,
            not_served: vec![],
            has: Holdings::default(),
            advice: None,
        };
        let drifted =
            Drifted { unit: "gateway/my-hotel".into(), steps: vec![], statuses: vec![], withheld: vec![] };
        DriftReport {
            clusters: [("one", Life::Registered), ("two", Life::Unknown), ("three", Life::Leaving)]
                .map(|(name, state)| (name.to_owned(), cluster(state)))
                .into(),
            looks: 3,
            units: 5,
            drifted: vec![drifted],
            orphans: map(&[("route/HTTPRoute/one/default/a", "1 Service, 1 TargetGroup")]),
            orphans_count: 2,
            failed: map(&[("gateway/other", "throttled")]),
            left_out: vec!["gateway/last".into()],
            directory: None,
            hints: 1,
            calls: BTreeMap::from([("ListServices".to_owned(), 2), ("GetService".to_owned(), 50)]),
            elapsed_ms: 3400,
        }
    }

    #[test]
    fn a_pass_tells_what_it_found_what_it_left_out_and_that_it_ended() {
        let metrics = figures(&report());
        let expected = [
            (Metric::DriftPasses, 1.0),
            (Metric::UnitsLookedAt, 5.0),
            (Metric::UnitsLeftOut, 1.0),
            (Metric::UnitsDrifted, 1.0),
            (Metric::UnitsFailed, 1.0),
            (Metric::ClustersUnreadable, 1.0),
            (Metric::Orphans, 2.0),
            (Metric::HintsSent, 4.0),
            (Metric::PassDuration, 3400.0),
        ];
        for (metric, value) in expected {
            assert!((metrics.get(metric) - value).abs() < f64::EPSILON, "{}", metric.name());
        }
    }

    #[test]
    fn a_directory_is_asked_for_by_one_event_and_by_no_other() {
        assert!(asks_for_a_directory(&json!({"directory": true})));
        for event in [
            json!({}),
            json!(null),
            json!([true]),
            json!({"directory": "true"}),
            json!({"source": "aws.scheduler"}),
        ] {
            assert!(!asks_for_a_directory(&event), "{event}");
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
