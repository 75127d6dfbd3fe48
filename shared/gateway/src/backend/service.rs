//! One port of one Service, as VPC Lattice sees it.

use super::BackendError;
use super::endpoints::{self, Targets, targets};
use super::protocol::{Place, spoken};
use crate::api::{self, EndpointSlice, Meta, Service, ServicePort};
use crate::code::Code;
use crate::gates::gated;
use crate::policy::target_group;
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::view::{Found, View};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{Grace, HealthCheck, IpConfig, IpFamily, Target, TargetGroupConfig};

/// So long after a Service was made its EndpointSlices may not be there yet: whoever makes it anew takes them away too, and a busy
/// cluster makes them seconds later.
const SLICES_COME_SECONDS: u64 = 60;

/// The listeners that a backendRef is resolved for: an HTTP/2 target group gets no requests of plain ones (User Guide, target groups).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listeners {
    /// Those with TLS.
    Secure,
    /// Those of plain HTTP, and the route has no others.
    Plain,
    /// Those of plain HTTP, and the route has others too.
    PlainBeside,
}

impl Listeners {
    /// Whether they lead to HTTP/2 target groups.
    pub(crate) fn take_http2(self) -> bool {
        self == Self::Secure
    }

    /// What is to be told of an HTTP/2 target group that they do not lead to.
    pub(super) fn without_http2(self) -> &'static str {
        match self {
            Self::Secure | Self::Plain => {
                "VPC Lattice leads to such from HTTPS listeners only, attach the route to one"
            }
            Self::PlainBeside => {
                "VPC Lattice leads to such from HTTPS listeners only, so the route's HTTP listeners go without it; attach it \
                 to HTTPS listeners alone"
            }
        }
    }
}

/// What a backendRef asks of a Service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The field path that problems are reported under.
    pub(crate) path: &'a str,
    /// The Service's port. None is allowed where the Service has only one.
    pub(crate) port: Option<i64>,
    /// The ServiceExport of its cluster and namespace by which it is asked for: whose policies count.
    pub(crate) export: Option<&'a str>,
    /// Decides the protocol.
    pub(crate) route_kind: Kind,
    pub(crate) listeners: Listeners,
    /// Targets that a target group takes.
    pub(crate) targets_max: usize,
    /// How long what is gone stays.
    pub(crate) grace: Option<Grace>,
    /// The services that serve the route, whosever they are: names by ids. Of another unit's route nobody asks.
    pub(crate) told: Option<&'a BTreeMap<String, String>>,
}

/// The endpoints of one port of one Service, or what a Backend names: what becomes a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) cluster: ClusterId,
    /// Service or Backend.
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    /// The name of the Service or the Backend.
    pub(crate) service: String,
    pub(crate) config: TargetGroupConfig,
    /// None where VPC Lattice checks nothing.
    pub(crate) health_check: Option<HealthCheck>,
    /// Namespace and name of the TargetGroupPolicy that the two are from.
    pub(crate) policy: Option<String>,
    pub(crate) targets: BTreeSet<Target>,
    /// What of it is not as a person may expect.
    pub(crate) notes: Vec<Problem>,
    /// The ServiceExport of that cluster and namespace that it stands for; none for a Service of the route's own cluster.
    pub(crate) export: Option<String>,
    /// Whether nothing is known of its cluster: the target group stays as it is, its targets too.
    pub(crate) is_kept: bool,
    /// The mark of a target group that stays for a while since its Service or export is gone.
    pub(crate) gone_since: Option<String>,
    /// Seconds for which it is not known what its Service leads to, which is there before its EndpointSlices are.
    pub(crate) awaits_slices: Option<u64>,
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
    let policy = target_group::in_force(view, cluster, (Kind::Service, namespace, name), asked.export);
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
    let (slices, policy) = (slices.map_err(BackendError::Unknown)?, policy.map_err(BackendError::Unknown)?);
    let mut notes = vec![];
    if api::is_terminating(service) {
        let text = format!(
            "Service {} is Terminating: its endpoints serve until they go, and then nothing answers; name another one",
            quoted(name)
        );
        notes.push(Problem::new(Code::ServiceTerminating, asked.path, text));
    }
    let meta = api::meta(service);
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
    let ip_family = family(&service, view.snapshot.facts.get(cluster).and_then(|facts| facts.ip_family));
    let place = Place { cluster, kind: Kind::Service, namespace, service: name };
    let spoken = spoken(view, &place, port, asked, policy, &mut notes)?;
    let vpc = view.snapshot.facts.get(cluster).map(|facts| facts.vpc.clone()).unwrap_or_default();
    let awaits_slices =
        if slices.values().next().is_none() { slices_awaited(&meta, asked.grace) } else { None };
    // A slice that cannot be read gives no targets: its Service's others still do.
    let slices: Vec<EndpointSlice> = slices.values().filter_map(|slice| api::parse(slice).ok()).collect();
    let gated = gated(view, cluster, namespace, &slices);
    let Targets { mut targets, left_out } = targets(&slices, &gated, port, ip_family);
    notes.extend(left_out_note(name, &left_out, asked.path));
    if targets.is_empty() {
        let other = other_family(ip_family);
        let has_others = !endpoints::targets(&slices, &gated, port, other).targets.is_empty();
        notes.extend(has_others.then(|| of_another_family(name, ip_family, asked.path)));
        let offered = endpoints::other_ports(&slices, port, ip_family);
        notes.extend(offered.map(|offered| of_other_ports(name, port, &offered, asked.path)));
    }
    notes.extend(too_many_note(name, targets.len(), asked));
    targets = targets.into_iter().take(asked.targets_max).collect();
    // Targets bring their own ports. The Service's port as the group's keeps the group when Pods change theirs.
    let config = IpConfig {
        port: number,
        protocol: spoken.protocol,
        protocol_version: spoken.protocol_version,
        ip_family,
        vpc,
    };
    Ok(Pool {
        cluster: cluster.clone(),
        kind: Kind::Service,
        namespace: namespace.to_owned(),
        service: name.to_owned(),
        health_check: Some(spoken.health_check()),
        config: TargetGroupConfig::Ip(config),
        policy: spoken.policy,
        targets,
        notes,
        export: None,
        is_kept: false,
        gone_since: None,
        awaits_slices,
    })
}

/// Seconds for which a Service may still be without any EndpointSlice since it was only just made. None: it has no endpoints. There is no
/// such time where there is no grace either.
fn slices_awaited(service: &Meta, grace: Option<Grace>) -> Option<u64> {
    let Grace { now, .. } = grace.filter(|grace| grace.seconds > 0)?;
    let made = OffsetDateTime::parse(service.creation_timestamp.as_deref()?, &Rfc3339).ok()?;
    let made = u64::try_from(made.unix_timestamp()).ok()?;
    let left = made.saturating_add(SLICES_COME_SECONDS).saturating_sub(now);
    // The cluster's clock may be ahead of this one; how much is bounded.
    (1..=2 * SLICES_COME_SECONDS).contains(&left).then(|| left.min(SLICES_COME_SECONDS))
}

/// The family of a Service's target group, which has one.
///
/// | `ipFamilies` of the Service | the family |
/// |---|---|
/// | one | that one: a headless Service, or slices that a person writes, may have addresses that the cluster gives no Pod |
/// | both | the cluster's: EKS gives Pods addresses of one family. While that is not known the first, which is the Service's own |
/// | none | the cluster's, else IPv4 |
///
/// A VPC has IPv4 addresses in any case, and IPv6 ones where its cluster has; for others VPC Lattice says what the VPC lacks.
fn family(service: &Service, of_cluster: Option<IpFamily>) -> IpFamily {
    let families = service.spec.ip_families.as_deref().unwrap_or_default();
    let mut asked = families.iter().map(|family| match family.as_str() {
        "IPv6" => IpFamily::Ipv6,
        _ => IpFamily::Ipv4,
    });
    match (asked.next(), asked.next()) {
        (Some(only), None) => only,
        (first, _) => of_cluster.or(first).unwrap_or(IpFamily::Ipv4),
    }
}

fn other_family(family: IpFamily) -> IpFamily {
    match family {
        IpFamily::Ipv4 => IpFamily::Ipv6,
        IpFamily::Ipv6 => IpFamily::Ipv4,
    }
}

/// What is to be told of a Service all of whose endpoints have addresses of the family that its target group has not.
fn of_another_family(name: &str, family: IpFamily, path: &str) -> Problem {
    let shown = endpoints::address_type;
    let other = shown(other_family(family));
    let text = format!(
        "Service {} has endpoints by {other} only, and its target group takes those by {}: they get no requests; give the Service \
         ipFamilyPolicy: SingleStack and ipFamilies: [{other}]",
        quoted(name),
        shown(family)
    );
    Problem::new(Code::EndpointsLeftOut, path, text)
}

/// Ports of EndpointSlices that one message shows.
const PORTS_SHOWN_MAX: usize = 3;

/// What is to be told of a Service none of whose endpoints has the port.
fn of_other_ports(name: &str, port: &ServicePort, offered: &BTreeSet<String>, path: &str) -> Problem {
    let named = port.name.as_deref().filter(|name| !name.is_empty());
    let named = named.map_or_else(|| "without a name".to_owned(), quoted);
    let shown: Vec<&str> = offered.iter().take(PORTS_SHOWN_MAX).map(String::as_str).collect();
    let offers = match offered.len().saturating_sub(PORTS_SHOWN_MAX) {
        _ if shown.is_empty() => "no port".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    };
    let text = format!(
        "Service {} has endpoints, none of them for its port {} ({named}): its EndpointSlices offer {offers}; name a targetPort that \
         the Pods have, and in slices written by hand the port as the Service does",
        quoted(name),
        port.port
    );
    Problem::new(Code::NoEndpointForPort, path, text)
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
    Some(Problem::new(Code::EndpointsLeftOut, path, text))
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
        Problem::new(Code::TooManyEndpoints, asked.path, text)
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
