//! The engine and its simulation reach the world through ports: neither SDK is compiled into them.

use std::process::Command;

/// Beginnings of names of crates that belong to an SDK, and the crates of this project that have one.
const SDKS: [&str; 7] = ["aws-", "kube", "k8s-openapi", "hyper", "rustls", "trellis-aws", "trellis-kube"];

#[test]
fn the_engine_and_its_tests_compile_without_an_sdk() {
    // Dependencies for tests count: the simulation is one.
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "trellis-engine", "--edges", "normal,dev", "--prefix", "none"])
        .args(["--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let reached: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(reached.contains(&"trellis-engine") && reached.contains(&"trellis-ports"), "no tree: {tree}");
    let sdk = |name: &&&str| SDKS.iter().any(|prefix| name.starts_with(prefix));
    let sdks: Vec<&&str> = reached.iter().filter(sdk).collect();
    assert!(sdks.is_empty(), "trellis-engine reaches {sdks:?}");
}
