//! Resources by their tags: the Resource Groups Tagging API, an index over all services of the account and Region.

use crate::AwsError;
use aws_sdk_resourcegroupstagging::Client;
use aws_sdk_resourcegroupstagging::types::TagFilter;
use std::collections::BTreeMap;
use trellis_lattice::Tags;

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
        const OPERATION: &str = "GetResources";
        let filters = tags.iter().map(|(key, value)| {
            TagFilter::builder().key(*key).set_values(value.map(|value| vec![value.to_owned()])).build()
        });
        let mut pages = self
            .api
            .get_resources()
            .resource_type_filters(resource_type)
            .set_tag_filters(Some(filters.collect()))
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .send();
        let mut found = BTreeMap::new();
        let mut read = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk(OPERATION, error))?;
            for resource in page.resource_tag_mapping_list.into_iter().flatten() {
                let Some(arn) = resource.resource_arn else { continue };
                let tags = resource.tags.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect();
                found.insert(arn, tags);
            }
            read += 1;
            if read >= PAGES_MAX {
                return Err(AwsError::refused(OPERATION, format!("more than {PAGES_MAX} pages")));
            }
        }
        Ok(found)
    }
}
