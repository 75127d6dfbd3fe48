//! From attached listeners and resolved rules to Lattice services and target groups.

use super::route::Parent;
use crate::backend::{BackendError, Pool};
use crate::hostname::is_wildcard;
use crate::priority::{Candidate, Origin, order};
use crate::problem::{Problem, quoted};
use crate::route::{BackendRef, Route, Rule};
use crate::view::View;
use crate::weights::shares;
use crate::{Settings, naming};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::Kind;
use trellis_lattice::{
    Action, DesiredListener, DesiredRule, DesiredService, DesiredTargetGroup, HealthCheck, ListenerProtocol, Owner,
    Tags, WeightedTargetGroup,
};

/// Answers a request that no rule matches.
const NO_RULE: Action = Action::FixedResponse(404);
/// Answers a request whose rule leads nowhere, as the specification asks.
const NO_BACKEND: Action = Action::FixedResponse(500);

/// A rule and what its backends lead to.
pub(crate) struct ResolvedRule<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) backends: Vec<(&'r BackendRef, Result<Vec<Pool>, BackendError>)>,
}

/// A Lattice service to be: a hostname, and the listeners and networks that serve it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) hostname: Option<String>,
    pub(crate) networks: BTreeSet<String>,
    pub(crate) ports: BTreeMap<u16, ListenerProtocol>,
    pub(crate) certificate_arn: Option<String>,
}

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) services: Vec<DesiredService>,
    pub(crate) target_groups: Vec<DesiredTargetGroup>,
    /// Why the route cannot be had at all.
    pub(crate) refused: Vec<Problem>,
    /// Why rules were dropped.
    pub(crate) dropped: Vec<Problem>,
    /// What else is not honoured.
    pub(crate) notes: Vec<Problem>,
}

/// One draft for each hostname that listeners serve, in the order of the route's hostnames.
pub(crate) fn drafts(route: &Route, parents: &[Parent]) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = vec![];
    for parent in parents {
        for attached in parent.attached.iter().flatten() {
            for hostname in &attached.hostnames {
                let at = drafts.iter().position(|draft| draft.hostname == *hostname);
                let at = at.unwrap_or_else(|| {
                    drafts.push(Draft { hostname: hostname.clone(), ..Draft::default() });
                    drafts.len() - 1
                });
                let draft = &mut drafts[at];
                draft.networks.insert(parent.reference.name.clone());
                draft.ports.entry(attached.listener.port).or_insert(attached.listener.protocol);
                if draft.certificate_arn.is_none() {
                    draft.certificate_arn.clone_from(&attached.listener.certificate_arn);
                }
            }
        }
    }
    let place = |draft: &Draft| route.hostnames.iter().position(|one| Some(one) == draft.hostname.as_ref());
    drafts.sort_by_key(|draft| (place(draft), draft.hostname.clone()));
    drafts
}

/// Builds all services of a route.
pub(crate) fn build(
    view: &View,
    route: &Route,
    drafts: &[Draft],
    rules: &[ResolvedRule],
    settings: &Settings,
    owner: &Owner,
) -> Built {
    let mut built = Built { notes: route.problems.clone(), ..Built::default() };
    let drafts = usable_drafts(route, drafts, &mut built);
    let mut valid = vec![];
    for rule in rules {
        let problems = rule_problems(rule, settings);
        if problems.is_empty() { valid.push(rule) } else { built.dropped.extend(problems) }
    }
    if valid.is_empty() && !rules.is_empty() {
        built.refused.append(&mut built.dropped);
    }
    for problem in rules.iter().flat_map(|rule| &rule.backends).flat_map(|(_, pools)| pools.iter().flatten()) {
        built.notes.extend(problem.problem.clone());
    }
    let name_override = name_override(route, &mut built);
    let priorities = Priorities::of(route, settings, &mut built);
    for draft in &drafts {
        let builder = Builder { view, route, settings, owner, priorities: &priorities };
        let name = naming::service(&route.id, name_override.as_deref(), draft.hostname.as_deref());
        builder.add(draft, name, &valid, &mut built);
    }
    built.notes.sort();
    built.notes.dedup();
    built.target_groups.sort_by(|a, b| a.name.cmp(&b.name));
    if !built.refused.is_empty() {
        built.services.clear();
        built.target_groups.clear();
    }
    built
}

/// Drops hostnames that VPC Lattice cannot serve. Whether a custom domain may be a wildcard is not documented, so none
/// is made.
fn usable_drafts(route: &Route, drafts: &[Draft], built: &mut Built) -> Vec<Draft> {
    let mut usable: Vec<Draft> = vec![];
    for draft in drafts {
        let mut draft = draft.clone();
        let hostname = draft.hostname.clone().unwrap_or_default();
        if is_wildcard(&hostname) {
            let is_own = route.hostnames.contains(&hostname);
            let path = if is_own { "spec.hostnames" } else { "spec.parentRefs" };
            let text = format!(
                "VPC Lattice serves no wildcard such as {}; name the hostnames one by one",
                quoted(&hostname)
            );
            built.notes.push(Problem::new(path, text));
            if is_own || !route.hostnames.is_empty() || route.id.kind == Kind::TLSRoute {
                continue;
            }
            // The listener's wildcard still lets the route in; it answers under its generated name.
            draft.hostname = None;
        }
        if draft.hostname.is_none() && route.id.kind == Kind::TLSRoute {
            built.refused.push(Problem::new(
                "spec.hostnames",
                "VPC Lattice passes TLS on by hostname; name at least one",
            ));
            continue;
        }
        usable.push(draft);
    }
    if usable.is_empty() && !drafts.is_empty() && built.refused.is_empty() {
        let wildcards = built.notes.clone();
        built.refused.extend(wildcards);
    }
    usable
}

fn rule_problems(rule: &ResolvedRule, settings: &Settings) -> Vec<Problem> {
    let mut problems = rule.rule.problems.clone();
    let pools: BTreeSet<(&str, &str, &str, u16)> = rule
        .backends
        .iter()
        .flat_map(|(_, pools)| pools.iter().flatten())
        .map(|pool| (&*pool.cluster, &*pool.namespace, &*pool.service, pool.config.port))
        .collect();
    let most = settings.limits.target_groups_per_rule;
    if pools.len() > most {
        let text = format!(
            "The rule leads to {} target groups, VPC Lattice takes {most} in a rule; name fewer backends",
            pools.len()
        );
        problems.push(Problem::new(format!("spec.rules[{}].backendRefs", rule.rule.index), text));
    }
    problems
}

fn name_override(route: &Route, built: &mut Built) -> Option<String> {
    let name = route.meta.annotation("service-name-override")?;
    if naming::is_service_name(name) {
        return Some(name.to_owned());
    }
    let text = format!(
        "{} is no name of a VPC Lattice service; use 3 to 40 lower-case letters, digits and single hyphens",
        quoted(name)
    );
    built.notes.push(Problem::new("metadata.annotations[application-networking.k8s.aws/service-name-override]", text));
    None
}

/// Priorities that the user gives to rules by annotation.
struct Priorities(BTreeMap<usize, u16>);

impl Priorities {
    fn of(route: &Route, settings: &Settings, built: &mut Built) -> Self {
        let mut priorities = BTreeMap::new();
        for rule in &route.rules {
            let name = format!("rule-{}-priority", rule.index);
            let Some(text) = route.meta.annotation(&name) else { continue };
            match text.trim().parse::<u16>() {
                Ok(number) if (1..=settings.limits.priority_max).contains(&number) => {
                    priorities.insert(rule.index, number);
                }
                _ => built.notes.push(Problem::new(
                    format!("metadata.annotations[application-networking.k8s.aws/{name}]"),
                    format!(
                        "{} is no priority; use a number from 1 to {}",
                        quoted(text),
                        settings.limits.priority_max
                    ),
                )),
            }
        }
        Self(priorities)
    }
}

struct Builder<'a> {
    view: &'a View<'a>,
    route: &'a Route,
    settings: &'a Settings,
    owner: &'a Owner,
    priorities: &'a Priorities,
}

impl Builder<'_> {
    /// Adds one service with its target groups, or the reason why it exceeds a limit.
    fn add(&self, draft: &Draft, name: String, valid: &[&ResolvedRule], built: &mut Built) {
        let mut groups = BTreeMap::new();
        let scope = draft.hostname.as_deref().unwrap_or_default();
        let mut candidates = vec![];
        for rule in valid {
            let action = self.action(rule, scope, &mut groups);
            self.candidates(rule, &action, &mut candidates);
        }
        let is_tls = self.route.id.kind == Kind::TLSRoute;
        let mut rules = order(candidates, self.settings.limits.priority_max);
        let mut default_action = NO_RULE;
        let most = self.settings.limits.rules_per_listener;
        // The default action can stand for a rule that takes everything, which saves one of few rules. It is used only
        // where it has to be, since a rule can be changed and counted like the others.
        if is_tls || rules.len() == most + 1 {
            if let Some(last) = rules.pop_if(|rule| is_tls || takes_everything(rule)) {
                default_action = last.action;
            }
        }
        if rules.len() > most {
            built.refused.push(limit(
                "spec.rules",
                &format!("These matches need {} rules in a listener of VPC Lattice", rules.len()),
                most,
                "Rules per listener",
                "L-CF78395E",
            ));
        }
        let listeners = self.listeners(draft, &name, &default_action, &rules, built);
        if groups.len() > self.settings.limits.target_groups_per_service {
            built.refused.push(limit(
                "spec.rules",
                &format!("The backends need {} target groups in a service of VPC Lattice", groups.len()),
                self.settings.limits.target_groups_per_service,
                "Target groups per service",
                "L-3DEC3B9F",
            ));
        }
        built.target_groups.extend(groups.into_values());
        built.services.push(DesiredService {
            name,
            custom_domain: draft.hostname.clone(),
            certificate_arn: draft.certificate_arn.clone(),
            networks: draft.networks.clone(),
            listeners,
            tags: self.service_tags(),
        });
    }

    fn listeners(
        &self,
        draft: &Draft,
        service: &str,
        default_action: &Action,
        rules: &[DesiredRule],
        built: &mut Built,
    ) -> Vec<DesiredListener> {
        let most = self.settings.limits.listeners_per_service;
        if draft.ports.len() > most {
            built.refused.push(limit(
                "spec.parentRefs",
                &format!("The Gateways' listeners need {} listeners in a service of VPC Lattice", draft.ports.len()),
                most,
                "Listeners per service",
                "L-D64E952E",
            ));
        }
        // Passing TLS on knows no fixed response: without a backend there is no listener.
        let is_possible = |protocol: ListenerProtocol| {
            protocol != ListenerProtocol::TlsPassthrough || matches!(default_action, Action::Forward(_))
        };
        let ports = draft.ports.iter().filter(|(_, protocol)| is_possible(**protocol));
        ports
            .map(|(port, protocol)| DesiredListener {
                name: naming::listener(service, *port, *protocol),
                port: *port,
                protocol: *protocol,
                default_action: default_action.clone(),
                rules: rules.to_vec(),
            })
            .collect()
    }

    fn candidates(&self, rule: &ResolvedRule, action: &Action, candidates: &mut Vec<Candidate>) {
        let id = &self.route.id;
        for (matched, one) in rule.rule.matches.iter().enumerate() {
            for (alternative, matches) in one.alternatives.iter().enumerate() {
                candidates.push(Candidate {
                    specificity: one.specificity,
                    origin: Origin {
                        created: self.route.meta.creation_timestamp.clone().unwrap_or_default(),
                        route: format!("{}/{}", id.namespace, id.name),
                        rule: rule.rule.index,
                        matched,
                        alternative,
                    },
                    priority: self.priorities.0.get(&rule.rule.index).copied(),
                    matches: matches.clone(),
                    action: action.clone(),
                });
            }
        }
    }

    /// A rule's action. Backends that lead nowhere are left out: VPC Lattice cannot answer a share of the requests with
    /// 500, so their share goes to the others, and to 500 where there are none. Weight 0 means no requests, so such a
    /// backend needs no target group.
    fn action(&self, rule: &ResolvedRule, scope: &str, groups: &mut BTreeMap<String, DesiredTargetGroup>) -> Action {
        let sound: Vec<(u32, &Vec<Pool>)> = rule
            .backends
            .iter()
            .filter_map(|(backend, pools)| Some((backend.weight, pools.as_ref().ok()?)))
            .filter(|(weight, _)| *weight > 0)
            .collect();
        let counted: Vec<(u32, usize)> = sound.iter().map(|(weight, pools)| (*weight, pools.len())).collect();
        let mut weights: BTreeMap<String, u16> = BTreeMap::new();
        let pools = sound.iter().flat_map(|(_, pools)| pools.iter());
        for (pool, share) in pools.zip(shares(&counted)) {
            let group = self.target_group(pool, scope);
            let weight = weights.entry(group.name.clone()).or_default();
            *weight = weight.saturating_add(share).min(999);
            groups.insert(group.name.clone(), group);
        }
        if weights.is_empty() {
            return NO_BACKEND;
        }
        let weighted = weights.into_iter();
        Action::Forward(
            weighted.map(|(target_group, weight)| WeightedTargetGroup { target_group, weight }).collect(),
        )
    }

    fn target_group(&self, pool: &Pool, scope: &str) -> DesiredTargetGroup {
        let version = naming::protocol_version(pool.config.protocol_version);
        let own = [
            naming::tag("ClusterName", &self.route.id.cluster),
            naming::tag("ServiceName", &pool.service),
            naming::tag("ServiceNamespace", &pool.namespace),
            naming::tag("SourceTypeKey", self.route.id.kind.as_str()),
            naming::tag("ProtocolVersion", version),
            naming::tag("RouteName", &self.route.id.name),
            naming::tag("RouteNamespace", &self.route.id.namespace),
        ];
        DesiredTargetGroup {
            name: naming::target_group(&self.owner.unit, scope, pool),
            health_check: HealthCheck::default_for(&pool.config),
            config: pool.config.clone(),
            targets: pool.targets.clone(),
            tags: self.tags(own),
        }
    }

    fn service_tags(&self) -> Tags {
        let kind = match self.route.id.kind {
            Kind::GRPCRoute => "grpc",
            Kind::TLSRoute => "tls",
            _ => "http",
        };
        self.tags([
            naming::tag("RouteName", &self.route.id.name),
            naming::tag("RouteNamespace", &self.route.id.namespace),
            naming::tag("RouteType", kind),
        ])
    }

    fn tags(&self, own: impl IntoIterator<Item = (String, String)>) -> Tags {
        let managed_by = self.view.snapshot.facts.get(&self.route.id.cluster).map(naming::managed_by);
        let own = self.owner.tags().into_iter().chain(managed_by).chain(own);
        naming::tags(own, &naming::user_tags(&self.route.meta))
    }
}

fn takes_everything(rule: &DesiredRule) -> bool {
    let path = trellis_lattice::PathMatch::Prefix("/".into());
    rule.matches.path == Some(path) && rule.matches.method.is_none() && rule.matches.headers.is_empty()
}

fn limit(path: &str, need: &str, limit: usize, quota: &str, code: &str) -> Problem {
    let text = format!("{need}, and the limit is {limit}; ask for less or raise the quota \"{quota}\" ({code})");
    Problem::new(path, text)
}
