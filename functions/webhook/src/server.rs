//! `POST /validate`: AdmissionReview in, `allowed: true` out.
//!
//! Whatever the body is, the answer is 200 and allows: a webhook that only listens must never be what stops a cluster.
//! The one thing that is said back are warnings.

use crate::interest::{REFERRING_KINDS, services_of};
use crate::metrics::Metrics;
use crate::queue::{Entry, HintQueue};
use crate::review::{Decision, decide, kind_of, object_to_warn_about};
use crate::warnings::bounded;
use crate::watch::SharedInterest;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use trellis_gateway::admission_warnings;
use trellis_hint::ClusterId;

/// Bytes of a review: the API server stores objects up to 1.5 MiB and takes requests up to 3 MiB; a review holds the
/// object twice.
pub const BODY_BYTES_MAX: usize = 7 * 1024 * 1024;

/// Bytes of all bodies that are in memory at once: room for a thousand usual reviews or two of the largest, and a small
/// part of what a Pod may use. Decisions are made one at a time, so their memory does not add up.
pub const BYTES_IN_FLIGHT_MAX: usize = 16 * 1024 * 1024;

/// Time for one answer, the body's arrival included: below the one second that the API server waits.
pub const REVIEW_TIMEOUT: Duration = Duration::from_millis(900);

/// What a review needs.
#[derive(Debug)]
pub struct Reviewer {
    cluster: ClusterId,
    interest: SharedInterest,
    queue: HintQueue,
    metrics: Arc<Metrics>,
    /// One permit for each byte of a body.
    in_flight: Semaphore,
}

/// The answer to one body.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    uid: String,
    warnings: Vec<String>,
}

impl Reviewer {
    /// A reviewer for `cluster`, whose hints go to `queue`.
    pub fn new(
        cluster: ClusterId,
        interest: SharedInterest,
        queue: HintQueue,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { cluster, interest, queue, metrics, in_flight: Semaphore::new(BYTES_IN_FLIGHT_MAX) }
    }

    /// The routes of the TLS port.
    pub fn router(self) -> Router {
        Router::new().route("/validate", post(validate)).with_state(Arc::new(self))
    }

    async fn answer(&self, body: Body) -> Answer {
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
            self.metrics.reviewed(None, "unreadable");
            return Answer::default();
        };
        let started = Instant::now();
        let review = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let uid = review
            .pointer("/request/uid")
            .and_then(Value::as_str)
            .map_or_else(|| uid_of(&bytes), str::to_owned);
        // A fault in a decision costs its hint, which the drift pass makes good, and not the user's request.
        let warnings = catch_unwind(AssertUnwindSafe(|| self.review(&review))).unwrap_or_else(|_| {
            self.metrics.reviewed(None, "fault");
            Vec::new()
        });
        self.metrics.review_seconds.observe(started.elapsed().as_secs_f64());
        Answer { uid, warnings }
    }

    /// Queues the hints of one review; returns the warnings for the user.
    fn review(&self, review: &Value) -> Vec<String> {
        let request = review.get("request").unwrap_or(&Value::Null);
        let interest = self.interest.read().unwrap_or_else(PoisonError::into_inner);
        let decision = decide(request, &self.cluster, &interest);
        drop(interest);
        let outcome = match &decision {
            Decision::Hints(hints) => {
                hints.iter().map(Entry::from).for_each(|entry| self.queue.offer(entry));
                self.learn(request);
                "hinted"
            }
            Decision::Drop(reason) => reason.as_str(),
        };
        self.metrics.reviewed(kind_of(request), outcome);
        let warnings =
            object_to_warn_about(request).map(|(kind, object)| bounded(admission_warnings(kind, object)));
        let warnings = warnings.unwrap_or_default();
        self.metrics.warnings.inc_by(warnings.len() as u64);
        warnings
    }

    /// The Services that a route or export names count from now on, before the watch shows the object.
    fn learn(&self, request: &Value) {
        if let (Some(kind), Some(object)) = (kind_of(request), request.get("object"))
            && REFERRING_KINDS.contains(&kind)
        {
            let mut interest = self.interest.write().unwrap_or_else(PoisonError::into_inner);
            interest.learn(services_of(kind, object), Instant::now());
        }
    }
}

async fn validate(State(reviewer): State<Arc<Reviewer>>, body: Body) -> Json<Value> {
    let Answer { uid, warnings } = reviewer.answer(body).await;
    let mut response = json!({"uid": uid, "allowed": true});
    if let (false, Some(fields)) = (warnings.is_empty(), response.as_object_mut()) {
        fields.insert("warnings".to_owned(), warnings.into());
    }
    Json(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
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
