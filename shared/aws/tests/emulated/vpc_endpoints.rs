//! VPC endpoints of service networks against the emulator's EC2.

use crate::harness::{Emulator, converge, inspect, pass};
use crate::wishes::{VPC, gateway, no_gateway, route};
use serde_json::{Value, json};
use trellis_aws::{End, ErrorClass};
use trellis_lattice::{
    Desired, DesiredVpcEndpoint, Ownership, ResourceKind, Step, TAG_VPC_ENDPOINTS, VpcEndpointOutcome,
};

const SUBNETS: [&str; 3] =
    ["subnet-0a1b2c3d4e5f6000a", "subnet-0a1b2c3d4e5f6000b", "subnet-0a1b2c3d4e5f6000c"];
const ONE: &str = "sg-0a1b2c3d4e5f60001";
const TWO: &str = "sg-0a1b2c3d4e5f60002";

/// The first and the last subnet are in one zone.
fn emulator(flags: &[&str]) -> Emulator {
    let zones = ["az1", "az2", "az1"];
    let subnets: serde_json::Map<String, Value> = SUBNETS
        .iter()
        .zip(zones)
        .map(|(subnet, zone)| ((*subnet).to_owned(), json!({"vpc": VPC, "zone": zone})))
        .collect();
    let config = json!({"subnets": subnets}).to_string();
    let flags: Vec<&str> =
        ["--delay", "all=0", "--config", &config].into_iter().chain(flags.iter().copied()).collect();
    Emulator::start(&flags)
}

fn by_endpoint(groups: &[&str]) -> Desired {
    let mut wish = gateway(&[]);
    let tags = wish.owner.tags();
    if let Some(network) = &mut wish.network {
        network.tags.insert(TAG_VPC_ENDPOINTS.into(), "true".into());
    }
    wish.vpc_endpoints = vec![DesiredVpcEndpoint {
        network: "my-hotel".into(),
        vpc: VPC.into(),
        subnets: SUBNETS.iter().map(|one| (*one).to_owned()).collect(),
        one_for_each_zone: true,
        security_groups: groups.iter().map(|one| (*one).to_owned()).collect(),
        tags,
    }];
    wish
}

fn held(emulator: &Emulator) -> Value {
    emulator.state()["vpcEndpoints"].clone()
}

/// A call to EC2 of somebody else in the account.
fn as_a_stranger(emulator: &Emulator, form: &str) {
    emulator.send("POST /", "application/x-www-form-urlencoded", form);
}

#[tokio::test]
async fn an_endpoint_is_made_with_its_tags_changed_in_place_and_taken_away_before_its_network() {
    let emulator = emulator(&[]);
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &by_endpoint(&[ONE])).await;
    let made = held(&emulator)[0].clone();
    assert_eq!(made["subnetIds"], json!([SUBNETS[0], SUBNETS[1]]), "one for each zone");
    assert_eq!(made["securityGroupIds"], json!([ONE]));
    assert_eq!(made["tags"], json!(by_endpoint(&[]).owner.tags()));
    converge(&emulator, &lattice, &route(&["/inventory"], 1)).await;
    converge(&emulator, &lattice, &by_endpoint(&[TWO])).await;
    let changed = held(&emulator)[0].clone();
    assert_eq!((&changed["id"], &changed["securityGroupIds"]), (&made["id"], &json!([TWO])));
    let actual = inspect(&lattice, &by_endpoint(&[TWO])).await;
    let names: Vec<&String> = actual.vpc_endpoints[0].names.values().collect();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    assert!(name.starts_with(&format!("{}-snsa-", made["id"].as_str().unwrap())), "{name}");
    assert!(actual.vpc_endpoints[0].names.keys().all(|id| id.starts_with("svc-")));
    converge(&emulator, &lattice, &crate::wishes::no_route()).await;
    converge(&emulator, &lattice, &no_gateway()).await;
    assert_eq!(held(&emulator), json!([]));
    assert_eq!(emulator.state()["serviceNetworks"], json!([]));
}

#[tokio::test]
async fn whoever_asks_for_no_endpoint_makes_no_call_to_ec2_and_who_did_once_is_looked_at_until_it_is_gone() {
    let emulator = emulator(&[]);
    let aws = emulator.aws().await;
    let lattice = aws.lattice();
    converge(&emulator, &lattice, &gateway(&[VPC])).await;
    let of_ec2 = |counted: &std::collections::BTreeMap<String, u64>| {
        let names = ["DescribeVpcEndpoints", "DescribeVpcEndpointAssociations", "DescribeSubnets"];
        names.iter().filter_map(|name| counted.get(*name)).sum::<u64>()
    };
    assert_eq!(of_ec2(&aws.counts().take()), 0);
    pass(&lattice, &gateway(&[VPC])).await;
    let settled = aws.counts().take();
    assert_eq!((of_ec2(&settled), settled.get("GetResources")), (0, None), "{settled:?}");
    converge(&emulator, &lattice, &by_endpoint(&[ONE])).await;
    aws.counts().take();
    pass(&lattice, &by_endpoint(&[ONE])).await;
    let settled = aws.counts().take();
    assert_eq!(of_ec2(&settled), 2, "zones are known: {settled:?}");
    // Another process, which has made none, and a Gateway that asks for none any more: the network's mark tells.
    let second = emulator.aws().await.lattice();
    converge(&emulator, &second, &gateway(&[VPC])).await;
    assert_eq!(held(&emulator), json!([]));
}

#[tokio::test]
async fn a_strangers_endpoint_is_not_seen_and_stays() {
    let emulator = emulator(&[]);
    let lattice = emulator.aws().await.lattice();
    let ours = by_endpoint(&[ONE]);
    converge(&emulator, &lattice, &ours).await;
    let network = emulator.state()["serviceNetworks"][0]["arn"].as_str().unwrap().to_owned();
    let form = format!(
        "Action=CreateVpcEndpoint&Version=2016-11-15&VpcEndpointType=ServiceNetwork&VpcId={VPC}&ServiceNetworkArn={network}\
         &SubnetId.1={}",
        SUBNETS[1]
    );
    as_a_stranger(&emulator, &form);
    assert_eq!(held(&emulator).as_array().map(Vec::len), Some(2));
    let actual = inspect(&lattice, &ours).await;
    assert_eq!(actual.vpc_endpoints.len(), 1);
    assert_eq!(actual.vpc_endpoints[0].ownership, Ownership::Ours);
    converge(&emulator, &lattice, &gateway(&[])).await;
    let left = held(&emulator);
    assert_eq!(left.as_array().map(Vec::len), Some(1));
    assert_eq!(left[0]["tags"], json!({}));
}

#[tokio::test]
async fn what_ec2_refuses_of_an_endpoint_is_told_and_all_else_is_done() {
    let emulator = emulator(&[]);
    let lattice = emulator.aws().await.lattice();
    let mut wish = by_endpoint(&[ONE]);
    wish.vpc_endpoints[0].one_for_each_zone = false;
    let made = pass(&lattice, &wish).await;
    assert!(matches!(made.applied.end, End::Complete), "{:?}", made.applied.end);
    let [refused] = made.applied.outcome.refused_endpoints.as_slice() else {
        panic!("{:?}", made.applied.outcome)
    };
    assert!(refused.message.contains("CreateVpcEndpoint: DuplicateSubnetsInSameZone"), "{}", refused.message);
    assert!(made.applied.outcome.vpc_endpoints.is_empty());
    assert_eq!(emulator.state()["serviceNetworks"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_endpoint_that_takes_its_time_is_waited_for_by_a_later_look() {
    let emulator = emulator(&["--delay", "vpc-endpoint=90s"]);
    let lattice = emulator.aws().await.lattice();
    let wish = by_endpoint(&[ONE]);
    let made = pass(&lattice, &wish).await;
    assert!(matches!(made.applied.end, End::Waiting(_)), "{:?}", made.applied.end);
    emulator.advance("90s");
    let then = pass(&lattice, &wish).await;
    assert!(matches!(then.applied.end, End::Complete), "{:?}", then.applied.end);
    let id = held(&emulator)[0]["id"].as_str().unwrap().to_owned();
    let there = VpcEndpointOutcome { network: "my-hotel".into(), vpc: VPC.into(), id };
    assert!(then.applied.outcome.vpc_endpoints.contains(&there));
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_makes_no_second_endpoint() {
    let emulator = emulator(&[]);
    let lattice = emulator.aws().await.lattice();
    emulator.configure(
        &json!({"faults": [{"kind": "timeout-after", "operation": "ec2:CreateVpcEndpoint", "count": 1}]}),
    );
    converge(&emulator, &lattice, &by_endpoint(&[ONE])).await;
    assert_eq!(held(&emulator).as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn errors_of_ec2_are_told_as_others_are_and_throttling_is_tried_again() {
    let emulator = emulator(&[]);
    let lattice = emulator.aws().await.lattice();
    let fault = |kind: &str, operation: &str, count: u32| json!({"faults": [{"kind": kind, "operation": operation, "count": count}]});
    emulator.configure(&fault("throttle", "ec2:DescribeVpcEndpoints", 1));
    converge(&emulator, &lattice, &by_endpoint(&[ONE])).await;
    emulator.configure(&fault("deny", "ec2:DescribeVpcEndpoints", 1));
    let error = lattice.inspect(&by_endpoint(&[ONE]), &[], std::time::SystemTime::now()).await.unwrap_err();
    assert_eq!((error.code(), error.class()), (Some("UnauthorizedOperation"), ErrorClass::Terminal));
    assert!(error.to_string().starts_with("DescribeVpcEndpoints: AWS denies Trellis this call"), "{error}");
    assert!(std::error::Error::source(&error).is_some(), "the cause is kept");
}

#[tokio::test]
async fn an_endpoint_is_told_among_what_is_owned_and_one_that_is_gone_is_made_anew() {
    let emulator = emulator(&[]);
    let lattice = emulator.aws().await.lattice();
    converge(&emulator, &lattice, &by_endpoint(&[ONE])).await;
    let mut kinds = vec![];
    lattice.owned("trellis", None, |one| kinds.push(one.kind)).await.unwrap();
    assert!(kinds.contains(&ResourceKind::VpcEndpoint), "{kinds:?}");
    let id = held(&emulator)[0]["id"].as_str().unwrap().to_owned();
    as_a_stranger(&emulator, &format!("Action=DeleteVpcEndpoints&Version=2016-11-15&VpcEndpointId.1={id}"));
    let again = converge(&emulator, &lattice, &by_endpoint(&[ONE])).await;
    assert!(again.plan.steps.iter().any(|step| matches!(step, Step::CreateVpcEndpoint(_))), "{}", again.plan);
    assert_eq!(held(&emulator).as_array().map(Vec::len), Some(1));
}
