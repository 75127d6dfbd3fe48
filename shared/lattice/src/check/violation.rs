//! What can be wrong with a plan.

use crate::{Mode, Ownership, Quota, Status};
use std::fmt::{Display, Formatter};

/// Something that no plan may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The step's index; none for the plan as a whole.
    pub step: Option<usize>,
    /// What is wrong.
    pub kind: ViolationKind,
}

/// What is wrong with a step or a plan. `what` is a resource in words, such as `service inventory-default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViolationKind {
    /// The plan is one unit's, the wish another's.
    OtherOwner {
        /// The unit of the plan.
        plan: String,
        /// The unit of the wish.
        desired: String,
    },
    /// The wish has two things of one name.
    WishedTwice {
        /// What it names.
        what: String,
    },
    /// A step does what the wish's mode does not allow.
    NotInThisMode {
        /// The mode.
        mode: Mode,
    },
    /// A step names what is not there.
    NotThere {
        /// What it names.
        what: String,
    },
    /// A step builds on, changes or deletes what is not ours.
    NotOurs {
        /// What it touches.
        what: String,
        /// Whose that is.
        ownership: Ownership,
    },
    /// A step associates something with a network that may not be used.
    NotAllowed {
        /// The network.
        what: String,
    },
    /// A step lets somebody reach what lacks its auth policy.
    Unsecured {
        /// The service or the network.
        what: String,
    },
    /// A step makes something without its owner's tags.
    Unmarked,
    /// A step changes the tags that tell the owner.
    OwnerTags {
        /// The resource.
        arn: String,
    },
    /// A step takes away a tag that no user asked Trellis for.
    TagOfOthers {
        /// The resource.
        arn: String,
        /// The tag's key.
        key: String,
    },
    /// A step says that all below a service bears its user's tags, and it does not.
    NotBelow {
        /// The service.
        arn: String,
    },
    /// A step makes what is there.
    ThereAlready {
        /// What it makes.
        what: String,
    },
    /// A name or a port within a service or a listener is taken.
    Taken {
        /// The name or the port, and where.
        what: String,
    },
    /// A step uses, changes or deletes something that is not in a status for it.
    Untimely {
        /// What it touches.
        what: String,
        /// What it does with it.
        deed: Deed,
        /// The status.
        status: Status,
    },
    /// VPC Lattice does not remove the last security group from a VPC association.
    LastSecurityGroup {
        /// The association.
        what: String,
    },
    /// There would be more than a quota allows.
    AboveQuota {
        /// The service, listener or target group.
        what: String,
        /// Which quota.
        quota: Quota,
        /// How many there would be.
        count: usize,
    },
    /// A priority outside of the allowed range.
    Priority {
        /// The priority.
        priority: u16,
        /// The highest allowed one.
        max: u16,
    },
    /// Two rules of a listener would have one priority.
    PriorityTwice {
        /// The listener.
        what: String,
        /// Their priority.
        priority: u16,
    },
    /// One step updates a rule twice.
    UpdatedTwice {
        /// The rule's id.
        id: String,
    },
    /// Something goes or becomes another thing that is wanted as it is.
    Wanted {
        /// What is wanted.
        what: String,
    },
    /// Something is put where nobody wants it.
    Unwanted {
        /// What, and where.
        what: String,
    },
    /// Something else needs what a step deletes, or has what a step takes.
    InUse {
        /// What is needed.
        what: String,
        /// What needs it.
        by: String,
    },
    /// Something is deleted that still holds other things.
    StillHas {
        /// What is deleted.
        what: String,
        /// What it holds.
        held: String,
    },
    /// A target group serves one service only.
    Shared {
        /// The target group's name.
        target_group: String,
        /// The service that would be one too many.
        service: String,
    },
    /// Requests would be led to a function that VPC Lattice may not invoke.
    NotInvocable {
        /// The function's ARN.
        function: String,
    },
    /// The last targets of a target group go while requests may still take a way that rules had a moment ago.
    RequestsOnTheWay {
        /// The target group's name.
        target_group: String,
    },
}

/// What a step does with a thing that is not in a status for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Builds on it.
    Use,
    /// Changes it.
    Change,
    /// Deletes it.
    Delete,
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.step {
            Some(step) => write!(f, "step {}: {}", step + 1, self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl Display for ViolationKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OtherOwner { plan, desired } => write!(f, "the plan is of {plan}, the wish of {desired}"),
            Self::WishedTwice { what } => write!(f, "{what} is wanted twice"),
            Self::NotInThisMode { mode } => write!(f, "it is not done in mode {mode}"),
            Self::NotThere { what } => write!(f, "{what} is not there"),
            Self::NotOurs { what, ownership } => write!(f, "{what} is not ours but {ownership:?}"),
            Self::NotAllowed { what } => write!(f, "{what} may not be used"),
            Self::Unsecured { what } => write!(f, "{what} lacks its auth policy"),
            Self::Unmarked => f.write_str("it would not bear its owner's tags"),
            Self::OwnerTags { arn } => write!(f, "the owner tags of {arn} would change"),
            Self::TagOfOthers { arn, key } => write!(f, "the tag {key} of {arn} is somebody else's"),
            Self::NotBelow { arn } => write!(f, "not all below {arn} bears the tags that it is marked with"),
            Self::ThereAlready { what } => write!(f, "{what} is there already"),
            Self::Taken { what } => write!(f, "{what} is taken"),
            Self::Untimely { what, deed, status } => write!(f, "{what} is {deed} while {status:?}"),
            Self::LastSecurityGroup { what } => write!(f, "{what} would lose its last security group"),
            Self::AboveQuota { what, quota, count } => write!(f, "{what} would have {count}: {quota}"),
            Self::Priority { priority, max } => write!(f, "priority {priority} is not within 1 to {max}"),
            Self::PriorityTwice { what, priority } => {
                write!(f, "two rules of {what} have priority {priority}")
            }
            Self::UpdatedTwice { id } => write!(f, "rule {id} is updated twice in one step"),
            Self::Wanted { what } => write!(f, "{what} is wanted"),
            Self::Unwanted { what } => write!(f, "{what} is wanted by nobody"),
            Self::InUse { what, by } => write!(f, "{what} is used by {by}"),
            Self::StillHas { what, held } => write!(f, "{what} still has {held}"),
            Self::Shared { target_group, service } => {
                write!(f, "target group {target_group} is used by {service} and by another service")
            }
            Self::NotInvocable { function } => write!(f, "VPC Lattice may not invoke {function} yet"),
            Self::RequestsOnTheWay { target_group } => {
                write!(f, "requests may still be on the way to {target_group}")
            }
        }
    }
}

impl Display for Deed {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Use => "used",
            Self::Change => "changed",
            Self::Delete => "deleted",
        })
    }
}
