//! The association of a service with a service network.

use super::service::kept;
use super::{Effect, InAccount, Scene, Standing, active, at_rest, free};
use trellis_lattice::{
    Actual, ActualAssociation, ActualService, AwaitAssociation, AwaitAssociationGone, CreateAssociation,
    DeleteAssociation, Desired, Status, place_taken,
};

fn all<'a>(state: &'a Actual, id: &str) -> impl Iterator<Item = &'a ActualAssociation> {
    state.services.iter().flat_map(|service| &service.associations).filter(move |one| one.id == id)
}

impl InAccount for CreateAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let held = scene.service(&self.service)?;
        active(held.status)?;
        scene.has_network(&self.network)?;
        free(held.associations.iter().all(|one| one.network != self.network), &self.network)?;
        let is_in = |one: &ActualService| one.associations.iter().any(|link| link.network == self.network);
        let has_its_name = |one: &ActualService| one.id != held.id && one.custom_domain == held.custom_domain;
        let others =
            scene.state.services.iter().filter(|one| held.custom_domain.is_some() && has_its_name(one));
        let domain = held.custom_domain.as_deref().unwrap_or_default();
        free(!others.into_iter().any(is_in), &place_taken(domain, &self.network))?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for AwaitAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let held = scene.state.services.iter().find(|one| one.name == self.service).ok_or("not found")?;
        let one = held.associations.iter().find(|one| one.network == self.network);
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteAssociation {
    /// What is not there any more need not be deleted.
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        all(scene.state, &self.id).try_for_each(|one| at_rest(one.status))?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        let Self { service, network, id } = self;
        let (wanted, held) = kept(desired, state, service)?;
        let active = held.associations.iter().any(|one| one.id == *id && one.status == Status::Active);
        (active && wanted.networks.contains(network)).then(|| format!("network {network}"))
    }
}

impl InAccount for AwaitAssociationGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = all(scene.state, &self.id).next();
        scene.gone(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
