use super::Meta;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServiceExport {
    #[serde(default)]
    pub(crate) metadata: Meta,
    #[serde(default)]
    pub(crate) spec: ServiceExportSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServiceExportSpec {
    pub(crate) exported_ports: Option<Vec<ExportedPort>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportedPort {
    pub(crate) port: i64,
    pub(crate) route_type: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServiceImport {
    #[serde(default)]
    pub(crate) metadata: Meta,
    #[serde(default)]
    pub(crate) spec: ServiceImportSpec,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceImportSpec {
    pub(crate) ports: Option<Vec<ImportPort>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ImportPort {
    pub(crate) port: i64,
}
