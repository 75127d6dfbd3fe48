//! Values that stay true for a while, loaded once for all who ask at the same time.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// A value that is loaded when it is asked for, and again when it is too old.
///
/// Ages are told by the wall clock: a Lambda function is frozen between invocations, and the monotonic clock may
/// stand still with it. A clock that went backwards makes the value old.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    slot: Mutex<Option<Loaded<T>>>,
    age_max: Duration,
}

#[derive(Debug)]
struct Loaded<T> {
    at: SystemTime,
    value: Arc<T>,
}

impl<T: Clone> Cached<T> {
    pub(crate) fn new(age_max: Duration) -> Self {
        Self { slot: Mutex::new(None), age_max }
    }

    /// The value, no older than the age limit and loaded no earlier than `not_before`. Whoever asks while it is being
    /// loaded waits for that one load.
    pub(crate) async fn get<E>(
        &self,
        not_before: SystemTime,
        load: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let mut slot = self.slot.lock().await;
        let now = SystemTime::now();
        if let Some(loaded) = slot.as_ref()
            && loaded.at >= not_before
            && now.duration_since(loaded.at).is_ok_and(|age| age < self.age_max)
        {
            return Ok(Arc::clone(&loaded.value));
        }
        let value = Arc::new(load.await?);
        *slot = Some(Loaded { at: now, value: Arc::clone(&value) });
        Ok(value)
    }

    /// Changes the value that is there, if any; one that is being loaded is changed after its load.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut T)) {
        if let Some(loaded) = self.slot.lock().await.as_mut() {
            change(Arc::make_mut(&mut loaded.value));
        }
    }

    /// Forgets the value.
    pub(crate) async fn forget(&self) {
        *self.slot.lock().await = None;
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

    #[tokio::test]
    async fn a_failed_load_leaves_nothing_behind() {
        let cache = Cached::new(LONG);
        assert_eq!(cache.get(SystemTime::UNIX_EPOCH, async { Err::<u8, _>("no") }).await, Err("no"));
        assert_eq!(*cache.get(SystemTime::UNIX_EPOCH, async { Ok::<_, &str>(3) }).await.unwrap(), 3);
        cache.change(|value| *value += 1).await;
        assert_eq!(*cache.get(SystemTime::UNIX_EPOCH, async { Ok::<_, &str>(9) }).await.unwrap(), 4);
    }
}
