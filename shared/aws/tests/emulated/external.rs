//! Target groups that a customer made: they are read, rules lead to them, and nothing of them is ever changed.

use crate::harness::{Emulator, converge, inspect, pass};
use crate::wishes::{VPC, gateway, no_route, route};
use aws_sdk_vpclattice::types as sdk;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use trellis_aws::End;
use trellis_lattice::{
    Action, Desired, ExternalGroup, Limits, ProtocolVersion, Status, Step, TargetProtocol,
    WeightedTargetGroup, plan,
};

/// A group of the customer's with a target and a tag: its ARN.
async fn made(emulator: &Emulator, name: &str, kind: sdk::TargetGroupType, version: &str) -> String {
    let stranger = emulator.stranger().await;
    let config = sdk::TargetGroupConfig::builder()
        .port(8090)
        .protocol(sdk::TargetGroupProtocol::Http)
        .protocol_version(version.into())
        .vpc_identifier(VPC)
        .build();
    let is_lambda = kind == sdk::TargetGroupType::Lambda;
    let group = stranger
        .create_target_group()
        .name(name)
        .r#type(kind)
        .set_config((!is_lambda).then_some(config))
        .tags("team", "rooms")
        .send()
        .await
        .unwrap();
    if !is_lambda {
        let target = sdk::Target::builder().id("10.0.9.9").port(8090).build().unwrap();
        let register = stranger.register_targets().target_group_identifier(group.id.unwrap());
        register.targets(target).send().await.unwrap();
    }
    group.arn.unwrap()
}

/// All of a group that its maker can see, but for who uses it.
fn shown(emulator: &Emulator, arn: &str) -> Value {
    let state = emulator.state();
    let groups = state["targetGroups"].as_array().unwrap();
    let mut group = groups.iter().find(|group| group["arn"] == arn).unwrap().clone();
    for target in group["targets"].as_array_mut().unwrap() {
        // What checks find out as long as somebody uses it.
        target.as_object_mut().unwrap().retain(|member, _| member != "status" && member != "reasonCode");
    }
    group.as_object_mut().unwrap().retain(|member, _| member != "serviceArns" && member != "services");
    group
}

fn id(arn: &str) -> String {
    arn.rsplit('/').next().unwrap().to_owned()
}

/// The route whose requests are shared by its own group and the one of this ARN.
fn shared(arn: &str, own: u16, external: u16) -> Desired {
    let mut wish = route(&["/inventory"], 2);
    let name = wish.target_groups[0].name.clone();
    let shares = [(name, own), (id(arn), external)].into_iter().filter(|(_, weight)| *weight > 0);
    let shares = shares.map(|(target_group, weight)| WeightedTargetGroup { target_group, weight });
    wish.services[0].listeners[0].rules[0].action = Action::Forward(shares.collect());
    if own == 0 {
        wish.target_groups.clear();
    }
    Desired { external_groups: [id(arn)].into(), ..wish }
}

#[tokio::test]
async fn a_route_shifts_to_a_customers_group_and_leaves_it_as_it_was() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let arn = made(&emulator, "blue", sdk::TargetGroupType::Ip, "HTTP1").await;
    let before = shown(&emulator, &arn);
    for (own, external) in [(100, 0), (90, 10), (0, 100), (90, 10)] {
        // The route's own group goes once the data plane has followed.
        let made = pass(&lattice, &shared(&arn, own, external)).await;
        assert!(!matches!(made.applied.end, End::Failed(_)), "{:?}\n{}", made.applied.end, made.plan);
        let told = inspect(&lattice, &shared(&arn, own, external)).await;
        let Action::Forward(shares) = &told.services[0].listeners[0].rules[0].action else {
            panic!("{told:?}")
        };
        let weight = shares.iter().find(|share| share.target_group == id(&arn)).map(|share| share.weight);
        assert_eq!(weight, Some(external).filter(|weight| *weight > 0), "{}", made.plan);
        assert_eq!(shown(&emulator, &arn), before);
    }
    // What had led there is taken away with nothing left, whether it was named or not.
    let mut left = inspect(&lattice, &route(&["/inventory"], 2)).await;
    // One that is not named is told by its id all the same, also once it was seen.
    for _ in 0..2 {
        assert!(left.services[0].target_groups().contains(id(&arn).as_str()), "{left:?}");
        left = inspect(&lattice, &route(&["/inventory"], 2)).await;
    }
    let back = plan(&route(&["/inventory"], 2), &left, &Limits::default());
    assert!(matches!(back.steps.as_slice(), [Step::UpdateRules(_)]), "{back}");
    pass(&lattice, &no_route()).await;
    assert_eq!(shown(&emulator, &arn), before);
}

#[tokio::test]
async fn a_settled_route_with_a_customers_group_costs_no_call_more() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let arn = made(&emulator, "blue", sdk::TargetGroupType::Ip, "HTTP1").await;
    converge(&emulator, &lattice, &shared(&arn, 90, 10)).await;
    emulator.reset_calls();
    inspect(&lattice, &shared(&arn, 90, 10)).await;
    let with: BTreeMap<String, u64> = emulator.calls();
    converge(&emulator, &lattice, &shared(&arn, 100, 0)).await;
    emulator.reset_calls();
    inspect(&lattice, &shared(&arn, 100, 0)).await;
    assert_eq!(with, emulator.calls());
}

#[tokio::test]
async fn a_group_is_told_with_what_matters_of_it_and_not_known_is_no_proof_of_absence() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    let grpc = made(&emulator, "blue", sdk::TargetGroupType::Ip, "GRPC").await;
    let lambda = made(&emulator, "function", sdk::TargetGroupType::Lambda, "").await;
    let missing = grpc.replace(&id(&grpc), "tg-0123456789abcdef9");
    let all = [grpc.clone(), lambda.clone(), missing.clone()].into();
    emulator.reset_calls();
    let told = lattice.external_groups(&all).await;
    assert_eq!(emulator.calls().get("GetTargetGroup"), Some(&3));
    assert_eq!(told[&missing], ExternalGroup::Missing);
    let ExternalGroup::Known(blue) = &told[&grpc] else { panic!("{told:?}") };
    assert_eq!((blue.name.as_str(), blue.kind.as_str(), blue.status), ("blue", "IP", Status::Active));
    assert_eq!(
        (blue.protocol, blue.protocol_version),
        (Some(TargetProtocol::Http), Some(ProtocolVersion::Grpc))
    );
    assert_eq!(blue.vpc.as_deref(), Some(VPC));
    assert_eq!(blue.tags.as_ref().unwrap()["team"], "rooms");
    let ExternalGroup::Known(function) = &told[&lambda] else { panic!("{told:?}") };
    assert_eq!((function.kind.as_str(), function.protocol, &function.vpc), ("LAMBDA", None, &None));

    for kind in ["throttle", "deny"] {
        let fault = json!({"kind": kind, "operation": "GetTargetGroup"});
        emulator.configure(&json!({"faults": [fault]}));
        let told = emulator.aws().await.lattice().external_groups(&all).await;
        assert!(told.values().all(|one| matches!(one, ExternalGroup::Unknown(_))), "{kind}: {told:?}");
    }
    // Tags that may not be read hide nothing else.
    let fault = json!({"kind": "deny", "operation": "ListTagsForResource"});
    emulator.configure(&json!({"faults": [fault]}));
    let told = emulator.aws().await.lattice().external_groups(&[grpc.clone()].into()).await;
    let ExternalGroup::Known(blue) = &told[&grpc] else { panic!("{told:?}") };
    assert_eq!(blue.tags, None);
}

#[tokio::test]
async fn a_group_that_another_service_has_is_refused_by_vpc_lattice_and_told_to_use_it() {
    let emulator = Emulator::instant();
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &gateway(&[])).await;
    let arn = made(&emulator, "blue", sdk::TargetGroupType::Ip, "HTTP1").await;
    converge(&emulator, &lattice, &shared(&arn, 90, 10)).await;
    let told = lattice.external_groups(&[arn.clone()].into()).await;
    let ExternalGroup::Known(blue) = &told[&arn] else { panic!("{told:?}") };
    let service = inspect(&lattice, &shared(&arn, 90, 10)).await.services[0].arn.clone();
    assert_eq!(blue.service_arns, [service].into());
    let settled = pass(&lattice, &shared(&arn, 90, 10)).await;
    assert!(
        matches!(settled.applied.end, End::Complete) && settled.plan.steps.is_empty(),
        "{}",
        settled.plan
    );
}
