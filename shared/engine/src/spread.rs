//! Hints to those whom a reconciled unit concerns.

use crate::ports::Queue;
use std::collections::BTreeMap;
use trellis_aws::{AwsError, OutgoingHint};
use trellis_gateway::{Snapshot, StatusPatch, dependents};
use trellis_hint::{Hint, Kind, ObjectRef, Operation, UnitKey};

/// What has happened to a unit.
pub(crate) struct News<'a> {
    pub(crate) unit: &'a UnitKey,
    pub(crate) hints: &'a [Hint],
    /// Whether VPC Lattice was as desired.
    pub(crate) settled: bool,
    /// The statuses that were written.
    pub(crate) written: &'a [StatusPatch],
}

impl News<'_> {
    /// Whether it concerns all who depend on the unit.
    ///
    /// A Gateway unit concerns its routes when a Gateway was changed or when its network was: a route that comes or goes
    /// changes only the Gateway's count, and must not wake all the other routes. A deleted route concerns those that
    /// shared its service.
    pub(crate) fn concerns_all(&self) -> bool {
        let by_gateway = self.hints.iter().any(|hint| hint.object.kind == Kind::Gateway);
        match self.unit {
            UnitKey::Dependents { .. } => true,
            UnitKey::Gateway { .. } => by_gateway || !self.settled,
            UnitKey::Route { .. } => self.hints.iter().any(|hint| hint.operation == Operation::Delete),
            UnitKey::Export { .. } | UnitKey::Cluster { .. } => false,
        }
    }
}

/// The hint, to be sent. `why` and `moment` tell it apart from others for the unit: of those that are equal in both, the
/// queue takes one in five minutes.
pub(crate) fn outgoing(hint: Hint, why: &str, moment: &str) -> OutgoingHint {
    let parts = [why, &hint.unit.to_string(), moment];
    OutgoingHint { deduplication_id: trellis_lattice::names::short_hash(&parts, 64), hint }
}

/// Hints that follow from the news, each unit once.
pub(crate) fn hints(snapshot: &Snapshot, news: &News<'_>) -> Vec<Hint> {
    let mut objects: BTreeMap<UnitKey, ObjectRef> = BTreeMap::new();
    if news.concerns_all() {
        objects.extend(dependents(news.unit, snapshot));
    }
    for patch in news.written {
        for unit in &patch.notify {
            let object = ObjectRef {
                cluster: patch.cluster.clone(),
                kind: patch.kind,
                namespace: patch.namespace.clone(),
                name: patch.name.clone(),
                uid: String::new(),
                generation: 0,
            };
            objects.entry(unit.clone()).or_insert(object);
        }
    }
    objects.remove(news.unit);
    objects.into_iter().map(|(unit, object)| Hint::new(unit, object, Operation::Resync)).collect()
}

/// Sends the hints that follow from the news.
///
/// The de-duplication id holds the moment: two changes of a Service within the queue's five minutes are two changes.
pub(crate) async fn tell(
    queue: &impl Queue,
    snapshot: &Snapshot,
    news: &News<'_>,
) -> Result<usize, AwsError> {
    let (why, moment) = (news.unit.to_string(), jiff::Timestamp::now().as_nanosecond().to_string());
    let hints: Vec<OutgoingHint> =
        hints(snapshot, news).into_iter().map(|hint| outgoing(hint, &why, &moment)).collect();
    queue.send(&hints).await?;
    Ok(hints.len())
}
