//! The engine's ports on AWS.

use crate::{CallCounts, Clusters, HintQueue, LatticeClient, RegisteredCluster, Registration};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use trellis_gateway::{ClusterFacts, ClusterState};
use trellis_hint::{ClusterId, Hint};
use trellis_lattice::{Actual, Desired, Outcome, Owner, Plan, TAG_OWNER, TAG_UNIT};
use trellis_ports::{
    Applied, Budget, CallError, Calls, Described, Lattice, OutgoingHint, Owned, Queue, Registered, Registry,
};

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
    ) -> Result<Actual, CallError> {
        Ok(self.client.inspect(desired, service_names, not_before).await?)
    }

    async fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        budget: Budget,
        progress: &watch::Sender<Outcome>,
    ) -> Applied {
        self.client.apply(plan, actual, budget.ends().into_std(), progress).await
    }

    async fn owned(&self, installation: &str) -> Result<Vec<Owned>, CallError> {
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

    fn take_calls(&self) -> Calls {
        self.counts.take_calls()
    }
}

impl Queue for HintQueue {
    async fn send(&self, hints: &[OutgoingHint]) -> Result<(), CallError> {
        Ok(Self::send(self, hints).await?)
    }

    async fn send_later(&self, hint: &Hint, after: Duration) -> Result<(), CallError> {
        Ok(Self::send_later(self, hint, after).await?)
    }

    async fn put_off(&self, receipt_handle: &str, after: Duration) -> Result<(), CallError> {
        Ok(Self::put_off(self, receipt_handle, after).await?)
    }
}

impl Registry for Clusters {
    async fn registered(&self) -> Result<Registered, CallError> {
        let registry = Self::registered(self).await?;
        let unusable = registry.unusable.iter().map(|one| {
            let facts = ClusterFacts::registered(one.id.clone(), "");
            (ClusterFacts { state: state(one.registration), ..facts }, one.why.clone())
        });
        Ok(Registered {
            clusters: registry.clusters.values().map(described).collect(),
            unusable: unusable.collect(),
        })
    }

    fn describe_again(&self, cluster: &ClusterId) {
        Self::describe_again(self, cluster);
    }

    async fn token(&self, cluster: &Described) -> Result<String, Box<dyn Error + Send + Sync>> {
        Ok(Self::token(self, &cluster.facts.id).await?)
    }
}

fn state(registration: Registration) -> ClusterState {
    match registration {
        Registration::Registered => ClusterState::Registered,
        Registration::Leaving => ClusterState::Leaving,
    }
}

fn described(cluster: &RegisteredCluster) -> Described {
    let facts = ClusterFacts {
        state: state(cluster.registration),
        cluster_set: cluster.cluster_set.clone(),
        ..ClusterFacts::registered(cluster.id.clone(), cluster.vpc.clone())
    };
    Described { facts, endpoint: cluster.endpoint.clone(), ca_pem: cluster.ca_pem.clone() }
}
