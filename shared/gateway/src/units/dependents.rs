//! Who refers to an object, so that its change becomes work for them; and the statuses that no other unit writes.

use super::claim::{Claim, GatewayName};
use super::cluster_routes::{objects, read, routes};
use super::{export_unit, resource_unit, subject};
use crate::api::{self, Meta};
use crate::backend::{declared, exporters_of, external, referent_kind};
use crate::code::Code;
use crate::gateway::is_our_class;
use crate::policy;
use crate::prefixes::takes_everything;
use crate::problem::Problem;
use crate::report::{ClassReport, Condition, ImportReport, Report};
use crate::route::Route;
use crate::view::{Found, View};
use crate::{Settings, Translation, status};
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use trellis_hint::{ClusterId, Kind, ObjectRef, Scope, UnitKey, parent_gateways};

/// Units and the objects that give the hint, each unit once.
pub(crate) type Hints = BTreeMap<UnitKey, ObjectRef>;

/// What a Dependents unit names.
pub(crate) struct Changed<'u> {
    pub(crate) kind: Kind,
    pub(crate) cluster: &'u ClusterId,
    pub(crate) namespace: &'u str,
    pub(crate) name: &'u str,
}

/// A Dependents unit owns nothing in VPC Lattice; it writes the status of classes, imports and Backends.
pub(crate) fn translate(view: &View, changed: &Changed, settings: &Settings) -> Translation {
    let reports = match changed.kind {
        Kind::GatewayClass => class_report(view, changed).into_iter().collect(),
        Kind::ServiceImport => match view.get(changed.cluster, changed.kind, changed.namespace, changed.name)
        {
            Found::Object(import) => vec![import_report(view, changed.cluster, import, settings)],
            _ => vec![],
        },
        Kind::Backend => {
            let found = view.get(changed.cluster, changed.kind, changed.namespace, changed.name);
            let report = match found {
                Found::Object(backend) => {
                    let installation = &settings.installation;
                    Some(Report::Backend(declared::report(view, changed.cluster, backend, installation)))
                }
                _ => None,
            };
            let users = || backend_users(view, changed, &Settings::default());
            report.into_iter().chain(policy::of_source(view, changed, users)).collect()
        }
        Kind::ServiceExport => imports_of(view, changed)
            .into_iter()
            .map(|(cluster, import)| import_report(view, &cluster, import, settings))
            .collect(),
        Kind::Service => {
            policy::of_source(view, changed, || service_users(view, changed, &Settings::default()))
        }
        kind if kind.is_policy() => policy::of_itself(view, changed).into_iter().collect(),
        _ => vec![],
    };
    Translation::held(unread(view, changed), reports)
}

/// Why clusters cannot be read in which somebody may refer to the object, or on which the status of an import depends: whoever
/// that is cannot be found, and is still to be told.
fn unread(view: &View, changed: &Changed) -> Vec<String> {
    let is_shared = match changed.kind {
        Kind::ServiceExport | Kind::ServiceImport => true,
        Kind::Service => {
            let exports = export_unit::exports_of(view, changed.cluster, changed.namespace, changed.name);
            exports.is_ok_and(|exports| !exports.is_empty())
        }
        _ => false,
    };
    let clusters =
        view.snapshot.facts.keys().filter(|cluster| {
            *cluster == changed.cluster || is_shared && cluster.scope == changed.cluster.scope
        });
    let unknown: BTreeSet<String> = clusters.filter_map(|cluster| view.snapshot.unknown(cluster)).collect();
    unknown.into_iter().collect()
}

fn class_report(view: &View, changed: &Changed) -> Option<Report> {
    // Listed as everyone lists classes, so that one answer serves all.
    let classes = view.list(changed.cluster, Kind::GatewayClass, None).ok()?;
    let (_, class) = classes.into_iter().find(|(key, _)| key.name == changed.name)?;
    if !is_our_class(class) {
        return None;
    }
    let notes = class.pointer("/spec/parametersRef").filter(|parameters| !parameters.is_null()).map(|_| {
        Problem::new(
            Code::ClassParameters,
            "spec.parametersRef",
            "The class takes no parameters; remove the field",
        )
        .to_string()
    });
    Some(Report::Class(ClassReport {
        subject: subject(changed.cluster, Kind::GatewayClass, class),
        accepted: Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, notes.unwrap_or_default()),
    }))
}

fn import_report(view: &View, cluster: &ClusterId, import: &Value, settings: &Settings) -> Report {
    let meta = api::meta(import);
    let subject = subject(cluster, Kind::ServiceImport, import);
    if let Some(external) = external::told(view, cluster, &meta, &settings.installation) {
        return Report::Import(ImportReport {
            subject,
            clusters: Some(BTreeSet::new()),
            external: Some(external),
        });
    }
    let exporters = exporters_of(view, cluster, &meta);
    // What is not known of some clusters must not take them off the list.
    let clusters = exporters.unknown.is_empty().then_some(exporters.known);
    Report::Import(ImportReport { subject, clusters, external: None })
}

/// The imports, in all clusters, that an export is meant by, with their clusters.
fn imports_of<'a>(view: &View<'a>, changed: &Changed) -> Vec<(ClusterId, &'a Value)> {
    let mut imports = vec![];
    for cluster in view.snapshot.facts.keys() {
        let listed = view.list(cluster, Kind::ServiceImport, Some(changed.namespace)).unwrap_or_default();
        imports.extend(
            listed
                .into_values()
                .filter(|import| is_import_of(&api::meta(import), cluster, changed))
                .map(|import| (cluster.clone(), import)),
        );
    }
    imports
}

fn is_import_of(import: &Meta, cluster: &ClusterId, export: &Changed) -> bool {
    if import.annotation(external::ANNOTATION).is_some() {
        return false;
    }
    let name = import.annotation("export-name").unwrap_or(&import.name);
    let only = import.annotation("aws-eks-cluster-name");
    let is_meant =
        cluster.scope == export.cluster.scope && only.is_none_or(|only| only == export.cluster.name);
    name == export.name && import.namespace == export.namespace && is_meant
}

/// Who refers to the object, and whose status names one of those: of a hostname or a quota of its service the one may leave
/// more to the other, or less, without a change of its own status.
pub(crate) fn dependents(view: &View, changed: &Changed, settings: &Settings) -> Hints {
    let mut hints = referring(view, changed, settings);
    // What becomes of a Service changes the status of whoever leads there, and that tells the others.
    if changed.kind != Kind::Service {
        let routes: BTreeSet<UnitKey> = hints.keys().filter(|unit| is_route(unit)).cloned().collect();
        for cluster in routes.iter().filter_map(UnitKey::cluster).collect::<BTreeSet<_>>() {
            for (unit, named) in naming(view, cluster, |units| units.iter().any(|unit| routes.contains(unit)))
            {
                hints.entry(unit).or_insert(named);
            }
        }
    }
    hints
}

fn is_route(unit: &UnitKey) -> bool {
    matches!(unit, UnitKey::Route { .. })
}

fn referring(view: &View, changed: &Changed, settings: &Settings) -> Hints {
    match changed.kind {
        Kind::GatewayClass => gateways_of_class(view, changed),
        Kind::Namespace => in_namespace(view, changed, settings),
        Kind::ReferenceGrant => {
            let refers_across = |route: &Route| {
                route.id.namespace != changed.namespace
                    && backend_namespaces(route).contains(changed.namespace)
            };
            let mut hints = routes_where(view, changed.cluster, settings, refers_across);
            for source in [Kind::Service, Kind::Backend] {
                let is_there = |namespace: &str, _: &str| namespace == changed.namespace;
                hints.extend(keeping_routes(view, changed.cluster, source, is_there));
            }
            hints.extend(gateways_with_certificates_in(view, changed));
            hints
        }
        Kind::ServiceImport => routes_where(view, changed.cluster, settings, |route| {
            refers_to(route, Kind::ServiceImport, changed.namespace, changed.name)
        }),
        Kind::Backend => backend_users(view, changed, settings),
        Kind::ServiceExport => importing_routes(view, changed, settings),
        Kind::Service => service_users(view, changed, settings),
        _ => Hints::new(),
    }
}

fn backend_users(view: &View, changed: &Changed, settings: &Settings) -> Hints {
    let mut hints = routes_where(view, changed.cluster, settings, |route| {
        refers_to(route, Kind::Backend, changed.namespace, changed.name)
    });
    hints.extend(keeping_routes(view, changed.cluster, Kind::Backend, |namespace, name| {
        (namespace, name) == (changed.namespace, changed.name)
    }));
    hints
}

fn service_users(view: &View, changed: &Changed, settings: &Settings) -> Hints {
    let mut hints = routes_where(view, changed.cluster, settings, |route| {
        refers_to(route, Kind::Service, changed.namespace, changed.name)
    });
    hints.extend(keeping_routes(view, changed.cluster, Kind::Service, |namespace, name| {
        (namespace, name) == (changed.namespace, changed.name)
    }));
    let exports = export_unit::exports_of(view, changed.cluster, changed.namespace, changed.name);
    for object in exports.unwrap_or_default() {
        let meta = api::meta(object);
        let unit = UnitKey::Export {
            cluster: changed.cluster.clone(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
        };
        hints.insert(unit, object_ref(changed.cluster, Kind::ServiceExport, object));
        let export = Changed {
            kind: Kind::ServiceExport,
            cluster: changed.cluster,
            namespace: &meta.namespace,
            name: &meta.name,
        };
        hints.extend(importing_routes(view, &export, settings));
    }
    hints
}

fn importing_routes(view: &View, export: &Changed, settings: &Settings) -> Hints {
    let mut imports: BTreeMap<ClusterId, BTreeSet<String>> = BTreeMap::new();
    for (cluster, import) in imports_of(view, export) {
        imports.entry(cluster).or_default().insert(api::meta(import).name);
    }
    // An import that was deleted a moment ago may still be what a route names: its own change hints at that route.
    let mut hints = Hints::new();
    for (cluster, names) in imports {
        hints.extend(routes_where(view, &cluster, settings, |route| {
            names.iter().any(|name| refers_to(route, Kind::ServiceImport, export.namespace, name))
        }));
    }
    hints
}

fn gateways_of_class(view: &View, changed: &Changed) -> Hints {
    let gateways = view.list(changed.cluster, Kind::Gateway, None).unwrap_or_default();
    let of_class = gateways.into_values().filter(|gateway| {
        gateway.pointer("/spec/gatewayClassName").and_then(Value::as_str) == Some(changed.name)
    });
    of_class.map(|gateway| gateway_hint(changed.cluster, gateway)).collect()
}

fn in_namespace(view: &View, changed: &Changed, settings: &Settings) -> Hints {
    let gateways = view.list(changed.cluster, Kind::Gateway, None).unwrap_or_default();
    let selects = |gateway: &&Value| {
        let listeners = gateway.pointer("/spec/listeners").and_then(Value::as_array);
        listeners.into_iter().flatten().any(|listener| {
            listener.pointer("/allowedRoutes/namespaces/from").and_then(Value::as_str) == Some("Selector")
        })
    };
    let selecting: Vec<&Value> = gateways.into_values().filter(selects).collect();
    if selecting.is_empty() {
        return Hints::new();
    }
    let mut hints = routes_where(view, changed.cluster, settings, |route| route.id.namespace == changed.name);
    hints.extend(resource_unit::configurations_where(view, changed.cluster, |object| {
        api::name_of(object).0 == changed.name
    }));
    hints.extend(selecting.into_iter().map(|gateway| gateway_hint(changed.cluster, gateway)));
    hints
}

/// The Gateways of other namespaces whose listeners name certificates in the grant's.
fn gateways_with_certificates_in(view: &View, grant: &Changed) -> Hints {
    let gateways = view.list(grant.cluster, Kind::Gateway, None).unwrap_or_default();
    let refers_there = |gateway: &&Value| {
        let listeners = gateway.pointer("/spec/listeners").and_then(Value::as_array).into_iter().flatten();
        let references =
            listeners.filter_map(|one| one.pointer("/tls/certificateRefs")?.as_array()).flatten();
        let mut namespaces = references.filter_map(|one| one.get("namespace")?.as_str());
        api::name_of(gateway).0 != grant.namespace && namespaces.any(|one| one == grant.namespace)
    };
    gateways.into_values().filter(refers_there).map(|gateway| gateway_hint(grant.cluster, gateway)).collect()
}

fn gateway_hint(cluster: &ClusterId, gateway: &Value) -> (UnitKey, ObjectRef) {
    let object = object_ref(cluster, Kind::Gateway, gateway);
    (UnitKey::Gateway { scope: cluster.scope.clone(), name: object.name.clone() }, object)
}

/// The routes and the ResourceConfigurations of the Gateways of a name, in all clusters.
pub(crate) fn routes_of_gateway(view: &View, scope: &Scope, name: &str, settings: &Settings) -> Hints {
    let mut hints = Hints::new();
    for cluster in view.snapshot.facts.keys().filter(|cluster| cluster.scope == *scope) {
        hints.extend(routes_where(view, cluster, settings, |route| {
            route.parents.iter().any(|parent| parent.is_gateway && parent.name == name)
        }));
        hints.extend(resource_unit::configurations_where(view, cluster, |object| {
            parent_gateways(object).contains(name)
        }));
    }
    hints
}

/// The routes that fit, and those whose service has the rules of one that does.
fn routes_where(
    view: &View,
    cluster: &ClusterId,
    settings: &Settings,
    fits: impl Fn(&Route) -> bool,
) -> Hints {
    let mut hints = Hints::new();
    for (route, object) in
        routes(view, cluster, settings, &mut vec![]).into_iter().filter(|(route, _)| fits(route))
    {
        let named = object_ref(cluster, route.id.kind, object);
        for other in status::mentioned(cluster, object) {
            hints.entry(other).or_insert_with(|| named.clone());
        }
        hints.insert(route.id.unit(), named);
    }
    hints
}

/// The routes whose services have rules from before a refused edit that lead to such a Service or
/// Backend, by namespace and name.
fn keeping_routes(
    view: &View,
    cluster: &ClusterId,
    source: Kind,
    fits: impl Fn(&str, &str) -> bool,
) -> Hints {
    let mut hints = Hints::new();
    for (kind, object) in objects(view, cluster, &mut vec![]) {
        if status::kept_sources(object, source).iter().any(|(namespace, name)| fits(namespace, name)) {
            let named = object_ref(cluster, kind, object);
            hints.insert(unit_of_route(cluster, kind, &named), named);
        }
    }
    hints
}

pub(super) fn unit_of_route(cluster: &ClusterId, kind: Kind, route: &ObjectRef) -> UnitKey {
    let (namespace, name) = (route.namespace.clone(), route.name.clone());
    UnitKey::Route { kind, cluster: cluster.clone(), namespace, name }
}

/// The routes whose status names a route, or may do: those that share a service with it, and those that it leaves something
/// of a hostname to. And those that it gives something to say by its coming.
pub(crate) fn naming_route(view: &View, cluster: &ClusterId, route: &UnitKey, settings: &Settings) -> Hints {
    let mut hints = naming(view, cluster, |units| units.contains(route));
    hints.extend(beside(view, cluster, route, settings));
    hints.remove(route);
    hints
}

/// The routes with hostnames on the listeners of one without: requests that they leave unanswered do not come to it, which
/// their statuses tell (`super::services`) and which names it only from then on.
fn beside(view: &View, cluster: &ClusterId, unit: &UnitKey, settings: &Settings) -> Hints {
    let claim = |route: Rc<Route>, object: &Value| Claim::of(view, route, object, &mut vec![]);
    let mut all = objects(view, cluster, &mut vec![]);
    let is_own = |(kind, object): &(Kind, &Value)| {
        unit_of_route(cluster, *kind, &object_ref(cluster, *kind, object)) == *unit
    };
    let own = all.iter().position(is_own).map(|at| all.swap_remove(at));
    let Some((own_kind, own_object)) = own else { return Hints::new() };
    let Some(own) = read(view, cluster, own_kind, own_object, settings) else { return Hints::new() };
    let own = claim(own, own_object);
    let open = own.asks.iter().filter(|ask| ask.hostname.is_none());
    let open: BTreeSet<(&GatewayName, u16)> = open.map(|ask| (&ask.gateway, ask.port)).collect();
    if open.is_empty() {
        return Hints::new();
    }
    let gateways = parent_gateways(own_object);
    all.retain(|(kind, object)| *kind == own_kind && !parent_gateways(object).is_disjoint(&gateways));
    let mut hints = Hints::new();
    for (kind, object) in all {
        let Some(route) = read(view, cluster, kind, object, settings) else { continue };
        let takes_all = answers_everything(&route);
        let claim = claim(route, object);
        let mut named = claim.asks.iter().filter(|ask| ask.hostname.is_some());
        if !named.any(|ask| open.contains(&(&ask.gateway, ask.port))) {
            continue;
        }
        // All routes of a service tell what it leaves unanswered, on whichever of its listeners that is.
        let sharing = status::mentioned(cluster, object);
        if !takes_all || !sharing.is_empty() {
            let named = object_ref(cluster, kind, object);
            hints.extend(sharing.into_iter().map(|unit| (unit, named.clone())));
            hints.insert(unit_of_route(cluster, kind, &named), named);
        }
    }
    hints
}

/// Whether a rule of a route takes every request.
fn answers_everything(route: &Route) -> bool {
    let matches = route.rules.iter().flat_map(|rule| &rule.matches);
    route.id.kind == Kind::TLSRoute || matches.flat_map(|one| &one.alternatives).any(takes_everything)
}

/// The routes of a cluster whose status names others that fit. One that was too long to name all may have named anybody.
fn naming(view: &View, cluster: &ClusterId, fits: impl Fn(&BTreeSet<UnitKey>) -> bool) -> Hints {
    let mut hints = Hints::new();
    for (kind, object) in objects(view, cluster, &mut vec![]) {
        if fits(&status::mentioned(cluster, object)) || status::is_cut(object) {
            let named = object_ref(cluster, kind, object);
            hints.insert(unit_of_route(cluster, kind, &named), named);
        }
    }
    hints
}

fn refers_to(route: &Route, kind: Kind, namespace: &str, name: &str) -> bool {
    route.rules.iter().flat_map(|rule| &rule.backends).any(|backend| {
        referent_kind(backend) == Ok(kind)
            && backend.name == name
            && backend.namespace.as_deref().unwrap_or(&route.id.namespace) == namespace
    })
}

fn backend_namespaces(route: &Route) -> BTreeSet<&str> {
    let backends = route.rules.iter().flat_map(|rule| &rule.backends);
    backends.filter_map(|backend| backend.namespace.as_deref()).collect()
}

/// An object as hints name it.
pub(crate) fn object_ref(cluster: &ClusterId, kind: Kind, object: &Value) -> ObjectRef {
    let meta = api::meta(object);
    ObjectRef {
        cluster: cluster.clone(),
        kind,
        namespace: meta.namespace,
        name: meta.name,
        uid: meta.uid,
        generation: meta.generation,
    }
}
