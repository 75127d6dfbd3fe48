use crate::{Applied, AwsError, Inventory, LatticeClient};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime};
use tokio::sync::watch;
use trellis_lattice::{Actual, Desired, Outcome, Plan, Tags};

/// VPC Lattice as a reconcile pass needs it; [`LatticeClient`] is the real one, tests bring their own.
#[async_trait]
pub trait Lattice: Send + Sync {
    /// See [`LatticeClient::inspect`].
    async fn inspect(
        &self,
        desired: &Desired,
        candidate_service_names: &[String],
        not_before: SystemTime,
    ) -> Result<Actual, AwsError>;

    /// See [`LatticeClient::apply`].
    async fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        deadline: Instant,
        progress: &watch::Sender<Outcome>,
    ) -> Applied;

    /// See [`LatticeClient::inventory`].
    async fn inventory(&self, not_before: SystemTime) -> Result<Inventory, AwsError>;

    /// See [`LatticeClient::tags`].
    async fn tags(&self, arns: &BTreeSet<String>) -> Result<BTreeMap<String, Tags>, AwsError>;
}

#[async_trait]
impl Lattice for LatticeClient {
    async fn inspect(
        &self,
        desired: &Desired,
        candidate_service_names: &[String],
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        Self::inspect(self, desired, candidate_service_names, not_before).await
    }

    async fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        deadline: Instant,
        progress: &watch::Sender<Outcome>,
    ) -> Applied {
        Self::apply(self, plan, actual, deadline, progress).await
    }

    async fn inventory(&self, not_before: SystemTime) -> Result<Inventory, AwsError> {
        Self::inventory(self, not_before).await
    }

    async fn tags(&self, arns: &BTreeSet<String>) -> Result<BTreeMap<String, Tags>, AwsError> {
        Self::tags(self, arns).await
    }
}
