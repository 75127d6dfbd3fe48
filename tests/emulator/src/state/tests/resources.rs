//! Resource configurations, their groups and associations, domain verifications.

use serde_json::{Value, json};

use super::{World, items, slow, text};

const CREATE: &str = "CreateResourceConfiguration";
const LINK: &str = "CreateServiceNetworkResourceAssociation";

fn configuration(world: &mut World, name: &str, kind: &str) -> String {
    world.id(CREATE, json!({"name": name, "type": kind}))
}

fn child(world: &mut World, name: &str, group: &str) -> String {
    world.id(CREATE, json!({"name": name, "type": "CHILD", "resourceConfigurationGroupIdentifier": group}))
}

fn link(world: &mut World, configuration: &str, network: &str) -> String {
    let both = json!({"resourceConfigurationIdentifier": configuration, "serviceNetworkIdentifier": network});
    world.id(LINK, both)
}

/// Names of the configurations that a list of associations shows.
fn listed(world: &mut World, filters: Value) -> Vec<String> {
    let listed = world.ok("ListServiceNetworkResourceAssociations", filters);
    items(&listed).iter().map(|it| it["resourceConfigurationName"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_association_of_a_group_lists_its_children_on_request() {
    let mut world = World::quick();
    let (network, group) = (world.network("net"), configuration(&mut world, "group", "GROUP"));
    let first = child(&mut world, "first", &group);
    let alone = configuration(&mut world, "alone", "SINGLE");
    link(&mut world, &group, &network);
    link(&mut world, &alone, &network);
    child(&mut world, "late", &group);
    for (filters, expected) in [
        (json!({"serviceNetworkIdentifier": network}), vec!["group", "alone"]),
        (json!({"serviceNetworkIdentifier": network, "includeChildren": false}), vec!["group", "alone"]),
        (
            json!({"serviceNetworkIdentifier": network, "includeChildren": true}),
            vec!["group", "first", "alone", "late"],
        ),
        (json!({"resourceConfigurationIdentifier": group}), vec!["group"]),
        (
            json!({"resourceConfigurationIdentifier": group, "includeChildren": true}),
            vec!["group", "first", "late"],
        ),
        (json!({"resourceConfigurationIdentifier": first}), vec!["first"]),
    ] {
        assert_eq!(listed(&mut world, filters.clone()), expected, "{filters}");
    }
    let networks = world.ok("ListServiceNetworks", json!({}));
    assert_eq!(networks["items"][0]["numberOfAssociatedResourceConfigurations"], json!(2));
}

#[test]
fn a_group_is_partially_associated_while_a_child_is_not() {
    let failures = json!([{"transition": "create", "resource": "resource-association", "skip": 1}]);
    let mut world = World::with(&json!({"failures": failures}));
    let (network, group) = (world.network("net"), configuration(&mut world, "group", "GROUP"));
    let broken = child(&mut world, "broken", &group);
    child(&mut world, "good", &group);
    let id = link(&mut world, &group, &network);
    let get = json!({"serviceNetworkResourceAssociationIdentifier": id});
    assert_eq!(text(&world.ok("GetServiceNetworkResourceAssociation", get.clone()), "status"), "PARTIAL");
    world.ok("DeleteResourceConfiguration", json!({"resourceConfigurationIdentifier": broken}));
    assert_eq!(text(&world.ok("GetServiceNetworkResourceAssociation", get), "status"), "ACTIVE");
}

#[test]
fn the_associations_of_children_go_with_that_of_their_group() {
    let mut world = World::new(slow());
    let (network, group) = (world.network("net"), configuration(&mut world, "group", "GROUP"));
    let first = child(&mut world, "first", &group);
    world.pass(10);
    let id = link(&mut world, &group, &network);
    world.pass(10);
    let all = json!({"serviceNetworkIdentifier": network, "includeChildren": true});
    let listing = items(&world.ok("ListServiceNetworkResourceAssociations", all.clone()));
    let of_child = listing.iter().find(|it| it["resourceConfigurationId"] == json!(first)).unwrap();
    let name = |id: &Value| json!({"serviceNetworkResourceAssociationIdentifier": id});
    let refusal = world.refused("DeleteServiceNetworkResourceAssociation", name(&of_child["id"]));
    assert_eq!(refusal.0, "ConflictException");
    world.ok("DeleteServiceNetworkResourceAssociation", name(&json!(id)));
    assert_eq!(listed(&mut world, all.clone()), ["group", "first"]);
    world.pass(3);
    assert_eq!(listed(&mut world, all), Vec::<String>::new());
    world.ok("DeleteServiceNetwork", json!({"serviceNetworkIdentifier": network}));
}

#[test]
fn a_child_has_a_group_and_its_gateway_and_each_type_its_members() {
    let mut world = World::quick();
    let gateway = world.id("CreateResourceGateway", json!({"name": "gate"}));
    let read = world.ok("GetResourceGateway", json!({"resourceGatewayIdentifier": gateway}));
    assert_eq!(text(&read, "resourceConfigDnsResolution"), "PUBLIC");
    let group = json!({"name": "group", "type": "GROUP", "resourceGatewayIdentifier": gateway});
    let group = world.id(CREATE, group);
    let first = child(&mut world, "first", &group);
    let read = world.ok("GetResourceConfiguration", json!({"resourceConfigurationIdentifier": first}));
    assert_eq!(text(&read, "resourceGatewayId"), gateway);
    for (kind, more) in [
        ("CHILD", json!({})),
        ("CHILD", json!({"resourceConfigurationGroupIdentifier": first})),
        ("SINGLE", json!({"resourceConfigurationGroupIdentifier": group})),
        ("SINGLE", json!({"groupDomain": "example.com"})),
        ("SINGLE", json!({"protocol": "TCP_UDP"})),
        ("ARN", json!({"portRanges": ["80"]})),
        ("SINGLE", json!({"portRanges": ["80", "90-89"]})),
        ("SINGLE", json!({"portRanges": ["1-65536"]})),
    ] {
        let mut input = json!({"name": "other", "type": kind});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(world.refused(CREATE, input).0, "ValidationException", "{kind} {more}");
    }
    world.ok(
        CREATE,
        json!({"name": "cidr", "type": "CIDR", "protocol": "TCP_UDP", "portRanges": ["53", "80-90"]}),
    );
}

#[test]
fn changes_of_every_kind_that_takes_time_can_be_made_to_fail_and_tried_again() {
    let table = [
        ("vpc-association", "ServiceNetworkVpcAssociation", json!({"securityGroupIds": ["sg-12345678"]})),
        ("resource-gateway", "ResourceGateway", json!({"securityGroupIds": ["sg-12345678"]})),
        ("resource-configuration", "ResourceConfiguration", json!({"portRanges": ["443"]})),
    ];
    for (kind, operation, change) in table {
        let mut world = World::with(&json!({"failures": [{"transition": "update", "resource": kind}]}));
        let (member, id) = match kind {
            "vpc-association" => {
                let network = world.network("net");
                ("serviceNetworkVpcAssociationIdentifier", world.link_vpc(&network, super::VPC))
            }
            "resource-gateway" => {
                ("resourceGatewayIdentifier", world.id("CreateResourceGateway", json!({"name": "gate"})))
            }
            _ => ("resourceConfigurationIdentifier", configuration(&mut world, "conf", "SINGLE")),
        };
        let mut input = change;
        input[member] = json!(id);
        let name = json!({member: id});
        for status in ["UPDATE_FAILED", "ACTIVE"] {
            let answer = world.ok(&format!("Update{operation}"), input.clone());
            assert_eq!(text(&answer, "status"), "UPDATE_IN_PROGRESS", "{kind}");
            let read = world.ok(&format!("Get{operation}"), name.clone());
            assert_eq!(text(&read, "status"), status, "{kind}");
            let reason = [text(&read, "failureMessage"), text(&read, "failureReason")].concat();
            let shown = status == "UPDATE_FAILED" && kind != "resource-gateway";
            assert_eq!(reason.is_empty(), !shown, "{kind}: gateways have no such member");
        }
    }
}

#[test]
fn a_domain_is_verified_when_the_settings_know_its_record() {
    let mut world = World::quick();
    let made =
        world.ok("StartDomainVerification", json!({"domainName": "shop.example.com", "tags": {"a": "1"}}));
    assert_eq!(text(&made, "status"), "PENDING");
    let input = json!({"name": "conf", "type": "SINGLE", "customDomainName": "shop.example.com",
                       "domainVerificationIdentifier": made["id"]});
    let configuration = world.id(CREATE, input);
    let status = |world: &mut World| {
        let read = json!({"resourceConfigurationIdentifier": configuration});
        text(&world.ok("GetResourceConfiguration", read), "domainVerificationStatus")
    };
    assert_eq!(status(&mut world), "PENDING");
    world.state.settings =
        world.state.settings.patched(&json!({"verified-domains": ["Shop.example.com"]})).unwrap();
    world.ok("TagResource", json!({"resourceArn": made["arn"], "tags": {"a": "2"}}));
    let listed = items(&world.ok("ListDomainVerifications", json!({})));
    assert_eq!(listed[0]["status"], json!("VERIFIED"));
    assert!(listed[0]["lastVerifiedTime"].is_string());
    assert_eq!(listed[0]["tags"], json!({"a": "2"}));
    assert_eq!(status(&mut world), "VERIFIED");
}
