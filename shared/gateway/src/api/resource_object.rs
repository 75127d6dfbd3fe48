use super::{Meta, Rest};
use serde::Deserialize;
use serde_json::Value;

/// A ResourceGateway: where traffic for resources comes into a VPC.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ResourceGatewayObject {
    #[serde(default)]
    pub(crate) metadata: Meta,
    #[serde(default)]
    pub(crate) spec: ResourceGatewaySpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ResourceGatewaySpec {
    pub(crate) vpc: Option<String>,
    pub(crate) subnet_ids: Vec<String>,
    pub(crate) security_group_ids: Option<Vec<String>>,
    pub(crate) ip_address_type: Option<String>,
    pub(crate) ipv4_addresses_per_eni: Option<i64>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

/// A ResourceConfiguration: exactly one of `dns`, `ip` and `arn` says what the resource is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ResourceConfigurationObject {
    #[serde(default)]
    pub(crate) spec: ResourceConfigurationSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ResourceConfigurationSpec {
    /// Read elsewhere, as those of routes are. Named here so that it is no unknown member.
    #[serde(rename = "parentRefs")]
    pub(crate) _parents: Option<Value>,
    pub(crate) resource_gateway_ref: ResourceGatewayRefWire,
    pub(crate) dns: Option<DnsWire>,
    pub(crate) ip: Option<IpWire>,
    pub(crate) arn: Option<String>,
    /// Numbers, or ranges such as `9000-9010`.
    pub(crate) ports: Option<Vec<Value>>,
    pub(crate) domain_name: Option<String>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ResourceGatewayRefWire {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DnsWire {
    pub(crate) domain_name: String,
    pub(crate) ip_address_type: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct IpWire {
    pub(crate) address: String,
}
