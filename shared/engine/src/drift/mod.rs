//! The drift pass: what no hint told of, and what others have changed.
//!
//! A pass is begun by the drift function and done by many: [`Engine::drift`] sends one hint for each cluster, which the worker
//! takes up as a look at that cluster ([`look`]), and looks itself at what belongs to no cluster. So a pass has no upper size, and
//! nobody ever holds more than one cluster's routes.
//!
//! Looking changes nothing. Whoever differs gets a hint, and its own unit repairs it.

mod asked;
mod candidates;
mod index;
mod look;
mod report;
mod rotation;
mod unit;

pub use report::{ClusterReport, DriftReport, Drifted, Holdings, Life, LookReport};
pub use rotation::Rotation;

pub(crate) use index::unit_of;
pub(crate) use look::LOOKS_AT_ONCE;
pub(crate) use unit::object_of;

use crate::fleet::Members;
use crate::observe::{Usual, observe};
use crate::outbox::outgoing;
use crate::reconcile::Observed;
use crate::{Engine, UnitError, millis_since_1970};
use futures::{StreamExt, stream};
use index::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use trellis_gateway::{
    ClusterFacts, OPTIONAL_KINDS, Settings, Snapshot, made_for, units_of_cluster, wants_cluster,
};
use trellis_hint::{ClusterId, Hint, Kind, Look, ObjectRef, Operation, UnitKey};
use trellis_ports::{Budget, Cluster, Clusters, Lattice, OutgoingHint, Queue};

/// Units that a report tells of; more are counted. A log line of CloudWatch holds 256 KiB.
const UNITS_TOLD_MAX: usize = 100;

/// Kinds without which a cluster has no routes at all. Others are a matter of what it uses.
const NEEDED_KINDS: [Kind; 3] = [Kind::GatewayClass, Kind::Gateway, Kind::HTTPRoute];

/// Units without an object, in one pass, that it looks at itself: the look at a cluster finds those that bear the cluster's tag, and
/// these are mostly the same.
const ORPHANS_LOOKED_AT_MAX: usize = 50;

/// How long the look at one of these units may take. A Gateway's reads every cluster that has one, and its Secrets; what does not
/// answer by then costs itself only.
const OWN_UNIT_LOOK_MAX: Duration = Duration::from_secs(30);

/// Of these units, how many are looked at at once: each reads several clusters.
const OWN_UNITS_AT_ONCE: usize = 4;

/// The units that a pass looks at itself, each with an object to be named by a hint: those of the Gateways, and those that have
/// something although their object is gone.
type Own = BTreeMap<UnitKey, ObjectRef>;

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// Begins a look at each cluster, and looks at the service networks and at what nobody asks for any more. Changes nothing.
    ///
    /// What there is no time for is told in the report. The looks are begun first, so that nothing here keeps them waiting.
    /// `now` decides what is due ([`Rotation`]).
    pub async fn drift(&self, now: SystemTime, budget: Budget) -> Result<DriftReport, UnitError> {
        let started = Instant::now();
        self.begin();
        self.take_calls();
        let members = self.members().await?;
        let mut report = DriftReport {
            looks: self.begin_looks(&members, millis_since_1970(now)).await?,
            ..DriftReport::default()
        };
        let index = self.index(None).await?;
        let own = self.tell_of_clusters(&members, &index, budget, &mut report).await?;
        self.look_at_own(&members, &index, own, now, budget, &mut report).await?;
        report.calls = self.take_calls().by_operation;
        report.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(report = %serde_json::to_string(&report).unwrap_or_default(), text = %report, "drift report");
        Ok(report)
    }

    /// Sends the hint for each cluster.
    async fn begin_looks(&self, members: &Members<C::Cluster>, now: u64) -> Result<usize, UnitError> {
        let last = self.last_pass();
        let look = self.rotation.look(now, last.as_ref().map(|(began, _)| *began));
        let hint = |cluster: &ClusterId| {
            // What was told of a cluster while nobody had registered it was not believed.
            let is_new = last.as_ref().is_some_and(|(_, clusters)| !clusters.contains(cluster));
            let look = if is_new { Look::in_depth(now) } else { look };
            outgoing(look_hint(cluster, look), "pass", &now.to_string())
        };
        let hints: Vec<OutgoingHint> = members.clusters.keys().map(hint).collect();
        self.queue.send(&hints).await?;
        self.set_last_pass(now, members.clusters.keys().cloned().collect());
        Ok(hints.len())
    }

    /// What the index of tags shows: of a cluster, or of all.
    async fn index(&self, of: Option<&ClusterFacts>) -> Result<Index, UnitError> {
        let mut index = Index::default();
        // A cluster whose VPC is not known is found among all.
        let also = of.filter(|facts| !facts.vpc.is_empty()).map(made_for);
        self.lattice.owned(&self.settings.installation, also.as_ref(), &mut |one| index.take(one)).await?;
        Ok(index)
    }

    /// Reads which objects the clusters have, one cluster after the other, and tells of each where it stands and what nobody
    /// asks for.
    async fn tell_of_clusters(
        &self,
        members: &Members<C::Cluster>,
        index: &Index,
        budget: Budget,
        report: &mut DriftReport,
    ) -> Result<Own, UnitError> {
        let mut own = Own::new();
        let all = members.snapshot();
        for id in all.facts.keys() {
            if budget.is_over() {
                report.left_out.push(format!("the state of cluster {id}"));
                continue;
            }
            let told = if all.is_leaving(id) {
                ClusterReport::new(id, Life::Leaving, None, index)
            } else {
                let snapshot = read_all_units(members, id).await?;
                let units = units_of_cluster(id, &snapshot);
                let told = state_of(id, &snapshot, index);
                if told.state == Life::Registered {
                    let is_orphan = |unit: &UnitKey| unit.cluster() == Some(id) && !units.contains_key(unit);
                    tell_of_orphans(report, index, is_orphan);
                    let orphans = index.holdings().map(|one| &one.unit).filter(|unit| is_orphan(unit));
                    own.extend(
                        orphans.take(ORPHANS_LOOKED_AT_MAX).map(|unit| (unit.clone(), object_of(unit))),
                    );
                }
                own.extend(units.into_iter().filter(|(unit, _)| is_shared(unit)));
                told
            };
            report.clusters.insert(id.to_string(), told);
        }
        let others: BTreeSet<&ClusterId> = index
            .holdings()
            .filter_map(|one| one.unit.cluster())
            .filter(|id| !all.facts.contains_key(*id))
            .collect();
        for id in others {
            tell_of_orphans(report, index, |unit| unit.cluster() == Some(id));
            report.clusters.insert(id.to_string(), ClusterReport::new(id, Life::NotRegistered, None, index));
        }
        Ok(own)
    }

    /// Looks in depth at all service networks and merged routes, of which there are few and which belong to no cluster, and at units without an
    /// object, which may bear no tag of their cluster.
    async fn look_at_own(
        &self,
        members: &Members<C::Cluster>,
        index: &Index,
        mut own: Own,
        now: SystemTime,
        budget: Budget,
        report: &mut DriftReport,
    ) -> Result<(), UnitError> {
        tell_of_orphans(report, index, |unit| is_shared(unit) && !own.contains_key(unit));
        for arn in &index.nobodys {
            report.orphans.insert(arn.clone(), "bears the owner tag and names no unit".to_owned());
            report.orphans_count += 1;
        }
        for unit in index.holdings().map(|one| &one.unit).filter(|unit| is_shared(unit)) {
            own.entry(unit.clone()).or_insert_with(|| object_of(unit));
        }
        let settings = self.settings().await;
        let looks = own.into_iter().map(|(unit, object)| {
            let (hint, settings) = (Hint::new(unit, object, Operation::Resync), &settings);
            async move {
                if budget.is_over() {
                    return (hint, None);
                }
                let time = budget.at_most(OWN_UNIT_LOOK_MAX);
                let look = Box::pin(self.look_at_own_unit(members, &hint, now, settings));
                let found = time.spend(look).await.unwrap_or_else(|over| Err(over.into()));
                (hint, Some(found))
            }
        });
        let looks: Vec<_> = stream::iter(looks).buffered(OWN_UNITS_AT_ONCE).collect().await;
        for (hint, found) in looks {
            let unit = hint.unit.to_string();
            let Some(found) = found else {
                report.left_out.push(unit);
                continue;
            };
            report.units += 1;
            match found {
                Ok(drifted) => {
                    report.hints += drifted.iter().filter(|one| one.can_be_repaired()).count();
                    report.drifted.extend(drifted);
                }
                Err(error) => {
                    report.failed.insert(unit, trellis_telemetry::chain(&error).to_string());
                }
            }
        }
        Ok(())
    }

    /// Looks in depth at one unit, and tells it if it differs.
    async fn look_at_own_unit(
        &self,
        members: &Members<C::Cluster>,
        hint: &Hint,
        now: SystemTime,
        settings: &Settings,
    ) -> Result<Option<Drifted>, UnitError> {
        let start = members.snapshot();
        let Observed { snapshot, inspection } =
            self.observe_unit(members, start, &hint.unit, settings).await?;
        let drifted = self.look_at_unit(hint, (&snapshot, inspection), settings).await?;
        if drifted.as_ref().is_some_and(Drifted::can_be_repaired) {
            // As the look at its cluster would send it, so that there is one.
            self.send_in_time(&[outgoing(hint.clone(), "drift", &millis_since_1970(now).to_string())])
                .await?;
        }
        Ok(drifted)
    }
}

/// The hint that brings a look at a cluster.
fn look_hint(cluster: &ClusterId, look: Look) -> Hint {
    let unit = UnitKey::Cluster { cluster: cluster.clone() };
    Hint::new(unit.clone(), object_of(&unit), Operation::Resync).with_look(look)
}

/// Reads which objects a cluster has that units are named after.
pub(crate) async fn read_all_units<C: Cluster>(
    members: &Members<C>,
    cluster: &ClusterId,
) -> Result<Snapshot, UnitError> {
    let wanted = |snapshot: &Snapshot| wants_cluster(cluster, snapshot);
    Ok(observe(&members.clusters, members.snapshot(), Usual::new(), wanted).await?.snapshot)
}

/// Whether a unit belongs to no cluster.
fn is_shared(unit: &UnitKey) -> bool {
    matches!(unit, UnitKey::Gateway { .. } | UnitKey::Merged { .. })
}

/// Why a cluster has no routes that could be read, though it answers: it does not serve a kind that all need.
pub(crate) fn lacks_a_kind(id: &ClusterId, snapshot: &Snapshot) -> Option<String> {
    let kind = NEEDED_KINDS.iter().find(|kind| snapshot.kinds_missing.contains(&(id.clone(), **kind)))?;
    Some(format!("it does not serve the kind {kind}: are the CRDs of the Gateway API installed?"))
}

/// Whether a cluster could be read, and what it lacks.
fn state_of(id: &ClusterId, snapshot: &Snapshot, index: &Index) -> ClusterReport {
    let missing = |kind: &Kind| snapshot.kinds_missing.contains(&(id.clone(), *kind));
    let why = snapshot.unknown(id).or_else(|| lacks_a_kind(id, snapshot));
    let state = if why.is_some() { Life::Unknown } else { Life::Registered };
    let needed = Kind::ALL.into_iter().filter(|kind| !OPTIONAL_KINDS.contains(kind));
    let not_served = needed.filter(missing).collect();
    ClusterReport { not_served, ..ClusterReport::new(id, state, why, index) }
}

/// Notes down the units of the index that fit and that nobody asks for.
fn tell_of_orphans(report: &mut DriftReport, index: &Index, fits: impl Fn(&UnitKey) -> bool) {
    for holding in index.holdings().filter(|holding| fits(&holding.unit)) {
        report.orphans_count += holding.standing();
        if report.orphans.len() < UNITS_TOLD_MAX && holding.standing() > 0 {
            let what = holding.counts.iter().map(|(kind, count)| format!("{count} {kind:?}"));
            report.orphans.insert(holding.unit.to_string(), what.collect::<Vec<_>>().join(", "));
        }
    }
}
