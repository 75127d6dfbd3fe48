//! The plan's types.

use crate::desired::{
    Action, DesiredRule, HealthCheck, ListenerProtocol, RuleMatch, Target, TargetGroupConfig,
};
use crate::{Owner, Tags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Steps in the order in which they are to be done, and what stands in the way of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whose plan it is. Every resource that a step changes or deletes bears this owner's tags.
    pub owner: Owner,
    /// Creates and updates in order of dependency, deletes last.
    pub steps: Vec<Step>,
    /// Wishes that cannot be met; the steps leave them out. Each becomes a condition.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub blocked: Vec<Blocked>,
}

impl Plan {
    /// Whether nothing is to be changed. Waiting for what is already under way is no change.
    pub fn is_settled(&self) -> bool {
        self.steps.iter().all(Step::is_wait)
    }
}

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

/// One step. A name refers to what `Actual` holds or to what an earlier step makes. Each step is safe to repeat and
/// safe to stop after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Step {
    /// CreateServiceNetwork.
    CreateNetwork {
        /// Name.
        network: String,
        /// Tags.
        tags: Tags,
    },
    /// CreateServiceNetworkVpcAssociation.
    CreateVpcAssociation {
        /// The network's name.
        network: String,
        /// The VPC's id.
        vpc: String,
        /// Security groups.
        security_groups: BTreeSet<String>,
        /// Tags.
        tags: Tags,
    },
    /// UpdateServiceNetworkVpcAssociation; never to an empty set, which the API refuses.
    UpdateVpcAssociation {
        /// `snva-…`.
        id: String,
        /// The VPC's id.
        vpc: String,
        /// Security groups.
        security_groups: BTreeSet<String>,
    },
    /// CreateTargetGroup.
    CreateTargetGroup {
        /// Name.
        target_group: String,
        /// Immutable settings.
        config: TargetGroupConfig,
        /// Health check.
        health_check: HealthCheck,
        /// Tags.
        tags: Tags,
    },
    /// UpdateTargetGroup.
    UpdateHealthCheck {
        /// The target group's name.
        target_group: String,
        /// All settings.
        health_check: HealthCheck,
    },
    /// CreateService.
    CreateService {
        /// Name.
        service: String,
        /// Custom domain.
        custom_domain: Option<String>,
        /// Certificate.
        certificate_arn: Option<String>,
        /// Tags.
        tags: Tags,
    },
    /// UpdateService with a certificate.
    UpdateCertificate {
        /// The service's name.
        service: String,
        /// The certificate's ARN.
        certificate_arn: String,
    },
    /// TagResource with tags of ours that are missing or differ. Never the owner tags: without them nothing is ours.
    Tag {
        /// The resource's ARN.
        arn: String,
        /// The tags to set.
        tags: Tags,
    },
    /// Wait until the target group is ACTIVE.
    AwaitTargetGroup {
        /// The target group's name.
        target_group: String,
    },
    /// RegisterTargets, in batches of 100.
    RegisterTargets {
        /// The target group's name.
        target_group: String,
        /// The targets that are missing.
        targets: BTreeSet<Target>,
    },
    /// Wait until the service is ACTIVE.
    AwaitService {
        /// The service's name.
        service: String,
    },
    /// CreateServiceNetworkServiceAssociation.
    CreateAssociation {
        /// The service's name.
        service: String,
        /// The network's name.
        network: String,
        /// Tags.
        tags: Tags,
    },
    /// CreateListener.
    CreateListener {
        /// The service's name.
        service: String,
        /// Name.
        listener: String,
        /// Port.
        port: u16,
        /// Protocol.
        protocol: ListenerProtocol,
        /// Default action.
        default_action: Action,
        /// Tags.
        tags: Tags,
    },
    /// UpdateListener.
    UpdateListener {
        /// The service's name.
        service: String,
        /// Port, the identity.
        port: u16,
        /// Default action.
        default_action: Action,
    },
    /// BatchUpdateRule, in batches of 10: match, priority and action of existing rules in one call, so that priorities swap.
    UpdateRules {
        /// The service's name.
        service: String,
        /// The listener's port.
        port: u16,
        /// By rule id.
        rules: Vec<RuleUpdate>,
    },
    /// CreateRule.
    CreateRule {
        /// The service's name.
        service: String,
        /// The listener's port.
        port: u16,
        /// The rule.
        rule: DesiredRule,
        /// Tags.
        tags: Tags,
    },
    /// Wait until the service's association with the network is ACTIVE.
    AwaitAssociation {
        /// The service's name.
        service: String,
        /// The network's name.
        network: String,
    },
    /// Wait until the VPC's association with the network is ACTIVE.
    AwaitVpcAssociation {
        /// The network's name.
        network: String,
        /// The VPC's id.
        vpc: String,
    },
    /// DeregisterTargets, in batches of 100.
    DeregisterTargets {
        /// The target group's name.
        target_group: String,
        /// The targets that are too many.
        targets: BTreeSet<Target>,
    },
    /// DeleteRule.
    DeleteRule {
        /// The service's name.
        service: String,
        /// The listener's port.
        port: u16,
        /// `rule-…`.
        id: String,
    },
    /// DeleteListener; its rules go with it.
    DeleteListener {
        /// The service's name.
        service: String,
        /// Port, the identity.
        port: u16,
        /// `listener-…`.
        id: String,
    },
    /// DeleteServiceNetworkServiceAssociation.
    DeleteAssociation {
        /// The service's name.
        service: String,
        /// The network's name.
        network: String,
        /// `snsa-…`.
        id: String,
    },
    /// Wait until the association is gone.
    AwaitAssociationGone {
        /// The service's name.
        service: String,
        /// The network's name.
        network: String,
        /// `snsa-…`.
        id: String,
    },
    /// DeleteService; its listeners and rules go with it.
    DeleteService {
        /// The service's name.
        service: String,
        /// `svc-…`.
        id: String,
    },
    /// Wait until the service is gone.
    AwaitServiceGone {
        /// The service's name.
        service: String,
        /// `svc-…`.
        id: String,
    },
    /// Wait until no target is draining, since a target group with one cannot be deleted.
    AwaitDrained {
        /// The target group's name.
        target_group: String,
        /// `tg-…`.
        id: String,
    },
    /// DeleteTargetGroup.
    DeleteTargetGroup {
        /// The target group's name.
        target_group: String,
        /// `tg-…`.
        id: String,
    },
    /// Wait until the target group is gone.
    AwaitTargetGroupGone {
        /// The target group's name.
        target_group: String,
        /// `tg-…`.
        id: String,
    },
    /// DeleteServiceNetworkVpcAssociation.
    DeleteVpcAssociation {
        /// The network's name.
        network: String,
        /// The VPC's id.
        vpc: String,
        /// `snva-…`.
        id: String,
    },
    /// Wait until the VPC's association is gone.
    AwaitVpcAssociationGone {
        /// The network's name.
        network: String,
        /// The VPC's id.
        vpc: String,
        /// `snva-…`.
        id: String,
    },
    /// DeleteServiceNetwork.
    DeleteNetwork {
        /// The network's name.
        network: String,
        /// `sn-…`.
        id: String,
    },
}

/// One entry of BatchUpdateRule. Absent fields stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleUpdate {
    /// `rule-…`.
    pub id: String,
    /// New priority.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub priority: Option<u16>,
    /// New match.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none", default)]
    pub matches: Option<RuleMatch>,
    /// New action.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<Action>,
}

impl Step {
    /// Whether the step takes something away.
    pub fn takes_away(&self) -> bool {
        matches!(
            self,
            Self::DeregisterTargets { .. }
                | Self::DeleteRule { .. }
                | Self::DeleteListener { .. }
                | Self::DeleteAssociation { .. }
                | Self::DeleteService { .. }
                | Self::DeleteTargetGroup { .. }
                | Self::DeleteVpcAssociation { .. }
                | Self::DeleteNetwork { .. }
        )
    }

    /// Whether the step only waits and changes nothing.
    pub fn is_wait(&self) -> bool {
        matches!(
            self,
            Self::AwaitTargetGroup { .. }
                | Self::AwaitService { .. }
                | Self::AwaitAssociation { .. }
                | Self::AwaitVpcAssociation { .. }
                | Self::AwaitAssociationGone { .. }
                | Self::AwaitServiceGone { .. }
                | Self::AwaitDrained { .. }
                | Self::AwaitTargetGroupGone { .. }
                | Self::AwaitVpcAssociationGone { .. }
        )
    }
}
