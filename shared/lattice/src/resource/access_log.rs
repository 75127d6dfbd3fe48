//! The access log subscription: where the access logs of a service or a service network go.

use super::{Holder, ResourceMut};
use crate::check::{View, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// A wish for access logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredAccessLog {
    /// Whose requests are logged. Whoever wishes for it gives the holder the tag [`crate::TAG_ACCESS_LOGS`].
    pub holder: Holder,
    /// ARN of a log group, a bucket or a delivery stream. One of each type for a holder.
    pub destination: String,
    /// Tags set at creation and kept.
    pub tags: Tags,
}

/// An access log subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualAccessLog {
    /// `als-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Whose requests are logged.
    pub holder: Holder,
    /// ARN of the destination.
    pub destination: String,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualAccessLog {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

/// The type of a destination: the AWS service in its ARN. A holder has one subscription of each (User Guide, access logs).
pub fn log_type(destination: &str) -> Option<LogType> {
    match destination.split(':').nth(2)? {
        "logs" => Some(LogType::CloudWatchLogs),
        "s3" => Some(LogType::S3),
        "firehose" => Some(LogType::Firehose),
        _ => None,
    }
}

/// Where access logs can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogType {
    /// A log group.
    CloudWatchLogs,
    /// A bucket.
    S3,
    /// A delivery stream.
    Firehose,
}

impl<'a> View<'a> {
    fn access_log_by_id(&self, id: &str) -> Result<&'a ActualAccessLog, ViolationKind> {
        there(self.state.access_logs.iter().find(|one| one.id == id), || format!("access log {id}"))
    }

    /// The holder is there and ours: nothing is put on what others have.
    pub(super) fn our_holder(&self, holder: &Holder) -> Result<(), ViolationKind> {
        match holder {
            Holder::Service(name) => self.our_service(name).map(|_| ()),
            Holder::Network(name) => ours(&self.network(name)?.ownership, &holder.to_string()),
        }
    }

    fn wants_log(&self, holder: &Holder, destination: &str) -> bool {
        let mut wanted = self.desired.access_logs.iter();
        wanted.any(|one| one.holder == *holder && one.destination == destination)
    }
}

fn subject(holder: &Holder, destination: &str) -> String {
    format!("access log of {holder} to {destination}")
}

/// CreateAccessLogSubscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateAccessLog {
    /// Whose requests are logged.
    pub holder: Holder,
    /// ARN of the destination.
    pub destination: String,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateAccessLog {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.holder, &self.destination)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { holder, destination, tags } = self;
        let id = format!("als-{}-{destination}", holder.name());
        state.access_logs.push(ActualAccessLog {
            arn: format!("arn:{id}"),
            id,
            holder: holder.clone(),
            destination: destination.clone(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { holder, destination, tags } = self;
        view.bears_owner(tags)?;
        view.our_holder(holder)?;
        require(view.wants_log(holder, destination), || ViolationKind::Unwanted { what: self.subject() })?;
        let of_type = |destination: &str| log_type(destination);
        let mut held = view.state.access_logs.iter().filter(|one| one.holder == *holder);
        let taken = held.any(|one| of_type(&one.destination) == of_type(destination));
        require(!taken, || ViolationKind::Taken { what: self.subject() })
    }
}

impl Display for CreateAccessLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ {}", self.subject())
    }
}

/// UpdateAccessLogSubscription: another destination of the same type, without a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAccessLog {
    /// `als-…`.
    pub id: String,
    /// Whose requests are logged.
    pub holder: Holder,
    /// ARN of the new destination.
    pub destination: String,
}

impl StepKind for UpdateAccessLog {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.holder, &self.destination)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let updated = state.access_logs.iter_mut().filter(|one| one.id == self.id);
        updated.for_each(|one| one.destination.clone_from(&self.destination));
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { id, holder, destination } = self;
        let held = view.access_log_by_id(id)?;
        ours(&held.ownership, id)?;
        require(view.wants_log(holder, destination), || ViolationKind::Unwanted { what: self.subject() })?;
        let is_wanted = view.wants_log(&held.holder, &held.destination);
        let what = || ViolationKind::Wanted { what: subject(&held.holder, &held.destination) };
        require(!is_wanted, what)?;
        // VPC Lattice changes a destination within its type only.
        let is_same = log_type(&held.destination) == log_type(destination) && held.holder == *holder;
        require(is_same, || ViolationKind::Taken { what: self.subject() })
    }
}

impl Display for UpdateAccessLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ {}", self.subject())
    }
}

/// DeleteAccessLogSubscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAccessLog {
    /// `als-…`.
    pub id: String,
    /// Whose requests are logged.
    pub holder: Holder,
    /// ARN of the destination.
    pub destination: String,
}

impl StepKind for DeleteAccessLog {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.holder, &self.destination)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.access_logs.retain(|one| one.id != self.id);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.access_log_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        let is_wanted = view.wants_log(&held.holder, &held.destination);
        require(!is_wanted, || ViolationKind::Wanted { what: self.subject() })?;
        // What takes its place is there first, so that no request goes unlogged.
        let mut wanted = view.desired.access_logs.iter().filter(|one| one.holder == held.holder);
        let is_there = |destination: &str| {
            let mut logs = view.state.access_logs.iter();
            logs.any(|one| one.holder == held.holder && log_type(&one.destination) == log_type(destination))
        };
        match wanted.find(|one| view.our_holder(&one.holder).is_ok() && !is_there(&one.destination)) {
            Some(missing) => {
                let by = subject(&missing.holder, &missing.destination);
                Err(ViolationKind::InUse {
                    what: self.subject(),
                    by: format!("{by}, which is not there yet"),
                })
            }
            None => Ok(()),
        }
    }
}

impl Display for DeleteAccessLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", self.subject())
    }
}
