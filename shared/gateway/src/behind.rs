//! Which Pods stand behind what is ours, for a process that holds what routes refer to and must not add a readiness gate that
//! nobody would meet.

use crate::api::ParentRefWire;
use crate::beside::snapshot;
use crate::gateway::{self, Whose};
use crate::grant::{From, To, is_granted};
use crate::references::references;
use crate::view::View;
use serde::Deserialize;
use serde_json::{Value, json};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::Actual;

/// The kinds of objects that it is read from, beside routes, Gateways and their classes.
pub const BEHIND_KINDS: [Kind; 2] = [Kind::Service, Kind::ReferenceGrant];

/// What of an object counts: the selector of a Service, and nothing of one without; the spec of a grant.
pub fn behind(kind: Kind, object: &Value) -> Option<Value> {
    let metadata = object.get("metadata")?;
    let spec = object.get("spec")?;
    let spec = match kind {
        Kind::Service => {
            let selector = spec.get("selector")?.as_object().filter(|selector| !selector.is_empty())?;
            json!({"selector": selector})
        }
        Kind::ReferenceGrant => spec.clone(),
        _ => return None,
    };
    let member = |name: &str| metadata.get(name).cloned().unwrap_or_default();
    Some(json!({"metadata": {"namespace": member("namespace"), "name": member("name")}, "spec": spec}))
}

/// Whether a Service takes Pods with these labels.
pub fn selects(service: &Value, labels: Option<&Value>) -> bool {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    selector.is_some_and(|selector| {
        !selector.is_empty()
            && selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    })
}

/// Whether a route leads to a Service of its cluster and has a Gateway of ours. `around` has its Gateways, the classes, and the
/// grants of the Service's namespace; what is not there counts as missing.
pub fn leads_to(
    cluster: &ClusterId,
    kind: Kind,
    route: &Value,
    (namespace, service): (&str, &str),
    around: impl IntoIterator<Item = (Kind, Value)>,
) -> bool {
    let own = route.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    if !references(cluster, kind, route).services.contains(&(namespace.to_owned(), service.to_owned())) {
        return false;
    }
    let (snapshot, nothing) = (snapshot(cluster, around), Actual::default());
    let view = View::new(&snapshot, &nothing);
    let from = From { kind: kind.as_str(), namespace: own };
    let to = To { group: "", kind: Kind::Service.as_str(), namespace, name: service };
    if own != namespace && is_granted(&view, cluster, &from, &to) != Ok(true) {
        return false;
    }
    let parents = route.pointer("/spec/parentRefs").and_then(Value::as_array).into_iter().flatten();
    parents.filter_map(|parent| ParentRefWire::deserialize(parent).ok()).any(|parent| {
        let namespace = parent.namespace.as_deref().unwrap_or(own);
        gateway::find(&view, cluster, namespace, &parent.name).0 == Whose::Ours
    })
}
