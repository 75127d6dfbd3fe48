//! The listener of a service. A listener is its port.

use super::service::{can_stay, service_mut};
use super::{Action, ActualRule, DesiredRule, ResourceMut};
use crate::check::{View, ours, ready, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Quota, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredListener {
    /// 3–63 characters, unique in the service.
    pub name: String,
    /// 1–65535; the identity.
    pub port: u16,
    /// Immutable once created.
    pub protocol: ListenerProtocol,
    /// What answers when no rule matches.
    pub default_action: Action,
    /// In order of priority.
    pub rules: Vec<DesiredRule>,
}

/// A listener's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ListenerProtocol {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS that VPC Lattice ends.
    Https,
    /// TLS handed on as it is, by SNI.
    TlsPassthrough,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualListener {
    /// `listener-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Port.
    pub port: u16,
    /// Protocol.
    pub protocol: ListenerProtocol,
    /// Default action.
    pub default_action: Action,
    /// Without the default rule.
    pub rules: Vec<ActualRule>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl DesiredListener {
    /// Names of the target groups that it and its rules forward to.
    pub fn target_groups(&self) -> BTreeSet<&str> {
        target_groups(&self.default_action, self.rules.iter().map(|rule| &rule.action))
    }
}

impl ActualListener {
    /// Names of the target groups that it and its rules forward to.
    pub fn target_groups(&self) -> BTreeSet<&str> {
        target_groups(&self.default_action, self.rules.iter().map(|rule| &rule.action))
    }

    /// It and all below it.
    pub(crate) fn as_resources(&mut self) -> Vec<ResourceMut<'_>> {
        let Self { id, arn, ownership, tags, rules, .. } = self;
        let mut all = vec![ResourceMut { id, arn, ownership, tags: Some(tags) }];
        all.extend(rules.iter_mut().map(ActualRule::as_resource));
        all
    }
}

fn target_groups<'a>(default: &'a Action, others: impl Iterator<Item = &'a Action>) -> BTreeSet<&'a str> {
    std::iter::once(default).chain(others).flat_map(Action::target_groups).collect()
}

impl<'a> View<'a> {
    pub(crate) fn listener(&self, service: &str, port: u16) -> Result<&'a ActualListener, ViolationKind> {
        let found = self.our_service(service)?.listeners.iter().find(|l| l.port == port);
        there(found, || text(service, port))
    }

    pub(crate) fn wanted_listener(&self, service: &str, port: u16) -> Option<&'a DesiredListener> {
        self.wanted_service(service)?.listeners.iter().find(|l| l.port == port)
    }
}

pub(super) fn listener_mut<'a>(
    state: &'a mut Actual,
    service: &str,
    port: u16,
) -> Option<&'a mut ActualListener> {
    service_mut(state, service)?.listeners.iter_mut().find(|l| l.port == port)
}

pub(super) fn subject(service: &str, port: u16) -> String {
    format!("listener {port} of service {service}")
}

pub(super) fn text(service: &str, port: u16) -> String {
    format!("listener {service}:{port}")
}

/// CreateListener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateListener {
    /// The service's name.
    pub service: String,
    /// Name.
    pub listener: String,
    /// Port.
    pub port: u16,
    /// Protocol.
    pub protocol: ListenerProtocol,
    /// Default action.
    pub default_action: Action,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateListener {
    fn nature(&self) -> Nature<'_> {
        Nature::Builds { moves_requests_of: Some(&self.service) }
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.service, self.port)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Some(service) = service_mut(state, &self.service) else { return };
        let id = format!("listener-{}-{}", service.name, self.port);
        service.listeners.push(ActualListener {
            arn: format!("arn:{id}"),
            id,
            name: self.listener.clone(),
            port: self.port,
            protocol: self.protocol,
            default_action: self.default_action.clone(),
            rules: vec![],
            ownership: owner.of(&self.tags),
            tags: self.tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { service, listener, port, default_action, tags, protocol: _ } = self;
        view.bears_owner(tags)?;
        let held = view.our_service(service)?;
        ready(held.status, &format!("service {service}"))?;
        let port_taken = held.listeners.iter().any(|l| l.port == *port);
        require(!port_taken, || ViolationKind::Taken { what: format!("port {port} of {service}") })?;
        let name_taken = held.listeners.iter().any(|l| l.name == *listener);
        let name = || ViolationKind::Taken { what: format!("listener name {listener} of {service}") };
        require(!name_taken, name)?;
        let count = held.listeners.len() + 1;
        require(count <= view.limits.listeners_per_service, || ViolationKind::AboveQuota {
            what: format!("service {service}"),
            quota: Quota::ListenersPerService,
            count,
        })?;
        default_action.judge(view, service)
    }
}

impl Display for CreateListener {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let Self { service, port, protocol, default_action, .. } = self;
        write!(f, "+ listener {service}:{port} {protocol:?} default {default_action}")
    }
}

/// UpdateListener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateListener {
    /// The service's name.
    pub service: String,
    /// Port, the identity.
    pub port: u16,
    /// Default action.
    pub default_action: Action,
}

impl StepKind for UpdateListener {
    fn nature(&self) -> Nature<'_> {
        Nature::Builds { moves_requests_of: Some(&self.service) }
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.service, self.port)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(listener) = listener_mut(state, &self.service, self.port) {
            listener.default_action = self.default_action.clone();
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { service, port, default_action } = self;
        ours(&view.listener(service, *port)?.ownership, &text(service, *port))?;
        default_action.judge(view, service)
    }
}

impl Display for UpdateListener {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ listener {}:{} default {}", self.service, self.port, self.default_action)
    }
}

/// DeleteListener; its rules go with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteListener {
    /// The service's name.
    pub service: String,
    /// Port, the identity.
    pub port: u16,
    /// `listener-…`.
    pub id: String,
}

impl StepKind for DeleteListener {
    fn nature(&self) -> Nature<'_> {
        Nature::TakesAway { moves_requests_of: Some(&self.service) }
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.service, self.port)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let Some(service) = service_mut(state, &self.service) else { return };
        service.listeners.retain(|l| l.id != self.id);
        // With its last listener a service uses no target group any more.
        if service.listeners.is_empty() {
            let arn = service.arn.clone();
            state.target_groups.iter_mut().for_each(|group| {
                group.service_arns.remove(&arn);
            });
        }
    }

    /// A wanted listener may go if it cannot be kept: its protocol is another, or its service has to go.
    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { service, port, id } = self;
        let held = view.our_service(service)?;
        let listener = there(held.listeners.iter().find(|l| l.id == *id), || format!("listener {id}"))?;
        ours(&listener.ownership, id)?;
        let wanted = view.wanted_listener(service, *port).is_some_and(|l| l.protocol == listener.protocol);
        require(!wanted || !can_stay(view, held), || ViolationKind::Wanted { what: text(service, *port) })
    }
}

impl Display for DeleteListener {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", text(&self.service, self.port))
    }
}
