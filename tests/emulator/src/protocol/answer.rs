//! Responses of the control plane.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use super::Answer;
use crate::iam::SignatureError;
use crate::model::Operation;
use crate::state::Refusal;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A fresh request id: 128 random bits in the shape of a UUID.
pub fn request_id() -> String {
    let hex = format!("{:032x}", rand::random::<u128>());
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// A success: the operation's status, and no body at all for 204.
pub(super) fn success(operation: &Operation, document: &Map<String, Value>) -> Answer {
    let body = if operation.success == 204 { Bytes::new() } else { rendered(document) };
    answer(operation.success, body)
}

/// A modelled exception. `scrambled` replaces its text, to prove that nobody reads it.
pub(super) fn failure(refusal: &Refusal, scrambled: bool) -> Answer {
    let text = refusal.to_string();
    let text = if scrambled { scramble(&text) } else { text };
    let mut answer = answer(refusal.http_status(), rendered(&refusal.body(&text)));
    answer.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(refusal.code()));
    if let Refusal::Throttling { retry_after, .. } = refusal {
        answer.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(*retry_after));
    }
    answer
}

/// A call that nobody who is known has signed. All of AWS's services answer so, whatever their model says.
pub(super) fn unauthenticated(error: &SignatureError) -> Answer {
    let document = json!({"message": error.to_string()});
    let mut answer = answer(StatusCode::FORBIDDEN.as_u16(), Bytes::from(document.to_string()));
    answer.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(error.code()));
    answer
}

/// The same answer with another status.
pub(super) fn with_status(mut answer: Answer, status: u16) -> Answer {
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

fn rendered(document: &Map<String, Value>) -> Bytes {
    Bytes::from(serde_json::to_vec(document).unwrap_or_default())
}

fn answer(status: u16, body: Bytes) -> Answer {
    let empty = body.is_empty();
    let mut answer = Answer::new(Full::new(body));
    if !empty {
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
    }
    if let Ok(id) = HeaderValue::from_str(&request_id()) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    with_status(answer, status)
}

/// The letters of a text in another order, so that no phrase of it survives.
fn scramble(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().filter(char::is_ascii_alphabetic).collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}
