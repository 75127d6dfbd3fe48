//! The webhook's metrics: every name is in [`Metrics::new`], and each carries its unit.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use trellis_hint::Kind;

/// Seconds of one SendMessageBatch: SQS answers in 5 to 50 ms; beyond 8 s a call has failed.
const SEND_SECONDS_BUCKETS: [f64; 10] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 3.0, 8.0];

/// Seconds from a whole request body to its answer: decisions take well below a millisecond.
const REVIEW_SECONDS_BUCKETS: [f64; 8] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.1];

/// Labels of `reviews`; both values are from fixed sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReviewLabels {
    /// A kind of [`Kind::ALL`] or `other`.
    pub kind: &'static str,
    /// `hinted`, or why there was no hint.
    pub outcome: &'static str,
}

/// Labels of `losses`; the value is from a fixed set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LossLabels {
    /// Why hints may be missing.
    pub cause: &'static str,
}

/// All metrics, with the registry that writes them out.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Reviews answered.
    pub reviews: Family<ReviewLabels, Counter>,
    /// Time of a decision.
    pub review_seconds: Histogram,
    /// Warnings given back to the user.
    pub warnings: Counter,
    /// Hints that the queue took.
    pub hints_queued: Counter,
    /// Hints lost because the queue was full.
    pub hints_dropped: Counter,
    /// Hints that SQS took.
    pub hints_sent: Counter,
    /// Hints that SQS refused, or did not take in time.
    pub hints_failed: Counter,
    /// Hints that were put back to be tried again.
    pub hints_retried: Counter,
    /// Times that hints may be missing.
    pub losses: Family<LossLabels, Counter>,
    /// Hints to look at the whole cluster that SQS took.
    pub whole_cluster_sent: Counter,
    /// 1 while a hint to look at the whole cluster is owed, 0 while nothing is.
    pub whole_cluster_owed: Gauge,
    /// Connections closed at once since there were too many.
    pub connections_refused: Counter,
    /// Requests on the TLS port that did not know its path.
    pub strangers: Counter,
    /// Hints that wait.
    pub queue_length: Gauge,
    /// Time of one SendMessageBatch, retries of the SDK included.
    pub send_seconds: Histogram,
    /// End of the served certificate, in seconds since 1970.
    pub certificate_expiry: Gauge,
    /// 1 while the set of Services that count is known, 0 while all count.
    pub interest_complete: Gauge,
    /// Services that routes and exports name.
    pub interest_services: Gauge,
    /// 1 while a route is warned of beside what its cluster has, 0 while by itself.
    pub neighbours_complete: Gauge,
    /// Bytes that are kept for that.
    pub neighbours_bytes: Gauge,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("trellis_webhook"),
            reviews: Family::default(),
            review_seconds: Histogram::new(REVIEW_SECONDS_BUCKETS),
            warnings: Counter::default(),
            hints_queued: Counter::default(),
            hints_dropped: Counter::default(),
            hints_sent: Counter::default(),
            hints_failed: Counter::default(),
            hints_retried: Counter::default(),
            losses: Family::default(),
            whole_cluster_sent: Counter::default(),
            whole_cluster_owed: Gauge::default(),
            connections_refused: Counter::default(),
            strangers: Counter::default(),
            queue_length: Gauge::default(),
            send_seconds: Histogram::new(SEND_SECONDS_BUCKETS),
            certificate_expiry: Gauge::default(),
            interest_complete: Gauge::default(),
            interest_services: Gauge::default(),
            neighbours_complete: Gauge::default(),
            neighbours_bytes: Gauge::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("reviews", "Admission reviews answered, by kind and outcome", self.reviews.clone());
        registry.register("review_seconds", "Seconds to decide on a review", self.review_seconds.clone());
        registry.register("warnings", "Warnings given back to users", self.warnings.clone());
        registry.register("hints_queued", "Hints queued for SQS", self.hints_queued.clone());
        registry.register(
            "hints_dropped",
            "Hints dropped because the queue was full",
            self.hints_dropped.clone(),
        );
        registry.register("hints_sent", "Hints that SQS took", self.hints_sent.clone());
        registry.register("hints_failed", "Hints given up after SQS refused them", self.hints_failed.clone());
        registry.register("hints_retried", "Hints put back to be tried again", self.hints_retried.clone());
        registry.register("losses", "Times that hints may be missing, by cause", self.losses.clone());
        registry.register(
            "whole_cluster_sent",
            "Hints to look at the whole cluster that SQS took",
            self.whole_cluster_sent.clone(),
        );
        registry.register(
            "whole_cluster_owed",
            "1 while a hint to look at the whole cluster is owed",
            self.whole_cluster_owed.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once since there were too many",
            self.connections_refused.clone(),
        );
        registry.register(
            "strangers",
            "Requests on the TLS port that did not know its path",
            self.strangers.clone(),
        );
        registry.register("queue_length", "Hints waiting to be sent", self.queue_length.clone());
        registry.register("sqs_send_seconds", "Seconds of one SendMessageBatch", self.send_seconds.clone());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the served certificate ends, in seconds since 1970",
            self.certificate_expiry.clone(),
        );
        registry.register(
            "interest_complete",
            "1 while only named Services count, 0 while all do",
            self.interest_complete.clone(),
        );
        registry.register(
            "interest_services",
            "Services that routes and exports name",
            self.interest_services.clone(),
        );
        registry.register(
            "neighbours_complete",
            "1 while a route is warned of beside what its cluster has, 0 while by itself",
            self.neighbours_complete.clone(),
        );
        registry.register(
            "neighbours_bytes",
            "Bytes kept of what routes stand beside",
            self.neighbours_bytes.clone(),
        );
        self
    }

    /// Counts one review.
    pub fn reviewed(&self, kind: Option<Kind>, outcome: &'static str) {
        self.reviews.get_or_create(&ReviewLabels { kind: kind.map_or("other", Kind::as_str), outcome }).inc();
    }

    /// Counts one loss.
    pub fn lost(&self, cause: &'static str) {
        self.losses.get_or_create(&LossLabels { cause }).inc();
    }

    /// The OpenMetrics text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_written_under_its_name() {
        let metrics = Metrics::new();
        metrics.reviewed(Some(Kind::Gateway), "hinted");
        metrics.reviewed(None, "unreadable");
        metrics.send_seconds.observe(0.004);
        metrics.lost("started");
        let text = metrics.encode().unwrap();
        for line in [
            r#"trellis_webhook_reviews_total{kind="Gateway",outcome="hinted"} 1"#,
            r#"trellis_webhook_reviews_total{kind="other",outcome="unreadable"} 1"#,
            "trellis_webhook_review_seconds_count 0",
            "trellis_webhook_warnings_total 0",
            "trellis_webhook_hints_queued_total 0",
            "trellis_webhook_hints_dropped_total 0",
            "trellis_webhook_hints_sent_total 0",
            "trellis_webhook_hints_failed_total 0",
            "trellis_webhook_hints_retried_total 0",
            r#"trellis_webhook_losses_total{cause="started"} 1"#,
            "trellis_webhook_whole_cluster_sent_total 0",
            "trellis_webhook_whole_cluster_owed 0",
            "trellis_webhook_connections_refused_total 0",
            "trellis_webhook_strangers_total 0",
            "trellis_webhook_queue_length 0",
            r#"trellis_webhook_sqs_send_seconds_bucket{le="0.005"} 1"#,
            "trellis_webhook_certificate_expiry_timestamp_seconds 0",
            "trellis_webhook_interest_complete 0",
            "trellis_webhook_interest_services 0",
            "trellis_webhook_neighbours_complete 0",
            "trellis_webhook_neighbours_bytes 0",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
    }
}
