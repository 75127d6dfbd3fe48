//! Target groups that the unit did not make: rules lead to them by their ids, and no step is done on them.

use crate::support::{
    config, forward, group, listener, made, made_but, only_network, other_unit, owner, plan_within, planned,
    prefix, route, rule, service, violation,
};
use trellis_lattice::{
    Action, ActualTargetGroup, Blocked, DeleteTargetGroup, DeregisterTargets, Desired, HealthCheck, Limits,
    Ownership, RegisterTargets, RuleUpdate, Status, Step, Tag, Tags, UpdateHealthCheck, UpdateRules,
    ViolationKind,
};

const EXTERNAL: &str = "tg-0123456789abcdef0";
const LIMITS: fn() -> Limits = Limits::default;

/// The service `s` whose requests are shared by `tg` and the group of others.
fn shared(own: u16, external: u16) -> Desired {
    let shares: Vec<(&str, u16)> =
        [("tg", own), (EXTERNAL, external)].into_iter().filter(|(_, weight)| *weight > 0).collect();
    let own = (own > 0).then(|| group("tg", &[1]));
    let service = service("s", vec![listener(80, vec![rule(1, "/", forward(&shares))])]);
    Desired {
        external_groups: [EXTERNAL.to_owned()].into(),
        ..route(vec![service], own.into_iter().collect())
    }
}

/// The group of others as a listing would show it.
fn seen(ownership: Ownership) -> ActualTargetGroup {
    ActualTargetGroup {
        id: EXTERNAL.into(),
        arn: format!("arn:{EXTERNAL}"),
        name: "blue".into(),
        status: Status::Active,
        config: None,
        health_check: None,
        targets: vec![],
        service_arns: ["arn:svc-s".to_owned()].into(),
        ownership,
        tags: Tags::new(),
    }
}

#[test]
fn a_route_shifts_to_a_group_of_others_and_back_by_its_rule_alone() {
    for (from, to) in [((100, 0), (90, 10)), ((90, 10), (10, 90)), ((10, 90), (90, 10))] {
        let plan = plan_within(&shared(to.0, to.1), &made(&shared(from.0, from.1)), &LIMITS());
        assert!(matches!(plan.steps.as_slice(), [Step::UpdateRules(_)]), "{plan}");
    }
    let last = planned(&shared(0, 100), &made(&shared(10, 90)));
    assert!(!last.contains(&format!("target group {EXTERNAL}")), "{last}");
    assert!(last.contains("- targets of tg"), "{last}");
}

#[test]
fn a_route_that_leaves_a_group_of_others_does_nothing_with_it() {
    for ownership in [Ownership::Foreign, other_unit(), Ownership::Unread] {
        let before = made_but(&shared(90, 10), |actual| actual.target_groups.push(seen(ownership.clone())));
        let gone = plan_within(&Desired::nothing(owner()), &before, &LIMITS()).to_string();
        assert!(gone.contains("- service s"), "{gone}");
        assert!(!gone.contains("blue") && !gone.contains(EXTERNAL), "{ownership:?}: {gone}");
    }
}

#[test]
fn a_group_of_others_is_in_one_service_and_the_second_is_told() {
    let rules = || vec![rule(1, "/", forward(&[(EXTERNAL, 1)]))];
    let services = vec![service("a", vec![listener(80, rules())]), service("b", vec![listener(80, rules())])];
    let desired = Desired { external_groups: [EXTERNAL.to_owned()].into(), ..route(services, vec![]) };
    let plan = trellis_lattice::plan(&desired, &only_network(), &LIMITS());
    assert!(trellis_lattice::check(&plan, &desired, &only_network(), &LIMITS()).is_empty(), "{plan}");
    let blocked = Blocked::TargetGroupInUse { target_group: EXTERNAL.into(), service: "a".into() };
    assert_eq!(plan.blocked, [blocked], "{plan}");
}

#[test]
fn no_step_is_done_on_a_group_of_others_whether_it_was_read_or_not() {
    let desired = shared(90, 10);
    let read = made_but(&desired, |actual| actual.target_groups.push(seen(Ownership::Foreign)));
    let target = group("tg", &[9]).targets;
    for name in ["blue", EXTERNAL] {
        let steps: [Step; 5] = [
            RegisterTargets { target_group: name.into(), targets: target.clone() }.into(),
            DeregisterTargets { target_group: name.into(), targets: target.clone() }.into(),
            DeleteTargetGroup { target_group: name.into(), id: EXTERNAL.into() }.into(),
            UpdateHealthCheck {
                target_group: name.into(),
                health_check: HealthCheck::default_for(config().protocol, config().protocol_version),
            }
            .into(),
            Tag { arn: format!("arn:{EXTERNAL}"), tags: [("a".to_owned(), "b".to_owned())].into() }.into(),
        ];
        for step in steps {
            for actual in [&read, &made(&desired)] {
                let found = violation(&desired, actual, step.clone());
                assert!(
                    matches!(found, Some(ViolationKind::NotOurs { .. } | ViolationKind::NotThere { .. })),
                    "{step}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn no_rule_leads_to_a_group_of_others_that_the_wish_does_not_name() {
    let held = made(&shared(100, 0));
    let id = held.services[0].listeners[0].rules[0].id.clone();
    let action = Some(forward(&[(EXTERNAL, 1)]));
    let update = |action: Option<Action>| UpdateRules {
        service: "s".into(),
        port: 80,
        rules: vec![RuleUpdate { id: id.clone(), priority: None, matches: Some(prefix("/")), action }],
    };
    let unnamed = Desired { external_groups: [].into(), ..shared(100, 0) };
    let found = violation(&unnamed, &held, update(action.clone()));
    assert!(matches!(found, Some(ViolationKind::NotThere { .. })), "{found:?}");
    assert_eq!(violation(&shared(90, 10), &held, update(action)), None);
}

/// An export's own target group that a rule of somebody else leads to.
#[test]
fn a_group_of_ours_that_another_service_uses_stays_and_is_told() {
    let export = route(vec![], vec![group("tg", &[1])]);
    let used = made_but(&export, |actual| {
        actual.target_groups[0].service_arns.insert("arn:svc-of-a-route".into());
    });
    let plan = trellis_lattice::plan(&Desired::nothing(owner()), &used, &LIMITS());
    let blocked =
        Blocked::TargetGroupInUse { target_group: "tg".into(), service: "arn:svc-of-a-route".into() };
    assert_eq!(plan.blocked, [blocked], "{plan}");
    assert!(!plan.to_string().contains("- target group"), "{plan}");
}
