//! What nobody wants any more stays for a while, since what is replaced is first taken away.

use crate::support::{
    forward, gateway, group, listener, made, network, owner, plan_within, planned, route, rule, service,
    simple_route, vpc_association,
};
use std::collections::BTreeSet;
use trellis_lattice::{
    Actual, Desired, Grace, Limits, Ownership, Plan, Status, Step, TAG_UNWANTED, settle, simulate,
};

const SECONDS: u64 = 20;

fn at(now: u64, desired: Desired) -> Desired {
    Desired { grace: Some(Grace { now, seconds: SECONDS }), ..desired }
}

fn nothing_at(now: u64) -> Desired {
    at(now, Desired::nothing(owner()))
}

fn look(desired: &Desired, actual: &Actual) -> (Plan, Actual) {
    let plan = plan_within(desired, actual, &Limits::default());
    let then = settle(&simulate(actual, &plan));
    (plan, then)
}

fn only_tags(plan: &Plan) -> bool {
    plan.steps.iter().all(|step| matches!(step, Step::Tag(_)))
}

fn a_route() -> Desired {
    simple_route(vec![rule(1, "/", forward(&[("tg-1", 1)]))], &["tg-1"])
}

#[test]
fn a_route_that_is_gone_keeps_its_service_and_targets_until_the_grace_is_over() {
    let before = made(&a_route());
    let (marking, marked) = look(&nothing_at(1_000), &before);
    assert_eq!(marking.to_string(), "~ tags of arn:svc-s trellis:unwanted-since=1000\n");
    assert_eq!(marking.grace_left, Some(SECONDS));

    let (waiting, same) = look(&nothing_at(1_019), &marked);
    assert_eq!((waiting.to_string().as_str(), waiting.grace_left), ("", Some(1)));
    assert_eq!(same, marked);

    let (going, gone) = look(&nothing_at(1_020), &marked);
    assert_eq!(going.grace_left, None);
    assert!(gone.services.is_empty() && gone.target_groups.is_empty(), "{going}");
}

#[test]
fn a_route_that_is_back_in_time_has_lost_nothing_and_has_a_whole_grace_next_time() {
    let before = made(&a_route());
    let (_, marked) = look(&nothing_at(1_000), &before);
    let (back, unmarked) = look(&at(1_010, a_route()), &marked);
    assert_eq!(back.to_string(), "~ tags of arn:svc-s trellis:unwanted-since=\n");
    assert_eq!(back.grace_left, None);
    assert_eq!(unmarked.services[0].dns_name, before.services[0].dns_name);
    let (again, _) = look(&nothing_at(1_015), &unmarked);
    assert_eq!(again.grace_left, Some(SECONDS), "{again}");
}

#[test]
fn a_network_and_its_vpc_stay_and_go_together() {
    let wish = gateway(&["vpc-1"]);
    let (marking, marked) = look(&nothing_at(1_000), &made(&wish));
    assert!(only_tags(&marking) && marking.steps.len() == 2, "{marking}");
    let (back, _) = look(&at(1_010, wish), &marked);
    assert!(only_tags(&back) && back.steps.len() == 2, "{back}");
    let (_, gone) = look(&nothing_at(1_020), &marked);
    assert_eq!((gone.vpc_associations.len(), gone.networks.len()), (0, 0));
}

#[test]
fn a_parent_that_is_gone_keeps_the_service_in_its_network_for_a_while() {
    let networks = |names: &[&str]| {
        let networks = names.iter().map(|name| (*name).to_owned()).collect();
        let mut wish = a_route();
        wish.services[0].networks = networks;
        wish
    };
    let other = |name: &str| network(name, Ownership::OtherUnit("gateway/other".into()));
    let start = Actual { networks: vec![other("net"), other("other")], ..Actual::default() };
    let (_, both) = look(&networks(&["net", "other"]), &start);
    let (marking, marked) = look(&at(1_000, networks(&["net"])), &both);
    assert_eq!(marking.to_string(), "~ tags of arn:svc-s trellis:unwanted-since/network.other=1000\n");
    let (back, _) = look(&at(1_005, networks(&["net", "other"])), &marked);
    assert_eq!(back.to_string(), "~ tags of arn:svc-s trellis:unwanted-since/network.other=\n");
    let (_, gone) = look(&at(1_020, networks(&["net"])), &marked);
    let left: BTreeSet<&str> = gone.services[0].associations.iter().map(|a| a.network.as_str()).collect();
    assert_eq!(left, ["net"].into());
}

#[test]
fn a_listener_that_is_gone_answers_for_a_while_from_its_target_group() {
    let both = route(
        vec![service(
            "s",
            vec![
                listener(80, vec![rule(1, "/", forward(&[("tg-1", 1)]))]),
                listener(81, vec![rule(1, "/", forward(&[("tg-2", 1)]))]),
            ],
        )],
        vec![group("tg-1", &[1]), group("tg-2", &[2])],
    );
    let (marking, marked) = look(&at(1_000, a_route()), &made(&both));
    assert_eq!(marking.to_string(), "~ tags of arn:svc-s trellis:unwanted-since/port.81=1000\n");
    assert_eq!(marking.grace_left, Some(SECONDS));
    let (_, gone) = look(&at(1_020, a_route()), &marked);
    assert_eq!((gone.services[0].listeners.len(), gone.target_groups.len()), (1, 1));
}

#[test]
fn a_rule_that_somebody_edits_away_goes_at_once() {
    let two = simple_route(
        vec![rule(1, "/a", forward(&[("tg-1", 1)])), rule(2, "/b", forward(&[("tg-1", 1)]))],
        &["tg-1"],
    );
    let one = simple_route(vec![rule(1, "/a", forward(&[("tg-1", 1)]))], &["tg-1"]);
    let (plan, then) = look(&at(1_000, one), &made(&two));
    assert_eq!(then.services[0].listeners[0].rules.len(), 1, "{plan}");
    assert_eq!(plan.grace_left, None);
}

/// The quota has no room for both: what is wanted comes first.
#[test]
fn a_listener_in_the_way_of_a_wanted_one_goes_at_once() {
    let limits = Limits { listeners_per_service: 1, ..Limits::default() };
    let of_port = |port| route(vec![service("s", vec![listener(port, vec![])])], vec![]);
    let plan = plan_within(&at(1_000, of_port(81)), &made(&of_port(80)), &limits);
    let then = settle(&simulate(&made(&of_port(80)), &plan));
    let ports: Vec<u16> = then.services[0].listeners.iter().map(|listener| listener.port).collect();
    assert_eq!(ports, [81], "{plan}");
}

#[test]
fn what_is_being_deleted_already_is_not_marked() {
    let mut actual = made(&gateway(&["vpc-1"]));
    actual.vpc_associations = vec![vpc_association("net", Status::DeleteInProgress, Ownership::Ours)];
    let (plan, _) = look(&nothing_at(1_000), &actual);
    assert!(!plan.to_string().contains("snva-net"), "{plan}");
}

#[test]
fn without_a_grace_nothing_is_marked() {
    for grace in [None, Some(Grace { now: 1_000, seconds: 0 })] {
        let nothing = Desired { grace, ..Desired::nothing(owner()) };
        assert!(!planned(&nothing, &made(&a_route())).contains(TAG_UNWANTED));
    }
}
