//! What only people and tests use, under a path that no AWS client has.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Emulator;
use crate::picture::picture;
use crate::protocol::Answer;
use crate::state::{Delay, Share};

/// Prefix of all admin paths.
pub const PREFIX: &str = "/_emulator";

/// The page for people.
const PAGE: &str = include_str!("page.html");

/// How far the clock shall be put forward.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance: Delay,
}

/// Answers an admin request; `path` is what follows the prefix.
pub fn handle(emulator: &Emulator, method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Answer {
    match (method.as_str(), path.trim_end_matches('/')) {
        ("GET", "") => html(Bytes::from_static(PAGE.as_bytes())),
        ("GET", "/picture") => {
            let now = emulator.clock.now();
            let report = emulator.state().report(now);
            // Counts only: no call has this number.
            let calls = emulator.calls().report(u64::MAX);
            html(Bytes::from(picture(&report, &calls)))
        }
        ("GET", "/calls") => good(&emulator.calls().report(since(query))),
        ("GET", "/state") => {
            let now = emulator.clock.now();
            good(&emulator.state().report(now))
        }
        ("GET", "/config") => match serde_json::to_value(&emulator.state().settings) {
            Ok(settings) => good(&settings),
            Err(error) => bad(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        ("PUT", "/config") => configure(emulator, body),
        ("POST", "/reset") => {
            emulator.state().reset();
            emulator.calls().reset();
            good(&json!({}))
        }
        ("POST", "/calls/reset") => {
            emulator.calls().reset();
            good(&json!({}))
        }
        ("GET", "/snapshot") => match emulator.state().snapshot() {
            Ok(snapshot) => good(&snapshot),
            Err(error) => bad(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        ("PUT", "/snapshot") => restore(emulator, body),
        ("POST", "/shares") => share(emulator, body),
        ("POST", "/clock") => advance(emulator, body),
        ("GET", "/clock") => good(&json!({"now": emulator.clock.now().iso()})),
        ("GET", "/dns") => {
            let (vpc, name) = (parameter(query, "vpc"), parameter(query, "name"));
            let now = emulator.clock.now();
            good(&json!({"addresses": emulator.state().resolve(now, vpc, name)}))
        }
        ("GET", "/model") => good(&json!({"version": emulator.model.version})),
        _ => bad(StatusCode::NOT_FOUND, "There is no such admin path; the page at /_emulator/ lists them."),
    }
}

/// The `since` parameter: the number of the last call that the reader knows.
fn since(query: Option<&str>) -> u64 {
    parameter(query, "since").parse().unwrap_or(0)
}

/// A parameter of a query; empty where it is not there.
fn parameter<'q>(query: Option<&'q str>, name: &str) -> &'q str {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap_or_default()
}

fn configure(emulator: &Emulator, body: &[u8]) -> Answer {
    let patch: Value = match serde_json::from_slice(body) {
        Ok(patch) => patch,
        Err(error) => return bad(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let mut state = emulator.state();
    match state.settings.patched(&patch) {
        Ok(settings) => {
            state.settings = settings;
            good(&serde_json::to_value(&state.settings).unwrap_or_default())
        }
        Err(error) => bad(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn restore(emulator: &Emulator, body: &[u8]) -> Answer {
    let now = emulator.clock.now();
    let restored = serde_json::from_slice(body).and_then(|snapshot| emulator.state().restore(now, snapshot));
    match restored {
        Ok(()) => good(&json!({})),
        Err(error) => bad(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn advance(emulator: &Emulator, body: &[u8]) -> Answer {
    match serde_json::from_slice::<Advance>(body) {
        Ok(Advance { advance }) => {
            emulator.clock.advance(advance);
            let now = emulator.clock.now();
            emulator.state().advance(now);
            good(&json!({"now": now.iso()}))
        }
        Err(error) => bad(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn share(emulator: &Emulator, body: &[u8]) -> Answer {
    let share: Share = match serde_json::from_slice(body) {
        Ok(share) => share,
        Err(error) => return bad(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let now = emulator.clock.now();
    let shared = emulator.state().share(now, &share);
    match shared {
        Ok(view) => good(&Value::Object(view)),
        Err(error) => bad(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn html(body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, html);
    answer
}

fn good(document: &Value) -> Answer {
    json_answer(StatusCode::OK, document)
}

fn bad(status: StatusCode, message: &str) -> Answer {
    json_answer(status, &json!({"message": message}))
}

fn json_answer(status: StatusCode, document: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(document.to_string())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
