//! One invocation: units side by side, the messages of a unit together, each unit's failure its own.

use crate::batch::{self, Group, Record};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures::StreamExt;
use lambda_runtime::LambdaEvent;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use trellis_engine::{Engine, Verdict};
use trellis_hint::Hint;
use trellis_telemetry::{Metric, Metrics};

/// Units worked on at once. A FIFO batch has at most ten messages, so all of a batch run side by side.
const UNITS_AT_ONCE_MAX: usize = 10;

/// How often a unit is tried that is held because a cluster cannot be read: about a minute in all, longer than an API
/// server takes to restart. After that the message is acknowledged: the drift pass finds what differs as soon as the
/// cluster can be read, and a cluster that is away for hours must not fill the dead-letter queue.
const HELD_TRIES_MAX: u32 = 5;

/// Kept of the function's time for writing status, returning messages and answering.
const RESERVE: Duration = Duration::from_secs(5);

pub(crate) async fn handle(
    engine: Arc<Engine>,
    event: LambdaEvent<SqsEvent>,
) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let remaining = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let deadline = Instant::now() + remaining.saturating_sub(RESERVE);
    let (groups, unreadable) = batch::sort(event.payload);
    for (message, why) in &unreadable {
        tracing::error!(message_id = message.as_deref(), reason = %why, "message acknowledged without work");
    }
    let mut metrics = Metrics::new();
    metrics.add(
        Metric::HintsReceived,
        groups.iter().map(|group| group.records.len()).sum::<usize>() + unreadable.len(),
    );
    metrics.add(Metric::HintsRefused, unreadable.len());
    engine.begin();
    let (later, groups): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(Group::is_later);
    let passed_on = futures::stream::iter(later).then(|group| pass_on(&engine, group)).concat();
    let ended = futures::stream::iter(groups)
        .map(|group| reconcile_group(Arc::clone(&engine), group, deadline))
        .buffer_unordered(UNITS_AT_ONCE_MAX)
        .collect::<Vec<(Verdict, Vec<BatchItemFailure>)>>();
    let (mut failures, ended) = futures::join!(passed_on, ended);
    for (verdict, returned) in ended {
        let metric = match verdict {
            Verdict::Done => Metric::UnitsSettled,
            Verdict::Waiting { .. } => Metric::UnitsWaiting,
            Verdict::Held(_) => Metric::UnitsHeld,
            Verdict::Failed(_) => Metric::UnitsFailed,
        };
        metrics.add(metric, 1);
        metrics.add(Metric::HintsReturned, returned.len());
        failures.extend(returned);
    }
    metrics.property("calls", serde_json::json!(engine.take_calls()));
    metrics.emit("reconcile");
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures;
    Ok(response)
}

/// Works on one unit and gives back the messages that are to come again: all of the unit's or none.
async fn reconcile_group(
    engine: Arc<Engine>,
    group: Group,
    deadline: Instant,
) -> (Verdict, Vec<BatchItemFailure>) {
    let hints = || group.records.iter().map(|record| record.hint.clone()).collect::<Vec<Hint>>();
    let (unit, worker, known) = (group.unit.clone(), Arc::clone(&engine), hints());
    // A task of its own: should a unit panic, its messages come back and the other units of the batch go on.
    let verdict = tokio::spawn(async move { worker.reconcile(&unit, &known, deadline).await })
        .await
        .unwrap_or_else(|error| {
            tracing::error!(unit = %group.unit, %error, "reconcile panicked");
            Verdict::Failed(format!("reconcile panicked: {error}"))
        });
    let after = match &verdict {
        Verdict::Done => return (verdict, vec![]),
        Verdict::Waiting { after, .. } => match engine.later(&hints(), *after, SystemTime::now()).await {
            Ok(true) => return (verdict, vec![]),
            Ok(false) => {
                tracing::warn!(unit = %group.unit, "has waited too often: left to the drift pass");
                return (verdict, vec![]);
            }
            Err(error) => {
                tracing::warn!(unit = %group.unit, error = %trellis_telemetry::chain(&error), "not sent for later: the messages come again");
                *after
            }
        },
        Verdict::Held(_) if group.receive_count() > HELD_TRIES_MAX => return (verdict, vec![]),
        Verdict::Held(_) | Verdict::Failed(_) => batch::retry_after(group.receive_count()),
    };
    let mut failures = vec![];
    for record in group.records {
        failures.push(give_back(&engine, record, after).await);
    }
    (verdict, failures)
}

/// Of hints that are to come later: gives back those that were received for the first time, until their time has come, and
/// sends the others on to their units.
async fn pass_on(engine: &Engine, group: Group) -> Vec<BatchItemFailure> {
    let mut failures = vec![];
    for record in group.records {
        let later = record.hint.later.filter(|_| record.receive_count <= 1);
        let after = match later {
            Some(later) => Duration::from_secs(later.seconds.into()),
            None => match engine.wake(&record.hint, &record.message_id).await {
                Ok(()) => continue,
                Err(error) => {
                    tracing::warn!(unit = %group.unit, error = %trellis_telemetry::chain(&error), "not sent on: comes again");
                    batch::retry_after(record.receive_count)
                }
            },
        };
        failures.push(give_back(engine, record, after).await);
    }
    failures
}

/// Gives a message back to the queue for a time.
async fn give_back(engine: &Engine, record: Record, after: Duration) -> BatchItemFailure {
    // Without this the message would come back only after the queue's visibility timeout of minutes.
    if let Err(error) = engine.put_off(&record.receipt_handle, after).await {
        let unit = &record.hint.unit;
        tracing::warn!(%unit, error = %trellis_telemetry::chain(&error), "visibility not changed");
    }
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = record.message_id;
    failure
}
