//! One module for each resource of VPC Lattice: what is wanted of it and what is there, the steps that bring one to the
//! other, what each step would do (`simulate`), what no plan may do with it (`judge`), and its text.
//!
//! How a new kind of resource is added is told in ARCHITECTURE.md.

mod access_log;
mod action;
mod auth;
mod function;
mod hand_over;
mod health_check;
mod holder;
mod imported;
mod listener;
mod network;
mod resource_association;
mod resource_configuration;
mod resource_gateway;
mod rule;
mod rule_match;
mod service;
mod service_association;
mod tag;
mod target;
mod target_group;
mod vpc_association;
mod vpc_endpoint;

pub use access_log::{
    ActualAccessLog, CreateAccessLog, DeleteAccessLog, DesiredAccessLog, LogType, UpdateAccessLog, log_type,
};
pub use action::{Action, WeightedTargetGroup};
pub(crate) use auth::is_our_policy;
pub use auth::{ActualAuth, DesiredAuth, PutAuthPolicy, SetAuthType, policy_mark};
pub use function::{AllowInvoke, Function, FunctionFacts, INVOKE_ALLOW, Invocation, TAG_INVOKE};
pub use hand_over::HandOver;
pub use health_check::{HealthCheck, UpdateHealthCheck};
pub use holder::Holder;
pub(crate) use imported::counting;
pub use imported::{
    ActualCertificate, CertificateMaterial, DeleteCertificate, DesiredCertificate, ImportCertificate,
    PrivateKey,
};
pub use listener::{
    ActualListener, CreateListener, DeleteListener, DesiredListener, ListenerProtocol, UpdateListener,
};
pub use network::{ActualNetwork, CreateNetwork, DeleteNetwork, DesiredNetwork};
pub use resource_association::{
    ActualResourceAssociation, AwaitResourceAssociation, AwaitResourceAssociationGone,
    CreateResourceAssociation, DeleteResourceAssociation,
};
pub use resource_configuration::{
    ActualResourceConfiguration, AwaitResourceConfiguration, AwaitResourceConfigurationGone,
    CreateResourceConfiguration, DeleteResourceConfiguration, DesiredResourceConfiguration,
    ResourceDefinition, UpdateResourceConfiguration,
};
pub use resource_gateway::{
    ActualResourceGateway, AwaitResourceGateway, AwaitResourceGatewayGone, CreateResourceGateway,
    DeleteResourceGateway, DesiredResourceGateway, ResourceFamily, UpdateResourceGateway,
};
pub use rule::{ActualRule, CreateRule, DeleteRule, DesiredRule, RuleUpdate, UpdateRules};
pub use rule_match::{HeaderMatch, PathMatch, RuleMatch, ValueMatch};
pub use service::{
    ActualService, AwaitService, AwaitServiceGone, CreateService, DeleteService, DesiredService,
    IDLE_TIMEOUT_DEFAULT, UpdateCertificate, UpdateIdleTimeout,
};
pub use service_association::{
    ActualAssociation, AwaitAssociation, AwaitAssociationGone, CreateAssociation, DeleteAssociation,
    PLACE_TAKEN, TakenDomain, place_taken,
};
pub use tag::{Tag, Untag};
pub use target::{
    ActualTarget, AwaitDrained, AwaitPropagation, DeregisterTargets, RegisterTargets, Target, TargetHealth,
};
pub use target_group::{
    ActualTargetGroup, AwaitTargetGroup, AwaitTargetGroupGone, BACKEND_INSTANCES, CreateTargetGroup,
    DeleteTargetGroup, DesiredTargetGroup, EventVersion, IpConfig, IpFamily, LambdaConfig, ProtocolVersion,
    TargetGroupConfig, TargetProtocol, VpcConfig,
};
pub use vpc_association::{
    ActualVpcAssociation, AwaitVpcAssociation, AwaitVpcAssociationGone, CreateVpcAssociation,
    DeleteVpcAssociation, DesiredVpcAssociation, DnsPreference, PrivateDns, UpdateVpcAssociation,
};
pub use vpc_endpoint::{
    ActualVpcEndpoint, AwaitVpcEndpoint, AwaitVpcEndpointGone, CreateVpcEndpoint, DeleteVpcEndpoint,
    DesiredVpcEndpoint, UpdateVpcEndpoint, counting_endpoint,
};

use crate::{Ownership, Tags};
use std::fmt::{Display, Formatter, Result};

/// What resources have in common, of one that is there.
#[derive(Debug)]
pub struct ResourceMut<'a> {
    /// Id.
    pub id: &'a mut String,
    /// ARN.
    pub arn: &'a mut String,
    /// Told by the tags.
    pub ownership: &'a mut Ownership,
    /// The tags, of a kind of resource whose tags are read.
    pub tags: Option<&'a mut Tags>,
}

/// Some things in one line, separated by commas.
struct Joined<I>(I);

impl<I: Clone + IntoIterator<Item: Display>> Display for Joined<I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, thing) in self.0.clone().into_iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            thing.fmt(f)?;
        }
        Ok(())
    }
}
