//! What may be registered in a target group. The numbers are rows of the conflict matrix.

use serde_json::{Value, json};

use super::World;
use crate::state::tests::VPC;

const INSTANCE: &str = "i-0123456789abcdef0";

#[test]
fn row_31_o_a_target_that_does_not_fit_is_reported_and_the_rest_is_registered() {
    let mut world = World::quick();
    let group = world.group("tgroup");
    let answer = world.ok(
        "RegisterTargets",
        json!({"targetGroupIdentifier": group, "targets": [{"id": "i-012345"}, {"id": "10.0.0.1", "port": 81}]}),
    );
    assert_eq!(answer["successful"], json!([{"id": "10.0.0.1", "port": 81}]));
    assert_eq!(answer["unsuccessful"][0]["failureCode"], json!("UnsupportedTarget"));
}

#[test]
fn row_32_d_a_lambda_target_group_has_one_target() {
    let mut world = World::quick();
    let group = world.id("CreateTargetGroup", json!({"name": "lambda", "type": "LAMBDA"}));
    let target =
        |name: &str| json!([{"id": format!("arn:aws:lambda:us-west-2:000000000000:function:{name}")}]);
    world.ok("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": target("one")}));
    let second = json!({"targetGroupIdentifier": group, "targets": target("two")});
    assert_eq!(world.refused("RegisterTargets", second).0, "ValidationException");
}

#[test]
fn row_31_o_an_instance_of_another_vpc_is_not_registered() {
    for (vpc, registered) in [(VPC, true), ("vpc-0fffffffffffffff0", false)] {
        let mut world = World::with(&json!({"instances": {INSTANCE: {"address": "10.0.0.1", "vpc": vpc}}}));
        let group = group_of(&mut world, "INSTANCE");
        let targets = json!([{"id": INSTANCE, "port": 80}, {"id": "i-00000000000000000", "port": 80}]);
        let answer = world.ok("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": targets}));
        let refused = answer["unsuccessful"].as_array().unwrap();
        assert_eq!(refused.is_empty(), registered, "{answer:?}");
        if let Some(failure) = refused.first() {
            assert_eq!(failure["id"], json!(INSTANCE));
            assert_eq!(failure["failureCode"], json!("UnsupportedTarget"));
        }
    }
}

#[test]
fn row_31_o_an_address_outside_of_the_vpcs_blocks_is_not_registered() {
    let blocks = json!({VPC: ["10.0.0.0/20", "fd00::/64"]});
    let mut world = World::with(&json!({"vpc-cidrs": blocks}));
    let group = world.group("tgroup");
    let targets = json!([{"id": "10.0.15.9"}, {"id": "10.0.16.1"}, {"id": "192.168.0.7"}]);
    let answer = world.ok("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": targets}));
    let ids = |member: &str| {
        let list = answer[member].as_array().unwrap();
        list.iter().map(|target| target["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("successful"), ["10.0.15.9"]);
    assert_eq!(ids("unsuccessful"), ["10.0.16.1", "192.168.0.7"]);
    assert_eq!(answer["unsuccessful"][0]["failureCode"], json!("UnsupportedTarget"));
    // Blocks of another VPC say nothing of this one.
    let mut world = World::with(&json!({"vpc-cidrs": {"vpc-0fffffffffffffff0": ["10.0.0.0/20"]}}));
    let group = world.group("tgroup");
    let input = json!({"targetGroupIdentifier": group, "targets": [{"id": "192.168.0.7"}]});
    assert_eq!(world.ok("RegisterTargets", input)["unsuccessful"], json!([]));
}

#[test]
fn a_load_balancer_target_group_has_one_target() {
    let mut world = World::quick();
    let group = group_of(&mut world, "ALB");
    let arn =
        |name: &str| format!("arn:aws:elasticloadbalancing:us-west-2:000000000000:loadbalancer/app/{name}/0");
    let input = |name| json!({"targetGroupIdentifier": group, "targets": [{"id": arn(name), "port": 80}]});
    world.ok("RegisterTargets", input("one"));
    world.ok("RegisterTargets", input("one"));
    assert_eq!(world.refused("RegisterTargets", input("two")).0, "ValidationException");
}

fn group_of(world: &mut World, kind: &str) -> Value {
    let config = json!({"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC});
    world.ok("CreateTargetGroup", json!({"name": "grp", "type": kind, "config": config}))["id"].clone()
}
