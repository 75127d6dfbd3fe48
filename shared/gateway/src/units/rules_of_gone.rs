//! What a route that is gone leaves for a while in a service that other routes have too. `kubectl replace --force` first
//! deletes the route; requests that its rules took would meanwhile be answered 404, or by somebody else's rule
//! ([`trellis_lattice::Grace`]). A route that asks for the hostname as before and that its Gateway takes no more is gone as well:
//! a listener is renamed before its routes follow, a namespace's label is gone for a moment.
//!
//! | of the service | its rules that nobody wants |
//! |---|---|
//! | it bears no mark, and no route that shared it is gone | go at once: somebody edited his route |
//! | it bears no mark, and a route that shared it is gone | stay, and it is marked; if somebody else's edit is new too, those only that lead to target groups of the route that is gone |
//! | it bears no mark, and the status of the route that leads it tells nothing yet | stay, and it is marked: that route is made anew itself |
//! | it bears a mark of a while ago | stay |
//! | it bears a mark for longer than the grace | go, and the mark with them |

use super::contest::{Member, ServiceDraft};
use super::kept::{self, held_rules};
use super::parents::parents;
use super::slot::Slot;
use crate::Settings;
use crate::backend::is_of_route;
use crate::priority::{Candidate, Origin};
use crate::route::RouteId;
use crate::status;
use crate::view::{Found, View};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::UnitKey;
use trellis_lattice::{ActualService, DesiredTargetGroup, Limits, Tags, Unwanted, rules_mark};

/// What stays of a service, and the mark that tells since when.
#[derive(Debug, Default)]
pub(crate) struct Staying {
    /// By port.
    pub(crate) candidates: BTreeMap<u16, Vec<Candidate>>,
    /// As they are: nobody is there to say what they lead to now.
    pub(crate) groups: BTreeMap<String, DesiredTargetGroup>,
    /// Tags of the service.
    pub(crate) tags: Tags,
}

/// Which rules stay that nobody wants.
enum Which {
    All,
    /// Those that lead to target groups of one of these.
    Of(Vec<RouteId>),
}

/// What stays beside what the members want of each port.
pub(crate) fn staying(
    view: &View,
    draft: &ServiceDraft,
    wanted: &BTreeMap<u16, Vec<Candidate>>,
    members: &[Member],
    settings: &Settings,
) -> Staying {
    // What is one route's alone goes and stays as a whole.
    let shared = (draft.slot != Slot::Own).then(|| kept::service_of(view.actual, draft)).flatten();
    let Some(held) = shared else { return Staying::default() };
    let mark = rules_mark();
    let since = held.tags.get(&mark).filter(|since| !since.is_empty());
    let found = which(view, held, draft, members, settings);
    let found = found.map(|(which, since)| (rules(view, held, draft, (wanted, members), &which), since));
    match found {
        Some((mut stays, value)) if !stays.candidates.is_empty() && has_room(&stays, wanted, settings) => {
            stays.tags.insert(mark, value);
            stays
        }
        // A mark that stands for nothing any more is emptied.
        _ => {
            Staying { tags: since.map(|_| (mark, String::new())).into_iter().collect(), ..Staying::default() }
        }
    }
}

/// Which rules stay, and the value of the mark; none: what nobody wants goes.
fn which(
    view: &View,
    held: &ActualService,
    draft: &ServiceDraft,
    members: &[Member],
    settings: &Settings,
) -> Option<(Which, String)> {
    let grace = settings.grace?;
    match grace.judge(&rules_mark(), &held.tags) {
        Unwanted::Goes => None,
        Unwanted::Stays(_) => Some((Which::All, held.tags.get(&rules_mark())?.clone())),
        Unwanted::IsNews => {
            let leader = &members[draft.leader()?];
            if status::tells_nothing(leader.object) {
                return Some((Which::All, grace.mark()));
            }
            let gone = gone(view, draft, leader, settings);
            let all = || if are_told(draft, members) { Which::All } else { Which::Of(gone.clone()) };
            (!gone.is_empty()).then(|| (all(), grace.mark()))
        }
    }
}

/// The routes that shared the service, as its leader's status tells, and that are not there any more, or not for their Gateways.
fn gone(view: &View, draft: &ServiceDraft, leader: &Member, settings: &Settings) -> Vec<RouteId> {
    let cluster = &leader.claim.route.id.cluster;
    let shared = status::sharers(cluster, leader.object).into_keys();
    let routes = shared.filter_map(|unit| match unit {
        UnitKey::Route { kind, cluster, namespace, name } => Some(RouteId { kind, cluster, namespace, name }),
        _ => None,
    });
    let is_gone = |id: &RouteId| match view.get(&id.cluster, id.kind, &id.namespace, &id.name) {
        Found::Missing => true,
        Found::Object(object) => is_turned_away(view, draft, id, object, settings),
        Found::Unknown(_) => false,
    };
    routes.filter(is_gone).collect()
}

/// Whether a route asks for the service as before, and no Gateway of its networks takes it.
fn is_turned_away(
    view: &View,
    draft: &ServiceDraft,
    id: &RouteId,
    object: &Value,
    settings: &Settings,
) -> bool {
    let Ok(route) = view.route(|| id.clone(), object, settings) else { return false };
    let names_it =
        |domain: &str| route.hostnames.is_empty() || route.hostnames.iter().any(|one| one == domain);
    let all = parents(view, &route, object, &mut vec![]);
    let mut there = all.iter().filter(|parent| draft.networks.contains(&parent.reference.name)).peekable();
    draft.slot.domain().is_none_or(names_it)
        && there.peek().is_some()
        && there.all(|parent| parent.attached.is_err())
}

/// Whether the service has what its members ask for, as its leader's status tells: what it has beside that nobody's edit took
/// out.
pub(crate) fn are_told(draft: &ServiceDraft, members: &[Member]) -> bool {
    let Some(leader) = draft.leader() else { return false };
    let (route, object) = (&members[leader].claim.route, members[leader].object);
    let told = status::sharers(&route.id.cluster, object);
    let is_told = |at: &usize| {
        let follower = &members[*at].claim.route;
        told.get(&follower.id.unit()) == Some(&Some(follower.meta.generation))
    };
    let mut followers = draft.members().into_iter().filter(|at| *at != leader && !draft.kept.contains(at));
    status::is_told(object) && status::is_programmed(object) && followers.all(|at| is_told(&at))
}

fn rules(
    view: &View,
    held: &ActualService,
    draft: &ServiceDraft,
    (wanted, members): (&BTreeMap<u16, Vec<Candidate>>, &[Member]),
    which: &Which,
) -> Staying {
    let mut staying = Staying::default();
    for (number, port) in &draft.ports {
        let of_port = wanted.get(number).map(Vec::as_slice).unwrap_or_default();
        for (at, (matches, action)) in
            held_rules(held, *number, port.protocol, of_port).into_iter().enumerate()
        {
            let groups: Vec<_> = kept::groups_of(view.actual, &action).collect();
            let stays = match which {
                Which::All => true,
                Which::Of(gone) => {
                    groups.iter().any(|group| gone.iter().any(|route| is_of_route(group, route)))
                }
            };
            if !stays {
                continue;
            }
            let groups = groups.into_iter().filter_map(kept::group_as_it_is);
            staying.groups.extend(groups.map(|group| (group.name.clone(), group)));
            staying.candidates.entry(*number).or_default().push(Candidate {
                contributor: members.len(),
                specificity: kept::specificity(&matches),
                origin: Origin { rule: at, matched: 0, alternative: 0 },
                priority: None,
                matches,
                action,
            });
        }
    }
    staying
}

/// Whether what stays leaves room for what is wanted.
fn has_room(staying: &Staying, wanted: &BTreeMap<u16, Vec<Candidate>>, settings: &Settings) -> bool {
    let Limits { rules_per_listener, target_groups_per_service, .. } = settings.limits;
    let count = |port: &u16| wanted.get(port).map_or(0, Vec::len);
    let fits = |(port, of_port): (&u16, &Vec<Candidate>)| count(port) + of_port.len() <= rules_per_listener;
    let led_to = wanted.values().flatten().flat_map(|one| one.action.target_groups());
    let led_to: BTreeSet<&str> = led_to.chain(staying.groups.keys().map(String::as_str)).collect();
    staying.candidates.iter().all(fits) && led_to.len() <= target_groups_per_service
}
