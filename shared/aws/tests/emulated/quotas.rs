//! Quotas that are used up: what they stop, and what they do not.

use crate::harness::{Emulator, converge, limits, pass};
use crate::wishes::{gateway, route};
use serde_json::json;
use trellis_aws::AwsLattice;
use trellis_aws::End;
use trellis_lattice::{Blocked, LimitOverrides, Limits, Quota, plan};
use trellis_ports::Lattice;

#[tokio::test]
async fn a_region_without_room_for_a_target_group_gets_no_service_that_costs() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    emulator.configure(&json!({"quotas": {"target-groups": 0}}));
    let refused = pass(&lattice, &route(&["/inventory"], 1)).await;
    let End::Failed(error) = refused.applied.end else { panic!("{:?}", refused.applied.end) };
    let text = error.source.to_string();
    assert!(text.contains("(quota L-BB11C6B9 in Service Quotas)"), "{text}");
    assert_eq!(emulator.state()["services"], json!([]));
    assert!(!refused.applied.outcome.failure.unwrap().retryable);
}

#[tokio::test]
async fn a_network_that_is_full_is_known_before_a_service_is_made() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let stranger = emulator.stranger().await;
    let service = stranger.create_service().name("other").send().await.unwrap().id.unwrap();
    let network = emulator.state()["serviceNetworks"][0]["id"].as_str().unwrap().to_owned();
    let associate = stranger.create_service_network_service_association();
    associate.service_identifier(service).service_network_identifier(network).send().await.unwrap();

    let cold = emulator.aws().await.lattice();
    let wish = route(&["/inventory"], 1);
    let actual = crate::harness::inspect(&cold, &wish).await;
    assert_eq!(actual.network_usage["my-hotel"], 1);
    let blocked = plan(&wish, &actual, &Limits { services_per_network: 1, ..limits() }).blocked;
    let quota = Quota::ServicesPerNetwork;
    assert_eq!(blocked, [Blocked::QuotaExceeded { resource: "my-hotel".into(), quota, limit: 1 }]);
    // Its own associations count at once, also in a listing that is kept.
    converge(&emulator, &cold, &wish).await;
    let mut second = route(&["/inventory"], 1);
    second.owner.unit = "0123456789abcdef0123456789abcdef".into();
    second.services[0].name = "second".into();
    second.target_groups.clear();
    second.services[0].listeners.clear();
    assert_eq!(crate::harness::inspect(&cold, &second).await.network_usage["my-hotel"], 2);
}

#[tokio::test]
async fn the_accounts_quotas_count_before_defaults_and_what_a_person_has_set_before_both() {
    let emulator = Emulator::instant();
    emulator.configure(&json!({
        "quotas": {"rules-per-listener": 40, "target-groups": 900, "services-per-network": 700},
        "untold-quotas": ["L-75D4A19E"],
    }));
    let set = LimitOverrides { rules_per_listener: Some(25), ..LimitOverrides::default() };
    let lattice = AwsLattice::new(&emulator.aws().await, set, false);
    let limits = lattice.limits(&Limits::default()).await;
    let expected = Limits { rules_per_listener: 25, target_groups_per_region: 900, ..Limits::default() };
    assert_eq!(limits, expected, "of the untold one the default");
    assert_eq!(emulator.all_calls()["servicequotas:ListAWSDefaultServiceQuotas"], 1);
}
