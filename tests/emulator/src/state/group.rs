//! Target groups.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::document::{Input, Output};
use super::kind::{Kind, Life, Status};
use super::network::over;
use super::page::Found;
use super::resources::{GroupConfig, HealthCheck, TargetGroup};
use super::settings::{FailureKind, Permission};
use super::{Document, Moment, Refusal, State, quota};

/// Health check defaults of the API, in seconds and counts.
const INTERVAL: u64 = 30;
const TIMEOUT: u64 = 5;
const HEALTHY_AFTER: u32 = 5;
const UNHEALTHY_AFTER: u32 = 2;
const MATCHER: &str = "200";

impl State {
    pub(super) fn create_group(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (name, kind) = (input.text("name"), input.text("type"));
        if let Some(other) = self.store.groups.values().find(|group| group.name == name) {
            let message = format!("A target group with the name {name} exists.");
            return Err(self.clash(Kind::TargetGroup, &other.meta.id, "name", &message));
        }
        if self.store.groups.len() >= self.settings.quotas.target_groups {
            return Err(over(Kind::TargetGroup, quota::GROUPS, None));
        }
        let config = read_config(kind, input.object("config"))?;
        let tags = self.checked_tags(input)?;
        if let Some(vpc) = &config.vpc {
            self.ensure_vpc(vpc);
        }
        let meta = self.new_meta(now, Kind::TargetGroup, None);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, tags);
        let group = TargetGroup {
            meta,
            life: Life::begun(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            config,
            targets: BTreeMap::new(),
            services: BTreeSet::new(),
            turn: 0,
        };
        self.store.groups.insert(id.clone(), group);
        self.begin(now, Kind::TargetGroup, &id, FailureKind::Create, self.settings.delays.target_group);
        self.view_group(&id).ok_or_else(|| Refusal::not_found("TARGET_GROUP", &id))
    }

    /// Everything there is to show of a target group. The configuration's members are shown both under `config`
    /// and beside it, because summaries have them flat.
    pub(super) fn view_group(&self, id: &str) -> Option<Document> {
        let group = self.store.groups.get(id)?;
        let config = &group.config;
        let services: Vec<String> = group
            .services
            .iter()
            .filter_map(|service| self.meta(Kind::Service, service))
            .map(|meta| meta.arn.clone())
            .collect();
        let flat = |output: Output| {
            output
                .maybe("port", config.port)
                .maybe("protocol", config.protocol.clone())
                .maybe("ipAddressType", config.ip_address_type.clone())
                .maybe("vpcIdentifier", config.vpc.clone())
                .maybe("lambdaEventStructureVersion", config.lambda_version.clone())
        };
        let whole = flat(Output::new())
            .maybe("protocolVersion", config.protocol_version.clone())
            .maybe("healthCheck", config.health_check.as_ref().map(view_check))
            .done();
        let view = flat(Self::living(&group.meta, &group.life))
            .with("name", group.name.as_str())
            .with("type", group.kind.as_str())
            .with("serviceArns", services)
            .maybe("config", Some(whole).filter(|config| !config.is_empty()));
        Some(view.done())
    }

    pub(super) fn get_group(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("targetGroupIdentifier");
        let id = self.find(Kind::TargetGroup, given)?;
        self.view_group(&id).ok_or_else(|| Refusal::not_found("TARGET_GROUP", given))
    }

    pub(super) fn list_groups(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let (vpc, kind) = (input.maybe("vpcIdentifier"), input.maybe("targetGroupType"));
        let found = self
            .store
            .groups
            .values()
            .filter(|group| vpc.is_none() || group.config.vpc.as_deref() == vpc)
            .filter(|group| kind.is_none_or(|kind| group.kind == kind))
            .map(|group| Found::by_seq(group.meta.seq, &group.meta.id))
            .collect();
        self.page("target groups", input, found, Self::view_group)
    }

    pub(super) fn update_group(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::TargetGroup, input.text("targetGroupIdentifier"))?;
        let Some(group) = self.store.groups.get_mut(&id) else {
            return Err(Refusal::not_found("TARGET_GROUP", &id));
        };
        if group.life.status != Status::Active {
            return Err(Refusal::status("TARGET_GROUP", &id, group.life.status.text()));
        }
        let Some(current) = &group.config.health_check else {
            return Err(Refusal::field("healthCheck", "is not possible for a target group of this type"));
        };
        let protocol = group.config.protocol.as_deref().unwrap_or("HTTP");
        let version = group.config.protocol_version.as_deref();
        let check = read_check(protocol, version, Some(current), input.object("healthCheck"))?;
        group.config.health_check = Some(check);
        group.meta.updated = now;
        for target in group.targets.values_mut() {
            target.next_check = now;
        }
        self.view_group(&id).ok_or_else(|| Refusal::not_found("TARGET_GROUP", &id))
    }

    pub(super) fn delete_group(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::TargetGroup, input.text("targetGroupIdentifier"))?;
        let Some(group) = self.store.groups.get(&id) else {
            return Err(Refusal::not_found("TARGET_GROUP", &id));
        };
        let conflict = |message: String| Err(Refusal::conflict("TARGET_GROUP", &id, message));
        if group.life.status == Status::CreateInProgress {
            return Err(Refusal::status("TARGET_GROUP", &id, group.life.status.text()));
        }
        if let Some(service) = group.services.first() {
            return conflict(format!("Target group {id} is used by service {service}."));
        }
        if group.targets.values().any(|target| target.draining.is_some()) {
            return conflict(format!("Target group {id} has draining targets."));
        }
        let registered = !group.targets.is_empty();
        if registered && self.settings.switches.delete_tg_registered == Permission::Conflict {
            return conflict(format!("Target group {id} has registered targets."));
        }
        self.begin_delete(now, Kind::TargetGroup, &id, self.settings.delays.target_group_delete);
        self.view_group(&id).ok_or_else(|| Refusal::not_found("TARGET_GROUP", &id))
    }
}

/// Reads a configuration and fills in the defaults of its type.
fn read_config(kind: &str, given: Option<Input<'_>>) -> Result<GroupConfig, Refusal> {
    let empty = Document::new();
    let config = given.unwrap_or(Input(&empty));
    let port = config.port("port");
    if kind == "LAMBDA" {
        let unfit = ["port", "protocol", "protocolVersion", "vpcIdentifier", "healthCheck", "ipAddressType"];
        if let Some(name) = unfit.into_iter().find(|name| config.value(name).is_some()) {
            return Err(Refusal::field(&format!("config.{name}"), "is not possible for LAMBDA"));
        }
        let lambda_version = config.owned("lambdaEventStructureVersion");
        return Ok(GroupConfig {
            port: None,
            protocol: None,
            protocol_version: None,
            ip_address_type: None,
            vpc: None,
            lambda_version,
            health_check: None,
        });
    }
    for (name, unfit) in [
        ("lambdaEventStructureVersion", true),
        ("ipAddressType", kind != "IP"),
        ("healthCheck", kind == "ALB"),
    ] {
        if unfit && config.value(name).is_some() {
            return Err(Refusal::field(&format!("config.{name}"), format!("is not possible for {kind}")));
        }
    }
    let vpc = config
        .owned("vpcIdentifier")
        .ok_or_else(|| Refusal::field("config.vpcIdentifier", format!("is required for {kind}")))?;
    let protocol = config.maybe("protocol").unwrap_or("HTTP");
    let version = config.maybe("protocolVersion");
    if protocol == "TCP" && version.is_some() {
        return Err(Refusal::field("config.protocolVersion", "is not possible for TCP"));
    }
    if kind == "ALB" && matches!(version, Some("HTTP2" | "GRPC")) {
        return Err(Refusal::field("config.protocolVersion", "must be HTTP1 for ALB"));
    }
    let version = (protocol != "TCP").then(|| version.unwrap_or("HTTP1"));
    let default_port = match protocol {
        "HTTPS" => Some(443),
        "HTTP" => Some(80),
        _ => None,
    };
    let port = port.or(default_port).ok_or_else(|| Refusal::field("config.port", "is required for TCP"))?;
    let check = config.object("healthCheck");
    let health_check = (kind != "ALB").then(|| read_check(protocol, version, None, check)).transpose()?;
    Ok(GroupConfig {
        port: Some(port),
        protocol: Some(protocol.to_owned()),
        protocol_version: version.map(str::to_owned),
        ip_address_type: (kind == "IP").then(|| config.maybe("ipAddressType").unwrap_or("IPV4").to_owned()),
        vpc: Some(vpc),
        lambda_version: None,
        health_check,
    })
}

/// Reads a health check over the current one (or the defaults); 0 and the empty string reset a field.
fn read_check(
    protocol: &str,
    version: Option<&str>,
    current: Option<&HealthCheck>,
    given: Option<Input<'_>>,
) -> Result<HealthCheck, Refusal> {
    let default = HealthCheck {
        enabled: protocol != "TCP" && version == Some("HTTP1"),
        protocol: if protocol == "TCP" { "HTTP" } else { protocol }.to_owned(),
        protocol_version: "HTTP1".to_owned(),
        port: None,
        path: "/".to_owned(),
        interval: INTERVAL,
        timeout: TIMEOUT,
        healthy: HEALTHY_AFTER,
        unhealthy: UNHEALTHY_AFTER,
        matcher: MATCHER.to_owned(),
    };
    let base = current.unwrap_or(&default).clone();
    let Some(given) = given else { return Ok(base) };
    let number = |name: &str, base: u64, default: u64, low: u64| match given.number(name) {
        None => Ok(base),
        Some(0) => Ok(default),
        Some(number) if number < low => Err(Refusal::field(name, format!("must be at least {low} or 0"))),
        Some(number) => Ok(number),
    };
    let text = |name: &str, base: &str, default: &str| match given.maybe(name) {
        None => base.to_owned(),
        Some("") => default.to_owned(),
        Some(text) => text.to_owned(),
    };
    let threshold = |name, base: u32, default: u32| -> Result<u32, Refusal> {
        let count = number(name, u64::from(base), u64::from(default), 2)?;
        Ok(u32::try_from(count).unwrap_or(default))
    };
    let matcher = match given.object("matcher").and_then(|matcher| matcher.owned("httpCode")) {
        None => base.matcher.clone(),
        Some(codes) if codes.is_empty() => default.matcher.clone(),
        Some(codes) if codes_are_valid(&codes) => codes,
        Some(_) => {
            let message = "must be statuses from 200 to 499, in a list or ranges";
            return Err(Refusal::field("healthCheck.matcher.httpCode", message));
        }
    };
    Ok(HealthCheck {
        enabled: given.flag("enabled").unwrap_or(base.enabled),
        protocol: text("protocol", &base.protocol, &default.protocol),
        protocol_version: text("protocolVersion", &base.protocol_version, &default.protocol_version),
        port: match given.port("port") {
            None => base.port,
            Some(0) => None,
            port => port,
        },
        path: text("path", &base.path, &default.path),
        interval: number("healthCheckIntervalSeconds", base.interval, INTERVAL, 5)?,
        timeout: number("healthCheckTimeoutSeconds", base.timeout, TIMEOUT, 1)?,
        healthy: threshold("healthyThresholdCount", base.healthy, HEALTHY_AFTER)?,
        unhealthy: threshold("unhealthyThresholdCount", base.unhealthy, UNHEALTHY_AFTER)?,
        matcher,
    })
}

/// Ranges of statuses that a matcher such as `200,301-302` names; `None` when it cannot be read.
pub(super) fn ranges(codes: &str) -> Option<Vec<(u16, u16)>> {
    codes
        .split(',')
        .map(|part| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            Some((low.parse().ok()?, high.parse().ok()?))
        })
        .collect()
}

fn codes_are_valid(codes: &str) -> bool {
    ranges(codes).is_some_and(|ranges| {
        ranges
            .iter()
            .all(|(low, high)| low <= high && (200..=499).contains(low) && (200..=499).contains(high))
    })
}

fn view_check(check: &HealthCheck) -> Value {
    let view = Output::new()
        .with("enabled", check.enabled)
        .with("protocol", check.protocol.as_str())
        .with("protocolVersion", check.protocol_version.as_str())
        .maybe("port", check.port)
        .with("path", check.path.as_str())
        .with("healthCheckIntervalSeconds", check.interval)
        .with("healthCheckTimeoutSeconds", check.timeout)
        .with("healthyThresholdCount", check.healthy)
        .with("unhealthyThresholdCount", check.unhealthy)
        .with("matcher", json!({"httpCode": check.matcher}));
    Value::Object(view.done())
}
