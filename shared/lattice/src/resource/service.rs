//! The service.

use super::service_association::text as association_text;
use super::{ActualAssociation, ActualListener, DesiredListener, ResourceMut};
use crate::check::{Deed, View, at_rest, is_broken, ours, require, there};
use crate::model::forget_services;
use crate::names::domain;
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, TAG_IDLE_TIMEOUT, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// VPC Lattice's own idle time-out, in seconds (API reference, CreateService).
pub const IDLE_TIMEOUT_DEFAULT: u16 = 60;

/// A Lattice service with all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredService {
    /// 3–40 characters, unique in the account and Region.
    pub name: String,
    /// Immutable once created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub custom_domain: Option<String>,
    /// ACM certificate for the custom domain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate_arn: Option<String>,
    /// Seconds without data after which a connection is closed; none for VPC Lattice's default. Whoever sets it sets
    /// [`TAG_IDLE_TIMEOUT`] too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idle_timeout_seconds: Option<u16>,
    /// Names of the service networks to associate with. They are made by Gateway units.
    pub networks: BTreeSet<String>,
    /// By port; the port is a listener's identity.
    pub listeners: Vec<DesiredListener>,
    /// Tags set at creation and kept; tags of others are left alone.
    pub tags: Tags,
}

/// A service with all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualService {
    /// `svc-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Status.
    pub status: Status,
    /// The generated domain name; present from creation on.
    #[serde(default)]
    pub dns_name: Option<String>,
    /// Custom domain.
    #[serde(default)]
    pub custom_domain: Option<String>,
    /// ACM certificate.
    #[serde(default)]
    pub certificate_arn: Option<String>,
    /// Seconds without data after which a connection is closed. Read only where it matters
    /// ([`Self::had_idle_timeout`]), for only GetService tells it.
    #[serde(default)]
    pub idle_timeout_seconds: Option<u16>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default)]
    pub tags: Tags,
    /// Not read when the service is not ours.
    #[serde(default)]
    pub listeners: Vec<ActualListener>,
    /// Whether one of its listeners or rules was changed so lately that the data plane may not have followed yet.
    #[serde(default)]
    pub is_propagating: bool,
    /// Not read when the service is not ours.
    #[serde(default)]
    pub associations: Vec<ActualAssociation>,
}

impl DesiredService {
    /// Names of the target groups that its listeners and rules forward to.
    pub fn target_groups(&self) -> BTreeSet<&str> {
        self.listeners.iter().flat_map(DesiredListener::target_groups).collect()
    }
}

impl ActualService {
    /// Names of the target groups that its listeners and rules forward to.
    pub fn target_groups(&self) -> BTreeSet<&str> {
        self.listeners.iter().flat_map(ActualListener::target_groups).collect()
    }

    /// The rules, listeners and associations that are parts of it: ARNs, and whose they are.
    pub(crate) fn below(&self) -> impl Iterator<Item = (&String, &Ownership)> {
        self.tagged_below().map(|(arn, ownership, _)| (arn, ownership)).chain(
            self.associations.iter().filter(|one| !one.status.lasts()).map(|one| (&one.arn, &one.ownership)),
        )
    }

    /// Those of them that stay for now: ARNs, whose they are, and their tags.
    pub fn tagged_below(&self) -> impl Iterator<Item = (&String, &Ownership, &Tags)> {
        let rules = self.listeners.iter().flat_map(|listener| &listener.rules);
        let lasting = self.associations.iter().filter(|one| one.status.lasts());
        rules
            .map(|one| (&one.arn, &one.ownership, &one.tags))
            .chain(self.listeners.iter().map(|one| (&one.arn, &one.ownership, &one.tags)))
            .chain(lasting.map(|one| (&one.arn, &one.ownership, &one.tags)))
    }

    /// Its custom domain, as domains are compared ([`domain`]).
    pub fn domain(&self) -> Option<String> {
        self.custom_domain.as_deref().map(domain)
    }

    /// Whether somebody has once asked for another idle time-out than the default.
    pub fn had_idle_timeout(&self) -> bool {
        self.tags.contains_key(TAG_IDLE_TIMEOUT)
    }

    /// Whether its listeners and rules tell which target groups it uses. Those of one that is to go, or is going, are not
    /// always read: then the target groups' own word counts.
    pub(crate) fn is_known_below(&self) -> bool {
        self.ownership == Ownership::Ours && !self.listeners.is_empty()
    }

    /// It and all below it.
    pub(crate) fn as_resources(&mut self) -> Vec<ResourceMut<'_>> {
        let Self { id, arn, ownership, tags, listeners, associations, .. } = self;
        let mut all = vec![ResourceMut { id, arn, ownership, tags: Some(tags) }];
        all.extend(associations.iter_mut().map(ActualAssociation::as_resource));
        all.extend(listeners.iter_mut().flat_map(ActualListener::as_resources));
        all
    }
}

impl<'a> View<'a> {
    pub(crate) fn service(&self, name: &str) -> Result<&'a ActualService, ViolationKind> {
        there(self.state.services.iter().find(|s| s.name == name), || subject(name))
    }

    fn service_by_id(&self, id: &str) -> Result<&'a ActualService, ViolationKind> {
        there(self.state.services.iter().find(|s| s.id == id), || subject(id))
    }

    pub(crate) fn our_service(&self, name: &str) -> Result<&'a ActualService, ViolationKind> {
        let service = self.service(name)?;
        ours(&service.ownership, &subject(name))?;
        Ok(service)
    }

    pub(crate) fn wanted_service(&self, name: &str) -> Option<&'a DesiredService> {
        self.desired.services.iter().find(|s| s.name == name)
    }
}

/// Whether a service can become what is wanted of it: it did not fail, and its custom domain is the wanted one.
pub(super) fn can_stay(view: &View, held: &ActualService) -> bool {
    let as_wanted = |wanted: &DesiredService| held.domain() == wanted.custom_domain.as_deref().map(domain);
    !is_broken(held.status) && view.wanted_service(&held.name).is_some_and(as_wanted)
}

pub(super) fn service_mut<'a>(state: &'a mut Actual, name: &str) -> Option<&'a mut ActualService> {
    state.services.iter_mut().find(|s| s.name == name)
}

fn subject(service: &str) -> String {
    format!("service {service}")
}

/// CreateService.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateService {
    /// Name.
    pub service: String,
    /// Custom domain.
    pub custom_domain: Option<String>,
    /// Certificate.
    pub certificate_arn: Option<String>,
    /// Idle time-out.
    pub idle_timeout_seconds: Option<u16>,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateService {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.service)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { service, custom_domain, certificate_arn, idle_timeout_seconds, tags } = self;
        state.services.push(ActualService {
            id: format!("svc-{service}"),
            arn: format!("arn:svc-{service}"),
            name: service.clone(),
            status: Status::CreateInProgress,
            dns_name: None,
            custom_domain: custom_domain.clone(),
            certificate_arn: certificate_arn.clone(),
            idle_timeout_seconds: *idle_timeout_seconds,
            ownership: owner.of(tags),
            tags: tags.clone(),
            listeners: vec![],
            is_propagating: false,
            associations: vec![],
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.bears_owner(&self.tags)?;
        let what = || ViolationKind::ThereAlready { what: self.subject() };
        require(view.service(&self.service).is_err(), what)
    }
}

impl Display for CreateService {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ service {}", self.service)?;
        self.custom_domain.as_ref().map_or(Ok(()), |domain| write!(f, " for {domain}"))?;
        self.idle_timeout_seconds.map_or(Ok(()), |seconds| write!(f, " idle for {seconds} s at most"))
    }
}

/// UpdateService with a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateCertificate {
    /// The service's name.
    pub service: String,
    /// The certificate's ARN.
    pub certificate_arn: String,
}

impl StepKind for UpdateCertificate {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.service)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(service) = service_mut(state, &self.service) {
            service.certificate_arn = Some(self.certificate_arn.clone());
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.our_service(&self.service).map(|_| ())
    }
}

impl Display for UpdateCertificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ certificate of service {} {}", self.service, self.certificate_arn)
    }
}

/// UpdateService with an idle time-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateIdleTimeout {
    /// The service's name.
    pub service: String,
    /// The seconds.
    pub idle_timeout_seconds: u16,
}

impl StepKind for UpdateIdleTimeout {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.service)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(service) = service_mut(state, &self.service) {
            service.idle_timeout_seconds = Some(self.idle_timeout_seconds);
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.our_service(&self.service).map(|_| ())
    }
}

impl Display for UpdateIdleTimeout {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ idle time-out of service {} {} s", self.service, self.idle_timeout_seconds)
    }
}

/// Wait until the service is ACTIVE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitService {
    /// The service's name.
    pub service: String,
}

impl StepKind for AwaitService {
    fn nature(&self) -> Nature<'_> {
        Nature::Awaits(format!("service {} to become active", self.service))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.service)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(service) = service_mut(state, &self.service) {
            service.status.finish();
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.service(&self.service).map(|_| ())
    }
}

impl Display for AwaitService {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for service {}", self.service)
    }
}

/// DeleteService; its listeners and rules go with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteService {
    /// The service's name.
    pub service: String,
    /// `svc-…`.
    pub id: String,
}

impl StepKind for DeleteService {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.service)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let deleted = state.services.iter_mut().filter(|s| s.id == self.id);
        deleted.for_each(|s| s.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { service, id } = self;
        let (held, what) = (view.service_by_id(id)?, self.subject());
        ours(&held.ownership, &what)?;
        at_rest(held.status, id, Deed::Delete)?;
        if view.wanted_service(service).is_some() && can_stay(view, held) {
            return Err(ViolationKind::Wanted { what });
        }
        held.associations.first().map_or(Ok(()), |association| {
            let held = association_text(service, &association.network);
            Err(ViolationKind::StillHas { what, held })
        })
    }
}

impl Display for DeleteService {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- service {}", self.service)
    }
}

/// Wait until the service is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitServiceGone {
    /// The service's name.
    pub service: String,
    /// `svc-…`.
    pub id: String,
}

impl StepKind for AwaitServiceGone {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("service {} to be deleted", self.service))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.service)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        forget_services(state, |s| s.id == self.id && s.status == Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.service_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitServiceGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait until service {} is gone", self.service)
    }
}
