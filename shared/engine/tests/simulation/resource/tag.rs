//! Tags of what is there.

use super::{Effect, InAccount, Scene, Standing};
use trellis_lattice::{Actual, Desired, HandOver, Tag, Untag};

fn touches(arn: &str) -> Effect<'static> {
    Effect::Touches(arn.strip_prefix("arn:").map(str::to_owned).into_iter().collect())
}

impl InAccount for Tag {
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        touches(&self.arn)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for HandOver {
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        touches(&self.arn)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}

impl InAccount for Untag {
    fn answer(&self, _: &Scene) -> Result<Standing, String> {
        Ok(Standing::Done)
    }

    fn effect(&self, _: &Actual) -> Effect<'_> {
        touches(&self.arn)
    }

    fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
        None
    }
}
