//! Readiness gates: a Pod is ready when VPC Lattice sends it requests, and not before.
//!
//! A rolling update takes an old Pod away for each new one that is ready. VPC Lattice needs half a minute from a target's
//! registration to its first health check, so without the gate requests go to Pods that are gone. With it:
//!
//! | the Pod | is |
//! |---|---|
//! | its containers are not ready | no target; looked at again, since no EndpointSlice tells when they are |
//! | its containers are ready | a target of each target group of its Service |
//! | all of its targets are HEALTHY, or VPC Lattice does not check them (UNAVAILABLE) | ready |
//! | a target is INITIAL, UNHEALTHY, DRAINING or missing | not ready; the condition names the target and why |
//! | a unit has no target for it: the route is refused, VPC Lattice refuses the target, somebody else's resource is in the way | not held up by that unit |
//! | it was ready once | never made unready again: its containers' readiness is Kubernetes' to say |
//!
//! A unit answers at its second look at the earliest. At the first it only says that it is there, so that one which is content
//! at once, a refused route say, does not make ready what another has not looked at yet.

mod message;
mod pod;
mod unit;

pub use pod::READINESS_GATE;
pub(crate) use pod::{Gated, gated};
pub(crate) use unit::{add_of_export, add_of_route};

use crate::report::Report;
use crate::{Translation, reasons};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use trellis_lattice::{Blocked, Outcome};

/// What one unit has to say of a Pod with the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodReport {
    /// The Pod.
    pub subject: crate::Subject,
    /// The unit's key.
    pub unit: String,
    /// What it says.
    pub word: Word,
    /// Units in the Pod's condition that are not there any more, or do not lead to the Pod.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub gone: BTreeSet<String>,
}

/// A unit's word on a Pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// Its containers are not ready: nothing to say, and to be looked at again.
    Starting,
    /// It has to wait.
    #[serde(rename_all = "camelCase")]
    Wait {
        /// The condition's reason.
        reason: &'static str,
        /// Why, in words.
        text: String,
        /// Whether it waits for the unit to be programmed, and so for nothing where that cannot be.
        is_unprogrammed: bool,
        /// Whether the Pod was told of the unit before.
        is_known: bool,
    },
    /// As far as the unit is concerned it may be ready, for this reason.
    Go(&'static str),
}

impl PodReport {
    /// Whether the Pod is to be looked at again.
    fn is_open(&self, outcome: &Outcome) -> bool {
        match &self.word {
            Word::Starting => true,
            word => waits(word, outcome).is_some(),
        }
    }
}

/// Reason and text of a word that makes the Pod wait.
fn waits<'w>(word: &'w Word, outcome: &Outcome) -> Option<(&'static str, &'w str)> {
    match word {
        Word::Wait { is_unprogrammed: true, is_known: true, .. } if is_stuck(outcome) => None,
        Word::Wait { reason, text, .. } => Some((reason, text)),
        Word::Starting | Word::Go(_) => None,
    }
}

/// Whether only a person can make of the unit what it asks for.
fn is_stuck(outcome: &Outcome) -> bool {
    let is_in_the_way = |one: &Blocked| !one.is_of_policy() && !matches!(one, Blocked::NetworkMissing { .. });
    outcome.blocked.iter().any(is_in_the_way)
        || outcome.failure.as_ref().is_some_and(|failure| !failure.retryable)
}

/// How many Pods are to be looked at again, after an apply that ended so: no hint comes when a target becomes healthy.
pub fn pods_waiting(translation: &Translation, outcome: &Outcome) -> usize {
    let is_open = |report: &&Report| matches!(report, Report::Pod(report) if report.is_open(outcome));
    translation.reports.iter().filter(is_open).count()
}

/// The conditions of a Pod with the unit's word taken in; none where nothing is to be said.
pub(crate) fn conditions(report: &PodReport, outcome: &Outcome, pod: &Value, now: &str) -> Option<Value> {
    if report.word == Word::Starting || is_met(pod) {
        return None;
    }
    let mut entries = message::entries(pod);
    entries.retain(|unit, _| *unit != report.unit && !report.gone.contains(unit));
    let is_ready_else = entries.values().all(|text| text == message::CONTENT);
    let (reason, own) = match waits(&report.word, outcome) {
        Some(waits) => waits,
        None if is_ready_else => (go(&report.word), message::CONTENT),
        None => {
            // What it waits for is another unit's; so is the reason.
            let before = message::condition(pod).and_then(|one| one.get("reason")).and_then(Value::as_str);
            let before = reasons::POD_WAITS.into_iter().find(|one| Some(*one) == before);
            (before.unwrap_or(reasons::INITIAL), message::CONTENT)
        }
    };
    let is_ready = is_ready_else && own == message::CONTENT;
    entries.insert(report.unit.clone(), own.to_owned());
    let text = if is_ready { String::new() } else { message::written(&entries) };
    Some(merged(pod, if is_ready { "True" } else { "False" }, reason, &text, now))
}

fn go(word: &Word) -> &'static str {
    match word {
        Word::Go(reason) => reason,
        Word::Starting | Word::Wait { .. } => reasons::NOT_PROGRAMMED,
    }
}

fn is_met(pod: &Value) -> bool {
    message::condition(pod).and_then(|one| one.get("status")).and_then(Value::as_str) == Some("True")
}

/// The Pod's conditions with the gate's. Those of the kubelet stay as they are. No observedGeneration: API servers before
/// 1.34 would drop it, and it would be due again for ever.
fn merged(pod: &Value, status: &str, reason: &str, message: &str, now: &str) -> Value {
    let old = message::condition(pod);
    let same = old.filter(|old| old.get("status").and_then(Value::as_str) == Some(status));
    let since = same.and_then(|old| old.get("lastTransitionTime")).cloned().unwrap_or_else(|| json!(now));
    let mut new = Map::new();
    new.insert("type".into(), READINESS_GATE.into());
    new.insert("status".into(), status.into());
    new.insert("reason".into(), reason.into());
    if !message.is_empty() {
        new.insert("message".into(), message.into());
    }
    new.insert("lastTransitionTime".into(), since);
    let new = Value::Object(new);
    let all = pod.pointer("/status/conditions").and_then(Value::as_array).map(Vec::as_slice);
    let mut all = all.unwrap_or_default().to_vec();
    let place = all.iter_mut().find(|one| one.get("type").and_then(Value::as_str) == Some(READINESS_GATE));
    match place {
        Some(place) => {
            // What is equal but for members that API servers add (a null probe time) is not written anew.
            let is_same =
                ["status", "reason", "message"].iter().all(|member| place.get(member) == new.get(member));
            if !is_same {
                *place = new;
            }
        }
        None => all.push(new),
    }
    Value::Array(all)
}

#[cfg(test)]
mod tests;
