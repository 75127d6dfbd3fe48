use super::vpc_status;
use trellis_hint::UnitKey;
use trellis_lattice::names::is_network_id;
use trellis_lattice::{Blocked, Desired, Quota};

/// Whether a wish that cannot be met is in the way of what a route has in a service network. `elsewhere` tells of a service whether
/// the route has it, and not there: then what is in its way is nothing to that network.
pub(super) fn concerns(
    blocked: &Blocked,
    network: &str,
    desired: Option<&Desired>,
    elsewhere: impl Fn(&str) -> bool,
) -> bool {
    let of_group = |group: &str| {
        let services = desired.map(|desired| desired.services.as_slice()).unwrap_or_default();
        let mut users = services.iter().filter(|one| one.target_groups().contains(group)).peekable();
        users.peek().is_none() || users.any(|one| !elsewhere(&one.name))
    };
    match blocked {
        Blocked::NetworkMissing { network: named }
        | Blocked::DomainTaken { network: named, .. }
        | Blocked::NetworkAmbiguous { network: named }
        | Blocked::NetworkUnseen { network: named }
        | Blocked::NetworkNotAllowed { network: named, .. } => named == network,
        Blocked::QuotaExceeded { resource, quota: Quota::ServicesPerNetwork, .. } => resource == network,
        Blocked::QuotaExceeded { resource, quota: Quota::TargetsPerTargetGroup, .. } => of_group(resource),
        Blocked::QuotaExceeded { resource: service, .. }
        | Blocked::ServiceNameTaken { service, .. }
        | Blocked::ListenerPortTaken { service, .. }
        | Blocked::NoPriorityLeft { service, .. }
        | Blocked::TargetGroupMissing { service, .. } => !elsewhere(service),
        Blocked::TargetGroupNameTaken { target_group, .. }
        | Blocked::TargetGroupInUse { target_group, .. } => of_group(target_group),
        // A route's unit asks for no VPC, no resource and nothing of a network, and what is to go is in no parent's way alone.
        Blocked::ServiceInUse { .. }
        | Blocked::VpcAssociatedElsewhere { .. }
        | Blocked::EndpointWithoutSubnets { .. }
        | Blocked::SecurityGroupsKept { .. }
        | Blocked::VpcAssociationOfOthers { .. }
        | Blocked::AccessLogTaken { .. }
        | Blocked::AuthPolicyOfOthers { .. }
        | Blocked::AuthOfOthers { .. }
        | Blocked::AccessLogsOfOthers { .. }
        | Blocked::ResourceNameTaken { .. }
        | Blocked::ResourceGatewayMissing { .. }
        | Blocked::ResourceGatewayInUse { .. }
        | Blocked::ResourceInUse { .. }
        | Blocked::ResourceDomainTaken { .. } => true,
    }
}

/// The same of resources and their gateways.
fn of_resource(blocked: &Blocked) -> String {
    match blocked {
        Blocked::ResourceNameTaken { name, arn, unit } => {
            format!("The name {name} is taken by {arn}{}; delete that one.", of_unit(unit.as_ref()))
        }
        Blocked::ResourceGatewayMissing { .. } => {
            "VPC Lattice does not have the resource gateway yet; see the status of the ResourceGateway."
                .to_owned()
        }
        Blocked::ResourceGatewayInUse { gateway, users } => format!(
            "The resource gateway {gateway} goes when these resource configurations are gone, which lead through it: {}.",
            users.iter().cloned().collect::<Vec<_>>().join(", ")
        ),
        Blocked::ResourceInUse { configuration, network } => format!(
            "The resource configuration {configuration} cannot be deleted, since somebody else has associated it with the \
             service network {network}; delete that association."
        ),
        Blocked::ResourceDomainTaken { domain, network } => format!(
            "The domain {domain} is another resource's in the service network {network}; delete that one's association."
        ),
        other => other.to_string(),
    }
}

/// A wish that cannot be met, for people: what is in the way and what helps.
pub(super) fn text(blocked: &Blocked) -> String {
    match blocked {
        Blocked::ServiceNameTaken { service, arn, unit } => format!(
            "The service name {service} is taken by {arn}{}; give this route another name with the annotation \
             application-networking.k8s.aws/service-name-override.",
            of_unit(unit.as_ref())
        ),
        Blocked::TargetGroupNameTaken { target_group, arn } => {
            format!(
                "The target group name {target_group} is taken by {arn}, which is not ours; delete that one."
            )
        }
        Blocked::NetworkMissing { network } if is_network_id(network) => format!(
            "No service network with the id {network} is there, or shared with this account and accepted in Resource Access \
             Manager. Correct the Gateway's name or the share; if it is shared and no listing shows it, name its ARN in the \
             installation's parameter AllowedNetworks."
        ),
        Blocked::NetworkMissing { network } => {
            format!("The service network {network} does not exist yet; see the status of Gateway {network}.")
        }
        Blocked::DomainTaken { domain, network, arn, unit } => {
            format!(
                "The hostname {domain} is taken in the service network {network}: {}.",
                whose(arn, unit.as_deref())
            )
        }
        Blocked::VpcAssociatedElsewhere { vpc, network } => format!(
            "The VPC {vpc} is associated with the service network {network} already, and a VPC can have one only; \
             delete that association, name the Gateway {network}, or annotate it with {}.",
            vpc_status::BY_ENDPOINT
        ),
        Blocked::EndpointWithoutSubnets { vpc, network } => format!(
            "No subnet of the VPC {vpc} is known for its endpoint of the service network {network}; name some in the Gateway's \
             annotation application-networking.k8s.aws/vpc-endpoint-subnet-ids."
        ),
        Blocked::NetworkAmbiguous { network } => format!(
            "Several service networks bear the name {network}; name the one that is meant by its ARN in the installation's \
             parameter AllowedNetworks, or the Gateway by its id."
        ),
        Blocked::NetworkUnseen { network } => format!(
            "A VPC is associated with a service network {network} that this account is not shown: its owner shares it no more, \
             or no listing shows it. What is there stays. Ask for the share, and name the network's ARN in the installation's \
             parameter AllowedNetworks; or delete the association of the VPC, and a network of that name is made here."
        ),
        Blocked::NetworkNotAllowed { network, arn } => format!(
            "A service network {network} exists ({arn}) that this installation did not make and may not use; rename the \
             Gateway, or name the network in the installation's parameter AllowedNetworks, by this ARN if it is another account's."
        ),
        Blocked::ListenerPortTaken { service, port } => format!(
            "Port {port} of the service {service} is taken by a listener that is not ours; delete that one."
        ),
        Blocked::NoPriorityLeft { service, port } => format!(
            "Rules that are not ours leave too few priorities on port {port} of the service {service}; delete some."
        ),
        Blocked::QuotaExceeded { resource, quota, limit } => format!(
            "{resource} would exceed the quota {} of {limit}; ask for less or raise the quota.",
            quota_name(*quota)
        ),
        Blocked::TargetGroupMissing { service, port, target_group } => format!(
            "The listener on port {port} of the service {service} leads to the target group {target_group}, which is \
             not usable; see the other causes named here."
        ),
        Blocked::TargetGroupInUse { target_group, service } => format!(
            "The target group {target_group} is used by the service {service} and can be used by one only; take it \
             out of that one."
        ),
        Blocked::ServiceInUse { service, network } => format!(
            "The service {service} cannot be deleted while an association that is not ours holds it in the service \
             network {network}; delete that association."
        ),
        Blocked::SecurityGroupsKept { network, vpc, security_groups } => format!(
            "The association of the VPC {vpc} with the service network {network} keeps the security groups {}, since VPC \
             Lattice takes the last one off no association. {}",
            security_groups.iter().cloned().collect::<Vec<_>>().join(", "),
            super::HOW_TO_BE_RID_OF_GROUPS
        ),
        Blocked::VpcAssociationOfOthers { network, vpc, id } => format!(
            "This installation did not make the association {id} of the VPC {vpc} with the service network {network}; its \
             security groups and its private DNS are its owner's to set. Delete it, and one is made as the policy says."
        ),
        Blocked::AccessLogTaken { holder, destination, arn } => format!(
            "The {holder} sends its access logs to {destination} by {arn}, which is not ours, and has one subscription of \
             each type; delete that one."
        ),
        Blocked::AuthPolicyOfOthers { holder } => format!(
            "The {holder} has an auth policy that this installation did not write, and keeps it; nothing new is associated \
             meanwhile. Delete that policy, or set the annotation application-networking.k8s.aws/replace-auth-policy of the \
             IAMAuthPolicy to \"true\"."
        ),
        Blocked::AuthOfOthers { holder } => {
            format!("The {holder} is not this installation's; its auth policy is its owner's to write.")
        }
        Blocked::ResourceNameTaken { .. }
        | Blocked::ResourceGatewayMissing { .. }
        | Blocked::ResourceGatewayInUse { .. }
        | Blocked::ResourceInUse { .. }
        | Blocked::ResourceDomainTaken { .. } => of_resource(blocked),
        Blocked::AccessLogsOfOthers { holder } => {
            format!("The {holder} is not this installation's; its access logs are its owner's to ask for.")
        }
    }
}

fn of_unit(unit: Option<&String>) -> String {
    unit.map_or_else(String::new, |unit| format!(" of {unit}"))
}

/// Who has a hostname, and what helps.
fn whose(arn: &str, unit: Option<&str>) -> String {
    match unit.and_then(|unit| unit.parse::<UnitKey>().ok()) {
        Some(UnitKey::Route { kind, cluster, namespace, name }) => format!(
            "{kind} {namespace}/{name} of cluster {} has it; give one of the two another hostname, or let one route serve both: \
             export the Service of the other cluster by a ServiceExport, and name its ServiceImport in the route's backendRefs",
            cluster.name
        ),
        Some(UnitKey::Merged { kind, namespace, name, .. }) => format!(
            "{kind} {namespace}/{name} has it, which is merged with those of that name in other clusters; give one of the two \
             another hostname, or merge this route too"
        ),
        _ => format!(
            "{arn} has it, which no route of this installation made; name another hostname, or take that out of the network"
        ),
    }
}

fn quota_name(quota: Quota) -> &'static str {
    match quota {
        Quota::RulesPerListener => "\"Rules per listener\" (L-CF78395E)",
        Quota::ListenersPerService => "\"Listeners per service\" (L-D64E952E)",
        Quota::TargetGroupsPerService => "\"Target groups per service\" (L-3DEC3B9F)",
        Quota::TargetsPerTargetGroup => "\"Targets per target group\" (L-D71303F3)",
        Quota::ServicesPerNetwork => "\"Service associations per service network\" (L-75D4A19E)",
    }
}
