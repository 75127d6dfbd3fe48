use crate::support::{
    assert_in_order, forward, gateway, made, made_but, only_network, other_unit, owner, plan_within, planned,
    rule, simple_route, violation,
};
use crate::worlds::{NETWORKS, SERVICES, held_tags, ownerships};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use trellis_lattice::{
    Actual, ActualAccessLog, Blocked, CreateAccessLog, DeleteAccessLog, Desired, DesiredAccessLog, Holder,
    Limits, Ownership, Tags, UpdateAccessLog, ViolationKind, log_type,
};

const GROUP: &str = "arn:aws:logs:us-west-2:123456789012:log-group:one:*";
const OTHER_GROUP: &str = "arn:aws:logs:us-west-2:123456789012:log-group:two:*";
const BUCKET: &str = "arn:aws:s3:::one";
const STREAM: &str = "arn:aws:firehose:us-west-2:123456789012:deliverystream/one";

/// Wishes of a made-up world.
pub(crate) fn wishes() -> impl Strategy<Value = Vec<DesiredAccessLog>> {
    let wish = (holders(), destinations()).prop_map(|(holder, destination)| DesiredAccessLog {
        holder,
        destination,
        tags: Tags::new(),
    });
    vec(wish, 0..5).prop_map(|wishes| {
        let mut seen = BTreeSet::new();
        let of_type = |one: &DesiredAccessLog| (one.holder.clone(), log_type(&one.destination));
        wishes.into_iter().filter(|one| seen.insert(of_type(one))).collect()
    })
}

/// Subscriptions of a made-up world.
pub(crate) fn actuals() -> impl Strategy<Value = Vec<ActualAccessLog>> {
    let one = (holders(), destinations(), ownerships()).prop_map(|(holder, destination, ownership)| {
        let id = format!("als-0-{}-{destination}", holder.name());
        ActualAccessLog {
            arn: format!("arn:{id}"),
            id,
            holder,
            destination,
            tags: held_tags(&ownership, Tags::new()),
            ownership,
        }
    });
    vec(one, 0..5)
}

/// VPC Lattice itself sees to it that a holder is there and has one subscription of a type.
pub(crate) fn keep_possible(actual: &mut Actual) {
    let Actual { networks, services, access_logs, .. } = actual;
    let mut seen = BTreeSet::new();
    access_logs.retain(|one| {
        let is_there = match &one.holder {
            Holder::Service(name) => services.iter().any(|service| service.name == *name),
            Holder::Network(name) => networks.iter().any(|network| network.name == *name),
        };
        is_there && seen.insert((one.holder.clone(), log_type(&one.destination)))
    });
}

fn holders() -> impl Strategy<Value = Holder> {
    prop_oneof![
        3 => select(SERVICES.to_vec()).prop_map(|name| Holder::Service(name.into())),
        1 => select(NETWORKS.to_vec()).prop_map(|name| Holder::Network(name.into())),
    ]
}

fn destinations() -> impl Strategy<Value = String> {
    select(vec![GROUP, OTHER_GROUP, BUCKET, STREAM]).prop_map(str::to_owned)
}

fn service() -> Holder {
    Holder::Service("s".into())
}

fn logging(holder: &Holder, destinations: &[&str]) -> Vec<DesiredAccessLog> {
    let log = |destination: &&str| DesiredAccessLog {
        holder: holder.clone(),
        destination: (*destination).into(),
        tags: Tags::new(),
    };
    destinations.iter().map(log).collect()
}

fn route(destinations: &[&str]) -> Desired {
    let route = simple_route(vec![rule(1, "/a", forward(&[("tg", 100)]))], &["tg"]);
    Desired { access_logs: logging(&service(), destinations), ..route }
}

#[test]
fn a_new_service_is_logged_before_a_request_can_come() {
    let plan = planned(&route(&[GROUP]), &only_network());
    assert_in_order(
        &plan,
        &["… wait for service s", &format!("+ access log of service s to {GROUP}"), "+ association s net"],
    );
}

#[test]
fn a_service_has_one_log_of_each_type_and_needs_nothing_once_they_are_there() {
    let wanted = route(&[STREAM, BUCKET, GROUP]);
    assert_eq!(made(&wanted).access_logs.len(), 3);
    assert_eq!(planned(&wanted, &made(&wanted)), "");
}

#[test]
fn another_destination_of_the_type_is_changed_in_place() {
    let plan = planned(&route(&[OTHER_GROUP]), &made(&route(&[GROUP])));
    assert_eq!(plan, format!("~ access log of service s to {OTHER_GROUP}\n"));
}

#[test]
fn a_destination_of_another_type_is_there_before_the_old_one_goes() {
    let plan = planned(&route(&[BUCKET]), &made(&route(&[GROUP])));
    let lines =
        [format!("+ access log of service s to {BUCKET}"), format!("- access log of service s to {GROUP}")];
    assert_eq!(plan, lines.map(|line| line + "\n").concat());
}

#[test]
fn what_nobody_wants_any_more_goes_and_a_service_that_goes_takes_it_along() {
    let actual = made(&route(&[GROUP]));
    assert_eq!(planned(&route(&[]), &actual), format!("- access log of service s to {GROUP}\n"));
    let gone = planned(&Desired::nothing(owner()), &actual);
    assert!(!gone.contains("access log"), "{gone}");
}

#[test]
fn a_network_is_logged_and_rid_of_it_before_it_goes() {
    let network = Holder::Network("net".into());
    let wanted = Desired { access_logs: logging(&network, &[GROUP]), ..gateway(&["vpc-1"]) };
    assert!(
        planned(&wanted, &Actual::default())
            .contains(&format!("+ access log of service network net to {GROUP}\n"))
    );
    let gone = planned(&Desired::nothing(owner()), &made(&wanted));
    assert_in_order(
        &gone,
        &[&format!("- access log of service network net to {GROUP}"), "- service network net"],
    );
}

#[test]
fn a_subscription_of_others_stays_and_is_told_of() {
    let wanted = route(&[OTHER_GROUP]);
    let actual = made_but(&route(&[GROUP]), |actual| actual.access_logs[0].ownership = Ownership::Foreign);
    let plan = plan_within(&wanted, &actual, &Limits::default());
    assert!(plan.steps.is_empty(), "{plan}");
    let arn = actual.access_logs[0].arn.clone();
    assert_eq!(plan.blocked, [Blocked::AccessLogTaken { holder: service(), destination: GROUP.into(), arn }]);
}

#[test]
fn nothing_is_put_on_what_others_have() {
    let network = Holder::Network("net".into());
    let wanted = Desired { access_logs: logging(&network, &[GROUP]), ..route(&[]) };
    let mut actual = made(&route(&[]));
    actual.networks[0].ownership = other_unit();
    let plan = plan_within(&wanted, &actual, &Limits::default());
    assert!(plan.steps.is_empty(), "{plan}");
    assert_eq!(plan.blocked, [Blocked::AccessLogsOfOthers { holder: network }]);
}

#[test]
fn the_checker_refuses_what_would_leave_requests_unlogged_or_log_them_unasked() {
    let (old, new) = (made(&route(&[GROUP])), route(&[BUCKET]));
    let (id, holder) = (old.access_logs[0].id.clone(), service());
    let delete = DeleteAccessLog { id: id.clone(), holder: holder.clone(), destination: GROUP.into() };
    assert!(matches!(violation(&new, &old, delete.clone()), Some(ViolationKind::InUse { .. })));
    assert!(matches!(violation(&route(&[GROUP]), &old, delete), Some(ViolationKind::Wanted { .. })));
    let update = UpdateAccessLog { id, holder: holder.clone(), destination: BUCKET.into() };
    assert!(matches!(violation(&new, &old, update), Some(ViolationKind::Taken { .. })));
    let create = |destination: &str| CreateAccessLog {
        holder: holder.clone(),
        destination: destination.into(),
        tags: owner().tags(),
    };
    assert!(matches!(violation(&new, &old, create(STREAM)), Some(ViolationKind::Unwanted { .. })));
    assert!(matches!(
        violation(&route(&[OTHER_GROUP]), &old, create(OTHER_GROUP)),
        Some(ViolationKind::Taken { .. })
    ));
    let unmarked = CreateAccessLog { tags: Tags::new(), ..create(BUCKET) };
    assert!(matches!(violation(&new, &old, unmarked), Some(ViolationKind::Unmarked)));
}
