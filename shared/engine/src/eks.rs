//! The registered EKS clusters behind [`Clusters`].

use crate::ports::{Cluster, Clusters, Fleet};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use trellis_aws::{AwsError, Membership, RegisteredCluster, Registration, Registry};
use trellis_gateway::{ClusterFacts, ClusterState, Read, ReadResult, StatusPatch};
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
    fn client(&self, cluster: &RegisteredCluster) -> Result<Arc<ClusterClient>, KubeError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((described, client)) = clients.get(&cluster.id)
            && described == cluster
            && !client.must_describe_again()
        {
            return Ok(Arc::clone(client));
        }
        let (registry, of) = (Arc::clone(&self.registry), cluster.clone());
        let token = TokenSource::new(move || {
            let (registry, of) = (Arc::clone(&registry), of.clone());
            async move { registry.token(&of.id).await }
        });
        let client = Arc::new(ClusterClient::connect(&cluster.endpoint, &cluster.ca_pem, token)?);
        clients.insert(cluster.id.clone(), (cluster.clone(), Arc::clone(&client)));
        Ok(client)
    }

    /// Has clusters described anew whose clients met what a new description may mend.
    fn describe_again(&self) {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, _) in clients.iter().filter(|(_, (_, client))| client.must_describe_again()) {
            self.registry.describe_again(id);
        }
    }

    /// Forgets the clients of clusters that are not registered any more.
    fn keep(&self, registry: &Registry) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|id, _| registry.clusters.contains_key(id));
    }
}

fn facts(id: &ClusterId, said: &Membership, vpc: &str) -> ClusterFacts {
    let state = match said.registration {
        Registration::Registered => ClusterState::Registered,
        Registration::Leaving => ClusterState::Leaving,
    };
    ClusterFacts { id: id.clone(), vpc: vpc.to_owned(), state, cluster_set: Some(said.cluster_set.clone()) }
}

impl Clusters for EksClusters {
    type Cluster = ClusterClient;

    async fn fleet(&self) -> Result<Fleet<ClusterClient>, AwsError> {
        self.describe_again();
        let registry = self.registry.registered().await?;
        self.keep(&registry);
        let mut fleet = Fleet { facts: vec![], clusters: BTreeMap::new() };
        for (id, cluster) in &registry.clusters {
            fleet.facts.push(facts(id, &cluster.membership, &cluster.vpc));
            let client = self.client(cluster).map_err(|error| trellis_telemetry::chain(&error).to_string());
            fleet.clusters.insert(id.clone(), client);
        }
        for unusable in &registry.unusable {
            fleet.facts.push(facts(&unusable.id, &unusable.membership, ""));
            fleet.clusters.insert(unusable.id.clone(), Err(unusable.why.clone()));
        }
        Ok(fleet)
    }
}
