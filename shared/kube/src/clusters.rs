//! The registered clusters, with one client each that is kept while a function is warm.

use crate::{ClusterClient, KubeError, TokenSource};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use trellis_hint::ClusterId;
use trellis_ports::{CallError, Clusters, Described, Fleet, Registry};

/// How soon a cluster that cannot be reached is described anew a second time. A rotated CA or a moved endpoint is a
/// person's act, and describing all clusters each time a unit names a dead one would use up the rate for all.
pub const DESCRIBE_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// The clusters that a registry knows.
#[derive(Debug)]
pub struct RegisteredClusters<R> {
    registry: Arc<R>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    clients: BTreeMap<ClusterId, (Described, Arc<ClusterClient>)>,
    /// When a cluster was described anew because it could not be reached.
    described_again: BTreeMap<ClusterId, Instant>,
}

impl<R: Registry> RegisteredClusters<R> {
    /// Clusters that this registry finds.
    pub fn new(registry: R) -> Self {
        Self { registry: Arc::new(registry), kept: Mutex::default() }
    }

    /// The clusters that are to be described anew now.
    fn to_describe_again(&self) -> Vec<ClusterId> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let Kept { clients, described_again } = &mut *kept;
        let flagged = clients.iter().filter(|(_, (_, client))| client.must_describe_again());
        let long_ago = |name: &ClusterId| {
            described_again.get(name).is_none_or(|at| now.duration_since(*at) >= DESCRIBE_AGAIN_AFTER)
        };
        let names: Vec<ClusterId> = flagged.map(|(name, _)| name.clone()).filter(long_ago).collect();
        described_again.extend(names.iter().map(|name| (name.clone(), now)));
        names
    }

    /// The client of a cluster: the kept one, unless the cluster is described otherwise now or is to be connected anew.
    fn client(&self, cluster: &Described, anew: bool) -> Result<Arc<ClusterClient>, KubeError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((described, client)) = kept.clients.get(&cluster.facts.id)
            && described == cluster
            && !anew
        {
            return Ok(Arc::clone(client));
        }
        let (registry, of) = (Arc::clone(&self.registry), cluster.clone());
        let token = TokenSource::new(move || {
            let (registry, of) = (Arc::clone(&registry), of.clone());
            async move { registry.token(&of).await }
        });
        let client = Arc::new(ClusterClient::connect(&cluster.endpoint, &cluster.ca_pem, token)?);
        kept.clients.insert(cluster.facts.id.clone(), (cluster.clone(), Arc::clone(&client)));
        Ok(client)
    }

    /// Forgets the clients of clusters that are not registered any more.
    fn prune(&self, registered: &[Described]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_registered = |id: &ClusterId| registered.iter().any(|one| one.facts.id == *id);
        kept.clients.retain(|id, _| is_registered(id));
        kept.described_again.retain(|id, _| is_registered(id));
    }
}

impl<R: Registry> Clusters for RegisteredClusters<R> {
    type Cluster = ClusterClient;

    async fn fleet(&self) -> Result<Fleet<ClusterClient>, CallError> {
        let again = self.to_describe_again();
        for cluster in &again {
            self.registry.describe_again(cluster);
        }
        let registered = self.registry.registered().await?;
        self.prune(&registered.clusters);
        let mut fleet = Fleet { facts: vec![], clusters: BTreeMap::new() };
        for cluster in registered.clusters {
            let id = cluster.facts.id.clone();
            let client = self.client(&cluster, again.contains(&id));
            let client = client.map_err(|error| trellis_telemetry::chain(&error).to_string());
            fleet.facts.push(cluster.facts);
            fleet.clusters.insert(id, client);
        }
        for (facts, why) in registered.unusable {
            fleet.clusters.insert(facts.id.clone(), Err(why));
            fleet.facts.push(facts);
        }
        Ok(fleet)
    }
}
