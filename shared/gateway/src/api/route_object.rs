use super::{Meta, Rest};
use serde::Deserialize;
use serde_json::Value;

/// HTTPRoute, GRPCRoute or TLSRoute: they differ only in what a match may hold.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RouteObject {
    #[serde(default)]
    pub(crate) metadata: Meta,
    #[serde(default)]
    pub(crate) spec: RouteSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RouteSpec {
    pub(crate) parent_refs: Option<Vec<ParentRefWire>>,
    pub(crate) hostnames: Option<Vec<String>>,
    /// Each is read by itself: one that cannot be read costs no other.
    pub(crate) rules: Option<Vec<Value>>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParentRefWire {
    pub(crate) group: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    pub(crate) section_name: Option<String>,
    pub(crate) port: Option<i64>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RuleWire {
    /// A label for people; it asks for nothing.
    pub(crate) name: Option<String>,
    pub(crate) matches: Option<Vec<MatchWire>>,
    pub(crate) backend_refs: Option<Vec<BackendRefWire>>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MatchWire {
    pub(crate) path: Option<PathWire>,
    pub(crate) headers: Option<Vec<HeaderWire>>,
    /// Text in an HTTPRoute, an object in a GRPCRoute.
    pub(crate) method: Option<Value>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PathWire {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) value: Option<String>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct HeaderWire {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) name: String,
    pub(crate) value: String,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GrpcMethodWire {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) method: Option<String>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BackendRefWire {
    pub(crate) group: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) port: Option<i64>,
    pub(crate) weight: Option<i64>,
    #[serde(flatten)]
    pub(crate) rest: Rest,
}
