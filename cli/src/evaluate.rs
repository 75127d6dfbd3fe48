//! What becomes of a world: the plan of each unit, and the statuses once all plans have been applied.
//!
//! The plans are those of [`assess`], the very function that the Lambda functions call; what is made by them is told by the
//! planner's own model of VPC Lattice ([`simulate`]). Units read each other's statuses, so they are looked at until all
//! rest, as the queue has them do.

use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use trellis_gateway::{
    Assessment, Report, Settings, Snapshot, Translation, assess, outcome_of, statuses, units_of_cluster,
};
use trellis_hint::{Scope, UnitKey};
use trellis_lattice::{
    Actual, ActualNetwork, ActualResourceGateway, Desired, Ownership, Plan, Violation, settle, simulate,
};

/// Looks at one unit. Units that share a service wake each other a few times.
const LOOKS_MAX: usize = 8;

/// The time of statuses; whoever shows them leaves it out.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// What stands for the 17 characters of an id that VPC Lattice chooses.
const ID: &str = "0xxxxxxxxxxxxxxxx";

/// What becomes of one unit.
#[derive(Debug, Clone)]
pub struct UnitOutcome {
    /// What would be done now; none where nothing may be changed.
    pub plan: Option<Plan>,
    /// Invariants that the plan breaks. Each is a fault of Trellis.
    pub violations: Vec<Violation>,
    /// What is not known, in words.
    pub held: Vec<String>,
    /// What would be done afterwards, when other units have done their part.
    pub later: Vec<Plan>,
    /// What VPC Lattice has of it in the end.
    pub actual: Actual,
    /// What it wants in the end; none where nothing may be changed.
    pub desired: Option<Desired>,
    /// What is to be said of its objects in the end.
    pub reports: Vec<Report>,
}

impl UnitOutcome {
    /// All plans, in order.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.plan.iter().chain(&self.later)
    }
}

/// What becomes of everything.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// By unit, in their order; without those that want nothing and say nothing.
    pub units: BTreeMap<UnitKey, UnitOutcome>,
    /// The objects with the statuses that they have in the end.
    pub snapshot: Snapshot,
    /// Units that were not at rest when the looks at them were used up. Each is a fault of Trellis.
    pub restless: BTreeSet<UnitKey>,
}

/// Evaluates all that there is, where VPC Lattice has nothing yet.
pub fn evaluate(snapshot: &Snapshot, settings: &Settings) -> Evaluation {
    let clusters = snapshot.facts.keys().filter(|cluster| !snapshot.is_leaving(cluster));
    let implied = clusters.flat_map(|cluster| units_of_cluster(cluster, snapshot).into_keys());
    // Of the subnets that EKS would tell, the zones are not known; one each makes an endpoint possible in all of them.
    let subnets = snapshot.facts.values().flat_map(|facts| &facts.subnets);
    let nothing =
        Actual { subnet_zones: subnets.map(|one| (one.clone(), one.clone())).collect(), ..Actual::default() };
    evaluate_units(snapshot, settings, &implied.map(|unit| (unit, nothing.clone())).collect())
}

/// Evaluates these units and whom they wake, where VPC Lattice has this of each.
pub fn evaluate_units(
    snapshot: &Snapshot,
    settings: &Settings,
    actuals: &BTreeMap<UnitKey, Actual>,
) -> Evaluation {
    let units: BTreeSet<UnitKey> = actuals.keys().cloned().collect();
    let mut run = Run {
        settings,
        store: Store::new(snapshot.clone(), settings),
        units: BTreeMap::new(),
        networks: BTreeMap::new(),
        gateways: BTreeMap::new(),
        usage: BTreeMap::new(),
    };
    let mut looks: BTreeMap<UnitKey, usize> = BTreeMap::new();
    // Networks first, as the order of units has it: what is attached to one is planned with it there.
    let mut queue: VecDeque<UnitKey> = units.iter().cloned().collect();
    let mut queued = units;
    let mut restless = BTreeSet::new();
    while let Some(unit) = queue.pop_front() {
        queued.remove(&unit);
        let look = looks.entry(unit.clone()).or_default();
        *look += 1;
        if *look > LOOKS_MAX {
            restless.insert(unit);
            continue;
        }
        for woken in run.look(&unit, actuals.get(&unit)) {
            if queued.insert(woken.clone()) {
                queue.push_back(woken);
            }
        }
    }
    let Run { store, mut units, .. } = run;
    units.retain(|_, one| is_of_interest(one));
    Evaluation { units, snapshot: store.whole, restless }
}

/// Whether a unit wants or has anything, is held, or speaks.
fn is_of_interest(one: &UnitOutcome) -> bool {
    let wants = |desired: &Desired| *desired != Desired::nothing(desired.owner.clone());
    one.plans().any(|plan| !plan.is_settled())
        || !one.held.is_empty()
        || !one.reports.is_empty()
        || one.desired.as_ref().is_some_and(wants)
}

struct Run<'a> {
    settings: &'a Settings,
    store: Store,
    units: BTreeMap<UnitKey, UnitOutcome>,
    /// The service networks that Gateways' units have made, each with its unit.
    networks: BTreeMap<String, (UnitKey, ActualNetwork)>,
    /// The resource gateways that ResourceGateways' units have made, each with its unit.
    gateways: BTreeMap<String, (UnitKey, ActualResourceGateway)>,
    /// The services in each network, with their units.
    usage: BTreeMap<String, BTreeSet<(UnitKey, String)>>,
}

impl Run<'_> {
    /// Looks at a unit, does what it plans and writes its statuses; gives back whom that wakes.
    fn look(&mut self, unit: &UnitKey, given: Option<&Actual>) -> Vec<UnitKey> {
        let before = self.units.get(unit).map(|one| one.actual.clone());
        let before = self.beside(unit, before.or_else(|| given.cloned()).unwrap_or_default());
        let snapshot = self.store.observe(unit, given.is_some_and(|given| !given.services.is_empty()));
        let assessment = assess(&snapshot, &before, unit, self.settings);
        let planned = assessment.plan.as_ref();
        let after = planned.map_or_else(|| before.clone(), |plan| settle(&simulate(&before, plan)));
        let after = named(unit.scope(), after);
        // As a function does when it has applied the plan: by the translation that the plan is made of.
        let translation = &assessment.translation;
        let told = planned.map(|plan| statuses(&snapshot, translation, &outcome_of(&after, plan), NO_TIME));
        let told = told.unwrap_or_else(|| assessment.statuses(&snapshot));
        self.note(unit, &after);
        let Assessment { translation, plan, violations, .. } = assessment;
        let Translation { desired, reports, held, .. } = translation;
        if let Some(before) = self.units.get_mut(unit) {
            before.later.extend(plan.filter(|plan| !plan.is_settled()));
            (before.actual, before.desired, before.reports) = (after, desired, reports);
        } else {
            let later = vec![];
            let outcome = UnitOutcome { plan, violations, held, later, actual: after, desired, reports };
            self.units.insert(unit.clone(), outcome);
        }
        let woken = told.iter().flat_map(|patch| patch.notify.clone()).collect();
        self.store.write(told);
        woken
    }

    /// What a unit sees in VPC Lattice: its own, the networks of others that it may join, with how full they are, and the resource
    /// gateways of others.
    fn beside(&self, unit: &UnitKey, own: Actual) -> Actual {
        let mut seen = own;
        for (name, (owner, network)) in &self.networks {
            if owner != unit
                && owner.scope() == unit.scope()
                && !seen.networks.iter().any(|one| one.name == *name)
            {
                seen.networks.push(ActualNetwork {
                    ownership: Ownership::OtherUnit(owner.to_string()),
                    ..network.clone()
                });
            }
        }
        let gateways = self.gateways.iter().filter(|(_, (owner, _))| {
            matches!(unit, UnitKey::Resource { .. }) && owner != unit && owner.scope() == unit.scope()
        });
        for (name, (owner, gateway)) in gateways {
            if !seen.resource_gateways.iter().any(|one| one.name == *name) {
                let ownership = Ownership::OtherUnit(owner.to_string());
                seen.resource_gateways.push(ActualResourceGateway { ownership, ..gateway.clone() });
            }
        }
        seen.network_usage.extend(self.usage.iter().map(|(name, services)| (name.clone(), services.len())));
        seen
    }

    /// Remembers the networks and resource gateways that a unit has made, and the services that it has put into networks.
    fn note(&mut self, unit: &UnitKey, after: &Actual) {
        if matches!(unit, UnitKey::Gateway { .. }) {
            for network in &after.networks {
                self.networks.insert(network.name.clone(), (unit.clone(), network.clone()));
            }
            return;
        }
        let ours = after.resource_gateways.iter().filter(|one| one.ownership == Ownership::Ours);
        self.gateways.extend(ours.map(|one| (one.name.clone(), (unit.clone(), one.clone()))));
        let associations = after.services.iter().flat_map(|service| {
            service.associations.iter().map(move |one| (one.network.clone(), service.name.clone()))
        });
        for (network, service) in associations {
            self.usage.entry(network).or_default().insert((unit.clone(), service));
        }
    }
}

/// With names in place of what VPC Lattice would choose. No two are one: two Gateways whose networks have one ARN would be taken to
/// stand for one network.
fn named(scope: &Scope, mut actual: Actual) -> Actual {
    let Scope { account, region } = scope;
    for service in actual.services.iter_mut().filter(|service| service.dns_name.is_none()) {
        let name = &service.name;
        service.dns_name = Some(format!("{name}-{ID}.xxxxxxx.vpc-lattice-svcs.{region}.on.aws"));
    }
    for network in &mut actual.networks {
        if network.arn == format!("arn:sn-{}", network.name) {
            let partition = scope.partition();
            let name = &network.name;
            network.arn =
                format!("arn:{partition}:vpc-lattice:{region}:{account}:servicenetwork/sn-{ID}-{name}");
        }
    }
    actual
}
