use kube::{
    Resource as _,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use trellis_hint::Kind;

/// The longest name of an object (Kubernetes documentation, "Object Names and IDs").
const NAME_CHARS_MAX: usize = 253;

/// The versions under which a kind may be served, the newest first. Two kinds moved on while Trellis reads the same
/// fields of each of their versions; clusters with older custom resource definitions serve only the older ones.
pub(crate) const fn versions(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ReferenceGrant => &["v1", "v1beta1"],
        Kind::TLSRoute => &["v1", "v1alpha3", "v1alpha2"],
        Kind::ServiceExport
        | Kind::ServiceImport
        | Kind::AccessLogPolicy
        | Kind::IAMAuthPolicy
        | Kind::TargetGroupPolicy
        | Kind::VpcAssociationPolicy
        | Kind::ServiceNetwork
        | Kind::DNSEndpoint
        | Kind::Backend
        | Kind::ResourceGateway
        | Kind::ResourceConfiguration => &["v1alpha1"],
        Kind::GatewayClass
        | Kind::Gateway
        | Kind::HTTPRoute
        | Kind::GRPCRoute
        | Kind::Service
        | Kind::EndpointSlice
        | Kind::Namespace
        | Kind::Pod => &["v1"],
    }
}

/// The kind's name in paths and in RBAC rules.
pub(crate) const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::GatewayClass => "gatewayclasses",
        Kind::Gateway => "gateways",
        Kind::HTTPRoute => "httproutes",
        Kind::GRPCRoute => "grpcroutes",
        Kind::TLSRoute => "tlsroutes",
        Kind::ReferenceGrant => "referencegrants",
        Kind::ServiceExport => "serviceexports",
        Kind::ServiceImport => "serviceimports",
        Kind::Service => "services",
        Kind::EndpointSlice => "endpointslices",
        Kind::Namespace => "namespaces",
        Kind::Pod => "pods",
        Kind::AccessLogPolicy => "accesslogpolicies",
        Kind::IAMAuthPolicy => "iamauthpolicies",
        Kind::TargetGroupPolicy => "targetgrouppolicies",
        Kind::VpcAssociationPolicy => "vpcassociationpolicies",
        Kind::ServiceNetwork => "servicenetworks",
        Kind::DNSEndpoint => "dnsendpoints",
        Kind::Backend => "backends",
        Kind::ResourceGateway => "resourcegateways",
        Kind::ResourceConfiguration => "resourceconfigurations",
    }
}

/// Whether objects of the kind live in a namespace.
pub(crate) const fn is_namespaced(kind: Kind) -> bool {
    !kind.is_cluster_scoped()
}

/// The kind as served under that version.
pub(crate) fn api_resource(kind: Kind, version: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(kind.group(), version, kind.as_str()),
        plural(kind),
    )
}

/// The path of the collection, in one namespace or in all.
pub(crate) fn collection(resource: &ApiResource, namespace: Option<&str>) -> kube::core::Request {
    kube::core::Request::new(DynamicObject::url_path(resource, namespace))
}

/// Whether an object, a Service or a namespace can have this name at all. Hints and references in objects are input
/// that nobody checked: a name with a slash would change the path that is asked for, one with a comma the selector.
pub(crate) fn can_be_a_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        && !name.starts_with(['.', '-'])
        && !name.ends_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(kind: Kind, version: &str, namespace: Option<&str>) -> String {
        collection(&api_resource(kind, version), namespace).url_path
    }

    #[test]
    fn paths_are_the_api_servers() {
        assert_eq!(
            path(Kind::HTTPRoute, "v1", Some("default")),
            "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
        );
        assert_eq!(path(Kind::Service, "v1", None), "/api/v1/services");
        assert_eq!(path(Kind::GatewayClass, "v1", None), "/apis/gateway.networking.k8s.io/v1/gatewayclasses");
        assert_eq!(
            path(Kind::ServiceExport, "v1alpha1", Some("a")),
            "/apis/application-networking.k8s.aws/v1alpha1/namespaces/a/serviceexports"
        );
    }

    #[test]
    fn every_kind_has_a_version_and_its_plural_is_the_kind_in_lower_case_with_an_ending() {
        for kind in Kind::ALL {
            assert!(!versions(kind).is_empty(), "{kind}");
            assert!(plural(kind).starts_with(kind.as_str().to_lowercase().trim_end_matches('y')), "{kind}");
        }
    }

    #[test]
    fn names_that_would_change_a_path_or_a_selector_are_no_names() {
        for name in ["", "a/b", "..", ".", "../x", "a,b", "a=b", "A", "a b", "a?x", "a%2fb", "-a", "a.", "ä"]
        {
            assert!(!can_be_a_name(name), "{name:?}");
        }
        assert!(!can_be_a_name(&"a".repeat(254)));
        for name in ["a", "inventory-ver1", "a.b-c.9"] {
            assert!(can_be_a_name(name), "{name:?}");
        }
    }
}
