//! The program itself between a real kube-apiserver and something that takes messages as SQS does.
//!
//! `TRELLIS_TESTCLUSTER` names the binary of `tests/cluster`; `make test-kube` sets it. Without it there is no API
//! server to test against and the test says so.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is a test, its helpers too")]

use axum::body::Bytes;
use axum::http::Uri;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ARN: &str = "arn:aws:eks:us-west-2:123456789012:cluster/one";

/// Long enough for any condition that will ever be met.
const DEADLINE: Duration = Duration::from_secs(40);

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "not met: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A cluster of the test's own; it ends with the value.
struct Cluster {
    process: Child,
    dir: PathBuf,
    kubeconfig: String,
}

impl Cluster {
    fn start(binary: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("trellis-webhook-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut process = Command::new(binary)
            .args(["--exit-on-stdin-eof", "--data-dir"])
            .arg(dir.join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(dir.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let words: Vec<&str> = ready.split_whitespace().collect();
        let ["READY", _, kubeconfig] = words[..] else { panic!("the cluster did not start: {ready:?}") };
        let kubeconfig = kubeconfig.to_owned();
        Self { process, dir, kubeconfig }
    }

    fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut child = Command::new("kubectl")
            .args(["--kubeconfig", &self.kubeconfig])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// As a person does: what the last `apply` said and this one does not is taken back.
    fn apply(&self, object: &Value) {
        self.kubectl(&["apply", "-f", "-"], &object.to_string()).unwrap();
    }

    async fn apply_when_served(&self, object: &Value) {
        until("the kind to be served", || self.kubectl(&["apply", "-f", "-"], &object.to_string()).is_ok())
            .await;
    }

    /// What API servers are told of each webhook.
    fn registrations(&self) -> Vec<Value> {
        let found =
            self.kubectl(&["get", "validatingwebhookconfiguration", "trellis", "-o", "json"], "").unwrap();
        let found: Value = serde_json::from_str(&found).unwrap();
        found["webhooks"].as_array().unwrap().iter().map(|one| one["clientConfig"].clone()).collect()
    }

    /// The one path that API servers are told, once the webhook has told them one.
    fn path(&self) -> Option<String> {
        let path = |client: &Value| {
            let of_url = client["url"].as_str().map(|url| url.parse::<Uri>().unwrap().path().to_owned());
            of_url.or_else(|| client["service"]["path"].as_str().map(str::to_owned))
        };
        let mut paths: Vec<Option<String>> = self.registrations().iter().map(path).collect();
        paths.dedup();
        let [Some(path)] = &paths[..] else { return None };
        (path.len() > "/validate/".len()).then(|| path.clone())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Takes every message and keeps its body.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Vec<Value>>>);

impl Queue {
    /// Serves on a port of its own; returns the endpoint.
    fn serve(&self) -> String {
        let kept = self.0.clone();
        let handler = move |request: Bytes| {
            let request: Value = serde_json::from_slice(&request).unwrap();
            let entries = request["Entries"].as_array().unwrap().clone();
            let bodies = entries
                .iter()
                .map(|entry| serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap());
            kept.lock().unwrap().extend(bodies);
            let taken = |entry: &Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""});
            let taken: Vec<Value> = entries.iter().map(taken).collect();
            async move { Json(json!({"Successful": taken, "Failed": []})) }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = axum_server::from_tcp(listener).unwrap();
        tokio::spawn(server.serve(Router::new().fallback(handler).into_make_service()));
        endpoint
    }

    /// Takes out the units that were told since the last call.
    fn units(&self) -> Vec<String> {
        let bodies = std::mem::take(&mut *self.0.lock().unwrap());
        bodies
            .iter()
            .map(|body| body["unit"].as_str().unwrap().replace("123456789012/us-west-2/", ""))
            .collect()
    }

    async fn until_told(&self, unit: &str) -> Vec<String> {
        let mut all = Vec::new();
        until(unit, || {
            all.extend(self.units());
            all.iter().any(|one| one == unit)
        })
        .await;
        all
    }
}

struct Webhook {
    process: Child,
    port: u16,
}

impl Webhook {
    /// Starts the program on this port, which must be free.
    fn start(cluster: &Cluster, port: u16, endpoint: &str) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_trellis-webhook"))
            .args([&format!("--listen=[::]:{port}"), "--metrics-listen=127.0.0.1:0", "--shutdown-delay=0"])
            .args([&format!("--cluster={ARN}"), &format!("--queue-url={endpoint}/123456789012/hints.fifo")])
            .env("KUBECONFIG", &cluster.kubeconfig)
            .envs([("AWS_REGION", "us-west-2"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")])
            .env("AWS_ENDPOINT_URL", endpoint)
            .stdout(std::fs::File::create(cluster.dir.join(format!("webhook-{port}.log"))).unwrap())
            .spawn()
            .unwrap();
        Self { process, port }
    }

    fn kill(mut self) -> u16 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.port
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The registration of deploy/, with the API server calling a URL in place of the Service but for the one webhook that
/// nothing here is reviewed by.
fn registration(port: u16) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/webhook.yaml");
    let all: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut found = all.into_iter().find(|one| one["kind"] == "ValidatingWebhookConfiguration").unwrap();
    for hook in found["webhooks"].as_array_mut().unwrap() {
        if hook["name"].as_str().unwrap().starts_with("namespaces.") {
            continue;
        }
        hook["clientConfig"] = json!({"url": format!("https://127.0.0.1:{port}/validate")});
    }
    found
}

fn definition(plural: &str, kind: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.gateway.networking.k8s.io"), "annotations":
            {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2466"}},
        "spec": {"group": "gateway.networking.k8s.io", "scope": "Namespaced", "versions": [version],
            "names": {"plural": plural, "kind": kind}}})
}

fn route(name: &str, service: &str) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"parentRefs": [{"name": "net"}], "rules": [{"backendRefs": [{"group": "core", "kind": "Service",
            "name": service, "port": 80}]}]}})
}

fn slice(service: &str, address: &str) -> Value {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{service}-x"), "namespace": "default",
            "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"addresses": [address]}], "ports": [{"port": 80}]})
}

#[tokio::test]
async fn the_api_server_calls_a_path_of_its_own_and_referrers_and_losses_are_told() {
    let Ok(binary) = std::env::var("TRELLIS_TESTCLUSTER") else {
        eprintln!("TRELLIS_TESTCLUSTER is not set: there is no API server to test against");
        return;
    };
    let (cluster, queue, port) = (Cluster::start(&binary), Queue::default(), free_port());
    let endpoint = queue.serve();
    cluster.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "trellis-system"}}));
    cluster.apply(&definition("httproutes", "HTTPRoute"));
    cluster.apply_when_served(&route("before", "parking")).await;
    cluster.apply(&registration(port));

    // It becomes ready, tells so, and the API server is told where to call.
    let webhook = Webhook::start(&cluster, port, &endpoint);
    queue.until_told("cluster/one").await;
    let path = cluster.path().unwrap();
    assert!(cluster.registrations().iter().all(|client| client["caBundle"].is_string()));

    // The index knows the route of before; a Pod's change is told to it and to nobody else. Until the watches have synced,
    // and until the API server has seen whom to call, it is told otherwise or not at all.
    let mut number = 0;
    until("the route to be told of its Pods", || {
        number += 1;
        cluster.apply(&slice("parking", &format!("10.0.{}.{}", number / 250, number % 250 + 1)));
        queue.units().contains(&"route/HTTPRoute/one/default/before".to_owned())
    })
    .await;
    cluster.apply(&slice("parking", "10.9.9.9"));
    cluster.apply(&slice("nobodys", "10.9.9.9"));
    cluster.apply(&route("after", "other"));
    let told = queue.until_told("route/HTTPRoute/one/default/after").await;
    assert!(told.contains(&"route/HTTPRoute/one/default/before".to_owned()), "{told:?}");
    assert!(!told.iter().any(|unit| unit.starts_with("dependents/")), "{told:?}");

    // What a review named counts at once.
    cluster.apply(&slice("other", "10.9.9.9"));
    queue.until_told("route/HTTPRoute/one/default/after").await;

    // Somebody applies the manifests again, and the path is gone: the API server calls in vain once, and never twice.
    cluster.apply(&registration(port));
    assert_eq!(cluster.path(), None);
    cluster.apply(&route("vain", "other"));
    until("the path to be told again", || cluster.path().as_ref() == Some(&path)).await;
    until("the API server to call it", || {
        number += 1;
        cluster.apply(&slice("parking", &format!("10.1.{}.{}", number / 250, number % 250 + 1)));
        queue.units().contains(&"route/HTTPRoute/one/default/before".to_owned())
    })
    .await;

    // It is killed, something changes, it is back: the cluster is looked at.
    let port = webhook.kill();
    cluster.apply(&route("unseen", "parking"));
    queue.units();
    let _webhook = Webhook::start(&cluster, port, &endpoint);
    queue.until_told("cluster/one").await;
    assert_eq!(cluster.path(), Some(path), "the path follows from the stored key");
}
