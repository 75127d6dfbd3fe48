//! Waiting until something is usable, or gone.
//!
//! VPC Lattice has no waiters and tells no durations. The schedules below follow what has been observed (a service and
//! a target group about one second, an association with a service network about five) so that the first look that can
//! succeed comes soon after the change, and few come before.

use super::convert::status;
use super::names::{Names, Resource};
use super::{LatticeClient, found};
use crate::AwsError;
use aws_sdk_vpclattice::types as sdk;
use std::future::Future;
use std::time::{Duration, Instant};
use trellis_lattice::{Status, Step};

/// When to look: after each of these times (ms) from the last look, the first from the creation, then at a fixed pace.
struct Schedule {
    first_ms: &'static [u64],
    then_ms: u64,
    /// How long to wait at all before the message is put off.
    patience: Option<Duration>,
    /// When it makes sense to come back.
    retry_after: Duration,
}

/// Services and target groups: usable after about one second.
const RESOURCE: Schedule = Schedule {
    first_ms: &[500, 460, 500, 800, 1_200, 1_500],
    then_ms: 2_000,
    patience: None,
    retry_after: Duration::from_secs(2),
};
/// Associations with a service network: usable after about five seconds.
const ASSOCIATION: Schedule = Schedule {
    first_ms: &[1_500, 1_600, 1_000, 800, 500, 500, 1_000, 1_500],
    then_ms: 2_000,
    patience: None,
    retry_after: Duration::from_secs(2),
};
/// The end of services, target groups and associations with services: seconds.
const GONE: Schedule = Schedule {
    first_ms: &[500, 800, 1_200, 1_500],
    then_ms: 2_000,
    patience: None,
    retry_after: Duration::from_secs(3),
};
/// Draining takes a minute by default (API reference, TargetSummary): longer than a function should be paid for waiting.
const DRAINED: Schedule = Schedule {
    first_ms: &[0, 700, 1_000],
    then_ms: 1_300,
    patience: Some(Duration::from_secs(3)),
    retry_after: Duration::from_secs(15),
};
/// How long VPC Lattice's data plane may follow its API late. Not documented; rules were seen to take seconds.
pub(super) const PROPAGATION: Duration = Duration::from_secs(10);
/// A VPC's disassociation takes 60 to 90 seconds.
const VPC_GONE: Schedule = Schedule { retry_after: Duration::from_secs(20), ..DRAINED };

/// What a look shows.
enum Look {
    Ready,
    NotYet(&'static str),
}

/// How a step ended without an error.
#[derive(Debug)]
pub(super) enum StepEnd {
    Done,
    /// What is not yet so, in words, and when to look again.
    Waiting(String, Duration),
}

impl LatticeClient {
    /// Waits as a step asks, no longer than `until`. Any other step is no wait and is done at once.
    pub(super) async fn wait(&self, names: &Names, step: &Step, until: Instant) -> Result<StepEnd, AwsError> {
        let waited = match step {
            Step::AwaitTargetGroup { target_group } => {
                let known = names.lock().target_groups.get(target_group).cloned();
                let group = known.ok_or_else(|| unknown("GetTargetGroup", step))?;
                poll_made(&RESOURCE, &group, until, async || {
                    active(self.target_group_reading(&group.id).await?)
                })
                .await?
            }
            Step::AwaitService { service } => {
                let known = names.lock().services.get(service).cloned();
                let service = known.ok_or_else(|| unknown("GetService", step))?;
                poll_made(&RESOURCE, &service, until, async || {
                    active(self.service_reading(&service.id).await?)
                })
                .await?
            }
            Step::AwaitAssociation { service, network } => {
                let known = names.lock().associations.get(&(service.clone(), network.clone())).cloned();
                let one = known.ok_or_else(|| unknown("GetServiceNetworkServiceAssociation", step))?;
                poll_made(&ASSOCIATION, &one, until, async || {
                    active(self.association_reading(&one.id).await?)
                })
                .await?
            }
            Step::AwaitVpcAssociation { network, vpc } => {
                let known = names.lock().vpc_associations.get(&(network.clone(), vpc.clone())).cloned();
                let one = known.ok_or_else(|| unknown("GetServiceNetworkVpcAssociation", step))?;
                poll_made(&ASSOCIATION, &one, until, async || {
                    active(self.vpc_association_reading(&one.id).await?)
                })
                .await?
            }
            Step::AwaitAssociationGone { id, .. } => {
                poll(&GONE, Some(Instant::now()), until, async || gone(self.association_reading(id).await?))
                    .await?
            }
            Step::AwaitServiceGone { id, .. } => {
                poll(&GONE, Some(Instant::now()), until, async || gone(self.service_reading(id).await?))
                    .await?
            }
            Step::AwaitTargetGroupGone { id, .. } => {
                poll(&GONE, Some(Instant::now()), until, async || gone(self.target_group_reading(id).await?))
                    .await?
            }
            Step::AwaitVpcAssociationGone { id, .. } => {
                poll(&VPC_GONE, None, until, async || gone(self.vpc_association_reading(id).await?)).await?
            }
            Step::AwaitDrained { id, .. } => poll(&DRAINED, None, until, || self.is_drained(id)).await?,
            // Nothing tells that it is over. An inspection after this time plans no such wait.
            Step::AwaitPropagation { .. } => Waited::NotYet("propagating", PROPAGATION),
            _ => Waited::Ready,
        };
        Ok(waited.named(step))
    }

    /// Reads a target group, for the listing too.
    async fn target_group_reading(&self, id: &str) -> Result<Reading, AwsError> {
        const OPERATION: &str = "GetTargetGroup";
        let request = self.api().get_target_group().target_group_identifier(id).send();
        let Some(read) = found(self.read(OPERATION, request).await)? else {
            return Ok(Reading::none(OPERATION));
        };
        let status = status(read.status.as_ref().map(sdk::TargetGroupStatus::as_str));
        let arn = read.arn.unwrap_or_default();
        self.inner
            .target_groups
            .change(|index| index.get_mut(&arn).into_iter().for_each(|entry| entry.status = status))
            .await;
        Ok(Reading::new(OPERATION, status, read.failure_code, read.failure_message))
    }

    /// Reads a service, for the listing too.
    async fn service_reading(&self, id: &str) -> Result<Reading, AwsError> {
        const OPERATION: &str = "GetService";
        let request = self.api().get_service().service_identifier(id).send();
        let Some(read) = found(self.read(OPERATION, request).await)? else {
            return Ok(Reading::none(OPERATION));
        };
        let status = status(read.status.as_ref().map(sdk::ServiceStatus::as_str));
        let arn = read.arn.unwrap_or_default();
        self.inner
            .services
            .change(|index| index.get_mut(&arn).into_iter().for_each(|entry| entry.status = status))
            .await;
        Ok(Reading::new(OPERATION, status, read.failure_code, read.failure_message))
    }

    async fn association_reading(&self, id: &str) -> Result<Reading, AwsError> {
        const OPERATION: &str = "GetServiceNetworkServiceAssociation";
        let request = self
            .api()
            .get_service_network_service_association()
            .service_network_service_association_identifier(id)
            .send();
        let Some(read) = found(self.read(OPERATION, request).await)? else {
            return Ok(Reading::none(OPERATION));
        };
        let status = status(read.status.as_ref().map(sdk::ServiceNetworkServiceAssociationStatus::as_str));
        Ok(Reading::new(OPERATION, status, read.failure_code, read.failure_message))
    }

    async fn vpc_association_reading(&self, id: &str) -> Result<Reading, AwsError> {
        const OPERATION: &str = "GetServiceNetworkVpcAssociation";
        let request = self
            .api()
            .get_service_network_vpc_association()
            .service_network_vpc_association_identifier(id)
            .send();
        let Some(read) = found(self.read(OPERATION, request).await)? else {
            return Ok(Reading::none(OPERATION));
        };
        let status = status(read.status.as_ref().map(sdk::ServiceNetworkVpcAssociationStatus::as_str));
        Ok(Reading::new(OPERATION, status, read.failure_code, read.failure_message))
    }

    async fn is_drained(&self, id: &str) -> Result<Look, AwsError> {
        let targets = found(self.targets(id).await)?.unwrap_or_default();
        let draining = targets.iter().any(|target| target.status == Some(sdk::TargetStatus::Draining));
        Ok(if draining { Look::NotYet("DRAINING") } else { Look::Ready })
    }
}

/// What a read shows of something that takes time.
struct Reading {
    operation: &'static str,
    /// None if it is not there.
    status: Option<Status>,
    /// The failure's code and message, empty ones left out.
    failure: Vec<String>,
}

impl Reading {
    fn new(operation: &'static str, status: Status, code: Option<String>, message: Option<String>) -> Self {
        let failure = [code, message].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        Self { operation, status: Some(status), failure }
    }

    fn none(operation: &'static str) -> Self {
        Self { operation, status: None, failure: vec![] }
    }

    fn failed(self, status: &str) -> String {
        std::iter::once(status.to_owned()).chain(self.failure).collect::<Vec<_>>().join(": ")
    }
}

/// What a read means for one who waits for ACTIVE.
fn active(reading: Reading) -> Result<Look, AwsError> {
    let operation = reading.operation;
    match reading.status {
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
fn gone(reading: Reading) -> Result<Look, AwsError> {
    match reading.status {
        None => Ok(Look::Ready),
        Some(Status::DeleteFailed) => {
            Err(AwsError::stale(reading.operation, reading.failed("DELETE_FAILED")))
        }
        Some(_) => Ok(Look::NotYet("DELETE_IN_PROGRESS")),
    }
}

/// A plan that names what neither was read nor made: the planner's mistake, seen again by a new plan.
pub(super) fn unknown(operation: &'static str, step: &Step) -> AwsError {
    AwsError::stale(operation, format!("{} is not known to this plan", super::lanes::subject(step)))
}

/// How a wait ended, before the step's name is known.
enum Waited {
    Ready,
    NotYet(&'static str, Duration),
}

impl Waited {
    fn named(self, step: &Step) -> StepEnd {
        match self {
            Self::Ready => StepEnd::Done,
            Self::NotYet(status, retry_after) => {
                StepEnd::Waiting(format!("{} is {status}", super::lanes::subject(step)), retry_after)
            }
        }
    }
}

/// As [`poll`], counted from the creation; a resource whose creation was over at once needs no look.
async fn poll_made<F, L>(
    schedule: &Schedule,
    resource: &Resource,
    until: Instant,
    look: F,
) -> Result<Waited, AwsError>
where
    F: Fn() -> L,
    L: Future<Output = Result<Look, AwsError>> + Send,
{
    if resource.active { Ok(Waited::Ready) } else { poll(schedule, resource.made, until, look).await }
}

/// Looks by the schedule, counted from `since` (none: the first look is now), until ready or until the next look would
/// come after `until` or after the schedule's patience is over.
async fn poll<F, L>(
    schedule: &Schedule,
    since: Option<Instant>,
    until: Instant,
    look: F,
) -> Result<Waited, AwsError>
where
    F: Fn() -> L,
    L: Future<Output = Result<Look, AwsError>> + Send,
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
            return Ok(Waited::NotYet(seen, schedule.retry_after));
        }
        tokio::time::sleep_until(due.min(until).into()).await;
        match look().await? {
            Look::Ready => return Ok(Waited::Ready),
            Look::NotYet(status) => seen = status,
        }
        due = Instant::now() + pause();
    }
}
