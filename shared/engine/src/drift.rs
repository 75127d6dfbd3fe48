//! The drift pass: the same stages over everything, up to the plan, and a hint for each unit that differs.

use crate::fleet::Members;
use crate::observe::observe;
use crate::outbox::outgoing;
use crate::{Engine, UnitError, moment};
use futures::{StreamExt, stream};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;
use trellis_gateway::{Snapshot, assess, candidate_service_names, to_inspect, units, wants_everything};
use trellis_hint::{ClusterId, Hint, Kind, ObjectRef, Operation, UnitKey};
use trellis_lattice::Actual;
use trellis_ports::{Clusters, Lattice, OutgoingHint, Owned, Queue};
use trellis_telemetry::Metric;

/// Units inspected at once; the client bounds its reads in flight by itself.
const UNITS_AT_ONCE: usize = 8;

/// Steps of one unit that the report tells; more are counted.
const STEPS_TOLD_MAX: usize = 20;

/// Units that the report tells of; more are counted. A log line of CloudWatch holds 256 KiB.
const UNITS_TOLD_MAX: usize = 100;

/// The cluster in hints for a Gateway unit that no cluster has a Gateway of. None is called so: it bears no tag.
const NOWHERE: &str = "none";

/// What a drift pass found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// The registered clusters: `ok`, or why one could not be read.
    pub clusters: BTreeMap<String, String>,
    /// Units looked at.
    pub units: usize,
    /// Units that differ from what they should be, at most [`UNITS_TOLD_MAX`].
    pub drifted: Vec<Drifted>,
    /// How many there are.
    pub drifted_count: usize,
    /// Resources that bear the owner tag and whose unit has no object any more, or cannot be told: ARN → unit.
    pub orphans: BTreeMap<String, String>,
    /// Units that could not be looked at: unit → why.
    pub failed: BTreeMap<String, String>,
    /// Units not looked at because the time was over.
    pub left_out: usize,
    /// Hints sent.
    pub hints: usize,
    /// Calls to AWS by operation.
    pub calls: BTreeMap<String, u64>,
    /// How long the pass took.
    pub elapsed_ms: u64,
}

/// A unit that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// The unit.
    pub unit: String,
    /// What its plan would do, one text a step.
    pub steps: Vec<String>,
    /// Statuses that say something else than they should.
    pub statuses: Vec<String>,
}

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// Looks at everything, changes nothing, and sends a hint for each unit that differs.
    pub async fn drift(&self, deadline: Instant) -> Result<DriftReport, UnitError> {
        let started = Instant::now();
        self.begin();
        self.take_calls();
        let members = self.members().await?;
        let snapshot = observe(&members.clusters, members.snapshot(), wants_everything).await?.snapshot;
        let wanted = units(&snapshot);
        let owned = self.lattice.owned(&self.settings.installation).await?;
        let orphans = orphans(&owned, &wanted);
        let mut all = wanted;
        for unit in orphans.values().flatten() {
            all.entry(unit.clone()).or_insert_with(|| object_of(unit));
        }
        let hints = hints(all, owned);
        let mut report = self.look(&snapshot, &hints, deadline).await;
        report.clusters = cluster_states(&members, &snapshot);
        report.orphans = orphans.into_iter().map(|(arn, unit)| (arn, text(unit))).collect();
        report.hints = self.send_drifted(&report.drifted, hints).await?;
        report.drifted.truncate(UNITS_TOLD_MAX);
        report.calls = self.take_calls().by_operation;
        report.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(report = %serde_json::to_string(&report).unwrap_or_default(), "drift report");
        Ok(report)
    }

    async fn look(
        &self,
        snapshot: &Snapshot,
        hints: &BTreeMap<UnitKey, Hint>,
        deadline: Instant,
    ) -> DriftReport {
        let mut report = DriftReport { units: hints.len(), ..DriftReport::default() };
        let looks: Vec<_> = stream::iter(hints)
            .map(|(unit, hint)| async move {
                let in_time = Instant::now() < deadline;
                let look = if in_time { Some(self.look_at(unit, hint, snapshot).await) } else { None };
                (unit, look)
            })
            .buffered(UNITS_AT_ONCE)
            .collect()
            .await;
        for (unit, look) in looks {
            match look {
                None => report.left_out += 1,
                Some(Err(error)) => {
                    report.failed.insert(unit.to_string(), trellis_telemetry::chain(&error).to_string());
                }
                Some(Ok(drifted)) => report.drifted.extend(drifted),
            }
        }
        report.drifted_count = report.drifted.len();
        report
    }

    /// The unit's plan and due statuses; none if everything is as it should be.
    async fn look_at(
        &self,
        unit: &UnitKey,
        hint: &Hint,
        snapshot: &Snapshot,
    ) -> Result<Option<Drifted>, UnitError> {
        let settings = self.settings().await;
        let actual = match to_inspect(unit, snapshot, &settings) {
            Some(desired) => {
                let candidates = candidate_service_names(unit, std::slice::from_ref(hint));
                self.lattice.inspect(&desired, &candidates, self.began()).await?
            }
            None => Actual::default(),
        };
        let assessment = assess(snapshot, &actual, unit, &settings);
        if !assessment.translation.held.is_empty() && assessment.plan.is_none() {
            return Ok(None);
        }
        if !assessment.violations.is_empty() {
            self.figures.add(Metric::PlansRefused, 1);
            return Err(UnitError::PlanRefused(assessment.violations));
        }
        let planned = assessment.steps();
        let steps: Vec<String> =
            planned.iter().filter(|step| !step.is_wait()).map(ToString::to_string).collect();
        // What is under way belongs to the reconciler that is at it: its status is not drift.
        let due = if planned.is_empty() { assessment.statuses } else { vec![] };
        let statuses: Vec<String> = due
            .iter()
            .map(|patch| {
                format!(
                    "{} {}/{}/{}: {}",
                    patch.kind, patch.cluster.name, patch.namespace, patch.name, patch.summary
                )
            })
            .collect();
        if steps.is_empty() && statuses.is_empty() {
            return Ok(None);
        }
        let steps = steps.into_iter().take(STEPS_TOLD_MAX).collect();
        Ok(Some(Drifted { unit: unit.to_string(), steps, statuses }))
    }

    async fn send_drifted(
        &self,
        drifted: &[Drifted],
        mut hints: BTreeMap<UnitKey, Hint>,
    ) -> Result<usize, UnitError> {
        let moment = moment();
        let hints: Vec<OutgoingHint> = drifted
            .iter()
            .filter_map(|drifted| hints.remove(&drifted.unit.parse::<UnitKey>().ok()?))
            .map(|hint| outgoing(hint, "drift", &moment))
            .collect();
        self.queue.send(&hints).await?;
        self.figures.add(Metric::HintsSent, hints.len());
        Ok(hints.len())
    }
}

/// Resources of ours that no unit with an object claims, with the unit that their tags name.
fn orphans(owned: &[Owned], wanted: &BTreeMap<UnitKey, ObjectRef>) -> BTreeMap<String, Option<UnitKey>> {
    let told = owned.iter().map(|owned| (owned.arn.clone(), unit_of(owned)));
    told.filter(|(_, unit)| unit.as_ref().is_none_or(|unit| !wanted.contains_key(unit))).collect()
}

/// The unit that made a resource. The text of the key is believed only if the hash, which ownership is told by, is its.
pub(crate) fn unit_of(owned: &Owned) -> Option<UnitKey> {
    owned.key.parse::<UnitKey>().ok().filter(|unit| unit.hash() == owned.unit)
}

/// The hint of each unit, should it differ, with the names of all services that bear its tag.
fn hints(objects: BTreeMap<UnitKey, ObjectRef>, owned: Vec<Owned>) -> BTreeMap<UnitKey, Hint> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for owned in owned {
        names.entry(owned.unit).or_default().extend(owned.service);
    }
    let hint = |(unit, object): (UnitKey, ObjectRef)| {
        let names = names.remove(&unit.hash()).unwrap_or_default();
        (unit.clone(), Hint::new(unit, object, Operation::Resync).with_service_names(names))
    };
    objects.into_iter().map(hint).collect()
}

fn text(unit: Option<UnitKey>) -> String {
    unit.map_or_else(|| "unknown".to_owned(), |unit| unit.to_string())
}

fn cluster_states<C>(members: &Members<C>, snapshot: &Snapshot) -> BTreeMap<String, String> {
    let state = |name: &ClusterId| snapshot.unreadable.get(name).cloned().unwrap_or_else(|| "ok".to_owned());
    members.clusters.keys().map(|name| (name.to_string(), state(name))).collect()
}

/// The object that a unit is named after.
pub(crate) fn object_of(unit: &UnitKey) -> ObjectRef {
    let object = |cluster: &ClusterId, kind: Kind, namespace: &str, name: &str| ObjectRef {
        cluster: cluster.clone(),
        kind,
        namespace: namespace.into(),
        name: name.into(),
        uid: String::new(),
        generation: 0,
    };
    match unit {
        // The Gateways of that name are in no cluster that is known.
        UnitKey::Gateway { scope, name } => {
            let nowhere = ClusterId { scope: scope.clone(), name: NOWHERE.to_owned() };
            object(&nowhere, Kind::Gateway, "", name)
        }
        // Owns nothing, so nothing leads here.
        UnitKey::Cluster { cluster } => object(cluster, Kind::Namespace, "", "default"),
        UnitKey::Route { kind, cluster, namespace, name }
        | UnitKey::Dependents { kind, cluster, namespace, name } => object(cluster, *kind, namespace, name),
        UnitKey::Export { cluster, namespace, name } => object(cluster, Kind::ServiceExport, namespace, name),
    }
}
