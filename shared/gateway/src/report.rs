//! What is to be said of an object, before it is known how the apply went.

use crate::gates::PodReport;
use crate::problem::{self, Problem};
use crate::reasons;
pub use crate::serving::Serving;
use crate::snapshot::ObjectKey;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, PolicyTarget, UnitKey};
use trellis_lattice::Holder;

/// A condition without its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Such as `Accepted`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// One word in CamelCase.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// What the message lists, where it lists problems.
    #[serde(skip)]
    pub problems: Vec<Problem>,
}

impl Condition {
    pub(crate) fn yes(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status: "True", reason, message: message.into(), problems: vec![] }
    }

    pub(crate) fn no(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status: "False", reason, message: message.into(), problems: vec![] }
    }

    /// One that does not hold, because of these problems.
    pub(crate) fn no_for(kind: &'static str, reason: &'static str, problems: Vec<Problem>) -> Self {
        let message = problem::message(&problems);
        Self { kind, status: "False", reason, message, problems }
    }

    /// With problems that its message tells of.
    pub(crate) fn telling(mut self, problems: impl IntoIterator<Item = Problem>) -> Self {
        self.problems.extend(problems);
        self
    }

    pub(crate) fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// Names the object that a report is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The cluster.
    pub cluster: ClusterId,
    /// Kind, namespace and name in it.
    #[serde(flatten)]
    pub object: ObjectKey,
    /// The generation that was translated.
    pub generation: i64,
}

/// What is to be said of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "report", rename_all = "camelCase")]
pub enum Report {
    /// Of a route.
    Route(RouteReport),
    /// Of a Gateway.
    Gateway(GatewayReport),
    /// Of a GatewayClass.
    Class(ClassReport),
    /// Of a ServiceExport.
    Export(ExportReport),
    /// Of a ServiceImport.
    Import(ImportReport),
    /// Of a Backend.
    Backend(BackendReport),
    /// Of a policy.
    Policy(PolicyReport),
    /// Of a Pod with a readiness gate.
    Pod(PodReport),
    /// Of a ServiceNetwork.
    Network(NetworkReport),
    /// Of a ResourceGateway.
    ResourceGateway(ResourceGatewayReport),
    /// Of a ResourceConfiguration.
    Resource(ResourceReport),
}

impl Report {
    /// The object that the report is about.
    pub fn subject(&self) -> &Subject {
        match self {
            Self::Route(report) => &report.subject,
            Self::Gateway(report) => &report.subject,
            Self::Class(report) => &report.subject,
            Self::Export(report) => &report.subject,
            Self::Import(report) => &report.subject,
            Self::Backend(report) => &report.subject,
            Self::Policy(report) => &report.subject,
            Self::Pod(report) => &report.subject,
            Self::Network(report) => &report.subject,
            Self::ResourceGateway(report) => &report.subject,
            Self::Resource(report) => &report.subject,
        }
    }
}

/// A route's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteReport {
    /// The route.
    pub subject: Subject,
    /// Its parents that are ours, in the order of `spec.parentRefs`.
    pub parents: Vec<ParentReport>,
    /// The Lattice services that serve it, in the order of its hostnames.
    pub services: Vec<Serving>,
    /// What its services keep from before an edit that cannot be had; none where nothing is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptRules>,
    /// The other routes that ask for one of its hostnames: what becomes of it may be news for them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub rivals: BTreeSet<UnitKey>,
    /// Whether its services are in no service network, as the user asks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_standalone: bool,
    /// Whether it waits for a service that another unit is to give to it: what is there is not all its own then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_heir: bool,
    /// Whether requests still come to a service that another one takes the place of: the unit is to look again soon.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_moving: bool,
    /// What its rules wait for, in words, where nothing but another look tells of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaits: Option<&'static str>,
    /// Of a route that is merged: with those of which clusters, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged: Option<String>,
    /// Why an object that is made of it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<String>,
}

impl RouteReport {
    /// Those of its services that answer for a parent in its network.
    pub(crate) fn services_of(&self, parent: &ParentReport) -> impl Iterator<Item = &Serving> {
        let is_of = |serving: &&Serving| {
            let parents = serving.parents.as_ref();
            serving.networks.contains(&parent.gateway)
                && parents.is_none_or(|parents| parents.contains(&parent.index))
        };
        self.services.iter().filter(is_of)
    }
}

/// Rules from before an edit that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptRules {
    /// The routes that they are of.
    pub routes: BTreeSet<ObjectKey>,
    /// Kinds, namespaces and names of the Services and Backends of the route's own cluster that they lead to: their changes still
    /// matter.
    pub sources: BTreeSet<(Kind, String, String)>,
}

/// A report on a route's relation to one parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentReport {
    /// Its place among the route's parents that are ours.
    #[serde(skip)]
    pub(crate) index: usize,
    /// The entry of `spec.parentRefs`, as it stands there.
    pub parent_ref: Value,
    /// The Gateway's name, which is its service network's.
    pub gateway: String,
    /// Whether the Gateway takes the route.
    pub accepted: Condition,
    /// Whether all references lead somewhere.
    pub resolved_refs: Condition,
    /// Present when rules were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partially_invalid: Option<Condition>,
    /// What the parent is asked for and does not get, because other routes have it or nothing could answer: then it is not
    /// programmed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unserved: String,
    /// Why that is so, as a condition's reason.
    #[serde(skip)]
    pub(crate) unserved_reason: &'static str,
    /// What else a person should know: fields that cost no rule and are not honoured.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// What `unserved` and `notes` list.
    #[serde(skip)]
    pub problems: Vec<Problem>,
}

/// A Gateway's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayReport {
    /// The Gateway.
    pub subject: Subject,
    /// Whether it is accepted.
    pub accepted: Condition,
    /// Its listeners, in order.
    pub listeners: Vec<ListenerReport>,
    /// The VPC of its cluster.
    pub vpc: String,
    /// Domain names of the attached routes' services, as the Gateway's VPC reaches them.
    pub addresses: Vec<String>,
    /// Why the VPC may not be associated; counts where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_problem: Option<Condition>,
    /// What else a person should know of the association; counts where there is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub vpc_notes: String,
    /// Whether the VPC comes into the network by an endpoint, as the user asks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_endpoint: bool,
    /// What of the endpoint is not as the Gateway asks for, since another one's word counts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint_notes: String,
    /// The domain names of the endpoint for the attached routes' services, by these services' ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoint_names: BTreeMap<String, String>,
    /// The units of the attached routes, where the VPC comes by an endpoint: they read these names.
    #[serde(skip)]
    pub routes: BTreeSet<UnitKey>,
    /// Whether the endpoint's domain name for an attached route is not known yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_names: bool,
    /// Whether listeners name Secrets that are not there yet, or may not be read yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_secrets: bool,
}

/// A ServiceNetwork's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkReport {
    /// The object.
    pub subject: Subject,
    /// Whether it is accepted.
    pub accepted: Condition,
    /// The finalizers that hold it, of one that is being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holding: Option<Vec<String>>,
    /// The Gateways that use the network, `<cluster>/<namespace>/<name>`.
    pub gateways: BTreeSet<String>,
    /// The clusters whose Gateways are known; of others those stay that were told before.
    #[serde(skip)]
    pub known: BTreeSet<String>,
    /// Whether the network is there and this installation did not make it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_of_others: bool,
}

/// A listener's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerReport {
    /// Its name.
    pub name: String,
    /// Route kinds that it takes.
    pub supported_kinds: BTreeSet<&'static str>,
    /// Routes that it takes.
    pub attached_routes: usize,
    /// Whether it is accepted.
    pub accepted: Condition,
    /// Whether its references and kinds are good.
    pub resolved_refs: Condition,
    /// Why its hostname cannot be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_missing: Option<String>,
    /// Hashes of the Secrets that it takes certificates from.
    #[serde(skip)]
    pub secrets: Vec<String>,
    /// Present when it is in conflict with another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicted: Option<Condition>,
}

/// A GatewayClass's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassReport {
    /// The class.
    pub subject: Subject,
    /// Whether it is accepted.
    pub accepted: Condition,
}

/// A ServiceExport's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportReport {
    /// The export.
    pub subject: Subject,
    /// Whether it can be imported.
    pub valid: Condition,
    /// Its target groups.
    pub target_groups: Vec<String>,
}

/// A ServiceImport's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// The import.
    pub subject: Subject,
    /// The clusters that export it; none when that is not known.
    pub clusters: Option<BTreeSet<ClusterId>>,
    /// What becomes of the target group that it names, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<Condition>,
}

/// A Backend's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendReport {
    /// The Backend.
    pub subject: Subject,
    /// Whether it says what it is.
    pub accepted: Condition,
    /// Whether that is there, and may be led to.
    pub resolved: Condition,
}

impl BackendReport {
    /// What it waits for, where nothing but another look tells of it.
    pub(crate) fn awaits(&self) -> Option<&'static str> {
        match self.resolved.reason {
            reasons::FUNCTION_NOT_FOUND | reasons::INVOKE_NOT_PERMITTED => Some("a function"),
            reasons::SCALING_GROUP_NOT_FOUND => Some("an Auto Scaling group"),
            reasons::LOAD_BALANCER_NOT_FOUND | reasons::LOAD_BALANCER_UNFIT => Some("a load balancer"),
            _ => None,
        }
    }
}

/// A ResourceGateway's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceGatewayReport {
    /// The object.
    pub subject: Subject,
    /// Whether it can be had as it is written.
    pub accepted: Condition,
    /// The resource gateway's name; none for one that is not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// A ResourceConfiguration's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceReport {
    /// The object.
    pub subject: Subject,
    /// The resource configuration's name; none where none is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// Its parents that are ours, in the order of `spec.parentRefs`.
    pub parents: Vec<ResourceParentReport>,
}

/// A report on a ResourceConfiguration's relation to one parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceParentReport {
    /// The entry of `spec.parentRefs`, as it stands there.
    pub parent_ref: Value,
    /// The Gateway's name, which is its service network's.
    pub gateway: String,
    /// Whether the Gateway takes the resource.
    pub accepted: Condition,
    /// Whether its ResourceGateway is there.
    pub resolved_refs: Condition,
}

/// A policy's report, as far as the unit can tell: on the targets that are its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyReport {
    /// The policy.
    pub subject: Subject,
    /// One for each of the targets, and for the route that follows a Service's policy.
    pub entries: Vec<PolicyEntry>,
    /// Of the routes that the policy's status has entries of, those that may follow it still; none: all of them.
    #[serde(skip)]
    pub routes: Option<BTreeSet<PolicyTarget>>,
}

/// A report on a policy's relation to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEntry {
    /// The target, as the policy names it.
    #[serde(skip)]
    pub target: PolicyTarget,
    /// Whether the policy is accepted there.
    pub accepted: Condition,
    /// What it does in VPC Lattice; none for one that is not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// What an accepted policy does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Nothing, for this reason.
    Nothing(String),
    /// Access logs go somewhere.
    #[serde(rename_all = "camelCase")]
    AccessLogs {
        /// Whose.
        holders: Vec<Holder>,
        /// The ARN.
        destination: String,
    },
    /// Target groups are made and checked as it says.
    #[serde(rename_all = "camelCase")]
    TargetGroups {
        /// Their names; empty for an export without target groups of its own.
        target_groups: Vec<String>,
        /// What of the policy they cannot have.
        unheeded: Vec<String>,
        /// What of the policy does not count for them.
        moot: Vec<String>,
        /// Those of them that stay as they were, since what leads to them does.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lagging: Vec<String>,
    },
    /// Target groups of routes, each of which has an entry of its own.
    Followed,
    /// Only some may call.
    Auth {
        /// Whom.
        holders: Vec<Holder>,
    },
    /// A VPC is associated, or is not.
    Vpc(VpcEffect),
}

/// What a VpcAssociationPolicy does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcEffect {
    /// The service network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Whether the VPC is not to be associated, or to have no endpoint.
    pub is_apart: bool,
    /// Whether the VPC comes by an endpoint.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_endpoint: bool,
    /// What is in the way, that the apply does not know of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hindrance: Option<String>,
    /// What is to be told when it is done.
    pub done: String,
}
