//! A look at one unit: the stages of a reconcile up to its plan, without a change.

use super::Drifted;
use crate::{Engine, UnitError};
use trellis_gateway::{Assessment, ObjectChange, Settings, Snapshot, StatusPatch};
use trellis_hint::{ClusterId, Hint, Kind, ObjectRef, Scope, UnitKey};
use trellis_lattice::Desired;
use trellis_ports::{Clusters, Lattice, Queue};

/// Steps of one unit that a report tells; more are not told.
const STEPS_TOLD_MAX: usize = 20;

/// The cluster in hints for a Gateway unit that no cluster has a Gateway of. None is called so: it bears no tag.
const NOWHERE: &str = "none";

impl<L: Lattice, C: Clusters, Q: Queue> Engine<L, C, Q> {
    /// The unit's plan and due statuses; none if everything is as it should be.
    pub(super) async fn look_at_unit(
        &self,
        hint: &Hint,
        (snapshot, inspection): (&Snapshot, Option<Desired>),
        settings: &Settings,
    ) -> Result<Option<Drifted>, UnitError> {
        let unit = &hint.unit;
        let actual = self.inspect(unit, std::slice::from_ref(hint), inspection).await?;
        let assessment = self.assess(unit, snapshot, &actual, settings)?;
        if !assessment.translation.held.is_empty() && assessment.plan.is_none() {
            return Ok(None);
        }
        let planned = assessment.steps();
        let steps: Vec<String> =
            planned.iter().filter(|step| !step.is_wait()).map(ToString::to_string).collect();
        // What is under way belongs to the reconciler that is at it: its status is not drift.
        let statuses = if planned.is_empty() { untold(&assessment, snapshot) } else { vec![] };
        let withheld = assessment.plan.iter().flat_map(|plan| &plan.withheld);
        let withheld: Vec<String> = withheld.map(ToString::to_string).take(STEPS_TOLD_MAX).collect();
        if steps.is_empty() && statuses.is_empty() && withheld.is_empty() {
            return Ok(None);
        }
        let steps = steps.into_iter().take(STEPS_TOLD_MAX).collect();
        Ok(Some(Drifted { unit: unit.to_string(), steps, statuses, withheld }))
    }
}

/// The statuses that are due, and the other objects whose absence a status tells, each in words.
fn untold(assessment: &Assessment, snapshot: &Snapshot) -> Vec<String> {
    let patches = assessment.statuses(snapshot).into_iter().map(
        |StatusPatch { kind, cluster, namespace, name, summary, .. }| {
            format!("{kind} {}/{namespace}/{name}: {summary}", cluster.name)
        },
    );
    let told = assessment.objects(snapshot).into_iter().filter(|one| one.teller.is_some());
    let changes = told.map(|ObjectChange { cluster, key, act, .. }| {
        format!("{} {}/{}/{}: {}", key.kind, cluster.name, key.namespace, key.name, act.verb())
    });
    patches.chain(changes).collect()
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
    let nowhere = |scope: &Scope| ClusterId { scope: scope.clone(), name: NOWHERE.to_owned() };
    match unit {
        // The Gateways or routes of that name are in no cluster that is known.
        UnitKey::Gateway { scope, name } => object(&nowhere(scope), Kind::Gateway, "", name),
        UnitKey::Merged { scope, kind, namespace, name } => object(&nowhere(scope), *kind, namespace, name),
        // The one object that every cluster has, and that stands for it; nothing is read of it.
        UnitKey::Cluster { cluster } => object(cluster, Kind::Namespace, "", "default"),
        UnitKey::Route { kind, cluster, namespace, name }
        | UnitKey::Resource { kind, cluster, namespace, name }
        | UnitKey::Dependents { kind, cluster, namespace, name } => object(cluster, *kind, namespace, name),
        UnitKey::Export { cluster, namespace, name } => object(cluster, Kind::ServiceExport, namespace, name),
    }
}
