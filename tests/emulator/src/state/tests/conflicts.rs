//! The conflict matrix, row by row. The letter is the confidence that AWS answers so: D documented, O observed,
//! U unconfirmed.

use serde_json::json;

use super::{World, forward, not_found, rule, slow, text};
use crate::state::tests::VPC;

const CONFLICT: &str = "ConflictException";
const INVALID: &str = "ValidationException";
const MISSING: &str = "ResourceNotFoundException";

#[test]
fn row_01_d_a_name_in_use_is_a_conflict_for_every_named_kind() {
    let mut world = World::quick();
    world.network("one-name");
    assert_eq!(world.refused("CreateServiceNetwork", json!({"name": "one-name"})).0, CONFLICT);
    world.service("one-name");
    assert_eq!(world.refused("CreateService", json!({"name": "one-name"})).0, CONFLICT);
    for (operation, extra) in
        [("CreateResourceGateway", json!({})), ("CreateResourceConfiguration", json!({"type": "SINGLE"}))]
    {
        let mut input = extra;
        input["name"] = json!("one-name");
        world.ok(operation, input.clone());
        assert_eq!(world.refused(operation, input).0, CONFLICT, "{operation}");
    }
}

#[test]
fn rows_02_and_03_u_a_target_group_name_in_use_is_a_conflict_whatever_the_configuration() {
    let mut world = World::quick();
    world.group("one-name");
    for port in [80, 81] {
        let config = json!({"port": port, "protocol": "HTTP", "vpcIdentifier": VPC});
        let input = json!({"name": "one-name", "type": "IP", "config": config});
        assert_eq!(world.refused("CreateTargetGroup", input).0, CONFLICT);
    }
}

#[test]
fn rows_04_and_05_d_u_a_listener_name_or_port_in_use_is_a_conflict() {
    let mut world = World::quick();
    let service = world.service("svc");
    world.listener(&service, "http", 80);
    for (name, port) in [("http", 81), ("other", 80)] {
        let input = json!({"serviceIdentifier": service, "name": name, "protocol": "HTTP", "port": port,
                           "defaultAction": not_found()});
        assert_eq!(world.refused("CreateListener", input).0, CONFLICT, "{name} {port}");
    }
    let other = world.service("another");
    world.listener(&other, "http", 80);
}

#[test]
fn rows_06_and_07_u_d_a_rule_name_or_priority_in_use_is_a_conflict() {
    let mut world = World::quick();
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    world.rule(&service, &listener, "one", 1);
    let second = world.rule(&service, &listener, "two", 2);
    for (name, priority) in [("one", 3), ("three", 1)] {
        let input = rule(&service, &listener, name, priority, &not_found());
        assert_eq!(world.refused("CreateRule", input).0, CONFLICT, "{name} {priority}");
    }
    let update = |priority| {
        json!({"serviceIdentifier": service, "listenerIdentifier": listener, "ruleIdentifier": second,
               "priority": priority})
    };
    assert_eq!(world.refused("UpdateRule", update(1)).0, CONFLICT);
    world.ok("UpdateRule", update(2));
}

#[test]
fn row_08_d_a_batch_whose_final_priorities_clash_reports_the_entry_and_answers_200() {
    let mut world = World::quick();
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    let first = world.rule(&service, &listener, "one", 1);
    let second = world.rule(&service, &listener, "two", 2);
    world.rule(&service, &listener, "three", 3);
    let answer = world.ok(
        "BatchUpdateRule",
        json!({"serviceIdentifier": service, "listenerIdentifier": listener, "rules": [
            {"ruleIdentifier": first, "priority": 10}, {"ruleIdentifier": second, "priority": 3}]}),
    );
    assert_eq!(answer["successful"][0]["id"], json!(first));
    assert_eq!(answer["successful"][0]["priority"], json!(10));
    assert_eq!(answer["unsuccessful"][0]["ruleIdentifier"], json!(second));
    assert!(answer["unsuccessful"][0]["failureCode"].is_string());
}

#[test]
fn row_09_d_a_batch_swaps_priorities() {
    let mut world = World::quick();
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    let first = world.rule(&service, &listener, "one", 1);
    let second = world.rule(&service, &listener, "two", 2);
    let answer = world.ok(
        "BatchUpdateRule",
        json!({"serviceIdentifier": service, "listenerIdentifier": listener, "rules": [
            {"ruleIdentifier": first, "priority": 2}, {"ruleIdentifier": second, "priority": 1}]}),
    );
    assert_eq!(answer["unsuccessful"], json!([]));
    let read = world.ok(
        "GetRule",
        json!({"serviceIdentifier": service, "listenerIdentifier": listener, "ruleIdentifier": first}),
    );
    assert_eq!(read["priority"], json!(2));
}

#[test]
fn row_10_d_the_default_rule_can_be_neither_updated_nor_deleted() {
    let mut world = World::quick();
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    let path = json!({"serviceIdentifier": service, "listenerIdentifier": listener});
    let rules = world.ok("ListRules", path.clone());
    assert_eq!(rules["items"][0]["isDefault"], json!(true));
    let mut input = path;
    input["ruleIdentifier"] = rules["items"][0]["id"].clone();
    assert_eq!(world.refused("DeleteRule", input.clone()).0, INVALID);
    input["priority"] = json!(5);
    assert_eq!(world.refused("UpdateRule", input).0, INVALID);
}

#[test]
fn row_11_d_a_fixed_response_is_404_or_500() {
    let mut world = World::quick();
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    for (priority, status) in (1..).zip([404, 500]) {
        let action = json!({"fixedResponse": {"statusCode": status}});
        world.ok("CreateRule", rule(&service, &listener, &format!("r{status}"), priority, &action));
    }
    for status in [200, 401, 403, 503] {
        let action = json!({"fixedResponse": {"statusCode": status}});
        let input = rule(&service, &listener, &format!("r{status}"), 9, &action);
        assert_eq!(world.refused("CreateRule", input).0, INVALID, "{status}");
    }
}

#[test]
fn row_12_o_and_switch_04_a_priority_is_at_most_2000_or_what_the_switch_says() {
    for (max, good, bad) in [(2000, 2000, 2001), (100, 100, 101)] {
        let mut world = World::with(&json!({"switches": {"priority-max": max}}));
        let service = world.service("svc");
        let listener = world.listener(&service, "http", 80);
        world.rule(&service, &listener, "good", good);
        let input = rule(&service, &listener, "bad", bad, &not_found());
        assert_eq!(world.refused("CreateRule", input).0, INVALID, "{bad}");
    }
}

#[test]
fn row_13_d_an_association_that_exists_is_a_conflict() {
    let mut world = World::quick();
    let (service, network) = (world.service("svc"), world.network("net"));
    world.link(&service, &network);
    let input = json!({"serviceIdentifier": service, "serviceNetworkIdentifier": network});
    let refusal = world.refused("CreateServiceNetworkServiceAssociation", input);
    assert_eq!(refusal, (CONFLICT, "Association already exists.".to_owned()));
}

#[test]
fn row_14_o_a_service_in_creation_cannot_be_associated() {
    let mut world = World::new(slow());
    let (service, network) = (world.service("svc"), world.network("net"));
    let input = json!({"serviceIdentifier": service, "serviceNetworkIdentifier": network});
    let (code, message) = world.refused("CreateServiceNetworkServiceAssociation", input.clone());
    assert_eq!(code, CONFLICT);
    let expected = format!(
        "Invalid resource status for this operation, resource id {service}, status: CREATE_IN_PROGRESS."
    );
    assert_eq!(message, expected);
    world.pass(2);
    world.ok("CreateServiceNetworkServiceAssociation", input);
}

#[test]
fn row_15_d_no_association_while_one_is_being_removed_or_the_service_is() {
    let mut world = World::new(slow());
    let (service, network) = (world.service("svc"), world.network("net"));
    world.pass(10);
    let link = world.link(&service, &network);
    world.pass(10);
    world.ok(
        "DeleteServiceNetworkServiceAssociation",
        json!({"serviceNetworkServiceAssociationIdentifier": link}),
    );
    let input = json!({"serviceIdentifier": service, "serviceNetworkIdentifier": network});
    assert_eq!(world.refused("CreateServiceNetworkServiceAssociation", input.clone()).0, CONFLICT);
    world.pass(10);
    world.ok("DeleteService", json!({"serviceIdentifier": service}));
    assert_eq!(world.refused("CreateServiceNetworkServiceAssociation", input).0, CONFLICT);
}

#[test]
fn row_17_d_one_custom_domain_a_service_network() {
    let mut world = World::quick();
    let network = world.network("net");
    let custom = |name| json!({"name": name, "customDomainName": "shop.example.com"});
    let first = world.id("CreateService", custom("one"));
    let second = world.id("CreateService", custom("two"));
    world.link(&first, &network);
    let input = json!({"serviceIdentifier": second, "serviceNetworkIdentifier": network});
    assert_eq!(world.refused("CreateServiceNetworkServiceAssociation", input).0, CONFLICT);
    let other = world.network("other");
    world.link(&second, &other);
}

#[test]
fn row_18_o_a_vpc_has_one_service_network() {
    let mut world = World::quick();
    let (first, second) = (world.network("one"), world.network("two"));
    world.link_vpc(&first, VPC);
    let input = json!({"vpcIdentifier": VPC, "serviceNetworkIdentifier": second});
    let refusal = world.refused("CreateServiceNetworkVpcAssociation", input);
    assert_eq!(refusal, (CONFLICT, "VPC has already been associated to a service network.".to_owned()));
}

#[test]
fn row_19_d_a_vpc_association_in_creation_or_change_can_be_neither_changed_nor_deleted() {
    let mut world = World::new(slow());
    let network = world.network("net");
    let link = world.link_vpc(&network, VPC);
    let delete = json!({"serviceNetworkVpcAssociationIdentifier": link});
    let update = json!({"serviceNetworkVpcAssociationIdentifier": link, "securityGroupIds": ["sg-12345678"]});
    assert_eq!(world.refused("UpdateServiceNetworkVpcAssociation", update.clone()).0, CONFLICT);
    assert_eq!(world.refused("DeleteServiceNetworkVpcAssociation", delete.clone()).0, CONFLICT);
    world.pass(10);
    let answer = world.ok("UpdateServiceNetworkVpcAssociation", update.clone());
    assert_eq!(text(&answer, "status"), "UPDATE_IN_PROGRESS");
    assert_eq!(world.refused("UpdateServiceNetworkVpcAssociation", update).0, CONFLICT);
    assert_eq!(world.refused("DeleteServiceNetworkVpcAssociation", delete.clone()).0, CONFLICT);
    world.pass(3);
    world.ok("DeleteServiceNetworkVpcAssociation", delete);
}

#[test]
fn row_20_d_a_service_association_in_creation_cannot_be_deleted() {
    let mut world = World::new(slow());
    let (service, network) = (world.service("svc"), world.network("net"));
    world.pass(2);
    let link = world.link(&service, &network);
    let input = json!({"serviceNetworkServiceAssociationIdentifier": link});
    let refusal = world.refused("DeleteServiceNetworkServiceAssociation", input);
    assert_eq!(refusal, (CONFLICT, "Creation is in progress.".to_owned()));
}

#[test]
fn row_21_d_a_service_with_an_association_cannot_be_deleted_until_it_is_gone() {
    let mut world = World::new(slow());
    let (service, network) = (world.service("svc"), world.network("net"));
    world.pass(2);
    let link = world.link(&service, &network);
    world.pass(3);
    let delete = json!({"serviceIdentifier": service});
    let expected = format!("Service {service} has one or more associated service networks.");
    assert_eq!(world.refused("DeleteService", delete.clone()), (CONFLICT, expected));
    let input = json!({"serviceNetworkServiceAssociationIdentifier": link});
    world.ok("DeleteServiceNetworkServiceAssociation", input);
    assert_eq!(world.refused("DeleteService", delete.clone()).0, CONFLICT);
    world.pass(3);
    world.ok("DeleteService", delete);
}

#[test]
fn row_22_d_deleting_a_service_takes_listeners_rules_and_policies_with_it_but_no_target_groups() {
    let mut world = World::quick();
    let (service, group) = (world.service("svc"), world.group("tgroup"));
    let listener = world.listener(&service, "http", 80);
    let action = forward(&[(&group, 1)]);
    let made = world.ok("CreateRule", rule(&service, &listener, "one", 1, &action));
    world.ok("PutAuthPolicy", json!({"resourceIdentifier": service, "policy": "{}"}));
    world.ok("DeleteService", json!({"serviceIdentifier": service}));
    assert_eq!(world.refused("ListTagsForResource", json!({"resourceArn": made["arn"]})).0, MISSING);
    assert_eq!(world.refused("GetAuthPolicy", json!({"resourceIdentifier": service})).0, MISSING);
    let left = world.ok("GetTargetGroup", json!({"targetGroupIdentifier": group}));
    assert_eq!(left["serviceArns"], json!([]));
    assert_eq!(world.state.count(), 1);
}

#[test]
fn row_23_d_a_service_network_with_anything_associated_cannot_be_deleted() {
    let mut world = World::new(slow());
    let (service, network) = (world.service("svc"), world.network("net"));
    world.pass(2);
    let link = world.link_vpc(&network, VPC);
    let delete = json!({"serviceNetworkIdentifier": network});
    let expected = "service network has VPC(s) associated".to_owned();
    assert_eq!(world.refused("DeleteServiceNetwork", delete.clone()), (CONFLICT, expected));
    world.pass(10);
    world.ok("DeleteServiceNetworkVpcAssociation", json!({"serviceNetworkVpcAssociationIdentifier": link}));
    world.pass(74);
    assert_eq!(world.refused("DeleteServiceNetwork", delete.clone()).0, CONFLICT);
    world.pass(1);
    let link = world.link(&service, &network);
    assert_eq!(world.refused("DeleteServiceNetwork", delete.clone()).0, CONFLICT);
    world.pass(3);
    world.ok(
        "DeleteServiceNetworkServiceAssociation",
        json!({"serviceNetworkServiceAssociationIdentifier": link}),
    );
    world.pass(3);
    world.ok("DeleteServiceNetwork", delete);
}

#[test]
fn row_24_d_a_target_group_in_use_cannot_be_deleted() {
    let mut world = World::quick();
    let (service, group) = (world.service("svc"), world.group("tgroup"));
    let listener = world.listener(&service, "http", 80);
    let made = world.id("CreateRule", rule(&service, &listener, "one", 1, &forward(&[(&group, 1)])));
    let delete = json!({"targetGroupIdentifier": group});
    assert_eq!(world.refused("DeleteTargetGroup", delete.clone()).0, CONFLICT);
    world.ok(
        "DeleteRule",
        json!({"serviceIdentifier": service, "listenerIdentifier": listener, "ruleIdentifier": made}),
    );
    world.ok("DeleteTargetGroup", delete);
}

#[test]
fn row_25_d_a_target_group_in_creation_cannot_be_deleted() {
    let mut world = World::new(slow());
    let group = world.group("tgroup");
    assert_eq!(world.refused("DeleteTargetGroup", json!({"targetGroupIdentifier": group})).0, CONFLICT);
}

#[test]
fn row_26_o_a_target_group_with_draining_targets_cannot_be_deleted() {
    let mut world = World::new(slow());
    let group = world.group("tgroup");
    world.pass(2);
    let targets = json!({"targetGroupIdentifier": group, "targets": [{"id": "10.0.0.1"}]});
    world.ok("RegisterTargets", targets.clone());
    world.ok("DeregisterTargets", targets);
    let delete = json!({"targetGroupIdentifier": group});
    assert_eq!(world.refused("DeleteTargetGroup", delete.clone()).0, CONFLICT);
    world.pass(60);
    world.ok("DeleteTargetGroup", delete);
}

#[test]
fn row_27_u_and_switch_09_a_target_group_with_registered_targets_is_a_conflict_or_goes_by_the_switch() {
    for (switch, refused) in [("conflict", true), ("allow", false)] {
        let mut world = World::with(&json!({"switches": {"delete-tg-registered": switch}}));
        let group = world.group("tgroup");
        world.ok("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": [{"id": "10.0.0.1"}]}));
        let outcome = world.call("DeleteTargetGroup", json!({"targetGroupIdentifier": group}));
        assert_eq!(outcome.err().map(|refusal| refusal.code()), refused.then_some(CONFLICT), "{switch}");
    }
}

#[test]
fn row_28_o_a_target_group_in_creation_takes_no_targets_and_no_rules() {
    let mut world = World::new(slow());
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    let group = world.group("tgroup");
    let expected = format!(
        "Invalid resource status for this operation, resource id {group}, status: CREATE_IN_PROGRESS."
    );
    let register = json!({"targetGroupIdentifier": group, "targets": [{"id": "10.0.0.1"}]});
    assert_eq!(world.refused("RegisterTargets", register.clone()), (CONFLICT, expected.clone()));
    let create = rule(&service, &listener, "one", 1, &forward(&[(&group, 1)]));
    assert_eq!(world.refused("CreateRule", create.clone()), (CONFLICT, expected));
    world.pass(2);
    world.ok("RegisterTargets", register);
    world.ok("CreateRule", create);
}

#[test]
fn row_29_d_a_target_group_serves_one_service() {
    let mut world = World::quick();
    let group = world.group("tgroup");
    let (first, second) = (world.service("one"), world.service("two"));
    let listener = world.listener(&first, "http", 80);
    let other = world.listener(&second, "http", 80);
    let also = world.listener(&first, "http2", 81);
    world.ok("CreateRule", rule(&first, &listener, "one", 1, &forward(&[(&group, 1)])));
    world.ok("CreateRule", rule(&first, &also, "one", 1, &forward(&[(&group, 1)])));
    let refusal = world.refused("CreateRule", rule(&second, &other, "one", 1, &forward(&[(&group, 1)])));
    let expected = format!("TargetGroup {group} has been associated with other services");
    assert_eq!(refusal, (CONFLICT, expected));
}

#[test]
fn row_30_u_an_action_with_an_unknown_target_group_finds_nothing() {
    let mut world = World::quick();
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    let action = forward(&[("tg-00000000000000000", 1)]);
    assert_eq!(world.refused("CreateRule", rule(&service, &listener, "one", 1, &action)).0, MISSING);
}

#[test]
fn rows_33_and_34_o_one_access_log_destination_of_a_type_and_only_for_what_exists() {
    let mut world = World::quick();
    let service = world.service("svc");
    let logs = |name: &str| format!("arn:aws:logs:us-west-2:000000000000:log-group:{name}");
    let create = |resource: &str, arn: &str| json!({"resourceIdentifier": resource, "destinationArn": arn});
    world.ok("CreateAccessLogSubscription", create(&service, &logs("one")));
    assert_eq!(world.refused("CreateAccessLogSubscription", create(&service, &logs("two"))).0, CONFLICT);
    world.ok("CreateAccessLogSubscription", create(&service, "arn:aws:s3:::a-bucket-for-logs"));
    let unknown = create("svc-00000000000000000", &logs("one"));
    assert_eq!(world.refused("CreateAccessLogSubscription", unknown).0, MISSING);
}

#[test]
fn row_35_d_association_lists_need_one_of_their_filters() {
    let mut world = World::quick();
    for list in ["Service", "Vpc", "Resource"] {
        let operation = format!("ListServiceNetwork{list}Associations");
        assert_eq!(world.refused(&operation, json!({})).0, INVALID, "{operation}");
    }
}

#[test]
fn row_36_d_an_auth_policy_is_json_on_one_line_and_not_too_long() {
    let mut world = World::quick();
    let service = world.service("svc");
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(10_240));
    for policy in ["no json", "{\n}", "[]", long.as_str()] {
        let input = json!({"resourceIdentifier": service, "policy": policy});
        assert_eq!(world.refused("PutAuthPolicy", input).0, INVALID, "{policy:.20}");
    }
}

#[test]
fn row_37_and_switch_10_deleting_an_auth_policy_under_aws_iam_goes_or_not_by_the_switch() {
    for (switch, refused) in [("allow", false), ("conflict", true)] {
        let mut world = World::with(&json!({"switches": {"delete-auth-policy": switch}}));
        let service = world.id("CreateService", json!({"name": "svc", "authType": "AWS_IAM"}));
        let put = world.ok("PutAuthPolicy", json!({"resourceIdentifier": service, "policy": "{}"}));
        assert_eq!(text(&put, "state"), "Active");
        let outcome = world.call("DeleteAuthPolicy", json!({"resourceIdentifier": service}));
        assert_eq!(outcome.err().map(|refusal| refusal.code()), refused.then_some(INVALID), "{switch}");
    }
}

#[test]
fn row_40_u_listeners_may_be_added_in_creation_and_not_in_deletion() {
    let mut world = World::new(slow());
    let service = world.service("svc");
    let listener = world.listener(&service, "http", 80);
    world.pass(2);
    world.ok("DeleteService", json!({"serviceIdentifier": service}));
    let input = json!({"serviceIdentifier": service, "name": "other", "protocol": "HTTP", "port": 81,
                       "defaultAction": not_found()});
    assert_eq!(world.refused("CreateListener", input).0, CONFLICT);
    let input = rule(&service, &listener, "one", 1, &not_found());
    assert_eq!(world.refused("CreateRule", input).0, CONFLICT);
}

#[test]
fn row_41_o_an_access_log_destination_changes_within_its_type_only() {
    let mut world = World::quick();
    let service = world.service("svc");
    let logs = |name: &str| format!("arn:aws:logs:us-west-2:000000000000:log-group:{name}");
    let id = world.id(
        "CreateAccessLogSubscription",
        json!({"resourceIdentifier": service, "destinationArn": logs("one")}),
    );
    let update = |arn: &str| json!({"accessLogSubscriptionIdentifier": id, "destinationArn": arn});
    world.ok("UpdateAccessLogSubscription", update(&logs("two")));
    let bucket = update("arn:aws:s3:::a-bucket-for-logs");
    assert_eq!(world.refused("UpdateAccessLogSubscription", bucket).0, CONFLICT);
}
