use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use trellis_ports::{Answer, Awaited, CallError};

/// How long a hint's change is waited for in all. Admission runs before the object is stored, some 10 to 50 ms on an idle
/// server; the object may also be refused after it, and then nothing ever comes.
pub const STORED_WAIT_MAX: Duration = Duration::from_millis(1500);

/// The first wait between two looks; each is twice the one before.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(10);

/// The longest wait between two looks.
const LOOK_AGAIN_MAX: Duration = Duration::from_millis(400);

/// Reads one object until the awaited change shows, for at most [`STORED_WAIT_MAX`]; then goes on with what is there.
///
/// A change of labels or annotations alone keeps the generation, and a Service has none: such a change shows by another
/// resourceVersion than the one before it.
pub(crate) async fn read_at_least<L>(read: impl Fn() -> L, awaited: &Awaited) -> Result<Answer, CallError>
where
    L: Future<Output = Result<Answer, CallError>> + Send,
{
    let give_up = Instant::now() + STORED_WAIT_MAX;
    let mut pause = LOOK_AGAIN_MIN;
    loop {
        let result = read().await;
        let shown = match &result {
            Ok(Answer::Objects(objects)) => awaited.is_shown_by(objects.first().map(Arc::as_ref)),
            // Unreadable, or the kind is missing: waiting is the queue's job.
            Ok(Answer::KindMissing) | Err(_) => true,
        };
        if shown || Instant::now() + pause > give_up {
            return result;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AGAIN_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Mutex;
    use trellis_ports::ErrorClass;

    /// Answers with each state in turn, then with the last for ever.
    struct States(Mutex<Vec<Answer>>, Mutex<usize>);

    impl States {
        fn new(mut states: Vec<Answer>) -> Self {
            states.reverse();
            Self(Mutex::new(states), Mutex::new(0))
        }

        fn looks(&self) -> usize {
            *self.1.lock().unwrap()
        }
    }

    impl States {
        fn look(&self) -> Answer {
            *self.1.lock().unwrap() += 1;
            let mut states = self.0.lock().unwrap();
            if states.len() > 1 { states.pop().unwrap() } else { states[0].clone() }
        }
    }

    fn object(uid: &str, generation: i64) -> Answer {
        Answer::of([json!({"metadata": {"uid": uid, "generation": generation}})])
    }

    fn nothing() -> Answer {
        Answer::Objects(vec![])
    }

    fn stored(created: bool) -> Awaited {
        Awaited::Stored { uid: "u".into(), generation: 2, old_version: String::new(), created }
    }

    async fn read(states: &States, awaited: &Awaited) -> Answer {
        read_at_least(async || Ok(states.look()), awaited).await.unwrap()
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
            Answer::of([json!({"metadata": metadata})])
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
        let marked =
            Answer::of([json!({"metadata": {"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"}})]);
        let states = States::new(vec![object("u", 2), marked.clone()]);
        assert_eq!(read(&states, &removed).await, marked);
    }

    #[tokio::test]
    async fn a_cluster_that_cannot_be_read_is_not_asked_again() {
        let looks = Mutex::new(0);
        let down = async || {
            *looks.lock().unwrap() += 1;
            Err(CallError::new(ErrorClass::NoAnswer, "down"))
        };
        assert!(read_at_least(down, &stored(true)).await.is_err());
        assert_eq!(*looks.lock().unwrap(), 1);
    }
}
