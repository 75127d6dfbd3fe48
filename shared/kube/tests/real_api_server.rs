//! The client against a real kube-apiserver, with the project's own RBAC file and custom resource definitions.
//!
//! `TRELLIS_TESTCLUSTER` names the binary of `tests/cluster`; `make test-kube` sets it. Without it there is no API
//! server to test against and the test says so.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test by a panic")]

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use trellis_gateway::{Act, ClusterEvent, ObjectChange, ObjectKey, Read};
use trellis_hint::Kind;
use trellis_kube::{ClusterClient, KubeError, StatusChange, TokenError, TokenSource};
use trellis_ports::{Answer, Awaited, Cluster as _, PatchOutcome};

/// A cluster of the test's own; it ends with the value.
struct Cluster {
    process: Child,
    dir: PathBuf,
    url: String,
    kubeconfig: String,
}

impl Cluster {
    fn start(binary: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("trellis-kube-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let tokens = dir.join("tokens.csv");
        std::fs::write(&tokens, "reconciler,reconciler,1,trellis-reconcilers\nstranger,stranger,2,\n")
            .unwrap();
        let mut process = Command::new(binary)
            .args(["--exit-on-stdin-eof", "--data-dir"])
            .arg(dir.join("data"))
            .arg("--")
            .arg(format!("--token-auth-file={}", tokens.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(dir.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let words: Vec<&str> = ready.split_whitespace().collect();
        let ["READY", url, kubeconfig] = words[..] else { panic!("the cluster did not start: {ready:?}") };
        let (url, kubeconfig) = (url.to_owned(), kubeconfig.to_owned());
        Self { process, dir, url, kubeconfig }
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new("kubectl")
            .args(["--kubeconfig", &self.kubeconfig])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn client(&self, token: TokenSource) -> ClusterClient {
        let ca = std::fs::read(self.dir.join("data/pki/ca.crt")).unwrap();
        ClusterClient::connect(&self.url, &ca, token).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn deploy(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    root.join(file).display().to_string()
}

fn export(name: &str) -> Read {
    Read::Get {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        kind: Kind::ServiceExport,
        namespace: "default".into(),
        name: name.into(),
    }
}

fn list(kind: Kind) -> Read {
    Read::List {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        kind,
        namespace: None,
        name: None,
        service: None,
    }
}

fn only(result: Answer) -> Value {
    let Answer::Objects(mut objects) = result else { panic!("{result:?}") };
    assert_eq!(objects.len(), 1, "{objects:?}");
    Value::clone(&objects.remove(0))
}

/// Reads until the cluster answers so: RBAC rules and definitions take a moment to be in force.
async fn eventually(client: &ClusterClient, read: &Read, good: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match client.read(read).await {
            Ok(answer) if good(&answer) => return answer,
            result => assert!(Instant::now() < deadline, "{read:?} still gives {result:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_real_api_server_gives_what_the_rbac_file_allows_and_takes_status() {
    let Ok(binary) = std::env::var("TRELLIS_TESTCLUSTER") else {
        eprintln!("TRELLIS_TESTCLUSTER is not set: nothing was tested against a real API server");
        return;
    };
    let cluster = Cluster::start(&binary);
    cluster.kubectl(&[
        "apply",
        "-f",
        &deploy("reconciler-rbac.yaml"),
        "-f",
        &deploy("charts/trellis-crds/templates"),
    ]);
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=20s"]);

    // The first token is refused, the second is the reconciler's.
    let made = AtomicU32::new(0);
    let client = cluster.client(TokenSource::new(move || {
        let token = if made.fetch_add(1, Ordering::SeqCst) == 0 { "expired" } else { "reconciler" };
        async move { Ok::<_, TokenError>(token.to_owned()) }
    }));
    let exports = list(Kind::ServiceExport);
    eventually(&client, &exports, |result| *result == Answer::Objects(vec![])).await;
    assert_eq!(client.read(&export("inventory-ver2")).await.unwrap(), Answer::Objects(vec![]));
    assert_eq!(client.read(&list(Kind::HTTPRoute)).await.unwrap(), Answer::KindMissing);
    assert_eq!(client.read(&list(Kind::ReferenceGrant)).await.unwrap(), Answer::KindMissing);
    let service = only(
        client
            .read(&Read::Get {
                cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
                kind: Kind::Service,
                namespace: "default".into(),
                name: "kubernetes".into(),
            })
            .await
            .unwrap(),
    );
    assert_eq!(service["kind"], "Service");

    let stranger = cluster.client(TokenSource::fixed("stranger"));
    let error = stranger.try_read(&exports).await.unwrap_err();
    assert!(matches!(error, KubeError::Forbidden { verb: "list", .. }), "{error:?}");

    write_status(&cluster, &client).await;
    change_objects(&cluster, &client).await;
    tell_events(&cluster, &client).await;
}

/// Makes an Event, and counts it once more where it is there, with no more than the right to create and to patch.
async fn tell_events(cluster: &Cluster, client: &ClusterClient) {
    let time = "2026-01-02T03:04:05.000006Z";
    let event = ClusterEvent {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        namespace: "default".into(),
        name: "rates.0123456789".into(),
        object: json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "rates.0123456789", "namespace": "default"},
            "eventTime": time, "type": "Normal", "reason": "Programmed", "note": "n", "action": "Reconcile",
            "reportingController": "example.com/c", "reportingInstance": "trellis",
            "regarding": {"apiVersion": "v1", "kind": "Service", "namespace": "default", "name": "rates", "uid": "u"},
        }),
        time: time.into(),
    };
    for _ in 0..3 {
        client.tell(&event).await.unwrap();
    }
    let stored = cluster.kubectl(&[
        "get",
        "events.v1.events.k8s.io",
        "rates.0123456789",
        "-o",
        "jsonpath={.note} {.series.count}",
    ]);
    assert_eq!(stored, "n 3");
}

/// Makes, changes and deletes a DNSEndpoint with the role of deploy/external-dns, and never one that is another than it was.
async fn change_objects(cluster: &Cluster, client: &ClusterClient) {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "dnsendpoints.externaldns.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/external-dns/pull/2007"},
        },
        "spec": {
            "group": "externaldns.k8s.io", "scope": "Namespaced",
            "names": {"kind": "DNSEndpoint", "plural": "dnsendpoints", "singular": "dnsendpoint", "listKind": "DNSEndpointList"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    let file = cluster.dir.join("crd.json");
    std::fs::write(&file, crd.to_string()).unwrap();
    cluster.kubectl(&["apply", "-f", &file.display().to_string(), "-f", &deploy("external-dns/rbac.yaml")]);
    let key = ObjectKey { kind: Kind::DNSEndpoint, namespace: "default".into(), name: "rates-dns".into() };
    let change = |act| ObjectChange {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        key: key.clone(),
        act,
        teller: None,
    };
    let object = json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
        "metadata": {"namespace": "default", "name": "rates-dns"}, "spec": {"endpoints": [{"dnsName": "a.example.com"}]},
    });
    let read = change(Act::Create(Value::Null)).read();
    eventually(client, &read, |answer| *answer == Answer::Objects(vec![])).await;
    let create = change(Act::Create(object));
    assert_eq!(client.change(&create).await.unwrap(), PatchOutcome::Patched);
    assert_eq!(client.change(&create).await.unwrap(), PatchOutcome::Conflict, "it is there");

    let made = only(client.read(&read).await.unwrap());
    let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let (uid, first) = (text("/metadata/uid"), text("/metadata/resourceVersion"));
    let patch = |resource_version: &String| {
        let (patch, resource_version) = (json!({"spec": {"endpoints": []}}), resource_version.clone());
        change(Act::Patch { resource_version, patch })
    };
    assert_eq!(client.change(&patch(&first)).await.unwrap(), PatchOutcome::Patched);
    assert_eq!(client.change(&patch(&first)).await.unwrap(), PatchOutcome::Conflict, "it is another now");
    let changed = only(client.read(&read).await.unwrap());
    assert_eq!(changed.pointer("/spec/endpoints"), Some(&json!([])));

    let delete =
        |uid: &str, version: &str| change(Act::Delete { uid: uid.into(), resource_version: version.into() });
    let second = changed.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap();
    assert_eq!(client.change(&delete(&uid, &first)).await.unwrap(), PatchOutcome::Conflict);
    assert_eq!(client.change(&delete("another", second)).await.unwrap(), PatchOutcome::Conflict);
    assert_eq!(client.change(&delete(&uid, second)).await.unwrap(), PatchOutcome::Patched);
    assert_eq!(client.change(&delete(&uid, second)).await.unwrap(), PatchOutcome::Gone);
}

async fn write_status(cluster: &Cluster, client: &ClusterClient) {
    let make = |name: &str, annotations: Value| {
        let file = cluster.dir.join("export.json");
        let manifest = json!({
            "apiVersion": "application-networking.k8s.aws/v1alpha1", "kind": "ServiceExport",
            "metadata": {"namespace": "default", "name": name, "annotations": annotations},
        });
        std::fs::write(&file, manifest.to_string()).unwrap();
        cluster.kubectl(&["create", "-f", &file.display().to_string()]);
    };
    make("bare", Value::Null);
    let bare = only(client.read(&export("bare")).await.unwrap());
    assert_eq!(bare.pointer("/metadata/managedFields"), None, "nobody set a field");
    assert!(bare["metadata"]["creationTimestamp"].is_string(), "{bare}");

    make("inventory-ver2", json!({"example.com/owner": "hotel"}));
    let awaited =
        Awaited::Stored { uid: String::new(), generation: 1, old_version: String::new(), created: true };
    let stored = only(client.read_at_least(&export("inventory-ver2"), &awaited).await.unwrap());
    let version = stored["metadata"]["resourceVersion"].as_str().unwrap();
    let changed = stored["metadata"]["managedFields"].as_array().unwrap();
    let only_time = |one: &Value| one["time"].is_string() && one.as_object().unwrap().len() == 1;
    assert!(changed.len() == 1 && only_time(&changed[0]), "{changed:?}");

    let status = json!({"conditions": [{
        "type": "Valid", "status": "True", "reason": "Valid", "message": "As it should be.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    let change = StatusChange {
        kind: Kind::ServiceExport,
        namespace: "default",
        name: "inventory-ver2",
        resource_version: version,
        status: &status,
    };
    assert_eq!(client.patch_status(&change).await.unwrap(), PatchOutcome::Patched);
    let written = only(client.read(&export("inventory-ver2")).await.unwrap());
    assert_eq!(written.pointer("/status/conditions/0/message"), Some(&json!("As it should be.")));

    let other = json!({"conditions": []});
    let late = StatusChange { status: &other, ..change };
    assert_eq!(client.patch_status(&late).await.unwrap(), PatchOutcome::Conflict);
    let gone = StatusChange { name: "never-was", ..change };
    assert_eq!(client.patch_status(&gone).await.unwrap(), PatchOutcome::Gone);

    cluster.kubectl(&["delete", "serviceexport", "inventory-ver2"]);
    let removed = Awaited::Removed { uid: stored["metadata"]["uid"].as_str().unwrap().to_owned() };
    assert_eq!(
        client.read_at_least(&export("inventory-ver2"), &removed).await.unwrap(),
        Answer::Objects(vec![])
    );
}
