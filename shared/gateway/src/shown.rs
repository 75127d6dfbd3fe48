//! What a service directory shows of a cluster's objects, and of where a target group's targets come from: read from what is stored
//! there, with no judgement of its own.

use crate::route::ROUTE_KINDS;
use crate::snapshot::Snapshot;
use crate::{conditions, naming, status};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{TAG_EXPORT, Tags};

/// How a route stands, as its status tells; the worst of its parents is the last here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No status tells of it.
    Untold,
    /// Every parent that is ours has all of it.
    Programmed,
    /// It is accepted, and not all of it is there.
    NotProgrammed,
    /// Some parent does not take it.
    Refused,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRoute {
    /// Its unit.
    pub unit: UnitKey,
    /// HTTPRoute, GRPCRoute or TLSRoute.
    pub kind: Kind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// As it names them; empty: those of its listeners.
    pub hostnames: Vec<String>,
    /// The Gateways of ours that it names, as `namespace/name`.
    pub gateways: BTreeSet<String>,
    /// How it stands.
    pub standing: Standing,
    /// What its status says where it is not Programmed: reason and message of the first condition that is not as it should be.
    pub message: String,
    /// Ids (`svc-…`) of its services in VPC Lattice.
    pub services: BTreeSet<String>,
}

/// A Gateway whose service network is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownGateway {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// ARN of the service network that it stands for.
    pub network: String,
    /// How many routes are attached, over all listeners.
    pub attached_routes: i64,
}

/// Where a target group's targets come from, as its tags tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The cluster.
    pub cluster: ClusterId,
    /// Service or Backend.
    pub kind: Kind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Whether a ServiceExport gives it to others.
    pub is_exported: bool,
}

/// The Gateways of ours in a cluster that have a service network.
pub fn shown_gateways(cluster: &ClusterId, snapshot: &Snapshot) -> Vec<ShownGateway> {
    let all = snapshot.all(cluster, Kind::Gateway);
    let shown = all.filter_map(|(key, object)| {
        let listeners = object.pointer("/status/listeners").and_then(Value::as_array);
        let counts = listeners.into_iter().flatten().filter_map(|one| one.get("attachedRoutes")?.as_i64());
        Some(ShownGateway {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            network: status::network_told(object)?.to_owned(),
            attached_routes: counts.fold(0, i64::saturating_add),
        })
    });
    shown.collect()
}

/// The routes of a cluster that are ours: those that a status of ours tells of, and those that name a Gateway that has a network.
pub fn shown_routes(cluster: &ClusterId, snapshot: &Snapshot) -> Vec<ShownRoute> {
    let gateways = shown_gateways(cluster, snapshot);
    let known: BTreeSet<String> =
        gateways.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect();
    let all = ROUTE_KINDS.into_iter().flat_map(|kind| snapshot.all(cluster, kind));
    let shown = all.filter_map(|(key, object)| {
        let gateways: BTreeSet<String> =
            parents(object, &key.namespace).filter(|name| known.contains(name)).collect();
        let (standing, message) = standing(object);
        (standing != Standing::Untold || !gateways.is_empty()).then(|| ShownRoute {
            unit: UnitKey::Route {
                kind: key.kind,
                cluster: cluster.clone(),
                namespace: key.namespace.clone(),
                name: key.name.clone(),
            },
            kind: key.kind,
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            hostnames: texts(object.pointer("/spec/hostnames")),
            gateways,
            standing,
            message,
            services: status::told_ids(object).into_keys().collect(),
        })
    });
    shown.collect()
}

/// Where a target group's targets come from; none where its tags do not tell.
pub fn source_of(tags: &Tags) -> Option<Source> {
    let (cluster, namespace, name) = naming::source_of(tags)?;
    let (kind, is_exported) = (naming::kind_of_source(tags), tags.contains_key(TAG_EXPORT));
    Some(Source { cluster, kind, namespace, name, is_exported })
}

/// The parents that a route names, as `namespace/name`.
fn parents<'a>(object: &'a Value, own: &'a str) -> impl Iterator<Item = String> + 'a {
    let all = object.pointer("/spec/parentRefs").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(move |one| {
        let namespace = one.get("namespace").and_then(Value::as_str).unwrap_or(own);
        Some(format!("{namespace}/{}", one.get("name")?.as_str()?))
    })
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// How a route stands, and what its status says of that.
fn standing(object: &Value) -> (Standing, String) {
    let mut worst = (Standing::Untold, String::new());
    for entry in status::entries_of(object) {
        let of = |kind: &str| {
            let all = entry.get("conditions").and_then(Value::as_array).into_iter().flatten();
            all.into_iter().find(|one| one.get("type").and_then(Value::as_str) == Some(kind))
        };
        let found = match (of(conditions::ACCEPTED), of(conditions::PROGRAMMED)) {
            (Some(accepted), _) if !is_true(accepted) => (Standing::Refused, text(accepted)),
            (_, Some(programmed)) if is_true(programmed) => (Standing::Programmed, String::new()),
            (_, Some(programmed)) => (Standing::NotProgrammed, text(programmed)),
            (_, None) => (Standing::NotProgrammed, String::new()),
        };
        if found.0 > worst.0 {
            worst = found;
        }
    }
    worst
}

fn is_true(condition: &Value) -> bool {
    condition.get("status").and_then(Value::as_str) == Some("True")
}

fn text(condition: &Value) -> String {
    let member = |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", member("reason"), member("message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CONTROLLER;
    use crate::{ClusterFacts, Read, ReadResult};
    use serde_json::json;

    fn cluster() -> ClusterId {
        "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
    }

    fn snapshot(kind: Kind, objects: Vec<Value>) -> Snapshot {
        let mut snapshot = Snapshot::of([ClusterFacts::registered(cluster(), "vpc-1")]);
        let read = Read::List { cluster: cluster(), kind, namespace: None, name: None, service: None };
        snapshot.insert(&read, ReadResult::of(objects));
        snapshot
    }

    fn entry(controller: &str, conditions: &Value) -> Value {
        json!({"parentRef": {"name": "my-hotel"}, "controllerName": controller, "conditions": conditions})
    }

    fn condition(kind: &str, status: &str, message: &str) -> Value {
        json!({"type": kind, "status": status, "reason": "R", "message": message})
    }

    fn route(name: &str, parents: &[Value]) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"parentRefs": [{"name": "my-hotel"}], "hostnames": ["a.example.test"]},
            "status": {"parents": parents},
        })
    }

    #[test]
    fn a_route_stands_as_the_worst_of_its_parents_that_are_ours() {
        let programmed = json!([condition("Accepted", "True", "m"), condition("Programmed", "True", "m")]);
        let waiting = json!([condition("Accepted", "True", "m"), condition("Programmed", "False", "waits")]);
        let refused = json!([condition("Accepted", "False", "no"), condition("Programmed", "False", "m")]);
        let all = snapshot(
            Kind::HTTPRoute,
            vec![
                route("fine", &[entry(CONTROLLER, &programmed), entry("other", &refused)]),
                route("half", &[entry(CONTROLLER, &programmed), entry(CONTROLLER, &waiting)]),
                route("none", &[entry(CONTROLLER, &refused), entry(CONTROLLER, &waiting)]),
                route("others", &[entry("other", &programmed)]),
                json!({"metadata": {"name": "odd", "namespace": "default"}, "spec": [], "status": {"parents": {"a": 1}}}),
            ],
        );
        let shown: Vec<(String, Standing, String)> = shown_routes(&cluster(), &all)
            .into_iter()
            .map(|one| (one.name, one.standing, one.message))
            .collect();
        let of = |name: &str, standing, message: &str| (name.to_owned(), standing, message.to_owned());
        assert_eq!(
            shown,
            [
                of("fine", Standing::Programmed, ""),
                of("half", Standing::NotProgrammed, "R: waits"),
                of("none", Standing::Refused, "R: no"),
            ]
        );
    }

    #[test]
    fn a_gateway_is_shown_with_the_network_that_its_status_names() {
        let told = condition(
            "Programmed",
            "True",
            "aws-gateway-arn: arn:aws:vpc-lattice:us-west-2:1:servicenetwork/sn-1",
        );
        let all = snapshot(
            Kind::Gateway,
            vec![
                json!({"metadata": {"name": "my-hotel", "namespace": "default"},
                   "status": {"conditions": [told], "listeners": [{"attachedRoutes": 2}, {"attachedRoutes": 3}, {"attachedRoutes": "x"}]}}),
                json!({"metadata": {"name": "others", "namespace": "default"}}),
            ],
        );
        let [shown] = &shown_gateways(&cluster(), &all)[..] else { panic!("not one") };
        assert_eq!((shown.name.as_str(), shown.attached_routes), ("my-hotel", 5));
        assert_eq!(shown.network, "arn:aws:vpc-lattice:us-west-2:1:servicenetwork/sn-1");
    }
}
