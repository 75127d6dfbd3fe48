//! The client against an API server of the test's own, over TLS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test by a panic")]

mod support;

use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use support::{ApiServer, Ca, answer, failure, get, list, object_missing, page_missing};
use trellis_gateway::Read;
use trellis_hint::Kind;
use trellis_kube::{
    CONNECT_TIMEOUT, ClusterClient, ErrorClass, KubeError, PAGES_MAX, StatusChange, TokenError, TokenSource,
};
use trellis_ports::{Answer, CallError, Cluster as _, PatchOutcome};

/// Two changes of the object, and one of its status after them.
fn managed_fields() -> Value {
    json!([
        {"manager": "kubectl", "operation": "Apply", "time": "2026-01-01T00:00:05Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "edit", "operation": "Update", "time": "2026-01-01T00:00:07Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "trellis", "operation": "Update", "time": "2026-01-01T00:00:09Z", "subresource": "status"},
    ])
}

fn route() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": "default", "name": "inventory", "managedFields": managed_fields(), "uid": "u"},
    })
}

fn unreadable(result: Result<Answer, CallError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn an_object_comes_as_stored_but_of_managed_fields_with_the_time_of_its_last_change_only() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| answer(200, &route())).await;
    let client = server.client(&ca);
    let Ok(Answer::Objects(objects)) = client.read(&get(Kind::HTTPRoute, "inventory")).await else {
        panic!()
    };
    let changed = json!([{"time": "2026-01-01T00:00:07Z"}]);
    let metadata = json!({"namespace": "default", "name": "inventory", "uid": "u", "managedFields": changed});
    assert_eq!(objects[0]["metadata"], metadata);
    assert_eq!(
        server.targets(),
        ["GET /apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/inventory"]
    );
    assert_eq!(client.requests(), 1);
}

#[tokio::test]
async fn of_a_pod_only_its_readiness_is_kept() {
    let gates = json!([{"conditionType": "application-networking.k8s.aws/pod-readiness-gate"}]);
    let conditions = json!([{"type": "ContainersReady", "status": "True"}]);
    let metadata =
        json!({"namespace": "default", "name": "p", "resourceVersion": "7", "annotations": {"a": "b"}});
    let pod = json!({
        "kind": "Pod", "metadata": metadata, "status": {"podIP": "10.0.0.1", "conditions": conditions},
        "spec": {"readinessGates": gates, "containers": [{"env": [{"name": "PASSWORD", "value": "secret"}]}]},
    });
    let page = json!({"apiVersion": "v1", "items": [pod]});
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, move |request| {
        answer(200, if request.target.ends_with("/p") { &pod } else { &page })
    });
    let server = server.await;
    let client = server.client(&ca);
    for read in [get(Kind::Pod, "p"), list(Kind::Pod)] {
        let Ok(Answer::Objects(objects)) = client.read(&read).await else { panic!() };
        let metadata = json!({"namespace": "default", "name": "p", "resourceVersion": "7"});
        assert_eq!(
            (&objects[0]["metadata"], &objects[0]["spec"], &objects[0]["status"]),
            (&metadata, &json!({"readinessGates": gates}), &json!({"conditions": conditions}))
        );
    }
}

#[tokio::test]
async fn every_certificate_of_the_bundle_is_trusted() {
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    let server = ApiServer::start(&new, |_| answer(200, &route())).await;
    for bundle in [format!("{}{}", old.pem, new.pem), format!("{}\n# text between\n{}", new.pem, old.pem)] {
        let client = ClusterClient::connect(&server.url, bundle.as_bytes(), TokenSource::fixed("t")).unwrap();
        assert!(client.try_read(&get(Kind::HTTPRoute, "inventory")).await.is_ok());
    }
}

#[tokio::test]
async fn a_certificate_of_another_ca_tells_to_describe_the_cluster_again() {
    let (old, new) = (Ca::new("ca"), Ca::new("ca"));
    let server = ApiServer::start(&new, |_| answer(200, &route())).await;
    let client = server.client(&old);
    assert!(!client.must_describe_again());
    let error = client.try_read(&get(Kind::HTTPRoute, "inventory")).await.unwrap_err();
    assert!(matches!(error, KubeError::Tls { .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::DescribeAgain);
    assert!(client.must_describe_again());
    assert_eq!(
        error.to_string(),
        "the API server cannot be trusted: no certificate of the cluster's CA bundle signed its certificate"
    );
    assert!(server.asked().is_empty(), "a request went to a server that is not trusted");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_trusted() {
    let ca = Ca::new("ca");
    let server = ApiServer::start_as("example.com", &ca, |_| answer(200, &route())).await;
    let why = unreadable(server.client(&ca).read(&get(Kind::HTTPRoute, "inventory")).await);
    assert_eq!(why, "the API server cannot be trusted: its certificate is for another host");
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_tells_to_describe_the_cluster_again() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", free.local_addr().unwrap());
    drop(free);
    let client = ClusterClient::connect(&url, Ca::new("ca").pem.as_bytes(), TokenSource::fixed("t")).unwrap();
    let error = client.try_read(&list(Kind::Gateway)).await.unwrap_err();
    assert_eq!(error.to_string(), "the API server cannot be reached: connection refused");
    assert!(client.must_describe_again());
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_given_up_when_the_time_to_connect_is_over() {
    // Connections wait in the listener's backlog: nobody takes them up.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let client = ClusterClient::connect(&url, Ca::new("ca").pem.as_bytes(), TokenSource::fixed("t")).unwrap();
    let began = std::time::Instant::now();
    let error = client.try_read(&list(Kind::Gateway)).await.unwrap_err();
    assert_eq!(error.to_string(), "the API server cannot be reached: no connection in time");
    assert!(began.elapsed() < 2 * CONNECT_TIMEOUT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn endpoints_and_bundles_that_cannot_be_used_are_refused_with_the_reason() {
    let ca = Ca::new("ca");
    let connect = |url: &str, pem: &str| {
        ClusterClient::connect(url, pem.as_bytes(), TokenSource::fixed("t"))
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(connect("http://127.0.0.1", &ca.pem).contains("is not an https URL"));
    assert!(connect("not a url", &ca.pem).contains("is not an https URL"));
    assert!(connect("https://127.0.0.1", "").contains("it holds no certificate"));
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let both = connect("https://127.0.0.1", &format!("{}{nonsense}", ca.pem));
    assert!(both.contains("certificate 2 cannot be read"), "{both}");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_new_one_is_kept() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |asked| {
        if asked.bearer == "token-2" {
            answer(200, &route())
        } else {
            failure(401, "Unauthorized", &json!({}))
        }
    })
    .await;
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let tokens = TokenSource::new(move || {
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok::<_, TokenError>(format!("token-{number}")) }
    });
    let client = ClusterClient::connect(&server.url, ca.pem.as_bytes(), tokens).unwrap();
    for _ in 0..2 {
        assert!(client.try_read(&get(Kind::HTTPRoute, "inventory")).await.is_ok());
    }
    let bearers: Vec<String> = server.asked().into_iter().map(|asked| asked.bearer).collect();
    assert_eq!(bearers, ["token-1", "token-2", "token-2"]);
}

#[tokio::test]
async fn a_role_without_access_entry_is_told_after_one_new_token() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| failure(401, "Unauthorized", &json!({}))).await;
    let why = unreadable(server.client(&ca).read(&get(Kind::HTTPRoute, "inventory")).await);
    assert!(why.contains("access entry") && why.contains("trellis-reconcilers"), "{why}");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_missing_rbac_rule_is_named_with_its_file() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| failure(403, "Forbidden", &json!({}))).await;
    let why = unreadable(server.client(&ca).read(&list(Kind::EndpointSlice)).await);
    assert!(
        why.contains(
            r#"{apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list"]} (deploy/reconciler-rbac.yaml"#
        ),
        "{why}"
    );
}

#[tokio::test]
async fn only_a_404_about_this_very_object_means_that_it_is_missing() {
    let ca = Ca::new("ca");
    let cases = [
        (object_missing("httproutes", "inventory"), Answer::Objects(vec![])),
        (page_missing(), Answer::KindMissing),
        (object_missing("httproutes", "another"), Answer::KindMissing),
        (object_missing("gateways", "inventory"), Answer::KindMissing),
        (failure(404, "NotFound", &json!({})), Answer::KindMissing),
        (answer(404, &json!({"message": "no such route in the proxy"})), Answer::KindMissing),
    ];
    for (index, (response, expected)) in cases.into_iter().enumerate() {
        let response = std::sync::Mutex::new(Some(response));
        let server = ApiServer::start(&ca, move |_| response.lock().unwrap().take().unwrap()).await;
        let result = server.client(&ca).read(&get(Kind::HTTPRoute, "inventory")).await;
        assert_eq!(result.unwrap(), expected, "case {index}");
    }
}

#[tokio::test]
async fn the_version_that_is_served_is_found_once_and_found_anew_when_it_goes() {
    let ca = Ca::new("ca");
    let old_only = Arc::new(AtomicUsize::new(1));
    let old = Arc::clone(&old_only);
    let server = ApiServer::start(&ca, move |asked| {
        let served = if old.load(Ordering::SeqCst) == 1 { "/v1beta1/" } else { "/v1/" };
        if asked.target.contains(served) { answer(200, &json!({"items": []})) } else { page_missing() }
    })
    .await;
    let client = server.client(&ca);
    let list = list(Kind::ReferenceGrant);
    for _ in 0..2 {
        assert_eq!(client.read(&list).await.unwrap(), Answer::Objects(vec![]));
    }
    old_only.store(0, Ordering::SeqCst);
    assert_eq!(client.read(&list).await.unwrap(), Answer::Objects(vec![]));
    let versions: Vec<&str> =
        server.targets().iter().map(|t| if t.contains("beta") { "v1beta1" } else { "v1" }).collect();
    assert_eq!(versions, ["v1", "v1beta1", "v1beta1", "v1beta1", "v1"]);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_consistently() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |asked| {
        let page = |name: &str, next: &str| {
            json!({
                "kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": {"continue": next},
                "items": [{"metadata": {"name": name, "managedFields": []}}],
            })
        };
        answer(200, &if asked.target.contains("continue=next%2F1") { page("b", "") } else { page("a", "next/1") })
    })
    .await;
    let read = Read::List {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        kind: Kind::EndpointSlice,
        namespace: Some("default".into()),
        name: None,
        service: Some("parking".into()),
    };
    let Ok(Answer::Objects(objects)) = server.client(&ca).read(&read).await else { panic!() };
    let item = |name: &str| json!({"metadata": {"name": name}, "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"});
    assert_eq!(Answer::Objects(objects), Answer::of([item("a"), item("b")]));
    let path = "GET /apis/discovery.k8s.io/v1/namespaces/default/endpointslices?\
                &labelSelector=kubernetes.io%2Fservice-name%3Dparking&limit=500";
    assert_eq!(server.targets(), [path.to_owned(), format!("{path}&continue=next%2F1")]);
}

#[tokio::test]
async fn a_list_by_name_selects_it_in_all_namespaces() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| answer(200, &json!({"items": null}))).await;
    let read = Read::List {
        cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
        kind: Kind::Gateway,
        namespace: None,
        name: Some("my-hotel".into()),
        service: None,
    };
    assert_eq!(server.client(&ca).read(&read).await.unwrap(), Answer::Objects(vec![]));
    assert_eq!(
        server.targets(),
        ["GET /apis/gateway.networking.k8s.io/v1/gateways?&fieldSelector=metadata.name%3Dmy-hotel&limit=500"]
    );
}

#[tokio::test]
async fn an_endless_list_is_refused_whole() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| {
        answer(200, &json!({"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]}))
    })
    .await;
    let why = unreadable(server.client(&ca).read(&list(Kind::HTTPRoute)).await);
    assert!(why.contains("more than 20000 httproutes"), "{why}");
    assert_eq!(server.asked().len(), PAGES_MAX);
}

#[tokio::test]
async fn a_list_whose_continue_token_expired_is_begun_anew_once() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |asked| {
        if asked.target.contains("continue=") {
            failure(410, "Expired", &json!({}))
        } else {
            answer(200, &json!({"metadata": {"continue": "more"}, "items": []}))
        }
    })
    .await;
    let why = unreadable(server.client(&ca).read(&list(Kind::HTTPRoute)).await);
    assert!(why.contains("410 Expired"), "{why}");
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn passing_failures_are_outlasted_and_lasting_ones_are_told() {
    let ca = Ca::new("ca");
    let failures = Arc::new(AtomicUsize::new(2));
    let left = Arc::clone(&failures);
    let server = ApiServer::start(&ca, move |_| {
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { failure(429, "TooManyRequests", &json!({})) } else { answer(200, &route()) }
    })
    .await;
    let client = server.client(&ca);
    assert!(client.try_read(&get(Kind::HTTPRoute, "inventory")).await.is_ok());
    assert_eq!(server.asked().len(), 3);
    failures.store(100, Ordering::SeqCst);
    let error = client.try_read(&get(Kind::HTTPRoute, "inventory")).await.unwrap_err();
    assert_eq!(error.to_string(), "the API server cannot get httproutes at present: 429 TooManyRequests");
    assert_eq!((error.class(), server.asked().len()), (ErrorClass::Retry, 6));
    assert!(!client.must_describe_again());
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_asked_for_is_an_error_and_no_missing_object() {
    let ca = Ca::new("ca");
    for body in [json!("text"), json!({}), json!({"items": [3]}), json!({"metadata": {"name": "another"}})] {
        let shown = body.clone();
        let server = ApiServer::start(&ca, move |_| answer(200, &body)).await;
        let client = server.client(&ca);
        for read in [list(Kind::HTTPRoute), get(Kind::HTTPRoute, "inventory")] {
            let why = unreadable(client.read(&read).await);
            assert!(why.contains("cannot be understood"), "{shown}: {why}");
        }
    }
}

#[tokio::test]
async fn names_that_no_object_can_have_are_not_asked_for() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| answer(200, &route())).await;
    let client = server.client(&ca);
    for name in ["../../secrets/x", "", "a,b"] {
        assert_eq!(client.read(&get(Kind::HTTPRoute, name)).await.unwrap(), Answer::Objects(vec![]));
    }
    assert!(server.asked().is_empty());
}

fn change(status: &Value) -> StatusChange<'_> {
    StatusChange {
        kind: Kind::HTTPRoute,
        namespace: "default",
        name: "inventory",
        resource_version: "7",
        status,
    }
}

#[tokio::test]
async fn a_status_is_merged_into_the_status_subresource_guarded_by_the_resource_version() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| answer(200, &route())).await;
    let status = json!({"parents": []});
    let outcome = server.client(&ca).patch_status(&change(&status)).await.unwrap();
    assert_eq!(outcome, PatchOutcome::Patched);
    let asked = server.asked().remove(0);
    assert_eq!(asked.method, "PATCH");
    assert_eq!(
        asked.target.trim_end_matches('?'),
        "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/inventory/status"
    );
    assert_eq!(asked.content_type, "application/merge-patch+json");
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body, json!({"metadata": {"resourceVersion": "7"}, "status": {"parents": []}}));
}

#[tokio::test]
async fn a_status_meets_a_newer_object_or_none() {
    let ca = Ca::new("ca");
    let status = json!({});
    let outcomes = [
        (failure(409, "Conflict", &json!({})), Ok(PatchOutcome::Conflict)),
        (object_missing("httproutes", "inventory"), Ok(PatchOutcome::Gone)),
        (page_missing(), Err(ErrorClass::Terminal)),
        (failure(422, "Invalid", &json!({})), Err(ErrorClass::Terminal)),
        (failure(403, "Forbidden", &json!({})), Err(ErrorClass::Terminal)),
    ];
    for (index, (response, expected)) in outcomes.into_iter().enumerate() {
        let response = std::sync::Mutex::new(Some(response));
        let server = ApiServer::start(&ca, move |_| response.lock().unwrap().take().unwrap()).await;
        let outcome = server.client(&ca).patch_status(&change(&status)).await;
        assert_eq!(outcome.map_err(|error| error.class()), expected, "case {index}");
    }
}

#[tokio::test]
async fn a_forbidden_status_names_the_rule_of_the_subresource() {
    let ca = Ca::new("ca");
    let server = ApiServer::start(&ca, |_| failure(403, "Forbidden", &json!({}))).await;
    let status = json!({});
    let error = server.client(&ca).patch_status(&change(&status)).await.unwrap_err().to_string();
    assert!(error.contains(r#"resources: ["httproutes/status"], verbs: ["patch"]"#), "{error}");
}
