//! Settings of a service that only GetService tells, and a hostname that somebody else has in a service network.

use crate::harness::{Emulator, converge, inspect, pass};
use crate::wishes::{gateway, route};
use serde_json::json;
use trellis_aws::{End, ErrorClass};
use trellis_hint::UnitKey;
use trellis_lattice::{Desired, Owner, Step};

const HOSTNAME: &str = "shop.example.test";

/// The route of the hostname in a cluster, with a service of this name.
fn shop(cluster: &str, service: &str) -> Desired {
    shop_of(&format!("route/123456789012/us-west-2/HTTPRoute/{cluster}/default/shop"), service)
}

/// That of a unit.
fn shop_of(key: &str, service: &str) -> Desired {
    let key = key.to_owned();
    let unit = key.parse::<UnitKey>().unwrap().hash();
    let owner = Owner { installation: "trellis".into(), unit, key };
    let mut wish = route(&["/"], 1);
    wish.services[0].name = service.into();
    wish.services[0].custom_domain = Some(HOSTNAME.into());
    wish.services[0].tags = owner.tags();
    wish.services[0].listeners.clear();
    wish.target_groups.clear();
    Desired { owner, ..wish }
}

#[tokio::test]
async fn a_certificate_is_changed_in_place() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let certificate = |id: u8| Some(format!("arn:aws:acm:us-west-2:123456789012:certificate/{id:036}"));
    let mut wish = route(&["/a"], 1);
    wish.services[0].custom_domain = Some("inventory.example.com".into());
    wish.services[0].certificate_arn = certificate(1);
    converge(&emulator, &lattice, &wish).await;
    wish.services[0].certificate_arn = certificate(2);
    let changed = converge(&emulator, &lattice, &wish).await;
    assert!(matches!(changed.plan.steps[..], [Step::UpdateCertificate(_)]), "{}", changed.plan);
}

#[tokio::test]
async fn an_idle_timeout_is_changed_in_place_and_the_default_comes_back() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let plain = route(&["/a"], 1);
    let mut wish = plain.clone();
    wish.services[0].tags.insert(trellis_lattice::TAG_IDLE_TIMEOUT.into(), "set".into());
    for seconds in [300, 600] {
        wish.services[0].idle_timeout_seconds = Some(seconds);
        converge(&emulator, &lattice, &wish).await;
        assert_eq!(emulator.state()["services"][0]["idleTimeoutSeconds"], json!(seconds));
    }
    converge(&emulator, &lattice, &plain).await;
    assert_eq!(emulator.state()["services"][0]["idleTimeoutSeconds"], json!(60));
}

#[tokio::test]
async fn one_hostname_in_two_clusters_is_told_with_the_other_route_and_the_way_to_merge_them() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &shop("one", "shop-one")).await;
    let second = pass(&emulator.aws().await.lattice(), &shop("two", "shop-two")).await;
    let End::Failed(error) = second.applied.end else { panic!("{:?}", second.applied.end) };
    let text = error.source.to_string();
    for part in [
        "the hostname shop.example.test is taken in the service network my-hotel",
        "HTTPRoute default/shop of cluster one has it",
        "export the Service of the other cluster by a ServiceExport",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!second.applied.outcome.failure.unwrap().retryable, "a person has to do something");
}

#[tokio::test]
async fn a_hostname_that_merged_routes_have_is_told_with_their_name() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let merged = shop_of("merged/123456789012/us-west-2/HTTPRoute/default/hotel", "hotel");
    converge(&emulator, &lattice, &merged).await;
    let refused = pass(&emulator.aws().await.lattice(), &shop("one", "shop-one")).await;
    let End::Failed(error) = refused.applied.end else { panic!("{:?}", refused.applied.end) };
    let text = error.source.to_string();
    assert!(text.contains("HTTPRoute default/hotel has it, which is merged"), "{text}");
}

#[tokio::test]
async fn a_hostname_that_a_stranger_has_is_told_with_his_service() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let stranger = emulator.stranger().await;
    let made = stranger.create_service().name("other").custom_domain_name(HOSTNAME).send().await.unwrap();
    let network = emulator.state()["serviceNetworks"][0]["id"].as_str().unwrap().to_owned();
    let associate = stranger.create_service_network_service_association();
    associate.service_identifier(made.id.unwrap()).service_network_identifier(network).send().await.unwrap();
    let refused = pass(&lattice, &shop("one", "shop-one")).await;
    let End::Failed(error) = refused.applied.end else { panic!("{:?}", refused.applied.end) };
    let text = error.source.to_string();
    let whose = format!("{} has it, which no route of this installation made", made.arn.unwrap());
    assert!(text.contains(&whose), "{text}");
}

#[tokio::test]
async fn a_failed_service_is_deleted_and_made_again() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    emulator.configure(&json!({"failures": [{"resource": "service", "transition": "create"}]}));
    let wish = route(&["/a"], 1);
    let failed = pass(&lattice, &wish).await;
    let End::Failed(error) = failed.applied.end else { panic!("{:?}", failed.applied.end) };
    assert!(error.source.to_string().contains("CREATE_FAILED"), "{}", error.source);
    assert_eq!(error.source.class(), ErrorClass::Stale);
    converge(&emulator, &lattice, &wish).await;
    assert_eq!(emulator.state()["services"].as_array().unwrap().len(), 1);
}

/// Whose its network is has to be read again for that, since a network of others may not be used.
#[tokio::test]
async fn a_service_whose_association_failed_is_associated_by_the_next_pass() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    emulator.configure(&json!({"failures": [{"resource": "service-association", "transition": "create"}]}));
    let first = pass(&lattice, &route(&["/a"], 1)).await;
    assert!(matches!(first.applied.end, End::Failed(_)), "{:?}\n{}", first.applied.end, first.plan);
    let second = converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    assert!(second.plan.blocked.is_empty(), "{}", second.plan);
    let associated = inspect(&lattice, &route(&["/a"], 1)).await.services[0].associations.len();
    assert_eq!(associated, 1);
}
