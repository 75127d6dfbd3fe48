use crate::names::{is_label, is_subdomain};
use crate::policy::units_of_policy;
use crate::{Kind, ObjectRef, UnitKey};
use serde_json::Value;
use std::collections::BTreeSet;

/// The units that a change of an object concerns.
///
/// | kind | units |
/// |---|---|
/// | Gateway, ServiceNetwork | the service network of that name; the reconciler then hints at a Gateway's routes |
/// | HTTPRoute, GRPCRoute, TLSRoute | the route, and the Gateways it names (they count attached routes), before and after |
/// | ServiceExport | the export, and the routes anywhere that import it |
/// | Service, EndpointSlice | whoever refers to the Service |
/// | GatewayClass, ReferenceGrant, ServiceImport, Backend, Namespace | whoever refers to it |
/// | ResourceGateway, ResourceConfiguration | the unit of its own |
/// | Pod | nobody: the EndpointSlice of its Service tells |
/// | DNSEndpoint | nobody: its route's unit is its writer |
/// | a policy | the units of its targets, before and after, and of a ServiceExport those that import it; itself where it names none or a wrong one |
///
/// `object` and `old_object` are those of the admission review; either may be absent.
pub fn units_of(changed: &ObjectRef, object: Option<&Value>, old_object: Option<&Value>) -> Vec<UnitKey> {
    let ObjectRef { cluster, kind, namespace, name, .. } = changed;
    let dependents = |kind: Kind, name: &str| UnitKey::Dependents {
        kind,
        cluster: cluster.clone(),
        namespace: namespace.clone(),
        name: name.to_owned(),
    };
    let gateway = |name: String| UnitKey::Gateway { scope: cluster.scope.clone(), name };
    match kind {
        Kind::Gateway | Kind::ServiceNetwork => vec![gateway(name.clone())],
        Kind::HTTPRoute | Kind::GRPCRoute | Kind::TLSRoute => {
            let route = UnitKey::Route {
                kind: *kind,
                cluster: cluster.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
            };
            let parents: BTreeSet<String> =
                [old_object, object].into_iter().flatten().flat_map(parent_gateways).collect();
            std::iter::once(route).chain(parents.into_iter().map(gateway)).collect()
        }
        Kind::ServiceExport => vec![
            UnitKey::Export { cluster: cluster.clone(), namespace: namespace.clone(), name: name.clone() },
            dependents(Kind::ServiceExport, name),
        ],
        Kind::AccessLogPolicy
        | Kind::IAMAuthPolicy
        | Kind::TargetGroupPolicy
        | Kind::VpcAssociationPolicy => units_of_policy(changed, object, old_object),
        Kind::EndpointSlice => slice_services(object, old_object)
            .iter()
            .map(|service| dependents(Kind::Service, service))
            .collect(),
        Kind::ResourceGateway | Kind::ResourceConfiguration => vec![UnitKey::Resource {
            kind: *kind,
            cluster: cluster.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
        }],
        Kind::Pod | Kind::DNSEndpoint => vec![],
        Kind::Service
        | Kind::GatewayClass
        | Kind::ReferenceGrant
        | Kind::ServiceImport
        | Kind::Backend
        | Kind::Namespace => vec![dependents(*kind, name)],
    }
}

/// The names of the Gateways that a route refers to, in `spec.parentRefs`.
pub fn parent_gateways(route: &Value) -> BTreeSet<String> {
    parent_gateway_names(route).map(str::to_owned).collect()
}

/// As [`parent_gateways`], in the order of the references, for who asks of thousands of routes.
pub fn parent_gateway_names(route: &Value) -> impl Iterator<Item = &str> {
    let refs = route.get("spec").and_then(|spec| spec.get("parentRefs")?.as_array());
    let refs = refs.into_iter().flatten();
    let gateways =
        refs.filter(|parent| parent.get("kind").and_then(Value::as_str).unwrap_or("Gateway") == "Gateway");
    let names = gateways.filter_map(|parent| parent.get("name").and_then(Value::as_str));
    names.filter(|name| is_subdomain(name))
}

fn slice_services(object: Option<&Value>, old_object: Option<&Value>) -> BTreeSet<String> {
    [old_object, object]
        .into_iter()
        .flatten()
        .filter_map(|slice| {
            slice.pointer("/metadata/labels/kubernetes.io~1service-name").and_then(Value::as_str)
        })
        .filter(|service| is_label(service))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changed(kind: Kind, name: &str) -> ObjectRef {
        ObjectRef {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            kind,
            namespace: "shop".into(),
            name: name.into(),
            uid: String::new(),
            generation: 0,
        }
    }

    fn texts(units: &[UnitKey]) -> Vec<String> {
        units.iter().map(|unit| unit.to_string().replacen("123456789012/us-west-2/", "", 1)).collect()
    }

    #[test]
    fn a_route_that_moves_concerns_itself_and_both_gateways() {
        let old = json!({"spec": {"parentRefs": [{"name": "a"}]}});
        let new = json!({"spec": {"parentRefs": [{"name": "b", "kind": "Gateway"}, {"name": "mesh", "kind": "Service"}]}});
        let units = units_of(&changed(Kind::HTTPRoute, "r"), Some(&new), Some(&old));
        assert_eq!(texts(&units), ["route/HTTPRoute/one/shop/r", "gateway/a", "gateway/b"]);
    }

    #[test]
    fn a_slice_concerns_those_who_refer_to_its_service() {
        let slice = json!({"metadata": {"labels": {"kubernetes.io/service-name": "parking"}}});
        let units = units_of(&changed(Kind::EndpointSlice, "parking-x7k"), Some(&slice), None);
        assert_eq!(texts(&units), ["dependents/Service/one/shop/parking"]);
        assert!(units_of(&changed(Kind::EndpointSlice, "x"), Some(&json!({})), None).is_empty());
    }

    #[test]
    fn an_export_concerns_its_target_group_and_its_importers() {
        let units = units_of(&changed(Kind::ServiceExport, "e"), None, Some(&json!({})));
        assert_eq!(texts(&units), ["export/one/shop/e", "dependents/ServiceExport/one/shop/e"]);
    }

    #[test]
    fn a_service_network_concerns_the_unit_of_the_gateways_of_its_name() {
        let units = units_of(&changed(Kind::ServiceNetwork, "my-hotel"), Some(&json!({})), None);
        assert_eq!(texts(&units), ["gateway/my-hotel"]);
    }

    #[test]
    fn an_unreadable_object_still_concerns_its_own_unit() {
        let units = units_of(&changed(Kind::GRPCRoute, "g"), Some(&json!({"spec": {"parentRefs": 7}})), None);
        assert_eq!(texts(&units), ["route/GRPCRoute/one/shop/g"]);
    }
}
