//! A batch of messages: units side by side, the messages of a unit together, each unit's failure its own.
//!
//! This is the whole protocol with the queue: what is acknowledged, what comes again and when, what is looked at later.

mod batch;
mod changes;
mod tries;

use crate::{Engine, LookReport, Task, Verdict, Wait, millis_since_1970};
use batch::{Batch, Change, Group, Movement, Record, retry_after, sort};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use trellis_hint::{Hint, Look, Moved, Operation, Touched};
use trellis_ports::{Budget, CallError, Clusters, ErrorClass, Lane, Lattice, Message, Queue, TimeOver};
use trellis_telemetry::{Metric, Metrics};
use tries::Tries;

/// How often in a row a unit is looked at again that is held because a cluster cannot be read or takes no status: about a
/// minute in all, longer than an API server takes to restart. Then a look at all of the cluster follows as soon as it can be read.
/// In between the unit's messages are acknowledged: what is known of it, a new Pod say, must not stand behind a
/// cluster that is away, nor may that fill the dead-letter queue.
pub(crate) const HELD_TRIES_MAX: u32 = 5;

/// How many looks in a row follow at a cluster that cannot be read again and again when a unit's turn comes. Each has taken the unit's
/// tries before, and its own minute.
pub(crate) const CATCH_UPS_MAX: u32 = 2;

/// How often in a row a unit waits before it is left to the drift pass: with 10 to 20 seconds each, about ten minutes,
/// twice as long as a target drains at most.
pub(crate) const WAITS_MAX: u32 = 40;

/// How long a call to the queue may take that puts a message off or sends one for later.
const QUEUE_CALL_MAX: Duration = Duration::from_secs(2);

/// No unit waits for longer with a change before it is left to the drift pass.
const CHANGE_AGE_MAX: Duration = Duration::from_hours(2);

/// Kept of the batch's time, after the units', for their hints and for giving messages back.
const RETURN_RESERVE: Duration = Duration::from_secs(8);

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Worked {
    /// The ids of the messages that are given back; all others are done with.
    pub returned: Vec<String>,
    /// What was counted.
    pub metrics: Metrics,
    /// What looks at clusters have found.
    pub looks: Vec<LookReport>,
}

/// Works on batches of messages.
#[derive(Debug)]
pub struct Worker<L, C, Q> {
    engine: Arc<Engine<L, C, Q>>,
    tries: Tries,
}

impl<L: Lattice, C: Clusters, Q: Queue> Worker<L, C, Q> {
    /// A worker with this engine.
    pub fn new(engine: Arc<Engine<L, C, Q>>) -> Self {
        Self { engine, tries: Tries::default() }
    }

    /// Works on one batch, and says which messages come again. Whatever hangs, it ends within the budget.
    pub async fn work(&self, messages: Vec<Message>, budget: Budget) -> Worked {
        self.engine.begin();
        let mut metrics = Metrics::new();
        metrics.add(Metric::HintsReceived, messages.len());
        // What is for later lies in its queue as long as it is to, and what was given back has waited for something else.
        let fresh = messages.iter().filter(|message| message.group.is_some() && message.receives <= 1);
        for delay in fresh.filter_map(|message| age(message.sent)) {
            metrics.record(Metric::QueueDelay, millis(delay));
        }
        let Batch { groups, due, movements, changes, unreadable } =
            sort(messages, &self.engine.settings.installation);
        metrics.add(Metric::HintsRefused, unreadable.len());
        for (message, why) in &unreadable {
            tracing::error!(message_id = message, reason = %why, "message acknowledged without work");
        }
        let passed_on = join_all(due.into_iter().map(|record| self.pass_on(record)));
        let time = budget.leaving(RETURN_RESERVE);
        let told = self.tell_of_changes(changes, time);
        let moved = self.tell_of_instances(movements, time);
        let ended = join_all(groups.into_iter().map(|group| self.reconcile(group, time)));
        let (passed_on, ended, told, moved) = futures::join!(passed_on, ended, told, moved);
        let mut returned: Vec<String> = passed_on.into_iter().flatten().chain(told).chain(moved).collect();
        for (verdict, changed, of_unit) in ended {
            metrics.add(metric_of(&verdict), 1);
            let changed = changed.filter(|_| is_as_desired(&verdict) && of_unit.is_empty());
            if let Some(time) = age(changed) {
                metrics.record(Metric::TimeToProgrammed, millis(time));
            }
            returned.extend(of_unit);
        }
        metrics.add(Metric::HintsReturned, returned.len());
        let calls = self.engine.take_calls();
        metrics.add(Metric::LatticeCalls, usize::try_from(calls.lattice).unwrap_or(usize::MAX));
        metrics.property("calls", serde_json::json!(calls.by_operation));
        metrics.merge(self.engine.take_metrics());
        Worked { returned, metrics, looks: self.engine.take_looks() }
    }

    /// Tells the units of what others have changed, all of the batch at once; the ids of the messages if that failed. They are
    /// not put off: they come again when the queue's visibility timeout is over, or the drift pass finds the change before.
    async fn tell_of_changes(&self, changes: Vec<Change>, budget: Budget) -> Vec<String> {
        let touched: Vec<Touched> =
            changes.iter().flat_map(|change| change.touched.iter().cloned()).collect();
        let late = |over: TimeOver| Err(over.into());
        match budget.spend(Box::pin(self.engine.tell_of_changes(&touched))).await.unwrap_or_else(late) {
            Ok(_) => vec![],
            Err(error) => {
                tracing::warn!(error = %trellis_telemetry::chain(&error), "changes of others not told: they come again");
                changes.into_iter().map(|change| change.message_id).collect()
            }
        }
    }

    /// Tells the units of Backends what has become of instances, all of the batch at once; the ids of the messages if that failed, which
    /// come again as changes of others do.
    async fn tell_of_instances(&self, movements: Vec<Movement>, budget: Budget) -> Vec<String> {
        let mut moved = Moved::default();
        for movement in &movements {
            moved.extend(movement.moved.clone());
        }
        let late = |over: TimeOver| Err(over.into());
        match budget.spend(Box::pin(self.engine.tell_of_instances(&moved))).await.unwrap_or_else(late) {
            Ok(_) => vec![],
            Err(error) => {
                tracing::warn!(error = %trellis_telemetry::chain(&error), "instances not told of: they come again");
                movements.into_iter().map(|movement| movement.message_id).collect()
            }
        }
    }

    /// Works on one unit: its verdict, when the first change was sent that it was not done with, and the messages that come
    /// again, which are all of the unit's or none.
    async fn reconcile(&self, group: Group, budget: Budget) -> (Verdict, Option<SystemTime>, Vec<String>) {
        let (task, engine) = (group.task(self.tries.begin(&group.records)), Arc::clone(&self.engine));
        let changed = first_change(&task, &group.records);
        // A task of its own: should a unit panic, its messages come back and the other units of the batch go on.
        let mut work = JoinSet::new();
        let of_unit = task.clone();
        work.spawn(async move { engine.reconcile(&of_unit, budget).await });
        let verdict = work.join_next().await.unwrap_or(Ok(Verdict::Done)).unwrap_or_else(|error| {
            tracing::error!(unit = %group.unit, %error, "reconcile panicked");
            Verdict::Failed { reason: format!("reconcile panicked: {error}"), after: None, owes: true }
        });
        if let Verdict::Failed { owes: false, .. } = verdict {
            self.tries.told(&group.records);
        }
        let later = later(&task, &verdict, changed);
        let mut after = match &verdict {
            Verdict::Failed { after, .. } => {
                Some(retry_after(group.receives()).max(after.unwrap_or_default()))
            }
            Verdict::Done | Verdict::Waiting { .. } | Verdict::Blocked(_) | Verdict::Held(_) => None,
        };
        // Its messages can then be acknowledged, so that other hints for the unit are not held up.
        if let Some((hint, time)) = later
            && let Err(error) = in_time(self.engine.send_later(hint, time)).await
        {
            tracing::warn!(unit = %group.unit, error = %trellis_telemetry::chain(&error), "not sent for later: the messages come again");
            after = Some(time);
        }
        match after {
            Some(after) => (verdict, changed, self.give_back(Lane::Units, group.records, after).await),
            None => (verdict, changed, vec![]),
        }
    }

    /// Sends a hint whose time has come on to its unit; the id of its message if that has to come again.
    async fn pass_on(&self, record: Record) -> Vec<String> {
        let moment = period(&record).unwrap_or_else(|| record.message_id.clone());
        let hint = crate::outbox::outgoing(record.hint.clone(), "later", &moment);
        match in_time(self.engine.queue.send(&[hint])).await {
            Ok(()) => vec![],
            Err(error) => {
                tracing::warn!(unit = %record.hint.unit, error = %trellis_telemetry::chain(&error), "not sent on: comes again");
                let after = retry_after(record.receives);
                self.give_back(Lane::Later, vec![record], after).await
            }
        }
    }

    /// Gives messages back to the queue for a time.
    async fn give_back(&self, lane: Lane, records: Vec<Record>, after: Duration) -> Vec<String> {
        let put_off = records.iter().map(|record| async {
            // Without this the message would come back only after the queue's visibility timeout of minutes.
            if let Err(error) = in_time(self.engine.queue.put_off(lane, &record.receipt_handle, after)).await
            {
                let unit = &record.hint.unit;
                tracing::warn!(%unit, error = %trellis_telemetry::chain(&error), "visibility not changed");
            }
        });
        join_all(put_off).await;
        records.into_iter().map(|record| record.message_id).collect()
    }
}

/// The hint that brings a unit back, and after what time; none where nothing is waited for, or where it has waited so often that the
/// next drift pass is soon enough.
fn later(task: &Task, verdict: &Verdict, changed: Option<SystemTime>) -> Option<(Hint, Duration)> {
    let (after, operation, waits, hindered) = match verdict {
        Verdict::Waiting { after, wait, .. } => match wait {
            Wait::Counts => (*after, Operation::Resync, 1, 0),
            Wait::Grace => (*after, Operation::Resync, 0, 0),
            Wait::Hindered => (*after, Operation::Resync, 1, task.hindered() + 1),
        },
        // What its first look could not do is still to be done, such as telling others of a deletion.
        Verdict::Held(_) if task.hindered() < HELD_TRIES_MAX => {
            let deletes = task.hints.iter().any(|hint| hint.operation == Operation::Delete);
            let operation = if deletes { Operation::Delete } else { Operation::Resync };
            let hindered = task.hindered() + 1;
            (retry_after(hindered), operation, 1, hindered)
        }
        Verdict::Done | Verdict::Blocked(_) | Verdict::Held(_) | Verdict::Failed { .. } => return None,
    };
    if task.waits() >= WAITS_MAX {
        tracing::warn!(unit = %task.unit, "has waited too often: left to the drift pass");
        return None;
    }
    let names: BTreeSet<String> =
        task.hints.iter().flat_map(|hint| hint.service_names.iter().cloned()).collect();
    let hint = task.hints.last()?.clone().with_service_names(names).again();
    let changed = changed.filter(|_| !is_as_desired(verdict)).map(millis_since_1970);
    let catch_ups = task.catch_ups();
    Some((Hint { waits: task.waits() + waits, hindered, catch_ups, changed, operation, ..hint }, after))
}

/// Whether all is as the objects ask for. What stays for the grace is in nobody's way.
fn is_as_desired(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Done | Verdict::Waiting { wait: Wait::Grace, .. })
}

/// When the first change was sent that the unit is not done with. What a hint claims to be older than [`CHANGE_AGE_MAX`] is no such time.
fn first_change(task: &Task, records: &[Record]) -> Option<SystemTime> {
    let changes = records.iter().filter(|record| record.hint.operation != Operation::Resync);
    let time = |millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    let before = task.changed().and_then(time);
    let before = before.filter(|time| age(Some(*time)).is_some_and(|age| age <= CHANGE_AGE_MAX));
    changes.filter_map(|record| record.sent).chain(before).min()
}

/// Hints for later of one unit with the same period are one: the first that comes looks at all of the unit, and goes on
/// waiting by itself if it has to. They are those that were put off for the same time within one such time: none of them was
/// sent because of a look that another one brought, since that one came only after this time. Looks at all of a cluster are one
/// whenever they were asked for and however often there was none; the rest of a look is its own.
fn period(record: &Record) -> Option<String> {
    let Hint { waits, hindered, catch_ups, operation, put_off, look, .. } = &record.hint;
    let what = match look {
        Some(Look { since, after: None, .. }) => format!("all since {since:?}"),
        Some(rest) => format!("{waits} {rest:?}"),
        None => format!("{waits} {hindered} {catch_ups}"),
    };
    let sent = record.sent?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(format!("{what} {operation:?} {put_off} {}", sent / u64::from((*put_off).max(1))))
}

async fn in_time(call: impl Future<Output = Result<(), CallError>>) -> Result<(), CallError> {
    let late = |_| Err(CallError::new(ErrorClass::Retry, "the queue did not answer in time"));
    Budget::lasting(QUEUE_CALL_MAX).spend(call).await.unwrap_or_else(late)
}

fn metric_of(verdict: &Verdict) -> Metric {
    match verdict {
        Verdict::Done => Metric::UnitsSettled,
        Verdict::Waiting { .. } => Metric::UnitsWaiting,
        Verdict::Blocked(_) => Metric::UnitsBlocked,
        Verdict::Held(_) => Metric::UnitsHeld,
        Verdict::Failed { .. } => Metric::UnitsFailed,
    }
}

/// How long ago that was; none if it is not known or the clocks differ.
fn age(sent: Option<SystemTime>) -> Option<Duration> {
    SystemTime::now().duration_since(sent?).ok()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
