//! What the services of a route are called.
//!
//! | the service | its name |
//! |---|---|
//! | is there | the one that it has: another name is another service with another domain name. Only a route's own, without a hostname, is made anew under a name that is asked for later |
//! | is given by another unit | the one that it has |
//! | is to be, and the route asks for a name by annotation that no other service of its own has | to the letter that one |
//! | is to be, else | what `naming` makes of route, hostname and network |
//!
//! Of several services of one route the first hostname's has the name that is asked for. What has another one, the status tells.

use super::contest::{Member, ServiceDraft};
use super::heirs;
use super::kept;
use super::services::Contender;
use super::slot::Slot;
use crate::api::Meta;
use crate::naming::{self, ServiceName};
use crate::problem::{Problem, quoted};
use crate::route::{Route, RouteId};
use crate::status;
use crate::view::View;
use std::collections::BTreeSet;
use trellis_lattice::{ActualService, DesiredService, Ownership};

/// Which services a draft cannot have, since others of its leader's have them: no two are one.
pub(super) struct Taken<'a> {
    pub(super) draft: &'a ServiceDraft,
    pub(super) leader: &'a Route,
    /// Those of the same slot and leader.
    pub(super) beside: Vec<&'a ServiceDraft>,
    /// What has its name already.
    pub(super) named: &'a [DesiredService],
}

impl Taken<'_> {
    /// Whether the draft may be made of a service that is there: whoever is where it is carries on with it, and one that is
    /// nowhere is whose name it has.
    fn leaves(&self, view: &View, service: &ActualService) -> bool {
        let is_named = |other: &ServiceDraft| self.plain(view, other.scope.as_deref()) == service.name;
        let is_others = || self.beside.iter().any(|other| other.is_where(service) || is_named(other));
        self.leaves_name(&service.name) && (self.draft.is_where(service) || !is_others())
    }

    /// The name that a service of the leader has if nothing else is to be heeded.
    fn plain(&self, view: &View, scope: Option<&str>) -> String {
        naming::service_beside(view.actual, self.names(scope), |one| kept::is_for(one, &self.draft.slot))
    }

    fn names<'s>(&'s self, scope: Option<&'s str>) -> ServiceName<'s> {
        ServiceName::of(&self.leader.id, &self.leader.meta, self.draft.slot.text().as_deref(), scope)
    }

    fn leaves_name(&self, name: &str) -> bool {
        !self.named.iter().any(|other| other.name == name)
    }
}

/// The name under which a leader has a shared service, perhaps another route's before; why it has to wait for that.
pub(super) fn given_name(
    view: &View,
    taken: &Taken,
    name: String,
    (members, leading): (&BTreeSet<&RouteId>, &BTreeSet<&RouteId>),
    (own, others): (&Contender, &[Contender]),
) -> Result<String, String> {
    let draft = taken.draft;
    let slot = draft.slot.text().unwrap_or_default();
    let is_there = view.actual.services.iter().any(|one| kept::is_for(one, &draft.slot) && one.name == name);
    let mut name = name;
    if !is_there {
        let inherited = heirs::inherited(own, others, (members, leading), &slot, &draft.networks);
        name = inherited.filter(|name| can_be_given(view, taken, name)).unwrap_or(name);
    }
    let is_anothers = |service: &ActualService| {
        service.name == name
            && matches!(service.ownership, Ownership::OtherUnit(_))
            && !naming::is_ending(service)
    };
    if view.actual.services.iter().any(is_anothers) {
        // Its unit gives it away as soon as it sees who leads.
        return Err(format!("The service {name} of {slot} is being given to this route"));
    }
    Ok(name)
}

/// Whether a service of that name is not there, or may come from another unit.
fn can_be_given(view: &View, taken: &Taken, name: &str) -> bool {
    let mut named = view.actual.services.iter().filter(|service| service.name == name);
    taken.leaves_name(name)
        && named.all(|service| match service.ownership {
            Ownership::Ours => taken.leaves(view, service) && !naming::is_ending(service),
            Ownership::OtherUnit(_) => !naming::is_ending(service),
            Ownership::Foreign | Ownership::Unread => false,
        })
}

/// The name of a draft's service: of one that is there already its own, since another name is another service with another
/// domain name. Of another route's its status tells whether it has the name that is asked for.
pub(super) fn service_name(view: &View, taken: &Taken, members: &[Member], is_leader: bool) -> String {
    let draft = taken.draft;
    let scope = draft.scope.as_deref();
    let own = taken.names(scope);
    if !is_leader {
        let (asked, slot) = (own.first(), draft.slot.text().unwrap_or_default());
        let is_told = draft.leader().is_some_and(|at| status::tells_name(members[at].object, &asked, &slot));
        return if is_told { asked } else { own.with_hash() };
    }
    let plain = taken.plain(view, scope);
    if draft.slot == Slot::Own && scope.is_none() {
        // An edit that cannot be had changes no name either.
        let is_kept = draft.leader().is_some_and(|at| draft.kept.contains(&at));
        let held = is_kept.then(|| kept::service_of(view.actual, draft)).flatten();
        let held = held.map(|one| one.name.clone()).filter(|name| taken.leaves_name(name));
        return held.unwrap_or_else(|| if taken.leaves_name(&plain) { plain } else { own.with_hash() });
    }
    let mut fitting = view.actual.services.iter().filter(|one| {
        let is_wanted = one.name == plain || kept::is_for(one, &draft.slot) && draft.can_be(one);
        one.ownership == Ownership::Ours && !naming::is_ending(one) && taken.leaves(view, one) && is_wanted
    });
    let first = fitting.clone().find(|service| service.name == plain).or_else(|| fitting.next());
    if let Some(service) = first {
        return service.name.clone();
    }
    // Another draft's of the route, or one that was given to another unit, which serves it elsewhere.
    let is_anothers = |service: &ActualService| match service.ownership {
        Ownership::Ours => !naming::is_ending(service),
        Ownership::OtherUnit(_) => !naming::is_ending(service) && !draft.is_where(service),
        Ownership::Foreign | Ownership::Unread => false,
    };
    let is_free = |name: &String| {
        let mut named = view.actual.services.iter().filter(|service| service.name == *name);
        taken.leaves_name(name) && !named.any(is_anothers)
    };
    let beside = taken.plain(view, Some(&draft.scope_beside()));
    let of_slot = taken.plain(view, draft.slot.text().as_deref());
    let last = beside.clone();
    [plain, own.with_hash(), beside, of_slot].into_iter().find(is_free).unwrap_or(last)
}

/// What is to be told of a service that has another name than its route asks for.
///
/// `named`: other services that the unit is to have.
pub(super) fn not_to_the_letter(
    view: &View,
    (meta, slot): (&Meta, &Slot),
    named: &[DesiredService],
    name: &str,
) -> Option<Problem> {
    let asked = naming::wanted_name(meta).filter(|asked| *asked != name)?;
    let held = view.actual.services.iter().filter(|one| kept::is_for(one, &Slot::of(one)));
    let mut of_route = named.iter().map(|one| &one.name).chain(held.map(|one| &one.name));
    // Which one has it is not said: the webhook does not know.
    let text = if of_route.any(|other| other == asked) {
        format!(
            "A name is one service's, and a route has a service for each hostname: one has {}, every other one has it with a \
             hash behind it; use a route for each, with a name of its own",
            quoted(asked)
        )
    } else {
        format!(
            "The service of {} is named {} and not {}, which another service had, or which is asked for since: another name is \
             another service with another domain name; delete the route and make it anew with a name that no service has",
            slot.requests(),
            quoted(name),
            quoted(asked)
        )
    };
    Some(naming::override_note(text))
}
