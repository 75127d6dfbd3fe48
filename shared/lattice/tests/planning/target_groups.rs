use crate::support::{
    assert_in_order, config, forward, group, made, made_but, only_group, only_listener, owner, plan_within,
    planned, route, rule, simple_route, targets,
};
use trellis_lattice::{
    Actual, ActualTarget, Desired, HealthCheck, IpConfig, Limits, Ownership, Plan, ProtocolVersion,
    RefusedTarget, Status, Step, TargetGroupConfig, TargetHealth, TargetProtocol, check, plan, settle,
    simulate,
};

use ProtocolVersion::{Grpc, Http1, Http2};
use TargetProtocol::{Http, Https, Tcp};

fn wanted() -> Desired {
    simple_route(vec![rule(1, "/a", forward(&[("tg", 100)]))], &["tg"])
}

fn export(last: &[u8]) -> Desired {
    route(vec![], vec![group("tg", last)])
}

#[test]
fn an_export_is_a_target_group_of_its_own() {
    assert_eq!(
        planned(&export(&[1, 2]), &Actual::default()),
        "+ target group tg Http/Http1 port 8090 Ipv4 vpc-1\n\
         … wait for target group tg\n\
         + targets of tg 10.0.0.1:8090, 10.0.0.2:8090\n"
    );
}

#[test]
fn new_targets_come_before_old_ones_go() {
    assert_eq!(
        planned(&export(&[2, 3]), &made(&export(&[1, 2]))),
        "+ targets of tg 10.0.0.3:8090\n- targets of tg 10.0.0.1:8090\n"
    );
}

#[test]
fn a_draining_target_that_is_wanted_again_is_registered_again() {
    let actual = made_but(&export(&[1, 2]), |a| only_group(a).targets[0].health = TargetHealth::Draining);
    assert_eq!(planned(&export(&[1, 2]), &actual), "+ targets of tg 10.0.0.1:8090\n");
    assert_eq!(planned(&export(&[2]), &actual), "");
}

#[test]
fn a_target_that_was_refused_a_while_ago_is_not_tried_again_and_all_else_goes_on() {
    let refused = |group: &str| RefusedTarget {
        target_group: group.into(),
        target: targets(&[3]).into_iter().next().unwrap(),
        code: "UnsupportedTarget".into(),
        message: String::new(),
    };
    let actual = made_but(&export(&[1, 2]), |actual| actual.refused = vec![refused("tg")]);
    assert_eq!(
        planned(&export(&[2, 3, 4]), &actual),
        "+ targets of tg 10.0.0.4:8090\n- targets of tg 10.0.0.1:8090\n"
    );
    assert_eq!(planned(&export(&[1, 2, 3]), &actual), "");
    let elsewhere = made_but(&export(&[1, 2]), |actual| actual.refused = vec![refused("another")]);
    assert_eq!(planned(&export(&[1, 2, 3]), &elsewhere), "+ targets of tg 10.0.0.3:8090\n");
}

#[test]
fn when_all_targets_change_under_a_full_quota_the_group_is_never_empty() {
    let limits = Limits { targets_per_target_group: 4, ..Limits::default() };
    let plan = plan_within(&export(&[5, 6, 7, 8]), &made(&export(&[1, 2, 3, 4])), &limits);
    assert_eq!(
        plan.to_string(),
        "- targets of tg 10.0.0.1:8090, 10.0.0.2:8090\n\
         + targets of tg 10.0.0.5:8090, 10.0.0.6:8090\n\
         - targets of tg 10.0.0.3:8090\n\
         + targets of tg 10.0.0.7:8090\n\
         - targets of tg 10.0.0.4:8090\n\
         + targets of tg 10.0.0.8:8090\n"
    );
}

#[test]
fn room_under_the_quota_is_used_before_anything_goes() {
    let limits = Limits { targets_per_target_group: 4, ..Limits::default() };
    let plan = plan_within(&export(&[4, 5]), &made(&export(&[1, 2, 3])), &limits);
    assert_eq!(
        plan.to_string(),
        "+ targets of tg 10.0.0.4:8090\n\
         - targets of tg 10.0.0.1:8090, 10.0.0.2:8090\n\
         + targets of tg 10.0.0.5:8090\n\
         - targets of tg 10.0.0.3:8090\n"
    );
}

#[test]
fn of_more_targets_than_the_quota_as_many_are_registered_as_fit() {
    let limits = Limits { targets_per_target_group: 2, ..Limits::default() };
    let plan = plan_within(&export(&[1, 2, 3]), &made(&export(&[3, 4])), &limits);
    assert_eq!(
        plan.to_string(),
        "- targets of tg 10.0.0.4:8090\n\
         + targets of tg 10.0.0.1:8090\n\
         ! tg would exceed the quota Targets per target group (L-D71303F3) of 2; \
         it can be raised in Service Quotas\n"
    );
}

#[test]
fn each_setting_of_the_health_check_counts() {
    let mut desired = export(&[1]);
    desired.target_groups[0].health_check.as_mut().unwrap().unhealthy_threshold = 3;
    let text = planned(&desired, &made(&export(&[1])));
    assert!(text.starts_with("~ health check tg Http/Http1 / expects 200-499 every 30 s"), "{text}");
    let unread = made_but(&export(&[1]), |a| only_group(a).health_check = None);
    assert!(planned(&export(&[1]), &unread).starts_with("~ health check tg"));
}

#[test]
fn by_default_whatever_speaks_http_is_checked_and_healthy_if_it_answers_at_all() {
    let check = |protocol, protocol_version| {
        let config = IpConfig { protocol, protocol_version, ..config() };
        let check = HealthCheck::default_for(config.protocol, config.protocol_version);
        assert_eq!(check.matcher, "200-499");
        check.enabled.then_some((check.protocol, check.protocol_version))
    };
    assert_eq!(check(Http, Some(Http1)), Some((Http, Http1)));
    assert_eq!(check(Https, Some(Http1)), Some((Https, Http1)));
    assert_eq!(check(Http, Some(Http2)), Some((Http, Http2)));
    assert_eq!(check(Http, Some(Grpc)), Some((Http, Http2)));
    assert_eq!(check(Https, Some(Grpc)), Some((Https, Http2)));
    assert_eq!(check(Tcp, None), None);
}

#[test]
fn a_target_group_with_vpc_lattices_own_default_check_is_changed_in_place() {
    let before = made_but(&export(&[1]), |a| {
        let check = only_group(a).health_check.as_mut().unwrap();
        (check.matcher, check.enabled) = ("200".into(), false);
    });
    let text = planned(&export(&[1]), &before);
    assert!(text.starts_with("~ health check tg Http/Http1 / expects 200-499"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_target_group_with_other_settings_takes_over_before_the_old_one_goes() {
    let desired = simple_route(vec![rule(1, "/a", forward(&[("tg-https", 100)]))], &["tg-https"]);
    assert_eq!(
        planned(&desired, &made(&wanted())),
        "+ target group tg-https Http/Http1 port 8090 Ipv4 vpc-1\n\
         … wait for target group tg-https\n\
         + targets of tg-https 10.0.0.1:8090\n\
         ~ rules s:80\n    \
             rule-listener-s-80-r-a → tg-https 100\n\
         … wait until no request goes to tg\n\
         - targets of tg 10.0.0.1:8090\n\
         … wait until tg is drained\n\
         - target group tg\n"
    );
}

#[test]
fn what_nobody_asked_for_any_more_keeps_nobody_waiting() {
    let desired = simple_route(vec![rule(1, "/a", forward(&[("tg-https", 100)]))], &["tg-https"]);
    let plan = plan_within(&desired, &made(&wanted()), &Limits::default());
    assert_eq!(plan.waits_for(0).unwrap(), "waiting for target group tg-https to become active");
    let moved = plan.steps.iter().position(|step| step.to_string().starts_with("~ rules")).unwrap() + 1;
    assert!(plan.only_clears(moved));
    assert_eq!(plan.waits_for(moved), None);
}

#[test]
fn a_target_group_is_emptied_as_soon_as_the_data_plane_has_followed_the_rules_that_left_it() {
    let desired = simple_route(vec![rule(1, "/a", forward(&[("tg-https", 100)]))], &["tg-https"]);
    let plan = plan_within(&desired, &made(&wanted()), &Limits::default());
    let is_wait = |step: &Step| matches!(step, Step::AwaitPropagation(_));
    let until = plan.steps.iter().position(is_wait).unwrap();
    let put_off = Plan { steps: plan.steps[..until].to_vec(), ..plan };
    let moved = simulate(&made(&wanted()), &put_off);
    assert!(planned(&desired, &moved).starts_with("… wait until no request goes to tg\n"));
    let moved = settle(&moved);
    assert_eq!(
        planned(&desired, &moved),
        "- targets of tg 10.0.0.1:8090\n… wait until tg is drained\n- target group tg\n"
    );
}

#[test]
fn a_target_group_that_another_rule_still_uses_stays() {
    let two = simple_route(
        vec![rule(1, "/a", forward(&[("tg", 100)])), rule(2, "/b", forward(&[("tg", 100)]))],
        &["tg"],
    );
    let text = planned(&wanted(), &made(&two));
    assert_eq!(text, "- rule s:80 rule-listener-s-80-r-b\n");
}

#[test]
fn a_failed_target_group_is_deleted_and_made_again() {
    let actual = made_but(&export(&[1]), |a| {
        only_group(a).status = Status::CreateFailed;
        only_group(a).targets.clear();
    });
    assert_eq!(
        planned(&export(&[1]), &actual),
        "- target group tg\n\
         … wait until target group tg is gone\n\
         + target group tg Http/Http1 port 8090 Ipv4 vpc-1\n\
         … wait for target group tg\n\
         + targets of tg 10.0.0.1:8090\n"
    );
}

#[test]
fn a_target_group_that_is_being_deleted_is_awaited_and_made_again() {
    let actual = made_but(&export(&[1]), |a| only_group(a).status = Status::DeleteInProgress);
    assert_in_order(
        &planned(&export(&[1]), &actual),
        &[
            "… wait until target group tg is gone",
            "+ target group tg Http/Http1 port 8090 Ipv4 vpc-1",
            "+ targets of tg 10.0.0.1:8090",
        ],
    );
}

#[test]
fn a_target_group_in_use_whose_deletion_failed_goes_on_working() {
    let actual = made_but(&wanted(), |a| only_group(a).status = Status::DeleteFailed);
    assert_eq!(planned(&wanted(), &actual), "");
}

#[test]
fn a_target_group_in_the_making_is_awaited_before_its_targets_are_registered() {
    let actual = made_but(&export(&[1]), |a| {
        only_group(a).status = Status::CreateInProgress;
        only_group(a).targets.clear();
    });
    assert_eq!(
        planned(&export(&[1]), &actual),
        "… wait for target group tg\n+ targets of tg 10.0.0.1:8090\n"
    );
    assert_eq!(
        planned(&Desired::nothing(owner()), &actual),
        "… wait for target group tg\n- target group tg\n"
    );
}

#[test]
fn a_taken_target_group_name_leaves_the_listener_that_needs_it_as_it_is() {
    let mut desired = wanted();
    desired.services[0].listeners[0].rules[0].priority = 7;
    let other = |a: &mut Actual| only_group(a).ownership = Ownership::Foreign;
    let text = planned(&desired, &made_but(&wanted(), other));
    assert_eq!(
        text,
        "! target group name tg is taken by arn:tg-tg, which is not this object's or was changed\n\
         ! the listener s:80 needs target group tg, which cannot be used\n"
    );
}

#[test]
fn a_target_group_of_ours_with_settings_that_its_name_does_not_stand_for_is_reported() {
    let other = TargetGroupConfig::Ip(IpConfig { port: 1, ..config() });
    let actual = made_but(&export(&[1]), |a| only_group(a).config = Some(other));
    assert!(planned(&export(&[1]), &actual).starts_with("! target group name tg is taken"));
}

#[test]
fn an_action_that_names_no_known_target_group_leaves_its_listener_as_it_is() {
    let mut desired = wanted();
    desired.services[0].listeners[0].rules.push(rule(2, "/b", forward(&[("nowhere", 1)])));
    let actual = made_but(&wanted(), |a| only_listener(a).rules[0].priority = 9);
    assert_eq!(
        planned(&desired, &actual),
        "! the listener s:80 needs target group nowhere, which cannot be used\n"
    );
}

#[test]
fn an_exports_target_group_that_others_use_loses_its_targets_and_that_is_said() {
    let actual = made_but(&export(&[1]), |a| {
        only_group(a).service_arns.insert("arn:svc-theirs".into());
    });
    assert_eq!(
        planned(&Desired::nothing(owner()), &actual),
        "- targets of tg 10.0.0.1:8090\n\
         ! target group tg is used by service arn:svc-theirs, and can be by one only\n"
    );
}

#[test]
fn a_route_cannot_take_a_target_group_that_a_service_of_others_uses() {
    let actual = made_but(&export(&[1]), |a| {
        a.networks.push(crate::support::network("net", Ownership::OtherUnit("gateway/net".into())));
        only_group(a).service_arns.insert("arn:svc-theirs".into());
    });
    let text = planned(&wanted(), &actual);
    assert!(!text.contains("+ listener"), "{text}");
    assert!(text.contains("! target group tg is used by service arn:svc-theirs"), "{text}");
}

/// A hand-over that was cut off has given the group and not the service: its rules lead there.
#[test]
fn a_group_that_another_units_service_uses_keeps_its_targets() {
    let wanted = Desired { target_groups: vec![group("tg", &[1])], ..wanted() };
    let theirs = made_but(&wanted, |a| {
        a.services[0].ownership = Ownership::OtherUnit("route/leader".into());
        let arn = a.services[0].arn.clone();
        only_group(a).service_arns.insert(arn);
    });
    let text = planned(&Desired::nothing(owner()), &theirs);
    assert!(!text.contains("- targets"), "{text}");
    assert!(text.contains("! target group tg is used by service"), "{text}");
}

#[test]
fn a_group_of_another_units_service_that_is_on_its_way_out_is_emptied_and_goes() {
    let wanted = Desired { target_groups: vec![group("tg", &[1])], ..wanted() };
    let theirs = made_but(&wanted, |a| {
        a.services[0].ownership = Ownership::OtherUnit("route/leader".into());
        a.services[0].status = Status::DeleteInProgress;
        let arn = a.services[0].arn.clone();
        only_group(a).service_arns.insert(arn);
    });
    let desired = Desired::nothing(owner());
    let planned = plan(&desired, &theirs, &Limits::default());
    assert_eq!(check(&planned, &desired, &theirs, &Limits::default()), []);
    assert_in_order(
        &planned.to_string(),
        &[
            "- targets of tg 10.0.0.1:8090",
            "… wait until service s is gone",
            "… wait until tg is drained",
            "- target group tg",
        ],
    );
}

#[test]
fn a_group_that_only_drains_is_awaited_and_deleted() {
    let draining = |t: &mut ActualTarget| t.health = TargetHealth::Draining;
    let actual = made_but(&export(&[1]), |a| only_group(a).targets.iter_mut().for_each(draining));
    assert_eq!(
        planned(&Desired::nothing(owner()), &actual),
        "… wait until tg is drained\n- target group tg\n"
    );
    let idle = made_but(&export(&[1]), |a| only_group(a).targets.clear());
    assert_eq!(planned(&Desired::nothing(owner()), &idle), "- target group tg\n");
}

#[test]
fn a_long_list_of_targets_is_counted_beyond_ten() {
    let text = planned(&export(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), &made(&export(&[])));
    assert!(text.ends_with("10.0.0.7:8090 and 2 more\n"), "{text}");
    assert_eq!(targets(&[1, 2]).len(), 2);
}
