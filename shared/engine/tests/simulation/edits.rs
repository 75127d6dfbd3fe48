//! What people do: to objects, with the webhook telling of it, and by hand to VPC Lattice.

use crate::api::{ApiServer, Outage};
use crate::objects::{VARIANTS, catalogue, object, owner};
use crate::run::INSTALLATION;
use crate::sim::{Sim, State};
use serde_json::Value;
use trellis_gateway::ObjectKey;
use trellis_hint::{Hint, Kind, ObjectRef, Operation, deduplication_id, units_of};
use trellis_lattice::{
    Action, AwaitService, CreateListener, CreateNetwork, CreateRule, CreateService, CreateVpcAssociation,
    DeleteListener, DeleteRule, DesiredRule, Ownership, PathMatch, RuleMatch, Step, Tags, names::short_hash,
};
use trellis_ports::OutgoingHint;

/// Kinds whose definitions can be away for a while.
const CUSTOM: [Kind; 4] = [Kind::Gateway, Kind::HTTPRoute, Kind::ServiceExport, Kind::ServiceImport];

/// Seconds by which a late hint is late at most.
const LATE_S: u32 = 200;

/// Makes, changes or deletes one object: hints first, then the object is stored, as admission has it.
pub(crate) async fn edit(sim: &Sim, cluster: &str, key: &ObjectKey, new: Option<Value>) {
    let turns = {
        let mut state = sim.state();
        let now = state.now;
        let old = state.clusters[cluster].objects.get(key).cloned();
        let new = new.map(|new| state.clusters[cluster].admitted(key, new, now));
        if old.is_none() && new.is_none() || old.as_ref().map(content) == new.as_ref().map(content) {
            return;
        }
        let operation = match (&old, &new) {
            (None, _) => Operation::Create,
            (_, Some(_)) => Operation::Update,
            (_, None) => Operation::Delete,
        };
        state.tell(format!("edit {operation:?} {cluster} {} {}", key.kind, key.name));
        hint(&mut state, cluster, key, operation, new.as_ref(), old.as_ref());
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
    let (cluster, key, new) = {
        let mut state = sim.state();
        let all = catalogue();
        let (cluster, key) = all[state.dice.index(all.len())].clone();
        let deletes = state.dice.percent(30);
        let variant = state.dice.up_to(VARIANTS - 1);
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

fn shuffled(sim: &Sim) -> Vec<(&'static str, ObjectKey)> {
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
        let now = state.now;
        state.queue.send(&outgoing, now, u64::from(delay_s));
    }
}

/// What an update must change to be one.
fn content(object: &Value) -> (Value, Value, Value, Value) {
    let of = |name: &str| object.get(name).cloned().unwrap_or_default();
    let labels = serde_json::json!([object["metadata"].get("labels"), object["metadata"].get("annotations")]);
    (of("spec"), of("endpoints"), of("ports"), labels)
}

/// Clusters and kinds come and go.
pub(crate) fn outages(state: &mut State) {
    let chance = state.faults.outage();
    let names: Vec<String> = state.clusters.keys().cloned().collect();
    for name in names {
        if state.dice.percent(chance) {
            let outage = [Outage::Unreachable, Outage::Unusable, Outage::Unregistered][state.dice.index(3)];
            let moment = state.moment;
            let cluster = state.clusters.get_mut(&name).unwrap();
            cluster.outage = if cluster.outage.is_some() { None } else { Some((outage, moment)) };
            let line = format!("outage {name} {:?}", cluster.outage);
            state.tell(line);
        }
        let silence = state.faults.silence();
        if state.dice.percent(silence) {
            let outage = [Outage::Hanging, Outage::TakesNoStatus][state.dice.index(2)];
            let moment = state.moment;
            let cluster = state.clusters.get_mut(&name).unwrap();
            cluster.outage = if cluster.outage.is_some() { None } else { Some((outage, moment)) };
            let line = format!("outage {name} {:?}", cluster.outage);
            state.tell(line);
        }
        if state.dice.percent(chance / 2) {
            let kind = CUSTOM[state.dice.index(CUSTOM.len())];
            let moment = state.moment;
            let cluster = state.clusters.get_mut(&name).unwrap();
            if cluster.kinds_missing.remove(&kind).is_none() {
                cluster.kinds_missing.insert(kind, moment);
            }
            let line = format!("kinds missing {name} {:?}", cluster.kinds_missing.keys());
            state.tell(line);
        }
    }
}

/// Everything is there again.
pub(crate) fn heal(cluster: &mut ApiServer) {
    cluster.outage = None;
    cluster.kinds_missing.clear();
}

/// A person changes something of ours in VPC Lattice by hand.
pub(crate) fn by_hand(state: &mut State) {
    let chance = state.faults.by_hand();
    if !state.dice.percent(chance) {
        return;
    }
    let person = owner(INSTALLATION, "by/hand");
    let view = state.account.view(&person);
    let services: Vec<_> =
        view.services.iter().filter(|s| matches!(s.ownership, Ownership::OtherUnit(_))).collect();
    let Some(service) = services.get(state.dice.index(services.len())) else { return };
    let Some(listener) = service.listeners.first() else { return };
    let (name, port) = (service.name.clone(), listener.port);
    let step = match (state.dice.up_to(2), listener.rules.first()) {
        (0, Some(rule)) => Step::DeleteRule(DeleteRule { service: name, port, id: rule.id.clone() }),
        (1, _) => Step::DeleteListener(DeleteListener { service: name, port, id: listener.id.clone() }),
        _ => {
            let path = format!("/by-hand-{}", state.moment);
            let rule = DesiredRule {
                name: format!("by-hand-{}", short_hash(&[&path], 8)),
                priority: 90,
                matches: RuleMatch { path: Some(PathMatch::Exact(path)), ..RuleMatch::default() },
                action: Action::FixedResponse(404),
            };
            if listener.rules.iter().any(|one| one.priority == rule.priority) || listener.rules.len() > 5 {
                return;
            }
            Step::CreateRule(CreateRule { service: name, port, rule, tags: Tags::new() })
        }
    };
    state.tell(format!("by hand: {step}"));
    let State { account, dice, now, .. } = state;
    account.perform(&person, &step, *now, dice, 0);
}

/// What is there before Trellis comes, and is none of its business; some of it in its way.
pub(crate) fn strangers(state: &mut State) {
    let somebody = owner("somebody", "else");
    let tags = Tags::from([("team".to_owned(), "billing".to_owned())]);
    let network =
        |network: &str| Step::CreateNetwork(CreateNetwork { network: network.into(), tags: tags.clone() });
    let service = |service: &str| {
        Step::CreateService(CreateService {
            service: service.into(),
            custom_domain: None,
            certificate_arn: None,
            idle_timeout_seconds: None,
            tags: tags.clone(),
        })
    };
    let mut steps = vec![network("billing"), service("billing")];
    if state.dice.percent(25) {
        steps.push(network("my-hotel"));
    }
    if state.dice.percent(15) {
        steps.push(service("rates-default"));
    }
    if state.dice.percent(15) {
        let vpc = crate::objects::clusters()[1].vpc.clone();
        steps.push(Step::CreateVpcAssociation(CreateVpcAssociation {
            network: "billing".into(),
            vpc,
            security_groups: std::collections::BTreeSet::new(),
            tags: tags.clone(),
        }));
    }
    steps.push(Step::AwaitService(AwaitService { service: "billing".into() }));
    steps.push(Step::CreateListener(CreateListener {
        service: "billing".into(),
        listener: "billing-80".into(),
        port: 80,
        protocol: trellis_lattice::ListenerProtocol::Http,
        default_action: Action::FixedResponse(404),
        tags: tags.clone(),
    }));
    for step in steps {
        let State { account, dice, now, .. } = &mut *state;
        account.perform(&somebody, &step, *now, dice, 0);
    }
    state.pass(1000);
}
