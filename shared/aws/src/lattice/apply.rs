//! Does a plan's steps.

use super::LatticeClient;
use super::lanes::runs;
use super::names::Names;
use super::step::StepEnd;
use crate::AwsError;
use futures::{StreamExt, stream};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trellis_lattice::{Actual, Failure, Outcome, Plan, Step};
use trellis_ports::{Applied, ApplyError, End, ErrorClass, Waiting};

/// Steps done side by side: what a burst of creates is allowed before it is throttled is not documented, and was seen
/// to be little.
const STEPS_AT_ONCE: usize = 4;
/// When to come back for the rest of a plan that ran out of time.
const UNFINISHED_RETRY_AFTER: Duration = Duration::from_secs(1);

impl LatticeClient {
    /// Does the steps of `plan` in their order; consecutive ones that do not need each other run side by side. Names are
    /// resolved from `actual`, which the plan must have been made from, and from what the plan's own steps make.
    ///
    /// It ends at `deadline` at the latest; waits that would outlast it, and those that always take long (draining, a
    /// VPC's disassociation), end with [`End::Waiting`]. Safe to stop anywhere and to begin anew with a new plan.
    ///
    /// `progress` gets what exists so far before every wait, so that a status can be written meanwhile.
    pub async fn apply(
        &self,
        plan: &Plan,
        actual: &Actual,
        deadline: Instant,
        progress: &watch::Sender<Outcome>,
    ) -> Applied {
        let names = Names::of(actual);
        let mut done = 0;
        let mut begun = 0;
        let mut waiting = None;
        let mut end = End::Complete;
        for run in runs(&plan.steps) {
            if Instant::now() >= deadline {
                let text = format!("{done} of {} steps are done", plan.steps.len());
                waiting = Some(text.clone()).filter(|_| !plan.only_clears(begun));
                end = End::Waiting(Waiting { text, retry_after: UNFINISHED_RETRY_AFTER });
                break;
            }
            if run.iter().any(Step::is_wait) {
                progress.send_replace(names.outcome(&plan.blocked));
            }
            let steps: Vec<_> = run.iter().map(|step| self.perform_in_time(&names, step, deadline)).collect();
            let ended: Vec<_> = stream::iter(steps).buffered(STEPS_AT_ONCE).collect().await;
            done += ended.iter().filter(|result| matches!(result, Ok(StepEnd::Done))).count();
            let unfinished = ended.iter().position(|result| matches!(result, Ok(StepEnd::NotYet { .. })));
            if let Some(early) = ended_early(run, ended) {
                waiting = unfinished.and_then(|at| plan.waits_for(begun + at));
                end = early;
                break;
            }
            begun += run.len();
        }
        let mut outcome = names.outcome(&plan.blocked);
        match &end {
            End::Complete => {}
            End::Waiting(_) => outcome.waiting = waiting,
            // Nobody who asked for something waits for what is only cleared away; the next look tries it again.
            End::Failed(_) if plan.only_clears(begun) => {}
            End::Failed(error) => {
                if error.source.class() != crate::ErrorClass::Terminal {
                    self.inner.memory.doubt(&plan.owner.unit);
                }
                let message = format!("{error}: {}", error.source);
                let retryable = error.source.class() != ErrorClass::Terminal;
                outcome.failure = Some(Failure { message, retryable });
            }
        }
        Applied { done, outcome, end }
    }

    async fn perform_in_time(
        &self,
        names: &Names,
        step: &Step,
        deadline: Instant,
    ) -> Result<StepEnd, AwsError> {
        let began = Instant::now();
        // As large as the largest kind of step: it must not make every unit's future as large.
        let performed = Box::pin(self.perform(names, step, deadline));
        let in_time = tokio::time::timeout_at(deadline.into(), performed);
        let result = if let Ok(result) = in_time.await {
            result
        } else {
            // Whether the call had an effect is not known: the next inspection tells.
            self.forget_listings().await;
            Err(AwsError::late("apply", "the time is over in the middle of a call".to_owned()))
        };
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let what = step.description();
        match &result {
            Ok(StepEnd::Done) => tracing::info!(step = what, elapsed_ms, outcome = "done", "step"),
            Ok(StepEnd::NotYet { status, .. }) => {
                let text = waiting_text(step, status);
                tracing::info!(step = what, elapsed_ms, outcome = "waiting", text, "step");
            }
            Err(error) => {
                tracing::warn!(step = what, elapsed_ms, outcome = "failed", error = %error, "step");
            }
        }
        result
    }
}

/// The first error of a run, or all that it waits for.
fn ended_early(run: &[Step], ended: Vec<Result<StepEnd, AwsError>>) -> Option<End> {
    let mut texts = Vec::new();
    let mut latest = Duration::ZERO;
    for (step, result) in run.iter().zip(ended) {
        match result {
            Ok(StepEnd::Done) => {}
            Ok(StepEnd::NotYet { status, retry_after }) => {
                texts.push(waiting_text(step, status));
                latest = latest.max(retry_after);
            }
            Err(source) => {
                let clears = step.takes_away() || step.awaits_removal();
                let error = ApplyError { step: step.description(), clears, source: source.into() };
                return Some(End::Failed(error));
            }
        }
    }
    let waiting = Waiting { text: texts.join("; "), retry_after: latest };
    (!waiting.text.is_empty()).then_some(End::Waiting(waiting))
}

fn waiting_text(step: &Step, status: &str) -> String {
    format!("{} is {status}", step.subject())
}
