//! The command line plans what the functions plan, over all golden inputs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

#[path = "../../shared/gateway/tests/support/mod.rs"]
#[allow(dead_code, reason = "the crate of the worlds uses the rest")]
mod support;

use clap::Parser as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use support::case::{Case, actual_of, everything, scoped, settings_of, with_networks};
use support::world::World;
use trellis_cli::args::{Cli, Command, Input};
use trellis_cli::cost;
use trellis_cli::evaluate::evaluate_units;
use trellis_cli::manifests::Manifests;
use trellis_cli::offline;
use trellis_cli::report::Planned;
use trellis_gateway::{BalancerFacts, InstanceFacts, Snapshot, assess, translate};
use trellis_hint::{Kind, UnitKey};
use trellis_lattice::Plan;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// All cases with their names, in order.
fn cases() -> Vec<(String, Case, String)> {
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        files.filter_map(|name| name.strip_suffix(".in.yaml").map(str::to_owned)).collect();
    names.sort();
    let read = |name: String| {
        let text = fs::read_to_string(folder().join(format!("{name}.in.yaml"))).unwrap();
        let case = Case::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, case, text)
    };
    names.into_iter().map(read).collect()
}

/// The plans' lines that a case's golden output has, one list for each of its units.
fn golden_lines(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder().join(format!("{name}.out.yaml"))).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let documents = documents.iter().filter(|document| document.get("unit").is_some());
    let lines = |document: &Value| -> Vec<String> {
        let lines = document.get("plan").and_then(Value::as_array).into_iter().flatten();
        lines.map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    documents.map(lines).collect()
}

fn lines(plan: Option<&Plan>) -> Vec<String> {
    let text = plan.map(ToString::to_string).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn input(arguments: &[&str]) -> Input {
    let scope = ["--account", "123456789012", "--region", "us-west-2", "--cluster", "one"];
    let all = ["trellis", "plan", "-f", "-"].iter().chain(&scope).chain(arguments);
    match Cli::try_parse_from(all).unwrap().command {
        Command::Plan(plan) => plan.input,
        other => panic!("{other:?}"),
    }
}

/// The plan of a unit in the command line's JSON.
fn plan_in(document: &Value, unit: &UnitKey) -> Value {
    let units = document["units"].as_array().unwrap();
    let own = units.iter().find(|one| one["unit"] == unit.to_string());
    own.map_or(Value::Null, |one| one["plan"].clone())
}

/// What is planned from a snapshot of everything and told as JSON is, byte by byte, what a function plans from the few
/// objects that it reads, and in words what the golden output says.
#[test]
fn the_plan_of_every_golden_input_is_the_functions_own() {
    let mut compared = 0;
    for (name, case, _) in cases() {
        let base = folder().join("base");
        let world = World::of(&case, &base);
        let settings = settings_of(&case);
        let whole = everything(&world);
        for (unit, golden) in case.units.iter().zip(golden_lines(&name)) {
            let unit = scoped(unit);
            let (snapshot, ..) = world.observe(&unit);
            let actual = actual_of(&case, &unit, &snapshot, &base, &settings);
            let desired = translate(&unit, &snapshot, &actual, &settings).desired;
            let actual = desired.map_or(actual.clone(), |desired| with_networks(&desired, actual));
            let own = assess(&snapshot, &actual, &unit, &settings);
            let evaluation = evaluate_units(&whole, &settings, &BTreeMap::from([(unit.clone(), actual)]));
            let plan = evaluation.units.get(&unit).and_then(|one| one.plan.clone());
            let told = lines(plan.as_ref());
            assert_eq!(told, golden, "{name}: {unit}");
            let world = offline::World {
                snapshot: whole.clone(),
                settings: settings.clone(),
                places: BTreeMap::new(),
                notes: vec![],
            };
            let planned = Planned {
                world,
                evaluation,
                usage: vec![],
                findings: vec![],
                cost: cost::of(0, cost::USD_PER_SERVICE_HOUR),
            };
            let document = serde_json::to_value(planned.document()).unwrap();
            let is_busy =
                |plan: &Plan| !plan.steps.is_empty() || !plan.blocked.is_empty() || !plan.withheld.is_empty();
            let Some(wanted) = own.plan.filter(is_busy) else { continue };
            assert_eq!(plan_in(&document, &unit), serde_json::to_value(wanted).unwrap(), "{name}: {unit}");
            compared += 1;
        }
    }
    assert!(compared > 500, "only {compared} plans were compared");
}

/// Members of a case that files and flags can say.
const PLAIN: [&str; 5] = ["about", "base", "units", "clusters", "full"];

/// Whether AWS says that something is not there which the command line takes to be there.
fn lacks_what_is_named(whole: &Snapshot) -> bool {
    whole.instances.values().any(|facts| matches!(facts, InstanceFacts::Missing))
        || whole.load_balancers.values().any(|facts| matches!(facts, BalancerFacts::Missing))
}

/// From the text of manifests on, through everything that the command line does with them.
#[test]
fn manifests_of_plain_golden_inputs_are_planned_as_their_golden_outputs_say() {
    let (mut compared, mut differing) = (0, vec![]);
    for (name, case, text) in cases() {
        let members: Value = serde_saphyr::from_str(&text).unwrap();
        if !members.as_object().unwrap().keys().all(|member| PLAIN.contains(&member.as_str())) {
            continue;
        }
        let world = World::of(&case, &folder().join("base"));
        if lacks_what_is_named(&everything(&world)) {
            continue;
        }
        let mut manifests = Manifests::default();
        let mut vpcs = vec![];
        for facts in &world.facts {
            vpcs.push(format!("--vpc={}={}", facts.id.name, facts.vpc));
            let objects = world.objects.get(&facts.id).into_iter().flatten();
            let texts = objects.map(|object| {
                let mut object = object.clone();
                let kind = object["kind"].as_str().unwrap();
                // Of a kind that is not read, such as Secret, the group does not matter.
                let group = Kind::parse(kind).map_or("", Kind::group);
                let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
                object["apiVersion"] = version.into();
                serde_saphyr::to_string(&object).unwrap()
            });
            let text = texts.collect::<Vec<_>>().join("---\n");
            manifests.add(&format!("{}.yaml", facts.id.name), &text, Some(&facts.id.name)).unwrap();
        }
        let arguments: Vec<&str> = vpcs.iter().map(String::as_str).collect();
        let planned = Planned::of(manifests, &input(&arguments)).unwrap();
        assert!(planned.evaluation.restless.is_empty(), "{name}");
        for (unit, golden) in case.units.iter().zip(golden_lines(&name)) {
            let unit = scoped(unit);
            let own = planned.evaluation.units.get(&unit).and_then(|one| one.plan.as_ref());
            let told = lines(own);
            // Of subnets and security groups that EKS tells, files know nothing.
            if golden.iter().any(|line| line.contains("+ VPC endpoint")) {
                assert!(told.iter().any(|line| line.contains("+ VPC endpoint")), "{name}: {told:?}");
                continue;
            }
            compared += 1;
            if told != golden {
                differing.push(format!("{name}: {unit}\n{told:#?}\n{golden:#?}"));
            }
        }
    }
    let shown = differing.iter().take(3).cloned().collect::<Vec<_>>().join("\n");
    assert!(differing.is_empty(), "{} of {compared} differ:\n{shown}", differing.len());
    assert!(compared > 200, "only {compared} plans were compared");
}
