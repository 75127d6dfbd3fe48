//! Whose a resource is, and what there is of ours.

use crate::harness::{Emulator, converge, inspect, pass};
use crate::wishes::{VPC, allowing, export, gateway, no_gateway, route};
use serde_json::json;
use trellis_lattice::{Blocked, Ownership};

#[tokio::test]
async fn the_inventory_shows_orphans_and_their_tags_tell_whose_they_were() {
    let emulator = Emulator::instant();
    let aws = emulator.aws().await;
    let lattice = aws.lattice();
    let wish = export(1);
    converge(&emulator, &lattice, &wish).await;
    let inventory = lattice.inventory(std::time::SystemTime::now()).await.unwrap();
    assert_eq!(inventory.target_groups.len(), 1);
    let arns = [inventory.target_groups[0].arn.clone()].into();
    let tags = lattice.tags(&arns).await.unwrap();
    assert_eq!(wish.owner.of(&tags[&inventory.target_groups[0].arn]), Ownership::Ours);
}

#[tokio::test]
async fn the_inventory_shows_our_association_with_a_network_of_somebody_else() {
    let emulator = Emulator::instant();
    let stranger = emulator.stranger().await;
    stranger.create_service_network().name("my-hotel").send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &allowing(gateway(&[VPC]))).await;
    let inventory = lattice.inventory(std::time::SystemTime::now()).await.unwrap();
    assert_eq!(inventory.vpc_associations.len(), 1);
    let association = &inventory.vpc_associations[0];
    assert_eq!(association.name, VPC);
    let tags =
        lattice.tags(&[association.arn.clone(), inventory.networks[0].arn.clone()].into()).await.unwrap();
    let owner = no_gateway().owner;
    assert_eq!(owner.of(&tags[&association.arn]), Ownership::Ours);
    assert_eq!(owner.of(&tags[&inventory.networks[0].arn]), Ownership::Foreign);
}

#[tokio::test]
async fn a_network_that_others_made_is_joined_only_where_that_is_allowed() {
    let emulator = Emulator::instant();
    let stranger = emulator.stranger().await;
    stranger.create_service_network().name("my-hotel").send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    for wish in [gateway(&[VPC]), route(&["/a"], 1)] {
        let refused = pass(&lattice, &wish).await;
        let blocked = &refused.applied.outcome.blocked[..];
        assert!(matches!(blocked, [Blocked::NetworkNotAllowed { .. }]), "{blocked:?}");
    }
    let state = emulator.state();
    assert_eq!(state["serviceNetworkVpcAssociations"], json!([]));
    assert_eq!(state["serviceNetworkServiceAssociations"], json!([]));
    converge(&emulator, &lattice, &allowing(gateway(&[VPC]))).await;
    converge(&emulator, &lattice, &allowing(route(&["/a"], 1))).await;
    // Once joined, taking the permission away takes no traffic away.
    let unchanged = pass(&lattice, &route(&["/a"], 1)).await;
    assert!(unchanged.plan.steps.is_empty(), "{}", unchanged.plan);
}

#[tokio::test]
async fn tags_that_a_person_has_taken_away_make_a_resource_a_strangers() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let wish = export(1);
    converge(&emulator, &lattice, &wish).await;
    let arn = inspect(&lattice, &wish).await.target_groups[0].arn.clone();
    let stranger = emulator.stranger().await;
    stranger.untag_resource().resource_arn(&arn).tag_keys(trellis_lattice::TAG_UNIT).send().await.unwrap();
    let unaware = emulator.aws().await.lattice();
    let blocked = pass(&unaware, &wish).await;
    assert!(matches!(blocked.plan.blocked[..], [Blocked::TargetGroupNameTaken { .. }]), "{:?}", blocked.plan);
    assert!(blocked.plan.steps.is_empty());
}
