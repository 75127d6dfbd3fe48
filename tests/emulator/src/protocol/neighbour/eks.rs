//! Tags of EKS clusters, read from the local AWS that has them: VPC Lattice's users register clusters by tag, and the
//! tagging API shows resources of all services.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Fault, TAGGING};
use crate::Emulator;

/// The service in ARNs and type filters.
pub(super) const SERVICE: &str = "eks";

/// The resource type of a cluster.
pub(super) const CLUSTER: &str = "cluster";

/// Largest answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;

/// What stays as it is in a path or a query.
const PLAIN: &percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    clusters: Vec<String>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct Tagged {
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Tags of all clusters by ARN; `None` when no endpoint of EKS is set.
pub(super) async fn tags(
    emulator: &Emulator,
) -> Result<Option<BTreeMap<String, BTreeMap<String, String>>>, Fault> {
    let (endpoint, home) = {
        let state = emulator.state();
        (state.settings.eks_endpoint.clone(), state.home().clone())
    };
    let Some(endpoint) = endpoint else { return Ok(None) };
    let mut found = BTreeMap::new();
    let mut next: Option<String> = None;
    loop {
        let query = next.as_ref().map(|token| format!("?nextToken={}", escaped(token))).unwrap_or_default();
        let Some(listed) = get::<Listed>(emulator, &endpoint, &format!("/clusters{query}")).await? else {
            break;
        };
        for name in &listed.clusters {
            let arn = format!("arn:aws:eks:{}:{}:cluster/{name}", home.region, home.account);
            // One that was deleted since the listing has no tags.
            if let Some(Tagged { tags }) =
                get(emulator, &endpoint, &format!("/tags/{}", escaped(&arn))).await?
            {
                found.insert(arn, tags);
            }
        }
        next = listed.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(Some(found))
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, PLAIN).to_string()
}

/// An answer of EKS; `None` when it says that there is no such thing.
async fn get<T: DeserializeOwned>(
    emulator: &Emulator,
    endpoint: &str,
    path: &str,
) -> Result<Option<T>, Fault> {
    let failed = |why: String| {
        let message = format!("EKS at {endpoint}{path} does not tell its tags: {why}");
        Fault(StatusCode::INTERNAL_SERVER_ERROR, TAGGING.internal, message)
    };
    let base = endpoint.trim_end_matches('/');
    // A local AWS reads account and Region from the credential and checks no signature.
    let authorization = {
        let state = emulator.state();
        let home = state.home();
        format!(
            "AWS4-HMAC-SHA256 Credential={}/20000101/{}/eks/aws4_request, SignedHeaders=host, Signature=0",
            home.account, home.region
        )
    };
    let request = Request::get(format!("{base}{path}"))
        .header(header::AUTHORIZATION, authorization)
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(error.to_string()))?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(|error| failed(error.to_string()))?;
    let status = response.status();
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
    if !status.is_success() {
        return Err(failed(format!("{status} {}", String::from_utf8_lossy(&body))));
    }
    serde_json::from_slice(&body).map(Some).map_err(|error| failed(error.to_string()))
}
