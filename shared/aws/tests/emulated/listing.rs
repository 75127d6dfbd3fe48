//! What VPC Lattice shows to the account, for the service directory.

use crate::harness::{Emulator, converge};
use crate::wishes::{gateway, route};
use serde_json::json;
use std::time::Duration;
use trellis_aws::AwsLattice;
use trellis_directory::Membership;
use trellis_lattice::{LimitOverrides, TAG_OWNER};
use trellis_ports::{Budget, Lattice};

const PATIENCE: Duration = Duration::from_mins(1);

async fn lattice(emulator: &Emulator) -> AwsLattice {
    AwsLattice::new(&emulator.aws().await, LimitOverrides::default(), false)
}

/// A network, a route's service in it, and a service of somebody else's.
async fn world() -> Emulator {
    let emulator = Emulator::instant();
    let client = emulator.aws().await.lattice();
    converge(&emulator, &client, &gateway(&["vpc-0123456789abcdef0"])).await;
    converge(&emulator, &client, &route(&["/inventory"], 2)).await;
    emulator.stranger().await.create_service().name("theirs").send().await.unwrap();
    emulator
}

#[tokio::test]
async fn all_that_there_is_is_listed_whosever_it_is_with_a_few_calls() {
    let emulator = world().await;
    emulator.reset_calls();
    let listing = lattice(&emulator).await.listing(Budget::lasting(PATIENCE)).await;
    assert_eq!(listing.left_out, Vec::<String>::new());
    let [network] = &listing.networks[..] else { panic!("{:?}", listing.networks) };
    let names: Vec<&str> = listing.services.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let ours = listing.services.iter().find(|one| one.name != "theirs").unwrap();
    assert!(ours.dns_name.starts_with(&ours.name) && ours.status == "ACTIVE", "{ours:?}");
    let member = Membership { network: network.arn.clone(), service: ours.arn.clone() };
    assert!(listing.memberships.contains(&member) && listing.memberships.len() == 1);
    let vpcs: Vec<&str> = listing.vpcs.iter().map(|one| one.vpc.as_str()).collect();
    assert_eq!(vpcs, ["vpc-0123456789abcdef0"]);
    let group = listing.target_groups.iter().find(|one| one.services.contains(&ours.arn)).unwrap();
    let health = group.health.unwrap();
    assert_eq!((group.kind.as_str(), health.healthy + health.unhealthy + health.other), ("IP", 2));
    assert!(
        listing.tags[&ours.arn].contains_key(TAG_OWNER) && listing.tags[&network.arn].contains_key(TAG_OWNER)
    );
    // One call each for networks, services, groups and tags, two for the network, one for the group's targets.
    let calls = emulator.all_calls();
    assert_eq!(calls.values().sum::<u64>(), 7, "{calls:?}");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_costs_nothing_else() {
    let emulator = world().await;
    for operation in ["ListTargets", "ListServiceNetworkVpcAssociations", "ListTargetGroups"] {
        emulator.configure(&json!({"faults": [{"operation": operation, "kind": "deny", "count": 50}]}));
        let listing = lattice(&emulator).await.listing(Budget::lasting(PATIENCE)).await;
        let [left] = &listing.left_out[..] else { panic!("{operation}: {:?}", listing.left_out) };
        assert!(left.contains("AccessDeniedException"), "{left}");
        assert_eq!((listing.networks.len(), listing.services.len()), (1, 2), "{operation}");
    }
    let listing = lattice(&emulator).await.listing(Budget::lasting(Duration::ZERO)).await;
    assert!(listing.services.is_empty() && listing.left_out.len() >= 4, "{:?}", listing.left_out);
}
