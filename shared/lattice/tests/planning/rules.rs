use crate::support::{
    foreign_rule, forward, made, made_but, only_listener, plan_within, planned, prefix, rule, simple_route,
};
use trellis_lattice::{Desired, DesiredRule, Limits, Ownership};

fn to(group: &str) -> trellis_lattice::Action {
    forward(&[(group, 100)])
}

/// Rules with the priorities 1, 2, 3 … in this order of paths.
fn rules(paths: &[&str]) -> Desired {
    let rules = (1..).zip(paths).map(|(priority, path)| rule(priority, path, to("tg"))).collect();
    simple_route(rules, &["tg"])
}

const ID: &str = "rule-listener-s-80-r";

#[test]
fn priorities_swap_in_one_step() {
    assert_eq!(
        planned(&rules(&["/b", "/a"]), &made(&rules(&["/a", "/b"]))),
        format!("~ rules s:80\n    {ID}-b priority 1\n    {ID}-a priority 2\n")
    );
}

#[test]
fn a_new_rule_gets_its_place_by_moving_the_others_first() {
    assert_eq!(
        planned(&rules(&["/new", "/a", "/b"]), &made(&rules(&["/a", "/b"]))),
        format!(
            "~ rules s:80\n    {ID}-a priority 2\n    {ID}-b priority 3\n\
             + rule s:80 1 r-new path=/new* → tg 100\n"
        )
    );
}

#[test]
fn a_changed_path_turns_the_stale_rule_into_the_missing_one() {
    assert_eq!(
        planned(&rules(&["/v2"]), &made(&rules(&["/v1"]))),
        format!("~ rules s:80\n    {ID}-v1 match path=/v2*\n")
    );
}

#[test]
fn a_stale_rule_moves_out_of_the_way_and_goes_last() {
    assert_eq!(
        planned(&rules(&["/b", "/c"]), &made(&rules(&["/a", "/b", "/c"]))),
        format!(
            "~ rules s:80\n    {ID}-b priority 1\n    {ID}-c priority 2\n    {ID}-a priority 100\n\
             - rule s:80 {ID}-a\n"
        )
    );
}

#[test]
fn a_stale_rule_that_is_in_nobodys_way_just_goes() {
    assert_eq!(
        planned(&rules(&["/a", "/b"]), &made(&rules(&["/a", "/b", "/c"]))),
        format!("- rule s:80 {ID}-c\n")
    );
}

#[test]
fn with_every_priority_held_a_stale_rule_in_the_way_goes_first() {
    let limits = Limits { priority_max: 2, ..Limits::default() };
    let plan = plan_within(&rules(&["/c"]), &made(&rules(&["/a", "/b", "/c"])), &limits);
    assert_eq!(
        plan.to_string(),
        format!("- rule s:80 {ID}-a\n~ rules s:80\n    {ID}-c priority 1\n- rule s:80 {ID}-b\n")
    );
}

#[test]
fn a_full_listener_is_rewritten_without_a_delete_or_a_create() {
    let limits = Limits { rules_per_listener: 2, ..Limits::default() };
    let plan = plan_within(&rules(&["/c", "/b2"]), &made(&rules(&["/a", "/b"])), &limits);
    assert_eq!(
        plan.to_string(),
        format!("~ rules s:80\n    {ID}-a match path=/c*\n    {ID}-b match path=/b2*\n")
    );
}

#[test]
fn a_rule_with_the_wanted_match_is_kept_whatever_its_name() {
    let actual = made_but(&rules(&["/a"]), |a| only_listener(a).rules[0].name = "by-another-version".into());
    assert_eq!(planned(&rules(&["/a"]), &actual), "");
}

#[test]
fn a_rule_that_somebody_bent_is_set_right() {
    let actual = made_but(&rules(&["/a", "/b"]), |a| {
        only_listener(a).rules[0].matches = prefix("/bent");
        only_listener(a).rules[1].action = trellis_lattice::Action::FixedResponse(500);
    });
    assert_eq!(
        planned(&rules(&["/a", "/b"]), &actual),
        format!("~ rules s:80\n    {ID}-a match path=/a*\n    {ID}-b → tg 100\n")
    );
}

#[test]
fn a_new_rule_avoids_the_name_that_a_rewritten_one_still_bears() {
    // The rule named after /a became /b; now /a is wanted beside it.
    let actual = made_but(&rules(&["/a"]), |a| only_listener(a).rules[0].matches = prefix("/b"));
    assert_eq!(planned(&rules(&["/b", "/a"]), &actual), "+ rule s:80 2 r-a-2 path=/a* → tg 100\n");
}

#[test]
fn a_long_name_is_cut_for_its_suffix() {
    let long = "r".repeat(63);
    let long_named =
        |path: &str, priority| DesiredRule { name: long.clone(), ..rule(priority, path, to("tg")) };
    let twice = simple_route(vec![long_named("/a", 1), long_named("/b", 2)], &["tg"]);
    let actual = made(&twice);
    let lengths: Vec<usize> =
        actual.services[0].listeners[0].rules.iter().map(|r| r.name.chars().count()).collect();
    assert_eq!(lengths, [63, 63]);
    assert_eq!(planned(&twice, &actual), "");
}

#[test]
fn of_two_rules_with_one_match_one_goes() {
    let actual = made_but(&rules(&["/a"]), |a| {
        let mut twin = only_listener(a).rules[0].clone();
        twin.id = "rule-twin".into();
        twin.name = "twin".into();
        twin.priority = 5;
        only_listener(a).rules.insert(0, twin);
    });
    assert_eq!(planned(&rules(&["/a"]), &actual), "- rule s:80 rule-twin\n");
}

#[test]
fn rules_of_others_keep_their_priority_and_ours_go_around_in_order() {
    let mut desired = rules(&["/a", "/b", "/c"]);
    desired.services[0].listeners[0].rules[2].priority = 4;
    let actual = made_but(&rules(&["/a"]), |a| only_listener(a).rules.push(foreign_rule(2)));
    assert_eq!(
        planned(&desired, &actual),
        "+ rule s:80 3 r-b path=/b* → tg 100\n+ rule s:80 4 r-c path=/c* → tg 100\n"
    );
}

#[test]
fn where_rules_of_others_leave_too_few_priorities_ours_stay_as_they_are() {
    let limits = Limits { priority_max: 2, ..Limits::default() };
    let actual = made_but(&rules(&["/a"]), |a| only_listener(a).rules.push(foreign_rule(2)));
    let plan = plan_within(&rules(&["/a", "/b"]), &actual, &limits);
    assert_eq!(
        plan.to_string(),
        "! rules at s:80 that this installation does not own leave too few priorities\n"
    );
}

#[test]
fn where_rules_of_others_fill_the_quota_ours_stay_as_they_are() {
    let limits = Limits { rules_per_listener: 2, ..Limits::default() };
    let actual = made_but(&rules(&["/a"]), |a| only_listener(a).rules.push(foreign_rule(50)));
    let plan = plan_within(&rules(&["/a", "/b"]), &actual, &limits);
    assert_eq!(
        plan.to_string(),
        "! s would exceed the quota Rules per listener (L-CF78395E) of 2; \
         it can be raised in Service Quotas\n"
    );
}

#[test]
fn more_rules_than_the_quota_stay_if_they_are_there_already() {
    let limits = Limits { rules_per_listener: 1, ..Limits::default() };
    let plan = plan_within(&rules(&["/b", "/a"]), &made(&rules(&["/a", "/b"])), &limits);
    assert!(plan.blocked.is_empty(), "{plan}");
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn a_rule_whose_tags_were_not_read_since_it_is_as_wanted_is_taken_as_it_is() {
    let actual = made_but(&rules(&["/a", "/b"]), |a| {
        only_listener(a).rules.iter_mut().for_each(|r| r.ownership = Ownership::Unread);
    });
    assert_eq!(planned(&rules(&["/a", "/b"]), &actual), "");
    assert_eq!(planned(&rules(&["/a", "/b", "/c"]), &actual), "+ rule s:80 3 r-c path=/c* → tg 100\n");
}

#[test]
fn a_rule_of_others_with_our_match_and_another_action_stays_beside_ours() {
    let actual = made_but(&rules(&["/a"]), |a| {
        only_listener(a).rules[0].ownership = Ownership::Foreign;
        only_listener(a).rules[0].action = trellis_lattice::Action::FixedResponse(500);
    });
    assert_eq!(planned(&rules(&["/a"]), &actual), "+ rule s:80 2 r-a-2 path=/a* → tg 100\n");
}

#[test]
fn the_order_and_doubling_of_target_groups_in_an_action_mean_nothing() {
    let split = |shares| simple_route(vec![rule(1, "/a", forward(shares))], &["blue", "green"]);
    let actual = made(&split(&[("blue", 90), ("green", 10)]));
    assert_eq!(planned(&split(&[("green", 10), ("blue", 45), ("blue", 45)]), &actual), "");
    assert_eq!(
        planned(&split(&[("green", 90), ("blue", 10)]), &actual),
        format!("~ rules s:80\n    {ID}-a → blue 10, green 90\n")
    );
}
