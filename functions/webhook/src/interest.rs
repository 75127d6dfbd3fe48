//! Who refers to a Service: the units that a change of it or of its endpoints concerns.
//!
//! A cluster has thousands of Services and slices that no route knows, whose reviews must cost nearly nothing; and where a
//! route does, its unit is told at once, so that nobody has to search all routes for a new Pod. So the webhook keeps an
//! index of the references of all routes and exports, as [`trellis_gateway::references`] reads them: by the same rules as
//! the reconciler's search.
//!
//! The index may name too many, never too few. It lags behind what is stored, and each of two replicas sees half of the
//! reviews, so:
//!
//! - while any of the referring kinds is not in view, nothing is known, and the search is left to the reconciler;
//! - what a passing review of a route names counts at once, before a watch shows the route;
//! - a change of a Service is remembered for some minutes. When a reference to it comes into view that this replica has not
//!   reviewed, the change is told to the referrer then: its own hint may have been worked on before. What was changed
//!   before a new referrer was made counts as read by the referrer's own hint, and so does what this replica reviewed
//!   before the referrer.
//!
//! A hint that is told twice for one change, here or by the other replica, has one de-duplication id.

use crate::recent::{Recent, WINDOW};
use crate::review::Told;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trellis_gateway::{REFERRING_KINDS, References};
use trellis_hint::{Kind, UnitKey};

/// Units that one change is told to directly. A Service has a few referrers; beyond this many the reconciler searches for
/// them, so that a review costs the queue no more than a few batches.
pub const REFERRERS_MAX: usize = 32;

/// How much older than a new referrer a change may be to be told to it: creation times are whole seconds of another clock.
const SLACK: Duration = Duration::from_secs(2);

/// The most Services kept from reviews alone, about 1 MB: beyond it nothing is known until the oldest age out.
const LEARNED_MAX: usize = 4096;

/// The most Services whose changes are remembered, about 2 MB.
const CHANGED_MAX: usize = 4096;

/// A namespace and a Service's name.
pub type ServiceName = (String, String);

/// A namespace and the name of a referring object.
pub type ObjectName = (String, String);

/// Tells an object in the index from others.
type Id = u64;

/// A change that concerns a unit, although the change was before the reference: the unit is to be told now.
pub type Late = (UnitKey, Told);

/// Whom a change of a Service concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referrers {
    /// These, which may be none.
    Units(BTreeSet<UnitKey>),
    /// Not known here, or too many: the reconciler is to search.
    Unknown,
}

/// A referring object, as a watch shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewed {
    /// Its namespace and name.
    pub name: ObjectName,
    /// What it refers to.
    pub references: References,
    /// How long ago it was created.
    pub age: Duration,
}

/// The references of a cluster's routes and exports.
#[derive(Debug)]
pub struct Interest {
    in_view: BTreeSet<Kind>,
    objects: BTreeMap<Kind, HashMap<ObjectName, (Id, Arc<References>)>>,
    referrers: HashMap<ServiceName, BTreeMap<Id, Arc<References>>>,
    next_id: Id,
    learned: Recent<ServiceName, BTreeSet<UnitKey>>,
    changed: Recent<ServiceName, Told>,
    has_forgotten: bool,
}

impl Default for Interest {
    fn default() -> Self {
        Self::new()
    }
}

impl Interest {
    /// Nothing is in view, so nothing is known.
    pub fn new() -> Self {
        Self {
            in_view: BTreeSet::new(),
            objects: BTreeMap::new(),
            referrers: HashMap::new(),
            next_id: 0,
            learned: Recent::new(LEARNED_MAX),
            changed: Recent::new(CHANGED_MAX),
            has_forgotten: false,
        }
    }

    /// Whom a change of this Service or its endpoints concerns at `now`.
    pub fn referrers(&self, service: &ServiceName, now: Instant) -> Referrers {
        if !self.is_complete() || self.learned.has_forgotten(now) {
            return Referrers::Unknown;
        }
        let mut units = BTreeSet::new();
        let viewed = self.referrers.get(service).into_iter().flat_map(BTreeMap::values);
        for unit in
            viewed.flat_map(|one| &one.units).chain(self.learned.get(service, now).into_iter().flatten())
        {
            if units.len() == REFERRERS_MAX && !units.contains(unit) {
                return Referrers::Unknown;
            }
            units.insert(unit.clone());
        }
        Referrers::Units(units)
    }

    /// All units that refer to this Service at `now`, as far as they are known.
    pub fn units(&self, service: &ServiceName, now: Instant) -> BTreeSet<&UnitKey> {
        let viewed = self.referrers.get(service).into_iter().flat_map(BTreeMap::values);
        let learned = self.learned.get(service, now).into_iter().flatten();
        viewed.flat_map(|one| &one.units).chain(learned).collect()
    }

    /// Whether all referring kinds are in view.
    pub fn is_complete(&self) -> bool {
        REFERRING_KINDS.iter().all(|kind| self.in_view.contains(kind))
    }

    /// How many Services are named by the objects in view.
    pub fn services(&self) -> usize {
        self.referrers.len()
    }

    /// Whether a reference has come since the last call that a forgotten change may have been before: there was no room
    /// for it, so that nobody can be told.
    pub fn take_forgotten(&mut self) -> bool {
        std::mem::take(&mut self.has_forgotten)
    }

    /// The kind's objects are these and no others; the kind is in view from now on.
    pub fn replace(
        &mut self,
        kind: Kind,
        objects: impl IntoIterator<Item = Viewed>,
        now: Instant,
    ) -> Vec<Late> {
        for (_, (id, references)) in self.objects.remove(&kind).unwrap_or_default() {
            self.release(id, &references);
        }
        let late = objects.into_iter().flat_map(|object| self.apply(kind, object, now)).collect();
        self.in_view.insert(kind);
        late
    }

    /// An object is stored.
    #[must_use]
    pub fn apply(&mut self, kind: Kind, object: Viewed, now: Instant) -> Vec<Late> {
        let (id, references) = (self.next_id, Arc::new(object.references));
        self.next_id += 1;
        for service in &references.services {
            self.referrers.entry(service.clone()).or_default().insert(id, references.clone());
        }
        let before = self.objects.entry(kind).or_default().insert(object.name, (id, references.clone()));
        let known = |service: &ServiceName, unit: &UnitKey| {
            let was_named =
                |before: &References| before.services.contains(service) && before.units.contains(unit);
            before.as_ref().is_some_and(|(_, before)| was_named(before))
                || self.learned.get(service, now).is_some_and(|units| units.contains(unit))
        };
        let age_max = if before.is_some() { WINDOW } else { WINDOW.min(object.age.saturating_add(SLACK)) };
        let late = late(&self.changed, &references, age_max, now, known, &mut self.has_forgotten);
        if let Some((id, before)) = before {
            self.release(id, &before);
        }
        late
    }

    /// An object is gone.
    pub fn remove(&mut self, kind: Kind, object: &ObjectName) {
        if let Some((id, before)) = self.objects.get_mut(&kind).and_then(|objects| objects.remove(object)) {
            self.release(id, &before);
        }
    }

    /// The kind's watch broke: nothing is known until [`Interest::replace`].
    pub fn lose(&mut self, kind: Kind) {
        self.in_view.remove(&kind);
    }

    /// A review shows an object about to be stored, with these references.
    pub fn learn(&mut self, references: &References, now: Instant) {
        for service in &references.services {
            let mut units = self.learned.get(service, now).cloned().unwrap_or_default();
            // One more than is told directly says that there are too many.
            let room = (REFERRERS_MAX + 1).saturating_sub(units.len());
            let new: Vec<UnitKey> = references.units.difference(&units).take(room).cloned().collect();
            units.extend(new);
            self.learned.put(service.clone(), units, now);
        }
    }

    /// A review shows a change of this Service or its endpoints.
    pub fn remember(&mut self, service: ServiceName, change: Told, now: Instant) {
        self.changed.put(service, change, now);
    }

    fn release(&mut self, id: Id, references: &References) {
        for service in &references.services {
            if let Some(all) = self.referrers.get_mut(service) {
                all.remove(&id);
                if all.is_empty() {
                    self.referrers.remove(service);
                }
            }
        }
    }
}

/// What the units of `references` that are not `known` to be told already are to be told of: the latest change of this age
/// at most.
fn late(
    changed: &Recent<ServiceName, Told>,
    references: &References,
    age_max: Duration,
    now: Instant,
    known: impl Fn(&ServiceName, &UnitKey) -> bool,
    has_forgotten: &mut bool,
) -> Vec<Late> {
    let mut late: BTreeMap<&UnitKey, (Instant, &Told)> = BTreeMap::new();
    for service in &references.services {
        let change = changed.get_within(service, age_max, now);
        for unit in references.units.iter().filter(|unit| !known(service, unit)) {
            match change {
                None => *has_forgotten |= changed.has_forgotten(now),
                Some((at, _)) if late.get(unit).is_some_and(|(before, _)| *before >= at) => {}
                Some(change) => _ = late.insert(unit, change),
            }
        }
    }
    late.into_iter().map(|(unit, (_, change))| (unit.clone(), change.clone())).collect()
}

/// The namespace and name of an object; `None` for one without a name.
pub fn object_name(object: &Value) -> Option<ObjectName> {
    let field = |pointer| object.pointer(pointer).and_then(Value::as_str);
    Some((field("/metadata/namespace").unwrap_or_default().to_owned(), field("/metadata/name")?.to_owned()))
}

#[cfg(test)]
#[path = "interest_tests.rs"]
mod tests;
