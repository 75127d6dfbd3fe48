//! Statuses in time, failures of transitions, tokens, tags, snapshots.

use serde_json::json;

use super::{World, quick, slow, text};
use crate::state::tests::VPC;

#[test]
fn switch_12_a_service_is_created_and_deleted_in_time() {
    let mut world = World::new(slow());
    let made = world.ok("CreateService", json!({"name": "svc"}));
    assert_eq!(text(&made, "status"), "CREATE_IN_PROGRESS");
    let domain = made["dnsEntry"]["domainName"].as_str().unwrap().to_owned();
    let id = text(&made, "id");
    assert!(domain.starts_with(&format!("svc-{}.", id.strip_prefix("svc-").unwrap())), "{domain}");
    let get = json!({"serviceIdentifier": id});
    world.pass(1);
    assert_eq!(text(&world.ok("GetService", get.clone()), "status"), "CREATE_IN_PROGRESS");
    world.pass(1);
    assert_eq!(text(&world.ok("GetService", get.clone()), "status"), "ACTIVE");
    assert_eq!(text(&world.ok("DeleteService", get.clone()), "status"), "DELETE_IN_PROGRESS");
    assert_eq!(text(&world.ok("DeleteService", get.clone()), "status"), "DELETE_IN_PROGRESS");
    world.pass(2);
    assert_eq!(world.refused("GetService", get.clone()).0, "ResourceNotFoundException");
    assert_eq!(world.refused("DeleteService", get).0, "ResourceNotFoundException");
}

#[test]
fn switch_12_without_delays_the_first_look_after_a_create_sees_it_active() {
    let mut world = World::quick();
    let made = world.ok("CreateService", json!({"name": "svc"}));
    assert_eq!(text(&made, "status"), "CREATE_IN_PROGRESS");
    let read = world.ok("GetService", json!({"serviceIdentifier": made["arn"]}));
    assert_eq!(text(&read, "status"), "ACTIVE");
}

#[test]
fn the_second_creation_fails_when_the_settings_say_so_and_shows_why() {
    let failures = json!([{"transition": "create", "resource": "service", "skip": 1, "code": "Broken"}]);
    let mut world = World::with(&json!({"failures": failures}));
    let ids = [world.service("one"), world.service("two"), world.service("three")];
    let statuses: Vec<String> = ids
        .iter()
        .map(|id| text(&world.ok("GetService", json!({"serviceIdentifier": id})), "status"))
        .collect();
    assert_eq!(statuses, ["ACTIVE", "CREATE_FAILED", "ACTIVE"]);
    let failed = world.ok("GetService", json!({"serviceIdentifier": ids[1]}));
    assert_eq!(text(&failed, "failureCode"), "Broken");
    world.ok("DeleteService", json!({"serviceIdentifier": ids[1]}));
    world.service("two");
}

#[test]
fn a_failed_deletion_can_be_tried_again() {
    let failures = json!([{"transition": "delete", "resource": "target-group"}]);
    let mut world = World::with(&json!({"failures": failures}));
    let group = world.group("tgroup");
    let delete = json!({"targetGroupIdentifier": group});
    world.ok("DeleteTargetGroup", delete.clone());
    let left = world.ok("GetTargetGroup", delete.clone());
    assert_eq!(text(&left, "status"), "DELETE_FAILED");
    world.ok("DeleteTargetGroup", delete.clone());
    assert_eq!(world.refused("GetTargetGroup", delete).0, "ResourceNotFoundException");
}

#[test]
fn switch_03_a_client_token_repeats_the_first_answer_and_refuses_other_parameters() {
    for (switch, code) in [("conflict", "ConflictException"), ("validation", "ValidationException")] {
        let mut world = World::with(&json!({"switches": {"token-error": switch}}));
        let input = json!({"name": "svc", "clientToken": "t-1"});
        let first = world.ok("CreateService", input.clone());
        assert_eq!(world.ok("CreateService", input.clone()), first);
        let other = json!({"name": "svc", "authType": "AWS_IAM", "clientToken": "t-1"});
        assert_eq!(world.refused("CreateService", other).0, code);
        let another = json!({"name": "svc", "clientToken": "t-2"});
        assert_eq!(world.refused("CreateService", another).0, "ConflictException");
        world.ok("DeleteService", json!({"serviceIdentifier": first["id"]}));
        assert_ne!(world.ok("CreateService", input)["id"], first["id"], "the token ends with its resource");
    }
}

#[test]
fn switch_03_a_client_token_is_kept_as_long_as_the_switch_says_or_for_ever() {
    for (kept, ends) in [(json!("1m"), true), (json!(null), false)] {
        let mut world = World::with(&json!({"switches": {"token-ttl": kept}}));
        let input = json!({"name": "svc", "clientToken": "t-1"});
        world.ok("CreateService", input.clone());
        world.pass(59);
        world.ok("CreateService", input.clone());
        world.pass(1);
        assert_eq!(world.call("CreateService", input).is_err(), ends, "{kept}");
    }
}

#[test]
fn tags_are_set_merged_removed_and_bounded() {
    let mut world = World::quick();
    let made = world.ok("CreateService", json!({"name": "svc", "tags": {"a": "1", "b": "2"}}));
    let arn = made["arn"].clone();
    world.ok("TagResource", json!({"resourceArn": arn, "tags": {"b": "3", "c": ""}}));
    world.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a", "none"]}));
    let listed = world.ok("ListTagsForResource", json!({"resourceArn": arn}));
    assert_eq!(listed["tags"], json!({"b": "3", "c": ""}));
    let reserved = json!({"resourceArn": arn, "tags": {"aws:x": "1"}});
    assert_eq!(world.refused("TagResource", reserved).0, "ValidationException");
    let many: std::collections::BTreeMap<String, &str> = (0..49).map(|n| (format!("k{n}"), "")).collect();
    assert_eq!(
        world.refused("TagResource", json!({"resourceArn": arn, "tags": many})).0,
        "ValidationException"
    );
    let unknown = "arn:aws:vpc-lattice:us-west-2:000000000000:service/svc-00000000000000000";
    assert_eq!(
        world.refused("ListTagsForResource", json!({"resourceArn": unknown})).0,
        "ResourceNotFoundException"
    );
}

#[test]
fn the_tagging_index_follows_with_its_lag() {
    let mut world = World::with(&json!({"delays": {"tag-index": "5s"}}));
    let made = world.ok("CreateService", json!({"name": "svc", "tags": {"a": "1", "b": "1"}}));
    let arn = text(&made, "arn");
    assert!(bearers(&mut world, &[]).is_empty());
    world.pass(5);
    for tags in [&[][..], &[("a", "1")], &[("a", "1"), ("b", "1")]] {
        assert_eq!(bearers(&mut world, tags), [arn.as_str()], "{tags:?}");
    }
    assert!(bearers(&mut world, &[("a", "2")]).is_empty());
    assert!(bearers(&mut world, &[("a", "1"), ("b", "2")]).is_empty());
    world.ok("TagResource", json!({"resourceArn": arn, "tags": {"a": "2"}}));
    assert_eq!(bearers(&mut world, &[("a", "1")]), [arn.as_str()]);
    world.pass(5);
    assert!(bearers(&mut world, &[("a", "1")]).is_empty());
    assert_eq!(bearers(&mut world, &[("a", "2"), ("b", "1")]), [arn.as_str()]);
    world.ok("DeleteService", json!({"serviceIdentifier": arn}));
    assert_eq!(bearers(&mut world, &[("b", "1")]), [arn.as_str()]);
    world.pass(5);
    assert!(bearers(&mut world, &[("b", "1")]).is_empty());
    assert!(bearers(&mut world, &[]).is_empty());
}

/// The ARNs of what the tagging API shows with these tags.
fn bearers(world: &mut World, tags: &[(&str, &str)]) -> Vec<String> {
    let now = world.now;
    let tags: Vec<(String, String)> =
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    world.state.indexed_tags(now, &tags).into_iter().map(|(arn, _)| arn.to_owned()).collect()
}

#[test]
fn a_snapshot_brings_everything_back_with_what_is_under_way() {
    let mut world = World::new(slow());
    let (service, network) = (world.service("svc"), world.network("net"));
    world.pass(2);
    let link = world.link(&service, &network);
    world.group("tgroup");
    world.link_vpc(&network, VPC);
    let snapshot = world.state.snapshot().unwrap();
    let mut other = World::new(slow());
    other.now = world.now;
    other.state.restore(other.now, snapshot).unwrap();
    let get = json!({"serviceNetworkServiceAssociationIdentifier": link});
    let status =
        |world: &mut World| text(&world.ok("GetServiceNetworkServiceAssociation", get.clone()), "status");
    assert_eq!(status(&mut other), "CREATE_IN_PROGRESS");
    other.pass(3);
    assert_eq!(status(&mut other), "ACTIVE");
    world.pass(3);
    let now = world.now;
    assert_eq!(world.state.report(now), other.state.report(now));
}

#[test]
fn a_reset_forgets_resources_and_never_repeats_an_id() {
    let mut world = World::new(quick());
    let first = world.service("svc");
    world.state.reset();
    assert_eq!(world.state.count(), 0);
    assert_ne!(world.service("svc"), first);
}

#[test]
fn ids_and_arns_of_others_are_not_found() {
    let mut world = World::quick();
    let service = world.service("svc");
    for given in [
        format!("arn:aws:vpc-lattice:us-west-2:999999999999:service/{service}"),
        format!("arn:aws:vpc-lattice:eu-west-1:000000000000:service/{service}"),
        "svc-00000000000000000".to_owned(),
    ] {
        let refusal = world.refused("GetService", json!({"serviceIdentifier": given}));
        assert_eq!(refusal.0, "ResourceNotFoundException", "{given}");
    }
    let (other, listener) = (world.service("other"), world.listener(&service, "http", 80));
    let input = json!({"serviceIdentifier": other, "listenerIdentifier": listener});
    assert_eq!(world.refused("GetListener", input).0, "ResourceNotFoundException");
}

#[test]
fn creations_and_deletions_of_every_kind_that_takes_time_can_be_made_to_fail() {
    let kinds = [
        "service",
        "target-group",
        "service-association",
        "vpc-association",
        "resource-configuration",
        "resource-gateway",
        "resource-association",
    ];
    for kind in kinds {
        for (transition, status) in [("create", "CREATE_FAILED"), ("delete", "DELETE_FAILED")] {
            let mut world = World::with(&json!({"failures": [{"transition": transition, "resource": kind}]}));
            let (operation, member, id) = made(&mut world, kind);
            let name = json!({member: id});
            if transition == "delete" {
                world.ok(&format!("Delete{operation}"), name.clone());
            }
            let read = world.ok(&format!("Get{operation}"), name);
            assert_eq!(text(&read, "status"), status, "{kind}");
            let reason = [text(&read, "failureMessage"), text(&read, "failureReason")].concat();
            assert_eq!(reason.is_empty(), kind == "resource-gateway", "{kind}: gateways have no such member");
        }
    }
}

/// A resource of a kind: what its operations are called, the member that names it, and its id. What it needs is
/// of other kinds, so a rule that makes the kind fail does not meet it.
fn made(world: &mut World, kind: &str) -> (&'static str, &'static str, String) {
    match kind {
        "service" => ("Service", "serviceIdentifier", world.service("svc")),
        "target-group" => ("TargetGroup", "targetGroupIdentifier", world.group("grp")),
        "service-association" => {
            let (service, network) = (world.service("svc"), world.network("net"));
            let id = world.link(&service, &network);
            ("ServiceNetworkServiceAssociation", "serviceNetworkServiceAssociationIdentifier", id)
        }
        "vpc-association" => {
            let network = world.network("net");
            let id = world.link_vpc(&network, VPC);
            ("ServiceNetworkVpcAssociation", "serviceNetworkVpcAssociationIdentifier", id)
        }
        "resource-gateway" => {
            let id = world.id("CreateResourceGateway", json!({"name": "gate"}));
            ("ResourceGateway", "resourceGatewayIdentifier", id)
        }
        "resource-configuration" => {
            let id = world.id("CreateResourceConfiguration", json!({"name": "conf", "type": "SINGLE"}));
            ("ResourceConfiguration", "resourceConfigurationIdentifier", id)
        }
        _ => {
            let network = world.network("net");
            let conf = world.id("CreateResourceConfiguration", json!({"name": "conf", "type": "SINGLE"}));
            let both = json!({"resourceConfigurationIdentifier": conf, "serviceNetworkIdentifier": network});
            let id = world.id("CreateServiceNetworkResourceAssociation", both);
            ("ServiceNetworkResourceAssociation", "serviceNetworkResourceAssociationIdentifier", id)
        }
    }
}
