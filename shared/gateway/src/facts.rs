//! What AWS tells of instances and load balancers that Backends name. Of what is not told nothing is said: it deletes nothing and
//! moves no request.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter, Result as Written};
use trellis_lattice::Tags;

/// The tag that Auto Scaling gives an instance of a group (Auto Scaling User Guide, tags).
pub(crate) const TAG_SCALING_GROUP: &str = "aws:autoscaling:groupName";

/// Which instances of EC2 a Backend means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Selector {
    /// These.
    Ids(BTreeSet<String>),
    /// Those that bear all these tags.
    Tags(BTreeMap<String, String>),
    /// Those of the Auto Scaling group of that name.
    ScalingGroup(String),
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let listed = |all: Vec<String>| all.join(", ");
        match self {
            Self::Ids(ids) => f.write_str(&listed(ids.iter().cloned().collect())),
            Self::Tags(tags) => {
                let tags = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "instances with the tags {}", listed(tags))
            }
            Self::ScalingGroup(name) => write!(f, "the Auto Scaling group {name}"),
        }
    }
}

/// What is known of the instances that somebody means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InstanceFacts {
    /// AWS did not tell: why.
    Unknown(String),
    /// Auto Scaling said that there is no such group.
    Missing,
    /// These are all, by id. EC2 shows one that is terminated for about an hour.
    Known(BTreeMap<String, Instance>),
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// `pending`, `running`, `stopping` and so on (EC2 API reference, InstanceState).
    pub state: String,
    /// Its VPC; none of one that is terminated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vpc: Option<String>,
    /// Where its Auto Scaling group has it, such as `InService`; none where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lifecycle: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub tags: Tags,
}

impl Instance {
    /// Why it takes no requests; none where it does. One of an Auto Scaling group is on its way out before EC2 says so.
    pub(crate) fn idle(&self) -> Option<&str> {
        let lifecycle = self.lifecycle.as_deref().filter(|lifecycle| *lifecycle != "InService");
        Some(self.state.as_str()).filter(|state| *state != "running").or(lifecycle)
    }
}

impl Selector {
    /// Whether an instance of that id is meant, as far as its tags tell; none where that is not known.
    pub fn means(&self, id: &str, instance: Option<&Instance>) -> Option<bool> {
        match self {
            Self::Ids(ids) => Some(ids.contains(id)),
            Self::Tags(wanted) => {
                let tags = &instance?.tags;
                Some(wanted.iter().all(|(key, value)| tags.get(key) == Some(value)))
            }
            Self::ScalingGroup(name) => Some(instance?.tags.get(TAG_SCALING_GROUP) == Some(name)),
        }
    }
}

/// What is known of a load balancer that somebody names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BalancerFacts {
    /// AWS did not tell: why.
    Unknown(String),
    /// Elastic Load Balancing said that there is none.
    Missing,
    /// It is there.
    Known(Balancer),
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Balancer {
    /// `application`, `network` or `gateway`.
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// Its VPC.
    pub vpc: String,
}
