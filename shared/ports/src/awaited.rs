use serde_json::Value;
use trellis_hint::{Hint, Operation};

/// What a hint says will be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The object was created or changed.
    Stored {
        /// Its uid; empty when unknown.
        uid: String,
        /// Its generation; 0 for a kind that has none.
        generation: i64,
        /// The resourceVersion before the change, which a change of labels or annotations alone is told by: it keeps the
        /// generation. Empty when unknown.
        old_version: String,
        /// Whether it is a new object, which may not be there yet.
        created: bool,
    },
    /// The object was deleted.
    Removed {
        /// Its uid; empty when unknown.
        uid: String,
    },
}

impl Awaited {
    /// What a hint waits for; nothing for a resync.
    pub fn of(hint: &Hint) -> Option<Self> {
        let uid = hint.object.uid.clone();
        let stored = |created| Self::Stored {
            uid: uid.clone(),
            generation: hint.object.generation,
            old_version: hint.old_resource_version.clone().unwrap_or_default(),
            created,
        };
        match hint.operation {
            Operation::Create => Some(stored(true)),
            Operation::Update => Some(stored(false)),
            Operation::Delete => Some(Self::Removed { uid }),
            Operation::Resync => None,
        }
    }

    /// Whether this state shows the awaited change, or makes waiting for it pointless: an object of another uid is
    /// another object, made later or never deleted.
    pub fn is_shown_by(&self, object: Option<&Value>) -> bool {
        let (Self::Stored { uid, .. } | Self::Removed { uid }) = self;
        let other = |object: &Value| !uid.is_empty() && text(object, "/metadata/uid") != uid;
        match (self, object) {
            (Self::Stored { created, .. }, None) => !created,
            (Self::Stored { generation, old_version, .. }, Some(object)) => {
                let stored =
                    object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
                let is_as_before =
                    !old_version.is_empty() && text(object, "/metadata/resourceVersion") == old_version;
                (stored >= *generation && !is_as_before) || other(object)
            }
            (Self::Removed { .. }, None) => true,
            (Self::Removed { .. }, Some(object)) => {
                object.pointer("/metadata/deletionTimestamp").is_some() || other(object)
            }
        }
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use trellis_hint::{Kind, ObjectRef, UnitKey};

    fn hint(operation: Operation) -> Hint {
        let unit: UnitKey = "gateway/123456789012/us-west-2/my-hotel".parse().unwrap();
        let object = ObjectRef {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            kind: Kind::Gateway,
            namespace: "default".into(),
            name: "my-hotel".into(),
            uid: "u".into(),
            generation: 2,
        };
        Hint::new(unit, object, operation)
    }

    #[test]
    fn a_resync_waits_for_nothing_and_other_hints_for_what_they_tell() {
        let stored = |created, old_version: &str| {
            let (uid, old_version) = ("u".into(), old_version.to_owned());
            Awaited::Stored { uid, generation: 2, old_version, created }
        };
        assert_eq!(Awaited::of(&hint(Operation::Resync)), None);
        assert_eq!(Awaited::of(&hint(Operation::Create)), Some(stored(true, "")));
        let update = hint(Operation::Update).with_old_resource_version(Some("41"));
        assert_eq!(Awaited::of(&update), Some(stored(false, "41")));
        assert_eq!(Awaited::of(&hint(Operation::Delete)), Some(Awaited::Removed { uid: "u".into() }));
    }

    #[test]
    fn a_change_that_keeps_the_generation_shows_by_another_resource_version() {
        let update = hint(Operation::Update).with_old_resource_version(Some("41"));
        let awaited = Awaited::of(&update).unwrap();
        let object = |version: &str, generation: i64| json!({"metadata": {"uid": "u", "generation": generation, "resourceVersion": version}});
        assert!(!awaited.is_shown_by(Some(&object("41", 2))));
        assert!(awaited.is_shown_by(Some(&object("42", 2))));
        assert!(!awaited.is_shown_by(Some(&object("42", 1))));
    }
}
