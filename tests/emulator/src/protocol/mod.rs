//! REST-JSON around the state: from a request to an operation and its input, from an outcome to a response.

mod answer;
mod decode;
mod neighbour;
mod project;
mod route;
mod signature;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::{Map, Value};

use crate::Emulator;
use crate::model::{Operation, check};
use crate::state::{Effect, Refusal, State};

pub use answer::request_id;
pub use project::project;

/// Name of a call in the account of calls that is no operation.
const UNKNOWN: &str = "Unknown";

/// Service name that calls are signed for.
const SERVICE: &str = "vpc-lattice";

/// An answer of the control plane.
pub type Answer = Response<Full<Bytes>>;

/// The answer was lost on purpose: the connection must break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer was lost on purpose")]
pub struct Lost;

/// Carries out one call and counts it.
///
/// # Errors
/// [`Lost`] when a fault says that the answer never arrives.
pub async fn handle(emulator: &Emulator, parts: &Parts, body: &[u8]) -> Result<Answer, Lost> {
    let agent = parts.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent = agent.map(str::to_owned);
    if let Some(reply) = neighbour::handle(emulator, parts, body).await {
        let latency = emulator.state().settings.latency;
        if latency.0 > 0 {
            tokio::time::sleep(latency.std()).await;
        }
        let status = reply.answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        emulator.calls().note(emulator.clock.now(), &reply.operation, status, reply.error, agent);
        return reply.answer;
    }
    let path = parts.uri.path();
    let routed = route::find(&emulator.model, &parts.method, path);
    if let Err(error) = signature::check(emulator, parts, SERVICE, body) {
        let name = routed.map_or(UNKNOWN, |(operation, _)| operation.name.as_str());
        let answer = answer::unauthenticated(&error);
        let status = answer.status().as_u16();
        emulator.calls().note(emulator.clock.now(), name, status, Some(error.code()), agent);
        return Ok(answer);
    }
    let (name, outcome) = match &routed {
        None => (UNKNOWN, Ok(Err(Refusal::unknown_operation(parts.method.as_str(), path)))),
        Some((operation, segments)) => {
            let outcome = perform(emulator, operation, segments, parts, body).await;
            (operation.name.as_str(), outcome)
        }
    };
    let (latency, scrambled, as_501) = {
        let state = emulator.state();
        let switches = &state.settings.switches;
        (state.settings.latency, switches.scramble_messages, switches.unknown_operation_501)
    };
    if latency.0 > 0 {
        tokio::time::sleep(latency.std()).await;
    }
    let now = emulator.clock.now();
    let Ok(outcome) = outcome else {
        emulator.calls().note(now, name, 0, Some("Lost"), agent);
        return Err(Lost);
    };
    let answer = match (&outcome, &routed) {
        (Ok(document), Some((operation, _))) => answer::success(operation, document),
        (Ok(_), None) => answer::failure(&Refusal::other("There is no operation."), scrambled),
        (Err(refusal), None) if as_501 => answer::with_status(answer::failure(refusal, scrambled), 501),
        (Err(refusal), _) => answer::failure(refusal, scrambled),
    };
    let code = outcome.as_ref().err().map(Refusal::code);
    emulator.calls().note(now, name, answer.status().as_u16(), code, agent);
    Ok(answer)
}

type Outcome = Result<Map<String, Value>, Refusal>;

/// Checks, throttles, faults, and the operation itself.
async fn perform(
    emulator: &Emulator,
    operation: &Operation,
    segments: &[(String, String)],
    parts: &Parts,
    body: &[u8],
) -> Result<Outcome, Lost> {
    let (admitted, effect) = {
        let mut state = emulator.state();
        let now = emulator.clock.now();
        (state.admit(now, operation), state.effect(operation))
    };
    if let Err(refusal) = admitted {
        return Ok(Err(refusal));
    }
    match effect {
        Effect::Throttle => return Ok(Err(State::throttled())),
        Effect::Deny => {
            let message = format!("User is not authorized to perform: vpc-lattice:{}", operation.name);
            return Ok(Err(Refusal::AccessDenied { message }));
        }
        Effect::ErrorBefore => return Ok(Err(internal())),
        Effect::Slow(delay) => tokio::time::sleep(delay.std()).await,
        Effect::None | Effect::ErrorAfter | Effect::TimeoutAfter | Effect::Stale(_) => {}
    }
    let input = match decode::input(&emulator.model, operation, segments, parts.uri.query(), body) {
        Ok(input) => input,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let problems = check::request(&emulator.model, &operation.input(), &input);
    if let Some(refusal) = Refusal::from_problems(&problems) {
        return Ok(Err(refusal));
    }
    let outcome = {
        let mut state = emulator.state();
        let now = emulator.clock.now();
        state.call(now, &operation.name, &input)
    };
    match effect {
        Effect::ErrorAfter => Ok(Err(internal())),
        Effect::TimeoutAfter => Err(Lost),
        Effect::Stale(age) => {
            let horizon = emulator.clock.now();
            Ok(outcome.map(|document| shown(emulator, operation, project::older(document, horizon, age))))
        }
        _ => Ok(outcome
            .map(|document| shown(emulator, operation, document))
            .map_err(|it| allowed(operation, it))),
    }
}

/// The members that the operation's response has.
fn shown(emulator: &Emulator, operation: &Operation, document: Map<String, Value>) -> Map<String, Value> {
    project::project(&emulator.model, &operation.output(), document)
}

/// An exception outside the operation's list becomes a ValidationException, which every operation has.
fn allowed(operation: &Operation, refusal: Refusal) -> Refusal {
    if operation.errors.contains(refusal.letter()) { refusal } else { Refusal::other(refusal.to_string()) }
}

fn internal() -> Refusal {
    Refusal::Internal { message: "An internal error was made to happen.".to_owned() }
}

/// Methods that carry a JSON body.
pub(crate) fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
