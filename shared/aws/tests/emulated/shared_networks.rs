//! Service networks that another account shares by Resource Access Manager.

use crate::harness::{Emulator, converge, inspect, pass};
use crate::wishes::{VPC, gateway, route};
use serde_json::json;
use trellis_aws::End;
use trellis_lattice::{Blocked, Desired, DesiredNetwork, Ownership, plan};

const OWNER: &str = "111122223333";
const SECOND_VPC: &str = "vpc-0a1b2c3d4e5f60002";

/// Another account shares a network; its id and its ARN.
fn share(emulator: &Emulator, name: &str) -> (String, String) {
    let network = json!({"kind": "service-network", "name": name, "account": OWNER});
    let shared = emulator.admin("POST", "shares", Some(&network));
    let text = |member: &str| shared[member].as_str().unwrap().to_owned();
    assert!(text("arn").contains(OWNER), "{shared}");
    (text("id"), text("arn"))
}

/// An emulator whose listing shows what is shared, or does not.
fn emulator(lists: bool) -> Emulator {
    let switch = format!("list-shared={lists}");
    Emulator::start(&["--delay", "all=0", "--quota", "rules-per-listener=100", "--switch", &switch])
}

fn allowing(desired: Desired, networks: &[&str]) -> Desired {
    Desired { allowed_networks: networks.iter().map(|one| (*one).to_owned()).collect(), ..desired }
}

/// The Gateway's wish, and the route's, under another name of the network.
fn named(name: &str, desired: Desired) -> Desired {
    let mut desired = desired;
    if let Some(DesiredNetwork { name: called, .. }) = &mut desired.network {
        name.clone_into(called);
    }
    for association in &mut desired.vpc_associations {
        name.clone_into(&mut association.network);
    }
    for service in &mut desired.services {
        service.networks = [name.to_owned()].into();
    }
    desired
}

#[tokio::test]
async fn a_shared_network_is_used_by_its_name_if_it_is_allowed_by_name_id_or_arn_and_never_changed() {
    for by in ["name", "id", "arn"] {
        let emulator = emulator(true);
        let lattice = emulator.aws().await.lattice();
        let (id, arn) = share(&emulator, "my-hotel");
        let told = pass(&lattice, &gateway(&[VPC])).await;
        assert!(matches!(told.plan.blocked[..], [Blocked::NetworkNotAllowed { .. }, ..]), "{}", told.plan);
        assert!(told.plan.steps.is_empty());
        let allowed = match by {
            "name" => "my-hotel",
            "id" => &id,
            _ => &arn,
        };
        let used = converge(&emulator, &lattice, &allowing(gateway(&[VPC]), &[allowed])).await;
        assert_eq!(used.applied.outcome.networks["my-hotel"], arn, "by {by}");
        converge(&emulator, &lattice, &allowing(route(&["/"], 1), &[allowed])).await;
        let state = emulator.state();
        assert_eq!(state["serviceNetworkVpcAssociations"][0]["serviceNetworkId"], json!(id));
        assert_eq!(state["serviceNetworkServiceAssociations"][0]["serviceNetworkId"], json!(id));
        // The Gateway goes: our association does, and the network is its owner's.
        let gone = Desired::nothing(gateway(&[]).owner);
        converge(&emulator, &lattice, &allowing(gone, &[allowed])).await;
        let calls = emulator.calls();
        assert!(!calls.contains_key("DeleteServiceNetwork") && !calls.contains_key("CreateServiceNetwork"));
        assert_eq!(emulator.state()["serviceNetworks"][0]["id"], json!(id));
    }
}

#[tokio::test]
async fn a_gateway_may_be_named_by_a_networks_id_and_its_routes_join_it() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    let (id, arn) = share(&emulator, "lobby");
    let wish = allowing(named(&id, gateway(&[VPC])), &[&arn]);
    let used = converge(&emulator, &lattice, &wish).await;
    assert_eq!(used.applied.outcome.networks[&id], arn);
    converge(&emulator, &lattice, &allowing(named(&id, route(&["/"], 1)), &[&arn])).await;
    assert_eq!(emulator.state()["serviceNetworkServiceAssociations"][0]["serviceNetworkId"], json!(id));
}

#[tokio::test]
async fn no_network_is_made_by_an_id() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    let told = pass(&lattice, &named("sn-0123456789abcdef0", gateway(&[VPC]))).await;
    assert!(told.plan.steps.is_empty(), "{}", told.plan);
    assert!(matches!(told.plan.blocked[..], [Blocked::NetworkMissing { .. }, ..]), "{}", told.plan);
}

#[tokio::test]
async fn a_shared_network_that_no_listing_shows_is_used_where_its_arn_is_allowed() {
    let emulator = emulator(false);
    let lattice = emulator.aws().await.lattice();
    let (id, arn) = share(&emulator, "my-hotel");
    let absent = "arn:aws:vpc-lattice:us-west-2:111122223333:servicenetwork/sn-0123456789abcdef0";
    let used = converge(&emulator, &lattice, &allowing(gateway(&[VPC]), &[&arn, absent])).await;
    assert_eq!(used.applied.outcome.networks["my-hotel"], arn);
    converge(&emulator, &lattice, &allowing(route(&["/"], 1), &[&arn, absent])).await;
    assert_eq!(emulator.state()["serviceNetworkServiceAssociations"][0]["serviceNetworkId"], json!(id));
}

/// The VPC would be taken out of it, and into one that nobody else is in.
#[tokio::test]
async fn in_the_place_of_a_shared_network_that_is_not_shown_any_more_none_is_made() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    let (id, _) = share(&emulator, "my-hotel");
    let wish = allowing(gateway(&[VPC]), &["my-hotel"]);
    converge(&emulator, &lattice, &wish).await;
    emulator.configure(&json!({"switches": {"list-shared": false}}));
    for _ in 0..2 {
        let told = pass(&emulator.aws().await.lattice(), &wish).await;
        assert!(told.plan.steps.is_empty(), "{}", told.plan);
        assert!(matches!(told.plan.blocked[..], [Blocked::NetworkUnseen { .. }, ..]), "{}", told.plan);
    }
    assert_eq!(emulator.state()["serviceNetworkVpcAssociations"][0]["serviceNetworkId"], json!(id));
}

/// One wrong word among those that are allowed costs nobody what he has.
#[tokio::test]
async fn an_arn_that_is_allowed_and_is_no_networks_is_taken_as_absent() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    for odd in ["arn:aws:vpc-lattice:us-west-2:111122223333:service/svc-0123456789abcdef0", "arn:x", "arn:"] {
        converge(&emulator, &lattice, &allowing(gateway(&[VPC]), &[odd])).await;
        converge(&emulator, &lattice, &allowing(route(&["/"], 1), &[odd])).await;
    }
}

/// Whoever shares a network chooses its name.
#[tokio::test]
async fn a_network_that_another_account_shares_under_our_networks_name_takes_nothing_from_us() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    let own = converge(&emulator, &lattice, &gateway(&[VPC])).await;
    let (_, arn) = share(&emulator, "my-hotel");
    for allowed in [&[][..], &["my-hotel"]] {
        let held = converge(&emulator, &lattice, &allowing(gateway(&[VPC, SECOND_VPC]), allowed)).await;
        assert_eq!(held.applied.outcome.networks, own.applied.outcome.networks);
        assert_ne!(held.applied.outcome.networks["my-hotel"], arn);
        converge(&emulator, &lattice, &allowing(route(&["/"], 1), allowed)).await;
    }
    let ours = own.applied.outcome.networks["my-hotel"].clone();
    for association in emulator.state()["serviceNetworkVpcAssociations"].as_array().unwrap() {
        assert!(ours.ends_with(association["serviceNetworkId"].as_str().unwrap()), "{association}");
    }
}

/// The VPC is with the other account's network of the same name, which is not the one that is wanted.
#[tokio::test]
async fn a_vpc_that_is_with_a_namesake_of_the_wanted_network_is_associated_elsewhere() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let (id, arn) = share(&emulator, "my-hotel");
    let stranger = emulator.stranger().await;
    let create = stranger.create_service_network_vpc_association().service_network_identifier(&id);
    create.vpc_identifier(VPC).send().await.unwrap();
    let told = pass(&lattice, &gateway(&[VPC])).await;
    let [Blocked::VpcAssociatedElsewhere { network, .. }] = &told.plan.blocked[..] else {
        panic!("{}", told.plan)
    };
    assert_eq!(*network, arn);
}

#[tokio::test]
async fn an_association_that_aws_denies_says_whose_turn_it_is_and_costs_its_vpc_alone() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    let (_, arn) = share(&emulator, "my-hotel");
    let wish = allowing(gateway(&[VPC, SECOND_VPC]), &[&arn]);
    let denied = json!({"kind": "deny", "operation": "CreateServiceNetworkVpcAssociation", "count": 1});
    emulator.configure(&json!({ "faults": [denied] }));
    let made = pass(&lattice, &wish).await;
    assert!(matches!(made.applied.end, End::Complete), "{:?}", made.applied.end);
    let [refused] = made.applied.outcome.refused_vpcs.as_slice() else {
        panic!("{:?}", made.applied.outcome)
    };
    assert!(refused.is_denied);
    for said in [refused.vpc.as_str(), arn.as_str(), OWNER, "the turn of the VPC's owner", "AccessDenied"] {
        assert!(refused.message.contains(said), "{said}: {}", refused.message);
    }
    let there = &made.applied.outcome.vpc_associations;
    assert_eq!(there.len(), 1, "the other VPC is associated: {there:?}");
    // The VPC's owner has associated it meanwhile.
    let stranger = emulator.stranger().await;
    let create = stranger.create_service_network_vpc_association().service_network_identifier(&arn);
    create.vpc_identifier(&refused.vpc).send().await.unwrap();
    let actual = inspect(&lattice, &wish).await;
    let theirs = actual.vpc_associations.iter().find(|one| one.vpc == refused.vpc).unwrap();
    assert_eq!(theirs.ownership, Ownership::Foreign);
    let rest = plan(&wish, &actual, &crate::harness::limits());
    assert!(rest.steps.is_empty() && rest.blocked.is_empty(), "{rest}");
}

#[tokio::test]
async fn a_service_that_a_shared_network_does_not_take_says_which_account_must_let_it() {
    let emulator = emulator(true);
    let lattice = emulator.aws().await.lattice();
    let (_, arn) = share(&emulator, "my-hotel");
    let denied = json!({"kind": "deny", "operation": "CreateServiceNetworkServiceAssociation"});
    emulator.configure(&json!({ "faults": [denied] }));
    let made = pass(&lattice, &allowing(route(&["/"], 1), &[&arn])).await;
    let End::Failed(error) = made.applied.end else { panic!("{:?}", made.applied.end) };
    let text = error.source.to_string();
    for said in [OWNER, arn.as_str(), "Resource Access Manager"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
