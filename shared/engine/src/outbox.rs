//! Hints that follow from a unit's work, collected on the way and sent on every path.

use crate::Task;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trellis_hint::{Hint, Look, ObjectRef, Operation, UnitKey};
use trellis_ports::OutgoingHint;

/// Hints to others, each unit once.
///
/// It lies outside of the unit's work: when that fails, or is dropped because its time is over, what was written until then
/// is still told to those who read it.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    fresh: BTreeMap<UnitKey, ObjectRef>,
    again: BTreeMap<UnitKey, ObjectRef>,
    later: BTreeMap<UnitKey, ObjectRef>,
}

/// What hints of a look at a whole cluster have in common.
const LOOK: &str = "look at a whole cluster";

/// When a unit looks that waits for what another one has begun to end: an association is gone within seconds.
pub(crate) const LATER: Duration = Duration::from_secs(15);

impl Outbox {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These units are to look, each at the object with which it is named.
    pub(crate) fn put(&self, units: impl IntoIterator<Item = (UnitKey, ObjectRef)>) {
        let mut content = self.content();
        for (unit, object) in units {
            content.fresh.entry(unit).or_insert(object);
        }
    }

    /// These units may have been told by an earlier try of the same message, or not: they are told again, once.
    pub(crate) fn put_again(&self, units: impl IntoIterator<Item = (UnitKey, ObjectRef)>) {
        self.content().again.extend(units);
    }

    /// These units are to look when what was begun here has come to its end, after [`LATER`].
    pub(crate) fn put_later(&self, units: impl IntoIterator<Item = (UnitKey, ObjectRef)>) {
        self.content().later.extend(units);
    }

    /// The hints that are to come later.
    pub(crate) fn take_later(&self) -> Vec<Hint> {
        let later = std::mem::take(&mut self.content().later);
        later.into_iter().map(|(unit, object)| Hint::new(unit, object, Operation::Resync)).collect()
    }

    /// All others, from the task's unit, which tells itself nothing. `now`: in milliseconds since 1970.
    ///
    /// What is fresh is told apart by the `moment`: two changes of a Service within the queue's five minutes are two
    /// changes. What is told again is told apart by the message that came again. What is part of a look at a whole cluster
    /// is told apart by the look, so that whoever is reached by it on several ways gets one hint.
    pub(crate) fn take(&self, task: &Task, now: u64, moment: &str) -> Vec<OutgoingHint> {
        let Content { mut fresh, mut again, .. } = std::mem::take(&mut *self.content());
        fresh.remove(&task.unit);
        again.retain(|unit, _| *unit != task.unit && !fresh.contains_key(unit));
        if let Some(look) = task.look(now) {
            let began = look.began.to_string();
            let hint = |(unit, object)| {
                Hint::new(unit, object, Operation::Resync).with_look(Look::of_all(look.began))
            };
            let all = fresh.into_iter().chain(again);
            return all.map(|one| outgoing(hint(one), LOOK, &began)).collect();
        }
        let why = task.unit.to_string();
        // What is told of others' objects is no news of its own.
        let passes_on = matches!(task.unit, UnitKey::Dependents { .. });
        let catch_ups = if passes_on { task.catch_ups() } else { 0 };
        let only_instances = passes_on && task.is_of_instances_only();
        let hint = |(unit, object), moment: &str| {
            let hint = Hint::new(unit, object, Operation::Resync);
            outgoing(Hint { catch_ups, only_instances, ..hint }, &why, moment)
        };
        let message = task.retried.as_deref().unwrap_or(moment);
        let again = again.into_iter().map(|one| hint(one, message));
        fresh.into_iter().map(|one| hint(one, moment)).chain(again).collect()
    }
}

/// The hint, to be sent. `why` and `moment` tell it apart from others for the unit: of those that are equal in both, the
/// queue takes one in five minutes.
pub(crate) fn outgoing(hint: Hint, why: &str, moment: &str) -> OutgoingHint {
    let parts = [why, &hint.unit.to_string(), moment];
    OutgoingHint { deduplication_id: trellis_lattice::names::short_hash(&parts, 64), hint }
}
