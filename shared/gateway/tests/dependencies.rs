//! The pure crates depend on nothing that could do I/O.

use std::process::Command;

const PURE: [&str; 3] = ["trellis-gateway", "trellis-lattice", "trellis-hint"];

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
