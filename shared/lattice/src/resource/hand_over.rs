//! Giving a resource to another unit of the same installation.

use crate::check::{View, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, TAG_KEY, TAG_KEY_REST, TAG_UNIT, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// TagResource with another unit's tags: what is ours is that unit's from then on, as it stands and answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandOver {
    /// The resource's ARN.
    pub arn: String,
    /// Whose it is to be.
    pub to: Owner,
}

impl HandOver {
    /// The tags to set. The installation's stays as it is: whoever might set that could take what is not his.
    pub fn tags(&self) -> Tags {
        let mut tags = self.to.tags();
        tags.retain(|key, _| [TAG_UNIT, TAG_KEY, TAG_KEY_REST].contains(&key.as_str()));
        tags
    }
}

impl StepKind for HandOver {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "hand over"
    }

    fn subject(&self) -> String {
        format!("{} to {}", self.arn, self.to.key)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        for held in state.resources_mut().into_iter().filter(|one| *one.arn == self.arn) {
            *held.ownership =
                if self.to == *owner { Ownership::Ours } else { Ownership::OtherUnit(self.to.key.clone()) };
            if let Some(tags) = held.tags {
                tags.extend(self.tags());
            }
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { arn, to } = self;
        // Of a copy, so that the one list of resources serves here too.
        let mut state = view.state.clone();
        let held = state.resources_mut().into_iter().find(|one| one.arn == arn);
        let held = there(held, || arn.clone())?.ownership.clone();
        let is_taken_back = matches!(held, Ownership::OtherUnit(_))
            && *to == view.desired.owner
            && is_of_our_service(view.state, arn);
        if is_taken_back {
            return Ok(());
        }
        ours(&held, arn)?;
        let is_wished = view.desired.handovers.values().any(|wished| wished == to);
        let is_inside = to.installation == view.desired.owner.installation;
        require(is_wished && is_inside, || ViolationKind::OwnerTags { arn: arn.clone() })
    }
}

/// Whether something is part of a service of ours, or is used by one.
fn is_of_our_service(state: &Actual, arn: &str) -> bool {
    let mut ours = state.services.iter().filter(|service| service.ownership == Ownership::Ours);
    ours.any(|service| {
        let used = service.target_groups();
        let mut groups = state.target_groups.iter().filter(|group| used.contains(group.name.as_str()));
        service.below().any(|(below, _)| below == arn) || groups.any(|group| group.arn == arn)
    })
}

impl Display for HandOver {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ {} is now of {}", self.arn, self.to.key)
    }
}
