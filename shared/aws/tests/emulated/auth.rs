//! Auth types and auth policies against the emulator.

use crate::harness::{Emulator, converge, pass};
use crate::wishes::{VPC, gateway, no_gateway, no_route, route};
use trellis_aws::End;
use trellis_lattice::{Blocked, Desired, DesiredAuth, Holder, Step};

const ONE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
const TWO: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#;

fn closed(mut wish: Desired, policy: Option<&str>) -> Desired {
    let services = wish.services.iter().map(|service| Holder::Service(service.name.clone()));
    let networks = wish.network.iter().map(|network| Holder::Network(network.name.clone()));
    let auth = |holder| DesiredAuth { holder, policy: policy.map(str::to_owned), replaces_others: false };
    wish.auth = services.chain(networks).map(auth).collect();
    wish
}

#[tokio::test]
async fn a_route_is_closed_by_a_policy_gets_another_and_is_opened_by_a_person_only() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &closed(route(&["/a"], 1), Some(ONE))).await;
    assert_eq!(emulator.state()["services"][0]["authType"], "AWS_IAM");
    let changed = converge(&emulator, &lattice, &closed(route(&["/a"], 1), Some(TWO))).await;
    assert!(!changed.plan.steps.iter().any(|step| matches!(step, Step::SetAuthType(_))), "{}", changed.plan);
    let left = converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    assert!(left.plan.steps.is_empty(), "{}", left.plan);
    assert_eq!(emulator.state()["services"][0]["authType"], "AWS_IAM");
    converge(&emulator, &lattice, &closed(route(&["/a"], 1), None)).await;
    assert_eq!(emulator.state()["services"][0]["authType"], "NONE");
    converge(&emulator, &lattice, &closed(route(&["/a"], 1), Some(ONE))).await;
    converge(&emulator, &lattice, &no_route()).await;
}

#[tokio::test]
async fn a_network_is_closed_and_goes() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &closed(gateway(&[VPC]), Some(ONE))).await;
    assert_eq!(emulator.state()["serviceNetworks"][0]["authType"], "AWS_IAM");
    converge(&emulator, &lattice, &closed(gateway(&[VPC]), Some(TWO))).await;
    converge(&emulator, &lattice, &no_gateway()).await;
}

#[tokio::test]
async fn a_route_without_a_policy_asks_for_none() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    assert!(!emulator.calls().contains_key("GetAuthPolicy"));
}

#[tokio::test]
async fn a_persons_policy_stays_and_a_policy_that_is_refused_lets_nobody_reach_the_service() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let refused = pass(&lattice, &closed(route(&["/a"], 1), Some("no json"))).await;
    assert!(matches!(refused.applied.end, End::Failed(_)), "{:?}", refused.applied.end);
    let arn = &refused.applied.outcome.services["inventory-default"].arn;
    let stranger = emulator.stranger().await;
    let list = stranger.list_service_network_service_associations().service_identifier(arn);
    assert!(list.send().await.unwrap().items.is_empty());
    stranger.put_auth_policy().resource_identifier(arn).policy(TWO).send().await.unwrap();
    let kept = pass(&lattice, &closed(route(&["/a"], 1), Some(ONE))).await;
    assert!(matches!(kept.plan.blocked[..], [Blocked::AuthPolicyOfOthers { .. }]), "{:?}", kept.plan);
    assert_eq!(
        stranger.get_auth_policy().resource_identifier(arn).send().await.unwrap().policy.unwrap(),
        TWO
    );
    assert!(
        stranger
            .list_service_network_service_associations()
            .service_identifier(arn)
            .send()
            .await
            .unwrap()
            .items
            .is_empty()
    );
}
