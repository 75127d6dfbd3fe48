//! Which code a reason, or what a plan leaves out, has.

use super::Code;
use crate::{conditions, reasons};
use trellis_lattice::Blocked;

impl Code {
    /// The code that is written so, such as `TRL0031`, in whatever case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.to_string().eq_ignore_ascii_case(text.trim()))
    }

    /// The code of a condition that is not as wanted, by its type and reason; none where the reason says that all is well.
    pub fn of_condition(kind: &str, reason: &str) -> Option<Self> {
        match kind {
            conditions::REFUSED_TARGETS => return Some(Self::TargetsRefused),
            conditions::KEPT_RULES => return Some(Self::Kept),
            conditions::RESOLVED_REFS if reason == reasons::UNSUPPORTED_PROTOCOL => {
                return Some(Self::AppProtocol);
            }
            _ => {}
        }
        Self::of_reason(reason)
    }

    /// The code of a reason; none of one that says that all is well.
    fn of_reason(reason: &str) -> Option<Self> {
        Some(match reason {
            reasons::ACCEPTED
            | reasons::PROGRAMMED
            | reasons::RESOLVED_REFS
            | reasons::VALID
            | reasons::ASSOCIATED
            | reasons::BY_ENDPOINT
            | reasons::BY_ANNOTATION
            | reasons::SAME_HOSTNAME
            | reasons::NAMED
            | reasons::EXTERNAL_GROUP
            | reasons::HEALTHY
            | reasons::HEALTH_CHECK_UNAVAILABLE => return None,
            reasons::EDIT_REFUSED | reasons::KEPT => Self::Kept,
            reasons::PENDING => Self::Pending,
            reasons::SHADOWED => Self::PartlyServed,
            reasons::NO_BACKEND => Self::NoTlsBackend,
            reasons::CONFLICTED => Self::Conflicted,
            reasons::NOT_WRITTEN => Self::NotWritten,
            reasons::UNSUPPORTED_VALUE => Self::UnsupportedValue,
            reasons::UNSUPPORTED_PROTOCOL => Self::ListenerProtocol,
            reasons::UNSUPPORTED_ADDRESS => Self::Addresses,
            reasons::LISTENERS_NOT_VALID => Self::ListenersNotValid,
            reasons::PROTOCOL_CONFLICT | reasons::HOSTNAME_CONFLICT => Self::ListenerConflict,
            reasons::PORT_UNAVAILABLE => Self::ListenerPort,
            reasons::INVALID_ROUTE_KINDS => Self::RouteKinds,
            reasons::INVALID_CERTIFICATE_REF => Self::CertificateRef,
            reasons::NO_MATCHING_PARENT => Self::ParentNotFound,
            reasons::NOT_ALLOWED_BY_LISTENERS => Self::NotAllowed,
            reasons::NO_MATCHING_LISTENER_HOSTNAME => Self::NoListenerHostname,
            reasons::BACKEND_NOT_FOUND => Self::BackendNotFound,
            reasons::INVALID_KIND => Self::BackendKind,
            reasons::INVALID_EXTERNAL_GROUP
            | reasons::EXTERNAL_GROUP_NOT_FOUND
            | reasons::CONFLICTING_ANNOTATIONS => Self::ExternalGroup,
            reasons::REF_NOT_PERMITTED => Self::RefNotPermitted,
            reasons::TARGET_NOT_FOUND => Self::PolicyTarget,
            reasons::INITIAL | reasons::UNHEALTHY | reasons::UNUSED | reasons::NOT_PROGRAMMED => {
                Self::NotHealthy
            }
            reasons::FUNCTION_NOT_FOUND => Self::FunctionNotFound,
            reasons::INVOKE_NOT_PERMITTED => Self::InvokeNotPermitted,
            reasons::SCALING_GROUP_NOT_FOUND => Self::ScalingGroupNotFound,
            reasons::LOAD_BALANCER_NOT_FOUND => Self::LoadBalancerNotFound,
            reasons::LOAD_BALANCER_UNFIT => Self::LoadBalancerUnfit,
            reasons::INVALID_BACKEND => Self::BackendValue,
            reasons::INVALID_RESOURCE_GATEWAY => Self::ResourceValue,
            reasons::RESOURCE_GATEWAY_NOT_FOUND => Self::ResourceGatewayNotFound,
            reasons::DELETE_BLOCKED => Self::DeleteBlocked,
            reasons::NOT_WANTED => Self::NotAssociated,
            reasons::ACCESS_DENIED => Self::AccessDenied,
            reasons::ASSOCIATED_ELSEWHERE => Self::AssociatedElsewhere,
            // Also what is not of ours: a reason that a later version writes is no less of a finding.
            _ => Self::Invalid,
        })
    }

    /// The code of what a plan leaves out.
    pub const fn of_blocked(blocked: &Blocked) -> Self {
        match blocked {
            Blocked::ServiceNameTaken { .. } => Self::ServiceNameTaken,
            Blocked::TargetGroupNameTaken { .. } => Self::TargetGroupNameTaken,
            Blocked::NetworkMissing { .. } => Self::NetworkMissing,
            Blocked::DomainTaken { .. } => Self::DomainTaken,
            Blocked::VpcAssociatedElsewhere { .. } => Self::AssociatedElsewhere,
            Blocked::EndpointWithoutSubnets { .. } => Self::EndpointWithoutSubnets,
            Blocked::NetworkAmbiguous { .. } => Self::NetworkAmbiguous,
            Blocked::NetworkUnseen { .. } => Self::NetworkUnseen,
            Blocked::NetworkNotAllowed { .. } => Self::NetworkNotAllowed,
            Blocked::ListenerPortTaken { .. } => Self::ListenerPortTaken,
            Blocked::NoPriorityLeft { .. } => Self::NoPriorityLeft,
            Blocked::QuotaExceeded { .. } => Self::QuotaExceeded,
            Blocked::TargetGroupMissing { .. } => Self::TargetGroupMissing,
            Blocked::TargetGroupInUse { .. } => Self::TargetGroupInUse,
            Blocked::ServiceInUse { .. } => Self::ServiceInUse,
            Blocked::SecurityGroupsKept { .. } => Self::SecurityGroupsKept,
            Blocked::VpcAssociationOfOthers { .. } => Self::VpcAssociationOfOthers,
            Blocked::AccessLogTaken { .. } => Self::AccessLogTaken,
            Blocked::AuthPolicyOfOthers { .. } => Self::AuthPolicyOfOthers,
            Blocked::AuthOfOthers { .. } => Self::AuthOfOthers,
            Blocked::AccessLogsOfOthers { .. } => Self::AccessLogsOfOthers,
            Blocked::ResourceNameTaken { .. } => Self::ResourceNameTaken,
            Blocked::ResourceGatewayMissing { .. } => Self::ResourceGatewayNotFound,
            Blocked::ResourceGatewayInUse { .. } => Self::ResourceGatewayInUse,
            Blocked::ResourceInUse { .. } => Self::ResourceInUse,
            Blocked::ResourceDomainTaken { .. } => Self::ResourceDomainTaken,
        }
    }
}
