//! What holds for every plan.

use crate::support::owner;
use crate::worlds::{World, worlds};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeSet;
use trellis_lattice::{
    Actual, ActualAccessLog, ActualListener, ActualService, ActualTargetGroup, Desired, Grace, Mode,
    Ownership, Plan, TAG_UNWANTED, apply_step, check, plan, settle, simulate,
};

/// Worlds per property: enough to meet the rare cases, few enough for the whole to end within seconds.
const WORLDS: u32 = 400;

fn config() -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    // The variable of proptest's own, for a longer search.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { WORLDS };
    ProptestConfig { cases, ..default }
}

fn plan_of(world: &World, actual: &Actual) -> Plan {
    plan(&world.desired, actual, &world.limits)
}

fn planned(world: &World) -> Plan {
    plan_of(world, &world.actual)
}

/// Everything that is not ours, as bytes; what a target group says of its users aside, since that tells of our rules.
fn others(actual: &Actual) -> Vec<String> {
    let ours = Ownership::Ours;
    let networks = actual.networks.iter().filter(|n| n.ownership != ours).map(serde_json::to_string);
    let vpcs = actual.vpc_associations.iter().filter(|a| a.ownership != ours).map(serde_json::to_string);
    let services = actual.services.iter().filter(|s| s.ownership != ours).map(serde_json::to_string);
    let groups = actual.target_groups.iter().filter(|g| g.ownership != ours).map(|group| {
        let service_arns = [].into();
        serde_json::to_string(&ActualTargetGroup { service_arns, ..group.clone() })
    });
    // Those of a service of ours that goes cannot stay.
    let kept = |log: &&ActualAccessLog| {
        let networks = actual.networks.iter().filter(|n| n.ownership != ours).map(|n| n.name.as_str());
        let services = actual.services.iter().filter(|s| s.ownership != ours).map(|s| s.name.as_str());
        networks.chain(services).any(|name| name == log.holder.name())
    };
    let logs = actual.access_logs.iter().filter(|l| l.ownership != ours).filter(kept);
    let logs = logs.map(serde_json::to_string);
    let certificates = actual.certificates.iter().filter(|c| c.ownership != ours).map(serde_json::to_string);
    let endpoints = actual.vpc_endpoints.iter().filter(|one| one.ownership != ours);
    let endpoints = endpoints.map(serde_json::to_string);
    let gateways = actual.resource_gateways.iter().filter(|one| one.ownership != ours);
    let gateways = gateways.map(serde_json::to_string);
    let resources = actual.resource_configurations.iter().filter(|one| one.ownership != ours);
    let resources = resources.map(serde_json::to_string);
    let endpoints = endpoints.chain(gateways).chain(resources);
    let all =
        networks.chain(vpcs).chain(endpoints).chain(groups).chain(services).chain(logs).chain(certificates);
    all.map(Result::unwrap).collect()
}

/// What others put under a service of ours, as bytes.
fn others_within(service: &ActualService) -> Vec<String> {
    let associations = service.associations.iter().filter(|a| a.ownership != Ownership::Ours);
    let listeners = service.listeners.iter().filter(|l| l.ownership != Ownership::Ours);
    let rules = listeners.clone().flat_map(|l| &l.rules).filter(|r| r.ownership != Ownership::Ours);
    let listeners = listeners.map(|l| serde_json::to_string(&ActualListener { rules: vec![], ..l.clone() }));
    let associations = associations.map(serde_json::to_string);
    associations.chain(listeners).chain(rules.map(serde_json::to_string)).map(Result::unwrap).collect()
}

/// Planning and doing until nothing is left, which must not take more than a few rounds.
fn converge(world: &World, from: &Actual) -> Actual {
    const ROUNDS_MAX: usize = 2;
    let mut actual = settle(from);
    for round in 0.. {
        let next = plan_of(world, &actual);
        if next.is_settled() {
            break;
        }
        assert!(round < ROUNDS_MAX, "no end in sight:\n{next}");
        let violations = check(&next, &world.desired, &actual, &world.limits);
        assert!(violations.is_empty(), "{violations:?}\nin\n{next}");
        actual = settle(&simulate(&actual, &next));
    }
    actual
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_checker_finds_nothing_in_any_plan(world in worlds()) {
        let plan = planned(&world);
        let violations = check(&plan, &world.desired, &world.actual, &world.limits);
        prop_assert!(violations.is_empty(), "{:?}\nin\n{}", violations, plan);
    }

    #[test]
    fn once_a_plan_is_done_nothing_is_left_to_do(world in worlds()) {
        let plan = planned(&world);
        let done = simulate(&world.actual, &plan);
        for then in [settle(&done), done] {
            let next = plan_of(&world, &then);
            prop_assert!(next.is_settled(), "after\n{}\nthere is still\n{}", plan, next);
        }
    }

    #[test]
    fn what_is_not_ours_stays_as_it_is(world in worlds()) {
        let plan = planned(&world);
        let then = settle(&simulate(&world.actual, &plan));
        prop_assert_eq!(others(&settle(&world.actual)), others(&then), "{}", plan);
    }

    #[test]
    fn what_others_put_under_our_services_stays_while_the_service_does(world in worlds()) {
        let (before, plan) = (settle(&world.actual), planned(&world));
        let then = settle(&simulate(&world.actual, &plan));
        for service in &then.services {
            for held in before.services.iter().filter(|s| s.id == service.id) {
                prop_assert_eq!(others_within(held), others_within(service), "{}", plan);
            }
        }
    }

    #[test]
    fn the_order_of_the_input_leaves_no_trace(world in worlds(), order in vec(any::<Index>(), 8)) {
        prop_assert_eq!(planned(&world), planned(&shuffled(&world, &order)));
    }

    #[test]
    fn a_crash_after_any_step_is_mended_by_planning_anew(world in worlds(), at in any::<Index>()) {
        let plan = planned(&world);
        let straight = converge(&world, &simulate(&world.actual, &plan));
        let cut = Plan { steps: plan.steps[..at.index(plan.steps.len() + 1)].to_vec(), ..plan };
        let mended = converge(&world, &simulate(&world.actual, &cut));
        // Where something is blocked, what stays as it is depends on the way.
        let complete = |actual| plan_of(&world, actual).blocked.is_empty();
        if complete(&straight) && complete(&mended) {
            let (straight, mended) = (essence(&world.desired, &straight), essence(&world.desired, &mended));
            prop_assert_eq!(straight, mended, "after\n{}", cut);
        }
    }

    #[test]
    fn a_mode_does_nothing_that_it_does_not_allow_and_hides_nothing(world in worlds()) {
        // Where nothing is deleted, nothing waits for it.
        let all = planned(&World { desired: Desired { grace: None, ..world.desired.clone() }, ..world.clone() });
        let of_mode = |mode| {
            let desired = Desired { mode, ..world.desired.clone() };
            let plan = plan(&desired, &world.actual, &world.limits);
            (check(&plan, &desired, &world.actual, &world.limits), plan)
        };
        let (violations, observed) = of_mode(Mode::Observe);
        prop_assert!(observed.steps.is_empty() && violations.is_empty());
        let changes = all.steps.iter().filter(|step| !step.is_wait());
        prop_assert!(changes.eq(&observed.withheld));
        let (violations, upserted) = of_mode(Mode::Upsert);
        prop_assert!(violations.is_empty(), "{:?} in\n{}", violations, upserted);
        let mut before = world.actual.clone();
        let mut then = simulate(&world.actual, &upserted);
        let left: BTreeSet<String> = then.resources_mut().into_iter().map(|one| one.id.clone()).collect();
        for resource in before.resources_mut() {
            prop_assert!(left.contains(resource.id), "{} is gone after\n{}", resource.id, upserted);
        }
    }

    #[test]
    fn a_rule_that_stays_is_there_at_every_moment(world in worlds()) {
        let plan = planned(&world);
        let last = simulate(&world.actual, &plan);
        let mut state = world.actual.clone();
        for step in &plan.steps {
            apply_step(&mut state, &plan.owner, step);
            for (service, port, path) in answered(&world.actual).intersection(&answered(&last)) {
                // A listener or service that must be made anew cannot keep its rules.
                let anew = !same_holder(&world.actual, &last, service, *port);
                let there = answered(&state).contains(&(service.clone(), *port, path.clone()));
                prop_assert!(anew || there, "{}:{} {} is missing after {} in\n{}", service, port, path, step, plan);
            }
        }
    }

    /// The second look is after the grace; the mark that the first has set has done its work then.
    #[test]
    fn after_the_grace_all_is_as_without_one(world in worlds()) {
        let at = |now| Desired { grace: Some(Grace { now, seconds: 10 }), ..world.desired.clone() };
        let (first, then) = (World { desired: at(1_000), ..world.clone() }, World { desired: at(1_010), ..world.clone() });
        let without = World { desired: Desired { grace: None, ..world.desired.clone() }, ..world.clone() };
        let waited = converge(&then, &converge(&first, &world.actual));
        let at_once = converge(&without, &world.actual);
        let complete = |world: &World, actual| plan_of(world, actual).blocked.is_empty();
        if complete(&then, &waited) && complete(&without, &at_once) {
            let unmarked = |actual: &Actual| without_marks(actual);
            prop_assert_eq!(
                essence(&world.desired, &unmarked(&waited)),
                essence(&world.desired, &unmarked(&at_once))
            );
            prop_assert_eq!(plan_of(&then, &waited).grace_left, None);
        }
    }

    #[test]
    fn nothing_wanted_means_that_nothing_of_ours_is_left_or_that_it_is_said_why(world in worlds()) {
        let world = World { desired: Desired::nothing(owner()), ..world };
        let plan = planned(&world);
        let then = settle(&simulate(&world.actual, &plan));
        let left = then.services.iter().filter(|s| s.ownership == Ownership::Ours).count()
            + then.target_groups.iter().filter(|g| g.ownership == Ownership::Ours).count();
        prop_assert!(left <= plan.blocked.len(), "{} left after\n{}", left, plan);
        prop_assert!(!then.vpc_associations.iter().any(|a| a.ownership == Ownership::Ours));
        prop_assert!(!then.networks.iter().any(|n| n.ownership == Ownership::Ours));
    }
}

/// The marks of what was unwanted tell of the way, not of the end.
fn without_marks(actual: &Actual) -> Actual {
    let mut actual = actual.clone();
    for tags in actual.resources_mut().into_iter().filter_map(|resource| resource.tags) {
        tags.retain(|key, _| !key.starts_with(TAG_UNWANTED));
    }
    actual
}

type Answered = std::collections::BTreeSet<(String, u16, String)>;

/// Which matches some rule answers, by service and port.
fn answered(actual: &Actual) -> Answered {
    let listeners = actual.services.iter().flat_map(|s| s.listeners.iter().map(move |l| (s, l)));
    let rules = listeners.flat_map(|(s, l)| l.rules.iter().map(move |r| (s.name.clone(), l.port, r)));
    rules.map(|(service, port, rule)| (service, port, rule.matches.to_string())).collect()
}

fn same_holder(a: &Actual, b: &Actual, service: &str, port: u16) -> bool {
    let holder = |actual: &Actual| {
        let held = actual.services.iter().find(|s| s.name == service)?;
        let listener = held.listeners.iter().find(|l| l.port == port)?;
        Some((held.id.clone(), listener.id.clone()))
    };
    holder(a) == holder(b)
}

/// What two ways to the same wish have in common: everything but made-up ids and names, and what was left behind since
/// it is not wanted and cannot go.
fn essence(desired: &Desired, actual: &Actual) -> Vec<String> {
    let mut lines = vec![];
    for wanted in &desired.services {
        for held in actual.services.iter().filter(|s| s.name == wanted.name) {
            lines.push(format!("{} {:?} {:?}", held.name, held.custom_domain, held.tags));
            lines.extend(held.associations.iter().map(|a| format!("{} {}", held.name, a.network)));
            for listener in &held.listeners {
                let (port, protocol, action) =
                    (listener.port, listener.protocol, listener.default_action.normalised());
                lines.push(format!("{}:{port} {protocol:?} {action}", held.name));
                for rule in &listener.rules {
                    let action = rule.action.normalised();
                    lines.push(format!("{}:{port} {} {} {action}", held.name, rule.priority, rule.matches));
                }
            }
        }
    }
    for wanted in &desired.target_groups {
        for held in actual.target_groups.iter().filter(|g| g.name == wanted.name) {
            let targets: std::collections::BTreeSet<_> =
                held.targets.iter().map(|t| t.target.to_string()).collect();
            lines.push(format!("{} {targets:?} {:?}", held.name, held.health_check));
        }
    }
    let logs = actual.access_logs.iter();
    lines.extend(logs.map(|l| format!("{} {}", l.holder, l.destination)));
    let vpcs = actual.vpc_associations.iter();
    lines
        .extend(vpcs.map(|a| format!("{} {} {:?} {:?}", a.network, a.vpc, a.security_groups, a.private_dns)));
    lines.extend(actual.networks.iter().map(|n| n.name.clone()));
    let certificates = actual.certificates.iter();
    lines.extend(certificates.map(|c| format!("{} {}", c.secret(), c.fingerprint())));
    lines.sort();
    lines
}

/// The same world, written down in another order.
fn shuffled(world: &World, order: &[Index]) -> World {
    let mut world = world.clone();
    let mut order = order.iter().cycle();
    let mut turn =
        move |len: usize| if len == 0 { 0 } else { order.next().map_or(0, |index| index.index(len)) };
    let World { desired, actual, .. } = &mut world;
    desired.services.reverse();
    desired.target_groups.reverse();
    desired.vpc_associations.reverse();
    desired.access_logs.reverse();
    actual.access_logs.reverse();
    desired.auth.reverse();
    actual.auth.reverse();
    desired.resource_gateways.reverse();
    desired.resource_configurations.reverse();
    actual.resource_gateways.reverse();
    actual.resource_configurations.reverse();
    desired.certificates.iter_mut().for_each(|all| all.reverse());
    actual.certificates.reverse();
    let by = turn(desired.target_groups.len());
    desired.target_groups.rotate_left(by);
    for service in &mut desired.services {
        service.listeners.reverse();
        for listener in &mut service.listeners {
            let by = turn(listener.rules.len());
            listener.rules.rotate_left(by);
        }
    }
    actual.networks.reverse();
    actual.vpc_associations.reverse();
    actual.services.reverse();
    let by = turn(actual.target_groups.len());
    actual.target_groups.rotate_left(by);
    for group in &mut actual.target_groups {
        group.targets.reverse();
    }
    for service in &mut actual.services {
        service.listeners.reverse();
        service.associations.reverse();
        for listener in &mut service.listeners {
            let by = turn(listener.rules.len());
            listener.rules.rotate_left(by);
        }
    }
    world
}
