//! Reasons of conditions: the Gateway API's where it has one.

/// The condition holds.
pub(crate) const ACCEPTED: &str = "Accepted";
/// The condition holds.
pub(crate) const PROGRAMMED: &str = "Programmed";
/// The condition holds.
pub(crate) const RESOLVED_REFS: &str = "ResolvedRefs";
/// The condition holds.
pub(crate) const VALID: &str = "Valid";
/// The VPC is associated.
pub(crate) const ASSOCIATED: &str = "Associated";
/// The VPC has an endpoint.
pub(crate) const BY_ENDPOINT: &str = "ByEndpoint";
/// The user asks for it.
pub(crate) const BY_ANNOTATION: &str = "ByAnnotation";
/// What was there before an edit that cannot be had stays.
pub(crate) const EDIT_REFUSED: &str = "EditRefused";
/// Routes have one hostname.
pub(crate) const SAME_HOSTNAME: &str = "SameHostname";
/// A name is told.
pub(crate) const NAMED: &str = "Named";
/// It is under way, or not known yet.
pub(crate) const PENDING: &str = "Pending";
/// What the object asks for cannot be had.
pub(crate) const INVALID: &str = "Invalid";
/// What the object asks for cannot be had; what VPC Lattice keeps for it, and has for others in its service, is in place.
pub(crate) const KEPT: &str = "Kept";
/// Other routes have some of what the object asks for; all else of it is in place.
pub(crate) const SHADOWED: &str = "Shadowed";
/// No backend takes what a TLSRoute asks to pass on; all else of it is in place.
pub(crate) const NO_BACKEND: &str = "NoBackend";
/// Reasons of a Programmed condition that is not true and still tells that all is in place that can be.
pub(crate) const DONE: [&str; 3] = [KEPT, SHADOWED, NO_BACKEND];
/// Something else is in the way.
pub(crate) const CONFLICTED: &str = "Conflicted";
/// An object that is made of this one cannot be written.
pub(crate) const NOT_WRITTEN: &str = "NotWritten";
/// VPC Lattice cannot do what a field asks for.
pub(crate) const UNSUPPORTED_VALUE: &str = "UnsupportedValue";
/// VPC Lattice does not speak the protocol.
pub(crate) const UNSUPPORTED_PROTOCOL: &str = "UnsupportedProtocol";
/// VPC Lattice takes no addresses.
pub(crate) const UNSUPPORTED_ADDRESS: &str = "UnsupportedAddress";
/// Some or all listeners are no good.
pub(crate) const LISTENERS_NOT_VALID: &str = "ListenersNotValid";
/// Listeners of one port have protocols that do not go together.
pub(crate) const PROTOCOL_CONFLICT: &str = "ProtocolConflict";
/// Listeners of one port have one hostname.
pub(crate) const HOSTNAME_CONFLICT: &str = "HostnameConflict";
/// The port is none.
pub(crate) const PORT_UNAVAILABLE: &str = "PortUnavailable";
/// A listener cannot carry the kind.
pub(crate) const INVALID_ROUTE_KINDS: &str = "InvalidRouteKinds";
/// A certificate cannot be of the kind.
pub(crate) const INVALID_CERTIFICATE_REF: &str = "InvalidCertificateRef";
/// The parent, or the listener, is not there.
pub(crate) const NO_MATCHING_PARENT: &str = "NoMatchingParent";
/// No listener takes routes of the kind or namespace.
pub(crate) const NOT_ALLOWED_BY_LISTENERS: &str = "NotAllowedByListeners";
/// No hostname is within a listener's.
pub(crate) const NO_MATCHING_LISTENER_HOSTNAME: &str = "NoMatchingListenerHostname";
/// The backend, or its port, is not there.
pub(crate) const BACKEND_NOT_FOUND: &str = "BackendNotFound";
/// A backend cannot be of the kind.
pub(crate) const INVALID_KIND: &str = "InvalidKind";
/// An import's annotation names no target group that its routes can lead to.
pub(crate) const INVALID_EXTERNAL_GROUP: &str = "InvalidExternalTargetGroup";
/// The target group that an import's annotation names is not there.
pub(crate) const EXTERNAL_GROUP_NOT_FOUND: &str = "ExternalTargetGroupNotFound";
/// An import's annotations name both a target group and exports.
pub(crate) const CONFLICTING_ANNOTATIONS: &str = "ConflictingServiceImportAnnotations";
/// An import stands for a target group that its annotation names.
pub(crate) const EXTERNAL_GROUP: &str = "ExternalTargetGroup";
/// A Backend is nothing that the route can lead to.
pub(crate) const INVALID_BACKEND: &str = "InvalidBackend";
/// The function that a Backend names is not there.
pub(crate) const FUNCTION_NOT_FOUND: &str = "FunctionNotFound";
/// VPC Lattice may not invoke the function that a Backend names.
pub(crate) const INVOKE_NOT_PERMITTED: &str = "InvokeNotPermitted";
/// The Auto Scaling group that a Backend names is not there.
pub(crate) const SCALING_GROUP_NOT_FOUND: &str = "AutoScalingGroupNotFound";
/// The load balancer that a Backend names is not there.
pub(crate) const LOAD_BALANCER_NOT_FOUND: &str = "LoadBalancerNotFound";
/// VPC Lattice leads to no load balancer of that kind.
pub(crate) const LOAD_BALANCER_UNFIT: &str = "LoadBalancerUnfit";
/// The ResourceGateway that a ResourceConfiguration names is not there.
pub(crate) const RESOURCE_GATEWAY_NOT_FOUND: &str = "ResourceGatewayNotFound";
/// The ResourceGateway that a ResourceConfiguration names cannot be had as it is written.
pub(crate) const INVALID_RESOURCE_GATEWAY: &str = "InvalidResourceGateway";
/// No ReferenceGrant lets the reference be.
pub(crate) const REF_NOT_PERMITTED: &str = "RefNotPermitted";
/// What a policy names is not there, or not ours; a target is not registered.
pub(crate) const TARGET_NOT_FOUND: &str = "TargetNotFound";
/// A target takes requests.
pub(crate) const HEALTHY: &str = "Healthy";
/// A target takes requests, and is not checked.
pub(crate) const HEALTH_CHECK_UNAVAILABLE: &str = "HealthCheckUnavailable";
/// A target waits for its first check.
pub(crate) const INITIAL: &str = "Initial";
/// A target fails its checks.
pub(crate) const UNHEALTHY: &str = "Unhealthy";
/// No service leads to a target.
pub(crate) const UNUSED: &str = "Unused";
/// There is no target, and none is coming.
pub(crate) const NOT_PROGRAMMED: &str = "NotProgrammed";
/// Reasons for which a Pod waits: with those of a target that takes requests, the AWS Gateway API Controller's.
pub(crate) const POD_WAITS: [&str; 4] = [INITIAL, UNHEALTHY, UNUSED, TARGET_NOT_FOUND];
/// What is being deleted is still used, as the AWS Gateway API Controller says it.
pub(crate) const DELETE_BLOCKED: &str = "DeleteBlocked";
/// The VPC is not to be associated.
pub(crate) const NOT_WANTED: &str = "NotWanted";
/// It is not for this account to do.
pub(crate) const ACCESS_DENIED: &str = "AccessDenied";
/// The VPC is with another service network.
pub(crate) const ASSOCIATED_ELSEWHERE: &str = "AssociatedElsewhere";
