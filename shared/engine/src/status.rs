//! Writes the statuses that are due. What to say is decided by `trellis_gateway::statuses`; here it is only sent.

use crate::UnitError;
use crate::ports::{Cluster, Fleet};
use futures::{StreamExt, stream};
use std::sync::Arc;
use trellis_gateway::{Read, Snapshot, StatusPatch, Translation, statuses};
use trellis_kube::PatchOutcome;
use trellis_lattice::Outcome;

/// Rounds of patch, conflict, read again. Other writers of a status are few and quick; what still conflicts after these
/// comes again with the message.
const ROUNDS_MAX: usize = 4;

/// Patches sent at once.
const PATCHES_AT_ONCE: usize = 8;

/// Writes what the objects are to be told, and gives back the patches that an API server took.
///
/// An object that was changed since it was read is read again and its status made anew from the same reports, whose
/// observedGeneration is that of what was reconciled.
pub(crate) async fn write<C: Cluster>(
    fleet: &Fleet<C>,
    snapshot: &mut Snapshot,
    translation: &Translation,
    outcome: &Outcome,
) -> Result<Vec<StatusPatch>, UnitError> {
    let mut written = vec![];
    for _ in 0..ROUNDS_MAX {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let due = statuses(snapshot, translation, outcome, &now);
        if due.is_empty() {
            return Ok(written);
        }
        let sent: Vec<_> = stream::iter(due)
            .map(|patch| async move { (send(fleet, &patch).await, patch) })
            .buffered(PATCHES_AT_ONCE)
            .collect()
            .await;
        for (result, patch) in sent {
            match result? {
                PatchOutcome::Patched => {
                    tracing::info!(cluster = %patch.cluster, kind = %patch.kind, namespace = patch.namespace,
                        name = patch.name, summary = patch.summary, "status written");
                    refresh(fleet, snapshot, &patch).await?;
                    written.push(patch);
                }
                PatchOutcome::Conflict => refresh(fleet, snapshot, &patch).await?,
                PatchOutcome::Gone => forget(snapshot, &patch),
            }
        }
    }
    let due = statuses(snapshot, translation, outcome, "1970-01-01T00:00:00Z");
    if due.is_empty() { Ok(written) } else { Err(UnitError::StatusContended(due.len())) }
}

fn cluster<'a, C>(fleet: &'a Fleet<C>, patch: &StatusPatch) -> Result<&'a Arc<C>, UnitError> {
    match fleet.clusters.get(&patch.cluster) {
        Some(Ok(cluster)) => Ok(cluster),
        Some(Err(why)) => Err(UnitError::ClusterUnreadable(patch.cluster.clone(), why.clone())),
        None => Err(UnitError::ClusterUnreadable(patch.cluster.clone(), "it is not registered".into())),
    }
}

async fn send<C: Cluster>(fleet: &Fleet<C>, patch: &StatusPatch) -> Result<PatchOutcome, UnitError> {
    Ok(cluster(fleet, patch)?.patch_status(patch).await?)
}

/// Reads a patched or contended object again, so that the next status is made from what is stored.
async fn refresh<C: Cluster>(
    fleet: &Fleet<C>,
    snapshot: &mut Snapshot,
    patch: &StatusPatch,
) -> Result<(), UnitError> {
    let read = Read::Get {
        cluster: patch.cluster.clone(),
        kind: patch.kind,
        namespace: patch.namespace.clone(),
        name: patch.name.clone(),
    };
    let answer = cluster(fleet, patch)?.read(&read).await;
    if matches!(&answer, trellis_gateway::ReadResult::Objects(objects) if objects.is_empty()) {
        forget(snapshot, patch);
    }
    snapshot.insert(read, answer);
    Ok(())
}

/// An object that is gone has no status to be written.
fn forget(snapshot: &mut Snapshot, patch: &StatusPatch) {
    let key = trellis_gateway::ObjectKey {
        kind: patch.kind,
        namespace: patch.namespace.clone(),
        name: patch.name.clone(),
    };
    if let Some(objects) = snapshot.objects.get_mut(&patch.cluster) {
        objects.remove(&key);
    }
}
