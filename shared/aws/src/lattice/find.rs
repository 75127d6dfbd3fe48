//! What bears our tags, as the index of tags shows it.

use super::LatticeClient;
use crate::AwsError;
use std::collections::BTreeSet;
use trellis_lattice::{Owner, TAG_OWNER, TAG_UNIT, Tags};

/// All resources of VPC Lattice in the index.
const RESOURCE_TYPE: &str = "vpc-lattice";

/// What a resource is, told by its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A service network.
    Network,
    /// The association of a VPC with a service network.
    VpcAssociation,
    /// A service.
    Service,
    /// The association of a service with a service network.
    ServiceAssociation,
    /// A listener of a service.
    Listener,
    /// A rule of a listener.
    Rule,
    /// A target group.
    TargetGroup,
    /// Anything else.
    Other,
}

impl ResourceKind {
    /// The kind of the resource with this ARN.
    pub fn of(arn: &str) -> Self {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let &["arn", _, "vpc-lattice", _, _, resource] = parts.as_slice() else { return Self::Other };
        match *resource.split('/').collect::<Vec<_>>().as_slice() {
            ["servicenetwork", _] => Self::Network,
            ["servicenetworkvpcassociation", _] => Self::VpcAssociation,
            ["service", _] => Self::Service,
            ["servicenetworkserviceassociation", _] => Self::ServiceAssociation,
            ["service", _, "listener", _] => Self::Listener,
            ["service", _, "listener", _, "rule", _] => Self::Rule,
            ["targetgroup", _] => Self::TargetGroup,
            _ => Self::Other,
        }
    }
}

/// A resource that bears an installation's owner tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedResource {
    /// ARN.
    pub arn: String,
    /// What it is.
    pub kind: ResourceKind,
    /// All its tags as the index shows them.
    pub tags: Tags,
}

impl LatticeClient {
    /// Gives out everything that bears an installation's owner tag, as the index of tags shows it: one call for a hundred
    /// resources. The index follows changes late, so what it shows may be gone, and what it does not show may exist: never
    /// a reason to delete or to make anything.
    pub async fn owned(
        &self,
        installation: &str,
        mut take: impl FnMut(OwnedResource) + Send,
    ) -> Result<(), AwsError> {
        let tags = [(TAG_OWNER, Some(installation))];
        let take = |arn: String, tags| take(OwnedResource { kind: ResourceKind::of(&arn), arn, tags });
        self.inner.tag_index.each(RESOURCE_TYPE, &tags, take).await
    }

    /// ARNs of a unit's services and target groups in the index of tags.
    pub(super) async fn found_by_tags(&self, owner: &Owner) -> Result<BTreeSet<String>, AwsError> {
        let tags = [(TAG_OWNER, Some(owner.installation.as_str())), (TAG_UNIT, Some(owner.unit.as_str()))];
        let found = self.inner.tag_index.find(RESOURCE_TYPE, &tags).await?;
        let stands =
            |arn: &String| matches!(ResourceKind::of(arn), ResourceKind::Service | ResourceKind::TargetGroup);
        Ok(found.into_keys().filter(stands).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_what_it_names() {
        let arn = |resource: &str| format!("arn:aws:vpc-lattice:us-west-2:123456789012:{resource}");
        for (resource, kind) in [
            ("servicenetwork/sn-1", ResourceKind::Network),
            ("servicenetworkvpcassociation/snva-1", ResourceKind::VpcAssociation),
            ("service/svc-1", ResourceKind::Service),
            ("servicenetworkserviceassociation/snsa-1", ResourceKind::ServiceAssociation),
            ("service/svc-1/listener/listener-1", ResourceKind::Listener),
            ("service/svc-1/listener/listener-1/rule/rule-1", ResourceKind::Rule),
            ("targetgroup/tg-1", ResourceKind::TargetGroup),
            ("resourcegateway/rgw-1", ResourceKind::Other),
            ("service", ResourceKind::Other),
            ("service/svc-1/listener", ResourceKind::Other),
        ] {
            assert_eq!(ResourceKind::of(&arn(resource)), kind, "{resource}");
        }
        for odd in ["", "arn:aws:ec2:us-west-2:123456789012:service/svc-1", "service/svc-1"] {
            assert_eq!(ResourceKind::of(odd), ResourceKind::Other, "{odd}");
        }
    }
}
