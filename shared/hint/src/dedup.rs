use crate::{Operation, UnitKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The SQS de-duplication id of a review: a hash of what the review showed.
///
/// The queue drops a second message with an id that it has seen within five minutes, even after the first was
/// processed. uid and generation name no single content (two PATCHes at once are both generation 2, a change of labels
/// keeps the generation) and `request.uid` changes when the API server retries, so the id covers the unit, the
/// operation, the old resourceVersion and the new object without `managedFields`: equal only for the same change.
pub fn deduplication_id(
    unit: &UnitKey,
    operation: Operation,
    object: Option<&Value>,
    old_object: Option<&Value>,
) -> String {
    let old_version = old_object
        .and_then(|old| old.pointer("/metadata/resourceVersion"))
        .and_then(Value::as_str)
        .unwrap_or("");
    let uid = object
        .or(old_object)
        .and_then(|any| any.pointer("/metadata/uid"))
        .and_then(Value::as_str)
        .unwrap_or("");
    let content = object.map(|object| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        object.to_string()
    });
    let mut hash = Sha256::new();
    for part in
        [&unit.to_string(), &format!("{operation:?}"), old_version, uid, content.as_deref().unwrap_or("")]
    {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().fold(String::new(), |all, byte| all + &format!("{byte:02x}"))
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
    fn an_id_fits_what_sqs_takes() {
        let id = id(Operation::Create, &json!({}), &json!(null));
        assert!(id.len() <= 128 && id.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
