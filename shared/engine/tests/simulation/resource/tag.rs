//! Tags of what is there.

use super::{Effect, InAccount, Scene, Standing};
use trellis_lattice::{Actual, Desired, HandOver, Tag, Untag};

/// Steps that change the tags of one resource, and nothing else of it.
macro_rules! changes_tags {
    ($($kind:ty),+) => {
        $(
            impl InAccount for $kind {
                fn answer(&self, _: &Scene) -> Result<Standing, String> {
                    Ok(Standing::Done)
                }

                fn effect(&self, _: &Actual) -> Effect<'_> {
                    Effect::Touches(self.arn.strip_prefix("arn:").map(str::to_owned).into_iter().collect())
                }

                fn loses(&self, _: &Desired, _: &Actual) -> Option<String> {
                    None
                }
            }
        )+
    };
}

changes_tags!(Tag, Untag, HandOver);
