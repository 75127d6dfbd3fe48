//! Targets: registration, draining, health.

use serde_json::Value;

use super::address::{Location, locate};
use super::document::{Input, Output};
use super::group::ranges;
use super::kind::{Kind, Status};
use super::lifecycle::Due;
use super::network::over;
use super::page::Found;
use super::resources::{Health, HealthCheck, Target, TargetGroup, TargetKey};
use super::settings::Settings;
use super::{Delay, Document, Moment, Refusal, State, quota};

/// Code of a target that cannot be registered, as AWS answers for one of another VPC.
const UNSUPPORTED: &str = "UnsupportedTarget";

/// A health check that is due.
#[derive(Debug, Clone)]
pub struct Check {
    /// Id of the target group.
    pub group: String,
    /// The target.
    pub target: TargetKey,
    /// Where to check it; absent when nobody knows.
    pub location: Option<Location>,
    /// How to check.
    pub check: HealthCheck,
}

impl HealthCheck {
    /// Whether an answer with this status is a success.
    pub fn accepts(&self, status: u16) -> bool {
        ranges(&self.matcher)
            .is_some_and(|ranges| ranges.iter().any(|(low, high)| (*low..=*high).contains(&status)))
    }
}

impl TargetGroup {
    /// Whether targets of the group are checked at all.
    pub(super) fn checked(&self) -> bool {
        self.config.health_check.as_ref().is_some_and(|check| check.enabled)
    }

    /// Status of a target and its reason.
    pub(super) fn status_of(&self, target: &Target) -> (&'static str, Option<&'static str>) {
        if target.draining.is_some() {
            return ("DRAINING", None);
        }
        if self.services.is_empty() {
            return ("UNUSED", Some("TargetGroupNotInUse"));
        }
        if !self.checked() {
            return ("UNAVAILABLE", Some("HealthCheckNotSupported"));
        }
        match target.health {
            Health::Initial => ("INITIAL", None),
            Health::Healthy => ("HEALTHY", None),
            Health::Unhealthy => ("UNHEALTHY", Some("HealthCheckFailed")),
        }
    }

    /// Key of a target as a caller names it: the group's port unless it names one.
    fn key(&self, target: Input<'_>) -> TargetKey {
        let port = if self.kind == "LAMBDA" { None } else { target.port("port").or(self.config.port) };
        TargetKey { id: target.text("id").to_owned(), port }
    }

    /// Why a target does not fit the group.
    fn unfit(&self, settings: &Settings, target: Input<'_>) -> Option<String> {
        let id = target.text("id");
        if let Some(instance) = settings.instances.get(id).filter(|_| self.kind == "INSTANCE")
            && self.config.vpc.as_ref() != Some(&instance.vpc)
        {
            return Some(format!("{id} is in another VPC, {}", instance.vpc));
        }
        let ip: Option<std::net::IpAddr> = id.parse().ok();
        match self.kind.as_str() {
            "IP" => match (self.config.ip_address_type.as_deref(), ip) {
                (Some("IPV6"), Some(std::net::IpAddr::V6(_)))
                | (Some("IPV4"), Some(std::net::IpAddr::V4(_))) => self.outside(settings, id),
                (version, _) => Some(format!("{id} is no {} address", version.unwrap_or("IP"))),
            },
            "INSTANCE" => (!id.starts_with("i-")).then(|| format!("{id} is no instance")),
            "LAMBDA" => (!id.contains(":function:")).then(|| format!("{id} is no function ARN")),
            _ => (!id.contains(":loadbalancer/app/")).then(|| format!("{id} is no load balancer ARN")),
        }
    }

    /// Why an address is none of the group's VPC, if the settings tell what the VPC has.
    fn outside(&self, settings: &Settings, id: &str) -> Option<String> {
        let (vpc, address) = (self.config.vpc.as_ref()?, id.parse().ok()?);
        let blocks = settings.vpc_cidrs.get(vpc)?;
        (!blocks.iter().any(|block| block.has(address)))
            .then(|| format!("{id} is not an address of a subnet of {vpc}"))
    }
}

impl State {
    fn active_group(&self, input: Input<'_>) -> Result<(String, &TargetGroup), Refusal> {
        let given = input.text("targetGroupIdentifier");
        let id = self.find(Kind::TargetGroup, given)?;
        match self.store.groups.get(&id) {
            Some(group) if group.life.status == Status::Active => Ok((id, group)),
            Some(group) => Err(Refusal::status("TARGET_GROUP", &id, group.life.status.text())),
            None => Err(Refusal::not_found("TARGET_GROUP", given)),
        }
    }

    pub(super) fn register_targets(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (id, group) = self.active_group(input)?;
        let given = input.objects("targets");
        let mut accepted = Vec::new();
        let mut refused = Vec::new();
        for target in given {
            match group.unfit(&self.settings, target) {
                None => accepted.push(group.key(target)),
                Some(message) => refused.push(failure(&group.key(target), UNSUPPORTED, &message)),
            }
        }
        let mut keys: std::collections::BTreeSet<&TargetKey> = group.targets.keys().collect();
        keys.extend(&accepted);
        if matches!(group.kind.as_str(), "LAMBDA" | "ALB") && keys.len() > 1 {
            return Err(Refusal::other(format!("A target group of type {} has one target.", group.kind)));
        }
        if keys.len() > self.settings.quotas.targets_per_group {
            return Err(over(Kind::TargetGroup, quota::TARGETS, Some(&id)));
        }
        let successful: Vec<Value> = accepted.iter().map(|key| Value::Object(echo(key).done())).collect();
        let new = fresh(now, self.settings.delays.target_register);
        if let Some(group) = self.store.groups.get_mut(&id) {
            for key in accepted {
                let target = group.targets.entry(key).or_insert_with(|| new.clone());
                if target.draining.is_some() {
                    *target = new.clone();
                }
            }
        }
        Ok(Output::new().with("successful", successful).with("unsuccessful", refused).done())
    }

    pub(super) fn deregister_targets(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::TargetGroup, input.text("targetGroupIdentifier"))?;
        let (drain, felt) = (self.settings.delays.drain, self.settings.delays.target_deregister);
        let Some(group) = self.store.groups.get_mut(&id) else {
            return Err(Refusal::not_found("TARGET_GROUP", &id));
        };
        let mut successful = Vec::new();
        let mut refused = Vec::new();
        let mut draining = Vec::new();
        for target in input.objects("targets") {
            let key = group.key(target);
            match group.targets.get_mut(&key) {
                None => refused.push(failure(&key, "TargetNotFound", "The target is not registered.")),
                Some(target) => {
                    if target.draining.is_none() {
                        target.draining = Some(now.after(drain));
                        target.takes_until = Some(now.after(felt));
                        draining.push(key.clone());
                    }
                    successful.push(Value::Object(echo(&key).done()));
                }
            }
        }
        for target in draining {
            self.schedule(now.after(drain), Due::Drained { group: id.clone(), target });
        }
        Ok(Output::new().with("successful", successful).with("unsuccessful", refused).done())
    }

    /// Removes a target whose draining has ended, unless it was registered again.
    pub(super) fn drained(&mut self, at: Moment, group: &str, key: &TargetKey) {
        if let Some(group) = self.store.groups.get_mut(group)
            && group.targets.get(key).and_then(|target| target.draining).is_some_and(|end| end <= at)
        {
            group.targets.remove(key);
        }
    }

    pub(super) fn list_targets(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::TargetGroup, input.text("targetGroupIdentifier"))?;
        let Some(group) = self.store.groups.get(&id) else {
            return Err(Refusal::not_found("TARGET_GROUP", &id));
        };
        let wanted: Vec<TargetKey> = input.objects("targets").into_iter().map(|it| group.key(it)).collect();
        let found = group
            .targets
            .keys()
            .filter(|key| wanted.is_empty() || wanted.contains(key))
            .filter_map(|key| {
                let id = serde_json::to_string(key).ok()?;
                Some(Found { cursor: format!("{}|{:05}", key.id, key.port.unwrap_or(0)), id })
            })
            .collect();
        self.page("targets", input, found, |_, key| {
            let key: TargetKey = serde_json::from_str(key).ok()?;
            let (status, reason) = group.status_of(group.targets.get(&key)?);
            Some(echo(&key).with("status", status).maybe("reasonCode", reason).done())
        })
    }

    /// Notes that a service uses a group or does so no more.
    pub(super) fn group_used(&mut self, now: Moment, id: &str, service: &str, used: bool) {
        let Some(group) = self.store.groups.get_mut(id) else { return };
        if !used {
            group.services.remove(service);
            return;
        }
        let idle = group.services.is_empty();
        group.services.insert(service.to_owned());
        if idle {
            // Checks begin when the group comes into use; what was known from an earlier use is stale.
            for target in group.targets.values_mut().filter(|target| target.draining.is_none()) {
                let takes_from = target.takes_from;
                *target = Target {
                    registered: target.registered,
                    takes_from,
                    next_check: takes_from.max(now),
                    ..fresh(now, Delay(0))
                };
            }
        }
    }

    /// Health checks that are due. Each is given out once; the next one of the target is due an interval later.
    pub fn due_checks(&mut self, now: Moment) -> Vec<Check> {
        self.advance(now);
        let mut due = Vec::new();
        for group in self.store.groups.values_mut() {
            let Some(check) = group.config.health_check.clone().filter(|check| check.enabled) else {
                continue;
            };
            if group.services.is_empty() {
                continue;
            }
            let mut keys = Vec::new();
            let open = group.targets.iter_mut().filter(|(_, target)| target.draining.is_none());
            for (key, target) in open.filter(|(_, target)| target.next_check <= now) {
                target.next_check = now.after(Delay::seconds(check.interval));
                keys.push(key.clone());
            }
            for target in keys {
                let port = check.port.or(target.port);
                let location = locate(&self.settings, &self.store.vpcs, group, &target, port, 0);
                due.push(Check { group: group.meta.id.clone(), target, location, check: check.clone() });
            }
        }
        due
    }

    /// Notes the outcome of a health check.
    pub fn checked(&mut self, group: &str, key: &TargetKey, success: bool) {
        let Some(group) = self.store.groups.get_mut(group) else { return };
        let Some((healthy, unhealthy)) =
            group.config.health_check.as_ref().map(|check| (check.healthy, check.unhealthy))
        else {
            return;
        };
        let Some(target) = group.targets.get_mut(key) else { return };
        if success {
            target.successes = target.successes.saturating_add(1);
            target.failures = 0;
            // For a new target the first success is enough.
            if target.health == Health::Initial || target.successes >= healthy {
                target.health = Health::Healthy;
            }
        } else {
            target.failures = target.failures.saturating_add(1);
            target.successes = 0;
            if target.failures >= unhealthy {
                target.health = Health::Unhealthy;
            }
        }
    }
}

fn fresh(now: Moment, register: Delay) -> Target {
    let takes_from = now.after(register);
    Target {
        registered: now,
        draining: None,
        takes_from,
        takes_until: None,
        health: Health::Initial,
        successes: 0,
        failures: 0,
        next_check: takes_from,
    }
}

fn echo(key: &TargetKey) -> Output {
    Output::new().with("id", key.id.as_str()).maybe("port", key.port)
}

fn failure(key: &TargetKey, code: &str, message: &str) -> Value {
    Value::Object(echo(key).with("failureCode", code).with("failureMessage", message).done())
}
