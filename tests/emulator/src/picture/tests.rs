//! Tests of the picture, over reports as the state writes them.

use regex::Regex;
use serde_json::{Value, json};

use super::picture;
use crate::state::Moment;
use crate::state::tests::{VPC, World, forward, rule};

fn drawn(world: &mut World) -> String {
    let report = world.state.report(world.now);
    picture(&report, &json!({"operations": {"GetService": 7}, "errors": {"ConflictException": 2}}))
}

/// The text between the tags, its pieces apart by one space.
fn words(html: &str) -> String {
    let plain = Regex::new("<[^>]*>").unwrap().replace_all(html, " ").into_owned();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_empty_account_says_so() {
    let mut world = World::quick();
    assert!(drawn(&mut world).starts_with("<p>There is nothing yet.</p>"));
}

#[test]
fn a_network_shows_its_vpcs_and_services_with_rules_shares_and_health() {
    let mut world = World::quick();
    let (network, service) = (world.network("net"), world.service("shop"));
    let listener = world.listener(&service, "http", 80);
    let groups = [world.group("blue"), world.group("green")];
    let targets = json!([{"id": "10.0.0.1"}, {"id": "10.0.0.2"}, {"id": "10.0.0.3"}]);
    world.ok("RegisterTargets", json!({"targetGroupIdentifier": groups[0], "targets": targets}));
    let mut input = rule(&service, &listener, "cart", 5, &forward(&[(&groups[0], 90), (&groups[1], 10)]));
    input["match"]["httpMatch"]["method"] = json!("GET");
    input["match"]["httpMatch"]["headerMatches"] = json!([{"name": "x-a", "match": {"contains": "b"}}]);
    world.ok("CreateRule", input);
    world.link(&service, &network);
    world.link_vpc(&network, VPC);
    for check in world.state.due_checks(world.now) {
        world.state.checked(&check.group, &check.target, check.target.id != "10.0.0.3");
    }
    let html = drawn(&mut world);
    let seen = words(&html);
    for expected in [
        "net vpc-0a1b2c3d4e5f60001 at 127.65.255.254 shop shop-0",
        "HTTP 80 5 GET and /cart… and x-a: …b… in any case 90 % blue 2 HEALTHY 1 INITIAL 10 % green no targets",
        "default else 404",
        "Calls GetService 7 ConflictException 2",
    ] {
        assert!(seen.contains(expected), "`{expected}` is not in: {seen}");
    }
    assert!(html.contains("title=\"weight 90 of 100\""));
    assert!(!seen.contains("in no network") && !seen.contains("in no rule"));
}

#[test]
fn what_belongs_to_no_network_or_rule_and_what_is_on_its_way_is_shown_too() {
    let mut world = World::new(super::super::state::tests::slow());
    world.service("alone");
    world.group("spare");
    let seen = words(&drawn(&mut world));
    assert!(seen.contains("Services in no network alone CREATE_IN_PROGRESS"), "{seen}");
    assert!(seen.contains("Target groups in no rule spare no targets CREATE_IN_PROGRESS"), "{seen}");
}

#[test]
fn nothing_that_a_user_wrote_becomes_markup() {
    let evil = "<script>alert('x')</script>\"&";
    let mut report = json!({
        "serviceNetworks": [{"id": "sn-1", "name": evil}],
        "services": [{"id": "svc-1", "name": evil, "customDomainName": evil, "status": evil, "listeners": [
            {"protocol": evil, "port": 80, "rules": [{"name": evil, "priority": 1, "isDefault": false,
              "match": {"httpMatch": {"method": evil, "pathMatch": {"match": {"prefix": evil}},
                        "headerMatches": [{"name": evil, "match": {"exact": evil}}]}},
              "action": {"forward": {"targetGroups": [{"targetGroupIdentifier": evil, "weight": 1}]}}}]}]}],
        "targetGroups": [{"id": "tg-1", "name": evil, "type": evil, "serviceArns": [],
                          "targets": [{"status": evil}]}],
        "serviceNetworkServiceAssociations": [{"serviceNetworkId": "sn-1", "serviceId": "svc-1", "status": evil}],
        "serviceNetworkVpcAssociations": [{"serviceNetworkId": "sn-1", "vpcId": evil, "status": evil}],
        "serviceNetworkResourceAssociations": [{"serviceNetworkId": "sn-1", "resourceConfigurationName": evil}],
        "vpcs": {},
    });
    report["vpcs"][evil] = json!(evil);
    let html = picture(&report, &json!({"operations": {evil: 1}, "errors": {evil: 1}}));
    let tags = Regex::new(r#"</?[a-z0-9]+(?: [a-z]+="[^"<>]*")*>"#).unwrap();
    let between = tags.replace_all(&html, "");
    assert!(!between.contains(['<', '>', '"', '\'']), "{between}");
    assert!(!html.contains("<script"), "{html}");
    let balanced = Regex::new("<(/?)([a-z0-9]+)").unwrap();
    let mut open: Vec<&str> = Vec::new();
    for found in balanced.captures_iter(&html) {
        let name = found.get(2).unwrap().as_str();
        if &found[1] == "/" {
            assert_eq!(open.pop(), Some(name), "tags close in order");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn fifty_services_of_a_network_are_all_there_and_names_are_whole_in_their_titles() {
    let mut world = World::quick();
    let network = world.network("net");
    let name = |number: usize| format!("a-service-with-a-rather-long-name-{number:02}");
    for number in 0..50 {
        let service = world.service(&name(number));
        world.listener(&service, "http", 80);
        world.link(&service, &network);
    }
    let html = drawn(&mut world);
    assert_eq!(html.matches("<article>").count(), 50);
    assert!((0..50).all(|number| html.contains(&format!("title=\"{} svc-", name(number)))));
}

#[test]
fn the_page_has_a_style_for_every_class_and_asks_no_other_host() {
    let page = include_str!("../page.html");
    let source = include_str!("mod.rs");
    let classes = Regex::new(r#"class=\\"([a-z]+)\\"|=> "(good|bad|busy)""#).unwrap();
    let mut count = 0;
    for found in classes.captures_iter(source) {
        let class = found.get(1).or(found.get(2)).unwrap().as_str();
        assert!(page.contains(&format!(".{class}")), "no style for {class}");
        count += 1;
    }
    assert!(count > 8, "only {count} classes were found");
    assert!(!page.contains("//"), "the page refers to another host");
}

#[test]
fn a_report_without_members_is_no_reason_to_panic() {
    for odd in [Value::Null, json!({}), json!({"services": [null, 1, {"listeners": "x"}]})] {
        assert!(picture(&odd, &odd).contains("Calls"));
    }
    let mut world = World::quick();
    world.now = Moment(0);
    assert!(!drawn(&mut world).is_empty());
}
