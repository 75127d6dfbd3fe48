//! Resource gateways, resource configurations and their associations with service networks.

use crate::support::{assert_in_order, network, owner, plan_within, planned, unique, violation};
use crate::worlds::{NETWORKS, held_tags, ownerships, statuses, tags_there};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::BTreeSet;
use trellis_lattice::{
    Actual, ActualResourceAssociation, ActualResourceConfiguration, ActualResourceGateway, Blocked,
    CreateResourceAssociation, CreateResourceConfiguration, DeleteResourceAssociation,
    DeleteResourceConfiguration, DeleteResourceGateway, Desired, DesiredResourceConfiguration,
    DesiredResourceGateway, Grace, Limits, Mode, Ownership, ResourceDefinition, ResourceFamily, Status,
    TAG_UNWANTED, Tags, UpdateResourceGateway, ViolationKind, settle, simulate,
};

const GATEWAYS: [&str; 2] = ["gate-1", "gate-2"];
const CONFIGURATIONS: [&str; 3] = ["res-1", "res-2", "res-3"];

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn gateway(name: &str, groups: &[&str]) -> DesiredResourceGateway {
    DesiredResourceGateway {
        name: name.into(),
        vpc: "vpc-1".into(),
        subnets: set(&["subnet-a"]),
        security_groups: set(groups),
        family: ResourceFamily::Ipv4,
        ipv4_addresses_per_eni: None,
        tags: Tags::new(),
    }
}

fn dns(name: &str) -> ResourceDefinition {
    ResourceDefinition::Dns { domain_name: name.into(), family: ResourceFamily::Ipv4 }
}

fn configuration(name: &str, networks: &[&str]) -> DesiredResourceConfiguration {
    DesiredResourceConfiguration {
        name: name.into(),
        gateway: "gate-1".into(),
        definition: dns("db.internal"),
        port_ranges: set(&["5432"]),
        custom_domain: None,
        networks: set(networks),
        tags: Tags::new(),
    }
}

fn opening(groups: &[&str]) -> Desired {
    Desired { resource_gateways: vec![gateway("gate-1", groups)], ..Desired::nothing(owner()) }
}

fn offering(configurations: Vec<DesiredResourceConfiguration>) -> Desired {
    Desired { resource_configurations: configurations, ..Desired::nothing(owner()) }
}

fn held_gateway(name: &str, status: Status, ownership: Ownership) -> ActualResourceGateway {
    ActualResourceGateway {
        id: format!("rgw-0-{name}"),
        arn: format!("arn:rgw-0-{name}"),
        name: name.into(),
        status,
        security_groups: set(&["sg-1"]),
        users: BTreeSet::new(),
        tags: held_tags(&ownership, Tags::new()),
        ownership,
    }
}

/// The gateway of another unit, and a network.
fn beside() -> Actual {
    Actual {
        networks: vec![network("net", Ownership::OtherUnit("gateway/net".into()))],
        resource_gateways: vec![held_gateway(
            "gate-1",
            Status::Active,
            Ownership::OtherUnit("resource/gate-1".into()),
        )],
        ..Actual::default()
    }
}

fn after(desired: &Desired, actual: &Actual) -> Actual {
    settle(&simulate(actual, &plan_within(desired, actual, &Limits::default())))
}

/// Wishes of a made-up world.
pub(crate) fn wishes()
-> impl Strategy<Value = (Vec<DesiredResourceGateway>, Vec<DesiredResourceConfiguration>)> {
    let gateways = subsequence(GATEWAYS.to_vec(), 0..=2);
    let gateways = (gateways, vec(btree_set("sg-[12]", 0..2), 2)).prop_map(|(names, groups)| {
        let named = names.into_iter().zip(groups);
        let made = named
            .map(|(name, groups)| DesiredResourceGateway { security_groups: groups, ..gateway(name, &[]) });
        made.collect::<Vec<_>>()
    });
    let resource = (select(vec!["a.internal", "b.internal"]), btree_set("54[12]", 1..3));
    let one = (select(CONFIGURATIONS.to_vec()), select(GATEWAYS.to_vec()), resource, 0..4_usize);
    let configurations = vec(one, 0..3).prop_map(|all| {
        let made = all.into_iter().map(|(name, gateway, (resource, ports), networks)| {
            DesiredResourceConfiguration {
                gateway: gateway.into(),
                definition: dns(resource),
                port_ranges: ports,
                custom_domain: domain_of(name),
                ..configuration(name, &networks_of(networks))
            }
        });
        unique(made.collect(), |one| one.name.clone())
    });
    (gateways, configurations)
}

/// A name tells which domain it is of; the first two have one.
fn domain_of(name: &str) -> Option<String> {
    (name != "res-3").then(|| "db.example.com".into())
}

fn networks_of(bits: usize) -> Vec<&'static str> {
    let chosen = NETWORKS.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
    chosen.map(|(_, name)| *name).collect()
}

fn association() -> impl Strategy<Value = ActualResourceAssociation> {
    (select(NETWORKS.to_vec()), statuses(), ownerships(), tags_there()).prop_map(
        |(network, status, ownership, tags)| ActualResourceAssociation {
            id: format!("snra-0-{network}"),
            arn: format!("arn:snra-0-{network}"),
            network: network.into(),
            status,
            dns_name: None,
            tags: held_tags(&ownership, tags),
            ownership,
        },
    )
}

/// What is there in a made-up world.
pub(crate) fn actuals()
-> impl Strategy<Value = (Vec<ActualResourceGateway>, Vec<ActualResourceConfiguration>)> {
    let gateway = (select(GATEWAYS.to_vec()), statuses(), ownerships(), tags_there(), any::<bool>());
    let gateways = vec(gateway, 0..3).prop_map(|all| {
        let made = all.into_iter().map(|(name, status, ownership, tags, is_used)| ActualResourceGateway {
            users: if is_used { set(&["stranger"]) } else { BTreeSet::new() },
            tags: held_tags(&ownership, tags),
            ..held_gateway(name, status, ownership)
        });
        unique(made.collect(), |one| one.name.clone())
    });
    let resource = (select(vec!["a.internal", "b.internal"]), btree_set("54[12]", 1..3));
    let whose = (ownerships(), tags_there());
    let one = (select(CONFIGURATIONS.to_vec()), statuses(), resource, vec(association(), 0..3), whose);
    let configurations = vec(one, 0..3).prop_map(|all| {
        let made = all.into_iter().map(|(name, status, resource, associations, (ownership, tags))| {
            let (resource, port_ranges) = resource;
            let associations = associations.into_iter().map(|one| ActualResourceAssociation {
                id: format!("{}-{name}", one.id),
                arn: format!("{}-{name}", one.arn),
                ..one
            });
            ActualResourceConfiguration {
                id: format!("rcfg-0-{name}"),
                arn: format!("arn:rcfg-0-{name}"),
                name: name.into(),
                status,
                definition: Some(dns(resource)),
                port_ranges,
                custom_domain: domain_of(name),
                associations: unique(associations.collect(), |one| one.network.clone()),
                tags: held_tags(&ownership, tags),
                ownership,
            }
        });
        unique(made.collect(), |one| one.name.clone())
    });
    (gateways, configurations)
}

#[test]
fn a_gateway_is_made_and_waited_for_and_its_security_groups_change_in_place() {
    let nothing = Actual::default();
    assert_eq!(
        planned(&opening(&["sg-1"]), &nothing),
        "+ resource gateway gate-1 vpc-1 subnet-a sg-1\n… wait for resource gateway gate-1\n"
    );
    let there = after(&opening(&["sg-1"]), &nothing);
    assert_eq!(planned(&opening(&["sg-1"]), &there), "");
    assert_eq!(
        planned(&opening(&["sg-2"]), &there),
        "~ resource gateway gate-1 security groups sg-2\n… wait for resource gateway gate-1\n"
    );
}

#[test]
fn a_resource_is_associated_once_it_is_active() {
    let text = planned(&offering(vec![configuration("res-1", &["net"])]), &beside());
    assert_eq!(
        text,
        "+ resource configuration res-1 db.internal:5432 through gate-1\n\
         … wait for resource configuration res-1\n\
         + resource association res-1 net\n\
         … wait for resource association res-1 net\n"
    );
}

#[test]
fn a_resource_waits_for_a_gateway_that_is_being_made_and_is_blocked_without_one() {
    let desired = offering(vec![configuration("res-1", &["net"])]);
    let mut actual = beside();
    actual.resource_gateways[0].status = Status::CreateInProgress;
    assert_in_order(
        &planned(&desired, &actual),
        &[
            "… wait for resource gateway gate-1",
            "+ resource configuration res-1 db.internal:5432 through gate-1",
        ],
    );
    actual.resource_gateways.clear();
    let plan = plan_within(&desired, &actual, &Limits::default());
    assert!(matches!(plan.blocked[..], [Blocked::ResourceGatewayMissing { .. }]), "{plan}");
    assert!(plan.steps.is_empty(), "{plan}");
}

#[test]
fn a_strangers_gateway_is_led_through_by_nobody() {
    let mut actual = beside();
    actual.resource_gateways[0].ownership = Ownership::Foreign;
    let plan = plan_within(&offering(vec![configuration("res-1", &["net"])]), &actual, &Limits::default());
    assert!(matches!(plan.blocked[..], [Blocked::ResourceNameTaken { .. }]), "{plan}");
    assert!(plan.steps.is_empty(), "{plan}");
}

#[test]
fn what_a_resource_is_and_its_ports_change_in_place() {
    let there = after(&offering(vec![configuration("res-1", &["net"])]), &beside());
    let moved = DesiredResourceConfiguration {
        definition: ResourceDefinition::Ip { address: "10.0.0.9".into() },
        port_ranges: set(&["5432", "6000-6010"]),
        ..configuration("res-1", &["net"])
    };
    assert_eq!(
        planned(&offering(vec![moved]), &there),
        "~ resource configuration res-1 10.0.0.9:5432, 6000-6010\n… wait for resource configuration res-1\n"
    );
}

#[test]
fn what_nobody_wants_leaves_its_networks_first_then_goes_and_is_waited_for() {
    let there = after(&offering(vec![configuration("res-1", &["net"])]), &beside());
    assert_eq!(
        planned(&Desired::nothing(owner()), &there),
        "- resource association res-1 net\n\
         … wait for the end of resource association res-1 net\n\
         - resource configuration res-1\n\
         … wait for the end of resource configuration res-1\n"
    );
}

#[test]
fn a_gateway_stays_as_long_as_resources_lead_through_it() {
    let mut there = after(&opening(&["sg-1"]), &Actual::default());
    assert_eq!(planned(&Desired::nothing(owner()), &there), "- resource gateway gate-1\n");
    there.resource_gateways[0].users = set(&["res-1"]);
    let plan = plan_within(&Desired::nothing(owner()), &there, &Limits::default());
    assert!(matches!(plan.blocked[..], [Blocked::ResourceGatewayInUse { .. }]), "{plan}");
    assert!(plan.steps.is_empty(), "{plan}");
}

#[test]
fn a_resource_that_takes_anothers_domain_comes_when_that_has_left_the_network() {
    let named = |name: &str| DesiredResourceConfiguration {
        custom_domain: Some("db.example.com".into()),
        ..configuration(name, &["net"])
    };
    let there = after(&offering(vec![named("res-1")]), &beside());
    assert_in_order(
        &planned(&offering(vec![named("res-2")]), &there),
        &[
            "+ resource configuration res-2 db.internal:5432 as db.example.com through gate-1",
            "- resource association res-1 net",
            "… wait for the end of resource association res-1 net",
            "+ resource association res-2 net with private DNS",
            "- resource configuration res-1",
        ],
    );
    // Where nothing is deleted the place is not free.
    let upsert = Desired { mode: Mode::Upsert, ..offering(vec![named("res-2")]) };
    let plan = plan_within(&upsert, &there, &Limits::default());
    assert!(!plan.steps.iter().any(|step| step.to_string().contains("association res-2")), "{plan}");
}

#[test]
fn what_is_gone_for_a_moment_is_marked_and_stays() {
    let at = |now, desired: Desired| Desired { grace: Some(Grace { now, seconds: 20 }), ..desired };
    let wish = || offering(vec![configuration("res-1", &["net"])]);
    let before = after(&wish(), &beside());
    let marking = plan_within(&at(1_000, Desired::nothing(owner())), &before, &Limits::default());
    let marked = settle(&simulate(&before, &marking));
    assert_eq!(marked.resource_configurations[0].tags[TAG_UNWANTED], "1000");
    assert_eq!(planned(&at(1_019, Desired::nothing(owner())), &marked), "");
    let back = planned(&at(1_010, wish()), &marked);
    assert!(back.contains("trellis:unwanted-since=\n") && !back.contains('+'), "{back}");
    assert!(planned(&at(1_020, Desired::nothing(owner())), &marked).starts_with("- resource association"));
    let elsewhere = planned(&at(1_000, offering(vec![configuration("res-1", &[])])), &before);
    assert_eq!(elsewhere, "~ tags of arn:snra-res-1-net trellis:unwanted-since=1000\n");
}

#[test]
fn one_that_failed_is_made_anew_with_its_association() {
    let mut there = after(&offering(vec![configuration("res-1", &["net"])]), &beside());
    there.resource_configurations[0].status = Status::CreateFailed;
    assert_in_order(
        &planned(&offering(vec![configuration("res-1", &["net"])]), &there),
        &[
            "- resource association res-1 net",
            "- resource configuration res-1",
            "… wait for the end of resource configuration res-1",
            "+ resource configuration res-1 db.internal:5432 through gate-1",
            "+ resource association res-1 net",
        ],
    );
}

#[test]
fn an_association_of_others_holds_a_resource() {
    let mut there = after(&offering(vec![configuration("res-1", &["net"])]), &beside());
    there.resource_configurations[0].associations[0].ownership = Ownership::Foreign;
    let plan = plan_within(&Desired::nothing(owner()), &there, &Limits::default());
    assert!(matches!(plan.blocked[..], [Blocked::ResourceInUse { .. }]), "{plan}");
    assert!(plan.steps.is_empty(), "{plan}");
}

#[test]
fn the_checker_lets_nothing_go_that_is_wanted_or_still_needed() {
    let wish = offering(vec![configuration("res-1", &["net"])]);
    let there = after(&wish, &beside());
    let held = &there.resource_configurations[0];
    let leave = DeleteResourceAssociation {
        configuration: "res-1".into(),
        network: "net".into(),
        id: held.associations[0].id.clone(),
    };
    let delete = DeleteResourceConfiguration { configuration: "res-1".into(), id: held.id.clone() };
    assert!(matches!(violation(&wish, &there, leave.clone()), Some(ViolationKind::Wanted { .. })));
    assert!(matches!(violation(&wish, &there, delete.clone()), Some(ViolationKind::Wanted { .. })));
    let nothing = Desired::nothing(owner());
    assert_eq!(violation(&nothing, &there, leave), None);
    assert!(matches!(violation(&nothing, &there, delete), Some(ViolationKind::StillHas { .. })));
    let mut opened = after(&opening(&["sg-1"]), &Actual::default());
    let close =
        DeleteResourceGateway { gateway: "gate-1".into(), id: opened.resource_gateways[0].id.clone() };
    assert_eq!(violation(&nothing, &opened, close.clone()), None);
    opened.resource_gateways[0].users = set(&["res-1"]);
    assert!(matches!(violation(&nothing, &opened, close.clone()), Some(ViolationKind::InUse { .. })));
    opened.resource_gateways[0].ownership = Ownership::Foreign;
    assert!(matches!(violation(&nothing, &opened, close), Some(ViolationKind::NotOurs { .. })));
}

#[test]
fn the_checker_lets_nothing_be_made_that_nobody_wants_or_through_a_strangers_gateway() {
    let wish = offering(vec![configuration("res-1", &["net"])]);
    let create = |ports: &[&str]| CreateResourceConfiguration {
        configuration: "res-1".into(),
        gateway: "gate-1".into(),
        definition: dns("db.internal"),
        port_ranges: set(ports),
        custom_domain: None,
        tags: owner().tags(),
    };
    let mut actual = beside();
    assert_eq!(violation(&wish, &actual, create(&["5432"])), None);
    let all_ports = violation(&wish, &actual, create(&["1-65535"]));
    assert!(matches!(all_ports, Some(ViolationKind::Unwanted { .. })), "{all_ports:?}");
    actual.resource_gateways[0].ownership = Ownership::Foreign;
    let strangers = violation(&wish, &actual, create(&["5432"]));
    assert!(matches!(strangers, Some(ViolationKind::NotAllowed { .. })), "{strangers:?}");
    let associate = |network: &str| CreateResourceAssociation {
        configuration: "res-1".into(),
        network: network.into(),
        private_dns: false,
        tags: owner().tags(),
    };
    let made = after(&offering(vec![configuration("res-1", &[])]), &beside());
    assert_eq!(violation(&wish, &made, associate("net")), None);
    let mut foreign = made.clone();
    foreign.networks[0].ownership = Ownership::Foreign;
    let barred = violation(&wish, &foreign, associate("net"));
    assert!(matches!(barred, Some(ViolationKind::NotAllowed { .. })), "{barred:?}");
    let opened = after(&opening(&["sg-1"]), &Actual::default());
    let widen = UpdateResourceGateway {
        gateway: "gate-1".into(),
        id: opened.resource_gateways[0].id.clone(),
        security_groups: set(&["sg-2"]),
    };
    let widened = violation(&opening(&["sg-1"]), &opened, widen);
    assert!(matches!(widened, Some(ViolationKind::Unwanted { .. })), "{widened:?}");
}
