//! Waiting until something is usable, or gone.
//!
//! VPC Lattice has no waiters and tells no durations. The schedules below follow what has been observed (a service and
//! a target group about one second, an association with a service network about five) so that the first look that can
//! succeed comes soon after the change, and few come before.

use super::names::Resource;
use super::step::StepEnd;
use super::{LatticeClient, found};
use crate::AwsError;
use aws_sdk_vpclattice::config::http::HttpResponse;
use aws_sdk_vpclattice::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};
use trellis_lattice::Status;

/// When to look: after each of these times (ms) from the last look, the first from the creation, then at a fixed pace.
pub(super) struct Schedule {
    first_ms: &'static [u64],
    then_ms: u64,
    /// How long to wait at all before the message is put off.
    patience: Option<Duration>,
    /// When it makes sense to come back.
    retry_after: Duration,
}

/// Services and target groups: usable after about one second.
pub(super) const RESOURCE: Schedule = Schedule {
    first_ms: &[500, 460, 500, 800, 1_200, 1_500],
    then_ms: 2_000,
    patience: None,
    retry_after: Duration::from_secs(2),
};
/// Associations with a service network: usable after about five seconds.
pub(super) const ASSOCIATION: Schedule = Schedule {
    first_ms: &[1_500, 1_600, 1_000, 800, 500, 500, 1_000, 1_500],
    then_ms: 2_000,
    patience: None,
    retry_after: Duration::from_secs(2),
};
/// The end of services, target groups and associations with services: seconds.
pub(super) const GONE: Schedule = Schedule {
    first_ms: &[500, 800, 1_200, 1_500],
    then_ms: 2_000,
    patience: None,
    retry_after: Duration::from_secs(3),
};
/// Draining takes a minute by default (API reference, TargetSummary): longer than a function should be paid for waiting.
pub(super) const DRAINED: Schedule = Schedule {
    first_ms: &[0, 700, 1_000],
    then_ms: 1_300,
    patience: Some(Duration::from_secs(3)),
    retry_after: Duration::from_secs(15),
};
/// How long VPC Lattice's data plane may follow its API late. Not documented; rules were seen to take seconds.
pub(super) const PROPAGATION: Duration = Duration::from_secs(10);
/// A VPC's disassociation takes 60 to 90 seconds.
pub(super) const VPC_GONE: Schedule = Schedule { retry_after: Duration::from_secs(20), ..DRAINED };

/// A VPC endpoint: a minute or two until its network interfaces are there (AWS PrivateLink guide names no time). So the invocation ends
/// soon, and a hint for later looks again.
pub(super) const VPC_ENDPOINT: Schedule = Schedule {
    first_ms: &[1_000, 1_000, 1_500],
    then_ms: 2_500,
    patience: Some(Duration::from_secs(6)),
    retry_after: Duration::from_secs(15),
};
/// The end of a VPC endpoint takes as long.
pub(super) const VPC_ENDPOINT_GONE: Schedule = Schedule { retry_after: Duration::from_secs(20), ..DRAINED };

/// What a look shows.
pub(super) enum Look {
    Ready,
    NotYet(&'static str),
}

impl LatticeClient {
    /// Reads how a resource is; `seen` takes that from the answer.
    pub(super) async fn reading<T, E>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        seen: impl FnOnce(T) -> Seen,
    ) -> Result<Reading, AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let read = found(self.read(operation, request).await)?;
        Ok(Reading { operation, seen: read.map(seen) })
    }
}

/// What a read shows of something that takes time.
pub(super) struct Reading {
    operation: &'static str,
    /// None if it is not there.
    seen: Option<Seen>,
}

/// How a resource is.
pub(super) struct Seen {
    pub(super) status: Status,
    pub(super) failure_code: Option<String>,
    pub(super) failure_message: Option<String>,
}

impl Reading {
    pub(super) fn of(operation: &'static str, seen: Option<Seen>) -> Self {
        Self { operation, seen }
    }

    pub(super) fn status(&self) -> Option<Status> {
        self.seen.as_ref().map(|seen| seen.status)
    }

    /// A status with the failure's code and message, empty ones left out.
    fn failed(self, status: &str) -> String {
        let told = self.seen.map(|seen| [seen.failure_code, seen.failure_message]);
        let told = told.into_iter().flatten().flatten().filter(|part| !part.is_empty());
        std::iter::once(status.to_owned()).chain(told).collect::<Vec<_>>().join(": ")
    }
}

/// What a read means for one who waits for ACTIVE.
fn active(reading: Result<Reading, AwsError>) -> Result<Look, AwsError> {
    let reading = reading?;
    let operation = reading.operation;
    match reading.status() {
        Some(Status::Active) => Ok(Look::Ready),
        Some(Status::CreateInProgress) => Ok(Look::NotYet("CREATE_IN_PROGRESS")),
        Some(Status::UpdateInProgress) => Ok(Look::NotYet("UPDATE_IN_PROGRESS")),
        Some(Status::Unknown) => Ok(Look::NotYet("of an unknown status")),
        // The next plan makes it again, after it has deleted what failed.
        None => Err(AwsError::stale(operation, "gone, not expected".to_owned())),
        Some(Status::DeleteInProgress) => {
            Err(AwsError::stale(operation, "DELETE_IN_PROGRESS, not expected".to_owned()))
        }
        Some(Status::CreateFailed) => Err(AwsError::stale(operation, reading.failed("CREATE_FAILED"))),
        Some(Status::DeleteFailed) => Err(AwsError::stale(operation, reading.failed("DELETE_FAILED"))),
        // The old settings hold and the new ones were refused: the same ones will be refused again.
        Some(Status::UpdateFailed) => Err(AwsError::refused(operation, reading.failed("UPDATE_FAILED"))),
    }
}

/// What a read means for one who waits for the end.
fn gone(reading: Result<Reading, AwsError>) -> Result<Look, AwsError> {
    let reading = reading?;
    match reading.status() {
        None => Ok(Look::Ready),
        Some(Status::DeleteFailed) => {
            Err(AwsError::stale(reading.operation, reading.failed("DELETE_FAILED")))
        }
        Some(_) => Ok(Look::NotYet("DELETE_IN_PROGRESS")),
    }
}

/// Waits until what a plan has made or changed is ACTIVE. What was so at once needs no look.
pub(super) async fn until_active<F, L>(
    schedule: &Schedule,
    resource: &Resource,
    until: Instant,
    read: F,
) -> Result<StepEnd, AwsError>
where
    F: Fn() -> L,
    L: Future<Output = Result<Reading, AwsError>> + Send,
{
    if resource.active { Ok(StepEnd::Done) } else { poll(schedule, resource.made, until, read, active).await }
}

/// Waits until what a plan has deleted is gone.
pub(super) async fn until_gone<F, L>(
    schedule: &Schedule,
    until: Instant,
    read: F,
) -> Result<StepEnd, AwsError>
where
    F: Fn() -> L,
    L: Future<Output = Result<Reading, AwsError>> + Send,
{
    poll(schedule, Some(Instant::now()), until, read, gone).await
}

/// Reads by the schedule, counted from `since` (none: the first read is now), until what was read is seen as ready, or until
/// the next read would come after `until` or after the schedule's patience is over.
pub(super) async fn poll<F, L, R>(
    schedule: &Schedule,
    since: Option<Instant>,
    until: Instant,
    read: F,
    see: fn(R) -> Result<Look, AwsError>,
) -> Result<StepEnd, AwsError>
where
    F: Fn() -> L,
    L: Future<Output = R> + Send,
{
    let begin = Instant::now();
    let until = schedule.patience.map_or(until, |patience| until.min(begin + patience));
    let mut due = since.unwrap_or(begin);
    let mut pauses = schedule.first_ms.iter().copied().chain(std::iter::repeat(schedule.then_ms));
    let mut pause = move || Duration::from_millis(pauses.next().unwrap_or(schedule.then_ms));
    if since.is_some() {
        due += pause();
    }
    let mut seen = "not yet looked at";
    loop {
        // Looks that other steps have made late are not made up for: the next one is now.
        let now = Instant::now();
        due = due.max(now);
        if due >= until && seen != "not yet looked at" {
            return Ok(StepEnd::NotYet { status: seen, retry_after: schedule.retry_after });
        }
        tokio::time::sleep_until(due.min(until).into()).await;
        match see(read().await)? {
            Look::Ready => return Ok(StepEnd::Done),
            Look::NotYet(status) => seen = status,
        }
        due = Instant::now() + pause();
    }
}
