//! TargetGroupPolicy: how a Service's Pods, or a Backend's addresses or instances, are spoken to, and how their health is checked.
//!
//! | there is | the target groups of the Service or Backend, wherever a route leads to it |
//! |---|---|
//! | a policy | are as it says; what it does not say is as without one |
//! | one that cannot be had, and no other | stay as they are |
//! | none any more | are as without one |
//! | none, since the cluster does not serve the kind (any more) | that a policy was for stay as they are |
//!
//! For routes of other clusters, which come by a ServiceExport, the policies of the export count; where it has none, those
//! of the Service.

use super::attached::{Candidate, naming, sorted};
use crate::api;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::report::Condition;
use crate::view::{Listed, View};
use crate::{conditions, reasons};
use serde::Deserialize;
use serde_json::Value;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{DesiredTargetGroup, HealthCheck, ProtocolVersion, TargetProtocol, VpcConfig};

/// Characters of a health check's path (API model, HealthCheckPath).
const PATH_CHARS_MAX: usize = 2048;
/// Characters of the codes that count as healthy (API model, HttpCodeMatcher).
const CODES_CHARS_MAX: usize = 2000;
/// The codes that a health check can take for healthy (User Guide, health checks).
const CODES: std::ops::RangeInclusive<u16> = 200..=499;

/// What counts for a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InForce {
    /// No policy.
    Nothing,
    /// This policy.
    Policy(Wish),
    /// What is there, since the policy cannot be had: it is told.
    AsItIs(String),
    /// What is there of a policy, since the cluster does not serve the kind.
    NotServed,
}

/// What a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// Namespace and name, as the tag has them.
    pub(crate) policy: String,
    pub(crate) protocol: Option<TargetProtocol>,
    pub(crate) version: Option<ProtocolVersion>,
    check: CheckWish,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct CheckWish {
    enabled: Option<bool>,
    interval: Option<u16>,
    timeout: Option<u16>,
    healthy: Option<u16>,
    unhealthy: Option<u16>,
    codes: Option<String>,
    path: Option<String>,
    port: Option<u16>,
    protocol: Option<TargetProtocol>,
    version: Option<ProtocolVersion>,
}

impl Wish {
    /// The health check of a target group: what the policy does not say of it is as without one.
    pub(crate) fn health_check(
        &self,
        protocol: TargetProtocol,
        version: Option<ProtocolVersion>,
    ) -> HealthCheck {
        let plain = HealthCheck::default_for(protocol, version);
        let CheckWish { codes, path, .. } = self.check.clone();
        let CheckWish { enabled, interval, timeout, healthy, unhealthy, port, protocol, version, .. } =
            self.check;
        HealthCheck {
            enabled: enabled.unwrap_or(plain.enabled),
            protocol: protocol.unwrap_or(plain.protocol),
            protocol_version: version.unwrap_or(plain.protocol_version),
            path: path.unwrap_or(plain.path),
            port: port.or(plain.port),
            matcher: codes.unwrap_or(plain.matcher),
            interval_seconds: interval.unwrap_or(plain.interval_seconds),
            timeout_seconds: timeout.unwrap_or(plain.timeout_seconds),
            healthy_threshold: healthy.unwrap_or(plain.healthy_threshold),
            unhealthy_threshold: unhealthy.unwrap_or(plain.unhealthy_threshold),
        }
    }

    /// What of the wish a target group of the route's kind cannot have, although it was asked for.
    pub(crate) fn unheeded(
        &self,
        protocol: TargetProtocol,
        version: Option<ProtocolVersion>,
    ) -> Option<Problem> {
        if self.protocol == Some(TargetProtocol::Tcp) && protocol != TargetProtocol::Tcp {
            let text = "TCP is for TLSRoutes; an HTTPRoute or a GRPCRoute leads to HTTP or HTTPS, name one of the two";
            return Some(Problem::new(Code::PolicyUnheeded, "spec.protocol", text));
        }
        let needs_http2 = matches!(self.version, Some(ProtocolVersion::Http2 | ProtocolVersion::Grpc));
        (needs_http2 && version == Some(ProtocolVersion::Http1)).then(|| {
            let text = "VPC Lattice leads to HTTP/2 from HTTPS listeners only; attach the route to one and to no HTTP \
                        listener";
            Problem::new(Code::PolicyUnheeded, "spec.protocolVersion", text)
        })
    }

    /// Whether a target group is as the wish says, in all that it can have of it. One that a rule or a service keeps is not
    /// made anew for another protocol.
    pub(crate) fn is_met(&self, group: &DesiredTargetGroup) -> bool {
        let DesiredTargetGroup { config, health_check, .. } = group;
        // Of a function there is nothing that it could say.
        let Some(VpcConfig { protocol, protocol_version, .. }) = config.reached() else { return true };
        // TLS is passed on, and gRPC is what it is.
        let is_given = protocol == TargetProtocol::Tcp || protocol_version == Some(ProtocolVersion::Grpc);
        let is_spoken = self.protocol.is_none_or(|said| said == protocol)
            && (is_given || self.version.is_none_or(|said| Some(said) == protocol_version));
        let is_had = protocol == TargetProtocol::Tcp
            || self.unheeded(protocol, protocol_version).is_some()
            || is_spoken;
        is_had
            && health_check.as_ref().is_none_or(|held| *held == self.health_check(protocol, protocol_version))
    }

    /// What of the wish does not count for a target group, by the nature of its route.
    pub(crate) fn moot(&self, protocol: TargetProtocol) -> Option<&'static str> {
        let is_tls = protocol == TargetProtocol::Tcp;
        let says_http = self.protocol.is_some_and(|protocol| protocol != TargetProtocol::Tcp);
        (is_tls && says_http).then_some("TLS is passed on unread, so the protocol does not count there.")
    }
}

/// What counts for a Service or a Backend, as `export` leads to it or a route of its own cluster.
pub(crate) fn in_force(
    view: &View,
    cluster: &ClusterId,
    (kind, namespace, name): (Kind, &str, &str),
    export: Option<&str>,
) -> Result<InForce, String> {
    let listed = view.list(cluster, Kind::TargetGroupPolicy, Some(namespace))?;
    if view.is_kind_missing(cluster, Kind::TargetGroupPolicy) {
        return Ok(InForce::NotServed);
    }
    let targets = export.map(|export| (Kind::ServiceExport, export)).into_iter();
    for (kind, name) in targets.chain([(kind, name)]) {
        let judged = judged(&listed, cluster, (kind, namespace, name), None);
        if let Some(wish) = judged.iter().find_map(|one| one.wish.as_ref().ok()) {
            return Ok(InForce::Policy(wish.clone()));
        }
        if let Some(Judged { candidate, wish: Err(refused) }) = judged.into_iter().next() {
            let text = format!(
                "{} cannot be had, so the target groups stay as they are; {}",
                candidate.named(),
                refused.message.trim_end_matches('.')
            );
            return Ok(InForce::AsItIs(text));
        }
    }
    Ok(InForce::Nothing)
}

/// A policy that names a target, and what it gets there.
pub(super) struct Judged<'a> {
    pub(super) candidate: Candidate<'a>,
    /// What it asks for, or why it does not count.
    pub(super) wish: Result<Wish, Condition>,
}

/// The policies that name a target, the oldest first. `refused`: why none can count there.
pub(super) fn judged<'a>(
    listed: &Listed<'a>,
    cluster: &ClusterId,
    (kind, namespace, name): (Kind, &str, &str),
    refused: Option<&Condition>,
) -> Vec<Judged<'a>> {
    let candidates = sorted(listed.values().filter_map(|object| {
        let target = naming(object, namespace, kind, name)?;
        Some(Candidate {
            cluster: cluster.clone(),
            kind: Kind::TargetGroupPolicy,
            object,
            meta: api::meta(object),
            target,
            refused: refused.cloned(),
            idle: None,
        })
    }));
    let mut given: Option<String> = None;
    let judge = |candidate: Candidate<'a>| {
        let wish = match &candidate.refused {
            Some(refused) => Err(refused.clone()),
            None => wish(candidate.object)
                .map_err(|problems| Condition::no_for(conditions::ACCEPTED, reasons::INVALID, problems)),
        };
        let wish = wish.and_then(|wish| match &given {
            Some(other) => {
                let text =
                    format!("{other} counts before this one, and a target has one; delete one of the two.");
                Err(Condition::no(conditions::ACCEPTED, reasons::CONFLICTED, text))
            }
            None => Ok(wish),
        });
        if wish.is_ok() {
            given = Some(candidate.named());
        }
        Judged { candidate, wish }
    };
    candidates.into_iter().map(judge).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wire {
    spec: SpecWire,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecWire {
    protocol: Option<String>,
    protocol_version: Option<String>,
    health_check: Option<CheckWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CheckWire {
    enabled: Option<bool>,
    interval_seconds: Option<i64>,
    timeout_seconds: Option<i64>,
    healthy_threshold_count: Option<i64>,
    unhealthy_threshold_count: Option<i64>,
    status_match: Option<String>,
    path: Option<String>,
    port: Option<i64>,
    protocol: Option<String>,
    protocol_version: Option<String>,
}

/// What a policy asks for, or what of it VPC Lattice does not take.
pub(super) fn wish(object: &Value) -> Result<Wish, Vec<Problem>> {
    let Wire { spec } = api::parse(object).map_err(|problem| vec![problem])?;
    let mut problems = vec![];
    let protocol = one_of("spec.protocol", spec.protocol, protocol_of, "HTTP, HTTPS or TCP", &mut problems);
    let version = one_of(
        "spec.protocolVersion",
        spec.protocol_version,
        version_of,
        "HTTP1, HTTP2 or GRPC",
        &mut problems,
    );
    if protocol == Some(TargetProtocol::Tcp) && version.is_some() {
        let text = "protocolVersion is not supported for TCP protocol TargetGroupPolicy; take it out";
        problems.push(Problem::new(Code::PolicyValue, "spec.protocolVersion", text));
    }
    let check = check_wish(spec.health_check.unwrap_or_default(), &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let meta = api::meta(object);
    Ok(Wish { policy: format!("{}/{}", meta.namespace, meta.name), protocol, version, check })
}

fn check_wish(wire: CheckWire, problems: &mut Vec<Problem>) -> CheckWish {
    let http = |text: &str| protocol_of(text).filter(|protocol| *protocol != TargetProtocol::Tcp);
    let version = |text: &str| version_of(text).filter(|version| *version != ProtocolVersion::Grpc);
    let path = |member: &str| format!("spec.healthCheck.{member}");
    let mut number = |member: &str, value: Option<i64>, range: std::ops::RangeInclusive<u16>| {
        let value = value?;
        let fits = u16::try_from(value).ok().filter(|value| range.contains(value));
        if fits.is_none() {
            let (low, high) = range.into_inner();
            let text = format!("{value} is not from {low} to {high}; name a number in that range");
            problems.push(Problem::new(Code::PolicyValue, path(member), text));
        }
        fits
    };
    // The ranges of the API (HealthCheckConfig).
    let interval = number("intervalSeconds", wire.interval_seconds, 5..=300);
    let timeout = number("timeoutSeconds", wire.timeout_seconds, 1..=120);
    let healthy = number("healthyThresholdCount", wire.healthy_threshold_count, 2..=10);
    let unhealthy = number("unhealthyThresholdCount", wire.unhealthy_threshold_count, 2..=10);
    let port = number("port", wire.port, 1..=u16::MAX);
    // The API takes an empty text for its default, as an absent one.
    let text = |value: Option<String>| value.filter(|value| !value.is_empty());
    let (codes, at) = (text(wire.status_match), text(wire.path));
    if let Some(codes) = codes.as_deref().filter(|codes| !are_codes(codes)) {
        let text = format!(
            "{} names no codes from {} to {}; write such as 200, 200-299 or 200,301",
            quoted(codes),
            CODES.start(),
            CODES.end()
        );
        problems.push(Problem::new(Code::PolicyValue, path("statusMatch"), text));
    }
    if let Some(at) = at.as_deref().filter(|at| !is_path(at)) {
        let text = format!(
            "{} is no path that VPC Lattice takes; begin it with / and use letters, digits and @:%_+.~#?&/=-",
            quoted(at)
        );
        problems.push(Problem::new(Code::PolicyValue, path("path"), text));
    }
    CheckWish {
        enabled: wire.enabled,
        interval,
        timeout,
        healthy,
        unhealthy,
        codes,
        path: at,
        port,
        protocol: one_of(&path("protocol"), wire.protocol, http, "HTTP or HTTPS", problems),
        version: one_of(&path("protocolVersion"), wire.protocol_version, version, "HTTP1 or HTTP2", problems),
    }
}

/// A word as the API has it; another one is a problem.
fn one_of<T>(
    path: &str,
    word: Option<String>,
    read: impl Fn(&str) -> Option<T>,
    words: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let word = word.filter(|word| !word.is_empty())?;
    let found = read(&word);
    if found.is_none() {
        problems.push(Problem::new(
            Code::PolicyValue,
            path,
            format!("{} is none of {words}; name one", quoted(&word)),
        ));
    }
    found
}

fn protocol_of(text: &str) -> Option<TargetProtocol> {
    match text {
        "HTTP" => Some(TargetProtocol::Http),
        "HTTPS" => Some(TargetProtocol::Https),
        "TCP" => Some(TargetProtocol::Tcp),
        _ => None,
    }
}

fn version_of(text: &str) -> Option<ProtocolVersion> {
    match text {
        "HTTP1" => Some(ProtocolVersion::Http1),
        "HTTP2" => Some(ProtocolVersion::Http2),
        "GRPC" => Some(ProtocolVersion::Grpc),
        _ => None,
    }
}

/// Whether a text names codes as the API reads them: numbers and ranges with commas between.
fn are_codes(text: &str) -> bool {
    let is_range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let code = |text: &str| text.parse().ok().filter(|code| text.len() == 3 && CODES.contains(code));
        matches!((code(low), code(high)), (Some(low), Some(high)) if low <= high)
    };
    text.len() <= CODES_CHARS_MAX && text.split(',').all(is_range)
}

/// Whether a text is a path as the API takes it (API model, HealthCheckPath).
fn is_path(text: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "@:%_+.~#?&/=-".contains(c);
    text.starts_with('/') && text.len() <= PATH_CHARS_MAX && text.chars().all(is_taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_paths_are_read_as_the_api_reads_them() {
        assert!(["200", "200-299", "200,301-302,499"].into_iter().all(are_codes));
        assert!(
            ["", "199", "500", "200-", "299-200", "200, 201", "2xx", "+200"]
                .into_iter()
                .all(|one| !are_codes(one))
        );
        assert!(["/", "/healthz?deep=1", "/a%20b"].into_iter().all(is_path));
        assert!(["", "healthz", "/a b", "/ä", "/a\"b"].into_iter().all(|one| !is_path(one)));
        assert!(is_path(&format!("/{}", "a".repeat(PATH_CHARS_MAX - 1))));
        assert!(!is_path(&format!("/{}", "a".repeat(PATH_CHARS_MAX))));
    }
}
