use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tags of a resource, by key.
pub type Tags = BTreeMap<String, String>;

/// The tag that says which installation of Trellis made a resource. IAM conditions name it too.
pub const TAG_OWNER: &str = "trellis:owner";
/// The tag that says which unit made a resource; its value is the hash of the unit's key.
pub const TAG_UNIT: &str = "trellis:unit";
/// The tag that tells people which unit made a resource, by the text of its key. Nothing is decided on it.
pub const TAG_KEY: &str = "trellis:key";
/// The cluster that a target group's targets are in, by its ARN: what is not known of that cluster stays as it is.
pub const TAG_SOURCE: &str = "trellis:source";
/// Marks a target group that is made for a Backend, and not for a Service; its value says what the Backend is.
pub const TAG_BACKEND: &str = "trellis:backend";
/// The ServiceExport that a target group stands for, in the namespace that the tag ServiceNamespace tells.
pub const TAG_EXPORT: &str = "trellis:export";
/// Tags that begin so name the clusters whose Gateways want a VPC association, or whose ServiceNetworks a network, each by its ARN; one whose
/// object is known to be gone has no value. As long as one of them is unknown the resource stays.
pub const TAG_WANTED_BY: &str = "trellis:wanted-by/";
/// What of the key's text is beyond 256 characters.
pub const TAG_KEY_REST: &str = "trellis:key-rest";
/// The tag of a service that somebody has once asked to have another idle time-out than the default: then its present one
/// is looked at, which costs a call.
pub const TAG_IDLE_TIMEOUT: &str = "trellis:idle-timeout";
/// The tag of a service or a service network that somebody has once asked for access logs of: then its subscriptions are
/// looked at, which costs a call.
pub const TAG_ACCESS_LOGS: &str = "trellis:access-logs";
/// The tag of a service or a service network for which an auth policy was once written: the marks of what was written last
/// (`policy_mark`), so that a policy of a person is told from ours.
pub const TAG_AUTH: &str = "trellis:auth-policy";
/// The tag of a VPC association that a VpcAssociationPolicy speaks of: the ARN of the cluster whose policy counts. Then its
/// security groups and its private DNS are looked at, which costs a call.
pub const TAG_VPC_POLICY: &str = "trellis:vpc-policy";
/// The tag of a service network for which VPC endpoints were once made: then they are looked for, which costs calls.
pub const TAG_VPC_ENDPOINTS: &str = "trellis:vpc-endpoints";
/// The Gateway, `<namespace>/<name>`, whose routes without a hostname have a service together.
pub const TAG_GATEWAY: &str = "trellis:gateway";
/// The TargetGroupPolicy, `<namespace>/<name>`, that a target group is made as it asks for; empty where one did before. What
/// becomes of the group when the policy cannot be had is told by it.
pub const TAG_POLICY: &str = "trellis:target-group-policy";
/// Which other tags of the resource a user asked for: a hash of each key (`user_tags_mark`), so that those not asked for any
/// more are taken away, and nobody else's.
pub const TAG_USER: &str = "trellis:user-tags";
/// The tag of a service with a hash of the tags that users ask for of what is below it, once all below it bears them: so those of
/// listeners, rules and associations are read only where they are to be changed. Empty: nobody asks for any more.
pub const TAG_BELOW: &str = "trellis:user-tags-below";
/// Which Secret an imported certificate is of: a hash of its cluster, namespace and name.
pub const TAG_SECRET: &str = "trellis:secret";
/// The Secret of an imported certificate, `<namespace>/<name>`, for people. Nothing is decided on it.
pub const TAG_SECRET_NAME: &str = "trellis:secret-name";
/// A hash of the certificate and the chain that were imported last: another one of the Secret's takes their place.
pub const TAG_CERTIFICATE: &str = "trellis:certificate";
/// Characters that a tag's value can have (API model, TagValue).
const TAG_VALUE_CHARS: usize = 256;
/// The prefix of the tags that the AWS Gateway API Controller sets and reads.
pub const TAG_PREFIX: &str = "application-networking.k8s.aws/";
/// `<account>/<cluster>/<VPC>`, as the AWS Gateway API Controller writes it, so that a user can move from it and back.
pub const TAG_MANAGED_BY: &str = "application-networking.k8s.aws/ManagedBy";

/// Who owns what a plan may touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The installation's name ([`TAG_OWNER`]).
    pub installation: String,
    /// The hash of the unit's key ([`TAG_UNIT`]): what ownership is told by.
    pub unit: String,
    /// The text of the unit's key ([`TAG_KEY`]): for people.
    pub key: String,
}

/// Whose a resource is, told by its tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ownership {
    /// Of this installation and this unit: may be changed and deleted.
    Ours,
    /// Of this installation and another unit; its key as the tags tell it, or its hash: for people.
    OtherUnit(String),
    /// Bears no owner tag of this installation: never changed, never deleted.
    Foreign,
    /// The tags were not read, since nothing is to be done with the resource. Counts as [`Ownership::Foreign`].
    Unread,
}

impl Owner {
    /// The tags that every resource of this owner bears.
    pub fn tags(&self) -> Tags {
        let mut tags = Tags::from([
            (TAG_OWNER.into(), self.installation.clone()),
            (TAG_UNIT.into(), self.unit.clone()),
            (TAG_KEY.into(), self.key.chars().take(TAG_VALUE_CHARS).collect()),
        ]);
        let rest: String = self.key.chars().skip(TAG_VALUE_CHARS).take(TAG_VALUE_CHARS).collect();
        if !rest.is_empty() {
            tags.insert(TAG_KEY_REST.into(), rest);
        }
        tags
    }

    /// The text of a unit's key as the tags of a resource tell it; empty where they do not.
    pub fn key_in(tags: &Tags) -> String {
        let part = |tag: &str| tags.get(tag).map(String::as_str).unwrap_or_default();
        format!("{}{}", part(TAG_KEY), part(TAG_KEY_REST))
    }

    /// Whose a resource with these tags is.
    pub fn of(&self, tags: &Tags) -> Ownership {
        match (tags.get(TAG_OWNER), tags.get(TAG_UNIT)) {
            (Some(owner), Some(unit)) if *owner == self.installation && *unit == self.unit => Ownership::Ours,
            (Some(owner), Some(unit)) if *owner == self.installation => {
                let key = Self::key_in(tags);
                Ownership::OtherUnit(if key.is_empty() { unit.clone() } else { key })
            }
            _ => Ownership::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_key_is_told_by_two_tags_and_ownership_by_the_hash_alone() {
        let key = format!("route/{}", "k".repeat(460));
        let owner = Owner { installation: "t".into(), unit: "hash".into(), key: key.clone() };
        let mut tags = owner.tags();
        assert!(tags.values().all(|value| value.len() <= TAG_VALUE_CHARS));
        assert_eq!(Owner::key_in(&tags), key);
        assert_eq!(owner.of(&tags), Ownership::Ours);
        tags.insert(TAG_KEY.into(), "somebody's".into());
        assert_eq!(owner.of(&tags), Ownership::Ours, "the text decides nothing");
        tags.insert(TAG_UNIT.into(), "other".into());
        assert!(matches!(owner.of(&tags), Ownership::OtherUnit(_)));
    }
}
