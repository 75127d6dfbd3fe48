//! ServiceNetworks: the network is there before any Gateway, and goes with whoever is the last to ask for it.

use crate::fakes::World;
use crate::{count, gateway, message, object, work, worker};
use serde_json::{Value, json};
use trellis_gateway::{CONTROLLER, ObjectKey};
use trellis_hint::{Hint, Kind, Operation};
use trellis_telemetry::Metric;

/// Two clusters of which nothing is known but the class, and a ServiceNetwork in each.
fn world() -> World {
    let world = World::default();
    for name in ["one", "two"] {
        world.state().moods.insert(name.into(), crate::fakes::Mood::Fine);
        world.put(
            name,
            Kind::GatewayClass,
            "amazon-vpc-lattice",
            json!({"spec": {"controllerName": CONTROLLER}}),
        );
        world.put(name, Kind::ServiceNetwork, "my-hotel", json!({}));
    }
    world
}

fn take(world: &World, cluster: &str, kind: Kind) {
    let namespace = if kind.is_cluster_scoped() { "" } else { "default" };
    let key = ObjectKey { kind, namespace: namespace.into(), name: "my-hotel".into() };
    world.state().objects.remove(&(cluster.to_owned(), key)).expect("it was there");
}

async fn told(world: &World, cluster: &str, kind: Kind, operation: Operation) {
    let mut object = object(cluster, kind, "my-hotel");
    if kind.is_cluster_scoped() {
        object.namespace = String::new();
    }
    let ended = work(&worker(world), vec![message("0", &Hint::new(gateway(), object, operation), 1)]).await;
    assert_eq!(count(&ended, Metric::UnitsSettled), 1, "{:?}", ended.returned);
}

fn networks(world: &World) -> Vec<String> {
    world.state().account.networks.iter().map(|one| one.name.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_service_network_makes_the_network_and_both_clusters_are_told_of_it_and_of_its_gateways() {
    let world = world();
    told(&world, "one", Kind::ServiceNetwork, Operation::Create).await;
    assert_eq!(networks(&world), ["my-hotel"]);
    assert!(world.state().account.vpc_associations.is_empty());
    for cluster in ["one", "two"] {
        let status = world.status(cluster, Kind::ServiceNetwork, "my-hotel");
        assert_eq!(status["serviceNetworkARN"], "arn:sn-my-hotel", "{status}");
        assert_eq!(status.get("gateways"), None);
    }
    world.cluster("one");
    told(&world, "one", Kind::Gateway, Operation::Create).await;
    let status = world.status("two", Kind::ServiceNetwork, "my-hotel");
    assert_eq!(status["gateways"], json!(["one/default/my-hotel"]));
    take(&world, "one", Kind::Gateway);
    told(&world, "one", Kind::Gateway, Operation::Delete).await;
    assert_eq!(networks(&world), ["my-hotel"], "it was not the Gateway's alone");
    assert!(world.state().account.vpc_associations.is_empty());
    assert_eq!(world.status("two", Kind::ServiceNetwork, "my-hotel")["gateways"], Value::Array(vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_network_goes_with_the_last_one_that_asks_for_it() {
    let world = world();
    world.cluster("one");
    told(&world, "one", Kind::Gateway, Operation::Create).await;
    for (cluster, kind) in
        [("one", Kind::ServiceNetwork), ("one", Kind::Gateway), ("two", Kind::ServiceNetwork)]
    {
        assert_eq!(networks(&world), ["my-hotel"], "{kind} of {cluster} still stands");
        take(&world, cluster, kind);
        told(&world, cluster, kind, Operation::Delete).await;
    }
    assert!(networks(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_nobody_may_read_service_networks_gateways_are_served_and_what_one_asked_for_stays() {
    let never_had_one = crate::world();
    never_had_one.state().forbidden = Some(Kind::ServiceNetwork);
    told(&never_had_one, "one", Kind::Gateway, Operation::Create).await;

    let world = world();
    told(&world, "one", Kind::ServiceNetwork, Operation::Create).await;
    world.cluster("one");
    world.state().forbidden = Some(Kind::ServiceNetwork);
    let of_gateway = |operation| Hint::new(gateway(), object("one", Kind::Gateway, "my-hotel"), operation);
    work(&worker(&world), vec![message("0", &of_gateway(Operation::Create), 1)]).await;
    let status = world.status("one", Kind::Gateway, "my-hotel").to_string();
    assert!(status.contains("Programmed") && status.contains("arn:sn-my-hotel"), "{status}");
    take(&world, "one", Kind::Gateway);
    work(&worker(&world), vec![message("0", &of_gateway(Operation::Delete), 1)]).await;
    assert_eq!(networks(&world), ["my-hotel"]);
}
