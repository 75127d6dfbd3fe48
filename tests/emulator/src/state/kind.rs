//! Kinds of resources: their id prefixes, ARN paths and names in errors.

use serde::{Deserialize, Serialize};

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Service network.
    ServiceNetwork,
    /// Service.
    Service,
    /// Listener of a service.
    Listener,
    /// Rule of a listener.
    Rule,
    /// Target group.
    TargetGroup,
    /// Association of a service network with a service.
    ServiceAssociation,
    /// Association of a service network with a VPC.
    VpcAssociation,
    /// Endpoint of a VPC for a service network, in EC2.
    VpcEndpoint,
    /// Association of a service network with a resource configuration.
    ResourceAssociation,
    /// Access log subscription.
    AccessLogSubscription,
    /// Resource configuration.
    ResourceConfiguration,
    /// Resource gateway.
    ResourceGateway,
    /// Domain verification.
    DomainVerification,
}

impl Kind {
    /// What the id starts with, without the hyphen.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ServiceNetwork => "sn",
            Self::Service => "svc",
            Self::Listener => "listener",
            Self::Rule => "rule",
            Self::TargetGroup => "tg",
            Self::ServiceAssociation => "snsa",
            Self::VpcAssociation => "snva",
            Self::VpcEndpoint => "vpce",
            Self::ResourceAssociation => "snra",
            Self::AccessLogSubscription => "als",
            Self::ResourceConfiguration => "rcfg",
            Self::ResourceGateway => "rgw",
            Self::DomainVerification => "dv",
        }
    }

    /// The word before the id in the ARN.
    pub fn path(self) -> &'static str {
        match self {
            Self::ServiceNetwork => "servicenetwork",
            Self::Service => "service",
            Self::Listener => "listener",
            Self::Rule => "rule",
            Self::TargetGroup => "targetgroup",
            Self::ServiceAssociation => "servicenetworkserviceassociation",
            Self::VpcAssociation => "servicenetworkvpcassociation",
            Self::VpcEndpoint => "vpc-endpoint",
            Self::ResourceAssociation => "servicenetworkresourceassociation",
            Self::AccessLogSubscription => "accesslogsubscription",
            Self::ResourceConfiguration => "resourceconfiguration",
            Self::ResourceGateway => "resourcegateway",
            Self::DomainVerification => "domainverification",
        }
    }

    /// The kind's name in `resourceType` of errors. SERVICE_NETWORK and SERVICE were seen on AWS, the others
    /// follow by analogy.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::ServiceNetwork => "SERVICE_NETWORK",
            Self::Service => "SERVICE",
            Self::Listener => "LISTENER",
            Self::Rule => "RULE",
            Self::TargetGroup => "TARGET_GROUP",
            Self::ServiceAssociation => "SERVICE_NETWORK_SERVICE_ASSOCIATION",
            Self::VpcAssociation => "SERVICE_NETWORK_VPC_ASSOCIATION",
            Self::VpcEndpoint => "VPC_ENDPOINT",
            Self::ResourceAssociation => "SERVICE_NETWORK_RESOURCE_ASSOCIATION",
            Self::AccessLogSubscription => "ACCESS_LOG_SUBSCRIPTION",
            Self::ResourceConfiguration => "RESOURCE_CONFIGURATION",
            Self::ResourceGateway => "RESOURCE_GATEWAY",
            Self::DomainVerification => "DOMAIN_VERIFICATION",
        }
    }

    /// The kind's name in settings.
    pub fn label(self) -> &'static str {
        match self {
            Self::ServiceNetwork => "service-network",
            Self::Service => "service",
            Self::Listener => "listener",
            Self::Rule => "rule",
            Self::TargetGroup => "target-group",
            Self::ServiceAssociation => "service-association",
            Self::VpcAssociation => "vpc-association",
            Self::VpcEndpoint => "vpc-endpoint",
            Self::ResourceAssociation => "resource-association",
            Self::AccessLogSubscription => "access-log-subscription",
            Self::ResourceConfiguration => "resource-configuration",
            Self::ResourceGateway => "resource-gateway",
            Self::DomainVerification => "domain-verification",
        }
    }
}

/// A status of a resource whose changes take time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Being created.
    CreateInProgress,
    /// Usable.
    Active,
    /// Being changed.
    UpdateInProgress,
    /// Being deleted.
    DeleteInProgress,
    /// Creation failed.
    CreateFailed,
    /// Change failed.
    UpdateFailed,
    /// Deletion failed.
    DeleteFailed,
}

impl Status {
    /// As the API writes it.
    pub fn text(self) -> &'static str {
        match self {
            Self::CreateInProgress => "CREATE_IN_PROGRESS",
            Self::Active => "ACTIVE",
            Self::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::CreateFailed => "CREATE_FAILED",
            Self::UpdateFailed => "UPDATE_FAILED",
            Self::DeleteFailed => "DELETE_FAILED",
        }
    }
}

/// Status with the reason of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The status.
    pub status: Status,
    /// Code and message of the last failed transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(String, String)>,
}

impl Life {
    /// Of a resource whose creation has begun.
    pub fn begun() -> Self {
        Self { status: Status::CreateInProgress, failure: None }
    }
}

/// What every resource has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Id with its prefix.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Position in lists: rises with each creation, so that paging is stable while resources are added.
    pub seq: u64,
    /// When it was created.
    pub created: super::Moment,
    /// When it was last changed.
    pub updated: super::Moment,
}
