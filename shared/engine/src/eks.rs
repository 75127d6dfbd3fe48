//! The registered EKS clusters behind [`Clusters`].

use crate::ports::{Cluster, Clusters, Fleet};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use trellis_aws::{AwsError, RegisteredCluster};
use trellis_gateway::{ClusterFacts, Read, ReadResult, StatusPatch};
use trellis_hint::ClusterId;
use trellis_kube::{Awaited, ClusterClient, KubeError, PatchOutcome, StatusChange, TokenSource};

impl Cluster for ClusterClient {
    async fn read_at_least(&self, read: &Read, awaited: Option<&Awaited>) -> ReadResult {
        Self::read_at_least(self, read, awaited).await
    }

    async fn patch_status(&self, patch: &StatusPatch) -> Result<PatchOutcome, KubeError> {
        let change = StatusChange {
            kind: patch.kind,
            namespace: &patch.namespace,
            name: &patch.name,
            resource_version: &patch.resource_version,
            status: &patch.status,
        };
        Self::patch_status(self, &change).await
    }
}

/// Registered clusters, with one client each that is kept while the function is warm.
#[derive(Debug)]
pub struct EksClusters {
    registry: Arc<trellis_aws::Clusters>,
    clients: Mutex<BTreeMap<ClusterId, (RegisteredCluster, Arc<ClusterClient>)>>,
}

impl EksClusters {
    /// Clusters that this registry finds.
    pub fn new(registry: trellis_aws::Clusters) -> Self {
        Self { registry: Arc::new(registry), clients: Mutex::default() }
    }

    /// The client of a cluster: the kept one, unless the cluster is described otherwise now.
    fn client(&self, id: &ClusterId, cluster: &RegisteredCluster) -> Result<Arc<ClusterClient>, KubeError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((described, client)) = clients.get(id)
            && described == cluster
            && !client.must_describe_again()
        {
            return Ok(Arc::clone(client));
        }
        let (registry, of) = (Arc::clone(&self.registry), cluster.clone());
        let token = TokenSource::new(move || {
            let (registry, of) = (Arc::clone(&registry), of.clone());
            async move { registry.token(&of).await }
        });
        let client = Arc::new(ClusterClient::connect(&cluster.endpoint, &cluster.ca_pem, token)?);
        clients.insert(id.clone(), (cluster.clone(), Arc::clone(&client)));
        Ok(client)
    }

    fn any_must_be_described_again(&self) -> bool {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.values().any(|(_, client)| client.must_describe_again())
    }
}

/// The cluster of an ARN that EKS gave.
fn identity(arn: &str) -> Option<ClusterId> {
    arn.parse().inspect_err(|error| tracing::error!(%error, "a registered cluster is left out")).ok()
}

impl Clusters for EksClusters {
    type Cluster = ClusterClient;

    async fn fleet(&self) -> Result<Fleet<ClusterClient>, AwsError> {
        if self.any_must_be_described_again() {
            self.registry.forget().await;
        }
        let registry = self.registry.registered().await?;
        let mut fleet = Fleet { facts: vec![], clusters: BTreeMap::new() };
        for cluster in registry.clusters.values() {
            let Some(id) = identity(&cluster.arn) else { continue };
            fleet.facts.push(ClusterFacts::registered(id.clone(), cluster.vpc.clone()));
            let client =
                self.client(&id, cluster).map_err(|error| trellis_telemetry::chain(&error).to_string());
            fleet.clusters.insert(id, client);
        }
        for unusable in &registry.unusable {
            let Some(id) = identity(&unusable.arn) else { continue };
            fleet.clusters.insert(id, Err(unusable.why.clone()));
        }
        Ok(fleet)
    }
}
