//! From the members of a service and their resolved rules to the Lattice service and its target groups.

use super::contest::{Member, Port, ServiceDraft};
use super::errors;
use super::gone_imports::GoneImports;
use super::idle_timeout::idle_timeout;
use super::kept::{self, Kept, KeptPort};
use super::merged;
use super::rules::{self, Priorities, Resolved, ResolvedRule, is_valid};
use super::rules_of_gone::{self, Staying};
use super::shadowed::{Shadowed, note_shadowed};
use crate::backend::{NO_BACKEND, Pool, Pools, external};
use crate::code::Code;
use crate::prefixes;
use crate::priority::{self, Candidate, order};
use crate::problem::Problem;
use crate::route::{Route, RouteId};
use crate::view::View;
use crate::weights::weights;
use crate::{Settings, naming};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{
    Action, DesiredListener, DesiredRule, DesiredService, DesiredTargetGroup, ListenerProtocol, Owner,
    TAG_BACKEND, TAG_EXPORT, TAG_IDLE_TIMEOUT, TAG_SOURCE, TAG_UNWANTED, TARGET_GROUP_ID, Tags,
    WeightedTargetGroup,
};

/// Answers a request that no rule matches.
const NO_RULE: Action = Action::FixedResponse(404);

/// Makes the services of one route's unit.
pub(crate) struct Builder<'a> {
    view: &'a View<'a>,
    route: &'a Route,
    settings: &'a Settings,
    owner: Owner,
    /// Seconds, of all services of the route.
    idle_timeout: Option<u16>,
    /// Services that have been built already: a target group that the unit did not make is of one service only.
    beside: &'a [DesiredService],
    /// Where the members are one route of several clusters: the clusters whose share stays as it is.
    merging: Option<&'a BTreeSet<ClusterId>>,
}

/// The service that a rule is in.
struct Place<'a> {
    service: &'a str,
    /// What its target groups' names are told apart by from those of others of the unit.
    scope: &'a str,
}

/// A service, and what is to be said of it.
pub(crate) struct BuiltService {
    pub(crate) service: DesiredService,
    pub(crate) groups: Vec<DesiredTargetGroup>,
    /// Limits that it exceeds.
    pub(crate) problems: Vec<Problem>,
    /// By member: what of it is not honoured as it stands.
    pub(crate) unheeded: BTreeMap<usize, Unheeded>,
    /// By member: matches that an older member has, and which one, with the ports where it is so.
    pub(crate) shadowed: BTreeMap<usize, Shadowed>,
    /// By member: ports of TLS without a listener, since no backend of the member takes what comes there.
    pub(crate) without_listener: BTreeMap<usize, BTreeSet<u16>>,
    /// Target groups from before an edit that cannot be had.
    pub(crate) kept: Vec<Kept>,
}

/// What a service does not give a member.
#[derive(Debug, Default)]
pub(crate) struct Unheeded {
    /// With the port where it is so; none for all of the service.
    pub(crate) problems: Vec<(Option<u16>, Problem)>,
    /// The services of the unit that have a target group which a rule goes without.
    pub(crate) users: BTreeSet<String>,
}

impl<'a> Builder<'a> {
    pub(crate) fn of(view: &'a View<'a>, settings: &'a Settings, leader: &'a Route) -> Self {
        let owner = settings.owner(&leader.id.unit());
        // What is wrong with the annotation is told elsewhere.
        let idle_timeout = idle_timeout(&leader.meta).unwrap_or_default();
        Self { view, route: leader, settings, owner, idle_timeout, beside: &[], merging: None }
    }

    /// Beside services that have been built already.
    pub(crate) fn beside(self, services: &'a [DesiredService]) -> Self {
        Self { beside: services, ..self }
    }

    /// For one route of several clusters.
    pub(crate) fn merging(
        view: &'a View<'a>,
        settings: &'a Settings,
        route: &'a Route,
        stays: &'a BTreeSet<ClusterId>,
    ) -> Self {
        Self { merging: Some(stays), ..Self::of(view, settings, route) }
    }

    /// One service with its target groups.
    pub(crate) fn service(&self, draft: &ServiceDraft, name: &str, members: &[Member]) -> BuiltService {
        let mut groups = BTreeMap::new();
        let mut built = BuiltService {
            service: DesiredService {
                name: name.to_owned(),
                custom_domain: draft.slot.domain().map(str::to_owned),
                certificate_arn: draft.certificate_arn.clone(),
                idle_timeout_seconds: self.idle_timeout,
                networks: draft.associated(),
                listeners: vec![],
                tags: self.service_tags(draft),
            },
            groups: vec![],
            problems: vec![],
            unheeded: BTreeMap::new(),
            shadowed: BTreeMap::new(),
            without_listener: BTreeMap::new(),
            kept: vec![],
        };
        // By its name: it may be another of the hostname's services than it was.
        let place = Place { service: name, scope: if draft.scope.is_some() { name } else { "" } };
        let gone = self.gone_imports(name, members);
        for at in draft.members().difference(&draft.kept).copied() {
            let of_member = (&members[at].claim.route.id, &place);
            for (user, problem) in members[at].rules.iter().flat_map(|rule| self.not_had(rule, of_member)) {
                let unheeded = built.unheeded.entry(at).or_default();
                unheeded.users.insert(user);
                unheeded.problems.push((None, problem));
            }
        }
        let mut of_ports: BTreeMap<u16, Vec<Candidate>> = BTreeMap::new();
        for (number, port) in &draft.ports {
            let mut candidates = vec![];
            for at in port.members.iter().copied().filter(|at| !draft.kept.contains(at)) {
                let listener = (&place, (*number, port.protocol), &gone);
                candidates.extend(self.candidates(at, &members[at], listener, &mut groups));
            }
            let kept = kept::of_port(self.view, draft, *number, &candidates, members);
            candidates.extend(kept.candidates);
            built.kept.extend(kept.groups);
            candidates.extend(errors::of_port(draft, port, members, &candidates, self.settings));
            of_ports.insert(*number, candidates);
        }
        let mut staying = self.staying(draft, &of_ports, members);
        for (number, port) in &draft.ports {
            let mut candidates = of_ports.remove(number).unwrap_or_default();
            candidates.extend(staying.candidates.remove(number).unwrap_or_default());
            match self.merging {
                None => note_shadowed(*number, &candidates, &mut built.shadowed),
                Some(stays) => {
                    let from = (stays, members.len());
                    let shares = self.kept_shares(draft, (*number, port), from, &candidates, &mut groups);
                    candidates.extend(shares.candidates);
                    built.kept.extend(shares.groups);
                    candidates = merged::merge(candidates, &groups);
                }
            }
            let listener = self.listener(name, *number, port.protocol, candidates, &mut built);
            if listener.is_none() {
                // The oldest one has the connections, whatever becomes of them.
                let oldest = port.members.iter().find(|at| !draft.kept.contains(at));
                if let Some(at) = oldest {
                    built.without_listener.entry(*at).or_default().insert(*number);
                }
            }
            built.service.listeners.extend(listener);
        }
        for kept in &built.kept {
            let followed = kept::followed(self.view, kept, self.settings);
            groups.extend(followed.map(|group| (group.name.clone(), group)));
        }
        for (name, group) in staying.groups {
            groups.entry(name).or_insert(group);
        }
        built.service.tags.extend(staying.tags);
        built.service.tags.extend(gone.tags(members));
        self.keep_limits(&mut built, &mut groups);
        built.groups = groups.into_values().collect();
        built
    }

    /// What a port has of clusters whose share stays, beside what is led to already.
    fn kept_shares(
        &self,
        draft: &ServiceDraft,
        port: (u16, &Port),
        from: (&BTreeSet<ClusterId>, usize),
        candidates: &[Candidate],
        groups: &mut BTreeMap<String, DesiredTargetGroup>,
    ) -> KeptPort {
        let led_to = candidates.iter().flat_map(|one| one.action.target_groups());
        let led_to: BTreeSet<String> = led_to.map(str::to_owned).collect();
        merged::kept_shares(self.view, draft, port, from, (&self.route.id, self.settings), &led_to, groups)
    }

    /// What stays of a route that is gone; of one that is merged its own cluster's share.
    fn staying(
        &self,
        draft: &ServiceDraft,
        wanted: &BTreeMap<u16, Vec<Candidate>>,
        members: &[Member],
    ) -> Staying {
        if self.merging.is_some() {
            return Staying::default();
        }
        rules_of_gone::staying(self.view, draft, wanted, members, self.settings)
    }

    /// What rules lead to whose imports are gone.
    fn gone_imports(&self, service: &str, members: &[Member]) -> GoneImports<'a> {
        match self.merging {
            Some(_) => GoneImports::merging(self.view, service, members, self.settings),
            None => GoneImports::of(self.view, service, members, self.settings),
        }
    }

    fn keep_limits(&self, built: &mut BuiltService, groups: &mut BTreeMap<String, DesiredTargetGroup>) {
        let limits = &self.settings.limits;
        let listeners = &built.service.listeners;
        if listeners.len() > limits.listeners_per_service {
            let need = format!("The Gateways' listeners need {} listeners in a service", listeners.len());
            let quota = "\"Listeners per service\" (L-D64E952E)";
            built.problems.push(limit("spec.parentRefs", &need, limits.listeners_per_service, quota));
        }
        // Of equal matches one stands; what only the others led to is not needed.
        let used = used_groups(listeners);
        let others = used.iter().filter(|name| name.starts_with(TARGET_GROUP_ID)).count();
        groups.retain(|name, _| used.contains(name.as_str()));
        let count = groups.len() + others;
        if count > limits.target_groups_per_service {
            let need = format!("The backends need {count} target groups in a service");
            let quota = "\"Target groups per service\" (L-3DEC3B9F)";
            built.problems.push(limit("spec.rules", &need, limits.target_groups_per_service, quota));
        }
        built.problems.dedup();
    }

    /// What a member's own rules come to in the listener at a port. `age` is its place among the members.
    fn candidates(
        &self,
        age: usize,
        member: &Member,
        (place, (port, protocol), gone): (&Place, (u16, ListenerProtocol), &GoneImports),
        groups: &mut BTreeMap<String, DesiredTargetGroup>,
    ) -> Vec<Candidate> {
        let route = &member.claim.route;
        let priorities = Priorities::of(route, self.settings, &mut vec![]);
        let mut candidates = vec![];
        for rule in member.rules.iter().filter(|rule| is_valid(rule, self.settings)) {
            // Of another route's rule that leads to something unknown, what is there stays; its own unit is held.
            if rule.is_unknown(protocol) {
                let held = kept::Held::of(self.view, place.service);
                candidates.extend(kept::of_rule(self.view, age, (rule, port, &held), groups, |name| {
                    self.kept_group(name)
                }));
                continue;
            }
            let action = self.action(route, rule.at(protocol), place, groups);
            let mut of_rule: Vec<Candidate> =
                rules::candidates(age, &priorities, &rule.rule, &action).collect();
            for one in &mut of_rule {
                let Some(held) = gone.action(member, rule, (port, &one.matches)) else { continue };
                for group in held.target_groups().filter_map(|name| self.kept_group(name)) {
                    groups.entry(group.name.clone()).or_insert(group);
                }
                one.action = held;
            }
            candidates.extend(of_rule);
        }
        candidates
    }

    fn listener(
        &self,
        service: &str,
        port: u16,
        protocol: ListenerProtocol,
        candidates: Vec<Candidate>,
        built: &mut BuiltService,
    ) -> Option<DesiredListener> {
        let is_tls = protocol == ListenerProtocol::TlsPassthrough;
        let (most, priority_max) =
            (self.settings.limits.rules_per_listener, self.settings.limits.priority_max);
        let fitted = prefixes::fit(candidates, most, priority_max);
        let widened: BTreeSet<usize> = fitted.widened.iter().map(|one| one.contributor).collect();
        for at in widened {
            let notes = prefixes::notes(&fitted.widened, at, most).into_iter().map(|note| (Some(port), note));
            built.unheeded.entry(at).or_default().problems.extend(notes);
        }
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
            built.problems.push(limit("spec.rules", &need, most, prefixes::QUOTA));
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
        backends: &[Resolved],
        place: &Place,
        groups: &mut BTreeMap<String, DesiredTargetGroup>,
    ) -> Action {
        let mut sound: Vec<(u32, Vec<String>)> = vec![];
        for (weight, pools) in backends.iter().filter(|(weight, _)| *weight > 0) {
            let Ok(pools) = pools else { continue };
            let of_backend = pools.busy.iter().filter_map(|pool| self.target_group(route, pool, place.scope));
            let of_backend: Vec<DesiredTargetGroup> = of_backend.collect();
            let external = pools.external.iter().filter(|_| self.taken(&route.id, pools, place).is_none());
            let names = of_backend.iter().map(|group| &group.name).chain(external).cloned();
            sound.push((*weight, names.collect()));
            for group in of_backend {
                groups.entry(group.name.clone()).or_insert(group);
            }
        }
        let named: Vec<(u32, Vec<&str>)> = sound
            .iter()
            .map(|(weight, names)| (*weight, names.iter().map(String::as_str).collect()))
            .collect();
        let forward: Vec<WeightedTargetGroup> = weights(&named)
            .into_iter()
            .map(|(group, weight)| WeightedTargetGroup { target_group: group.to_owned(), weight })
            .collect();
        if forward.is_empty() { NO_BACKEND } else { Action::Forward(forward) }
    }

    /// Which other service of the unit has a target group that the unit did not make: it is of one service only. The one that
    /// leads there keeps it, else the first has it.
    fn user_beside(&self, place: &Place, id: &str) -> Option<&str> {
        let held = external::used_by(self.view).get(id).copied();
        let first =
            || self.beside.iter().find(|one| one.target_groups().contains(id)).map(|one| one.name.as_str());
        held.or_else(first).filter(|user| *user != place.service)
    }

    /// The target group of others that a backend of a route leads to and that another service has, and which one.
    fn taken<'s>(&'s self, route: &RouteId, pools: &'s Pools, place: &Place) -> Option<(&'s str, &'s str)> {
        let id = pools.external.as_deref()?;
        // Another route's service, which serves this one too, has it instead of this one's own.
        let elsewhere = pools.elsewhere.as_deref().filter(|_| *route == self.route.id);
        Some((id, self.user_beside(place, id).or(elsewhere)?))
    }

    /// The target groups of others that a rule leads to and does not get: the service that has each, and what to tell.
    fn not_had(&self, rule: &ResolvedRule, (route, place): (&RouteId, &Place)) -> Vec<(String, Problem)> {
        let used = rule.backends.iter().filter(|(weight, _)| *weight > 0);
        let used = used.filter_map(|(_, pools)| pools.as_ref().ok());
        let taken = used.filter_map(|pools| self.taken(route, pools, place));
        let text = |(id, user): (&str, &str)| {
            let text = format!(
                "The target group {id} is in the service {user}, and {}: {} goes without it; make another one for a route of \
                 its own",
                external::SERVES_ONE,
                place.service
            );
            (
                user.to_owned(),
                Problem::new(
                    Code::ExternalGroup,
                    format!("spec.rules[{}].backendRefs", rule.rule.index),
                    text,
                ),
            )
        };
        taken.map(text).collect()
    }

    /// The target group of a pool in the service that `scope` names; none where one that is to stay as it is does not exist.
    fn target_group(&self, route: &Route, pool: &Pool, scope: &str) -> Option<DesiredTargetGroup> {
        // Of the route's own cluster a rule may lead to the Service itself too, which other policies and grants count for.
        let own_export = pool.export.as_deref().filter(|_| pool.cluster == route.id.cluster);
        let scope = own_export.map_or_else(|| scope.to_owned(), |export| format!("{scope}/{export}"));
        let name = naming::target_group(&self.owner.unit, &scope, pool);
        if pool.is_kept {
            let mut group = self.kept_group(&name)?;
            if pool.awaits_slices.is_some() {
                // Its Service is there: it is wanted, and a mark from before is to go.
                group.tags.remove(TAG_UNWANTED);
            }
            return Some(match &pool.gone_since {
                Some(since) => kept::marked(group, since.clone()),
                None => group,
            });
        }
        let version = naming::protocol_version(pool.config.protocol_version());
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
        let backend =
            (pool.kind == Kind::Backend).then(|| (TAG_BACKEND.to_owned(), pool.config.what().to_owned()));
        let policy = naming::policy_tag(self.view.actual, &name, pool);
        Some(DesiredTargetGroup {
            name,
            health_check: pool.health_check.clone(),
            config: pool.config.clone(),
            targets: pool.targets.clone(),
            tags: self.tags(own.into_iter().chain(source).chain(export).chain(backend).chain(policy)),
        })
    }

    /// A target group as it is in VPC Lattice: with it as a wish nothing of it changes.
    pub(crate) fn kept_group(&self, name: &str) -> Option<DesiredTargetGroup> {
        kept::group_as_it_is(self.view.actual.target_groups.iter().find(|group| group.name == name)?)
    }

    fn service_tags(&self, draft: &ServiceDraft) -> Tags {
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
            .chain(draft.slot.tag())
            .chain(self.idle_timeout.map(|_| (TAG_IDLE_TIMEOUT.to_owned(), "set".to_owned()))),
        )
    }

    fn tags(&self, own: impl IntoIterator<Item = (String, String)>) -> Tags {
        let managed_by = self.view.snapshot.facts.get(&self.route.id.cluster).map(naming::managed_by);
        let own = self.owner.tags().into_iter().chain(managed_by).chain(own);
        naming::tags(own, &naming::user_tags(&self.route.meta).0)
    }
}

/// The names of the target groups that listeners lead to.
pub(crate) fn used_groups(listeners: &[DesiredListener]) -> BTreeSet<&str> {
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
    Problem::new(Code::QuotaExceeded, path, text)
}
