//! Which looks at a cluster a task asks for.

use crate::Task;
use crate::worker::CATCH_UPS_MAX;
use trellis_hint::{Hint, Look};

/// Messages that a look may take: at 45 seconds each, an hour. Others have begun since, and what it does not get to is theirs.
pub(super) const MESSAGES_MAX: u32 = 80;

/// A look that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) look: Look,
    /// Messages that it has taken before.
    pub(super) before: u32,
    /// How many looks at clusters that could not be read have led to what it finds.
    pub(super) catch_ups: u32,
    /// Whether the cluster could not be read before: then others too are told who are no units of its own.
    pub(super) catches_up: bool,
}

/// The looks of drift passes that a task asks for, in their order; none if any hint asks for more.
///
/// Several that have not begun yet are one. A count may be forged, and ends no other look: what no look comes to is no count, and one
/// that has not begun has taken no message.
pub(super) fn looks_of(task: &Task) -> Option<Vec<Asked>> {
    let of_pass = |hint: &Hint| {
        let look = hint.look.filter(|look| look.since.is_some())?;
        let before = if look.after.is_some() && hint.waits <= MESSAGES_MAX { hint.waits } else { 0 };
        let catch_ups = if hint.catch_ups <= CATCH_UPS_MAX { hint.catch_ups } else { 0 };
        Some(Asked { look, before, catch_ups, catches_up: hint.catch_ups > 0 })
    };
    let looks: Option<Vec<Asked>> = task.hints.iter().map(of_pass).collect();
    let mut all: Vec<Asked> = vec![];
    for one in looks.filter(|looks| !looks.is_empty())? {
        match all.iter_mut().find(|other| other.look.after.is_none() && one.look.after.is_none()) {
            Some(other) => *other = one_of(*other, one),
            None => all.push(one),
        }
    }
    Some(all)
}

/// One look for two that have not begun.
fn one_of(one: Asked, other: Asked) -> Asked {
    let (began, since) = (one.look.began.max(other.look.began), one.look.since.min(other.look.since));
    Asked {
        look: Look { began, since, after: None },
        before: 0,
        catch_ups: one.catch_ups.min(other.catch_ups),
        catches_up: one.catches_up || other.catches_up,
    }
}
