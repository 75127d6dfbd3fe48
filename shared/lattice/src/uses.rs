//! Which target groups are forwarded to.

use crate::actual::{ActualListener, ActualService};
use crate::desired::{Action, DesiredListener};
use std::collections::BTreeSet;

impl Action {
    /// Names of the target groups that it forwards to.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let shares = match self {
            Self::FixedResponse(_) => &[][..],
            Self::Forward(shares) => shares,
        };
        shares.iter().map(|share| share.target_group.as_str())
    }
}

impl DesiredListener {
    /// Names of the target groups that it and its rules forward to.
    pub fn target_groups(&self) -> BTreeSet<&str> {
        all(&self.default_action, self.rules.iter().map(|rule| &rule.action))
    }
}

impl ActualListener {
    /// Names of the target groups that it and its rules forward to.
    pub fn target_groups(&self) -> BTreeSet<&str> {
        all(&self.default_action, self.rules.iter().map(|rule| &rule.action))
    }
}

impl ActualService {
    /// Names of the target groups that its listeners and rules forward to.
    pub fn target_groups(&self) -> BTreeSet<&str> {
        self.listeners.iter().flat_map(ActualListener::target_groups).collect()
    }
}

fn all<'a>(default: &'a Action, others: impl Iterator<Item = &'a Action>) -> BTreeSet<&'a str> {
    std::iter::once(default).chain(others).flat_map(Action::target_groups).collect()
}
