//! All objects, and what a unit reads of them: as little as a function does, since a unit's translation goes through all that
//! was read for it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trellis_gateway::{
    Meeting, ObjectKey, ROUNDS_MAX, Read, ReadResult, Settings, Snapshot, StatusPatch, stands_aside, wants,
    wants_objects,
};
use trellis_hint::{ClusterId, Kind, UnitKey};

/// The label that names an EndpointSlice's Service.
const SERVICE_LABEL: &str = "/metadata/labels/kubernetes.io~1service-name";

/// Kinds of which clusters have few objects.
const FEW: [Kind; 4] = [Kind::GatewayClass, Kind::Gateway, Kind::Namespace, Kind::ReferenceGrant];

/// Conditions by which a route's status tells of other routes.
const TELLING: [&str; 2] =
    ["application-networking.k8s.aws/SharedService", "application-networking.k8s.aws/KeptRules"];

fn is_list_of_routes(read: &Read) -> bool {
    matches!(read, Read::List { kind, namespace: None, name: None, .. } if kind.is_route())
}

/// Whether a route's status, as it was given, tells of other routes.
fn tells_of_others(route: &Value) -> bool {
    let parents = route.pointer("/status/parents").and_then(Value::as_array).into_iter().flatten();
    let conditions = parents.filter_map(|parent| parent.get("conditions")?.as_array()).flatten();
    let mut types = conditions.filter_map(|condition| condition.get("type")?.as_str());
    types.any(|one| TELLING.contains(&one))
}

/// Objects of all clusters, as API servers would answer from them.
pub(crate) struct Store {
    /// Everything; all of it was asked for.
    pub(crate) whole: Snapshot,
    /// Names of the EndpointSlices of each Service, by cluster, namespace and Service.
    slices: BTreeMap<(ClusterId, String, String), Vec<ObjectKey>>,
    /// What of each route tells which others it has to do with.
    meetings: BTreeMap<(ClusterId, ObjectKey), Meeting>,
    /// The routes that ask for a hostname, by cluster and hostname.
    named: BTreeMap<(ClusterId, String), BTreeSet<ObjectKey>>,
    /// The routes that may have to do with one of any hostname.
    open: BTreeMap<ClusterId, BTreeSet<ObjectKey>>,
    /// Of the routes that have a service with no other one, the first of each kind, namespace and `parentRefs`: whoever is told of one is
    /// told the same of all of these, and so of the first.
    aside: BTreeMap<ClusterId, BTreeMap<(Kind, String, String), ObjectKey>>,
}

impl Store {
    pub(crate) fn new(whole: Snapshot, settings: &Settings) -> Self {
        let mut slices: BTreeMap<_, Vec<ObjectKey>> = BTreeMap::new();
        for cluster in whole.objects.keys() {
            for (key, slice) in whole.all(cluster, Kind::EndpointSlice) {
                let service = slice.pointer(SERVICE_LABEL).and_then(Value::as_str).unwrap_or_default();
                let of = (cluster.clone(), key.namespace.clone(), service.to_owned());
                slices.entry(of).or_default().push(key.clone());
            }
        }
        let mut store = Self {
            whole,
            slices,
            meetings: BTreeMap::new(),
            named: BTreeMap::new(),
            open: BTreeMap::new(),
            aside: BTreeMap::new(),
        };
        store.index_routes(settings);
        store
    }

    fn index_routes(&mut self, settings: &Settings) {
        for (cluster, objects) in &self.whole.objects {
            for (key, route) in objects.iter().filter(|(key, _)| key.kind.is_route()) {
                let meeting = Meeting::of(key.kind, route);
                for hostname in &meeting.hostnames {
                    let named = self.named.entry((cluster.clone(), hostname.clone())).or_default();
                    named.insert(key.clone());
                }
                // Whom a status tells of may be anybody.
                let is_wide = meeting.hostnames.iter().any(|hostname| hostname.starts_with('*'));
                let is_aside = || stands_aside(&self.whole, cluster, (key.kind, route), settings);
                if is_wide || tells_of_others(route) || meeting.is_open() && !is_aside() {
                    self.open.entry(cluster.clone()).or_default().insert(key.clone());
                } else if meeting.is_open() {
                    let parents = route.pointer("/spec/parentRefs").map(Value::to_string).unwrap_or_default();
                    let alike = (key.kind, key.namespace.clone(), parents);
                    let of_cluster = self.aside.entry(cluster.clone()).or_default();
                    of_cluster.entry(alike).or_insert_with(|| key.clone());
                }
                self.meetings.insert((cluster.clone(), key.clone()), meeting);
            }
        }
    }

    /// The routes of its cluster that a route may have to do with, by the hostnames that they ask for; none where that is not told
    /// so.
    fn meeting(&self, unit: &UnitKey) -> Option<BTreeSet<ObjectKey>> {
        let UnitKey::Route { kind, cluster, namespace, name } = unit else { return None };
        let own = ObjectKey { kind: *kind, namespace: namespace.clone(), name: name.clone() };
        let meeting = self.meetings.get(&(cluster.clone(), own.clone()))?;
        if meeting.is_open() || self.open.get(cluster).is_some_and(|open| open.contains(&own)) {
            return None;
        }
        let named =
            meeting.hostnames.iter().filter_map(|one| self.named.get(&(cluster.clone(), one.clone())));
        let aside = self.aside.get(cluster).into_iter().flat_map(BTreeMap::values);
        let all = named.chain(self.open.get(cluster)).flatten().chain(aside);
        Some(all.cloned().chain([own]).collect())
    }

    /// What a unit wants to know, read in rounds as a function reads it. A unit that has services already reads all routes: one may
    /// wait for its place, whatever it asks for now.
    pub(crate) fn observe(&self, unit: &UnitKey, has_services: bool) -> Snapshot {
        let mut snapshot = Snapshot::of(self.whole.facts.values().cloned());
        snapshot.certificates = self.whole.certificates.clone();
        snapshot.external_groups = self.whole.external_groups.clone();
        snapshot.functions = self.whole.functions.clone();
        snapshot.instances = self.whole.instances.clone();
        snapshot.load_balancers = self.whole.load_balancers.clone();
        snapshot.secrets = self.whole.secrets.clone();
        snapshot.service_per = self.whole.service_per;
        // Of these there are few, and most units ask for them: that saves a round.
        for cluster in self.whole.facts.keys().filter(|cluster| !self.whole.is_leaving(cluster)) {
            for kind in FEW {
                let read =
                    Read::List { cluster: cluster.clone(), kind, namespace: None, name: None, service: None };
                snapshot.insert(&read, self.answer(&read));
            }
        }
        let meeting = if has_services { None } else { self.meeting(unit) };
        for _ in 0..=ROUNDS_MAX {
            let wanted = wants(unit, &snapshot);
            if wanted.is_empty() {
                break;
            }
            for read in wanted {
                let answer = match &meeting {
                    Some(meeting) if is_list_of_routes(&read) && Some(read.cluster()) == unit.cluster() => {
                        self.routes_of(&read, meeting)
                    }
                    _ => self.answer(&read),
                };
                snapshot.insert(&read, answer);
            }
        }
        for read in wants_objects(unit, &snapshot) {
            snapshot.insert(&read, self.answer(&read));
        }
        snapshot
    }

    /// Of a list of all routes those that matter: a unit's translation goes through all of them, and there may be thousands.
    fn routes_of(&self, read: &Read, meeting: &BTreeSet<ObjectKey>) -> ReadResult {
        let objects = self.whole.objects.get(read.cluster());
        let of_kind = meeting.iter().filter(|key| key.kind == read.kind());
        match self.answer(&Read::Get {
            cluster: read.cluster().clone(),
            kind: read.kind(),
            namespace: String::new(),
            name: String::new(),
        }) {
            ReadResult::Objects(_) => {
                let found = of_kind.filter_map(|key| objects?.get(key).cloned());
                ReadResult::Objects(found.collect())
            }
            unknown => unknown,
        }
    }

    fn answer(&self, read: &Read) -> ReadResult {
        let (cluster, kind) = (read.cluster(), read.kind());
        if let Some(why) = self.whole.unreadable.get(cluster) {
            return ReadResult::Unreadable(why.clone());
        }
        if self.whole.kinds_missing.contains(&(cluster.clone(), kind)) {
            return ReadResult::KindMissing;
        }
        let Some(objects) = self.whole.objects.get(cluster) else { return ReadResult::Objects(vec![]) };
        let found = match read {
            Read::Get { namespace, name, .. } => {
                let key = ObjectKey { kind, namespace: namespace.clone(), name: name.clone() };
                objects.get(&key).into_iter().cloned().collect()
            }
            Read::List { namespace: Some(namespace), name: None, service: Some(service), .. } => {
                let of = (cluster.clone(), namespace.clone(), service.clone());
                let keys = self.slices.get(&of).into_iter().flatten();
                keys.filter_map(|key| objects.get(key).cloned()).collect()
            }
            Read::List { namespace, name, service, .. } => {
                let from = ObjectKey { kind, namespace: String::new(), name: String::new() };
                let of_kind = objects.range(from..).take_while(|(key, _)| key.kind == kind);
                let fits = |key: &ObjectKey, object: &Value| {
                    let own = || object.pointer(SERVICE_LABEL).and_then(Value::as_str).unwrap_or_default();
                    namespace.as_ref().is_none_or(|one| *one == key.namespace)
                        && name.as_ref().is_none_or(|one| *one == key.name)
                        && service.as_ref().is_none_or(|one| one == own())
                };
                of_kind.filter(|(key, object)| fits(key, object)).map(|(_, object)| object.clone()).collect()
            }
        };
        ReadResult::Objects(found)
    }

    /// Writes statuses.
    pub(crate) fn write(&mut self, patches: Vec<StatusPatch>) {
        for patch in patches {
            let key = ObjectKey { kind: patch.kind, namespace: patch.namespace, name: patch.name };
            let objects = self.whole.objects.get_mut(&patch.cluster);
            let object = objects.and_then(|objects| objects.get_mut(&key));
            let object = object.and_then(|object| Arc::make_mut(object).as_object_mut());
            let status = object.map(|object| {
                object.entry("status").or_insert_with(|| Value::Object(serde_json::Map::new()))
            });
            let (Some(status), Value::Object(members)) =
                (status.and_then(Value::as_object_mut), patch.status)
            else {
                continue;
            };
            status.extend(members);
        }
    }
}
