//! Resources by their tags: the Resource Groups Tagging API, an index over all services of the account and Region.

use crate::AwsError;
use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::Tags;

const OPERATION: &str = "GetResources";
/// Certificates of ACM in the index.
pub(crate) const CERTIFICATE_TYPE: &str = "acm:certificate";
/// VPC endpoints in the index.
pub(crate) const VPC_ENDPOINT_TYPE: &str = "ec2:vpc-endpoint";
/// ARNs of one call that names them (API reference, GetResources).
const ARNS_MAX: usize = 100;
/// Entries of one page, the most that the API gives (API reference, GetResources).
const PAGE_ENTRIES: i32 = 100;
/// Pages of one search, so that answers without end cannot keep a function busy: 100,000 resources. A page may be empty
/// and still have a successor (API reference), so entries alone are no bound.
const PAGES_MAX: usize = 1_000;

/// The index of tags.
///
/// It follows changes late, by seconds as a rule and by minutes at times, and AWS names no bound. So it finds, and
/// proves nothing: what it does not show may exist, what it shows may be gone or bear other tags by now.
#[derive(Debug, Clone)]
pub(crate) struct TagIndex {
    api: Client,
}

impl TagIndex {
    pub(crate) fn new(api: Client) -> Self {
        Self { api }
    }

    /// Tags of all resources of this type (such as `eks:cluster`, or `vpc-lattice` for all of a service) that bear each of
    /// these tags, by ARN. A tag without a value stands for any value.
    pub(crate) async fn find(
        &self,
        resource_type: &str,
        tags: &[(&str, Option<&str>)],
    ) -> Result<BTreeMap<String, Tags>, AwsError> {
        let mut found = BTreeMap::new();
        self.each(&[resource_type], tags, |arn, tags| _ = found.insert(arn, tags)).await?;
        Ok(found)
    }

    /// Tags of these resources by ARN; those that the index does not show are left out.
    pub(crate) async fn of_arns(&self, arns: &BTreeSet<String>) -> Result<BTreeMap<String, Tags>, AwsError> {
        let mut found = BTreeMap::new();
        let arns: Vec<String> = arns.iter().cloned().collect();
        for arns in arns.chunks(ARNS_MAX) {
            let request = self.api.get_resources().set_resource_arn_list(Some(arns.to_vec()));
            let page = request.send().await.map_err(|error| AwsError::from_sdk(OPERATION, error))?;
            for resource in page.resource_tag_mapping_list.into_iter().flatten() {
                let Some(arn) = resource.resource_arn else { continue };
                let tags = resource.tags.into_iter().flatten().map(|tag| (tag.key, tag.value));
                found.insert(arn, tags.collect());
            }
        }
        Ok(found)
    }

    /// As [`Self::find`], of several types and one resource after the other: for what may be too many to be held.
    pub(crate) async fn each(
        &self,
        resource_types: &[&str],
        tags: &[(&str, Option<&str>)],
        mut take: impl FnMut(String, Tags) + Send,
    ) -> Result<(), AwsError> {
        let filters = tags.iter().map(|(key, value)| {
            TagFilter::builder().key(*key).set_values(value.map(|value| vec![value.to_owned()])).build()
        });
        let mut pages = self
            .api
            .get_resources()
            .set_resource_type_filters(Some(resource_types.iter().map(|one| (*one).to_owned()).collect()))
            .set_tag_filters(Some(filters.collect()))
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .send();
        let mut read = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk(OPERATION, error))?;
            for resource in page.resource_tag_mapping_list.into_iter().flatten() {
                let Some(arn) = resource.resource_arn else { continue };
                take(arn, resource.tags.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect());
            }
            read += 1;
            if read >= PAGES_MAX {
                return Err(AwsError::refused(OPERATION, format!("more than {PAGES_MAX} pages")));
            }
        }
        Ok(())
    }
}
