//! deploy/webhook.yaml fits the program: its arguments are read, and it asks for what a cluster of any kind needs.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use clap::Parser;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use trellis_gateway::{BEHIND_KINDS, BESIDE_KINDS, REFERRING_KINDS};
use trellis_hint::Kind;
use trellis_webhook::args::Args;

fn manifests() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/webhook.yaml");
    serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn manifest(kind: &str) -> Value {
    manifests().into_iter().find(|manifest| manifest["kind"] == kind).unwrap()
}

fn container() -> Value {
    manifest("Deployment")["spec"]["template"]["spec"]["containers"][0].clone()
}

fn args(container: &Value) -> Args {
    let given = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned());
    let from_settings =
        ["w", "--cluster=arn:aws:eks:us-west-2:123456789012:cluster/one", "--queue-url=http://q"];
    Args::parse_from(from_settings.map(str::to_owned).into_iter().chain(given))
}

/// On an IPv6 cluster of EKS a Pod has no IPv4 address: on 0.0.0.0 no replica ever became ready there.
#[test]
fn both_ports_are_listened_on_in_both_address_families_and_are_the_containers() {
    let container = container();
    let args = args(&container);
    for (address, name) in [(args.listen, "webhook"), (args.metrics_listen, "metrics")] {
        assert!(address.is_ipv6() && address.ip().is_unspecified(), "{address}");
        let port = container["ports"].as_array().unwrap().iter().find(|port| port["name"] == name).unwrap();
        assert_eq!(port["containerPort"], address.port());
    }
    let defaults =
        Args::parse_from(["w", "--cluster=arn:aws:eks:us-west-2:123456789012:cluster/one", "--queue-url=q"]);
    assert_eq!((defaults.listen, defaults.metrics_listen), (args.listen, args.metrics_listen));
}

#[test]
fn the_names_that_the_program_is_given_are_those_of_the_manifests() {
    let args = args(&container());
    let configuration = manifest("ValidatingWebhookConfiguration");
    assert_eq!(configuration["metadata"]["name"], args.validating_webhook_configuration);
    let role = manifest("Role");
    let (secret, namespace) = (&role["rules"][1]["resourceNames"][0], &role["metadata"]["namespace"]);
    assert_eq!((secret, namespace), (&args.tls_secret.name.into(), &args.tls_secret.namespace.into()));
    let service = manifest("Service");
    let name = |part: &str| service["metadata"][part].as_str().unwrap().to_owned();
    assert_eq!(args.tls_dns_name, [format!("{}.{}.svc", name("name"), name("namespace"))]);
}

/// An `apply` must not take away what the webhook wrote there.
#[test]
fn trust_and_path_are_left_to_the_webhook() {
    let both = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"].map(manifest);
    assert_eq!(both[0]["metadata"]["name"], both[1]["metadata"]["name"]);
    for webhook in both.iter().flat_map(|one| one["webhooks"].as_array().unwrap()) {
        let client = webhook["clientConfig"].as_object().unwrap();
        assert_eq!(client.keys().collect::<Vec<_>>(), ["service"]);
        assert!(client["service"].get("path").is_none());
        assert_eq!(webhook["failurePolicy"], "Ignore");
        assert_eq!(webhook["timeoutSeconds"], 1);
    }
}

#[test]
fn the_pods_are_bounded_and_come_before_what_is_less_urgent() {
    let deployment = manifest("Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    let limits = &pod["containers"][0]["resources"]["limits"];
    assert!(["cpu", "memory", "ephemeral-storage"].iter().all(|resource| limits[*resource].is_string()));
    let spread = pod["topologySpreadConstraints"].as_array().unwrap();
    let keys: Vec<&str> = spread.iter().map(|one| one["topologyKey"].as_str().unwrap()).collect();
    assert_eq!(keys, ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
    let policy = manifest("NetworkPolicy");
    let labels = &deployment["spec"]["selector"]["matchLabels"];
    assert_eq!(&policy["spec"]["podSelector"]["matchLabels"], labels);
    assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
}

/// What it may not watch, it would only find out about in its log.
#[test]
fn it_may_list_and_watch_every_kind_that_it_watches_and_nothing_else() {
    let may = |verb: &str| {
        let rules = manifest("ClusterRole")["rules"].as_array().unwrap().clone();
        let rules =
            rules.into_iter().filter(|rule| rule["verbs"].as_array().unwrap().iter().any(|one| one == verb));
        let named = rules.flat_map(|rule| {
            let group = rule["apiGroups"][0].as_str().unwrap().to_owned();
            let kinds = rule["resources"].as_array().unwrap().clone();
            kinds.into_iter().map(move |kind| (group.clone(), kind.as_str().unwrap().to_owned()))
        });
        named.collect::<BTreeSet<_>>()
    };
    let plural = |kind: Kind| {
        let name = kind.as_str().to_ascii_lowercase();
        if name.ends_with('s') { format!("{name}es") } else { format!("{name}s") }
    };
    let watched = BESIDE_KINDS.into_iter().chain(BEHIND_KINDS).chain(REFERRING_KINDS);
    let watched: BTreeSet<_> = watched.map(|kind| (kind.group().to_owned(), plural(kind))).collect();
    assert_eq!((may("list"), may("watch")), (watched.clone(), watched));
}
