use crate::Kind;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// The longest `MessageGroupId` that SQS takes (SQS API reference, SendMessage).
const GROUP_ID_CHARS_MAX: usize = 128;

/// The piece of work that has one writer at a time.
///
/// Written as text (`route/HTTPRoute/one/default/inventory`) it is the value of the owner tag of every VPC Lattice
/// resource that the unit made, so an orphan leads back to its unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum UnitKey {
    /// A service network and its VPC associations. The name is account-wide: clusters share it.
    Gateway {
        /// The Gateways' name and the service network's.
        name: String,
    },
    /// A route's Lattice services with their listeners, rules, associations and target groups.
    Route {
        /// One of the route kinds.
        kind: Kind,
        /// The route's cluster.
        cluster: String,
        /// The route's namespace.
        namespace: String,
        /// The route's name.
        name: String,
    },
    /// The target group that an export gives to users outside Kubernetes.
    Export {
        /// The export's cluster.
        cluster: String,
        /// The export's namespace.
        namespace: String,
        /// The export's name.
        name: String,
    },
    /// Owns nothing: turns the change of an object that others refer to into hints for those others.
    Dependents {
        /// The changed object's kind.
        kind: Kind,
        /// The changed object's cluster.
        cluster: String,
        /// The changed object's namespace; empty for a cluster-scoped kind.
        namespace: String,
        /// The changed object's name; for an EndpointSlice its Service's, with kind Service.
        name: String,
    },
}

impl UnitKey {
    /// The SQS message group: the key itself, or its hash where it is too long.
    pub fn group_id(&self) -> String {
        fitting(self.to_string())
    }

    /// The cluster that the unit's object lives in; a Gateway unit has none of its own.
    pub fn cluster(&self) -> Option<&str> {
        match self {
            Self::Gateway { .. } => None,
            Self::Route { cluster, .. } | Self::Export { cluster, .. } | Self::Dependents { cluster, .. } => {
                Some(cluster)
            }
        }
    }
}

/// The text itself, or its hash where it is too long for a message group.
fn fitting(text: String) -> String {
    if text.len() <= GROUP_ID_CHARS_MAX {
        return text;
    }
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().fold(String::from("unit-"), |all, byte| all + &format!("{byte:02x}"))
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway { name } => write!(f, "gateway/{name}"),
            Self::Route { kind, cluster, namespace, name } => {
                write!(f, "route/{kind}/{cluster}/{namespace}/{name}")
            }
            Self::Export { cluster, namespace, name } => write!(f, "export/{cluster}/{namespace}/{name}"),
            Self::Dependents { kind, cluster, namespace, name } => {
                write!(f, "dependents/{kind}/{cluster}/{namespace}/{name}")
            }
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
        let wrong = || ParseUnitError(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        let kind = |name: &str| Kind::parse(name).ok_or_else(wrong);
        let key = match *parts.as_slice() {
            ["gateway", name] => Self::Gateway { name: name.into() },
            ["route", k, cluster, namespace, name] if kind(k)?.is_route() => Self::Route {
                kind: kind(k)?,
                cluster: cluster.into(),
                namespace: namespace.into(),
                name: name.into(),
            },
            ["export", cluster, namespace, name] => {
                Self::Export { cluster: cluster.into(), namespace: namespace.into(), name: name.into() }
            }
            ["dependents", k, cluster, namespace, name] => Self::Dependents {
                kind: kind(k)?,
                cluster: cluster.into(),
                namespace: namespace.into(),
                name: name.into(),
            },
            _ => return Err(wrong()),
        };
        let dependents_of_cluster_scoped =
            matches!(&key, Self::Dependents { namespace, .. } if namespace.is_empty());
        let blank = parts.iter().filter(|part| part.is_empty()).count();
        if blank > usize::from(dependents_of_cluster_scoped) { Err(wrong()) } else { Ok(key) }
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
            "gateway/my-hotel",
            "route/HTTPRoute/one/default/inventory",
            "export/two/default/inventory-ver2",
            "dependents/Service/one/default/parking",
            "dependents/GatewayClass/one//amazon-vpc-lattice",
        ] {
            assert_eq!(text.parse::<UnitKey>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn texts_that_name_no_unit_are_refused() {
        for text in [
            "",
            "gateway/",
            "gateway/a/b",
            "route/Service/one/a/b",
            "route/HTTPRoute/one//b",
            "export/one/a",
            "pods/a",
        ] {
            assert!(text.parse::<UnitKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_group_id_never_exceeds_what_sqs_takes() {
        let long = UnitKey::Route {
            kind: Kind::HTTPRoute,
            cluster: "c".repeat(100),
            namespace: "n".repeat(63),
            name: "r".repeat(253),
        };
        assert!(long.group_id().len() <= GROUP_ID_CHARS_MAX);
        let other = UnitKey::Route {
            kind: Kind::HTTPRoute,
            cluster: "c".repeat(100),
            namespace: "n".repeat(63),
            name: "r".repeat(252),
        };
        assert_ne!(long.group_id(), other.group_id());
    }
}
