//! What a ResourceGateway and a ResourceConfiguration want. Each has a unit of its own.
//!
//! | the configuration's | is | then |
//! |---|---|---|
//! | parents | Gateways of ours whose listeners take ResourceConfigurations of its namespace | the resource is associated with their service networks |
//! | | none that takes it | it has nothing in VPC Lattice |
//! | ResourceGateway | there, in the same namespace | the resource leads through it, once VPC Lattice has it |
//! | | gone | it has nothing in VPC Lattice, so that the resource gateway can go, after the grace as all else |
//! | | there, and cannot be had as it is written | what is there stays |
//!
//! A listener takes it as it takes a route: by `allowedRoutes.namespaces`, and where `allowedRoutes.kinds` lists any kinds, if the
//! list has this one. Hostnames and protocols of listeners are for routes.

use super::dependents::{Hints, object_ref};
use super::subject;
use crate::api;
use crate::attach::allows_namespace;
use crate::code::Code;
use crate::gateway::{self, JudgedGateway, Whose};
use crate::problem::{Problem, quoted};
use crate::report::{Condition, Report, ResourceGatewayReport, ResourceParentReport, ResourceReport};
use crate::resource_spec::{self, Resource};
use crate::route::{ParentRef, parent_refs};
use crate::view::{Found, View};
use crate::{Settings, Translation, conditions, naming, reasons};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, ObjectRef, UnitKey};
use trellis_lattice::{
    Desired, DesiredResourceConfiguration, DesiredResourceGateway, Ownership, ResourceDefinition, Tags,
};

/// The object of a unit.
#[derive(Clone, Copy)]
pub(crate) struct Named<'u> {
    pub(crate) kind: Kind,
    pub(crate) cluster: &'u ClusterId,
    pub(crate) namespace: &'u str,
    pub(crate) name: &'u str,
}

impl Named<'_> {
    fn unit(&self) -> UnitKey {
        UnitKey::Resource {
            kind: self.kind,
            cluster: self.cluster.clone(),
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
        }
    }
}

/// Translates one ResourceGateway or ResourceConfiguration.
pub(crate) fn translate(view: &View, id: &Named, settings: &Settings) -> Translation {
    let owner = settings.owner(&id.unit());
    match view.get(id.cluster, id.kind, id.namespace, id.name) {
        Found::Unknown(why) => Translation::held(vec![why], vec![]),
        Found::Missing => Translation { told: gateways_left(view), ..Translation::nothing(owner, vec![]) },
        Found::Object(object) if id.kind == Kind::ResourceGateway => of_gateway(view, id, object, settings),
        Found::Object(object) => {
            let own = of_configuration(view, id, object, settings);
            Translation { told: gateways_left(view), ..own }
        }
    }
}

fn of_gateway(view: &View, id: &Named, object: &Value, settings: &Settings) -> Translation {
    let report = |accepted: Condition, gateway: Option<String>| {
        let subject = subject(id.cluster, Kind::ResourceGateway, object);
        vec![Report::ResourceGateway(ResourceGatewayReport { subject, accepted, gateway })]
    };
    match gateway_wish(view, id.cluster, object, settings) {
        Err(Unusable::Unknown(why)) => Translation::held(vec![why], vec![]),
        Err(Unusable::Refused(problem)) => {
            let accepted = Condition::no_for(conditions::ACCEPTED, reasons::INVALID, vec![problem]);
            Translation::refused(report(accepted, None))
        }
        Ok(wish) => {
            let accepted = Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, "");
            let reports = report(accepted, Some(wish.name.clone()));
            let owner = settings.owner(&id.unit());
            Translation::wanting(
                Desired { resource_gateways: vec![wish], ..Desired::nothing(owner) },
                reports,
            )
        }
    }
}

/// Why there is no telling what an object wants.
enum Unusable {
    Unknown(String),
    Refused(Problem),
}

/// The resource gateway of an object: for its own unit, and for those that lead through it.
fn gateway_wish(
    view: &View,
    cluster: &ClusterId,
    object: &Value,
    settings: &Settings,
) -> Result<DesiredResourceGateway, Unusable> {
    let meta = api::meta(object);
    let (namespace, name) = (meta.namespace.as_str(), meta.name.as_str());
    let owner = settings.owner(&Named { kind: Kind::ResourceGateway, cluster, namespace, name }.unit());
    let Some(facts) = view.snapshot.facts.get(cluster) else {
        return Err(Unusable::Unknown(format!("Cluster {} is not registered", cluster.name)));
    };
    let wish = resource_spec::gateway(object, facts, &owner).map_err(Unusable::Refused)?;
    if wish.vpc.is_empty() {
        return Err(Unusable::Unknown(format!("The VPC of cluster {} is not known", cluster.name)));
    }
    Ok(wish)
}

fn of_configuration(view: &View, id: &Named, object: &Value, settings: &Settings) -> Translation {
    let mut unknown = vec![];
    let parents = parents(view, id, object, &mut unknown);
    let owner = settings.owner(&id.unit());
    if !unknown.is_empty() {
        return Translation::held(unknown, vec![]);
    }
    let report = |resolved: Condition, configuration: Option<String>, refused: Option<Condition>| {
        let parents = parents.iter().map(|parent| ResourceParentReport {
            parent_ref: parent.reference.reference.clone(),
            gateway: parent.reference.name.clone(),
            accepted: match (&parent.refused, &refused) {
                (Some(refused), _) | (None, Some(refused)) => refused.clone(),
                (None, None) => Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, ""),
            },
            resolved_refs: resolved.clone(),
        });
        let subject = subject(id.cluster, Kind::ResourceConfiguration, object);
        vec![Report::Resource(ResourceReport { subject, configuration, parents: parents.collect() })]
    };
    let resolved = || Condition::yes(conditions::RESOLVED_REFS, reasons::RESOLVED_REFS, "");
    let unresolved = |reason, problem| Condition::no_for(conditions::RESOLVED_REFS, reason, vec![problem]);
    let resource = match resource_spec::configuration(object, Some(&id.cluster.scope)) {
        Ok(resource) => resource,
        Err(problem) => {
            let refused = Condition::no_for(conditions::ACCEPTED, reasons::UNSUPPORTED_VALUE, vec![problem]);
            return Translation::refused(report(resolved(), None, Some(refused)));
        }
    };
    let through = match view.get(id.cluster, Kind::ResourceGateway, id.namespace, &resource.gateway) {
        Found::Unknown(why) => return Translation::held(vec![why], vec![]),
        Found::Missing => {
            let text = format!(
                "ResourceGateway {} does not exist; create it",
                quoted(&format!("{}/{}", id.namespace, resource.gateway))
            );
            let problem = Problem::new(Code::ResourceGatewayNotFound, "spec.resourceGatewayRef", text);
            let resolved = unresolved(reasons::RESOURCE_GATEWAY_NOT_FOUND, problem);
            return Translation::nothing(owner, report(resolved, None, None));
        }
        Found::Object(gateway) => match gateway_wish(view, id.cluster, gateway, settings) {
            Ok(wish) => wish.name,
            Err(Unusable::Unknown(why)) => return Translation::held(vec![why], vec![]),
            Err(Unusable::Refused(problem)) => {
                let text = format!(
                    "ResourceGateway {} is not accepted: {}",
                    quoted(&format!("{}/{}", id.namespace, resource.gateway)),
                    problem.to_string().trim_end_matches('.')
                );
                let problem = Problem::new(Code::ResourceValue, "spec.resourceGatewayRef", text);
                let resolved = unresolved(reasons::INVALID_RESOURCE_GATEWAY, problem);
                return Translation::refused(report(resolved, None, None));
            }
        },
    };
    let taking = parents.iter().filter(|parent| parent.refused.is_none());
    let networks: BTreeSet<String> = taking.map(|parent| parent.reference.name.clone()).collect();
    if networks.is_empty() {
        return Translation::nothing(owner, report(resolved(), None, None));
    }
    let wish = wish(view, id, resource, through, networks, settings);
    let reports = report(resolved(), Some(wish.name.clone()), None);
    let desired = Desired { resource_configurations: vec![wish], ..Desired::nothing(owner) };
    Translation::wanting(settings.allowing_networks(desired), reports)
}

/// What of a configuration cannot be changed is part of its name.
fn wish(
    view: &View,
    id: &Named,
    resource: Resource,
    gateway: String,
    networks: BTreeSet<String>,
    settings: &Settings,
) -> DesiredResourceConfiguration {
    let owner = settings.owner(&id.unit());
    let Resource { gateway: _, definition, port_ranges, custom_domain } = resource;
    let kind = match &definition {
        ResourceDefinition::Dns { .. } => "dns",
        ResourceDefinition::Ip { .. } => "ip",
        ResourceDefinition::Arn { .. } => "arn",
    };
    let domain = custom_domain.as_deref().unwrap_or_default();
    let name = naming::resource(id.name, "rcfg-", &owner.unit, &[&gateway, kind, domain]);
    let managed_by = view.snapshot.facts.get(id.cluster).map(naming::managed_by);
    let tags = naming::tags(owner.tags().into_iter().chain(managed_by), &Tags::new());
    DesiredResourceConfiguration { name, gateway, definition, port_ranges, custom_domain, networks, tags }
}

/// A parent that is ours, and why it does not take the configuration.
struct Parent {
    reference: ParentRef,
    refused: Option<Condition>,
}

/// The parents that are ours, in order. Why some cannot be told is added to `unknown`.
fn parents(view: &View, id: &Named, object: &Value, unknown: &mut Vec<String>) -> Vec<Parent> {
    let mut parents = vec![];
    for reference in parent_refs(object, id.namespace).into_iter().filter(|parent| parent.is_gateway) {
        let (whose, gateway) = gateway::find(view, id.cluster, &reference.namespace, &reference.name);
        let refused = match (whose, gateway) {
            (Whose::Unknown(why), _) => {
                unknown.push(why);
                continue;
            }
            (Whose::Others, Some(_)) => continue,
            (_, None) => {
                let text = format!(
                    "Gateway {}/{} does not exist; create it or remove the reference",
                    reference.namespace, reference.name
                );
                Some(refusal(reasons::NO_MATCHING_PARENT, Code::ParentNotFound, &reference, text))
            }
            (Whose::Ours, Some(gateway)) => match view.judged(id.cluster, gateway) {
                Err(problem) => {
                    let (namespace, name) = (&reference.namespace, &reference.name);
                    unknown.push(format!("Gateway {namespace}/{name} cannot be read: {problem}"));
                    continue;
                }
                Ok(judged) => match refused_by(view, id, &reference, &judged) {
                    Ok(refused) => refused,
                    Err(why) => {
                        unknown.push(why);
                        continue;
                    }
                },
            },
        };
        parents.push(Parent { reference, refused });
    }
    parents
}

fn refusal(reason: &'static str, code: Code, reference: &ParentRef, text: String) -> Condition {
    let problem = Problem::new(code, reference.path.clone(), text);
    Condition::no_for(conditions::ACCEPTED, reason, vec![problem])
}

/// Why no listener of a Gateway takes the configuration.
fn refused_by(
    view: &View,
    id: &Named,
    reference: &ParentRef,
    gateway: &JudgedGateway,
) -> Result<Option<Condition>, String> {
    let meant = gateway.listeners.iter().filter(|listener| {
        reference.section.as_ref().is_none_or(|section| *section == listener.wire.name)
            && reference.port.is_none_or(|port| port == listener.wire.port)
    });
    let gateway_name = format!("Gateway {}/{}", gateway.namespace, gateway.name);
    let mut is_any_meant = false;
    for listener in meant {
        is_any_meant = true;
        let allowed = listener.wire.allowed_routes.as_ref();
        let kinds = allowed.and_then(|allowed| allowed.kinds.as_deref()).unwrap_or_default();
        let is_listed = kinds.is_empty() || kinds.iter().any(gateway::is_of_resources);
        if is_listed && allows_namespace(view, (id.cluster, id.namespace), &gateway.namespace, allowed)? {
            return Ok(None);
        }
    }
    if !is_any_meant {
        let text =
            format!("{gateway_name} has no listener of that sectionName and port; name one that it has");
        return Ok(Some(refusal(reasons::NO_MATCHING_PARENT, Code::ParentNotFound, reference, text)));
    }
    let text = format!(
        "No listener of {gateway_name} takes ResourceConfigurations from namespace {}; change the listener's allowedRoutes",
        id.namespace
    );
    Ok(Some(refusal(reasons::NOT_ALLOWED_BY_LISTENERS, Code::NotAllowed, reference, text)))
}

/// The units of the resource gateways that the unit's own configurations lead through, while one of these is on its way out: a
/// gateway goes only after them.
fn gateways_left(view: &View) -> Vec<(UnitKey, ObjectRef)> {
    let mut ours = view.actual.resource_configurations.iter().filter(|one| one.ownership == Ownership::Ours);
    if ours.next().is_none() {
        return vec![];
    }
    let others = view.actual.resource_gateways.iter().filter_map(|one| match &one.ownership {
        Ownership::OtherUnit(key) => key.parse::<UnitKey>().ok(),
        Ownership::Ours | Ownership::Foreign | Ownership::Unread => None,
    });
    let units: BTreeSet<UnitKey> = others.collect();
    let named = units.into_iter().filter_map(|unit| {
        let UnitKey::Resource { kind, cluster, namespace, name } = unit.clone() else { return None };
        let (uid, generation) = (String::new(), 0);
        Some((unit, ObjectRef { cluster, kind, namespace, name, uid, generation }))
    });
    named.collect()
}

/// The ResourceConfigurations that lead through a ResourceGateway.
pub(crate) fn through_gateway(view: &View, id: &Named) -> Hints {
    if id.kind != Kind::ResourceGateway {
        return Hints::new();
    }
    configurations_where(view, id.cluster, |object| {
        api::meta(object).namespace == id.namespace
            && object.pointer("/spec/resourceGatewayRef/name").and_then(Value::as_str) == Some(id.name)
    })
}

/// The ResourceConfigurations of a cluster that fit.
pub(super) fn configurations_where(view: &View, cluster: &ClusterId, fits: impl Fn(&Value) -> bool) -> Hints {
    let all = view.list(cluster, Kind::ResourceConfiguration, None).unwrap_or_default();
    let fitting = all.into_values().filter(|object| fits(object));
    let hints = fitting.map(|object| {
        let named = object_ref(cluster, Kind::ResourceConfiguration, object);
        let (namespace, name) = (named.namespace.as_str(), named.name.as_str());
        (Named { kind: Kind::ResourceConfiguration, cluster, namespace, name }.unit(), named.clone())
    });
    hints.collect()
}
