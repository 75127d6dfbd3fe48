//! What becomes of instances behind routes: from events to the Backends that mean them, and from these to target groups.
//!
//! ```text
//! EC2, Auto Scaling → EventBridge → a queue → which Backends may mean the instance → their units → the routes' units
//! ```
//!
//! Nobody lists the account: each registered cluster is asked for its Backends, and where these name tags or groups, EC2 for the
//! instances of the events alone.

use crate::fleet::Members;
use crate::observe::{Usual, observe};
use crate::outbox::outgoing;
use crate::{Engine, Task, UnitError, Verdict, moment};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;
use trellis_gateway::{
    Instance, InstanceFacts, Read, Selector, Settings, Snapshot, assess_instances, selector, to_inspect,
};
use trellis_hint::{ClusterId, Hint, Kind, Moved, ObjectRef, Operation, UnitKey};
use trellis_lattice::Outcome;
use trellis_ports::{Budget, Cluster, Clusters, End, Lattice, Queue};
use trellis_telemetry::Metric;

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// Sends a hint to the unit of each Backend that may mean an instance of the events, once; how many. Of a cluster that cannot be read
    /// nobody is told: it is looked at as a whole when it can.
    pub(crate) async fn tell_of_instances(&self, moved: &Moved) -> Result<usize, UnitError> {
        if moved.is_empty() {
            return Ok(0);
        }
        let all = backends(&self.members().await?).await?;
        if all.is_empty() {
            return Ok(0);
        }
        let known = self.known_of(moved, all.iter().map(|(_, selector)| selector)).await;
        let moment = moment();
        let hint = |(object, _): &(ObjectRef, Selector)| {
            let ObjectRef { cluster, kind, namespace, name, .. } = object.clone();
            let unit = UnitKey::Dependents { kind, cluster, namespace, name };
            let hint = Hint::new(unit, object.clone(), Operation::Resync);
            outgoing(Hint { only_instances: true, ..hint }, "instances", &moment)
        };
        let hints: Vec<_> =
            all.iter().filter(|(_, selector)| may_mean(selector, moved, &known)).map(hint).collect();
        if !hints.is_empty() {
            self.send_in_time(&hints).await?;
        }
        tracing::info!(instances = ?moved.instances, groups = ?moved.groups, hints = hints.len(), "instances have moved");
        Ok(hints.len())
    }

    /// What EC2 tells of the instances of events, where a Backend names such by more than their ids.
    async fn known_of(
        &self,
        moved: &Moved,
        mut selectors: impl Iterator<Item = &Selector>,
    ) -> BTreeMap<String, Instance> {
        let needs_tags = selectors.any(|selector| !matches!(selector, Selector::Ids(_)));
        if !needs_tags || moved.instances.is_empty() || moved.tags_changed {
            return BTreeMap::new();
        }
        let asked = Selector::Ids(moved.instances.clone());
        match self.instances(&BTreeSet::from([asked.clone()])).await.remove(&asked) {
            Some(InstanceFacts::Known(known)) => known,
            Some(InstanceFacts::Unknown(_) | InstanceFacts::Missing) | None => BTreeMap::new(),
        }
    }

    /// Has the target groups of a unit's instances follow those that run, with no look at anything else; none where more than that may be
    /// to be done, which a whole look finds.
    pub(crate) async fn follow_instances(
        &self,
        task: &Task,
        snapshot: &Snapshot,
        settings: &Settings,
        budget: Budget,
    ) -> Option<Verdict> {
        let unit = &task.unit;
        if !task.is_of_instances_only() || !matches!(unit, UnitKey::Route { .. } | UnitKey::Merged { .. }) {
            return None;
        }
        let desired = to_inspect(unit, snapshot, settings)?;
        let actual = self.lattice.inspect_instances(&desired).await.ok()?;
        let plan = assess_instances(snapshot, &actual, unit, settings)?;
        if plan.steps.is_empty() {
            return Some(Verdict::Done);
        }
        tracing::info!(plan = %plan, "instances follow");
        let (progress, _news) = watch::channel(Outcome::default());
        let applied = self.lattice.apply(&plan, &actual, budget, &progress).await;
        self.figures.add(Metric::StepsApplied, applied.done);
        let is_done = matches!(applied.end, End::Complete) && applied.outcome.refused.is_empty();
        is_done.then_some(Verdict::Done)
    }
}

/// The Backends of instances of all clusters that can be read.
async fn backends<C: Cluster>(members: &Members<C>) -> Result<Vec<(ObjectRef, Selector)>, UnitError> {
    let list = |cluster: &ClusterId| Read::List {
        cluster: cluster.clone(),
        kind: Kind::Backend,
        namespace: None,
        name: None,
        service: None,
    };
    let wanted = |_: &Snapshot| members.clusters.keys().map(list).collect();
    let snapshot = observe(&members.clusters, members.snapshot(), Usual::new(), wanted).await?.snapshot;
    let mut found = vec![];
    for cluster in members.clusters.keys().filter(|cluster| !snapshot.is_leaving(cluster)) {
        for (key, object) in snapshot.all(cluster, Kind::Backend) {
            let Some(selector) = selector(object, &cluster.scope) else { continue };
            let object = ObjectRef {
                cluster: cluster.clone(),
                kind: key.kind,
                namespace: key.namespace.clone(),
                name: key.name.clone(),
                uid: String::new(),
                generation: 0,
            };
            found.push((object, selector));
        }
    }
    Ok(found)
}

/// Whether a Backend may mean an instance that events tell of. Of one that EC2 does not tell of, such as one that is long gone, it may.
fn may_mean(selector: &Selector, moved: &Moved, known: &BTreeMap<String, Instance>) -> bool {
    if let Selector::ScalingGroup(name) = selector
        && moved.groups.contains(name)
    {
        return true;
    }
    moved.instances.iter().any(|id| selector.means(id, known.get(id)).unwrap_or(true))
}
