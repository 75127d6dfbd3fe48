//! Pods that are not ready only because VPC Lattice has not found them healthy yet.
//!
//! Such a Pod is `ready: false` in its EndpointSlice as one whose containers do not run is; only the Pod itself tells the two
//! apart. So Pods are read, but of endpoints that are not ready alone: where all is well none is.

use super::message;
use crate::api::{self, EndpointSlice};
use crate::view::{Found, View};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};

/// The readiness gate, and the condition that meets it: the AWS Gateway API Controller's, so that Pods made for that one become
/// ready here too.
pub const READINESS_GATE: &str = "application-networking.k8s.aws/pod-readiness-gate";

/// Pods of a Service that are read one by one. With more, all of the namespace are, in pages: a rollout of a hundred costs a
/// request or two.
const ONE_BY_ONE_MAX: usize = 16;

/// Where a Pod with the gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Its containers are not ready: requests would fail.
    Starting,
    /// Its containers are ready, and nothing but the gate is waited for.
    Shut,
    /// The gate is met; the EndpointSlice will follow.
    Met,
}

/// A Pod with the gate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gated<'a> {
    pub(crate) gate: Gate,
    pub(crate) pod: &'a Value,
}

impl Gated<'_> {
    /// Whether it can be a target: VPC Lattice finds healthy only what is one.
    pub(crate) fn serves(&self) -> bool {
        self.gate != Gate::Starting
    }

    /// The units that it is told to wait for, with what it is told.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        message::entries(self.pod)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Pod {
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    readiness_gates: Vec<ReadinessGate>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReadinessGate {
    condition_type: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    conditions: Vec<PodCondition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct PodCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

/// Where a Pod stands; none without the gate. Other gates are others' to meet: whoever waited for all others would wait for
/// ever beside one of its own kind.
fn gate_of(pod: &Value) -> Option<Gate> {
    let Pod { spec, status } = api::parse(pod).ok()?;
    spec.readiness_gates.iter().find(|gate| gate.condition_type == READINESS_GATE)?;
    let holds = |kind: &str| status.conditions.iter().any(|one| one.kind == kind && one.status == "True");
    Some(match (holds("ContainersReady"), holds(READINESS_GATE)) {
        (false, _) => Gate::Starting,
        (true, false) => Gate::Shut,
        (true, true) => Gate::Met,
    })
}

/// The Pods with the gate among the endpoints of a Service that are not ready and stay, by name.
pub(crate) fn gated<'a>(
    view: &View<'a>,
    cluster: &ClusterId,
    namespace: &str,
    slices: &[EndpointSlice],
) -> BTreeMap<String, Gated<'a>> {
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    let unready = endpoints.map(|endpoint| (endpoint, &endpoint.conditions)).filter(|(_, conditions)| {
        // Where a Service publishes addresses that are not ready, only `serving` tells.
        let is_unready = conditions.ready == Some(false) || conditions.serving == Some(false);
        is_unready && conditions.terminating != Some(true)
    });
    let names: BTreeSet<&str> = unready.filter_map(|(endpoint, _)| endpoint.pod()).collect();
    if names.len() > ONE_BY_ONE_MAX && view.list(cluster, Kind::Pod, Some(namespace)).is_err() {
        return BTreeMap::new();
    }
    let found = names.into_iter().filter_map(|name| {
        // What is not known of a Pod leaves it as any that is not ready: no target.
        let Found::Object(pod) = view.get(cluster, Kind::Pod, namespace, name) else { return None };
        Some((name.to_owned(), Gated { gate: gate_of(pod)?, pod }))
    });
    found.collect()
}
