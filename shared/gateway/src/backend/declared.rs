//! From a Backend to what it names: a function, addresses, or a target group that somebody else made.

use super::external::{self, Named};
use super::function::{self, Lambda};
use super::gone::{self, Origin};
use super::protocol::{Place, spoken};
use super::service::{Asked, Pool};
use super::{BackendError, Pools, endpoints};
use crate::api::{self, AddressesWire, BackendObject, LambdaWire, ServicePort};
use crate::policy::target_group::InForce;
use crate::problem::{Problem, quoted};
use crate::report::{BackendReport, Condition};
use crate::units::subject;
use crate::view::{Found, View};
use crate::{Snapshot, conditions, reasons};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use trellis_hint::{ClusterId, Kind, Scope};
use trellis_lattice::{
    EventVersion, FunctionFacts, Invocation, IpConfig, IpFamily, LambdaConfig, Target, TargetGroupConfig,
    TargetProtocol,
};

/// The field that names a target group.
const TARGET_GROUP: &str = "spec.targetGroup.arn";
const NOT_ASKED: &str = "Lambda was not asked yet";

/// What a Backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Declared {
    Lambda(Lambda),
    Addresses(Addresses),
    /// ARN.
    TargetGroup(String),
}

/// Addresses of one family at one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// None: the cluster's.
    vpc: Option<String>,
    ips: BTreeSet<IpAddr>,
    port: u16,
    family: IpFamily,
    protocol: TargetProtocol,
}

/// Reads a Backend; what is wrong with it is named by its field.
pub(crate) fn read(object: &Value, scope: &Scope) -> Result<Declared, Problem> {
    let spec = api::parse::<BackendObject>(object)?.spec;
    if let Some(unknown) = spec.rest.keys().next() {
        let text = "A Backend cannot be this; use one of lambda, addresses, targetGroup";
        return Err(Problem::new(format!("spec.{unknown}"), text));
    }
    match (spec.lambda, spec.addresses, spec.target_group) {
        (Some(wire), None, None) => lambda(&wire, scope).map(Declared::Lambda),
        (None, Some(wire), None) => addresses(wire).map(Declared::Addresses),
        (None, None, Some(wire)) => match external::arn_problem(&wire.arn, Some(scope)) {
            None => Ok(Declared::TargetGroup(wire.arn)),
            Some(why) => {
                Err(Problem::new(TARGET_GROUP, format!("{} cannot be had: {why}", quoted(&wire.arn))))
            }
        },
        _ => Err(Problem::new(
            "spec",
            "A Backend is one thing; name exactly one of lambda, addresses, targetGroup",
        )),
    }
}

fn lambda(wire: &LambdaWire, scope: &Scope) -> Result<Lambda, Problem> {
    let version = match wire.event_structure_version.as_deref() {
        None | Some("V2") => EventVersion::V2,
        Some("V1") => EventVersion::V1,
        Some(other) => {
            let text = format!("{} is no version of the event; use V1 or V2", quoted(other));
            return Err(Problem::new("spec.lambda.eventStructureVersion", text));
        }
    };
    Ok(Lambda { arn: function::arn(&wire.function, wire.qualifier.as_deref(), scope)?, version })
}

fn addresses(wire: AddressesWire) -> Result<Addresses, Problem> {
    let refuse = |member: &str, text: String| Err(Problem::new(format!("spec.addresses.{member}"), text));
    let is_vpc = |vpc: &String| {
        vpc.strip_prefix("vpc-")
            .is_some_and(|id| id.len() >= 8 && id.bytes().all(|one| one.is_ascii_hexdigit()))
    };
    if let Some(vpc) = wire.vpc.as_ref().filter(|vpc| !is_vpc(vpc)) {
        return refuse("vpc", format!("{} is no id of a VPC; write vpc- and its digits", quoted(vpc)));
    }
    let Some(port) = u16::try_from(wire.port).ok().filter(|port| *port > 0) else {
        return refuse("port", format!("{} is no port; use a number from 1 to 65535", wire.port));
    };
    let protocol = match wire.protocol.as_deref() {
        None | Some("HTTP") => TargetProtocol::Http,
        Some("HTTPS") => TargetProtocol::Https,
        Some("TCP") => TargetProtocol::Tcp,
        Some(other) => {
            return refuse("protocol", format!("{} is not possible; use HTTP, HTTPS or TCP", quoted(other)));
        }
    };
    let mut ips = BTreeSet::new();
    for text in &wire.addresses {
        match text.parse::<IpAddr>() {
            Ok(ip) if endpoints::can_be_in_a_vpc(text) => _ = ips.insert(ip),
            _ => return refuse("addresses", format!("{} is no address of a VPC; correct it", quoted(text))),
        }
    }
    let Some(first) = ips.first() else {
        return refuse("addresses", "The list is empty; name an address".to_owned());
    };
    if ips.iter().any(|ip| ip.is_ipv4() != first.is_ipv4()) {
        let text = "VPC Lattice takes IPv4 or IPv6 in one target group; make a Backend for each";
        return refuse("addresses", text.to_owned());
    }
    let family = if first.is_ipv4() { IpFamily::Ipv4 } else { IpFamily::Ipv6 };
    Ok(Addresses { vpc: wire.vpc, ips, port, family, protocol })
}

/// What a route's backendRef to a Backend leads to.
pub(super) fn pools(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    asked: &Asked,
) -> Result<Pools, BackendError> {
    if let Declared::TargetGroup(arn) = declared(view, cluster, (namespace, name), asked)? {
        let named =
            Named { what: format!("Backend {}", quoted(name)), path: TARGET_GROUP.to_owned(), arn: &arn };
        return external::pools(view, &cluster.scope, &named, asked);
    }
    let pool = pool(view, cluster, (namespace, name), asked)?;
    let unknown = pool.targets.iter().filter_map(Target::function).find_map(|arn| unknown(view, arn));
    let unknown = unknown.map(|why| of_backend(name, &why));
    Ok(Pools { busy: vec![pool], unknown: unknown.into_iter().collect(), ..Pools::default() })
}

/// The pool of a Backend that is a function or addresses.
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
            return refuse(reasons::INVALID_BACKEND, Problem::new(TARGET_GROUP, text));
        }
        Declared::Lambda(lambda) => {
            if asked.route_kind != Kind::HTTPRoute {
                let text = format!("No {} can lead to a function; use an HTTPRoute", asked.route_kind);
                return refuse(reasons::INVALID_BACKEND, Problem::new("spec.lambda", text));
            }
            let origin = Origin {
                cluster: Some(cluster),
                kind: Kind::Backend,
                namespace,
                service: Some(name),
                export: None,
            };
            match facts(view, &lambda.arn, &cluster.scope) {
                Ok(_) => {}
                Err(Obstacle::Awaited(reason, problem)) => {
                    let text = format!("Backend {}: {}: {}", quoted(name), problem.path, problem.text);
                    return Err(BackendError::Awaited(reason, Problem::new(asked.path, text)));
                }
                Err(Obstacle::Unknown(_)) if !view.is_inspected || is_led_to(view, &origin, &lambda.arn) => {}
                Err(Obstacle::Unknown(why)) => return Err(BackendError::Unknown(of_backend(name, &why))),
            }
            let config = LambdaConfig { event_structure_version: lambda.version };
            let target = Target::Function { function: lambda.arn };
            (TargetGroupConfig::Lambda(config), BTreeSet::from([target]))
        }
        Declared::Addresses(addresses) => {
            return addresses_pool(view, cluster, (namespace, name), &addresses, asked);
        }
    };
    Ok(Pool {
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
    })
}

/// The pool of addresses: spoken to and checked as a Service's port that says the same and has no policy.
fn addresses_pool(
    view: &View,
    cluster: &ClusterId,
    (namespace, name): (&str, &str),
    addresses: &Addresses,
    asked: &Asked,
) -> Result<Pool, BackendError> {
    if addresses.protocol == TargetProtocol::Tcp && asked.route_kind != Kind::TLSRoute {
        let text = format!("No {} can lead to TCP; use a TLSRoute, or name HTTP or HTTPS", asked.route_kind);
        let text = format!("Backend {}: spec.addresses.protocol: {text}", quoted(name));
        return Err(BackendError::broken(reasons::INVALID_BACKEND, asked.path, text));
    }
    let app_protocol = if addresses.protocol == TargetProtocol::Https { "https" } else { "http" };
    let port = ServicePort {
        name: None,
        port: addresses.port.into(),
        protocol: None,
        app_protocol: Some(app_protocol.to_owned()),
    };
    let mut notes = vec![];
    let place = Place { cluster, kind: Kind::Backend, namespace, service: name };
    let spoken = spoken(view, &place, &port, asked, InForce::Nothing, &mut notes)?;
    let own = || view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
    let config = IpConfig {
        port: addresses.port,
        protocol: spoken.protocol,
        protocol_version: spoken.protocol_version,
        ip_family: addresses.family,
        vpc: addresses.vpc.clone().unwrap_or_else(own),
    };
    let targets = addresses.ips.iter().map(|ip| Target::at(ip.to_string(), addresses.port));
    Ok(Pool {
        cluster: cluster.clone(),
        kind: Kind::Backend,
        namespace: namespace.to_owned(),
        service: name.to_owned(),
        health_check: Some(spoken.health_check(&config)),
        config: TargetGroupConfig::Ip(config),
        policy: spoken.policy,
        targets: targets.take(asked.targets_max).collect(),
        notes,
        export: None,
        is_kept: false,
        gone_since: None,
    })
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

/// Whether a rule of the unit's leads to the Backend's target group for that function.
fn is_led_to(view: &View, origin: &Origin, arn: &str) -> bool {
    let named = gone::named(view);
    let mut groups = view.actual.target_groups.iter().filter(|group| named.contains(group.name.as_str()));
    groups.any(|group| {
        gone::is_of(group, origin, None) && group.targets.iter().any(|one| one.target.function() == Some(arn))
    })
}

fn of_backend(name: &str, why: &str) -> String {
    format!("Of the function of Backend {}: {why}", quoted(name))
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
            Err(Obstacle::Awaited(reasons::FUNCTION_NOT_FOUND, Problem::new(path, text)))
        }
        Some(FunctionFacts::Known(function)) => function::invocation(function, arn).ok_or_else(|| {
            let text = format!(
                "VPC Lattice may not invoke the function {arn}; run `{}`, or tag it trellis:invoke=allow",
                function::command(arn, scope)
            );
            Obstacle::Awaited(reasons::INVOKE_NOT_PERMITTED, Problem::new(path, text))
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
        Declared::Lambda(_) | Declared::Addresses(_) => None,
    })
}

/// ARNs of the functions that the Backends of a snapshot name, each with its qualifier: what is known of them is for
/// [`Snapshot::functions`].
pub fn functions(snapshot: &Snapshot) -> BTreeSet<String> {
    let named = all(snapshot).filter_map(|declared| match declared {
        Declared::Lambda(lambda) => Some(lambda.arn),
        Declared::TargetGroup(_) | Declared::Addresses(_) => None,
    });
    named.collect()
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
    let yes = |text: String| Condition::yes(conditions::RESOLVED_REFS, reasons::RESOLVED_REFS, text);
    let resolved = match declared {
        Declared::Addresses(addresses) => {
            let count = addresses.ips.len();
            yes(format!("Routes lead to {count} addresses at port {}.", addresses.port))
        }
        Declared::TargetGroup(arn) => {
            let named = Named { what: String::new(), path: TARGET_GROUP.to_owned(), arn: &arn };
            Condition {
                kind: conditions::RESOLVED_REFS,
                ..external::told_of(view, &cluster.scope, &named, installation)
            }
        }
        Declared::Lambda(lambda) => match facts(view, &lambda.arn, &cluster.scope) {
            Ok(Invocation::Allowed) => yes(format!("VPC Lattice may invoke {}.", lambda.arn)),
            Ok(Invocation::ToBeAllowed) => yes(format!(
                "The function {} bears the tag trellis:invoke=allow: the first route that leads to it lets VPC Lattice \
                 invoke it.",
                lambda.arn
            )),
            Err(Obstacle::Awaited(reason, problem)) => {
                Condition::no(conditions::RESOLVED_REFS, reason, problem.to_string())
            }
            Err(Obstacle::Unknown(why)) => Condition {
                kind: conditions::RESOLVED_REFS,
                status: "Unknown",
                reason: reasons::PENDING,
                message: format!(
                    "AWS does not tell of the function {}: {why}. What rules lead to it stays.",
                    lambda.arn
                ),
            },
        },
    };
    BackendReport { subject, accepted: Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, ""), resolved }
}

/// What is wrong with a Backend, wherever it is.
pub(crate) fn problem(object: &Value) -> Option<Problem> {
    let arn = |pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).filter(|text| text.starts_with("arn:"))
    };
    // The account and the Region that it names are as good as any.
    let named = arn("/spec/lambda/function").or_else(|| arn("/spec/targetGroup/arn"));
    let parts: Vec<&str> = named.unwrap_or("arn:aws:lambda:us-east-1:000000000000:").split(':').collect();
    let scope = Scope::new(parts.get(4).copied()?, parts.get(3).copied()?)?;
    read(object, &scope).err()
}
