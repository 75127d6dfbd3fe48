use crate::CallError;
use std::error::Error;
use trellis_gateway::ClusterFacts;
use trellis_hint::ClusterId;

/// Where the registered clusters are written down.
pub trait Registry: Send + Sync + 'static {
    /// All registered clusters; what is known of a moment ago may be told again.
    fn registered(&self) -> impl Future<Output = Result<Registered, CallError>> + Send;

    /// Has one cluster described anew when it is next asked for: its API server could not be reached, or showed a
    /// certificate that is not of its known CA.
    fn describe_again(&self, cluster: &ClusterId);

    /// A new bearer token for the cluster's API server. Made anew each time: who asks keeps it.
    fn token(
        &self,
        cluster: &Described,
    ) -> impl Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send;
}

/// The registered clusters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registered {
    /// Those whose API server can be asked.
    pub clusters: Vec<Described>,
    /// Those that cannot be asked now, with what is missing. Their objects are unknown.
    pub unusable: Vec<(ClusterFacts, String)>,
}

/// How a cluster's API server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What is known of the cluster without asking it.
    pub facts: ClusterFacts,
    /// `https://…` of the API server.
    pub endpoint: String,
    /// All certificates of the CA bundle as PEM; during a rotation there are two.
    pub ca_pem: Vec<u8>,
}
