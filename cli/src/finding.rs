//! What is wrong with the objects: the reports' problems, conditions that are not as wanted, and what plans leave out.

use crate::evaluate::{Evaluation, UnitOutcome};
use crate::manifests::Place;
use crate::offline::{World, path};
use crate::quota::Usage;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{Code, Condition, Level, ObjectKey, Problem, Report};
use trellis_hint::{ClusterId, Kind};

/// Conditions that are there only while something is not as wanted.
const BAD_IF_TRUE: [&str; 4] = [
    "PartiallyInvalid",
    "Conflicted",
    "application-networking.k8s.aws/RefusedTargets",
    "application-networking.k8s.aws/KeptRules",
];

/// The condition that follows from whatever else is wrong.
const PROGRAMMED: &str = "Programmed";

/// The object that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// The cluster's name.
    pub cluster: String,
    /// The kind.
    pub kind: &'static str,
    /// The namespace; empty for a cluster-scoped kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The file that it stands in; none of an object that is in no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line that it begins in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl About {
    /// An object, with where it stands in the files.
    pub fn of(world: &World, cluster: &ClusterId, key: &ObjectKey) -> Self {
        let place = world.places.get(&(cluster.clone(), key.clone()));
        Self {
            cluster: cluster.name.clone(),
            kind: key.kind.as_str(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            file: place.map(|Place { file, .. }| file.clone()),
            line: place.map(|Place { line, .. }| *line),
        }
    }
}

/// One thing that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The object; none of what is no single object's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<About>,
    /// The field's path, or what else tells where it is; empty where there is nothing to name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What it is about.
    pub code: Code,
    /// How much it matters.
    pub level: Level,
    /// What is wrong and what helps.
    pub message: String,
}

impl Finding {
    /// One whose level is its code's.
    pub fn new(object: Option<About>, path: &str, code: Code, message: String) -> Self {
        Self { object, path: path.to_owned(), code, level: code.level(), message }
    }
}

/// All findings, in order of their objects and fields.
pub fn findings(world: &World, evaluation: &Evaluation, usage: &[Usage]) -> Vec<Finding> {
    let mut search = Search { world, by_object: BTreeMap::new() };
    for unit in evaluation.units.values() {
        for report in &unit.reports {
            search.report(report);
        }
        search.unit(unit);
    }
    search.objects_alone();
    search.statuses(evaluation);
    search.missing();
    for one in usage.iter().filter(|one| one.is_exceeded() && one.of.is_none()) {
        let message =
            format!("{} of {} are asked for; ask for less, or raise the quota.", one.used, one.limit);
        search.add(None, &format!("{} ({})", one.quota, one.code), Code::QuotaExceeded, message);
    }
    for unit in &evaluation.restless {
        search.add(
            None,
            &unit.to_string(),
            Code::Restless,
            "Statuses wake each other without an end.".into(),
        );
    }
    search.by_object.into_values().flatten().collect()
}

/// The highest level among findings; none where there are none.
pub fn worst(findings: &[Finding]) -> Option<Level> {
    findings.iter().map(|finding| finding.level).max()
}

struct Search<'a> {
    world: &'a World,
    by_object: BTreeMap<Option<About>, BTreeSet<Finding>>,
}

impl Search<'_> {
    fn add(&mut self, object: Option<About>, path: &str, code: Code, message: String) {
        let finding = Finding::new(object, path, code, message);
        self.by_object.entry(finding.object.clone()).or_default().insert(finding);
    }

    fn about(&self, cluster: &ClusterId, key: &ObjectKey) -> About {
        About::of(self.world, cluster, key)
    }

    fn problem(&mut self, about: &About, problem: &Problem) {
        self.add(Some(about.clone()), &problem.path, problem.code, format!("{}.", problem.text));
    }

    /// What a condition lists, or what it says where it lists nothing and is not as wanted.
    fn condition(&mut self, about: &About, at: &str, condition: &Condition) {
        for problem in &condition.problems {
            self.problem(about, problem);
        }
        let is_bad = condition.status == "False" || BAD_IF_TRUE.contains(&condition.kind);
        if let Some(code) = Code::of_condition(condition.kind, condition.reason)
            && condition.problems.is_empty()
            && is_bad
        {
            self.add(Some(about.clone()), at, code, condition.message.clone());
        }
    }

    fn report(&mut self, report: &Report) {
        let subject = report.subject();
        let about = &self.about(&subject.cluster, &subject.object);
        match report {
            Report::Route(route) => {
                for parent in &route.parents {
                    let at = format!("Gateway {}", parent.gateway);
                    self.condition(about, &at, &parent.accepted);
                    self.condition(about, &at, &parent.resolved_refs);
                    if let Some(condition) = &parent.partially_invalid {
                        self.condition(about, &at, condition);
                    }
                    for problem in &parent.problems {
                        self.problem(about, problem);
                    }
                }
            }
            Report::Gateway(gateway) => {
                self.condition(about, "", &gateway.accepted);
                for listener in &gateway.listeners {
                    let at = format!("listener {}", listener.name);
                    let conditions = [&listener.accepted, &listener.resolved_refs];
                    for condition in conditions.into_iter().chain(&listener.conflicted) {
                        self.condition(about, &at, condition);
                    }
                    if let Some(text) = &listener.certificate_missing {
                        self.add(Some(about.clone()), &at, Code::CertificateMissing, text.clone());
                    }
                }
                if let Some(condition) = &gateway.vpc_problem {
                    self.condition(about, "", condition);
                }
            }
            Report::Class(class) => self.condition(about, "", &class.accepted),
            Report::Export(export) => self.condition(about, "", &export.valid),
            Report::Import(import) => {
                if let Some(condition) = &import.external {
                    self.condition(about, "", condition);
                }
            }
            Report::Policy(policy) => {
                for entry in &policy.entries {
                    let at = format!("{} {}", entry.target.kind, entry.target.name);
                    self.condition(about, &at, &entry.accepted);
                }
            }
            Report::Network(network) => self.condition(about, "", &network.accepted),
            Report::Backend(backend) => {
                self.condition(about, "", &backend.accepted);
                self.condition(about, "", &backend.resolved);
            }
            Report::ResourceGateway(gateway) => self.condition(about, "", &gateway.accepted),
            Report::Resource(resource) => {
                for parent in &resource.parents {
                    let at = format!("Gateway {}", parent.gateway);
                    self.condition(about, &at, &parent.accepted);
                    self.condition(about, &at, &parent.resolved_refs);
                }
            }
            Report::Pod(_) => {}
        }
    }

    /// What the plans of a unit leave out, and what they must not do.
    fn unit(&mut self, unit: &UnitOutcome) {
        // What the last plan leaves out is left out for good.
        let last = unit.plans().last();
        for blocked in last.iter().flat_map(|plan| &plan.blocked) {
            let subject = unit.reports.first().map(Report::subject);
            let about = subject.map(|subject| self.about(&subject.cluster, &subject.object));
            self.add(about, "", Code::of_blocked(blocked), sentence(&blocked.to_string()));
        }
        for violation in &unit.violations {
            self.add(None, "", Code::PlanFault, sentence(&violation.to_string()));
        }
    }

    /// What is said of objects by themselves, as the webhook would.
    fn objects_alone(&mut self) {
        for (cluster, key, object) in objects(self.world) {
            let about = self.about(cluster, key);
            for problem in
                trellis_gateway::admission_problems_in(&self.world.snapshot, cluster, key.kind, object)
            {
                // A report says of a listener's or Gateway's condition in full what this says of it.
                if !problem.path.starts_with("Listener ") && !problem.path.starts_with("Gateway ") {
                    self.problem(&about, &problem);
                }
            }
        }
    }

    /// Conditions of the statuses in the end that nothing else was found for.
    fn statuses(&mut self, evaluation: &Evaluation) {
        for (cluster, objects) in &evaluation.snapshot.objects {
            for (key, object) in objects {
                let about = self.about(cluster, key);
                for (at, condition) in conditions(object) {
                    self.status(&about, &at, condition);
                }
            }
        }
    }

    fn status(&mut self, about: &About, at: &str, condition: &Value) {
        let text = |member: &str| condition.get(member).and_then(Value::as_str).unwrap_or_default();
        let (kind, message) = (text("type"), text("message"));
        let is_bad =
            if BAD_IF_TRUE.contains(&kind) { text("status") == "True" } else { text("status") == "False" };
        let Some(code) = Code::of_condition(kind, text("reason")).filter(|_| is_bad) else { return };
        let own = self.by_object.get(&Some(about.clone()));
        let own = || own.into_iter().flatten();
        let is_told = own().any(|one| message.contains(one.message.trim_end_matches('.')));
        let follows = kind == PROGRAMMED && own().any(|one| one.level == Level::Error);
        if !is_told && !follows {
            self.add(Some(about.clone()), at, code, message.to_owned());
        }
    }

    /// Gateways and classes that are named and in no file: of what depends on them nothing is planned.
    fn missing(&mut self) {
        let has = |cluster: &ClusterId, kind: Kind, namespace: &str, name: &str| {
            self.world.snapshot.get(cluster, kind, namespace, name).is_some()
        };
        let mut missing = vec![];
        for (cluster, key, object) in objects(self.world) {
            let text =
                |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
            if key.kind.is_route() {
                let parents = object.pointer("/spec/parentRefs").and_then(Value::as_array);
                for (at, parent) in parents.into_iter().flatten().enumerate() {
                    let namespace = text(parent, "namespace").unwrap_or_else(|| key.namespace.clone());
                    let name = text(parent, "name").unwrap_or_default();
                    let is_gateway = text(parent, "kind").is_none_or(|kind| kind == "Gateway");
                    if is_gateway && !has(cluster, Kind::Gateway, &namespace, &name) {
                        let at = format!("spec.parentRefs[{at}]");
                        missing.push((cluster, key, at, format!("Gateway {namespace}/{name}")));
                    }
                }
            }
            let class = object.pointer("/spec/gatewayClassName").and_then(Value::as_str);
            if let Some(class) = class.filter(|_| key.kind == Kind::Gateway)
                && !has(cluster, Kind::GatewayClass, "", class)
            {
                missing.push((
                    cluster,
                    key,
                    "spec.gatewayClassName".to_owned(),
                    format!("GatewayClass {class}"),
                ));
            }
        }
        for (cluster, key, at, what) in missing {
            let about = self.about(cluster, key);
            let message = format!(
                "{what} is not among the files, so nothing is planned of {} {} there; give the file that has it as well.",
                key.kind,
                path(key)
            );
            self.add(Some(about), &at, Code::NotAmongFiles, message);
        }
    }
}

fn objects(world: &World) -> impl Iterator<Item = (&ClusterId, &ObjectKey, &Value)> {
    let all = world.snapshot.objects.iter();
    all.flat_map(|(cluster, objects)| {
        objects.iter().map(move |(key, object)| (cluster, key, object.as_ref()))
    })
}

/// All conditions that Trellis writes to an object, each with where it stands.
pub fn conditions(object: &Value) -> Vec<(String, &Value)> {
    let mut found = vec![];
    let status = object.get("status").unwrap_or(&Value::Null);
    collect(&mut found, "", status);
    let name = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for parent in members(status, "parents") {
        if name(parent, "/controllerName") == trellis_gateway::CONTROLLER {
            collect(&mut found, &format!("Gateway {}", name(parent, "/parentRef/name")), parent);
        }
    }
    for listener in members(status, "listeners") {
        collect(&mut found, &format!("listener {}", name(listener, "/name")), listener);
    }
    for ancestor in members(status, "ancestors") {
        let at = format!("{} {}", name(ancestor, "/ancestorRef/kind"), name(ancestor, "/ancestorRef/name"));
        collect(&mut found, &at, ancestor);
    }
    found
}

fn members<'a>(status: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    status.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn collect<'a>(found: &mut Vec<(String, &'a Value)>, at: &str, holder: &'a Value) {
    let all = holder.get("conditions").and_then(Value::as_array).into_iter().flatten();
    found.extend(all.map(|condition| (at.to_owned(), condition)));
}

/// With a capital first letter and a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// Findings by level.
pub fn counts(findings: &[Finding]) -> BTreeMap<Level, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.level).or_default() += 1;
    }
    counts
}
