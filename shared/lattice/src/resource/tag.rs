//! Tags of what is ours already.

use super::Joined;
use crate::check::{View, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::user_tags::was_asked_for;
use crate::{Actual, Owner, Ownership, TAG_BELOW, TAG_OWNER, TAG_UNIT, TAG_USER, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// Tags beside which a resource has no room for more than one.
const FULL: usize = 49;

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
        our_tags(view, arn)?;
        let owner = tags.contains_key(TAG_OWNER) || tags.contains_key(TAG_UNIT);
        require(!owner, || ViolationKind::OwnerTags { arn: arn.clone() })?;
        let is_true = !tags.contains_key(TAG_BELOW) || bears_below(view, arn);
        require(is_true, || ViolationKind::NotBelow { arn: arn.clone() })
    }
}

impl Display for Tag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let tags = self.tags.iter().map(|(key, value)| format!("{key}={value}"));
        write!(f, "~ tags of {} {}", self.arn, Joined(tags))
    }
}

/// UntagResource of tags that a user asked for once and does not any more. Never of anybody else's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Untag {
    /// The resource's ARN.
    pub arn: String,
    /// The keys of the tags to take away.
    pub keys: BTreeSet<String>,
}

impl StepKind for Untag {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "untag"
    }

    fn subject(&self) -> String {
        self.arn.clone()
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let tagged = state.resources_mut().into_iter().filter(|one| *one.arn == self.arn);
        for held in tagged.filter_map(|one| one.tags) {
            held.retain(|key, _| !self.keys.contains(key));
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { arn, keys } = self;
        let held = our_tags(view, arn)?;
        let mark = held.get(TAG_USER).map(String::as_str).unwrap_or_default();
        let other = keys.iter().find(|key| *key != TAG_USER && !was_asked_for(key, mark));
        require(other.is_none(), || ViolationKind::TagOfOthers {
            arn: arn.clone(),
            key: other.cloned().unwrap_or_default(),
        })
    }
}

impl Display for Untag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- tags of {} {}", self.arn, Joined(self.keys.iter()))
    }
}

/// Whether all of ours below a service has been read and bears what its user asks for, and nothing that he once asked for; what is
/// full of others' tags bears what it can.
fn bears_below(view: &View, arn: &str) -> bool {
    let held = view.state.services.iter().find(|one| one.arn == arn);
    let Some((held, wanted)) = held.and_then(|held| Some((held, view.wanted_service(&held.name)?))) else {
        return false;
    };
    let asked = |tags: &Tags| -> Tags {
        let mark = tags.get(TAG_USER).cloned().unwrap_or_default();
        tags.iter()
            .filter(|(key, _)| was_asked_for(key, &mark))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    };
    let wished = asked(&wanted.tags);
    held.tagged_below().all(|(_, ownership, tags)| match ownership {
        Ownership::Ours => asked(tags) == wished || tags.len() >= FULL,
        Ownership::Unread => false,
        Ownership::OtherUnit(_) | Ownership::Foreign => true,
    })
}

/// The tags of a resource of ours.
fn our_tags(view: &View, arn: &String) -> Result<Tags, ViolationKind> {
    // Of a copy, so that the one list of resources serves here too.
    let mut state = view.state.clone();
    let held = state.resources_mut().into_iter().find(|one| one.arn == arn && one.tags.is_some());
    let held = there(held, || arn.clone())?;
    ours(held.ownership, arn)?;
    Ok(held.tags.map(std::mem::take).unwrap_or_default())
}
