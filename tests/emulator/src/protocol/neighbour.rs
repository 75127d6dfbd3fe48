//! The neighbours that users of VPC Lattice call and that speak AWS's JSON 1.1: the Resource Groups Tagging API
//! over these resources, and the list of certificates of ACM.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, request_id, signature};
use crate::Emulator;
use crate::state::Input;

/// Names the operation of a JSON 1.1 request.
const TARGET: &str = "x-amz-target";

/// Resources on one page of GetResources when the caller names no number, which is also the largest number.
const TAGGING_PAGE: usize = 100;

/// ARNs that one call may tag.
const MAX_TAGGED: usize = 20;

/// The service's error: its name and a text.
struct Fault(&'static str, String);

/// What a neighbour says to a call.
pub(super) struct Reply {
    /// Name of the call in the account of calls.
    pub(super) operation: String,
    /// The answer.
    pub(super) answer: Answer,
    /// Name of the error in it.
    pub(super) error: Option<&'static str>,
}

/// Answers a request of a neighbour; `None` when it is none.
pub(super) fn handle(emulator: &Emulator, parts: &Parts, body: &[u8]) -> Option<Reply> {
    let target = parts.headers.get(TARGET)?.to_str().ok()?;
    let (api, operation) = target.split_once('.')?;
    let service = if api == "CertificateManager" { "acm" } else { "tagging" };
    let outcome = signature::check(emulator, parts, service, body)
        .map_err(|error| Fault(error.code(), error.to_string()))
        .and_then(|()| perform(emulator, (api, operation), body));
    let error = outcome.as_ref().err().map(|fault| fault.0);
    Some(Reply { operation: format!("{service}:{operation}"), answer: answer(outcome), error })
}

fn perform(emulator: &Emulator, target: (&str, &str), body: &[u8]) -> Result<Value, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    match target {
        ("ResourceGroupsTaggingAPI_20170126", "GetResources") => {
            read(body).and_then(|it| get_resources(emulator, &it))
        }
        ("ResourceGroupsTaggingAPI_20170126", "TagResources") => read(body).and_then(|it| tag(emulator, &it)),
        ("ResourceGroupsTaggingAPI_20170126", "UntagResources") => {
            read(body).and_then(|it| untag(emulator, &it))
        }
        ("CertificateManager", "ListCertificates") => {
            read(body).and_then(|it| list_certificates(emulator, &it))
        }
        (api, operation) => {
            Err(Fault("UnknownOperationException", format!("{api}.{operation} is not served here")))
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| Fault("SerializationException", error.to_string()))
}

fn answer(outcome: Result<Value, Fault>) -> Answer {
    let (status, body) = match outcome {
        Ok(document) => (StatusCode::OK, document),
        Err(Fault(name, message)) => (StatusCode::BAD_REQUEST, json!({"__type": name, "Message": message})),
    };
    let mut answer = Answer::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(id) = HeaderValue::from_str(&request_id()) {
        headers.insert("x-amzn-requestid", id);
    }
    answer
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetResources {
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
        let kind = format!("vpc-lattice:{}", kind_of(arn));
        (self.arns.is_empty() || self.arns.iter().any(|wanted| wanted == arn))
            && (self.resource_type_filters.is_empty()
                || self.resource_type_filters.iter().any(|wanted| wanted == "vpc-lattice" || *wanted == kind))
            && self.tag_filters.iter().all(|filter| {
                tags.get(&filter.key)
                    .is_some_and(|value| filter.values.is_empty() || filter.values.contains(value))
            })
    }
}

/// The resource type in an ARN: the word before the last id.
fn kind_of(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    resource.rsplit('/').nth(1).unwrap_or_default()
}

fn get_resources(emulator: &Emulator, input: &GetResources) -> Result<Value, Fault> {
    let size = input.resources_per_page.unwrap_or(TAGGING_PAGE);
    if !(1..=TAGGING_PAGE).contains(&size) {
        return Err(Fault("InvalidParameterException", "ResourcesPerPage must be 1 to 100".to_owned()));
    }
    let filtered = !input.tag_filters.is_empty() || !input.resource_type_filters.is_empty();
    if filtered && !input.arns.is_empty() {
        let message = "ResourceARNList cannot be combined with other filters".to_owned();
        return Err(Fault("InvalidParameterException", message));
    }
    let now = emulator.clock.now();
    let mut state = emulator.state();
    // Pages go by ARN, so that a page's token, the last ARN of it, holds while resources come and go.
    let found: Vec<(&String, &BTreeMap<String, String>)> = state
        .indexed_tags(now)
        .iter()
        .filter(|(arn, tags)| !tags.is_empty() && input.takes(arn, tags))
        .filter(|(arn, _)| arn.as_str() > input.pagination_token.as_str())
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
    let token = page.last().filter(|_| more).map_or("", |(arn, _)| arn.as_str());
    Ok(json!({"ResourceTagMappingList": list, "PaginationToken": token}))
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "ResourceARNList")]
    arns: BTreeSet<String>,
    #[serde(rename = "Tags")]
    tags: BTreeMap<String, String>,
}

fn tag(emulator: &Emulator, input: &Tag) -> Result<Value, Fault> {
    each(emulator, &input.arns, "TagResource", &json!({"tags": input.tags}))
}

#[derive(Deserialize)]
struct Untag {
    #[serde(rename = "ResourceARNList")]
    arns: BTreeSet<String>,
    #[serde(rename = "TagKeys")]
    keys: Vec<String>,
}

fn untag(emulator: &Emulator, input: &Untag) -> Result<Value, Fault> {
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
        return Err(Fault("InvalidParameterException", message));
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListCertificates {
    next_token: Option<String>,
    max_items: Option<usize>,
}

/// Certificates on one page of ListCertificates at most.
const CERTIFICATE_PAGE: usize = 1000;

fn list_certificates(emulator: &Emulator, input: &ListCertificates) -> Result<Value, Fault> {
    let state = emulator.state();
    let home = state.home();
    let start: usize = match &input.next_token {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| Fault("ValidationException", "NextToken is not a token of this list".to_owned()))?,
    };
    let size = input.max_items.unwrap_or(CERTIFICATE_PAGE).clamp(1, CERTIFICATE_PAGE);
    let all = &state.settings.certificates;
    let list: Vec<Value> = all
        .iter()
        .enumerate()
        .skip(start)
        .take(size)
        .map(|(index, certificate)| {
            let arn = certificate.arn.clone().unwrap_or_else(|| {
                format!("arn:aws:acm:{}:{}:certificate/00000000-0000-0000-0000-{index:012}", home.region, home.account)
            });
            json!({"CertificateArn": arn, "DomainName": certificate.domain,
                   "SubjectAlternativeNameSummaries": certificate.names(), "HasAdditionalSubjectAlternativeNames": false,
                   "Status": "ISSUED", "Type": "AMAZON_ISSUED", "KeyAlgorithm": certificate.key_algorithm,
                   "KeyUsages": ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"], "InUse": false})
        })
        .collect();
    let end = start.saturating_add(size);
    let mut answer = json!({"CertificateSummaryList": list});
    if end < all.len() {
        answer["NextToken"] = json!(end.to_string());
    }
    Ok(answer)
}
