//! The admission facts that reach the webhook, one row each.

use super::*;
use crate::interest::Viewed;
use serde_json::json;
use std::time::Duration;
use trellis_hint::names::NAME_CHARS_MAX;

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

/// Only `ns/named` counts, which route `ns/r` names.
fn narrow_interest() -> Interest {
    let (mut interest, now) = (Interest::new(), Instant::now());
    for kind in REFERRING_KINDS {
        let _ = interest.replace(kind, [], now);
    }
    let route = json!({"metadata": {"name": "r", "namespace": "ns"}, "spec": {"rules": [{"backendRefs": [{"name": "named"}]}]}});
    let references = references_of(&cluster(), Kind::HTTPRoute, &route);
    let viewed = Viewed { name: ("ns".to_owned(), "r".to_owned()), references, age: Duration::ZERO };
    let _ = interest.apply(Kind::HTTPRoute, viewed, now);
    interest
}

fn cluster() -> ClusterId {
    "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
}

fn decided(request: &Value) -> Decision {
    decide(request, &cluster(), &narrow_interest(), Instant::now())
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
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| !matches!(kind, Kind::Service | Kind::EndpointSlice | Kind::Pod | Kind::DNSEndpoint))
    {
        assert!(!hinted(&request(kind.group(), kind.as_str(), "UPDATE", |_| {})).is_empty(), "{kind}");
        assert_dropped(&request("example.com", kind.as_str(), "UPDATE", |_| {}), DropReason::OtherKind);
    }
    assert_dropped(&request("", "Pod", "UPDATE", |_| {}), DropReason::NoInterest);
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
        unit(Operation::Update, "route/123456789012/us-west-2/HTTPRoute/one/ns/r", 2)
    );
    assert_dropped(&service("other"), DropReason::NoInterest);

    let slice = |old: Value, new: Value| {
        request("discovery.k8s.io", "EndpointSlice", "UPDATE", |request| {
            request["oldObject"]["metadata"]["labels"] = old;
            request["object"]["metadata"]["labels"] = new;
        })
    };
    let of = |service: &str| json!({"kubernetes.io/service-name": service});
    let expected = unit(Operation::Update, "route/123456789012/us-west-2/HTTPRoute/one/ns/r", 2);
    assert_eq!(hinted(&slice(of("other"), of("named"))), expected);
    assert_eq!(hinted(&slice(of("named"), Value::Null)), expected);
    assert_dropped(&slice(of("other"), of("other")), DropReason::NoInterest);
    assert_dropped(&slice(Value::Null, Value::Null), DropReason::NoInterest);
}

#[test]
fn while_the_referrers_are_not_known_a_search_for_them_is_hinted() {
    let service = request("", "Service", "UPDATE", |_| {});
    let Decision::Hints(hints) = decide(&service, &cluster(), &Interest::new(), Instant::now()) else {
        panic!("dropped")
    };
    let units: Vec<String> = hints.iter().map(|hint| hint.hint.unit.to_string()).collect();
    assert_eq!(units, ["dependents/123456789012/us-west-2/Service/one/ns/n"]);
}

/// That unit writes the policy's status and tells the Service's routes.
#[test]
fn the_policy_of_a_service_is_told_to_the_services_own_unit_whoever_refers_to_it() {
    let policy = request("application-networking.k8s.aws", "TargetGroupPolicy", "UPDATE", |request| {
        for member in ["object", "oldObject"] {
            request[member]["spec"] = json!({"targetRef": {"group": "", "kind": "Service", "name": "named"}});
        }
        request["object"]["spec"]["protocol"] = json!("HTTPS");
    });
    assert_eq!(
        hinted(&policy),
        unit(Operation::Update, "dependents/123456789012/us-west-2/Service/one/ns/named", 2)
    );
    let review = read(&policy, &cluster()).unwrap();
    assert_eq!(review.services().count(), 0, "no Service has changed");
}

#[test]
fn a_hint_tells_the_version_before_and_the_request_that_it_comes_from() {
    let told = |request: &Value| match decided(request) {
        Decision::Hints(hints) => (hints[0].hint.old_resource_version.clone(), hints[0].hint.trace.clone()),
        Decision::Drop(reason) => panic!("{reason:?}"),
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(told(&gateway("UPDATE", |_| {})), (text("7"), text("r")));
    assert_eq!(told(&gateway("CREATE", |_| {})), (None, text("r")));
    assert_eq!(told(&gateway("UPDATE", |request| request["uid"] = json!("a\nb"))), (text("7"), None));
}

/// What no object can be makes no hint, however it is said.
#[test]
fn what_no_object_can_be_is_refused_at_the_door() {
    let long = "n".repeat(NAME_CHARS_MAX + 1);
    let huge = "n".repeat(1024 * 1024);
    for name in [long.as_str(), &huge, "N", "a b", "a/b", "../a", "-", "a\nb", "ü", "a_b"] {
        assert_dropped(&gateway("CREATE", |request| request["name"] = json!(name)), DropReason::Impossible);
        let nameless = gateway("DELETE", |request| {
            request["name"] = json!("");
            request["oldObject"]["metadata"]["name"] = json!(name);
        });
        assert_dropped(&nameless, DropReason::Impossible);
        let elsewhere = gateway("CREATE", |request| request["namespace"] = json!(name));
        assert_dropped(&elsewhere, DropReason::Impossible);
        let identified =
            gateway("CREATE", |request| request["object"]["metadata"]["uid"] = json!(format!("{name} ")));
        assert_dropped(&identified, DropReason::Impossible);
    }
    let dotted =
        |kind: &str, group: &str| request(group, kind, "UPDATE", |request| request["name"] = json!("a.b"));
    assert_dropped(&dotted("Service", ""), DropReason::Impossible);
    assert_dropped(&dotted("Namespace", ""), DropReason::Impossible);
    assert_eq!(hinted(&dotted("Gateway", GATEWAY_API)).len(), 1);
    assert_dropped(&gateway("CREATE", |request| request["namespace"] = json!("a.b")), DropReason::Impossible);
    let before_its_birth =
        gateway("CREATE", |request| request["object"]["metadata"]["generation"] = json!(-1));
    assert_dropped(&before_its_birth, DropReason::Impossible);
    let of_another_kind = gateway("CREATE", |request| request["object"]["kind"] = json!("HTTPRoute"));
    assert_dropped(&of_another_kind, DropReason::Impossible);
}

#[test]
fn a_slice_whose_label_names_no_possible_service_is_refused() {
    for label in ["a/b", "A", &"s".repeat(64), &"s".repeat(1024 * 1024)] {
        let slice = request("discovery.k8s.io", "EndpointSlice", "CREATE", |request| {
            request["object"]["metadata"]["labels"] = json!({"kubernetes.io/service-name": label});
        });
        let Decision::Drop(reason) = decided(&slice) else { panic!("{label}") };
        assert!(matches!(reason, DropReason::Impossible | DropReason::NoInterest), "{reason:?}");
    }
}

#[test]
fn a_route_of_parents_that_cannot_be_is_hinted_without_them_and_one_of_too_many_is_refused() {
    let with_parents = |parents: Vec<Value>| {
        request(GATEWAY_API, "HTTPRoute", "CREATE", |request| {
            request["object"]["spec"] = json!({"parentRefs": parents});
        })
    };
    let named = |name: &str| json!({"name": name});
    let strange = with_parents(vec![named("a/b"), named("a"), named(&"x".repeat(1024 * 1024))]);
    let units: Vec<String> = hinted(&strange).into_iter().map(|(_, unit, _)| unit).collect();
    assert_eq!(
        units,
        ["route/123456789012/us-west-2/HTTPRoute/one/ns/n", "gateway/123456789012/us-west-2/a"]
    );
    let many = |count: usize| with_parents((0..count).map(|number| named(&format!("g{number}"))).collect());
    assert_eq!(hinted(&many(32)).len(), 33);
    assert_dropped(&many(10_000), DropReason::Impossible);
}

#[test]
fn the_longest_hint_of_a_possible_object_fits_many_times_into_what_its_reader_takes() {
    let (name, namespace) = ("n".repeat(NAME_CHARS_MAX), "s".repeat(63));
    let longest = request(GATEWAY_API, "HTTPRoute", "UPDATE", |request| {
        request["name"] = json!(name);
        request["namespace"] = json!(namespace);
        request["uid"] = json!("u".repeat(64));
        request["object"]["metadata"]["uid"] = json!("u".repeat(64));
        request["oldObject"]["metadata"]["resourceVersion"] = json!("9".repeat(64));
        request["object"]["metadata"]["generation"] = json!(i64::MAX);
    });
    let cluster = format!("arn:aws:eks:us-west-2:123456789012:cluster/{}", "c".repeat(100)).parse().unwrap();
    let Decision::Hints(hints) = decide(&longest, &cluster, &Interest::new(), Instant::now()) else {
        panic!("dropped")
    };
    assert!(hints[0].hint.body().len() < 2048, "{}", hints[0].hint.body().len());
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
fn what_is_deleted_is_told_of_also_in_dry_runs() {
    let told = |request: &Value| object_to_be_deleted(request).map(|(kind, _)| kind);
    assert_eq!(told(&gateway("DELETE", |_| {})), Some(Kind::Gateway));
    assert_eq!(told(&gateway("DELETE", |request| request["dryRun"] = json!(true))), Some(Kind::Gateway));
    assert_eq!(told(&gateway("UPDATE", |_| {})), None);
    assert_eq!(told(&gateway("DELETE", |request| request["subResource"] = json!("status"))), None);
    assert_eq!(told(&gateway("DELETE", |request| request["oldObject"] = json!(null))), None);
}

#[test]
fn an_entry_carries_the_group_of_its_unit_and_a_body_that_is_read_back() {
    let Decision::Hints(hints) = decided(&gateway("CREATE", |_| {})) else { panic!("dropped") };
    let entry = Entry::from(&hints[0]);
    assert_eq!(entry.group_id, "gateway/123456789012/us-west-2/n");
    assert_eq!(entry.deduplication_id, hints[0].deduplication_id);
    assert_eq!(Hint::parse(&entry.body).unwrap(), hints[0].hint);
}
