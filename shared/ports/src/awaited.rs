use serde_json::Value;
use trellis_hint::{ObjectRef, Operation};

/// What a hint says will be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The object was created or changed.
    Stored {
        /// Its uid; empty when unknown.
        uid: String,
        /// Its generation; 0 for a kind that has none.
        generation: i64,
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
    /// What a hint of this object and operation waits for; nothing for a resync.
    pub fn of(object: &ObjectRef, operation: Operation) -> Option<Self> {
        let uid = object.uid.clone();
        let stored = |created| Self::Stored { uid: uid.clone(), generation: object.generation, created };
        match operation {
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
            (Self::Stored { generation, .. }, Some(object)) => {
                let stored =
                    object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default();
                stored >= *generation || other(object)
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
    use trellis_hint::Kind;

    #[test]
    fn a_resync_waits_for_nothing_and_other_hints_for_what_they_tell() {
        let object = ObjectRef {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            kind: Kind::Gateway,
            namespace: "default".into(),
            name: "my-hotel".into(),
            uid: "u".into(),
            generation: 2,
        };
        let stored = |created| Awaited::Stored { uid: "u".into(), generation: 2, created };
        assert_eq!(Awaited::of(&object, Operation::Resync), None);
        assert_eq!(Awaited::of(&object, Operation::Create), Some(stored(true)));
        assert_eq!(Awaited::of(&object, Operation::Update), Some(stored(false)));
        assert_eq!(Awaited::of(&object, Operation::Delete), Some(Awaited::Removed { uid: "u".into() }));
    }
}
