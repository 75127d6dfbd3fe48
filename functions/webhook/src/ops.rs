//! The second port: liveness, readiness and metrics, without TLS, for the kubelet and a scraper.

use crate::interest::Interest;
use crate::metrics::Metrics;
use crate::neighbours::SharedNeighbours;
use crate::queue::HintQueue;
use crate::watch::SharedInterest;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

/// The media type of the metrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What has been reached on the way to being ready.
#[derive(Debug, Default)]
pub struct Readiness {
    serving: AtomicBool,
    trusted: AtomicBool,
    leaving: AtomicBool,
}

impl Readiness {
    /// The TLS port has a certificate.
    pub fn serving(&self) {
        self.serving.store(true, Ordering::Relaxed);
    }

    /// The API server trusts it; tells whether that is news.
    pub fn trusted(&self) -> bool {
        !self.trusted.swap(true, Ordering::Relaxed)
    }

    /// The process is about to end: no new connections, please.
    pub fn leaving(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// What is missing; `None` if reviews should come.
    pub fn missing(&self) -> Option<&'static str> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        match (is(&self.leaving), is(&self.serving), is(&self.trusted)) {
            (true, ..) => Some("shutting down"),
            (_, false, _) => Some("no certificate yet"),
            (_, _, false) => Some("the caBundle is not set yet"),
            _ => None,
        }
    }
}

/// What the second port shows.
#[derive(Debug, Clone)]
pub struct Ops {
    /// Shown by `/readyz`.
    pub readiness: Arc<Readiness>,
    /// Shown by `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For the gauge of its length.
    pub queue: HintQueue,
    /// For the gauges of its size.
    pub interest: SharedInterest,
    /// For the gauges of theirs.
    pub neighbours: SharedNeighbours,
}

impl Ops {
    /// The routes of the second port.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(async || "ok"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

async fn readyz(State(ops): State<Ops>) -> impl IntoResponse {
    match ops.readiness.missing() {
        None => (StatusCode::OK, "ok"),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing),
    }
}

async fn metrics(State(ops): State<Ops>) -> Result<impl IntoResponse, StatusCode> {
    let as_i64 = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (complete, services) = {
        let interest = ops.interest.read().unwrap_or_else(PoisonError::into_inner);
        (Interest::is_complete(&interest), interest.services())
    };
    let (whole, bytes) = {
        let neighbours = ops.neighbours.read().unwrap_or_else(PoisonError::into_inner);
        (neighbours.is_complete(), neighbours.bytes())
    };
    ops.metrics.neighbours_complete.set(i64::from(whole));
    ops.metrics.neighbours_bytes.set(as_i64(bytes));
    ops.metrics.queue_length.set(as_i64(ops.queue.len()));
    ops.metrics.interest_complete.set(i64::from(complete));
    ops.metrics.interest_services.set(as_i64(services));
    let text = ops.metrics.encode().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_needs_certificate_and_trust_and_ends_with_the_shutdown() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing(), Some("no certificate yet"));
        readiness.serving();
        assert_eq!(readiness.missing(), Some("the caBundle is not set yet"));
        assert!(readiness.trusted() && !readiness.trusted());
        assert_eq!(readiness.missing(), None);
        readiness.leaving();
        assert_eq!(readiness.missing(), Some("shutting down"));
    }
}
