//! One port of one Service, as VPC Lattice sees it.

use super::BackendError;
use super::endpoints::{Targets, targets};
use crate::api::{self, Service, ServicePort};
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::view::{Found, View};
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Grace, IpFamily, ProtocolVersion, Target, TargetGroupConfig, TargetProtocol};

/// What a backendRef asks of a Service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The field path that problems are reported under.
    pub(crate) path: &'a str,
    /// The Service's port. None is allowed where the Service has only one.
    pub(crate) port: Option<i64>,
    /// Decides the protocol.
    pub(crate) route_kind: Kind,
    /// Whether every listener of the route can lead to an HTTP/2 target group: those behind HTTPS can.
    pub(crate) listeners_take_http2: bool,
    /// Targets that a target group takes.
    pub(crate) targets_max: usize,
    /// How long what is gone stays.
    pub(crate) grace: Option<Grace>,
}

/// The endpoints of one port of one Service: what becomes a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) cluster: ClusterId,
    pub(crate) namespace: String,
    pub(crate) service: String,
    pub(crate) config: TargetGroupConfig,
    pub(crate) targets: BTreeSet<Target>,
    /// What of it is not as a person may expect.
    pub(crate) notes: Vec<Problem>,
    /// The ServiceExport of that cluster and namespace that it stands for; none for a Service of the route's own cluster.
    pub(crate) export: Option<String>,
    /// Whether nothing is known of its cluster: the target group stays as it is, its targets too.
    pub(crate) is_kept: bool,
    /// The mark of a target group that stays for a while since its Service or export is gone.
    pub(crate) gone_since: Option<String>,
}

/// The pool of a Service's port.
pub(crate) fn pool(
    view: &View,
    cluster: &ClusterId,
    namespace: &str,
    name: &str,
    asked: &Asked,
) -> Result<Pool, BackendError> {
    // Asked for before the Service is looked at, so that one round of reads brings both.
    let slices = view.slices(cluster, namespace, name);
    // One that is being deleted has endpoints until they go: a finalizer of somebody else may hold it for long.
    let service = match view.get_even_terminating(cluster, Kind::Service, namespace, name) {
        Found::Unknown(why) => return Err(BackendError::Unknown(why)),
        Found::Missing => {
            let text = format!(
                "Service {} does not exist in cluster {}; create it or correct the name",
                quoted(&format!("{namespace}/{name}")),
                quoted(&cluster.name)
            );
            return Err(BackendError::broken(reasons::BACKEND_NOT_FOUND, asked.path, text));
        }
        Found::Object(service) => service,
    };
    let slices = slices.map_err(BackendError::Unknown)?;
    let mut notes = vec![];
    if api::is_terminating(service) {
        let text = format!(
            "Service {} is Terminating: its endpoints serve until they go, and then nothing answers; name another one",
            quoted(name)
        );
        notes.push(Problem::new(asked.path, text));
    }
    let service: Service = api::parse(service).map_err(|problem| {
        let text = format!("Service {}: {}: {}", quoted(name), problem.path, problem.text);
        BackendError::broken(reasons::BACKEND_NOT_FOUND, asked.path, text)
    })?;
    if service.spec.kind.as_deref() == Some("ExternalName") {
        let text = format!(
            "Service {} is of type ExternalName and has no endpoints; use another type",
            quoted(name)
        );
        return Err(BackendError::broken(reasons::BACKEND_NOT_FOUND, asked.path, text));
    }
    let (port, number) = find_port(name, &service, asked)?;
    let ip_family = match service.spec.ip_families.as_deref().and_then(|families| families.first()) {
        Some(family) if family == "IPv6" => IpFamily::Ipv6,
        _ => IpFamily::Ipv4,
    };
    let (protocol, protocol_version) = protocol(name, port, asked, &mut notes)?;
    let vpc = view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
    let Targets { mut targets, left_out } = targets(slices.values().copied(), port, ip_family);
    notes.extend(left_out_note(name, &left_out, asked.path));
    notes.extend(too_many_note(name, targets.len(), asked));
    targets = targets.into_iter().take(asked.targets_max).collect();
    Ok(Pool {
        cluster: cluster.clone(),
        namespace: namespace.to_owned(),
        service: name.to_owned(),
        // Targets bring their own ports. The Service's port as the group's keeps the group when Pods change theirs.
        config: TargetGroupConfig { port: number, protocol, protocol_version, ip_family, vpc },
        targets,
        notes,
        export: None,
        is_kept: false,
        gone_since: None,
    })
}

/// What is to be told of addresses that no target can have.
pub(crate) fn left_out_note(name: &str, left_out: &BTreeSet<String>, path: &str) -> Option<Problem> {
    let first = left_out.first()?;
    let more = match left_out.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "Service {} has the endpoint {}{more}, which is no address of a VPC and gets no requests; name addresses of the \
         cluster's VPC",
        quoted(name),
        quoted(first)
    );
    Some(Problem::new(path, text))
}

/// What is to be told of more endpoints than a target group takes.
fn too_many_note(name: &str, count: usize, asked: &Asked) -> Option<Problem> {
    (count > asked.targets_max).then(|| {
        let text = format!(
            "Service {} has {count} endpoints, VPC Lattice takes {} in a target group; the rest gets no requests, raise the \
             quota \"Targets per target group\" (L-D71303F3)",
            quoted(name),
            asked.targets_max
        );
        Problem::new(asked.path, text)
    })
}

fn find_port<'s>(
    name: &str,
    service: &'s Service,
    asked: &Asked,
) -> Result<(&'s ServicePort, u16), BackendError> {
    let ports = service.spec.ports.as_deref().unwrap_or_default();
    let has: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
    let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
    let path = format!("{}.port", asked.path);
    let found = match (asked.port, ports) {
        (Some(wanted), _) => ports
            .iter()
            .find(|port| {
                port.port == wanted && port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP")
            })
            .or_else(|| ports.iter().find(|port| port.port == wanted)),
        (None, [only]) => Some(only),
        (None, _) => {
            let text = format!("The port is missing; name one of Service {}, which has {has}", quoted(name));
            return Err(BackendError::broken(reasons::BACKEND_NOT_FOUND, path, text));
        }
    };
    found.and_then(|port| Some((port, port.number()?))).ok_or_else(|| {
        let wanted = asked.port.unwrap_or_default();
        let text = format!("Service {} has no port {wanted}; its ports: {has}", quoted(name));
        BackendError::broken(reasons::BACKEND_NOT_FOUND, path, text)
    })
}

/// What a Service's port says of the protocol above TCP, whoever's way of spelling it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AppProtocol {
    Http,
    Https,
    /// HTTP/2 without TLS; gRPC is carried by it.
    Http2,
    /// HTTP/2 with TLS.
    Http2Tls,
    WebSocket,
    /// Nothing that an HTTP rule can lead to by its own protocol.
    Other,
}

impl AppProtocol {
    /// Kubernetes' own names, IANA's, and those that meshes use; case does not matter.
    fn of(text: Option<&str>) -> Self {
        match text.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "http" | "http/1.1" | "http1" | "http1.1" => Self::Http,
            "https" | "kubernetes.io/https" => Self::Https,
            "kubernetes.io/h2c" | "h2c" | "http2" | "http/2" | "grpc" | "kubernetes.io/grpc" => Self::Http2,
            "h2" | "https2" | "grpcs" => Self::Http2Tls,
            "kubernetes.io/ws" | "kubernetes.io/wss" | "ws" | "wss" | "websocket" => Self::WebSocket,
            _ => Self::Other,
        }
    }
}

/// The protocol to the Pods: by the route's kind, then by `appProtocol`.
fn protocol(
    name: &str,
    port: &ServicePort,
    asked: &Asked,
    notes: &mut Vec<Problem>,
) -> Result<(TargetProtocol, Option<ProtocolVersion>), BackendError> {
    let unsupported = |what: &str, remedy: &str| {
        let text = format!("Port {} of Service {} is {what}; {remedy}", port.port, quoted(name));
        Err(BackendError::broken(reasons::UNSUPPORTED_PROTOCOL, asked.path, text))
    };
    match port.protocol.as_deref().unwrap_or("TCP") {
        "TCP" => {}
        other => {
            return unsupported(&format!("of protocol {}", quoted(other)), "VPC Lattice routes need TCP");
        }
    }
    if asked.route_kind == Kind::TLSRoute {
        return Ok((TargetProtocol::Tcp, None));
    }
    let app = AppProtocol::of(port.app_protocol.as_deref());
    let is_grpc = asked.route_kind == Kind::GRPCRoute;
    if app == AppProtocol::Other {
        let text = format!(
            "Port {} of Service {} has the appProtocol {}, which is not known here: its Pods are spoken to by {} without \
             TLS; use http, https, kubernetes.io/h2c or grpc",
            port.port,
            quoted(name),
            quoted(port.app_protocol.as_deref().unwrap_or_default()),
            if is_grpc { "gRPC" } else { "HTTP/1.1" },
        );
        notes.push(Problem::new(asked.path, text));
    }
    match app {
        AppProtocol::Https | AppProtocol::Http2Tls if is_grpc => {
            Ok((TargetProtocol::Https, Some(ProtocolVersion::Grpc)))
        }
        _ if is_grpc => Ok((TargetProtocol::Http, Some(ProtocolVersion::Grpc))),
        AppProtocol::WebSocket => unsupported(
            "of the application protocol WebSocket",
            "VPC Lattice does not upgrade HTTP connections, use a TLSRoute",
        ),
        AppProtocol::Http2 | AppProtocol::Http2Tls if !asked.listeners_take_http2 => unsupported(
            "of the application protocol HTTP/2",
            "VPC Lattice leads to such from HTTPS listeners only, attach the route to one",
        ),
        AppProtocol::Http2 => Ok((TargetProtocol::Http, Some(ProtocolVersion::Http2))),
        AppProtocol::Http2Tls => Ok((TargetProtocol::Https, Some(ProtocolVersion::Http2))),
        AppProtocol::Https => Ok((TargetProtocol::Https, Some(ProtocolVersion::Http1))),
        AppProtocol::Http | AppProtocol::Other => Ok((TargetProtocol::Http, Some(ProtocolVersion::Http1))),
    }
}
