//! Tags of what is ours already.

use super::Joined;
use crate::check::{View, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, TAG_OWNER, TAG_UNIT, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// TagResource with tags of ours that are missing or differ. Never the owner tags: without them nothing is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// The resource's ARN.
    pub arn: String,
    /// The tags to set.
    pub tags: Tags,
}

impl StepKind for Tag {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "tag"
    }

    fn subject(&self) -> String {
        self.arn.clone()
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let tagged = state.resources_mut().into_iter().filter(|one| *one.arn == self.arn);
        for held in tagged.filter_map(|one| one.tags) {
            held.extend(self.tags.clone());
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { arn, tags } = self;
        // Of a copy, so that the one list of resources serves here too.
        let mut state = view.state.clone();
        let held = state.resources_mut().into_iter().find(|one| one.arn == arn && one.tags.is_some());
        ours(there(held, || arn.clone())?.ownership, arn)?;
        let owner = tags.contains_key(TAG_OWNER) || tags.contains_key(TAG_UNIT);
        require(!owner, || ViolationKind::OwnerTags { arn: arn.clone() })
    }
}

impl Display for Tag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let tags = self.tags.iter().map(|(key, value)| format!("{key}={value}"));
        write!(f, "~ tags of {} {}", self.arn, Joined(tags))
    }
}
