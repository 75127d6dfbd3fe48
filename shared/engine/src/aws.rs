//! VPC Lattice and SQS behind the ports.

use crate::ports::{Lattice, Owned, Queue};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use trellis_aws::{Applied, AwsError, CallCounts, HintQueue, LatticeClient, OutgoingHint};
use trellis_lattice::{Actual, Desired, Outcome, Owner, Plan, TAG_OWNER, TAG_UNIT};

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
        let inventory = self.client.inventory(SystemTime::now()).await?;
        let mut names: BTreeMap<String, String> =
            inventory.services.iter().map(|one| (one.arn.clone(), one.name.clone())).collect();
        let all = inventory.services.into_iter().chain(inventory.target_groups);
        let all = all.chain(inventory.networks).chain(inventory.vpc_associations);
        let arns: BTreeSet<String> = all.map(|resource| resource.arn).collect();
        let tags = self.client.tags(&arns).await?;
        let ours = tags
            .into_iter()
            .filter(|(_, tags)| tags.get(TAG_OWNER).is_some_and(|owner| owner == installation));
        Ok(ours
            .map(|(arn, tags)| Owned {
                service: names.remove(&arn),
                unit: tags.get(TAG_UNIT).cloned().unwrap_or_default(),
                key: Owner::key_in(&tags),
                arn,
            })
            .collect())
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
