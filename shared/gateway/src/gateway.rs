//! Gateways and their listeners: whose they are, and what of them holds.

use crate::api::{self, Gateway, Listener, RouteKind};
use crate::certificate;
use crate::code::Code;
use crate::problem::{Problem, message, quoted};
use crate::report::Condition;
use crate::route::leftovers;
use crate::secret::SecretKey;
use crate::units::slot::{ServicePer, Sharing};
use crate::view::{Found, View};
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::ListenerProtocol;

/// The controller name in GatewayClasses and in status entries (the AWS Gateway API Controller's, so that its users can
/// move).
pub const CONTROLLER: &str = "application-networking.k8s.aws/gateway-api-controller";

/// Whose a Gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Its class names our controller.
    Ours,
    /// Its class names another, or none that we ever accepted.
    Others,
    /// Not known, for this reason.
    Unknown(String),
}

/// A Gateway with judged listeners.
#[derive(Debug, Clone)]
pub(crate) struct JudgedGateway {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) accepted: Condition,
    pub(crate) listeners: Vec<Rc<JudgedListener>>,
    /// How its routes are shared out among services.
    pub(crate) sharing: Sharing,
}

impl JudgedGateway {
    /// Whether a route without hostnames has nothing of it but a service of its own.
    pub(crate) fn is_for_own_services(&self) -> bool {
        let is_open =
            |listener: &Rc<JudgedListener>| listener.wire.hostname.as_deref().is_none_or(str::is_empty);
        self.sharing.is_by_route() && self.listeners.iter().all(is_open)
    }
}

/// A listener and what holds of it.
#[derive(Debug, Clone)]
pub(crate) struct JudgedListener {
    pub(crate) wire: Listener,
    /// Whether routes can attach; port and protocol are good then.
    pub(crate) is_usable: bool,
    /// Whether it is refused since it asks for client certificates: nobody serves its hostname without them in its place.
    pub(crate) is_for_known_clients: bool,
    pub(crate) port: u16,
    pub(crate) protocol: ListenerProtocol,
    pub(crate) certificate_arn: Option<String>,
    /// The Secrets that it takes certificates from.
    pub(crate) secrets: Vec<SecretKey>,
    /// Why its hostname cannot be served.
    pub(crate) certificate_missing: Option<Problem>,
    /// Kinds of routes that it takes.
    pub(crate) kinds: BTreeSet<Kind>,
    pub(crate) accepted: Condition,
    pub(crate) resolved_refs: Condition,
    pub(crate) conflicted: Option<Condition>,
}

/// Whose a Gateway is, by its class.
///
/// A class that is gone does not take the Gateway from us: the specification recommends that a Gateway keeps the class
/// that it was made with, and deleting everything in VPC Lattice because one object of another kind was deleted would
/// be the worst reading of a mistake. A Gateway that we have programmed (its status says so) stays ours until it is
/// deleted itself or given to another class; then what it owned goes, whether its class stands or not. One whose class
/// cannot be read is nobody's that is known.
pub(crate) fn whose(view: &View, cluster: &ClusterId, object: &Value) -> Whose {
    view.whose(object, || by_class(view, cluster, object))
}

fn by_class(view: &View, cluster: &ClusterId, object: &Value) -> Whose {
    let Some(class) = object.pointer("/spec/gatewayClassName").and_then(Value::as_str) else {
        let (kind, name) = (Kind::Gateway, quoted(&api::meta(object).name));
        return Whose::Unknown(format!(
            "The class of {kind} {name} of cluster {} cannot be read",
            cluster.name
        ));
    };
    let classes = match view.list(cluster, Kind::GatewayClass, None) {
        Ok(classes) => classes,
        Err(why) => return Whose::Unknown(why),
    };
    let class = classes.into_iter().find(|(key, _)| key.name == class).map(|(_, class)| class);
    match class {
        Some(class) if is_our_class(class) => Whose::Ours,
        None if was_programmed_by_us(object) => Whose::Ours,
        _ => Whose::Others,
    }
}

pub(crate) fn is_our_class(class: &Value) -> bool {
    class.pointer("/spec/controllerName").and_then(Value::as_str) == Some(CONTROLLER)
}

/// Told by a condition's type, not by words: the AWS Gateway API Controller writes the same message under the same
/// controller name.
pub(crate) fn was_programmed_by_us(gateway: &Value) -> bool {
    let conditions = gateway.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.get("type").and_then(Value::as_str) == Some(conditions::VPC_ASSOCIATED))
}

/// A Gateway of ours in the namespace; `Others` also when there is none.
pub(crate) fn find<'a>(
    view: &View<'a>,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
) -> (Whose, Option<&'a Value>) {
    match view.get(cluster, Kind::Gateway, namespace, name) {
        Found::Unknown(why) => (Whose::Unknown(why), None),
        Found::Missing => (Whose::Others, None),
        Found::Object(object) => (whose(view, cluster, object), Some(object)),
    }
}

/// Judges a Gateway's listeners. Without a view of its cluster, grants are taken for given.
pub(crate) fn judge(view: Option<(&View, &ClusterId)>, object: &Value) -> Result<JudgedGateway, Problem> {
    let gateway: Gateway = api::parse(object)?;
    let namespace = gateway.metadata.namespace.as_str();
    let conflicts = conflicts(&gateway.spec.listeners);
    let listeners: Vec<Rc<JudgedListener>> = gateway
        .spec
        .listeners
        .iter()
        .enumerate()
        .map(|(index, listener)| {
            let path = format!("spec.listeners[{index}]");
            let bad_certificate = certificate::refused(&path, listener, namespace, view);
            let unchecked = certificate::unchecked_clients(&path, listener, gateway.spec.rest.get("tls"));
            let certificate_missing = certificate::missing(&path, listener, namespace, view);
            let note = certificate::note(&path, listener, namespace, view);
            let conflict = conflicts.get(&index);
            let certificate = bad_certificate.ok_or(note);
            let judged = judge_listener(&path, listener, conflict, certificate, unchecked.as_ref());
            let secrets = |(view, cluster)| certificate::secrets(view, cluster, listener, namespace);
            let secrets = view.map(secrets).unwrap_or_default();
            Rc::new(JudgedListener { secrets, certificate_missing, ..judged })
        })
        .collect();
    let default = view.map_or(ServicePer::default(), |(view, _)| view.snapshot.service_per);
    let mut judged = JudgedGateway {
        namespace: gateway.metadata.namespace.clone(),
        name: gateway.metadata.name.clone(),
        accepted: accepted(&gateway, &listeners),
        listeners,
        sharing: Sharing::default(),
    };
    judged.sharing = Sharing::of(&judged, &gateway.metadata, default);
    Ok(judged)
}

fn accepted(gateway: &Gateway, listeners: &[Rc<JudgedListener>]) -> Condition {
    let mut rest = gateway.spec.rest.clone();
    // The API server fills `allowedListeners` with its default, which allows none: that is what we do.
    // So it does with `defaultScope`, which makes the Gateway nobody's default.
    rest.retain(|member, value| member != "defaultScope" || value.as_str() != Some("None"));
    let none = rest.get("allowedListeners").and_then(|allowed| allowed.pointer("/namespaces/from")).cloned();
    if none.as_ref().and_then(Value::as_str) == Some("None") {
        rest.remove("allowedListeners");
    }
    if rest
        .remove("addresses")
        .is_some_and(|addresses| addresses.as_array().is_some_and(|all| !all.is_empty()))
    {
        let problem = Problem::new(
            Code::Addresses,
            "spec.addresses",
            "VPC Lattice gives each service a name of its own and takes no addresses; remove the field",
        );
        return Condition::no_for(conditions::ACCEPTED, reasons::UNSUPPORTED_ADDRESS, vec![problem]);
    }
    let problems = leftovers("spec", &rest);
    let notes = message(&problems);
    let good = listeners.iter().filter(|listener| listener.is_usable).count();
    if good == listeners.len() && good > 0 {
        return Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, notes).telling(problems);
    }
    let bad: Vec<&str> = listeners
        .iter()
        .filter(|listener| !listener.is_usable)
        .map(|listener| listener.wire.name.as_str())
        .collect();
    let text = if listeners.is_empty() {
        "The Gateway has no listener; give it one.".to_owned()
    } else {
        format!("These listeners are not valid: {}; see their conditions.", bad.join(", "))
    };
    let text = if notes.is_empty() { text } else { format!("{text} {notes}") };
    if good > 0 {
        Condition::yes(conditions::ACCEPTED, reasons::LISTENERS_NOT_VALID, text)
    } else {
        Condition::no(conditions::ACCEPTED, reasons::LISTENERS_NOT_VALID, text)
    }
}

/// Listeners that cannot be told apart, with what they are in conflict over. None of them wins (specification, Gateway).
/// One that cannot be served in any case, such as one for UDP beside HTTPS, is in nobody's way.
fn conflicts(listeners: &[Listener]) -> BTreeMap<usize, (&'static str, String)> {
    let mut conflicts = BTreeMap::new();
    let possible = |(_, listener): &(usize, &Listener)| protocol("", listener).is_ok();
    for (index, listener) in listeners.iter().enumerate().filter(possible) {
        for (other_index, other) in listeners.iter().enumerate().filter(possible) {
            if index == other_index || listener.port != other.port {
                continue;
            }
            let hostname =
                |listener: &Listener| listener.hostname.clone().unwrap_or_default().to_ascii_lowercase();
            let is_plain = |listener: &Listener| listener.protocol == "HTTP";
            let conflict = if is_plain(listener) != is_plain(other) {
                Some((reasons::PROTOCOL_CONFLICT, format!("another protocol on port {}", listener.port)))
            } else if hostname(listener) == hostname(other) {
                Some((reasons::HOSTNAME_CONFLICT, format!("the same port {} and hostname", listener.port)))
            } else {
                None
            };
            if let Some((reason, what)) = conflict {
                conflicts.entry(index).or_insert((
                    reason,
                    format!("Listener {} has {what}; change one of the two.", quoted(&other.name)),
                ));
            }
        }
    }
    conflicts
}

fn judge_listener(
    path: &str,
    listener: &Listener,
    conflict: Option<&(&'static str, String)>,
    certificate: Result<Condition, Option<Problem>>,
    unchecked_clients: Option<&Problem>,
) -> JudgedListener {
    let protocol = protocol(path, listener);
    let port = u16::try_from(listener.port).ok().filter(|port| *port > 0);
    // Of a protocol that is not there no kind can be told to be wrong: it might be right with the one that is meant.
    let (kinds, kinds_problem) = protocol
        .as_ref()
        .map(|protocol| allowed_kinds(path, listener, &kinds_of(*protocol)))
        .unwrap_or_default();
    let bad_kinds = kinds_problem.map(|problem| {
        Condition::no_for(conditions::RESOLVED_REFS, reasons::INVALID_ROUTE_KINDS, vec![problem])
    });
    let resolved_refs = bad_kinds.map_or(certificate, Ok).unwrap_or_else(|note| {
        let note = note.filter(|_| protocol.is_ok());
        let text = note.as_ref().map(ToString::to_string).unwrap_or_default();
        Condition::yes(conditions::RESOLVED_REFS, reasons::RESOLVED_REFS, text).telling(note)
    });
    let accepted = match (&protocol, port, conflict) {
        (Err((reason, problem)), ..) => {
            Condition::no_for(conditions::ACCEPTED, reason, vec![problem.clone()])
        }
        (_, None, _) => Condition::no(
            conditions::ACCEPTED,
            reasons::PORT_UNAVAILABLE,
            Problem::new(Code::ListenerPort, format!("{path}.port"), "A port is from 1 to 65535; set one")
                .to_string(),
        ),
        (.., Some((reason, text))) => Condition::no(conditions::ACCEPTED, reason, text.clone()),
        _ if let Some(problem) = unchecked_clients => {
            Condition::no_for(conditions::ACCEPTED, reasons::UNSUPPORTED_VALUE, vec![problem.clone()])
        }
        _ => {
            let notes = listener_notes(path, listener);
            Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, message(&notes)).telling(notes)
        }
    };
    JudgedListener {
        is_usable: accepted.is_true() && !kinds.is_empty(),
        is_for_known_clients: unchecked_clients.is_some(),
        port: port.unwrap_or_default(),
        protocol: protocol.unwrap_or(ListenerProtocol::Http),
        certificate_arn: certificate::arn(listener),
        certificate_missing: None,
        secrets: vec![],
        kinds,
        accepted,
        resolved_refs,
        conflicted: conflict
            .map(|(reason, text)| Condition::yes(conditions::CONFLICTED, reason, text.clone())),
        wire: listener.clone(),
    }
}

/// The protocol in VPC Lattice's terms, or the reason of the specification and what is wrong.
fn protocol(path: &str, listener: &Listener) -> Result<ListenerProtocol, (&'static str, Problem)> {
    let mode = listener.tls.as_ref().and_then(|tls| tls.mode.as_deref()).unwrap_or("Terminate");
    match (listener.protocol.as_str(), mode) {
        ("HTTP", _) => Ok(ListenerProtocol::Http),
        ("HTTPS", "Terminate") => Ok(ListenerProtocol::Https),
        ("TLS", "Passthrough") => Ok(ListenerProtocol::TlsPassthrough),
        ("HTTPS" | "TLS", mode) => {
            let text = format!(
                "VPC Lattice has no {} listener with mode {}; use HTTPS with Terminate or TLS with Passthrough",
                listener.protocol,
                quoted(mode)
            );
            Err((
                reasons::UNSUPPORTED_VALUE,
                Problem::new(Code::ListenerMode, format!("{path}.tls.mode"), text),
            ))
        }
        (other, _) => {
            let text =
                format!("VPC Lattice has no listener of protocol {}; use HTTP, HTTPS or TLS", quoted(other));
            Err((
                reasons::UNSUPPORTED_PROTOCOL,
                Problem::new(Code::ListenerProtocol, format!("{path}.protocol"), text),
            ))
        }
    }
}

/// The protocol as a Gateway's listener names it.
pub(crate) fn protocol_name(protocol: ListenerProtocol) -> &'static str {
    match protocol {
        ListenerProtocol::Http => "HTTP",
        ListenerProtocol::Https => "HTTPS",
        ListenerProtocol::TlsPassthrough => "TLS",
    }
}

/// Route kinds that a protocol can carry. VPC Lattice takes gRPC target groups behind HTTPS listeners only (User Guide,
/// target groups).
fn kinds_of(protocol: ListenerProtocol) -> BTreeSet<Kind> {
    match protocol {
        ListenerProtocol::Http => BTreeSet::from([Kind::HTTPRoute]),
        ListenerProtocol::Https => BTreeSet::from([Kind::HTTPRoute, Kind::GRPCRoute]),
        ListenerProtocol::TlsPassthrough => BTreeSet::from([Kind::TLSRoute]),
    }
}

fn allowed_kinds(path: &str, listener: &Listener, all: &BTreeSet<Kind>) -> (BTreeSet<Kind>, Option<Problem>) {
    let wanted =
        listener.allowed_routes.as_ref().and_then(|allowed| allowed.kinds.as_deref()).unwrap_or_default();
    if wanted.is_empty() {
        return (all.clone(), None);
    }
    let mut kinds = BTreeSet::new();
    let mut problem = None;
    // Resources are carried whatever the protocol is.
    let of_routes = wanted.iter().enumerate().filter(|(_, wanted)| !is_of_resources(wanted));
    for (at, wanted) in of_routes {
        let kind = Kind::parse(&wanted.kind).filter(|kind| {
            all.contains(kind) && wanted.group.as_deref().is_none_or(|group| group == kind.group())
        });
        match kind {
            Some(kind) => _ = kinds.insert(kind),
            None => {
                problem.get_or_insert_with(|| {
                    Problem::new(
                        Code::RouteKinds,
                        format!("{path}.allowedRoutes.kinds[{at}]"),
                        format!(
                            "A listener of protocol {} cannot carry {}; remove the kind",
                            quoted(&listener.protocol),
                            quoted(&shown(wanted))
                        ),
                    )
                });
            }
        }
    }
    (kinds, problem)
}

/// Whether it is the kind of objects that a Gateway's network takes resources by.
pub(crate) fn is_of_resources(wanted: &RouteKind) -> bool {
    let kind = Kind::ResourceConfiguration;
    wanted.kind == kind.as_str() && wanted.group.as_deref() == Some(kind.group())
}

/// A kind of routes, with its group where that is another than the Gateway API's.
fn shown(wanted: &RouteKind) -> String {
    let group = wanted.group.as_deref().filter(|group| *group != Kind::HTTPRoute.group());
    group.map_or_else(|| wanted.kind.clone(), |group| format!("{group}/{}", wanted.kind))
}

fn listener_notes(path: &str, listener: &Listener) -> Vec<Problem> {
    let mut problems = leftovers(path, &listener.rest);
    if let Some(tls) = &listener.tls {
        problems.extend(leftovers(&format!("{path}.tls"), &tls.rest));
        let options = tls.options.iter().flatten().filter(|(name, _)| *name != certificate::OPTION);
        problems.extend(options.map(|(name, _)| {
            Problem::new(
                Code::TlsOption,
                format!("{path}.tls.options"),
                format!("VPC Lattice knows no option {}; remove it", quoted(name)),
            )
        }));
    }
    problems
}
