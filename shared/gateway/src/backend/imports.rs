//! From a ServiceImport to the Services of other clusters.

use super::BackendError;
use super::service::{Asked, Pool, pool};
use crate::api::{self, Meta, ServiceExport, ServiceImport};
use crate::problem::quoted;
use crate::view::{Found, View};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, SERVICE_NAME_ANNOTATION, exported_service};

/// The value of the export's federation annotation that means VPC Lattice.
const FEDERATION: &str = "amazon-vpc-lattice";

/// The pools of every cluster that exports what the import stands for.
pub(super) fn pools(
    view: &View,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
    asked: &Asked,
) -> Result<Vec<Pool>, BackendError> {
    let import = match view.get(cluster, Kind::ServiceImport, namespace, name) {
        Found::Unknown(why) => return Err(BackendError::Unknown(why)),
        Found::Missing => {
            return Err(BackendError::broken(
                "BackendNotFound",
                asked.path,
                format!("ServiceImport {} does not exist; create it", quoted(&format!("{namespace}/{name}"))),
            ));
        }
        Found::Object(import) => import,
    };
    let import: ServiceImport = api::parse(import).map_err(|problem| {
        let text = format!("ServiceImport {}: {}: {}", quoted(name), problem.path, problem.text);
        BackendError::broken("BackendNotFound", asked.path, text)
    })?;
    if import.metadata.annotation("target-group-arn").is_some() {
        return Err(BackendError::broken(
            "UnsupportedValue",
            asked.path,
            format!(
                "ServiceImport {} names a target group by annotation, which can be used by one service only and is \
                 not supported; remove the annotation and export the Service",
                quoted(name)
            ),
        ));
    }
    let exporters = exporters_of(view, cluster, &import.metadata).map_err(BackendError::Unknown)?;
    if exporters.is_empty() {
        return Err(BackendError::broken(
            "BackendNotFound",
            asked.path,
            format!(
                "No registered cluster exports ServiceImport {}; create a ServiceExport of that name and namespace \
                 there",
                quoted(&format!("{namespace}/{name}"))
            ),
        ));
    }
    let export_name = import.metadata.annotation("export-name").unwrap_or(name);
    let port =
        asked.port.or_else(|| import.spec.ports.as_deref().and_then(|ports| Some(ports.first()?.port)));
    let asked = Asked { port, ..*asked };
    let (mut pools, mut broken) = (vec![], None);
    for exporter in exporters {
        match exported_pool(view, &exporter, namespace, export_name, &asked) {
            Ok(pool) => pools.push(pool),
            Err(error @ BackendError::Unknown(_)) => return Err(error),
            Err(error) => _ = broken.get_or_insert(error),
        }
    }
    // One exporter that cannot serve the port does not take the others' traffic away.
    match broken {
        Some(error) if pools.is_empty() => Err(error),
        _ => Ok(pools),
    }
}

/// The clusters whose export of the import's name and namespace it stands for, in order. Only other clusters than the
/// import's own, unless an annotation names it: for the own one a route names the Service itself.
pub(crate) fn exporters_of(
    view: &View,
    cluster: &ClusterId,
    import: &Meta,
) -> Result<BTreeSet<ClusterId>, String> {
    let only_cluster = import.annotation("aws-eks-cluster-name");
    let only_vpc = import.annotation("aws-vpc");
    let name = import.annotation("export-name").unwrap_or(&import.name);
    let mut exporters = BTreeSet::new();
    for (candidate, facts) in &view.snapshot.facts {
        // VPC Lattice joins VPCs of one Region, and a target group is in the account of its service.
        if candidate.scope != cluster.scope {
            continue;
        }
        let is_meant = match only_cluster {
            Some(only) => only == candidate.name,
            None => candidate != cluster,
        };
        if !is_meant || only_vpc.is_some_and(|vpc| vpc != facts.vpc) {
            continue;
        }
        match view.get(candidate, Kind::ServiceExport, &import.namespace, name) {
            Found::Unknown(why) => return Err(why),
            Found::Missing => {}
            Found::Object(export) if is_of_other_federation(export) => {}
            Found::Object(_) => _ = exporters.insert(candidate.clone()),
        }
    }
    Ok(exporters)
}

/// Whether an export is meant for another means of sharing.
pub(crate) fn is_of_other_federation(export: &serde_json::Value) -> bool {
    api::meta(export).annotation("federation").is_some_and(|federation| federation != FEDERATION)
}

/// The Service that an export exports.
pub(crate) fn service_of_export(meta: &Meta) -> &str {
    let annotated = meta.annotations.as_ref().and_then(|all| all.get(SERVICE_NAME_ANNOTATION));
    exported_service(&meta.name, annotated.map(String::as_str))
}

fn exported_pool(
    view: &View,
    cluster: &ClusterId,
    namespace: &str,
    export_name: &str,
    asked: &Asked,
) -> Result<Pool, BackendError> {
    let Found::Object(export) = view.get(cluster, Kind::ServiceExport, namespace, export_name) else {
        return Err(BackendError::Unknown(format!("The export of cluster {} was not read", cluster.name)));
    };
    let export: ServiceExport = api::parse(export).map_err(|problem| {
        let text = format!(
            "ServiceExport {} of cluster {}: {}: {}",
            quoted(export_name),
            quoted(&cluster.name),
            problem.path,
            problem.text
        );
        BackendError::broken("BackendNotFound", asked.path, text)
    })?;
    if let (Some(exported), Some(port)) = (&export.spec.exported_ports, asked.port)
        && !exported.is_empty()
        && !exported.iter().any(|one| one.port == port)
    {
        return Err(BackendError::broken(
            "BackendNotFound",
            format!("{}.port", asked.path),
            format!(
                "ServiceExport {} of cluster {} does not export port {port}; add it to spec.exportedPorts",
                quoted(export_name),
                quoted(&cluster.name)
            ),
        ));
    }
    pool(view, cluster, namespace, service_of_export(&export.metadata), asked)
}
