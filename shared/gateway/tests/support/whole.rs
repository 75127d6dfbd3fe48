//! Snapshots in which everything is read.

use serde_json::Value;
use trellis_gateway::{ClusterFacts, Read, ReadResult, Snapshot, wants_everything};
use trellis_hint::ClusterId;

/// The snapshot of one cluster that has these objects.
pub(crate) fn whole(cluster: ClusterId, objects: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::of([ClusterFacts::registered(cluster, "vpc-0a1b2c3d4e5f60001")]);
    for read in wants_everything(&snapshot) {
        let Read::List { kind, .. } = &read else { continue };
        let of_kind = objects.iter().filter(|object| object["kind"] == kind.as_str()).cloned().collect();
        snapshot.insert(read, ReadResult::Objects(of_kind));
    }
    snapshot
}
