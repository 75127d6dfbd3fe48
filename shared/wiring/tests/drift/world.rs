//! Two clusters in memory, a queue in memory, and VPC Lattice as the emulator has it.

use crate::emulator::Emulator;
use futures::future;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use trellis_aws::AwsLattice;
use trellis_engine::{DriftReport, Engine, LookReport, Rotation, Worker};
use trellis_gateway::{
    CONTROLLER, ClusterEvent, ClusterFacts, ObjectChange, ObjectKey, Read, SecretKey, SecretRead, Settings,
    StatusPatch,
};
use trellis_hint::{ClusterId, Hint, Kind, ObjectRef, Operation, UnitKey};
use trellis_lattice::LimitOverrides;
use trellis_ports::{
    Answer, Awaited, Budget, CallError, Cluster, Clusters, ErrorClass, Fleet, Lane, Message, OutgoingHint,
    PatchOutcome, Queue,
};

/// How many clusters there are; `TRELLIS_CLUSTERS` chooses more than two.
pub(crate) fn clusters() -> Vec<String> {
    let count = std::env::var("TRELLIS_CLUSTERS").map_or(2, |text| text.parse().unwrap());
    let named = ["one", "two"].map(str::to_owned);
    named.into_iter().chain((3..=count).map(|n| format!("cluster-{n}"))).collect()
}

/// Messages of a batch, as the template has it.
const BATCH: usize = 10;
/// Batches at once: what is made takes seconds to be usable, and Lambda works on many meanwhile.
const BATCHES_AT_ONCE: usize = 20;
/// What Lambda gives a batch.
const INVOCATION: Duration = Duration::from_secs(59);

pub(crate) fn id(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}").parse().unwrap()
}

#[derive(Default)]
pub(crate) struct State {
    objects: BTreeMap<(String, ObjectKey), Value>,
    version: u64,
    queue: VecDeque<Hint>,
    pub(crate) patches: usize,
    pub(crate) slices_listed: usize,
}

/// The clusters and the queue. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

impl Memory {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn put(&self, cluster: &str, kind: Kind, name: &str, mut object: Value) {
        let mut state = self.state();
        state.version += 1;
        let namespace = if kind.is_cluster_scoped() { "" } else { "default" };
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!(namespace);
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let key = ObjectKey { kind, namespace: namespace.into(), name: name.into() };
        state.objects.insert((cluster.to_owned(), key), object);
    }

    /// A cluster with a Gateway, and this many routes of two rules, each rule with a Service of one Pod of its own.
    pub(crate) fn cluster(&self, name: &str, routes: usize, slices: usize) {
        let class = json!({"spec": {"controllerName": CONTROLLER}});
        self.put(name, Kind::GatewayClass, "amazon-vpc-lattice", class);
        self.put(name, Kind::Namespace, "default", json!({"metadata": {}}));
        let listeners = json!([{"name": "http", "protocol": "HTTP", "port": 80}]);
        let gateway = json!({"spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": listeners}});
        self.put(name, Kind::Gateway, "my-hotel", gateway);
        for n in 0..routes {
            let service = format!("s-{n}");
            let backend = json!([{"name": service, "kind": "Service", "port": 80}]);
            let rules = json!([{"matches": [{"path": {"type": "PathPrefix", "value": "/a"}}], "backendRefs": backend}]);
            let route = json!({"spec": {"parentRefs": [{"name": "my-hotel"}], "rules": rules}});
            self.put(name, Kind::HTTPRoute, &route_name(name, n), route);
            let ports = json!([{"protocol": "TCP", "port": 80, "targetPort": 8090}]);
            let spec = json!({"spec": {"clusterIP": "172.20.0.10", "ipFamilies": ["IPv4"], "ports": ports}});
            self.put(name, Kind::Service, &service, spec);
        }
        for n in 0..slices.max(routes) {
            let slice = json!({
                "metadata": {"labels": {"kubernetes.io/service-name": format!("s-{n}")}},
                "addressType": "IPv4", "ports": [{"port": 8090, "protocol": "TCP"}],
                "endpoints": [{"addresses": [format!("10.0.{}.{}", n / 250 % 250, n % 250 + 1)], "conditions": {"ready": true}}],
            });
            self.put(name, Kind::EndpointSlice, &format!("slice-{n}"), slice);
        }
    }

    /// What the queue gives out at once: of each unit one hint, since it is a message group. Others that wait for it are one
    /// with it, but for looks, each of which goes on where another ended.
    fn take(&self, only_looks: bool) -> Vec<Vec<Hint>> {
        let mut state = self.state();
        let (mut now, mut later, mut units) = (vec![], VecDeque::new(), BTreeSet::new());
        for hint in std::mem::take(&mut state.queue) {
            let is_look = matches!(hint.unit, UnitKey::Cluster { .. });
            let is_meant = is_look || !only_looks;
            let is_first = units.insert(hint.unit.clone());
            if is_meant && is_first && now.len() < BATCH * BATCHES_AT_ONCE {
                now.push(hint);
            } else if is_look || is_first {
                later.push_back(hint);
            }
        }
        state.queue = later;
        now.chunks(BATCH).map(<[Hint]>::to_vec).collect()
    }

    pub(crate) fn hints(&self) -> Vec<String> {
        self.state().queue.iter().map(|hint| hint.unit.to_string()).collect()
    }
}

pub(crate) fn route_name(cluster: &str, n: usize) -> String {
    format!("r-{cluster}-{n}")
}

pub(crate) fn route(cluster: &str, n: usize) -> UnitKey {
    let (kind, name) = (Kind::HTTPRoute, route_name(cluster, n));
    UnitKey::Route { kind, cluster: id(cluster), namespace: "default".into(), name }
}

pub(crate) struct Client(Memory, String);

impl Cluster for Client {
    async fn secret(&self, _: &SecretKey) -> Result<SecretRead, CallError> {
        Ok(SecretRead::Missing)
    }

    async fn read(&self, read: &Read) -> Result<Answer, CallError> {
        let mut state = self.0.state();
        if let Read::List { kind: Kind::EndpointSlice, .. } = read {
            state.slices_listed += 1;
        }
        let one = |kind: Kind, namespace: &str, name: &str| {
            let key = ObjectKey { kind, namespace: namespace.into(), name: name.into() };
            state.objects.get(&(self.1.clone(), key)).cloned()
        };
        let found: Vec<Value> = match read {
            Read::Get { kind, namespace, name, .. } => one(*kind, namespace, name).into_iter().collect(),
            // As its slice is named: thousands of labels need not be compared.
            Read::List { service: Some(service), .. } => {
                one(Kind::EndpointSlice, "default", &service.replacen('s', "slice", 1)).into_iter().collect()
            }
            Read::List { kind, name, .. } => {
                let from = ObjectKey { kind: *kind, namespace: String::new(), name: String::new() };
                let of_kind = state.objects.range((self.1.clone(), from)..);
                of_kind
                    .take_while(|((cluster, key), _)| *cluster == self.1 && key.kind == *kind)
                    .filter(|((_, key), _)| name.as_ref().is_none_or(|name| *name == key.name))
                    .map(|(_, object)| object.clone())
                    .collect()
            }
        };
        Ok(Answer::of(found))
    }

    async fn read_at_least(&self, read: &Read, _: &Awaited) -> Result<Answer, CallError> {
        self.read(read).await
    }

    /// As where nobody has asked for annotations: the role that allows them is not installed.
    async fn change(&self, _: &ObjectChange) -> Result<PatchOutcome, CallError> {
        Err(CallError::new(ErrorClass::Terminal, "403 Forbidden"))
    }

    async fn tell(&self, _: &ClusterEvent) -> Result<(), CallError> {
        Ok(())
    }

    async fn patch_status(&self, patch: &StatusPatch) -> Result<PatchOutcome, CallError> {
        let mut state = self.0.state();
        state.version += 1;
        state.patches += 1;
        let version = state.version.to_string();
        let (kind, namespace, name) = (patch.kind, patch.namespace.clone(), patch.name.clone());
        let object = state.objects.get_mut(&(self.1.clone(), ObjectKey { kind, namespace, name })).unwrap();
        for (member, value) in patch.status.as_object().unwrap() {
            object["status"][member] = value.clone();
        }
        object["metadata"]["resourceVersion"] = json!(version);
        Ok(PatchOutcome::Patched)
    }
}

impl Clusters for Memory {
    type Cluster = Client;

    async fn fleet(&self) -> Result<Fleet<Client>, CallError> {
        let vpc = |n: usize| format!("vpc-{:017}", n + 1);
        let facts = |(n, name): (usize, &String)| ClusterFacts::registered(id(name), vpc(n));
        let client = |name: &String| (id(name), Ok(Arc::new(Client(self.clone(), name.clone()))));
        let names = clusters();
        Ok(Fleet {
            facts: names.iter().enumerate().map(facts).collect(),
            clusters: names.iter().map(client).collect(),
        })
    }
}

impl Queue for Memory {
    async fn send(&self, hints: &[OutgoingHint]) -> Result<(), CallError> {
        self.state().queue.extend(hints.iter().map(|one| one.hint.clone()));
        Ok(())
    }

    async fn send_later(&self, hint: &Hint, _: Duration) -> Result<(), CallError> {
        self.state().queue.push_back(hint.clone());
        Ok(())
    }

    async fn put_off(&self, _: Lane, _: &str, _: Duration) -> Result<(), CallError> {
        Ok(())
    }
}

impl Emulator {
    /// VPC Lattice with room for so many services.
    pub(crate) fn with_room(services: usize) -> Self {
        let quotas =
            ["services", "services-per-network", "target-groups"].map(|quota| format!("{quota}={services}"));
        let flags = quotas.iter().flat_map(|quota| ["--quota", quota.as_str()]);
        Self::start(&["--delay", "all=0"].into_iter().chain(flags).collect::<Vec<_>>())
    }

    /// The raw SDK client of somebody else in the account.
    pub(crate) async fn stranger(&self) -> aws_sdk_vpclattice::Client {
        let credentials = aws_credential_types::Credentials::new("other", "other", None, None, "test");
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-west-2"))
            .endpoint_url(format!("http://{}", self.address))
            .credentials_provider(credentials)
            .load()
            .await;
        aws_sdk_vpclattice::Client::new(&config)
    }

    /// A function that was never called before.
    pub(crate) async fn function(&self, memory: &Memory, rotation: Rotation) -> Function {
        let lattice = AwsLattice::new(&self.aws().await, LimitOverrides::default(), false);
        let settings = Settings { installation: "trellis".into(), ..Settings::default() };
        let engine = Engine::new(lattice, memory.clone(), memory.clone(), settings).with_rotation(rotation);
        let engine = Arc::new(engine);
        Function { worker: Worker::new(Arc::clone(&engine)), engine, memory: memory.clone() }
    }
}

type Wired = Engine<AwsLattice, Memory, Memory>;

/// A warm function with both handlers.
pub(crate) struct Function {
    engine: Arc<Wired>,
    worker: Worker<AwsLattice, Memory, Memory>,
    memory: Memory,
}

impl Function {
    pub(crate) fn hint(&self, unit: UnitKey, kind: Kind, name: &str, cluster: &str) {
        let (cluster, namespace, name) = (id(cluster), "default".into(), name.into());
        let object = ObjectRef { cluster, kind, namespace, name, uid: String::new(), generation: 1 };
        self.memory.state().queue.push_back(Hint::new(unit, object, Operation::Resync));
    }

    /// Works off the queue, of clusters' looks alone or of everything.
    pub(crate) async fn work(&self, only_looks: bool) -> Vec<LookReport> {
        let mut looks = vec![];
        loop {
            let batches = self.memory.take(only_looks);
            if batches.is_empty() {
                return looks;
            }
            let work = batches.iter().map(|batch| {
                let message = |(n, hint): (usize, &Hint)| message(n, Some(hint.unit.group_id()), hint.body());
                self.worker.work(batch.iter().enumerate().map(message).collect(), Budget::lasting(INVOCATION))
            });
            for (batch, worked) in batches.iter().zip(future::join_all(work).await) {
                looks.extend(worked.looks);
                let returned = worked.returned.iter().map(|at| batch[at.parse::<usize>().unwrap()].clone());
                self.memory.state().queue.extend(returned);
            }
        }
    }

    /// What an event of somebody's change leads to.
    pub(crate) async fn event(&self, event: &Value) {
        let messages = vec![message(0, None, event.to_string())];
        assert!(self.worker.work(messages, Budget::lasting(INVOCATION)).await.returned.is_empty());
    }

    /// A drift pass with all its looks, without repairs.
    pub(crate) async fn pass(&self, now: SystemTime) -> (DriftReport, Vec<LookReport>) {
        let report = self.engine.drift(now, Budget::lasting(Duration::from_mins(15))).await.unwrap();
        (report, self.work(true).await)
    }
}

fn message(n: usize, group: Option<String>, body: String) -> Message {
    Message { id: n.to_string(), receipt_handle: n.to_string(), group, body, receives: 1, sent: None }
}
