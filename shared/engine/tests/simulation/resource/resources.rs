//! Resource gateways, resource configurations and their associations with service networks.

use super::{Effect, InAccount, Scene, Standing, active, at_rest, free};
use trellis_lattice::{
    Actual, ActualResourceAssociation, ActualResourceConfiguration, ActualResourceGateway,
    AwaitResourceAssociation, AwaitResourceAssociationGone, AwaitResourceConfiguration,
    AwaitResourceConfigurationGone, AwaitResourceGateway, AwaitResourceGatewayGone,
    CreateResourceAssociation, CreateResourceConfiguration, CreateResourceGateway, DeleteResourceAssociation,
    DeleteResourceConfiguration, DeleteResourceGateway, Desired, Status, UpdateResourceConfiguration,
    UpdateResourceGateway,
};

fn gateway(state: &Actual, of: impl Fn(&ActualResourceGateway) -> bool) -> Option<&ActualResourceGateway> {
    state.resource_gateways.iter().find(|one| of(one))
}

fn configuration(
    state: &Actual,
    of: impl Fn(&ActualResourceConfiguration) -> bool,
) -> Option<&ActualResourceConfiguration> {
    state.resource_configurations.iter().find(|one| of(one))
}

fn association<'a>(state: &'a Actual, id: &str) -> Option<&'a ActualResourceAssociation> {
    state.resource_configurations.iter().flat_map(|one| &one.associations).find(|one| one.id == id)
}

/// The association of a configuration with a network that is not on its way out.
fn joined<'a>(state: &'a Actual, name: &str, network: &str) -> Option<&'a ActualResourceAssociation> {
    let of = configuration(state, |one| one.name == name)?;
    of.associations.iter().find(|one| one.network == network && one.status != Status::DeleteInProgress)
}

/// A step that takes nothing away from what is wanted.
macro_rules! harmless {
    () => {
        fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
            None
        }
    };
}

/// A step that only looks.
macro_rules! looks {
    () => {
        fn effect(&self, _: &Actual) -> Effect<'_> {
            Effect::Nothing
        }

        harmless!();
    };
}

/// A step that changes or deletes what it names by its id.
macro_rules! touches {
    () => {
        fn effect(&self, _: &Actual) -> Effect<'_> {
            Effect::Touches(vec![self.id.clone()])
        }
    };
}

impl InAccount for CreateResourceGateway {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        free(gateway(scene.state, |one| one.name == self.gateway).is_none(), &self.gateway)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    harmless!();
}

impl InAccount for UpdateResourceGateway {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        at_rest(gateway(scene.state, |one| one.id == self.id).ok_or("not found")?.status)?;
        Ok(Standing::Done)
    }

    touches!();
    harmless!();
}

impl InAccount for AwaitResourceGateway {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = gateway(scene.state, |one| one.name == self.gateway);
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    looks!();
}

impl InAccount for DeleteResourceGateway {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        if let Some(one) = gateway(scene.state, |one| one.id == self.id) {
            free(one.users.is_empty(), "it is used")?;
            let busy = matches!(one.status, Status::CreateInProgress | Status::UpdateInProgress);
            free(!busy, &format!("{:?}", one.status))?;
        }
        Ok(Standing::Done)
    }

    touches!();

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        let held = gateway(state, |one| one.id == self.id).filter(|one| one.status == Status::Active)?;
        let wanted = desired.resource_gateways.iter().any(|one| one.name == held.name);
        wanted.then(|| format!("the resource gateway {}", held.name))
    }
}

impl InAccount for AwaitResourceGatewayGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = gateway(scene.state, |one| one.id == self.id);
        scene.gone(one.map(|one| (one.status, one.arn.as_str())))
    }

    looks!();
}

impl InAccount for CreateResourceConfiguration {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let through = gateway(scene.state, |one| one.name == self.gateway).ok_or("gateway not found")?;
        active(through.status)?;
        free(
            configuration(scene.state, |one| one.name == self.configuration).is_none(),
            &self.configuration,
        )?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    harmless!();
}

impl InAccount for UpdateResourceConfiguration {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        at_rest(configuration(scene.state, |one| one.id == self.id).ok_or("not found")?.status)?;
        Ok(Standing::Done)
    }

    touches!();
    harmless!();
}

impl InAccount for AwaitResourceConfiguration {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = configuration(scene.state, |one| one.name == self.configuration);
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    looks!();
}

impl InAccount for DeleteResourceConfiguration {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        if let Some(one) = configuration(scene.state, |one| one.id == self.id) {
            free(one.associations.is_empty(), "it is associated")?;
            let busy = matches!(one.status, Status::CreateInProgress | Status::UpdateInProgress);
            free(!busy, &format!("{:?}", one.status))?;
        }
        Ok(Standing::Done)
    }

    touches!();

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        let held =
            configuration(state, |one| one.id == self.id).filter(|one| one.status == Status::Active)?;
        let wanted = desired.resource_configurations.iter().any(|one| one.name == held.name);
        wanted.then(|| format!("the resource configuration {}", held.name))
    }
}

impl InAccount for AwaitResourceConfigurationGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = configuration(scene.state, |one| one.id == self.id);
        scene.gone(one.map(|one| (one.status, one.arn.as_str())))
    }

    looks!();
}

impl InAccount for CreateResourceAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        scene.has_network(&self.network)?;
        let one = configuration(scene.state, |one| one.name == self.configuration);
        let one = one.ok_or("configuration not found")?;
        active(one.status)?;
        free(one.associations.iter().all(|held| held.network != self.network), &self.network)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    harmless!();
}

impl InAccount for AwaitResourceAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = joined(scene.state, &self.configuration, &self.network);
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    looks!();
}

impl InAccount for DeleteResourceAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        if let Some(one) = association(scene.state, &self.id) {
            free(one.status != Status::CreateInProgress, "it is being made")?;
        }
        Ok(Standing::Done)
    }

    touches!();

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        association(state, &self.id).filter(|one| one.status == Status::Active)?;
        let wanted = desired
            .resource_configurations
            .iter()
            .any(|one| one.name == self.configuration && one.networks.contains(&self.network));
        wanted.then(|| format!("the association of {} with {}", self.configuration, self.network))
    }
}

impl InAccount for AwaitResourceAssociationGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        scene.gone(association(scene.state, &self.id).map(|one| (one.status, one.arn.as_str())))
    }

    looks!();
}
