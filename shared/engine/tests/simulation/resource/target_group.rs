//! The target group with its health check and its targets.

use super::{Effect, InAccount, Scene, Standing, active, at_rest, found, free};
use trellis_lattice::{
    Actual, ActualTargetGroup, AwaitDrained, AwaitPropagation, AwaitTargetGroup, AwaitTargetGroupGone,
    CreateTargetGroup, DeleteTargetGroup, DeregisterTargets, Desired, DesiredTargetGroup, RegisterTargets,
    Status, TargetHealth, UpdateHealthCheck,
};

pub(crate) const KIND: &str = "group";

/// Seconds after which requests are believed to have left a target group.
const PROPAGATION_S: u64 = 10;

/// A target group that is wanted and in order.
fn kept<'a>(desired: &'a Desired, state: &Actual, name: &str) -> Option<&'a DesiredTargetGroup> {
    let active = state.target_groups.iter().any(|one| one.name == name && one.status == Status::Active);
    desired.target_groups.iter().find(|one| one.name == name).filter(|_| active)
}

fn ids(state: &Actual, name: &str) -> Vec<String> {
    state.target_groups.iter().filter(|one| one.name == name).map(|one| one.id.clone()).collect()
}

/// The target group that the plan means by a name.
fn meant<'a>(scene: &'a Scene, name: &str) -> Result<&'a ActualTargetGroup, String> {
    let group = scene.state.target_groups.iter().find(|one| one.name == name).ok_or("not found")?;
    found(scene.known.means(KIND, name, &group.id))?;
    Ok(group)
}

impl InAccount for CreateTargetGroup {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let name = &self.target_group;
        free(scene.state.target_groups.iter().all(|one| one.name != *name), name)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(Some((KIND, &self.target_group)), &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateHealthCheck {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        active(meant(scene, &self.target_group)?.status)?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        Effect::Touches(ids(state, &self.target_group))
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for AwaitTargetGroup {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = scene.state.target_groups.iter().find(|one| one.name == self.target_group);
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for RegisterTargets {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        active(meant(scene, &self.target_group)?.status)?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        Effect::Touches(ids(state, &self.target_group))
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeregisterTargets {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        meant(scene, &self.target_group)?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        Effect::Touches(ids(state, &self.target_group))
    }

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        let wanted = kept(desired, state, &self.target_group)?;
        self.targets.iter().find(|one| wanted.targets.contains(one)).map(|one| format!("target {one:?}"))
    }
}

impl InAccount for AwaitDrained {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let drains = |one: &ActualTargetGroup| one.targets.iter().any(|t| t.health == TargetHealth::Draining);
        let group = scene.state.target_groups.iter().find(|one| one.id == self.id && drains(one));
        Ok(group.map_or(Standing::Done, |one| Standing::UnderWay(scene.account.drained_at(one))))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for AwaitPropagation {
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Later(PROPAGATION_S))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteTargetGroup {
    /// What is not there any more need not be deleted.
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        for one in scene.state.target_groups.iter().filter(|one| one.id == self.id) {
            at_rest(one.status)?;
            free(one.targets.is_empty() && one.service_arns.is_empty(), "its targets and users")?;
        }
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        // What an old listing shows may be one of before, of the same name.
        let is_there = state.target_groups.iter().any(|one| one.id == self.id);
        kept(desired, state, &self.target_group).filter(|_| is_there).map(|_| self.target_group.clone())
    }
}

impl InAccount for AwaitTargetGroupGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = scene.state.target_groups.iter().find(|one| one.id == self.id);
        scene.gone(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
