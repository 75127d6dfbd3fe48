use crate::support::{
    assert_in_order, forward, gateway, made, made_but, only_network, only_service, other_unit, owner,
    plan_within, planned, rule, simple_route, violation,
};
use crate::worlds::{NETWORKS, SERVICES};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;
use trellis_lattice::{
    Actual, ActualAuth, Blocked, CreateAssociation, CreateVpcAssociation, Desired, DesiredAuth, Holder,
    Limits, Ownership, PrivateDns, PutAuthPolicy, SetAuthType, TAG_AUTH, ViolationKind, policy_mark,
};

const ONE: &str = r#"{"Statement":[1]}"#;
const TWO: &str = r#"{"Statement":[2]}"#;
const A_PERSONS: &str = r#"{"Statement":["by hand"]}"#;

fn holders() -> impl Strategy<Value = Holder> {
    prop_oneof![
        3 => select(SERVICES.to_vec()).prop_map(|name| Holder::Service(name.into())),
        2 => select(NETWORKS.to_vec()).prop_map(|name| Holder::Network(name.into())),
    ]
}

fn policies(all: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.8, select(all.to_vec()).prop_map(str::to_owned))
}

/// Wishes of a made-up world.
pub(crate) fn wishes() -> impl Strategy<Value = Vec<DesiredAuth>> {
    let wish = (holders(), policies(&[ONE, TWO]), proptest::bool::weighted(0.2))
        .prop_map(|(holder, policy, replaces_others)| DesiredAuth { holder, policy, replaces_others });
    vec(wish, 0..5).prop_map(|wishes| {
        let mut seen = BTreeSet::new();
        wishes.into_iter().filter(|one| seen.insert(one.holder.clone())).collect()
    })
}

/// What holds in a made-up world.
pub(crate) fn actuals() -> impl Strategy<Value = Vec<ActualAuth>> {
    let one = (holders(), any::<bool>(), policies(&[ONE, TWO, A_PERSONS]))
        .prop_map(|(holder, is_closed, policy)| ActualAuth { holder, is_closed, policy });
    vec(one, 0..5)
}

/// Only what is there has an auth type, and one. Every second policy of ours is marked.
pub(crate) fn keep_possible(actual: &mut Actual) {
    let Actual { networks, services, auth, .. } = actual;
    let mut seen = BTreeSet::new();
    auth.retain(|one| {
        let tags = match &one.holder {
            Holder::Service(name) => services.iter_mut().find(|s| s.name == *name).map(|s| &mut s.tags),
            Holder::Network(name) => networks.iter_mut().find(|n| n.name == *name).map(|n| &mut n.tags),
        };
        let is_first = seen.insert(one.holder.clone());
        let Some(tags) = tags.filter(|_| is_first) else { return false };
        if let Some(policy) = one.policy.as_ref().filter(|policy| *policy != A_PERSONS) {
            tags.insert(TAG_AUTH.into(), policy_mark(policy));
        }
        true
    });
}

fn service() -> Holder {
    Holder::Service("s".into())
}

fn network() -> Holder {
    Holder::Network("net".into())
}

fn auth(holder: &Holder, policy: Option<&str>) -> Vec<DesiredAuth> {
    let policy = policy.map(str::to_owned);
    vec![DesiredAuth { holder: holder.clone(), policy, replaces_others: false }]
}

fn bare() -> Desired {
    simple_route(vec![rule(1, "/a", forward(&[("tg", 100)]))], &["tg"])
}

fn route(policy: Option<&str>) -> Desired {
    Desired { auth: auth(&service(), policy), ..bare() }
}

#[test]
fn a_new_service_is_closed_before_anybody_reaches_it() {
    assert_in_order(
        &planned(&route(Some(ONE)), &only_network()),
        &[
            "… wait for service s",
            &format!("~ auth policy of service s {}", policy_mark(ONE)),
            "~ auth type of service s AWS_IAM",
            "+ association s net",
        ],
    );
}

#[test]
fn a_new_network_is_closed_before_a_vpc_is_associated() {
    let wanted = Desired { auth: auth(&network(), Some(ONE)), ..gateway(&["vpc-1"]) };
    assert_in_order(
        &planned(&wanted, &Actual::default()),
        &[
            "+ service network net",
            "~ auth type of service network net AWS_IAM",
            "+ VPC association net vpc-1",
        ],
    );
    assert_eq!(planned(&wanted, &made(&wanted)), "");
}

#[test]
fn a_changed_policy_takes_the_old_ones_place_and_the_service_stays_closed() {
    let plan = planned(&route(Some(TWO)), &made(&route(Some(ONE))));
    assert!(plan.contains(&format!("~ auth policy of service s {}", policy_mark(TWO))), "{plan}");
    assert!(!plan.contains("auth type"), "{plan}");
}

#[test]
fn a_service_that_was_open_gets_its_policy_and_then_is_closed() {
    assert_in_order(
        &planned(&route(Some(ONE)), &made(&bare())),
        &[&format!("~ auth policy of service s {}", policy_mark(ONE)), "~ auth type of service s AWS_IAM"],
    );
}

#[test]
fn what_nobody_asks_for_any_more_stays_closed_and_only_a_person_opens_it() {
    let closed = made(&route(Some(ONE)));
    assert_eq!(planned(&bare(), &closed), "");
    assert_eq!(planned(&route(None), &closed), "~ auth type of service s NONE\n");
}

#[test]
fn a_persons_policy_is_kept_and_nothing_new_reaches_the_service() {
    let actual = made_but(&bare(), |actual| {
        let policy = Some(A_PERSONS.into());
        actual.auth.push(ActualAuth { holder: service(), is_closed: true, policy });
        only_service(actual).associations.clear();
    });
    let plan = plan_within(&route(Some(ONE)), &actual, &Limits::default());
    assert!(plan.steps.is_empty(), "{plan}");
    assert_eq!(plan.blocked, [Blocked::AuthPolicyOfOthers { holder: service() }]);
    let mut asked = route(Some(ONE));
    asked.auth[0].replaces_others = true;
    assert!(planned(&asked, &actual).contains("~ auth policy of service s"));
}

#[test]
fn our_policy_that_a_person_has_changed_is_a_persons() {
    let actual = made_but(&route(Some(ONE)), |actual| actual.auth[0].policy = Some(A_PERSONS.into()));
    let plan = plan_within(&route(Some(ONE)), &actual, &Limits::default());
    assert_eq!(plan.blocked, [Blocked::AuthPolicyOfOthers { holder: service() }]);
}

#[test]
fn a_policy_that_was_cut_off_between_its_mark_and_itself_is_written() {
    let actual = made_but(&route(Some(ONE)), |actual| {
        let marks = format!("{} {}", policy_mark(TWO), policy_mark(ONE));
        only_service(actual).tags.insert(TAG_AUTH.into(), marks);
    });
    assert!(planned(&route(Some(TWO)), &actual).contains("~ auth policy of service s"));
}

#[test]
fn a_mark_is_what_a_migration_computes_as_well() {
    // tests/stack/test_migrate.py
    assert_eq!(policy_mark(r#"{"Version":"2012-10-17","Statement":[]}"#), "8d4ef500412f");
}

#[test]
fn a_network_of_others_gets_no_policy() {
    let mut actual = made(&bare());
    actual.networks[0].ownership = other_unit();
    let wanted = Desired { auth: auth(&network(), Some(ONE)), ..bare() };
    let plan = plan_within(&wanted, &actual, &Limits::default());
    assert!(plan.steps.is_empty(), "{plan}");
    assert_eq!(plan.blocked, [Blocked::AuthOfOthers { holder: network() }]);
}

#[test]
fn the_checker_lets_nobody_reach_what_lacks_its_policy() {
    let open = made_but(&bare(), |actual| only_service(actual).associations.clear());
    let associate = CreateAssociation { service: "s".into(), network: "net".into(), tags: owner().tags() };
    let unsecured = |found| matches!(found, Some(ViolationKind::Unsecured { .. }));
    assert!(unsecured(violation(&route(Some(ONE)), &open, associate.clone())));
    assert_eq!(violation(&bare(), &open, associate), None);
    let wanted = Desired { auth: auth(&network(), Some(ONE)), ..gateway(&["vpc-1"]) };
    let bare_network = made(&gateway(&[]));
    let (network, vpc) = ("net".into(), "vpc-1".into());
    let associate = CreateVpcAssociation {
        network,
        vpc,
        security_groups: [].into(),
        private_dns: PrivateDns::default(),
        tags: owner().tags(),
    };
    assert!(unsecured(violation(&wanted, &bare_network, associate)));
}

#[test]
fn the_checker_opens_nothing_unasked_and_overwrites_nobody() {
    let closed = made(&route(Some(ONE)));
    let open = SetAuthType { holder: service(), is_closed: false };
    assert!(violation(&route(Some(ONE)), &closed, open.clone()).is_some());
    assert!(violation(&bare(), &closed, open.clone()).is_some());
    assert_eq!(violation(&route(None), &closed, open), None);
    let put = |policy: &str| PutAuthPolicy { holder: service(), policy: policy.into() };
    assert!(matches!(violation(&route(Some(TWO)), &closed, put(TWO)), Some(ViolationKind::Unmarked)));
    let by_hand = made_but(&route(Some(ONE)), |actual| actual.auth[0].policy = Some(A_PERSONS.into()));
    assert!(matches!(violation(&route(Some(ONE)), &by_hand, put(ONE)), Some(ViolationKind::Taken { .. })));
    let close = SetAuthType { holder: service(), is_closed: true };
    assert!(violation(&route(Some(ONE)), &by_hand, close).is_some(), "by another policy than the wanted one");
    let theirs = made_but(&route(Some(ONE)), |actual| only_service(actual).ownership = Ownership::Foreign);
    assert!(matches!(violation(&route(Some(ONE)), &theirs, put(ONE)), Some(ViolationKind::NotOurs { .. })));
}
