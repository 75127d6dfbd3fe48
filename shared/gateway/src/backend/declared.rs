//! From a Backend to what it names: a function, addresses, instances, a load balancer, or a target group that somebody else made.

use super::addresses::{self, Addresses};
use super::external;
use super::function::{self, Lambda};
use super::gone::{self, Origin};
use super::instances::{self, Instances};
use super::load_balancer::{self, LoadBalancer};
use super::service::{Asked, Pool};
use super::{BackendError, Pools};
use crate::api::{self, BackendObject, LambdaWire, ServicePort};
use crate::code::Code;
use crate::facts::Selector;
use crate::problem::{Problem, quoted};
use crate::report::{BackendReport, Condition};
use crate::units::subject;
use crate::view::{Found, View};
use crate::{Snapshot, conditions, reasons};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, Scope};
use trellis_lattice::{
    EventVersion, FunctionFacts, Invocation, LambdaConfig, Target, TargetGroupConfig, TargetProtocol,
};

/// The field that names a target group.
const TARGET_GROUP: &str = "spec.targetGroup.arn";
pub(super) const NOT_ASKED: &str = "AWS was not asked yet";
/// What a Backend can be.
const KINDS: &str = "lambda, addresses, instances, loadBalancer, targetGroup";

/// What a Backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Declared {
    Lambda(Lambda),
    Addresses(Addresses),
    Instances(Instances),
    LoadBalancer(LoadBalancer),
    /// ARN.
    TargetGroup(String),
}

/// Reads a Backend; what is wrong with it is named by its field.
pub(crate) fn read(object: &Value, scope: &Scope) -> Result<Declared, Problem> {
    let spec = api::parse::<BackendObject>(object)?.spec;
    if let Some(unknown) = spec.rest.keys().next() {
        let text = format!("A Backend cannot be this; use one of {KINDS}");
        return Err(Problem::new(Code::BackendValue, format!("spec.{unknown}"), text));
    }
    match (spec.lambda, spec.addresses, spec.instances, spec.load_balancer, spec.target_group) {
        (Some(wire), None, None, None, None) => lambda(&wire, scope).map(Declared::Lambda),
        (None, Some(wire), None, None, None) => addresses::read(wire).map(Declared::Addresses),
        (None, None, Some(wire), None, None) => instances::read(wire).map(Declared::Instances),
        (None, None, None, Some(wire), None) => load_balancer::read(wire, scope).map(Declared::LoadBalancer),
        (None, None, None, None, Some(wire)) => match external::arn_problem(&wire.arn, Some(scope)) {
            None => Ok(Declared::TargetGroup(wire.arn)),
            Some(why) => Err(Problem::new(
                Code::BackendValue,
                TARGET_GROUP,
                format!("{} cannot be had: {why}", quoted(&wire.arn)),
            )),
        },
        _ => {
            let text = format!("A Backend is one thing; name exactly one of {KINDS}");
            Err(Problem::new(Code::BackendValue, "spec", text))
        }
    }
}

fn lambda(wire: &LambdaWire, scope: &Scope) -> Result<Lambda, Problem> {
    let version = match wire.event_structure_version.as_deref() {
        None | Some("V2") => EventVersion::V2,
        Some("V1") => EventVersion::V1,
        Some(other) => {
            let text = format!("{} is no version of the event; use V1 or V2", quoted(other));
            return Err(Problem::new(Code::BackendValue, "spec.lambda.eventStructureVersion", text));
        }
    };
    Ok(Lambda { arn: function::arn(&wire.function, wire.qualifier.as_deref(), scope)?, version })
}

/// The VPC that a member of the spec names, if it names one.
pub(super) fn vpc(member: &str, vpc: Option<String>) -> Result<Option<String>, Problem> {
    let is_vpc = |vpc: &String| {
        vpc.strip_prefix("vpc-")
            .is_some_and(|id| id.len() >= 8 && id.bytes().all(|one| one.is_ascii_hexdigit()))
    };
    match vpc.as_ref().filter(|vpc| !is_vpc(vpc)) {
        None => Ok(vpc),
        Some(wrong) => {
            let text = format!("{} is no id of a VPC; write vpc- and its digits", quoted(wrong));
            Err(Problem::new(Code::BackendValue, format!("{member}.vpc"), text))
        }
    }
}

/// The port that a member of the spec names.
pub(super) fn port(member: &str, port: i64) -> Result<u16, Problem> {
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| {
        let text = format!("{port} is no port; use a number from 1 to 65535");
        Problem::new(Code::BackendValue, format!("{member}.port"), text)
    })
}

/// The protocol that a member of the spec names; `may_pass`: TLS can be passed on there.
pub(super) fn protocol(
    member: &str,
    protocol: Option<&str>,
    may_pass: bool,
) -> Result<TargetProtocol, Problem> {
    match protocol {
        None | Some("HTTP") => Ok(TargetProtocol::Http),
        Some("HTTPS") => Ok(TargetProtocol::Https),
        Some("TCP") if may_pass => Ok(TargetProtocol::Tcp),
        Some(other) => {
            let possible = if may_pass { "HTTP, HTTPS or TCP" } else { "HTTP or HTTPS" };
            let text = format!("{} is not possible; use {possible}", quoted(other));
            Err(Problem::new(Code::BackendValue, format!("{member}.protocol"), text))
        }
    }
}

/// The port of a Service that would be spoken to as a Backend's targets are.
pub(super) fn service_port(
    member: &str,
    name: &str,
    (port, protocol): (u16, TargetProtocol),
    asked: &Asked,
) -> Result<ServicePort, BackendError> {
    if protocol == TargetProtocol::Tcp && asked.route_kind != Kind::TLSRoute {
        let text = format!("No {} can lead to TCP; use a TLSRoute, or name HTTP or HTTPS", asked.route_kind);
        let text = format!("Backend {}: {member}.protocol: {text}", quoted(name));
        return Err(BackendError::broken(reasons::INVALID_BACKEND, asked.path, text));
    }
    let app_protocol = if protocol == TargetProtocol::Https { "https" } else { "http" };
    let app_protocol = Some(app_protocol.to_owned());
    Ok(ServicePort { name: None, port: port.into(), protocol: None, app_protocol })
}

/// What is to be told of more targets than a target group takes.
pub(super) fn too_many_note(name: &str, count: usize, asked: &Asked) -> Option<Problem> {
    (count > asked.targets_max).then(|| {
        let text = format!(
            "Backend {} has {count} targets, VPC Lattice takes {} in a target group; the rest gets no requests, raise the quota \
             \"Targets per target group\" (L-D71303F3)",
            quoted(name),
            asked.targets_max
        );
        Problem::new(Code::TooManyEndpoints, asked.path, text)
    })
}

pub(super) fn resolved(text: String) -> Condition {
    Condition::yes(conditions::RESOLVED_REFS, reasons::RESOLVED_REFS, text)
}

pub(super) fn unresolved(reason: &'static str, problem: Problem) -> Condition {
    Condition::no_for(conditions::RESOLVED_REFS, reason, vec![problem])
}

/// What is said where AWS does not tell of something.
pub(super) fn untold(what: &str, why: &str) -> Condition {
    let message = format!("AWS does not tell of {what}: {why}. What rules lead to it stays.");
    let (status, reason) = ("Unknown", reasons::PENDING);
    Condition { kind: conditions::RESOLVED_REFS, status, reason, message, problems: vec![] }
}

/// What a route's backendRef to a Backend leads to.
pub(super) fn pools(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    asked: &Asked,
) -> Result<Pools, BackendError> {
    let declared = declared(view, cluster, (namespace, name), asked)?;
    if let Declared::TargetGroup(arn) = declared {
        let named = external::Named {
            what: format!("Backend {}", quoted(name)),
            path: TARGET_GROUP.to_owned(),
            arn: &arn,
        };
        return external::pools(view, &cluster.scope, &named, asked);
    }
    let pool = pool(view, cluster, (namespace, name), asked)?;
    let unknown = match &declared {
        Declared::Lambda(lambda) => unknown(view, &lambda.arn).map(|why| ("function", why)),
        Declared::Instances(instances) => instances::unknown(view, instances).map(|why| ("instances", why)),
        Declared::LoadBalancer(one) => {
            load_balancer::unknown(view, &one.arn).map(|why| ("load balancer", why))
        }
        Declared::Addresses(_) | Declared::TargetGroup(_) => None,
    };
    let unknown = unknown.map(|(what, why)| of_backend(what, name, &why));
    Ok(Pools { busy: vec![pool], unknown: unknown.into_iter().collect(), ..Pools::default() })
}

/// The pool of a Backend whose target group is the route's own.
pub(crate) fn pool(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    asked: &Asked,
) -> Result<Pool, BackendError> {
    let refuse = |reason, problem: Problem| {
        let text = format!("Backend {}: {}: {}", quoted(name), problem.path, problem.text);
        Err(BackendError::broken(reason, asked.path, text))
    };
    let (config, targets) = match declared(view, cluster, (namespace, name), asked)? {
        Declared::TargetGroup(_) => {
            let text = "It is a target group that somebody else made";
            return refuse(reasons::INVALID_BACKEND, Problem::new(Code::BackendValue, TARGET_GROUP, text));
        }
        Declared::Lambda(lambda) => {
            if asked.route_kind != Kind::HTTPRoute {
                let text = format!("No {} can lead to a function; use an HTTPRoute", asked.route_kind);
                return refuse(
                    reasons::INVALID_BACKEND,
                    Problem::new(Code::BackendValue, "spec.lambda", text),
                );
            }
            let origin = Origin {
                cluster: Some(cluster),
                kind: Kind::Backend,
                namespace,
                service: Some(name),
                export: None,
            };
            let config = LambdaConfig { event_structure_version: lambda.version };
            let config = TargetGroupConfig::Lambda(config);
            match facts(view, &lambda.arn, &cluster.scope) {
                Ok(_) => {}
                Err(Obstacle::Awaited(reason, problem)) => {
                    let text = format!("Backend {}: {}: {}", quoted(name), problem.path, problem.text);
                    return Err(BackendError::Awaited(reason, Problem::new(problem.code, asked.path, text)));
                }
                Err(Obstacle::Unknown(_)) if !view.is_inspected => {}
                Err(Obstacle::Unknown(_)) if is_led_to(view, &origin, (&config, &lambda.arn)) => {}
                Err(Obstacle::Unknown(why)) => {
                    return Err(BackendError::Unknown(of_backend("function", name, &why)));
                }
            }
            (config, BTreeSet::from([Target::Function { function: lambda.arn }]))
        }
        Declared::Addresses(addresses) => {
            return addresses::pool(view, cluster, (namespace, name), &addresses, asked);
        }
        Declared::Instances(instances) => {
            return instances::pool(view, cluster, (namespace, name), &instances, asked);
        }
        Declared::LoadBalancer(balancer) => {
            return load_balancer::pool(view, cluster, (namespace, name), &balancer, asked);
        }
    };
    Ok(pool_of(cluster, (namespace, name), config, targets))
}

/// What requests to a Backend go to, where nothing is checked and nothing is to be told.
pub(super) fn pool_of(
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    config: TargetGroupConfig,
    targets: BTreeSet<Target>,
) -> Pool {
    Pool {
        cluster: cluster.clone(),
        kind: Kind::Backend,
        namespace: namespace.to_owned(),
        service: name.to_owned(),
        health_check: None,
        config,
        policy: None,
        targets,
        notes: vec![],
        export: None,
        is_kept: false,
        gone_since: None,
        awaits_slices: None,
    }
}

fn declared(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    asked: &Asked,
) -> Result<Declared, BackendError> {
    let object = match view.get(cluster, Kind::Backend, namespace, name) {
        Found::Unknown(why) => return Err(BackendError::Unknown(why)),
        Found::Missing => {
            let text =
                format!("Backend {} does not exist; create it", quoted(&format!("{namespace}/{name}")));
            return Err(BackendError::broken(reasons::BACKEND_NOT_FOUND, asked.path, text));
        }
        Found::Object(object) => object,
    };
    read(object, &cluster.scope).map_err(|problem| {
        let text = format!("Backend {}: {}: {}", quoted(name), problem.path, problem.text);
        BackendError::broken(reasons::INVALID_BACKEND, asked.path, text)
    })
}

/// Whether a rule of the unit's leads to the Backend's target group for that function and that form of its event.
fn is_led_to(view: &View, origin: &Origin, (config, arn): (&TargetGroupConfig, &str)) -> bool {
    let mut groups = gone::groups(view, origin).filter(|group| group.config.as_ref() == Some(config));
    groups.any(|group| group.targets.iter().any(|one| one.target.function() == Some(arn)))
}

pub(super) fn of_backend(what: &str, name: &str, why: &str) -> String {
    format!("Of the {what} of Backend {}: {why}", quoted(name))
}

/// Why rules cannot lead to a function.
enum Obstacle {
    /// It may be otherwise in a while, and nothing but another look tells.
    Awaited(&'static str, Problem),
    Unknown(String),
}

fn unknown(view: &View, arn: &str) -> Option<String> {
    match view.snapshot.functions.get(arn) {
        None => Some(NOT_ASKED.to_owned()),
        Some(FunctionFacts::Unknown(why)) => Some(why.clone()),
        Some(FunctionFacts::Missing | FunctionFacts::Known(_)) => None,
    }
}

fn facts(view: &View, arn: &str, scope: &Scope) -> Result<Invocation, Obstacle> {
    let path = "spec.lambda.function";
    match view.snapshot.functions.get(arn) {
        None | Some(FunctionFacts::Unknown(_)) => {
            Err(Obstacle::Unknown(unknown(view, arn).unwrap_or_default()))
        }
        Some(FunctionFacts::Missing) => {
            let text = format!("The function {arn} does not exist; create it or correct the name");
            Err(Obstacle::Awaited(
                reasons::FUNCTION_NOT_FOUND,
                Problem::new(Code::FunctionNotFound, path, text),
            ))
        }
        Some(FunctionFacts::Known(function)) => function::invocation(function, arn).ok_or_else(|| {
            let text = format!(
                "VPC Lattice may not invoke the function {arn}; run `{}`, or tag it trellis:invoke=allow",
                function::command(arn, scope)
            );
            Obstacle::Awaited(
                reasons::INVOKE_NOT_PERMITTED,
                Problem::new(Code::InvokeNotPermitted, path, text),
            )
        }),
    }
}

/// What the Backends of a snapshot are, of clusters that take part.
fn all(snapshot: &Snapshot) -> impl Iterator<Item = Declared> {
    let taking_part = snapshot.objects.keys().filter(|cluster| !snapshot.is_leaving(cluster));
    taking_part.flat_map(|cluster| {
        let backends = snapshot.all(cluster, Kind::Backend);
        backends.filter_map(|(_, object)| read(object, &cluster.scope).ok())
    })
}

/// ARNs of the target groups that Backends name.
pub(super) fn target_groups(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    all(snapshot).filter_map(|declared| match declared {
        Declared::TargetGroup(arn) => Some(arn),
        Declared::Lambda(_) | Declared::Addresses(_) | Declared::Instances(_) | Declared::LoadBalancer(_) => {
            None
        }
    })
}

/// What the Backends of a snapshot name that only AWS knows, beside target groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// ARNs of functions, each with its qualifier: what is known of them is for [`Snapshot::functions`].
    pub functions: BTreeSet<String>,
    /// For [`Snapshot::instances`].
    pub instances: BTreeSet<Selector>,
    /// ARNs, for [`Snapshot::load_balancers`].
    pub load_balancers: BTreeSet<String>,
}

/// What of that the snapshot does not tell of yet.
pub fn named(snapshot: &Snapshot) -> Named {
    let mut named = Named::default();
    for declared in all(snapshot) {
        match declared {
            Declared::Lambda(lambda) if !snapshot.functions.contains_key(&lambda.arn) => {
                named.functions.insert(lambda.arn);
            }
            Declared::Instances(instances) if !snapshot.instances.contains_key(&instances.selector) => {
                named.instances.insert(instances.selector);
            }
            Declared::LoadBalancer(one) if !snapshot.load_balancers.contains_key(&one.arn) => {
                named.load_balancers.insert(one.arn);
            }
            Declared::Lambda(_)
            | Declared::Instances(_)
            | Declared::LoadBalancer(_)
            | Declared::Addresses(_)
            | Declared::TargetGroup(_) => {}
        }
    }
    named
}

/// Which instances a Backend means, if it is of such and can be read.
pub fn selector(object: &Value, scope: &Scope) -> Option<Selector> {
    match read(object, scope).ok()? {
        Declared::Instances(instances) => Some(instances.selector),
        Declared::Lambda(_)
        | Declared::Addresses(_)
        | Declared::LoadBalancer(_)
        | Declared::TargetGroup(_) => None,
    }
}

/// What a Backend comes to, for its own status.
pub(crate) fn report(view: &View, cluster: &ClusterId, object: &Value, installation: &str) -> BackendReport {
    let subject = subject(cluster, Kind::Backend, object);
    let declared = match read(object, &cluster.scope) {
        Ok(declared) => declared,
        Err(problem) => {
            let accepted = Condition::no(conditions::ACCEPTED, reasons::INVALID, problem.to_string());
            let text = "The Backend is not accepted; see condition Accepted.";
            let resolved = Condition::no(conditions::RESOLVED_REFS, reasons::INVALID, text);
            return BackendReport { subject, accepted, resolved };
        }
    };
    let resolved = match declared {
        Declared::Addresses(addresses) => resolved(addresses.told()),
        Declared::Instances(instances) => instances::told(view, cluster, &instances),
        Declared::LoadBalancer(balancer) => load_balancer::told(view, &balancer),
        Declared::TargetGroup(arn) => {
            let named = external::Named { what: String::new(), path: TARGET_GROUP.to_owned(), arn: &arn };
            Condition {
                kind: conditions::RESOLVED_REFS,
                ..external::told_of(view, &cluster.scope, &named, installation)
            }
        }
        Declared::Lambda(lambda) => match facts(view, &lambda.arn, &cluster.scope) {
            Ok(Invocation::Allowed) => resolved(format!("VPC Lattice may invoke {}.", lambda.arn)),
            Ok(Invocation::ToBeAllowed) => resolved(format!(
                "The function {} bears the tag trellis:invoke=allow: the first route that leads to it lets VPC Lattice \
                 invoke it.",
                lambda.arn
            )),
            Err(Obstacle::Awaited(reason, problem)) => unresolved(reason, problem),
            Err(Obstacle::Unknown(why)) => untold(&format!("the function {}", lambda.arn), &why),
        },
    };
    BackendReport { subject, accepted: Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, ""), resolved }
}

/// What a Backend is, if it is nothing that a TargetGroupPolicy can count for; none of one that cannot be read.
pub(crate) fn without_policy(object: &Value, scope: &Scope) -> Option<&'static str> {
    match read(object, scope).ok()? {
        Declared::Lambda(_) => Some("a function"),
        Declared::LoadBalancer(_) => Some("a load balancer"),
        Declared::TargetGroup(_) => Some("a target group that somebody else made"),
        Declared::Addresses(_) | Declared::Instances(_) => None,
    }
}

/// What is wrong with a Backend, wherever it is.
pub(crate) fn problem(object: &Value) -> Option<Problem> {
    let arn = |pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).filter(|text| text.starts_with("arn:"))
    };
    // The account and the Region that it names are as good as any.
    let members = ["/spec/lambda/function", "/spec/targetGroup/arn", "/spec/loadBalancer/arn"];
    let named = members.into_iter().find_map(arn);
    let parts: Vec<&str> = named.unwrap_or("arn:aws:lambda:us-east-1:000000000000:").split(':').collect();
    let scope = Scope::new(parts.get(4).copied()?, parts.get(3).copied()?)?;
    read(object, &scope).err()
}
