//! Merging of condition lists.

use crate::conditions;
use crate::report::Condition;
use serde_json::{Value, json};

/// Characters of a condition's message (CRDs of the Gateway API).
pub(super) const MESSAGE_CHARS_MAX: usize = 32_768;

/// Condition types of ours that stand only while they are true.
const PASSING: [&str; 11] = [
    conditions::TARGET_GROUP,
    conditions::MERGED,
    conditions::KEPT_RULES,
    conditions::PARTIALLY_INVALID,
    conditions::CONFLICTED,
    conditions::SHARED_SERVICE,
    conditions::SERVICE_NAMES,
    conditions::STANDALONE,
    conditions::REFUSED_TARGETS,
    conditions::DNS_ENDPOINT,
    conditions::ENDPOINT_NAMES,
];

/// What new conditions are merged into.
pub(crate) struct Merge<'a> {
    old: &'a [Value],
    generation: i64,
    now: &'a str,
}

impl<'a> Merge<'a> {
    pub(crate) fn new(old: Option<&'a Value>, generation: i64, now: &'a str) -> Self {
        let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self { old, generation, now }
    }

    /// The merged list: ours in their old places, new ones at the end, those of others as they are.
    pub(crate) fn conditions(&self, wanted: impl IntoIterator<Item = Condition>) -> Value {
        let mut wanted: Vec<Option<Condition>> = wanted.into_iter().map(Some).collect();
        let mut merged = vec![];
        for old in self.old {
            let kind = old.get("type").and_then(Value::as_str).unwrap_or_default();
            let new = wanted.iter_mut().find(|one| one.as_ref().is_some_and(|one| one.kind == kind));
            match new.and_then(Option::take) {
                Some(new) => merged.push(self.render(&new, Some(old))),
                None if PASSING.contains(&kind) => {}
                None => merged.push(old.clone()),
            }
        }
        merged.extend(wanted.into_iter().flatten().map(|new| self.render(&new, None)));
        Value::Array(merged)
    }

    fn render(&self, new: &Condition, old: Option<&Value>) -> Value {
        let same_status = old.filter(|old| old.get("status").and_then(Value::as_str) == Some(new.status));
        let time = same_status
            .and_then(|old| old.get("lastTransitionTime"))
            .and_then(Value::as_str)
            .unwrap_or(self.now);
        let message: String = new.message.chars().take(MESSAGE_CHARS_MAX).collect();
        json!({
            "type": new.kind,
            "status": new.status,
            "reason": new.reason,
            "message": message,
            "observedGeneration": self.generation,
            "lastTransitionTime": time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-02T03:04:05Z";
    const THEN: &str = "2025-01-01T00:00:00Z";

    fn old() -> Value {
        json!([
            {"type": "Other", "status": "True", "reason": "X", "message": "", "lastTransitionTime": THEN},
            {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "a", "lastTransitionTime": THEN},
            {"type": "PartiallyInvalid", "status": "True", "reason": "X", "message": "", "lastTransitionTime": THEN},
        ])
    }

    #[test]
    fn the_time_changes_with_the_status_only_and_conditions_of_others_stay() {
        let old = old();
        let merge = Merge::new(Some(&old), 2, NOW);
        let same = merge.conditions([Condition::yes("Accepted", "Accepted", "b")]);
        assert_eq!(same.pointer("/1/lastTransitionTime"), Some(&json!(THEN)));
        assert_eq!(same.pointer("/0"), old.pointer("/0"));
        let other = merge.conditions([Condition::no("Accepted", "Invalid", "b")]);
        assert_eq!(other.pointer("/1/lastTransitionTime"), Some(&json!(NOW)));
    }

    #[test]
    fn negative_conditions_of_ours_go_when_they_are_no_longer_true() {
        let old = old();
        let merged =
            Merge::new(Some(&old), 2, NOW).conditions([Condition::yes("Programmed", "Programmed", "")]);
        let kinds: Vec<&str> =
            merged.as_array().unwrap().iter().filter_map(|one| one.get("type")?.as_str()).collect();
        assert_eq!(kinds, ["Other", "Accepted", "Programmed"]);
    }
}
