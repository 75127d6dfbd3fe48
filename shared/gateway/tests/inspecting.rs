//! What is read of VPC Lattice before anything is decided.
#![expect(clippy::unwrap_used, reason = "this is a test, its helpers too")]

use serde_json::{Value, json};
use trellis_gateway::{ClusterFacts, Read, ReadResult, Settings, Snapshot, to_inspect, wants_everything};
use trellis_hint::{Kind, UnitKey};

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
