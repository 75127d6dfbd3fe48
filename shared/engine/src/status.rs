//! Writes the statuses that are due. What to say is decided by `trellis_gateway::statuses`; here it is only sent.
//!
//! A status is for people and never in the way of the work: one that cannot be written costs nothing but itself.

use crate::figures::Figures;
use crate::fleet::Members;
use crate::observe::Reader;
use crate::outbox::Outbox;
use futures::{StreamExt, stream};
use std::collections::BTreeMap;
use trellis_gateway::{
    ObjectKey, Read, ReadResult, Snapshot, StatusPatch, Translation, cluster_events, readers, statuses,
};
use trellis_lattice::Outcome;
use trellis_ports::{Budget, CallError, Cluster, ErrorClass, PatchOutcome};
use trellis_telemetry::Metric;

/// Rounds of patch, conflict, read again. Other writers of a status are few and quick; what still conflicts after these
/// comes again with the message.
const ROUNDS_MAX: usize = 4;

/// Patches sent at once.
const PATCHES_AT_ONCE: usize = 8;

/// Where statuses are written to.
pub(crate) struct Statuses<'a, C> {
    pub(crate) members: &'a Members<C>,
    /// Gets the units that read what was written.
    pub(crate) outbox: &'a Outbox,
    pub(crate) figures: &'a Figures,
    pub(crate) budget: Budget,
}

/// Statuses, and other objects, that could not be written: what and the reason.
pub(crate) type Untold = BTreeMap<String, CallError>;

/// A patch with what became of it, and the object as it is stored since.
struct Sent {
    patch: StatusPatch,
    result: Result<PatchOutcome, CallError>,
    stored: Option<ReadResult>,
}

impl<C: Cluster> Statuses<'_, C> {
    /// Writes what the objects are to be told, and gives back what could not be written.
    ///
    /// An object that was changed since it was read is read again and its status made anew from the same reports, whose
    /// observedGeneration is that of what was reconciled.
    pub(crate) async fn write(
        &self,
        snapshot: &mut Snapshot,
        translation: &Translation,
        outcome: &Outcome,
    ) -> Untold {
        let mut untold = Untold::new();
        for _ in 0..ROUNDS_MAX {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let mut due = statuses(snapshot, translation, outcome, &now);
            due.retain(|patch| !untold.contains_key(&name_of(patch)));
            if due.is_empty() {
                return untold;
            }
            let sent: Vec<Sent> =
                stream::iter(due).map(|patch| self.send(patch)).buffered(PATCHES_AT_ONCE).collect().await;
            for sent in sent {
                self.take_in(snapshot, &mut untold, sent);
            }
        }
        let mut left = statuses(snapshot, translation, outcome, "1970-01-01T00:00:00Z");
        left.retain(|patch| !untold.contains_key(&name_of(patch)));
        for patch in left {
            let text = "it was changed each time before its status could be written";
            untold.insert(name_of(&patch), CallError::new(ErrorClass::Stale, text));
        }
        untold
    }

    async fn send(&self, patch: StatusPatch) -> Sent {
        let call = async {
            let member = self.members.reach(&patch.cluster)?;
            let outcome = member.patch_status(&patch).await?;
            let stored = match outcome {
                // So that the next status is made from what is stored.
                PatchOutcome::Patched | PatchOutcome::Conflict => Some(member.read(&read_of(&patch)).await),
                PatchOutcome::Gone => None,
            };
            if let (PatchOutcome::Patched, Some(ReadResult::Objects(objects))) = (outcome, &stored) {
                let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
                let events = objects.iter().flat_map(|object| cluster_events(&patch, object, &time));
                member.tell(&events.collect::<Vec<_>>()).await;
            }
            Ok((outcome, stored))
        };
        let over = |_| Err(CallError::new(ErrorClass::Retry, "the unit's time was over"));
        match self.budget.spend(call).await.unwrap_or_else(over) {
            Ok((outcome, stored)) => Sent { patch, result: Ok(outcome), stored },
            Err(error) => Sent { patch, result: Err(error), stored: None },
        }
    }

    fn take_in(&self, snapshot: &mut Snapshot, untold: &mut Untold, sent: Sent) {
        let Sent { patch, result, stored } = sent;
        match result {
            Ok(PatchOutcome::Patched) => {
                tracing::info!(cluster = %patch.cluster, kind = %patch.kind, namespace = patch.namespace,
                    name = patch.name, summary = patch.summary, "status written");
                self.figures.add(Metric::StatusPatches, 1);
                self.outbox.put(readers(&patch));
            }
            Ok(PatchOutcome::Conflict) => self.figures.add(Metric::StatusConflicts, 1),
            Ok(PatchOutcome::Gone) => forget(snapshot, &patch),
            Err(error) => {
                tracing::warn!(cluster = %patch.cluster, kind = %patch.kind, namespace = patch.namespace,
                    name = patch.name, error = %trellis_telemetry::chain(&error), "status not written");
                self.figures.add(Metric::StatusesFailed, 1);
                // One without an answer may have been written all the same.
                if error.class() != ErrorClass::Terminal {
                    self.outbox.put(readers(&patch));
                }
                untold.insert(name_of(&patch), error);
            }
        }
        match stored {
            Some(ReadResult::Objects(objects)) if objects.is_empty() => forget(snapshot, &patch),
            Some(answer @ ReadResult::Objects(_)) => snapshot.insert(&read_of(&patch), answer),
            // That it cannot be read now takes nothing away from what was read before.
            Some(ReadResult::KindMissing | ReadResult::Unreadable(_)) | None => {}
        }
    }
}

fn name_of(patch: &StatusPatch) -> String {
    format!("status of {} {}/{} of {}", patch.kind, patch.namespace, patch.name, patch.cluster.name)
}

fn read_of(patch: &StatusPatch) -> Read {
    Read::Get {
        cluster: patch.cluster.clone(),
        kind: patch.kind,
        namespace: patch.namespace.clone(),
        name: patch.name.clone(),
    }
}

/// An object that is gone has no status to be written.
fn forget(snapshot: &mut Snapshot, patch: &StatusPatch) {
    let key = ObjectKey { kind: patch.kind, namespace: patch.namespace.clone(), name: patch.name.clone() };
    if let Some(objects) = snapshot.objects.get_mut(&patch.cluster) {
        objects.remove(&key);
    }
}
