//! Scenes that chance hardly plays: a world without faults, in which people do just this.

use crate::objects::{catalogue, object};
use crate::run::{World, play};
use crate::{edits, truth};
use serde_json::{Value, json};
use trellis_gateway::ObjectKey;
use trellis_hint::Kind;

const CLUSTER: &str = "trellis-one";

fn route(name: &str) -> ObjectKey {
    ObjectKey { kind: Kind::HTTPRoute, namespace: "default".into(), name: name.into() }
}

/// Gives a route a hostname on a Gateway.
async fn put(world: &World, name: &str, hostname: &str, gateway: &str) {
    put_all(world, name, &[hostname], &[gateway]).await;
}

/// Gives a route these hostnames on these Gateways.
async fn put_all(world: &World, name: &str, hostnames: &[&str], gateways: &[&str]) {
    let backend = json!({"name": "parking", "port": 80});
    let spec = json!({
        "parentRefs": gateways.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "hostnames": hostnames,
        "rules": [{"matches": [{"path": {"type": "Exact", "value": format!("/{name}")}}], "backendRefs": [backend]}],
    });
    let mut whole = object(CLUSTER, &route(name), 0);
    whole["spec"] = spec;
    edits::edit(&world.sim, CLUSTER, &route(name), Some(whole)).await;
}

/// What routes lead to and by.
async fn begin(world: &World) {
    let kinds = [Kind::GatewayClass, Kind::Gateway, Kind::Service, Kind::EndpointSlice];
    for (cluster, key) in catalogue().into_iter().filter(|(_, key)| kinds.contains(&key.kind)) {
        edits::edit(&world.sim, cluster, &key, Some(object(cluster, &key, 0))).await;
    }
}

/// All that the routes ask for is there, and their statuses say so.
async fn rests(world: &World, routes: &[&str]) -> Result<(), String> {
    world.come_to_rest(true).await?;
    let state = world.sim.state();
    truth::holds(&state)?;
    for name in routes {
        let status = state.clusters[CLUSTER].objects[&route(name)]["status"].clone();
        let conditions = status["parents"][0]["conditions"].as_array().cloned().unwrap_or_default();
        let programmed = |one: &&Value| one["type"] == "Programmed" && one["status"] == "True";
        if !conditions.iter().any(|one| programmed(&one)) {
            return Err(format!("{name} is not programmed: {status}"));
        }
    }
    Ok(())
}

#[test]
fn two_routes_that_swap_their_hostnames_have_each_others() {
    play(async |world| {
        begin(world).await;
        put(world, "bell", "blue.example.test", "my-hotel").await;
        put(world, "desk", "green.example.test", "my-hotel").await;
        rests(world, &["bell", "desk"]).await?;
        put(world, "bell", "green.example.test", "my-hotel").await;
        put(world, "desk", "blue.example.test", "my-hotel").await;
        rests(world, &["bell", "desk"]).await
    });
}

#[test]
fn three_routes_whose_hostnames_go_around_have_their_new_ones() {
    play(async |world| {
        begin(world).await;
        let names = ["bell", "desk", "till"];
        let hostnames = ["a.example.test", "b.example.test", "c.example.test"];
        for turn in 0..2 {
            for (at, name) in names.iter().enumerate() {
                put(world, name, hostnames[(at + turn) % 3], "my-hotel").await;
            }
            rests(world, &names).await?;
        }
        Ok(())
    });
}

#[test]
fn two_routes_that_swap_hostnames_and_networks_have_each_others() {
    play(async |world| {
        begin(world).await;
        put(world, "bell", "blue.example.test", "my-hotel").await;
        put(world, "desk", "green.example.test", "lobby").await;
        rests(world, &["bell", "desk"]).await?;
        put(world, "bell", "green.example.test", "lobby").await;
        put(world, "desk", "blue.example.test", "my-hotel").await;
        rests(world, &["bell", "desk"]).await
    });
}

#[test]
fn routes_that_share_a_hostname_swap_it_with_another_route() {
    play(async |world| {
        begin(world).await;
        for (bell, till) in
            [("blue.example.test", "green.example.test"), ("green.example.test", "blue.example.test")]
        {
            put(world, "bell", bell, "my-hotel").await;
            put(world, "desk", bell, "my-hotel").await;
            put(world, "till", till, "my-hotel").await;
            rests(world, &["bell", "desk", "till"]).await?;
        }
        Ok(())
    });
}

#[test]
fn a_route_swaps_one_of_its_hostnames() {
    play(async |world| {
        begin(world).await;
        for (bell, desk) in
            [("blue.example.test", "green.example.test"), ("green.example.test", "blue.example.test")]
        {
            put_all(world, "bell", &["red.example.test", bell], &["my-hotel", "lobby"]).await;
            put_all(world, "desk", &[desk], &["lobby"]).await;
            rests(world, &["bell", "desk"]).await?;
        }
        Ok(())
    });
}

#[test]
fn a_swap_that_is_taken_back_under_way_leaves_each_its_own() {
    play(async |world| {
        begin(world).await;
        let hostnames = ["blue.example.test", "green.example.test"];
        put(world, "bell", hostnames[0], "my-hotel").await;
        put(world, "desk", hostnames[1], "my-hotel").await;
        rests(world, &["bell", "desk"]).await?;
        put(world, "bell", hostnames[1], "my-hotel").await;
        put(world, "desk", hostnames[0], "my-hotel").await;
        world.work_off_the_queue().await?;
        put(world, "bell", hostnames[0], "my-hotel").await;
        put(world, "desk", hostnames[1], "my-hotel").await;
        rests(world, &["bell", "desk"]).await
    });
}

/// Has the routes of a Gateway merged with those of its name in other clusters, as long as no other Gateway of theirs says no.
async fn merge_routes_of(world: &World, name: &str) {
    let gateway = ObjectKey { kind: Kind::Gateway, namespace: "default".into(), name: name.into() };
    let mut whole = object(CLUSTER, &gateway, 0);
    whole["metadata"]["annotations"] = json!({"application-networking.k8s.aws/merge-routes": "true"});
    edits::edit(&world.sim, CLUSTER, &gateway, Some(whole)).await;
}

/// A merged route and another one of a Gateway swap their hostnames, and swap them back. Between the two edits all may come to an end:
/// then whoever waits for the other's place has given up.
async fn swap(world: &World, is_merged_first: bool, is_at_once: bool) -> Result<(), String> {
    begin(world).await;
    merge_routes_of(world, "my-hotel").await;
    let (blue, green) = ("blue.example.test", "green.example.test");
    for (merged, other) in [(blue, green), (green, blue), (blue, green)] {
        if is_merged_first {
            put(world, "bell", merged, "my-hotel").await;
        } else {
            put_all(world, "desk", &[other], &["my-hotel", "lobby"]).await;
        }
        if !is_at_once {
            world.work_off_the_queue().await?;
        }
        if is_merged_first {
            put_all(world, "desk", &[other], &["my-hotel", "lobby"]).await;
        } else {
            put(world, "bell", merged, "my-hotel").await;
        }
        rests(world, &["bell", "desk"]).await?;
    }
    Ok(())
}

#[test]
fn a_merged_route_and_another_one_swap_their_hostnames_at_once() {
    play(async |world| swap(world, true, true).await);
    play(async |world| swap(world, false, true).await);
}

#[test]
fn a_merged_route_that_has_given_up_is_told_when_the_other_one_makes_room() {
    play(async |world| swap(world, true, false).await);
}

#[test]
fn a_route_that_has_given_up_is_told_when_the_merged_one_makes_room() {
    play(async |world| swap(world, false, false).await);
}
