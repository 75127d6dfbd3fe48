//! What else a cluster has, as far as warnings about one route depend on it: for a process that holds it for a whole cluster
//! and has to find the few objects that matter for one review.
//!
//! What the rules lead to is not among it, but for the endpoints that nobody sends requests to: Services and Pods are many,
//! and the status tells of them.

use crate::backend::never_targets;
use crate::hostname::do_meet;
use crate::snapshot::{ClusterFacts, Read, ReadResult, Snapshot};
use crate::{api, conditions, status};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, parent_gateways};
use trellis_lattice::TAG_PREFIX;

/// The kinds of objects that a route's warnings are read from.
pub const BESIDE_KINDS: [Kind; 7] = [
    Kind::HTTPRoute,
    Kind::GRPCRoute,
    Kind::TLSRoute,
    Kind::Gateway,
    Kind::GatewayClass,
    Kind::Namespace,
    Kind::EndpointSlice,
];

/// What of an object warnings about routes depend on: nothing of a kind that they are not read from, or of a slice all of
/// whose endpoints are addresses that can be in a VPC.
pub fn beside(kind: Kind, object: &Value) -> Option<Value> {
    let mut kept = Map::new();
    match kind {
        Kind::EndpointSlice => {
            let slice = api::parse::<api::EndpointSlice>(object).ok()?;
            never_targets(&slice).next()?;
            for member in ["addressType", "endpoints"] {
                kept.insert(member.to_owned(), object.get(member)?.clone());
            }
        }
        Kind::Namespace => {}
        _ if BESIDE_KINDS.contains(&kind) => {
            kept.insert("spec".to_owned(), object.get("spec")?.clone());
            kept.insert("status".to_owned(), status_of(object));
        }
        _ => return None,
    }
    kept.insert("metadata".to_owned(), metadata_of(kind, object));
    Some(Value::Object(kept))
}

fn metadata_of(kind: Kind, object: &Value) -> Value {
    let mut kept = Map::new();
    let all = object.get("metadata").and_then(Value::as_object);
    for member in ["name", "namespace", "creationTimestamp", "deletionTimestamp"] {
        kept.extend(
            all.and_then(|all| all.get_key_value(member)).map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    if matches!(kind, Kind::Namespace | Kind::EndpointSlice) {
        kept.extend(
            all.and_then(|all| all.get("labels")).map(|labels| ("labels".to_owned(), labels.clone())),
        );
    }
    let annotations = all.and_then(|all| all.get("annotations")).and_then(Value::as_object);
    let ours = annotations.into_iter().flatten().filter(|(key, _)| key.starts_with(TAG_PREFIX));
    let ours: Map<String, Value> = ours.map(|(key, value)| (key.clone(), value.clone())).collect();
    if !ours.is_empty() {
        kept.insert("annotations".to_owned(), ours.into());
    }
    kept.into()
}

/// What we have written there: domain names, and that a Gateway is programmed, with its network.
fn status_of(object: &Value) -> Value {
    let entries = object.pointer("/status/parents").and_then(Value::as_array).into_iter().flatten();
    let ours: Vec<Value> = entries.filter(|entry| status::is_ours(entry)).cloned().collect();
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let network = status::network_told(object).map(status::network_message);
    let kept = |condition: &Value| {
        let kind = condition.get("type")?;
        let message = network.as_ref().filter(|_| kind == conditions::PROGRAMMED);
        Some(message.map_or_else(|| json!({"type": kind}), |text| json!({"type": kind, "message": text})))
    };
    let conditions: Vec<Value> = conditions.filter_map(kept).collect();
    json!({"parents": ours, "conditions": conditions})
}

/// What of a route or a Gateway tells which others it has to do with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meeting {
    /// Names of the Gateways that a route names; of a Gateway its own.
    pub gateways: BTreeSet<String>,
    /// The hostnames that a route asks for, in lower case, none standing for any; those of a Gateway's listeners.
    pub hostnames: BTreeSet<String>,
}

impl Meeting {
    /// Reads it of a route or a Gateway.
    pub fn of(kind: Kind, object: &Value) -> Self {
        let all = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
        let lower =
            |hostname: &Value| hostname.as_str().filter(|text| !text.is_empty()).map(str::to_ascii_lowercase);
        if kind == Kind::Gateway {
            let listeners = all("/spec/listeners").filter_map(|listener| lower(listener.get("hostname")?));
            let name = object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
            return Self { gateways: name.into_iter().collect(), hostnames: listeners.collect() };
        }
        Self {
            gateways: parent_gateways(object),
            hostnames: all("/spec/hostnames").filter_map(lower).collect(),
        }
    }

    /// Whether a route asks for hostnames of its own.
    pub fn is_open(&self) -> bool {
        self.hostnames.is_empty()
    }

    /// Whether the two name a Gateway in common.
    pub fn shares_gateway(&self, other: &Self) -> bool {
        !self.gateways.is_disjoint(&other.gateways)
    }

    /// Whether a request can be for a hostname of both.
    pub fn shares_hostname(&self, other: &Self) -> bool {
        self.hostnames.iter().any(|one| other.hostnames.iter().any(|other| do_meet(one, other)))
    }
}

/// A snapshot of a cluster that has these objects and no others.
pub(crate) fn snapshot(cluster: &ClusterId, objects: impl IntoIterator<Item = (Kind, Value)>) -> Snapshot {
    // In whatever VPC it is: nothing that is warned of depends on it.
    let mut snapshot = Snapshot::of([ClusterFacts::registered(cluster.clone(), "")]);
    let list = |kind: Kind| Read::List {
        cluster: cluster.clone(),
        kind,
        namespace: None,
        name: None,
        service: None,
    };
    for kind in Kind::ALL {
        snapshot.insert(&list(kind), ReadResult::Objects(vec![]));
    }
    for (kind, object) in objects {
        snapshot.insert(&list(kind), ReadResult::of([object]));
    }
    snapshot
}
