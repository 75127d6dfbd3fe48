//! The access log subscription.

use super::{Effect, InAccount, Scene, Standing, found, free};
use trellis_lattice::{Actual, CreateAccessLog, DeleteAccessLog, Desired, Holder, UpdateAccessLog, log_type};

impl InAccount for CreateAccessLog {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        match &self.holder {
            Holder::Service(name) => _ = scene.service(name)?,
            Holder::Network(name) => scene.has_network(name)?,
        }
        let mut logs = scene.state.access_logs.iter().filter(|one| one.holder == self.holder);
        let taken = logs.any(|one| log_type(&one.destination) == log_type(&self.destination));
        free(!taken, &self.destination)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateAccessLog {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let held = scene.state.access_logs.iter().find(|one| one.id == self.id).ok_or("not found")?;
        free(log_type(&held.destination) == log_type(&self.destination), "another type")?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteAccessLog {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        found(scene.state.access_logs.iter().any(|one| one.id == self.id))?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, _: &Actual) -> Option<String> {
        let mut wanted = desired.access_logs.iter();
        let same = wanted.any(|one| one.holder == self.holder && one.destination == self.destination);
        same.then(|| self.destination.clone())
    }
}
