use crate::names::is_subdomain;
use crate::{ClusterId, Kind, Scope};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// The longest `MessageGroupId` that SQS takes (SQS API reference, SendMessage).
const GROUP_ID_CHARS_MAX: usize = 128;
/// Characters of an unreadable text that an error shows.
const TOLD_CHARS_MAX: usize = 300;

/// Characters of a unit's hash in tags: 128 bits, so that ownership can rest on it.
const HASH_CHARS: usize = 32;

/// The piece of work that has one writer at a time.
///
/// Its text (`route/123456789012/us-west-2/HTTPRoute/one/default/inventory`) is for people and messages. What it made in
/// VPC Lattice bears its [`UnitKey::hash`] in the owner tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum UnitKey {
    /// A service network and its VPC associations. The name is unique in the scope: its clusters share it.
    Gateway {
        /// The service network's scope.
        scope: Scope,
        /// The Gateways' name and the service network's.
        name: String,
    },
    /// A route's Lattice services with their listeners, rules, associations and target groups.
    Route {
        /// One of the route kinds.
        kind: Kind,
        /// The route's cluster.
        cluster: ClusterId,
        /// The route's namespace.
        namespace: String,
        /// The route's name.
        name: String,
    },
    /// The service of the routes of one kind, namespace and name in several clusters, whose Gateways say that they are merged.
    Merged {
        /// The scope of the clusters.
        scope: Scope,
        /// One of the route kinds.
        kind: Kind,
        /// The routes' namespace.
        namespace: String,
        /// The routes' name.
        name: String,
    },
    /// The target group that an export gives to users outside Kubernetes.
    Export {
        /// The export's cluster.
        cluster: ClusterId,
        /// The export's namespace.
        namespace: String,
        /// The export's name.
        name: String,
    },
    /// What a ResourceGateway or a ResourceConfiguration asks for: a resource gateway, or a resource configuration with its
    /// associations.
    Resource {
        /// One of the kinds of resources.
        kind: Kind,
        /// The object's cluster.
        cluster: ClusterId,
        /// The object's namespace.
        namespace: String,
        /// The object's name.
        name: String,
    },
    /// Owns nothing: turns the change of an object that others refer to into hints for those others.
    Dependents {
        /// The changed object's kind.
        kind: Kind,
        /// The changed object's cluster.
        cluster: ClusterId,
        /// The changed object's namespace; empty for a cluster-scoped kind.
        namespace: String,
        /// The changed object's name; for an EndpointSlice its Service's, with kind Service.
        name: String,
    },
    /// Owns nothing: a look at all that a cluster has, since changes of it may have gone unnoticed.
    Cluster {
        /// The cluster.
        cluster: ClusterId,
    },
}

impl UnitKey {
    /// The SQS message group: the key itself, or its hash where it is too long.
    pub fn group_id(&self) -> String {
        fitting(self.to_string())
    }

    /// 32 hexadecimal characters that stand for the key in owner tags: the SHA-256 of its text, cut to 128 bits.
    pub fn hash(&self) -> String {
        let mut text = hex(self.to_string().as_bytes());
        text.truncate(HASH_CHARS);
        text
    }

    /// The account and Region whose VPC Lattice the unit writes to.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Gateway { scope, .. } | Self::Merged { scope, .. } => scope,
            Self::Route { cluster, .. }
            | Self::Export { cluster, .. }
            | Self::Resource { cluster, .. }
            | Self::Dependents { cluster, .. }
            | Self::Cluster { cluster } => &cluster.scope,
        }
    }

    /// The cluster that the unit's object lives in; a Gateway unit has none of its own, nor has one of merged routes.
    pub fn cluster(&self) -> Option<&ClusterId> {
        match self {
            Self::Gateway { .. } | Self::Merged { .. } => None,
            Self::Route { cluster, .. }
            | Self::Export { cluster, .. }
            | Self::Resource { cluster, .. }
            | Self::Dependents { cluster, .. }
            | Self::Cluster { cluster } => Some(cluster),
        }
    }
}

/// The text itself, or its hash where it is too long for a message group.
fn fitting(text: String) -> String {
    if text.len() <= GROUP_ID_CHARS_MAX { text } else { format!("unit-{}", hex(text.as_bytes())) }
}

/// The SHA-256 of these bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.scope();
        match self {
            Self::Gateway { name, .. } => write!(f, "gateway/{scope}/{name}"),
            Self::Route { kind, cluster, namespace, name } => {
                write!(f, "route/{scope}/{kind}/{}/{namespace}/{name}", cluster.name)
            }
            Self::Merged { kind, namespace, name, .. } => {
                write!(f, "merged/{scope}/{kind}/{namespace}/{name}")
            }
            Self::Export { cluster, namespace, name } => {
                write!(f, "export/{scope}/{}/{namespace}/{name}", cluster.name)
            }
            Self::Resource { kind, cluster, namespace, name } => {
                write!(f, "resource/{scope}/{kind}/{}/{namespace}/{name}", cluster.name)
            }
            Self::Dependents { kind, cluster, namespace, name } => {
                write!(f, "dependents/{scope}/{kind}/{}/{namespace}/{name}", cluster.name)
            }
            Self::Cluster { cluster } => write!(f, "cluster/{scope}/{}", cluster.name),
        }
    }
}

/// A text that is no unit key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no unit")]
pub struct ParseUnitError(String);

impl FromStr for UnitKey {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What no object can be called must not become work: the name goes into requests, messages and tags.
        parse(text)
            .filter(Self::is_possible)
            .ok_or_else(|| ParseUnitError(text.chars().take(TOLD_CHARS_MAX).collect()))
    }
}

fn parse(text: &str) -> Option<UnitKey> {
    let (what, rest) = text.split_once('/')?;
    let (account, rest) = rest.split_once('/')?;
    let (region, rest) = rest.split_once('/')?;
    let scope = Scope::new(account, region)?;
    let parts: Vec<&str> = rest.split('/').collect();
    let named = |name: &str| is_subdomain(name).then(|| name.to_owned());
    match (what, parts.as_slice()) {
        ("gateway", [name]) => Some(UnitKey::Gateway { name: named(name)?, scope }),
        ("route", [kind, cluster, namespace, name]) => Some(UnitKey::Route {
            kind: Kind::parse(kind).filter(|kind| kind.is_route())?,
            cluster: ClusterId::new(scope, cluster)?,
            namespace: named(namespace)?,
            name: named(name)?,
        }),
        ("merged", [kind, namespace, name]) => Some(UnitKey::Merged {
            kind: Kind::parse(kind).filter(|kind| kind.is_route())?,
            scope,
            namespace: named(namespace)?,
            name: named(name)?,
        }),
        ("export", [cluster, namespace, name]) => Some(UnitKey::Export {
            cluster: ClusterId::new(scope, cluster)?,
            namespace: named(namespace)?,
            name: named(name)?,
        }),
        ("resource", [kind, cluster, namespace, name]) => Some(UnitKey::Resource {
            kind: Kind::parse(kind).filter(|kind| kind.is_resource())?,
            cluster: ClusterId::new(scope, cluster)?,
            namespace: named(namespace)?,
            name: named(name)?,
        }),
        ("dependents", [kind, cluster, namespace, name]) => Some(UnitKey::Dependents {
            kind: Kind::parse(kind)?,
            cluster: ClusterId::new(scope, cluster)?,
            namespace: if namespace.is_empty() { String::new() } else { named(namespace)? },
            name: named(name)?,
        }),
        ("cluster", [cluster]) => Some(UnitKey::Cluster { cluster: ClusterId::new(scope, cluster)? }),
        _ => None,
    }
}

impl From<UnitKey> for String {
    fn from(key: UnitKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for UnitKey {
    type Error = ParseUnitError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_from_their_text() {
        for text in [
            "gateway/123456789012/us-west-2/my-hotel",
            "route/123456789012/us-west-2/HTTPRoute/one/default/inventory",
            "merged/123456789012/us-west-2/HTTPRoute/default/inventory",
            "export/123456789012/us-west-2/two/default/inventory-ver2",
            "resource/123456789012/us-west-2/ResourceGateway/one/default/databases",
            "dependents/123456789012/us-west-2/Service/one/default/parking",
            "dependents/123456789012/us-west-2/GatewayClass/one//amazon-vpc-lattice",
            "cluster/123456789012/us-west-2/one",
        ] {
            assert_eq!(text.parse::<UnitKey>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn texts_that_name_no_unit_are_refused() {
        let scope = "123456789012/us-west-2";
        for text in [
            String::new(),
            "gateway/my-hotel".into(),
            format!("gateway/{scope}/"),
            format!("gateway/{scope}/a/b"),
            format!("gateway/{scope}/A_b"),
            format!("gateway/{scope}/{}", "g".repeat(254)),
            "gateway/12345/us-west-2/a".into(),
            format!("route/{scope}/Service/one/a/b"),
            format!("route/{scope}/HTTPRoute/one//b"),
            format!("route/{scope}/HTTPRoute/o ne/a/b"),
            format!("route/{scope}/HTTPRoute/one/a.b/c"),
            format!("resource/{scope}/Service/one/a/b"),
            format!("resource/{scope}/ResourceGateway/one/a.b/c"),
            format!("merged/{scope}/Service/a/b"),
            format!("merged/{scope}/HTTPRoute/a.b/c"),
            format!("merged/{scope}/HTTPRoute/one/a/b"),
            format!("dependents/{scope}/Service/one/a/b.c"),
            format!("dependents/{scope}/Service/one//a"),
            format!("dependents/{scope}/GatewayClass/one/a/b"),
            format!("export/{scope}/one/a"),
            format!("cluster/{scope}/one/a"),
            format!("pods/{scope}/a"),
        ] {
            assert!(text.parse::<UnitKey>().is_err(), "{text}");
        }
    }

    fn longest(name: usize) -> UnitKey {
        let scope = Scope::new("123456789012", "us-west-2").unwrap();
        UnitKey::Route {
            kind: Kind::HTTPRoute,
            cluster: ClusterId::new(scope, &"c".repeat(100)).unwrap(),
            namespace: "n".repeat(63),
            name: "r".repeat(name),
        }
    }

    #[test]
    fn a_group_id_never_exceeds_what_sqs_takes() {
        assert!(longest(253).group_id().len() <= GROUP_ID_CHARS_MAX);
        assert_ne!(longest(253).group_id(), longest(252).group_id());
    }

    #[test]
    fn a_hash_is_short_and_another_for_another_account() {
        assert_eq!(longest(253).hash().len(), HASH_CHARS);
        let hash = |text: &str| text.parse::<UnitKey>().unwrap().hash();
        assert_ne!(
            hash("route/123456789012/us-west-2/HTTPRoute/prod/shop/cart"),
            hash("route/210987654321/us-west-2/HTTPRoute/prod/shop/cart")
        );
        // What stands in people's accounts, and what `migrate/` computes as well (tests/stack/test_migrate.py).
        assert_eq!(hash("gateway/123456789012/us-west-2/my-hotel"), "0f4c0d05ee33cdef448e732b67eab8ba");
    }
}
