//! What a registered cluster is: the tag that registers it, and what must be known to ask its API server.

use aws_sdk_eks::types::{self as sdk, Cluster, ClusterStatus, VpcConfigResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use trellis_hint::ClusterId;
use trellis_lattice::{IpFamily, Mode, Tags};

/// The tag's value by which a person says that a cluster leaves.
const LEAVING: &str = "leaving";
/// The tag that names the set that a cluster is in.
pub const CLUSTER_SET_TAG: &str = "trellis:cluster-set";

/// The tag that says how much may be done for a cluster: `observe`, `upsert` or `sync`.
pub const MODE_TAG: &str = "trellis:mode";

/// The tag that registers a cluster.
///
/// | value | meaning |
/// |---|---|
/// | the one given here | registered |
/// | `leaving` | leaves: what it has and shares is taken back |
/// | any other, or no such tag | not registered: nothing is known of it, so nothing is done |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTag {
    key: String,
    value: String,
}

/// A text that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a cluster tag (hint: write it as key=value, such as trellis:registered=true; the value {LEAVING} is taken)"
)]
pub struct ParseClusterTagError(String);

/// What a person has said of a cluster, by its tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// Whether it takes part.
    pub registration: Registration,
    /// The value of [`CLUSTER_SET_TAG`], empty without one.
    pub cluster_set: String,
    /// The value of [`MODE_TAG`]; everything without one. A value that is no mode lets nothing be done, since somebody who
    /// wanted less than everything must not get all of it by a slip.
    pub mode: Mode,
}

/// Whether a cluster takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Registration {
    /// It takes part.
    Registered,
    /// It leaves.
    Leaving,
}

impl ClusterTag {
    /// The tag's key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What these tags of a cluster say; none if they say nothing that is known.
    pub(super) fn membership(&self, tags: &Tags) -> Option<Membership> {
        let registration = match tags.get(&self.key)?.as_str() {
            LEAVING => Registration::Leaving,
            value if value == self.value => Registration::Registered,
            _ => return None,
        };
        let mode = tags.get(MODE_TAG).map(|text| text.parse::<Mode>());
        if let Some(Err(error)) = &mode {
            tracing::warn!(tag = MODE_TAG, %error, "a cluster is only observed");
        }
        let mode = mode.map_or(Mode::Sync, |mode| mode.unwrap_or(Mode::Observe));
        let cluster_set = tags.get(CLUSTER_SET_TAG).cloned().unwrap_or_default();
        Some(Membership { registration, cluster_set, mode })
    }
}

impl FromStr for ClusterTag {
    type Err = ParseClusterTagError;

    /// Reads `key=value`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && value != LEAVING => {
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
    /// Which one.
    pub id: ClusterId,
    /// What a person has said of it.
    pub membership: Membership,
    /// `https://…` of the API server.
    pub endpoint: String,
    /// All certificates of the CA bundle as PEM; during a rotation there are two.
    pub ca_pem: Vec<u8>,
    /// The VPC that Pods have their addresses in.
    pub vpc: String,
    /// Its subnets of the cluster's control plane.
    pub subnets: BTreeSet<String>,
    /// The security group that EKS makes for the cluster and its nodes.
    pub security_group: Option<String>,
    /// The family of the addresses that its Pods and Services have.
    pub ip_family: Option<IpFamily>,
}

/// A registered cluster that cannot be asked now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unusable {
    /// Which one.
    pub id: ClusterId,
    /// What a person has said of it.
    pub membership: Membership,
    /// Why, in words.
    pub why: String,
}

/// All clusters that bear the tag with a value that means something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// Those whose API server can be asked.
    pub clusters: BTreeMap<ClusterId, RegisteredCluster>,
    /// Those that cannot be asked now, in order. Their objects are unknown: nothing is to be deleted for them.
    pub unusable: Vec<Unusable>,
}

/// Where a cluster's API server is and how it is known, as DescribeCluster tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) endpoint: String,
    pub(super) ca_pem: Vec<u8>,
    pub(super) vpc: String,
    pub(super) subnets: BTreeSet<String>,
    pub(super) security_group: Option<String>,
    pub(super) ip_family: Option<IpFamily>,
}

/// What of a description is needed to ask the cluster, or what is in the way, in words.
pub(super) fn access(cluster: &Cluster, id: &ClusterId) -> Result<Access, String> {
    let status = cluster.status.as_ref().map_or("absent", ClusterStatus::as_str);
    let missing = |what: &str| format!("DescribeCluster gives no {what} (status {status})");
    if let Some(status @ (ClusterStatus::Deleting | ClusterStatus::Failed)) = &cluster.status {
        return Err(format!("its status is {status}"));
    }
    if let Some(other) = cluster.arn.as_ref().filter(|other| other.parse().as_ref() != Ok(id)) {
        return Err(format!("DescribeCluster describes another cluster, {other:?}"));
    }
    let endpoint = cluster.endpoint.clone().ok_or_else(|| missing("endpoint"))?;
    let data = cluster.certificate_authority.as_ref().and_then(|ca| ca.data.as_deref());
    let ca_pem = STANDARD
        .decode(data.ok_or_else(|| missing("certificateAuthority.data"))?)
        .map_err(|error| format!("its certificateAuthority.data is not base64: {error}"))?;
    let config = cluster.resources_vpc_config.as_ref();
    let vpc = config.and_then(|config| config.vpc_id.clone());
    let vpc = vpc.ok_or_else(|| missing("resourcesVpcConfig.vpcId"))?;
    let subnets = config.into_iter().flat_map(VpcConfigResponse::subnet_ids).cloned().collect();
    let security_group = config.and_then(|config| config.cluster_security_group_id.clone());
    let network = cluster.kubernetes_network_config.as_ref();
    let ip_family = match network.and_then(|network| network.ip_family.as_ref()) {
        Some(sdk::IpFamily::Ipv4) => Some(IpFamily::Ipv4),
        Some(sdk::IpFamily::Ipv6) => Some(IpFamily::Ipv6),
        _ => None,
    };
    Ok(Access { endpoint, ca_pem, vpc, subnets, security_group, ip_family })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::Certificate;
    use proptest::prelude::*;

    const ARN: &str = "arn:aws:eks:us-west-2:000000000000:cluster/one";

    fn id() -> ClusterId {
        ARN.parse().unwrap()
    }

    fn cluster() -> aws_sdk_eks::types::builders::ClusterBuilder {
        Cluster::builder()
            .arn(ARN)
            .status(ClusterStatus::Active)
            .endpoint("https://example.invalid")
            .certificate_authority(Certificate::builder().data(STANDARD.encode("one\ntwo\n")).build())
            .resources_vpc_config(
                VpcConfigResponse::builder()
                    .vpc_id("vpc-1")
                    .subnet_ids("subnet-1")
                    .subnet_ids("subnet-2")
                    .cluster_security_group_id("sg-1")
                    .build(),
            )
    }

    #[test]
    fn a_description_gives_the_endpoint_the_whole_bundle_and_the_vpc() {
        let access = access(&cluster().build(), &id()).unwrap();
        assert_eq!(access.ca_pem, b"one\ntwo\n", "the whole bundle");
        assert_eq!((access.endpoint.as_str(), access.vpc.as_str()), ("https://example.invalid", "vpc-1"));
        assert_eq!(access.subnets, ["subnet-1", "subnet-2"].map(str::to_owned).into());
        assert_eq!(access.security_group.as_deref(), Some("sg-1"));
        assert_eq!(access.ip_family, None, "not told");
    }

    #[test]
    fn a_description_tells_the_family_of_the_clusters_addresses() {
        let of = |family| {
            let network = sdk::KubernetesNetworkConfigResponse::builder().ip_family(family).build();
            access(&cluster().kubernetes_network_config(network).build(), &id()).unwrap().ip_family
        };
        assert_eq!(of(sdk::IpFamily::Ipv4), Some(IpFamily::Ipv4));
        assert_eq!(of(sdk::IpFamily::Ipv6), Some(IpFamily::Ipv6));
        assert_eq!(of(sdk::IpFamily::from("ipv8")), None);
    }

    #[test]
    fn a_description_that_cannot_be_used_is_told_with_the_reason() {
        let why = |cluster: Cluster| access(&cluster, &id()).unwrap_err();
        let creating = cluster().set_endpoint(None).status(ClusterStatus::Creating).build();
        assert_eq!(why(creating), "DescribeCluster gives no endpoint (status CREATING)");
        let garbled = cluster().certificate_authority(Certificate::builder().data("§").build()).build();
        assert!(why(garbled).starts_with("its certificateAuthority.data is not base64"));
        assert_eq!(why(cluster().status(ClusterStatus::Deleting).build()), "its status is DELETING");
        let other = cluster().arn("arn:aws:eks:us-west-2:000000000000:cluster/two").build();
        assert!(why(other).contains("another cluster"));
        assert!(why(Cluster::builder().build()).contains("status absent"), "nothing at all");
    }

    #[test]
    fn a_tag_is_written_as_key_and_value_and_says_registered_leaving_or_nothing() {
        let tag: ClusterTag = "trellis:registered=true".parse().unwrap();
        assert_eq!(tag, ClusterTag::default());
        let said = |value: &str, set: Option<&str>| {
            let set = set.map(|set| (CLUSTER_SET_TAG.to_owned(), set.to_owned()));
            let tags = [("trellis:registered".to_owned(), value.to_owned())].into_iter().chain(set).collect();
            tag.membership(&tags).map(|said| (said.registration, said.cluster_set))
        };
        assert_eq!(said("true", None), Some((Registration::Registered, String::new())));
        assert_eq!(said("leaving", Some("staging")), Some((Registration::Leaving, "staging".to_owned())));
        assert_eq!((said("false", None), said("", None)), (None, None));
        let mode = |text: &str| {
            let tags = [("trellis:registered", "true"), (MODE_TAG, text)];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            tag.membership(&tags).unwrap().mode
        };
        assert_eq!(
            [mode("observe"), mode("upsert"), mode("sync")],
            [Mode::Observe, Mode::Upsert, Mode::Sync]
        );
        assert_eq!(mode("Upsert"), Mode::Observe, "a slip must not let more be done");
        assert_eq!(tag.membership(&Tags::new()), None);
        for text in ["trellis", "=x", "trellis:registered=leaving"] {
            assert!(text.parse::<ClusterTag>().is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_description_of_any_texts_is_refused_in_words_or_tells_an_endpoint_a_bundle_and_a_vpc(
            arn in prop::option::of(prop_oneof![Just(ARN.to_owned()), ".{0,60}"]),
            endpoint in prop::option::of(".{0,60}"),
            data in prop::option::of(prop_oneof!["[A-Za-z0-9+/=]{0,80}", ".{0,60}"]),
            vpc in prop::option::of(".{0,30}"),
            status in prop::option::of("[A-Z]{0,12}"),
        ) {
            let description = Cluster::builder()
                .set_arn(arn.clone())
                .set_endpoint(endpoint.clone())
                .set_status(status.map(|status| ClusterStatus::from(status.as_str())))
                .certificate_authority(Certificate::builder().set_data(data).build())
                .resources_vpc_config(VpcConfigResponse::builder().set_vpc_id(vpc.clone()).build())
                .build();
            match access(&description, &id()) {
                Ok(access) => {
                    prop_assert_eq!((Some(access.endpoint), Some(access.vpc)), (endpoint, vpc));
                    prop_assert!(arn.is_none_or(|arn| arn == ARN));
                }
                Err(why) => prop_assert!(!why.is_empty()),
            }
        }

        #[test]
        fn tags_of_any_texts_register_only_by_the_very_value(
            text in prop_oneof!["[a-z:]{0,12}=[a-z]{0,8}", ".{0,40}"],
            value in prop_oneof![Just("leaving".to_owned()), "[a-z]{0,8}", ".{0,40}"],
        ) {
            if let Ok(tag) = text.parse::<ClusterTag>() {
                prop_assert_eq!(&tag.to_string(), &text);
                let tags = Tags::from([(tag.key.clone(), value.clone())]);
                let said = tag.membership(&tags).map(|said| said.registration);
                let expected = match value.as_str() {
                    "leaving" => Some(Registration::Leaving),
                    value => (value == tag.value).then_some(Registration::Registered),
                };
                prop_assert_eq!(said, expected);
            }
        }
    }
}
