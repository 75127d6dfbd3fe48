//! New Pods, and what they get.

use super::*;
use crate::interest::{Viewed, object_name};
use crate::neighbours::{Kept, Objects};
use crate::review::references_of;
use std::time::Duration;
use trellis_gateway::{BEHIND_KINDS, BESIDE_KINDS, CONTROLLER, REFERRING_KINDS};

fn cluster() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

/// What a webhook knows.
struct Known {
    interest: Interest,
    neighbours: Neighbours,
}

impl Known {
    /// Everything is in view: a class of ours and one of somebody else, a Gateway of each, and the Service `shop` of the
    /// namespace `ns`.
    fn new() -> Self {
        let mut known = Self { interest: Interest::new(), neighbours: Neighbours::default() };
        for kind in REFERRING_KINDS {
            let _ = known.interest.replace(kind, [], Instant::now());
        }
        for kind in BESIDE_KINDS.into_iter().chain(BEHIND_KINDS) {
            known.neighbours.replace(kind, Objects::default());
        }
        for (name, controller) in [("ours", CONTROLLER), ("theirs", "example.com/other")] {
            known.put(
                Kind::GatewayClass,
                &json!({"metadata": {"name": name}, "spec": {"controllerName": controller}}),
            );
            let spec = json!({"gatewayClassName": name, "listeners": []});
            known.put(Kind::Gateway, &json!({"metadata": {"name": name, "namespace": "ns"}, "spec": spec}));
        }
        known.service("shop", &json!({"app": "shop"}));
        known
    }

    fn put(&mut self, kind: Kind, object: &Value) {
        let name = object_name(object).unwrap();
        self.neighbours.apply(kind, name.clone(), Kept::of(kind, object));
        if REFERRING_KINDS.contains(&kind) {
            let references = references_of(&cluster(), kind, object);
            let viewed = Viewed { name, references, age: Duration::ZERO };
            let _ = self.interest.apply(kind, viewed, Instant::now());
        }
    }

    fn service(&mut self, name: &str, selector: &Value) {
        self.put(
            Kind::Service,
            &json!({"metadata": {"name": name, "namespace": "ns"}, "spec": {"selector": selector}}),
        );
    }

    fn route(&mut self, kind: Kind, namespace: &str, gateway: &str, service: &str) {
        let backend = json!({"name": service, "namespace": "ns", "port": 80});
        let spec = json!({
            "parentRefs": [{"name": gateway, "namespace": "ns"}], "rules": [{"backendRefs": [backend]}],
        });
        self.put(kind, &json!({"metadata": {"name": "r", "namespace": namespace}, "spec": spec}));
    }

    fn outcome(&self, pod: &Value) -> &'static str {
        self.gated(pod).outcome
    }

    fn gated(&self, pod: &Value) -> Gated {
        let request = json!({
            "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": "ns",
            "object": pod,
        });
        let pod = new_pod(&request).unwrap();
        gated(&cluster(), &request, pod, (&self.interest, &self.neighbours), Instant::now())
    }
}

/// Made by a ReplicaSet, it has no name and no namespace yet.
fn pod(labels: &Value) -> Value {
    json!({"metadata": {"generateName": "shop-", "labels": labels}, "spec": {"containers": [{"name": "c"}]}})
}

fn shop() -> Value {
    pod(&json!({"app": "shop", "pod-template-hash": "x"}))
}

#[test]
fn a_pod_behind_a_route_of_any_kind_or_an_export_gets_the_gate() {
    let gate = vec![add("/spec/readinessGates", &json!([{"conditionType": READINESS_GATE}]))];
    for kind in [Kind::HTTPRoute, Kind::GRPCRoute, Kind::TLSRoute] {
        let mut known = Known::new();
        known.route(kind, "ns", "ours", "shop");
        assert_eq!(
            known.gated(&shop()),
            Gated { patch: gate.clone(), warning: None, outcome: "gated" },
            "{kind}"
        );
        assert_eq!(known.outcome(&pod(&json!({"app": "other"}))), "no_interest");
    }
    let annotations = json!({"application-networking.k8s.aws/service-name": "shop"});
    for metadata in [
        json!({"name": "shop", "namespace": "ns"}),
        json!({"name": "renamed", "namespace": "ns", "annotations": annotations}),
    ] {
        let mut known = Known::new();
        known.put(Kind::ServiceExport, &json!({"metadata": metadata}));
        assert_eq!(known.gated(&shop()).patch, gate, "{metadata}");
    }
}

#[test]
fn a_pod_behind_nothing_of_ours_gets_none() {
    let mut known = Known::new();
    assert_eq!(known.outcome(&shop()), "no_interest", "no route");
    known.route(Kind::HTTPRoute, "ns", "theirs", "shop");
    assert_eq!(known.outcome(&shop()), "no_interest", "another controller's route");
    known.route(Kind::HTTPRoute, "ns", "none", "shop");
    assert_eq!(known.outcome(&shop()), "no_interest", "no such Gateway");
    known.route(Kind::HTTPRoute, "ns", "ours", "other");
    assert_eq!(known.outcome(&shop()), "no_interest", "another Service");
    known.service("all", &json!({}));
    known.route(Kind::HTTPRoute, "ns", "ours", "all");
    assert_eq!(known.outcome(&shop()), "no_interest", "a Service without a selector");
}

/// Nobody would meet the gate of a Pod that a stranger's route names.
#[test]
fn a_route_of_another_namespace_counts_where_a_grant_lets_it() {
    let mut known = Known::new();
    known.route(Kind::HTTPRoute, "far", "ours", "shop");
    assert_eq!(known.outcome(&shop()), "no_interest");
    let from = json!([{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "far"}]);
    let spec = json!({"from": from, "to": [{"group": "", "kind": "Service"}]});
    known.put(Kind::ReferenceGrant, &json!({"metadata": {"name": "g", "namespace": "ns"}, "spec": spec}));
    assert_eq!(known.outcome(&shop()), "gated");
}

#[test]
fn while_something_is_not_in_view_no_pod_gets_the_gate() {
    let mut known = Known::new();
    known.route(Kind::HTTPRoute, "ns", "ours", "shop");
    known.neighbours.lose(Kind::Service);
    assert_eq!(known.outcome(&shop()), "not_known");
    let mut known = Known::new();
    known.route(Kind::HTTPRoute, "ns", "ours", "shop");
    known.interest.lose(Kind::ServiceExport);
    assert_eq!(known.outcome(&shop()), "not_known");
}

#[test]
fn a_pod_that_has_the_gate_is_left_as_it_is_and_others_keep_theirs() {
    let mut known = Known::new();
    known.route(Kind::HTTPRoute, "ns", "ours", "shop");
    let mut pod = shop();
    pod["spec"]["readinessGates"] = json!([{"conditionType": "other"}]);
    let gate = json!({"conditionType": READINESS_GATE});
    assert_eq!(known.gated(&pod).patch, [add("/spec/readinessGates/-", &gate)]);
    pod["spec"]["readinessGates"] = json!([{"conditionType": "other"}, gate]);
    assert_eq!(known.gated(&pod), Gated::as_it_is("no_change"));
}

#[test]
fn a_label_of_the_namespace_or_the_pod_asks_for_time_to_serve_on() {
    let mut known = Known::new();
    known.route(Kind::HTTPRoute, "ns", "ours", "shop");
    known.put(Kind::Namespace, &json!({"metadata": {"name": "ns", "labels": {SLEEP_LABEL: "90"}}}));
    let sleep = |seconds: u32| json!({"preStop": {"sleep": {"seconds": seconds}}});
    let patch = known.gated(&shop()).patch;
    assert_eq!(
        patch[1..],
        [
            add("/spec/containers/0/lifecycle", &sleep(90)),
            add("/spec/terminationGracePeriodSeconds", &json!(120))
        ]
    );
    let mut own = pod(&json!({"app": "shop", SLEEP_LABEL: "10"}));
    own["spec"] = json!({
        "terminationGracePeriodSeconds": 5,
        "containers": [{"lifecycle": {"preStop": {"exec": {}}}}, {"lifecycle": {"postStart": {"exec": {}}}}],
    });
    assert_eq!(
        known.gated(&own).patch[1..],
        [
            add("/spec/containers/1/lifecycle/preStop", &json!({"sleep": {"seconds": 10}})),
            add("/spec/terminationGracePeriodSeconds", &json!(15)),
        ]
    );
    own["spec"] = json!({"containers": [{"lifecycle": sleep(1)}], "readinessGates": [{"conditionType": READINESS_GATE}]});
    assert_eq!(known.gated(&own), Gated::as_it_is("no_change"), "never twice");
    for wrong in ["", "0", "-1", "1m", "601", "99999999999"] {
        let gated = known.gated(&pod(&json!({"app": "shop", SLEEP_LABEL: wrong})));
        assert_eq!((gated.patch.len(), gated.warning.is_some()), (1, true), "{wrong:?}");
    }
}

#[test]
fn only_a_pod_that_is_to_be_made_is_a_new_pod() {
    let request = |group: &str, kind: &str, operation: &str| json!({"kind": {"group": group, "kind": kind}, "operation": operation, "object": {}});
    assert!(new_pod(&request("", "Pod", "CREATE")).is_some());
    for (group, kind, operation) in [("", "Pod", "UPDATE"), ("x", "Pod", "CREATE"), ("", "Service", "CREATE")]
    {
        assert!(new_pod(&request(group, kind, operation)).is_none());
    }
    let mut eviction = request("", "Pod", "CREATE");
    eviction["subResource"] = json!("binding");
    assert!(new_pod(&eviction).is_none());
    eviction["object"] = json!(7);
    assert!(new_pod(&eviction).is_none());
}
