use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tags of a resource, by key.
pub type Tags = BTreeMap<String, String>;

/// The tag that says which installation of Trellis made a resource. IAM conditions name it too.
pub const TAG_OWNER: &str = "trellis:owner";
/// The tag that says which unit made a resource; its value is the unit key's text.
pub const TAG_UNIT: &str = "trellis:unit";
/// The prefix of the tags that the AWS Gateway API Controller sets and reads.
pub const TAG_PREFIX: &str = "application-networking.k8s.aws/";
/// `<account>/<cluster>/<VPC>`, as the AWS Gateway API Controller writes it, so that a user can move from it and back.
pub const TAG_MANAGED_BY: &str = "application-networking.k8s.aws/ManagedBy";

/// Who owns what a plan may touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The installation's name ([`TAG_OWNER`]).
    pub installation: String,
    /// The unit key's text ([`TAG_UNIT`]).
    pub unit: String,
}

/// Whose a resource is, told by its tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ownership {
    /// Of this installation and this unit: may be changed and deleted.
    Ours,
    /// Of this installation and another unit, whose key's text this is.
    OtherUnit(String),
    /// Bears no owner tag of this installation: never changed, never deleted.
    Foreign,
    /// The tags were not read, since nothing is to be done with the resource. Counts as [`Ownership::Foreign`].
    Unread,
}

impl Owner {
    /// The two tags that every resource of this owner bears.
    pub fn tags(&self) -> Tags {
        Tags::from([(TAG_OWNER.into(), self.installation.clone()), (TAG_UNIT.into(), self.unit.clone())])
    }

    /// Whose a resource with these tags is.
    pub fn of(&self, tags: &Tags) -> Ownership {
        match (tags.get(TAG_OWNER), tags.get(TAG_UNIT)) {
            (Some(owner), Some(unit)) if *owner == self.installation && *unit == self.unit => Ownership::Ours,
            (Some(owner), Some(unit)) if *owner == self.installation => Ownership::OtherUnit(unit.clone()),
            _ => Ownership::Foreign,
        }
    }
}
