//! A service that goes to another unit.

use crate::support::{forward, made, made_but, only_service, owner, planned, rule, simple_route};
use std::collections::BTreeMap;
use trellis_lattice::{
    Actual, Desired, HandOver, Limits, Owner, Ownership, Plan, Step, check, plan, simulate,
};

fn heir() -> Owner {
    Owner { unit: "heir".into(), key: "route/heir".into(), ..owner() }
}

fn wanted() -> Desired {
    simple_route(vec![rule(1, "/a", forward(&[("tg", 1)]))], &["tg"])
}

fn handing_over() -> Desired {
    Desired { handovers: BTreeMap::from([("s".to_owned(), heir())]), ..Desired::nothing(owner()) }
}

fn only(step: HandOver) -> Plan {
    Plan {
        steps: vec![Step::HandOver(step)],
        ..plan(&Desired::nothing(owner()), &Actual::default(), &Limits::default())
    }
}

#[test]
fn a_service_goes_with_all_below_it_and_comes_last() {
    let actual = made(&wanted());
    let text = planned(&handing_over(), &actual);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.ends_with("is now of route/heir")), "{text}");
    assert!(lines.last().unwrap().contains("arn:svc-s "), "{text}");
    for below in ["arn:listener-s-80", "arn:rule-", "arn:snsa-s-net", "arn:tg-tg"] {
        assert!(text.contains(below), "{below} stays: {text}");
    }
    let after = simulate(&actual, &plan(&handing_over(), &actual, &Limits::default()));
    let service = &after.services[0];
    assert_eq!(service.ownership, Ownership::OtherUnit("route/heir".into()));
    assert!(service.listeners.iter().all(|one| one.ownership == service.ownership && one.rules.len() == 1));
    assert!(planned(&handing_over(), &after).is_empty(), "what has been given away is not touched again");
}

#[test]
fn what_was_given_of_a_service_that_stays_is_taken_back() {
    let given = |unit: &str| {
        made_but(&wanted(), |actual| {
            let service = only_service(actual);
            service.listeners[0].rules[0].ownership = Ownership::OtherUnit(unit.into());
            service.associations[0].ownership = Ownership::OtherUnit(unit.into());
            actual.target_groups[0].ownership = Ownership::OtherUnit(unit.into());
        })
    };
    let text = planned(&wanted(), &given("route/heir"));
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().all(|line| line.ends_with("is now of route/one")), "{text}");
    let text = planned(&handing_over(), &given("route/heir"));
    assert!(text.lines().all(|line| line.ends_with("is now of route/heir")), "{text}");
    let text = planned(&handing_over(), &given("route/somebody"));
    let back = text.lines().filter(|line| line.ends_with("is now of route/one")).count();
    assert!(back > 0 && text.lines().last().unwrap().ends_with("is now of route/heir"), "{text}");
}

#[test]
fn parts_of_anothers_service_are_not_taken() {
    let actual = made_but(&wanted(), |actual| {
        actual.services[0].ownership = Ownership::OtherUnit("route/heir".into());
        actual.services[0].listeners[0].rules[0].ownership = Ownership::OtherUnit("route/heir".into());
    });
    let text = planned(&wanted(), &actual);
    assert!(!text.contains("is now of"), "{text}");
    let rule = actual.services[0].listeners[0].rules[0].arn.clone();
    let plan = Plan { owner: owner(), ..only(HandOver { arn: rule, to: owner() }) };
    assert!(!check(&plan, &wanted(), &actual, &Limits::default()).is_empty());
}

#[test]
fn what_is_not_ours_is_not_given_away() {
    let actual = made_but(&wanted(), |actual| only_service(actual).ownership = Ownership::Foreign);
    assert!(!planned(&handing_over(), &actual).contains("is now of"));
}

#[test]
fn nothing_goes_to_whom_nobody_named_nor_out_of_the_installation() {
    let actual = made(&wanted());
    let step = HandOver { arn: "arn:svc-s".into(), to: heir() };
    let refused = |desired: &Desired, step: &HandOver| {
        let plan = Plan { owner: desired.owner.clone(), ..only(step.clone()) };
        !check(&plan, desired, &actual, &Limits::default()).is_empty()
    };
    assert!(refused(&wanted(), &step));
    assert!(!refused(&handing_over(), &step));
    let stranger = Owner { installation: "another".into(), ..heir() };
    let desired = Desired {
        handovers: BTreeMap::from([("s".to_owned(), stranger.clone())]),
        ..Desired::nothing(owner())
    };
    assert!(refused(&desired, &HandOver { to: stranger, ..step.clone() }));
    assert!(step.tags().keys().all(|key| key != trellis_lattice::TAG_OWNER));
}
