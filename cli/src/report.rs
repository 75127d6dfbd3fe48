//! A plan for people and programs, as plain values.

use crate::args::Input;
use crate::cost::{self, Cost};
use crate::evaluate::{Evaluation, UnitOutcome, evaluate};
use crate::finding::{self, About, Finding, counts, findings};
use crate::manifests::Manifests;
use crate::offline::{World, world};
use crate::quota::{Usage, usage};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use trellis_gateway::Level;
use trellis_lattice::{Plan, Step};

/// The version of all JSON that the command line writes: members are added, never renamed or taken away.
pub const API_VERSION: &str = "cli.trellis/v1";

/// What becomes of manifests.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What is known.
    pub world: World,
    /// What becomes of it.
    pub evaluation: Evaluation,
    /// Quotas.
    pub usage: Vec<Usage>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What it costs.
    pub cost: Cost,
}

impl Planned {
    /// Plans manifests.
    ///
    /// # Errors
    ///
    /// A flag that names no account, Region or cluster, for people.
    pub fn of(manifests: Manifests, input: &Input) -> Result<Self, String> {
        let world = world(manifests, input)?;
        let evaluation = evaluate(&world.snapshot, &world.settings);
        let usage = usage(&evaluation, &world.settings.limits);
        let findings = findings(&world, &evaluation, &usage);
        let wanted = evaluation.units.values().filter_map(|one| one.desired.as_ref());
        let services = wanted.map(|desired| desired.services.len()).sum();
        let cost = cost::of(services, input.service_hour_usd);
        Ok(Self { world, evaluation, usage, findings, cost })
    }

    /// The plan as JSON has it.
    pub fn document(&self) -> Document<'_> {
        let units = self.evaluation.units.iter().map(|(unit, one)| Unit {
            key: unit.to_string(),
            held: &one.held,
            plan: one.plan.as_ref(),
            later: &one.later,
        });
        let findings = counts(&self.findings);
        let count = |level: Level| findings.get(&level).copied().unwrap_or_default();
        let [add, change, remove] = self.changes();
        Document {
            api_version: API_VERSION,
            kind: "Plan",
            notes: &self.world.notes,
            units: units.filter(Unit::is_busy).collect(),
            statuses: self.statuses(),
            findings: &self.findings,
            quotas: &self.usage,
            cost: self.cost,
            summary: Summary {
                add,
                change,
                remove,
                errors: count(Level::Error),
                warnings: count(Level::Warning),
                notes: count(Level::Note),
            },
        }
    }

    /// How many steps make, change and take away.
    pub fn changes(&self) -> [usize; 3] {
        let mut changes = [0; 3];
        let plans = self.evaluation.units.values().flat_map(UnitOutcome::plans);
        for step in plans.flat_map(|plan| &plan.steps) {
            if let Some(at) = sign(step).and_then(|sign| "+~-".find(sign)) {
                changes[at] += 1;
            }
        }
        changes
    }

    /// The statuses in the end.
    pub fn statuses(&self) -> Vec<ObjectStatus> {
        let objects = self.evaluation.snapshot.objects.iter();
        let all = objects.flat_map(|(cluster, objects)| objects.iter().map(move |one| (cluster, one)));
        let told = all.filter_map(|(cluster, (key, object))| {
            let status = object.get("status")?;
            // What a file says of its status is not ours to tell.
            let given = self.world.snapshot.objects.get(cluster)?.get(key)?;
            if Arc::ptr_eq(given, object) {
                return None;
            }
            let object = About::of(&self.world, cluster, key);
            Some(ObjectStatus { object, status: without_times(status) })
        });
        told.collect()
    }

    /// The highest level among the findings.
    pub fn worst(&self) -> Option<Level> {
        finding::worst(&self.findings)
    }
}

/// What a step does, as its line begins; none of a wait.
pub fn sign(step: &Step) -> Option<char> {
    if step.is_wait() { None } else { step.to_string().chars().next() }
}

/// A status as nobody has written it yet: without the times of its conditions.
fn without_times(status: &Value) -> Value {
    match status {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| *name != "lastTransitionTime");
            Value::Object(kept.map(|(name, value)| (name.clone(), without_times(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_times).collect()),
        other => other.clone(),
    }
}

/// A plan.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    units: Vec<Unit<'a>>,
    statuses: Vec<ObjectStatus>,
    findings: &'a [Finding],
    quotas: &'a [Usage],
    cost: Cost,
    summary: Summary,
}

/// A unit's part of it.
#[derive(Debug, Clone, Serialize)]
struct Unit<'a> {
    #[serde(rename = "unit")]
    key: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    held: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a Plan>,
    #[serde(skip_serializing_if = "<[Plan]>::is_empty")]
    later: &'a [Plan],
}

impl Unit<'_> {
    fn is_busy(&self) -> bool {
        let says =
            |plan: &&Plan| !plan.steps.is_empty() || !plan.blocked.is_empty() || !plan.withheld.is_empty();
        !self.held.is_empty() || self.plan.is_some_and(|plan| says(&plan)) || !self.later.is_empty()
    }
}

/// An object's status in the end.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectStatus {
    /// The object.
    pub object: About,
    /// Its status, without times.
    pub status: Value,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Summary {
    add: usize,
    change: usize,
    remove: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
}
