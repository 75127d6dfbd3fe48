//! The checker against plans that no planner should make.

use crate::support::{
    foreign_rule, forward, gateway, group, made, made_but, network, only_association, only_group,
    only_listener, only_network, only_service, other_unit, owner, prefix, rule, simple_route, targets,
    user_tags, vpc_association,
};
use trellis_lattice::{
    Action, Actual, AwaitDrained, AwaitPropagation, AwaitService, CreateAssociation, CreateListener,
    CreateNetwork, CreateRule, CreateService, CreateTargetGroup, CreateVpcAssociation, DeleteAssociation,
    DeleteListener, DeleteNetwork, DeleteRule, DeleteService, DeleteTargetGroup, DeleteVpcAssociation,
    DeregisterTargets, Desired, DesiredRule, Limits, ListenerProtocol, Owner, Ownership, Plan, PrivateDns,
    RegisterTargets, RuleUpdate, Status, Step, TAG_BELOW, TAG_UNIT, Tag, Tags, Target, TargetHealth, Untag,
    UpdateCertificate, UpdateIdleTimeout, UpdateListener, UpdateRules, UpdateVpcAssociation, check,
};

fn wanted() -> Desired {
    let rules = vec![rule(1, "/a", forward(&[("tg", 100)])), rule(2, "/b", forward(&[("tg", 100)]))];
    simple_route(rules, &["tg"])
}

fn nothing() -> Desired {
    Desired::nothing(owner())
}

fn found(desired: &Desired, actual: &Actual, steps: Vec<Step>) -> Vec<String> {
    let plan = Plan { owner: owner(), steps, withheld: vec![], blocked: vec![], grace_left: None };
    let violations = check(&plan, desired, actual, &Limits::default());
    violations.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(desired: &Desired, actual: &Actual, step: Step, because: &str) {
    let messages = found(desired, actual, vec![step]);
    assert!(messages.iter().any(|m| m.contains(because)), "expected `{because}` in {messages:?}");
}

fn create_rule(rule: DesiredRule) -> Step {
    Step::CreateRule(CreateRule { service: "s".into(), port: 80, rule, tags: owner().tags() })
}

fn delete_rule(id: &str) -> Step {
    Step::DeleteRule(DeleteRule { service: "s".into(), port: 80, id: id.into() })
}

fn update_rule(update: RuleUpdate) -> Step {
    Step::UpdateRules(UpdateRules { service: "s".into(), port: 80, rules: vec![update] })
}

fn no_change(id: &str) -> RuleUpdate {
    RuleUpdate { id: id.into(), priority: None, matches: None, action: None }
}

const RULE_A: &str = "rule-listener-s-80-r-a";

#[test]
fn a_plan_of_another_owner_is_refused() {
    let plan = Plan {
        owner: Owner { unit: "route-two".into(), key: "route/two".into(), ..owner() },
        steps: vec![],
        withheld: vec![],
        blocked: vec![],
        grace_left: None,
    };
    assert_eq!(check(&plan, &nothing(), &Actual::default(), &Limits::default()).len(), 1);
}

#[test]
fn no_two_wishes_have_one_name() {
    let mut twice = wanted();
    twice.services.push(wanted().services[0].clone());
    twice.target_groups.push(wanted().target_groups[0].clone());
    let messages = found(&twice, &Actual::default(), vec![]);
    assert_eq!(messages, ["service s is wanted twice", "target group tg is wanted twice"]);
    assert_eq!(found(&wanted(), &Actual::default(), vec![]), Vec::<String>::new());
}

#[test]
fn nothing_is_made_without_the_owners_tags() {
    let tags = Tags::from([(TAG_UNIT.into(), "route/one".into())]);
    let step = Step::CreateNetwork(CreateNetwork { network: "net".into(), tags: tags.clone() });
    refused(&gateway(&[]), &Actual::default(), step, "owner's tags");
    let step =
        Step::CreateAssociation(CreateAssociation { service: "s".into(), network: "net".into(), tags });
    refused(&wanted(), &made(&wanted()), step, "owner's tags");
}

#[test]
fn nothing_is_made_twice() {
    let (actual, tags) = (made(&wanted()), owner().tags());
    let again = Step::CreateService(CreateService {
        service: "s".into(),
        custom_domain: None,
        certificate_arn: None,
        idle_timeout_seconds: None,
        tags: tags.clone(),
    });
    refused(&wanted(), &actual, again, "service s is there already");
    let again = Step::CreateAssociation(CreateAssociation {
        service: "s".into(),
        network: "net".into(),
        tags: tags.clone(),
    });
    refused(&wanted(), &actual, again, "association s net is there already");
    let group = group("tg", &[]);
    let again = Step::CreateTargetGroup(CreateTargetGroup {
        target_group: group.name,
        config: group.config,
        health_check: group.health_check,
        tags: tags.clone(),
    });
    refused(&wanted(), &actual, again, "target group tg is there already");
    let again = Step::CreateListener(CreateListener {
        service: "s".into(),
        listener: "other".into(),
        port: 80,
        protocol: ListenerProtocol::Http,
        default_action: Action::FixedResponse(404),
        tags: tags.clone(),
    });
    refused(&wanted(), &actual, again, "port 80 of s is taken");
    let again = Step::CreateNetwork(CreateNetwork { network: "net".into(), tags });
    refused(&gateway(&[]), &actual, again, "service network net is there already");
}

#[test]
fn a_rule_needs_a_name_and_a_priority_of_its_own() {
    let actual = made(&wanted());
    refused(&wanted(), &actual, create_rule(rule(3, "/a", Action::FixedResponse(404))), "rule name r-a");
    refused(&wanted(), &actual, create_rule(rule(1, "/c", Action::FixedResponse(404))), "have priority 1");
    refused(&wanted(), &actual, create_rule(rule(101, "/c", Action::FixedResponse(404))), "within 1 to 100");
    let clash = update_rule(RuleUpdate { priority: Some(2), ..no_change(RULE_A) });
    refused(&wanted(), &actual, clash, "have priority 2");
}

#[test]
fn no_quota_is_broken() {
    let actual = made_but(&wanted(), |a| only_listener(a).rules.extend((10..18).map(foreign_rule)));
    refused(
        &wanted(),
        &actual,
        create_rule(rule(3, "/c", Action::FixedResponse(404))),
        "would have 11: Rules per listener",
    );
    let many: Vec<u8> = (1..=255).collect();
    let full = simple_route(vec![], &["tg"]);
    let actual = made_but(&full, |a| {
        let target = only_group(a).targets[0].clone();
        only_group(a).targets = (0..1000)
            .map(|n| {
                let mut target = target.clone();
                target.target = Target::at(format!("10.1.{}.{}", n / 250, n % 250), 8090);
                target
            })
            .collect();
    });
    let step = Step::RegisterTargets(RegisterTargets { target_group: "tg".into(), targets: targets(&many) });
    refused(&full, &actual, step, "would have 1255: Targets per target group");
}

#[test]
fn an_action_names_only_target_groups_that_are_ours_ready_and_used_by_no_other_service() {
    let to = |name: &str| create_rule(rule(3, "/c", forward(&[(name, 1)])));
    refused(&wanted(), &made(&wanted()), to("nowhere"), "target group nowhere is not there");
    let actual = made_but(&wanted(), |a| only_group(a).ownership = Ownership::Foreign);
    refused(&wanted(), &actual, to("tg"), "tg is not ours");
    let actual = made_but(&wanted(), |a| only_group(a).status = Status::CreateInProgress);
    refused(&wanted(), &actual, to("tg"), "used while CreateInProgress");
    let actual = made_but(&wanted(), |a| {
        only_group(a).service_arns.insert("arn:svc-theirs".into());
    });
    refused(&wanted(), &actual, to("tg"), "is used by arn:svc-theirs");
}

#[test]
fn what_is_not_ours_is_not_changed() {
    let of_others = made_but(&wanted(), |a| {
        only_service(a).ownership = other_unit();
        only_group(a).ownership = Ownership::Unread;
    });
    let (s, tg) = (|| "s".to_owned(), || "tg".to_owned());
    let steps = [
        Step::CreateAssociation(CreateAssociation {
            service: s(),
            network: "net".into(),
            tags: owner().tags(),
        }),
        Step::UpdateCertificate(UpdateCertificate { service: s(), certificate_arn: "arn".into() }),
        Step::UpdateIdleTimeout(UpdateIdleTimeout { service: s(), idle_timeout_seconds: 90 }),
        Step::UpdateListener(UpdateListener {
            service: s(),
            port: 80,
            default_action: Action::FixedResponse(500),
        }),
        Step::DeleteListener(DeleteListener { service: s(), port: 80, id: "listener-s-80".into() }),
        Step::DeleteService(DeleteService { service: s(), id: "svc-s".into() }),
        Step::DeleteAssociation(DeleteAssociation {
            service: s(),
            network: "net".into(),
            id: "snsa-s-net".into(),
        }),
        delete_rule(RULE_A),
        update_rule(no_change(RULE_A)),
        create_rule(rule(3, "/c", Action::FixedResponse(404))),
        Step::Tag(Tag { arn: "arn:svc-s".into(), tags: Tags::new() }),
        Step::RegisterTargets(RegisterTargets { target_group: tg(), targets: targets(&[1]) }),
        Step::DeregisterTargets(DeregisterTargets { target_group: tg(), targets: targets(&[1]) }),
        Step::DeleteTargetGroup(DeleteTargetGroup { target_group: tg(), id: "tg-tg".into() }),
        Step::DeleteNetwork(DeleteNetwork { network: "net".into(), id: "sn-net".into() }),
    ];
    for step in steps {
        refused(&nothing(), &of_others, step, "not ours");
    }
    let actual = made_but(&wanted(), |a| only_listener(a).rules[0].ownership = Ownership::Foreign);
    refused(&nothing(), &actual, delete_rule(RULE_A), "not ours");
    refused(&nothing(), &actual, update_rule(no_change(RULE_A)), "not ours");
}

#[test]
fn a_service_is_not_marked_before_all_below_it_bears_its_users_tags() {
    let mut desired = wanted();
    let before = made(&desired);
    desired.services[0].tags = user_tags("a");
    let step = Step::Tag(Tag { arn: "arn:svc-s".into(), tags: Tags::from([(TAG_BELOW.into(), "1".into())]) });
    refused(&desired, &before, step, "not all below arn:svc-s bears");
}

#[test]
fn the_owner_tags_are_not_changed() {
    let step = Step::Tag(Tag { arn: "arn:svc-s".into(), tags: owner().tags() });
    refused(&wanted(), &made(&wanted()), step, "owner tags of arn:svc-s would change");
}

#[test]
fn a_tag_that_nobody_asked_for_is_not_taken_away() {
    let keys = std::collections::BTreeSet::from(["team".to_owned()]);
    let step = Step::Untag(Untag { arn: "arn:svc-s".into(), keys });
    refused(&wanted(), &made(&wanted()), step, "the tag team of arn:svc-s is somebody else's");
}

#[test]
fn nothing_that_is_wanted_goes() {
    let (desired, actual) = (wanted(), made(&wanted()));
    refused(&desired, &actual, delete_rule(RULE_A), "is wanted");
    let becomes = RuleUpdate { matches: Some(prefix("/c")), ..no_change(RULE_A) };
    refused(&desired, &actual, update_rule(becomes), "is wanted");
    let step =
        Step::DeleteListener(DeleteListener { service: "s".into(), port: 80, id: "listener-s-80".into() });
    refused(&desired, &actual, step, "listener s:80 is wanted");
    let step = Step::DeleteAssociation(DeleteAssociation {
        service: "s".into(),
        network: "net".into(),
        id: "snsa-s-net".into(),
    });
    refused(&desired, &actual, step, "association s net is wanted");
    let step = Step::DeleteService(DeleteService { service: "s".into(), id: "svc-s".into() });
    refused(&desired, &actual, step, "service s is wanted");
    let step = Step::DeleteTargetGroup(DeleteTargetGroup { target_group: "tg".into(), id: "tg-tg".into() });
    refused(&desired, &actual, step, "target group tg is wanted");
    let step =
        Step::DeregisterTargets(DeregisterTargets { target_group: "tg".into(), targets: targets(&[1]) });
    refused(&desired, &actual, step, "is wanted");
    let desired = gateway(&["vpc-1"]);
    let step = Step::DeleteVpcAssociation(DeleteVpcAssociation {
        network: "net".into(),
        vpc: "vpc-1".into(),
        id: "snva-net-vpc-1".into(),
    });
    refused(&desired, &made(&desired), step, "is wanted");
    let step = Step::DeleteNetwork(DeleteNetwork { network: "net".into(), id: "sn-net".into() });
    refused(&desired, &made(&desired), step, "service network net is wanted");
}

#[test]
fn targets_serve_until_the_data_plane_has_followed_the_rules_that_left_them() {
    let rules = vec![rule(1, "/a", forward(&[("new", 100)])), rule(2, "/b", forward(&[("new", 100)]))];
    let desired = simple_route(rules, &["new"]);
    let moving = made_but(&wanted(), |a| only_service(a).is_propagating = true);
    let empty =
        Step::DeregisterTargets(DeregisterTargets { target_group: "tg".into(), targets: targets(&[1]) });
    let wait = Step::AwaitPropagation(AwaitPropagation { target_groups: ["tg".to_owned()].into() });
    let because = "requests may still be on the way to tg";
    refused(&desired, &moving, empty.clone(), because);
    let judged = found(&desired, &moving, vec![wait, empty.clone()]);
    assert!(!judged.iter().any(|message| message.contains(because)), "{judged:?}");
    let moves = RuleUpdate { action: Some(forward(&[("new", 1)])), ..no_change(RULE_A) };
    let judged = found(&desired, &made(&wanted()), vec![update_rule(moves), empty.clone()]);
    assert!(judged.iter().any(|message| message.contains(because)), "{judged:?}");
    // A service that goes takes its requests with it.
    let judged = found(&nothing(), &moving, vec![empty]);
    assert!(!judged.iter().any(|message| message.contains(because)), "{judged:?}");
    let unknown = Step::AwaitPropagation(AwaitPropagation { target_groups: ["nowhere".to_owned()].into() });
    refused(&desired, &moving, unknown, "target group nowhere is not there");
}

#[test]
fn nothing_goes_that_something_else_needs() {
    let actual = made(&wanted());
    let step = Step::DeleteService(DeleteService { service: "s".into(), id: "svc-s".into() });
    refused(&nothing(), &actual, step, "still has");
    let step = Step::DeleteTargetGroup(DeleteTargetGroup { target_group: "tg".into(), id: "tg-tg".into() });
    refused(&nothing(), &actual, step.clone(), "used by service s");
    let draining = made_but(&wanted(), |a| {
        a.services.clear();
        only_group(a).service_arns.clear();
        only_group(a).targets[0].health = TargetHealth::Draining;
    });
    refused(&nothing(), &draining, step, "tg still has 1 targets, 1 draining");
    let actual = Actual {
        networks: vec![network("net", Ownership::Ours)],
        vpc_associations: vec![vpc_association("net", Status::DeleteInProgress, Ownership::Ours)],
        ..Actual::default()
    };
    let step = Step::DeleteNetwork(DeleteNetwork { network: "net".into(), id: "sn-net".into() });
    refused(&nothing(), &actual, step, "still has");
}

#[test]
fn nothing_is_changed_or_deleted_while_it_is_being_made() {
    let actual = made_but(&wanted(), |a| only_association(a).status = Status::CreateInProgress);
    let step = Step::DeleteAssociation(DeleteAssociation {
        service: "s".into(),
        network: "net".into(),
        id: "snsa-s-net".into(),
    });
    refused(&nothing(), &actual, step, "deleted while CreateInProgress");
    let actual = made_but(&wanted(), |a| {
        only_service(a).status = Status::CreateInProgress;
        only_service(a).associations.clear();
    });
    let step = Step::DeleteService(DeleteService { service: "s".into(), id: "svc-s".into() });
    refused(&nothing(), &actual, step, "svc-s is deleted while CreateInProgress");
    let actual =
        made_but(&simple_route(vec![], &["tg"]), |a| only_group(a).status = Status::CreateInProgress);
    let step = Step::DeleteTargetGroup(DeleteTargetGroup { target_group: "tg".into(), id: "tg-tg".into() });
    refused(&nothing(), &actual, step, "tg-tg is deleted while CreateInProgress");
    let actual = Actual {
        networks: vec![network("net", Ownership::Ours)],
        vpc_associations: vec![vpc_association("net", Status::UpdateInProgress, Ownership::Ours)],
        ..Actual::default()
    };
    let groups = ["sg-1".to_owned()].into();
    let step = Step::UpdateVpcAssociation(UpdateVpcAssociation {
        id: "snva-net".into(),
        network: "net".into(),
        vpc: "vpc-1".into(),
        security_groups: groups,
        private_dns: PrivateDns::default(),
    });
    refused(&gateway(&["vpc-1"]), &actual, step, "changed while UpdateInProgress");
}

#[test]
fn nothing_is_associated_with_a_network_that_is_not_allowed() {
    let foreign = || vec![network("net", Ownership::Foreign)];
    let actual = Actual { networks: foreign(), ..Actual::default() };
    let vpc = Step::CreateVpcAssociation(CreateVpcAssociation {
        network: "net".into(),
        vpc: "vpc-1".into(),
        security_groups: [].into(),
        private_dns: PrivateDns::default(),
        tags: owner().tags(),
    });
    refused(&gateway(&["vpc-1"]), &actual, vpc, "service network net may not be used");
    let actual = made_but(&wanted(), |a| {
        a.networks = foreign();
        only_service(a).associations.clear();
    });
    let service = Step::CreateAssociation(CreateAssociation {
        service: "s".into(),
        network: "net".into(),
        tags: owner().tags(),
    });
    refused(&wanted(), &actual, service, "service network net may not be used");
}

#[test]
fn security_groups_are_never_set_to_none() {
    let actual = made(&gateway(&["vpc-1"]));
    let id = actual.vpc_associations[0].id.clone();
    let step = Step::UpdateVpcAssociation(UpdateVpcAssociation {
        id,
        network: "net".into(),
        vpc: "vpc-1".into(),
        security_groups: [].into(),
        private_dns: PrivateDns::default(),
    });
    refused(&gateway(&["vpc-1"]), &actual, step, "last security group");
}

#[test]
fn names_must_be_known_when_they_are_used() {
    let association = Step::CreateAssociation(CreateAssociation {
        service: "s".into(),
        network: "net".into(),
        tags: owner().tags(),
    });
    refused(&wanted(), &only_network(), association, "service s is not there");
    refused(
        &wanted(),
        &only_network(),
        Step::AwaitService(AwaitService { service: "s".into() }),
        "service s is not there",
    );
    let wait = Step::AwaitDrained(AwaitDrained { target_group: "tg".into(), id: "tg-tg".into() });
    refused(&wanted(), &only_network(), wait, "target group tg-tg is not there");
    let vpc = Step::CreateVpcAssociation(CreateVpcAssociation {
        network: "net".into(),
        vpc: "vpc-1".into(),
        security_groups: [].into(),
        private_dns: PrivateDns::default(),
        tags: owner().tags(),
    });
    refused(&gateway(&["vpc-1"]), &Actual::default(), vpc, "service network net is not there");
}

#[test]
fn one_target_group_never_serves_two_services() {
    let mut both = wanted();
    let mut second = both.services[0].clone();
    second.name = "s2".into();
    both.services.push(second);
    let made_one = made(&both);
    assert!(made_one.services.iter().any(|s| s.name == "s2"));
    let create = |service: &str| {
        Step::CreateListener(CreateListener {
            service: service.into(),
            listener: "l".into(),
            port: 81,
            protocol: ListenerProtocol::Http,
            default_action: forward(&[("tg", 1)]),
            tags: owner().tags(),
        })
    };
    let messages = found(&both, &made_one, vec![create("s2")]);
    assert!(messages.iter().any(|m| m.contains("used by s2 and by another service")), "{messages:?}");
}
