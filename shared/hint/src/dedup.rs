use crate::{Operation, UnitKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What a review showed, as one hash: computed once, however many units the change concerns.
///
/// The queue drops a second message with an id that it has seen within five minutes, even after the first was
/// processed. uid and generation name no single content (two PATCHes at once are both generation 2, a change of labels
/// keeps the generation) and `request.uid` changes when the API server retries, so it covers the operation, the old
/// resourceVersion and the new object without `managedFields`: equal only for the same change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change(String);

impl Change {
    /// The change of a review of `operation`; either object may be absent.
    pub fn of(operation: Operation, object: Option<&Value>, old_object: Option<&Value>) -> Self {
        let old_version = old_object
            .and_then(|old| old.pointer("/metadata/resourceVersion"))
            .and_then(Value::as_str)
            .unwrap_or("");
        let uid = object
            .or(old_object)
            .and_then(|any| any.pointer("/metadata/uid"))
            .and_then(Value::as_str)
            .unwrap_or("");
        let content = object.map(content).unwrap_or_default();
        Self(hash_of([&format!("{operation:?}"), old_version, uid, &content]))
    }

    /// The SQS de-duplication id of this change's hint for a unit.
    pub fn deduplication_id(&self, unit: &UnitKey) -> String {
        hash_of([&unit.to_string(), &self.0])
    }
}

/// The SQS de-duplication id of one unit's hint of a review: see [`Change`].
pub fn deduplication_id(
    unit: &UnitKey,
    operation: Operation,
    object: Option<&Value>,
    old_object: Option<&Value>,
) -> String {
    Change::of(operation, object, old_object).deduplication_id(unit)
}

/// The object's text without `managedFields`; nothing but `metadata` is copied for it.
fn content(object: &Value) -> String {
    let Some(members) = object.as_object() else { return object.to_string() };
    let metadata: Option<Map<String, Value>> =
        members.get("metadata").and_then(Value::as_object).map(|metadata| {
            let kept = metadata.iter().filter(|(key, _)| *key != "managedFields");
            kept.map(|(key, value)| (key.clone(), value.clone())).collect()
        });
    let Some(metadata) = metadata else { return object.to_string() };
    let rest = members.iter().filter(|(key, _)| *key != "metadata");
    let parts = rest.map(|(key, value)| format!("{}:{value},", Value::from(key.as_str())));
    parts.chain([Value::Object(metadata).to_string()]).collect()
}

/// The SHA-256 of these texts, and of where one ends, in hexadecimal.
fn hash_of<const N: usize>(parts: [&str; N]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    format!("{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id(operation: Operation, object: &Value, old: &Value) -> String {
        deduplication_id(
            &"gateway/123456789012/us-west-2/g".parse().unwrap(),
            operation,
            Some(object),
            Some(old),
        )
    }

    #[test]
    fn a_retried_review_has_the_same_id_and_a_newer_change_another() {
        let old = json!({"metadata": {"uid": "u", "resourceVersion": "5"}});
        let new =
            json!({"metadata": {"uid": "u", "generation": 2, "managedFields": [1]}, "spec": {"port": 81}});
        let retried =
            json!({"metadata": {"uid": "u", "generation": 2, "managedFields": [2]}, "spec": {"port": 81}});
        let rival = json!({"metadata": {"uid": "u", "generation": 2}, "spec": {"port": 82}});
        let back = json!({"metadata": {"uid": "u", "resourceVersion": "9"}});
        assert_eq!(id(Operation::Update, &new, &old), id(Operation::Update, &retried, &old));
        assert_ne!(id(Operation::Update, &new, &old), id(Operation::Update, &rival, &old));
        assert_ne!(id(Operation::Update, &new, &old), id(Operation::Update, &new, &back));
        assert_ne!(id(Operation::Update, &new, &old), id(Operation::Delete, &new, &old));
    }

    #[test]
    fn managed_fields_alone_are_no_other_change_and_another_unit_has_another_id() {
        let of = |fields: Value| json!({"kind": "Gateway", "metadata": {"name": "g", "managedFields": fields}, "spec": {}});
        let change = Change::of(Operation::Create, Some(&of(json!([1]))), None);
        assert_eq!(change, Change::of(Operation::Create, Some(&of(json!([2, 3]))), None));
        let unit = |name: &str| format!("gateway/123456789012/us-west-2/{name}").parse().unwrap();
        assert_ne!(change.deduplication_id(&unit("g")), change.deduplication_id(&unit("h")));
    }

    #[test]
    fn an_id_fits_what_sqs_takes() {
        let id = id(Operation::Create, &json!({}), &json!(null));
        assert!(id.len() <= 128 && id.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
