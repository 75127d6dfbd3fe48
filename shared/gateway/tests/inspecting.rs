//! What is read of VPC Lattice before anything is decided.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use serde_json::{Value, json};
use trellis_gateway::{
    ClusterFacts, Read, ReadResult, Settings, Snapshot, to_inspect, wants, wants_everything,
};
use trellis_hint::{ClusterId, Kind, UnitKey};

fn snapshot(routes: &[Value]) -> Snapshot {
    let cluster = "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap();
    let mut snapshot = Snapshot::of([ClusterFacts::registered(cluster, "vpc-0a1b2c3d4e5f60001")]);
    for read in wants_everything(&snapshot) {
        let routes = if read.kind() == Kind::HTTPRoute { routes.to_vec() } else { vec![] };
        let read: Read = read;
        snapshot.insert(&read, ReadResult::of(routes));
    }
    snapshot
}

#[test]
fn all_is_read_of_a_route_that_stands_or_that_others_shared_a_service_with() {
    let unit: UnitKey = "route/123456789012/us-west-2/HTTPRoute/one/default/shop".parse().unwrap();
    let in_full =
        |routes: &[Value]| to_inspect(&unit, &snapshot(routes), &Settings::default()).unwrap().in_full;
    let shop = json!({"metadata": {"namespace": "default", "name": "shop"}, "spec": {"rules": []}});
    assert!(in_full(&[shop]), "what it has may stay as it is");
    let told = "The service of HTTPRoute default/shop serves shop.example.test for this route too.";
    let condition = json!({"type": "application-networking.k8s.aws/SharedService", "message": told});
    let parent = json!({"parentRef": {"name": "edge"}, "conditions": [condition],
        "controllerName": "application-networking.k8s.aws/gateway-api-controller"});
    let cart = json!({"metadata": {"namespace": "default", "name": "cart"}, "spec": {"rules": []},
        "status": {"parents": [parent]}});
    assert!(in_full(&[cart]), "what it had may go to another route");
    assert!(!in_full(&[]), "all of it goes");
}

#[test]
fn another_cluster_is_asked_only_for_a_route_that_has_a_gateway_of_ours() {
    let cluster = |name: &str| -> ClusterId {
        format!("arn:aws:eks:us-west-2:123456789012:cluster/{name}").parse().unwrap()
    };
    let facts = |name: &str| ClusterFacts::registered(cluster(name), "vpc-0a1b2c3d4e5f60001");
    let mut snapshot = Snapshot::of([facts("one"), facts("two")]);
    let import = json!({"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "stock", "port": 80});
    let route = json!({"kind": "HTTPRoute", "metadata": {"namespace": "default", "name": "shop"},
        "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [import]}]}});
    let import = json!({"kind": "ServiceImport", "metadata": {"namespace": "default", "name": "stock"},
        "spec": {"type": "ClusterSetIP", "ports": [{"port": 80, "protocol": "TCP"}]}});
    let get = |kind: Kind, name: &str| Read::Get {
        cluster: cluster("one"),
        kind,
        namespace: "default".into(),
        name: name.into(),
    };
    // As if a hint had named both.
    snapshot.insert(&get(Kind::HTTPRoute, "shop"), ReadResult::of([route]));
    snapshot.insert(&get(Kind::ServiceImport, "stock"), ReadResult::of([import]));
    let unit: UnitKey = "route/123456789012/us-west-2/HTTPRoute/one/default/shop".parse().unwrap();
    let reads = wants(&unit, &snapshot);
    assert!(reads.contains(&get(Kind::Gateway, "edge")));
    let others: Vec<&Read> = reads.iter().filter(|read| *read.cluster() != cluster("one")).collect();
    assert!(others.is_empty(), "{others:?}");
}
