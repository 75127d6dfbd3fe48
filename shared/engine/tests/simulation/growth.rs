//! A world that is whole, after one in which much is missing: what is seldom there together is judged here, such as a target
//! group that stays while its Pods go.

use crate::objects::{VARIANTS, catalogue, object, variants};
use crate::run::World;
use crate::{edits, truth};
use trellis_hint::Kind;

/// Of what is missing so much stays away.
const MISSING_PERCENT: u32 = 5;
/// So many slices get other Pods, of those again so many lose theirs.
const ROLLED_PERCENT: u32 = 60;
const EMPTIED_PERCENT: u32 = 20;

impl World {
    /// Makes what is missing. Ends at rest.
    pub(crate) async fn grows_whole(&self, told: bool) -> Result<(), String> {
        for (cluster, key) in edits::shuffled(&self.sim) {
            let (is_there, stays_away, variant) = {
                let mut state = self.sim.state();
                let is_there = state.clusters[cluster].objects.contains_key(&key);
                (is_there, state.dice.percent(MISSING_PERCENT), state.dice.up_to(variants(&key) - 1))
            };
            // The last variant of these is not ours, or exports nothing.
            let is_other = matches!(key.kind, Kind::Gateway | Kind::Service | Kind::ServiceExport);
            let variant = if is_other { variant % (VARIANTS - 1) } else { variant };
            if !(is_there || stays_away) {
                edits::edit(&self.sim, cluster, &key, Some(object(cluster, &key, variant))).await;
            }
        }
        self.settles(told).await?;
        truth::holds(&self.sim.state())
    }

    /// Pods go for good, and others come: Services and routes stay as they are. Ends at rest.
    pub(crate) async fn pods_are_replaced(&self, told: bool) -> Result<(), String> {
        let slices = catalogue().into_iter().filter(|(_, key)| key.kind == Kind::EndpointSlice);
        for (cluster, key) in slices {
            let (rolled, emptied, variant) = {
                let dice = &mut self.sim.state().dice;
                (dice.percent(ROLLED_PERCENT), dice.percent(EMPTIED_PERCENT), dice.up_to(VARIANTS - 1))
            };
            if rolled {
                let new = (!emptied).then(|| object(cluster, &key, variant));
                edits::edit(&self.sim, cluster, &key, new).await;
            }
        }
        self.settles(told).await?;
        truth::holds(&self.sim.state())
    }
}
