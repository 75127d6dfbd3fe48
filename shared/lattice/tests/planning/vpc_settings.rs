//! Security groups and private DNS of VPC associations.

use crate::support::{VPC, gateway, made, made_but, owner, planned, violations};
use crate::worlds::worlds;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use trellis_lattice::{
    Blocked, CreateVpcAssociation, Desired, DnsPreference, Limits, Ownership, PrivateDns,
    UpdateVpcAssociation, ViolationKind, apply_step, plan, settle, simulate,
};

/// Worlds of the property.
const WORLDS: u32 = 400;

fn with(groups: &[&str], private_dns: PrivateDns) -> Desired {
    let mut desired = gateway(&[VPC]);
    desired.vpc_associations[0].security_groups = groups.iter().map(|one| (*one).to_owned()).collect();
    desired.vpc_associations[0].private_dns = private_dns;
    desired
}

fn enabled(enabled: bool) -> PrivateDns {
    PrivateDns { enabled: Some(enabled), ..PrivateDns::default() }
}

fn specified(domain: &str) -> PrivateDns {
    PrivateDns {
        enabled: Some(true),
        preference: Some(DnsPreference::SpecifiedDomainsOnly),
        domains: [domain.to_owned()].into(),
    }
}

/// Private DNS of a made-up world.
pub(crate) fn private_dns() -> impl Strategy<Value = PrivateDns> {
    let preference =
        select(vec![None, Some(DnsPreference::AllDomains), Some(DnsPreference::SpecifiedDomainsOnly)]);
    (select(vec![None, Some(true), Some(false)]), preference).prop_map(|(enabled, preference)| {
        let domains = preference.filter(|one| one.specifies()).map(|_| "example.com".to_owned());
        PrivateDns { enabled, preference, domains: domains.into_iter().collect() }
    })
}

#[test]
fn a_new_association_has_its_settings_from_the_first_moment() {
    let text = planned(&with(&["sg-1", "sg-2"], specified("example.com")), &made(&gateway(&[])));
    let expected =
        "+ VPC association net vpc-1 sg-1 sg-2 with private DNS SPECIFIED_DOMAINS_ONLY example.com\n";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn private_dns_is_changed_in_place_and_alone() {
    let before = made(&with(&["sg-1"], PrivateDns::default()));
    let wait = "… wait for VPC association net vpc-1\n";
    let changes = |wanted: &Desired| planned(wanted, &before);
    let change = format!("~ VPC association of vpc-1 with private DNS\n{wait}");
    assert_eq!(changes(&with(&["sg-1"], enabled(true))), change);
    let both = format!("~ VPC association of vpc-1 sg-2 with private DNS\n{wait}");
    assert_eq!(changes(&with(&["sg-2"], enabled(true))), both);
    assert_eq!(changes(&with(&["sg-1"], enabled(false))), "", "what VPC Lattice does not tell is off");
}

#[test]
fn private_dns_that_is_not_named_stays_as_it_is() {
    let before = made(&with(&[], specified("example.com")));
    assert_eq!(planned(&with(&[], PrivateDns::default()), &before), "");
    assert_eq!(planned(&with(&[], enabled(true)), &before), "");
    let text = planned(&with(&[], specified("example.org")), &before);
    assert!(text.contains("SPECIFIED_DOMAINS_ONLY example.org"), "{text}");
}

#[test]
fn groups_that_are_kept_do_not_keep_private_dns_from_changing() {
    let before = made(&with(&["sg-1"], PrivateDns::default()));
    let text = planned(&with(&[], enabled(true)), &before);
    assert!(text.starts_with("~ VPC association of vpc-1 with private DNS\n"), "{text}");
    assert!(text.contains("! the VPC association net vpc-1 keeps its security groups sg-1"), "{text}");
}

#[test]
fn settings_of_an_association_of_others_are_told_with_its_id() {
    let actual = made_but(&gateway(&[VPC]), |a| a.vpc_associations[0].ownership = Ownership::Foreign);
    let plan = plan(&with(&[], enabled(true)), &actual, &Limits::default());
    assert!(plan.steps.is_empty(), "{plan}");
    assert!(
        matches!(&plan.blocked[..], [Blocked::VpcAssociationOfOthers { id, .. }] if *id == actual.vpc_associations[0].id)
    );
}

#[test]
fn the_checker_lets_nobody_in_whom_the_groups_keep_out() {
    let wanted = with(&["sg-1"], PrivateDns::default());
    let create = |groups: &[&str]| CreateVpcAssociation {
        network: "net".into(),
        vpc: VPC.into(),
        security_groups: groups.iter().map(|one| (*one).to_owned()).collect(),
        private_dns: PrivateDns::default(),
        tags: owner().tags(),
    };
    let bare = made(&gateway(&[]));
    assert!(matches!(violations(&wanted, &bare, create(&[]))[..], [ViolationKind::Unwanted { .. }]));
    assert_eq!(violations(&wanted, &bare, create(&["sg-1"])), []);
    let there = made(&gateway(&[VPC]));
    let update = |groups: &[&str]| UpdateVpcAssociation {
        id: there.vpc_associations[0].id.clone(),
        network: "net".into(),
        vpc: VPC.into(),
        security_groups: groups.iter().map(|one| (*one).to_owned()).collect(),
        private_dns: PrivateDns::default(),
    };
    assert!(matches!(violations(&wanted, &there, update(&["sg-2"]))[..], [ViolationKind::Unwanted { .. }]));
    assert_eq!(violations(&wanted, &there, update(&["sg-1"])), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: WORLDS, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn groups_are_as_wanted_or_it_is_said_and_never_become_none(world in worlds()) {
        let plan = plan(&world.desired, &world.actual, &world.limits);
        let mut state = world.actual.clone();
        let had: BTreeMap<String, bool> =
            state.vpc_associations.iter().map(|one| (one.id.clone(), !one.security_groups.is_empty())).collect();
        for step in &plan.steps {
            apply_step(&mut state, &plan.owner, step);
            for one in &state.vpc_associations {
                let lost = had.get(&one.id) == Some(&true) && one.security_groups.is_empty();
                prop_assert!(!lost, "{} lost its last group by {} in\n{}", one.id, step, plan);
            }
        }
        let then = settle(&simulate(&world.actual, &plan));
        for wanted in &world.desired.vpc_associations {
            let same = then.vpc_associations.iter().filter(|one| one.network == wanted.network && one.vpc == wanted.vpc);
            for held in same.filter(|one| one.ownership == Ownership::Ours) {
                let kept = plan.blocked.iter().any(|one| {
                    matches!(one, Blocked::SecurityGroupsKept { vpc, .. } if *vpc == wanted.vpc)
                });
                prop_assert!(kept || held.security_groups == wanted.security_groups, "{:?}\nin\n{}", held, plan);
                prop_assert!(wanted.private_dns.is_met_by(&held.private_dns), "{:?}\nin\n{}", held, plan);
            }
        }
    }
}
