use super::*;
use proptest::prelude::*;
use serde_json::json;
use trellis_gateway::{CONTROLLER, admission_warnings, admission_warnings_among};

fn cluster() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn metadata(namespace: &str, name: &str, day: usize) -> Value {
    json!({"namespace": namespace, "name": name, "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z")})
}

fn route(name: &str, day: usize, hostnames: &[&str], path: &str) -> Value {
    let matched = json!([{"path": {"type": "PathPrefix", "value": path}}]);
    json!({"metadata": metadata("default", name, day), "spec": {"parentRefs": [{"name": "edge"}],
        "hostnames": hostnames, "rules": [{"matches": matched, "backendRefs": [{"name": "a", "port": 80}]}]}})
}

fn put(all: &mut Neighbours, kind: Kind, object: &Value) {
    all.apply(kind, object_name(object).unwrap(), Kept::of(kind, object));
}

/// All kinds are in view; there are a class, a Gateway of two listeners, and two namespaces.
fn neighbours() -> Neighbours {
    let mut all = Neighbours::default();
    for kind in BESIDE_KINDS {
        all.replace(kind, Objects::default());
    }
    put(
        &mut all,
        Kind::GatewayClass,
        &json!({"metadata": {"name": "ours"}, "spec": {"controllerName": CONTROLLER}}),
    );
    let selector = json!({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "web"}}}});
    let listeners = json!([{"name": "http", "protocol": "HTTP", "port": 80},
        {"name": "web", "protocol": "HTTP", "port": 81, "allowedRoutes": selector}]);
    let spec = json!({"gatewayClassName": "ours", "listeners": listeners});
    put(&mut all, Kind::Gateway, &json!({"metadata": metadata("default", "edge", 1), "spec": spec}));
    for (name, team) in [("default", "core"), ("web", "web")] {
        put(&mut all, Kind::Namespace, &json!({"metadata": {"name": name, "labels": {"team": team}}}));
    }
    all
}

fn warnings(all: &Neighbours, object: &Value) -> Option<Vec<String>> {
    let around = all.around(&cluster(), Kind::HTTPRoute, object)?;
    let around = around.iter().map(|(kind, kept)| (*kind, kept.object().unwrap()));
    Some(admission_warnings_among(&cluster(), Kind::HTTPRoute, object, around))
}

fn one_warning(all: &Neighbours, object: &Value) -> String {
    let all = warnings(all, object).unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[test]
fn a_route_is_warned_of_beside_those_that_it_meets_and_no_others() {
    let mut all = neighbours();
    put(&mut all, Kind::HTTPRoute, &route("older", 1, &["a.example.test"], "/"));
    put(&mut all, Kind::HTTPRoute, &route("elsewhere", 1, &["b.example.test"], "/"));
    let younger = route("younger", 2, &["a.example.test"], "/");
    let warning = one_warning(&all, &younger);
    assert!(warning.contains("HTTPRoute default/older is older and matches the same requests"), "{warning}");
    assert_eq!(warnings(&all, &route("younger", 2, &["a.example.test"], "/b")).unwrap(), [""; 0]);
    // Who is older is said by their own times, and what is stored of a route is not beside itself.
    put(&mut all, Kind::HTTPRoute, &younger);
    assert_eq!(warnings(&all, &route("older", 1, &["a.example.test"], "/")).unwrap(), [""; 0]);
    all.remove(Kind::HTTPRoute, &("default".into(), "older".into()));
    assert_eq!(warnings(&all, &younger).unwrap(), [""; 0]);
}

#[test]
fn a_route_without_hostnames_meets_those_of_its_gateways_listeners() {
    let mut all = neighbours();
    let listeners = json!([{"name": "http", "protocol": "HTTP", "port": 80, "hostname": "a.example.test"}]);
    let spec = json!({"gatewayClassName": "ours", "listeners": listeners});
    put(&mut all, Kind::Gateway, &json!({"metadata": metadata("default", "edge", 1), "spec": spec}));
    put(&mut all, Kind::HTTPRoute, &route("older", 1, &["a.example.test"], "/"));
    assert!(one_warning(&all, &route("open", 2, &[], "/")).contains("default/older is older"));
}

#[test]
fn a_route_meets_those_of_a_gateway_that_names_the_network_by_its_id() {
    let mut all = neighbours();
    let message =
        "aws-gateway-arn: arn:aws:vpc-lattice:us-west-2:210987654321:servicenetwork/sn-0123456789abcdef0";
    let programmed =
        json!({"type": "Programmed", "status": "True", "reason": "Programmed", "message": message});
    let listeners = json!([{"name": "http", "protocol": "HTTP", "port": 80}]);
    for name in ["edge", "sn-0123456789abcdef0"] {
        let gateway = json!({"metadata": metadata("default", name, 1),
            "spec": {"gatewayClassName": "ours", "listeners": listeners}, "status": {"conditions": [programmed]}});
        put(&mut all, Kind::Gateway, &gateway);
    }
    put(&mut all, Kind::HTTPRoute, &route("older", 1, &["a.example.test"], "/"));
    let mut younger = route("younger", 2, &["a.example.test"], "/b");
    younger["spec"]["parentRefs"] = json!([{"name": "sn-0123456789abcdef0"}]);
    let warning = one_warning(&all, &younger);
    assert!(warning.contains("HTTPRoute default/older is older and has the hostname"), "{warning}");
}

#[test]
fn a_parent_that_refuses_is_told_by_the_labels_of_the_namespace_too() {
    let all = neighbours();
    let attached = |namespace: &str, section: &str| {
        let mut object = route("r", 2, &[], "/");
        object["metadata"]["namespace"] = namespace.into();
        object["spec"]["parentRefs"] =
            json!([{"name": "edge", "namespace": "default", "sectionName": section}]);
        object
    };
    assert_eq!(warnings(&all, &attached("web", "web")).unwrap(), [""; 0]);
    assert!(
        one_warning(&all, &attached("default", "web"))
            .contains("No listener of Gateway default/edge takes routes")
    );
    assert!(one_warning(&all, &attached("default", "none")).contains("has no listener of that sectionName"));
}

#[test]
fn endpoints_of_a_slice_by_hand_that_get_no_requests_are_told_at_the_route_that_leads_there() {
    let mut all = neighbours();
    let slice = |service: &str, address: &str| {
        json!({"metadata": {"namespace": "default", "name": format!("{service}-1"), "labels":
            {"kubernetes.io/service-name": service}}, "addressType": "IPv4", "endpoints": [{"addresses": [address]}]})
    };
    assert!(Kept::of(Kind::EndpointSlice, &slice("a", "10.0.0.1")).is_none(), "nothing is to be said of it");
    for service in ["a", "b"] {
        put(&mut all, Kind::EndpointSlice, &slice(service, "127.0.0.1"));
    }
    let warning = one_warning(&all, &route("r", 2, &[], "/"));
    assert!(warning.contains("Service \"a\" has the endpoint \"127.0.0.1\""), "{warning}");
    put(&mut all, Kind::EndpointSlice, &slice("a", "10.0.0.1"));
    assert_eq!(warnings(&all, &route("r", 2, &[], "/")).unwrap(), [""; 0]);
}

#[test]
fn what_is_not_in_view_or_too_much_leaves_the_route_to_itself() {
    let mut all = neighbours();
    put(&mut all, Kind::HTTPRoute, &route("older", 1, &["a.example.test"], "/"));
    let younger = route("younger", 2, &["a.example.test"], "/");
    all.lose(Kind::Gateway);
    assert!(!all.is_complete() && warnings(&all, &younger).is_none());

    // More of one hostname than is read for one review.
    let mut all = neighbours();
    let long = "/x".repeat(500);
    for number in 0..READ_BYTES_MAX / 1000 {
        put(&mut all, Kind::HTTPRoute, &route(&format!("r{number}"), 1, &["a.example.test"], &long));
    }
    assert!(all.is_complete() && warnings(&all, &younger).is_none());
    assert!(warnings(&all, &route("younger", 2, &["b.example.test"], "/")).is_some());

    // More than is kept.
    let mut all = neighbours();
    let long = "/x".repeat(500_000);
    for number in 0..20 {
        put(&mut all, Kind::HTTPRoute, &route(&format!("r{number}"), 1, &["b.example.test"], &long));
        assert!(all.bytes() <= KEPT_BYTES_MAX);
    }
    assert!(!all.is_complete() && warnings(&all, &younger).is_none());
    all.replace(Kind::HTTPRoute, Objects::default());
    assert!(all.is_complete() && warnings(&all, &younger).is_some());
}

#[test]
fn many_routes_for_all_hostnames_are_read_as_far_as_there_is_room() {
    let mut all = neighbours();
    for number in 0..2000 {
        put(&mut all, Kind::HTTPRoute, &route(&format!("r{number}"), 1, &[], "/"));
    }
    put(&mut all, Kind::HTTPRoute, &route("older", 1, &["a.example.test"], "/"));
    let around =
        all.around(&cluster(), Kind::HTTPRoute, &route("younger", 2, &["a.example.test"], "/")).unwrap();
    let bytes: usize = around.iter().map(|(_, kept)| kept.text.len()).sum();
    assert!(around.len() > 100 && bytes <= READ_BYTES_MAX);
    assert!(
        one_warning(&all, &route("younger", 2, &["a.example.test"], "/")).contains("default/older is older")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A place in an object, and what stands there instead.
    #[test]
    fn whatever_stands_beside_a_route_its_warnings_are_few_and_hold_what_it_gets_by_itself(
        at in 0..8usize, value in prop_oneof![Just(json!(null)), Just(json!(7)), Just(json!("x")), Just(json!([{"a": 1}])), Just(json!({"a": {}}))],
        gateway in any::<bool>(),
    ) {
        let mut all = neighbours();
        let (kind, mut odd) = if gateway {
            (Kind::Gateway, json!({"metadata": metadata("default", "edge", 1), "spec": {"gatewayClassName": "ours",
                "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}}))
        } else {
            (Kind::HTTPRoute, route("older", 1, &["a.example.test"], "/"))
        };
        let places = ["/spec", "/spec/listeners", "/spec/listeners/0/port", "/spec/hostnames", "/spec/rules",
            "/spec/rules/0/matches", "/spec/parentRefs/0/name", "/metadata/creationTimestamp"];
        if let Some(place) = odd.pointer_mut(places[at]) {
            *place = value;
        }
        put(&mut all, kind, &odd);
        let own = route("younger", 2, &["a.example.test"], "/");
        let found = warnings(&all, &own).unwrap();
        prop_assert!(found.len() <= 10 && found.iter().all(|one| !one.is_empty() && one.chars().count() <= 256));
        prop_assert!(admission_warnings(Kind::HTTPRoute, &own).iter().all(|one| found.contains(one)));
    }
}
