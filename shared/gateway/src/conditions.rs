//! Types of conditions in statuses.

/// The object, or the parent, takes it.
pub(crate) const ACCEPTED: &str = "Accepted";
/// VPC Lattice has it.
pub(crate) const PROGRAMMED: &str = "Programmed";
/// All references lead somewhere.
pub(crate) const RESOLVED_REFS: &str = "ResolvedRefs";
/// Rules of a route were dropped. Stands only while it is true.
pub(crate) const PARTIALLY_INVALID: &str = "PartiallyInvalid";
/// A listener cannot be told from another. Stands only while it is true.
pub(crate) const CONFLICTED: &str = "Conflicted";
/// A ServiceExport can be imported.
pub(crate) const VALID: &str = "Valid";
/// VPC Lattice does not take some of the targets. Stands only while it is true.
pub(crate) const REFUSED_TARGETS: &str = "application-networking.k8s.aws/RefusedTargets";
/// A service has rules from before an edit that cannot be had. Stands only while it is true.
pub(crate) const KEPT_RULES: &str = "application-networking.k8s.aws/KeptRules";
/// Routes with one service tell of each other. Stands only while it is true.
pub(crate) const SHARED_SERVICE: &str = "application-networking.k8s.aws/SharedService";
/// What services are for whose names do not tell. Stands only while there are some.
pub(crate) const SERVICE_NAMES: &str = "application-networking.k8s.aws/ServiceNames";
/// A route is merged with those of its name in other clusters. Stands only while it is true.
pub(crate) const MERGED: &str = "application-networking.k8s.aws/MergedRoutes";
/// A route's services are in no service network. Stands only while it is true.
pub(crate) const STANDALONE: &str = "application-networking.k8s.aws/Standalone";
/// Of a ServiceImport that names a target group: whether there is one that routes can lead to.
pub(crate) const TARGET_GROUP: &str = "application-networking.k8s.aws/TargetGroup";
/// ExternalDNS is not told of a route's hostnames. Stands only while that is so.
pub(crate) const DNS_ENDPOINT: &str = "application-networking.k8s.aws/DNSEndpoint";
/// By which domain names of an endpoint a Gateway's VPC reaches services. Stands only while it comes by an endpoint that has some.
pub(crate) const ENDPOINT_NAMES: &str = "application-networking.k8s.aws/EndpointNames";
/// Whether the VPC of a Gateway's cluster reaches the Gateway: the specification has no condition for it. It is there once
/// the service network exists, and nobody else writes a condition of this type: it marks a Gateway as one that we have
/// programmed.
pub(crate) const VPC_ASSOCIATED: &str = "application-networking.k8s.aws/VpcAssociated";
