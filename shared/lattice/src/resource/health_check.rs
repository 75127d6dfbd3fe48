//! The health check of a target group.

use super::target_group::{subject, target_group_mut};
use super::{ProtocolVersion, TargetProtocol};
use crate::check::{View, ready};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// Health check settings; all are always sent, so that no default of the service is relied on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// Whether targets are checked.
    pub enabled: bool,
    /// HTTP or HTTPS.
    pub protocol: TargetProtocol,
    /// HTTP1 or HTTP2.
    pub protocol_version: ProtocolVersion,
    /// Path to ask for.
    pub path: String,
    /// Port to ask at; none means the target's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub port: Option<u16>,
    /// Codes that count as healthy, such as `200-399`.
    pub matcher: String,
    /// Seconds, 5–300.
    pub interval_seconds: u16,
    /// Seconds, 1–120.
    pub timeout_seconds: u16,
    /// 2–10.
    pub healthy_threshold: u16,
    /// 2–10.
    pub unhealthy_threshold: u16,
}

/// Codes that count as healthy by default. Whether a Pod is ready is Kubernetes' to say, and what is not ready is no
/// target. The check is to find out that nothing answers any more, so an application without a page at `/`, behind a
/// login, or one that speaks gRPC only (405 or 415 to a plain GET), is as healthy as any. 499 is the highest code that the
/// API takes (User Guide, health checks).
const HEALTHY_CODES: &str = "200-499";

impl HealthCheck {
    /// The check of a target group that nobody asked another one for.
    ///
    /// | targets speak | check |
    /// |---|---|
    /// | HTTP/1.1 | HTTP/1.1 |
    /// | HTTP/2, gRPC | HTTP/2, though VPC Lattice has it off by default: without checks it goes on sending requests to targets that drain (seen by users of the AWS Gateway API Controller, its issue 582). A check in gRPC does not exist |
    /// | TCP, which is TLS handed on | none: only HTTP can be checked, and what is in the TLS is not known |
    pub fn default_for(protocol: TargetProtocol, version: Option<ProtocolVersion>) -> Self {
        let is_http = protocol != TargetProtocol::Tcp;
        Self {
            enabled: is_http,
            protocol: if is_http { protocol } else { TargetProtocol::Http },
            protocol_version: match version {
                Some(ProtocolVersion::Http2 | ProtocolVersion::Grpc) => ProtocolVersion::Http2,
                Some(ProtocolVersion::Http1) | None => ProtocolVersion::Http1,
            },
            path: "/".into(),
            port: None,
            matcher: HEALTHY_CODES.into(),
            interval_seconds: 30,
            timeout_seconds: 5,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
        }
    }
}

impl Display for HealthCheck {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        if !self.enabled {
            return f.write_str("off");
        }
        write!(f, "{:?}/{:?} {}", self.protocol, self.protocol_version, self.path)?;
        if let Some(port) = self.port {
            write!(f, " port {port}")?;
        }
        let Self {
            matcher, interval_seconds, timeout_seconds, healthy_threshold, unhealthy_threshold, ..
        } = self;
        write!(f, " expects {matcher} every {interval_seconds} s within {timeout_seconds} s,")?;
        write!(f, " healthy after {healthy_threshold}, unhealthy after {unhealthy_threshold}")
    }
}

/// UpdateTargetGroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateHealthCheck {
    /// The target group's name.
    pub target_group: String,
    /// All settings.
    pub health_check: HealthCheck,
}

impl StepKind for UpdateHealthCheck {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.target_group)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(group) = target_group_mut(state, &self.target_group) {
            group.health_check = Some(self.health_check.clone());
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let group = view.our_group(&self.target_group)?;
        ready(group.status, &self.subject())
    }
}

impl Display for UpdateHealthCheck {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ health check {} {}", self.target_group, self.health_check)
    }
}
