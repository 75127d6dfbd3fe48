use serde::{Deserialize, Serialize};

/// A look at all that a cluster has, which many hints are part of.
///
/// Units that are looked at as part of one look tell nobody of it who is looked at as well: each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// When it began, in milliseconds since 1970. It tells one look from another.
    pub began: u64,
    /// Of a drift pass: when the pass before it began, likewise. What has fallen due in between is looked at in depth, all
    /// else only for being there. None: every unit is to look at itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Where an earlier part of the look has ended: the place of the last unit that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

impl Look {
    /// A look of which every unit is told.
    pub fn of_all(began: u64) -> Self {
        Self { began, since: None, after: None }
    }

    /// A look at everything in depth: as that of a pass before which there was none.
    pub fn in_depth(began: u64) -> Self {
        Self::of_pass(began, 0)
    }

    /// The look of a drift pass.
    pub fn of_pass(began: u64, since: u64) -> Self {
        Self { began, since: Some(since), after: None }
    }
}
