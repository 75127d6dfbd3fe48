//! Two clusters, VPC Lattice and the queue, each in a mood that a test chooses.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use trellis_gateway::{
    Act, CONTROLLER, ClusterEvent, ClusterFacts, ObjectChange, ObjectKey, Read, SecretKey, SecretRead,
    StatusPatch,
};
use trellis_gateway::{Instance, Selector};
use trellis_hint::{ClusterId, Hint, Kind};
use trellis_lattice::{
    Actual, Certificate, Desired, ExternalGroup, Failure, FunctionFacts, Outcome, Plan, ServiceOutcome,
    apply_step, settle,
};
use trellis_ports::{
    Answer, Applied, ApplyError, Awaited, Budget, CallError, Calls, Cluster, Clusters, End, ErrorClass,
    Fleet, Lane, Lattice, OutgoingHint, Owned, PatchOutcome, Queue, Waiting,
};

/// How a namespace takes no Events.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NoEvents {
    Refuses,
    Hangs,
}

/// How a cluster behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Fine,
    /// It takes requests and never answers.
    Hangs,
    /// It lets nobody write a status.
    TakesNoStatus,
    /// Each patch takes this long.
    SlowStatus(Duration),
}

/// How VPC Lattice behaves towards one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Reads never end.
    InspectHangs,
    /// The first read is fine, later ones fail; and the first plan proves stale after its first wait.
    InspectFailsLater,
    /// A fault of Trellis.
    Panics,
    /// Every apply ends with this class, at a step that clears or not.
    Fails(ErrorClass, bool),
    /// Every apply ends with a throttled call that names its time.
    Throttled(Duration),
    /// Every apply ends with a wait.
    Waits,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) moods: BTreeMap<String, Mood>,
    /// What VPC Lattice tells of target groups of others.
    pub(crate) external_groups: BTreeMap<String, ExternalGroup>,
    /// What Lambda tells of functions.
    pub(crate) functions: BTreeMap<String, FunctionFacts>,
    /// How long it takes to.
    pub(crate) functions_take: Duration,
    /// What EC2 has, by id.
    pub(crate) instances: BTreeMap<String, Instance>,
    /// Why EC2 tells nothing.
    pub(crate) instances_unknown: Option<String>,
    /// What EC2 was asked for.
    pub(crate) instances_asked: Vec<BTreeSet<Selector>>,
    pub(crate) objects: BTreeMap<(String, ObjectKey), Value>,
    /// Requests that each cluster got.
    pub(crate) asked: BTreeMap<String, usize>,
    pub(crate) account: Actual,
    pub(crate) troubles: BTreeMap<String, Trouble>,
    pub(crate) inspected: BTreeMap<String, usize>,
    /// How often a plan was applied.
    pub(crate) applies: usize,
    /// When each step was done.
    pub(crate) steps: Vec<(String, Instant)>,
    /// A kind that no cluster lets anybody read.
    pub(crate) forbidden: Option<Kind>,
    /// Changes of objects that are no statuses.
    pub(crate) changed: Vec<String>,
    /// How every such change fails.
    pub(crate) takes_no_objects: Option<(ErrorClass, &'static str)>,
    pub(crate) changes_refused: usize,
    pub(crate) events: Vec<Value>,
    /// The namespace that takes no Events, and how it says so.
    pub(crate) takes_no_events: Option<(&'static str, NoEvents)>,
    pub(crate) events_refused: usize,
    /// Reads of DNSEndpoints.
    pub(crate) dns_endpoints_read: usize,
    /// How long each takes.
    pub(crate) dns_endpoints_take: Duration,
    pub(crate) secrets_read: usize,
    pub(crate) queue_fails: bool,
    /// What the index of tags shows.
    pub(crate) owned: Vec<Owned>,
    /// How long it takes to show it.
    pub(crate) index_takes: Duration,
    pub(crate) sent: Vec<OutgoingHint>,
    pub(crate) later: Vec<(Hint, Duration)>,
    pub(crate) put_off: BTreeMap<(Lane, String), Duration>,
    version: u64,
}

/// The cluster of that name.
pub(crate) fn id(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}").parse().unwrap()
}

/// All ports in one. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct World(pub(crate) Arc<Mutex<State>>);

impl World {
    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn put(&self, cluster: &str, kind: Kind, name: &str, mut object: Value) {
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

    /// A cluster with the class, a Gateway `my-hotel` and a Service `parking` of one Pod.
    pub(crate) fn cluster(&self, name: &str) {
        self.state().moods.insert(name.into(), Mood::Fine);
        self.put(
            name,
            Kind::GatewayClass,
            "amazon-vpc-lattice",
            json!({"spec": {"controllerName": CONTROLLER}}),
        );
        self.put(name, Kind::Namespace, "default", json!({"metadata": {}}));
        let listeners = json!([{"name": "http", "protocol": "HTTP", "port": 80}]);
        let gateway = json!({"spec": {"gatewayClassName": "amazon-vpc-lattice", "listeners": listeners}});
        self.put(name, Kind::Gateway, "my-hotel", gateway);
        let ports = json!([{"protocol": "TCP", "port": 80, "targetPort": 8090}]);
        let service = json!({"spec": {"clusterIP": "172.20.0.10", "ipFamilies": ["IPv4"], "ports": ports}});
        self.put(name, Kind::Service, "parking", service);
        let slice = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": "parking"}},
            "addressType": "IPv4", "ports": [{"port": 8090, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}],
        });
        self.put(name, Kind::EndpointSlice, "parking-a", slice);
    }

    pub(crate) fn route(&self, cluster: &str, name: &str) {
        let backend = json!([{"name": "parking", "kind": "Service", "port": 80}]);
        let route =
            json!({"spec": {"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": backend}]}});
        self.put(cluster, Kind::HTTPRoute, name, route);
    }

    pub(crate) fn status(&self, cluster: &str, kind: Kind, name: &str) -> Value {
        let state = self.state();
        let mut objects = state.objects.iter();
        let found = objects.find(|((of, key), _)| of == cluster && key.kind == kind && key.name == name);
        found.map(|(_, object)| object["status"].clone()).unwrap_or_default()
    }

    pub(crate) fn sent_to(&self) -> BTreeSet<String> {
        self.state().sent.iter().map(|sent| sent.hint.unit.to_string()).collect()
    }
}

/// One cluster.
pub(crate) struct Client {
    world: World,
    name: String,
}

impl Client {
    async fn ask(&self) -> Mood {
        let mood = {
            let mut state = self.world.state();
            *state.asked.entry(self.name.clone()).or_default() += 1;
            state.moods[&self.name]
        };
        if mood == Mood::Hangs {
            pending::<()>().await;
        }
        mood
    }
}

impl Cluster for Client {
    async fn secret(&self, _: &SecretKey) -> Result<SecretRead, CallError> {
        self.world.state().secrets_read += 1;
        Ok(SecretRead::Missing)
    }

    async fn read(&self, read: &Read) -> Result<Answer, CallError> {
        self.ask().await;
        if read.kind() == Kind::DNSEndpoint {
            let takes = self.world.state().dns_endpoints_take;
            sleep(takes).await;
        }
        let mut state = self.world.state();
        state.dns_endpoints_read += usize::from(read.kind() == Kind::DNSEndpoint);
        if state.forbidden == Some(read.kind()) {
            return Err(CallError::new(ErrorClass::Terminal, "403 Forbidden"));
        }
        let found: Vec<Value> = match read {
            Read::Get { kind, namespace, name, .. } => {
                let key = ObjectKey { kind: *kind, namespace: namespace.clone(), name: name.clone() };
                state.objects.get(&(self.name.clone(), key)).cloned().into_iter().collect()
            }
            Read::List { kind, name, service, .. } => {
                let from = ObjectKey { kind: *kind, namespace: String::new(), name: String::new() };
                let of_kind = state.objects.range((self.name.clone(), from)..);
                let of_kind =
                    of_kind.take_while(|((cluster, key), _)| *cluster == self.name && key.kind == *kind);
                let fits = |key: &ObjectKey, object: &Value| {
                    let label = &object["metadata"]["labels"]["kubernetes.io/service-name"];
                    name.as_ref().is_none_or(|name| *name == key.name)
                        && service.as_ref().is_none_or(|service| label == service)
                };
                let found = of_kind.filter(|((_, key), object)| fits(key, object));
                found.map(|(_, object)| object.clone()).collect()
            }
        };
        Ok(Answer::of(found))
    }

    async fn read_at_least(&self, read: &Read, _: &Awaited) -> Result<Answer, CallError> {
        self.read(read).await
    }

    async fn change(&self, change: &ObjectChange) -> Result<PatchOutcome, CallError> {
        self.ask().await;
        let mut state = self.world.state();
        if let Some((class, text)) = state.takes_no_objects {
            state.changes_refused += 1;
            return Err(CallError::new(class, text));
        }
        state.changed.push(format!("{} {}", change.act.verb(), change.key.name));
        let at = (self.name.clone(), change.key.clone());
        let mut object = state.objects.get(&at).cloned().unwrap_or_default();
        match &change.act {
            Act::Create(whole) => object = whole.clone(),
            Act::Patch { patch, .. } => {
                for (part, members) in patch.as_object().unwrap() {
                    for (member, value) in members.as_object().unwrap() {
                        object[part][member] = value.clone();
                    }
                }
            }
            Act::Delete { .. } => {
                state.objects.remove(&at);
                return Ok(PatchOutcome::Patched);
            }
        }
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        state.objects.insert(at, object);
        Ok(PatchOutcome::Patched)
    }

    async fn tell(&self, event: &ClusterEvent) -> Result<(), CallError> {
        let refuses = {
            let mut state = self.world.state();
            let refuses = state.takes_no_events.filter(|(namespace, _)| *namespace == event.namespace);
            match refuses {
                None => state.events.push(event.object.clone()),
                Some(_) => state.events_refused += 1,
            }
            refuses
        };
        match refuses {
            None => Ok(()),
            Some((_, NoEvents::Refuses)) => Err(CallError::new(ErrorClass::Terminal, "403 Forbidden")),
            Some((_, NoEvents::Hangs)) => std::future::pending().await,
        }
    }

    async fn patch_status(&self, patch: &StatusPatch) -> Result<PatchOutcome, CallError> {
        match self.ask().await {
            Mood::TakesNoStatus => return Err(CallError::new(ErrorClass::Terminal, "403 Forbidden")),
            Mood::SlowStatus(time) => sleep(time).await,
            Mood::Fine | Mood::Hangs => {}
        }
        let mut state = self.world.state();
        state.version += 1;
        let version = state.version.to_string();
        let key =
            ObjectKey { kind: patch.kind, namespace: patch.namespace.clone(), name: patch.name.clone() };
        let Some(object) = state.objects.get_mut(&(self.name.clone(), key)) else {
            return Ok(PatchOutcome::Gone);
        };
        for (member, value) in patch.status.as_object().unwrap() {
            object["status"][member] = value.clone();
        }
        object["metadata"]["resourceVersion"] = json!(version);
        Ok(PatchOutcome::Patched)
    }
}

impl Clusters for World {
    type Cluster = Client;

    async fn fleet(&self) -> Result<Fleet<Client>, CallError> {
        let names: Vec<String> = self.state().moods.keys().cloned().collect();
        let facts = |name: &String| ClusterFacts::registered(id(name), format!("vpc-{name}"));
        let client =
            |name: &String| (id(name), Ok(Arc::new(Client { world: self.clone(), name: name.clone() })));
        Ok(Fleet { facts: names.iter().map(facts).collect(), clusters: names.iter().map(client).collect() })
    }
}

impl Lattice for World {
    async fn inspect(&self, desired: &Desired, _: &[String], _: SystemTime) -> Result<Actual, CallError> {
        let unit = desired.owner.key.clone();
        let (trouble, nth) = {
            let mut state = self.state();
            let nth = state.inspected.entry(unit.clone()).or_default();
            *nth += 1;
            (state.troubles.get(&unit).copied(), state.inspected[&unit])
        };
        match trouble {
            Some(Trouble::InspectHangs) => pending::<()>().await,
            Some(Trouble::Panics) => panic!("a fault of Trellis"),
            Some(Trouble::InspectFailsLater) if nth > 1 => {
                return Err(CallError::new(ErrorClass::Retry, "ListServices: throttled"));
            }
            _ => {}
        }
        Ok(self.state().account.clone())
    }

    async fn inspect_instances(&self, desired: &Desired) -> Result<Actual, CallError> {
        let mut state = self.state();
        *state.inspected.entry(format!("instances of {}", desired.owner.key)).or_default() += 1;
        Ok(Actual { target_groups: state.account.target_groups.clone(), ..Actual::default() })
    }

    async fn apply(&self, plan: &Plan, _: &Actual, _: Budget, progress: &watch::Sender<Outcome>) -> Applied {
        let trouble = self.state().troubles.get(&plan.owner.key).copied();
        self.state().applies += 1;
        for step in &plan.steps {
            if step.is_wait() {
                progress.send_replace(self.outcome(plan));
                sleep(Duration::from_secs(1)).await;
                if trouble == Some(Trouble::InspectFailsLater) {
                    return self.failed(plan, CallError::new(ErrorClass::Stale, "it is gone"), false);
                }
            }
            let mut state = self.state();
            apply_step(&mut state.account, &plan.owner, step);
            state.account = settle(&state.account);
            state.steps.push((step.to_string(), Instant::now()));
        }
        match trouble {
            Some(Trouble::Fails(class, clears)) => {
                self.failed(plan, CallError::new(class, "refused"), clears)
            }
            Some(Trouble::Throttled(after)) => {
                let error =
                    CallError::new(ErrorClass::Retry, "RegisterTargets: throttled").after(Some(after));
                self.failed(plan, error, false)
            }
            Some(Trouble::Waits) => {
                let waiting = Waiting { text: "it drains".into(), retry_after: Duration::from_secs(15) };
                let done = plan.steps.len();
                Applied { done, outcome: self.outcome(plan), end: End::Waiting(waiting) }
            }
            _ => Applied { done: plan.steps.len(), outcome: self.outcome(plan), end: End::Complete },
        }
    }

    async fn owned(
        &self,
        _: &str,
        _: Option<&(String, String)>,
        take: &mut (dyn FnMut(Owned) + Send),
    ) -> Result<(), CallError> {
        let takes = self.state().index_takes;
        sleep(takes).await;
        self.state().owned.iter().cloned().for_each(take);
        Ok(())
    }

    async fn whose(&self, _: &str, arns: &BTreeSet<String>) -> Result<Vec<Owned>, CallError> {
        self.fail()?;
        let owned = self.state().owned.clone();
        Ok(owned.into_iter().filter(|one| arns.contains(&one.arn)).collect())
    }

    async fn certificates(&self, _: SystemTime) -> Result<Vec<Certificate>, CallError> {
        Ok(vec![])
    }

    async fn external_groups(&self, arns: &BTreeSet<String>) -> BTreeMap<String, ExternalGroup> {
        let known = self.state().external_groups.clone();
        let of = |arn: &String| known.get(arn).cloned().unwrap_or(ExternalGroup::Missing);
        arns.iter().map(|arn| (arn.clone(), of(arn))).collect()
    }

    async fn listing(&self, _: Budget) -> trellis_directory::Listing {
        trellis_directory::Listing::default()
    }

    fn take_calls(&self) -> Calls {
        Calls { by_operation: BTreeMap::new(), lattice: 3 }
    }
}

impl World {
    fn failed(&self, plan: &Plan, source: CallError, clears: bool) -> Applied {
        let retryable = source.class() != ErrorClass::Terminal;
        let mut outcome = self.outcome(plan);
        outcome.failure = Some(Failure { message: source.to_string(), retryable });
        let error = ApplyError { step: "do what fails".into(), clears, source };
        Applied { done: 0, outcome, end: End::Failed(error) }
    }

    fn outcome(&self, plan: &Plan) -> Outcome {
        let state = self.state();
        let serving = |arn: &String, dns_name: &Option<String>| ServiceOutcome {
            arn: arn.clone(),
            dns_name: dns_name.clone().or_else(|| Some("inventory.example".into())),
        };
        let services = state.account.services.iter();
        Outcome {
            networks: state.account.networks.iter().map(|one| (one.name.clone(), one.arn.clone())).collect(),
            services: services.map(|one| (one.name.clone(), serving(&one.arn, &one.dns_name))).collect(),
            target_groups: BTreeMap::new(),
            blocked: plan.blocked.clone(),
            refused: vec![],
            refused_logs: vec![],
            refused_vpcs: vec![],
            refused_certificates: vec![],
            vpc_associations: [].into(),
            vpc_endpoints: BTreeSet::new(),
            resource_gateways: BTreeMap::new(),
            resources: BTreeMap::new(),
            refused_endpoints: vec![],
            waiting: None,
            failure: None,
        }
    }
}

impl Queue for World {
    async fn send(&self, hints: &[OutgoingHint]) -> Result<(), CallError> {
        self.fail()?;
        self.state().sent.extend(hints.iter().cloned());
        Ok(())
    }

    async fn send_later(&self, hint: &Hint, after: Duration) -> Result<(), CallError> {
        self.fail()?;
        self.state().later.push((hint.clone(), after));
        Ok(())
    }

    async fn put_off(&self, lane: Lane, receipt_handle: &str, after: Duration) -> Result<(), CallError> {
        self.state().put_off.insert((lane, receipt_handle.to_owned()), after);
        Ok(())
    }
}

impl World {
    fn fail(&self) -> Result<(), CallError> {
        let fails = self.state().queue_fails;
        if fails { Err(CallError::new(ErrorClass::Retry, "SendMessageBatch: throttled")) } else { Ok(()) }
    }
}
