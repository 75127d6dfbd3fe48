//! Tags, which alone tell whose a resource is.

use super::convert::sdk_tags;
use super::names::Names;
use super::step::{Lane, Perform, StepEnd};
use super::{LatticeClient, found};
use crate::AwsError;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use trellis_lattice::{HandOver, Owner, Ownership, ResourceKind, Tag, Tags, Untag};

/// How long read tags are believed. If a person takes our tag from a resource to keep it from us, we may still change
/// it for this long; longer would break the promise that what bears no tag of ours is left alone.
const TAGS_AGE_MAX: Duration = Duration::from_mins(1);
/// Resources whose tags are kept: about 2 MB.
const TAGGED_MAX: usize = 5_000;

#[derive(Debug, Default)]
pub(super) struct TagCache(Mutex<BTreeMap<String, (SystemTime, Tags)>>);

impl TagCache {
    fn get(&self, arn: &str, now: SystemTime) -> Option<Tags> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, tags) = known.get(arn)?;
        now.duration_since(*at).is_ok_and(|age| age < TAGS_AGE_MAX).then(|| tags.clone())
    }

    /// Keeps what was read or set `at` this time.
    pub(super) fn put(&self, arn: &str, tags: Tags, at: SystemTime) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= TAGGED_MAX {
            known.clear();
        }
        known.insert(arn.to_owned(), (at, tags));
    }

    /// Forgets what was read or set before this time.
    pub(super) fn forget_before(&self, arn: &str, time: SystemTime) {
        self.forget_if(arn, |(at, _)| *at < time);
    }

    /// Forgets what differs from these tags.
    pub(super) fn forget_unlike(&self, arn: &str, tags: &Tags) {
        self.forget_if(arn, |(_, known)| known != tags);
    }

    fn forget_if(&self, arn: &str, is_old: impl Fn(&(SystemTime, Tags)) -> bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(arn).is_some_and(is_old) {
            known.remove(arn);
        }
    }

    pub(super) fn forget(&self, arn: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(arn);
    }
}

impl LatticeClient {
    /// The tags of these resources; those that do not exist are left out. At most one read for each, and none for one
    /// that was read within the last minute.
    pub async fn tags(&self, arns: &BTreeSet<String>) -> Result<BTreeMap<String, Tags>, AwsError> {
        let reads = arns.iter().map(|arn| async move { Ok((arn.clone(), self.tags_of(arn).await?)) });
        let read: Vec<(String, Option<Tags>)> = try_join_all(reads).await?;
        Ok(read.into_iter().filter_map(|(arn, tags)| Some((arn, tags?))).collect())
    }

    /// Ownership of a resource and its tags; none if it does not exist.
    pub(super) async fn ownership(
        &self,
        owner: &Owner,
        arn: &str,
    ) -> Result<Option<(Ownership, Tags)>, AwsError> {
        Ok(self.tags_of(arn).await?.map(|tags| (owner.of(&tags), tags)))
    }

    pub(super) async fn tags_of(&self, arn: &str) -> Result<Option<Tags>, AwsError> {
        let now = SystemTime::now();
        if let Some(tags) = self.inner.tags.get(arn, now) {
            return Ok(Some(tags));
        }
        if ResourceKind::of(arn) == ResourceKind::Certificate {
            let read = self.tags_of_certificate(arn).await?;
            if let Some(tags) = &read {
                self.inner.tags.put(arn, tags.clone(), now);
            }
            return Ok(read);
        }
        if let Some(id) = endpoint_id(arn) {
            let read = self.limited("DescribeVpcEndpoints", self.inner.ec2.endpoint(id)).await?;
            if let Some(one) = &read {
                self.inner.tags.put(arn, one.tags.clone(), now);
            }
            return Ok(read.map(|one| one.tags));
        }
        let request = self.api().list_tags_for_resource().resource_arn(arn).send();
        match found(self.read("ListTagsForResource", request).await) {
            Ok(Some(output)) => {
                let tags: Tags = output.tags.into_iter().flatten().collect();
                self.inner.tags.put(arn, tags.clone(), now);
                Ok(Some(tags))
            }
            Ok(None) => Ok(None),
            // Tags of another account's resource (shared by RAM) cannot be read; so it is not ours. It is the same
            // answer when the role lacks the permission, hence the warning.
            Err(error) if error.is_access_denied() && can_be_shared(arn) => {
                tracing::warn!(arn, error = %error, "tags cannot be read: taken as not ours");
                Ok(Some(Tags::new()))
            }
            Err(error) => Err(error),
        }
    }
}

impl Perform for Tag {
    const LANE: Lane = Lane::Make;

    async fn perform(&self, client: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        if ResourceKind::of(&self.arn) == ResourceKind::Certificate {
            client.tag_certificate(&self.arn, &self.tags).await?;
            return Ok(StepEnd::Done);
        }
        if let Some(id) = endpoint_id(&self.arn) {
            client.inner.tags.forget(&self.arn);
            client.limited("CreateTags", client.inner.ec2.tag(id, &self.tags)).await?;
            return Ok(StepEnd::Done);
        }
        let tag = client.api().tag_resource().resource_arn(&self.arn);
        client.inner.tags.forget(&self.arn);
        client.write("TagResource", tag.set_tags(Some(sdk_tags(&self.tags))).send()).await?;
        Ok(StepEnd::Done)
    }
}

impl Perform for Untag {
    const LANE: Lane = Lane::Make;

    async fn perform(&self, client: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        if ResourceKind::of(&self.arn) == ResourceKind::Certificate {
            client.untag_certificate(&self.arn, &self.keys).await?;
            return Ok(StepEnd::Done);
        }
        if let Some(id) = endpoint_id(&self.arn) {
            client.inner.tags.forget(&self.arn);
            client.limited("DeleteTags", client.inner.ec2.untag(id, &self.keys)).await?;
            return Ok(StepEnd::Done);
        }
        let keys = Some(self.keys.iter().cloned().collect());
        let untag = client.api().untag_resource().resource_arn(&self.arn).set_tag_keys(keys);
        client.inner.tags.forget(&self.arn);
        client.write("UntagResource", untag.send()).await?;
        Ok(StepEnd::Done)
    }
}

impl Perform for HandOver {
    /// One after the other: the service comes last, so that a unit that was stopped on the way finds the rest again.
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let tag = client.api().tag_resource().resource_arn(&self.arn);
        client.inner.tags.forget(&self.arn);
        client.write("TagResource", tag.set_tags(Some(sdk_tags(&self.tags()))).send()).await?;
        Ok(StepEnd::Done)
    }
}

/// The id of a VPC endpoint, of its ARN; none of any other.
fn endpoint_id(arn: &str) -> Option<&str> {
    arn.rsplit('/').next().filter(|_| ResourceKind::of(arn) == ResourceKind::VpcEndpoint)
}

/// Services and service networks can be shared between accounts, and so an association can be another account's.
fn can_be_shared(arn: &str) -> bool {
    !arn.contains(":targetgroup/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_believed_for_a_minute_and_not_when_the_clock_went_backwards() {
        let (cache, now) = (TagCache::default(), SystemTime::now());
        cache.put("arn", Tags::from([("a".into(), "b".into())]), now);
        assert!(cache.get("arn", now + Duration::from_secs(59)).is_some());
        assert!(cache.get("arn", now + Duration::from_mins(1)).is_none());
        assert!(cache.get("arn", now - Duration::from_secs(1)).is_none());
        cache.forget("arn");
        assert!(cache.get("arn", now).is_none());
    }

    #[test]
    fn the_cache_never_grows_beyond_its_bound() {
        let (cache, now) = (TagCache::default(), SystemTime::now());
        for n in 0..=TAGGED_MAX {
            cache.put(&n.to_string(), Tags::new(), now);
        }
        assert!(cache.0.lock().unwrap().len() <= TAGGED_MAX);
    }
}
