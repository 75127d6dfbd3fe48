//! Security groups and private DNS of VPC associations against the emulator.

use crate::harness::{Emulator, converge, pass};
use crate::wishes::{VPC, gateway};
use serde_json::json;
use trellis_aws::End;
use trellis_lattice::{
    Blocked, Desired, DnsPreference, PrivateDns, Step, TAG_VPC_POLICY, VpcAssociationOutcome,
};

const ONE: &str = "sg-0a1b2c3d4e5f60001";
const TWO: &str = "sg-0a1b2c3d4e5f60002";

fn with(groups: &[&str], private_dns: PrivateDns) -> Desired {
    let mut wish = gateway(&[VPC]);
    let association = &mut wish.vpc_associations[0];
    association.security_groups = groups.iter().map(|one| (*one).to_owned()).collect();
    association.private_dns = private_dns;
    association.tags.insert(TAG_VPC_POLICY.into(), "cluster".into());
    wish
}

fn dns(preference: DnsPreference, domains: &[&str]) -> PrivateDns {
    let domains = domains.iter().map(|one| (*one).to_owned()).collect();
    PrivateDns { enabled: Some(true), preference: Some(preference), domains }
}

#[tokio::test]
async fn an_association_has_its_settings_from_its_creation_and_changes_in_place() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let domains = dns(DnsPreference::SpecifiedDomainsOnly, &["db.example.com"]);
    converge(&emulator, &lattice, &with(&[ONE, TWO], domains)).await;
    let held = &emulator.state()["serviceNetworkVpcAssociations"][0];
    assert_eq!(held["securityGroupIds"], json!([ONE, TWO]));
    assert_eq!(held["privateDnsEnabled"], json!(true));
    assert_eq!(held["dnsOptions"]["privateDnsSpecifiedDomains"], json!(["db.example.com"]));
    let all = with(&[TWO], dns(DnsPreference::AllDomains, &[]));
    let changed = converge(&emulator, &lattice, &all).await;
    assert!(
        matches!(changed.plan.steps[..], [Step::UpdateVpcAssociation(_), Step::AwaitVpcAssociation(_)]),
        "{}",
        changed.plan
    );
    emulator.reset_calls();
    let settled = pass(&lattice, &all).await;
    assert!(settled.plan.steps.is_empty(), "{}", settled.plan);
    assert_eq!(emulator.calls()["GetServiceNetworkVpcAssociation"], 1);
    let there = VpcAssociationOutcome { network: "my-hotel".into(), vpc: VPC.into() };
    assert!(settled.applied.outcome.vpc_associations.contains(&there));
}

#[tokio::test]
async fn groups_whose_policy_is_gone_stay_and_an_association_without_a_policy_is_not_read() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &with(&[ONE], PrivateDns::default())).await;
    let kept = pass(&lattice, &gateway(&[VPC])).await;
    assert!(kept.plan.steps.is_empty(), "{}", kept.plan);
    assert!(matches!(kept.plan.blocked[..], [Blocked::SecurityGroupsKept { .. }]), "{}", kept.plan);
    assert_eq!(emulator.state()["serviceNetworkVpcAssociations"][0]["securityGroupIds"], json!([ONE]));
    let plain = Emulator::instant();
    let lattice = plain.aws().await.lattice();
    converge(&plain, &lattice, &gateway(&[VPC])).await;
    plain.reset_calls();
    pass(&lattice, &gateway(&[VPC])).await;
    assert!(!plain.calls().contains_key("GetServiceNetworkVpcAssociation"));
}

#[tokio::test]
async fn what_aws_refuses_of_a_new_association_is_told_and_all_else_is_done() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let made = pass(&lattice, &with(&["sg-1234567890"], PrivateDns::default())).await;
    assert!(matches!(made.applied.end, End::Complete), "{:?}", made.applied.end);
    let [refused] = made.applied.outcome.refused_vpcs.as_slice() else {
        panic!("{:?}", made.applied.outcome)
    };
    assert_eq!(refused.vpc, VPC);
    assert!(refused.message.contains("CreateServiceNetworkVpcAssociation"), "{}", refused.message);
    assert_eq!(emulator.state()["serviceNetworks"].as_array().map(Vec::len), Some(1));
    assert!(made.applied.outcome.vpc_associations.is_empty());
}

#[tokio::test]
async fn what_aws_refuses_of_a_change_leaves_the_association_as_it_is() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &with(&[ONE], PrivateDns::default())).await;
    let changed = pass(&lattice, &with(&["sg-1234567890"], PrivateDns::default())).await;
    assert!(matches!(changed.applied.end, End::Complete), "{:?}", changed.applied.end);
    assert_eq!(changed.applied.outcome.refused_vpcs.len(), 1);
    assert_eq!(emulator.state()["serviceNetworkVpcAssociations"][0]["securityGroupIds"], json!([ONE]));
}

#[tokio::test]
async fn a_strangers_association_keeps_its_groups() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let network = emulator.state()["serviceNetworks"][0]["id"].as_str().unwrap().to_owned();
    let stranger = emulator.stranger().await;
    let create = stranger.create_service_network_vpc_association().service_network_identifier(&network);
    let made = create.vpc_identifier(VPC).security_group_ids(TWO).send().await.unwrap();
    let blocked = pass(&lattice, &with(&[ONE], PrivateDns::default())).await;
    let [Blocked::VpcAssociationOfOthers { id, .. }] = &blocked.plan.blocked[..] else {
        panic!("{}", blocked.plan)
    };
    assert_eq!(Some(id.as_str()), made.id());
    assert_eq!(emulator.state()["serviceNetworkVpcAssociations"][0]["securityGroupIds"], json!([TWO]));
}
