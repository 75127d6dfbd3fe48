//! Golden pairs: `tests/golden/<case>.in.yaml` holds objects, `<case>.out.yaml` what becomes of them.
//!
//! `UPDATE_GOLDEN=1 cargo test -p trellis-gateway --test golden` writes the outputs anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use support::case::{Case, outcome_of, scoped};
use support::world::World;
use trellis_gateway::{Read, references};
use trellis_hint::{Kind, policy_targets};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn names(folder: &PathBuf, ending: &str) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

fn read_case(name: &str) -> Case {
    let text = fs::read_to_string(folder().join(format!("{name}.in.yaml"))).unwrap();
    Case::parse(&text).unwrap_or_else(|error| panic!("{name}.in.yaml: {error}"))
}

#[test]
fn every_case_comes_out_as_its_golden_file_says() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differing = vec![];
    for name in names(&folder(), ".in.yaml") {
        let case = read_case(&name);
        let world = World::of(&case, &folder().join("base"));
        let output = outcome_of(&case, &world, &folder().join("base"));
        let file = folder().join(format!("{name}.out.yaml"));
        if update {
            fs::write(&file, &output).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != output {
            differing.push((name, output));
        }
    }
    let shown: Vec<String> =
        differing.iter().take(3).map(|(name, output)| format!("--- {name}\n{output}")).collect();
    assert!(
        differing.is_empty(),
        "{} cases differ from their golden files; look at them, then write them with UPDATE_GOLDEN=1\n{}",
        differing.len(),
        shown.join("\n")
    );
}

#[test]
fn no_golden_file_is_without_its_case_and_no_base_is_unused() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        // The other test is writing the files at this moment; the next run without the variable looks at them.
        return;
    }
    let cases = names(&folder(), ".in.yaml");
    let known: BTreeSet<String> =
        cases.iter().flat_map(|case| [format!("{case}.in.yaml"), format!("{case}.out.yaml")]).collect();
    let all: BTreeSet<String> = names(&folder(), "").into_iter().filter(|name| name != "base").collect();
    let stray: Vec<&String> = all.symmetric_difference(&known).collect();
    assert!(stray.is_empty(), "files that belong to no case, or that a case lacks: {stray:?}");
    let used: BTreeSet<String> = cases.iter().flat_map(|case| read_case(case).base).collect();
    assert_eq!(names(&folder().join("base"), ".yaml"), used, "bases that no case uses");
}

/// The webhook forwards changes of referents only: what a route is translated from must be among them. Whether a
/// policy's Service is there matters to the policy's status alone.
#[test]
fn every_service_that_a_unit_reads_in_its_cluster_is_a_referent_of_an_object_there() {
    let mut looked_at = 0;
    for name in names(&folder(), ".in.yaml") {
        let case = read_case(&name);
        let world = World::of(&case, &folder().join("base"));
        for unit in &case.units {
            let (snapshot, ..) = world.observe(&scoped(unit));
            for read in snapshot.answered() {
                let Read::Get { cluster, kind: Kind::Service, namespace, name: service } = &read else {
                    continue;
                };
                let objects = world.objects.get(cluster).into_iter().flatten();
                let of_kind =
                    objects.filter_map(|object| Some((Kind::parse(object.get("kind")?.as_str()?)?, object)));
                let mut named = of_kind.flat_map(|(kind, object)| {
                    let of_policy = policy_targets(object).into_iter().filter(move |_| kind.is_policy());
                    let of_policy = of_policy.map(|target| (namespace.clone(), target.name));
                    references(cluster, kind, object).services.into_iter().chain(of_policy)
                });
                let wanted = (namespace.clone(), service.clone());
                assert!(named.any(|one| one == wanted), "{name}: {read:?}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} reads of Services were looked at");
}
