//! Access log subscriptions against the emulator.

use crate::harness::{Emulator, converge, pass};
use crate::wishes::{VPC, gateway, no_gateway, no_route, route};
use serde_json::json;
use trellis_aws::End;
use trellis_lattice::{Blocked, Desired, DesiredAccessLog, Holder, Step, TAG_ACCESS_LOGS, Tags};

const GROUP: &str = "arn:aws:logs:us-west-2:123456789012:log-group:one:*";
const OTHER_GROUP: &str = "arn:aws:logs:us-west-2:123456789012:log-group:two:*";
const BUCKET: &str = "arn:aws:s3:::one-bucket";

fn logged(mut wish: Desired, destinations: &[&str]) -> Desired {
    let mark = |tags: &mut Tags| _ = tags.insert(TAG_ACCESS_LOGS.into(), "true".into());
    wish.services.iter_mut().for_each(|service| mark(&mut service.tags));
    wish.network.iter_mut().for_each(|network| mark(&mut network.tags));
    let services = wish.services.iter().map(|service| Holder::Service(service.name.clone()));
    let networks = wish.network.iter().map(|network| Holder::Network(network.name.clone()));
    let holder = services.chain(networks).next().unwrap();
    let log = |destination: &&str| DesiredAccessLog {
        holder: holder.clone(),
        destination: (*destination).into(),
        tags: Tags::from([("team".into(), "hotel".into())]),
    };
    wish.access_logs = destinations.iter().map(log).collect();
    wish
}

#[tokio::test]
async fn a_route_is_logged_elsewhere_and_no_more_and_a_settled_one_costs_one_listing() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &logged(route(&["/a"], 1), &[GROUP])).await;
    let moved = converge(&emulator, &lattice, &logged(route(&["/a"], 1), &[OTHER_GROUP])).await;
    assert!(moved.plan.steps.iter().all(|step| matches!(step, Step::UpdateAccessLog(_))), "{}", moved.plan);
    converge(&emulator, &lattice, &logged(route(&["/a"], 1), &[BUCKET])).await;
    emulator.reset_calls();
    pass(&lattice, &logged(route(&["/a"], 1), &[BUCKET])).await;
    assert_eq!(emulator.calls()["ListAccessLogSubscriptions"], 1);
    // The policy is gone; that there was one tells the service's tag.
    let rid = converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    assert!(rid.plan.steps.iter().all(|step| matches!(step, Step::DeleteAccessLog(_))), "{}", rid.plan);
    emulator.reset_calls();
    converge(&emulator, &lattice, &logged(route(&["/a"], 1), &[BUCKET])).await;
    converge(&emulator, &lattice, &no_route()).await;
    assert_eq!(emulator.state()["accessLogSubscriptions"], json!([]));
}

#[tokio::test]
async fn a_network_is_logged_and_goes() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &logged(gateway(&[VPC]), &[GROUP, BUCKET])).await;
    converge(&emulator, &lattice, &logged(gateway(&[VPC]), &[BUCKET])).await;
    converge(&emulator, &lattice, &no_gateway()).await;
    assert_eq!(emulator.state()["accessLogSubscriptions"], json!([]));
}

#[tokio::test]
async fn a_route_without_a_policy_lists_no_subscription() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    assert!(!emulator.calls().contains_key("ListAccessLogSubscriptions"));
}

#[tokio::test]
async fn what_aws_refuses_is_told_and_all_else_is_done() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let queue = "arn:aws:sqs:us-west-2:123456789012:queue";
    let made = pass(&lattice, &logged(route(&["/a"], 1), &[queue])).await;
    assert!(matches!(made.applied.end, End::Complete), "{:?}", made.applied.end);
    let [refused] = made.applied.outcome.refused_logs.as_slice() else {
        panic!("{:?}", made.applied.outcome)
    };
    assert_eq!(refused.destination, queue);
    assert!(refused.message.contains("CreateAccessLogSubscription"), "{}", refused.message);
}

#[tokio::test]
async fn a_strangers_subscription_stays() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let made = converge(&emulator, &lattice, &route(&["/a"], 1)).await;
    let arn = &made.applied.outcome.services["inventory-default"].arn;
    let stranger = emulator.stranger().await;
    let create = stranger.create_access_log_subscription().resource_identifier(arn).destination_arn(GROUP);
    create.send().await.unwrap();
    let blocked = pass(&lattice, &logged(route(&["/a"], 1), &[OTHER_GROUP])).await;
    assert!(matches!(blocked.plan.blocked[..], [Blocked::AccessLogTaken { .. }]), "{:?}", blocked.plan);
    assert_eq!(emulator.state()["accessLogSubscriptions"][0]["destinationArn"], GROUP);
}
