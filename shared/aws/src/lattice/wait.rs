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
const PROPAGATION: Duration = Duration::from_secs(10);
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
                poll_made(&RESOURCE, &group, until, || self.target_group_is_active(&group)).await?
            }
            Step::AwaitService { service } => {
                let known = names.lock().services.get(service).cloned();
                let service = known.ok_or_else(|| unknown("GetService", step))?;
                poll_made(&RESOURCE, &service, until, || self.service_is_active(&service)).await?
            }
            Step::AwaitAssociation { service, network } => {
                let known = names.lock().associations.get(&(service.clone(), network.clone())).cloned();
                let one = known.ok_or_else(|| unknown("GetServiceNetworkServiceAssociation", step))?;
                poll_made(&ASSOCIATION, &one, until, || self.association_is_active(&one)).await?
            }
            Step::AwaitVpcAssociation { network, vpc } => {
                let known = names.lock().vpc_associations.get(&(network.clone(), vpc.clone())).cloned();
                let one = known.ok_or_else(|| unknown("GetServiceNetworkVpcAssociation", step))?;
                poll_made(&ASSOCIATION, &one, until, || self.vpc_association_is_active(&one)).await?
            }
            Step::AwaitAssociationGone { id, .. } => {
                poll(&GONE, Some(Instant::now()), until, || self.association_is_gone(id)).await?
            }
            Step::AwaitServiceGone { id, .. } => {
                poll(&GONE, Some(Instant::now()), until, || self.service_is_gone(id)).await?
            }
            Step::AwaitTargetGroupGone { id, .. } => {
                poll(&GONE, Some(Instant::now()), until, || self.target_group_is_gone(id)).await?
            }
            Step::AwaitVpcAssociationGone { id, .. } => {
                poll(&VPC_GONE, None, until, || self.vpc_association_is_gone(id)).await?
            }
            Step::AwaitDrained { id, .. } => poll(&DRAINED, None, until, || self.is_drained(id)).await?,
            // Nothing tells that it is over. The next inspection finds the target groups unused, and plans no such wait.
            Step::AwaitPropagation { .. } => Waited::NotYet("propagating", PROPAGATION),
            _ => Waited::Ready,
        };
        Ok(waited.named(step))
    }

    async fn target_group_is_active(&self, group: &Resource) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetTargetGroup";
        let request = self.api().get_target_group().target_group_identifier(&group.id).send();
        let read = self.read(OPERATION, request).await?;
        let status = status(read.status.as_ref().map(sdk::TargetGroupStatus::as_str));
        self.inner
            .target_groups
            .change(|index| {
                if let Some(entry) = index.get_mut(&group.arn) {
                    entry.status = status;
                }
            })
            .await;
        active(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn service_is_active(&self, service: &Resource) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetService";
        let request = self.api().get_service().service_identifier(&service.id).send();
        let read = self.read(OPERATION, request).await?;
        let status = status(read.status.as_ref().map(sdk::ServiceStatus::as_str));
        self.inner
            .services
            .change(|index| {
                if let Some(entry) = index.get_mut(&service.arn) {
                    entry.status = status;
                }
            })
            .await;
        active(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn association_is_active(&self, association: &Resource) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetServiceNetworkServiceAssociation";
        let request = self
            .api()
            .get_service_network_service_association()
            .service_network_service_association_identifier(&association.id)
            .send();
        let read = self.read(OPERATION, request).await?;
        let status = status(read.status.as_ref().map(sdk::ServiceNetworkServiceAssociationStatus::as_str));
        active(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn vpc_association_is_active(&self, association: &Resource) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetServiceNetworkVpcAssociation";
        let request = self
            .api()
            .get_service_network_vpc_association()
            .service_network_vpc_association_identifier(&association.id)
            .send();
        let read = self.read(OPERATION, request).await?;
        let status = status(read.status.as_ref().map(sdk::ServiceNetworkVpcAssociationStatus::as_str));
        active(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn association_is_gone(&self, id: &str) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetServiceNetworkServiceAssociation";
        let request = self
            .api()
            .get_service_network_service_association()
            .service_network_service_association_identifier(id)
            .send();
        let Some(read) = found(self.read(OPERATION, request).await)? else { return Ok(Look::Ready) };
        let status = status(read.status.as_ref().map(sdk::ServiceNetworkServiceAssociationStatus::as_str));
        gone(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn service_is_gone(&self, id: &str) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetService";
        let request = self.api().get_service().service_identifier(id).send();
        let Some(read) = found(self.read(OPERATION, request).await)? else { return Ok(Look::Ready) };
        let status = status(read.status.as_ref().map(sdk::ServiceStatus::as_str));
        gone(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn target_group_is_gone(&self, id: &str) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetTargetGroup";
        let request = self.api().get_target_group().target_group_identifier(id).send();
        let Some(read) = found(self.read(OPERATION, request).await)? else { return Ok(Look::Ready) };
        let status = status(read.status.as_ref().map(sdk::TargetGroupStatus::as_str));
        gone(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn vpc_association_is_gone(&self, id: &str) -> Result<Look, AwsError> {
        const OPERATION: &str = "GetServiceNetworkVpcAssociation";
        let request = self
            .api()
            .get_service_network_vpc_association()
            .service_network_vpc_association_identifier(id)
            .send();
        let Some(read) = found(self.read(OPERATION, request).await)? else { return Ok(Look::Ready) };
        let status = status(read.status.as_ref().map(sdk::ServiceNetworkVpcAssociationStatus::as_str));
        gone(OPERATION, status, read.failure_code, read.failure_message)
    }

    async fn is_drained(&self, id: &str) -> Result<Look, AwsError> {
        let targets = found(self.targets(id).await)?.unwrap_or_default();
        let draining = targets.iter().any(|target| target.status == Some(sdk::TargetStatus::Draining));
        Ok(if draining { Look::NotYet("DRAINING") } else { Look::Ready })
    }
}

/// What a status means for one who waits for ACTIVE.
fn active(
    operation: &'static str,
    status: Status,
    failure_code: Option<String>,
    failure_message: Option<String>,
) -> Result<Look, AwsError> {
    match status {
        Status::Active => Ok(Look::Ready),
        Status::CreateInProgress => Ok(Look::NotYet("CREATE_IN_PROGRESS")),
        Status::UpdateInProgress => Ok(Look::NotYet("UPDATE_IN_PROGRESS")),
        Status::Unknown => Ok(Look::NotYet("of an unknown status")),
        Status::DeleteInProgress => {
            Err(AwsError::stale(operation, "DELETE_IN_PROGRESS, not expected".to_owned()))
        }
        // The next plan deletes it and makes it again.
        Status::CreateFailed | Status::DeleteFailed => {
            Err(AwsError::stale(operation, failed(status, failure_code, failure_message)))
        }
        // The old settings hold and the new ones were refused: the same ones will be refused again.
        Status::UpdateFailed => {
            Err(AwsError::refused(operation, failed(status, failure_code, failure_message)))
        }
    }
}

/// What a status means for one who waits for the end.
fn gone(
    operation: &'static str,
    status: Status,
    failure_code: Option<String>,
    failure_message: Option<String>,
) -> Result<Look, AwsError> {
    match status {
        Status::DeleteFailed => {
            Err(AwsError::stale(operation, failed(status, failure_code, failure_message)))
        }
        _ => Ok(Look::NotYet("DELETE_IN_PROGRESS")),
    }
}

fn failed(status: Status, code: Option<String>, message: Option<String>) -> String {
    let status = match status {
        Status::CreateFailed => "CREATE_FAILED",
        Status::UpdateFailed => "UPDATE_FAILED",
        _ => "DELETE_FAILED",
    };
    let parts = [code, message].into_iter().flatten().filter(|part| !part.is_empty());
    std::iter::once(status.to_owned()).chain(parts).collect::<Vec<_>>().join(": ")
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
