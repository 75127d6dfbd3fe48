//! Resources that other accounts share.

use serde_json::json;

use super::{World, items, not_found, text};
use crate::state::tests::VPC;
use crate::state::{Kind, Share};

const THEM: &str = "111122223333";
const DENIED: &str = "AccessDeniedException";

fn share(world: &mut World, kind: Kind, name: &str) -> String {
    let share = Share { kind, name: name.to_owned(), account: THEM.to_owned() };
    let now = world.now;
    let shared = world.state.share(now, &share).unwrap();
    assert!(text(&shared, "arn").contains(THEM));
    text(&shared, "id")
}

#[test]
fn switch_14_shared_service_networks_are_listed_or_not_and_found_in_any_case() {
    for (listed, count) in [(false, 1), (true, 2)] {
        let mut world = World::with(&json!({"switches": {"list-shared": listed}}));
        world.network("ours");
        let shared = share(&mut world, Kind::ServiceNetwork, "theirs");
        assert_eq!(items(&world.ok("ListServiceNetworks", json!({}))).len(), count);
        world.ok("GetServiceNetwork", json!({"serviceNetworkIdentifier": shared}));
    }
}

#[test]
fn row_16_d_shared_things_associate_with_ours_and_not_with_each_other() {
    let mut world = World::quick();
    let network = share(&mut world, Kind::ServiceNetwork, "their-net");
    let theirs = share(&mut world, Kind::Service, "their-svc");
    let ours = world.service("our-svc");
    world.link(&ours, &network);
    let link = world.link_vpc(&network, VPC);
    let read =
        world.ok("GetServiceNetworkVpcAssociation", json!({"serviceNetworkVpcAssociationIdentifier": link}));
    assert!(text(&read, "arn").contains("000000000000"), "the association is ours");
    assert!(text(&read, "serviceNetworkArn").contains(THEM));
    let both = json!({"serviceIdentifier": theirs, "serviceNetworkIdentifier": network});
    assert_eq!(world.refused("CreateServiceNetworkServiceAssociation", both).0, "ValidationException");
}

#[test]
fn what_others_share_cannot_be_changed_and_its_tags_not_read() {
    let mut world = World::quick();
    let network = share(&mut world, Kind::ServiceNetwork, "their-net");
    let service = share(&mut world, Kind::Service, "their-svc");
    let arn = text(&world.ok("GetService", json!({"serviceIdentifier": service})), "arn");
    for (operation, input) in [
        ("DeleteServiceNetwork", json!({"serviceNetworkIdentifier": network})),
        ("UpdateServiceNetwork", json!({"serviceNetworkIdentifier": network, "authType": "AWS_IAM"})),
        ("DeleteService", json!({"serviceIdentifier": service})),
        (
            "CreateListener",
            json!({"serviceIdentifier": service, "name": "http", "protocol": "HTTP", "defaultAction": not_found()}),
        ),
        ("ListTagsForResource", json!({"resourceArn": arn})),
        ("TagResource", json!({"resourceArn": arn, "tags": {"a": "b"}})),
    ] {
        assert_eq!(world.refused(operation, input).0, DENIED, "{operation}");
    }
}

#[test]
fn a_name_that_others_use_is_free_for_us() {
    let mut world = World::quick();
    share(&mut world, Kind::ServiceNetwork, "same");
    share(&mut world, Kind::Service, "same");
    world.network("same");
    world.service("same");
}
