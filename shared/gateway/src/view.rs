//! The snapshot as translation sees it: every question that was not answered yet is noted down.
//!
//! This is how [`crate::wants`] and [`crate::translate`] cannot disagree: what is wanted is what translation asked for
//! and did not find.

use crate::gateway::{self, JudgedGateway, Whose};
use crate::problem::Problem;
use crate::route::{Route, RouteId, convert};
use crate::secret::{SecretKey, SecretRead};
use crate::snapshot::{ObjectKey, Read, Snapshot};
use crate::{Settings, api, snapshot};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::Actual;

/// What is known of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// It stands.
    Object(&'a Value),
    /// The API server said that it is missing, or it is on its way out.
    Missing,
    /// Nothing is known, for this reason.
    Unknown(String),
}

/// A Gateway, or why it cannot be read.
type Judged = Result<Rc<JudgedGateway>, Problem>;

/// A snapshot and the reads that it did not answer.
pub(crate) struct View<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// What VPC Lattice has of the unit: what is not known of the clusters stays as it is there.
    pub(crate) actual: &'a Actual,
    /// Whether `actual` was read; before that nothing can be said of what is not in it.
    pub(crate) is_inspected: bool,
    unanswered: RefCell<BTreeSet<Read>>,
    /// What was asked for and answered, also several times.
    answered: RefCell<Vec<Read>>,
    /// The kinds of which a list of all there are answered.
    listed: RefCell<BTreeMap<ClusterId, BTreeSet<Kind>>>,
    /// Routes that were read already, by where their objects are in memory: one translation asks for most of them several times.
    routes: RefCell<BTreeMap<usize, Result<Rc<Route>, Problem>>>,
    /// Whose Gateways are, as far as that is known.
    whose: RefCell<BTreeMap<usize, Whose>>,
    /// What was made of Gateways, likewise: hundreds of routes are on one.
    judged: RefCell<BTreeMap<usize, Judged>>,
    /// Seconds after which the clock alone changes what is made of it.
    lasts: Cell<Option<u64>>,
}

/// Objects of one kind and cluster with their keys, in order of these.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed<'a>(Vec<(&'a ObjectKey, &'a Value)>);

impl<'a> Listed<'a> {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a ObjectKey> {
        self.0.iter().map(|(key, _)| *key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &'a Value> {
        self.0.iter().map(|(_, object)| *object)
    }

    pub(crate) fn into_values(self) -> impl Iterator<Item = &'a Value> {
        self.0.into_iter().map(|(_, object)| object)
    }
}

impl<'a> IntoIterator for Listed<'a> {
    type Item = (&'a ObjectKey, &'a Value);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, actual: &'a Actual) -> Self {
        Self {
            snapshot,
            actual,
            is_inspected: true,
            unanswered: RefCell::default(),
            answered: RefCell::default(),
            listed: RefCell::default(),
            routes: RefCell::default(),
            whose: RefCell::default(),
            judged: RefCell::default(),
            lasts: Cell::default(),
        }
    }

    /// As it is seen before VPC Lattice was inspected: `nothing` is there.
    pub(crate) fn uninspected(snapshot: &'a Snapshot, nothing: &'a Actual) -> Self {
        Self { is_inspected: false, ..Self::new(snapshot, nothing) }
    }

    /// Notes that what is made of it is another in so many seconds, whatever is told till then.
    pub(crate) fn lasts(&self, seconds: u64) {
        let first = self.lasts.get().map_or(seconds, |other| other.min(seconds));
        self.lasts.set(Some(first));
    }

    /// The first of these moments.
    pub(crate) fn lasts_for(&self) -> Option<u64> {
        self.lasts.get()
    }

    /// The reads that were asked for and not answered.
    pub(crate) fn unanswered(&self) -> Vec<Read> {
        self.unanswered.borrow().iter().cloned().collect()
    }

    /// All that was asked for and answered, by the fewest reads.
    pub(crate) fn answered(&self) -> Vec<Read> {
        let listed = self.listed.borrow();
        let whole = listed
            .iter()
            .flat_map(|(cluster, kinds)| kinds.iter().map(|kind| Read::all(cluster.clone(), *kind)));
        snapshot::fewest(whole.chain(self.answered.borrow().iter().cloned()))
    }

    /// Of what was asked for until now, only this cluster is to answer.
    pub(crate) fn ask_only(&self, cluster: &ClusterId) {
        self.unanswered.borrow_mut().retain(|read| read.cluster() == cluster);
    }

    /// Whether the cluster does not serve the kind.
    pub(crate) fn is_kind_missing(&self, cluster: &ClusterId, kind: Kind) -> bool {
        self.snapshot.kinds_missing.iter().any(|(of, missing)| *missing == kind && of == cluster)
    }

    /// One object. One that is being deleted counts as missing: only finalizers of others still hold it.
    pub(crate) fn get(&self, cluster: &ClusterId, kind: Kind, namespace: &str, name: &str) -> Found<'a> {
        match self.get_even_terminating(cluster, kind, namespace, name) {
            Found::Object(object) if api::is_terminating(object) => Found::Missing,
            found => found,
        }
    }

    /// One object, also while it is being deleted.
    pub(crate) fn get_even_terminating(
        &self,
        cluster: &ClusterId,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Found<'a> {
        if self.snapshot.is_leaving(cluster) {
            return Found::Missing;
        }
        let read =
            || Read::Get { cluster: cluster.clone(), kind, namespace: namespace.into(), name: name.into() };
        if let Some(why) = self.unknown(read, cluster, kind) {
            return Found::Unknown(why);
        }
        match self.snapshot.get(cluster, kind, namespace, name) {
            Some(object) => Found::Object(object),
            None => Found::Missing,
        }
    }

    /// Reads the object of a route of the snapshot.
    pub(crate) fn route(
        &self,
        id: impl FnOnce() -> RouteId,
        object: &Value,
        settings: &Settings,
    ) -> Result<Rc<Route>, Problem> {
        let at = std::ptr::from_ref(object).addr();
        if let Some(known) = self.routes.borrow().get(&at) {
            return known.clone();
        }
        let route = convert(id(), object, &settings.limits).map(Rc::new);
        self.routes.borrow_mut().insert(at, route.clone());
        route
    }

    /// Whose a Gateway of the snapshot is. What is not known is asked again, since what it waits for is to be noted down.
    pub(crate) fn whose(&self, object: &Value, find: impl FnOnce() -> Whose) -> Whose {
        let at = std::ptr::from_ref(object).addr();
        if let Some(known) = self.whose.borrow().get(&at) {
            return known.clone();
        }
        let found = find();
        if !matches!(found, Whose::Unknown(_)) {
            self.whose.borrow_mut().insert(at, found.clone());
        }
        found
    }

    /// What was read of a Secret. Not noted down where it was not: only who needs it reads it ([`crate::wants_secrets`]).
    pub(crate) fn secret(&self, key: &SecretKey) -> Option<&'a SecretRead> {
        self.snapshot.secrets.read.get(key)
    }

    /// A Gateway of the snapshot, judged.
    pub(crate) fn judged(&self, cluster: &ClusterId, object: &'a Value) -> Judged {
        let at = std::ptr::from_ref(object).addr();
        let known = self.judged.borrow().get(&at).cloned();
        known.unwrap_or_else(|| {
            let judged = gateway::judge(Some((self, cluster)), object).map(Rc::new);
            self.judged.borrow_mut().insert(at, judged.clone());
            judged
        })
    }

    /// All objects of a kind in a cluster, or in one namespace of it.
    pub(crate) fn list(
        &self,
        cluster: &ClusterId,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<Listed<'a>, String> {
        self.list_read(&Read::List {
            cluster: cluster.clone(),
            kind,
            namespace: namespace.map(Into::into),
            name: None,
            service: None,
        })
    }

    /// All objects of a kind and name in a cluster, whatever their namespace.
    pub(crate) fn list_named(
        &self,
        cluster: &ClusterId,
        kind: Kind,
        name: &str,
    ) -> Result<Listed<'a>, String> {
        self.list_read(&Read::List {
            cluster: cluster.clone(),
            kind,
            namespace: None,
            name: Some(name.into()),
            service: None,
        })
    }

    /// The EndpointSlices of a Service. One that is being deleted counts as long as it stands, as its Service does.
    pub(crate) fn slices(
        &self,
        cluster: &ClusterId,
        namespace: &str,
        service: &str,
    ) -> Result<Listed<'a>, String> {
        self.list_read(&Read::List {
            cluster: cluster.clone(),
            kind: Kind::EndpointSlice,
            namespace: Some(namespace.into()),
            name: None,
            service: Some(service.into()),
        })
    }

    fn list_read(&self, read: &Read) -> Result<Listed<'a>, String> {
        let Read::List { cluster, kind, namespace, name, service } = read else {
            return Ok(Listed::default());
        };
        if self.snapshot.is_leaving(cluster) {
            return Ok(Listed::default());
        }
        if let Some(why) = self.unknown(|| read.clone(), cluster, *kind) {
            return Err(why);
        }
        let fits = |key: &ObjectKey, object: &Value| {
            namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
                && name.as_ref().is_none_or(|name| *name == key.name)
                && service
                    .as_ref()
                    .is_none_or(|service| api::service_of_slice(object) == Some(service.as_str()))
                && (*kind == Kind::EndpointSlice || !api::is_terminating(object))
        };
        let all = self.snapshot.all(cluster, *kind);
        Ok(Listed(all.filter(|(key, object)| fits(key, object)).collect()))
    }

    fn is_listed(&self, cluster: &ClusterId, kind: Kind) {
        let mut listed = self.listed.borrow_mut();
        match listed.get_mut(cluster) {
            Some(kinds) => _ = kinds.insert(kind),
            None => _ = listed.insert(cluster.clone(), BTreeSet::from([kind])),
        }
    }

    /// Why the answer to a read is not known; notes the read down if nobody has asked yet.
    fn unknown(&self, read: impl FnOnce() -> Read, cluster: &ClusterId, kind: Kind) -> Option<String> {
        if let Some(why) = self.snapshot.unknown(cluster) {
            return Some(why);
        }
        if self.is_kind_missing(cluster, kind) {
            // A cluster that does not serve what it need not serve has none of it. Rules may lead to a Backend, and resources are made for
            // objects: where nobody may read them (any more) what is there stays.
            return (!kind.is_extra() || kind.is_own())
                .then(|| format!("Cluster {} does not serve the kind {kind}", cluster.name));
        }
        if self.snapshot.has_all(cluster, kind) {
            self.is_listed(cluster, kind);
            return None;
        }
        let read = read();
        if self.snapshot.has_answer(&read) {
            self.answered.borrow_mut().push(read);
            return None;
        }
        self.unanswered.borrow_mut().insert(read);
        Some(format!("{kind} of cluster {cluster} was not read yet"))
    }
}
