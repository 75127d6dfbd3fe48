//! What people do to objects, with the webhook telling of it.

use crate::objects::{catalogue, object, variants};
use crate::sim::{Sim, State};
use serde_json::Value;
use trellis_gateway::ObjectKey;
use trellis_hint::{Hint, ObjectRef, Operation, deduplication_id, units_of};
use trellis_ports::OutgoingHint;

/// Seconds by which a late hint is late at most.
const LATE_S: u32 = 200;

/// Makes, changes or deletes one object: hints first, then the object is stored, as admission has it.
pub(crate) async fn edit(sim: &Sim, cluster: &str, key: &ObjectKey, new: Option<Value>) {
    let turns = {
        let mut state = sim.state();
        let old = state.clusters[cluster].objects.get(key).cloned();
        let new = new.map(|new| state.clusters[cluster].admitted(key, new));
        if old.is_none() && new.is_none() || old.as_deref().map(content) == new.as_ref().map(content) {
            return;
        }
        let operation = match (&old, &new) {
            (None, _) => Operation::Create,
            (_, Some(_)) => Operation::Update,
            (_, None) => Operation::Delete,
        };
        state.tell(format!("edit {operation:?} {cluster} {} {}", key.kind, key.name));
        hint(&mut state, cluster, key, operation, new.as_ref(), old.as_deref());
        let refused = state.faults.object_refused();
        if state.dice.percent(refused) {
            return;
        }
        (state.dice.up_to(6), new)
    };
    let (turns, new) = turns;
    for _ in 0..turns {
        sim.pause().await;
    }
    let mut state = sim.state();
    state.moment += 1;
    let moment = state.moment;
    state.tell(format!("stored {cluster} {} {}", key.kind, key.name));
    let server = state.clusters.get_mut(cluster).unwrap();
    // Somebody may have deleted or made it meanwhile; this write then is as good as any.
    server.store(key, new, moment);
}

/// One edit of what is in the catalogue.
pub(crate) async fn edit_something(sim: &Sim) {
    edit_something_but_of(sim, None).await;
}

/// One edit of what is in the catalogue, but for one cluster's.
pub(crate) async fn edit_something_but_of(sim: &Sim, untouched: Option<&str>) {
    let (cluster, key, new) = {
        let mut state = sim.state();
        let mut all = catalogue();
        all.retain(|(cluster, _)| Some(*cluster) != untouched);
        let (cluster, key) = all[state.dice.index(all.len())].clone();
        let deletes = state.dice.percent(30);
        let variant = state.dice.up_to(variants(&key) - 1);
        (cluster, key.clone(), (!deletes).then(|| object(cluster, &key, variant)))
    };
    edit(sim, cluster, &key, new).await;
}

/// Everything that the guide has, in any order, some of it left out.
pub(crate) async fn begin(sim: &Sim) {
    for (cluster, key) in shuffled(sim) {
        if !sim.state().dice.percent(10) {
            edit(sim, cluster, &key, Some(object(cluster, &key, 0))).await;
        }
    }
}

/// Deletes everything, in any order; what a later admission kept is deleted again.
pub(crate) async fn delete_all(sim: &Sim) {
    while sim.state().clusters.values().any(|cluster| !cluster.objects.is_empty()) {
        for (cluster, key) in shuffled(sim) {
            edit(sim, cluster, &key, None).await;
        }
    }
}

/// All that the guide has, in any order.
pub(crate) fn shuffled(sim: &Sim) -> Vec<(&'static str, ObjectKey)> {
    let mut state = sim.state();
    let mut all = catalogue();
    for at in (1..all.len()).rev() {
        all.swap(at, state.dice.index(at + 1));
    }
    all
}

fn hint(
    state: &mut State,
    cluster: &str,
    key: &ObjectKey,
    operation: Operation,
    new: Option<&Value>,
    old: Option<&Value>,
) {
    let any = new.or(old).unwrap();
    let changed = ObjectRef {
        cluster: crate::objects::cluster(cluster),
        kind: key.kind,
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        uid: any["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
        generation: any["metadata"]["generation"].as_i64().unwrap_or(0),
    };
    for unit in units_of(&changed, new, old) {
        let (lost, late) = (state.faults.hint_lost(), state.faults.hint_late());
        if state.dice.percent(lost) {
            state.tell(format!("hint lost {unit}"));
            continue;
        }
        let delay_s = if state.dice.percent(late) { state.dice.up_to(LATE_S) } else { 0 };
        let deduplication_id = deduplication_id(&unit, operation, new, old);
        let old_version = old.and_then(|old| old["metadata"]["resourceVersion"].as_str());
        let hint = Hint::new(unit, changed.clone(), operation).with_old_resource_version(old_version);
        let outgoing = OutgoingHint { hint, deduplication_id };
        let (now, overtakes) = (state.now, state.faults.hint_overtakes());
        let overtakes = state.dice.percent(overtakes);
        state.queue.send(&outgoing, now, u64::from(delay_s));
        if overtakes {
            state.queue.swap_last(&outgoing.hint.unit.group_id());
        }
    }
}

/// What an update must change to be one.
fn content(object: &Value) -> (Value, Value, Value, Value) {
    let of = |name: &str| object.get(name).cloned().unwrap_or_default();
    let labels = serde_json::json!([object["metadata"].get("labels"), object["metadata"].get("annotations")]);
    (of("spec"), of("endpoints"), of("ports"), labels)
}
