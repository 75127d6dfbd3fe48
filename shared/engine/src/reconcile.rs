//! The reconcile: one unit, from what the clusters say to what VPC Lattice has and the statuses tell.

use crate::fleet::Members;
use crate::objects::Objects;
use crate::observe::{Usual, observe};
use crate::outbox::Outbox;
use crate::status::{Statuses, Untold};
use crate::verdict::verdict;
use crate::worker::{CATCH_UPS_MAX, HELD_TRIES_MAX, WAITS_MAX};
use crate::{Engine, Task, UnitError, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;
use trellis_gateway::{
    Assessment, Read, ReadResult, Settings, Snapshot, assess, candidate_service_names, concerns_dependents,
    dependents, needs, to_inspect, told_units, wants_dependents,
};
use trellis_hint::{ClusterId, Hint, ObjectRef, UnitKey};
use trellis_lattice::{Actual, Desired, Outcome};
use trellis_ports::{Applied, Awaited, Budget, Cluster, Clusters, End, ErrorClass, Lattice, Queue};
use trellis_telemetry::Metric;

/// How often a unit is read and planned anew within one invocation because VPC Lattice was not as read. More than one
/// other writer at the same time is unlikely; what goes on being so is left to the queue's redelivery.
const PLANS_MAX: usize = 3;

/// How long the steps of one unit may take: enough for an association (seconds). Waits that are known to take a minute
/// and more end by themselves, and a hint for later is sent.
const APPLY_MAX: Duration = Duration::from_secs(30);

/// Kept of a unit's time for the last statuses and the follow-ups, when the steps have used up the rest.
const TELL_RESERVE: Duration = Duration::from_secs(10);

/// Kept of a unit's time at its end, so that a status that is being written ends by itself.
const END_RESERVE: Duration = Duration::from_secs(1);

/// The look at a cluster that catches up with what went unheard is the first of its row.
const FIRST_CATCH_UP: u32 = 1;

/// Objects of hints that are waited for. A batch has ten messages at most.
const HINTED_MAX: usize = 10;

/// What was read for a unit.
pub(crate) struct Observed {
    pub(crate) snapshot: Snapshot,
    /// What is to be inspected in VPC Lattice with that snapshot ([`to_inspect`]).
    pub(crate) inspection: Option<Desired>,
}

/// How the work on a unit ended.
struct Worked {
    assessment: Assessment,
    applied: Applied,
    /// Whether VPC Lattice was as desired at first.
    settled: bool,
}

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// Brings one unit to what its objects ask for. Whom that concerns is left in the outbox, also on an error.
    pub(crate) async fn reconcile_unit(
        &self,
        task: &Task,
        budget: Budget,
        outbox: &Outbox,
    ) -> Result<Verdict, UnitError> {
        let (members, settings) = tokio::join!(self.members(), self.settings());
        let mut members = members?;
        if let Some(own) = own_cluster_of_a_hurried(task) {
            members = members.hurried(own, &self.others_breakers);
        }
        if let Some(cluster) = task.unit.cluster().filter(|cluster| !members.clusters.contains_key(cluster)) {
            self.not_registered(cluster, task).await?;
            return Ok(Verdict::Done);
        }
        if let UnitKey::Cluster { cluster } = &task.unit {
            // Rare and large: it must not make every unit's future as large.
            return Box::pin(self.look_at_cluster(&members, task, cluster, budget, outbox)).await;
        }
        let mut start = members.snapshot();
        for (read, answer) in hinted(&members, task).await {
            start.insert(&read, answer);
        }
        let Observed { mut snapshot, inspection } =
            self.observe_unit(&members, start, &task.unit, &settings).await?;
        let statuses = Statuses {
            members: &members,
            outbox,
            figures: &self.figures,
            budget: budget.leaving(END_RESERVE),
        };
        let time = budget.leaving(TELL_RESERVE);
        if let Some(verdict) = Box::pin(self.follow_instances(task, &snapshot, &settings, time)).await {
            return Ok(verdict);
        }
        let seen = (&mut snapshot, inspection);
        let worked = match Box::pin(self.work(task, seen, &statuses, &settings, budget)).await {
            Ok(worked) => worked,
            Err(error) => {
                // Whom an edit concerns follows from the objects alone. Once: a unit that fails comes again many times.
                if task.retried.is_none() && concerns_dependents(&task.unit, &task.hints, true) {
                    match self.dependents(&task.unit, &members, snapshot).await {
                        Ok(concerned) => outbox.put(concerned),
                        Err(why) => {
                            tracing::warn!(error = %trellis_telemetry::chain(&why), "others are not told of a unit that fails");
                        }
                    }
                }
                return Err(error);
            }
        };
        let Worked { mut assessment, applied, settled } = worked;
        let objects = Objects { members: &members, budget: budget.leaving(END_RESERVE) };
        let undone =
            objects.write(&task.unit, &mut snapshot, &mut assessment.translation, &applied.outcome).await;
        let mut untold = statuses.write(&mut snapshot, &assessment.translation, &applied.outcome).await;
        untold.extend(undone);
        let has_more = task.is_last_try() && task.catch_ups() < CATCH_UPS_MAX;
        let unread = if has_more { unread(&snapshot) } else { vec![] };
        self.follow_up(task, &members, snapshot, &assessment, (&applied, settled), outbox).await?;
        for cluster in unread {
            self.look_when_it_answers(&cluster, 0, task.catch_ups() + 1).await?;
        }
        Ok(verdict(task, &assessment, applied, &untold))
    }

    /// Neither a change nor a deletion can be believed of a cluster that nobody registered.
    async fn not_registered(&self, cluster: &ClusterId, task: &Task) -> Result<(), UnitError> {
        tracing::warn!(%cluster, "the cluster is not registered: nothing is done for it");
        self.figures.add(Metric::HintsUnregistered, task.hints.len());
        // One that was registered a while ago may come back, and what it tells meanwhile goes unheard. A name that somebody made up
        // never was.
        let is_look = matches!(task.unit, UnitKey::Cluster { .. });
        let before = if is_look { task.waits() + 1 } else { 0 };
        if self.was_registered(cluster) && before <= WAITS_MAX {
            self.look_when_it_answers(cluster, before, FIRST_CATCH_UP).await?;
        }
        Ok(())
    }

    /// Inspects, assesses and applies, with a new plan where VPC Lattice was not as it had been read.
    async fn work(
        &self,
        task: &Task,
        (snapshot, mut inspection): (&mut Snapshot, Option<Desired>),
        statuses: &Statuses<'_, C::Cluster>,
        settings: &Settings,
        budget: Budget,
    ) -> Result<Worked, UnitError> {
        let (mut round, mut settled, mut refused) = (1, true, None);
        loop {
            let actual = self.inspect(&task.unit, &task.hints, inspection).await?;
            let assessment = self.assess(&task.unit, snapshot, &actual, settings)?;
            tell_plan(&assessment);
            settled &= assessment.is_settled();
            // What a delete was refused for does not show: asked again at once it would be refused again.
            if let Some((plan, applied)) = refused.take()
                && plan == assessment.plan
            {
                return Ok(Worked { assessment, applied, settled });
            }
            let time = budget.leaving(TELL_RESERVE).at_most(APPLY_MAX);
            let applied = self.apply(&assessment, &actual, snapshot, statuses, time).await;
            tell_heirs(task, &assessment, applied.done, statuses.outbox);
            if round == PLANS_MAX || !is_stale(&applied) {
                return Ok(Worked { assessment, applied, settled });
            }
            refused = is_refused_delete(&applied).then_some((assessment.plan, applied));
            // Statuses were written meanwhile.
            inspection = to_inspect(&task.unit, snapshot, settings);
            round += 1;
        }
    }

    pub(crate) async fn members(&self) -> Result<Members<C::Cluster>, UnitError> {
        let members = Members::new(self.clusters.fleet().await?, &self.breakers, &self.figures);
        self.set_registered(members.clusters.keys());
        let members = members.with_secrets(self.settings.certificate_secrets);
        Ok(members.with_leaving(&self.settings.leaving).with_service_per(self.settings.service_per))
    }

    /// Reads what the unit needs of the clusters and, beside VPC Lattice, of AWS.
    pub(crate) async fn observe_unit(
        &self,
        members: &Members<C::Cluster>,
        start: Snapshot,
        unit: &UnitKey,
        settings: &Settings,
    ) -> Result<Observed, UnitError> {
        let (mut inspection, mut asked) = (None, vec![]);
        let wants = |snapshot: &Snapshot| {
            let needs = needs(unit, snapshot, settings);
            (inspection, asked) = (needs.inspection, needs.asked);
            needs.reads
        };
        let observed = observe(&members.clusters, start, self.usual.of(unit), wants).await?;
        self.usual.note(unit, asked);
        tracing::debug!(reads = observed.reads, rounds = observed.rounds, "observed");
        let mut snapshot = observed.snapshot;
        let is_gateway = matches!(unit, UnitKey::Gateway { .. });
        // Of few units, and large: it must not make every unit's future as large.
        let has_secrets = is_gateway && Box::pin(members.read_secrets(&mut snapshot)).await;
        if self.ask_aws(&mut snapshot).await || has_secrets {
            inspection = to_inspect(unit, &snapshot, settings);
        }
        Ok(Observed { snapshot, inspection })
    }

    /// Reads what VPC Lattice has of what the unit wants and owns; nothing where nothing is to be inspected.
    pub(crate) async fn inspect(
        &self,
        unit: &UnitKey,
        hints: &[Hint],
        inspection: Option<Desired>,
    ) -> Result<Actual, UnitError> {
        let Some(desired) = inspection else { return Ok(Actual::default()) };
        let names = candidate_service_names(unit, hints);
        Ok(self.lattice.inspect(&desired, &names, self.began()).await?)
    }

    /// Assesses the unit, and refuses a plan that breaks an invariant.
    pub(crate) fn assess(
        &self,
        unit: &UnitKey,
        snapshot: &Snapshot,
        actual: &Actual,
        settings: &Settings,
    ) -> Result<Assessment, UnitError> {
        let assessment = assess(snapshot, actual, unit, settings);
        if !assessment.violations.is_empty() {
            self.figures.add(Metric::PlansRefused, 1);
            return Err(UnitError::PlanRefused(assessment.violations));
        }
        Ok(assessment)
    }

    /// Does the steps, and tells the objects once on the way as soon as there is something to tell: a DNS name or a network
    /// is of use to people before the last association is active. The steps never wait for a status.
    async fn apply(
        &self,
        assessment: &Assessment,
        actual: &Actual,
        snapshot: &mut Snapshot,
        statuses: &Statuses<'_, C::Cluster>,
        budget: Budget,
    ) -> Applied {
        let Some(plan) = &assessment.plan else {
            return Applied { done: 0, outcome: Outcome::default(), end: End::Complete };
        };
        let (progress, mut news) = watch::channel(Outcome::default());
        let steps = async move { self.lattice.apply(plan, actual, budget, &progress).await };
        let tell = async {
            while news.changed().await.is_ok() {
                let mut outcome = news.borrow_and_update().clone();
                if news.has_changed().is_err() {
                    return; // The steps have ended: what is applied is told once, with its end.
                }
                if !outcome.services.is_empty() || !outcome.networks.is_empty() {
                    outcome.waiting = plan.waits_for(0);
                    // What cannot be told now is told, or not, with the end.
                    let _: Untold = statuses.write(snapshot, &assessment.translation, &outcome).await;
                    return;
                }
            }
        };
        let (applied, ()) = futures::join!(steps, tell);
        self.figures.add(Metric::StepsApplied, applied.done);
        applied
    }

    /// Puts the hints that follow into the outbox: those for whoever depends on the unit, and after a try that was cut off
    /// those too that it may have owed.
    async fn follow_up(
        &self,
        task: &Task,
        members: &Members<C::Cluster>,
        snapshot: Snapshot,
        assessment: &Assessment,
        (applied, settled): (&Applied, bool),
        outbox: &Outbox,
    ) -> Result<(), UnitError> {
        let unit = &task.unit;
        outbox.put(assessment.translation.told.iter().cloned());
        let retried = task.retried.is_some();
        if retried {
            outbox.put_again(told_units(&snapshot, &assessment.translation, &applied.outcome));
        }
        let news = concerns_dependents(unit, &task.hints, settled);
        let owed = retried && concerns_dependents(unit, &task.hints, false);
        if !(news || owed) {
            return Ok(());
        }
        let concerned = self.dependents(unit, members, snapshot).await?;
        if news {
            outbox.put(concerned);
        } else {
            outbox.put_again(concerned);
        }
        Ok(())
    }

    /// Whom a unit's news concern.
    async fn dependents(
        &self,
        unit: &UnitKey,
        members: &Members<C::Cluster>,
        snapshot: Snapshot,
    ) -> Result<BTreeMap<UnitKey, ObjectRef>, UnitError> {
        let observed =
            observe(&members.clusters, snapshot, Usual::new(), |snapshot| wants_dependents(unit, snapshot))
                .await?;
        Ok(dependents(unit, &observed.snapshot).into_iter().collect())
    }
}

/// Tells those who wait for what the plan's first steps have done, so many; nothing else tells them.
fn tell_heirs(task: &Task, assessment: &Assessment, done: usize, outbox: &Outbox) {
    let Some(hint) = task.hints.last() else { return };
    let left = assessment.left_networks(task.unit.scope());
    outbox.put_later(left.map(|gateway| (gateway, hint.object.clone())));
    outbox.put_later(assessment.let_in(done));
    let heirs = assessment.heirs(done).into_iter();
    outbox.put(heirs.map(|heir| (heir, hint.object.clone())));
}

/// The registered clusters that the unit needs and that could not be read.
fn unread(snapshot: &Snapshot) -> Vec<ClusterId> {
    snapshot.facts.keys().filter(|cluster| snapshot.unknown(cluster).is_some()).cloned().collect()
}

/// The cluster of a unit whose Pods must not wait for other clusters: a route, as long as it comes again by itself if one
/// of these does not answer in time. What is searched for others (dependents) must be found, and waits.
fn own_cluster_of_a_hurried(task: &Task) -> Option<&ClusterId> {
    let is_route = matches!(task.unit, UnitKey::Route { .. });
    task.unit.cluster().filter(|_| is_route && task.hindered() < HELD_TRIES_MAX)
}

/// Logs the plan, if it says anything.
fn tell_plan(assessment: &Assessment) {
    if let Some(plan) = assessment.plan.as_ref().filter(|p| !p.steps.is_empty() || !p.blocked.is_empty()) {
        tracing::info!(plan = %plan, "plan");
    }
}

/// Reads the objects of the hints, at least as new as these say, side by side; a cluster that fails is read no further.
async fn hinted<C: Cluster>(members: &Members<C>, task: &Task) -> Vec<(Read, ReadResult)> {
    let mut seen = BTreeSet::new();
    let mut reads = vec![];
    for hint in task.hints.iter().rev().take(HINTED_MAX) {
        let object = &hint.object;
        let read = Read::Get {
            cluster: object.cluster.clone(),
            kind: object.kind,
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        };
        let Some(awaited) = Awaited::of(hint) else { continue };
        let Ok(member) = members.reach(&object.cluster) else {
            tracing::warn!(
                cluster = %object.cluster,
                "hint of a cluster that is not registered or not readable"
            );
            continue;
        };
        if seen.insert(read.clone()) {
            reads.push(async move {
                let answer = member.read_at_least(&read, &awaited).await;
                (read, answer)
            });
        }
    }
    futures::future::join_all(reads).await
}

/// Whether it was a delete that VPC Lattice refused.
fn is_refused_delete(applied: &Applied) -> bool {
    matches!(&applied.end, End::Failed(error) if error.clears)
}

/// Whether VPC Lattice was not as it had been read.
fn is_stale(applied: &Applied) -> bool {
    let End::Failed(error) = &applied.end else { return false };
    let stale = error.source.class() == ErrorClass::Stale;
    if stale {
        tracing::info!(error = %trellis_telemetry::chain(error), "planning anew");
    }
    stale
}
