use crate::support::{
    foreign_rule, forward, group, listener, made, made_but, only_listener, plan_within, planned, route, rule,
    service, simple_route,
};
use trellis_lattice::{Action, Desired, DesiredListener, Limits, ListenerProtocol, Ownership};

fn wanted() -> Desired {
    simple_route(vec![rule(1, "/a", forward(&[("tg", 100)]))], &["tg"])
}

fn ports(ports: &[u16]) -> Desired {
    let rules = || vec![rule(1, "/a", forward(&[("tg", 100)]))];
    let listeners = ports.iter().map(|port| listener(*port, rules())).collect();
    route(vec![service("s", listeners)], vec![group("tg", &[1])])
}

#[test]
fn another_protocol_means_another_listener_with_all_its_rules() {
    let mut desired = wanted();
    desired.services[0].listeners[0].protocol = ListenerProtocol::Https;
    assert_eq!(
        planned(&desired, &made(&wanted())),
        "- listener s:80\n\
         + listener s:80 Https default 404\n\
         + rule s:80 1 r-a path=/a* → tg 100\n"
    );
}

#[test]
fn the_default_action_is_changed_in_place() {
    let mut desired = wanted();
    desired.services[0].listeners[0].default_action = Action::FixedResponse(500);
    assert_eq!(planned(&desired, &made(&wanted())), "~ listener s:80 default 500\n");
}

#[test]
fn of_two_wishes_for_one_port_the_same_one_holds_in_any_order() {
    let mut desired = wanted();
    desired.services[0].listeners.push(listener(80, vec![]));
    let mut reversed = desired.clone();
    reversed.services[0].listeners.reverse();
    assert_eq!(planned(&desired, &made(&wanted())), planned(&reversed, &made(&wanted())));
}

#[test]
fn a_new_port_is_opened_before_the_old_one_closes() {
    assert_eq!(
        planned(&ports(&[8080]), &made(&ports(&[80]))),
        "+ listener s:8080 Http default 404\n\
         + rule s:8080 1 r-a path=/a* → tg 100\n\
         - listener s:80\n"
    );
}

#[test]
fn where_the_quota_has_no_room_for_both_the_old_port_closes_first() {
    assert_eq!(
        planned(&ports(&[443, 8080]), &made(&ports(&[80, 443]))),
        "- listener s:80\n\
         + listener s:8080 Http default 404\n\
         + rule s:8080 1 r-a path=/a* → tg 100\n"
    );
}

#[test]
fn a_listener_beyond_the_quota_is_reported() {
    let text = planned(&ports(&[80, 443, 8080]), &made(&ports(&[80, 443])));
    assert!(text.starts_with("! s would exceed the quota Listeners per service"), "{text}");
}

#[test]
fn a_listener_of_others_that_says_what_is_wanted_is_used() {
    for ownership in [Ownership::Unread, Ownership::Foreign] {
        let actual = made_but(&wanted(), |a| {
            only_listener(a).ownership = ownership;
            only_listener(a).rules.clear();
        });
        assert_eq!(planned(&wanted(), &actual), "+ rule s:80 1 r-a path=/a* → tg 100\n");
    }
}

#[test]
fn a_listener_of_others_that_says_something_else_is_reported_and_left_alone() {
    let actual = made_but(&wanted(), |a| {
        only_listener(a).ownership = Ownership::Foreign;
        only_listener(a).default_action = Action::FixedResponse(500);
        only_listener(a).rules[0].priority = 9;
    });
    assert_eq!(
        planned(&wanted(), &actual),
        "! port 80 of service s has a listener that this installation does not own\n"
    );
}

#[test]
fn a_listener_of_others_on_another_port_stays() {
    let actual = made_but(&ports(&[80, 8080]), |a| a.services[0].listeners[1].ownership = Ownership::Foreign);
    assert_eq!(planned(&ports(&[80]), &actual), "");
}

#[test]
fn a_listener_takes_another_name_where_its_own_is_taken() {
    let mut desired = ports(&[80, 443]);
    desired.services[0].listeners.iter_mut().for_each(|l| l.name = "same".into());
    let names: Vec<_> = made(&desired).services[0].listeners.iter().map(|l| l.name.clone()).collect();
    assert_eq!(names, ["same", "same-2"]);
}

#[test]
fn a_listener_that_passes_tls_through_changes_its_target_groups_in_one_step() {
    let passthrough = |name: &str| DesiredListener {
        protocol: ListenerProtocol::TlsPassthrough,
        default_action: forward(&[(name, 1)]),
        ..listener(443, vec![])
    };
    let desired = |name: &str| route(vec![service("s", vec![passthrough(name)])], vec![group(name, &[1])]);
    let limits = Limits { target_groups_per_service: 1, ..Limits::default() };
    let plan = plan_within(&desired("new"), &made(&desired("old")), &limits).to_string();
    assert!(plan.contains("~ listener s:443 default new 1\n"), "{plan}");
    assert!(!plan.contains("500"), "{plan}");
}

#[test]
fn two_listeners_whose_groups_are_all_replaced_under_a_full_quota_answer_500_in_between() {
    let desired = |name: &str| {
        let rules = || vec![rule(1, "/a", forward(&[(name, 1)]))];
        route(
            vec![service("s", vec![listener(80, rules()), listener(443, rules())])],
            vec![group(name, &[1])],
        )
    };
    let limits = Limits { target_groups_per_service: 1, ..Limits::default() };
    let plan = plan_within(&desired("new"), &made(&desired("old")), &limits).to_string();
    let expected = "~ rules s:80\n    rule-listener-s-80-r-a → 500\n\
                    ~ rules s:443\n    rule-listener-s-443-r-a → 500\n\
                    ~ rules s:80\n    rule-listener-s-80-r-a → new 1\n\
                    ~ rules s:443\n    rule-listener-s-443-r-a → new 1\n";
    assert!(plan.contains(expected), "{plan}");
    let roomy = plan_within(&desired("new"), &made(&desired("old")), &Limits::default()).to_string();
    assert!(!roomy.contains("500"), "{roomy}");
}

#[test]
fn more_target_groups_than_the_quota_are_reported_and_the_listeners_stay() {
    let limits = Limits { target_groups_per_service: 1, ..Limits::default() };
    let desired = simple_route(vec![rule(1, "/a", forward(&[("a", 1), ("b", 1)]))], &["a", "b"]);
    let before = simple_route(vec![rule(1, "/a", forward(&[("a", 1)]))], &["a"]);
    let plan = plan_within(&desired, &made(&before), &limits).to_string();
    assert!(
        plan.contains("! s would exceed the quota Target groups per service (L-3DEC3B9F) of 1"),
        "{plan}"
    );
    assert!(!plan.contains("~ rules"), "{plan}");
}

#[test]
fn a_target_group_that_only_a_rule_of_others_uses_counts_towards_the_quota() {
    let limits = Limits { target_groups_per_service: 1, ..Limits::default() };
    let actual = made_but(&wanted(), |a| {
        let mut theirs = foreign_rule(9);
        theirs.action = forward(&[("tg-theirs", 1)]);
        only_listener(a).rules = vec![theirs];
    });
    let plan = plan_within(&wanted(), &actual, &limits).to_string();
    assert!(plan.starts_with("! s would exceed the quota Target groups per service"), "{plan}");
}
