//! What VPC Lattice has from before an edit that cannot be had: its rules stay as they are, and its target groups go on
//! following the Pods. A mistake is no reason for an outage, neither at once nor at the next rollout.

use super::contest::{Member, ServiceDraft};
use super::rules::ResolvedRule;
use super::rules_of_gone::are_told;
use super::slot::Slot;
use crate::backend::declared;
use crate::backend::{Asked, BackendError, Listeners, Pool, is_of_route, mark, pool, rules_of};
use crate::grant::{From, To, is_granted};
use crate::priority::{Candidate, Origin};
use crate::route::RouteId;
use crate::view::{Found, View};
use crate::{Settings, naming, status};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::Kind;
use trellis_lattice::{
    Action, Actual, ActualListener, ActualService, ActualTargetGroup, DesiredListener, DesiredRule,
    DesiredService, DesiredTargetGroup, ListenerProtocol, Mode, Ownership, PathMatch, ProtocolVersion,
    RuleMatch, TAG_EXPORT, TAG_UNWANTED, TARGET_GROUP_ID, TargetGroupConfig, TargetHealth, TargetProtocol,
};

/// A target group from before, and the route whose rules lead to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) group: ActualTargetGroup,
    pub(crate) route: RouteId,
}

/// What a port keeps.
#[derive(Debug, Default)]
pub(crate) struct KeptPort {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) groups: Vec<Kept>,
}

/// The rules that a port had of members that are kept. What the others ask for anew stands before them.
pub(crate) fn of_port(
    view: &View,
    draft: &ServiceDraft,
    number: u16,
    others: &[Candidate],
    members: &[Member],
) -> KeptPort {
    let mut port = KeptPort::default();
    let Some(wanted) = draft.ports.get(&number) else { return port };
    let kept: Vec<usize> = wanted.members.iter().copied().filter(|at| draft.kept.contains(at)).collect();
    let Some(held) = (!kept.is_empty()).then(|| service_of(view.actual, draft)).flatten() else {
        return port;
    };
    let is_of_kept = is_of_kept(draft, members);
    for (at, (matches, action)) in held_rules(held, number, wanted.protocol, others).into_iter().enumerate() {
        let groups: Vec<&ActualTargetGroup> = groups_of(view.actual, &action).collect();
        let is_whose =
            |at: &&usize| groups.iter().any(|group| is_of_route(group, &members[**at].claim.route.id));
        // Of a target group that the unit did not make the backends tell, which the edit may still name.
        let of_others: BTreeSet<&str> =
            action.target_groups().filter(|name| name.starts_with(TARGET_GROUP_ID)).collect();
        let leads_there = |at: &&usize| {
            let mut named = members[**at].rules.iter().flat_map(ResolvedRule::externals);
            named.any(|id| of_others.contains(id.as_str()))
        };
        // What leads to no target group tells of nobody; the leader's it is.
        let leader = kept.first().filter(|at| groups.is_empty() && draft.leader() == Some(**at));
        // A target group that several lead to bears the tags of one of them.
        let one_of_them = kept.first().filter(|_| is_of_kept(&groups, !of_others.is_empty()));
        let theirs = kept.iter().find(is_whose).or_else(|| kept.iter().find(leads_there));
        let Some(whose) = theirs.or(leader).or(one_of_them).copied() else { continue };
        let route = &members[whose].claim.route.id;
        port.groups
            .extend(groups.into_iter().map(|group| Kept { group: group.clone(), route: route.clone() }));
        port.candidates.push(Candidate {
            contributor: whose,
            specificity: specificity(&matches),
            origin: Origin { rule: at, matched: 0, alternative: 0 },
            priority: None,
            matches,
            action,
        });
    }
    port
}

/// Whether rules of a service that nobody wants and that lead to target groups of somebody else's are those of kept members
/// all the same: where nobody's edit has taken a rule out, or its leader's status tells of such rules already. The second says
/// whether they lead to any that the unit did not make.
fn is_of_kept<'a>(
    draft: &ServiceDraft,
    members: &'a [Member],
) -> impl Fn(&[&ActualTargetGroup], bool) -> bool + 'a {
    let are_told = are_told(draft, members);
    let leader = draft.leader().map(|at| members[at].object);
    let told = |kind| leader.map(|leader| status::kept_sources(leader, kind)).unwrap_or_default();
    let told = [Kind::Service, Kind::Backend].map(|kind| (kind, told(kind)));
    let is_told = move |group: &&ActualTargetGroup| {
        let of_kind = naming::kind_of_source(&group.tags);
        naming::source_of(&group.tags).is_some_and(|(_, namespace, name)| {
            let source = (namespace, name);
            told.iter().any(|(kind, told)| *kind == of_kind && told.contains(&source))
        })
    };
    move |groups, leads_to_others| {
        let leads_anywhere = leads_to_others || !groups.is_empty();
        are_told && leads_anywhere || groups.iter().any(&is_told)
    }
}

/// The rules of ours that a listener has and that nobody wants, the default action among them where it stands for one.
pub(super) fn held_rules(
    held: &ActualService,
    port: u16,
    protocol: ListenerProtocol,
    wanted: &[Candidate],
) -> Vec<(RuleMatch, Action)> {
    let listener = held.listeners.iter().find(|one| one.port == port && one.protocol == protocol);
    let Some(listener) = listener else { return vec![] };
    let rules = listener.rules.iter().filter(|rule| rule.ownership == Ownership::Ours);
    let mut all: Vec<(RuleMatch, Action)> =
        rules.map(|rule| (rule.matches.clone(), rule.action.clone())).collect();
    if matches!(listener.default_action, Action::Forward(_)) {
        let path = wanted.first().map_or_else(RuleMatch::default, |one| one.matches.clone()).path;
        let everything = path.map(|_| PathMatch::Prefix("/".into()));
        all.push((RuleMatch { path: everything, ..RuleMatch::default() }, listener.default_action.clone()));
    }
    let is_wanted =
        |matches: &RuleMatch| wanted.iter().any(|one| one.matches.normalised() == matches.normalised());
    all.retain(|(matches, _)| !is_wanted(matches));
    all
}

/// What the listeners of a service do with requests. Equal matches of two routes at two ports are two things.
#[derive(Debug, Default)]
pub(crate) struct Held<'a>(BTreeMap<(u16, RuleMatch), &'a Action>);

impl<'a> Held<'a> {
    /// Of the unit's service of that name; nothing if there is none.
    pub(crate) fn of(view: &View<'a>, service: &str) -> Self {
        let mut services = view.actual.services.iter();
        let held = services.find(|one| one.name == service && one.ownership == Ownership::Ours);
        held.map(Self::of_service).unwrap_or_default()
    }

    pub(crate) fn of_service(service: &'a ActualService) -> Self {
        let of_listener = |listener: &'a ActualListener| {
            rules_of(listener).map(|(matches, action)| ((listener.port, matches), action))
        };
        Self(service.listeners.iter().flat_map(of_listener).collect())
    }

    /// What is done with requests that match.
    pub(crate) fn action(&self, port: u16, matches: &RuleMatch) -> Option<&'a Action> {
        self.0.get(&(port, matches.normalised())).copied()
    }

    /// The ports of the listeners.
    pub(crate) fn ports(&self) -> BTreeSet<u16> {
        self.0.keys().map(|(port, _)| *port).collect()
    }
}

/// What is there at a port of a rule whose backends are not known, as candidates.
pub(crate) fn of_rule(
    view: &View,
    age: usize,
    (rule, port, held): (&ResolvedRule, u16, &Held),
    groups: &mut BTreeMap<String, DesiredTargetGroup>,
    as_it_is: impl Fn(&str) -> Option<DesiredTargetGroup>,
) -> Vec<Candidate> {
    let mut candidates = vec![];
    for (matched, one) in rule.rule.matches.iter().enumerate() {
        for (alternative, matches) in one.alternatives.iter().enumerate() {
            let Some(action) = held.action(port, matches) else { continue };
            let named = groups_of(view.actual, action).filter_map(|group| as_it_is(&group.name));
            groups.extend(named.map(|group| (group.name.clone(), group)));
            candidates.push(Candidate {
                contributor: age,
                specificity: one.specificity,
                origin: Origin { rule: rule.rule.index, matched, alternative },
                priority: None,
                matches: matches.clone(),
                action: action.clone(),
            });
        }
    }
    candidates
}

/// Asks for what rules from before an edit lead to, which is still followed.
pub(crate) fn ask_for_followed(view: &View, id: &RouteId, object: &Value) {
    for (namespace, name) in status::kept_services(object) {
        let _ = view.slices(&id.cluster, &namespace, &name);
        let _ = view.get(&id.cluster, Kind::Service, &namespace, &name);
        ask_for_grants(view, id, &namespace);
    }
    for (namespace, name) in status::kept_sources(object, Kind::Backend) {
        let _ = view.get(&id.cluster, Kind::Backend, &namespace, &name);
        ask_for_grants(view, id, &namespace);
    }
}

fn ask_for_grants(view: &View, id: &RouteId, namespace: &str) {
    if namespace != id.namespace {
        let _ = view.list(&id.cluster, Kind::ReferenceGrant, Some(namespace));
    }
}

/// A service of which nothing changes, with what it leads to.
pub(crate) struct Whole {
    pub(crate) service: DesiredService,
    /// Those of them that follow something.
    pub(crate) groups: Vec<DesiredTargetGroup>,
    pub(crate) kept: Vec<Kept>,
}

/// Keeps a service as it is, in these networks only; the targets that it leads to follow the Pods. `whose`: the route that a target
/// group is of.
pub(crate) fn whole(
    view: &View,
    service: &ActualService,
    networks: &BTreeSet<String>,
    whose: impl Fn(&ActualTargetGroup) -> RouteId,
    settings: &Settings,
) -> Whole {
    let kept = groups_of_service(view.actual, service);
    let kept: Vec<Kept> = kept.map(|group| Kept { group: group.clone(), route: whose(group) }).collect();
    let groups = kept.iter().filter_map(|one| followed(view, one, settings)).collect();
    Whole { service: as_it_is(service, networks), groups, kept }
}

/// The service that the unit has for a draft.
pub(crate) fn service_of<'a>(actual: &'a Actual, draft: &ServiceDraft) -> Option<&'a ActualService> {
    actual.services.iter().find(|service| is_for(service, &draft.slot) && draft.can_be(service))
}

/// Whether a service is the unit's, stays, and is for that.
pub(crate) fn is_for(service: &ActualService, slot: &Slot) -> bool {
    service.ownership == Ownership::Ours && !naming::is_ending(service) && Slot::of(service) == *slot
}

/// A service as it is, in these networks only: nothing of it changes but the targets.
pub(crate) fn as_it_is(service: &ActualService, networks: &BTreeSet<String>) -> DesiredService {
    let ours = service.listeners.iter().filter(|listener| listener.ownership == Ownership::Ours);
    DesiredService {
        name: service.name.clone(),
        custom_domain: service.custom_domain.clone(),
        certificate_arn: service.certificate_arn.clone(),
        idle_timeout_seconds: service.idle_timeout_seconds,
        networks: service
            .associations
            .iter()
            .map(|one| one.network.clone())
            .filter(|network| networks.contains(network))
            .collect(),
        listeners: ours
            .map(|listener| DesiredListener {
                name: listener.name.clone(),
                port: listener.port,
                protocol: listener.protocol,
                default_action: listener.default_action.clone(),
                rules: listener
                    .rules
                    .iter()
                    .filter(|rule| rule.ownership == Ownership::Ours)
                    .map(|rule| DesiredRule {
                        name: rule.name.clone(),
                        priority: rule.priority,
                        matches: rule.matches.clone(),
                        action: rule.action.clone(),
                    })
                    .collect(),
            })
            .collect(),
        tags: service.tags.clone(),
    }
}

/// The target groups of the unit that a service leads to.
pub(crate) fn groups_of_service<'a>(
    actual: &'a Actual,
    service: &'a ActualService,
) -> impl Iterator<Item = &'a ActualTargetGroup> {
    let named = service.target_groups();
    actual
        .target_groups
        .iter()
        .filter(move |group| group.ownership == Ownership::Ours && named.contains(group.name.as_str()))
}

pub(super) fn groups_of<'a>(
    actual: &'a Actual,
    action: &'a Action,
) -> impl Iterator<Item = &'a ActualTargetGroup> {
    let named: BTreeSet<&str> = match action {
        Action::Forward(groups) => groups.iter().map(|group| group.target_group.as_str()).collect(),
        Action::FixedResponse(_) => BTreeSet::new(),
    };
    let ours = actual.target_groups.iter().filter(|group| group.ownership == Ownership::Ours);
    ours.filter(move |group| named.contains(group.name.as_str()))
}

/// The precedence of a match as far as VPC Lattice's form of it tells.
pub(super) fn specificity(matches: &RuleMatch) -> [usize; 4] {
    let (exact, prefix) = match &matches.path {
        Some(PathMatch::Exact(_)) => (1, 0),
        Some(PathMatch::Prefix(path)) => (0, path.trim_end_matches('/').len()),
        None => (0, 0),
    };
    [exact, prefix, usize::from(matches.method.is_some()), matches.headers.len()]
}

/// A kept target group with the endpoints that its Service has now; as it is where they are not known or the route's cluster
/// is only observed, without any where there is no such Service, export or permission any more.
pub(crate) fn followed(view: &View, kept: &Kept, settings: &Settings) -> Option<DesiredTargetGroup> {
    let held = group_as_it_is(&kept.group)?;
    if view.snapshot.facts.get(&kept.route.cluster).is_some_and(|facts| facts.mode == Mode::Observe) {
        return Some(held);
    }
    Some(match endpoints_of(view, kept, settings) {
        // Nothing is known of its targets, or it has become something else, whose targets have no place in this group.
        Endpoints::Known(pool) if pool.is_kept || !is_alike(&pool, &held) => held,
        // Its health check follows as far as the policy means what it speaks.
        Endpoints::Known(pool) => {
            let is_meant = pool.config == held.config;
            let health_check = if is_meant { pool.health_check } else { held.health_check.clone() };
            DesiredTargetGroup { targets: pool.targets, health_check, ..held }
        }
        Endpoints::Gone => match mark(settings.grace, &kept.group) {
            Some(since) => marked(held, since),
            None => DesiredTargetGroup { targets: BTreeSet::new(), ..held },
        },
        Endpoints::Unknown => held,
    })
}

/// Whether what a backend leads to now can be in the target group that is held for it: addresses or instances of one VPC, or one function
/// or load balancer.
fn is_alike(pool: &Pool, held: &DesiredTargetGroup) -> bool {
    let vpc = |config: &TargetGroupConfig| config.reached().map(|reached| reached.vpc);
    let are_many = pool.targets.iter().all(|target| target.only().is_none());
    pool.config.what() == held.config.what()
        && vpc(&pool.config) == vpc(&held.config)
        && (are_many || pool.targets == held.targets)
}

/// A target group as it is in VPC Lattice: with it as a wish nothing of it changes.
pub(crate) fn group_as_it_is(group: &ActualTargetGroup) -> Option<DesiredTargetGroup> {
    let stays = group.targets.iter().filter(|target| target.health != TargetHealth::Draining);
    let config = group.config.clone()?;
    if config.is_checked() && group.health_check.is_none() {
        return None;
    }
    Some(DesiredTargetGroup {
        name: group.name.clone(),
        config,
        health_check: group.health_check.clone(),
        targets: stays.map(|target| target.target.clone()).collect(),
        tags: group.tags.clone(),
    })
}

/// A target group that stays for a while since what it stands for is gone.
pub(crate) fn marked(mut group: DesiredTargetGroup, since: String) -> DesiredTargetGroup {
    group.tags.insert(TAG_UNWANTED.to_owned(), since);
    group
}

/// What a kept target group has its targets from.
enum Endpoints {
    Known(Box<Pool>),
    /// There is no such Service, export or permission any more.
    Gone,
    Unknown,
}

fn endpoints_of(view: &View, kept: &Kept, settings: &Settings) -> Endpoints {
    let (Some((cluster, namespace, service)), Some(config)) =
        (naming::source_of(&kept.group.tags), &kept.group.config)
    else {
        return Endpoints::Unknown;
    };
    let kind = naming::kind_of_source(&kept.group.tags);
    let route_kind = match config.reached().map(|config| (config.protocol, config.protocol_version)) {
        Some((TargetProtocol::Tcp, _)) => Kind::TLSRoute,
        Some((_, Some(ProtocolVersion::Grpc))) => Kind::GRPCRoute,
        _ => Kind::HTTPRoute,
    };
    let asked = Asked {
        path: "spec.rules",
        port: config.port().map(i64::from),
        export: kept.group.tags.get(TAG_EXPORT).map(String::as_str),
        route_kind,
        listeners: Listeners::Secure,
        targets_max: settings.limits.targets_per_target_group,
        grace: settings.grace,
        told: None,
    };
    if let Some(export) = kept.group.tags.get(TAG_EXPORT) {
        match view.get(&cluster, Kind::ServiceExport, &namespace, export) {
            Found::Unknown(_) => return Endpoints::Unknown,
            Found::Missing => return Endpoints::Gone,
            Found::Object(_) => {}
        }
    } else if namespace != kept.route.namespace {
        let from = From { kind: kept.route.kind.as_str(), namespace: &kept.route.namespace };
        let to = To { group: kind.group(), kind: kind.as_str(), namespace: &namespace, name: &service };
        match is_granted(view, &cluster, &from, &to) {
            Err(_) => return Endpoints::Unknown,
            Ok(false) => return Endpoints::Gone,
            Ok(true) => {}
        }
    }
    let found = match kind {
        Kind::Backend => declared::pool(view, &cluster, (&namespace, &service), &asked),
        _ => pool(view, &cluster, &namespace, &service, &asked),
    };
    match found {
        Ok(Pool { awaits_slices: Some(left), .. }) => {
            view.lasts(left);
            Endpoints::Unknown
        }
        Ok(pool) => Endpoints::Known(Box::new(pool)),
        Err(BackendError::Broken(..) | BackendError::Awaited(..)) => Endpoints::Gone,
        Err(BackendError::Unknown(_)) => Endpoints::Unknown,
    }
}
