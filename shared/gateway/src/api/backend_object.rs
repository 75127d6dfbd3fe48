use super::Rest;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A Backend: exactly one member of its spec says what it is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BackendObject {
    #[serde(default)]
    pub(crate) spec: BackendSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BackendSpec {
    pub(crate) lambda: Option<LambdaWire>,
    pub(crate) addresses: Option<AddressesWire>,
    pub(crate) instances: Option<InstancesWire>,
    pub(crate) load_balancer: Option<LoadBalancerWire>,
    pub(crate) target_group: Option<TargetGroupWire>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LambdaWire {
    pub(crate) function: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) event_structure_version: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressesWire {
    pub(crate) vpc: Option<String>,
    pub(crate) addresses: Vec<String>,
    pub(crate) port: i64,
    pub(crate) protocol: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TargetGroupWire {
    pub(crate) arn: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstancesWire {
    pub(crate) vpc: Option<String>,
    pub(crate) ids: Option<BTreeSet<String>>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    pub(crate) auto_scaling_group: Option<String>,
    pub(crate) port: i64,
    pub(crate) protocol: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LoadBalancerWire {
    pub(crate) arn: String,
    pub(crate) port: i64,
    pub(crate) protocol: Option<String>,
}
