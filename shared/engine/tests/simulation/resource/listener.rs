//! The listener of a service.

use super::service::kept;
use super::{Effect, InAccount, Scene, Standing, free};
use trellis_lattice::{
    Actual, ActualListener, ActualService, CreateListener, DeleteListener, Desired, UpdateListener,
};

pub(super) fn of(service: &ActualService, port: u16) -> Result<&ActualListener, String> {
    service.listeners.iter().find(|one| one.port == port).ok_or_else(|| "listener not found".into())
}

impl InAccount for CreateListener {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let Self { service, port, listener, default_action, .. } = self;
        let held = scene.service(service)?;
        free(held.listeners.iter().all(|one| one.port != *port && one.name != *listener), listener)?;
        scene.usable(held, [default_action])?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateListener {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let held = scene.service(&self.service)?;
        of(held, self.port)?;
        scene.usable(held, [&self.default_action])?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        let named = state.services.iter().filter(|one| one.name == self.service);
        let listeners = named.flat_map(|one| &one.listeners).filter(|one| one.port == self.port);
        Effect::Touches(listeners.map(|one| one.id.clone()).collect())
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteListener {
    /// What is not there any more need not be deleted.
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        let Self { service, port, id } = self;
        let (wanted, held) = kept(desired, state, service)?;
        let protocol = held.listeners.iter().find(|one| one.id == *id)?.protocol;
        let kept = wanted.listeners.iter().any(|one| one.port == *port && one.protocol == protocol);
        kept.then(|| format!("listener {port}"))
    }
}
