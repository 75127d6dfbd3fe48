//! The calls of one unit fail for good in a world that is well: AWS refuses them, or has an error each time. What it wants waits
//! until that ends, and costs nobody else: whoever depends on what it wrote before has heard of it, what others claim is so,
//! and nothing that it has half done stays so.

use crate::objects::{self, catalogue, object, variants};
use crate::run::{World, is_a_known_limit, tells_of_a_conflict};
use crate::sim::State;
use crate::{claims, edits, truth};
use std::collections::BTreeSet;
use trellis_engine::Drifted;
use trellis_gateway::ObjectKey;
use trellis_hint::{Kind, UnitKey};
use trellis_lattice::Step;
use trellis_ports::{CallError, ErrorClass};

/// Steps that a unit can do at most before all fail.
const STEPS_MAX: u32 = 6;
/// The unit is a route so often: of what others share, routes have most.
const ROUTES_PERCENT: u32 = 75;
/// The edit is a deletion so often.
const DELETED_PERCENT: u32 = 50;

/// A unit whose calls fail, after so many more.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    unit: String,
    steps_left: u32,
    class: ErrorClass,
    /// The associations, each with its unit, that cannot be made: it may hold a hostname in a network to its end.
    conflicts: BTreeSet<(String, String)>,
}

impl Failing {
    /// Learns that another unit's step is refused.
    pub(crate) fn meets_conflict(&mut self, unit: &str, step: &Step) {
        if matches!(step, Step::CreateAssociation(_)) {
            self.conflicts.insert((unit.to_owned(), step.to_string()));
        }
    }

    /// Whether all that a unit has not done is behind a step that is refused: it has heard.
    fn holds_up(&self, drifted: &Drifted) -> bool {
        let first = drifted.steps.first().map(|step| (drifted.unit.clone(), step.clone()));
        first.is_some_and(|first| self.conflicts.contains(&first))
    }

    /// What the next step of this unit ends with.
    pub(crate) fn fails(&mut self, unit: &str) -> Result<(), CallError> {
        if self.unit != unit {
            return Ok(());
        }
        match self.steps_left.checked_sub(1) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(CallError::new(self.class, "it fails for good")),
        }
    }
}

impl World {
    /// Begins and ends at rest.
    pub(crate) async fn one_fails(&self) -> Result<(), String> {
        let faults = std::mem::take(&mut self.sim.state().faults);
        let (cluster, key) = choose(&mut self.sim.state());
        let unit = unit_of(cluster, &key);
        let (steps_left, class, new, back) = {
            let mut state = self.sim.state();
            let class = if state.dice.percent(50) { ErrorClass::Terminal } else { ErrorClass::Retry };
            let steps_left = state.dice.up_to(STEPS_MAX);
            let (deletes, variant) =
                (state.dice.percent(DELETED_PERCENT), state.dice.up_to(variants(&key) - 1));
            let new = (!deletes).then(|| object(cluster, &key, variant));
            let back = state.dice.percent(50).then(|| state.clusters[cluster].objects.get(&key).cloned());
            state.failing =
                Some(Failing { unit: unit.to_string(), steps_left, class, conflicts: BTreeSet::new() });
            state.tell(format!("from now on {unit} fails after {steps_left} steps"));
            (steps_left, class, new, back.flatten())
        };
        let of_unit = |why: String| format!("{unit} fails after {steps_left} steps with {class:?}: {why}");
        edits::edit(&self.sim, cluster, &key, new).await;
        self.work_off_the_queue().await?;
        self.others_have_heard(&unit).await.map_err(of_unit)?;
        claims::hold_but_of(&self.sim.state(), cluster, &key, &unit).map_err(of_unit)?;
        if let Some(back) = back {
            // Who edited it takes that back; so what was half done is to be undone.
            edits::edit(&self.sim, cluster, &key, Some(without_status(&back))).await;
        }
        self.sim.state().failing = None;
        self.sim.state().tell("nothing fails any more");
        self.settles(false).await.map_err(of_unit)?;
        self.sim.state().faults = faults;
        truth::holds(&self.sim.state()).map_err(of_unit)
    }

    /// A drift pass finds that unit's own work only.
    async fn others_have_heard(&self, unit: &UnitKey) -> Result<(), String> {
        let report = self.drift().await?;
        let mut missed = self.beyond_refused(&report);
        let failing = self.sim.state().failing.clone();
        missed.retain(|one| {
            let is_its_own = one.unit == unit.to_string();
            !(is_its_own
                || is_a_known_limit(&one.steps)
                || tells_of_a_conflict(one)
                || failing.as_ref().is_some_and(|failing| failing.holds_up(one)))
        });
        if missed.is_empty() {
            return Ok(());
        }
        Err(format!("others have not heard of what it wrote: {missed:#?}"))
    }
}

fn choose(state: &mut State) -> (&'static str, ObjectKey) {
    let is_route = state.dice.percent(ROUTES_PERCENT);
    let mut all = catalogue();
    all.retain(|(_, key)| match key.kind {
        Kind::Gateway | Kind::ServiceExport => !is_route,
        kind => is_route && kind.is_route(),
    });
    // Those that share hostnames give most to each other.
    if is_route && state.dice.percent(50) {
        all.retain(|(_, key)| ["rates", "shopfront", "desk", "bell"].contains(&key.name.as_str()));
    }
    all.swap_remove(state.dice.index(all.len()))
}

/// The object as somebody has it in a file.
fn without_status(object: &serde_json::Value) -> serde_json::Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|name, _| ["name", "namespace", "labels", "annotations"].contains(&name.as_str()));
    object.as_object_mut().unwrap().remove("status");
    object
}

fn unit_of(cluster: &str, key: &ObjectKey) -> UnitKey {
    let (kind, namespace, name) = (key.kind, key.namespace.clone(), key.name.clone());
    let cluster = objects::cluster(cluster);
    match kind {
        Kind::Gateway => UnitKey::Gateway { scope: cluster.scope, name },
        Kind::ServiceExport => UnitKey::Export { cluster, namespace, name },
        _ => UnitKey::Route { kind, cluster, namespace, name },
    }
}
