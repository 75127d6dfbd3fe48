use crate::ClusterId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kinds that Trellis reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `gateway.networking.k8s.io` GatewayClass (cluster scoped).
    GatewayClass,
    /// `gateway.networking.k8s.io` Gateway.
    Gateway,
    /// `gateway.networking.k8s.io` HTTPRoute.
    HTTPRoute,
    /// `gateway.networking.k8s.io` GRPCRoute.
    GRPCRoute,
    /// `gateway.networking.k8s.io` TLSRoute.
    TLSRoute,
    /// `gateway.networking.k8s.io` ReferenceGrant.
    ReferenceGrant,
    /// `application-networking.k8s.aws` ServiceExport.
    ServiceExport,
    /// `application-networking.k8s.aws` ServiceImport.
    ServiceImport,
    /// Core Service.
    Service,
    /// `discovery.k8s.io` EndpointSlice.
    EndpointSlice,
    /// Core Namespace (its labels count for a listener's `allowedRoutes`).
    Namespace,
    /// Core Pod (its readiness gate). A change of one concerns nobody: the EndpointSlice tells of it.
    Pod,
    /// `application-networking.k8s.aws` AccessLogPolicy.
    AccessLogPolicy,
    /// `application-networking.k8s.aws` IAMAuthPolicy.
    IAMAuthPolicy,
    /// `application-networking.k8s.aws` TargetGroupPolicy.
    TargetGroupPolicy,
    /// `application-networking.k8s.aws` VpcAssociationPolicy.
    VpcAssociationPolicy,
    /// `application-networking.k8s.aws` ServiceNetwork (cluster scoped).
    ServiceNetwork,
    /// `externaldns.k8s.io` DNSEndpoint, which Trellis makes of routes. A change of one concerns nobody.
    DNSEndpoint,
    /// `trellis.application-networking.k8s.aws` Backend: what a route leads to that is no Service.
    Backend,
    /// `trellis.application-networking.k8s.aws` ResourceGateway: where traffic for resources comes into a VPC.
    ResourceGateway,
    /// `trellis.application-networking.k8s.aws` ResourceConfiguration: a resource that Gateways' networks reach.
    ResourceConfiguration,
}

/// The API group of the kinds that only Trellis has.
const OWN_GROUP: &str = "trellis.application-networking.k8s.aws";

impl Kind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 21] = [
        Self::GatewayClass,
        Self::Gateway,
        Self::HTTPRoute,
        Self::GRPCRoute,
        Self::TLSRoute,
        Self::ReferenceGrant,
        Self::ServiceExport,
        Self::ServiceImport,
        Self::Service,
        Self::EndpointSlice,
        Self::Namespace,
        Self::Pod,
        Self::AccessLogPolicy,
        Self::IAMAuthPolicy,
        Self::TargetGroupPolicy,
        Self::VpcAssociationPolicy,
        Self::ServiceNetwork,
        Self::DNSEndpoint,
        Self::Backend,
        Self::ResourceGateway,
        Self::ResourceConfiguration,
    ];

    /// The kinds of policies. A cluster need not serve them: then it has none.
    pub const POLICIES: [Self; 4] =
        [Self::AccessLogPolicy, Self::IAMAuthPolicy, Self::TargetGroupPolicy, Self::VpcAssociationPolicy];

    /// The kinds of resources that routes do not lead to. Each object has a unit of its own.
    pub const RESOURCES: [Self; 2] = [Self::ResourceGateway, Self::ResourceConfiguration];

    /// The kind's name as Kubernetes writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GatewayClass => "GatewayClass",
            Self::Gateway => "Gateway",
            Self::HTTPRoute => "HTTPRoute",
            Self::GRPCRoute => "GRPCRoute",
            Self::TLSRoute => "TLSRoute",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::ServiceExport => "ServiceExport",
            Self::ServiceImport => "ServiceImport",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Namespace => "Namespace",
            Self::Pod => "Pod",
            Self::AccessLogPolicy => "AccessLogPolicy",
            Self::IAMAuthPolicy => "IAMAuthPolicy",
            Self::TargetGroupPolicy => "TargetGroupPolicy",
            Self::VpcAssociationPolicy => "VpcAssociationPolicy",
            Self::ServiceNetwork => "ServiceNetwork",
            Self::DNSEndpoint => "DNSEndpoint",
            Self::Backend => "Backend",
            Self::ResourceGateway => "ResourceGateway",
            Self::ResourceConfiguration => "ResourceConfiguration",
        }
    }

    /// The kind of that name, if it is one that Trellis reads.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The API group; empty for the core group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::GatewayClass
            | Self::Gateway
            | Self::HTTPRoute
            | Self::GRPCRoute
            | Self::TLSRoute
            | Self::ReferenceGrant => "gateway.networking.k8s.io",
            Self::ServiceExport
            | Self::ServiceImport
            | Self::AccessLogPolicy
            | Self::IAMAuthPolicy
            | Self::TargetGroupPolicy
            | Self::VpcAssociationPolicy
            | Self::ServiceNetwork => "application-networking.k8s.aws",
            Self::EndpointSlice => "discovery.k8s.io",
            Self::DNSEndpoint => "externaldns.k8s.io",
            Self::Backend | Self::ResourceGateway | Self::ResourceConfiguration => OWN_GROUP,
            Self::Service | Self::Namespace | Self::Pod => "",
        }
    }

    /// Whether this is a kind of policy.
    pub fn is_policy(self) -> bool {
        Self::POLICIES.contains(&self)
    }

    /// Whether objects of the kind live in no namespace.
    pub const fn is_cluster_scoped(self) -> bool {
        matches!(self, Self::GatewayClass | Self::Namespace | Self::ServiceNetwork)
    }

    /// Whether a cluster need not serve the kind: one that does not has no object of it, and takes part all the same.
    pub fn is_extra(self) -> bool {
        self.is_policy() || self == Self::ServiceNetwork || self.is_own()
    }

    /// Whether only Trellis has the kind.
    pub fn is_own(self) -> bool {
        self.group() == OWN_GROUP
    }

    /// Whether this is a kind of resource that routes do not lead to.
    pub fn is_resource(self) -> bool {
        Self::RESOURCES.contains(&self)
    }

    /// Whether this is one of the three route kinds.
    pub const fn is_route(self) -> bool {
        matches!(self, Self::HTTPRoute | Self::GRPCRoute | Self::TLSRoute)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one object in one registered cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// The EKS cluster.
    pub cluster: ClusterId,
    /// The object's kind.
    pub kind: Kind,
    /// Empty for a cluster-scoped kind.
    #[serde(default)]
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// `metadata.uid` as the review showed it; empty when unknown.
    #[serde(default)]
    pub uid: String,
    /// `metadata.generation` as the review showed it, known before the object is stored; 0 when the kind has none.
    #[serde(default)]
    pub generation: i64,
}

/// What was being done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// An admission review of a create.
    Create,
    /// An admission review of an update.
    Update,
    /// An admission review of a delete.
    Delete,
    /// No review: the drift pass, or a change of something that the object refers to.
    Resync,
}
