//! Snapshots in which everything is read.

use serde_json::Value;
use trellis_gateway::{ClusterFacts, ReadResult, Snapshot, wants_everything};
use trellis_hint::ClusterId;

/// The snapshot of one cluster that has these objects.
pub(crate) fn whole(cluster: ClusterId, objects: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::of([ClusterFacts::registered(cluster, "vpc-0a1b2c3d4e5f60001")]);
    for read in wants_everything(&snapshot) {
        let kind = read.kind();
        let of_kind = objects.iter().filter(|object| object["kind"] == kind.as_str()).cloned();
        snapshot.insert(&read, ReadResult::of(of_kind));
    }
    snapshot
}
