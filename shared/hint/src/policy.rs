use crate::names::is_subdomain;
use crate::{ClusterId, Kind, ObjectRef, UnitKey};
use serde_json::Value;

/// Targets of one policy that are looked at (our CRDs allow 16, as the Gateway API's own policies do).
pub const POLICY_TARGETS_MAX: usize = 16;

/// An object that a policy names, as the policy writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyTarget {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// None for the policy's own, the only one that it can reach.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl PolicyTarget {
    /// The kind, if the group has one that Trellis reads. The core group is written empty or `core`.
    pub fn known_kind(&self) -> Option<Kind> {
        let group = if self.group == "core" { "" } else { self.group.as_str() };
        Kind::parse(&self.kind).filter(|kind| kind.group() == group)
    }

    /// Whether the target is in the namespace of its policy.
    pub fn is_local(&self, policy_namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| namespace == policy_namespace)
    }
}

/// What a policy's `spec.targetRef` and `spec.targetRefs` name, each once, in their order. What cannot be read names nothing.
pub fn policy_targets(policy: &Value) -> Vec<PolicyTarget> {
    let spec = policy.get("spec");
    let one = spec.and_then(|spec| spec.get("targetRef"));
    let several =
        spec.and_then(|spec| spec.get("targetRefs")).and_then(Value::as_array).into_iter().flatten();
    let mut targets: Vec<PolicyTarget> = vec![];
    for target in one.into_iter().chain(several).filter_map(target) {
        if targets.len() < POLICY_TARGETS_MAX && !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

fn target(reference: &Value) -> Option<PolicyTarget> {
    let text = |member: &str| reference.get(member).and_then(Value::as_str).map(str::to_owned);
    Some(PolicyTarget {
        group: text("group").unwrap_or_default(),
        kind: text("kind")?,
        namespace: text("namespace").filter(|namespace| !namespace.is_empty()),
        name: text("name")?,
    })
}

/// The kinds that a policy of this kind can be attached to; empty for what is no policy.
pub const fn policy_target_kinds(policy: Kind) -> &'static [Kind] {
    match policy {
        Kind::AccessLogPolicy => &[Kind::Gateway, Kind::HTTPRoute, Kind::GRPCRoute, Kind::TLSRoute],
        Kind::IAMAuthPolicy => &[Kind::Gateway, Kind::HTTPRoute, Kind::GRPCRoute],
        Kind::VpcAssociationPolicy => &[Kind::Gateway],
        Kind::TargetGroupPolicy => &[Kind::Service, Kind::Backend, Kind::ServiceExport],
        Kind::GatewayClass
        | Kind::Gateway
        | Kind::HTTPRoute
        | Kind::GRPCRoute
        | Kind::TLSRoute
        | Kind::ReferenceGrant
        | Kind::ServiceExport
        | Kind::ServiceImport
        | Kind::Service
        | Kind::EndpointSlice
        | Kind::Namespace
        | Kind::Pod
        | Kind::ServiceNetwork
        | Kind::DNSEndpoint
        | Kind::Backend
        | Kind::ResourceGateway
        | Kind::ResourceConfiguration => &[],
    }
}

/// The unit that does what a policy asks for at this target; none if a policy of the kind cannot be attached to it.
pub fn unit_of_target(
    cluster: &ClusterId,
    policy: Kind,
    namespace: &str,
    target: &PolicyTarget,
) -> Option<UnitKey> {
    let kind = target.known_kind().filter(|kind| policy_target_kinds(policy).contains(kind))?;
    if !target.is_local(namespace) || !is_subdomain(&target.name) {
        return None;
    }
    let (cluster, namespace, name) = (cluster.clone(), namespace.to_owned(), target.name.clone());
    Some(match kind {
        Kind::Gateway => UnitKey::Gateway { scope: cluster.scope, name },
        kind if kind.is_route() => UnitKey::Route { kind, cluster, namespace, name },
        Kind::ServiceExport => UnitKey::Export { cluster, namespace, name },
        kind => UnitKey::Dependents { kind, cluster, namespace, name },
    })
}

/// The units that a change of a policy concerns: those of its targets before and after. Where it names none, or one that it
/// cannot be attached to, nobody but itself can be told.
pub(crate) fn units_of_policy(
    changed: &ObjectRef,
    object: Option<&Value>,
    old_object: Option<&Value>,
) -> Vec<UnitKey> {
    let ObjectRef { cluster, kind, namespace, name, .. } = changed;
    let targets: Vec<PolicyTarget> =
        [old_object, object].into_iter().flatten().flat_map(policy_targets).collect();
    let found: Vec<Option<UnitKey>> =
        targets.iter().map(|target| unit_of_target(cluster, *kind, namespace, target)).collect();
    let is_told = !found.is_empty() && found.iter().all(Option::is_some);
    let own = UnitKey::Dependents {
        kind: *kind,
        cluster: cluster.clone(),
        namespace: namespace.clone(),
        name: name.clone(),
    };
    let mut units: Vec<UnitKey> = vec![];
    let importers: Vec<UnitKey> = found.iter().flatten().filter_map(importers).collect();
    for unit in found.into_iter().flatten().chain(importers).chain((!is_told).then_some(own)) {
        if !units.contains(&unit) {
            units.push(unit);
        }
    }
    units
}

/// Whoever imports what an export unit exports.
fn importers(unit: &UnitKey) -> Option<UnitKey> {
    let UnitKey::Export { cluster, namespace, name } = unit else { return None };
    let (cluster, namespace, name) = (cluster.clone(), namespace.clone(), name.clone());
    Some(UnitKey::Dependents { kind: Kind::ServiceExport, cluster, namespace, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units_of;
    use serde_json::json;

    fn told(new: Option<&Value>, old: Option<&Value>) -> Vec<String> {
        told_of(Kind::AccessLogPolicy, new, old)
    }

    fn told_of(kind: Kind, new: Option<&Value>, old: Option<&Value>) -> Vec<String> {
        let changed = ObjectRef {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            kind,
            namespace: "shop".into(),
            name: "logs".into(),
            uid: String::new(),
            generation: 0,
        };
        let units = units_of(&changed, new, old);
        units.iter().map(|unit| unit.to_string().replacen("123456789012/us-west-2/", "", 1)).collect()
    }

    fn naming(kind: &str, name: &str) -> Value {
        json!({"spec": {"targetRef": {"group": "gateway.networking.k8s.io", "kind": kind, "name": name}}})
    }

    #[test]
    fn a_policy_concerns_its_targets_before_and_after() {
        let (old, new) = (naming("Gateway", "my-hotel"), naming("HTTPRoute", "rates"));
        assert_eq!(told(Some(&new), Some(&old)), ["gateway/my-hotel", "route/HTTPRoute/one/shop/rates"]);
        assert_eq!(told(None, Some(&old)), ["gateway/my-hotel"]);
        assert_eq!(told(Some(&old), Some(&old)), ["gateway/my-hotel"]);
    }

    #[test]
    fn a_target_group_policy_concerns_who_refers_to_its_service_and_who_imports_its_export() {
        let naming = |kind: &str, group: &str| json!({"spec": {"targetRef": {"group": group, "kind": kind, "name": "a"}}});
        let (service, export) =
            (naming("Service", ""), naming("ServiceExport", "application-networking.k8s.aws"));
        let told = |new, old| told_of(Kind::TargetGroupPolicy, new, old);
        assert_eq!(told(Some(&service), None), ["dependents/Service/one/shop/a"]);
        assert_eq!(
            told(Some(&service), Some(&export)),
            ["export/one/shop/a", "dependents/Service/one/shop/a", "dependents/ServiceExport/one/shop/a"]
        );
        assert_eq!(
            told(Some(&naming("HTTPRoute", "gateway.networking.k8s.io")), None),
            ["dependents/TargetGroupPolicy/one/shop/logs"]
        );
    }

    #[test]
    fn several_targets_are_several_units_and_each_once() {
        let reference =
            |name: &str| json!({"group": "gateway.networking.k8s.io", "kind": "TLSRoute", "name": name});
        let policy = json!({"spec": {"targetRefs": [reference("a"), reference("b"), reference("a")]}});
        assert_eq!(told(Some(&policy), None), ["route/TLSRoute/one/shop/a", "route/TLSRoute/one/shop/b"]);
    }

    #[test]
    fn what_a_policy_cannot_be_attached_to_is_told_by_its_own_unit() {
        let own = "dependents/AccessLogPolicy/one/shop/logs";
        for policy in [
            json!({}),
            json!({"spec": {"targetRef": {"kind": "Service", "name": "a"}}}),
            json!({"spec": {"targetRef": {"group": "apps", "kind": "Gateway", "name": "a"}}}),
            json!({"spec": {"targetRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a",
                "namespace": "other"}}}),
            json!({"spec": {"targetRefs": 7}}),
        ] {
            assert_eq!(told(Some(&policy), None), [own], "{policy}");
        }
    }
}
