//! One hostname of merged routes and of others: they share no service, so the older has it, and the other one says whose it is.

use super::{Merging, is_merged};
use crate::Settings;
use crate::code::Code;
use crate::hostname::do_meet;
use crate::problem::{Problem, quoted};
use crate::route::RouteId;
use crate::units::claim::Claim;
use crate::units::cluster_routes::routes;
use crate::units::contest::named;
use crate::units::services::Contender;
use crate::units::slot::Slot;
use crate::view::View;
use std::collections::BTreeMap;

/// Why a hostname of merged routes is another route's. Of those in the clusters that both are in the older has it, then the first
/// by name: so each comes to the same result.
pub(super) fn taken(
    view: &View,
    settings: &Settings,
    id: &RouteId,
    slot: &Slot,
    merging: &[Merging],
) -> Option<Problem> {
    let hostname = slot.domain()?;
    let mut ages: BTreeMap<RouteId, (Option<String>, Option<String>)> = BTreeMap::new();
    for one in merging.iter().filter(|one| one.contender.claim.wants(slot)) {
        let claim = &one.contender.claim;
        let mine = &claim.route;
        let own = &mine.meta.creation_timestamp;
        for (route, object) in routes(view, &mine.id.cluster, settings, &mut vec![]) {
            // One that names no hostnames may have it of a Gateway's listener.
            let shares =
                || route.parents.iter().any(|theirs| mine.parents.iter().any(|own| own.name == theirs.name));
            let may_want = route.hostnames.iter().any(|one| do_meet(one, hostname));
            if route.id == mine.id || !(may_want || route.hostnames.is_empty() && shares()) {
                continue;
            }
            let other = RouteId { cluster: id.cluster.clone(), ..route.id.clone() };
            let created = route.meta.creation_timestamp.clone();
            if Claim::of(view, route, object, &mut vec![]).contests(claim, slot) {
                let (theirs, ours) = ages.entry(other).or_insert_with(|| (created.clone(), own.clone()));
                *theirs = theirs.take().min(created);
                *ours = ours.take().min(own.clone());
            }
        }
    }
    let place = |age: &Option<String>, id: &RouteId| {
        (age.clone(), format!("{}/{}", id.namespace, id.name), id.kind.as_str())
    };
    let winner = ages.into_iter().find(|(other, (theirs, ours))| place(theirs, other) < place(ours, id));
    let (winner, _) = winner?;
    Some(problem(&winner, hostname))
}

/// Takes those that are merged out of a cluster's contenders: they are in no service with the others.
pub(crate) fn split_merged<'a>(
    view: &View,
    contenders: Vec<Contender<'a>>,
) -> (Vec<Contender<'a>>, Vec<Contender<'a>>) {
    contenders.into_iter().partition(|one| is_merged(view, &one.claim.route) == Ok(true))
}

/// Bars what an older one of the merged routes has in a network of both.
pub(crate) fn bar_what_is_merged(claim: &mut Claim, merged: &[Contender]) {
    let older: Vec<&Claim> =
        merged.iter().map(|one| &one.claim).filter(|one| one.seniority() < claim.seniority()).collect();
    for ask in &mut claim.asks {
        let Some(hostname) = ask.hostname.as_deref() else { continue };
        let has_it = |other: &&&Claim| {
            let mut theirs = other.asks.iter();
            theirs.any(|one| one.shares_network(ask) && one.hostname == ask.hostname)
        };
        if let Some(winner) = older.iter().find(has_it) {
            let problem = problem(&winner.route.id, hostname);
            ask.barred.get_or_insert(problem);
        }
    }
}

fn problem(winner: &RouteId, hostname: &str) -> Problem {
    let text = format!(
        "{} has {} too, and merged routes share no service: the older has it; use another hostname, or put the rules into one \
         route",
        named(winner),
        quoted(hostname)
    );
    Problem::new(Code::HostnameTaken, "spec.hostnames", text)
}
