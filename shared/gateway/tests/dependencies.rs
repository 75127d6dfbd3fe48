//! The pure crates depend on nothing that could do I/O.

#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PURE: [&str; 4] = ["trellis-directory", "trellis-gateway", "trellis-lattice", "trellis-hint"];

/// Beginnings of names of crates that have a runtime, a network or a client in them.
const IMPURE: [&str; 9] = ["tokio", "hyper", "kube", "aws-", "mio", "socket2", "reqwest", "rustls", "rand"];

#[test]
fn the_pure_crates_reach_no_runtime_no_network_and_no_client() {
    for root in PURE {
        // What is compiled into the crate: dependencies for tests and build scripts do not count.
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--package",
                root,
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--offline",
                "--locked",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        let reached: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(reached.contains(&root) && reached.contains(&"serde"), "this is no tree: {tree}");
        let impure = |name: &&&str| IMPURE.iter().any(|prefix| name.starts_with(prefix));
        let impure: Vec<&&str> = reached.iter().filter(impure).collect();
        assert!(impure.is_empty(), "{root} reaches {impure:?}");
    }
}

/// Whoever looks for a module by its name finds one file.
#[test]
fn no_two_modules_of_a_crate_have_one_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["shared", "functions"].map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let crates = folders.into_iter().flatten().map(|entry| entry.unwrap().path().join("src"));
    let mut looked_at = 0;
    for source in crates.filter(|source| source.is_dir()) {
        let mut by_name: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for file in files(&source) {
            // A folder's module is named after the folder.
            let named = if file.ends_with("mod.rs") { file.parent().unwrap() } else { &file };
            let name = named.file_stem().unwrap().to_str().unwrap().to_owned();
            by_name.entry(name).or_default().push(file);
        }
        looked_at += by_name.len();
        let shared: Vec<_> = by_name.values().filter(|files| files.len() > 1).collect();
        assert!(shared.is_empty(), "{shared:?}");
    }
    assert!(looked_at > 100, "only {looked_at} modules were looked at");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
