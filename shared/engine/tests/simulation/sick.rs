//! One cluster is sick in a world that is well: nothing is taken away for it, and nobody else waits for it.

use crate::edits;
use crate::objects::cluster;
use crate::run::{World, is_a_known_limit};
use crate::{trouble, truth};
use trellis_engine::Verdict;

/// Edits of the other clusters meanwhile.
const EDITS: u32 = 4;
/// Seconds within which the other clusters' units have followed an edit: a target that drains, and a try more.
const FOLLOWED_S: u64 = 400;

impl World {
    /// Begins and ends at rest.
    pub(crate) async fn one_is_sick(&self) -> Result<(), String> {
        let faults = std::mem::take(&mut self.sim.state().faults);
        let (name, outage) = trouble::sicken(&mut self.sim.state());
        let of_sick = |why: String| format!("{name} is {outage:?}: {why}");
        Box::pin(self.changes_nothing()).await.map_err(of_sick)?;
        for _ in 0..EDITS {
            edits::edit_something_but_of(&self.sim, Some(&name)).await;
        }
        self.others_follow(&name).await.map_err(of_sick)?;
        self.sim.state().clusters.values_mut().for_each(trouble::heal);
        self.sim.state().faults = faults;
        Ok(())
    }

    /// Whoever looks at whatever unit, nothing is changed in VPC Lattice for want of knowledge.
    async fn changes_nothing(&self) -> Result<(), String> {
        let before = self.sim.state().lines();
        self.drift().await?;
        self.work_off_the_queue().await?;
        let units = self.sim.state().units();
        for unit in units.iter() {
            if let Verdict::Failed { reason, .. } = self.look_at(unit).await {
                return Err(format!("{unit} has failed: {reason}"));
            }
        }
        self.work_off_the_queue().await?;
        let done = self.sim.state().done_since(before);
        if done.is_empty() { Ok(()) } else { Err(format!("for want of knowledge {done:#?}")) }
    }

    /// The other clusters' edits are followed by hints alone, as if all were well.
    async fn others_follow(&self, sick: &str) -> Result<(), String> {
        let began = self.sim.state().now;
        self.work_off_the_queue().await?;
        let state = self.sim.state();
        if state.now > began + FOLLOWED_S {
            return Err(format!("it took {} s to follow", state.now - began));
        }
        truth::holds(&state)?;
        let sick = cluster(sick);
        for unit in state.units().iter() {
            let steps = truth::differs(&state, unit);
            if is_a_known_limit(&steps) {
                continue;
            }
            if !state.reads_of(unit).contains(&sick) && !steps.is_empty() {
                return Err(format!("{unit} has nothing to do with it and is not followed: {steps:#?}"));
            }
        }
        Ok(())
    }
}
