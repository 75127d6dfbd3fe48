//! What stands in the way of a wish.

use crate::Holder;
use crate::names::is_network_id;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};

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
    /// A custom domain is one service's in a service network, and another one has it that does not give way.
    DomainTaken {
        /// The domain.
        domain: String,
        /// The network's name.
        network: String,
        /// ARN of the service that has it.
        arn: String,
        /// The unit that it is of, if it is one of this installation.
        unit: Option<String>,
    },
    /// A VPC can be associated with one service network only, and is with another.
    VpcAssociatedElsewhere {
        /// The VPC's id.
        vpc: String,
        /// The other network's name.
        network: String,
    },
    /// A VPC's endpoint is wanted and there is no subnet to put it into.
    EndpointWithoutSubnets {
        /// The VPC's id.
        vpc: String,
        /// The network's name.
        network: String,
    },
    /// Several service networks bear the name (one's own and shared ones).
    NetworkAmbiguous {
        /// The network's name.
        network: String,
    },
    /// A service network of that name is there, since a VPC is associated with it, and nobody shows it: another account may share
    /// it no more. None is made in its place.
    NetworkUnseen {
        /// The network's name.
        network: String,
    },
    /// The service network exists, is not of this installation, and nobody has allowed its use. Nothing is associated
    /// with it; associations that are there stay.
    NetworkNotAllowed {
        /// The network's name.
        network: String,
        /// Its ARN.
        arn: String,
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
        /// The name of the service, target group or service network.
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
        /// Those that it keeps.
        security_groups: BTreeSet<String>,
    },
    /// Security groups or private DNS are wanted for an association that somebody else made.
    VpcAssociationOfOthers {
        /// The network's name.
        network: String,
        /// The VPC's id.
        vpc: String,
        /// `snva-…`.
        id: String,
    },
    /// Access logs of a type go where somebody else wants them: a holder has one subscription of each type.
    AccessLogTaken {
        /// Whose requests are logged.
        holder: Holder,
        /// ARN of the destination that stands.
        destination: String,
        /// ARN of the subscription.
        arn: String,
    },
    /// An auth policy is wanted where a person has written one. That one stays, and nothing new is associated.
    AuthPolicyOfOthers {
        /// The service or the network.
        holder: Holder,
    },
    /// An auth policy is wanted for what is not ours.
    AuthOfOthers {
        /// The service or the network.
        holder: Holder,
    },
    /// The name of a resource gateway or a resource configuration is taken by one that is not this unit's.
    ResourceNameTaken {
        /// The name.
        name: String,
        /// Its ARN.
        arn: String,
        /// The unit that has it, if it is one of this installation.
        unit: Option<String>,
    },
    /// A resource configuration needs a resource gateway that is not there, or not yet.
    ResourceGatewayMissing {
        /// The gateway's name.
        gateway: String,
    },
    /// A resource gateway cannot be deleted, since resource configurations lead through it.
    ResourceGatewayInUse {
        /// The gateway's name.
        gateway: String,
        /// Names of the configurations.
        users: BTreeSet<String>,
    },
    /// A resource configuration cannot be deleted, since an association that is not ours holds it.
    ResourceInUse {
        /// The configuration's name.
        configuration: String,
        /// The associated network's name.
        network: String,
    },
    /// Another resource has the custom domain in a service network, and does not leave it.
    ResourceDomainTaken {
        /// The domain.
        domain: String,
        /// The network's name.
        network: String,
    },
    /// Access logs are wanted of what is not ours.
    AccessLogsOfOthers {
        /// The service or the network.
        holder: Holder,
    },
}

impl Blocked {
    /// Whether it is a policy's matter: its target does without what the policy asks for.
    pub fn is_of_policy(&self) -> bool {
        matches!(
            self,
            Self::AccessLogTaken { .. }
                | Self::AccessLogsOfOthers { .. }
                | Self::SecurityGroupsKept { .. }
                | Self::VpcAssociationOfOthers { .. }
        )
    }

    /// Whether nothing comes into a service network until a person has done something.
    pub fn bars(&self, name: &str) -> bool {
        matches!(
            self,
            Self::NetworkNotAllowed { network, .. } | Self::NetworkAmbiguous { network } | Self::NetworkUnseen { network }
                if network == name
        )
    }
}

impl Display for Blocked {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::ServiceNameTaken { service, arn, unit } => {
                name_taken(f, &format!("service name {service}"), arn, unit.as_ref())
            }
            Self::TargetGroupNameTaken { target_group, arn } => {
                write!(
                    f,
                    "target group name {target_group} is taken by {arn}, which is not this object's or was changed"
                )
            }
            Self::NetworkMissing { network } => missing(f, network),
            Self::DomainTaken { domain, network, arn, unit } => {
                taken(f, domain, network, unit.as_ref().unwrap_or(arn))
            }
            Self::VpcAssociatedElsewhere { vpc, network } => {
                write!(f, "VPC {vpc} is associated with service network {network}, and can be with one only")
            }
            Self::EndpointWithoutSubnets { vpc, network } => {
                write!(f, "no subnet of VPC {vpc} is known for its endpoint of service network {network}")
            }
            Self::NetworkAmbiguous { network } => write!(f, "several service networks are named {network}"),
            Self::NetworkUnseen { network } => unseen(f, network),
            Self::NetworkNotAllowed { network, arn } => {
                write!(
                    f,
                    "service network {network} ({arn}) is not this installation's, and its use is not allowed"
                )
            }
            Self::ListenerPortTaken { service, port } => {
                write!(
                    f,
                    "port {port} of service {service} has a listener that this installation does not own"
                )
            }
            Self::NoPriorityLeft { service, port } => {
                write!(
                    f,
                    "rules at {service}:{port} that this installation does not own leave too few priorities"
                )
            }
            Self::QuotaExceeded { resource, quota, limit } => {
                write!(
                    f,
                    "{resource} would exceed the quota {quota} of {limit}; it can be raised in Service Quotas"
                )
            }
            Self::TargetGroupMissing { service, port, target_group } => {
                write!(
                    f,
                    "the listener {service}:{port} needs target group {target_group}, which cannot be used"
                )
            }
            Self::TargetGroupInUse { target_group, service } => {
                write!(f, "target group {target_group} is used by service {service}, and can be by one only")
            }
            Self::ServiceInUse { service, network } => {
                held_by_others(f, &format!("service {service}"), network)
            }
            Self::SecurityGroupsKept { network, vpc, security_groups } => {
                groups_kept(f, network, vpc, security_groups)
            }
            Self::VpcAssociationOfOthers { network, vpc, id } => write!(
                f,
                "the VPC association {network} {vpc} ({id}) is not this installation's, and so are its security groups \
                 and its private DNS"
            ),
            Self::AccessLogTaken { holder, destination, arn } => write!(
                f,
                "{holder} sends its access logs to {destination} by {arn}, which this installation does not own"
            ),
            Self::AuthPolicyOfOthers { holder } => {
                write!(f, "{holder} has an auth policy that this installation did not write")
            }
            Self::AuthOfOthers { holder } => {
                write!(f, "{holder} is not this unit's, and so is its auth policy")
            }
            Self::ResourceNameTaken { name, arn, unit } => {
                name_taken(f, &format!("the name {name}"), arn, unit.as_ref())
            }
            Self::ResourceGatewayMissing { gateway } => {
                write!(f, "resource gateway {gateway} does not exist yet")
            }
            Self::ResourceGatewayInUse { gateway, users } => {
                write!(
                    f,
                    "resource gateway {gateway} stays as long as these lead through it: {}",
                    listed(users)
                )
            }
            Self::ResourceInUse { configuration, network } => {
                held_by_others(f, &format!("resource configuration {configuration}"), network)
            }
            Self::ResourceDomainTaken { domain, network } => {
                write!(f, "the domain {domain} is another resource's in service network {network}")
            }
            Self::AccessLogsOfOthers { holder } => {
                write!(f, "{holder} is not this unit's, and so are its access logs")
            }
        }
    }
}

fn missing(f: &mut Formatter<'_>, network: &str) -> Result {
    if is_network_id(network) {
        return write!(f, "no service network with the id {network} is there, or shared with this account");
    }
    write!(f, "service network {network} does not exist; a Gateway of that name creates it")
}

fn unseen(f: &mut Formatter<'_>, network: &str) -> Result {
    write!(
        f,
        "service network {network} is not shown, and a VPC is associated with one of that name: none is made in its place"
    )
}

fn groups_kept(f: &mut Formatter<'_>, network: &str, vpc: &str, groups: &BTreeSet<String>) -> Result {
    write!(
        f,
        "the VPC association {network} {vpc} keeps its security groups {}: VPC Lattice cannot remove the last one from an \
         association",
        listed(groups)
    )
}

fn name_taken(f: &mut Formatter<'_>, name: &str, arn: &str, unit: Option<&String>) -> Result {
    match unit {
        Some(unit) => write!(f, "{name} is taken by {unit} ({arn})"),
        None => write!(f, "{name} is taken by {arn}, which this installation does not own"),
    }
}

fn held_by_others(f: &mut Formatter<'_>, what: &str, network: &str) -> Result {
    write!(
        f,
        "{what} cannot be deleted: its association with service network {network} is not this installation's"
    )
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}

fn taken(f: &mut Formatter<'_>, domain: &str, network: &str, by: &str) -> Result {
    write!(f, "the hostname {domain} is taken in service network {network} by {by}")
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
    /// Service associations per service network.
    ServicesPerNetwork,
}

impl Display for Quota {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::RulesPerListener => "Rules per listener (L-CF78395E)",
            Self::ListenersPerService => "Listeners per service (L-D64E952E)",
            Self::TargetGroupsPerService => "Target groups per service (L-3DEC3B9F)",
            Self::TargetsPerTargetGroup => "Targets per target group (L-D71303F3)",
            Self::ServicesPerNetwork => "Service associations per service network (L-75D4A19E)",
        })
    }
}
