//! What an export wants: nothing, unless it asks for target groups of its own, one for each port. Importing routes make
//! their own; those are for users outside Kubernetes and for clusters that still run the AWS Gateway API Controller, whose
//! imports look for them. They count against the quota of target groups in the Region, so nobody gets one unasked.

use super::kept::{group_as_it_is, marked};
use super::subject;
use crate::annotations;
use crate::api::{self, Meta, Service, ServiceExport};
use crate::backend::{
    Asked, BackendError, Listeners, PORT, is_of_other_federation, mark, pool, service_of_export,
};
use crate::code::Code;
use crate::problem::{Problem, message, quoted};
use crate::report::{Condition, ExportReport, Report};
use crate::view::{Found, View};
use crate::{Settings, Translation, naming};
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::BTreeMap;
use trellis_hint::{ClusterId, Kind, UnitKey};
use trellis_lattice::{Desired, DesiredTargetGroup, Owner, Ownership, TAG_PREFIX};

/// The annotation that asks for target groups of the export's own, by `true`. Without the common prefix.
const TARGET_GROUP: &str = "export-target-group";

/// Ports that one export can have: the CRD's own bound, for the annotation too.
const PORTS_MAX: usize = 64;

/// Translates one export.
pub(crate) fn translate(
    view: &View,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
    settings: &Settings,
) -> Translation {
    let unit = UnitKey::Export { cluster: cluster.clone(), namespace: namespace.into(), name: name.into() };
    let owner = settings.owner(&unit);
    let object = match view.get(cluster, Kind::ServiceExport, namespace, name) {
        Found::Unknown(why) => return Translation::held(vec![why], vec![]),
        Found::Missing => return gone(view, owner, settings),
        Found::Object(object) if is_of_other_federation(object) => {
            return Translation::nothing(owner, vec![]);
        }
        Found::Object(object) => object,
    };
    let report = |valid: Condition, target_groups: Vec<String>| {
        let subject = subject(cluster, Kind::ServiceExport, object);
        vec![Report::Export(ExportReport { subject, valid, target_groups })]
    };
    let export: ServiceExport = match api::parse(object) {
        Ok(export) => export,
        Err(problem) => {
            let valid = Condition::no_for(conditions::VALID, reasons::INVALID, vec![problem]);
            return Translation::refused(report(valid, vec![]));
        }
    };
    let service = service_of_export(&export.metadata);
    let (ports, mut problems) = match ports(view, cluster, namespace, service, &export) {
        Ok(ports) => ports,
        Err(why) => return Translation::held(vec![why], vec![]),
    };
    let (mut groups, mut unknown) = (BTreeMap::new(), vec![]);
    let mut reason = if problems.is_empty() { None } else { Some(reasons::INVALID) };
    for (path, port, route_kind) in ports {
        let asked = Asked {
            path: &path,
            port: Some(port),
            export: Some(name),
            route_kind,
            listeners: Listeners::Secure,
            targets_max: settings.limits.targets_per_target_group,
            grace: settings.grace,
            told: None,
        };
        match pool(view, cluster, namespace, service, &asked) {
            Err(BackendError::Unknown(why)) => unknown.push(why),
            Err(BackendError::Broken(why, problem) | BackendError::Awaited(why, problem)) => {
                reason.get_or_insert(why);
                problems.push(problem);
            }
            Ok(pool) => {
                let mut group = target_group(view, &export, &pool, &owner);
                if let Some(left) = pool.awaits_slices {
                    let mut held = view.actual.target_groups.iter();
                    let held = held.find(|held| held.name == group.name).and_then(group_as_it_is);
                    group.targets = held.map(|held| held.targets).unwrap_or_default();
                    if !group.targets.is_empty() {
                        view.lasts(left);
                    }
                }
                groups.insert(group.name.clone(), group);
            }
        }
    }
    if !unknown.is_empty() {
        return Translation::held(unknown, vec![]);
    }
    if view.get_even_terminating(cluster, Kind::Service, namespace, service) == Found::Missing {
        groups.extend(staying(view, settings).map(|group| (group.name.clone(), group)));
    }
    problems.sort();
    problems.dedup();
    let (is_asked_for, _) = asks_for_target_groups(&export.metadata);
    if !is_asked_for {
        groups.clear();
    }
    let notes = message(&annotations::problems(Kind::ServiceExport, &export.metadata));
    let between = if notes.is_empty() { "" } else { " " };
    let valid = match reason {
        Some(reason) => Condition::no_for(conditions::VALID, reason, problems),
        None => Condition::yes(
            conditions::VALID,
            reasons::VALID,
            format!("Routes of other clusters can import it.{between}{notes}"),
        ),
    };
    let reports = report(valid, groups.keys().cloned().collect());
    let desired = Desired { target_groups: groups.into_values().collect(), ..Desired::nothing(owner) };
    Translation::wanting(desired, reports)
}

/// An export that is gone: its target groups stay for a while.
fn gone(view: &View, owner: Owner, settings: &Settings) -> Translation {
    let target_groups = staying(view, settings).collect();
    Translation::wanting(Desired { target_groups, ..Desired::nothing(owner) }, vec![])
}

/// The unit's target groups that stay for a while.
fn staying(view: &View, settings: &Settings) -> impl Iterator<Item = DesiredTargetGroup> {
    let ours = view.actual.target_groups.iter().filter(|group| group.ownership == Ownership::Ours);
    ours.filter_map(|group| Some(marked(group_as_it_is(group)?, mark(settings.grace, group)?)))
}

/// Whether the export asks for target groups of its own, and what is to be told of a value that says neither.
pub(crate) fn asks_for_target_groups(export: &Meta) -> (bool, Option<Problem>) {
    let value = export.annotation(TARGET_GROUP).unwrap_or("false");
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => (true, None),
        "false" => (false, None),
        _ => {
            let path = format!("metadata.annotations[{TAG_PREFIX}{TARGET_GROUP}]");
            let text = format!("{} is neither true nor false and counts as false; set one", quoted(value));
            (false, Some(Problem::new(Code::AnnotationValue, path, text)))
        }
    }
}

type Ports = Vec<(String, i64, Kind)>;

/// The exported ports with their field paths and route kinds: those of the spec, else of the annotation, else all.
fn ports(
    view: &View,
    cluster: &ClusterId,
    namespace: &str,
    service: &str,
    export: &ServiceExport,
) -> Result<(Ports, Vec<Problem>), String> {
    let exported = export.spec.exported_ports.as_deref().unwrap_or_default();
    let (mut ports, mut problems) = (vec![], vec![]);
    for (at, port) in exported.iter().enumerate().take(PORTS_MAX) {
        let path = format!("spec.exportedPorts[{at}]");
        match port.route_type.as_str() {
            "HTTP" => ports.push((path, port.port, Kind::HTTPRoute)),
            "GRPC" => ports.push((path, port.port, Kind::GRPCRoute)),
            "TLS" => ports.push((path, port.port, Kind::TLSRoute)),
            other => problems.push(Problem::new(
                Code::AnnotationValue,
                format!("{path}.routeType"),
                format!("{} is no route type; use HTTP, GRPC or TLS", quoted(other)),
            )),
        }
    }
    if !exported.is_empty() {
        return Ok((ports, problems));
    }
    if let Some(listed) = export.metadata.annotation(PORT) {
        let path = "metadata.annotations[application-networking.k8s.aws/port]";
        for port in listed.split(',').map(str::trim).filter(|port| !port.is_empty()).take(PORTS_MAX) {
            match port.parse() {
                Ok(number) => ports.push((path.to_owned(), number, Kind::HTTPRoute)),
                Err(_) => problems.push(Problem::new(
                    Code::AnnotationValue,
                    path,
                    format!("{} is no port; list port numbers with commas between", quoted(port)),
                )),
            }
        }
        return Ok((ports, problems));
    }
    match view.get(cluster, Kind::Service, namespace, service) {
        Found::Unknown(why) => Err(why),
        Found::Missing => {
            let text = format!(
                "Service {} does not exist; create it or name another by annotation service-name",
                quoted(&format!("{namespace}/{service}"))
            );
            Ok((vec![], vec![Problem::new(Code::BackendNotFound, "metadata.name", text)]))
        }
        Found::Object(object) => {
            let service: Service = match api::parse(object) {
                Ok(service) => service,
                Err(problem) => return Ok((vec![], vec![problem])),
            };
            let all = service.spec.ports.unwrap_or_default().into_iter();
            let tcp = all.filter(|port| port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP"));
            let ports = tcp.take(PORTS_MAX).map(|port| ("metadata.name".into(), port.port, Kind::HTTPRoute));
            Ok((ports.collect(), vec![]))
        }
    }
}

fn target_group(
    view: &View,
    export: &ServiceExport,
    pool: &crate::backend::Pool,
    owner: &Owner,
) -> DesiredTargetGroup {
    let named = crate::backend::Pool { service: export.metadata.name.clone(), ..pool.clone() };
    let own = [
        naming::tag("ClusterName", &pool.cluster.name),
        naming::tag(naming::SERVICE_NAME, &export.metadata.name),
        naming::tag(naming::SERVICE_NAMESPACE, &export.metadata.namespace),
        naming::tag("SourceTypeKey", "ServiceExport"),
        naming::tag("ProtocolVersion", naming::protocol_version(pool.config.protocol_version())),
    ];
    let managed_by = view.snapshot.facts.get(&pool.cluster).map(naming::managed_by);
    let name = naming::target_group(&owner.unit, &pool.service, &named);
    let policy = naming::policy_tag(view.actual, &name, pool);
    DesiredTargetGroup {
        // Named and tagged by the export's name, under which it is looked for.
        name,
        health_check: pool.health_check.clone(),
        config: pool.config.clone(),
        targets: pool.targets.clone(),
        tags: naming::tags(
            owner.tags().into_iter().chain(managed_by).chain(own).chain(policy),
            &naming::user_tags(&export.metadata).0,
        ),
    }
}

/// The exports of a Service in its own cluster.
pub(crate) fn exports_of<'a>(
    view: &View<'a>,
    cluster: &ClusterId,
    namespace: &str,
    service: &str,
) -> Result<Vec<&'a Value>, String> {
    let exports = view.list(cluster, Kind::ServiceExport, Some(namespace))?;
    let of_service = |export: &&Value| service_of_export(&api::meta(export)) == service;
    Ok(exports.into_values().filter(of_service).collect())
}
