//! What a new Pod gets that stands behind a route or an export: a readiness gate, so that it is ready when VPC Lattice sends it
//! requests and not before; and where its namespace or the Pod asks for it, time to serve those that are still on their way
//! when it is to end.
//!
//! The gate is the AWS Gateway API Controller's, and so is the label of the namespace that asks for it, which the
//! MutatingWebhookConfiguration selects. Nothing that a Pod has is changed, and a Pod that has all is left as it is.

use crate::interest::Interest;
use crate::neighbours::Neighbours;
use serde_json::{Value, json};
use std::time::Instant;
use trellis_gateway::READINESS_GATE;
use trellis_hint::{ClusterId, Kind};

/// The label, of a namespace or of a Pod, that asks for a `preStop` sleep of so many seconds; the Pod's counts. Seconds and not
/// `enabled`, since how long VPC Lattice takes to notice is the installation's to measure; a label and not an annotation, as its
/// sibling `pod-readiness-gate-inject`.
pub const SLEEP_LABEL: &str = "application-networking.k8s.aws/pod-prestop-sleep";

/// The longest sleep, in seconds: twice as long as a target drains at most.
const SLEEP_SECONDS_MAX: u32 = 600;

/// Seconds that a Pod has to end where it does not say (Kubernetes API, terminationGracePeriodSeconds).
const GRACE_SECONDS: u64 = 30;

/// What becomes of a Pod's review.
#[derive(Debug, Clone, PartialEq)]
pub struct Gated {
    /// The JSON patch, which may be empty.
    pub patch: Vec<Value>,
    /// What is to be told whoever makes the Pod.
    pub warning: Option<String>,
    /// In a word, for the metric.
    pub outcome: &'static str,
}

impl Gated {
    fn as_it_is(outcome: &'static str) -> Self {
        Self { patch: vec![], warning: None, outcome }
    }
}

/// The Pod that `request` is to create; none where it is about anything else.
pub fn new_pod(request: &Value) -> Option<&Value> {
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_pod = text("/kind/kind") == Kind::Pod.as_str() && text("/kind/group").is_empty();
    let is_new = text("/operation") == "CREATE" && text("/subResource").is_empty();
    request.get("object").filter(|object| is_pod && is_new && object.is_object())
}

/// Decides on the `request` of a new Pod. Nobody is asked, and nothing is remembered: it is the same for a dry run.
pub fn gated(
    cluster: &ClusterId,
    request: &Value,
    pod: &Value,
    (interest, neighbours): (&Interest, &Neighbours),
    now: Instant,
) -> Gated {
    let namespace = request.get("namespace").and_then(Value::as_str).unwrap_or_default();
    let labels = pod.pointer("/metadata/labels");
    match neighbours.is_behind(cluster, interest, (namespace, labels), now) {
        None => Gated::as_it_is("not_known"),
        Some(false) => Gated::as_it_is("no_interest"),
        Some(true) => {
            let own = labels.and_then(|labels| labels.get(SLEEP_LABEL)).and_then(Value::as_str);
            let asked =
                own.map(str::to_owned).or_else(|| neighbours.label_of_namespace(namespace, SLEEP_LABEL));
            let (sleep, warning) = seconds(asked.as_deref());
            let patch = patch(pod, sleep);
            let outcome = if patch.is_empty() { "no_change" } else { "gated" };
            Gated { patch, warning, outcome }
        }
    }
}

/// The seconds that a label asks for, and what is wrong with it.
fn seconds(label: Option<&str>) -> (Option<u32>, Option<String>) {
    let Some(label) = label else { return (None, None) };
    let seconds = label.parse().ok().filter(|seconds| (1..=SLEEP_SECONDS_MAX).contains(seconds));
    let wrong = || {
        format!(
            "label {SLEEP_LABEL}: it is no number of seconds from 1 to {SLEEP_SECONDS_MAX} and does not count"
        )
    };
    (seconds, seconds.is_none().then(wrong))
}

/// What a Pod lacks, as a JSON patch.
fn patch(pod: &Value, sleep: Option<u32>) -> Vec<Value> {
    let mut patch = vec![];
    let gates =
        pod.pointer("/spec/readinessGates").and_then(Value::as_array).filter(|gates| !gates.is_empty());
    let gate = json!({"conditionType": READINESS_GATE});
    match gates {
        None => patch.push(add("/spec/readinessGates", &json!([gate]))),
        Some(gates) if gates.contains(&gate) => {}
        Some(_) => patch.push(add("/spec/readinessGates/-", &gate)),
    }
    let Some(seconds) = sleep else { return patch };
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let pre_stop = json!({"sleep": {"seconds": seconds}});
    let sleeps = containers.enumerate().filter_map(|(at, container)| {
        let lifecycle = container.get("lifecycle").filter(|lifecycle| lifecycle.is_object());
        match lifecycle {
            None => Some(add(&format!("/spec/containers/{at}/lifecycle"), &json!({"preStop": pre_stop}))),
            Some(own) if own.get("preStop").is_some_and(|own| !own.is_null()) => None,
            Some(_) => Some(add(&format!("/spec/containers/{at}/lifecycle/preStop"), &pre_stop)),
        }
    });
    let sleeps: Vec<Value> = sleeps.collect();
    if sleeps.is_empty() {
        return patch;
    }
    patch.extend(sleeps);
    // The sleep is part of the time that a Pod has to end. What it had for itself it keeps.
    let own = pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_u64);
    let grace = own.unwrap_or(GRACE_SECONDS).saturating_add(u64::from(seconds));
    patch.push(add("/spec/terminationGracePeriodSeconds", &json!(grace)));
    patch
}

fn add(path: &str, value: &Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
