//! VPC Lattice and SQS behind the ports.

use crate::ports::{Lattice, Owned, Queue};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use trellis_aws::{
    Applied, AwsError, CallCounts, HintQueue, LatticeClient, OutgoingHint, OwnedResource, ResourceKind,
};
use trellis_lattice::{Actual, Desired, Outcome, Owner, Plan, TAG_UNIT};

/// The real VPC Lattice.
#[derive(Debug)]
pub struct AwsLattice {
    client: LatticeClient,
    counts: CallCounts,
}

impl AwsLattice {
    /// VPC Lattice through this client, whose calls are counted there.
    pub fn new(client: LatticeClient, counts: CallCounts) -> Self {
        Self { client, counts }
    }
}

impl Lattice for AwsLattice {
    async fn inspect(
        &self,
        desired: &Desired,
        service_names: &[String],
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        self.client.inspect(desired, service_names, not_before).await
    }

    async fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        deadline: Instant,
        progress: &watch::Sender<Outcome>,
    ) -> Applied {
        self.client.apply(plan, actual, deadline, progress).await
    }

    async fn owned(&self, installation: &str) -> Result<Vec<Owned>, AwsError> {
        let mut owned = vec![];
        let take = |resource: OwnedResource| {
            // What is below a service goes with it.
            let stands = matches!(
                resource.kind,
                ResourceKind::Network
                    | ResourceKind::VpcAssociation
                    | ResourceKind::Service
                    | ResourceKind::TargetGroup
            );
            if stands {
                let OwnedResource { arn, tags, .. } = resource;
                let unit = tags.get(TAG_UNIT).cloned().unwrap_or_default();
                owned.push(Owned { arn, unit, key: Owner::key_in(&tags), service: None });
            }
        };
        self.client.owned(installation, take).await?;
        Ok(owned)
    }

    fn take_calls(&self) -> BTreeMap<String, u64> {
        self.counts.take()
    }
}

impl Queue for HintQueue {
    async fn send(&self, hints: &[OutgoingHint]) -> Result<(), AwsError> {
        Self::send(self, hints).await
    }

    async fn put_off(&self, receipt_handle: &str, after: Duration) -> Result<(), AwsError> {
        Self::put_off(self, receipt_handle, after).await
    }
}
