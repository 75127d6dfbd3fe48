//! What befalls the world: clusters that are away or half there, persons who take clusters out or change VPC Lattice by
//! hand, strangers, and forged messages.

use crate::api::{ApiServer, CUSTOM, Outage};
use crate::faults::EndsInFailure;
use crate::objects::{self, SCOPE, catalogue, owner};
use crate::run::INSTALLATION;
use crate::sim::State;
use std::collections::BTreeSet;
use trellis_gateway::ObjectKey;
use trellis_hint::{Hint, Kind, ObjectRef, Operation, UnitKey};
use trellis_lattice::{
    Action, AwaitService, CreateListener, CreateNetwork, CreateRule, CreateService, CreateVpcAssociation,
    DeleteListener, DeleteRule, DesiredRule, Ownership, PathMatch, PrivateDns, RuleMatch, Step, Tags,
    names::short_hash,
};

/// How a cluster can be there and be no help.
const SILENT: [Outage; 5] =
    [Outage::Hanging, Outage::TakesNoStatus, Outage::Slow(3), Outage::ForbidsReads, Outage::HalfInstalled];

/// How a cluster can be away.
const AWAY: [Outage; 3] = [Outage::Unreachable, Outage::Unusable, Outage::Unregistered];

/// Who has waited so often in a row is left to the drift pass.
const TIRED: u32 = 40;
/// A forger who is not heard tries again: so often, so many seconds apart, over more than the grace.
const FORGED_AGAIN: u64 = 7;
const FORGED_EVERY_S: u64 = 7;

/// Last numbers of addresses that VPC Lattice may refuse.
const REFUSED_MAX: u32 = 24;

/// Clusters and kinds come and go.
pub(crate) fn outages(state: &mut State) {
    let (away, silent) = (state.faults.outage(), state.faults.silence());
    let names: Vec<String> = state.clusters.keys().cloned().collect();
    for name in names {
        for (chance, outages) in [(away, &AWAY[..]), (silent, &SILENT[..])] {
            if state.dice.percent(chance) {
                let outage = outages[state.dice.index(outages.len())];
                let moment = state.moment;
                let cluster = state.clusters.get_mut(&name).unwrap();
                cluster.outage = if cluster.outage.is_some() { None } else { Some((outage, moment)) };
                let line = format!("outage {name} {:?}", cluster.outage);
                state.tell(line);
            }
        }
        if state.dice.percent(away / 2) {
            let kind = CUSTOM[state.dice.index(CUSTOM.len())];
            let moment = state.moment;
            let cluster = state.clusters.get_mut(&name).unwrap();
            if cluster.kinds_missing.remove(&kind).is_none() {
                cluster.kinds_missing.insert(kind, moment);
            }
            let line = format!("kinds missing {name} {:?}", cluster.kinds_missing.keys());
            state.tell(line);
        }
        let person = state.faults.person();
        if state.dice.percent(person) {
            take_out_or_in(state, &name);
        }
    }
}

/// One cluster gets sick in any way; its name, and how.
pub(crate) fn sicken(state: &mut State) -> (String, Outage) {
    let names: Vec<String> = state.clusters.keys().cloned().collect();
    let name = names[state.dice.index(names.len())].clone();
    let all = [&AWAY[..], &SILENT[..]].concat();
    let outage = all[state.dice.index(all.len())];
    let moment = state.moment;
    state.clusters.get_mut(&name).unwrap().outage = Some((outage, moment));
    state.tell(format!("outage {name} {outage:?}, and all else is well"));
    (name, outage)
}

/// A person takes a cluster out, or takes that back.
pub(crate) fn take_out_or_in(state: &mut State, name: &str) {
    state.moment += 1;
    let moment = state.moment;
    let cluster = state.clusters.get_mut(name).unwrap();
    (cluster.leaving, cluster.edited) = (!cluster.leaving, moment);
    // Both are words of one tag: who takes that back registers it. What had left is known to nobody otherwise.
    if !cluster.leaving && cluster.is(Outage::Unregistered) {
        cluster.outage = None;
    }
    let line = format!("{name} is leaving: {}", cluster.leaving);
    state.tell(line);
}

/// VPC Lattice will not take some addresses, and has room for few target groups.
pub(crate) fn refusals(state: &mut State) {
    if state.faults.refusing {
        let refused = BTreeSet::from([10 + state.dice.up_to(REFUSED_MAX - 10), 11]);
        state.account.refuse(refused, Some(4 + state.dice.index(6)));
    }
}

/// Messages that nobody of ours has sent: of units and objects that have nothing to do with each other, of what never was,
/// and what is no hint at all.
pub(crate) fn forge(state: &mut State) {
    let chance = state.faults.forged();
    if !state.dice.percent(chance) {
        return;
    }
    let all = catalogue();
    let (mut cluster, mut key) = all[state.dice.index(all.len())].clone();
    let units = state.units();
    let unit = match (units.get(state.dice.index(units.len())), state.dice.up_to(3)) {
        (Some(unit), 1..) => unit.clone(),
        _ => format!("route/{SCOPE}/HTTPRoute/{cluster}/default/never-was").parse().unwrap(),
    };
    // Of the unit itself it would tell most.
    let own = all.iter().filter(|(cluster, key)| is_object_of(&unit, cluster, key)).collect::<Vec<_>>();
    if let Some((of, object)) = own.get(state.dice.index(own.len())).filter(|_| state.dice.percent(50)) {
        (cluster, key) = (*of, object.clone());
    }
    let operations = [Operation::Create, Operation::Update, Operation::Delete, Operation::Resync];
    let object = ObjectRef {
        cluster: objects::cluster(if state.dice.percent(10) { "nowhere" } else { cluster }),
        kind: key.kind,
        namespace: key.namespace,
        name: key.name,
        uid: if state.dice.percent(50) { "forged".into() } else { String::new() },
        generation: i64::from(state.dice.up_to(9)),
    };
    let mut hint = Hint::new(unit, object, operations[state.dice.index(operations.len())])
        .with_service_names(["billing", "rates-default", "inventory-default"].map(str::to_owned));
    hint.waits = match state.dice.up_to(9) {
        0 | 1 => u32::MAX,
        2 | 3 => TIRED,
        _ => 0,
    };
    let mut body = hint.body();
    if state.dice.percent(30) {
        body.truncate(state.dice.index(body.len()));
    }
    let group = if state.dice.percent(80) { hint.unit.group_id() } else { "another-group".to_owned() };
    state.tell(format!("forged {:?} {} {}", hint.operation, hint.unit, body.len()));
    let (now, times) = (state.now, if state.dice.percent(50) { FORGED_AGAIN } else { 1 });
    for time in 0..times {
        state.queue.forge(&group, body.clone(), now + time * FORGED_EVERY_S);
    }
    state.queue.arrive(now);
}

fn is_object_of(unit: &UnitKey, cluster: &str, key: &ObjectKey) -> bool {
    match unit {
        UnitKey::Gateway { name, .. } => key.kind == Kind::Gateway && key.name == *name,
        UnitKey::Route { kind, cluster: of, namespace, name } => {
            key.kind == *kind && of.name == cluster && key.namespace == *namespace && key.name == *name
        }
        _ => false,
    }
}

/// Everything is there again.
pub(crate) fn heal(cluster: &mut ApiServer) {
    cluster.outage = None;
    cluster.kinds_missing.clear();
}

/// A person has seen to it: the quota is raised. Addresses that cannot be targets stay so.
pub(crate) fn help(state: &mut State) {
    for name in state.clusters.keys().cloned().collect::<Vec<_>>() {
        if state.clusters[&name].leaving && state.dice.percent(50) {
            take_out_or_in(state, &name);
        }
    }
    state.account.raise_quota();
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
    account.perform(&person, &step, *now, dice, EndsInFailure::default());
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
        let vpc = objects::clusters()[1].vpc.clone();
        steps.push(Step::CreateVpcAssociation(CreateVpcAssociation {
            network: "billing".into(),
            vpc,
            security_groups: BTreeSet::new(),
            private_dns: PrivateDns::default(),
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
        account.perform(&somebody, &step, *now, dice, EndsInFailure::default());
    }
    state.pass(1000);
}
