//! The association of a VPC with a service network.

use super::{Effect, InAccount, Scene, Standing, at_rest, free};
use trellis_lattice::{
    Actual, AwaitVpcAssociation, AwaitVpcAssociationGone, CreateVpcAssociation, DeleteVpcAssociation,
    Desired, Status, UpdateVpcAssociation,
};

impl InAccount for CreateVpcAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        scene.has_network(&self.network)?;
        free(scene.state.vpc_associations.iter().all(|one| one.vpc != self.vpc), &self.vpc)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Makes(None, &self.tags)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for UpdateVpcAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = scene.state.vpc_associations.iter().find(|one| one.id == self.id).ok_or("not found")?;
        at_rest(one.status)?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for AwaitVpcAssociation {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let mut all = scene.state.vpc_associations.iter();
        let one = all.find(|one| one.network == self.network && one.vpc == self.vpc);
        scene.made(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteVpcAssociation {
    /// What is not there any more need not be deleted.
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let mut named = scene.state.vpc_associations.iter().filter(|one| one.id == self.id);
        named.try_for_each(|one| at_rest(one.status))?;
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Touches(vec![self.id.clone()])
    }

    fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
        let Self { network, vpc, id } = self;
        let active = state.vpc_associations.iter().any(|one| one.id == *id && one.status == Status::Active);
        let wanted = desired.vpc_associations.iter().any(|one| one.vpc == *vpc && one.network == *network);
        (active && wanted).then(|| format!("VPC {vpc}"))
    }
}

impl InAccount for AwaitVpcAssociationGone {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let one = scene.state.vpc_associations.iter().find(|one| one.id == self.id);
        scene.gone(one.map(|one| (one.status, one.arn.as_str())))
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
