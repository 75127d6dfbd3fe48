//! The service network.

use super::{Effect, InAccount, Scene, Standing, free};
use trellis_lattice::{Actual, CreateNetwork, DeleteNetwork, Desired};

pub(crate) const KIND: &str = "network";

/// The ids of the networks of that name.
pub(super) fn ids(state: &Actual, name: &str) -> Vec<String> {
    state.networks.iter().filter(|one| one.name == name).map(|one| one.id.clone()).collect()
}

impl InAccount for CreateNetwork {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        free(scene.state.networks.iter().all(|one| one.name != self.network), &self.network)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(Some((KIND, &self.network)), &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteNetwork {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let Self { network, id } = self;
        let named = scene.state.networks.iter().any(|one| one.id == *id);
        let mut services = scene.state.services.iter().flat_map(|service| &service.associations);
        let used = scene.state.vpc_associations.iter().any(|one| one.network == *network)
            || scene.state.vpc_endpoints.iter().any(|one| one.network == *network)
            || services.any(|one| one.network == *network);
        free(!(named && used), network)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, _: &Actual) -> Option<String> {
        let wanted = desired.network.as_ref().is_some_and(|one| one.name == self.network);
        wanted.then(|| self.network.clone())
    }
}
