use super::token::{TokenError, eks_token};
use crate::AwsError;
use crate::cache::Cached;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_eks::Client;
use aws_sdk_eks::types::{Cluster, ClusterStatus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long the registry is kept while a function is warm. Registering is a person's act; a minute is no wait.
const REGISTRY_AGE_MAX: Duration = Duration::from_mins(1);
/// DescribeCluster calls side by side; EKS throttles reads at a few dozen a second.
const DESCRIBES_AT_ONCE: usize = 8;
/// Clusters that are looked at; the EKS quota is 100 a Region, and raised ones are rarely above this.
const CLUSTERS_MAX: usize = 1_000;

/// The tag that registers a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTag {
    key: String,
    value: String,
}

/// A text that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a cluster tag (hint: write it as key=value, such as trellis:registered=true)")]
pub struct ParseClusterTagError(String);

impl FromStr for ClusterTag {
    type Err = ParseClusterTagError;

    /// Reads `key=value`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(ParseClusterTagError(text.to_owned())),
        }
    }
}

impl Default for ClusterTag {
    fn default() -> Self {
        Self { key: "trellis:registered".to_owned(), value: "true".to_owned() }
    }
}

impl fmt::Display for ClusterTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// A registered cluster whose API server can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredCluster {
    /// Name, unique in account and Region.
    pub name: String,
    /// `arn:aws:eks:<region>:<account>:cluster/<name>`.
    pub arn: String,
    /// Twelve digits, from the ARN.
    pub account: String,
    /// From the ARN.
    pub region: String,
    /// `https://…` of the API server.
    pub endpoint: String,
    /// All certificates of the CA bundle as PEM; during a rotation there are two.
    pub ca_pem: Vec<u8>,
    /// The VPC that Pods have their addresses in.
    pub vpc: String,
}

/// A registered cluster that cannot be asked now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unusable {
    /// The cluster's ARN; empty where EKS gave none.
    pub arn: String,
    /// Name.
    pub name: String,
    /// What is missing, in words.
    pub why: String,
}

/// All clusters that bear the tag, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// Those whose API server can be asked, by name.
    pub clusters: BTreeMap<String, RegisteredCluster>,
    /// Those that bear the tag and cannot be asked now. Their objects are unknown: nothing is to be deleted for them.
    pub unusable: Vec<Unusable>,
}

/// Finds the registered clusters and signs tokens for them.
#[derive(Debug)]
pub struct Clusters {
    eks: Client,
    credentials: Option<SharedCredentialsProvider>,
    tag: ClusterTag,
    registry: Cached<Registry>,
}

impl Clusters {
    pub(crate) fn new(eks: Client, credentials: Option<SharedCredentialsProvider>, tag: ClusterTag) -> Self {
        Self { eks, credentials, tag, registry: Cached::new(REGISTRY_AGE_MAX) }
    }

    /// All registered clusters of account and Region: ListClusters and one DescribeCluster each, kept for a minute.
    pub async fn registered(&self) -> Result<Arc<Registry>, AwsError> {
        self.registry.get(SystemTime::UNIX_EPOCH, self.load()).await
    }

    /// Forgets the registry: call it when an API server cannot be reached, or shows a certificate that is not of the
    /// known CA, and ask once more.
    pub async fn forget(&self) {
        self.registry.forget().await;
    }

    /// A new bearer token for the API server of the cluster of that name in `region`. Signed anew each time: the client of
    /// the cluster keeps it, and asks again when it is refused.
    pub async fn token(&self, region: &str, name: &str) -> Result<String, TokenError> {
        let provider = self
            .credentials
            .as_ref()
            .ok_or_else(|| TokenError::new(name, "no credentials are configured"))?;
        let credentials =
            provider.provide_credentials().await.map_err(|error| TokenError::new(name, error))?;
        eks_token(&credentials, region, name, SystemTime::now())
    }

    async fn load(&self) -> Result<Registry, AwsError> {
        let mut pages = self.eks.list_clusters().into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(name) = pages.next().await {
            names.push(name.map_err(|error| AwsError::from_sdk("ListClusters", error))?);
            if names.len() > CLUSTERS_MAX {
                return Err(AwsError::refused("ListClusters", format!("more than {CLUSTERS_MAX} clusters")));
            }
        }
        let described: Vec<Option<Cluster>> = stream::iter(names)
            .map(|name| self.describe(name))
            .buffer_unordered(DESCRIBES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(registry(described.into_iter().flatten(), &self.tag))
    }

    async fn describe(&self, name: String) -> Result<Option<Cluster>, AwsError> {
        match self.eks.describe_cluster().name(name).send().await {
            Ok(output) => Ok(output.cluster),
            Err(error) => {
                let error = AwsError::from_sdk("DescribeCluster", error);
                // It was deleted since the listing.
                if error.is_not_found() { Ok(None) } else { Err(error) }
            }
        }
    }
}

fn registry(described: impl Iterator<Item = Cluster>, tag: &ClusterTag) -> Registry {
    let mut registry = Registry::default();
    for cluster in described {
        let tagged = cluster
            .tags
            .as_ref()
            .and_then(|tags| tags.get(&tag.key))
            .is_some_and(|value| *value == tag.value);
        if !tagged {
            continue;
        }
        let name = cluster.name.clone().unwrap_or_default();
        match usable(&cluster) {
            Ok(usable) => {
                registry.clusters.insert(name, usable);
            }
            Err(why) => {
                let arn = cluster.arn.clone().unwrap_or_default();
                registry.unusable.push(Unusable { arn, name, why });
            }
        }
    }
    registry.unusable.sort();
    registry
}

fn usable(cluster: &Cluster) -> Result<RegisteredCluster, String> {
    let status = cluster.status.as_ref().map_or("absent", ClusterStatus::as_str);
    let missing = |what: &str| format!("DescribeCluster gives no {what} (status {status})");
    if let Some(status @ (ClusterStatus::Deleting | ClusterStatus::Failed)) = &cluster.status {
        return Err(format!("its status is {status}"));
    }
    let endpoint = cluster.endpoint.clone().ok_or_else(|| missing("endpoint"))?;
    let data = cluster.certificate_authority.as_ref().and_then(|ca| ca.data.as_deref());
    let ca_pem = STANDARD
        .decode(data.ok_or_else(|| missing("certificateAuthority.data"))?)
        .map_err(|error| format!("its certificateAuthority.data is not base64: {error}"))?;
    let vpc = cluster.resources_vpc_config.as_ref().and_then(|config| config.vpc_id.clone());
    let arn = cluster.arn.clone().ok_or_else(|| missing("arn"))?;
    let parts: Vec<&str> = arn.split(':').collect();
    let &[_, _, _, region, account, ..] = parts.as_slice() else {
        return Err(format!("its ARN {arn:?} has too few parts"));
    };
    Ok(RegisteredCluster {
        name: cluster.name.clone().ok_or_else(|| missing("name"))?,
        account: account.to_owned(),
        region: region.to_owned(),
        endpoint,
        ca_pem,
        vpc: vpc.ok_or_else(|| missing("resourcesVpcConfig.vpcId"))?,
        arn,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{Certificate, VpcConfigResponse};

    fn cluster(name: &str) -> aws_sdk_eks::types::builders::ClusterBuilder {
        Cluster::builder()
            .name(name)
            .arn(format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}"))
            .status(ClusterStatus::Active)
            .tags("trellis:registered", "true")
            .endpoint("https://example.invalid")
            .certificate_authority(Certificate::builder().data(STANDARD.encode("one\ntwo\n")).build())
            .resources_vpc_config(VpcConfigResponse::builder().vpc_id("vpc-1").build())
    }

    #[test]
    fn only_clusters_with_the_tag_are_registered() {
        let other = Cluster::builder().name("other").tags("trellis:registered", "no").build();
        let registry = registry([cluster("one").build(), other].into_iter(), &ClusterTag::default());
        assert_eq!(registry.clusters.keys().collect::<Vec<_>>(), ["one"]);
        assert!(registry.unusable.is_empty());
        let one = &registry.clusters["one"];
        assert_eq!((one.account.as_str(), one.region.as_str()), ("000000000000", "us-west-2"));
        assert_eq!(one.ca_pem, b"one\ntwo\n", "the whole bundle");
    }

    #[test]
    fn a_registered_cluster_that_cannot_be_asked_is_named_with_the_reason() {
        let creating = cluster("new").set_endpoint(None).status(ClusterStatus::Creating).build();
        let garbled = cluster("odd").certificate_authority(Certificate::builder().data("§").build()).build();
        let going = cluster("going").status(ClusterStatus::Deleting).build();
        let registry = registry([creating, garbled, going].into_iter(), &ClusterTag::default());
        assert!(registry.clusters.is_empty());
        let why: Vec<&str> = registry.unusable.iter().map(|unusable| unusable.why.as_str()).collect();
        assert_eq!(why[0], "its status is DELETING");
        assert_eq!(why[1], "DescribeCluster gives no endpoint (status CREATING)");
        assert!(why[2].starts_with("its certificateAuthority.data is not base64"), "{why:?}");
    }

    #[test]
    fn a_tag_is_written_as_key_and_value() {
        assert_eq!("trellis:registered=true".parse(), Ok(ClusterTag::default()));
        assert!("trellis".parse::<ClusterTag>().is_err() && "=x".parse::<ClusterTag>().is_err());
    }
}
