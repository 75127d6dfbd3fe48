use super::known::{Description, Known};
use super::registry::{ClusterTag, Registration, Registry, access};
use super::token::{TokenError, eks_token};
use crate::AwsError;
use crate::tagging::TagIndex;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_eks::Client;
use futures::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};
use trellis_hint::ClusterId;

/// DescribeCluster calls side by side; EKS throttles reads at a few dozen a second.
const DESCRIBES_AT_ONCE: usize = 8;
/// How long descriptions may take together. A unit waits for them; who is not described by then is unusable and comes
/// next time.
const DESCRIBES_MAX: Duration = Duration::from_secs(10);
/// Registered clusters that are looked at; the EKS quota is 100 a Region, and raised ones are rarely above this.
const CLUSTERS_MAX: usize = 1_000;
/// The type of clusters in the index of tags.
const RESOURCE_TYPE: &str = "eks:cluster";

/// Finds the registered clusters and makes tokens for them.
pub struct Clusters {
    eks: Client,
    tags: TagIndex,
    credentials: Option<SharedCredentialsProvider>,
    tag: ClusterTag,
    known: tokio::sync::Mutex<Known>,
    /// Clusters whose description has proved wrong.
    again: Mutex<BTreeSet<ClusterId>>,
}

impl Clusters {
    pub(crate) fn new(
        eks: Client,
        tags: TagIndex,
        credentials: Option<SharedCredentialsProvider>,
        tag: ClusterTag,
    ) -> Self {
        Self { eks, tags, credentials, tag, known: tokio::sync::Mutex::default(), again: Mutex::default() }
    }

    /// All clusters of account and Region that bear the tag: found by it once a minute, each described once in ten
    /// minutes. No call is made for any other cluster.
    ///
    /// A cluster that cannot be described is unusable, and costs no other one. When the search fails, the last good one
    /// serves; an error is what has never succeeded.
    pub async fn registered(&self) -> Result<Registry, AwsError> {
        // Whoever asks meanwhile waits for this one answer.
        let mut known = self.known.lock().await;
        let now = SystemTime::now();
        if known.must_search(now) {
            match self.search().await {
                Ok(found) => known.found(now, found),
                Err(error) => match known.age(now) {
                    None => return Err(error),
                    Some(age) => tracing::warn!(
                        age_s = age.as_secs(), error = %error,
                        "registered clusters cannot be searched for: those of the last search count"
                    ),
                },
            }
        } else if known.age(now).is_none() {
            return Err(AwsError::late("GetResources", "it has failed a moment ago".to_owned()));
        }
        self.describe_due(&mut known, now).await;
        Ok(known.registry())
    }

    /// Has a cluster described anew when it is next asked for, at most twice a minute: call it when its API server cannot
    /// be reached or shows a certificate that is not of the known CA.
    pub fn describe_again(&self, cluster: &ClusterId) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        if again.len() < CLUSTERS_MAX {
            again.insert(cluster.clone());
        }
    }

    /// A new bearer token for the cluster's API server. Signed anew each time: the client of the cluster keeps it, and asks
    /// again when it is refused.
    pub async fn token(&self, cluster: &ClusterId) -> Result<String, TokenError> {
        let ClusterId { scope, name } = cluster;
        let provider = self
            .credentials
            .as_ref()
            .ok_or_else(|| TokenError::new(name, "no credentials are configured"))?;
        let credentials =
            provider.provide_credentials().await.map_err(|error| TokenError::new(name, error))?;
        eks_token(&credentials, &scope.region, name, SystemTime::now())
    }

    async fn search(&self) -> Result<BTreeMap<ClusterId, Registration>, AwsError> {
        let found = self.tags.find(RESOURCE_TYPE, &[(self.tag.key(), None)]).await?;
        let mut clusters = BTreeMap::new();
        for (arn, tags) in found {
            let registration = tags.get(self.tag.key()).and_then(|value| self.tag.registration(value));
            match (arn.parse(), registration) {
                (Ok(id), Some(registration)) => {
                    clusters.insert(id, registration);
                }
                (Err(error), _) => tracing::warn!(%error, "a registered cluster is left out"),
                (Ok(_), None) => {
                    tracing::debug!(arn, "the registration tag has a value that means nothing");
                }
            }
        }
        if clusters.len() > CLUSTERS_MAX {
            let text = format!("{} registered clusters, more than {CLUSTERS_MAX}", clusters.len());
            return Err(AwsError::refused("GetResources", text));
        }
        Ok(clusters)
    }

    async fn describe_due(&self, known: &mut Known, now: SystemTime) {
        let due = known.due(now, &mut self.again.lock().unwrap_or_else(PoisonError::into_inner));
        let until = Instant::now() + DESCRIBES_MAX;
        let described = due.into_iter().map(|id| self.describe(id));
        let mut described = stream::iter(described).buffer_unordered(DESCRIBES_AT_ONCE);
        while let Ok(Some((id, description))) = timeout_at(until, described.next()).await {
            if let Description::Unusable(why) | Description::Untold(why) = &description {
                tracing::warn!(cluster = %id, why, "registered cluster not described");
            }
            known.described(now, &id, description);
        }
    }

    async fn describe(&self, id: ClusterId) -> (ClusterId, Description) {
        let answer = self.eks.describe_cluster().name(&id.name).send().await;
        let description = match answer.map(|output| output.cluster) {
            Ok(Some(cluster)) => match access(&cluster, &id) {
                Ok(access) => Description::Usable(access),
                Err(why) => Description::Unusable(why),
            },
            Ok(None) => Description::Untold("DescribeCluster gives no cluster".to_owned()),
            Err(error) => {
                let error = AwsError::from_sdk("DescribeCluster", error);
                if error.is_not_found() {
                    Description::Unusable("EKS says that it does not exist".to_owned())
                } else {
                    Description::Untold(error.to_string())
                }
            }
        };
        (id, description)
    }
}

impl fmt::Debug for Clusters {
    /// Without what is known and what signs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clusters").field("tag", &self.tag).finish_non_exhaustive()
    }
}
