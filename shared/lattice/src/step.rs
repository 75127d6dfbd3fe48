//! The plan's types.

use crate::blocked::Blocked;
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
    /// Whether all steps from number `from` on only clear away what is not wanted any more. Nobody who asked for something
    /// has to wait for that.
    pub fn only_clears(&self, from: usize) -> bool {
        self.steps.iter().skip(from).all(|step| step.takes_away() || step.awaits_removal())
    }

    /// What the first wait from step number `from` on waits for, unless from there on it is only cleared away.
    pub fn waits_for(&self, from: usize) -> Option<String> {
        let first = self.steps.iter().enumerate().skip(from).find(|(_, step)| step.is_wait());
        let (_, step) = first.filter(|(at, _)| !self.only_clears(*at))?;
        step.awaited().map(|text| format!("waiting for {text}"))
    }

    /// Whether nothing is to be changed. Waiting for what is already under way is no change.
    pub fn is_settled(&self) -> bool {
        self.steps.iter().all(Step::is_wait)
    }
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
    /// Wait until VPC Lattice's data plane, which follows its API a moment later, sends no more requests to target groups
    /// that rules have just been moved away from: their targets must serve until then.
    AwaitPropagation {
        /// The target groups' names.
        target_groups: BTreeSet<String>,
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

    /// The service whose requests may take another way after the step.
    pub fn moves_requests_of(&self) -> Option<&str> {
        match self {
            Self::CreateListener { service, .. }
            | Self::UpdateListener { service, .. }
            | Self::UpdateRules { service, .. }
            | Self::CreateRule { service, .. }
            | Self::DeleteRule { service, .. }
            | Self::DeleteListener { service, .. } => Some(service),
            _ => None,
        }
    }

    /// Whether the step only waits and changes nothing.
    pub fn is_wait(&self) -> bool {
        self.awaits_removal()
            || matches!(
                self,
                Self::AwaitTargetGroup { .. }
                    | Self::AwaitService { .. }
                    | Self::AwaitAssociation { .. }
                    | Self::AwaitVpcAssociation { .. }
            )
    }

    /// Whether the step waits for the end of something.
    pub fn awaits_removal(&self) -> bool {
        matches!(
            self,
            Self::AwaitPropagation { .. }
                | Self::AwaitAssociationGone { .. }
                | Self::AwaitServiceGone { .. }
                | Self::AwaitDrained { .. }
                | Self::AwaitTargetGroupGone { .. }
                | Self::AwaitVpcAssociationGone { .. }
        )
    }

    /// What a wait waits for, in words that follow "waiting for"; none for other steps.
    pub fn awaited(&self) -> Option<String> {
        let text = match self {
            Self::AwaitAssociation { service, network } => {
                format!("service {service} to be associated with service network {network}")
            }
            Self::AwaitVpcAssociation { network, vpc } => {
                format!("VPC {vpc} to be associated with service network {network}")
            }
            Self::AwaitTargetGroup { target_group } => {
                format!("target group {target_group} to become active")
            }
            Self::AwaitService { service } => format!("service {service} to become active"),
            Self::AwaitPropagation { target_groups } => {
                let names: Vec<&str> = target_groups.iter().map(String::as_str).collect();
                format!("requests to leave target group {}", names.join(", "))
            }
            Self::AwaitAssociationGone { service, network, .. } => {
                format!("service {service} to leave service network {network}")
            }
            Self::AwaitServiceGone { service, .. } => format!("service {service} to be deleted"),
            Self::AwaitDrained { target_group, .. } => format!("targets of {target_group} to drain"),
            Self::AwaitTargetGroupGone { target_group, .. } => {
                format!("target group {target_group} to be deleted")
            }
            Self::AwaitVpcAssociationGone { network, vpc, .. } => {
                format!("VPC {vpc} to leave service network {network}")
            }
            _ => return None,
        };
        Some(text)
    }
}
