//! `POST /validate/<token>`: AdmissionReview in, `allowed: true` out.
//!
//! Whatever the body is, the answer is 200 and allows: a webhook that only listens must never be what stops a cluster.
//! What is said back are warnings, and what a new Pod lacks ([`crate::gate`]). Whoever does not know the path ([`crate::tls::path`]) is no API server:
//! its body is not read, and its connection ends with the answer 404.

use crate::gate::{Gated, gated, new_pod};
use crate::losses::{Cause, Losses};
use crate::metrics::Metrics;
use crate::neighbours::SharedNeighbours;
use crate::queue::{Entry, HintQueue};
use crate::review::{
    Decision, DropReason, Review, kind_of, object_to_be_deleted, object_to_warn_about, read,
};
use crate::seldom::Seldom;
use crate::tls::path::Tokens;
use crate::watch::SharedInterest;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use trellis_gateway::{admission_warnings, admission_warnings_among, deletion_warnings};
use trellis_hint::{ClusterId, Kind, names};

/// Bytes of a review: the API server stores objects up to 1.5 MiB and takes requests up to 3 MiB; a review holds the
/// object twice.
pub const BODY_BYTES_MAX: usize = 7 * 1024 * 1024;

/// Bytes of all bodies that are in memory at once: room for a thousand usual reviews or two of the largest, and a small
/// part of what a Pod may use. Decisions are made one at a time, so their memory does not add up.
pub const BYTES_IN_FLIGHT_MAX: usize = 16 * 1024 * 1024;

/// Values in a review, as its punctuation tells. Each takes some 100 bytes of memory, however few it has in the body: this
/// many take 25 MB, a fifth of what a Pod may use. The largest review of a kind that counts, of an EndpointSlice with 1,000
/// endpoints, has 60,000.
pub const VALUES_MAX: usize = 256 * 1024;

/// Time for one answer, the body's arrival included: below the one second that the API server waits.
pub const REVIEW_TIMEOUT: Duration = Duration::from_millis(900);

/// What a review needs.
#[derive(Debug)]
pub struct Reviewer {
    /// The cluster whose objects are reviewed.
    pub cluster: ClusterId,
    /// Who refers to a Service.
    pub interest: SharedInterest,
    /// What a route stands beside.
    pub neighbours: SharedNeighbours,
    /// Where hints go.
    pub queue: HintQueue,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Told when a review gave no hint that should have given one.
    pub losses: Losses,
    /// The paths that reviews come to.
    pub tokens: Tokens,
    /// Woken when somebody calls another path: the API server may have been told one that is not known here.
    pub wake: Arc<Notify>,
}

/// A [`Reviewer`] at work.
#[derive(Debug)]
struct Port {
    reviewer: Reviewer,
    /// One permit for each byte of a body.
    in_flight: Semaphore,
    log: Seldom,
}

/// The answer to one body.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    uid: String,
    warnings: Vec<String>,
    /// A JSON patch; empty where nothing is to be changed.
    patch: Vec<Value>,
}

impl Reviewer {
    /// The routes of the TLS port.
    pub fn router(self) -> Router {
        let in_flight = Semaphore::new(BYTES_IN_FLIGHT_MAX);
        let port = Port { reviewer: self, in_flight, log: Seldom::default() };
        Router::new().fallback(answer).with_state(Arc::new(port))
    }

    /// Queues the hints of one review; returns the warnings for the user.
    fn review(&self, request: &Value) -> Result<Vec<String>, DropReason> {
        let outcome = match read(request, &self.cluster) {
            Ok(review) => self.hint(&review),
            Err(reason) => Err(reason),
        };
        let warnings = object_to_warn_about(request).map(|(kind, object)| self.warnings(kind, object));
        let going = object_to_be_deleted(request).map(|(kind, object)| deletion_warnings(kind, object));
        let warnings = warnings.or(going).unwrap_or_default();
        self.metrics.warnings.inc_by(warnings.len() as u64);
        self.metrics.reviewed(kind_of(request), outcome.map_or_else(DropReason::as_str, |()| "hinted"));
        match outcome {
            Err(DropReason::Impossible) => Err(DropReason::Impossible),
            _ => Ok(warnings),
        }
    }

    /// What a new Pod lacks, and a warning.
    fn gate(&self, request: &Value, pod: &Value) -> (Vec<Value>, Option<String>) {
        let interest = self.interest.read().unwrap_or_else(PoisonError::into_inner);
        let neighbours = self.neighbours.read().unwrap_or_else(PoisonError::into_inner);
        let Gated { patch, warning, outcome } =
            gated(&self.cluster, request, pod, (&interest, &neighbours), Instant::now());
        self.metrics.reviewed(Some(Kind::Pod), outcome);
        (patch, warning)
    }

    /// Of a route or a Gateway beside what its cluster has, as far as that is known here.
    fn warnings(&self, kind: Kind, object: &Value) -> Vec<String> {
        let around = || {
            let neighbours = self.neighbours.read().unwrap_or_else(PoisonError::into_inner);
            neighbours.around(&self.cluster, kind, object)
        };
        let Some(around) = (kind.is_route() || kind == Kind::Gateway).then(around).flatten() else {
            return admission_warnings(kind, object);
        };
        let around = around.iter().filter_map(|(kind, kept)| Some((*kind, kept.object()?)));
        admission_warnings_among(&self.cluster, kind, object, around)
    }

    fn hint(&self, review: &Review) -> Result<(), DropReason> {
        let now = Instant::now();
        let decision = review.decide(&self.interest.read().unwrap_or_else(PoisonError::into_inner), now);
        if let Decision::Hints(hints) = &decision {
            hints.iter().map(Entry::from).for_each(|entry| self.queue.offer(entry));
            let (object, trace) = (&review.told.object, review.told.trace.as_deref().unwrap_or_default());
            let units = hints.len();
            tracing::info!(trace, kind = %object.kind, object.namespace, object.name, units, "hinted");
        }
        self.note(review, now);
        match decision {
            Decision::Hints(_) => Ok(()),
            Decision::Drop(reason) => Err(reason),
        }
    }

    /// What the review says of references and of Services counts from now on, before a watch shows it.
    fn note(&self, review: &Review, now: Instant) {
        let mut services = review.services().peekable();
        if review.references.services.is_empty() && services.peek().is_none() {
            return;
        }
        let mut interest = self.interest.write().unwrap_or_else(PoisonError::into_inner);
        for service in services {
            interest.remember(service, review.told.clone(), now);
        }
        interest.learn(&review.references, now);
    }
}

impl Port {
    async fn answer(&self, body: Body) -> Answer {
        let Reviewer { metrics, losses, .. } = &self.reviewer;
        // The API server says how long its body is; what does not say so counts as one of the largest.
        let bytes =
            body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(BODY_BYTES_MAX);
        let bytes = u32::try_from(bytes.min(BODY_BYTES_MAX)).unwrap_or(u32::MAX);
        let read = async {
            // The semaphore is never closed.
            let permit = self.in_flight.acquire_many(bytes).await.ok();
            (axum::body::to_bytes(body, BODY_BYTES_MAX).await, permit)
        };
        let Ok((Ok(bytes), _permit)) = tokio::time::timeout(REVIEW_TIMEOUT, read).await else {
            metrics.reviewed(None, "unreadable");
            losses.note(Cause::Unread);
            return Answer::default();
        };
        let started = Instant::now();
        // A fault in a decision costs its hint, which a look at the whole cluster makes good, and not the user's request.
        let answer = catch_unwind(AssertUnwindSafe(|| self.decide(&bytes))).unwrap_or_else(|_| {
            metrics.reviewed(None, "fault");
            losses.note(Cause::Unread);
            Answer { uid: uid_of(&bytes), ..Answer::default() }
        });
        metrics.review_seconds.observe(started.elapsed().as_secs_f64());
        answer
    }

    fn decide(&self, bytes: &[u8]) -> Answer {
        let review = if has_too_many_values(bytes) { None } else { serde_json::from_slice(bytes).ok() };
        let review: Value = review.unwrap_or_default();
        let uid = review.pointer("/request/uid").and_then(Value::as_str);
        let uid = uid.map_or_else(|| uid_of(bytes), str::to_owned);
        let request = review.get("request").unwrap_or(&Value::Null);
        if let Some(pod) = new_pod(request) {
            let (patch, warning) = self.reviewer.gate(request, pod);
            return Answer { uid, warnings: warning.into_iter().collect(), patch };
        }
        let warnings = self.reviewer.review(request).unwrap_or_else(|reason| {
            if let Some(unsaid) = self.log.say() {
                let kind = kind_of(request).map_or("other", Kind::as_str);
                let trace = Some(uid.as_str()).filter(|uid| names::is_id(uid)).unwrap_or_default();
                let (reason, bytes) = (reason.as_str(), bytes.len());
                tracing::warn!(
                    trace,
                    kind,
                    reason,
                    bytes,
                    unsaid,
                    "a review of what no object can be gives no hint"
                );
            }
            Vec::new()
        });
        Answer { uid, warnings, patch: vec![] }
    }
}

async fn answer(State(port): State<Arc<Port>>, method: Method, uri: Uri, body: Body) -> Response {
    let Reviewer { tokens, metrics, wake, .. } = &port.reviewer;
    if method != Method::POST || !tokens.admit(uri.path()) {
        metrics.strangers.inc();
        if method == Method::POST {
            wake.notify_one();
        }
        return (StatusCode::NOT_FOUND, [(header::CONNECTION, HeaderValue::from_static("close"))])
            .into_response();
    }
    let Answer { uid, warnings, patch } = port.answer(body).await;
    let mut response = json!({"uid": uid, "allowed": true});
    if let (false, Some(fields)) = (warnings.is_empty(), response.as_object_mut()) {
        fields.insert("warnings".to_owned(), warnings.into());
    }
    if let (false, Some(fields)) = (patch.is_empty(), response.as_object_mut()) {
        fields.insert("patchType".to_owned(), "JSONPatch".into());
        fields.insert("patch".to_owned(), json!(ByteString(Value::from(patch).to_string().into_bytes())));
    }
    Json(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
        .into_response()
}

/// Whether a body has more values than are read. Punctuation within texts counts too, so it may be said of one that has
/// fewer, but never the other way.
fn has_too_many_values(body: &[u8]) -> bool {
    body.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count() > VALUES_MAX
}

/// The review's uid, also where the object is nested too deeply to be read; empty if there is none.
fn uid_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Review {
        request: Request,
    }
    #[derive(Deserialize)]
    struct Request {
        uid: String,
    }
    serde_json::from_slice(body).map(|review: Review| review.request.uid).unwrap_or_default()
}
