//! In-memory API servers: what is stored, optimistic concurrency, outages.

use crate::sim::Sandbox;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use trellis_gateway::{
    Act, ClusterEvent, ClusterFacts, ClusterState, ObjectChange, ObjectKey, Read, SecretKey, SecretRead,
    StatusPatch,
};
use trellis_hint::Kind;
use trellis_ports::{Answer, Awaited, CallError, Cluster, Clusters, ErrorClass, Fleet, PatchOutcome};

/// How often a hinted change is looked for before what is there is taken.
const LOOKS_MAX: u32 = 12;

/// How a cluster is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// Its API server does not answer.
    Unreachable,
    /// EKS describes it so that nothing can reach it.
    Unusable,
    /// It bears no tag of registration.
    Unregistered,
    /// Its API server takes requests and never answers.
    Hanging,
    /// Its API server answers every request after so many seconds.
    Slow(u64),
    /// Its API server lets nobody read: registered before its rights were granted.
    ForbidsReads,
    /// It serves none of the custom kinds: registered before they were installed.
    HalfInstalled,
    /// Its API server lets nobody write a status.
    TakesNoStatus,
}

/// Kinds whose definitions can be away.
pub(crate) const CUSTOM: [Kind; 4] =
    [Kind::Gateway, Kind::HTTPRoute, Kind::ServiceExport, Kind::ServiceImport];

/// One cluster.
pub(crate) struct ApiServer {
    facts: ClusterFacts,
    /// Whether a person takes it out.
    pub(crate) leaving: bool,
    pub(crate) objects: BTreeMap<ObjectKey, Arc<Value>>,
    /// With the moment since when.
    pub(crate) outage: Option<(Outage, u64)>,
    /// Kinds that are not served, with the moment since when.
    pub(crate) kinds_missing: BTreeMap<Kind, u64>,
    /// The moment of the last edit of an object, and of a person's last word on the cluster.
    pub(crate) edited: u64,
    version: u64,
}

impl ApiServer {
    pub(crate) fn new(facts: ClusterFacts) -> Self {
        Self {
            facts,
            leaving: false,
            objects: BTreeMap::new(),
            outage: None,
            kinds_missing: BTreeMap::new(),
            edited: 0,
            version: 0,
        }
    }

    /// What EKS tells of the cluster.
    pub(crate) fn facts(&self) -> ClusterFacts {
        let state = if self.leaving { ClusterState::Leaving } else { ClusterState::Registered };
        ClusterFacts { state, ..self.facts.clone() }
    }

    /// Whether the cluster is in that state.
    pub(crate) fn is(&self, outage: Outage) -> bool {
        self.outage.is_some_and(|(is, _)| is == outage)
    }

    /// Another one whenever an object is another.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether its answers take time.
    pub(crate) fn takes_time(&self) -> bool {
        matches!(self.outage, Some((Outage::Hanging | Outage::Slow(_), _)))
    }

    fn serves(&self, kind: Kind) -> bool {
        let is_missing = self.is(Outage::HalfInstalled) && CUSTOM.contains(&kind);
        !is_missing && !self.kinds_missing.contains_key(&kind)
    }

    /// The object as the API server would store it: its bookkeeping continued, its status kept.
    pub(crate) fn admitted(&self, key: &ObjectKey, mut object: Value) -> Value {
        let old = self.objects.get(key);
        let metadata = |name: &str| old.and_then(|old| old["metadata"].get(name).cloned());
        let generation = metadata("generation").and_then(|generation| generation.as_i64()).unwrap_or(0);
        let same_spec = old.is_some_and(|old| old.get("spec") == object.get("spec"));
        // By the engine's clock, whose first day this is.
        let now = crate::run::seconds();
        let created = format!("2026-02-02T{:02}:{:02}:{:02}Z", now / 3600 % 24, now / 60 % 60, now % 60);
        object["metadata"]["generation"] = json!(if same_spec { generation } else { generation + 1 });
        object["metadata"]["uid"] =
            metadata("uid").unwrap_or_else(|| json!(format!("{}-{}", key.name, self.version + 1)));
        object["metadata"]["creationTimestamp"] = metadata("creationTimestamp").unwrap_or(json!(created));
        object["metadata"]["resourceVersion"] = metadata("resourceVersion").unwrap_or(json!(""));
        if let Some(status) = old.and_then(|old| old.get("status")) {
            object["status"] = status.clone();
        }
        object
    }

    /// Stores what was admitted, or removes what was deleted.
    pub(crate) fn store(&mut self, key: &ObjectKey, object: Option<Value>, moment: u64) {
        self.version += 1;
        self.edited = moment;
        let Some(mut object) = object else {
            self.objects.remove(key);
            return self.collect_garbage();
        };
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        // A status that was written between admission and storing is not lost.
        if let Some(status) = self.objects.get(key).and_then(|old| old.get("status")) {
            object["status"] = status.clone();
        }
        self.objects.insert(key.clone(), Arc::new(object));
    }

    /// Removes what is owned by objects that are not there any more.
    fn collect_garbage(&mut self) {
        let uids: BTreeSet<String> = self
            .objects
            .values()
            .filter_map(|one| one["metadata"]["uid"].as_str())
            .map(str::to_owned)
            .collect();
        self.objects.retain(|_, object| {
            let owners =
                object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
            owners.is_empty()
                || owners.iter().any(|one| one["uid"].as_str().is_some_and(|uid| uids.contains(uid)))
        });
    }

    fn read(&self, read: &Read) -> Result<Answer, CallError> {
        if matches!(self.outage, Some((Outage::Unreachable | Outage::Unusable, _))) {
            return Err(CallError::new(ErrorClass::NoAnswer, "no connection"));
        }
        if self.is(Outage::ForbidsReads) {
            return Err(CallError::new(ErrorClass::Terminal, "the API server forbids to read"));
        }
        let (Read::Get { kind, .. } | Read::List { kind, .. }) = read;
        if !self.serves(*kind) {
            return Ok(Answer::KindMissing);
        }
        let fits = |(key, object): &(&ObjectKey, &Arc<Value>)| match read {
            Read::Get { namespace, name, .. } => key.namespace == *namespace && key.name == *name,
            Read::List { namespace, name, service, .. } => {
                let label = || object["metadata"]["labels"]["kubernetes.io/service-name"].as_str();
                namespace.as_ref().is_none_or(|one| *one == key.namespace)
                    && name.as_ref().is_none_or(|one| *one == key.name)
                    && service.as_ref().is_none_or(|one| Some(one.as_str()) == label())
            }
        };
        let of_kind = self.objects.iter().filter(|(key, _)| key.kind == *kind);
        Ok(Answer::Objects(of_kind.filter(fits).map(|(_, object)| object.clone()).collect()))
    }

    fn change(&mut self, change: &ObjectChange) -> PatchOutcome {
        let old = self.objects.get(&change.key).map(|old| Value::clone(old));
        let is_read = |old: &Value, version: &String| old["metadata"]["resourceVersion"] == json!(version);
        let new = match (&change.act, old) {
            (Act::Create(object), None) => Some(object.clone()),
            (Act::Patch { .. } | Act::Delete { .. }, None) => return PatchOutcome::Gone,
            (Act::Patch { resource_version, patch }, Some(mut old)) if is_read(&old, resource_version) => {
                merge(&mut old, patch);
                Some(old)
            }
            (Act::Delete { resource_version, .. }, Some(old)) if is_read(&old, resource_version) => None,
            (Act::Create(_) | Act::Patch { .. } | Act::Delete { .. }, Some(_)) => {
                return PatchOutcome::Conflict;
            }
        };
        self.version += 1;
        match new {
            Some(mut object) => {
                object["metadata"]["resourceVersion"] = json!(self.version.to_string());
                self.objects.insert(change.key.clone(), Arc::new(object));
                self.collect_garbage();
            }
            None => _ = self.objects.remove(&change.key),
        }
        PatchOutcome::Patched
    }

    fn patch(&mut self, patch: &StatusPatch) -> PatchOutcome {
        let key =
            ObjectKey { kind: patch.kind, namespace: patch.namespace.clone(), name: patch.name.clone() };
        if !self.serves(patch.kind) {
            return PatchOutcome::Gone;
        }
        let Some(object) = self.objects.get_mut(&key) else { return PatchOutcome::Gone };
        let object = Arc::make_mut(object);
        if object["metadata"]["resourceVersion"] != json!(patch.resource_version) {
            return PatchOutcome::Conflict;
        }
        merge(&mut object["status"], &patch.status);
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        PatchOutcome::Patched
    }
}

/// A JSON merge patch (RFC 7386).
fn merge(target: &mut Value, patch: &Value) {
    let Some(members) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in members {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name.as_str()], value);
        }
    }
}

/// One cluster as the engine sees it.
pub(crate) struct Client {
    sandbox: Arc<Sandbox>,
    name: String,
}

impl Client {
    /// A request is under way; to a cluster that hangs for ever.
    async fn ask(&self) {
        self.sandbox.pause().await;
        let outage = self.sandbox.state().clusters[&self.name].outage;
        match outage {
            Some((Outage::Hanging, _)) => std::future::pending().await,
            Some((Outage::Slow(seconds), _)) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            _ => {}
        }
    }
}

impl Cluster for Client {
    async fn secret(&self, _: &SecretKey) -> Result<SecretRead, CallError> {
        Ok(SecretRead::Missing)
    }

    async fn read(&self, read: &Read) -> Result<Answer, CallError> {
        self.ask().await;
        self.sandbox.state().clusters[&self.name].read(read)
    }

    async fn read_at_least(&self, read: &Read, awaited: &Awaited) -> Result<Answer, CallError> {
        let looks = {
            let mut state = self.sandbox.state();
            let chance = state.faults.read_too_early();
            if state.dice.percent(chance) { 1 } else { LOOKS_MAX }
        };
        let mut answer = self.read(read).await;
        for _ in 1..looks {
            match &answer {
                Ok(Answer::Objects(objects)) if !awaited.is_shown_by(objects.first().map(Arc::as_ref)) => {}
                _ => break,
            }
            answer = self.read(read).await;
        }
        answer
    }

    async fn change(&self, change: &ObjectChange) -> Result<PatchOutcome, CallError> {
        self.ask().await;
        let mut state = self.sandbox.state();
        if matches!(
            state.clusters[&self.name].outage,
            Some((Outage::Unreachable | Outage::Unusable | Outage::TakesNoStatus, _))
        ) {
            return Err(CallError::new(ErrorClass::NoAnswer, "no answer in time"));
        }
        let percent = state.faults.patch_unanswered();
        let fails = state.dice.percent(percent);
        let outcome = state.clusters.get_mut(&self.name).unwrap().change(change);
        state.tell(format!("{} {} {:?} {outcome:?}", change.act.verb(), self.name, change.key));
        if fails { Err(CallError::new(ErrorClass::NoAnswer, "no answer in time")) } else { Ok(outcome) }
    }

    async fn tell(&self, _: &ClusterEvent) -> Result<(), CallError> {
        Ok(())
    }

    async fn patch_status(&self, patch: &StatusPatch) -> Result<PatchOutcome, CallError> {
        self.ask().await;
        let mut state = self.sandbox.state();
        let unanswered = || Err(CallError::new(ErrorClass::NoAnswer, "no answer in time"));
        match state.clusters[&self.name].outage {
            Some((Outage::Unreachable | Outage::Unusable, _)) => return unanswered(),
            Some((Outage::TakesNoStatus, _)) => {
                return Err(CallError::new(ErrorClass::Terminal, "the API server forbids to patch"));
            }
            _ => {}
        }
        let chance = state.faults.patch_unanswered();
        let fails = state.dice.percent(chance);
        if fails && state.dice.percent(50) {
            return unanswered();
        }
        let outcome = state.clusters.get_mut(&self.name).unwrap().patch(patch);
        state.tell(format!(
            "status {} {} {}: {} {outcome:?}",
            self.name, patch.kind, patch.name, patch.summary
        ));
        if outcome == PatchOutcome::Patched {
            state.status_writes += 1;
        }
        if fails { unanswered() } else { Ok(outcome) }
    }
}

/// The registry of clusters as the engine sees it.
pub(crate) struct Clients(pub(crate) Arc<Sandbox>);

impl Clusters for Clients {
    type Cluster = Client;

    async fn fleet(&self) -> Result<Fleet<Client>, CallError> {
        self.0.pause().await;
        let state = self.0.state();
        let mut fleet = Fleet { facts: vec![], clusters: BTreeMap::new() };
        for (name, cluster) in &state.clusters {
            let reached = match cluster.outage {
                Some((Outage::Unregistered, _)) => continue,
                Some((Outage::Unusable, _)) => Err("EKS tells no endpoint".to_owned()),
                _ => {
                    fleet.facts.push(cluster.facts());
                    Ok(Arc::new(Client { sandbox: Arc::clone(&self.0), name: name.clone() }))
                }
            };
            fleet.clusters.insert(cluster.facts.id.clone(), reached);
        }
        Ok(fleet)
    }
}
