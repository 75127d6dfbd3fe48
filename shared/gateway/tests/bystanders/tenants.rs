//! Worlds of Gateways and routes of several namespaces, made by chance.

use crate::whole::whole;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{CONTROLLER, Settings, Snapshot, statuses, translate};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Actual, Limits, Outcome};

/// A namespace with what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tenant {
    A,
    B,
}

/// An object and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) tenant: Tenant,
    /// `<kind>/<namespace>/<name>`.
    pub(crate) name: String,
    pub(crate) unit: UnitKey,
    pub(crate) object: Value,
}

/// Hostnames that routes ask for.
const HOSTNAMES: [&str; 3] = ["a.example.test", "a.example.test", "c.d.example.test"];

/// A hostname that only the second tenant has.
const OF_B: &str = "only-b.example.test";

impl Tenant {
    fn namespace(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// The cluster of all worlds.
pub(crate) fn one() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn listener() -> impl Strategy<Value = (&'static str, u16, Option<&'static str>)> {
    let kind = select(vec![
        ("HTTP", 80),
        ("HTTP", 80),
        ("HTTPS", 443),
        ("TLS", 443),
        ("HTTP", 8080),
        ("HTTPS", 8080),
    ]);
    let hostname = select(vec![
        None,
        None,
        None,
        Some("*.example.test"),
        Some("a.example.test"),
        Some("*.d.example.test"),
    ]);
    (kind, hostname).prop_map(|((protocol, port), hostname)| (protocol, port, hostname))
}

/// Two Gateways of each tenant, `edge` and `side`, which take routes of their own namespace only.
pub(crate) fn gateways(tenants: &'static [Tenant]) -> impl Strategy<Value = Vec<Made>> {
    let all: Vec<(Tenant, &str)> =
        tenants.iter().flat_map(|tenant| ["edge", "side"].map(|name| (*tenant, name))).collect();
    let listeners = prop::collection::vec(prop::collection::vec(listener(), 1..4), all.len());
    listeners.prop_map(move |listeners| {
        all.iter()
            .zip(listeners)
            .map(|((tenant, name), listeners)| gateway(*tenant, name, &listeners))
            .collect()
    })
}

fn gateway(tenant: Tenant, name: &str, listeners: &[(&str, u16, Option<&str>)]) -> Made {
    let namespace = tenant.namespace();
    let listeners: Vec<Value> = listeners
        .iter()
        .enumerate()
        .map(|(at, (protocol, port, hostname))| {
            let mode = if *protocol == "TLS" { "Passthrough" } else { "Terminate" };
            let mut listener =
                json!({"name": format!("l{at}"), "protocol": protocol, "port": port, "hostname": hostname});
            if *protocol != "HTTP" {
                listener["tls"] = json!({"mode": mode});
            }
            listener
        })
        .collect();
    let meta = json!({"namespace": namespace, "name": name, "generation": 1, "resourceVersion": "1"});
    Made {
        tenant,
        name: format!("Gateway/{namespace}/{name}"),
        unit: UnitKey::Gateway { scope: one().scope, name: name.to_owned() },
        object: json!({"kind": "Gateway", "metadata": meta, "spec": {"gatewayClassName": "lattice", "listeners": listeners}}),
    }
}

fn rules(kind: &'static str) -> BoxedStrategy<Value> {
    let matched = match kind {
        "TLSRoute" => return Just(json!([{}])).boxed(),
        "GRPCRoute" => select(vec![
            json!({}),
            json!({"method": {"service": "s"}}),
            json!({"method": {"service": "s", "method": "m"}}),
        ])
        .boxed(),
        _ => {
            let path = select(vec![
                json!({"type": "PathPrefix", "value": "/"}),
                json!({"type": "PathPrefix", "value": "/x"}),
                json!({"type": "Exact", "value": "/x"}),
                json!({"type": "Exact", "value": "/x/y"}),
                json!({"type": "RegularExpression", "value": "/r"}),
            ]);
            let headers = select(vec![json!([]), json!([]), json!([{"name": "h", "value": "1"}])]);
            (path, headers).prop_map(|(path, headers)| json!({"path": path, "headers": headers})).boxed()
        }
    };
    let rule = prop::collection::vec(matched, 1..3).prop_map(|matches| json!({"matches": matches}));
    prop::collection::vec(rule, 1..3).prop_map(Value::Array).boxed()
}

/// A route of one of the tenants. The second tenant's are younger, or ask only for what is that tenant's alone; some name
/// Gateways of the other.
pub(crate) fn route(tenants: &'static [Tenant]) -> impl Strategy<Value = Made> {
    let kind = select(vec!["HTTPRoute", "HTTPRoute", "HTTPRoute", "GRPCRoute", "TLSRoute"]);
    let rules = kind.prop_flat_map(|kind| (Just(kind), rules(kind)));
    let parent = (
        select(vec!["edge", "edge", "edge", "side"]),
        select(vec![None, None, None, None, None, Some("l0"), Some("l1")]),
        select(vec![None, None, None, Some("a")]),
    );
    let hostnames = prop::collection::vec(select(HOSTNAMES.to_vec()), 0..3);
    let made = (
        select(tenants.to_vec()),
        rules,
        prop::collection::vec(parent, 1..3),
        hostnames,
        0..9_u32,
        select(vec!["r", "s", "t"]),
        select(vec![None, None, Some("1"), Some("3")]),
    );
    made.prop_map(|(tenant, (kind, rules), parents, mut hostnames, age, name, priority)| {
        let namespace = tenant.namespace();
        let is_younger = tenant == Tenant::A || age > 2;
        let day = if tenant == Tenant::A {
            10 + age
        } else if is_younger {
            20 + age % 9
        } else {
            1 + age
        };
        if !is_younger {
            hostnames = vec![OF_B];
        }
        let parents: Vec<Value> = parents
            .into_iter()
            .map(|(name, section, namespace)| {
                let all = [("name", Some(name)), ("sectionName", section), ("namespace", namespace)];
                let given = all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
                Value::Object(given.collect())
            })
            .collect();
        let mut rules = rules;
        for rule in rules.as_array_mut().unwrap() {
            rule["backendRefs"] = json!([{"name": format!("{}-{name}", kind.to_lowercase()), "port": 80}]);
        }
        let mut annotations = Map::new();
        if let Some(priority) = priority {
            annotations.insert("application-networking.k8s.aws/rule-1-priority".into(), json!(priority));
        }
        let meta = json!({"namespace": namespace, "name": name, "generation": 1, "resourceVersion": "1",
            "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z"), "annotations": annotations});
        let spec = json!({"parentRefs": parents, "hostnames": hostnames, "rules": rules});
        let unit = UnitKey::Route {
            kind: Kind::parse(kind).unwrap(),
            cluster: one(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let name = format!("{kind}/{namespace}/{name}");
        Made { tenant, name, unit, object: json!({"kind": kind, "metadata": meta, "spec": spec}) }
    })
}

/// Of objects with one name an API server has one.
pub(crate) fn distinct(all: Vec<Made>) -> Vec<Made> {
    let by_name: BTreeMap<String, Made> = all.into_iter().map(|one| (one.name.clone(), one)).collect();
    by_name.into_values().collect()
}

/// All objects of a world: these, a class, and the Services of the routes.
fn everything(gateways: &[Made], routes: &[Made]) -> Vec<Value> {
    let class = json!({"kind": "GatewayClass", "metadata": {"name": "lattice"}, "spec": {"controllerName": CONTROLLER}});
    let services = routes.iter().map(|route| {
        let mut parts = route.name.split('/');
        let (kind, namespace, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        json!({"kind": "Service", "metadata": {"namespace": namespace, "name": format!("{}-{name}", kind.to_lowercase())},
            "spec": {"ports": [{"port": 80}]}})
    });
    let made = gateways.iter().chain(routes).map(|one| one.object.clone());
    made.chain(services).chain([class]).collect()
}

/// A snapshot of a world with everything read.
pub(crate) fn world(gateways: &[Made], routes: &[Made]) -> Snapshot {
    whole(one(), &everything(gateways, routes))
}

/// Limits that one route exceeds only on purpose.
pub(crate) fn settings() -> Settings {
    let limits = Limits {
        rules_per_listener: 60,
        listeners_per_service: 10,
        target_groups_per_service: 50,
        ..Limits::default()
    };
    Settings { installation: "trellis".into(), limits, ..Settings::default() }
}

/// The statuses that are due of all objects in a namespace, by object.
pub(crate) fn statuses_of(snapshot: &Snapshot, made: &[&[Made]], namespace: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let units: BTreeSet<&UnitKey> = made.iter().copied().flatten().map(|one| &one.unit).collect();
    for unit in units {
        let translation = translate(unit, snapshot, &Actual::default(), &settings());
        for patch in statuses(snapshot, &translation, &Outcome::default(), "2026-01-01T00:00:00Z") {
            if patch.namespace == namespace {
                all.insert(format!("{}/{}", patch.kind, patch.name), patch.status);
            }
        }
    }
    all
}
