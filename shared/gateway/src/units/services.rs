//! What a route comes to: the services that its unit owns, those of other routes that serve it, and what is not served.

use super::aside::{Aside, unanswered};
use super::builder::{Builder, BuiltService, Unheeded};
use super::claim::{Ask, Claim};
use super::contest::{Member, Outcome, ServiceDraft, decide, named, secrets_certificate};
use super::errors;
use super::heirs;
use super::kept::{self, Kept};
use super::moving;
use super::rules::{self, Priorities, ResolvedRule, is_sound};
use super::service_names::{Taken, given_name, not_to_the_letter, service_name};
use super::slot::Slot;
use crate::annotations;
use crate::certificate;
use crate::code::Code;
use crate::problem::{Problem, quoted};
use crate::report::Serving;
use crate::route::Route;
use crate::snapshot::ObjectKey;
use crate::view::View;
use crate::{Settings, status};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{ActualService, Certificates, DesiredService, DesiredTargetGroup, ListenerProtocol};

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
    /// By parent, which of its asks are served, and why others are not.
    pub(crate) verdicts: BTreeMap<usize, Verdict>,
    /// Why shares of rules are not known and stay as they are.
    pub(crate) unknown: Vec<String>,
    /// Why nothing of the route can be changed now.
    pub(crate) held: Vec<String>,
    /// Why rules were dropped.
    pub(crate) dropped: Vec<Problem>,
    /// Whether some of these answer with an error.
    pub(crate) answers_errors: bool,
    /// Matches that other routes have and ports that nothing can answer, by the parent that asks for them.
    pub(crate) unserved: BTreeSet<(usize, Problem)>,
    /// What else is not honoured, whatever the parent.
    pub(crate) notes: Vec<Problem>,
    /// As `notes`, of one parent.
    pub(crate) notes_at: BTreeSet<(usize, Problem)>,
    /// Target groups from before an edit that cannot be had.
    pub(crate) kept: Vec<Kept>,
    /// Whether requests still come to a service that another one takes the place of.
    pub(crate) is_moving: bool,
    /// Services of the unit that have a target group which a rule goes without. One that is to go leaves it.
    pub(crate) without_external: BTreeSet<String>,
    /// Whether rules of its followers wait for a target group of others: their own units make nothing of it.
    pub(crate) awaits_for_followers: bool,
}

impl Built {
    /// Notes what a service does not give the route, at the parents that ask for the ports where it is so.
    pub(super) fn tell(&mut self, unheeded: Unheeded, ports: &PortsOfParents) {
        for (port, problem) in unheeded.problems {
            let asking = ports.iter().filter(|(_, asked)| port.is_none_or(|port| asked.contains(&port)));
            self.notes_at.extend(asking.map(|(parent, _)| (*parent, problem.clone())));
        }
        self.without_external.extend(unheeded.users);
    }

    /// Notes ports of TLS that have no listener, since no backend takes what comes there.
    pub(super) fn tell_without_listener(&mut self, without: Option<&BTreeSet<u16>>, ports: &PortsOfParents) {
        for (parent, asked) in ports {
            for port in without.into_iter().flatten().filter(|port| asked.contains(port)) {
                let text = format!(
                    "No backend takes requests, and VPC Lattice passes TLS on only where one does, so nothing listens on port {port}; \
                     name a backend that is there, with a weight above 0"
                );
                let problem = Problem::new(Code::NoTlsBackend, "spec.rules", text);
                self.unserved.insert((*parent, problem));
            }
        }
    }

    /// All that is not honoured at a parent, each once.
    pub(super) fn notes_of(&self, parent: usize) -> Vec<Problem> {
        let own = self.notes_at.iter().filter(|(at, _)| *at == parent).map(|(_, problem)| problem);
        let all: BTreeSet<&Problem> = self.notes.iter().chain(own).collect();
        all.into_iter().cloned().collect()
    }
}

/// How it went with what a parent was asked for.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) is_served: bool,
    pub(crate) refused: Vec<Problem>,
}

/// A route, with what its rules lead to and how it stands.
pub(crate) struct Contender<'a> {
    pub(crate) claim: Claim,
    pub(crate) rules: Vec<ResolvedRule>,
    pub(crate) object: &'a Value,
}

/// Builds all services of a route. The others are the routes that may have a hostname in common with it, and those that stand aside.
pub(crate) fn build(
    view: &View,
    own: &Contender,
    (others, aside): (&[Contender], &Aside),
    settings: &Settings,
) -> Built {
    let claim = &own.claim;
    let mut built = Built::default();
    tell_of_route(own, settings, &mut built);
    for slot in claim.slots() {
        build_for(view, slot, own, (others, aside), settings, &mut built);
    }
    if claim.asks.is_empty() && built.refused.is_empty() {
        built.refused.extend(claim.all_notes());
    }
    if built.refused.is_empty() {
        moving::keep(view, own, others, settings, &mut built);
    } else {
        keep_the_rest(view, own, others, settings, &mut built);
    }
    built.notes.sort();
    built.notes.dedup();
    let stays: BTreeSet<&str> = built.services.iter().map(|service| service.name.as_str()).collect();
    built.without_external.retain(|user| !stays.contains(user.as_str()));
    built.target_groups.sort_by(|a, b| a.name.cmp(&b.name));
    built.target_groups.dedup_by(|a, b| a.name == b.name);
    built
}

/// What is to be told of the route whoever serves it.
pub(super) fn tell_of_route(own: &Contender, settings: &Settings, built: &mut Built) {
    let Contender { claim, rules, .. } = own;
    let route = &claim.route;
    built.notes.extend(route.problems.iter().chain(&claim.notes).cloned());
    built.notes_at.extend(claim.notes_at.iter().cloned());
    built.notes.extend(annotations::problems(route.id.kind, &route.meta));
    Priorities::of(route, settings, &mut built.notes);
    for rule in rules {
        built.dropped.extend(rules::problems(rule, settings));
        built.answers_errors |= errors::answers(rule, settings);
    }
    if !is_sound(rules, settings) {
        built.refused.append(&mut built.dropped);
        let mut seen = BTreeSet::new();
        built.refused.retain(|problem| seen.insert(problem.clone()));
    }
    built.notes.extend(rules.iter().flat_map(ResolvedRule::left_out).cloned());
    for note in rules.iter().flat_map(ResolvedRule::pools).flat_map(|pool| &pool.notes) {
        if !built.notes.contains(note) {
            built.notes.push(note.clone());
        }
    }
}

/// Builds what one slot comes to.
fn build_for(
    view: &View,
    slot: &Slot,
    own: &Contender,
    (others, aside): (&[Contender], &Aside),
    settings: &Settings,
    built: &mut Built,
) {
    let contenders = contenders_for(slot, own, others);
    let members: Vec<Member> = contenders
        .iter()
        .map(|one| Member {
            claim: &one.claim,
            rules: &one.rules,
            object: one.object,
            was_served: was_served(view, one, own, slot),
        })
        .collect();
    let Some(me) = contenders.iter().position(|one| one.claim.route.id == own.claim.route.id) else { return };
    let outcome = decide(view, settings, slot, &members);
    let asks = own.claim.asks.iter().filter(|ask| ask.slot == *slot);
    let asks: Vec<&Ask> = asks.collect();
    for draft in outcome.drafts.iter().filter(|draft| draft.members().contains(&me)) {
        let all = (draft, outcome.drafts.as_slice());
        let Some(service) = serve(view, all, (&members, me), (own, others), settings, built) else {
            continue;
        };
        let of_draft = (draft, members.as_slice(), me);
        built.notes_at.extend(unanswered((view, settings), &service, of_draft, (others, aside)));
        let serves = |ask: &&&Ask| {
            let port = draft.ports.get(&ask.port);
            draft.networks.contains(&ask.gateway.name)
                && port.is_some_and(|port| port.members.contains(&me) && port.protocol == ask.protocol)
                && !draft.kept.contains(&me)
        };
        for ask in asks.iter().filter(serves) {
            let note = certificate_note(view, settings, draft, ask);
            built.notes_at.extend(note.map(|note| (ask.parent, note)));
            built.unknown.extend(unknown_certificate(view, draft, ask));
            built.verdicts.entry(ask.parent).or_default().is_served = true;
        }
    }
    built.refused.extend(left_out_by_kept(&outcome, (&members, me)));
    for (_, ask, problem) in outcome.refused.into_iter().filter(|(at, ..)| *at == me) {
        let verdict = built.verdicts.entry(ask.parent).or_default();
        if !verdict.refused.contains(&problem) {
            verdict.refused.push(problem);
        }
    }
}

/// Of a leader that keeps what it had: the followers that have no room beside that. Their own units do not see what is kept.
fn left_out_by_kept(outcome: &Outcome, (members, me): (&[Member], usize)) -> Vec<Problem> {
    let leads = |draft: &&ServiceDraft| draft.leader() == Some(me) && draft.kept.contains(&me);
    let followers: BTreeSet<usize> =
        outcome.drafts.iter().filter(leads).flat_map(|draft| draft.kept.iter().copied()).collect();
    let mut left_out = BTreeSet::new();
    for (at, _, problem) in outcome.refused.iter().filter(|(at, ..)| *at != me && followers.contains(at)) {
        if problem.code == Code::QuotaExceeded {
            let text = format!(
                "{} has what it had before, since there is no room for more beside what this route keeps: {}",
                named(&members[*at].claim.route.id),
                problem.text
            );
            left_out.insert(Problem::new(problem.code, "spec.rules", text));
        }
    }
    left_out.into_iter().collect()
}

/// The routes that ask for a slot, the oldest first. A route's own is its alone.
fn contenders_for<'a>(
    slot: &Slot,
    own: &'a Contender<'a>,
    others: &'a [Contender<'a>],
) -> Vec<&'a Contender<'a>> {
    let asks = |one: &&Contender| *slot != Slot::Own && one.claim.wants(slot);
    let others = others.iter().filter(asks);
    let mut all: Vec<&Contender> = others.chain([own]).collect();
    heirs::sort(&mut all);
    all
}

/// Whether VPC Lattice has something of a route in a slot from before. Of the own route that is seen; of others
/// their status tells.
fn was_served(view: &View, one: &Contender, own: &Contender, slot: &Slot) -> bool {
    let text = slot.text();
    let is_told = || text.as_deref().is_some_and(|text| heirs::was_served(one, text));
    if one.claim.route.id != own.claim.route.id {
        return is_told();
    }
    let has = view.actual.services.iter().any(|service| kept::is_for(service, slot));
    has || text.as_deref().is_some_and(|text| status::tells_leader(one.object, text)) && is_told()
}

/// Adds what one draft of all those of a hostname is for the route. Gives back the service, whosever it is.
fn serve(
    view: &View,
    (draft, drafts): (&ServiceDraft, &[ServiceDraft]),
    (members, me): (&[Member], usize),
    (own, others): (&Contender, &[Contender]),
    settings: &Settings,
    built: &mut Built,
) -> Option<DesiredService> {
    let all = draft.members();
    let leader = all.first().copied()?;
    let route = &members[leader].claim.route;
    let is_leader = leader == me;
    let beside = drafts.iter().filter(|one| !std::ptr::eq(*one, draft) && one.leader() == Some(leader));
    let beside = beside.collect();
    let taken = Taken { draft, leader: route, beside, named: &built.services };
    let mut name = service_name(view, &taken, members, is_leader);
    if is_leader && draft.slot != Slot::Own {
        let ids = |places: &BTreeSet<usize>| places.iter().map(|at| &members[*at].claim.route.id).collect();
        let leaders = drafts.iter().filter_map(ServiceDraft::leader).collect();
        match given_name(view, &taken, name, (&ids(&all), &ids(&leaders)), (own, others)) {
            Ok(given) => name = given,
            Err(why) => {
                built.held.push(why);
                return None;
            }
        }
    }
    let ports = ports_of_parents(draft, members, me);
    let at_parents = |note: Option<Problem>| {
        let parents: Vec<usize> = ports.keys().copied().collect();
        note.into_iter().flat_map(move |note| parents.clone().into_iter().map(move |at| (at, note.clone())))
    };
    let BuiltService { service, groups, mut unheeded, shadowed, without_listener, kept, .. } =
        Builder::of(view, settings, route).beside(&built.services).service(draft, &name, members);
    if !draft.kept.contains(&me) {
        built.tell(unheeded.remove(&me).unwrap_or_default(), &ports);
        built.tell_without_listener(without_listener.get(&me), &ports);
        let lost = shadowed.get(&me).into_iter().flatten();
        built.unserved.extend(lost.flat_map(|lost| tell_shadowed(draft, (members, me), lost)));
        built.notes_at.extend(other_certificates(draft, &members[me]));
    }
    if is_leader {
        built.kept.extend(kept);
        built.target_groups.extend(groups);
        let resolved = all.iter().flat_map(|at| members[*at].rules);
        built.awaits_for_followers |= resolved.clone().any(ResolvedRule::awaits_external);
        built.unknown.extend(resolved.clone().flat_map(ResolvedRule::unknown).cloned());
        let idle: BTreeSet<&String> = resolved.flat_map(ResolvedRule::idle).collect();
        let builder = Builder::of(view, settings, route);
        built.target_groups.extend(idle.into_iter().filter_map(|name| builder.kept_group(name)));
        let note = not_to_the_letter(view, (&route.meta, &draft.slot), &built.services, &name);
        built.notes_at.extend(at_parents(note.filter(|_| !draft.kept.contains(&me))));
        built.services.push(service.clone());
    } else if !draft.kept.contains(&me) {
        let (meta, requests) = (&members[me].claim.route.meta, draft.slot.requests());
        built.notes_at.extend(at_parents(annotations::of_a_follower(meta, &named(&route.id), &requests)));
    }
    let key = |at: usize| key(&members[at].claim.route);
    built.serving.push(Serving {
        service: name,
        hostname: draft.slot.text(),
        networks: draft.networks.clone(),
        parents: Some(ports.keys().copied().collect()),
        leader: (!is_leader).then(|| key(leader)),
        followers: all
            .iter()
            .filter(|at| is_leader && **at != me)
            .map(|at| {
                let generation = members[*at].claim.route.meta.generation;
                (key(*at), (!draft.kept.contains(at)).then_some(generation))
            })
            .collect(),
    });
    Some(service)
}

/// By parent of a route, ports of a service.
pub(super) type PortsOfParents = BTreeMap<usize, BTreeSet<u16>>;

/// The ports of a service on which it has what a parent of a member asks for there, by parent.
pub(super) fn ports_of_parents(draft: &ServiceDraft, members: &[Member], me: usize) -> PortsOfParents {
    let has_it = |ask: &&Ask| {
        let port = draft.ports.get(&ask.port);
        ask.slot == draft.slot
            && draft.networks.contains(&ask.gateway.name)
            && port.is_some_and(|port| port.members.contains(&me) && port.protocol == ask.protocol)
    };
    let mut ports = PortsOfParents::new();
    for ask in members[me].claim.asks.iter().filter(has_it) {
        ports.entry(ask.parent).or_default().insert(ask.port);
    }
    ports
}

/// What each parent of a member is told of matches that an older one has on some ports.
fn tell_shadowed(
    draft: &ServiceDraft,
    (members, me): (&[Member], usize),
    ((winner, place), lost): (&(usize, String), &BTreeSet<u16>),
) -> Vec<(usize, Problem)> {
    let (own, winner) = (members[me].claim, members[*winner].claim);
    let problem = |(parent, asked): (usize, BTreeSet<u16>)| {
        let there: Vec<String> = asked.intersection(lost).map(ToString::to_string).collect();
        let on = match there.as_slice() {
            [] => return None,
            // Where it is so on all ports, they need no naming.
            all if all.len() == asked.len() => String::new(),
            [port] => format!(" on port {port}"),
            ports => format!(" on the ports {}", ports.join(", ")),
        };
        let text = format!(
            "{} {} and matches the same requests for {}{on}, so they go there; match something else, or take the match out of \
             one of the two",
            named(&winner.route.id),
            winner.precedence(own),
            draft.slot.requests()
        );
        Some((parent, Problem::new(Code::MatchShadowed, place.clone(), text)))
    };
    ports_of_parents(draft, members, me).into_iter().filter_map(problem).collect()
}

fn key(route: &Route) -> ObjectKey {
    let id = &route.id;
    ObjectKey { kind: id.kind, namespace: id.namespace.clone(), name: id.name.clone() }
}

/// A route that is refused as a whole keeps also what it had under hostnames that it does not ask for any more, unless
/// somebody else asks for them: which of its changes was the mistake, nobody knows.
fn keep_the_rest(view: &View, own: &Contender, others: &[Contender], settings: &Settings, built: &mut Built) {
    let attached = own.claim.parents.iter().filter(|parent| parent.attached.is_ok());
    let networks: BTreeSet<String> = attached.map(|parent| parent.reference.name.clone()).collect();
    let is_left = |service: &&ActualService| {
        let slot = Slot::of(service);
        kept::is_for(service, &slot)
            && !built.services.iter().any(|wanted| wanted.name == service.name)
            && !(slot != Slot::Own && others.iter().any(|one| one.claim.wants(&slot)))
    };
    let left: Vec<&ActualService> = view.actual.services.iter().filter(is_left).collect();
    for service in left {
        let whole = kept::whole(view, service, &networks, |_| own.claim.route.id.clone(), settings);
        let wanted = whole.service;
        if wanted.networks.is_empty() && !own.claim.is_standalone {
            continue;
        }
        built.target_groups.extend(whole.groups);
        built.kept.extend(whole.kept);
        built.serving.push(Serving {
            service: service.name.clone(),
            hostname: Slot::of(service).text(),
            networks: if own.claim.is_standalone { networks.clone() } else { wanted.networks.clone() },
            parents: None,
            leader: None,
            followers: vec![],
        });
        built.services.push(wanted);
    }
}

/// The hostname of an HTTPS listener that names no certificate.
fn without_certificate<'a>(draft: &'a ServiceDraft, ask: &Ask) -> Option<&'a str> {
    let is_without = ask.protocol == ListenerProtocol::Https && ask.certificate_arn.is_none();
    draft.slot.domain().filter(|_| is_without)
}

/// Clients of an HTTPS listener would be shown a certificate of another name, or one that has ended.
fn certificate_note(view: &View, settings: &Settings, draft: &ServiceDraft, ask: &Ask) -> Option<Problem> {
    let hostname = without_certificate(draft, ask)?;
    if secrets_certificate(view, settings, ask, std::slice::from_ref(ask)).is_some() {
        return None;
    }
    let text = match &view.snapshot.certificates {
        Certificates::Unknown(why) => {
            format!("It is not known whether ACM has a certificate for {}: {why}", quoted(hostname))
        }
        Certificates::Known(_) | Certificates::NotAsked => {
            certificate::lacks(view, hostname).then(|| certificate::missing_for(hostname))?
        }
    };
    Some(Problem::new(Code::CertificateMissing, "spec.hostnames", text))
}

/// Why it is not known whether there is a certificate: the service keeps the one that it has.
fn unknown_certificate(view: &View, draft: &ServiceDraft, ask: &Ask) -> Option<String> {
    let hostname = without_certificate(draft, ask)?;
    match &view.snapshot.certificates {
        Certificates::Unknown(why) => Some(format!("the certificate for {hostname}: {why}")),
        Certificates::Known(_) | Certificates::NotAsked => None,
    }
}

/// A service has one certificate; what of other ones that the route's listeners name, by the parent that asks for them.
fn other_certificates(draft: &ServiceDraft, member: &Member) -> Vec<(usize, Problem)> {
    let Some(used) = draft.certificate_arn.as_ref() else { return vec![] };
    let of_draft = member.claim.asks.iter().filter(|ask| {
        ask.slot == draft.slot
            && draft.networks.contains(&ask.gateway.name)
            && draft.ports.contains_key(&ask.port)
    });
    let mut others: BTreeMap<usize, &String> = BTreeMap::new();
    for ask in of_draft {
        if let Some(other) = ask.certificate_arn.as_ref().filter(|one| *one != used) {
            others.entry(ask.parent).or_insert(other);
        }
    }
    let problem = |other: &String| {
        let text = format!(
            "The listeners name the certificate {other} for {}: a VPC Lattice service has one, and it is {used}; name the same \
             one, or the listener in the parentRef's sectionName",
            draft.slot.domain().map_or_else(|| "the route".to_owned(), quoted),
        );
        Problem::new(Code::CertificateDiffers, "spec.parentRefs", text)
    };
    others.into_iter().map(|(parent, other)| (parent, problem(other))).collect()
}
