//! What the stages need of the world. The functions use AWS and API servers; tests use models.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use trellis_aws::{Applied, AwsError, OutgoingHint};
use trellis_gateway::{ClusterFacts, Read, ReadResult, StatusPatch};
use trellis_hint::ClusterId;
use trellis_kube::{Awaited, KubeError, PatchOutcome, Reader};
use trellis_lattice::{Actual, Desired, Outcome, Plan};

/// VPC Lattice.
pub trait Lattice: Send + Sync + 'static {
    /// What is there of what `desired` names and of what its owner has. No listing from before `not_before` is used.
    fn inspect(
        &self,
        desired: &Desired,
        service_names: &[String],
        not_before: SystemTime,
    ) -> impl Future<Output = Result<Actual, AwsError>> + Send;

    /// Does a plan's steps until `deadline`, and tells what exists before each wait.
    fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        deadline: Instant,
        progress: &watch::Sender<Outcome>,
    ) -> impl Future<Output = Applied> + Send;

    /// Everything that bears this installation's owner tag.
    fn owned(&self, installation: &str) -> impl Future<Output = Result<Vec<Owned>, AwsError>> + Send;

    /// Calls by operation since this was last asked.
    fn take_calls(&self) -> BTreeMap<String, u64>;
}

/// A resource that bears an installation's owner tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned {
    /// ARN.
    pub arn: String,
    /// The value of the unit tag, a hash; empty when there is none.
    pub unit: String,
    /// The text of the unit's key as the tags tell it; empty when they do not.
    pub key: String,
    /// The name, if it is a service.
    pub service: Option<String>,
}

/// One cluster's API server.
pub trait Cluster: Reader + Send + Sync + 'static {
    /// Reads an object, waiting briefly until it shows what a hint told of.
    fn read_at_least(
        &self,
        read: &Read,
        awaited: Option<&Awaited>,
    ) -> impl Future<Output = ReadResult> + Send;

    /// Writes one status.
    fn patch_status(
        &self,
        patch: &StatusPatch,
    ) -> impl Future<Output = Result<PatchOutcome, KubeError>> + Send;
}

/// The registered clusters.
pub trait Clusters: Send + Sync + 'static {
    /// What reaches one of them.
    type Cluster: Cluster;

    /// All registered clusters as they are known now, those that cannot be reached included.
    fn fleet(&self) -> impl Future<Output = Result<Fleet<Self::Cluster>, AwsError>> + Send;
}

/// The registered clusters, each with what reaches it or why nothing does.
#[derive(Debug)]
pub struct Fleet<C> {
    /// Facts of all of them.
    pub facts: Vec<ClusterFacts>,
    /// Whom to ask, by cluster.
    pub clusters: BTreeMap<ClusterId, Result<Arc<C>, String>>,
}

/// The queue of hints.
pub trait Queue: Send + Sync + 'static {
    /// Sends hints, in their order.
    fn send(&self, hints: &[OutgoingHint]) -> impl Future<Output = Result<(), AwsError>> + Send;

    /// Gives a message back, to be received again after this time.
    fn put_off(
        &self,
        receipt_handle: &str,
        after: Duration,
    ) -> impl Future<Output = Result<(), AwsError>> + Send;
}
