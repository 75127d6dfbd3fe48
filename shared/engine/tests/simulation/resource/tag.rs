//! Tags of what is there.

use super::service::kept;
use super::{Effect, InAccount, Scene, Standing};
use trellis_lattice::{Actual, Desired, HandOver, TAG_UNWANTED, Tag, Untag};

/// Steps that change the tags of one resource, and nothing else of it.
macro_rules! changes_tags {
    ($($kind:ty: $loses:expr),+) => {
        $(
            impl InAccount for $kind {
                fn answer(&self, _: &Scene) -> Result<Standing, String> {
                    Ok(Standing::Done)
                }

                fn effect(&self, _: &Actual) -> Effect<'_> {
                    Effect::Touches(self.arn.strip_prefix("arn:").map(str::to_owned).into_iter().collect())
                }

                fn loses(&self, desired: &Desired, state: &Actual) -> Option<String> {
                    $loses(self, desired, state)
                }
            }
        )+
    };
}

changes_tags!(Tag: loses_its_time, Untag: nothing, HandOver: nothing);

fn nothing<S>(_: &S, _: &Desired, _: &Actual) -> Option<String> {
    None
}

/// What is marked as unwanted has begun to go.
fn loses_its_time(tag: &Tag, desired: &Desired, state: &Actual) -> Option<String> {
    tag.tags.get(TAG_UNWANTED).filter(|since| !since.is_empty())?;
    let held = state.services.iter().find(|one| one.arn == tag.arn)?;
    kept(desired, state, &held.name).map(|_| format!("{}, by a mark,", held.name))
}
