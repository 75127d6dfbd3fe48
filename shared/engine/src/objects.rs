//! Writes the objects that a unit makes beside statuses. What they are is decided by `trellis_gateway::object_changes`; here
//! it is only sent.
//!
//! They are for others and never in the way: one that is refused costs only itself, and is told by a status.

use crate::fleet::Members;
use crate::observe::{READS_AT_ONCE_MAX, Reader};
use crate::status::Untold;
use futures::{StreamExt, stream};
use std::collections::BTreeSet;
use std::time::Duration;
use trellis_gateway::{ObjectChange, Read, ReadResult, Snapshot, Translation, object_changes, wants_objects};
use trellis_hint::UnitKey;
use trellis_lattice::Outcome;
use trellis_ports::{Budget, CallError, Cluster, ErrorClass, PatchOutcome};

/// Rounds of read, change, conflict. Other writers of such an object are rare.
const ROUNDS_MAX: usize = 3;

/// How long a unit's objects may take in sum: a few requests to an API server that answers. Statuses come after them.
const OBJECTS_MAX: Duration = Duration::from_secs(3);

/// Where objects are written to.
pub(crate) struct Objects<'a, C> {
    pub(crate) members: &'a Members<C>,
    pub(crate) budget: Budget,
}

impl<C: Cluster> Objects<'_, C> {
    /// Reads and changes what is due. What is refused for good is told by the translation's statuses; what else could not be
    /// done comes again, and is given back with the reason.
    pub(crate) async fn write(
        &self,
        unit: &UnitKey,
        snapshot: &mut Snapshot,
        translation: &mut Translation,
        outcome: &Outcome,
    ) -> Untold {
        let budget = self.budget.at_most(OBJECTS_MAX);
        let mut undone = Untold::new();
        if translation.desired.is_none() {
            return undone;
        }
        let mut refused: Vec<ObjectChange> = vec![];
        for _ in 0..ROUNDS_MAX {
            let reads = wants_objects(unit, snapshot).into_iter().collect();
            if let Err(why) = read(self.members, reads, snapshot, budget, Memory::Unused).await {
                undone.insert(format!("objects of {unit}"), CallError::new(ErrorClass::Retry, why));
            }
            let due = self.due(snapshot, translation, outcome, &refused);
            if due.is_empty() {
                return undone;
            }
            for change in due {
                match self.send(&change, budget).await {
                    Ok(outcome) => {
                        tell(&change, outcome);
                        self.read_again(&change, snapshot, budget).await;
                    }
                    Err(error) if error.class() == ErrorClass::Terminal && change.teller.is_none() => {
                        self.members.set_refused(&change);
                        tracing::debug!(object = name_of(&change), error = %trellis_telemetry::chain(&error), "object not written");
                    }
                    Err(error) if error.class() == ErrorClass::Terminal => {
                        warn(&change, &error);
                        if let Some(teller) = &change.teller {
                            translation.tell_unwritten(&change.cluster, teller, &unwritten(&change, &error));
                        }
                        refused.push(change);
                    }
                    Err(error) => {
                        warn(&change, &error);
                        undone.insert(name_of(&change), error);
                        return undone;
                    }
                }
            }
        }
        for change in self.due(snapshot, translation, outcome, &refused) {
            let text = "it was changed each time before it could be written";
            undone.insert(name_of(&change), CallError::new(ErrorClass::Stale, text));
        }
        undone
    }

    /// The changes that are due, without those that are refused, now or a while ago.
    fn due(
        &self,
        snapshot: &Snapshot,
        translation: &Translation,
        outcome: &Outcome,
        refused: &[ObjectChange],
    ) -> Vec<ObjectChange> {
        let mut due = object_changes(snapshot, translation, outcome);
        due.retain(|change| !refused.contains(change) && !self.members.is_refused(change));
        due
    }

    /// So that what follows is made from what is stored.
    async fn read_again(&self, change: &ObjectChange, snapshot: &mut Snapshot, budget: Budget) {
        let read = change.read();
        match asked(self.members, &read, budget, Memory::Unused).await {
            answer @ ReadResult::Objects(_) => {
                snapshot.forget_object(&read);
                snapshot.insert(&read, answer);
            }
            // That it cannot be read now takes nothing away from what was read before.
            ReadResult::KindMissing | ReadResult::Unreadable(_) => {}
        }
    }

    async fn send(&self, change: &ObjectChange, budget: Budget) -> Result<PatchOutcome, CallError> {
        let call = async { self.members.reach(&change.cluster)?.change(change).await };
        let over = |_| Err(CallError::new(ErrorClass::Retry, "the unit's time was over"));
        budget.spend(call).await.unwrap_or_else(over)
    }
}

/// Whether what a process remembers of a cluster is believed: that it does not serve a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// For a look at all of a cluster, which asks for each of its routes and comes again.
    Used,
    /// For the look at one unit: it is done afterwards, and nobody comes back for what it has left out.
    Unused,
}

/// Reads what objects are compared with ([`wants_objects`]). What cannot be read is left out of the snapshot: no other part of a unit
/// is unknown for it.
pub(crate) async fn read<C: Cluster>(
    members: &Members<C>,
    reads: BTreeSet<Read>,
    snapshot: &mut Snapshot,
    budget: Budget,
    memory: Memory,
) -> Result<(), String> {
    let answers = reads.into_iter().map(|read| async move {
        let answer = asked(members, &read, budget, memory).await;
        (read, answer)
    });
    let answers: Vec<(Read, ReadResult)> = stream::iter(answers).buffered(READS_AT_ONCE_MAX).collect().await;
    let mut unread = Ok(());
    for (read, answer) in answers {
        match answer {
            ReadResult::Unreadable(why) => unread = Err(why),
            answer @ (ReadResult::Objects(_) | ReadResult::KindMissing) => snapshot.insert(&read, answer),
        }
    }
    unread
}

async fn asked<C: Cluster>(members: &Members<C>, read: &Read, budget: Budget, memory: Memory) -> ReadResult {
    let over = |_| ReadResult::Unreadable("the unit's time was over".to_owned());
    match members.reach(read.cluster()) {
        Ok(member) => match memory {
            Memory::Used => budget.spend(member.read(read)).await.unwrap_or_else(over),
            Memory::Unused => budget.spend(member.read_anew(read)).await.unwrap_or_else(over),
        },
        Err(error) => ReadResult::Unreadable(error.to_string()),
    }
}

fn unwritten(change: &ObjectChange, error: &CallError) -> String {
    let key = &change.key;
    format!("{} {}/{} is not as it should be: {error}", key.kind, key.namespace, key.name)
}

fn name_of(change: &ObjectChange) -> String {
    let key = &change.key;
    format!("{} {}/{} of {}", key.kind, key.namespace, key.name, change.cluster.name)
}

fn tell(change: &ObjectChange, outcome: PatchOutcome) {
    let (verb, object) = (change.act.verb(), name_of(change));
    match outcome {
        PatchOutcome::Patched => tracing::info!(verb, object, "object written"),
        PatchOutcome::Conflict | PatchOutcome::Gone => {
            tracing::info!(verb, object, "object is another one than was read");
        }
    }
}

fn warn(change: &ObjectChange, error: &CallError) {
    let (verb, object) = (change.act.verb(), name_of(change));
    tracing::warn!(verb, object, error = %trellis_telemetry::chain(error), "object not written");
}
