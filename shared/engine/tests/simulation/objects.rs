//! The guide's objects in three clusters, each in a few variants.

use crate::drawn::{self, DRAWN};
use serde_json::{Value, json};
use std::cell::Cell;
use trellis_gateway::{CONTROLLER, ClusterFacts, ObjectKey};
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::Owner;
use trellis_lattice::names::short_hash;

pub(crate) const ONE: &str = "trellis-one";
pub(crate) const TWO: &str = "trellis-two";
/// In the second one's VPC.
pub(crate) const THREE: &str = "trellis-three";

/// The account and Region of everything.
pub(crate) const SCOPE: &str = "000000000000/us-west-2";

/// The cluster of a name.
pub(crate) fn cluster(name: &str) -> ClusterId {
    format!("arn:aws:eks:us-west-2:000000000000:cluster/{name}").parse().unwrap()
}

/// The owner of what a unit of this installation makes; `unit` is its key.
pub(crate) fn owner(installation: &str, unit: &str) -> Owner {
    let hash = short_hash(&[unit], 32);
    let hash = unit.parse::<UnitKey>().map_or(hash, |unit| unit.hash());
    Owner { installation: installation.into(), unit: hash, key: unit.into() }
}

/// What the objects of a seed are. Seeds that once failed keep their meaning when more is added: that is another world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cast {
    /// The guide's, with HTTP alone.
    Guide,
    /// These, and beside them routes of all kinds on listeners of all protocols.
    Kinds,
}

thread_local! {
    /// Of the seed that this thread runs.
    static CAST: Cell<Cast> = const { Cell::new(Cast::Guide) };
}

/// Chooses the objects of the seed that this thread runs from now on.
pub(crate) fn choose_cast(cast: Cast) {
    CAST.set(cast);
}

/// Routes of other kinds than HTTPRoute, which only [`Cast::Kinds`] has.
const OTHER_ROUTES: [(Kind, &str); 4] = [
    (Kind::GRPCRoute, "calls"),
    (Kind::GRPCRoute, "rings"),
    (Kind::TLSRoute, "vault"),
    (Kind::TLSRoute, "safe"),
];

/// Variants of an object that is not drawn.
pub(crate) const VARIANTS: u32 = 4;

/// Variants that an object has.
pub(crate) fn variants(key: &ObjectKey) -> u32 {
    if is_drawn(key) { DRAWN } else { VARIANTS }
}

fn is_drawn(key: &ObjectKey) -> bool {
    let name = key.name.as_str();
    key.kind == Kind::HTTPRoute && ["desk", "bell"].contains(&name)
        || OTHER_ROUTES.contains(&(key.kind, name))
}

/// The clusters.
pub(crate) fn clusters() -> [ClusterFacts; 3] {
    let (first, second) = ("vpc-0a1b2c3d4e5f60001", "vpc-0a1b2c3d4e5f60002");
    [(ONE, first), (TWO, second), (THREE, second)]
        .map(|(name, vpc)| ClusterFacts::registered(cluster(name), vpc))
}

/// All objects that are made, changed and deleted, by cluster.
pub(crate) fn catalogue() -> Vec<(&'static str, ObjectKey)> {
    let all = [
        (ONE, Kind::GatewayClass, "", "amazon-vpc-lattice"),
        (ONE, Kind::Namespace, "", "default"),
        (ONE, Kind::Gateway, "default", "my-hotel"),
        (ONE, Kind::Gateway, "default", "lobby"),
        (ONE, Kind::ServiceNetwork, "", "lobby"),
        (ONE, Kind::ServiceNetwork, "", "my-hotel"),
        (ONE, Kind::Service, "default", "parking"),
        (ONE, Kind::EndpointSlice, "default", "parking-a"),
        (ONE, Kind::EndpointSlice, "default", "parking-b"),
        (ONE, Kind::Service, "default", "review"),
        (ONE, Kind::EndpointSlice, "default", "review-a"),
        (ONE, Kind::Service, "default", "inventory-ver1"),
        (ONE, Kind::EndpointSlice, "default", "inventory-ver1-a"),
        (ONE, Kind::Service, "shop", "till"),
        (ONE, Kind::EndpointSlice, "shop", "till-a"),
        (ONE, Kind::ReferenceGrant, "shop", "till"),
        (ONE, Kind::HTTPRoute, "default", "rates"),
        (ONE, Kind::HTTPRoute, "default", "inventory"),
        (ONE, Kind::HTTPRoute, "default", "till"),
        (ONE, Kind::HTTPRoute, "default", "shopfront"),
        (ONE, Kind::HTTPRoute, "default", "desk"),
        (ONE, Kind::HTTPRoute, "default", "bell"),
        (ONE, Kind::ServiceImport, "default", "inventory-ver2"),
        (ONE, Kind::AccessLogPolicy, "default", "logs-a"),
        (ONE, Kind::AccessLogPolicy, "default", "logs-b"),
        (ONE, Kind::IAMAuthPolicy, "default", "callers"),
        (ONE, Kind::VpcAssociationPolicy, "default", "entry"),
        (ONE, Kind::TargetGroupPolicy, "default", "pods-a"),
        (ONE, Kind::TargetGroupPolicy, "default", "pods-b"),
        (TWO, Kind::GatewayClass, "", "amazon-vpc-lattice"),
        (TWO, Kind::Namespace, "", "default"),
        (TWO, Kind::Gateway, "default", "my-hotel"),
        // Of a name that no Gateway has.
        (TWO, Kind::ServiceNetwork, "", "cellar"),
        (TWO, Kind::ServiceNetwork, "", "my-hotel"),
        (TWO, Kind::VpcAssociationPolicy, "default", "entry"),
        (TWO, Kind::Service, "default", "inventory-ver2"),
        (TWO, Kind::EndpointSlice, "default", "inventory-ver2-a"),
        (TWO, Kind::EndpointSlice, "default", "inventory-ver2-b"),
        (TWO, Kind::ServiceExport, "default", "inventory-ver2"),
        (TWO, Kind::TargetGroupPolicy, "default", "exported"),
        // Wants the very Lattice service name of the first cluster's route.
        (TWO, Kind::HTTPRoute, "default", "inventory"),
        (THREE, Kind::GatewayClass, "", "amazon-vpc-lattice"),
        (THREE, Kind::Namespace, "", "default"),
        (THREE, Kind::Gateway, "default", "my-hotel"),
        (THREE, Kind::Service, "default", "inventory-ver2"),
        (THREE, Kind::EndpointSlice, "default", "inventory-ver2-a"),
        (THREE, Kind::ServiceExport, "default", "inventory-ver2"),
        (THREE, Kind::ServiceImport, "default", "inventory-ver2"),
        (THREE, Kind::HTTPRoute, "default", "ledger"),
    ];
    let key = |kind, namespace: &str, name: &str| ObjectKey {
        kind,
        namespace: namespace.into(),
        name: name.into(),
    };
    let others = OTHER_ROUTES.map(|(kind, name)| (ONE, kind, "default", name));
    let others = others.into_iter().filter(|_| CAST.get() == Cast::Kinds);
    let all = all.into_iter().chain(others);
    all.map(|(cluster, kind, namespace, name)| (cluster, key(kind, namespace, name))).collect()
}

/// One variant of an object; the first is the guide's.
pub(crate) fn object(cluster: &str, key: &ObjectKey, variant: u32) -> Value {
    let api_version = match key.kind {
        Kind::Service | Kind::Namespace => "v1",
        Kind::EndpointSlice => "discovery.k8s.io/v1",
        Kind::ServiceExport | Kind::ServiceImport => "application-networking.k8s.aws/v1alpha1",
        kind if kind.is_extra() => "application-networking.k8s.aws/v1alpha1",
        _ => "gateway.networking.k8s.io/v1",
    };
    let mut metadata = json!({"name": key.name});
    if !key.namespace.is_empty() {
        metadata["namespace"] = json!(key.namespace);
    }
    let mut object = json!({"apiVersion": api_version, "kind": key.kind.as_str(), "metadata": metadata});
    match key.kind {
        Kind::GatewayClass => object["spec"] = json!({"controllerName": CONTROLLER}),
        Kind::Gateway => {
            object["spec"] = match CAST.get() {
                Cast::Guide => gateway(variant),
                Cast::Kinds => gateway_of_all_protocols(variant),
            };
            if let Some(per) = service_per(variant) {
                object["metadata"]["annotations"] =
                    json!({"application-networking.k8s.aws/service-per": per});
            }
        }
        Kind::Service => object["spec"] = service(variant),
        Kind::EndpointSlice => slice(&mut object, cluster, &key.name, variant),
        Kind::ReferenceGrant => {
            object["spec"] = json!({
                "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": if variant == 3 { "other" } else { "default" }}],
                "to": [{"group": "", "kind": "Service"}],
            });
        }
        Kind::HTTPRoute | Kind::GRPCRoute | Kind::TLSRoute if is_drawn(key) => {
            object["spec"] = match CAST.get() {
                Cast::Guide => drawn::route(&key.name, variant),
                Cast::Kinds => drawn::route_of(key.kind, &key.name, variant),
            };
        }
        Kind::HTTPRoute => object["spec"] = route(cluster, &key.name, variant),
        Kind::ServiceExport => {
            let federation = if variant == 3 { "other" } else { "amazon-vpc-lattice" };
            object["metadata"]["annotations"] = json!({
                "application-networking.k8s.aws/federation": federation,
                "application-networking.k8s.aws/export-target-group": if variant == 2 { "false" } else { "true" },
            });
        }
        Kind::ServiceImport => {
            object["spec"] = json!({"type": "ClusterSetIP", "ports": [{"port": 80, "protocol": "TCP"}]});
        }
        Kind::Namespace => object["metadata"]["labels"] = json!({"variant": variant.to_string()}),
        Kind::AccessLogPolicy => object["spec"] = access_log_policy(&key.name, variant),
        Kind::IAMAuthPolicy => object["spec"] = auth_policy(&key.name, variant),
        Kind::VpcAssociationPolicy => object["spec"] = vpc_policy(variant),
        Kind::TargetGroupPolicy => object["spec"] = target_group_policy(&key.name, variant),
        Kind::ServiceNetwork if variant > 0 => {
            object["metadata"]["annotations"] =
                json!({"application-networking.k8s.aws/tags": format!("floor={variant},of={cluster}")});
        }
        Kind::ServiceNetwork
        | Kind::GRPCRoute
        | Kind::TLSRoute
        | Kind::Pod
        | Kind::DNSEndpoint
        | Kind::Backend
        | Kind::ResourceGateway
        | Kind::ResourceConfiguration => {}
    }
    object
}

/// What of a Gateway has a service of its own.
fn service_per(variant: u32) -> Option<&'static str> {
    match variant {
        2 => Some("hostname"),
        _ => None,
    }
}

fn vpc_policy(variant: u32) -> Value {
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "my-hotel"});
    match variant {
        0 => {
            json!({"securityGroupIds": ["sg-0a1b2c3d4e5f60001", "sg-0a1b2c3d4e5f60002"], "targetRef": target})
        }
        1 => json!({"associateWithVpc": false, "targetRef": target}),
        2 => {
            json!({"securityGroupIds": ["sg-0a1b2c3d4e5f60002"], "privateDnsEnabled": true, "targetRef": target})
        }
        _ => json!({"securityGroupIds": ["no group"], "targetRef": target}),
    }
}

fn auth_policy(name: &str, variant: u32) -> Value {
    let (kind, target) = if variant == 2 { ("Gateway", "my-hotel") } else { ("HTTPRoute", "inventory") };
    let policy =
        if variant == 3 { "{".to_owned() } else { json!({"Statement": [name, variant]}).to_string() };
    json!({"policy": policy, "targetRef": {"group": "gateway.networking.k8s.io", "kind": kind, "name": target}})
}

fn target_group_policy(name: &str, variant: u32) -> Value {
    let service = |name: &str| json!({"group": "", "kind": "Service", "name": name});
    if name == "exported" {
        let (group, kind) =
            if variant == 2 { ("", "Service") } else { ("application-networking.k8s.aws", "ServiceExport") };
        let target = json!({"group": group, "kind": kind, "name": "inventory-ver2"});
        let protocol = if variant == 1 { "HTTPS" } else { "HTTP" };
        return json!({"targetRef": target, "protocol": protocol, "healthCheck": {"path": format!("/{variant}")}});
    }
    let check = json!({"path": format!("/{name}/{variant}")});
    match variant {
        0 => json!({"targetRef": service("parking"), "healthCheck": check}),
        1 => json!({"targetRef": service("parking"), "healthCheck": check, "protocol": "HTTPS"}),
        2 => json!({"targetRefs": [service("parking"), service("review")], "healthCheck": check}),
        _ => json!({"targetRef": service("parking"), "healthCheck": {"intervalSeconds": 1}}),
    }
}

fn access_log_policy(name: &str, variant: u32) -> Value {
    let target =
        |kind: &str, name: &str| json!({"group": "gateway.networking.k8s.io", "kind": kind, "name": name});
    let bucket = format!("arn:aws:s3:::{name}");
    match variant {
        0 => json!({"destinationArn": bucket, "targetRef": target("HTTPRoute", "rates")}),
        1 => json!({"destinationArn": "arn:aws:s3:::shared", "targetRef": target("HTTPRoute", "rates")}),
        2 => {
            let log_group = "arn:aws:logs:us-west-2:000000000000:log-group:hotel:*";
            json!({"destinationArn": log_group, "targetRefs": [target("HTTPRoute", "rates"), target("Gateway", "my-hotel")]})
        }
        _ => json!({"destinationArn": bucket, "targetRef": target("Gateway", "lobby")}),
    }
}

fn gateway(variant: u32) -> Value {
    let class = if variant == 3 { "another-class" } else { "amazon-vpc-lattice" };
    let mut listeners = vec![json!({"name": "http", "protocol": "HTTP", "port": 80})];
    match variant {
        1 => {
            let hostname = "shop.example.com";
            listeners
                .push(json!({"name": "alternative", "protocol": "HTTP", "port": 8080, "hostname": hostname}));
        }
        2 => listeners[0]["port"] = json!(8081),
        _ => {}
    }
    json!({"gatewayClassName": class, "listeners": listeners})
}

fn gateway_of_all_protocols(variant: u32) -> Value {
    let mut spec = gateway(variant);
    let https = json!({"name": "https", "protocol": "HTTPS", "port": 443, "tls": {"mode": "Terminate", "options": {
        "application-networking.k8s.aws/certificate-arn":
            "arn:aws:acm:us-west-2:000000000000:certificate/00000000-0000-0000-0000-000000000001"}}});
    let tls = json!({"name": "tls", "protocol": "TLS", "port": 8443, "tls": {"mode": "Passthrough"}});
    let listeners = spec["listeners"].as_array_mut().unwrap();
    listeners.push(https);
    if variant != 1 {
        listeners.push(tls);
    }
    spec
}

fn service(variant: u32) -> Value {
    let port = if variant == 3 { 81 } else { 80 };
    json!({"clusterIP": "172.20.0.10", "ipFamilies": ["IPv4"], "ports": [{"protocol": "TCP", "port": port, "targetPort": 8090}]})
}

fn slice(object: &mut Value, cluster: &str, name: &str, variant: u32) {
    let (service, half) = name.rsplit_once('-').unwrap();
    object["metadata"]["labels"] = json!({"kubernetes.io/service-name": service});
    object["addressType"] = json!("IPv4");
    object["ports"] = json!([{"port": 8090, "protocol": "TCP"}]);
    let of_cluster = match cluster {
        ONE => 0,
        TWO => 60,
        _ => 120,
    };
    let base = service.bytes().map(u32::from).sum::<u32>() % 100 + of_cluster;
    let first = if half == "a" { 10 } else { 20 };
    let endpoints: Vec<Value> = (0..=variant % 3)
        .map(|n| json!({"addresses": [format!("10.0.{base}.{}", first + n + variant)], "conditions": {"ready": n != 2}}))
        .collect();
    object["endpoints"] = json!(endpoints);
}

fn route(cluster: &str, name: &str, variant: u32) -> Value {
    let backend =
        |name: &str, weight: u32| json!({"name": name, "kind": "Service", "port": 80, "weight": weight});
    let import = |weight: u32| {
        json!({"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "inventory-ver2",
            "port": 80, "weight": weight})
    };
    let rule = |path: &str, backends: Vec<Value>| json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": backends});
    let (parking, review) =
        (rule("/parking", vec![backend("parking", 1)]), rule("/review", vec![backend("review", 1)]));
    let mut hostnames: Vec<&str> = vec![];
    let mut parents = vec![json!({"name": "my-hotel", "sectionName": "http"})];
    let rules = match (cluster, name, variant) {
        (ONE, "rates", 0) => vec![parking, review],
        (ONE, "rates", 1) => vec![review, rule("/", vec![backend("parking", 1)])],
        (ONE, "rates", 2) => {
            parents = vec![json!({"name": "my-hotel"}), json!({"name": "lobby", "sectionName": "http"})];
            vec![parking, review]
        }
        (ONE, "rates", _) => {
            hostnames = vec!["shop.example.com"];
            vec![review]
        }
        (ONE, "inventory", 0) => vec![rule("/", vec![backend("inventory-ver1", 10), import(90)])],
        (ONE, "inventory", 1) => vec![rule("/", vec![backend("inventory-ver1", 10)])],
        (ONE, "inventory", 2) => vec![rule("/", vec![import(1)])],
        (ONE, "inventory", _) => {
            parents = vec![json!({"name": "lobby"})];
            vec![rule("/", vec![import(1)]), rule("/v1", vec![backend("inventory-ver1", 1)])]
        }
        (ONE, "till", _) => {
            let mut till = backend("till", 1);
            till["namespace"] = json!("shop");
            parents = vec![json!({"name": if variant == 1 { "lobby" } else { "my-hotel" }})];
            vec![rule(if variant == 2 { "/pay" } else { "/" }, vec![till, backend("parking", variant)])]
        }
        (ONE, _, _) => {
            hostnames = vec!["shop.example.com"];
            if variant == 1 {
                hostnames.push("front.example.com");
            }
            vec![rule(if variant == 2 { "/front" } else { "/" }, vec![backend("review", 1)])]
        }
        (TWO, _, _) => vec![rule("/", vec![backend("inventory-ver2", 1 + variant)])],
        // Both what the cluster has and what both export.
        (_, _, 0) => vec![rule("/", vec![import(1)])],
        _ => vec![rule("/", vec![backend("inventory-ver2", 1), import(variant)])],
    };
    json!({"parentRefs": parents, "hostnames": hostnames, "rules": rules})
}
