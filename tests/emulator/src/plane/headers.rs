//! Headers that the data plane adds, keeps and removes.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::state::Home;
use crate::state::plan::Caller;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// Headers of one hop only (RFC 9110, section 7.6.1, and its predecessors).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
];

/// What only the data plane may say; values sent by a client are removed.
const OWN: [&str; 7] = [
    "x-amzn-lattice-identity",
    "x-amzn-lattice-identity-tags",
    "x-amzn-lattice-network",
    "x-amzn-lattice-target",
    "x-amzn-source-vpc",
    "x-forwarded-for-port",
    "x-forwarded-for-proto",
];

/// Bytes of a request id that are kept.
const MAX_REQUEST_ID: usize = 512;

/// Most header lines of a request.
const MAX_LINES: usize = 100;

/// Most bytes of all header lines together.
const MAX_BYTES: usize = 60 * 1024;

/// Whether the headers are within the limits of the service.
pub(super) fn within_limits(headers: &HeaderMap) -> bool {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    headers.len() <= MAX_LINES && bytes <= MAX_BYTES
}

/// The id of the request: the client's, cut to what is kept, or a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sent = headers.get(&REQUEST_ID).map(|id| {
        let bytes = id.as_bytes();
        bytes.get(..bytes.len().min(MAX_REQUEST_ID)).unwrap_or_default()
    });
    sent.and_then(|id| HeaderValue::from_bytes(id).ok()).unwrap_or_else(|| {
        HeaderValue::from_str(&crate::protocol::request_id())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    })
}

/// Removes what belongs to one hop. `te: trailers` stays, because gRPC needs it on every hop.
pub(super) fn strip_hop(headers: &mut HeaderMap) {
    let trailers = headers.get(header::TE).is_some_and(|te| te == "trailers");
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// What the target learns about the way of a request.
pub(super) struct Way<'a> {
    pub(super) home: &'a Home,
    pub(super) vpc: &'a str,
    pub(super) peer: SocketAddr,
    pub(super) proto: &'static str,
    pub(super) service_arn: &'a str,
    pub(super) network_arn: &'a str,
    pub(super) group_arn: &'a str,
    pub(super) caller: Option<&'a Caller>,
}

/// Puts the data plane's own headers in place.
pub(super) fn mark(headers: &mut HeaderMap, way: &Way<'_>) {
    for name in OWN {
        headers.remove(name);
    }
    let ip = way.peer.ip().to_string();
    let forwarded = match headers.get("x-forwarded-for").and_then(|value| value.to_str().ok()) {
        Some(before) => format!("{before}, {ip}"),
        None => ip,
    };
    let vpc_arn = vpc_arn(way.home, way.vpc);
    let target = format!(
        "ServiceArn={};ServiceNetworkArn={};TargetGroupArn={}",
        way.service_arn, way.network_arn, way.group_arn
    );
    let port = way.peer.port().to_string();
    if let Some(caller) = way.caller {
        put(headers, "x-amzn-lattice-identity", &identity(caller));
        if !caller.tags.is_empty() {
            let tags: Vec<String> = caller.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            put(headers, "x-amzn-lattice-identity-tags", &tags.join(";"));
        }
    }
    for (name, value) in [
        ("x-forwarded-for", forwarded.as_str()),
        ("x-forwarded-for-port", &port),
        ("x-forwarded-for-proto", way.proto),
        ("x-amzn-lattice-network", &format!("SourceVpcArn={vpc_arn}")),
        ("x-amzn-lattice-target", &target),
        ("x-amzn-source-vpc", way.vpc),
    ] {
        put(headers, name, value);
    }
}

/// Sets a header; a value that no header can carry is left out.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The caller as targets learn it.
fn identity(caller: &Caller) -> String {
    let org = caller.org_id.as_ref().map(|org| format!("PrincipalOrgID={org}"));
    let session = caller.session.as_ref().map(|session| format!("SessionName={session}"));
    let principal = format!("Principal={}", caller.principal);
    let parts = [Some(principal), org, session, Some("Type=AWS_IAM".to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(";")
}

/// ARN of a VPC of this account and Region.
pub(super) fn vpc_arn(home: &Home, vpc: &str) -> String {
    format!("arn:aws:ec2:{}:{}:vpc/{vpc}", home.region, home.account)
}
