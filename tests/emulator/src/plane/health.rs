//! Health checks of targets.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::client::{Http1, Multiplexed, http1};
use super::tls::TlsError;
use crate::Emulator;
use crate::state::{Check, Location};

/// How often due checks are looked for. A new target waits this long at most for its first check.
const TICK: Duration = Duration::from_millis(50);

/// Checks under way at one time.
const MAX_CHECKS: usize = 64;

/// How the checks call themselves.
const AGENT: &str = "lattice-emulator-health-check";

/// Checks targets for ever. Each check waits for a permit before its time begins, so that a crowd of targets
/// makes checks late and never makes them fail.
///
/// # Errors
/// When the clients for the checks cannot be made; no check has run then.
pub async fn watch(emulator: Arc<Emulator>) -> Result<Infallible, TlsError> {
    let permits = Arc::new(Semaphore::new(MAX_CHECKS));
    let checker = Checker { http1: http1(false)?, http2: Arc::new(Multiplexed::new(false)?) };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let due = {
            let now = emulator.clock.now();
            emulator.state().due_checks(now)
        };
        for check in due {
            let (emulator, permits, checker) = (Arc::clone(&emulator), Arc::clone(&permits), checker.clone());
            tokio::spawn(async move {
                let Ok(_permit) = permits.acquire().await else { return };
                let success = checker.probe(&check).await;
                emulator.state().checked(&check.group, &check.target, success);
            });
        }
    }
}

/// Its connections are not kept: a check must find out whether the target can be connected to now.
#[derive(Debug, Clone)]
struct Checker {
    http1: Http1<Empty<Bytes>>,
    http2: Arc<Multiplexed<Empty<Bytes>>>,
}

impl Checker {
    /// Whether a target answers as it should within its time.
    async fn probe(&self, check: &Check) -> bool {
        let Some(location) = check.location else { return false };
        let limit = Duration::from_secs(check.check.timeout);
        let answer = async {
            if check.check.protocol == "TCP" {
                return TcpStream::connect(location.place).await.is_ok();
            }
            self.status(check, location).await.is_some_and(|status| check.check.accepts(status))
        };
        tokio::time::timeout(limit, answer).await.unwrap_or(false)
    }

    async fn status(&self, check: &Check, location: Location) -> Option<u16> {
        let scheme = if check.check.protocol == "HTTPS" { "https" } else { "http" };
        let multiplexed = check.check.protocol_version == "HTTP2";
        let authority = if multiplexed { location.address } else { location.place };
        let mut request = Request::builder()
            .uri(format!("{scheme}://{authority}{}", check.check.path))
            .header(header::USER_AGENT, AGENT);
        if !multiplexed {
            request = request.header(header::HOST, location.address.to_string());
        }
        let request = request.body(Empty::new()).ok()?;
        let answer = if multiplexed {
            self.http2.request(location.place, request)
        } else {
            self.http1.request(request)
        };
        answer.await.ok().map(|response| response.status().as_u16())
    }
}
