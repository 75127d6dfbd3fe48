//! What Kubernetes lets an object be called. What lies outside of it names no object, wherever it comes from.

use crate::{Kind, ObjectRef, UnitKey};

/// Characters of an object's name: a DNS subdomain (Kubernetes API, "Object Names and IDs"; the EndpointSlice and every
/// custom resource follow it).
pub const NAME_CHARS_MAX: usize = 253;

/// Characters of a namespace's and a Service's name: a DNS label.
pub const LABEL_CHARS_MAX: usize = 63;

/// Characters of an id that an API server made: a uid is a UUID of 36, a resourceVersion has 20 digits at most. Some room
/// is left, since both are opaque by contract.
pub const ID_CHARS_MAX: usize = 64;

/// Whether `text` is a DNS label: lower case letters, digits and hyphens, a letter or digit at both ends.
pub fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_CHARS_MAX).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether `text` is a DNS subdomain: parts with dots between, each made as a label is. Kubernetes bounds the whole only.
pub fn is_subdomain(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(is_inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= NAME_CHARS_MAX && text.split('.').all(is_part)
}

/// Whether `text` can be an id of an API server's making, an admission request's uid included.
///
/// It goes into log lines and messages, so it is of plain characters.
pub fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Whether an object of `kind` can have this name.
pub fn is_name_of(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Service | Kind::Namespace => is_label(name),
        Kind::GatewayClass
        | Kind::Gateway
        | Kind::HTTPRoute
        | Kind::GRPCRoute
        | Kind::TLSRoute
        | Kind::ReferenceGrant
        | Kind::ServiceExport
        | Kind::ServiceImport
        | Kind::EndpointSlice
        | Kind::Pod
        | Kind::AccessLogPolicy
        | Kind::IAMAuthPolicy
        | Kind::TargetGroupPolicy
        | Kind::VpcAssociationPolicy
        | Kind::ServiceNetwork
        | Kind::DNSEndpoint
        | Kind::Backend
        | Kind::ResourceGateway
        | Kind::ResourceConfiguration => is_subdomain(name),
    }
}

fn is_place_of(kind: Kind, namespace: &str, name: &str) -> bool {
    let is_namespace = if kind.is_cluster_scoped() { namespace.is_empty() } else { is_label(namespace) };
    is_namespace && is_name_of(kind, name)
}

impl ObjectRef {
    /// Whether Kubernetes lets an object have this namespace, name and uid. The cluster is not looked at.
    pub fn is_possible(&self) -> bool {
        let is_uid = self.uid.is_empty() || is_id(&self.uid);
        is_uid && self.generation >= 0 && is_place_of(self.kind, &self.namespace, &self.name)
    }
}

impl UnitKey {
    /// Whether Kubernetes lets an object have the namespace and name that the unit has. The cluster is not looked at.
    pub fn is_possible(&self) -> bool {
        match self {
            Self::Gateway { name, .. } => is_name_of(Kind::Gateway, name),
            Self::Route { kind, namespace, name, .. }
            | Self::Merged { kind, namespace, name, .. }
            | Self::Resource { kind, namespace, name, .. }
            | Self::Dependents { kind, namespace, name, .. } => is_place_of(*kind, namespace, name),
            Self::Export { namespace, name, .. } => is_place_of(Kind::ServiceExport, namespace, name),
            Self::Cluster { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_subdomains_are_as_kubernetes_has_them() {
        for name in ["a", "0", "a-b", "inventory-ver1", &"a".repeat(LABEL_CHARS_MAX)] {
            assert!(is_label(name) && is_subdomain(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a_b", "a/b", "ü", "a b", "a\n", "a\0"] {
            assert!(!is_label(name) && !is_subdomain(name), "{name:?}");
        }
        assert!(!is_label("a.b") && is_subdomain("a.b") && is_subdomain(&"a".repeat(NAME_CHARS_MAX)));
        for name in [".", "a..b", "a.-b", &"a".repeat(NAME_CHARS_MAX + 1)] {
            assert!(!is_subdomain(name), "{name}");
        }
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for id in ["1", "705ab4f5-6393-11e8-b7cc-42010a800002", "12345"] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", " ", "a\"b", "a\n", &"a".repeat(ID_CHARS_MAX + 1)] {
            assert!(!is_id(id), "{id:?}");
        }
    }

    #[test]
    fn an_object_of_a_name_that_none_has_is_not_possible() {
        let object = |kind: Kind, namespace: &str, name: &str| ObjectRef {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            kind,
            namespace: namespace.into(),
            name: name.into(),
            uid: String::new(),
            generation: 0,
        };
        for (kind, namespace, name, possible) in [
            (Kind::HTTPRoute, "default", "a.b", true),
            (Kind::HTTPRoute, "default", "a_b", false),
            (Kind::HTTPRoute, "", "a", false),
            (Kind::ServiceExport, "a.b", "c", false),
            (Kind::Service, "default", "a.b", false),
            (Kind::GatewayClass, "", "amazon-vpc-lattice", true),
            (Kind::GatewayClass, "ns", "amazon-vpc-lattice", false),
            (Kind::Namespace, "", "hotel", true),
        ] {
            assert_eq!(object(kind, namespace, name).is_possible(), possible, "{kind} {namespace}/{name}");
        }
        let fine = object(Kind::Gateway, "default", "a");
        assert!(!ObjectRef { generation: -1, ..fine.clone() }.is_possible());
        assert!(!ObjectRef { uid: "u".repeat(ID_CHARS_MAX + 1), ..fine }.is_possible());
    }
}
