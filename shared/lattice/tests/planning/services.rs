use crate::support::{
    assert_in_order, forward, group, listener, made, made_but, network, only_association, only_network,
    only_service, other_unit, owner, plan_within, planned, route, rule, service, simple_route,
};
use std::collections::BTreeSet;
use trellis_lattice::{
    Action, Actual, ActualAssociation, ActualNetwork, Blocked, Desired, Grace, Limits, Ownership, Quota,
    Status, Step, TAG_BELOW, TAG_IDLE_TIMEOUT, TAG_USER, check, plan, user_tags_mark,
};

fn wanted() -> Desired {
    simple_route(vec![rule(1, "/a", forward(&[("tg", 100)]))], &["tg"])
}

#[test]
fn a_route_is_made_from_nothing() {
    assert_eq!(
        planned(&wanted(), &only_network()),
        "+ target group tg Http/Http1 port 8090 Ipv4 vpc-1\n\
         + service s\n\
         … wait for service s\n\
         + association s net\n\
         … wait for target group tg\n\
         + targets of tg 10.0.0.1:8090\n\
         + listener s:80 Http default 404\n\
         + rule s:80 1 r-a path=/a* → tg 100\n\
         … wait for association s net\n"
    );
}

#[test]
fn a_route_that_is_there_needs_nothing() {
    assert_eq!(planned(&wanted(), &made(&wanted())), "");
}

#[test]
fn a_create_that_was_cut_off_is_found_again() {
    let actual = made_but(&wanted(), |a| {
        only_service(a).status = Status::CreateInProgress;
        only_service(a).associations.clear();
    });
    assert_eq!(
        planned(&wanted(), &actual),
        "… wait for service s\n+ association s net\n… wait for association s net\n"
    );
}

#[test]
fn all_that_a_route_owned_goes_when_it_is_gone() {
    assert_eq!(
        planned(&Desired::nothing(owner()), &made(&wanted())),
        "- association s net\n\
         - targets of tg 10.0.0.1:8090\n\
         … wait until association s net is gone\n\
         - service s\n\
         … wait until service s is gone\n\
         … wait until tg is drained\n\
         - target group tg\n"
    );
}

/// Two services of one custom domain cannot be in one network, whatever the grace says.
#[test]
fn a_service_comes_into_a_network_in_the_place_of_the_one_that_had_its_domain() {
    let named = |name: &str| {
        let mut one = service(name, vec![listener(80, vec![rule(1, "/a", Action::FixedResponse(500))])]);
        one.custom_domain = Some("shop.example.com".into());
        one
    };
    let before = made(&route(vec![named("before")], vec![]));
    let grace = Grace { now: 1_000, seconds: 20 };
    let wanted = Desired { grace: Some(grace), ..route(vec![named("after")], vec![]) };
    let text = planned(&wanted, &before);
    assert_in_order(
        &text,
        &[
            "+ service after for shop.example.com",
            "+ listener after:80 Http default 404",
            "+ rule after:80 1 r-a path=/a* → 500",
            "- association before net",
            "… wait until association before net is gone",
            "+ association after net",
            "… wait for association after net",
        ],
    );
    assert!(!text.contains("- service before"), "{text}");
}

#[test]
fn a_service_leaves_a_network_first_only_where_another_route_waits_for_its_place() {
    let mut desired = wanted();
    let mut actual = made(&desired);
    let other = ActualNetwork { name: "other".into(), arn: "arn:other".into(), ..actual.networks[0].clone() };
    actual.networks.push(other);
    desired.services[0].networks = BTreeSet::from(["other".to_owned()]);
    assert_in_order(&planned(&desired, &actual), &["+ association s other", "- association s net"]);
    desired.giving_way = BTreeSet::from([("s".to_owned(), "net".to_owned())]);
    let text = planned(&desired, &actual);
    assert_in_order(&text, &["- association s net", "+ association s other"]);
    assert_eq!(text.matches("- association").count(), 1, "{text}");
    // One that is wanted stays, whoever waits.
    desired.services[0].networks.insert("net".into());
    assert!(!planned(&desired, &actual).contains("- association"));
}

/// The service of another hostname takes its place: two routes may have swapped their hostnames.
#[test]
fn a_service_that_is_to_go_leaves_a_network_first_where_another_route_waits_for_its_place() {
    let mut desired = wanted();
    let actual = made(&desired);
    desired.services[0].name = "new".into();
    assert_in_order(&planned(&desired, &actual), &["+ association new net", "- association s net"]);
    desired.giving_way = BTreeSet::from([("s".to_owned(), "net".to_owned())]);
    let text = planned(&desired, &actual);
    assert_in_order(&text, &["- association s net", "+ association new net", "- service s"]);
    assert_eq!(text.matches("- association").count(), 1, "{text}");
    // For the grace it stays, whoever waits.
    desired.grace = Some(Grace { now: 1_000, seconds: 20 });
    assert!(!planned(&desired, &actual).contains("- association"));
}

#[test]
fn without_its_network_a_service_is_made_and_not_associated() {
    let text = planned(&wanted(), &Actual::default());
    assert!(text.contains("+ rule s:80 1"), "{text}");
    assert!(!text.contains("association"), "{text}");
    assert!(
        text.ends_with("! service network net does not exist; a Gateway of that name creates it\n"),
        "{text}"
    );
}

#[test]
fn one_missing_network_does_not_keep_a_service_from_another() {
    let mut desired = wanted();
    desired.services[0].networks.insert("missing".into());
    let text = planned(&desired, &only_network());
    assert_in_order(&text, &["+ association s net", "… wait for association s net"]);
    assert!(text.contains("! service network missing does not exist"), "{text}");
}

#[test]
fn a_service_of_another_unit_is_left_alone_with_all_below_it() {
    let actual = made_but(&wanted(), |a| {
        let held = only_service(a);
        held.ownership = other_unit();
        held.listeners.clear();
        held.associations.clear();
    });
    assert_eq!(planned(&wanted(), &actual), "! service name s is taken by route/other (arn:svc-s)\n");
}

#[test]
fn a_service_whose_tags_tell_no_owner_is_left_alone() {
    for ownership in [Ownership::Foreign, Ownership::Unread] {
        let actual = made_but(&wanted(), |a| only_service(a).ownership = ownership);
        let text = planned(&wanted(), &actual);
        assert!(text.starts_with("! service name s is taken by arn:svc-s"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}

#[test]
fn a_failed_service_is_deleted_and_made_again() {
    let actual = made_but(&wanted(), |a| {
        let held = only_service(a);
        held.status = Status::CreateFailed;
        held.listeners.clear();
        held.associations.clear();
        a.target_groups[0].service_arns.clear();
    });
    assert_in_order(
        &planned(&wanted(), &actual),
        &["- service s", "… wait until service s is gone", "+ service s", "+ listener s:80 Http default 404"],
    );
}

#[test]
fn a_service_that_is_being_deleted_is_awaited_and_made_again() {
    let actual = made_but(&wanted(), |a| {
        only_service(a).status = Status::DeleteInProgress;
        only_service(a).associations.clear();
    });
    assert_in_order(
        &planned(&wanted(), &actual),
        &["… wait until service s is gone", "+ service s", "… wait for service s", "+ association s net"],
    );
}

#[test]
fn a_target_group_waits_for_a_service_whose_listeners_were_not_read() {
    for status in [Status::Active, Status::DeleteInProgress] {
        let actual = made_but(&wanted(), |a| {
            only_service(a).status = status;
            only_service(a).associations.clear();
            only_service(a).listeners.clear();
        });
        let nothing = Desired::nothing(wanted().owner);
        assert_in_order(
            &planned(&nothing, &actual),
            &["… wait until service s is gone", "- target group tg"],
        );
        assert_eq!(
            check(&plan(&nothing, &actual, &Limits::default()), &nothing, &actual, &Limits::default()),
            vec![]
        );
    }
}

#[test]
fn another_custom_domain_under_the_same_name_means_another_service() {
    let mut desired = wanted();
    desired.services[0].custom_domain = Some("inventory.example.com".into());
    assert_in_order(
        &planned(&desired, &made(&wanted())),
        &[
            "- association s net",
            "… wait until association s net is gone",
            "- service s",
            "… wait until service s is gone",
            "+ service s for inventory.example.com",
            "+ association s net",
            "+ rule s:80 1 r-a path=/a* → tg 100",
        ],
    );
}

#[test]
fn the_spelling_of_a_custom_domain_replaces_no_service() {
    let mut desired = wanted();
    desired.services[0].custom_domain = Some("inventory.example.com".into());
    let actual =
        made_but(&desired, |a| only_service(a).custom_domain = Some("Inventory.example.com.".into()));
    assert_eq!(planned(&desired, &actual), "");
}

#[test]
fn a_route_that_moves_to_another_network_is_there_before_it_leaves_the_old_one() {
    let mut desired = wanted();
    desired.services[0].networks = ["other".to_owned()].into();
    let actual = made_but(&wanted(), |a| {
        a.networks.push(network("other", Ownership::OtherUnit("gateway/other".into())));
    });
    assert_eq!(
        planned(&desired, &actual),
        "+ association s other\n… wait for association s other\n- association s net\n"
    );
}

/// The network `net`, and the same by its id as a Gateway may name it.
fn by_name_and_by_id(actual: &mut Actual) {
    let id = actual.networks[0].id.clone();
    let called = ActualNetwork { name: id, ..actual.networks[0].clone() };
    actual.networks.push(called);
}

#[test]
fn a_network_that_is_wanted_by_its_name_and_by_its_id_is_joined_once_and_left_once() {
    let mut there = only_network();
    by_name_and_by_id(&mut there);
    let mut desired = wanted();
    desired.services[0].networks.insert(there.networks[0].id.clone());
    let joined: String =
        planned(&desired, &there).lines().filter(|line| line.contains("association")).collect();
    assert_eq!(joined, "+ association s net… wait for association s net");
    let mut made = made(&wanted());
    by_name_and_by_id(&mut made);
    let associations = &mut only_service(&mut made).associations;
    let called = ActualAssociation { network: there.networks[0].id.clone(), ..associations[0].clone() };
    associations.push(called);
    assert_eq!(planned(&desired, &made), "");
    assert_eq!(
        planned(&Desired::nothing(owner()), &made),
        planned(&Desired::nothing(owner()), &self::made(&wanted()))
    );
    for association in &mut only_service(&mut made).associations {
        association.status = Status::CreateFailed;
    }
    assert_eq!(
        planned(&desired, &made),
        "- association s net\n\
         … wait until association s net is gone\n\
         + association s net\n\
         … wait for association s net\n"
    );
}

#[test]
fn an_association_that_is_being_deleted_is_awaited_after_all_quick_changes() {
    let mut desired = wanted();
    desired.services[0].listeners[0].rules.push(rule(2, "/b", forward(&[("tg", 100)])));
    let actual = made_but(&wanted(), |a| only_association(a).status = Status::DeleteInProgress);
    assert_eq!(
        planned(&desired, &actual),
        "+ rule s:80 2 r-b path=/b* → tg 100\n\
         … wait until association s net is gone\n\
         + association s net\n\
         … wait for association s net\n"
    );
}

#[test]
fn a_failed_association_is_deleted_and_made_again() {
    let actual = made_but(&wanted(), |a| only_association(a).status = Status::CreateFailed);
    assert_eq!(
        planned(&wanted(), &actual),
        "- association s net\n\
         … wait until association s net is gone\n\
         + association s net\n\
         … wait for association s net\n"
    );
}

#[test]
fn an_association_of_others_is_good_enough_and_stays_when_it_is_not_wanted() {
    let actual = made_but(&wanted(), |a| only_association(a).ownership = Ownership::Foreign);
    assert_eq!(planned(&wanted(), &actual), "");
    let mut desired = wanted();
    desired.services[0].networks.clear();
    assert_eq!(planned(&desired, &actual), "");
}

#[test]
fn a_service_that_an_association_of_others_holds_loses_its_listeners_and_that_is_said() {
    let actual = made_but(&wanted(), |a| only_association(a).ownership = Ownership::Foreign);
    let text = planned(&Desired::nothing(owner()), &actual);
    assert_eq!(
        text,
        "- targets of tg 10.0.0.1:8090\n\
         - listener s:80\n\
         … wait until tg is drained\n\
         - target group tg\n\
         ! service s cannot be deleted: its association with service network net is not this installation's\n"
    );
}

#[test]
fn a_tag_that_a_user_asks_for_no_more_goes_and_those_of_others_stay() {
    let with = |keys: &[&str]| {
        let mut desired = wanted();
        let asked: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let tags = asked.iter().map(|key| (key.clone(), "1".to_owned()));
        desired.services[0].tags.extend(tags);
        if !asked.is_empty() {
            desired.services[0].tags.insert(TAG_USER.into(), user_tags_mark(&asked));
        }
        desired
    };
    let actual = made_but(&with(&["cost", "team"]), |actual| {
        only_service(actual).tags.insert("audit".into(), "somebody's".into());
    });
    let mark = user_tags_mark(&["cost".to_owned()]);
    let one_less = format!("- tags of arn:svc-s team\n~ tags of arn:svc-s trellis:user-tags={mark}\n");
    // What is below the service, and the mark of it, come later.
    let of_service = |plan: String| -> String {
        let is_of_it = |line: &&str| line.contains("arn:svc-s ") && !line.contains(TAG_BELOW);
        plan.split_inclusive('\n').filter(is_of_it).collect()
    };
    assert_eq!(of_service(planned(&with(&["cost"]), &actual)), one_less);
    let none = of_service(planned(&with(&[]), &actual));
    assert_eq!(none, "- tags of arn:svc-s cost, team, trellis:user-tags\n");
    assert_eq!(planned(&with(&["cost", "team"]), &actual), "");
}

#[test]
fn missing_tags_are_set_and_tags_of_others_and_of_the_owner_stay() {
    let mut desired = wanted();
    desired.services[0].tags = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into();
    desired.services[0].tags.extend(owner().tags());
    let actual = made_but(&wanted(), |a| {
        only_service(a).tags.insert("b".into(), "2".into());
        only_service(a).tags.insert("theirs".into(), "3".into());
    });
    assert_eq!(planned(&desired, &actual), "~ tags of arn:svc-s a=1\n");
}

#[test]
fn a_new_certificate_is_set_and_one_no_longer_wanted_stays() {
    let mut desired = wanted();
    desired.services[0].certificate_arn = Some("arn:certificate".into());
    assert_eq!(planned(&desired, &made(&wanted())), "~ certificate of service s arn:certificate\n");
    assert_eq!(planned(&wanted(), &made(&desired)), "");
}

#[test]
fn an_idle_timeout_is_set_and_changed_and_the_default_comes_back_when_nobody_asks_any_more() {
    let idle = |seconds: u16| {
        let mut desired = wanted();
        desired.services[0].idle_timeout_seconds = Some(seconds);
        desired.services[0].tags.insert(TAG_IDLE_TIMEOUT.into(), "set".into());
        desired
    };
    let text = planned(&idle(300), &only_network());
    assert!(text.contains("+ service s idle for 300 s at most\n") && !text.contains("~ idle"), "{text}");
    assert_eq!(
        planned(&idle(300), &made(&wanted())),
        "~ tags of arn:svc-s trellis:idle-timeout=set\n~ idle time-out of service s 300 s\n"
    );
    assert_eq!(planned(&idle(300), &made(&idle(300))), "");
    assert_eq!(planned(&idle(90), &made(&idle(300))), "~ idle time-out of service s 90 s\n");
    let back = planned(&wanted(), &made(&idle(300)));
    assert_eq!(back, "~ idle time-out of service s 60 s\n");
    // The tag stays: it only says that the present time-out must be looked at.
    let actual = made_but(&idle(300), |a| only_service(a).idle_timeout_seconds = Some(60));
    assert_eq!(planned(&wanted(), &actual), "");
}

#[test]
fn a_service_under_a_new_name_takes_over_the_target_group_of_the_one_that_goes() {
    let rules = || vec![rule(1, "/a", forward(&[("tg", 100)]))];
    let renamed = route(vec![service("s-new", vec![listener(80, rules())])], vec![group("tg", &[1])]);
    let text = planned(&renamed, &made(&wanted()));
    assert_in_order(
        &text,
        &[
            "+ service s-new",
            "- listener s:80",
            "+ listener s-new:80 Http default 404",
            "+ rule s-new:80 1 r-a path=/a* → tg 100",
            "… wait for association s-new net",
            "- association s net",
            "… wait until association s net is gone",
            "- service s",
        ],
    );
    assert!(!text.contains("- target group"), "{text}");
}

#[test]
fn two_services_of_one_route_are_made_side_by_side() {
    let two = route(
        vec![
            service("s2", vec![listener(80, vec![rule(1, "/a", forward(&[("tg2", 1)]))])]),
            service("s1", vec![listener(80, vec![rule(1, "/a", forward(&[("tg1", 1)]))])]),
        ],
        vec![group("tg1", &[1]), group("tg2", &[1])],
    );
    assert_in_order(
        &planned(&two, &only_network()),
        &[
            "+ service s1",
            "+ service s2",
            "… wait for service s1",
            "… wait for service s2",
            "+ association s1 net",
        ],
    );
}

#[test]
fn no_service_is_made_whose_networks_are_all_full_and_one_that_is_there_stays() {
    let full = |actual: &mut Actual, used: usize| _ = actual.network_usage.insert("net".into(), used);
    let (wish, limits) = (wanted(), Limits { services_per_network: 3, ..Limits::default() });
    let mut before = only_network();
    full(&mut before, 3);
    let blocked = plan_within(&wish, &before, &limits);
    assert!(!blocked.steps.iter().any(|step| matches!(step, Step::CreateService(_))), "{blocked}");
    let quota = Quota::ServicesPerNetwork;
    assert_eq!(blocked.blocked, [Blocked::QuotaExceeded { resource: "net".into(), quota, limit: 3 }]);

    full(&mut before, 2);
    assert!(plan_within(&wish, &before, &limits).blocked.is_empty());

    let mut there = made(&wish);
    full(&mut there, 3);
    assert!(plan_within(&wish, &there, &limits).steps.is_empty(), "it is in the network already");
    there.services[0].associations.clear();
    let kept = plan_within(&wish, &there, &limits);
    assert!(kept.steps.is_empty() && kept.blocked.len() == 1, "{kept}");
}
