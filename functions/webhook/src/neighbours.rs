//! What a route stands beside: the Gateways that it names, the routes that may have a hostname of it, and what else the
//! warnings about it are read from ([`trellis_gateway::admission_warnings_among`]).
//!
//! It is kept in memory, so that no review waits for anybody: of each object the little that counts, as text, which takes a
//! tenth of what a value takes. Of the thousands of objects a review reads the few that its route can meet.
//!
//! It lags a moment behind what is stored, and says nothing else than `kubectl`'s warnings. So it may be incomplete, and then
//! a route is warned of by itself: while a kind is not in view, where more is there than is kept, and where more routes share
//! a hostname than are read for one review.

use crate::interest::{Interest, ObjectName, object_name};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, RwLock};
use std::time::Instant;
use trellis_gateway::{BEHIND_KINDS, BESIDE_KINDS, Meeting, behind, beside, leads_to, references, selects};
use trellis_hint::{ClusterId, Kind, UnitKey};

/// Bytes of all texts: thousands of routes, and an eighth of what a Pod may use. While a kind is listed anew it is there twice.
pub const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of the texts that tell which Pods stand behind a route: some ten thousand Services with selectors. Pods of those beyond
/// get no readiness gate.
pub const BEHIND_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What an object costs beside its text: its name, its hostnames and its place in the map.
const OBJECT_BYTES: usize = 512;

/// Bytes of the texts that are read for one review: some fifty routes, within ten milliseconds however they are made.
const READ_BYTES_MAX: usize = 96 * 1024;

/// The kinds of routes.
const ROUTES: [Kind; 3] = [Kind::HTTPRoute, Kind::GRPCRoute, Kind::TLSRoute];

/// What is kept of an object, by its name.
type Named<'a> = (&'a ObjectName, &'a Arc<Kept>);

/// Shared by the watches, which write it, and the reviews, which read it.
pub type SharedNeighbours = Arc<RwLock<Neighbours>>;

/// What is kept of an object.
#[derive(Debug)]
pub struct Kept {
    text: Box<[u8]>,
    meeting: Meeting,
    /// The Service of a slice.
    service: Option<String>,
}

impl Kept {
    /// What of an object counts; nothing of one that never does.
    pub fn of(kind: Kind, object: &Value) -> Option<Self> {
        let counts = beside(kind, object).or_else(|| behind(kind, object))?;
        let text = serde_json::to_vec(&counts).ok()?.into_boxed_slice();
        let has_meeting = kind.is_route() || kind == Kind::Gateway;
        let meeting = if has_meeting { Meeting::of(kind, object) } else { Meeting::default() };
        let service = object.pointer("/metadata/labels/kubernetes.io~1service-name").and_then(Value::as_str);
        Some(Self { text, meeting, service: service.map(str::to_owned) })
    }

    /// The object, as far as it counts.
    pub fn object(&self) -> Option<Value> {
        serde_json::from_slice(&self.text).ok()
    }

    fn bytes(&self) -> usize {
        self.text.len() + OBJECT_BYTES
    }
}

/// The objects of one kind.
#[derive(Debug, Default)]
pub struct Objects {
    by_name: BTreeMap<ObjectName, Arc<Kept>>,
    bytes: usize,
    is_cut: bool,
}

impl Objects {
    /// Takes in what is kept of an object, as long as there is room.
    pub fn put(&mut self, name: ObjectName, kept: Option<Kept>, room: usize) {
        self.remove(&name);
        let Some(kept) = kept else { return };
        if self.bytes + kept.bytes() > room {
            self.is_cut = true;
            return;
        }
        self.bytes += kept.bytes();
        self.by_name.insert(name, Arc::new(kept));
    }

    fn remove(&mut self, name: &ObjectName) {
        if let Some(kept) = self.by_name.remove(name) {
            self.bytes -= kept.bytes();
        }
    }
}

/// What routes stand beside, of one cluster.
#[derive(Debug, Default)]
pub struct Neighbours {
    kinds: HashMap<Kind, Objects>,
    in_view: BTreeSet<Kind>,
}

impl Neighbours {
    /// The kind's objects are these and no others; the kind is in view from now on.
    pub fn replace(&mut self, kind: Kind, objects: Objects) {
        self.kinds.insert(kind, objects);
        self.in_view.insert(kind);
    }

    /// An object is stored.
    pub fn apply(&mut self, kind: Kind, name: ObjectName, kept: Option<Kept>) {
        let room = self.room(kind);
        self.kinds.entry(kind).or_default().put(name, kept, room);
    }

    /// An object is gone.
    pub fn remove(&mut self, kind: Kind, name: &ObjectName) {
        if let Some(objects) = self.kinds.get_mut(&kind) {
            objects.remove(name);
        }
    }

    /// The kind's watch broke: what is kept may be old.
    pub fn lose(&mut self, kind: Kind) {
        self.in_view.remove(&kind);
    }

    /// Bytes that the objects of a kind may take beside those of the others.
    pub fn room(&self, kind: Kind) -> usize {
        let (share, room) = if BEHIND_KINDS.contains(&kind) {
            (BEHIND_KINDS.as_slice(), BEHIND_BYTES_MAX)
        } else {
            (BESIDE_KINDS.as_slice(), KEPT_BYTES_MAX)
        };
        let others = self.kinds.iter().filter(|(one, _)| **one != kind && share.contains(one));
        room.saturating_sub(others.map(|(_, all)| all.bytes).sum())
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.kinds.values().map(|objects| objects.bytes).sum()
    }

    /// Whether all that is there is kept.
    pub fn is_complete(&self) -> bool {
        let is_whole = |kind: &Kind| self.kinds.get(kind).is_some_and(|objects| !objects.is_cut);
        BESIDE_KINDS.iter().all(|kind| self.in_view.contains(kind) && is_whole(kind))
    }

    /// What the warnings about a route, or a Gateway, are read from; none where that is not known, or too much.
    pub fn around(&self, cluster: &ClusterId, kind: Kind, object: &Value) -> Option<Vec<(Kind, Arc<Kept>)>> {
        if !self.is_complete() {
            return None;
        }
        let mut own = Meeting::of(kind, object);
        if own.is_open() {
            // It is served under the hostnames of its Gateways' listeners, where they have any.
            let gateways = self.of(Kind::Gateway).filter(|(_, gateway)| gateway.meeting.shares_gateway(&own));
            own.hostnames = gateways.flat_map(|(_, gateway)| gateway.meeting.hostnames.clone()).collect();
        }
        let mut around = Around::new(kind, object_name(object)?);
        for kind in ROUTES.into_iter().filter(|_| !own.is_open()) {
            // Whatever their Gateways are named: two may stand for one service network.
            around.take(kind, self.of(kind).filter(|(_, one)| one.meeting.shares_hostname(&own)))?;
        }
        let mut named = own.gateways.clone();
        named.extend(around.taken.iter().flat_map(|(_, one)| one.meeting.gateways.iter().cloned()));
        let is_named = |(_, one): &Named| !one.meeting.gateways.is_disjoint(&named);
        around.take(Kind::Gateway, self.of(Kind::Gateway).filter(is_named))?;
        around.take(Kind::GatewayClass, self.of(Kind::GatewayClass))?;
        let homes = around.namespaces.clone();
        around
            .take(Kind::Namespace, self.of(Kind::Namespace).filter(|((_, name), _)| homes.contains(name)))?;
        let services = references(cluster, kind, object).services;
        let is_asked = |((namespace, _), one): &Named| {
            one.service
                .as_ref()
                .is_some_and(|service| services.contains(&(namespace.clone(), service.clone())))
        };
        around.take(Kind::EndpointSlice, self.of(Kind::EndpointSlice).filter(is_asked))?;
        // A route without hostnames is in nobody's way; it is told of as long as there is room.
        for kind in ROUTES.into_iter().filter(|_| !own.is_open()) {
            let is_beside = |one: &Meeting| one.is_open() && one.shares_gateway(&own);
            if around.take(kind, self.of(kind).filter(|(_, one)| is_beside(&one.meeting))).is_none() {
                break;
            }
        }
        Some(around.taken)
    }

    /// Whether a Pod with these labels stands behind a route of ours or an export; none where that is not known, so that no
    /// Pod waits for what nobody will do.
    pub fn is_behind(
        &self,
        cluster: &ClusterId,
        interest: &Interest,
        (namespace, labels): (&str, Option<&Value>),
        now: Instant,
    ) -> Option<bool> {
        if !interest.is_complete() || !self.in_view.contains(&Kind::Service) {
            return None;
        }
        let from = (namespace.to_owned(), String::new());
        let services =
            self.kinds.get(&Kind::Service).into_iter().flat_map(|all| all.by_name.range(from.clone()..));
        let services = services.take_while(|((of, _), _)| of == namespace);
        let behind = |(name, kept): Named| {
            let units = interest.units(name, now);
            let leads = |unit: &UnitKey| self.leads(cluster, unit, name);
            !units.is_empty()
                && kept.object().is_some_and(|service| selects(&service, labels))
                && units.iter().copied().any(leads)
        };
        Some(services.into_iter().any(behind))
    }

    /// Whether a unit of this cluster leads to a Service of it.
    fn leads(&self, cluster: &ClusterId, unit: &UnitKey, service: &ObjectName) -> bool {
        match unit {
            UnitKey::Export { .. } => true,
            UnitKey::Route { kind, namespace, name, .. } => {
                let name = (namespace.clone(), name.clone());
                let route = self.kinds.get(kind).and_then(|all| all.by_name.get(&name));
                let Some((route, meeting)) = route.and_then(|one| Some((one.object()?, &one.meeting))) else {
                    return false;
                };
                let gateways = self.of(Kind::Gateway).filter(|(_, one)| one.meeting.shares_gateway(meeting));
                let grants = self.of(Kind::ReferenceGrant).filter(|((of, _), _)| *of == service.0);
                let around = gateways
                    .map(|(_, one)| (Kind::Gateway, one))
                    .chain(self.of(Kind::GatewayClass).map(|(_, one)| (Kind::GatewayClass, one)))
                    .chain(grants.map(|(_, one)| (Kind::ReferenceGrant, one)));
                let around = around.filter_map(|(kind, one)| Some((kind, one.object()?)));
                leads_to(cluster, *kind, &route, (&service.0, &service.1), around)
            }
            UnitKey::Gateway { .. }
            | UnitKey::Resource { .. }
            | UnitKey::Merged { .. }
            | UnitKey::Dependents { .. }
            | UnitKey::Cluster { .. } => false,
        }
    }

    /// A label of a namespace, if it is in view.
    pub fn label_of_namespace(&self, name: &str, label: &str) -> Option<String> {
        let kept = self.kinds.get(&Kind::Namespace)?.by_name.get(&(String::new(), name.to_owned()))?;
        let namespace = kept.object()?;
        namespace.get("metadata")?.get("labels")?.get(label)?.as_str().map(str::to_owned)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = Named<'_>> {
        self.kinds.get(&kind).into_iter().flat_map(|objects| &objects.by_name)
    }
}

/// What is read for one review.
#[derive(Debug)]
struct Around {
    /// The route itself, whose stored form does not count.
    kind: Kind,
    name: ObjectName,
    /// Of all routes.
    namespaces: BTreeSet<String>,
    taken: Vec<(Kind, Arc<Kept>)>,
    bytes: usize,
}

impl Around {
    fn new(kind: Kind, name: ObjectName) -> Self {
        Self { kind, namespaces: BTreeSet::from([name.0.clone()]), name, taken: vec![], bytes: 0 }
    }

    /// Takes these; nothing when there is no room for all of them.
    fn take<'a>(&mut self, kind: Kind, objects: impl Iterator<Item = Named<'a>>) -> Option<()> {
        for (name, kept) in objects.filter(|(name, _)| (kind, *name) != (self.kind, &self.name)) {
            self.bytes += kept.text.len();
            if self.bytes > READ_BYTES_MAX {
                return None;
            }
            self.namespaces.extend(kind.is_route().then(|| name.0.clone()));
            self.taken.push((kind, kept.clone()));
        }
        Some(())
    }
}

#[cfg(test)]
#[path = "neighbours_tests.rs"]
mod tests;
