//! The service.

use super::{Effect, InAccount, Scene, Standing, active, at_rest, free};
use trellis_lattice::{
    Actual, ActualService, AwaitService, AwaitServiceGone, CreateService, DeleteService, Desired,
    DesiredService, Status, UpdateCertificate, UpdateIdleTimeout,
};

pub(crate) const KIND: &str = "service";

/// A service that is wanted and in order.
pub(super) fn kept<'a>(
    desired: &'a Desired,
    state: &'a Actual,
    name: &str,
) -> Option<(&'a DesiredService, &'a ActualService)> {
    let wanted = desired.services.iter().find(|one| one.name == name)?;
    let held = state.services.iter().find(|one| one.name == name)?;
    let same = held.status == Status::Active && held.custom_domain == wanted.custom_domain;
    same.then_some((wanted, held))
}

/// The ids of the services of that name.
pub(super) fn ids(state: &Actual, name: &str) -> Vec<String> {
    state.services.iter().filter(|one| one.name == name).map(|one| one.id.clone()).collect()
}

impl InAccount for CreateService {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        free(scene.state.services.iter().all(|one| one.name != self.service), &self.service)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(Some((KIND, &self.service)), &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateCertificate {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        active(scene.service(&self.service)?.status)?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        Effect::Touches(ids(state, &self.service))
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateIdleTimeout {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        active(scene.service(&self.service)?.status)?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        Effect::Touches(ids(state, &self.service))
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for AwaitService {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = scene.state.services.iter().find(|one| one.name == self.service);
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteService {
    /// What is not there any more need not be deleted.
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        for one in scene.state.services.iter().filter(|one| one.id == self.id) {
            at_rest(one.status)?;
            free(one.associations.is_empty(), "its associations")?;
        }
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        // What an old listing shows may be one of before, of the same name.
        let held = kept(desired, state, &self.service).filter(|(_, held)| held.id == self.id);
        held.map(|_| self.service.clone())
    }
}

impl InAccount for AwaitServiceGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = scene.state.services.iter().find(|one| one.id == self.id);
        scene.gone(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
