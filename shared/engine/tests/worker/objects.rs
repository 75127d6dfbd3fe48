//! DNSEndpoints: made once the domain name is known, kept as they should be, and in nobody's way.

use crate::fakes::{NoEvents, World, id};
use crate::{count, gateway, message, object, route_hint, work, worker, world};
use serde_json::{Value, json};
use std::time::Duration;
use trellis_gateway::ObjectKey;
use trellis_hint::{Hint, Kind, Look, Operation, UnitKey};
use trellis_ports::ErrorClass;
use trellis_telemetry::Metric;

const HOSTNAME: &str = "rates.example.com";

/// A route with these hostnames.
fn put_route(world: &World, hostnames: &Value) {
    put_named(world, "r", hostnames);
}

fn put_named(world: &World, name: &str, hostnames: &Value) {
    let backend = json!([{"name": "parking", "kind": "Service", "port": 80}]);
    let spec = json!({"parentRefs": [{"name": "my-hotel"}], "hostnames": hostnames, "rules": [{"backendRefs": backend}]});
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"uid": "uid-of-r"}, "spec": spec,
    });
    world.put("one", Kind::HTTPRoute, name, route);
}

fn with_route() -> World {
    let world = world();
    put_route(&world, &json!([HOSTNAME]));
    world
}

async fn look(world: &World) -> crate::Worked {
    work(&worker(world), vec![message("0", &route_hint("one", "r"), 1)]).await
}

fn endpoint(world: &World) -> Option<Value> {
    let key = ObjectKey { kind: Kind::DNSEndpoint, namespace: "default".into(), name: "r-dns".into() };
    world.state().objects.get(&("one".to_owned(), key)).cloned()
}

fn changes_of_endpoints(world: &World) -> Vec<String> {
    world.state().changed.iter().filter(|change| change.ends_with("-dns")).cloned().collect()
}

/// What the route says of its DNSEndpoint.
fn said(world: &World) -> Option<(String, String)> {
    let status = world.status("one", Kind::HTTPRoute, "r");
    let conditions = status["parents"][0]["conditions"].as_array()?;
    let one = conditions.iter().find(|one| one["type"] == "application-networking.k8s.aws/DNSEndpoint")?;
    Some((one["reason"].as_str()?.to_owned(), one["message"].as_str()?.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_dns_endpoint_is_made_follows_the_hostnames_and_is_not_written_twice() {
    let world = with_route();
    look(&world).await;
    let made = endpoint(&world).expect("it is made");
    let targets = &made["spec"]["endpoints"][0]["targets"];
    assert_eq!(made["spec"]["endpoints"][0]["dnsName"], HOSTNAME);
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "uid-of-r");
    let told = world.status("one", Kind::HTTPRoute, "r").to_string();
    assert!(told.contains(targets[0].as_str().unwrap()), "the status names {targets}: {told}");
    look(&world).await;
    assert_eq!(changes_of_endpoints(&world), ["create r-dns"]);

    put_route(&world, &json!(["other.example.com"]));
    look(&world).await;
    assert_eq!(endpoint(&world).unwrap()["spec"]["endpoints"][0]["dnsName"], "other.example.com");
    put_route(&world, &json!([]));
    look(&world).await;
    assert_eq!(endpoint(&world), None);
    assert_eq!(changes_of_endpoints(&world), ["create r-dns", "patch r-dns", "delete r-dns"]);
    assert_eq!(said(&world), None);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_is_left_alone_and_the_route_says_so() {
    let world = with_route();
    let theirs = json!({"metadata": {"labels": {"trellis/owner": "another"}}, "spec": {"endpoints": []}});
    world.put("one", Kind::DNSEndpoint, "r-dns", theirs);
    let before = endpoint(&world);
    look(&world).await;
    assert_eq!(endpoint(&world), before);
    assert!(changes_of_endpoints(&world).is_empty());
    let (reason, text) = said(&world).unwrap();
    assert_eq!(reason, "Conflicted");
    assert!(text.contains("default/r-dns is somebody else's"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_is_told_by_the_route_and_holds_nothing_up() {
    let world = with_route();
    world.state().takes_no_objects = Some((ErrorClass::Terminal, "the API server forbids it"));
    for _ in 0..2 {
        let ended = look(&world).await;
        assert_eq!(count(&ended, Metric::UnitsSettled) + count(&ended, Metric::UnitsWaiting), 1, "{ended:?}");
        let (reason, text) = said(&world).unwrap();
        assert_eq!(reason, "NotWritten");
        assert!(text.contains("the API server forbids it"), "{text}");
    }
    world.state().takes_no_objects = None;
    look(&world).await;
    assert!(endpoint(&world).is_some());
    assert_eq!(said(&world), None);
}

#[tokio::test(start_paused = true)]
async fn a_route_is_annotated_where_that_is_allowed_and_else_nothing_is_said_and_nobody_asks_again_for_a_while()
 {
    let world = world();
    put_route(&world, &json!([]));
    world.state().takes_no_objects = Some((ErrorClass::Terminal, "403 Forbidden"));
    let worker = worker(&world);
    for _ in 0..3 {
        let ended = work(&worker, vec![message("0", &route_hint("one", "r"), 1)]).await;
        assert_eq!(count(&ended, Metric::UnitsHeld), 0);
    }
    assert_eq!(world.state().changes_refused, 1);
    assert_eq!(said(&world), None);

    world.state().takes_no_objects = None;
    tokio::time::advance(Duration::from_secs(61)).await;
    for _ in 0..2 {
        work(&worker, vec![message("0", &route_hint("one", "r"), 1)]).await;
    }
    assert_eq!(world.state().changed, ["patch r"], "once");
    let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "default".into(), name: "r".into() };
    let route = world.state().objects[&("one".to_owned(), key)].clone();
    let annotations = &route["metadata"]["annotations"];
    let name = annotations["application-networking.k8s.aws/lattice-assigned-domain-name"].as_str().unwrap();
    assert!(route["status"].to_string().contains(name), "{route}");
    assert!(annotations["application-networking.k8s.aws/lattice-service-arn"].is_string());
}

#[tokio::test(start_paused = true)]
async fn an_event_tells_of_a_route_that_is_programmed_once_and_of_one_that_is_not_any_more() {
    let world = with_route();
    let object = object("one", Kind::Gateway, "my-hotel");
    work(&worker(&world), vec![message("g", &Hint::new(gateway(), object, Operation::Create), 1)]).await;
    world.state().events.clear();
    look(&world).await;
    look(&world).await;
    let told = |world: &World| {
        let all = world.state().events.clone();
        all.iter().map(|one| format!("{} {}", one["type"], one["note"])).collect::<Vec<_>>()
    };
    assert_eq!(told(&world).len(), 1, "{:?}", told(&world));
    assert!(told(&world)[0].starts_with(r#""Normal" "Programmed is True at my-hotel"#), "{:?}", told(&world));
    let event = world.state().events[0].clone();
    assert_eq!(event["regarding"]["uid"], "uid-of-r");
    assert_eq!(event["reportingController"], trellis_gateway::CONTROLLER);

    put_route(&world, &json!(["*."]));
    look(&world).await;
    assert!(
        told(&world).iter().any(|one| one.starts_with(r#""Warning" "Accepted is False"#)),
        "{:?}",
        told(&world)
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_takes_no_events_is_asked_once_and_nothing_else_misses_them() {
    let mut took = vec![];
    for how in [NoEvents::Refuses, NoEvents::Hangs] {
        let world = with_route();
        world.state().takes_no_events = Some(("default", how));
        let worker = worker(&world);
        let began = tokio::time::Instant::now();
        for hostname in [HOSTNAME, "*.", HOSTNAME] {
            put_route(&world, &json!([hostname]));
            let ended = work(&worker, vec![message("0", &route_hint("one", "r"), 1)]).await;
            assert_eq!(count(&ended, Metric::UnitsHeld), 0);
        }
        assert_eq!(world.state().events_refused, 1, "{how:?}");
        took.push(began.elapsed());
        assert!(world.status("one", Kind::HTTPRoute, "r").to_string().contains("DNS Name: "));

        let key = ObjectKey { kind: Kind::HTTPRoute, namespace: "other".into(), name: "r".into() };
        let spec = json!({"parentRefs": [{"name": "my-hotel", "namespace": "default"}]});
        let metadata = json!({"namespace": "other", "name": "r", "uid": "u"});
        let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec});
        world.state().objects.insert(("one".to_owned(), key), route);
        let mut hint = route_hint("one", "r");
        hint.object.namespace = "other".into();
        hint.unit = UnitKey::Route {
            kind: Kind::HTTPRoute,
            cluster: hint.object.cluster.clone(),
            namespace: "other".into(),
            name: "r".into(),
        };
        work(&worker, vec![message("1", &hint, 1)]).await;
        assert!(!world.state().events.is_empty(), "{how:?}");
    }
    assert_eq!(took[1], took[0] + Duration::from_secs(1), "one that hangs is waited for once");
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_tried_again_and_statuses_are_written_all_the_same() {
    let world = with_route();
    world.state().takes_no_objects = Some((ErrorClass::Retry, "no answer"));
    let ended = look(&world).await;
    assert_eq!(count(&ended, Metric::UnitsHeld), 1);
    assert_eq!(world.state().later.len(), 1, "it is looked at again");
    assert!(world.status("one", Kind::HTTPRoute, "r").to_string().contains("DNS Name: "));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_lets_nobody_read_them_has_none_and_gets_them_at_the_first_look_after_it_does() {
    let world = with_route();
    world.state().forbidden = Some(Kind::DNSEndpoint);
    let worker = worker(&world);
    for _ in 0..3 {
        let ended = work(&worker, vec![message("0", &route_hint("one", "r"), 1)]).await;
        assert_eq!(count(&ended, Metric::ClustersUnreadable), 0);
    }
    assert_eq!(world.state().dns_endpoints_read, 3, "once in a look");
    assert!(changes_of_endpoints(&world).is_empty());
    assert_eq!(said(&world), None);
    // Nobody comes back for what a look has left out.
    world.state().forbidden = None;
    work(&worker, vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert!(!changes_of_endpoints(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_look_at_a_cluster_that_lets_nobody_read_them_asks_once_for_all_its_routes() {
    let world = world();
    for n in 0..3 {
        put_named(&world, &format!("r{n}"), &json!([format!("r{n}.example.com")]));
    }
    world.state().forbidden = Some(Kind::DNSEndpoint);
    let worker = worker(&world);
    work(&worker, vec![message("0", &route_hint("one", "r0"), 1)]).await;
    world.state().dns_endpoints_read = 0;
    let looks = work(&worker, vec![message("p", &look_at("one"), 1)]).await.looks;
    assert!(looks.iter().map(|look| look.in_depth).sum::<usize>() >= 3, "{looks:?}");
    assert_eq!(world.state().dns_endpoints_read, 0, "it was asked a moment ago");
}

/// The hint of a drift pass that looks at everything.
fn look_at(cluster: &str) -> Hint {
    let unit = UnitKey::Cluster { cluster: id(cluster) };
    Hint::new(unit, object(cluster, Kind::Namespace, "default"), Operation::Resync)
        .with_look(Look::in_depth(1_800_000_000_000))
}

#[tokio::test(start_paused = true)]
async fn a_look_at_a_cluster_reads_those_of_many_routes_side_by_side() {
    let world = world();
    for n in 0..32 {
        put_named(&world, &format!("r{n}"), &json!([format!("r{n}.example.com")]));
    }
    world.state().dns_endpoints_take = Duration::from_millis(500);
    let began = tokio::time::Instant::now();
    let looks = work(&worker(&world), vec![message("p", &look_at("one"), 1)]).await.looks;
    // And the class.
    assert_eq!(looks.iter().map(|look| look.in_depth).sum::<usize>(), 33, "{looks:?}");
    assert_eq!(world.state().dns_endpoints_read, 32);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
