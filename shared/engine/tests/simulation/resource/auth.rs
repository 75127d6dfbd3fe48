//! Auth types and auth policies.

use super::{Effect, InAccount, Scene, Standing, network, service};
use trellis_lattice::{Actual, Desired, Holder, PutAuthPolicy, SetAuthType};

fn answer(scene: &Scene, holder: &Holder) -> Result<Standing, String> {
    match holder {
        Holder::Service(name) => _ = scene.service(name)?,
        Holder::Network(name) => scene.has_network(name)?,
    }
    Ok(Standing::Done)
}

fn effect<'a>(state: &Actual, holder: &Holder) -> Effect<'a> {
    match holder {
        Holder::Service(name) => Effect::Touches(service::ids(state, name)),
        Holder::Network(name) => Effect::Touches(network::ids(state, name)),
    }
}

impl InAccount for PutAuthPolicy {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        answer(scene, &self.holder)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        effect(state, &self.holder)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for SetAuthType {
    fn answer(&self, scene: &Scene) -> Result<Standing, String> {
        answer(scene, &self.holder)
    }

    fn effect(&self, state: &Actual) -> Effect<'_> {
        effect(state, &self.holder)
    }

    fn loses(&self, desired: &Desired, _: &Actual) -> Option<String> {
        let closed = desired.auth.iter().any(|one| one.holder == self.holder && one.policy.is_some());
        (closed && !self.is_closed).then(|| format!("the policy of {}", self.holder))
    }
}
