//! Manifests as the clusters that have them and nothing else would show them.

use crate::args::Input;
use crate::assume::assume;
use crate::manifests::{Manifests, Place};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{
    CONTROLLER, ClusterFacts, OPTIONAL_KINDS, ObjectKey, Read, ReadResult, Settings, Snapshot,
};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Certificate, Certificates, Mode};

/// The class that comes with an installation ([examples/gatewayclass.yaml]).
const CLASS: &str = "amazon-vpc-lattice";

/// The time of objects that bear none: they are made now, after all that bear one.
const MADE_NOW: &str = "9999-12-31T23:59:59Z";

/// What stands for the subnets and the security group that EKS would tell of a cluster.
const SUBNET: &str = "subnet-00000000000000000";
const GROUP: &str = "sg-00000000000000000";

/// What is known, and where it is from.
#[derive(Debug, Clone)]
pub struct World {
    /// The clusters with their objects; everything was asked for.
    pub snapshot: Snapshot,
    /// What else translation needs.
    pub settings: Settings,
    /// Where each object stands.
    pub places: BTreeMap<(ClusterId, ObjectKey), Place>,
    /// What was assumed, and what else a person should know of the files, in sentences.
    pub notes: Vec<String>,
}

/// The world of these manifests.
///
/// # Errors
///
/// A flag that names no account, Region or cluster, for people.
pub fn world(manifests: Manifests, input: &Input) -> Result<World, String> {
    let mut notes = vec![];
    let mut objects: BTreeMap<ClusterId, BTreeMap<ObjectKey, Value>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    objects.entry(input.cluster_of(None)?).or_default();
    for manifest in manifests.objects {
        let cluster = input.cluster_of(manifest.cluster.as_deref())?;
        let mut object = manifest.object;
        let key = complete(manifest.kind, &mut object, &input.namespace);
        let place = (cluster.clone(), key.clone());
        if let Some(Place { file, line }) = places.insert(place, manifest.place.clone()) {
            notes.push(format!(
                "{} {} stands twice: {}:{} counts, not {file}:{line}.",
                key.kind,
                path(&key),
                manifest.place.file,
                manifest.place.line
            ));
        }
        objects.entry(cluster).or_default().insert(key, object);
    }
    for (cluster, objects) in &mut objects {
        add_namespaces(objects);
        if add_class(objects) {
            notes.push(format!(
                "Cluster {} is taken to have the GatewayClass {CLASS}, which comes with an installation.",
                cluster.name
            ));
        }
    }
    let has = |kind: Kind| objects.values().flat_map(BTreeMap::keys).any(|key| key.kind == kind);
    if has(Kind::Service) && !has(Kind::EndpointSlice) {
        notes.push(
            "Target groups are shown without targets: a cluster makes the EndpointSlices of its Pods.".into(),
        );
    }
    let settings = Settings {
        installation: input.owner.clone(),
        limits: input.limits.clone(),
        allowed_networks: input.allowed_networks.iter().cloned().collect(),
        mode: Mode::Sync,
        ..Settings::default()
    };
    let mut snapshot = snapshot(objects, input)?;
    notes.extend(assume(&mut snapshot));
    Ok(World { snapshot, settings, places, notes })
}

/// A snapshot in which every kind of every cluster was asked for.
fn snapshot(
    objects: BTreeMap<ClusterId, BTreeMap<ObjectKey, Value>>,
    input: &Input,
) -> Result<Snapshot, String> {
    let facts = objects.keys().map(|cluster| ClusterFacts {
        cluster_set: Some(String::new()),
        subnets: BTreeSet::from([SUBNET.to_owned()]),
        security_group: Some(GROUP.to_owned()),
        ..ClusterFacts::registered(cluster.clone(), input.vpc_of(&cluster.name))
    });
    let mut snapshot = Snapshot::of(facts);
    if !input.certificate.is_empty() {
        snapshot.certificates = Certificates::Known(certificates(input)?);
    }
    for (cluster, objects) in objects {
        let mut by_kind: BTreeMap<Kind, Vec<Value>> = BTreeMap::new();
        for (key, object) in objects {
            by_kind.entry(key.kind).or_default().push(object);
        }
        for kind in Kind::ALL {
            let read =
                Read::List { cluster: cluster.clone(), kind, namespace: None, name: None, service: None };
            let result = match by_kind.remove(&kind) {
                None if OPTIONAL_KINDS.contains(&kind) => ReadResult::KindMissing,
                found => ReadResult::of(found.unwrap_or_default()),
            };
            snapshot.insert(&read, result);
        }
    }
    Ok(snapshot)
}

/// Certificates of ACM for the hostnames that the user names.
fn certificates(input: &Input) -> Result<Vec<Certificate>, String> {
    let scope = input.scope()?;
    let of = |name: &String| Certificate {
        arn: format!("arn:{}:acm:{}:{}:certificate/{name}", scope.partition(), scope.region, scope.account),
        names: BTreeSet::from([name.to_ascii_lowercase()]),
        issued: 0,
        origin: None,
    };
    Ok(input.certificate.iter().map(of).collect())
}

/// Fills in what an API server fills in, and names the object.
fn complete(kind: Kind, object: &mut Value, namespace: &str) -> ObjectKey {
    let mut key = ObjectKey { kind, namespace: String::new(), name: String::new() };
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return key };
    let mut default = |member: &str, value: Value| {
        if metadata.get(member).is_none_or(|held| held.is_null() || held == "") {
            metadata.insert(member.to_owned(), value);
        }
    };
    if !kind.is_cluster_scoped() {
        default("namespace", namespace.into());
    }
    default("generation", 1.into());
    default("resourceVersion", "1".into());
    default("creationTimestamp", MADE_NOW.into());
    let text = |member: &str| metadata.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    key.name = text("name");
    if !kind.is_cluster_scoped() {
        key.namespace = text("namespace");
    }
    key
}

/// The namespaces that objects are in, with the label that each has.
fn add_namespaces(objects: &mut BTreeMap<ObjectKey, Value>) {
    let named: BTreeSet<String> =
        objects.keys().map(|key| key.namespace.clone()).filter(|name| !name.is_empty()).collect();
    for name in named {
        let key = ObjectKey { kind: Kind::Namespace, namespace: String::new(), name: name.clone() };
        let made = || json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let object = objects.entry(key).or_insert_with(made);
        complete(Kind::Namespace, object, "");
        let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
        let labels = metadata.map(|metadata| metadata.entry("labels").or_insert_with(|| Map::new().into()));
        if let Some(labels) = labels.and_then(Value::as_object_mut) {
            labels.entry("kubernetes.io/metadata.name").or_insert_with(|| name.clone().into());
        }
    }
}

/// Adds the GatewayClass of an installation, if a Gateway names it and no file has it.
fn add_class(objects: &mut BTreeMap<ObjectKey, Value>) -> bool {
    let key = ObjectKey { kind: Kind::GatewayClass, namespace: String::new(), name: CLASS.to_owned() };
    let names_it =
        |object: &Value| object.pointer("/spec/gatewayClassName").is_some_and(|name| name == CLASS);
    let is_named = objects.iter().any(|(key, object)| key.kind == Kind::Gateway && names_it(object));
    if !is_named || objects.contains_key(&key) {
        return false;
    }
    let mut class = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": CLASS}, "spec": {"controllerName": CONTROLLER}});
    complete(Kind::GatewayClass, &mut class, "");
    objects.insert(key, class);
    true
}

/// An object's name, with its namespace if it has one.
pub fn path(key: &ObjectKey) -> String {
    if key.namespace.is_empty() { key.name.clone() } else { format!("{}/{}", key.namespace, key.name) }
}
