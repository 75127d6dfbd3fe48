//! What a backend that is gone leaves for a while: a Service, an import, an export or a grant that is replaced is first
//! taken away ([`trellis_lattice::Grace`]).

use super::service::Pool;
use super::{Asked, BackendError, NO_BACKEND, Pools};
use crate::code::Code;
use crate::naming;
use crate::problem::{Problem, quoted};
use crate::reasons;
use crate::route::RouteId;
use crate::view::View;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{
    Action, ActualListener, ActualService, ActualTargetGroup, Grace, ListenerProtocol, Ownership, PathMatch,
    ProtocolVersion, RuleMatch, Status, TAG_BACKEND, TAG_EXPORT, TAG_SOURCE, TAG_UNWANTED, Target,
    TargetGroupConfig, TargetHealth, Unwanted,
};

/// Where a target group's targets came from, as its tags tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    /// None: any cluster.
    pub(super) cluster: Option<&'a ClusterId>,
    /// Service or Backend.
    pub(super) kind: Kind,
    pub(super) namespace: &'a str,
    pub(super) service: Option<&'a str>,
    pub(super) export: Option<&'a str>,
}

/// The mark of a target group whose backend is gone, while it stays.
pub(crate) fn mark(grace: Option<Grace>, group: &ActualTargetGroup) -> Option<String> {
    let grace = grace?;
    match grace.judge(TAG_UNWANTED, &group.tags) {
        Unwanted::Goes => None,
        Unwanted::Stays(_) => group.tags.get(TAG_UNWANTED).cloned(),
        Unwanted::IsNews => Some(grace.mark()),
    }
}

/// What requests go to of a backend that is gone: the error stands, and is told, where there is nothing or the grace is
/// over.
pub(super) fn for_a_while(
    view: &View,
    origin: &Origin,
    asked: &Asked,
    error: BackendError,
) -> Result<Pools, BackendError> {
    kept(error, |_| pools(view, origin, asked))
}

/// What requests go to of a Service that is there before its EndpointSlices are: the targets that it had, as long as these may still
/// come. Where it is spoken to in another way now, what it had stays as it is.
pub(super) fn until_slices_come(view: &View, pool: Pool, asked: &Asked) -> Pool {
    let Some(left) = pool.awaits_slices else { return pool };
    let origin = Origin {
        cluster: Some(&pool.cluster),
        kind: Kind::Service,
        namespace: &pool.namespace,
        service: Some(&pool.service),
        export: pool.export.as_deref(),
    };
    let asked = Asked { port: pool.config.port().map(i64::from), ..*asked };
    let mut held: Vec<&ActualTargetGroup> = fitting(led_to(view, &origin, &asked), &asked).collect();
    held.retain(|group| has_targets(group));
    held.sort_by_key(|group| (group.config.as_ref() != Some(&pool.config), &group.name));
    let Some(first) = held.first() else { return pool };
    view.lasts(left);
    let text = format!(
        "Service {} was made just now and has no EndpointSlice yet: the targets that it had stay for a minute at most; look at \
         the cluster's endpoint slice controller if none comes",
        quoted(&pool.service)
    );
    let mut notes = pool.notes.clone();
    notes.push(Problem::new(Code::EndpointsAwaited, asked.path, text));
    if first.config.as_ref() == Some(&pool.config) {
        let targets = held_targets(view, &origin, &pool.config).unwrap_or_default();
        return Pool { targets, notes, ..pool };
    }
    match self::pool(first) {
        Some(as_it_is) => Pool { notes, awaits_slices: Some(left), ..as_it_is },
        None => pool,
    }
}

fn has_targets(group: &ActualTargetGroup) -> bool {
    group.targets.iter().any(|target| target.health != TargetHealth::Draining)
}

/// What there is for a while by the reason of an error; the error where that is nothing.
pub(super) fn kept(
    error: BackendError,
    pools: impl FnOnce(&'static str) -> Vec<Pool>,
) -> Result<Pools, BackendError> {
    let BackendError::Broken(reason, problem) = error else { return Err(error) };
    let is_gone = matches!(reason, reasons::BACKEND_NOT_FOUND | reasons::REF_NOT_PERMITTED);
    let busy = if is_gone { pools(reason) } else { vec![] };
    if busy.is_empty() {
        return Err(BackendError::Broken(reason, problem));
    }
    Ok(Pools { busy, gone: Some((reason, problem)), ..Pools::default() })
}

/// The target groups of that origin which a rule leads to and which stay.
pub(super) fn pools(view: &View, origin: &Origin, asked: &Asked) -> Vec<Pool> {
    left(led_to(view, origin, asked), asked)
}

/// The target groups of that origin which a rule leads to.
pub(super) fn led_to<'a>(
    view: &View<'a>,
    origin: &Origin,
    asked: &Asked,
) -> impl Iterator<Item = &'a ActualTargetGroup> {
    let named = named(view);
    let groups = view.actual.target_groups.iter();
    groups.filter(move |group| named.contains(group.name.as_str()) && is_of(group, origin, asked.port))
}

/// All of that origin which a rule leads to, whatever the route.
pub(super) fn groups<'a>(view: &View<'a>, origin: &Origin) -> impl Iterator<Item = &'a ActualTargetGroup> {
    let named = named(view);
    let groups = view.actual.target_groups.iter();
    groups.filter(move |group| named.contains(group.name.as_str()) && is_of(group, origin, None))
}

/// The targets that stay of target groups of that origin with these settings; none where no rule leads to such a group.
pub(super) fn held_targets(
    view: &View,
    origin: &Origin,
    config: &TargetGroupConfig,
) -> Option<BTreeSet<Target>> {
    let mut held = groups(view, origin).filter(|group| group.config.as_ref() == Some(config)).peekable();
    held.peek()?;
    let targets = held.flat_map(|group| &group.targets);
    let staying = targets.filter(|target| target.health != TargetHealth::Draining);
    Some(staying.map(|target| target.target.clone()).collect())
}

/// Of a backend's target groups those that its route can lead to and that stay.
pub(super) fn left<'a>(groups: impl Iterator<Item = &'a ActualTargetGroup>, asked: &Asked) -> Vec<Pool> {
    let meant = own(fitting(groups, asked).collect());
    let left = |group| Some(Pool { gone_since: Some(mark(asked.grace, group)?), ..pool(group)? });
    let mut pools: Vec<Pool> = meant.into_iter().filter_map(left).collect();
    pools.dedup();
    pools
}

/// Of target groups of one origin those that such a route can lead to. Routes of several kinds, and plain
/// listeners and such with TLS, may have a service together, with a target group each of one backend.
pub(super) fn fitting<'a>(
    groups: impl Iterator<Item = &'a ActualTargetGroup>,
    asked: &Asked,
) -> impl Iterator<Item = &'a ActualTargetGroup> {
    groups.filter(|group| match (asked.route_kind, version(group)) {
        (kind, _) if is_only_for_http(group) => kind == Kind::HTTPRoute,
        (Kind::TLSRoute, version) => version.is_none(),
        (Kind::GRPCRoute, version) => version == Some(ProtocolVersion::Grpc),
        (_, Some(ProtocolVersion::Http1)) => true,
        (_, Some(ProtocolVersion::Http2)) => asked.listeners.take_http2(),
        (_, Some(ProtocolVersion::Grpc) | None) => false,
    })
}

/// Of fitting groups that requests go to, those of such listeners: whoever can have HTTP/2 has it where anybody does, and what speaks
/// HTTP/1.1 beside it is for plain ones.
pub(super) fn own(in_use: Vec<&ActualTargetGroup>) -> Vec<&ActualTargetGroup> {
    let is_http2 = |group: &&ActualTargetGroup| version(group) == Some(ProtocolVersion::Http2);
    if in_use.iter().any(is_http2) { in_use.into_iter().filter(is_http2).collect() } else { in_use }
}

fn version(group: &ActualTargetGroup) -> Option<ProtocolVersion> {
    group.config.as_ref().and_then(TargetGroupConfig::protocol_version)
}

fn is_only_for_http(group: &ActualTargetGroup) -> bool {
    matches!(group.config, Some(TargetGroupConfig::Lambda(_) | TargetGroupConfig::LoadBalancer { .. }))
}

/// Names of the target groups that rules of the unit's services lead to.
pub(super) fn named<'a>(view: &View<'a>) -> BTreeSet<&'a str> {
    let services = view.actual.services.iter().filter(|service| service.ownership == Ownership::Ours);
    services.flat_map(ActualService::target_groups).collect()
}

/// What the listeners of the unit's services do with requests, by match.
pub(super) fn rules<'a>(view: &View<'a>) -> impl Iterator<Item = (RuleMatch, &'a Action)> {
    let services = view.actual.services.iter().filter(|service| service.ownership == Ownership::Ours);
    services.flat_map(|service| &service.listeners).flat_map(rules_of)
}

/// What a listener does with requests, by match; its default action among it where that stands for a rule.
pub(crate) fn rules_of(listener: &ActualListener) -> impl Iterator<Item = (RuleMatch, &Action)> {
    let path = match (listener.protocol, &listener.default_action) {
        // What passes TLS on has no rules.
        (ListenerProtocol::TlsPassthrough, _) => Some(None),
        (_, Action::Forward(_)) => Some(Some(PathMatch::Prefix("/".into()))),
        (_, Action::FixedResponse(_)) => None,
    };
    let default = path.map(|path| (RuleMatch { path, ..RuleMatch::default() }, &listener.default_action));
    let rules = listener.rules.iter().filter(|rule| rule.ownership == Ownership::Ours);
    default.into_iter().chain(rules.map(|rule| (rule.matches.normalised(), &rule.action)))
}

/// Whether a target group was made for a rule of the route, as its tags tell.
pub(crate) fn is_of_route(group: &ActualTargetGroup, route: &RouteId) -> bool {
    let tag = |name: &str| group.tags.get(&naming::tag_key(name)).map(String::as_str);
    tag("RouteName") == Some(&route.name)
        && tag("RouteNamespace") == Some(&route.namespace)
        && tag("SourceTypeKey") == Some(route.kind.as_str())
}

/// Whether a rule of the unit's services answers that it has no backend.
pub(super) fn some_rule_has_no_backend(view: &View) -> bool {
    let services = view.actual.services.iter().filter(|service| service.ownership == Ownership::Ours);
    let mut rules = services.flat_map(|service| service.listeners.iter().flat_map(|one| &one.rules));
    rules.any(|rule| rule.action == NO_BACKEND)
}

/// Whether a target group is ours and of that origin.
pub(super) fn is_of(group: &ActualTargetGroup, origin: &Origin, port: Option<i64>) -> bool {
    let tag = |name: &str| group.tags.get(name).map(String::as_str);
    let is_port = |port: i64| {
        group.config.as_ref().and_then(TargetGroupConfig::port).is_some_and(|own| i64::from(own) == port)
    };
    group.ownership == Ownership::Ours
        && group.status != Status::DeleteInProgress
        && origin.cluster.is_none_or(|cluster| tag(TAG_SOURCE) == Some(cluster.to_string().as_str()))
        && tag(TAG_EXPORT) == origin.export
        && group.tags.contains_key(TAG_BACKEND) == (origin.kind == Kind::Backend)
        && tag(&naming::tag_key(naming::SERVICE_NAMESPACE)) == Some(origin.namespace)
        && origin.service.is_none_or(|service| tag(&naming::tag_key(naming::SERVICE_NAME)) == Some(service))
        && port.is_none_or(is_port)
}

/// The target group of that origin that requests of such a route go to, of several the first by name.
pub(super) fn in_use<'a>(
    view: &View<'a>,
    origins: &[Origin],
    port: i64,
    asked: &Asked,
) -> Option<&'a ActualTargetGroup> {
    let named = named(view);
    let is_meant = |group: &&ActualTargetGroup| origins.iter().any(|origin| is_of(group, origin, Some(port)));
    let groups = fitting(view.actual.target_groups.iter().filter(is_meant), asked);
    groups.min_by_key(|group| {
        let is_plain = version(group) == Some(ProtocolVersion::Http1);
        (!named.contains(group.name.as_str()), is_plain, group.targets.is_empty(), &group.name)
    })
}

/// The pool that a target group was made for; it stays as it is.
pub(super) fn pool(group: &ActualTargetGroup) -> Option<Pool> {
    let tag = |name: &str| group.tags.get(&naming::tag_key(name)).cloned();
    let config = group.config.clone()?;
    if config.is_checked() && group.health_check.is_none() {
        return None;
    }
    // What a group has one only of is part of its name.
    let only = group.targets.iter().map(|one| &one.target).filter(|target| target.only().is_some());
    let only: BTreeSet<Target> = only.cloned().collect();
    Some(Pool {
        cluster: group.tags.get(TAG_SOURCE)?.parse().ok()?,
        kind: naming::kind_of_source(&group.tags),
        namespace: tag(naming::SERVICE_NAMESPACE)?,
        service: tag(naming::SERVICE_NAME)?,
        health_check: group.health_check.clone(),
        config,
        policy: None,
        targets: only,
        notes: vec![],
        export: group.tags.get(TAG_EXPORT).cloned(),
        is_kept: true,
        gone_since: None,
        awaits_slices: None,
    })
}
