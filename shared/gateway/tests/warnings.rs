//! What `kubectl apply` warns of: nothing of what other controllers have, and of hostnames what is so beside the Gateways.

#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use serde_json::{Value, json};
use trellis_gateway::{CONTROLLER, admission_warnings, admission_warnings_among};
use trellis_hint::{ClusterId, Kind};

fn cluster() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn class(name: &str, controller: &str) -> (Kind, Value) {
    (Kind::GatewayClass, json!({"metadata": {"name": name}, "spec": {"controllerName": controller}}))
}

fn gateway(name: &str, class: &str, hostname: Option<&str>) -> Value {
    let listener = json!({"name": "http", "protocol": "HTTP", "port": 80, "hostname": hostname});
    let udp = json!({"name": "udp", "protocol": "UDP", "port": 53});
    let addresses = json!([{"value": "10.0.0.1"}]);
    json!({"metadata": {"name": name, "namespace": "default"},
        "spec": {"gatewayClassName": class, "listeners": [listener, udp], "addresses": addresses}})
}

/// Has a wildcard, and a filter that VPC Lattice does not know.
fn route(parents: &Value) -> Value {
    let redirect = json!({"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}});
    let rules = json!([{"filters": [redirect]}, {"matches": [{"path": {"value": "/a"}}]}]);
    json!({"metadata": {"name": "r", "namespace": "default"},
        "spec": {"parentRefs": parents, "hostnames": ["*.example.test"], "rules": rules}})
}

fn among(kind: Kind, object: &Value, beside: &[(Kind, Value)]) -> Vec<String> {
    admission_warnings_among(&cluster(), kind, object, beside.iter().cloned())
}

fn codes(warnings: &[String]) -> Vec<&str> {
    warnings.iter().filter_map(|one| one.split(' ').next()).collect()
}

#[test]
fn what_is_of_another_controllers_class_is_none_of_ours() {
    let classes = [class("ours", CONTROLLER), class("theirs", "mesh.example/gateway")];
    let beside = |gateways: &[Value]| {
        let gateways = gateways.iter().map(|one| (Kind::Gateway, one.clone()));
        classes.iter().cloned().chain(gateways).collect::<Vec<(Kind, Value)>>()
    };
    let (own, others) = (gateway("own", "ours", None), gateway("other", "theirs", None));
    let to = |name: &str| route(&json!([{"name": name}]));
    assert!(among(Kind::HTTPRoute, &to("other"), &beside(std::slice::from_ref(&others))).is_empty());
    assert!(among(Kind::Gateway, &others, &classes).is_empty());
    let mesh = route(&json!([{"group": "", "kind": "Service", "name": "a"}]));
    assert!(among(Kind::HTTPRoute, &mesh, &classes).is_empty());

    // One of ours beside it, a Gateway that is not there yet, and one whose class is not, may be ours.
    let both = route(&json!([{"name": "other"}, {"name": "own"}]));
    for (object, beside) in [
        (both, beside(&[own.clone(), others.clone()])),
        (to("missing"), beside(&[])),
        (to("other"), beside(&[gateway("other", "absent", None)])),
    ] {
        assert!(codes(&among(Kind::HTTPRoute, &object, &beside)).contains(&"TRL0031"), "{object}");
    }
    assert!(!among(Kind::Gateway, &own, &classes).is_empty());
    assert!(!among(Kind::Gateway, &gateway("other", "absent", None), &classes).is_empty());
}

#[test]
fn a_wildcard_is_warned_of_where_no_listener_makes_up_for_it() {
    let beside = |hostname: Option<&str>| {
        [class("ours", CONTROLLER), (Kind::Gateway, gateway("own", "ours", hostname))]
    };
    let own = route(&json!([{"name": "own"}]));
    let has_it = |warnings: Vec<String>| codes(&warnings).contains(&"TRL0020");
    assert!(!has_it(among(Kind::HTTPRoute, &own, &beside(Some("a.example.test")))));
    assert!(has_it(among(Kind::HTTPRoute, &own, &beside(None))));
    // Without the Gateway it may be.
    assert!(has_it(admission_warnings(Kind::HTTPRoute, &own)));
}
