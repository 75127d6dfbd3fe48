//! Writes Events: news of objects, for people who describe them. Best effort: nothing is tried twice but by its next status.

use crate::{ClusterClient, KubeError, error::Asked, resource::can_be_a_name};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use trellis_gateway::ClusterEvent;
use trellis_hint::Kind;

/// Names of events whose repetitions are counted in memory. A process that forgets them counts anew from two.
const COUNTED_MAX: usize = 1_000;

impl ClusterClient {
    /// Makes an Event, or counts it once more where it is there. Needs `create` and `patch` on events and nothing else: how often
    /// it was told is what this process remembers, two at least.
    pub async fn try_tell(&self, event: &ClusterEvent) -> Result<(), KubeError> {
        if !can_be_a_name(&event.namespace) || !can_be_a_name(&event.name) {
            return Ok(());
        }
        let events = format!("/apis/events.k8s.io/v1/namespaces/{}/events", event.namespace);
        let events = kube::core::Request::new(events);
        let body = serde_json::to_vec(&event.object).map_err(KubeError::Answer)?;
        let create = events.create(&PostParams::default(), body).map_err(KubeError::Request)?;
        // The kind is of no meaning for what succeeds.
        let asked = |verb| Asked { subresource: Some("events"), ..Asked::new(verb, Kind::Namespace) };
        match self.send_repeatedly(&create, asked("create"), None).await {
            Err(KubeError::Conflict) => {}
            result => return result.map(|_| ()),
        }
        let series = json!({"series": {"count": self.counted(&event.name), "lastObservedTime": event.time}});
        let patch = events.patch(&event.name, &PatchParams::default(), &Patch::Merge(series));
        let patch = patch.map_err(KubeError::Request)?;
        self.send_repeatedly(&patch, asked("patch"), None).await.map(|_| ())
    }

    fn counted(&self, name: &str) -> u32 {
        let mut counts = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTED_MAX {
            *counts = BTreeMap::new();
        }
        let count = counts.entry(name.to_owned()).or_insert(1);
        *count = count.saturating_add(1);
        *count
    }
}
