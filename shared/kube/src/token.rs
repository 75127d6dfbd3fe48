use futures::{FutureExt, future::BoxFuture};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::Mutex;

/// How long a token is used. EKS accepts one for 15 minutes from its signing; 10 leave room for clocks that differ and
/// for requests under way.
pub const TOKEN_LIFETIME: Duration = Duration::from_mins(10);

/// How long the making of a token may take. Signing is computation, but the credentials behind it may have to be
/// fetched first.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The source failed.
    #[error("no token could be made: {0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The source took too long.
    #[error("no token was made within {} s", TOKEN_TIMEOUT.as_secs())]
    Timeout,
    /// A header cannot carry what the source gave.
    #[error("the token has characters that a header cannot carry")]
    NotAHeader,
}

type Make =
    dyn Fn() -> BoxFuture<'static, Result<String, Box<dyn std::error::Error + Send + Sync>>> + Send + Sync;

/// Makes bearer tokens.
#[derive(Clone)]
pub struct TokenSource(Arc<Make>);

impl TokenSource {
    /// A source that calls this function for each new token.
    pub fn new<F, T, E>(make: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self(Arc::new(move || make().map(|made| made.map_err(Into::into)).boxed()))
    }

    /// A source that always gives the same token, for tests and for kubeconfig tokens.
    pub fn fixed(token: impl Into<String>) -> Self {
        let token = token.into();
        Self::new(move || futures::future::ready(Ok::<_, TokenError>(token.clone())))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource")
    }
}

/// Tells the time. Wall-clock time: a token's age goes on while a function is frozen, a monotonic clock may not.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

struct Held {
    token: String,
    made: SystemTime,
}

/// The token in use, made anew when it is old or was refused. Users that come at once wait for one making.
pub(crate) struct Tokens {
    source: TokenSource,
    clock: Clock,
    held: Mutex<Option<Held>>,
}

impl Tokens {
    pub(crate) fn new(source: TokenSource, clock: Clock) -> Self {
        Self { source, clock, held: Mutex::new(None) }
    }

    /// A token that is not `refused` (what the API server just answered 401 to) and not too old.
    pub(crate) async fn get(&self, refused: Option<&str>) -> Result<String, TokenError> {
        let mut held = self.held.lock().await;
        let now = (self.clock)();
        if let Some(held) = held.as_ref()
            && is_fresh(held.made, now)
            && refused != Some(held.token.as_str())
        {
            return Ok(held.token.clone());
        }
        let made = tokio::time::timeout(TOKEN_TIMEOUT, (self.source.0)()).await;
        let token = made.map_err(|_| TokenError::Timeout)?.map_err(TokenError::Source)?;
        *held = Some(Held { token: token.clone(), made: now });
        Ok(token)
    }
}

/// Whether a token made then may be used now. A clock that went back says nothing of its age: not fresh.
fn is_fresh(made: SystemTime, now: SystemTime) -> bool {
    now.duration_since(made).is_ok_and(|age| age < TOKEN_LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct World {
        tokens: Tokens,
        made: Arc<AtomicU64>,
        seconds: Arc<AtomicU64>,
    }

    fn world() -> World {
        let (made, seconds) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1_000_000)));
        let (counter, clock) = (Arc::clone(&made), Arc::clone(&seconds));
        let source = TokenSource::new(move || {
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            async move { Ok::<_, TokenError>(format!("token-{number}")) }
        });
        let clock: Clock =
            Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst)));
        World { tokens: Tokens::new(source, clock), made, seconds }
    }

    #[tokio::test]
    async fn a_token_is_kept_for_its_lifetime_and_made_anew_after_it() {
        let world = world();
        assert_eq!(world.tokens.get(None).await.unwrap(), "token-1");
        world.seconds.fetch_add(TOKEN_LIFETIME.as_secs() - 1, Ordering::SeqCst);
        assert_eq!(world.tokens.get(None).await.unwrap(), "token-1");
        world.seconds.fetch_add(1, Ordering::SeqCst);
        assert_eq!(world.tokens.get(None).await.unwrap(), "token-2");
    }

    #[tokio::test]
    async fn a_clock_that_goes_back_makes_a_new_token() {
        let world = world();
        world.tokens.get(None).await.unwrap();
        world.seconds.fetch_sub(60, Ordering::SeqCst);
        assert_eq!(world.tokens.get(None).await.unwrap(), "token-2");
    }

    #[tokio::test]
    async fn a_refused_token_is_made_anew_once_for_all_who_held_it() {
        let world = world();
        let old = world.tokens.get(None).await.unwrap();
        let again = futures::future::join_all((0..5).map(|_| world.tokens.get(Some(&old)))).await;
        assert!(again.into_iter().all(|token| token.unwrap() == "token-2"));
        assert_eq!(world.made.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_source_that_fails_says_why() {
        let source = TokenSource::new(|| async { Err::<String, _>("credentials have expired") });
        let tokens = Tokens::new(source, Arc::new(SystemTime::now));
        let error = tokens.get(None).await.unwrap_err();
        assert_eq!(error.to_string(), "no token could be made: credentials have expired");
    }
}
