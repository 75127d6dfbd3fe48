//! Functions behind rules: a group of one, and nothing that leads to one that VPC Lattice may not invoke.

use crate::support::{
    forward, listener, made, made_but, only_group, only_network, planned, route, rule, service, violation,
};
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{
    ActualTarget, AllowInvoke, Desired, DesiredTargetGroup, EventVersion, Invocation, LambdaConfig, Limits,
    RegisterTargets, Step, Target, TargetGroupConfig, TargetHealth, ViolationKind, check, plan,
};

const FUNCTION: &str = "arn:aws:lambda:us-west-2:123456789012:function:rates";

fn target(function: &str) -> Target {
    Target::Function { function: function.into() }
}

/// A route that leads to the function alone.
fn behind(said: Option<Invocation>) -> Desired {
    let config = LambdaConfig { event_structure_version: EventVersion::V2 };
    let group = DesiredTargetGroup {
        config: TargetGroupConfig::Lambda(config),
        health_check: None,
        targets: BTreeSet::from([target(FUNCTION)]),
        ..crate::support::group("tg", &[])
    };
    let rules = vec![rule(1, "/", forward(&[("tg", 1)]))];
    let functions: BTreeMap<String, Invocation> =
        said.map(|said| (FUNCTION.into(), said)).into_iter().collect();
    Desired { functions, ..route(vec![service("s", vec![listener(80, rules)])], vec![group]) }
}

#[test]
fn a_function_is_opened_before_it_is_a_target_and_a_rule_leads_there_after_that() {
    let desired = behind(Some(Invocation::ToBeAllowed));
    let text = planned(&desired, &only_network());
    let at = |line: &str| text.find(line).unwrap_or_else(|| panic!("no {line}: {text}"));
    let (opened, registered) = (at("+ VPC Lattice may invoke function"), at("+ targets of tg"));
    assert!(opened < registered && registered < at("+ rule s:80"), "{text}");
}

#[test]
fn nothing_is_done_with_one_that_may_be_invoked_and_is_there() {
    let desired = behind(Some(Invocation::Allowed));
    assert_eq!(planned(&desired, &made(&desired)), "");
    // What was taken out of its policy comes back, and nothing else is done.
    let closed = behind(Some(Invocation::ToBeAllowed));
    assert_eq!(planned(&closed, &made(&desired)), format!("+ VPC Lattice may invoke function {FUNCTION}\n"));
}

#[test]
fn a_function_that_may_not_be_invoked_is_no_target_whatever_the_plan() {
    let desired = behind(None);
    let empty = made_but(&behind(Some(Invocation::Allowed)), |actual| only_group(actual).targets.clear());
    let plan = plan(&desired, &empty, &Limits::default());
    assert!(!plan.to_string().contains("+ targets"), "{plan}");
    assert!(check(&plan, &desired, &empty, &Limits::default()).is_empty(), "{plan}");
    let targets = BTreeSet::from([target(FUNCTION)]);
    let step = || Step::from(RegisterTargets { target_group: "tg".into(), targets: targets.clone() });
    let found = violation(&desired, &empty, step());
    assert_eq!(found, Some(ViolationKind::NotInvocable { function: FUNCTION.into() }));
    let found = violation(&behind(Some(Invocation::ToBeAllowed)), &empty, step());
    assert_eq!(found, Some(ViolationKind::NotInvocable { function: FUNCTION.into() }));
    assert_eq!(violation(&behind(Some(Invocation::Allowed)), &empty, step()), None);
}

#[test]
fn nobody_is_let_in_where_the_wish_does_not_say_so() {
    for said in [None, Some(Invocation::Allowed)] {
        let found = violation(&behind(said), &only_network(), AllowInvoke { function: FUNCTION.into() });
        assert!(matches!(found, Some(ViolationKind::Unwanted { .. })), "{found:?}");
    }
}

#[test]
fn a_strangers_function_in_our_group_leaves_before_ours_comes_back() {
    let desired = behind(Some(Invocation::Allowed));
    let held = made_but(&desired, |actual| {
        only_group(actual).targets = vec![ActualTarget {
            target: target(&format!("{FUNCTION}-other")),
            health: TargetHealth::Unavailable,
        }];
    });
    let text = planned(&desired, &held);
    assert_eq!(text, format!("- targets of tg {FUNCTION}-other\n+ targets of tg {FUNCTION}\n"));
}

#[test]
fn what_pods_beside_it_need_does_not_come_after_a_call_to_lambda_that_may_be_refused() {
    let desired = |said| {
        let function = behind(Some(said));
        let groups = [function.target_groups, vec![crate::support::group("pods", &[1])]].concat();
        let rules = vec![rule(1, "/", forward(&[("tg", 1), ("pods", 1)]))];
        let services = vec![service("s", vec![listener(80, rules)])];
        Desired { functions: function.functions, ..route(services, groups) }
    };
    // The Pod was replaced. The first error ends a plan, so the function's must not come before the Pod's.
    let before = made_but(&desired(Invocation::Allowed), |actual| {
        let group = actual.target_groups.iter_mut().find(|group| group.name == "pods").unwrap();
        let old = crate::support::group("pods", &[9]).targets;
        let old = old.into_iter().map(|target| ActualTarget { target, health: TargetHealth::Healthy });
        group.targets = old.collect();
    });
    let text = planned(&desired(Invocation::ToBeAllowed), &before);
    let at = |line: &str| text.find(line).unwrap_or_else(|| panic!("no {line}: {text}"));
    assert!(at("+ targets of pods") < at("+ VPC Lattice may invoke function"), "{text}");
    assert!(at("- targets of pods") < at("+ VPC Lattice may invoke function"), "{text}");
}
