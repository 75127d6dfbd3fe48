use crate::{Budget, CallError, Facts};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use trellis_directory::Listing;
use trellis_lattice::{Actual, Certificate, Desired, ExternalGroup, Limits, Outcome, Plan, ResourceKind};

/// VPC Lattice, and what the same account tells of other things.
pub trait Lattice: Facts {
    /// What is there of what `desired` names and of what its owner has. No listing from before `not_before` is used.
    fn inspect(
        &self,
        desired: &Desired,
        service_names: &[String],
        not_before: SystemTime,
    ) -> impl Future<Output = Result<Actual, CallError>> + Send;

    /// The target groups of instances that the owner of `desired` has, as far as an index of tags shows them, and nothing else. Each
    /// is read with its own tags.
    fn inspect_instances(&self, desired: &Desired) -> impl Future<Output = Result<Actual, CallError>> + Send;

    /// Does a plan's steps within the budget, and tells what exists before each wait.
    fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        budget: Budget,
        progress: &watch::Sender<Outcome>,
    ) -> impl Future<Output = Applied> + Send;

    /// Gives out everything that bears this installation's owner tag, and this other tag if one is named, as an index of
    /// tags shows it. The index follows changes late: it finds, and proves nothing. One resource after the other, since
    /// there may be more than should be held.
    fn owned(
        &self,
        installation: &str,
        also: Option<&(String, String)>,
        take: &mut (dyn FnMut(Owned) + Send),
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Those of these resources, by ARN, that bear this installation's owner tag or bore it a moment ago.
    fn whose(
        &self,
        installation: &str,
        arns: &BTreeSet<String>,
    ) -> impl Future<Output = Result<Vec<Owned>, CallError>> + Send;

    /// The limits that apply now; `set` are those of the settings, for whom AWS tells nothing.
    fn limits(&self, set: &Limits) -> impl Future<Output = Limits> + Send {
        std::future::ready(set.clone())
    }

    /// The certificates in ACM that VPC Lattice can serve, as they are at this time or later.
    fn certificates(
        &self,
        not_before: SystemTime,
    ) -> impl Future<Output = Result<Vec<Certificate>, CallError>> + Send;

    /// What is known of these target groups, by ARN: of each of them something.
    fn external_groups(
        &self,
        arns: &BTreeSet<String>,
    ) -> impl Future<Output = BTreeMap<String, ExternalGroup>> + Send;

    /// All that VPC Lattice shows to the account, whosever it is, for the service directory. What could not be read within the budget
    /// is told in it.
    fn listing(&self, budget: Budget) -> impl Future<Output = Listing> + Send;

    /// Calls since this was last asked.
    fn take_calls(&self) -> Calls;
}

/// Calls to AWS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calls {
    /// Requests sent, by operation, of all services.
    pub by_operation: BTreeMap<String, u64>,
    /// Those of them that went to VPC Lattice.
    pub lattice: u64,
}

/// A resource that bears an installation's owner tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned {
    /// ARN.
    pub arn: String,
    /// What it is.
    pub kind: ResourceKind,
    /// The value of the unit tag, a hash; empty when there is none.
    pub unit: String,
    /// The text of the unit's key as the tags tell it; empty when they do not.
    pub key: String,
    /// The name, if it is a service.
    pub service: Option<String>,
}

/// How far a plan has come.
#[derive(Debug)]
pub struct Applied {
    /// Steps that were done; waits count too.
    pub done: usize,
    /// What exists now, with `waiting` and `failure` filled in from `end`. Waiting for the end of what is not wanted any
    /// more is not told there.
    pub outcome: Outcome,
    /// How it ended.
    pub end: End,
}

/// How an apply ended.
#[derive(Debug)]
pub enum End {
    /// All steps are done.
    Complete,
    /// Something takes longer than the time that was given. Inspect and plan again later.
    Waiting(Waiting),
    /// A step failed; those after it were not begun.
    Failed(ApplyError),
}

/// What is being waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// In words for a condition's message.
    pub text: String,
    /// When it makes sense to look again.
    pub retry_after: Duration,
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}")]
pub struct ApplyError {
    /// What was tried, such as `create service inventory-default`.
    pub step: String,
    /// Whether the step takes away what is not wanted any more: nobody who asked for something waits for it.
    pub clears: bool,
    /// The call that failed.
    #[source]
    pub source: CallError,
}
