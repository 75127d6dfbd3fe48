//! Gateway API semantics for VPC Lattice, as pure functions over plain values.
//!
//! [`wants`] says what has to be read for a unit, [`translate`] turns what was read into what the unit wants in VPC
//! Lattice and a report on each object, [`statuses`] turns reports and the outcome of an apply into status patches;
//! [`assess()`] says all of it at once, with the plan.
//! Nothing here knows a clock, a network or an API client.
//!
//! ```
//! use trellis_gateway::{ClusterFacts, Read, ReadResult, Settings, Snapshot, translate, wants};
//! use trellis_lattice::Actual;
//!
//! let cluster = "arn:aws:eks:us-west-2:123456789012:cluster/one".parse()?;
//! let mut snapshot = Snapshot::of([ClusterFacts::registered(cluster, "vpc-0a1b2c3d4e5f60001")]);
//! let unit = "route/123456789012/us-west-2/HTTPRoute/one/default/inventory".parse()?;
//! // The reader asks the clusters until nothing more is wanted; here they hold nothing at all.
//! loop {
//!     let reads: Vec<Read> = wants(&unit, &snapshot);
//!     if reads.is_empty() {
//!         break;
//!     }
//!     for read in reads {
//!         snapshot.insert(&read, ReadResult::Objects(vec![]));
//!     }
//! }
//! let settings = Settings { installation: "trellis".into(), ..Settings::default() };
//! let translation = translate(&unit, &snapshot, &Actual::default(), &settings);
//! // The API server said that the route is missing, so whatever it owned is to go.
//! assert!(translation.desired.is_some_and(|desired| desired.services.is_empty()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission;
mod annotations;
mod api;
mod assess;
mod attach;
mod backend;
mod behind;
mod beside;
mod certificate;
mod code;
mod conditions;
mod facts;
mod gates;
mod gateway;
mod grant;
mod hostname;
mod implied;
mod naming;
mod objects;
mod policy;
mod prefixes;
mod priority;
mod problem;
mod reasons;
mod references;
mod report;
mod resource_spec;
mod route;
mod secret;
mod serving;
mod shown;
mod snapshot;
mod status;
mod tag_room;
mod units;
mod view;
mod weights;

pub use assess::{
    Assessment, Needs, assess, assess_instances, candidate_service_names, concerns_dependents, needs,
    outcome_of, readers, to_inspect, told_units,
};
pub use backend::declared::{Named, named, selector};
pub use backend::external::external_groups;
pub use behind::{BEHIND_KINDS, behind, leads_to, selects};
pub use beside::{BESIDE_KINDS, Meeting, beside};
pub use certificate::are_asked_for as asks_for_certificates;
pub use code::{Code, Explanation, Level};
pub use facts::{Balancer, BalancerFacts, Instance, InstanceFacts, Selector};
pub use gates::{PodReport, READINESS_GATE, Word, pods_waiting};
pub use gateway::CONTROLLER;
pub use implied::{units, units_of_cluster};
pub use objects::{Act, OPTIONAL_KINDS, ObjectChange, object_changes, wants_objects};
pub use problem::Problem;
pub use references::{REFERRING_KINDS, References, references};
pub use report::{
    BackendReport, ClassReport, Condition, Effect, ExportReport, GatewayReport, ImportReport, KeptRules,
    ListenerReport, NetworkReport, ParentReport, PolicyEntry, PolicyReport, Report, ResourceGatewayReport,
    ResourceParentReport, ResourceReport, RouteReport, Serving, Subject, VpcEffect,
};
pub use secret::{SecretKey, SecretRead, Secrets, TlsSecret};
pub use shown::{ShownGateway, ShownRoute, Source, Standing, shown_gateways, shown_routes, source_of};
pub use snapshot::{ClusterFacts, ClusterState, ObjectKey, Read, ReadResult, Snapshot};
pub use status::{ClusterEvent, News, cluster_events};
pub use units::aside::stands_aside;
pub use units::from_secrets::{waits_for_secrets, wants_secrets};
pub use units::slot::ServicePer;
pub use units::vpc_access::waits_for_endpoint_names;

use crate::implied::WITH_UNITS;
use crate::route::ROUTE_KINDS;
use crate::units::dependents::Changed;
use crate::view::View;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, ObjectRef, UnitKey};
use trellis_lattice::{
    Actual, ActualService, Desired, Grace, Limits, Mode, Outcome, Owner, Ownership, TAG_UNWANTED, Unwanted,
};

/// What translation needs beside the objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The installation's name, in the owner tag of every resource.
    pub installation: String,
    /// Quotas of the account.
    pub limits: Limits,
    /// Service networks that others made and that Gateways may stand for all the same, by name, id or ARN.
    pub allowed_networks: BTreeSet<String>,
    /// Whether certificates of Secrets are imported into ACM.
    pub certificate_secrets: bool,
    /// How much may be done at all. A cluster's own mode may be stricter.
    pub mode: Mode,
    /// Clusters that were deleted without having been taken out first, and that a person takes out by this.
    pub leaving: BTreeSet<ClusterId>,
    /// How the routes of Gateways that do not say it are shared out among services; a snapshot is told it.
    pub service_per: ServicePer,
    /// Now, and how long what nobody wants any more stays; none: it goes at once.
    pub grace: Option<Grace>,
}

impl Settings {
    /// The owner of what a unit makes.
    pub fn owner(&self, unit: &UnitKey) -> Owner {
        Owner { installation: self.installation.clone(), unit: unit.hash(), key: unit.to_string() }
    }

    /// The wish with the networks that it may use. One that uses none stays as it is.
    pub(crate) fn allowing_networks(&self, mut desired: Desired) -> Desired {
        let uses = desired.network.is_some()
            || !desired.services.is_empty()
            || !desired.resource_configurations.is_empty();
        if uses {
            desired.allowed_networks.clone_from(&self.allowed_networks);
        }
        desired
    }
}

/// What a unit wants in VPC Lattice, and what is to be said of its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Everything that the unit wants to exist; what is unknown stays in it as it is. None: change nothing, since the unit's
    /// own objects are not known.
    pub desired: Option<Desired>,
    /// What is not known, in words for logs and conditions. With a `desired` it holds up nothing else.
    pub held: Vec<String>,
    /// Whether `desired` is absent because of what the object itself asks for, and nothing is `held`: its status says
    /// why, and trying again without a change of it cannot help.
    pub refused: bool,
    /// One report for each object whose status the unit writes.
    pub reports: Vec<Report>,
    /// The units that do what the object asks for in its place, each with the object: whatever the unit is hinted at, they are.
    pub told: Vec<(UnitKey, ObjectRef)>,
    /// Who waits for the place of a service in a network that it leaves at once, by the two: whoever has given up meanwhile is to look
    /// again when it has left.
    pub waiting: BTreeMap<(String, String), BTreeMap<UnitKey, ObjectRef>>,
    /// Hostnames of services that are not wanted any more and stay for now: for the grace, or since nothing may be deleted.
    pub staying: BTreeSet<String>,
    /// Seconds after which the clock alone makes another one of the same objects: a Service that was made just now has no endpoints
    /// then, if it still has no EndpointSlice.
    pub lasts: Option<u64>,
}

/// A new `.status` for one object: to be sent as a merge patch of the status subresource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPatch {
    /// The cluster.
    pub cluster: ClusterId,
    /// The object's kind.
    pub kind: Kind,
    /// Empty for a cluster-scoped kind.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The version that was read: the patch must fail if the object was changed since.
    pub resource_version: String,
    /// The content of `.status` for the merge patch: only the members that change, lists whole.
    pub status: Value,
    /// What changes, in a few words for logs.
    pub summary: String,
    /// Units that read this status and are to be hinted at once it is written.
    pub notify: Vec<UnitKey>,
    /// What changes, for people who describe the object.
    pub news: Vec<News>,
}

/// The rounds of [`wants`] that any unit needs at most: the route, its Gateways, the routes that share a hostname with
/// it, what those name, what an import among that leads to, the exported Service, its Pods that are not ready, the other units
/// that these wait for, and one to spare.
pub const ROUNDS_MAX: usize = 9;

/// What has to be read next for a unit. To be called again with the answers, until it returns nothing.
///
/// It is what [`translate`], [`dependents`] of a Dependents unit and [`statuses`] ask for and do not find.
pub fn wants(unit: &UnitKey, snapshot: &Snapshot) -> Vec<Read> {
    needs(unit, snapshot, &Settings::default()).reads
}

/// Whether a route unit's object is known to be missing: then those who shared a service with it are concerned.
pub(crate) fn is_gone(view: &View, unit: &UnitKey) -> bool {
    let UnitKey::Route { kind, cluster, namespace, name } = unit else { return false };
    view.get(cluster, *kind, namespace, name) == view::Found::Missing
}

/// What has to be read for [`dependents`] beside what [`wants`] asks for: of a Gateway unit its routes in all clusters, of a
/// route unit the routes of its cluster.
pub fn wants_dependents(unit: &UnitKey, snapshot: &Snapshot) -> Vec<Read> {
    let nothing = Actual::default();
    let view = View::new(snapshot, &nothing);
    dependents_in(&view, unit, &Settings::default());
    view.unanswered()
}

/// All that translation can read of the registered clusters: a list of every kind from each. Nothing of a unit is unknown then, so
/// that what is translated from less can be held against it.
pub fn wants_everything(snapshot: &Snapshot) -> Vec<Read> {
    let taking_part = snapshot.facts.keys().filter(|cluster| !snapshot.is_leaving(cluster));
    let lists = taking_part.flat_map(|cluster| {
        let kinds = Kind::ALL.into_iter().filter(|kind| !OPTIONAL_KINDS.contains(kind));
        kinds.map(|kind| Read::List {
            cluster: cluster.clone(),
            kind,
            namespace: None,
            name: None,
            service: None,
        })
    });
    lists.filter(|read| !snapshot.has_answer(read)).collect()
}

/// What has to be read of one cluster for [`units_of_cluster`]: a list of every kind that units are named after.
pub fn wants_cluster(cluster: &ClusterId, snapshot: &Snapshot) -> Vec<Read> {
    let kinds = ROUTE_KINDS.into_iter().chain(WITH_UNITS).chain(Kind::POLICIES);
    let lists = kinds.map(|kind| Read::List {
        cluster: cluster.clone(),
        kind,
        namespace: None,
        name: None,
        service: None,
    });
    lists.filter(|read| !snapshot.has_answer(read)).collect()
}

/// The tag that everything bears that was made for a cluster's routes and exports.
pub fn made_for(facts: &ClusterFacts) -> (String, String) {
    naming::managed_by(facts)
}

/// Whether the conditions that we have written to an object's status are of its present generation, and there are any.
pub fn is_told(object: &Value) -> bool {
    status::is_told(object)
}

/// Since when no status of ours tells of what an object asks for (RFC 3339), as far as its `managedFields` say; none where one does.
pub fn untold_since(object: &Value) -> Option<&str> {
    status::untold_since(object)
}

/// What a unit wants in VPC Lattice, and what is to be said of its objects.
///
/// `actual` is what VPC Lattice has of the unit. What is not known of the clusters is wanted as it is there: the share of
/// an exporter that cannot be read with its targets, the VPC association of a cluster that is not registered. Before it
/// was inspected it is the default, and what is then wanted names what to inspect.
pub fn translate(unit: &UnitKey, snapshot: &Snapshot, actual: &Actual, settings: &Settings) -> Translation {
    translate_whole(&View::new(snapshot, actual), unit, settings)
}

/// As [`translate`].
pub(crate) fn translate_whole(view: &View, unit: &UnitKey, settings: &Settings) -> Translation {
    let mut translation = translate_in(view, unit, settings);
    if let Some(desired) = &mut translation.desired {
        desired.grace = settings.grace;
        backend::external::allow(view, desired);
        backend::function::allow(view, desired);
    }
    tag_room::fit(&mut translation, view.actual);
    let mut translation = in_mode(mode_of(unit, view.snapshot, settings), translation);
    if let Some(desired) = &translation.desired {
        translation.staying = staying(desired, view.actual);
    }
    translation.lasts = view.lasts_for();
    translation
}

/// See [`Translation::staying`].
fn staying(desired: &Desired, actual: &Actual) -> BTreeSet<String> {
    let goes = |held: &ActualService| {
        desired.mode == Mode::Sync
            && desired.grace.is_none_or(|grace| grace.judge(TAG_UNWANTED, &held.tags) == Unwanted::Goes)
    };
    let ours = actual.services.iter().filter(|held| held.ownership == Ownership::Ours && held.status.lasts());
    let unwanted = ours.filter(|held| {
        !desired.handovers.contains_key(&held.name)
            && !desired.services.iter().any(|wanted| wanted.name == held.name)
    });
    unwanted.filter(|held| !goes(held)).filter_map(|held| held.custom_domain.clone()).collect()
}

/// How much may be done for a unit: what the installation allows, and its cluster, or each that has a route that is merged and is not
/// only observed. A service network is no cluster's own: what
/// a cluster wants of it, its own mode decides in [`units::gateway_unit`].
fn mode_of(unit: &UnitKey, snapshot: &Snapshot, settings: &Settings) -> Mode {
    if let UnitKey::Merged { scope, kind, namespace, name } = unit {
        let observed = units::merged::observed(snapshot, scope, *kind, (namespace, name));
        let having = snapshot.facts.iter().filter(|(cluster, _)| {
            cluster.scope == *scope
                && !observed.contains(cluster)
                && snapshot.get(cluster, *kind, namespace, name).is_some()
        });
        return having.map(|(_, facts)| facts.mode).fold(settings.mode, Mode::min);
    }
    let facts = unit.cluster().and_then(|cluster| snapshot.facts.get(cluster));
    facts.map_or(settings.mode, |facts| facts.mode.min(settings.mode))
}

/// The translation in a mode: who only observes says nothing to the objects either.
fn in_mode(mode: Mode, mut translation: Translation) -> Translation {
    if let Some(desired) = &mut translation.desired {
        desired.mode = mode;
    }
    if mode == Mode::Observe {
        translation.reports.clear();
    }
    translation
}

fn translate_in(view: &View, unit: &UnitKey, settings: &Settings) -> Translation {
    match unit {
        UnitKey::Gateway { scope, name } => {
            let own = units::gateway_unit::translate(view, scope, name, settings);
            policy::of_gateways(view, scope, name, own)
        }
        UnitKey::Route { kind, cluster, namespace, name } => {
            let id = route::RouteId {
                kind: *kind,
                cluster: cluster.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
            };
            if let Some(passed_on) = units::merged::of_member(view, &id, settings) {
                return passed_on;
            }
            let own = units::route_unit::translate(view, &id, settings);
            let mut all = policy::of_route(view, &id, own);
            gates::add_of_route(view, &id, &mut all);
            all.told = units::merged::of_former(view, &id);
            all
        }
        UnitKey::Merged { scope, kind, namespace, name } => {
            let id = route::RouteId::merged(scope, *kind, namespace, name);
            let (mut all, staying) = units::merged::translate(view, &id, settings);
            let clusters: Vec<ClusterId> =
                all.reports.iter().map(|report| report.subject().cluster.clone()).collect();
            all = policy::of_merged(view, &id, staying, all);
            for cluster in clusters {
                gates::add_of_route(view, &route::RouteId { cluster, ..id.clone() }, &mut all);
            }
            all
        }
        UnitKey::Export { cluster, namespace, name } => {
            let own = units::export_unit::translate(view, cluster, namespace, name, settings);
            let mut all = policy::of_export(view, cluster, (namespace, name), own);
            gates::add_of_export(view, cluster, (namespace, name), &mut all);
            all
        }
        UnitKey::Resource { kind, cluster, namespace, name } => {
            let id = units::resource_unit::Named { kind: *kind, cluster, namespace, name };
            units::resource_unit::translate(view, &id, settings)
        }
        UnitKey::Dependents { kind, cluster, namespace, name } => {
            units::dependents::translate(view, &Changed { kind: *kind, cluster, namespace, name }, settings)
        }
        // Nothing in VPC Lattice is a cluster's own.
        UnitKey::Cluster { .. } => Translation::held(vec![], vec![]),
    }
}

/// The status patches that are due; none for an object whose status says the same already.
///
/// `outcome` is that of the apply, or the default one when nothing was applied; `now` is RFC 3339.
pub fn statuses(
    snapshot: &Snapshot,
    translation: &Translation,
    outcome: &Outcome,
    now: &str,
) -> Vec<StatusPatch> {
    status::patches(&status::Context { snapshot, translation, outcome, now })
}

/// The units to hint at after this one: who refers to a Dependents unit's object, the routes of a Gateway unit, and the
/// routes whose status names a route unit's or will. Each with the object that the hint is to name.
pub fn dependents(unit: &UnitKey, snapshot: &Snapshot) -> Vec<(UnitKey, ObjectRef)> {
    let settings = Settings::default();
    dependents_in(&View::new(snapshot, &Actual::default()), unit, &settings).into_iter().collect()
}

fn dependents_in(view: &View, unit: &UnitKey, settings: &Settings) -> units::dependents::Hints {
    match unit {
        UnitKey::Gateway { scope, name } => units::dependents::routes_of_gateway(view, scope, name, settings),
        UnitKey::Dependents { kind, cluster, namespace, name } => {
            units::dependents::dependents(view, &Changed { kind: *kind, cluster, namespace, name }, settings)
        }
        UnitKey::Route { cluster, .. } => units::dependents::naming_route(view, cluster, unit, settings),
        UnitKey::Resource { kind, cluster, namespace, name } => {
            let id = units::resource_unit::Named { kind: *kind, cluster, namespace, name };
            units::resource_unit::through_gateway(view, &id)
        }
        UnitKey::Merged { .. } | UnitKey::Export { .. } | UnitKey::Cluster { .. } => {
            units::dependents::Hints::new()
        }
    }
}

/// The names of the Lattice service that a route has if nothing else is asked for, the one that the AWS Gateway API Controller
/// may have given it the last: where to look for what is left of a route that is gone. All other names of its services hold the
/// unit's hash ([`trellis_lattice::names::unit_hash`]).
pub fn plain_service_names(unit: &UnitKey) -> Vec<String> {
    let id = match unit {
        UnitKey::Route { kind, cluster, namespace, name } => route::RouteId {
            kind: *kind,
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        },
        UnitKey::Merged { scope, kind, namespace, name } => {
            route::RouteId::merged(scope, *kind, namespace, name)
        }
        UnitKey::Gateway { .. }
        | UnitKey::Export { .. }
        | UnitKey::Resource { .. }
        | UnitKey::Dependents { .. }
        | UnitKey::Cluster { .. } => return vec![],
    };
    let mut names = vec![naming::ServiceName::plain(&id).first(), naming::service_of_controller(&id)];
    names.dedup();
    names
}

/// As [`admission_warnings`], for a route or a Gateway beside these objects of its cluster, of [`BESIDE_KINDS`]: none for what is of
/// another controller's class. Of a route also parents that refuse it or do not get all that it asks for, hostnames and matches that
/// other routes have, and endpoints that get no requests.
/// What matters of an object is what [`beside()`] keeps of it, and which objects matter [`Meeting`] tells. Nothing is said of
/// quotas, which may have been raised.
pub fn admission_warnings_among(
    cluster: &ClusterId,
    kind: Kind,
    object: &Value,
    beside: impl IntoIterator<Item = (Kind, Value)>,
) -> Vec<String> {
    admission::warnings_among(cluster, kind, object, beside)
}

/// Whether a unit may have given a service or a target group this name.
pub fn made_names(unit: &UnitKey, name: &str) -> bool {
    let with_hash = name.contains(trellis_lattice::names::unit_hash(&unit.hash()));
    with_hash || plain_service_names(unit).iter().any(|plain| plain == name)
}

/// What becomes of an object that is being deleted, for `kubectl`'s user: few, each at most 256 characters.
pub fn deletion_warnings(kind: Kind, object: &Value) -> Vec<String> {
    admission::deletion_warnings(kind, object)
}

/// What VPC Lattice cannot do of one object, whatever else there is.
pub fn admission_problems(kind: Kind, object: &Value) -> Vec<Problem> {
    admission::problems(kind, object)
}

/// As [`admission_problems`], beside all objects of its cluster: nothing of what is of another controller's class; and of a route
/// whose Gateways are there no hostname, since its report tells which of them cannot be had.
pub fn admission_problems_in(
    snapshot: &Snapshot,
    cluster: &ClusterId,
    kind: Kind,
    object: &Value,
) -> Vec<Problem> {
    admission::problems_in(snapshot, cluster, kind, object)
}

/// As [`admission_problems`], for `kubectl`'s user: few, each at most 256 characters and with its code.
pub fn admission_warnings(kind: Kind, object: &Value) -> Vec<String> {
    admission::warnings(kind, object)
}
