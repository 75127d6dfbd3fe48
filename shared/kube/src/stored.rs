use crate::Reader;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use trellis_gateway::{Read, ReadResult};
use trellis_hint::{Hint, Operation};

/// How long a hint's change is waited for in all. Admission runs before the object is stored, some 10 to 50 ms on an idle
/// server; the object may also be refused after it, and then nothing ever comes.
pub const STORED_WAIT_MAX: Duration = Duration::from_millis(1500);

/// The first wait between two looks; each is twice the one before.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(10);

/// The longest wait between two looks.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(400);

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
    fn is_shown_by(&self, object: Option<&Value>) -> bool {
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

/// Reads one object until the awaited change shows, for at most [`STORED_WAIT_MAX`]; then goes on with what is there.
///
/// A change of labels or annotations alone keeps the generation, and a Service has none: such a change shows by another
/// resourceVersion than the one before it.
pub(crate) async fn read_at_least(
    reader: &impl Reader,
    read: &Read,
    awaited: Option<&Awaited>,
) -> ReadResult {
    let give_up = Instant::now() + STORED_WAIT_MAX;
    let mut pause = LOOK_AGAIN_MIN;
    loop {
        let result = reader.read(read).await;
        let shown = match (&result, awaited) {
            (ReadResult::Objects(objects), Some(awaited)) => awaited.is_shown_by(objects.first()),
            // Unreadable, or the kind is missing: waiting is the queue's job.
            _ => true,
        };
        if shown || Instant::now() + pause > give_up {
            return result;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AGAIN_MAX);
    }
}

impl crate::ClusterClient {
    /// Reads a hint's object, waiting briefly until the change that the hint told of is stored; after
    /// [`STORED_WAIT_MAX`] goes on with what is there.
    pub async fn read_at_least(&self, read: &Read, awaited: Option<&Awaited>) -> ReadResult {
        read_at_least(self, read, awaited).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Mutex;
    use trellis_hint::{Kind, ObjectRef, UnitKey};

    /// Answers with each state in turn, then with the last for ever.
    struct States(Mutex<Vec<ReadResult>>, Mutex<usize>);

    impl States {
        fn new(mut states: Vec<ReadResult>) -> Self {
            states.reverse();
            Self(Mutex::new(states), Mutex::new(0))
        }

        fn looks(&self) -> usize {
            *self.1.lock().unwrap()
        }
    }

    impl Reader for States {
        async fn read(&self, _: &Read) -> ReadResult {
            *self.1.lock().unwrap() += 1;
            let mut states = self.0.lock().unwrap();
            if states.len() > 1 { states.pop().unwrap() } else { states[0].clone() }
        }
    }

    fn object(uid: &str, generation: i64) -> ReadResult {
        ReadResult::Objects(vec![json!({"metadata": {"uid": uid, "generation": generation}})])
    }

    fn nothing() -> ReadResult {
        ReadResult::Objects(vec![])
    }

    fn stored(created: bool) -> Awaited {
        Awaited::Stored { uid: "u".into(), generation: 2, old_version: String::new(), created }
    }

    async fn read(states: &States, awaited: &Awaited) -> ReadResult {
        let read = Read::Get {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            kind: Kind::Gateway,
            namespace: "default".into(),
            name: "my-hotel".into(),
        };
        read_at_least(states, &read, Some(awaited)).await
    }

    #[tokio::test]
    async fn a_change_that_is_not_stored_yet_is_waited_for() {
        let states = States::new(vec![object("u", 1), object("u", 1), object("u", 2)]);
        assert_eq!(read(&states, &stored(false)).await, object("u", 2));
        assert_eq!(states.looks(), 3);
    }

    #[tokio::test]
    async fn a_new_object_is_waited_for_but_a_changed_one_that_is_gone_is_not() {
        let states = States::new(vec![nothing(), object("u", 2)]);
        assert_eq!(read(&states, &stored(true)).await, object("u", 2));
        let states = States::new(vec![nothing(), object("u", 2)]);
        assert_eq!(read(&states, &stored(false)).await, nothing());
    }

    /// A Service has no generation, and new labels keep that of other kinds.
    #[tokio::test]
    async fn a_change_that_keeps_the_generation_shows_by_another_resource_version() {
        let version = |generation: i64, version: &str| {
            let metadata = json!({"uid": "u", "generation": generation, "resourceVersion": version});
            ReadResult::Objects(vec![json!({"metadata": metadata})])
        };
        for generation in [0, 2] {
            let states = States::new(vec![
                version(generation, "41"),
                version(generation, "41"),
                version(generation, "43"),
            ]);
            let awaited =
                Awaited::Stored { uid: "u".into(), generation, old_version: "41".into(), created: false };
            assert_eq!(read(&states, &awaited).await, version(generation, "43"));
            assert_eq!(states.looks(), 3);
        }
    }

    #[tokio::test]
    async fn a_change_that_never_comes_costs_a_bounded_wait() {
        let began = Instant::now();
        let states = States::new(vec![object("u", 1)]);
        assert_eq!(read(&states, &stored(false)).await, object("u", 1));
        assert!(began.elapsed() < 2 * STORED_WAIT_MAX, "{:?}", began.elapsed());
        assert!((5..=12).contains(&states.looks()), "{}", states.looks());
    }

    #[tokio::test]
    async fn an_object_of_another_uid_ends_the_wait() {
        let states = States::new(vec![object("other", 1)]);
        assert_eq!(read(&states, &stored(true)).await, object("other", 1));
        assert_eq!(read(&states, &Awaited::Removed { uid: "u".into() }).await, object("other", 1));
        assert_eq!(states.looks(), 2);
    }

    #[tokio::test]
    async fn a_deletion_shows_when_the_object_is_gone_or_marked() {
        let removed = Awaited::Removed { uid: "u".into() };
        let states = States::new(vec![object("u", 2), nothing()]);
        assert_eq!(read(&states, &removed).await, nothing());
        let marked = ReadResult::Objects(vec![
            json!({"metadata": {"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        ]);
        let states = States::new(vec![object("u", 2), marked.clone()]);
        assert_eq!(read(&states, &removed).await, marked);
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_read_is_not_asked_again() {
        let states = States::new(vec![ReadResult::Unreadable("down".into())]);
        assert_eq!(read(&states, &stored(true)).await, ReadResult::Unreadable("down".into()));
        assert_eq!(states.looks(), 1);
    }

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
        let unit: UnitKey = "gateway/123456789012/us-west-2/my-hotel".parse().unwrap();
        let hint = |operation| Hint::new(unit.clone(), object.clone(), operation);
        assert_eq!(Awaited::of(&hint(Operation::Resync)), None);
        assert_eq!(Awaited::of(&hint(Operation::Create)), Some(stored(true)));
        assert_eq!(Awaited::of(&hint(Operation::Update)), Some(stored(false)));
        assert_eq!(Awaited::of(&hint(Operation::Delete)), Some(Awaited::Removed { uid: "u".into() }));
        let with_version = hint(Operation::Update).with_old_resource_version(Some("41"));
        assert!(
            matches!(Awaited::of(&with_version), Some(Awaited::Stored { old_version, .. }) if old_version == "41")
        );
    }
}
