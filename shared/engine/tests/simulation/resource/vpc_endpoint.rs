//! The endpoint of a VPC for a service network. EC2 makes as many as it is asked for.

use super::{Effect, InAccount, Scene, Standing};
use trellis_lattice::{
    Actual, ActualVpcEndpoint, AwaitVpcEndpoint, AwaitVpcEndpointGone, CreateVpcEndpoint, DeleteVpcEndpoint,
    Desired, Status, UpdateVpcEndpoint,
};

fn of_id<'a>(state: &'a Actual, id: &str) -> Option<&'a ActualVpcEndpoint> {
    state.vpc_endpoints.iter().find(|one| one.id == id)
}

impl InAccount for CreateVpcEndpoint {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        scene.has_network(&self.network)?;
        if self.subnets.is_empty() { Err("no subnet".into()) } else { Ok(Standing::Done) }
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateVpcEndpoint {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = of_id(scene.state, &self.id).ok_or("not found")?;
        super::at_rest(one.status)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for AwaitVpcEndpoint {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let all = scene.state.vpc_endpoints.iter().filter(|one| one.counts_for(&self.network, &self.vpc));
        // The one that is on its best way, whichever that is.
        let one = all.min_by_key(|one| (!one.status.lasts(), &one.id));
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteVpcEndpoint {
    /// Whatever it is doing; what is not there any more need not be deleted.
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        let Self { network, vpc, id } = self;
        let active = |one: &&ActualVpcEndpoint| one.counts_for(network, vpc) && one.status == Status::Active;
        let is_active = state.vpc_endpoints.iter().filter(active).any(|one| one.id == *id);
        let is_last = state.vpc_endpoints.iter().filter(active).count() == 1;
        let wanted = desired.vpc_endpoints.iter().any(|one| one.vpc == *vpc && one.network == *network);
        (is_active && is_last && wanted).then(|| format!("the endpoint of VPC {vpc}"))
    }
}

impl InAccount for AwaitVpcEndpointGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        scene.gone(of_id(scene.state, &self.id).map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
