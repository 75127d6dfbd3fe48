//! Laws of work in progress: who waits for whom, and how it ends.

use crate::objects::cluster;
use crate::sim::State;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;
use trellis_gateway::{ReadResult, Snapshot, wants, wants_dependents};
use trellis_hint::{ClusterId, Hint, UnitKey};
use trellis_ports::{End, ErrorClass, Message};

/// Waits in a row after which a unit is left to the drift pass.
const WAITS_MAX: u32 = 40;
/// Waits in a row after which a delete that is refused is left to a person.
const REFUSED_WAITS_MAX: u32 = 2;

/// A unit of a batch.
pub(crate) struct Clock {
    began: Instant,
    /// Whether it has to do with a cluster whose answers take time.
    may_wait: bool,
}

/// How the steps of a unit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All are done.
    Complete,
    /// Some are left: why, whether they only clear away, and whether a person has to help.
    Left { why: String, clears: bool, for_people: bool },
}

/// The hints that are work, each in the group of its unit.
pub(crate) fn work(messages: &[Message]) -> Vec<Hint> {
    let hint = |message: &Message| {
        let hint = Hint::parse(&message.body).ok()?;
        (message.group.as_ref() == Some(&hint.unit.group_id())).then_some(hint)
    };
    messages.iter().filter_map(hint).collect()
}

/// A batch begins.
pub(crate) fn begin(state: &mut State, messages: &[Message]) {
    let slow = slow_clusters(state);
    for hint in work(messages) {
        let unit = hint.unit.to_string();
        let may_wait = !slow.is_empty()
            && (slow.contains(&hint.object.cluster)
                || state.reads_of(&hint.unit).iter().any(|one| slow.contains(one)));
        let clock = Clock { began: Instant::now(), may_wait: false };
        let clock = state.clocks.entry(unit.clone()).or_insert(clock);
        clock.may_wait |= may_wait;
        state.ended.remove(&unit);
    }
}

fn slow_clusters(state: &State) -> BTreeSet<ClusterId> {
    let slow = state.clusters.iter().filter(|(_, one)| one.takes_time());
    slow.map(|(name, _)| cluster(name)).collect()
}

/// The clusters that a unit reads, were all of them there.
pub(crate) fn reads_of(unit: &UnitKey, whole: &Snapshot) -> BTreeSet<ClusterId> {
    let mut snapshot = Snapshot::of(whole.facts.values().cloned());
    let mut clusters = BTreeSet::new();
    loop {
        let mut reads = wants(unit, &snapshot);
        if reads.is_empty() {
            reads = wants_dependents(unit, &snapshot);
        }
        if reads.is_empty() {
            return clusters;
        }
        for read in reads {
            clusters.insert(read.cluster().clone());
            let objects = whole.objects.get(read.cluster()).into_iter().flatten();
            let objects = objects.filter(|(key, _)| key.kind == read.kind());
            let objects = objects.map(|(_, object)| object.clone()).collect();
            snapshot.insert(&read, ReadResult::Objects(objects));
        }
    }
}

/// One slow or unknown cluster delays nobody else.
pub(crate) fn is_not_delayed(state: &mut State, unit: &str) {
    let Some(clock) = state.clocks.get(unit).filter(|clock| !clock.may_wait) else { return };
    let waited = clock.began.elapsed();
    // A look at a whole cluster inspects for the units of that cluster, each in its turn: it may be the one that asks.
    let is_looking = state.clocks.keys().any(|unit| unit.starts_with("cluster/"));
    if waited.is_zero() || is_looking {
        return;
    }
    // An edit may have given it to do with one meanwhile.
    let reads = unit.parse().map(|unit| state.reads_of(&unit)).unwrap_or_default();
    if reads.is_disjoint(&slow_clusters(state)) {
        let seconds = waited.as_secs();
        state.violate(format!("{unit} has waited {seconds} s for a cluster that it has nothing to do with"));
    }
}

/// Until it ends in another way, it was cut off.
pub(crate) fn begins_steps(state: &mut State, unit: &str) {
    let cut_off = Ended::Left { why: "cut off".into(), clears: false, for_people: false };
    state.ended.insert(unit.to_owned(), cut_off);
}

pub(crate) fn ends_steps(state: &mut State, unit: &str, end: &End) {
    let ended = match end {
        End::Complete => Ended::Complete,
        End::Waiting(waiting) => Ended::Left { why: waiting.text.clone(), clears: false, for_people: false },
        End::Failed(error) => Ended::Left {
            why: format!("{error}: {}", error.source),
            clears: error.clears && error.source.class() == ErrorClass::Stale,
            for_people: error.source.class() == ErrorClass::Terminal,
        },
    };
    state.ended.insert(unit.to_owned(), ended);
}

/// A unit's steps never end silently: who is not done comes again, unless a person has to help or it has waited too often.
pub(crate) fn end(state: &mut State, messages: &[Message]) {
    let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for hint in work(messages) {
        // A greater one may be forged.
        let (waits, hindered) = counts.entry(hint.unit.to_string()).or_insert((u32::MAX, u32::MAX));
        (*waits, *hindered) = (hint.waits.min(*waits), hint.hindered.min(*hindered));
    }
    for (unit, (waits, hindered)) in counts {
        let Some(Ended::Left { why, clears, for_people }) = state.ended.remove(&unit) else { continue };
        let left_to_others = for_people || waits >= WAITS_MAX || (clears && hindered >= REFUSED_WAITS_MAX);
        if !left_to_others && !state.queue.holds(&unit) {
            state.violate(format!("{unit} has steps left and nobody looks again: {why}"));
        }
    }
}
