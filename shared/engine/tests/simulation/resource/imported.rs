//! The certificate of a Secret in ACM.

use super::{Effect, InAccount, Scene, Standing, free};
use trellis_lattice::{Actual, DeleteCertificate, Desired, ImportCertificate};

impl InAccount for ImportCertificate {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let is_there = |arn: &String| scene.state.certificates.iter().any(|one| one.arn == *arn);
        free(self.arn.as_ref().is_none_or(is_there), &self.secret)?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        let held = self.arn.as_ref().and_then(|arn| state.certificates.iter().find(|one| one.arn == *arn));
        match held {
            Some(held) => Effect::Touches(vec![held.id.clone()]),
            None => Effect::Makes(None, &self.tags),
        }
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for DeleteCertificate {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        let mut used = scene.state.services.iter().filter_map(|service| service.certificate_arn.as_ref());
        free(!used.any(|arn| *arn == self.arn), &self.secret)?;
        Ok(Standing::Done)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        let held = state.certificates.iter().find(|one| one.arn == self.arn);
        Effect::Touches(held.map(|one| one.id.clone()).into_iter().collect())
    }

    fn loses(&self, desired: &Desired, _: &Actual) -> Option<String> {
        let mut wanted = desired.certificates.iter().flatten();
        wanted.any(|one| one.secret == self.secret).then(|| self.secret.clone())
    }
}
