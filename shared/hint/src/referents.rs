use crate::Kind;
use serde_json::Value;
use std::collections::BTreeSet;

/// The annotation by which a ServiceExport names a Service other than its namesake.
pub const SERVICE_NAME_ANNOTATION: &str = "application-networking.k8s.aws/service-name";

/// The kind of a route's backend, by the reference's group and kind; none for one that no route can lead to.
///
/// The core group is written empty or `core`. Many an example of the AWS Gateway API Controller leaves the group of a
/// ServiceImport out; the core group has no kind of that name, so the meaning is plain.
pub fn backend_kind(group: &str, kind: &str) -> Option<Kind> {
    match (group, kind) {
        ("" | "core", "Service") => Some(Kind::Service),
        ("" | "application-networking.k8s.aws", "ServiceImport") => Some(Kind::ServiceImport),
        (group, "Backend") if group == Kind::Backend.group() => Some(Kind::Backend),
        _ => None,
    }
}

/// The name of the Service that a ServiceExport of this name exports; `annotated` is the value of
/// [`SERVICE_NAME_ANNOTATION`].
pub fn exported_service<'a>(name: &'a str, annotated: Option<&'a str>) -> &'a str {
    annotated.filter(|annotated| !annotated.is_empty()).unwrap_or(name)
}

/// What an object leads requests to, as kind, namespace and name: a route's Services, ServiceImports and Backends, a
/// ServiceExport's Service. Other kinds lead nowhere. What cannot be read names nothing.
///
/// Whoever needs to know which Services matter asks here, so that nobody holds another opinion than the translation.
pub fn referents(kind: Kind, object: &Value) -> BTreeSet<(Kind, String, String)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    if kind == Kind::ServiceExport {
        let annotations = object.pointer("/metadata/annotations");
        let annotated = annotations.and_then(|all| all.get(SERVICE_NAME_ANNOTATION)).and_then(Value::as_str);
        let service = exported_service(name, annotated);
        let found = (!service.is_empty()).then(|| (Kind::Service, namespace.to_owned(), service.to_owned()));
        return found.into_iter().collect();
    }
    if !kind.is_route() {
        return BTreeSet::new();
    }
    let rules = object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
    let backends = rules.filter_map(|rule| rule.get("backendRefs").and_then(Value::as_array)).flatten();
    backends.filter_map(|backend| referent(backend, namespace)).collect()
}

fn referent(backend: &Value, route_namespace: &str) -> Option<(Kind, String, String)> {
    let text = |member: &str| backend.get(member).and_then(Value::as_str);
    let kind = backend_kind(text("group").unwrap_or_default(), text("kind").unwrap_or("Service"))?;
    let name = text("name").filter(|name| !name.is_empty())?;
    Some((kind, text("namespace").unwrap_or(route_namespace).to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(kind: Kind, object: &Value) -> Vec<String> {
        let all = referents(kind, object).into_iter();
        all.map(|(kind, namespace, name)| format!("{kind} {namespace}/{name}")).collect()
    }

    #[test]
    fn a_route_names_its_services_and_imports() {
        let route = json!({"metadata": {"name": "r", "namespace": "shop"}, "spec": {"rules": [
            {"backendRefs": [{"name": "plain"}, {"name": "typed", "kind": "Service", "group": "", "namespace": "other"},
                {"name": "imported", "kind": "ServiceImport", "group": "application-networking.k8s.aws"},
                {"name": "short", "kind": "ServiceImport"}, {"name": ""}, 7, {"name": "b", "kind": "Bucket"}]},
            {"matches": []}, {"backendRefs": "x"}]}});
        let expected = [
            "ServiceImport shop/imported",
            "ServiceImport shop/short",
            "Service other/typed",
            "Service shop/plain",
        ];
        assert_eq!(texts(Kind::HTTPRoute, &route), expected);
        assert!(texts(Kind::Gateway, &route).is_empty());
        assert!(texts(Kind::HTTPRoute, &json!([])).is_empty());
    }

    #[test]
    fn the_core_group_may_be_written_out() {
        let route = json!({"metadata": {"name": "r", "namespace": "shop"}, "spec": {"rules": [
            {"backendRefs": [{"group": "core", "kind": "Service", "name": "s"}, {"group": "apps", "name": "no"}]}]}});
        assert_eq!(texts(Kind::GRPCRoute, &route), ["Service shop/s"]);
    }

    #[test]
    fn an_export_names_its_namesake_or_the_annotated_service() {
        let mut export = json!({"metadata": {"name": "e", "namespace": "shop"}});
        assert_eq!(texts(Kind::ServiceExport, &export), ["Service shop/e"]);
        export["metadata"]["annotations"] = json!({SERVICE_NAME_ANNOTATION: "real"});
        assert_eq!(texts(Kind::ServiceExport, &export), ["Service shop/real"]);
        assert!(texts(Kind::ServiceExport, &json!({})).is_empty());
    }
}
