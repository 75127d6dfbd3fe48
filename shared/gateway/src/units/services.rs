//! What a route comes to: the services that its unit owns, those of other routes that serve it, and what is not served.

use super::builder::{Builder, BuiltService};
use super::claim::{Ask, Claim, GatewayName};
use super::contest::{Member, ServiceDraft, decide, named, secrets_certificate};
use super::heirs;
use super::idle_timeout::of_a_follower;
use super::kept::{self, Kept};
use super::rules::{self, Priorities, ResolvedRule, is_sound};
use crate::annotations;
use crate::certificate;
use crate::prefixes;
use crate::problem::{Problem, quoted};
use crate::report::Serving;
use crate::route::{Route, RouteId};
use crate::snapshot::ObjectKey;
use crate::view::View;
use crate::{Settings, naming, status};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{
    Action, ActualService, Certificates, DesiredService, DesiredTargetGroup, ListenerProtocol, Ownership,
    Status,
};

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
    /// Matches that other routes have.
    pub(crate) shadowed: Vec<Problem>,
    /// What else is not honoured.
    pub(crate) notes: Vec<Problem>,
    /// Target groups from before an edit that cannot be had.
    pub(crate) kept: Vec<Kept>,
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

/// Builds all services of a route. The others are the routes that may have a hostname in common with it.
pub(crate) fn build(view: &View, own: &Contender, others: &[Contender], settings: &Settings) -> Built {
    let claim = &own.claim;
    let mut built = Built::default();
    tell_of_route(own, settings, &mut built);
    for hostname in claim.hostnames() {
        build_for(view, hostname, own, others, settings, &mut built);
    }
    if claim.asks.is_empty() && built.refused.is_empty() {
        built.refused.extend(claim.notes.iter().cloned());
    }
    if !built.refused.is_empty() {
        keep_the_rest(view, own, others, settings, &mut built);
    }
    built.notes.sort();
    built.notes.dedup();
    built.shadowed.sort();
    built.shadowed.dedup();
    built.target_groups.sort_by(|a, b| a.name.cmp(&b.name));
    built.target_groups.dedup_by(|a, b| a.name == b.name);
    built
}

/// What is to be told of the route whoever serves it.
fn tell_of_route(own: &Contender, settings: &Settings, built: &mut Built) {
    let Contender { claim, rules, .. } = own;
    let route = &claim.route;
    built.notes.extend(route.problems.iter().chain(&claim.notes).cloned());
    built.notes.extend(annotations::problems(route.id.kind, &route.meta));
    Priorities::of(route, settings, &mut built.notes);
    for rule in rules {
        built.dropped.extend(rules::problems(rule, settings));
    }
    if !is_sound(rules, settings) {
        built.refused.append(&mut built.dropped);
    }
    for pool in rules.iter().flat_map(ResolvedRule::pools) {
        built.notes.extend(pool.notes.iter().cloned());
    }
}

/// Builds what one hostname comes to.
fn build_for(
    view: &View,
    hostname: Option<&str>,
    own: &Contender,
    others: &[Contender],
    settings: &Settings,
    built: &mut Built,
) {
    let contenders = contenders_for(hostname, own, others);
    let members: Vec<Member> = contenders
        .iter()
        .map(|one| Member {
            claim: &one.claim,
            rules: &one.rules,
            was_served: was_served(view, one, own, hostname),
        })
        .collect();
    let Some(me) = contenders.iter().position(|one| one.claim.route.id == own.claim.route.id) else { return };
    let outcome = decide(view, settings, hostname, &members);
    let asks = own.claim.asks.iter().filter(|ask| ask.hostname.as_deref() == hostname);
    let asks: Vec<&Ask> = asks.collect();
    let leaders: BTreeSet<usize> =
        outcome.drafts.iter().filter_map(|draft| draft.members().first().copied()).collect();
    for draft in outcome.drafts.iter().filter(|draft| draft.members().contains(&me)) {
        let Some(service) = serve(view, draft, (&members, me, &leaders), (own, others), settings, built)
        else {
            continue;
        };
        built.notes.extend(unanswered(&service, draft, &members, others));
        let serves = |ask: &&&Ask| {
            let port = draft.ports.get(&ask.port);
            draft.networks.contains(&ask.gateway.name)
                && port.is_some_and(|port| port.members.contains(&me) && port.protocol == ask.protocol)
                && !draft.kept.contains(&me)
        };
        for ask in asks.iter().filter(serves) {
            built.notes.extend(certificate_note(view, settings, draft, ask));
            built.unknown.extend(unknown_certificate(view, draft, ask));
            built.verdicts.entry(ask.parent).or_default().is_served = true;
        }
    }
    for (_, ask, problem) in outcome.refused.into_iter().filter(|(at, ..)| *at == me) {
        let verdict = built.verdicts.entry(ask.parent).or_default();
        if !verdict.refused.contains(&problem) {
            verdict.refused.push(problem);
        }
    }
}

/// What of a hostname nobody answers although a route for all hostnames is on the same listener: by the specification that
/// one would, and here it is a service of its own.
fn unanswered(
    service: &DesiredService,
    draft: &ServiceDraft,
    members: &[Member],
    others: &[Contender],
) -> Option<Problem> {
    let hostname = draft.hostname.as_deref()?;
    let leader = &members[draft.members().first().copied()?].claim.route;
    let asks = draft.members().into_iter().flat_map(|at| &members[at].claim.asks);
    let of_draft =
        asks.filter(|ask| ask.hostname == draft.hostname && draft.networks.contains(&ask.gateway.name));
    let listeners: BTreeSet<(&GatewayName, u16)> = of_draft.map(|ask| (&ask.gateway, ask.port)).collect();
    let mut beside = others.iter().filter(|one| one.claim.route.id.kind == leader.id.kind).flat_map(|one| {
        let open = one.claim.asks.iter().filter(|ask| ask.hostname.is_none());
        open.filter(|ask| listeners.contains(&(&ask.gateway, ask.port))).map(move |ask| (one, ask.port))
    });
    let is_open = |port: u16| {
        let listener = service.listeners.iter().find(|listener| listener.port == port);
        listener.is_some_and(|listener| {
            listener.default_action == Action::FixedResponse(404)
                && !listener.rules.iter().any(|rule| prefixes::takes_everything(&rule.matches))
        })
    };
    let (other, _) = beside.find(|(_, port)| is_open(*port))?;
    let text = format!(
        "Requests for {} that no rule matches are answered 404, and not by {}: in VPC Lattice a route without hostnames is a \
         service of its own; name the hostname in that route too, if it is to answer them",
        quoted(hostname),
        named(&other.claim.route.id)
    );
    Some(Problem::new("spec.hostnames", text))
}

/// The routes that ask for a hostname, the oldest first. A generated name is one route's alone.
fn contenders_for<'a>(
    hostname: Option<&str>,
    own: &'a Contender<'a>,
    others: &'a [Contender<'a>],
) -> Vec<&'a Contender<'a>> {
    let asks = |one: &&Contender| one.claim.asks.iter().any(|ask| ask.hostname.as_deref() == hostname);
    let others = others.iter().filter(|_| hostname.is_some()).filter(asks);
    let mut all: Vec<&Contender> = others.chain([own]).collect();
    heirs::sort(&mut all);
    all
}

/// Whether VPC Lattice has something of a route for a hostname from before. Of the own route that is seen; of others
/// their status tells.
fn was_served(view: &View, one: &Contender, own: &Contender, hostname: Option<&str>) -> bool {
    let is_told = || hostname.is_some_and(|hostname| heirs::was_served(one, hostname));
    if one.claim.route.id != own.claim.route.id {
        return is_told();
    }
    let has = view.actual.services.iter().any(|service| kept::is_for(service, hostname));
    has || hostname.is_some_and(|hostname| status::tells_leader(one.object, hostname)) && is_told()
}

/// Adds what one draft is for the route. Gives back the service, whosever it is.
fn serve(
    view: &View,
    draft: &ServiceDraft,
    (members, me, leaders): (&[Member], usize, &BTreeSet<usize>),
    (own, others): (&Contender, &[Contender]),
    settings: &Settings,
    built: &mut Built,
) -> Option<DesiredService> {
    let all = draft.members();
    let leader = all.first().copied()?;
    let route = &members[leader].claim.route;
    let is_leader = leader == me;
    let mut name = service_name(view, route, draft, is_leader, &built.services);
    if is_leader && draft.hostname.is_some() {
        let ids = |places: &BTreeSet<usize>| places.iter().map(|at| &members[*at].claim.route.id).collect();
        let expected = (&ids(&all), &ids(leaders));
        match given_name(view, draft, name, expected, (own, others)) {
            Ok(given) => name = given,
            Err(why) => {
                built.held.push(why);
                return None;
            }
        }
    }
    let BuiltService { service, groups, widened, shadowed, kept, .. } =
        Builder::of(view, settings, route).service(draft, &name, members);
    if !draft.kept.contains(&me) {
        built.notes.extend(widened.get(&me).into_iter().flatten().cloned());
        let hostname = draft.hostname.as_deref().unwrap_or_default();
        for (winner, place) in shadowed.get(&me).into_iter().flatten() {
            let text = format!(
                "{} is older and matches the same requests for {}, so they go there; match something else, or take the match \
                 out of one of the two",
                named(&members[*winner].claim.route.id),
                quoted(hostname)
            );
            built.shadowed.push(Problem::new(place.clone(), text));
        }
        built.notes.extend(other_certificates(draft, &members[me]));
    }
    if is_leader {
        built.kept.extend(kept);
        built.target_groups.extend(groups);
        let resolved = all.iter().flat_map(|at| members[*at].rules);
        built.unknown.extend(resolved.clone().flat_map(ResolvedRule::unknown).cloned());
        let idle: BTreeSet<&String> = resolved.flat_map(ResolvedRule::idle).collect();
        let builder = Builder::of(view, settings, route);
        built.target_groups.extend(idle.into_iter().filter_map(|name| builder.kept_group(name)));
        built.services.push(service.clone());
    } else if !draft.kept.contains(&me) {
        built.notes.extend(of_a_follower(&members[me].claim.route.meta));
    }
    let key = |at: usize| key(&members[at].claim.route);
    built.serving.push(Serving {
        service: name,
        hostname: draft.hostname.clone(),
        networks: draft.networks.clone(),
        leader: (!is_leader).then(|| key(leader)),
        followers: all
            .iter()
            .filter(|at| is_leader && **at != me)
            .map(|at| (key(*at), members[*at].claim.route.meta.generation))
            .collect(),
    });
    Some(service)
}

/// The name under which a leader has a hostname's service, perhaps another route's before; why it has to wait for that.
fn given_name(
    view: &View,
    draft: &ServiceDraft,
    name: String,
    (members, leading): (&BTreeSet<&RouteId>, &BTreeSet<&RouteId>),
    (own, others): (&Contender, &[Contender]),
) -> Result<String, String> {
    let hostname = draft.hostname.as_deref().unwrap_or_default();
    let is_there =
        view.actual.services.iter().any(|one| kept::is_for(one, Some(hostname)) && one.name == name);
    let mut name = name;
    if !is_there {
        let inherited = heirs::inherited(own, others, (members, leading), hostname, &draft.networks);
        name = inherited.filter(|name| can_be_given(view, name)).unwrap_or(name);
    }
    let is_anothers = |service: &ActualService| {
        service.name == name
            && matches!(service.ownership, Ownership::OtherUnit(_))
            && service.status != Status::DeleteInProgress
    };
    if view.actual.services.iter().any(is_anothers) {
        // Its unit gives it away as soon as it sees who leads.
        return Err(format!("The service {name} of {hostname} is being given to this route"));
    }
    Ok(name)
}

/// Whether a service of that name is not there, or may come from another unit.
fn can_be_given(view: &View, name: &str) -> bool {
    let named = view.actual.services.iter().filter(|service| service.name == name);
    named.into_iter().all(|service| {
        matches!(service.ownership, Ownership::Ours | Ownership::OtherUnit(_))
            && service.status != Status::DeleteInProgress
    })
}

fn key(route: &Route) -> ObjectKey {
    let id = &route.id;
    ObjectKey { kind: id.kind, namespace: id.namespace.clone(), name: id.name.clone() }
}

/// The name of a draft's service: of one that is there already its own, since another name is another service with another
/// domain name.
fn service_name(
    view: &View,
    leader: &Route,
    draft: &ServiceDraft,
    is_leader: bool,
    named: &[DesiredService],
) -> String {
    let wanted = naming::wanted_name(&leader.meta);
    let scope = draft.scope.as_deref();
    if !is_leader {
        return naming::service(&leader.id, wanted, scope);
    }
    let plain = naming::service_beside(view.actual, &leader.id, wanted, scope);
    let is_free = |service: &&ActualService| !named.iter().any(|other| other.name == service.name);
    let is_there = |service: &ActualService| {
        service.name == plain
            && service.ownership == Ownership::Ours
            && service.status != Status::DeleteInProgress
    };
    if draft.hostname.is_none() && scope.is_none() || view.actual.services.iter().any(is_there) {
        return plain;
    }
    let ours = view.actual.services.iter().filter(|one| kept::is_for(one, draft.hostname.as_deref()));
    ours.filter(|service| draft.can_be(service)).find(is_free).map_or(plain, |service| service.name.clone())
}

/// A route that is refused as a whole keeps also what it had under hostnames that it does not ask for any more, unless
/// somebody else asks for them: which of its changes was the mistake, nobody knows.
fn keep_the_rest(view: &View, own: &Contender, others: &[Contender], settings: &Settings, built: &mut Built) {
    let attached = own.claim.parents.iter().filter(|parent| parent.attached.is_ok());
    let networks: BTreeSet<String> = attached.map(|parent| parent.reference.name.clone()).collect();
    let is_left = |service: &&ActualService| {
        let domain = service.custom_domain.as_deref().map(str::to_ascii_lowercase);
        let asked = |one: &Contender| one.claim.asks.iter().any(|ask| ask.hostname == domain);
        kept::is_for(service, domain.as_deref())
            && !built.services.iter().any(|wanted| wanted.name == service.name)
            && !(domain.is_some() && others.iter().any(asked))
    };
    let left: Vec<&ActualService> = view.actual.services.iter().filter(is_left).collect();
    for service in left {
        let wanted = kept::as_it_is(service, &networks);
        if wanted.networks.is_empty() && !own.claim.is_standalone {
            continue;
        }
        for group in kept::groups_of_service(view.actual, service) {
            let kept = Kept { group: group.clone(), route: own.claim.route.id.clone() };
            built.target_groups.extend(kept::followed(view, &kept, settings));
            built.kept.push(kept);
        }
        built.serving.push(Serving {
            service: service.name.clone(),
            hostname: service.custom_domain.clone(),
            networks: if own.claim.is_standalone { networks.clone() } else { wanted.networks.clone() },
            leader: None,
            followers: vec![],
        });
        built.services.push(wanted);
    }
}

/// The hostname of an HTTPS listener that names no certificate.
fn without_certificate<'a>(draft: &'a ServiceDraft, ask: &Ask) -> Option<&'a str> {
    let is_without = ask.protocol == ListenerProtocol::Https && ask.certificate_arn.is_none();
    draft.hostname.as_deref().filter(|_| is_without)
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
    Some(Problem::new("spec.hostnames", text))
}

/// Why it is not known whether there is a certificate: the service keeps the one that it has.
fn unknown_certificate(view: &View, draft: &ServiceDraft, ask: &Ask) -> Option<String> {
    let hostname = without_certificate(draft, ask)?;
    match &view.snapshot.certificates {
        Certificates::Unknown(why) => Some(format!("the certificate for {hostname}: {why}")),
        Certificates::Known(_) | Certificates::NotAsked => None,
    }
}

/// A service has one certificate; what of other ones that the route's listeners name.
fn other_certificates(draft: &ServiceDraft, member: &Member) -> Option<Problem> {
    let used = draft.certificate_arn.as_ref()?;
    let of_draft = member.claim.asks.iter().filter(|ask| {
        ask.hostname == draft.hostname
            && draft.networks.contains(&ask.gateway.name)
            && draft.ports.contains_key(&ask.port)
    });
    let other = of_draft.filter_map(|ask| ask.certificate_arn.as_ref()).find(|one| *one != used)?;
    let text = format!(
        "The listeners name the certificate {other} for {}: a VPC Lattice service has one, and it is {used}; name the same \
         one, or the listener in the parentRef's sectionName",
        draft.hostname.as_deref().map_or_else(|| "the route".to_owned(), quoted),
    );
    Some(Problem::new("spec.parentRefs", text))
}
