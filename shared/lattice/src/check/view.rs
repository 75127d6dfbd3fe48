//! What a step is judged by. What is missing or not ours is a violation; the lookups are in the resources' modules.

use crate::check::violation::{Deed, ViolationKind};
use crate::{Actual, Desired, Limits, Ownership, Status, Tags};

/// What there is and what is wanted when a step is to be done.
pub(crate) struct View<'a> {
    pub(crate) state: &'a Actual,
    pub(crate) desired: &'a Desired,
    pub(crate) limits: &'a Limits,
}

impl View<'_> {
    /// What is made must bear the owner's tags.
    pub(crate) fn bears_owner(&self, tags: &Tags) -> Result<(), ViolationKind> {
        require(self.desired.owner.of(tags) == Ownership::Ours, || ViolationKind::Unmarked)
    }
}

/// The condition, or what is wrong without it.
pub(crate) fn require(holds: bool, otherwise: impl FnOnce() -> ViolationKind) -> Result<(), ViolationKind> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// What was looked up, or that it is not there.
pub(crate) fn there<T>(found: Option<T>, what: impl FnOnce() -> String) -> Result<T, ViolationKind> {
    found.ok_or_else(|| ViolationKind::NotThere { what: what() })
}

/// Nothing of others is touched.
pub(crate) fn ours(ownership: &Ownership, what: &str) -> Result<(), ViolationKind> {
    require(*ownership == Ownership::Ours, || ViolationKind::NotOurs {
        what: what.to_owned(),
        ownership: ownership.clone(),
    })
}

/// Others can build on what is not being made or deleted, and did not fail to be made.
pub(crate) fn ready(status: Status, what: &str) -> Result<(), ViolationKind> {
    let ready = match status {
        Status::Active | Status::UpdateFailed | Status::DeleteFailed | Status::Unknown => true,
        Status::CreateInProgress
        | Status::UpdateInProgress
        | Status::DeleteInProgress
        | Status::CreateFailed => false,
    };
    require(ready, || untimely(what, Deed::Use, status))
}

/// A change or a deletion while something is being made or changed is a conflict.
pub(crate) fn at_rest(status: Status, what: &str, deed: Deed) -> Result<(), ViolationKind> {
    let busy = matches!(status, Status::CreateInProgress | Status::UpdateInProgress);
    require(!busy, || untimely(what, deed, status))
}

/// Whether the resource must be deleted and made anew.
pub(crate) fn is_broken(status: Status) -> bool {
    matches!(status, Status::CreateFailed | Status::DeleteFailed)
}

fn untimely(what: &str, deed: Deed, status: Status) -> ViolationKind {
    ViolationKind::Untimely { what: what.to_owned(), deed, status }
}
