//! One route cannot be done to its end, whatever is tried: what it has written by then is told all the same to those who read
//! it.

use crate::edits;
use crate::objects::owner;
use crate::run::{INSTALLATION, World, is_a_known_limit, tells_of_a_conflict};
use crate::sim::State;
use crate::truth;
use serde_json::Value;
use trellis_gateway::ObjectKey;
use trellis_hint::UnitKey;
use trellis_lattice::{Ownership, Step};

/// A unit of which VPC Lattice answers nothing any more once it has made its service.
#[derive(Debug)]
pub(crate) struct Stuck {
    unit: String,
    /// Whether it has come so far.
    has_begun: bool,
}

impl State {
    /// Whether nothing of the unit is answered any more.
    pub(crate) fn is_stuck(&self, unit: &str) -> bool {
        self.stuck.as_ref().is_some_and(|stuck| stuck.has_begun && stuck.unit == unit)
    }

    /// Whether the unit gets stuck at this step, or was so before.
    pub(crate) fn gets_stuck(&mut self, unit: &str, step: &Step) -> bool {
        let Some(stuck) = self.stuck.as_mut().filter(|stuck| stuck.unit == unit) else { return false };
        stuck.has_begun |= matches!(step, Step::CreateListener(_));
        stuck.has_begun
    }

    /// A route that has a service of its own: its unit, and where it is stored.
    fn served_route(&mut self) -> Option<(UnitKey, String, ObjectKey)> {
        let stored = |unit: &UnitKey| match unit {
            UnitKey::Route { kind, cluster, namespace, name } => {
                let (namespace, name) = (namespace.clone(), name.clone());
                Some((unit.clone(), cluster.name.clone(), ObjectKey { kind: *kind, namespace, name }))
            }
            _ => None,
        };
        let serves = |(unit, ..): &(UnitKey, String, ObjectKey)| {
            let view = self.account.view(&owner(INSTALLATION, &unit.to_string()));
            view.services.iter().any(|one| one.ownership == Ownership::Ours)
        };
        let mut all: Vec<_> = self.units().iter().filter_map(stored).filter(serves).collect();
        (!all.is_empty()).then(|| all.swap_remove(self.dice.index(all.len())))
    }
}

impl World {
    /// A route goes, comes again, and gets stuck on the way. Begins and ends at rest.
    pub(crate) async fn one_is_stuck(&self) -> Result<(), String> {
        let faults = std::mem::take(&mut self.sim.state().faults);
        let found = self.sim.state().served_route();
        if let Some((unit, cluster, key)) = found {
            let mut object = Value::clone(&self.sim.state().clusters[&cluster].objects[&key]);
            object.as_object_mut().unwrap().remove("status");
            edits::edit(&self.sim, &cluster, &key, None).await;
            self.settles(false).await?;
            self.sim.state().stuck = Some(Stuck { unit: unit.to_string(), has_begun: false });
            edits::edit(&self.sim, &cluster, &key, Some(object)).await;
            self.work_off_the_queue().await?;
            self.others_are_told(&unit)?;
            self.sim.state().stuck = None;
            self.settles(false).await?;
        }
        self.sim.state().faults = faults;
        Ok(())
    }

    /// All other units are as the objects ask, and have said so.
    fn others_are_told(&self, stuck: &UnitKey) -> Result<(), String> {
        let state = self.sim.state();
        for unit in state.units().iter().filter(|unit| *unit != stuck) {
            let untold = truth::untold(&state, unit);
            let is_known = is_a_known_limit(&untold.steps) || tells_of_a_conflict(&untold);
            if !(is_known || untold.steps.is_empty() && untold.statuses.is_empty()) {
                return Err(format!("{stuck} is stuck, and {unit} was not told what it wrote: {untold:#?}"));
            }
        }
        Ok(())
    }
}
