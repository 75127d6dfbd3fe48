//! The Resource Groups Tagging API over the emulator's resources and, when an endpoint of EKS is set, over the clusters
//! there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fault, eks};
use crate::Emulator;
use crate::state::Input;

/// Resources on one page of GetResources when the caller names no number, which is also the largest number.
const TAGGING_PAGE: usize = 100;

/// ARNs that one call may tag.
const MAX_TAGGED: usize = 20;

/// Input of GetResources.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetResources {
    #[serde(default)]
    pagination_token: String,
    resources_per_page: Option<usize>,
    #[serde(default)]
    tag_filters: Vec<TagFilter>,
    #[serde(default)]
    resource_type_filters: Vec<String>,
    #[serde(default, rename = "ResourceARNList")]
    arns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagFilter {
    key: String,
    #[serde(default)]
    values: Vec<String>,
}

impl GetResources {
    fn takes(&self, arn: &str, tags: &BTreeMap<String, String>) -> bool {
        (self.arns.is_empty() || self.arns.iter().any(|wanted| wanted == arn))
            && self.takes_type(service_of(arn), kind_of(arn))
            && self.tag_filters.iter().all(|filter| {
                tags.get(&filter.key)
                    .is_some_and(|value| filter.values.is_empty() || filter.values.contains(value))
            })
    }

    /// The tags that whatever is found bears. A filter of several values, or of none, says no such tag.
    fn certain_tags(&self) -> Vec<(String, String)> {
        let one = |filter: &TagFilter| match filter.values.as_slice() {
            [value] => Some((filter.key.clone(), value.clone())),
            _ => None,
        };
        self.tag_filters.iter().filter_map(one).collect()
    }

    fn takes_type(&self, service: &str, kind: &str) -> bool {
        self.resource_type_filters.is_empty()
            || self.resource_type_filters.iter().any(|wanted| match wanted.split_once(':') {
                None => wanted == service,
                Some((of, wanted)) => of == service && wanted == kind,
            })
    }
}

/// The service in an ARN.
fn service_of(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}

/// The resource type in an ARN: the word before the last id.
fn kind_of(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    resource.rsplit('/').nth(1).unwrap_or_default()
}

pub(super) async fn get_resources(emulator: &Emulator, input: &GetResources) -> Result<Value, Fault> {
    let size = input.resources_per_page.unwrap_or(TAGGING_PAGE);
    if !(1..=TAGGING_PAGE).contains(&size) {
        return Err(Fault::bad("InvalidParameterException", "ResourcesPerPage must be 1 to 100"));
    }
    let filtered = !input.tag_filters.is_empty() || !input.resource_type_filters.is_empty();
    if filtered && !input.arns.is_empty() {
        let message = "ResourceARNList cannot be combined with other filters";
        return Err(Fault::bad("InvalidParameterException", message));
    }
    if input.takes_type(eks::SERVICE, eks::CLUSTER)
        && let Some(clusters) = eks::tags(emulator).await?
    {
        emulator.state().note_clusters(emulator.clock.now(), clusters);
    }
    let now = emulator.clock.now();
    let mut state = emulator.state();
    // Pages go by ARN, so that a page's token, the last ARN of it, holds while resources come and go.
    let found: Vec<(&str, &BTreeMap<String, String>)> = state
        .indexed_tags(now, &input.certain_tags())
        .into_iter()
        .filter(|(arn, tags)| !tags.is_empty() && input.takes(arn, tags))
        .filter(|(arn, _)| *arn > input.pagination_token.as_str())
        .collect();
    let page = found.get(..size.min(found.len())).unwrap_or_default();
    let list: Vec<Value> = page
        .iter()
        .map(|(arn, tags)| {
            let tags: Vec<Value> =
                tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
            json!({"ResourceARN": arn, "Tags": tags})
        })
        .collect();
    let more = found.len() > page.len();
    let token = page.last().filter(|_| more).map_or("", |(arn, _)| *arn);
    Ok(json!({"ResourceTagMappingList": list, "PaginationToken": token}))
}

/// Input of TagResources.
#[derive(Deserialize)]
pub(super) struct Tag {
    #[serde(rename = "ResourceARNList")]
    arns: BTreeSet<String>,
    #[serde(rename = "Tags")]
    tags: BTreeMap<String, String>,
}

pub(super) fn tag(emulator: &Emulator, input: &Tag) -> Result<Value, Fault> {
    each(emulator, &input.arns, "TagResource", &json!({"tags": input.tags}))
}

/// Input of UntagResources.
#[derive(Deserialize)]
pub(super) struct Untag {
    #[serde(rename = "ResourceARNList")]
    arns: BTreeSet<String>,
    #[serde(rename = "TagKeys")]
    keys: Vec<String>,
}

pub(super) fn untag(emulator: &Emulator, input: &Untag) -> Result<Value, Fault> {
    each(emulator, &input.arns, "UntagResource", &json!({"tagKeys": input.keys}))
}

/// Carries out an operation on each ARN; those that fail are reported by ARN.
fn each(
    emulator: &Emulator,
    arns: &BTreeSet<String>,
    operation: &str,
    input: &Value,
) -> Result<Value, Fault> {
    if !(1..=MAX_TAGGED).contains(&arns.len()) {
        let message = format!("ResourceARNList must have 1 to {MAX_TAGGED} entries");
        return Err(Fault::bad("InvalidParameterException", message));
    }
    let now = emulator.clock.now();
    let mut state = emulator.state();
    let mut failed = serde_json::Map::new();
    for arn in arns {
        let mut input = input.as_object().cloned().unwrap_or_default();
        input.insert("resourceArn".to_owned(), json!(arn));
        if let Err(refusal) = state.call(now, operation, Input(&input).0) {
            let failure = json!({"StatusCode": refusal.http_status(), "ErrorCode": "InvalidParameterException",
                                 "ErrorMessage": refusal.to_string()});
            failed.insert(arn.clone(), failure);
        }
    }
    Ok(json!({"FailedResourcesMap": failed}))
}
