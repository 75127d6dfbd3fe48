//! Values that stay true for a while, loaded once for all who ask at the same time.

use crate::AwsError;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A value that is loaded when it is asked for, and again when it is too old.
///
/// Ages are told by the wall clock: a Lambda function is frozen between invocations, and the monotonic clock may
/// stand still with it. A clock that went backwards makes the value old.
#[derive(Debug)]
pub(crate) struct Cached<T, E = AwsError> {
    slot: Mutex<Slot<T, E>>,
    age_max: Duration,
}

#[derive(Debug)]
struct Slot<T, E> {
    loaded: Option<Loaded<T>>,
    /// The last load that failed, and when.
    failed: Option<(Instant, E)>,
}

#[derive(Debug)]
struct Loaded<T> {
    at: SystemTime,
    value: Arc<T>,
}

impl<T: Clone, E: Clone> Cached<T, E> {
    pub(crate) fn new(age_max: Duration) -> Self {
        Self { slot: Mutex::new(Slot { loaded: None, failed: None }), age_max }
    }

    /// The value, no older than the age limit and loaded no earlier than `not_before`. Whoever asks while it is being
    /// loaded waits for that one load, and shares its failure too: a service that does not answer is waited for once, and not
    /// by one after the other.
    pub(crate) async fn get(
        &self,
        not_before: SystemTime,
        load: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let asked = Instant::now();
        let mut slot = self.slot.lock().await;
        let now = SystemTime::now();
        if let Some(loaded) = slot.loaded.as_ref()
            && loaded.at >= not_before
            && now.duration_since(loaded.at).is_ok_and(|age| age < self.age_max)
        {
            return Ok(Arc::clone(&loaded.value));
        }
        if let Some((_, error)) = slot.failed.as_ref().filter(|(at, _)| *at > asked) {
            return Err(error.clone());
        }
        match load.await {
            Ok(value) => {
                let value = Arc::new(value);
                *slot = Slot { loaded: Some(Loaded { at: now, value: Arc::clone(&value) }), failed: None };
                Ok(value)
            }
            Err(error) => {
                slot.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Changes the value that is there, if any; one that is being loaded is changed after its load.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut T)) {
        if let Some(loaded) = self.slot.lock().await.loaded.as_mut() {
            change(Arc::make_mut(&mut loaded.value));
        }
    }

    /// Forgets the value.
    pub(crate) async fn forget(&self) {
        self.slot.lock().await.loaded = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU64, Ordering};

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn those_who_ask_at_once_share_one_load() {
        let (cache, loads) = (Cached::new(LONG), AtomicU64::new(0));
        let load = || async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(loads.fetch_add(1, Ordering::SeqCst))
        };
        let ask = || cache.get(SystemTime::UNIX_EPOCH, load());
        let (a, b, c) = futures::join!(ask(), ask(), ask());
        assert_eq!((*a.unwrap(), *b.unwrap(), *c.unwrap()), (0, 0, 0));
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_value_from_before_the_wanted_time_is_loaded_again() {
        let cache = Cached::new(LONG);
        cache.get(SystemTime::UNIX_EPOCH, async { Ok::<_, Infallible>(1) }).await.unwrap();
        let later = SystemTime::now() + Duration::from_mins(1);
        assert_eq!(*cache.get(later, async { Ok::<_, Infallible>(2) }).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_load_that_fails_share_its_failure_and_whoever_asks_then_tries_again() {
        let (cache, loads) = (Cached::new(LONG), AtomicU64::new(0));
        let load = || async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Err::<u8, _>(loads.fetch_add(1, Ordering::SeqCst))
        };
        let ask = || cache.get(SystemTime::UNIX_EPOCH, load());
        let began = Instant::now();
        assert_eq!(futures::join!(ask(), ask(), ask()), (Err(0), Err(0), Err(0)));
        assert_eq!(began.elapsed(), Duration::from_secs(10));
        assert_eq!(ask().await, Err(1));
    }

    #[tokio::test]
    async fn a_failed_load_leaves_nothing_behind() {
        let cache = Cached::new(LONG);
        assert_eq!(cache.get(SystemTime::UNIX_EPOCH, async { Err::<u8, _>("no") }).await, Err("no"));
        assert_eq!(*cache.get(SystemTime::UNIX_EPOCH, async { Ok::<_, &str>(3) }).await.unwrap(), 3);
        cache.change(|value| *value += 1).await;
        assert_eq!(*cache.get(SystemTime::UNIX_EPOCH, async { Ok::<_, &str>(9) }).await.unwrap(), 4);
    }
}
