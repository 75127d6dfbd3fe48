//! From a ServiceImport to the Services of the clusters that export it.

use super::BackendError;
use super::Pools;
use super::external;
use super::gone::{self, Origin};
use super::service::{Asked, Pool, pool};
use crate::api::{self, Meta, ServiceExport, ServiceImport};
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::view::{Found, View};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind, SERVICE_NAME_ANNOTATION, exported_service};
use trellis_lattice::{ActualTargetGroup, TAG_PREFIX, TAG_SOURCE, TargetHealth};

/// The value of the export's federation annotation that means VPC Lattice.
const FEDERATION: &str = "amazon-vpc-lattice";

/// The annotation of an export that lists its ports.
pub(crate) const PORT: &str = "port";

/// Annotations of an import: the export's name where that is another, and the only cluster and the only VPC whose exports it
/// stands for.
pub(super) const EXPORT_NAME: &str = "export-name";
pub(super) const ONLY_CLUSTER: &str = "aws-eks-cluster-name";
pub(super) const ONLY_VPC: &str = "aws-vpc";

/// The pools of every cluster that exports what the import stands for. Those of a cluster of which nothing is known are
/// the target groups that VPC Lattice has for it, as they are.
pub(super) fn pools(
    view: &View,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
    asked: &Asked,
) -> Result<Pools, BackendError> {
    let import = match view.get(cluster, Kind::ServiceImport, namespace, name) {
        Found::Unknown(why) => return Err(BackendError::Unknown(why)),
        Found::Missing => {
            return Err(BackendError::broken(
                reasons::BACKEND_NOT_FOUND,
                asked.path,
                format!("ServiceImport {} does not exist; create it", quoted(&format!("{namespace}/{name}"))),
            ));
        }
        Found::Object(import) => import,
    };
    let import: ServiceImport = api::parse(import).map_err(|problem| {
        let text = format!("ServiceImport {}: {}: {}", quoted(name), problem.path, problem.text);
        BackendError::broken(reasons::BACKEND_NOT_FOUND, asked.path, text)
    })?;
    if let Some(external) = external::of_import(view, cluster, &import.metadata, asked) {
        return external;
    }
    let Exporters { known, mut unknown, gone } = exporters_of(view, cluster, &import.metadata);
    if known.is_empty() && unknown.is_empty() {
        return Err(BackendError::broken(
            reasons::BACKEND_NOT_FOUND,
            asked.path,
            format!(
                "No registered cluster{} exports ServiceImport {}; create a ServiceExport of that name and namespace \
                 there, or name a target group that others made by the import's annotation {}{}",
                of_its_set(view, cluster),
                quoted(&format!("{namespace}/{name}")),
                TAG_PREFIX,
                external::ANNOTATION
            ),
        ));
    }
    let export_name = import.metadata.annotation(EXPORT_NAME).unwrap_or(name);
    let port =
        asked.port.or_else(|| import.spec.ports.as_deref().and_then(|ports| Some(ports.first()?.port)));
    let asked = Asked { port, ..*asked };
    let (mut pools, mut broken, mut left_out) = (vec![], None, vec![]);
    for exporter in known {
        match exported_pool(view, &exporter, namespace, export_name, &asked) {
            Ok(pool) => pools.push(pool),
            Err(BackendError::Unknown(why)) => _ = unknown.insert(exporter, why),
            Err(error) => {
                left_out.extend(exporter_left_out(&exporter, export_name, &error));
                broken.get_or_insert(error);
            }
        }
    }
    let (mut idle, mut has_something) = (vec![], BTreeSet::new());
    for exporter in unknown.keys() {
        let kept = Kept::of(view, exporter, namespace, export_name, &asked);
        if !(kept.pools.is_empty() && kept.idle.is_empty()) {
            has_something.insert(exporter.clone());
        }
        pools.extend(kept.pools);
        idle.extend(kept.idle);
    }
    let origin =
        Origin { cluster: None, kind: Kind::Service, namespace, service: None, export: Some(export_name) };
    let left = gone::pools(view, &origin, &asked).into_iter();
    pools.extend(left.filter(|pool| gone.contains(&pool.cluster)));
    // A cluster that has never had a share, such as one just registered, holds nobody up.
    if !pools.is_empty() {
        unknown.retain(|exporter, _| has_something.contains(exporter));
    }
    // Requests go where something may answer them, as far as there is such a cluster.
    let may_answer = |pool: &Pool| pool.is_kept || !pool.targets.is_empty();
    if pools.iter().any(may_answer) {
        pools.retain(may_answer);
    }
    // One exporter that cannot serve the port does not take the others' traffic away.
    match broken {
        Some(error) if pools.is_empty() && unknown.is_empty() => Err(error),
        _ => {
            let unknown = unknown.into_values().collect();
            Ok(Pools { busy: pools, unknown, idle, left_out, ..Pools::default() })
        }
    }
}

/// What is told of a cluster whose export cannot be led to, where those of others have the requests.
fn exporter_left_out(exporter: &ClusterId, export: &str, error: &BackendError) -> Option<Problem> {
    let (BackendError::Broken(_, why) | BackendError::Awaited(_, why)) = error else { return None };
    let text = format!(
        "ServiceExport {} of cluster {} has no share of the requests, others have all: {}",
        quoted(export),
        quoted(&exporter.name),
        why.text
    );
    Some(Problem::new(Code::ExporterLeftOut, why.path.clone(), text))
}

/// The clusters that export what an import stands for.
#[derive(Debug, Default)]
pub(crate) struct Exporters {
    /// Those that are known to.
    pub(crate) known: BTreeSet<ClusterId>,
    /// Those of which it is not known, with the reason.
    pub(crate) unknown: BTreeMap<ClusterId, String>,
    /// Those that are known not to, and may have till now.
    pub(crate) gone: BTreeSet<ClusterId>,
}

/// What VPC Lattice has of the unit for an exporter of which nothing is known.
struct Kept {
    /// The target groups that requests go to.
    pools: Vec<Pool>,
    /// Names of the others.
    idle: Vec<String>,
}

impl Kept {
    /// Requests go to the groups that a rule names; where no rule names any of the export's, of whatever cluster, since somebody
    /// deleted it, to those that have targets. They go to none where a rule says that it has no backend: what had left before
    /// nothing was known stays away.
    fn of(view: &View, exporter: &ClusterId, namespace: &str, export_name: &str, asked: &Asked) -> Self {
        let named = gone::named(view);
        let origin = Origin {
            cluster: Some(exporter),
            kind: Kind::Service,
            namespace,
            service: None,
            export: Some(export_name),
        };
        let is_named = |group: &ActualTargetGroup| named.contains(group.name.as_str());
        let of = |origin: Origin<'_>| -> Vec<&ActualTargetGroup> {
            let all = view.actual.target_groups.iter();
            all.filter(|group| gone::is_of(group, &origin, asked.port)).collect()
        };
        let of_any = of(Origin { cluster: None, ..origin });
        let only_named =
            gone::fitting(of_any.into_iter(), asked).any(is_named) || gone::some_rule_has_no_backend(view);
        let groups = of(origin);
        let takes =
            |group: &&ActualTargetGroup| if only_named { is_named(group) } else { takes_requests(group) };
        let busy = gone::own(gone::fitting(groups.iter().copied(), asked).filter(takes).collect());
        let is_busy = |group: &ActualTargetGroup| busy.iter().any(|one| one.name == group.name);
        let idle = groups.into_iter().filter(|group| !is_busy(group)).map(|group| group.name.clone());
        let mut pools: Vec<Pool> = busy.iter().copied().filter_map(gone::pool).collect();
        pools.dedup();
        Self { pools, idle: idle.collect() }
    }
}

fn takes_requests(group: &ActualTargetGroup) -> bool {
    group.targets.iter().any(|target| target.health != TargetHealth::Draining)
}

/// The clusters whose export of the import's name and namespace it stands for, in order: all of its set, its own among them, or
/// the one of these that an annotation names.
///
/// Not known is of a registered cluster that cannot be read, and of one that VPC Lattice has a target group for and that
/// nobody has registered (any more).
pub(crate) fn exporters_of(view: &View, cluster: &ClusterId, import: &Meta) -> Exporters {
    let only_cluster = import.annotation(ONLY_CLUSTER);
    let only_vpc = import.annotation(ONLY_VPC);
    let name = import.annotation(EXPORT_NAME).unwrap_or(&import.name);
    let is_meant = |candidate: &ClusterId| {
        // VPC Lattice joins VPCs of one Region, and a target group is in the account of its service.
        candidate.scope == cluster.scope && only_cluster.is_none_or(|only| only == candidate.name)
    };
    let own = view.snapshot.facts.get(cluster);
    let mut exporters = Exporters::default();
    for (candidate, facts) in view.snapshot.facts.iter().filter(|(candidate, _)| is_meant(candidate)) {
        let is_known = view.snapshot.unknown(candidate).is_none();
        let is_other_vpc = is_known && only_vpc.is_some_and(|vpc| vpc != facts.vpc);
        if is_other_vpc || own.is_some_and(|own| !own.may_be_in_one_set(facts)) {
            continue;
        }
        match view.get(candidate, Kind::ServiceExport, &import.namespace, name) {
            Found::Unknown(why) => _ = exporters.unknown.insert(candidate.clone(), why),
            Found::Missing => _ = exporters.gone.insert(candidate.clone()),
            Found::Object(export) if is_of_other_federation(export) => {}
            Found::Object(_) => _ = exporters.known.insert(candidate.clone()),
        }
    }
    let sources =
        view.actual.target_groups.iter().filter_map(|group| group.tags.get(TAG_SOURCE)?.parse().ok());
    for source in sources.filter(|source: &ClusterId| is_meant(source)) {
        if !view.snapshot.facts.contains_key(&source)
            && let Some(why) = view.snapshot.unknown(&source)
        {
            exporters.unknown.insert(source, why);
        }
    }
    exporters
}

/// The cluster's set, for a message; nothing for the default one.
fn of_its_set(view: &View, cluster: &ClusterId) -> String {
    let set = view.snapshot.facts.get(cluster).and_then(|facts| facts.cluster_set.as_deref());
    set.filter(|set| !set.is_empty())
        .map_or_else(String::new, |set| format!(" of the cluster set {}", quoted(set)))
}

/// Whether an export is meant for another means of sharing.
pub(crate) fn is_of_other_federation(export: &serde_json::Value) -> bool {
    api::annotation(export, "federation").is_some_and(|federation| federation != FEDERATION)
}

/// The Service that an export exports.
pub(crate) fn service_of_export(meta: &Meta) -> &str {
    let annotated = meta.annotations.as_ref().and_then(|all| all.get(SERVICE_NAME_ANNOTATION));
    exported_service(&meta.name, annotated.map(String::as_str))
}

/// The ports that an export restricts itself to, in its order, and the field that says so: those of the spec, else those of the
/// annotation; none where all are exported.
fn only_ports(export: &ServiceExport) -> Option<(String, Vec<i64>)> {
    let listed = export.spec.exported_ports.as_deref().unwrap_or_default();
    if !listed.is_empty() {
        return Some(("spec.exportedPorts".to_owned(), listed.iter().map(|one| one.port).collect()));
    }
    let annotated = export.metadata.annotation(PORT)?;
    let ports = annotated.split(',').filter_map(|port| port.trim().parse().ok()).collect();
    Some((format!("metadata.annotations[{TAG_PREFIX}{PORT}]"), ports))
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
        BackendError::broken(reasons::BACKEND_NOT_FOUND, asked.path, text)
    })?;
    let only = only_ports(&export);
    if let (Some((path, ports)), Some(port)) = (&only, asked.port)
        && !ports.contains(&port)
    {
        return Err(BackendError::broken(
            reasons::BACKEND_NOT_FOUND,
            format!("{}.port", asked.path),
            format!(
                "ServiceExport {} of cluster {} does not export port {port}; add it to {path}",
                quoted(export_name),
                quoted(&cluster.name)
            ),
        ));
    }
    // Who names no port gets none that is kept back.
    let port = asked.port.or_else(|| only.and_then(|(_, ports)| ports.first().copied()));
    let asked = Asked { port, ..*asked };
    let asked = Asked { export: Some(export_name), ..asked };
    let pool = pool(view, cluster, namespace, service_of_export(&export.metadata), &asked)?;
    let pool = Pool { export: Some(export_name.to_owned()), ..pool };
    Ok(gone::until_slices_come(view, pool, &asked))
}
