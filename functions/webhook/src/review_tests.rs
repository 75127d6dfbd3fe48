//! The admission facts that reach the webhook, one row each.

use super::*;
use crate::interest::REFERRING_KINDS;
use serde_json::json;
use std::collections::BTreeSet;

const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// A request as the API server sends it; `change` edits a plain CREATE, UPDATE or DELETE of that kind.
fn request(group: &str, kind: &str, operation: &str, change: impl FnOnce(&mut Value)) -> Value {
    let object = json!({"metadata": {"name": "n", "namespace": "ns", "uid": "u", "generation": 2,
        "resourceVersion": "7", "managedFields": [{"manager": "kubectl"}]}, "spec": {"port": 2}, "status": {}});
    let mut old = object.clone();
    old["metadata"]["generation"] = json!(1);
    old["spec"]["port"] = json!(1);
    let (object, old) = match operation {
        "CREATE" => (object, Value::Null),
        "DELETE" => (Value::Null, old),
        _ => (object, old),
    };
    let mut request = json!({"uid": "r", "kind": {"group": group, "version": "v1", "kind": kind}, "name": "n",
        "namespace": "ns", "operation": operation, "dryRun": false, "object": object, "oldObject": old});
    change(&mut request);
    request
}

fn gateway(operation: &str, change: impl FnOnce(&mut Value)) -> Value {
    request(GATEWAY_API, "Gateway", operation, change)
}

/// Only `ns/named` counts.
fn narrow_interest() -> Interest {
    let mut interest = Interest::new();
    for kind in REFERRING_KINDS {
        interest.replace(kind, []);
    }
    let named = BTreeSet::from([("ns".to_owned(), "named".to_owned())]);
    interest.apply(Kind::HTTPRoute, ("ns".to_owned(), "r".to_owned()), named);
    interest
}

fn decided(request: &Value) -> Decision {
    decide(request, &"arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(), &narrow_interest())
}

/// The hints in short: operation, unit, generation.
fn hinted(request: &Value) -> Vec<(Operation, String, i64)> {
    match decided(request) {
        Decision::Hints(hints) => hints
            .iter()
            .map(|UnitHint { hint, .. }| (hint.operation, hint.unit.to_string(), hint.object.generation))
            .collect(),
        Decision::Drop(reason) => panic!("dropped as {reason:?}: {request}"),
    }
}

#[track_caller]
fn assert_dropped(request: &Value, reason: DropReason) {
    assert_eq!(decided(request), Decision::Drop(reason), "{request}");
}

fn unit(operation: Operation, unit: &str, generation: i64) -> Vec<(Operation, String, i64)> {
    vec![(operation, unit.to_owned(), generation)]
}

#[test]
fn a_create_is_hinted_with_the_generation_that_will_be_stored() {
    let create = gateway("CREATE", |request| request["object"]["metadata"]["resourceVersion"] = Value::Null);
    assert_eq!(hinted(&create), unit(Operation::Create, "gateway/123456789012/us-west-2/n", 2));
}

#[test]
fn an_update_of_the_spec_is_hinted_with_the_new_generation() {
    assert_eq!(
        hinted(&gateway("UPDATE", |_| {})),
        unit(Operation::Update, "gateway/123456789012/us-west-2/n", 2)
    );
}

#[test]
fn an_update_of_labels_annotations_or_finalizers_alone_is_hinted() {
    for field in ["labels", "annotations", "finalizers"] {
        let update = gateway("UPDATE", |request| {
            request["oldObject"] = request["object"].clone();
            request["object"]["metadata"][field] = json!(["a"]);
        });
        assert_eq!(
            hinted(&update),
            unit(Operation::Update, "gateway/123456789012/us-west-2/n", 2),
            "{field}"
        );
    }
}

#[test]
fn an_update_that_stores_nothing_new_is_dropped() {
    for field in ["managedFields", "resourceVersion", "generation"] {
        let update = gateway("UPDATE", |request| {
            request["oldObject"] = request["object"].clone();
            request["object"]["metadata"][field] = json!("other");
        });
        assert_dropped(&update, DropReason::NoChange);
    }
    let of_status_only = gateway("UPDATE", |request| {
        request["oldObject"] = request["object"].clone();
        request["oldObject"]["status"] = json!({"conditions": []});
    });
    assert_dropped(&of_status_only, DropReason::NoChange);
}

#[test]
fn a_field_that_goes_or_comes_is_a_change() {
    for side in ["object", "oldObject"] {
        let update = gateway("UPDATE", |request| {
            request["oldObject"] = request["object"].clone();
            request[side]["data"] = json!({});
        });
        assert_eq!(hinted(&update).len(), 1, "{side}");
    }
}

#[test]
fn dry_runs_are_dropped_however_they_are_said() {
    assert_dropped(&gateway("CREATE", |request| request["dryRun"] = json!(true)), DropReason::DryRun);
    let by_options = gateway("CREATE", |request| request["options"] = json!({"dryRun": ["All"]}));
    assert_dropped(&by_options, DropReason::DryRun);
    assert_eq!(hinted(&gateway("CREATE", |request| request["options"] = json!({"dryRun": []}))).len(), 1);
}

#[test]
fn subresources_are_dropped() {
    assert_dropped(
        &gateway("UPDATE", |request| request["subResource"] = json!("status")),
        DropReason::Subresource,
    );
    assert_eq!(hinted(&gateway("UPDATE", |request| request["subResource"] = json!(""))).len(), 1);
}

#[test]
fn a_delete_is_hinted_from_the_old_object_alone() {
    assert_eq!(
        hinted(&gateway("DELETE", |_| {})),
        unit(Operation::Delete, "gateway/123456789012/us-west-2/n", 1)
    );
}

#[test]
fn a_delete_of_a_collection_or_a_namespace_has_no_name_and_is_named_by_its_object() {
    let nameless = gateway("DELETE", |request| {
        request.as_object_mut().unwrap().remove("name");
        request["oldObject"]["metadata"]["name"] = json!("other");
    });
    assert_eq!(hinted(&nameless), unit(Operation::Delete, "gateway/123456789012/us-west-2/other", 1));
    assert_eq!(hinted(&gateway("DELETE", |request| request["name"] = json!(""))).len(), 1);
}

#[test]
fn a_delete_while_terminating_is_hinted_again() {
    let again = gateway("DELETE", |request| {
        request["oldObject"]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    assert_eq!(hinted(&again), unit(Operation::Delete, "gateway/123456789012/us-west-2/n", 1));
}

#[test]
fn removing_the_last_finalizer_of_a_terminating_object_is_its_delete() {
    let removal = |left: Value| {
        gateway("UPDATE", |request| {
            request["object"]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            request["oldObject"] = request["object"].clone();
            request["oldObject"]["metadata"]["finalizers"] = json!(["a", "b"]);
            request["object"]["metadata"]["finalizers"] = left;
        })
    };
    assert_eq!(hinted(&removal(json!([]))), unit(Operation::Delete, "gateway/123456789012/us-west-2/n", 2));
    assert_eq!(hinted(&removal(Value::Null)), unit(Operation::Delete, "gateway/123456789012/us-west-2/n", 2));
    assert_eq!(
        hinted(&removal(json!(["b"]))),
        unit(Operation::Update, "gateway/123456789012/us-west-2/n", 2)
    );
}

#[test]
fn a_retried_review_has_the_same_deduplication_id_and_a_rival_one_another() {
    let ids = |request: &Value| match decided(request) {
        Decision::Hints(hints) => hints[0].deduplication_id.clone(),
        Decision::Drop(reason) => panic!("{reason:?}"),
    };
    let first = gateway("UPDATE", |_| {});
    let retried = gateway("UPDATE", |request| request["uid"] = json!("another"));
    let rival = gateway("UPDATE", |request| request["object"]["spec"]["port"] = json!(82));
    assert_eq!(ids(&first), ids(&retried));
    assert_ne!(ids(&first), ids(&rival));
}

#[test]
fn a_route_hints_at_itself_and_at_the_gateways_before_and_after() {
    let route = request(GATEWAY_API, "HTTPRoute", "UPDATE", |request| {
        request["oldObject"]["spec"] = json!({"parentRefs": [{"name": "a"}]});
        request["object"]["spec"] = json!({"parentRefs": [{"name": "b"}]});
    });
    let units: Vec<String> = hinted(&route).into_iter().map(|(_, unit, _)| unit).collect();
    assert_eq!(
        units,
        [
            "route/123456789012/us-west-2/HTTPRoute/one/ns/n",
            "gateway/123456789012/us-west-2/a",
            "gateway/123456789012/us-west-2/b"
        ]
    );
}

#[test]
fn each_kind_of_ours_is_hinted_and_its_namesakes_of_other_groups_are_not() {
    for kind in Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Service | Kind::EndpointSlice)) {
        assert!(!hinted(&request(kind.group(), kind.as_str(), "UPDATE", |_| {})).is_empty(), "{kind}");
        assert_dropped(&request("example.com", kind.as_str(), "UPDATE", |_| {}), DropReason::OtherKind);
    }
    assert_dropped(&request("", "Pod", "CREATE", |_| {}), DropReason::OtherKind);
    assert_dropped(&request("networking.istio.io", "Gateway", "CREATE", |_| {}), DropReason::OtherKind);
}

#[test]
fn cluster_scoped_kinds_have_no_namespace_even_if_the_request_names_one() {
    let namespace = request("", "Namespace", "UPDATE", |request| request["namespace"] = json!("n"));
    assert_eq!(
        hinted(&namespace),
        unit(Operation::Update, "dependents/123456789012/us-west-2/Namespace/one//n", 2)
    );
}

#[test]
fn a_gateway_class_of_another_controller_is_dropped() {
    let class = |controller: &str| {
        request(GATEWAY_API, "GatewayClass", "CREATE", |request| {
            request["object"]["spec"] = json!({"controllerName": controller});
        })
    };
    assert_dropped(&class("example.com/other"), DropReason::OtherController);
    assert_eq!(
        hinted(&class(CONTROLLER)),
        unit(Operation::Create, "dependents/123456789012/us-west-2/GatewayClass/one//n", 2)
    );
}

#[test]
fn services_and_slices_count_only_where_a_route_or_an_export_names_the_service() {
    let service = |name: &str| request("", "Service", "UPDATE", |request| request["name"] = json!(name));
    assert_eq!(
        hinted(&service("named")),
        unit(Operation::Update, "dependents/123456789012/us-west-2/Service/one/ns/named", 2)
    );
    assert_dropped(&service("other"), DropReason::NoInterest);

    let slice = |old: Value, new: Value| {
        request("discovery.k8s.io", "EndpointSlice", "UPDATE", |request| {
            request["oldObject"]["metadata"]["labels"] = old;
            request["object"]["metadata"]["labels"] = new;
        })
    };
    let of = |service: &str| json!({"kubernetes.io/service-name": service});
    let expected = unit(Operation::Update, "dependents/123456789012/us-west-2/Service/one/ns/named", 2);
    assert_eq!(hinted(&slice(of("other"), of("named"))), expected);
    assert_eq!(hinted(&slice(of("named"), Value::Null)), expected);
    assert_dropped(&slice(of("other"), of("other")), DropReason::NoInterest);
    assert_dropped(&slice(Value::Null, Value::Null), DropReason::NoInterest);
}

#[test]
fn what_cannot_be_read_is_dropped() {
    for nonsense in [json!(null), json!([]), json!("x"), json!({}), json!({"kind": "Gateway"})] {
        assert_dropped(&nonsense, DropReason::Unreadable);
    }
    assert_dropped(&gateway("CONNECT", |_| {}), DropReason::Unreadable);
    let nameless = gateway("UPDATE", |request| {
        request["name"] = Value::Null;
        request["object"] = json!([1]);
        request["oldObject"] = json!({"metadata": 7});
    });
    assert_dropped(&nameless, DropReason::Unreadable);
}

#[test]
fn an_object_of_an_unexpected_shape_is_still_hinted_by_its_name() {
    let strange = gateway("UPDATE", |request| {
        request["object"] = json!("x");
        request["oldObject"] = json!(7);
    });
    assert_eq!(hinted(&strange), unit(Operation::Update, "gateway/123456789012/us-west-2/n", 0));
}

#[test]
fn warnings_are_for_what_is_written_and_also_for_dry_runs() {
    let warned = |request: &Value| object_to_warn_about(request).is_some();
    assert!(warned(&gateway("CREATE", |_| {})));
    assert!(warned(&gateway("UPDATE", |request| request["dryRun"] = json!(true))));
    assert!(!warned(&gateway("DELETE", |_| {})));
    assert!(!warned(&gateway("UPDATE", |request| request["subResource"] = json!("status"))));
    assert!(!warned(
        &gateway("UPDATE", |request| request["object"]["metadata"]["deletionTimestamp"] = json!("t"))
    ));
    assert!(!warned(&request("", "Pod", "CREATE", |_| {})));
    assert!(!warned(&json!(null)));
}

#[test]
fn an_entry_carries_the_group_of_its_unit_and_a_body_that_is_read_back() {
    let Decision::Hints(hints) = decided(&gateway("CREATE", |_| {})) else { panic!("dropped") };
    let entry = Entry::from(&hints[0]);
    assert_eq!(entry.group_id, "gateway/123456789012/us-west-2/n");
    assert_eq!(entry.deduplication_id, hints[0].deduplication_id);
    assert_eq!(Hint::parse(&entry.body).unwrap(), hints[0].hint);
}
