//! What bears our tags, as the index of tags shows it.

use super::LatticeClient;
use crate::AwsError;
use crate::tagging::{CERTIFICATE_TYPE, VPC_ENDPOINT_TYPE};
use std::collections::BTreeSet;
use trellis_lattice::{BACKEND_INSTANCES, Owner, ResourceKind, TAG_BACKEND, TAG_OWNER, TAG_UNIT, Tags};

/// All resources of VPC Lattice in the index.
const RESOURCE_TYPE: &str = "vpc-lattice";

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
    /// Gives out everything of VPC Lattice, and each VPC endpoint, that bears an installation's owner tag and this other one, as the index of tags shows it: one
    /// call for a hundred resources. The index follows changes late, so what it shows may be gone, and what it does not show
    /// may exist: never a reason to delete or to make anything.
    pub async fn owned(
        &self,
        installation: &str,
        also: Option<&(String, String)>,
        take: impl FnMut(OwnedResource) + Send,
    ) -> Result<(), AwsError> {
        self.owned_of(&[RESOURCE_TYPE, VPC_ENDPOINT_TYPE], installation, also, take).await
    }

    /// As [`Self::owned`], of imported certificates.
    pub async fn owned_certificates(
        &self,
        installation: &str,
        also: Option<&(String, String)>,
        take: impl FnMut(OwnedResource) + Send,
    ) -> Result<(), AwsError> {
        self.owned_of(&[CERTIFICATE_TYPE], installation, also, take).await
    }

    async fn owned_of(
        &self,
        resource_types: &[&str],
        installation: &str,
        also: Option<&(String, String)>,
        mut take: impl FnMut(OwnedResource) + Send,
    ) -> Result<(), AwsError> {
        let also = also.map(|(key, value)| (key.as_str(), Some(value.as_str())));
        let tags: Vec<_> = [(TAG_OWNER, Some(installation))].into_iter().chain(also).collect();
        let take = |arn: String, tags| take(OwnedResource { kind: ResourceKind::of(&arn), arn, tags });
        self.inner.tag_index.each(resource_types, &tags, take).await
    }

    /// What is known of whose these resources are: first by the index of tags, which shows some that were deleted a moment
    /// ago as well, then, of those that it does not show, by their own tags. One that nothing is known of is left out.
    pub async fn whose(&self, arns: &BTreeSet<String>) -> Result<Vec<OwnedResource>, AwsError> {
        let mut found = self.inner.tag_index.of_arns(arns).await?;
        let open = arns.iter().filter(|arn| !found.contains_key(*arn)).cloned().collect();
        found.extend(self.tags(&open).await?);
        let resource =
            |(arn, tags): (String, Tags)| OwnedResource { kind: ResourceKind::of(&arn), arn, tags };
        Ok(found.into_iter().map(resource).collect())
    }

    /// ARNs of a unit's services and target groups in the index of tags. Tags that it shows otherwise than this process
    /// remembers them are read anew: one of both is late.
    pub(super) async fn found_by_tags(&self, owner: &Owner) -> Result<BTreeSet<String>, AwsError> {
        let tags = [(TAG_OWNER, Some(owner.installation.as_str())), (TAG_UNIT, Some(owner.unit.as_str()))];
        let found = self.inner.tag_index.find(RESOURCE_TYPE, &tags).await?;
        let stands =
            |arn: &String| matches!(ResourceKind::of(arn), ResourceKind::Service | ResourceKind::TargetGroup);
        for (arn, tags) in &found {
            self.inner.tags.forget_unlike(arn, tags);
        }
        Ok(found.into_keys().filter(stands).collect())
    }

    /// ARNs of a unit's target groups of instances in the index of tags.
    pub(super) async fn found_instances(&self, owner: &Owner) -> Result<BTreeSet<String>, AwsError> {
        let (installation, unit) = (owner.installation.as_str(), owner.unit.as_str());
        let tags =
            [(TAG_OWNER, Some(installation)), (TAG_UNIT, Some(unit)), (TAG_BACKEND, Some(BACKEND_INSTANCES))];
        let found = self.inner.tag_index.find(RESOURCE_TYPE, &tags).await?;
        for (arn, tags) in &found {
            self.inner.tags.forget_unlike(arn, tags);
        }
        Ok(found.into_keys().collect())
    }
}
