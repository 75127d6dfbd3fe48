//! Everything that is to be said of one unit, from what was read of the clusters and of VPC Lattice.
//!
//! [`assess`] is what the reconciler, the drift pass and whoever else wants to know share: they differ only in what they
//! do with it. It is pure: no clock, no network.

use crate::units::dependents::Hints;
use crate::view::View;
use crate::{
    ObjectChange, Read, Report, Settings, Snapshot, StatusPatch, Translation, dependents_in, is_gone,
    object_changes, plain_service_names, statuses, translate, translate_whole,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use trellis_hint::{Hint, Kind, ObjectRef, Operation, Scope, UnitKey};
use trellis_lattice::{
    Actual, Desired, Outcome, Ownership, Plan, ResourceOutcome, ServiceOutcome, Status, Step, Violation,
    VpcAssociationOutcome, VpcEndpointOutcome, check, plan, plan_instances,
};

/// The time of the statuses of an assessment. Whether a status is due does not depend on the time.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// What is to be done for a unit, and what is to be said of its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// What the unit wants, and the reports on its objects.
    pub translation: Translation,
    /// What is to be done in VPC Lattice. None: nothing may be changed.
    pub plan: Option<Plan>,
    /// Invariants that the plan breaks. With any it must not be applied; each is a fault of Trellis.
    pub violations: Vec<Violation>,
    /// What exists already, and what the plan leaves out: as an apply of no steps would tell it.
    pub outcome: Outcome,
}

/// What a unit needs before it can be assessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// What is still to be read of the clusters ([`crate::wants`]).
    pub reads: Vec<Read>,
    /// When nothing is: what was asked for in all, by the fewest reads.
    pub asked: Vec<Read>,
    /// When nothing is: what is to be inspected in VPC Lattice ([`to_inspect`]).
    pub inspection: Option<Desired>,
}

impl Assessment {
    /// The statuses that are due with that outcome; their times are of no meaning. `snapshot`: what was assessed.
    pub fn statuses(&self, snapshot: &Snapshot) -> Vec<StatusPatch> {
        statuses(snapshot, &self.translation, &self.outcome, NO_TIME)
    }

    /// The changes of other objects that are due with that outcome, as far as these are in `snapshot`: what was assessed.
    pub fn objects(&self, snapshot: &Snapshot) -> Vec<ObjectChange> {
        object_changes(snapshot, &self.translation, &self.outcome)
    }

    /// The plan's steps.
    pub fn steps(&self) -> &[Step] {
        self.plan.as_ref().map(|plan| plan.steps.as_slice()).unwrap_or_default()
    }

    /// The Gateways whose service networks the plan takes services or resources out of. One that is to go can go only when they have
    /// left.
    pub fn left_networks(&self, scope: &Scope) -> impl Iterator<Item = UnitKey> {
        let left = self.steps().iter().filter_map(|step| match step {
            Step::DeleteAssociation(delete) => Some(delete.network.clone()),
            Step::DeleteResourceAssociation(delete) => Some(delete.network.clone()),
            _ => None,
        });
        left.map(|name| UnitKey::Gateway { scope: scope.clone(), name })
    }

    /// The units that wait for places that the plan's first steps have left, so many, each with the object that says so.
    pub fn let_in(&self, done: usize) -> impl Iterator<Item = (UnitKey, ObjectRef)> {
        let left = self.steps().iter().take(done).filter_map(|step| match step {
            Step::DeleteAssociation(delete) => {
                self.translation.waiting.get(&(delete.service.clone(), delete.network.clone()))
            }
            _ => None,
        });
        left.flatten().map(|(unit, object)| (unit.clone(), object.clone()))
    }

    /// The units that got something of this one's by its first steps, so many.
    pub fn heirs(&self, done: usize) -> BTreeSet<UnitKey> {
        let given = self.steps().iter().take(done).filter_map(|step| match step {
            Step::HandOver(given) => given.to.key.parse().ok(),
            _ => None,
        });
        given.collect()
    }

    /// When something is to go that stays for a while: what nobody wants any more, and targets of a Service that was made anew.
    pub fn grace_left(&self) -> Option<Duration> {
        let unwanted = self.plan.as_ref().and_then(|plan| plan.grace_left);
        unwanted.into_iter().chain(self.translation.lasts).min().map(Duration::from_secs)
    }

    /// Whether requests still come to a service that another one takes the place of: whether that answers shows at another look.
    /// Where a person has to open a network first, no look shows it.
    pub fn is_moving(&self) -> bool {
        let blocked = || self.plan.iter().flat_map(|plan| &plan.blocked);
        let is_barred = |network: &String| blocked().any(|one| one.bars(network));
        let mut reports = self.translation.reports.iter();
        reports.any(|report| {
            let Report::Route(route) = report else { return false };
            route.is_moving && !route.services.iter().flat_map(|one| &one.networks).any(is_barred)
        })
    }

    /// What a route's rules, or a Backend, wait for, where nothing but another look tells of it.
    pub fn awaits(&self) -> Option<&'static str> {
        let mut reports = self.translation.reports.iter();
        reports.find_map(|report| match report {
            Report::Route(route) => route.awaits,
            Report::Backend(backend) => backend.awaits(),
            _ => None,
        })
    }

    /// Whether nothing is to be changed in VPC Lattice.
    pub fn is_settled(&self) -> bool {
        self.plan.as_ref().is_none_or(Plan::is_settled)
    }
}

/// Assesses a unit.
///
/// `actual` is what was inspected for [`to_inspect`]; the default where that is none.
pub fn assess(snapshot: &Snapshot, actual: &Actual, unit: &UnitKey, settings: &Settings) -> Assessment {
    let translation = translate(unit, snapshot, actual, settings);
    let (mut planned, mut violations, mut outcome) = (None, vec![], Outcome::default());
    if let Some(desired) = &translation.desired {
        let plan = plan(desired, actual, &settings.limits);
        violations = check(&plan, desired, actual, &settings.limits);
        outcome = outcome_of(actual, &plan);
        planned = Some(plan);
    }
    Assessment { translation, plan: planned, violations, outcome }
}

/// What has to be inspected in VPC Lattice before a unit can be assessed; none where nothing may be changed.
///
/// A route that is there may be refused, and then what it has stays as it is; what one had that is gone may go to the routes that
/// shared it. Both show only in what is there, so all of it is read.
pub fn to_inspect(unit: &UnitKey, snapshot: &Snapshot, settings: &Settings) -> Option<Desired> {
    needs(unit, snapshot, settings).inspection
}

/// What has to be read next for a unit and, when that is nothing, what has to be inspected: one translation tells both.
pub fn needs(unit: &UnitKey, snapshot: &Snapshot, settings: &Settings) -> Needs {
    let nothing = Actual::default();
    let view = View::uninspected(snapshot, &nothing);
    let desired = translate_whole(&view, unit, settings).desired;
    let tells_others = matches!(unit, UnitKey::Dependents { .. }) || is_gone(&view, unit);
    let told = if tells_others { dependents_in(&view, unit, settings) } else { Hints::new() };
    let in_full = match unit {
        UnitKey::Merged { .. } => true,
        UnitKey::Route { kind, cluster, namespace, name } => {
            snapshot.get(cluster, *kind, namespace, name).is_some() || !told.is_empty()
        }
        _ => false,
    };
    let inspection = desired.map(|desired| Desired { in_full, ..desired });
    let reads = view.unanswered();
    let asked = if reads.is_empty() { view.answered() } else { vec![] };
    Needs { reads, asked, inspection }
}

/// The steps by which the unit's instances behind routes follow those that run, where nothing else is to be done with their target groups;
/// none where a whole assessment has to tell. `actual`: target groups alone.
pub fn assess_instances(
    snapshot: &Snapshot,
    actual: &Actual,
    unit: &UnitKey,
    settings: &Settings,
) -> Option<Plan> {
    let translation = translate(unit, snapshot, actual, settings);
    let desired = translation.desired.filter(|_| translation.held.is_empty() && !translation.refused)?;
    let plan = plan_instances(&desired, actual, &settings.limits)?;
    check(&plan, &desired, actual, &settings.limits).is_empty().then_some(plan)
}

/// The service names to look for besides the wanted ones: the one that the unit may have used although it wants none any
/// more, and those that hints have seen with its tag.
pub fn candidate_service_names(unit: &UnitKey, hints: &[Hint]) -> Vec<String> {
    let seen = hints.iter().flat_map(|hint| hint.service_names.iter().cloned());
    let mut names: Vec<String> = plain_service_names(unit).into_iter().chain(seen).collect();
    names.sort();
    names.dedup();
    names
}

/// Whether a unit's news concern all who depend on it.
///
/// A Gateway unit concerns its routes when a Gateway was changed or when its network was: a route that comes or goes
/// changes only the Gateway's count, and must not wake all the other routes; in a look at a whole cluster its routes are told
/// themselves. A route that is edited or deleted concerns those whose status names it: what it had of a hostname may be
/// theirs now. `settled`: whether VPC Lattice was as desired.
pub fn concerns_dependents(unit: &UnitKey, hints: &[Hint], settled: bool) -> bool {
    match unit {
        UnitKey::Dependents { .. } => true,
        UnitKey::Gateway { .. } => {
            let is_told = |hint: &Hint| hint.object.kind == Kind::Gateway && hint.look.is_none();
            !settled || hints.iter().any(is_told)
        }
        UnitKey::Route { .. } => {
            let is_edit = |hint: &Hint| hint.operation != Operation::Resync && hint.object.kind.is_route();
            hints.iter().any(is_edit)
        }
        UnitKey::Resource { .. } => !settled || hints.iter().any(|hint| hint.operation != Operation::Resync),
        UnitKey::Merged { .. } | UnitKey::Export { .. } | UnitKey::Cluster { .. } => false,
    }
}

/// The units that read what a patch writes, each with the patched object.
pub fn readers(patch: &StatusPatch) -> impl Iterator<Item = (UnitKey, ObjectRef)> {
    let object = ObjectRef {
        cluster: patch.cluster.clone(),
        kind: patch.kind,
        namespace: patch.namespace.clone(),
        name: patch.name.clone(),
        uid: String::new(),
        generation: 0,
    };
    patch.notify.iter().map(move |unit| (unit.clone(), object.clone()))
}

/// All units that read what a unit's statuses say, whether these are written already or not, each with the object that it
/// reads: whom a try that was cut off may not have told.
pub fn told_units(
    snapshot: &Snapshot,
    translation: &Translation,
    outcome: &Outcome,
) -> BTreeMap<UnitKey, ObjectRef> {
    let mut unwritten = snapshot.clone();
    for report in &translation.reports {
        let subject = report.subject();
        let objects = unwritten.objects.get_mut(&subject.cluster);
        let object = objects.and_then(|objects| objects.get_mut(&subject.object));
        if let Some(members) = object.and_then(|object| Arc::make_mut(object).as_object_mut()) {
            members.remove("status");
        }
    }
    statuses(&unwritten, translation, outcome, NO_TIME).iter().flat_map(readers).collect()
}

/// What exists, and what a plan has to leave out: what is told of a unit of which VPC Lattice has `actual`. Services and target groups that only bear a wanted name are
/// another's, and their domain names are not the unit's to tell.
pub fn outcome_of(actual: &Actual, plan: &Plan) -> Outcome {
    let serving = |dns_name: &Option<String>, arn: &String| ServiceOutcome {
        arn: arn.clone(),
        dns_name: dns_name.clone(),
    };
    Outcome {
        networks: actual.networks.iter().map(|network| (network.name.clone(), network.arn.clone())).collect(),
        services: actual
            .services
            .iter()
            .filter(|service| service.ownership == Ownership::Ours)
            .map(|service| (service.name.clone(), serving(&service.dns_name, &service.arn)))
            .collect(),
        target_groups: actual
            .target_groups
            .iter()
            .map(|group| (group.name.clone(), group.arn.clone()))
            .collect(),
        blocked: plan.blocked.clone(),
        refused: actual.refused.clone(),
        refused_logs: vec![],
        refused_vpcs: vec![],
        refused_certificates: vec![],
        vpc_associations: actual
            .vpc_associations
            .iter()
            .filter(|one| one.status != Status::DeleteInProgress)
            .map(|one| VpcAssociationOutcome { network: one.network.clone(), vpc: one.vpc.clone() })
            .collect(),
        vpc_endpoints: actual
            .vpc_endpoints
            .iter()
            .filter(|one| one.counts_for(&one.network, &one.vpc))
            .map(|one| VpcEndpointOutcome {
                network: one.network.clone(),
                vpc: one.vpc.clone(),
                id: one.id.clone(),
            })
            .collect(),
        resource_gateways: actual
            .resource_gateways
            .iter()
            .filter(|gateway| gateway.ownership == Ownership::Ours)
            .map(|gateway| (gateway.name.clone(), gateway.arn.clone()))
            .collect(),
        resources: actual
            .resource_configurations
            .iter()
            .filter(|one| one.ownership == Ownership::Ours)
            .map(|one| (one.name.clone(), ResourceOutcome::of(one)))
            .collect(),
        refused_endpoints: vec![],
        waiting: None,
        failure: None,
    }
}
