//! Target groups of others that imports name: looked for until they are there, and let be while nothing is known of them.

use crate::fakes::World;
use crate::{count, message, route_hint, work, worker, world};
use serde_json::{Value, json};
use trellis_hint::Kind;
use trellis_lattice::{ExternalGroup, ExternalTargetGroup, ProtocolVersion, Status, TargetProtocol};
use trellis_telemetry::Metric;

const ARN: &str = "arn:aws:vpc-lattice:us-west-2:000000000000:targetgroup/tg-0123456789abcdef0";

/// A route whose requests are shared by a Service and an import of the group.
fn shared() -> World {
    let world = world();
    let arn = json!({"application-networking.k8s.aws/target-group-arn": ARN});
    let import =
        json!({"metadata": {"annotations": arn}, "spec": {"type": "ClusterSetIP", "ports": [{"port": 80}]}});
    world.put("one", Kind::ServiceImport, "blue", import);
    let backends = json!([
        {"name": "parking", "port": 80, "weight": 90},
        {"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "blue", "weight": 10},
    ]);
    let spec = json!({"parentRefs": [{"name": "my-hotel"}], "rules": [{"backendRefs": backends}]});
    world.put("one", Kind::HTTPRoute, "r", json!({"spec": spec}));
    world
}

fn known() -> ExternalGroup {
    used_by(&[])
}

/// The group, with the ARNs of the services that use it.
fn used_by(services: &[&str]) -> ExternalGroup {
    ExternalGroup::Known(Box::new(ExternalTargetGroup {
        name: "blue".into(),
        status: Status::Active,
        kind: "IP".into(),
        protocol: Some(TargetProtocol::Http),
        protocol_version: Some(ProtocolVersion::Http1),
        vpc: Some("vpc-1".into()),
        service_arns: services.iter().map(|one| (*one).to_owned()).collect(),
        tags: None,
    }))
}

fn tell(world: &World, group: Option<ExternalGroup>) {
    world.state().external_groups = group.map(|group| (ARN.to_owned(), group)).into_iter().collect();
}

/// Why the route's backends are resolved, or are not.
pub(crate) fn resolved(world: &World) -> Value {
    let status = world.status("one", Kind::HTTPRoute, "r");
    let conditions = status["parents"][0]["conditions"].as_array().unwrap().clone();
    conditions.into_iter().find(|one| one["type"] == "ResolvedRefs").unwrap()["reason"].clone()
}

fn leads_there(world: &World) -> bool {
    let state = world.state();
    let groups = state.account.services.iter().flat_map(|service| service.target_groups());
    groups.into_iter().any(|group| ARN.ends_with(group))
}

#[tokio::test(start_paused = true)]
async fn a_group_that_comes_takes_its_share_by_a_look_of_the_routes_own() {
    let world = shared();
    let ended = work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert_eq!(resolved(&world), "ExternalTargetGroupNotFound");
    assert!(!leads_there(&world));
    assert_eq!(count(&ended, Metric::UnitsWaiting), 1);
    tell(&world, Some(known()));
    let (hint, _) = world.state().later.pop().expect("nothing is to be looked at again");
    world.state().later.clear();
    work(&worker(&world), vec![message("later", &hint, 1)]).await;
    assert_eq!(resolved(&world), "ResolvedRefs");
    assert!(leads_there(&world));
    assert!(world.state().later.is_empty(), "all is as it should be");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_another_service_leaves_takes_its_share_by_a_look_of_the_routes_own() {
    let world = shared();
    let other = "arn:aws:vpc-lattice:us-west-2:000000000000:service/svc-0fedcba9876543210";
    tell(&world, Some(used_by(&[other])));
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert_eq!(resolved(&world), "InvalidExternalTargetGroup");
    assert!(!leads_there(&world));
    tell(&world, Some(known()));
    let (hint, _) = world.state().later.pop().expect("nothing is to be looked at again");
    work(&worker(&world), vec![message("later", &hint, 1)]).await;
    assert!(leads_there(&world));
}

/// The service is the older route's: the younger one's unit makes nothing of a group that comes.
#[tokio::test(start_paused = true)]
async fn the_leader_of_a_hostname_looks_again_for_a_group_that_a_follower_leads_to() {
    let world = shared();
    let route = |path: &str, backend: Value| {
        let rule = json!({"matches": [{"path": {"type": "Exact", "value": path}}], "backendRefs": [backend]});
        json!({"parentRefs": [{"name": "my-hotel"}], "hostnames": ["shop.example.test"], "rules": [rule]})
    };
    let import = json!({"group": "application-networking.k8s.aws", "kind": "ServiceImport", "name": "blue"});
    let made = |created: &str, spec: Value| json!({"metadata": {"creationTimestamp": created}, "spec": spec});
    let older = made("2026-01-01T00:00:00Z", route("/a", json!({"name": "parking", "port": 80})));
    world.put("one", Kind::HTTPRoute, "older", older);
    world.put("one", Kind::HTTPRoute, "r", made("2026-01-02T00:00:00Z", route("/b", import)));
    let ended = work(&worker(&world), vec![message("0", &route_hint("one", "older"), 1)]).await;
    assert_eq!(count(&ended, Metric::UnitsWaiting), 1);
    tell(&world, Some(known()));
    let (hint, _) = world.state().later.pop().expect("nothing is to be looked at again");
    work(&worker(&world), vec![message("later", &hint, 1)]).await;
    assert!(leads_there(&world));
}

#[tokio::test(start_paused = true)]
async fn a_group_of_which_nothing_is_known_keeps_its_share_and_one_that_is_gone_loses_it() {
    let world = shared();
    tell(&world, Some(known()));
    work(&worker(&world), vec![message("0", &route_hint("one", "r"), 1)]).await;
    assert!(leads_there(&world));
    let before = world.state().steps.len();
    tell(&world, Some(ExternalGroup::Unknown("GetTargetGroup: throttled".into())));
    let ended = work(&worker(&world), vec![message("1", &route_hint("one", "r"), 1)]).await;
    assert_eq!((resolved(&world), count(&ended, Metric::UnitsHeld)), (json!("Pending"), 1));
    assert!(leads_there(&world));
    assert_eq!(world.state().steps.len(), before, "{:?}", world.state().steps);
    tell(&world, None);
    work(&worker(&world), vec![message("2", &route_hint("one", "r"), 1)]).await;
    assert_eq!(resolved(&world), "ExternalTargetGroupNotFound");
    assert!(!leads_there(&world));
}
