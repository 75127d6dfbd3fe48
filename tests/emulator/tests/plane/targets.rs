//! Targets that are not an IPv4 address: instances, load balancers, IPv6.

use http::StatusCode;
use serde_json::json;

use crate::site::{Site, VPC};

const INSTANCE: &str = "i-0123456789abcdef0";
const BALANCER: &str =
    "arn:aws:elasticloadbalancing:us-west-2:000000000000:loadbalancer/app/front/0123456789abcdef";

#[tokio::test]
async fn an_instance_is_checked_and_reached_at_the_address_that_the_settings_give_it() {
    let site = Site::new(json!({})).await;
    let target = site.named(7, "instance").await;
    let group = site.group_of("INSTANCE", INSTANCE, target.port()).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    site.until_target(&group, "UNHEALTHY").await;
    assert_eq!(site.get("/").await.0, StatusCode::INTERNAL_SERVER_ERROR, "nobody knows where it is");
    site.configure(&json!({"instances": {INSTANCE: {"address": "10.0.0.7", "vpc": VPC}}}));
    assert_eq!(site.get("/").await, (StatusCode::OK, "instance".to_owned()));
    // The first success is enough for a target that is new.
    let key = json!({"targetGroupIdentifier": group, "targets": [{"id": INSTANCE, "port": target.port()}]});
    site.call("DeregisterTargets", key.clone()).await;
    site.call("RegisterTargets", key).await;
    site.until_target(&group, "HEALTHY").await;
}

#[tokio::test]
async fn the_access_log_shows_the_address_of_an_instance() {
    let site = Site::new(json!({"instances": {INSTANCE: {"address": "10.0.0.7", "vpc": VPC}}})).await;
    let target = site.named(7, "instance").await;
    let group = site.group_of("INSTANCE", INSTANCE, target.port()).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    let logs = "arn:aws:logs:us-west-2:000000000000:log-group:/all";
    let input = json!({"resourceIdentifier": site.service, "destinationArn": logs});
    site.call("CreateAccessLogSubscription", input).await;
    site.get("/").await;
    assert_eq!(site.logged().await["targetIpPort"], json!(target.to_string()));
}

#[tokio::test]
async fn an_instance_that_is_stopped_answers_nothing() {
    let site = Site::new(json!({"instances": {INSTANCE: {"address": "10.0.0.7", "vpc": VPC}}})).await;
    let target = site.named(7, "instance").await;
    let group = site.group_of("INSTANCE", INSTANCE, target.port()).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    assert_eq!(site.get("/").await.0, StatusCode::OK);
    site.configure(&json!({"instances": {INSTANCE: {"state": "stopped"}}}));
    assert_eq!(site.get("/").await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_load_balancer_is_reached_at_each_of_its_addresses_and_never_checked() {
    let site = Site::new(json!({"load-balancers": {BALANCER: ["10.0.0.1", "10.0.0.2"]}})).await;
    let port = site.named_at_two((1, "first"), (2, "second")).await;
    let group = site.group_of("ALB", BALANCER, port).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(site.get("/").await.1);
    }
    seen.sort();
    assert_eq!(seen, ["first", "first", "second", "second"]);
    site.until_target(&group, "UNAVAILABLE").await;
    site.configure(&json!({"load-balancers": {BALANCER: null}}));
    assert_eq!(site.get("/").await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn an_ipv6_target_is_reached_at_the_prefix_and_its_last_two_octets() {
    let site = Site::new(json!({})).await;
    let target = site.named(9, "six").await;
    let group = site.group("six", &[], json!({"ipAddressType": "IPV6"})).await;
    let key = json!([{"id": "2001:db8::9", "port": target.port()}]);
    site.call("RegisterTargets", json!({"targetGroupIdentifier": group, "targets": key})).await;
    site.rule("/", 1, &[(&group, 1)]).await;
    assert_eq!(site.get("/").await, (StatusCode::OK, "six".to_owned()));
    site.until_target(&group, "HEALTHY").await;
}
