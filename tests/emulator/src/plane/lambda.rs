//! Functions as targets: the request as an event, invoked through a local Lambda endpoint, and the function's
//! document as a response.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Body;
use super::client::{Http1, http1};
use super::headers::vpc_arn;
use super::tls::TlsError;
use crate::state::plan::{Destination, Via};
use crate::state::{Home, Moment};

/// Largest body to and from a function.
const MAX_BODY: usize = 6 * 1024 * 1024;

/// What a function's answer may be larger by, for its JSON and base64.
const MAX_ANSWER: usize = 2 * MAX_BODY;

/// What stays as it is in the path of an invocation.
const SEGMENT: &percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC;

/// Why a function gave no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvokeError {
    /// The request's body is too large.
    #[error("the body is larger than a function takes")]
    TooLarge,
    /// There is no Lambda endpoint, or it does not answer.
    #[error("the function cannot be invoked: {0}")]
    Unreachable(String),
    /// The function failed, or what it answered is no response.
    #[error("the function answered badly: {0}")]
    Bad(String),
}

/// A client of Lambda.
#[derive(Debug)]
pub(super) struct Lambda {
    endpoint: Uri,
    client: Http1<Full<Bytes>>,
}

/// What an event tells besides the request.
pub(super) struct Circumstances<'a> {
    pub(super) home: &'a Home,
    pub(super) vpc: &'a str,
    pub(super) via: &'a Via,
    pub(super) destination: &'a Destination,
    pub(super) now: Moment,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    #[serde(default)]
    is_base64_encoded: bool,
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    body: String,
}

impl Lambda {
    /// A client of an endpoint such as `http://127.0.0.1:4566`.
    pub(super) fn new(endpoint: Uri) -> Result<Self, TlsError> {
        Ok(Self { endpoint, client: http1(true)? })
    }

    /// Invokes the function for a request.
    pub(super) async fn invoke(
        &self,
        parts: &Parts,
        body: Body,
        about: &Circumstances<'_>,
    ) -> Result<Response<Body>, InvokeError> {
        let body =
            Limited::new(body, MAX_BODY).collect().await.map_err(|_| InvokeError::TooLarge)?.to_bytes();
        let event = match about.destination.lambda_version.as_str() {
            "V2" => event_v2(parts, &body, about),
            _ => event_v1(parts, &body),
        };
        let unreachable = |error: String| InvokeError::Unreachable(error);
        let function = &about.destination.target.id;
        let name = percent_encoding::utf8_percent_encode(function, SEGMENT);
        let base = self.endpoint.to_string();
        let uri = format!("{}/2015-03-31/functions/{name}/invocations", base.trim_end_matches('/'));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20000101/{}/lambda/aws4_request, SignedHeaders=host, Signature=0",
            about.home.account, about.home.region
        );
        let request = Request::post(uri)
            .header(header::HOST, self.endpoint.authority().map(ToString::to_string).unwrap_or_default())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, authorization)
            .body(Full::from(event.to_string()))
            .map_err(|error| unreachable(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| unreachable(error.to_string()))?;
        let (answer, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| InvokeError::Bad(error.to_string()))?
            .to_bytes();
        if !answer.status.is_success() || answer.headers.contains_key("x-amz-function-error") {
            return Err(InvokeError::Bad(String::from_utf8_lossy(&body).into_owned()));
        }
        respond(&body)
    }
}

/// The function's document as a response.
fn respond(document: &[u8]) -> Result<Response<Body>, InvokeError> {
    let bad = |error: String| InvokeError::Bad(error);
    let answered: Answered = serde_json::from_slice(document).map_err(|error| bad(error.to_string()))?;
    let body = if answered.is_base64_encoded {
        Bytes::from(STANDARD.decode(&answered.body).map_err(|error| bad(error.to_string()))?)
    } else {
        Bytes::from(answered.body)
    };
    if body.len() > MAX_BODY {
        return Err(bad("the body is too large".to_owned()));
    }
    let mut response = Response::builder().status(answered.status_code);
    for (name, value) in &answered.headers {
        let one = std::slice::from_ref(value);
        for value in value.as_array().map_or(one, Vec::as_slice) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            response = response.header(name, text);
        }
    }
    let body = Full::new(body).map_err(|never| match never {}).boxed();
    response.body(body).map_err(|error| bad(error.to_string()))
}

/// All values of each header, in the order of their names.
fn headers(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(name.as_str()).or_default().push(value);
    }
    all
}

fn query(parts: &Parts) -> Vec<(String, String)> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let query = parts.uri.query().unwrap_or_default();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Whether a body travels as text: no content encoding, and a content type that is text.
fn is_text(headers: &HeaderMap) -> bool {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("text/plain");
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let text = kind.starts_with("text/")
        || matches!(kind, "application/json" | "application/javascript" | "application/xml")
        || kind.ends_with("+json")
        || kind.ends_with("+xml");
    text && !headers.contains_key(header::CONTENT_ENCODING)
}

fn body_text(parts: &Parts, body: &[u8]) -> (String, bool) {
    match std::str::from_utf8(body) {
        Ok(text) if is_text(&parts.headers) => (text.to_owned(), false),
        _ => (STANDARD.encode(body), true),
    }
}

fn event_v1(parts: &Parts, body: &[u8]) -> Value {
    let (body, encoded) = body_text(parts, body);
    let joined: BTreeMap<&str, String> =
        headers(&parts.headers).into_iter().map(|(name, values)| (name, values.join(", "))).collect();
    let last: BTreeMap<String, String> = query(parts).into_iter().collect();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    json!({"raw_path": path, "method": parts.method.as_str(), "headers": joined,
           "query_string_parameters": last, "body": body, "is_base64_encoded": encoded})
}

fn event_v2(parts: &Parts, body: &[u8], about: &Circumstances<'_>) -> Value {
    let (body, encoded) = body_text(parts, body);
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in query(parts) {
        parameters.entry(name).or_default().push(value);
    }
    let mut identity = Map::new();
    identity.insert("sourceVpcArn".to_owned(), json!(vpc_arn(about.home, about.vpc)));
    if let Some(caller) = &about.via.caller {
        identity.insert("type".to_owned(), json!("AWS_IAM"));
        identity.insert("principal".to_owned(), json!(caller.principal));
        if let Some(org) = &caller.org_id {
            identity.insert("principalOrgID".to_owned(), json!(org));
        }
        if let Some(session) = &caller.session {
            identity.insert("sessionName".to_owned(), json!(session));
        }
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    json!({"version": "2.0", "path": path, "method": parts.method.as_str(), "headers": headers(&parts.headers),
           "queryStringParameters": parameters, "body": body, "isBase64Encoded": encoded,
           "requestContext": {"serviceNetworkArn": about.via.network_arn, "serviceArn": about.via.service_arn,
               "targetGroupArn": about.destination.group_arn, "region": about.home.region,
               "timeEpoch": (about.now.0 * 1000).to_string(), "identity": identity}})
}

/// Status that stands for a failed invocation, and its reason in access logs.
pub(super) fn failure(error: &InvokeError) -> (StatusCode, &'static str) {
    match error {
        InvokeError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "ClientProtocolError"),
        InvokeError::Unreachable(_) => (StatusCode::INTERNAL_SERVER_ERROR, "TargetConnectionError"),
        InvokeError::Bad(_) => (StatusCode::BAD_GATEWAY, "TargetProtocolError"),
    }
}
