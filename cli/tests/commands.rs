//! The program, as somebody calls it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use trellis_gateway::{Code, Explanation};

/// A route of a Gateway, with one thing that VPC Lattice cannot do, one that nobody reads, and a kind that is not read.
const FAULTY: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: my-hotel}
spec:
  gatewayClassName: amazon-vpc-lattice
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: rates}
spec: {ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: rates, annotations: {application-networking.k8s.aws/no-such: "1"}}
spec:
  parentRefs: [{name: my-hotel}]
  rules:
  - backendRefs: [{name: rates, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /old}}]
    backendRefs: [{name: rates, port: 80}]
    filters: [{type: RequestRedirect}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: rates}
"#;

struct Done {
    status: i32,
    out: String,
    err: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the program in the project's folder, with output for a terminal so wide.
fn trellis(arguments: &[&str], stdin: &str, columns: &str) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
    for name in ["AWS_REGION", "TRELLIS_CLUSTER_NAME", "TRELLIS_ACCOUNT", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    if !columns.is_empty() {
        command.env("COLUMNS", columns);
    }
    command.args(arguments).current_dir(root());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads no manifests may have ended before.
    _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn json(arguments: &[&str]) -> Value {
    let done = trellis(arguments, FAULTY, "");
    serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {}{}", done.out, done.err))
}

#[test]
fn a_plan_exits_with_0_and_with_2_only_where_it_is_asked_and_something_would_change() {
    let plan = trellis(&["plan", "-f", "-"], FAULTY, "");
    assert_eq!(plan.status, 0, "{}", plan.err);
    assert_eq!(trellis(&["plan", "-f", "-", "--detailed-exitcode"], FAULTY, "").status, 2);
    assert_eq!(trellis(&["plan", "-f", "-", "--detailed-exitcode"], "", "").status, 0, "nothing is nothing");
    assert!(plan.err.contains("apps/Deployment (1)") && !plan.out.contains("Deployment"), "{}", plan.err);
}

/// Routes to what only AWS knows: a function, instances, a load balancer, and target groups of others, one of which is behind a TLSRoute.
const OF_OTHERS: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: my-hotel}
spec:
  gatewayClassName: amazon-vpc-lattice
  listeners:
  - {name: http, protocol: HTTP, port: 80}
  - {name: tls, protocol: TLS, port: 443, tls: {mode: Passthrough}}
---
apiVersion: trellis.application-networking.k8s.aws/v1alpha1
kind: Backend
metadata: {name: rates}
spec: {lambda: {function: rates}}
---
apiVersion: trellis.application-networking.k8s.aws/v1alpha1
kind: Backend
metadata: {name: office}
spec: {instances: {ids: [i-00000000000000001], vpc: vpc-00000000000000002, port: 8080}}
---
apiVersion: trellis.application-networking.k8s.aws/v1alpha1
kind: Backend
metadata: {name: shop}
spec: {loadBalancer: {arn: "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/shop/0000000000000001", port: 80}}
---
apiVersion: application-networking.k8s.aws/v1alpha1
kind: ServiceImport
metadata:
  name: rooms
  annotations:
    application-networking.k8s.aws/target-group-arn: arn:aws:vpc-lattice:us-east-1:111122223333:targetgroup/tg-00000000000000001
---
apiVersion: trellis.application-networking.k8s.aws/v1alpha1
kind: Backend
metadata: {name: safe}
spec: {targetGroup: {arn: "arn:aws:vpc-lattice:us-east-1:111122223333:targetgroup/tg-00000000000000002"}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: desk}
spec:
  parentRefs: [{name: my-hotel, sectionName: http}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /rates}}]
    backendRefs: [{group: trellis.application-networking.k8s.aws, kind: Backend, name: rates}]
  - matches: [{path: {type: Exact, value: /office}}]
    backendRefs: [{group: trellis.application-networking.k8s.aws, kind: Backend, name: office}]
  - matches: [{path: {type: Exact, value: /shop}}]
    backendRefs: [{group: trellis.application-networking.k8s.aws, kind: Backend, name: shop}]
  - backendRefs: [{group: application-networking.k8s.aws, kind: ServiceImport, name: rooms}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: safe}
spec:
  parentRefs: [{name: my-hotel, sectionName: tls}]
  hostnames: [safe.example.com]
  rules: [{backendRefs: [{group: trellis.application-networking.k8s.aws, kind: Backend, name: safe}]}]
"#;

#[test]
fn what_only_aws_knows_is_taken_to_be_there_and_that_is_told_once() {
    let done = trellis(&["plan", "-f", "-"], OF_OTHERS, "");
    assert_eq!(done.status, 0, "{}", done.err);
    assert!(done.out.contains("No findings.") && !done.out.contains("\n  ? "), "{}", done.out);
    assert_eq!(
        done.err.matches("arn:aws:lambda:us-east-1:111122223333:function:rates").count(),
        1,
        "{}",
        done.err
    );
    for target in ["i-00000000000000001:8080", "loadbalancer/app/shop/0000000000000001:80"] {
        assert_eq!(done.out.matches(target).count(), 1, "{}", done.out);
        assert_eq!(done.err.matches(target.rsplit_once(':').unwrap().0).count(), 1, "{}", done.err);
    }
    for group in ["tg-00000000000000001", "tg-00000000000000002"] {
        assert_eq!(done.err.matches(group).count(), 1, "{}", done.err);
        assert!(
            done.out.contains(&format!("→ {group} 1")) || done.out.contains(&format!("{group} 1")),
            "{}",
            done.out
        );
    }
}

#[test]
fn what_cannot_be_read_is_told_by_file_and_line_and_exits_with_1() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("unreadable");
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("broken.yaml");
    let cases = [
        ("kind: Gateway\napiVersion: v1\nmetadata: {name: a\n", ":"),
        (
            "kind: Service\napiVersion: v1\nmetadata: {name: a}\n---\nmetadata: {name: b}\n",
            ":5: an object of Kubernetes has a kind",
        ),
        ("\nkind: Service\nmetadata: {name: a}\n", ":2: the object has no apiVersion"),
        ("kind: Service\napiVersion: v1\n", ":1: the object has no metadata.name"),
        (
            "kind: HttpRoute\napiVersion: gateway.networking.k8s.io/v1\nmetadata: {name: a}\n",
            ":1: kind HttpRoute is written HTTPRoute",
        ),
        (
            "kind: Service\napiVersion: v1\nmetadata: {name: \"a\\n::error::b\"}\n",
            ":1: its kind, name or namespace has a control character",
        ),
    ];
    for (text, told) in cases {
        fs::write(&file, text).unwrap();
        let done = trellis(&["plan", "-f", file.to_str().unwrap()], "", "");
        assert_eq!((done.status, done.out.as_str()), (1, ""), "{text}");
        let begins = format!("trellis: {}{told}", file.display());
        assert!(done.err.starts_with(&begins), "{text}: {}", done.err);
        let line = done.err[format!("trellis: {}:", file.display()).len()..].split(':').next().unwrap();
        assert!(line.parse::<u64>().is_ok(), "{}", done.err);
    }
    fs::remove_file(&file).unwrap();
    let empty = trellis(&["plan", "-f", folder.to_str().unwrap()], "", "");
    assert!(empty.status == 1 && empty.err.contains("has no file that ends in .yaml"), "{}", empty.err);
    for wrong in [
        &["plan"][..],
        &["plan", "-f", "no-such-file"],
        &["explain", "TRL9999"],
        &["plan", "-f", "-", "--account", "1"],
    ] {
        let done = trellis(wrong, "", "");
        assert!(done.status == 1 && done.out.is_empty() && !done.err.is_empty(), "{wrong:?}: {}", done.err);
    }
}

#[test]
fn a_lint_fails_at_the_level_that_is_asked_for() {
    let with = |more: &[&str], text: &str| {
        let arguments: Vec<&str> = ["lint", "-f", "-"].iter().chain(more).copied().collect();
        trellis(&arguments, text, "").status
    };
    let warned = FAULTY.replace("filters: [{type: RequestRedirect}]", "");
    let clean = warned.replace(", annotations: {application-networking.k8s.aws/no-such: \"1\"}", "");
    assert_eq!((with(&[], FAULTY), with(&["--fail-on", "never"], FAULTY)), (1, 0));
    assert_eq!((with(&[], &warned), with(&["--fail-on", "warning"], &warned)), (0, 1));
    assert_eq!(with(&["--fail-on", "warning"], &clean), 0);
}

#[test]
fn every_form_of_a_lint_tells_the_same_codes_in_the_same_places() {
    let found = json(&["lint", "-f", "-", "-o", "json"]);
    let findings = found["findings"].as_array().unwrap();
    let codes: Vec<&str> = findings.iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["TRL0080", "TRL0031"], "{found:#}");
    assert_eq!((&found["summary"]["errors"], &found["summary"]["warnings"]), (&1.into(), &1.into()));
    assert_eq!(json(&["plan", "-f", "-", "-o", "json"])["findings"], found["findings"]);
    let sarif = json(&["lint", "-f", "-", "-o", "sarif"]);
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.iter().map(|one| one["ruleId"].as_str().unwrap()).collect::<Vec<_>>(), codes);
    let at = "/locations/0/physicalLocation/region/startLine";
    assert_eq!(results[0].pointer(at).unwrap(), &findings[0]["object"]["line"]);
    let rules: Vec<&Value> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(rules, ["TRL0031", "TRL0080"]);
    let github = trellis(&["lint", "-f", "-", "-o", "github"], FAULTY, "").out;
    let lines: Vec<&str> = github.lines().collect();
    assert!(lines[0].starts_with("::warning file=stdin,line=14,title=TRL0080 "), "{github}");
    assert!(
        lines[1].starts_with("::error file=stdin,line=14,title=TRL0031 ") && lines.len() == 2,
        "{github}"
    );
    let text = trellis(&["lint", "-f", "-"], FAULTY, "").out;
    assert!(
        codes.iter().all(|code| text.contains(code)) && text.ends_with("3 objects: 1 error, 1 warning.\n"),
        "{text}"
    );
}

#[test]
fn text_is_as_wide_as_the_terminal_and_has_colours_only_there() {
    let all = [
        &["plan", "-f", "examples"][..],
        &["plan", "-f", "-"],
        &["lint", "-f", "-"],
        &["explain"],
        &["explain", "TRL0011"],
    ];
    for arguments in all {
        for columns in ["80", "200"] {
            let done = trellis(arguments, FAULTY, columns);
            let wide = done.out.lines().find(|line| line.chars().count() > columns.parse().unwrap());
            assert_eq!(wide, None, "{arguments:?} at {columns}");
            assert!(done.out.lines().count() > 1 && !done.out.contains('\u{1b}'), "{arguments:?}");
            assert!(done.out.lines().all(|line| line.trim_end() == line), "{arguments:?}: blanks at an end");
        }
    }
    let coloured = trellis(&["plan", "-f", "examples", "--color", "always"], "", "80").out;
    assert!(coloured.contains("\u{1b}[32m  + "), "{coloured}");
}

#[test]
fn clusters_are_told_apart_and_a_picture_leads_to_both() {
    let files = [
        "gatewayclass",
        "my-hotel-gateway",
        "inventory-ver1",
        "inventory-ver2-import",
        "inventory-route-bluegreen",
    ];
    let mut arguments =
        vec!["graph".to_owned(), "--cluster=one".into(), "--vpc=vpc-1".into(), "--vpc=two=vpc-2".into()];
    arguments.extend(files.map(|file| format!("-fone=examples/{file}.yaml")));
    arguments.extend(
        ["inventory-ver2", "inventory-ver2-export"].map(|file| format!("-ftwo=examples/{file}.yaml")),
    );
    let with = |format: &str| {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["-o", format]);
        let done = trellis(&arguments, "", "");
        assert_eq!(done.status, 0, "{}", done.err);
        done.out
    };
    let graph: Value = serde_json::from_str(&with("json")).unwrap();
    let nodes = graph["nodes"].as_array().unwrap();
    let at = |kind: &str, name: &str| {
        let found = nodes
            .iter()
            .position(|one| one["kind"] == kind && one["name"].as_str().unwrap().starts_with(name));
        found.unwrap_or_else(|| panic!("no {kind} {name}: {nodes:#?}"))
    };
    let edges = graph["edges"].as_array().unwrap();
    let leads = |from: usize, to: usize| edges.iter().find(|one| one["from"] == from && one["to"] == to);
    let rule = at("rule", "inventory-default:80");
    assert!(leads(at("gateway", "my-hotel"), at("service", "inventory-default")).is_some());
    assert!(leads(at("service", "inventory-default"), rule).is_some());
    for (group, service, share) in [
        ("k8s-default-inventory-ver1", "one/default/inventory-ver1", "10 %"),
        ("k8s-default-inventory-ver2", "two/default/inventory-ver2", "90 %"),
    ] {
        assert_eq!(leads(rule, at("targetGroup", group)).unwrap()["label"], share);
        assert!(leads(at("targetGroup", group), at("kubernetesService", service)).is_some());
    }
    let (mermaid, dot) = (with("mermaid"), with("dot"));
    assert!(
        mermaid.starts_with("flowchart LR\n") && mermaid.contains(r#"(["Gateway my-hotel"])"#),
        "{mermaid}"
    );
    assert_eq!(mermaid.matches("--").count(), edges.len());
    assert!(
        dot.starts_with("digraph trellis {")
            && dot.ends_with("}\n")
            && dot.matches(" -> ").count() == edges.len()
    );
}

#[test]
fn completion_and_manual_pages_know_all_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = trellis(&["completion", shell], "", "").out;
        assert!(
            ["plan", "lint", "graph", "explain"].iter().all(|command| script.contains(command)),
            "{shell}"
        );
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man");
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let done = trellis(&["man", folder.to_str().unwrap()], "", "");
    assert_eq!(done.status, 0, "{}", done.err);
    let page = fs::read_to_string(folder.join("trellis-plan.1")).unwrap();
    assert!(page.contains("detailed\\-exitcode"), "{page}");
    let version = trellis(&["version"], "", "").out;
    assert_eq!(version, format!("trellis {}\n", env!("CARGO_PKG_VERSION")));
}

/// Compares a file of the project with what it should be, or writes it with `UPDATE_GOLDEN=1`.
fn compare(name: &str, wanted: &str) {
    let file = root().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, wanted).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "{name} is not what it should be; look at it, then write it with UPDATE_GOLDEN=1\n{wanted}"
    );
}

#[test]
fn each_code_has_its_page() {
    let mut text = "# Findings\n\nWhat the webhook warns of, and what `trellis lint` and `trellis plan` find. `trellis explain CODE` prints a page. \
                    This file is written by `make golden`.\n"
        .to_owned();
    for code in Code::ALL {
        let Explanation { title, meaning, remedy } = code.explanation();
        let level = code.level();
        let _ = write!(text, "\n## {code}\n\n**{title}** ({level})\n\n{meaning}\n\nWhat helps: {remedy}\n");
    }
    compare("cli/CODES.md", &text);
}

/// The guide's page on plans.
const EXAMPLES: &str = "docs/how-to/plan.md";

/// Each command there that begins with `$ trellis` prints what stands there, on a terminal of 100 columns.
#[test]
fn the_examples_of_the_guide_are_what_the_program_prints() {
    let page = fs::read_to_string(root().join(EXAMPLES)).unwrap();
    let (mut wanted, mut lines, mut examples) = (String::new(), page.lines().peekable(), 0);
    while let Some(line) = lines.next() {
        let _ = writeln!(wanted, "{line}");
        let Some(command) = line.strip_prefix("$ trellis ") else { continue };
        let arguments: Vec<&str> = command.split_whitespace().collect();
        wanted.push_str(&trellis(&arguments, "", "100").out);
        examples += 1;
        while lines.peek().is_some_and(|line| !line.starts_with("```") && !line.starts_with("$ ")) {
            lines.next();
        }
    }
    compare(EXAMPLES, &wanted);
    assert!(examples >= 2, "only {examples} examples");
}
