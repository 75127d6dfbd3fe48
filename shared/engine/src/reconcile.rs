//! The reconcile: one unit, from what the clusters say to what VPC Lattice has and the statuses tell.

use crate::ports::{Cluster, Clusters, Fleet, Lattice, Queue};
use crate::{Engine, UnitError, Verdict, names, spread, status};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trellis_aws::{Applied, End, ErrorClass};
use trellis_gateway::{
    ClusterFacts, Read, Snapshot, StatusPatch, Translation, translate, wants, wants_dependents,
};
use trellis_hint::{Hint, UnitKey};
use trellis_kube::{Awaited, observe};
use trellis_lattice::{Actual, Desired, Outcome, Plan, check, plan};

/// How often a unit is read and planned anew within one invocation because VPC Lattice was not as read. More than one
/// other writer at the same time is unlikely; what goes on being so is left to the queue's redelivery.
const PLANS_MAX: usize = 3;

/// How long one unit may take of an invocation: enough for an association (seconds). Waits that are known to take a
/// minute and more end by themselves, and the message goes back.
const APPLY_MAX: Duration = Duration::from_secs(30);

/// Objects of hints that are waited for. A batch has ten messages at most.
const HINTED_MAX: usize = 10;

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// Brings one unit to what its objects ask for.
    pub(crate) async fn reconcile_unit(
        &self,
        unit: &UnitKey,
        hints: &[Hint],
        deadline: Instant,
    ) -> Result<Verdict, UnitError> {
        let fleet = self.clusters.fleet().await?;
        if let Some(cluster) = unit.cluster().filter(|cluster| !fleet.clusters.contains_key(cluster)) {
            // Neither a change nor a deletion can be believed of a cluster that nobody registered.
            tracing::warn!(%unit, %cluster, "the cluster is not registered: nothing is done for it");
            return Ok(Verdict::Done);
        }
        let mut snapshot = self.observe(&fleet, unit, hints).await?;
        let translation = translate(unit, &snapshot, &Actual::default(), &self.settings);
        let mut work =
            Work { fleet: &fleet, unit, hints, snapshot: &mut snapshot, translation, written: vec![] };
        let converged = match work.translation.desired.clone() {
            Some(first) => self.converge(&mut work, &first, deadline.min(Instant::now() + APPLY_MAX)).await?,
            None => Converged::nothing_to_do(),
        };
        work.write_statuses(&converged.outcome).await?;
        let Work { written, translation, .. } = work;
        let news = spread::News { unit, hints, settled: converged.settled, written: &written };
        if news.concerns_all() {
            snapshot = observe(&fleet.clusters, snapshot, |snapshot| wants_dependents(unit, snapshot))
                .await?
                .snapshot;
        }
        spread::tell(&self.queue, &snapshot, &news).await?;
        Ok(verdict(&translation, converged.end))
    }

    /// Reads what the unit needs, at least as new as the hints say.
    async fn observe(
        &self,
        fleet: &Fleet<C::Cluster>,
        unit: &UnitKey,
        hints: &[Hint],
    ) -> Result<Snapshot, UnitError> {
        let mut start = snapshot_of(fleet);
        let mut seen = BTreeSet::new();
        for hint in hints.iter().rev().take(HINTED_MAX) {
            let object = &hint.object;
            let read = Read::Get {
                cluster: object.cluster.clone(),
                kind: object.kind,
                namespace: object.namespace.clone(),
                name: object.name.clone(),
            };
            let Some(awaited) = Awaited::of(hint) else { continue };
            let Some(Ok(cluster)) = fleet.clusters.get(&object.cluster) else {
                tracing::warn!(cluster = %object.cluster, %unit, "hint of a cluster that is not registered or not readable");
                continue;
            };
            if seen.insert(read.clone()) {
                let answer = cluster.read_at_least(&read, Some(&awaited)).await;
                start.insert(read, answer);
            }
        }
        let observed = observe(&fleet.clusters, start, |snapshot| wants(unit, snapshot)).await?;
        tracing::debug!(reads = observed.reads, rounds = observed.rounds, "observed");
        Ok(observed.snapshot)
    }

    /// Inspects, plans, checks and applies until VPC Lattice has what is desired, or it is clear what is in the way.
    async fn converge(
        &self,
        work: &mut Work<'_, C::Cluster>,
        first: &Desired,
        deadline: Instant,
    ) -> Result<Converged, UnitError> {
        let candidates = names::candidates(work.unit, work.hints);
        let mut settled = true;
        for round in 1..=PLANS_MAX {
            let actual = self.lattice.inspect(first, &candidates, self.began()).await?;
            // What is not known of the clusters is wanted as it is.
            work.translation = translate(work.unit, work.snapshot, &actual, &self.settings);
            let Some(desired) = work.translation.desired.clone() else {
                return Ok(Converged::nothing_to_do());
            };
            let plan = self.checked_plan(&desired, &actual)?;
            settled &= plan.is_settled();
            if !plan.steps.is_empty() || !plan.blocked.is_empty() {
                tracing::info!(round, plan = %plan, "plan");
            }
            let applied = self.apply(work, &plan, &actual, deadline).await?;
            match applied.end {
                End::Failed(error) if error.source.class() == ErrorClass::Stale && round < PLANS_MAX => {
                    tracing::info!(round, error = %trellis_telemetry::chain(&error), "planning anew");
                }
                end @ (End::Complete | End::Waiting(_) | End::Failed(_)) => {
                    return Ok(Converged { outcome: applied.outcome, end, settled });
                }
            }
        }
        Err(UnitError::NeverStill(PLANS_MAX))
    }

    /// The plan, refused if it breaks an invariant.
    fn checked_plan(&self, desired: &Desired, actual: &Actual) -> Result<Plan, UnitError> {
        let plan = plan(desired, actual, &self.settings.limits);
        let violations = check(&plan, desired, actual, &self.settings.limits);
        if violations.is_empty() { Ok(plan) } else { Err(UnitError::PlanRefused(violations)) }
    }

    /// Does the steps, and tells the objects once on the way as soon as there is something to tell: a DNS name or a
    /// network is of use to people before the last association is active.
    async fn apply(
        &self,
        work: &mut Work<'_, C::Cluster>,
        plan: &Plan,
        actual: &Actual,
        deadline: Instant,
    ) -> Result<Applied, UnitError> {
        let (progress, mut news) = watch::channel(Outcome::default());
        let apply = self.lattice.apply(plan, actual, deadline, &progress);
        tokio::pin!(apply);
        let mut told = false;
        loop {
            tokio::select! {
                // In this order: what is applied is told once, with its end, and a run of the same input has one history.
                biased;
                applied = &mut apply => return Ok(applied),
                Ok(()) = news.changed(), if !told => {
                    let mut outcome = news.borrow_and_update().clone();
                    if outcome.services.is_empty() && outcome.networks.is_empty() {
                        continue;
                    }
                    outcome.waiting = plan.waits_for(0);
                    told = true;
                    work.write_statuses(&outcome).await?;
                }
            }
        }
    }
}

/// A unit in work.
struct Work<'a, C> {
    fleet: &'a Fleet<C>,
    unit: &'a UnitKey,
    hints: &'a [Hint],
    snapshot: &'a mut Snapshot,
    translation: Translation,
    written: Vec<StatusPatch>,
}

impl<C: Cluster> Work<'_, C> {
    async fn write_statuses(&mut self, outcome: &Outcome) -> Result<(), UnitError> {
        let written = status::write(self.fleet, self.snapshot, &self.translation, outcome).await?;
        self.written.extend(written);
        Ok(())
    }
}

/// How far a unit has come.
struct Converged {
    outcome: Outcome,
    end: End,
    /// Whether nothing had to be changed.
    settled: bool,
}

impl Converged {
    fn nothing_to_do() -> Self {
        Self { outcome: Outcome::default(), end: End::Complete, settled: true }
    }
}

/// All registered clusters, and those of them that cannot be asked.
pub(crate) fn snapshot_of<C>(fleet: &Fleet<C>) -> Snapshot {
    let mut snapshot = Snapshot::of(fleet.facts.iter().cloned());
    for (name, cluster) in &fleet.clusters {
        if let Err(why) = cluster {
            snapshot.unreadable.insert(name.clone(), why.clone());
            // One that cannot even be described is still one that may want things: the core asks all that have facts.
            let unknown = || ClusterFacts::registered(name.clone(), String::new());
            snapshot.facts.entry(name.clone()).or_insert_with(unknown);
        }
    }
    snapshot
}

fn verdict(translation: &Translation, end: End) -> Verdict {
    match end {
        End::Waiting(waiting) => Verdict::Waiting { after: waiting.retry_after, reason: waiting.text },
        End::Failed(error) if error.source.class() == ErrorClass::Terminal => {
            // Trying again cannot help, and the status says what can; the drift pass comes by in any case.
            tracing::error!(error = %trellis_telemetry::chain(&error), "refused by AWS");
            Verdict::Done
        }
        End::Failed(error) => Verdict::Failed(trellis_telemetry::chain(&error).to_string()),
        End::Complete if !translation.held.is_empty() => Verdict::Held(translation.held.join("; ")),
        End::Complete => Verdict::Done,
    }
}
