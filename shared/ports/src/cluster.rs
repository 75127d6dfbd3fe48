use crate::{Awaited, CallError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use trellis_gateway::{ClusterEvent, ClusterFacts, ObjectChange, Read, SecretKey, SecretRead, StatusPatch};
use trellis_hint::ClusterId;

/// One cluster's API server.
pub trait Cluster: Send + Sync + 'static {
    /// Answers a read from what is stored now.
    fn read(&self, read: &Read) -> impl Future<Output = Result<Answer, CallError>> + Send;

    /// Reads an object, waiting briefly until it shows what a hint told of.
    fn read_at_least(
        &self,
        read: &Read,
        awaited: &Awaited,
    ) -> impl Future<Output = Result<Answer, CallError>> + Send;

    /// What a Secret has of a certificate. By its name: nobody lists Secrets.
    fn secret(&self, key: &SecretKey) -> impl Future<Output = Result<SecretRead, CallError>> + Send;

    /// Writes one status.
    fn patch_status(
        &self,
        patch: &StatusPatch,
    ) -> impl Future<Output = Result<PatchOutcome, CallError>> + Send;

    /// Makes, changes or deletes one object that is no status.
    fn change(&self, change: &ObjectChange) -> impl Future<Output = Result<PatchOutcome, CallError>> + Send;

    /// Makes an Event, or counts it once more.
    fn tell(&self, event: &ClusterEvent) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// What an API server says to a read.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The objects; for a Get one, or none when the server said that this very object is missing.
    Objects(Vec<Arc<Value>>),
    /// The server does not know the kind. No proof that an object of it was deleted.
    KindMissing,
}

impl Answer {
    /// These objects were found.
    pub fn of(objects: impl IntoIterator<Item = Value>) -> Self {
        Self::Objects(objects.into_iter().map(Arc::new).collect())
    }
}

/// What became of a status patch, or of another change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchOutcome {
    /// The API server has it.
    Patched,
    /// The object has changed since it was read, so the status may be wrong or somebody else's entry may be lost: read
    /// again and make the status anew. Also what a repeated request says whose first answer was lost.
    Conflict,
    /// The object is gone; there is nothing to tell it.
    Gone,
}

/// The registered clusters.
pub trait Clusters: Send + Sync + 'static {
    /// What reaches one of them.
    type Cluster: Cluster;

    /// All registered clusters as they are known now, those that cannot be reached included.
    fn fleet(&self) -> impl Future<Output = Result<Fleet<Self::Cluster>, CallError>> + Send;
}

/// The registered clusters, each with what reaches it or why nothing does.
#[derive(Debug)]
pub struct Fleet<C> {
    /// Facts of all of them.
    pub facts: Vec<ClusterFacts>,
    /// Whom to ask, by cluster.
    pub clusters: BTreeMap<ClusterId, Result<Arc<C>, String>>,
}
