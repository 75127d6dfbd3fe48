//! What the condition of a readiness gate says: one entry for each unit that the Pod waits for.
//!
//! Routes and exports of several units may lead to one Pod, and its gate is one condition. Each unit writes its own entry into
//! the message, what it waits for or that it is content; whoever is the last to be content meets the gate. A Pod's conditions
//! are written against the version that was read, so that no entry is lost.

use super::READINESS_GATE;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the message begins with.
const OPENING: &str = "VPC Lattice sends no requests here yet. ";

/// The text of a unit that waits for nothing any more.
pub(super) const CONTENT: &str = "ready";

/// Between entries.
const BETWEEN: &str = "; ";

/// Between a unit's key and its text.
const AFTER_KEY: &str = ": ";

/// Entries of one message. More routes than these lead to hardly any Pod, and those beyond do not hold it up.
const ENTRIES_MAX: usize = 16;

/// The condition of the gate.
pub(super) fn condition(pod: &Value) -> Option<&Value> {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions?.iter().find(|one| one.get("type").and_then(Value::as_str) == Some(READINESS_GATE))
}

/// The entries that a Pod has, by the key of their unit. Of a condition that somebody else has written there are none.
pub(super) fn entries(pod: &Value) -> BTreeMap<String, String> {
    let message = condition(pod).and_then(|one| one.get("message")).and_then(Value::as_str);
    let list = message.and_then(|message| message.strip_prefix(OPENING)).unwrap_or_default();
    let entries = list.split(BETWEEN).filter_map(|entry| entry.split_once(AFTER_KEY));
    entries.map(|(unit, text)| (unit.to_owned(), text.to_owned())).collect()
}

/// The message with these entries.
pub(super) fn written(entries: &BTreeMap<String, String>) -> String {
    let entries = entries.iter().take(ENTRIES_MAX);
    let entries: Vec<String> = entries.map(|(unit, text)| format!("{unit}{AFTER_KEY}{text}")).collect();
    format!("{OPENING}{}", entries.join(BETWEEN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(message: &str) -> Value {
        json!({"status": {"conditions": [{"type": "Ready"}, {"type": READINESS_GATE, "message": message}]}})
    }

    #[test]
    fn entries_are_read_as_they_were_written() {
        let all: BTreeMap<String, String> = (0..3)
            .map(|at| (format!("route/1/r/HTTPRoute/one/n/{at}"), format!("target {at} is INITIAL")))
            .collect();
        assert_eq!(entries(&pod(&written(&all))), all);
        assert_eq!(entries(&pod(&written(&BTreeMap::new()))), BTreeMap::new());
    }

    #[test]
    fn what_others_have_written_has_no_entries() {
        for message in ["", "Target health check status: INITIAL", "a: b; c: d"] {
            assert!(entries(&pod(message)).is_empty(), "{message}");
        }
        assert!(entries(&json!({"status": {"conditions": [7, {"type": READINESS_GATE}]}})).is_empty());
        assert!(entries(&json!({})).is_empty());
    }

    #[test]
    fn a_message_has_so_many_entries_and_no_more() {
        let all = (0..100).map(|at| (format!("u{at:03}"), "waits".to_owned())).collect();
        assert_eq!(entries(&pod(&written(&all))).len(), ENTRIES_MAX);
    }
}
