//! How a plan's step is done.
//!
//! Each kind of step says so in the module of its resource, by [`Perform`]. A kind that does not say it does not compile:
//! [`each_step!`] has an arm for every kind, and the trait has no defaults. So no step can count as done without a call.

use super::LatticeClient;
use super::names::{Names, Resource};
use crate::{AwsError, ErrorClass};
use aws_sdk_vpclattice::config::http::HttpResponse;
use aws_sdk_vpclattice::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant, SystemTime};
use trellis_lattice::{ResourceKind, Step, TAG_UNIT, Tags, each_step};

/// How a kind of step is done.
pub(super) trait Perform {
    /// Which steps it may run beside.
    const LANE: Lane;

    /// Does it. A wait ends at `until` at the latest.
    ///
    /// Creates send no client token of ours: how long VPC Lattice keeps a token, and what it answers when the thing that
    /// the token made has been deleted, is not documented, so a token derived from the content could bring back the
    /// answer for a thing that is gone. The SDK's own token makes its retries safe; a create whose answer was lost is
    /// found again by its name, since names are unique. For a deletion, what is already gone counts as deleted.
    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError>;
}

/// Steps of one lane that follow each other and concern different things do not need each other's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Never beside another step.
    Alone,
    /// Of target groups: a quota of theirs that is used up ends a plan before a service is made, which costs.
    MakeTargetGroups,
    Make,
    Await,
    Targets,
    AccessLogs,
    Attach,
    Rules,
    Vpcs,
    DeleteRules,
    DeleteListeners,
    DeleteAssociations,
    DeleteServices,
    DeleteTargetGroups,
    DeleteVpcAssociations,
}

/// How a step ended without an error.
#[derive(Debug)]
pub(super) enum StepEnd {
    Done,
    /// Its subject is not yet as it waits for.
    NotYet {
        /// What the subject is.
        status: &'static str,
        /// When to look again.
        retry_after: Duration,
    },
}

/// The lane of a step.
pub(super) fn lane(step: &Step) -> Lane {
    fn of<S: Perform>(_: &S) -> Lane {
        S::LANE
    }
    each_step!(step, step => of(step))
}

impl LatticeClient {
    /// Does one step.
    pub(super) async fn perform(
        &self,
        names: &Names,
        step: &Step,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        // Boxed: without it the future of every kind of step has a place of its own on the stack in a build that is not optimised.
        each_step!(step, step => Box::pin(step.perform(self, names, until)).await)
    }

    /// A call that changes something. After a conflict, or when a thing is missing, what was listed is no longer true.
    pub(super) async fn write<T, E>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let _permit = self.inner.in_flight.permit(operation).await;
        match request.await {
            Ok(output) => Ok(output),
            Err(error) => {
                let error = AwsError::from_sdk(operation, error);
                if error.class() == ErrorClass::Stale {
                    self.forget_listings().await;
                }
                Err(error)
            }
        }
    }

    /// A create that was refused, if its name is taken: then somebody made it whom nobody has told of here, and a new plan
    /// must start from that. Most duplicates are conflicts; whether all are is not documented, and a quota that is used up
    /// may hide one.
    pub(super) async fn unless_taken<T>(
        &self,
        operation: &'static str,
        written: Result<T, AwsError>,
        is_taken: impl Future<Output = Result<bool, AwsError>>,
    ) -> Result<T, AwsError> {
        match written {
            Err(error) if error.may_hide_a_duplicate() && is_taken.await.unwrap_or(false) => {
                Err(AwsError::stale(operation, format!("the name is taken ({error})")))
            }
            written => written,
        }
    }

    /// What a create has answered. Its tags are known now, and that it is its unit's.
    pub(super) fn made(
        &self,
        operation: &'static str,
        id: Option<String>,
        arn: Option<String>,
        tags: &Tags,
    ) -> Result<Resource, AwsError> {
        let made = Resource::made(id, arn)
            .ok_or_else(|| AwsError::stale(operation, "the answer has no id or no ARN".to_owned()))?;
        self.inner.tags.put(&made.arn, tags.clone(), SystemTime::now());
        if let Some(unit) = tags.get(TAG_UNIT)
            && matches!(ResourceKind::of(&made.arn), ResourceKind::Service | ResourceKind::TargetGroup)
        {
            self.inner.memory.add(unit, &made.arn);
        }
        Ok(made)
    }
}

/// Entries named in an error's text; a condition needs no more to show what is wrong.
const REFUSED_NAMED_MAX: usize = 3;

/// What a call has refused of several `things`, in words: how many, and what is said of the first.
pub(super) fn refused_text(things: &str, mut said: Vec<String>) -> String {
    let count = said.len();
    said.sort();
    said.truncate(REFUSED_NAMED_MAX);
    format!("{count} {things} were refused: {}", said.join("; "))
}
