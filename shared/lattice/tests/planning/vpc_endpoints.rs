//! VPC endpoints of the service network.

use crate::support::{
    VPC, assert_in_order, gateway, made, made_but, network, owner, plan_within, planned, violation,
};
use crate::worlds::{NETWORKS, VPCS, held_tags, ownerships, statuses, tags_there};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{
    Actual, ActualVpcEndpoint, Blocked, CreateVpcEndpoint, DeleteNetwork, DeleteVpcEndpoint, Desired,
    DesiredVpcEndpoint, Grace, Limits, Ownership, Status, TAG_UNWANTED, Tags, UpdateVpcEndpoint,
    ViolationKind, settle, simulate,
};

/// Two subnets in one zone, one in another.
const SUBNETS: [(&str, &str); 3] = [("subnet-a", "az1"), ("subnet-b", "az2"), ("subnet-c", "az1")];

pub(crate) fn zones() -> BTreeMap<String, String> {
    SUBNETS.iter().map(|(subnet, zone)| ((*subnet).to_owned(), (*zone).to_owned())).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn wish(subnets: &[&str], one_for_each_zone: bool, groups: &[&str]) -> DesiredVpcEndpoint {
    DesiredVpcEndpoint {
        network: "net".into(),
        vpc: VPC.into(),
        subnets: set(subnets),
        one_for_each_zone,
        security_groups: set(groups),
        tags: Tags::new(),
    }
}

fn wanting(endpoint: DesiredVpcEndpoint) -> Desired {
    Desired { vpc_endpoints: vec![endpoint], ..gateway(&[]) }
}

/// One for each zone, with the security group `sg-1`.
fn usual() -> Desired {
    wanting(wish(&["subnet-a", "subnet-b", "subnet-c"], true, &["sg-1"]))
}

fn zoned() -> Actual {
    Actual { subnet_zones: zones(), ..Actual::default() }
}

fn there(desired: &Desired) -> Actual {
    settle(&simulate(&zoned(), &plan_within(desired, &zoned(), &Limits::default())))
}

fn held(id: &str, network: &str, vpc: &str, status: Status, ownership: Ownership) -> ActualVpcEndpoint {
    ActualVpcEndpoint {
        id: id.into(),
        arn: format!("arn:aws:ec2:r:1:vpc-endpoint/{id}"),
        network: network.into(),
        vpc: vpc.into(),
        status,
        subnets: set(&["subnet-a"]),
        security_groups: set(&["sg-1"]),
        names: BTreeMap::new(),
        tags: held_tags(&ownership, Tags::new()),
        ownership,
    }
}

/// Wishes of a made-up world.
pub(crate) fn wishes() -> impl Strategy<Value = Vec<DesiredVpcEndpoint>> {
    let settings =
        (btree_set(select(vec!["subnet-a", "subnet-b", "subnet-c", "subnet-gone"]), 0..4), any::<bool>());
    let one = (select(NETWORKS.to_vec()), select(VPCS.to_vec()), settings, btree_set("sg-[12]", 0..2));
    vec(one, 0..3).prop_map(|all| {
        let made =
            all.into_iter().map(|(network, vpc, (subnets, each), security_groups)| DesiredVpcEndpoint {
                network: network.into(),
                vpc: vpc.into(),
                subnets: subnets.into_iter().map(str::to_owned).collect(),
                one_for_each_zone: each,
                security_groups,
                tags: Tags::new(),
            });
        made.collect()
    })
}

/// Endpoints of a made-up world: several may be of one VPC and network.
pub(crate) fn actuals() -> impl Strategy<Value = Vec<ActualVpcEndpoint>> {
    let settings =
        (btree_set(select(vec!["subnet-a", "subnet-b", "subnet-c"]), 1..3), btree_set("sg-[12]", 1..3));
    let whose = (ownerships(), tags_there());
    let one = (select(NETWORKS.to_vec()), select(VPCS.to_vec()), statuses(), settings, whose);
    vec(one, 0..4).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        let made = numbered.map(|(at, (network, vpc, status, (subnets, groups), (ownership, tags)))| {
            ActualVpcEndpoint {
                subnets: subnets.into_iter().map(str::to_owned).collect(),
                security_groups: groups,
                tags: held_tags(&ownership, tags),
                ..held(&format!("vpce-{at}"), network, vpc, status, ownership)
            }
        });
        made.collect()
    })
}

#[test]
fn an_endpoint_follows_its_network_is_in_one_subnet_of_each_zone_and_is_waited_for() {
    assert_eq!(
        planned(&usual(), &zoned()),
        "+ service network net\n\
         + VPC endpoint net vpc-1 subnet-a subnet-b sg-1\n\
         … wait for VPC endpoint net vpc-1\n"
    );
}

#[test]
fn a_subnet_that_an_endpoint_is_in_is_not_changed_for_another_of_its_zone() {
    let mut actual = there(&usual());
    actual.vpc_endpoints[0].subnets = set(&["subnet-b", "subnet-c"]);
    assert_eq!(planned(&usual(), &actual), "");
    let named = wanting(wish(&["subnet-a"], false, &["sg-1"]));
    let text = planned(&named, &actual);
    assert!(text.starts_with("~ VPC endpoint net vpc-1 +subnet-a -subnet-b -subnet-c\n"), "{text}");
}

#[test]
fn security_groups_are_changed_in_place_and_without_any_named_stay() {
    let actual = there(&usual());
    let other = wanting(wish(&["subnet-a", "subnet-b"], true, &["sg-2"]));
    assert_eq!(
        planned(&other, &actual),
        "~ VPC endpoint net vpc-1 +sg-2 -sg-1\n… wait for VPC endpoint net vpc-1\n"
    );
    assert_eq!(planned(&wanting(wish(&["subnet-a", "subnet-b"], true, &[])), &actual), "");
}

#[test]
fn without_a_subnet_that_is_there_nothing_is_made_and_what_is_there_keeps_its_own() {
    let lost = wanting(wish(&["subnet-gone"], true, &["sg-1"]));
    let plan = plan_within(&lost, &zoned(), &Limits::default());
    assert!(matches!(plan.blocked[..], [Blocked::EndpointWithoutSubnets { .. }]), "{plan}");
    assert_eq!(plan.steps.len(), 1, "the network is made: {plan}");
    assert_eq!(planned(&lost, &there(&usual())), "");
}

#[test]
fn an_endpoint_that_nobody_wants_goes_before_its_network() {
    assert_eq!(
        planned(&Desired::nothing(owner()), &there(&usual())),
        "- VPC endpoint net vpc-1\n\
         … wait until VPC endpoint net vpc-1 is gone\n\
         - service network net\n"
    );
}

#[test]
fn a_strangers_endpoint_is_neither_used_nor_changed_nor_deleted() {
    let mut actual = there(&gateway(&[]));
    actual.subnet_zones = zones();
    actual.vpc_endpoints = vec![held("vpce-9", "net", VPC, Status::Active, Ownership::Foreign)];
    assert!(planned(&usual(), &actual).starts_with("+ VPC endpoint net vpc-1"), "one of our own is made");
    assert_eq!(planned(&Desired::nothing(owner()), &actual), "- service network net\n");
}

#[test]
fn of_two_that_a_lost_answer_left_the_one_whose_id_is_less_stays() {
    let mut actual = there(&usual());
    let second = ActualVpcEndpoint { id: "vpce-zzz".into(), ..actual.vpc_endpoints[0].clone() };
    actual.vpc_endpoints.push(second);
    let plan = plan_within(&usual(), &actual, &Limits::default());
    let steps: Vec<_> = plan.steps.iter().collect();
    assert!(
        matches!(steps[..], [trellis_lattice::Step::DeleteVpcEndpoint(DeleteVpcEndpoint { id, .. })] if id == "vpce-zzz"),
        "{plan}"
    );
}

#[test]
fn one_that_failed_is_made_anew_and_one_that_is_going_is_in_nobodys_way() {
    let failed = |status| {
        let mut actual = there(&usual());
        actual.vpc_endpoints[0].status = status;
        actual.vpc_endpoints[0].id = "vpce-old".into();
        planned(&usual(), &actual)
    };
    let (make, wait) =
        ("+ VPC endpoint net vpc-1 subnet-a subnet-b sg-1", "… wait for VPC endpoint net vpc-1");
    assert_in_order(&failed(Status::CreateFailed), &[make, wait, "- VPC endpoint net vpc-1"]);
    assert_eq!(failed(Status::DeleteInProgress), format!("{make}\n{wait}\n"));
}

#[test]
fn an_endpoint_that_is_gone_for_a_moment_is_marked_and_stays_with_its_network() {
    let at = |now, desired: Desired| Desired { grace: Some(Grace { now, seconds: 20 }), ..desired };
    let before = there(&usual());
    let marking = plan_within(&at(1_000, Desired::nothing(owner())), &before, &Limits::default());
    assert_eq!(marking.steps.len(), 2, "both are marked: {marking}");
    let marked = settle(&simulate(&before, &marking));
    assert_eq!(marked.vpc_endpoints[0].tags[TAG_UNWANTED], "1000");
    assert_eq!(planned(&at(1_019, Desired::nothing(owner())), &marked), "");
    let back = planned(&at(1_010, usual()), &marked);
    assert!(back.contains("trellis:unwanted-since=\n") && !back.contains('+'), "{back}");
    assert!(
        planned(&at(1_020, Desired::nothing(owner())), &marked).starts_with("- VPC endpoint net vpc-1\n")
    );
}

#[test]
fn an_association_of_a_vpc_goes_after_the_endpoint_in_its_place_is_available() {
    let actual = Actual { subnet_zones: zones(), ..made(&gateway(&[VPC])) };
    assert_in_order(
        &planned(&usual(), &actual),
        &[
            "+ VPC endpoint net vpc-1 subnet-a subnet-b sg-1",
            "… wait for VPC endpoint net vpc-1",
            "- VPC association net vpc-1",
        ],
    );
}

fn create(subnets: &[&str], groups: &[&str], tags: Tags) -> CreateVpcEndpoint {
    let (subnets, security_groups) = (set(subnets), set(groups));
    CreateVpcEndpoint { network: "net".into(), vpc: VPC.into(), subnets, security_groups, tags }
}

#[test]
fn the_checker_lets_no_endpoint_be_made_that_lets_in_others_or_stands_elsewhere_than_wished_for() {
    let actual = made_but(&gateway(&[]), |actual| actual.subnet_zones = zones());
    let judged = |step: CreateVpcEndpoint| violation(&usual(), &actual, step);
    let ours = || owner().tags();
    assert_eq!(judged(create(&["subnet-a", "subnet-b"], &["sg-1"], ours())), None);
    assert!(matches!(judged(create(&["subnet-a"], &[], ours())), Some(ViolationKind::Unwanted { .. })));
    assert!(matches!(judged(create(&["subnet-x"], &["sg-1"], ours())), Some(ViolationKind::Unwanted { .. })));
    let twice = create(&["subnet-a", "subnet-c"], &["sg-1"], ours());
    assert!(matches!(judged(twice), Some(ViolationKind::Unwanted { .. })), "two of one zone");
    let bare = create(&["subnet-a"], &["sg-1"], Tags::new());
    assert_eq!(judged(bare), Some(ViolationKind::Unmarked));
    let unasked = violation(&gateway(&[]), &actual, create(&["subnet-a"], &["sg-1"], ours()));
    assert!(matches!(unasked, Some(ViolationKind::Unwanted { .. })));
    let second = violation(&usual(), &there(&usual()), create(&["subnet-a"], &["sg-1"], ours()));
    assert!(matches!(second, Some(ViolationKind::ThereAlready { .. })));
}

#[test]
fn the_checker_lets_nothing_be_done_to_a_strangers_endpoint_or_to_one_that_is_wanted() {
    let mut actual = there(&usual());
    actual.vpc_endpoints[0].id = "vpce-1".into();
    let delete = |id: &str| DeleteVpcEndpoint { network: "net".into(), vpc: VPC.into(), id: id.into() };
    assert!(matches!(violation(&usual(), &actual, delete("vpce-1")), Some(ViolationKind::Wanted { .. })));
    assert!(matches!(violation(&usual(), &actual, delete("vpce-2")), Some(ViolationKind::NotThere { .. })));
    assert_eq!(violation(&Desired::nothing(owner()), &actual, delete("vpce-1")), None);
    actual.vpc_endpoints[0].ownership = Ownership::Foreign;
    let nothing = Desired::nothing(owner());
    assert!(matches!(violation(&nothing, &actual, delete("vpce-1")), Some(ViolationKind::NotOurs { .. })));
    let update = UpdateVpcEndpoint {
        id: "vpce-1".into(),
        network: "net".into(),
        vpc: VPC.into(),
        add_subnets: set(&[]),
        remove_subnets: set(&[]),
        add_groups: set(&["sg-2"]),
        remove_groups: set(&["sg-1"]),
    };
    assert!(matches!(violation(&usual(), &actual, update.clone()), Some(ViolationKind::NotOurs { .. })));
    actual.vpc_endpoints[0].ownership = Ownership::Ours;
    assert!(matches!(violation(&usual(), &actual, update), Some(ViolationKind::Unwanted { .. })));
}

#[test]
fn the_checker_keeps_a_network_as_long_as_an_endpoint_of_ours_is_there() {
    let actual = Actual {
        networks: vec![network("net", Ownership::Ours)],
        vpc_endpoints: vec![held("vpce-1", "net", VPC, Status::DeleteInProgress, Ownership::Ours)],
        ..Actual::default()
    };
    let delete = DeleteNetwork { network: "net".into(), id: "sn-net".into() };
    let found = violation(&Desired::nothing(owner()), &actual, delete);
    assert!(matches!(found, Some(ViolationKind::StillHas { .. })), "{found:?}");
}
