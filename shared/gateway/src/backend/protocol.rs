//! By which protocol the Pods of a Service's port are spoken to, and how their health is checked.

use super::BackendError;
use super::gone::{self, Origin};
use super::service::Asked;
use crate::api::ServicePort;
use crate::code::Code;
use crate::policy::target_group::{InForce, Wish};
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::view::View;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{
    ActualTargetGroup, HealthCheck, ProtocolVersion, TAG_POLICY, TargetProtocol, VpcConfig,
};

/// A Service or a Backend of a cluster.
pub(super) struct Place<'a> {
    pub(super) cluster: &'a ClusterId,
    pub(super) kind: Kind,
    pub(super) namespace: &'a str,
    pub(super) service: &'a str,
}

/// What a target group has of its Service's port and policy.
pub(super) struct Spoken {
    pub(super) protocol: TargetProtocol,
    pub(super) protocol_version: Option<ProtocolVersion>,
    check: Check,
    /// Namespace and name of the TargetGroupPolicy.
    pub(super) policy: Option<String>,
}

enum Check {
    Plain,
    Asked(Box<Wish>),
    Held(HealthCheck),
}

impl Spoken {
    /// The health check of a target group that speaks so.
    pub(super) fn health_check(&self) -> HealthCheck {
        match &self.check {
            Check::Plain => HealthCheck::default_for(self.protocol, self.protocol_version),
            Check::Asked(wish) => wish.health_check(self.protocol, self.protocol_version),
            Check::Held(check) => check.clone(),
        }
    }
}

/// What the target groups of a Service's port speak: as its policy says, else as the port does, else as they do now.
pub(super) fn spoken(
    view: &View,
    place: &Place,
    port: &ServicePort,
    asked: &Asked,
    policy: InForce,
    notes: &mut Vec<Problem>,
) -> Result<Spoken, BackendError> {
    let (wish, stays) = match policy {
        InForce::Policy(wish) => (Some(wish), false),
        InForce::AsItIs(why) => {
            notes.push(Problem::new(Code::BackendAsItIs, asked.path, why));
            (None, true)
        }
        InForce::Nothing | InForce::NotServed => (None, false),
    };
    let (protocol, protocol_version) = protocol(place.service, port, asked, wish.as_ref(), notes)?;
    let is_unserved = view.is_kind_missing(place.cluster, Kind::TargetGroupPolicy);
    if stays || is_unserved {
        let held = held(view, place, port, asked).filter(|held| stays || held.policy.is_some());
        if let Some(held) = held {
            if is_unserved {
                let text = format!(
                    "Cluster {} does not serve TargetGroupPolicy any more, so what such a policy was for stays as it is; \
                     apply the custom resource definition",
                    quoted(&place.cluster.name)
                );
                notes.push(Problem::new(Code::BackendAsItIs, asked.path, text));
            }
            return Ok(held);
        }
    }
    if let Some(wish) = &wish
        && let Some(unheeded) = wish.unheeded(protocol, protocol_version)
    {
        let text = format!("TargetGroupPolicy {}: {}: {}", wish.policy, unheeded.path, unheeded.text);
        notes.push(Problem::new(unheeded.code, asked.path, text));
    }
    let policy = wish.as_ref().map(|wish| wish.policy.clone());
    let check = wish.map_or(Check::Plain, |wish| Check::Asked(Box::new(wish)));
    Ok(Spoken { protocol, protocol_version, check, policy })
}

/// What the port's target group that requests go to has now, if the route can still have it.
fn held(view: &View, place: &Place, port: &ServicePort, asked: &Asked) -> Option<Spoken> {
    let Place { cluster, kind, namespace, service } = *place;
    let of_route =
        Origin { cluster: Some(cluster), kind, namespace, service: Some(service), export: asked.export };
    // An export's own target groups are named and tagged after it.
    let of_export =
        asked.export.map(|export| Origin { cluster: None, service: Some(export), export: None, ..of_route });
    let origins: Vec<Origin> = [Some(of_route), of_export].into_iter().flatten().collect();
    let ActualTargetGroup { config, health_check, tags, .. } =
        gone::in_use(view, &origins, port.port, asked)?;
    let VpcConfig { protocol, protocol_version, .. } = config.as_ref()?.reached()?;
    let policy = tags.get(TAG_POLICY).filter(|policy| !policy.is_empty()).cloned();
    Some(Spoken { protocol, protocol_version, check: Check::Held(health_check.clone()?), policy })
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

    /// By what its Pods are spoken to; WebSocket by nothing that VPC Lattice has.
    fn spoken(self) -> (TargetProtocol, ProtocolVersion) {
        match self {
            Self::Http | Self::Other | Self::WebSocket => (TargetProtocol::Http, ProtocolVersion::Http1),
            Self::Https => (TargetProtocol::Https, ProtocolVersion::Http1),
            Self::Http2 => (TargetProtocol::Http, ProtocolVersion::Http2),
            Self::Http2Tls => (TargetProtocol::Https, ProtocolVersion::Http2),
        }
    }
}

/// The protocol to the Pods: by the route's kind, then by the policy, then by `appProtocol`. What the policy says and the
/// route cannot have does not count.
fn protocol(
    name: &str,
    port: &ServicePort,
    asked: &Asked,
    wish: Option<&Wish>,
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
    let said = wish.and_then(|wish| wish.protocol).filter(|protocol| *protocol != TargetProtocol::Tcp);
    let can_have =
        |version: &ProtocolVersion| *version == ProtocolVersion::Http1 || asked.listeners.take_http2();
    let said_version = wish.and_then(|wish| wish.version).filter(can_have);
    if app == AppProtocol::Other && said.is_none() && said_version.is_none() {
        let text = format!(
            "Port {} of Service {} has the appProtocol {}, which is not known here: its Pods are spoken to by {} without \
             TLS; use http, https, kubernetes.io/h2c or grpc",
            port.port,
            quoted(name),
            quoted(port.app_protocol.as_deref().unwrap_or_default()),
            if is_grpc { "gRPC" } else { "HTTP/1.1" },
        );
        notes.push(Problem::new(Code::AppProtocol, asked.path, text));
    }
    let (protocol, version) = app.spoken();
    let protocol = said.unwrap_or(protocol);
    if is_grpc {
        return Ok((protocol, Some(ProtocolVersion::Grpc)));
    }
    if app == AppProtocol::WebSocket {
        return unsupported(
            "of the application protocol WebSocket",
            "VPC Lattice does not upgrade HTTP connections, use a TLSRoute",
        );
    }
    let version = said_version.unwrap_or(version);
    if !can_have(&version) {
        return unsupported("of the application protocol HTTP/2", asked.listeners.without_http2());
    }
    Ok((protocol, Some(version)))
}
