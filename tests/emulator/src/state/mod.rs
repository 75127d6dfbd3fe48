//! The behaviour of the service: one value, one method an operation, no input or output, no clock of its own.
//!
//! Every entry takes the moment at which it happens. Transitions that take time wait in a queue of due events,
//! which [`State::advance`] works off up to the given moment, so a test can let hours pass in no time.

mod access;
mod access_log;
mod action;
mod address;
mod batch;
mod calls;
mod certificate;
pub mod document;
mod endpoint;
mod error;
mod fault;
mod group;
mod kind;
mod lifecycle;
mod link;
mod listener;
mod network;
mod page;
mod pairs;
pub mod plan;
mod policy;
mod quota;
mod reach;
mod report;
mod resource;
mod resource_link;
pub mod resources;
mod rule;
mod service;
pub mod settings;
mod share;
mod tag;
mod target;
mod time;
mod token;
pub mod vpc;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use address::{Instance, Location};
pub use calls::{Call, CallLog};
pub use certificate::{Imported, NotDone};
pub use document::{Document, Input};
pub use endpoint::{NewEndpoint, VpcEndpoint};
pub use error::Refusal;
pub use fault::Effect;
pub use kind::{Kind, Life, Meta, Status};
pub use lattice_routing::{Action, Comparison, Conditions, TextMatch};
pub use quota::{QUOTAS, Quota, Quotas, SERVICE_CODE};
pub use reach::Outlet;
pub use resources::{Health, HealthCheck, Policy, TargetGroup, TargetKey};
pub use settings::Settings;
pub use share::{NotShareable, Share};
pub use target::Check;
pub use time::{Delay, Moment};
pub use vpc::Prefix;

use lifecycle::Due;
use resources::{Generic, Listener, Rule, Service, ServiceAssociation, ServiceNetwork, VpcAssociation};
use token::Token;

/// Identifies the data plane's partition in generated domain names. AWS's own examples show several values;
/// clients must read the name from the response.
const PARTITION: &str = "7d67968";

/// Hosted zone of generated domain names. AWS has one a Region.
const HOSTED_ZONE: &str = "Z09127221KTH2CFUOHIZH";

/// Everything that a snapshot holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Store {
    /// Ids drawn so far, so that the next id is another one.
    drawn: u64,
    /// Events scheduled and resources created so far.
    seq: u64,
    networks: BTreeMap<String, ServiceNetwork>,
    services: BTreeMap<String, Service>,
    listeners: BTreeMap<String, Listener>,
    rules: BTreeMap<String, Rule>,
    groups: BTreeMap<String, TargetGroup>,
    service_associations: BTreeMap<String, ServiceAssociation>,
    vpc_associations: BTreeMap<String, VpcAssociation>,
    endpoints: BTreeMap<String, VpcEndpoint>,
    /// The kinds that are echoed more than interpreted; the id's prefix tells the kind.
    others: BTreeMap<String, Generic>,
    /// Tags by ARN. Every resource has an entry, so the keys are also the index of ARNs.
    tags: BTreeMap<String, BTreeMap<String, String>>,
    auth_policies: BTreeMap<String, Policy>,
    resource_policies: BTreeMap<String, Policy>,
    tokens: BTreeMap<String, Token>,
    #[serde(with = "pairs")]
    due: BTreeMap<(Moment, u64), Due>,
    /// Transitions begun so far by kind and transition, for failures of the n-th.
    begun: BTreeMap<String, u32>,
    vpcs: BTreeMap<String, Prefix>,
    /// Imported certificates of ACM by ARN.
    certificates: BTreeMap<String, Imported>,
}

/// Where the emulator pretends to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Region, such as `us-west-2`.
    pub region: String,
    /// Account, twelve digits.
    pub account: String,
}

/// The service.
#[derive(Debug)]
pub struct State {
    /// Delays, switches, quotas, rates, faults.
    pub settings: Settings,
    home: Home,
    seed: u64,
    store: Store,
    /// Services by domain name, generated and custom.
    domains: HashMap<String, BTreeSet<String>>,
    /// What the data plane sees of each service.
    plans: HashMap<String, plan::Published>,
    rates: fault::Buckets,
    /// Tags as the tagging API shows them, with their lag.
    tag_index: tag::Index,
}

impl State {
    /// An empty service. `vpcs` maps VPC ids to loopback prefixes; `seed` decides ids and drawn faults.
    pub fn new(settings: Settings, home: Home, vpcs: BTreeMap<String, Prefix>, seed: u64) -> Self {
        Self {
            settings,
            home,
            seed,
            store: Store { vpcs, ..Store::default() },
            domains: HashMap::new(),
            plans: HashMap::new(),
            rates: fault::Buckets::default(),
            tag_index: tag::Index::default(),
        }
    }

    /// The Region and account it plays.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Forgets all resources. VPC prefixes and settings stay, and ids go on, so that a client which kept an old
    /// id cannot mistake a new resource for it.
    pub fn reset(&mut self) {
        let old = std::mem::take(&mut self.store);
        self.store = Store { drawn: old.drawn, seq: old.seq, vpcs: old.vpcs, ..Store::default() };
        self.rebuild(Moment(0));
    }

    /// Everything as JSON, to be given to [`State::restore`].
    ///
    /// # Errors
    /// When something cannot be written as JSON; none of the stored types can cause it.
    pub fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.store)
    }

    /// Becomes what a snapshot holds.
    ///
    /// # Errors
    /// When the document is no snapshot. Nothing has changed then.
    pub fn restore(&mut self, now: Moment, snapshot: Value) -> Result<(), serde_json::Error> {
        self.store = serde_json::from_value(snapshot)?;
        self.rebuild(now);
        Ok(())
    }

    fn rebuild(&mut self, now: Moment) {
        self.domains.clear();
        self.plans.clear();
        self.tag_index = tag::Index::default();
        let services: Vec<String> = self.store.services.keys().cloned().collect();
        for id in services {
            self.index_domains(&id);
            self.publish_at(now, &id);
        }
        let arns: Vec<String> = self.store.tags.keys().cloned().collect();
        for arn in arns {
            self.index_tags(now, &arn);
        }
    }

    /// Carries out one operation. The input has passed the model's check.
    ///
    /// # Errors
    /// The modelled exceptions of the operation.
    pub fn call(&mut self, now: Moment, operation: &str, input: &Document) -> Result<Document, Refusal> {
        self.advance(now);
        self.guard_foreign(operation, Input(input))?;
        let outcome = self.with_token(now, operation, Input(input));
        // Transitions without a delay are over before the caller can look again.
        self.advance(now);
        outcome
    }

    fn perform(&mut self, now: Moment, operation: &str, input: Input<'_>) -> Result<Document, Refusal> {
        match operation {
            "CreateServiceNetwork" => self.create_network(now, input),
            "GetServiceNetwork" => self.get_network(input),
            "ListServiceNetworks" => self.list_networks(input),
            "UpdateServiceNetwork" => self.update_network(now, input),
            "DeleteServiceNetwork" => self.delete_network(now, input),
            "CreateService" => self.create_service(now, input),
            "GetService" => self.get_service(input),
            "ListServices" => self.list_services(input),
            "UpdateService" => self.update_service(now, input),
            "DeleteService" => self.delete_service(now, input),
            "CreateListener" => self.create_listener(now, input),
            "GetListener" => self.get_listener(input),
            "ListListeners" => self.list_listeners(input),
            "UpdateListener" => self.update_listener(now, input),
            "DeleteListener" => self.delete_listener(now, input),
            "CreateRule" => self.create_rule(now, input),
            "GetRule" => self.get_rule(input),
            "ListRules" => self.list_rules(input),
            "UpdateRule" => self.update_rule(now, input),
            "BatchUpdateRule" => self.batch_update_rule(now, input),
            "DeleteRule" => self.delete_rule(now, input),
            "CreateTargetGroup" => self.create_group(now, input),
            "GetTargetGroup" => self.get_group(input),
            "ListTargetGroups" => self.list_groups(input),
            "UpdateTargetGroup" => self.update_group(now, input),
            "DeleteTargetGroup" => self.delete_group(now, input),
            "RegisterTargets" => self.register_targets(now, input),
            "DeregisterTargets" => self.deregister_targets(now, input),
            "ListTargets" => self.list_targets(input),
            "TagResource" => self.tag_resource(now, input),
            "UntagResource" => self.untag_resource(now, input),
            "ListTagsForResource" => self.list_tags(input),
            _ => self.perform_more(now, operation, input),
        }
    }

    fn perform_more(&mut self, now: Moment, operation: &str, input: Input<'_>) -> Result<Document, Refusal> {
        match operation {
            "CreateServiceNetworkServiceAssociation" => self.create_service_link(now, input),
            "GetServiceNetworkServiceAssociation" => self.get_service_link(input),
            "ListServiceNetworkServiceAssociations" => self.list_service_links(input),
            "DeleteServiceNetworkServiceAssociation" => self.delete_service_link(now, input),
            "CreateServiceNetworkVpcAssociation" => self.create_vpc_link(now, input),
            "GetServiceNetworkVpcAssociation" => self.get_vpc_link(input),
            "ListServiceNetworkVpcAssociations" => self.list_vpc_links(input),
            "UpdateServiceNetworkVpcAssociation" => self.update_vpc_link(now, input),
            "DeleteServiceNetworkVpcAssociation" => self.delete_vpc_link(now, input),
            "ListServiceNetworkVpcEndpointAssociations" => self.list_endpoint_links(input),
            "CreateServiceNetworkResourceAssociation" => self.create_resource_link(now, input),
            "GetServiceNetworkResourceAssociation" => self.get_resource_link(input),
            "ListServiceNetworkResourceAssociations" => self.list_resource_links(input),
            "DeleteServiceNetworkResourceAssociation" => self.delete_resource_link(now, input),
            "PutAuthPolicy" => self.put_auth_policy(now, input),
            "GetAuthPolicy" => self.get_auth_policy(input),
            "DeleteAuthPolicy" => self.delete_auth_policy(input),
            "PutResourcePolicy" => self.put_resource_policy(now, input),
            "GetResourcePolicy" => self.get_resource_policy(input),
            "DeleteResourcePolicy" => self.delete_resource_policy(input),
            "CreateAccessLogSubscription" => self.create_access_log(now, input),
            "GetAccessLogSubscription" => self.get_access_log(input),
            "ListAccessLogSubscriptions" => self.list_access_logs(input),
            "UpdateAccessLogSubscription" => self.update_access_log(now, input),
            "DeleteAccessLogSubscription" => self.delete_access_log(now, input),
            "CreateResourceGateway" => self.create_gateway(now, input),
            "GetResourceGateway" => self.get_gateway(input),
            "ListResourceGateways" => self.list_gateways(input),
            "UpdateResourceGateway" => self.update_gateway(now, input),
            "DeleteResourceGateway" => self.delete_gateway(now, input),
            "CreateResourceConfiguration" => self.create_configuration(now, input),
            "GetResourceConfiguration" => self.get_configuration(input),
            "ListResourceConfigurations" => self.list_configurations(input),
            "UpdateResourceConfiguration" => self.update_configuration(now, input),
            "DeleteResourceConfiguration" => self.delete_configuration(now, input),
            "ListResourceEndpointAssociations" => self.list_resource_endpoints(input),
            "DeleteResourceEndpointAssociation" => Self::delete_resource_endpoint(input),
            "StartDomainVerification" => self.start_verification(now, input),
            "GetDomainVerification" => self.get_verification(input),
            "ListDomainVerifications" => self.list_verifications(input),
            "DeleteDomainVerification" => self.delete_verification(now, input),
            other => Err(Refusal::unknown_operation("", other)),
        }
    }
}
