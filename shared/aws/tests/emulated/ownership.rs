//! Whose a resource is, and what there is of ours.

use crate::harness::{Emulator, converge, inspect, pass, pass_after_a_conflict};
use crate::wishes::{VPC, allowing, export, gateway, route};
use serde_json::json;
use trellis_aws::{LatticeClient, OwnedResource};
use trellis_lattice::{Blocked, Ownership, ResourceKind};

use ResourceKind::{Listener, Rule, Service, ServiceAssociation, TargetGroup, VpcAssociation};

/// What bears the owner's tag, as the index shows it.
async fn owned(lattice: &LatticeClient) -> Vec<OwnedResource> {
    let mut owned = vec![];
    lattice.owned("trellis", None, |resource| owned.push(resource)).await.unwrap();
    owned
}

#[tokio::test]
async fn everything_that_bears_our_tag_is_told_with_its_kind_in_one_call_and_nothing_else() {
    let emulator = Emulator::instant();
    let stranger = emulator.stranger().await;
    stranger.create_service_network().name("my-hotel").send().await.unwrap();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &allowing(gateway(&[VPC]))).await;
    let wish = allowing(route(&["/a", "/b"], 1));
    converge(&emulator, &lattice, &wish).await;
    emulator.reset_calls();
    let owned = owned(&lattice).await;
    assert_eq!(
        emulator.all_calls().into_iter().collect::<Vec<_>>(),
        [("tagging:GetResources".to_owned(), 1)]
    );
    let mut kinds: Vec<ResourceKind> = owned.iter().map(|resource| resource.kind).collect();
    kinds.sort();
    let expected = [VpcAssociation, Service, ServiceAssociation, Listener, Rule, Rule, TargetGroup];
    assert_eq!(kinds, expected, "the network is a stranger's");
    let of_route = owned.iter().filter(|resource| wish.owner.of(&resource.tags) == Ownership::Ours);
    assert_eq!(of_route.count(), 6);
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
    let blocked = pass_after_a_conflict(&unaware, &wish).await;
    assert!(matches!(blocked.plan.blocked[..], [Blocked::TargetGroupNameTaken { .. }]), "{:?}", blocked.plan);
    assert!(blocked.plan.steps.is_empty());
}
