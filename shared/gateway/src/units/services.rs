//! From drafts and resolved rules to Lattice services and target groups.

use super::hostname_sharing::{Claim, Share};
use super::idle_timeout::{idle_timeout, of_a_follower};
use super::rules::{self, Priorities, ResolvedRule};
use super::service_drafts::ServiceDraft;
use crate::backend::Pool;
use crate::certificate;
use crate::prefixes;
use crate::priority::{self, Candidate, order};
use crate::problem::{Problem, quoted};
use crate::report::Serving;
use crate::route::{Route, RouteId};
use crate::snapshot::ObjectKey;
use crate::view::View;
use crate::weights::shares;
use crate::{Settings, naming};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::Kind;
use trellis_lattice::{
    Action, DesiredListener, DesiredRule, DesiredService, DesiredTargetGroup, HealthCheck, ListenerProtocol,
    Owner, TAG_EXPORT, TAG_IDLE_TIMEOUT, TAG_SOURCE, Tags, TargetHealth, WeightedTargetGroup,
};

/// Answers a request that no rule matches.
const NO_RULE: Action = Action::FixedResponse(404);
/// Answers a request whose rule leads nowhere, as the specification asks.
const NO_BACKEND: Action = Action::FixedResponse(500);
/// The highest weight in a forward action (API model, TargetGroupWeight).
const WEIGHT_MAX: u16 = 999;

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) services: Vec<DesiredService>,
    /// By name.
    pub(crate) target_groups: Vec<DesiredTargetGroup>,
    /// Who serves each hostname, in the order of the route's.
    pub(crate) serving: Vec<Serving>,
    /// Why the route cannot be had at all.
    pub(crate) refused: Vec<Problem>,
    /// Why shares of rules are not known and stay as they are.
    pub(crate) unknown: Vec<String>,
    /// Why rules were dropped.
    pub(crate) dropped: Vec<Problem>,
    /// What else is not honoured.
    pub(crate) notes: Vec<Problem>,
}

/// A route whose rules are in a service.
struct Contributor<'a> {
    route: &'a Route,
    rules: Vec<&'a ResolvedRule>,
    priorities: Priorities,
    draft: &'a ServiceDraft,
}

/// Builds all services of a route.
pub(crate) fn build(
    view: &View,
    claim: &Claim,
    rules: &[ResolvedRule],
    shared: &[Share],
    settings: &Settings,
    owner: &Owner,
    unknown: &mut Vec<String>,
) -> Built {
    let route = &claim.route;
    let mut built = Built { refused: claim.drafts.refused.clone(), ..Built::default() };
    built.notes.extend(route.problems.iter().chain(&claim.drafts.notes).cloned());
    for rule in rules {
        built.dropped.extend(rules::problems(rule, settings));
    }
    if rules.iter().all(|rule| !is_valid(rule, settings)) && !rules.is_empty() {
        built.refused.append(&mut built.dropped);
    }
    for pool in rules.iter().flat_map(ResolvedRule::pools) {
        built.notes.extend(pool.problem.clone());
    }
    let name_override = name_override(route, &mut built.notes);
    let idle_timeout = idle_timeout(&route.meta).unwrap_or_else(|problem| {
        built.notes.push(problem);
        None
    });
    let builder = Builder { view, route, settings, owner, idle_timeout };
    for (draft, share) in claim.drafts.services.iter().zip(shared) {
        let hostname = draft.hostname.as_deref();
        built.notes.extend(certificate_note(draft));
        match share {
            Share::Refused(problem) => built.notes.push(problem.clone()),
            Share::Follows { leader, service, older } => {
                built.notes.extend(builder.notes_as_follower(draft, rules, older));
                built.serving.push(Serving {
                    service: service.clone(),
                    hostname: draft.hostname.clone(),
                    leader: Some(key(leader.kind, &leader.namespace, &leader.name)),
                    followers: vec![],
                });
            }
            Share::Leads(followers) => {
                let name = naming::service_beside(view.actual, &route.id, name_override.as_deref(), hostname);
                builder.lead(draft, name, rules, followers, &mut built, unknown);
            }
        }
    }
    if built.serving.is_empty() && built.refused.is_empty() && !shared.is_empty() {
        built.refused.append(&mut built.notes);
    }
    built.notes.sort();
    built.notes.dedup();
    built.target_groups.sort_by(|a, b| a.name.cmp(&b.name));
    built.target_groups.dedup_by(|a, b| a.name == b.name);
    built
}

/// Clients of an HTTPS listener would be shown a certificate of another name.
fn certificate_note(draft: &ServiceDraft) -> Option<Problem> {
    let hostname = draft.hostname.as_deref()?;
    let is_https = draft.ports.values().any(|protocol| *protocol == ListenerProtocol::Https);
    (is_https && draft.certificate_arn.is_none())
        .then(|| Problem::new("spec.hostnames", certificate::missing_for(hostname)))
}

fn is_valid(rule: &ResolvedRule, settings: &Settings) -> bool {
    rules::problems(rule, settings).is_empty()
}

fn key(kind: Kind, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { kind, namespace: namespace.to_owned(), name: name.to_owned() }
}

fn name_override(route: &Route, notes: &mut Vec<Problem>) -> Option<String> {
    let name = route.meta.annotation("service-name-override")?;
    if naming::is_service_name(name) {
        return Some(name.to_owned());
    }
    let text = format!(
        "{} is no name of a VPC Lattice service; use 3 to 40 lower-case letters, digits and single hyphens",
        quoted(name)
    );
    let path = "metadata.annotations[application-networking.k8s.aws/service-name-override]";
    notes.push(Problem::new(path, text));
    None
}

struct Builder<'a> {
    view: &'a View<'a>,
    route: &'a Route,
    settings: &'a Settings,
    owner: &'a Owner,
    /// Seconds, of all services of the route.
    idle_timeout: Option<u16>,
}

impl Builder<'_> {
    /// Adds a service with the rules of this route and of as many younger ones as its limits allow, the oldest first.
    fn lead(
        &self,
        draft: &ServiceDraft,
        name: String,
        rules: &[ResolvedRule],
        followers: &[Claim],
        built: &mut Built,
        unknown: &mut Vec<String>,
    ) {
        let of_followers: Vec<Vec<ResolvedRule>> = followers
            .iter()
            .map(|claim| {
                let http2 = claim.listeners_take_http2();
                rules::resolve(self.view, &claim.route, http2, self.settings, unknown)
            })
            .collect();
        let resolved = rules.iter().chain(of_followers.iter().flatten());
        built.unknown.extend(resolved.clone().flat_map(ResolvedRule::unknown).cloned());
        let idle: BTreeSet<&String> = resolved.flat_map(ResolvedRule::idle).collect();
        built.target_groups.extend(idle.into_iter().filter_map(|name| self.kept_group(name)));
        let mut contributors = vec![self.contributor(self.route, rules, draft, &mut built.notes)];
        let hostname = draft.hostname.as_deref().unwrap_or_default();
        contributors.extend(followers.iter().zip(&of_followers).filter_map(|(claim, rules)| {
            // What is to be told of a follower, its own unit tells.
            Some(self.contributor(&claim.route, rules, claim.draft(hostname)?, &mut vec![]))
        }));
        loop {
            let (service, groups, problems, notes) = self.service(draft, &name, &contributors);
            if !problems.is_empty() && contributors.len() > 1 {
                let left_out = contributors.pop();
                built.notes.extend(left_out.map(|one| left_out_note(one.route, hostname, &problems)));
                continue;
            }
            built.refused.extend(problems);
            built.notes.extend(notes);
            built.target_groups.extend(groups);
            built.services.push(service);
            break;
        }
        built.serving.push(Serving {
            service: name,
            hostname: draft.hostname.clone(),
            leader: None,
            followers: contributors
                .iter()
                .skip(1)
                .map(|one| {
                    let id = &one.route.id;
                    (key(id.kind, &id.namespace, &id.name), one.route.meta.generation)
                })
                .collect(),
        });
    }

    fn contributor<'b>(
        &self,
        route: &'b Route,
        rules: &'b [ResolvedRule],
        draft: &'b ServiceDraft,
        notes: &mut Vec<Problem>,
    ) -> Contributor<'b> {
        Contributor {
            route,
            rules: rules.iter().filter(|rule| is_valid(rule, self.settings)).collect(),
            priorities: Priorities::of(route, self.settings, notes),
            draft,
        }
    }

    /// What is to be told of this route in the service of an older route: its certificate and its path prefixes.
    fn notes_as_follower(
        &self,
        draft: &ServiceDraft,
        rules: &[ResolvedRule],
        older: &[Claim],
    ) -> Vec<Problem> {
        let limits = &self.settings.limits;
        let hostname = draft.hostname.as_deref().unwrap_or_default();
        let mut notes = vec![];
        notes.extend(of_a_follower(&self.route.meta));
        let theirs = older.iter().find_map(|claim| claim.draft(hostname)?.certificate_arn.as_ref());
        if let (Some(own), Some(theirs)) = (&draft.certificate_arn, theirs)
            && own != theirs
        {
            let text = format!(
                "The listeners name the certificate {own} for {}: a VPC Lattice service has one, and the older route's \
                 has {theirs}; name the same one",
                quoted(hostname)
            );
            notes.push(Problem::new("spec.parentRefs", text));
        }
        for port in draft.ports.keys() {
            let mut candidates = vec![];
            let beside = older
                .iter()
                .filter(|claim| claim.draft(hostname).is_some_and(|draft| draft.ports.contains_key(port)));
            for (age, claim) in beside.enumerate() {
                let priorities = Priorities::of(&claim.route, self.settings, &mut vec![]);
                for rule in claim.route.rules.iter().filter(|rule| rule.problems.is_empty()) {
                    candidates.extend(rules::candidates(age, &claim.route, &priorities, rule, &NO_BACKEND));
                }
            }
            let priorities = Priorities::of(self.route, self.settings, &mut vec![]);
            for rule in rules.iter().filter(|rule| is_valid(rule, self.settings)) {
                let rule = &rule.rule;
                candidates.extend(rules::candidates(older.len(), self.route, &priorities, rule, &NO_BACKEND));
            }
            let fitted = prefixes::fit(candidates, limits.rules_per_listener, limits.priority_max);
            notes.extend(prefixes::notes(&fitted.widened, older.len(), limits.rules_per_listener));
        }
        notes
    }

    /// One service with its target groups, the limits that it exceeds, and what is to be told of it.
    fn service(
        &self,
        draft: &ServiceDraft,
        name: &str,
        contributors: &[Contributor],
    ) -> (DesiredService, Vec<DesiredTargetGroup>, Vec<Problem>, Vec<Problem>) {
        let mut groups = BTreeMap::new();
        let (mut problems, mut notes) = (vec![], vec![]);
        let scope = draft.hostname.as_deref().unwrap_or_default();
        let mut ports: BTreeMap<u16, (ListenerProtocol, Vec<Candidate>)> = BTreeMap::new();
        for (age, one) in contributors.iter().enumerate() {
            let mut candidates = vec![];
            for rule in &one.rules {
                let action = self.action(one.route, rule, scope, &mut groups);
                candidates.extend(rules::candidates(age, one.route, &one.priorities, &rule.rule, &action));
            }
            for (port, protocol) in &one.draft.ports {
                ports.entry(*port).or_insert((*protocol, vec![])).1.extend(candidates.iter().cloned());
            }
        }
        let limits = &self.settings.limits;
        if ports.len() > limits.listeners_per_service {
            let need = format!("The Gateways' listeners need {} listeners in a service", ports.len());
            let quota = "\"Listeners per service\" (L-D64E952E)";
            problems.push(limit("spec.parentRefs", &need, limits.listeners_per_service, quota));
        }
        let listeners: Vec<DesiredListener> = ports
            .into_iter()
            .filter_map(|(port, (protocol, candidates))| {
                self.listener(name, port, protocol, candidates, &mut problems, &mut notes)
            })
            .collect();
        // Of equal matches one stands; what only the others led to is not needed.
        let used = used_groups(&listeners);
        groups.retain(|name, _| used.contains(name.as_str()));
        if groups.len() > limits.target_groups_per_service {
            let need = format!("The backends need {} target groups in a service", groups.len());
            let quota = "\"Target groups per service\" (L-3DEC3B9F)";
            problems.push(limit("spec.rules", &need, limits.target_groups_per_service, quota));
        }
        problems.dedup();
        let service = DesiredService {
            name: name.to_owned(),
            custom_domain: draft.hostname.clone(),
            certificate_arn: contributors.iter().find_map(|one| one.draft.certificate_arn.clone()),
            idle_timeout_seconds: self.idle_timeout,
            networks: draft.networks.clone(),
            listeners,
            tags: self.service_tags(),
        };
        (service, groups.into_values().collect(), problems, notes)
    }

    fn listener(
        &self,
        service: &str,
        port: u16,
        protocol: ListenerProtocol,
        candidates: Vec<Candidate>,
        problems: &mut Vec<Problem>,
        notes: &mut Vec<Problem>,
    ) -> Option<DesiredListener> {
        let is_tls = protocol == ListenerProtocol::TlsPassthrough;
        let (most, priority_max) =
            (self.settings.limits.rules_per_listener, self.settings.limits.priority_max);
        let fitted = prefixes::fit(candidates, most, priority_max);
        notes.extend(prefixes::notes(&fitted.widened, 0, most));
        let mut rules: Vec<DesiredRule> =
            order(fitted.candidates, priority_max).into_iter().map(priority::rule).collect();
        let mut default_action = NO_RULE;
        // The default action can stand for a rule that takes everything, which saves one of few rules. It is used only
        // where it has to be, since a rule can be changed and counted like the others.
        if (is_tls || rules.len() > most)
            && let Some(last) = rules.pop_if(|rule| is_tls || prefixes::takes_everything(&rule.matches))
        {
            default_action = last.action;
        }
        if rules.len() > most {
            let need = format!("These matches need {} rules in a listener", rules.len());
            problems.push(limit("spec.rules", &need, most, prefixes::QUOTA));
        }
        // Passing TLS on knows no fixed response: without a backend there is no listener.
        let is_possible = !is_tls || matches!(default_action, Action::Forward(_));
        is_possible.then(|| DesiredListener {
            name: naming::listener(service, port, protocol),
            port,
            protocol,
            default_action,
            rules,
        })
    }

    /// A rule's action. Backends that lead nowhere are left out: VPC Lattice cannot answer a share of the requests with
    /// 500, so their share goes to the others, and to 500 where there are none. Weight 0 means no requests, so such a
    /// backend needs no target group.
    fn action(
        &self,
        route: &Route,
        rule: &ResolvedRule,
        scope: &str,
        groups: &mut BTreeMap<String, DesiredTargetGroup>,
    ) -> Action {
        let backends = rule.backends.iter().filter(|(weight, _)| *weight > 0);
        let sound: Vec<(u32, Vec<DesiredTargetGroup>)> = backends
            .filter_map(|(weight, pools)| {
                let pools = &pools.as_ref().ok()?.busy;
                Some((
                    *weight,
                    pools.iter().filter_map(|pool| self.target_group(route, pool, scope)).collect(),
                ))
            })
            .collect();
        let counted: Vec<(u32, usize)> =
            sound.iter().map(|(weight, groups)| (*weight, groups.len())).collect();
        let mut weights: BTreeMap<String, u16> = BTreeMap::new();
        let of_backends = sound.into_iter().flat_map(|(_, groups)| groups);
        for (group, share) in of_backends.zip(shares(&counted)) {
            let weight = weights.entry(group.name.clone()).or_default();
            *weight = weight.saturating_add(share).min(WEIGHT_MAX);
            groups.entry(group.name.clone()).or_insert(group);
        }
        if weights.is_empty() {
            return NO_BACKEND;
        }
        let weighted = weights.into_iter();
        Action::Forward(
            weighted.map(|(target_group, weight)| WeightedTargetGroup { target_group, weight }).collect(),
        )
    }

    /// The target group of a pool in the service that `scope` names; none where one that is to stay as it is does not exist.
    fn target_group(&self, route: &Route, pool: &Pool, scope: &str) -> Option<DesiredTargetGroup> {
        let name = naming::target_group(&self.owner.unit, scope, pool);
        if pool.is_kept {
            return self.kept_group(&name);
        }
        let version = naming::protocol_version(pool.config.protocol_version);
        // The cluster is the route's, also for a pool of another one: a controller of the AWS Gateway API Controller's
        // kind in that cluster would take an unknown target group with its own cluster's name for its garbage.
        let own = [
            naming::tag("ClusterName", &route.id.cluster.name),
            naming::tag(naming::SERVICE_NAME, &pool.service),
            naming::tag(naming::SERVICE_NAMESPACE, &pool.namespace),
            naming::tag("SourceTypeKey", route.id.kind.as_str()),
            naming::tag("ProtocolVersion", version),
            naming::tag("RouteName", &route.id.name),
            naming::tag("RouteNamespace", &route.id.namespace),
        ];
        let source = [(TAG_SOURCE.to_owned(), pool.cluster.to_string())];
        let export = pool.export.iter().map(|export| (TAG_EXPORT.to_owned(), export.clone()));
        Some(DesiredTargetGroup {
            name,
            health_check: HealthCheck::default_for(&pool.config),
            config: pool.config.clone(),
            targets: pool.targets.clone(),
            tags: self.tags(own.into_iter().chain(source).chain(export)),
        })
    }

    /// A target group as it is in VPC Lattice: with it as a wish nothing of it changes.
    fn kept_group(&self, name: &str) -> Option<DesiredTargetGroup> {
        let group = self.view.actual.target_groups.iter().find(|group| group.name == name)?;
        let stays = group.targets.iter().filter(|target| target.health != TargetHealth::Draining);
        Some(DesiredTargetGroup {
            name: name.to_owned(),
            config: group.config.clone()?,
            health_check: group.health_check.clone()?,
            targets: stays.map(|target| target.target.clone()).collect(),
            tags: group.tags.clone(),
        })
    }

    fn service_tags(&self) -> Tags {
        let kind = match self.route.id.kind {
            Kind::GRPCRoute => "grpc",
            Kind::TLSRoute => "tls",
            _ => "http",
        };
        self.tags(
            [
                naming::tag("RouteName", &self.route.id.name),
                naming::tag("RouteNamespace", &self.route.id.namespace),
                naming::tag("RouteType", kind),
            ]
            .into_iter()
            .chain(self.idle_timeout.map(|_| (TAG_IDLE_TIMEOUT.to_owned(), "set".to_owned()))),
        )
    }

    fn tags(&self, own: impl IntoIterator<Item = (String, String)>) -> Tags {
        let managed_by = self.view.snapshot.facts.get(&self.route.id.cluster).map(naming::managed_by);
        let own = self.owner.tags().into_iter().chain(managed_by).chain(own);
        naming::tags(own, &naming::user_tags(&self.route.meta))
    }
}

/// A younger route of the hostname whose rules the service cannot take.
fn left_out_note(route: &Route, hostname: &str, problems: &[Problem]) -> Problem {
    let why: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
    let RouteId { kind, namespace, name, .. } = &route.id;
    let text = format!(
        "{kind} {namespace}/{name} has the hostname {} too, and its rules are left out: {}",
        quoted(hostname),
        why.join(". ")
    );
    Problem::new("spec.hostnames", text)
}

fn used_groups(listeners: &[DesiredListener]) -> BTreeSet<&str> {
    let actions = listeners.iter().flat_map(|listener| {
        listener.rules.iter().map(|rule| &rule.action).chain([&listener.default_action])
    });
    let forwards = actions.filter_map(|action| match action {
        Action::Forward(groups) => Some(groups),
        Action::FixedResponse(_) => None,
    });
    forwards.flatten().map(|group| group.target_group.as_str()).collect()
}

fn limit(path: &str, need: &str, limit: usize, quota: &str) -> Problem {
    let text =
        format!("{need} of VPC Lattice, and the limit is {limit}; ask for less or raise the quota {quota}");
    Problem::new(path, text)
}
