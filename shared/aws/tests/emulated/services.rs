//! Settings of a service that only GetService tells, and a hostname that somebody else has in a service network.

use crate::harness::{Emulator, Pass, converge, inspect, limits, pass};
use crate::wishes::{gateway, route};
use serde_json::json;
use trellis_aws::{End, ErrorClass};
use trellis_hint::UnitKey;
use trellis_lattice::{Blocked, Desired, Outcome, Owner, Step, plan};

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

/// Who has the hostname, as a plan tells that makes nothing.
#[track_caller]
fn told(pass: &Pass) -> (&String, Option<&str>) {
    assert!(pass.plan.steps.is_empty(), "{}", pass.plan);
    match &pass.plan.blocked[..] {
        [Blocked::DomainTaken { domain, network, arn, unit }] => {
            assert_eq!((domain.as_str(), network.as_str()), (HOSTNAME, "my-hotel"));
            (arn, unit.as_deref())
        }
        other => panic!("{other:?}"),
    }
}

fn with_backend(wish: Desired) -> Desired {
    let Desired { services, target_groups, .. } = route(&["/"], 1);
    let mut wish = Desired { target_groups, ..wish };
    wish.services[0].listeners.clone_from(&services[0].listeners);
    for group in &mut wish.target_groups {
        group.tags = wish.owner.tags();
    }
    wish
}

#[tokio::test]
async fn one_hostname_in_two_clusters_is_told_with_the_other_route_before_anything_is_made() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &shop("one", "shop-one")).await;
    let before = emulator.state();
    let second = pass(&emulator.aws().await.lattice(), &with_backend(shop("two", "shop-two"))).await;
    let (_, unit) = told(&second);
    assert_eq!(unit, Some("route/123456789012/us-west-2/HTTPRoute/one/default/shop"));
    assert_eq!(emulator.state()["services"], before["services"]);
    assert_eq!(emulator.state()["targetGroups"], before["targetGroups"]);
}

#[tokio::test]
async fn a_hostname_that_merged_routes_have_is_told_with_their_name() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let merged = shop_of("merged/123456789012/us-west-2/HTTPRoute/default/hotel", "hotel");
    converge(&emulator, &lattice, &merged).await;
    let refused = pass(&emulator.aws().await.lattice(), &shop("one", "shop-one")).await;
    assert_eq!(told(&refused).1, Some(merged.owner.key.as_str()));
}

/// Brings a stranger's service with the hostname into the network; its ARN.
async fn strangers(emulator: &Emulator) -> String {
    let stranger = emulator.stranger().await;
    let made = stranger.create_service().name("other").custom_domain_name(HOSTNAME).send().await.unwrap();
    let network = emulator.state()["serviceNetworks"][0]["id"].as_str().unwrap().to_owned();
    let associate = stranger.create_service_network_service_association();
    associate.service_identifier(made.id.unwrap()).service_network_identifier(network).send().await.unwrap();
    made.arn.unwrap()
}

#[tokio::test]
async fn a_hostname_that_a_stranger_has_is_told_with_his_service_and_taken_once_he_is_gone() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let arn = strangers(&emulator).await;
    let refused = pass(&lattice, &shop("one", "shop-one")).await;
    assert_eq!(told(&refused), (&arn, None));
    let stranger = emulator.stranger().await;
    let id = emulator.state()["serviceNetworkServiceAssociations"][0]["id"].as_str().unwrap().to_owned();
    let leave = stranger.delete_service_network_service_association();
    leave.service_network_service_association_identifier(id).send().await.unwrap();
    converge(&emulator, &lattice, &shop("one", "shop-one")).await;
}

/// Between the look and the calls.
#[tokio::test]
async fn a_stranger_who_comes_first_is_told_by_the_next_plan() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let wish = shop("one", "shop-one");
    let seen = inspect(&lattice, &wish).await;
    let early = plan(&wish, &seen, &limits());
    let arn = strangers(&emulator).await;
    let (tell, _) = tokio::sync::watch::channel(Outcome::default());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let End::Failed(error) = lattice.apply(&early, &seen, until, &tell).await.end else { panic!("{early}") };
    assert_eq!(error.source.class(), ErrorClass::Stale, "{}", error.source);
    assert_eq!(told(&pass(&lattice, &wish).await), (&arn, None));
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
