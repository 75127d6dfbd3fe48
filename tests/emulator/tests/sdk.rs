//! Round trips with AWS's own SDK for Rust, which reads answers into types.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_vpclattice::Client;
use aws_sdk_vpclattice::config::retry::RetryConfig;
use aws_sdk_vpclattice::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_vpclattice::error::ProvideErrorMetadata;
use aws_sdk_vpclattice::types::{
    FixedResponseAction, ForwardAction, HealthCheckConfig, HttpMatch, ListenerProtocol, Matcher, PathMatch,
    PathMatchType, RuleAction, RuleMatch, RuleUpdate, ServiceStatus, Target, TargetGroupConfig,
    TargetGroupProtocol, TargetGroupStatus, TargetGroupType, TargetStatus, WeightedTargetGroup,
};
use lattice_emulator::model::Model;
use lattice_emulator::plane::{Outlets, Plane};
use lattice_emulator::state::{Home, Settings, State};
use lattice_emulator::{Emulator, server};
use serde_json::{Value, json};

const VPC: &str = "vpc-0a1b2c3d4e5f60001";

type Failed = Box<dyn std::error::Error>;

/// A client of an emulator inside the test process, with settings by merge patch.
async fn client(patch: &Value) -> Result<Client, Failed> {
    let mut delays = serde_json::to_value(Settings::default().delays)?;
    for delay in delays.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        *delay = json!("0");
    }
    let settings = Settings::default().patched(&json!({"delays": delays}))?.patched(patch)?;
    let home = Home { region: "us-west-2".to_owned(), account: "000000000000".to_owned() };
    let vpcs = BTreeMap::from([(VPC.to_owned(), "127.63".parse()?)]);
    let emulator = Arc::new(Emulator::new(Model::built_in()?, State::new(settings, home, vpcs, 1)));
    let plane = Plane::open(Arc::clone(&emulator), 0, Outlets::default()).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(server::serve(listener, emulator, plane));
    let config = aws_sdk_vpclattice::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .build();
    Ok(Client::from_conf(config))
}

fn not_found() -> Result<RuleAction, Failed> {
    Ok(RuleAction::FixedResponse(FixedResponseAction::builder().status_code(404).build()?))
}

fn prefix(path: &str) -> RuleMatch {
    let path =
        PathMatch::builder().r#match(PathMatchType::Prefix(path.to_owned())).case_sensitive(true).build();
    RuleMatch::HttpMatch(HttpMatch::builder().path_match(path).build())
}

#[tokio::test]
async fn a_service_comes_is_found_by_its_arn_and_goes() -> Result<(), Failed> {
    let client = client(&json!({})).await?;
    let made = client.create_service().name("svc").tags("a", "b").send().await?;
    assert_eq!(made.status(), Some(&ServiceStatus::CreateInProgress));
    let arn = made.arn().ok_or("an ARN")?;
    // An ARN in the path arrives percent-encoded.
    let service = client.get_service().service_identifier(arn).send().await?;
    assert_eq!((service.status(), service.id()), (Some(&ServiceStatus::Active), made.id()));
    assert!(service.created_at().is_some());
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await?;
    assert_eq!(tags.tags().and_then(|tags| tags.get("a")).map(String::as_str), Some("b"));
    client.delete_service().service_identifier(arn).send().await?;
    let gone = client.get_service().service_identifier(arn).send().await;
    assert!(gone.is_err_and(|error| error.into_service_error().is_resource_not_found_exception()));
    Ok(())
}

/// A target group, by id.
async fn group(client: &Client) -> Result<String, Failed> {
    let check =
        HealthCheckConfig::builder().path("/healthz").matcher(Matcher::HttpCode("200-299".to_owned()));
    let config = TargetGroupConfig::builder()
        .port(80)
        .protocol(TargetGroupProtocol::Http)
        .vpc_identifier(VPC)
        .health_check(check.build())
        .build();
    let made =
        client.create_target_group().name("group").r#type(TargetGroupType::Ip).config(config).send().await?;
    Ok(made.id().ok_or("an id")?.to_owned())
}

#[tokio::test]
async fn a_target_group_shows_its_defaults_and_takes_targets() -> Result<(), Failed> {
    let client = client(&json!({})).await?;
    let id = group(&client).await?;
    let group = client.get_target_group().target_group_identifier(&id).send().await?;
    assert_eq!(group.status(), Some(&TargetGroupStatus::Active));
    let check = group.config().and_then(TargetGroupConfig::health_check).ok_or("a health check")?;
    assert_eq!((check.path(), check.healthy_threshold_count()), (Some("/healthz"), Some(5)));
    let target = Target::builder().id("10.0.0.1").port(8080).build()?;
    let registered = client.register_targets().target_group_identifier(&id).targets(target).send().await?;
    assert_eq!((registered.successful().len(), registered.unsuccessful().len()), (1, 0));
    let targets = client.list_targets().target_group_identifier(&id).send().await?;
    assert_eq!(targets.items()[0].status(), Some(&TargetStatus::Unused));
    Ok(())
}

#[tokio::test]
async fn rules_are_made_changed_in_a_batch_and_read_back() -> Result<(), Failed> {
    let client = client(&json!({})).await?;
    let service = client.create_service().name("svc").send().await?.id().ok_or("an id")?.to_owned();
    let listener = client
        .create_listener()
        .service_identifier(&service)
        .name("http")
        .protocol(ListenerProtocol::Http)
        .default_action(not_found()?)
        .send()
        .await?;
    assert_eq!(listener.port(), Some(80));
    let listener = listener.id().ok_or("an id")?;
    let group = group(&client).await?;
    let share = WeightedTargetGroup::builder().target_group_identifier(group).weight(7).build()?;
    let forward = RuleAction::Forward(ForwardAction::builder().target_groups(share).build()?);
    let rule = client
        .create_rule()
        .service_identifier(&service)
        .listener_identifier(listener)
        .name("one")
        .priority(1)
        .r#match(prefix("/one"))
        .action(forward.clone())
        .send()
        .await?;
    let rule = rule.id().ok_or("an id")?;
    let update = RuleUpdate::builder().rule_identifier(rule).priority(5).build()?;
    let batch = client.batch_update_rule().service_identifier(&service).listener_identifier(listener);
    let updated = batch.rules(update).send().await?;
    assert_eq!(updated.successful()[0].priority(), Some(5));
    let get = client.get_rule().service_identifier(&service).listener_identifier(listener);
    let read = get.rule_identifier(rule).send().await?;
    assert_eq!((read.priority(), read.action()), (Some(5), Some(&forward)));
    Ok(())
}

#[tokio::test]
async fn pages_of_one_item_add_up_in_the_sdks_own_paginator() -> Result<(), Failed> {
    let client = client(&json!({})).await?;
    for name in ["one", "two", "three"] {
        client.create_service_network().name(name).send().await?;
    }
    let mut pages = client.list_service_networks().max_results(1).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page?;
        assert_eq!(page.items().len(), 1);
        names.extend(page.items().iter().filter_map(|item| item.name().map(str::to_owned)));
    }
    assert_eq!(names, ["one", "two", "three"]);
    Ok(())
}

#[tokio::test]
async fn errors_arrive_as_their_own_types_with_their_members() -> Result<(), Failed> {
    let client = client(&json!({"quotas": {"services": 1}})).await?;
    let made = client.create_service().name("svc").send().await?;
    let conflict = client.create_service().name("svc").send().await.err().ok_or("a conflict")?;
    match conflict.into_service_error() {
        aws_sdk_vpclattice::operation::create_service::CreateServiceError::ConflictException(conflict) => {
            assert_eq!((Some(conflict.resource_id()), conflict.resource_type()), (made.id(), "SERVICE"));
        }
        other => return Err(other.into()),
    }
    let quota = client.create_service().name("another").send().await.err().ok_or("a quota")?;
    assert_eq!(quota.code(), Some("ServiceQuotaExceededException"));
    let invalid = client.create_service().name("Bad_Name").send().await.err().ok_or("a refusal")?;
    assert!(invalid.into_service_error().is_validation_exception());
    Ok(())
}

#[tokio::test]
async fn the_sdks_signatures_pass_where_calls_must_be_signed_and_those_of_another_secret_do_not()
-> Result<(), Failed> {
    for (secret, code) in [("secret", None), ("another", Some("InvalidSignatureException"))] {
        let identity = json!({"access-key": "AKIDEXAMPLE", "secret-key": secret,
                              "principal": "arn:aws:iam::000000000000:user/me"});
        let client = client(&json!({"check-signatures": true, "identities": [identity]})).await?;
        let made = client.create_service().name("svc").tags("a b", "c/d").send().await;
        assert_eq!(made.as_ref().err().and_then(ProvideErrorMetadata::code), code);
        if let Ok(made) = made {
            let arn = made.arn().ok_or("an ARN")?;
            client.get_service().service_identifier(arn).send().await?;
            client.untag_resource().resource_arn(arn).tag_keys("a b").send().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_sdks_own_retries_outlast_throttling_and_lost_answers() -> Result<(), Failed> {
    let faults = json!([{"kind": "throttle", "operation": "CreateService", "count": 1},
                        {"kind": "timeout-after", "operation": "CreateService", "count": 1},
                        {"kind": "error-after", "operation": "CreateService", "count": 1}]);
    let client = client(&json!({"faults": faults})).await?;
    // The SDK fills in a client token, so that its retries make one service.
    let made = client.create_service().name("svc").send().await?;
    let listed = client.list_services().send().await?;
    assert_eq!(listed.items().len(), 1);
    assert_eq!(listed.items()[0].id(), made.id());
    Ok(())
}
