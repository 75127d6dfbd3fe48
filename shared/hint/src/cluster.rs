use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Digits of an AWS account's id (IAM User Guide, account identifiers).
const ACCOUNT_DIGITS: usize = 12;
/// The longest name of a Region that is accepted. The longest known is `us-isof-south-1`.
const REGION_CHARS_MAX: usize = 32;
/// The longest name of an EKS cluster (EKS API reference, CreateCluster).
const CLUSTER_NAME_CHARS_MAX: usize = 100;

/// An account and a Region: names and tags of VPC Lattice are unique there, and there is one writer for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The AWS account's 12 digits.
    pub account: String,
    /// The Region, such as `us-west-2`.
    pub region: String,
}

impl Scope {
    /// The scope of this account and Region, if they can be ones.
    pub fn new(account: &str, region: &str) -> Option<Self> {
        let is_account = account.len() == ACCOUNT_DIGITS && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_region = (1..=REGION_CHARS_MAX).contains(&region.len())
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (is_account && is_region).then(|| Self { account: account.into(), region: region.into() })
    }

    /// The partition that the Region is in (AWS General Reference, ARNs).
    pub fn partition(&self) -> &'static str {
        const PARTITIONS: [(&str, &str); 7] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("eusc-", "aws-eusc"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
        ];
        let found = PARTITIONS.into_iter().find(|(prefix, _)| self.region.starts_with(prefix));
        found.map_or("aws", |(_, partition)| partition)
    }
}

/// `<account>/<region>`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// An EKS cluster: its scope and its name, which is unique there. Written as the cluster's ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ClusterId {
    /// The EKS cluster's name: what people are told. It comes first, since comparing it mostly tells two clusters apart.
    pub name: String,
    /// Account and Region.
    pub scope: Scope,
}

impl ClusterId {
    /// The cluster of this name in a scope, if it can be one.
    pub fn new(scope: Scope, name: &str) -> Option<Self> {
        is_cluster_name(name).then(|| Self { scope, name: name.into() })
    }
}

/// EKS takes letters, digits, hyphens and underscores, the first a letter or digit (EKS API reference, CreateCluster).
fn is_cluster_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=CLUSTER_NAME_CHARS_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(is_inner)
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, name } = self;
        let Scope { account, region } = scope;
        write!(f, "arn:{}:eks:{region}:{account}:cluster/{name}", scope.partition())
    }
}

/// A text that is no EKS cluster's ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no ARN of an EKS cluster; it looks like arn:aws:eks:us-west-2:123456789012:cluster/my-cluster"
)]
pub struct ParseClusterError(String);

impl FromStr for ClusterId {
    type Err = ParseClusterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseClusterError(text.chars().take(300).collect());
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "eks", region, account, resource] = *parts.as_slice() else {
            return Err(wrong());
        };
        let scope = Scope::new(account, region).filter(|scope| scope.partition() == partition);
        let name = resource.strip_prefix("cluster/").ok_or_else(wrong)?;
        scope.and_then(|scope| Self::new(scope, name)).ok_or_else(wrong)
    }
}

impl From<ClusterId> for String {
    fn from(cluster: ClusterId) -> Self {
        cluster.to_string()
    }
}

impl TryFrom<String> for ClusterId {
    type Error = ParseClusterError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_arn_is_read_back() {
        for text in [
            "arn:aws:eks:us-west-2:123456789012:cluster/one",
            "arn:aws-cn:eks:cn-north-1:123456789012:cluster/One_2-x",
            "arn:aws-eusc:eks:eusc-de-east-1:123456789012:cluster/one",
            "arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/one",
        ] {
            assert_eq!(text.parse::<ClusterId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_clusters_arn_is_refused() {
        let long = format!("arn:aws:eks:us-west-2:123456789012:cluster/{}", "c".repeat(101));
        for text in [
            "",
            "one",
            "arn:aws:eks:us-west-2:123456789012:cluster/",
            "arn:aws:eks:us-west-2:123456789012:cluster/a/b",
            "arn:aws:eks:us-west-2:123456789012:nodegroup/one",
            "arn:aws:eks:us-west-2:12345678901:cluster/one",
            "arn:aws:eks::123456789012:cluster/one",
            "arn:aws-cn:eks:us-west-2:123456789012:cluster/one",
            "arn:aws:ec2:us-west-2:123456789012:cluster/one",
            &long,
        ] {
            assert!(text.parse::<ClusterId>().is_err(), "{text}");
        }
    }
}
