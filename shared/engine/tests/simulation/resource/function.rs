//! A function behind a route.

use super::{Effect, InAccount, Scene, Standing};
use trellis_lattice::{Actual, AllowInvoke, Desired};

impl InAccount for AllowInvoke {
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        Effect::Nothing
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
