use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Service {
    #[serde(default)]
    pub(crate) spec: ServiceSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) ports: Option<Vec<ServicePort>>,
    pub(crate) ip_families: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServicePort {
    pub(crate) name: Option<String>,
    pub(crate) port: i64,
    pub(crate) protocol: Option<String>,
    pub(crate) app_protocol: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EndpointSlice {
    pub(crate) address_type: String,
    pub(crate) endpoints: Option<Vec<Endpoint>>,
    pub(crate) ports: Option<Vec<SlicePort>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Endpoint {
    pub(crate) addresses: Vec<String>,
    pub(crate) conditions: EndpointConditions,
    target_ref: Option<TargetRef>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct TargetRef {
    kind: String,
    name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointConditions {
    pub(crate) ready: Option<bool>,
    pub(crate) serving: Option<bool>,
    pub(crate) terminating: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SlicePort {
    pub(crate) name: Option<String>,
    pub(crate) port: Option<i64>,
    pub(crate) protocol: Option<String>,
}

impl Endpoint {
    /// The name of its Pod; none where something else stands behind it.
    pub(crate) fn pod(&self) -> Option<&str> {
        self.target_ref.as_ref().filter(|target| target.kind == "Pod").map(|target| target.name.as_str())
    }
}

impl ServicePort {
    /// The port as a number that VPC Lattice takes.
    pub(crate) fn number(&self) -> Option<u16> {
        u16::try_from(self.port).ok().filter(|port| *port > 0)
    }
}

/// The name of the Service that an EndpointSlice belongs to.
pub(crate) fn service_of_slice(slice: &Value) -> Option<&str> {
    slice.get("metadata")?.get("labels")?.get("kubernetes.io/service-name")?.as_str()
}
