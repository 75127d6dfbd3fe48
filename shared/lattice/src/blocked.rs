//! What stands in the way of a wish.

use serde::{Deserialize, Serialize};

/// A wish that cannot be met, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Blocked {
    /// The service's name is taken by a service that is not this unit's.
    ServiceNameTaken {
        /// The name.
        service: String,
        /// Its ARN.
        arn: String,
        /// The unit that has it, if it is one of this installation.
        unit: Option<String>,
    },
    /// The target group's name is taken by one that is not this unit's.
    TargetGroupNameTaken {
        /// The name.
        target_group: String,
        /// Its ARN.
        arn: String,
    },
    /// A service network that a service is to be associated with does not exist (yet).
    NetworkMissing {
        /// The network's name.
        network: String,
    },
    /// A VPC can be associated with one service network only, and is with another.
    VpcAssociatedElsewhere {
        /// The VPC's id.
        vpc: String,
        /// The other network's name.
        network: String,
    },
    /// Several service networks bear the name (one's own and shared ones).
    NetworkAmbiguous {
        /// The network's name.
        network: String,
    },
    /// The listener's port is taken by a listener of this service that is not ours.
    ListenerPortTaken {
        /// The service's name.
        service: String,
        /// The port.
        port: u16,
    },
    /// Rules that are not ours leave no priority between 1 and the highest for all of ours.
    NoPriorityLeft {
        /// The service's name.
        service: String,
        /// The listener's port.
        port: u16,
    },
    /// What is wanted, together with what others put there, exceeds a quota. Of targets as many are registered as fit;
    /// otherwise what is there stays as it is.
    QuotaExceeded {
        /// The name of the service or target group.
        resource: String,
        /// Which quota.
        quota: Quota,
        /// Its value.
        limit: usize,
    },
    /// A listener forwards to a target group that is neither wanted nor there, or failed. The listener stays as it is.
    TargetGroupMissing {
        /// The service's name.
        service: String,
        /// The listener's port.
        port: u16,
        /// The target group's name.
        target_group: String,
    },
    /// A target group can be used by one service only, and is by one that does not give it up.
    TargetGroupInUse {
        /// The target group's name.
        target_group: String,
        /// The service's name, or its ARN when it is none of this unit's.
        service: String,
    },
    /// The service cannot be deleted, since an association that is not ours holds it. Its listeners are deleted.
    ServiceInUse {
        /// The service's name.
        service: String,
        /// The associated network's name.
        network: String,
    },
    /// The last security group of a VPC association cannot be removed (UpdateServiceNetworkVpcAssociation), and making
    /// the association anew would cut the VPC off for about a minute.
    SecurityGroupsKept {
        /// The network's name.
        network: String,
        /// The VPC's id.
        vpc: String,
    },
}

/// A quota that a plan can run into (`Limits`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quota {
    /// Rules per listener.
    RulesPerListener,
    /// Listeners per service.
    ListenersPerService,
    /// Target groups per service.
    TargetGroupsPerService,
    /// Targets per target group.
    TargetsPerTargetGroup,
}
