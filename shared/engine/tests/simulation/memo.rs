//! What follows from the clusters alone is worked out once for each of their states: many steps are judged, and many messages
//! begun, between two changes of an object.

use crate::api::{ApiServer, Outage};
use crate::laws;
use crate::run::settings;
use crate::sim::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trellis_gateway::{ReadResult, Snapshot, translate, wants_everything};
use trellis_hint::{ClusterId, UnitKey};
use trellis_lattice::{Actual, Desired};

/// Which clusters count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counting {
    /// All, those too that cannot be asked.
    All,
    /// The registered ones, those too that cannot be asked.
    Registered,
}

/// What tells one state of the clusters from another: of each the version, whether it leaves, and whether it is registered.
type Mark = Vec<(u64, bool, bool)>;

/// What was worked out for one state of the clusters.
#[derive(Default)]
pub(crate) struct Memo {
    mark: Mark,
    snapshots: BTreeMap<Counting, Arc<Snapshot>>,
    desired: BTreeMap<(Counting, UnitKey), Arc<Option<Desired>>>,
    reads: BTreeMap<UnitKey, Arc<BTreeSet<ClusterId>>>,
    units: Option<Arc<Vec<UnitKey>>>,
}

impl State {
    /// Everything that the clusters hold.
    pub(crate) fn whole(&self, counting: Counting) -> Arc<Snapshot> {
        if let Some(known) = self.remembered(|memo| memo.snapshots.get(&counting).cloned()) {
            return known;
        }
        let snapshot = Arc::new(snapshot(self, counting));
        self.memo.borrow_mut().snapshots.insert(counting, Arc::clone(&snapshot));
        snapshot
    }

    /// What a unit wants if all of them are known.
    pub(crate) fn desired(&self, counting: Counting, unit: &UnitKey) -> Arc<Option<Desired>> {
        let key = (counting, unit.clone());
        if let Some(known) = self.remembered(|memo| memo.desired.get(&key).cloned()) {
            return known;
        }
        let desired = translate(unit, &self.whole(counting), &Actual::default(), &settings()).desired;
        let desired = Arc::new(desired);
        self.memo.borrow_mut().desired.insert(key, Arc::clone(&desired));
        desired
    }

    /// The clusters that a unit reads, were all of them there.
    pub(crate) fn reads_of(&self, unit: &UnitKey) -> Arc<BTreeSet<ClusterId>> {
        if let Some(known) = self.remembered(|memo| memo.reads.get(unit).cloned()) {
            return known;
        }
        let reads = Arc::new(laws::reads_of(unit, &self.whole(Counting::All)));
        self.memo.borrow_mut().reads.insert(unit.clone(), Arc::clone(&reads));
        reads
    }

    /// The units of all objects.
    pub(crate) fn units(&self) -> Arc<Vec<UnitKey>> {
        if let Some(known) = self.remembered(|memo| memo.units.clone()) {
            return known;
        }
        let units: Vec<UnitKey> = trellis_gateway::units(&self.whole(Counting::All)).into_keys().collect();
        let units = Arc::new(units);
        self.memo.borrow_mut().units = Some(Arc::clone(&units));
        units
    }

    fn remembered<T>(&self, find: impl FnOnce(&Memo) -> Option<T>) -> Option<T> {
        let of = |one: &ApiServer| (one.version(), one.leaving, !one.is(Outage::Unregistered));
        let mark: Mark = self.clusters.values().map(of).collect();
        let mut memo = self.memo.borrow_mut();
        if memo.mark != mark {
            *memo = Memo { mark, ..Memo::default() };
        }
        find(&memo)
    }
}

fn snapshot(state: &State, counting: Counting) -> Snapshot {
    let counts = |one: &&ApiServer| counting == Counting::All || !one.is(Outage::Unregistered);
    let mut snapshot = Snapshot::of(state.clusters.values().filter(counts).map(ApiServer::facts));
    for read in wants_everything(&snapshot) {
        let server = &state.clusters[&read.cluster().name];
        let objects = server.objects.iter().filter(|(key, _)| key.kind == read.kind());
        let objects = objects.map(|(_, object)| object.clone()).collect();
        snapshot.insert(&read, ReadResult::Objects(objects));
    }
    snapshot
}
