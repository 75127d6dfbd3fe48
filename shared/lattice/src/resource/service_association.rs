//! The association of a service with a service network.

use super::service::{can_stay, service_mut};
use super::{Holder, ResourceMut};
use crate::check::{Deed, View, at_rest, is_broken, ours, ready, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// A service's association with a service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActualAssociation {
    /// `snsa-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The network's name.
    pub network: String,
    /// Status.
    pub status: Status,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A custom domain that a service of others has in a service network, one that does not give way: no second one comes in there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenDomain {
    /// The network's name.
    pub network: String,
    /// The domain, as domains are compared ([`crate::names::domain`]).
    pub domain: String,
    /// ARN of the service that has it.
    pub arn: String,
    /// The unit that it is of, if it is one of this installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl ActualAssociation {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

impl<'a> View<'a> {
    fn association(&self, service: &str, network: &str) -> Result<&'a ActualAssociation, ViolationKind> {
        let found = self.service(service)?.associations.iter().find(|a| a.network == network);
        there(found, || text(service, network))
    }

    fn association_by_id(&self, service: &str, id: &str) -> Result<&'a ActualAssociation, ViolationKind> {
        let found = self.service(service)?.associations.iter().find(|a| a.id == id);
        there(found, || format!("association {id}"))
    }
}

fn associations_mut<'a>(
    state: &'a mut Actual,
    service: &str,
) -> impl Iterator<Item = &'a mut ActualAssociation> {
    service_mut(state, service).map(|s| s.associations.iter_mut()).into_iter().flatten()
}

fn subject(service: &str, network: &str) -> String {
    format!("service {service} with service network {network}")
}

pub(super) fn text(service: &str, network: &str) -> String {
    format!("association {service} {network}")
}

/// CreateServiceNetworkServiceAssociation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateAssociation {
    /// The service's name.
    pub service: String,
    /// The network's name.
    pub network: String,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "associate"
    }

    fn subject(&self) -> String {
        subject(&self.service, &self.network)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let others = state.other_names_of_network(&self.network);
        let Some(service) = service_mut(state, &self.service) else { return };
        let id = format!("snsa-{}-{}", self.service, self.network);
        let called = std::iter::once(self.network.clone()).chain(others);
        service.associations.extend(called.map(|network| ActualAssociation {
            arn: format!("arn:{id}"),
            id: id.clone(),
            network,
            status: Status::CreateInProgress,
            ownership: owner.of(&self.tags),
            tags: self.tags.clone(),
        }));
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { service, network, tags } = self;
        view.bears_owner(tags)?;
        let held = view.our_service(service)?;
        view.usable_network(network)?;
        view.is_secured(&Holder::Service(service.clone()))?;
        ready(held.status, &format!("service {service}"))?;
        let what = || ViolationKind::ThereAlready { what: text(service, network) };
        require(view.association(service, network).is_err(), what)?;
        let is_taken =
            |one: &TakenDomain| one.network == *network && Some(&one.domain) == held.domain().as_ref();
        let what = || ViolationKind::Taken { what: format!("the hostname of {service} in {network}") };
        require(!view.state.taken_domains.iter().any(is_taken), what)
    }
}

impl Display for CreateAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ {}", text(&self.service, &self.network))
    }
}

/// Wait until the service's association with the network is ACTIVE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitAssociation {
    /// The service's name.
    pub service: String,
    /// The network's name.
    pub network: String,
}

impl StepKind for AwaitAssociation {
    fn nature(&self) -> Nature<'_> {
        let Self { service, network } = self;
        Nature::Awaits(format!("service {service} to be associated with service network {network}"))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.service, &self.network)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let others = state.other_names_of_network(&self.network);
        let is_meant = |a: &&mut ActualAssociation| a.network == self.network || others.contains(&a.network);
        associations_mut(state, &self.service).filter(is_meant).for_each(|a| a.status.finish());
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.association(&self.service, &self.network).map(|_| ())
    }
}

impl Display for AwaitAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for {}", text(&self.service, &self.network))
    }
}

/// How the words of [`place_taken`] begin.
pub const PLACE_TAKEN: &str = "the service that had the hostname ";

/// Why a service cannot come into a network yet, where the one of another route of the cluster has its custom domain there. It
/// stands in that route's status, where the other one's unit reads it: rewording it is a change of protocol.
pub fn place_taken(domain: &str, network: &str) -> String {
    format!("{PLACE_TAKEN}{domain} before is still in the service network {network}")
}

/// DeleteServiceNetworkServiceAssociation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAssociation {
    /// The service's name.
    pub service: String,
    /// The network's name.
    pub network: String,
    /// `snsa-…`.
    pub id: String,
}

impl StepKind for DeleteAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "disassociate"
    }

    fn subject(&self) -> String {
        subject(&self.service, &self.network)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let deleted = associations_mut(state, &self.service).filter(|a| a.id == self.id);
        deleted.for_each(|a| a.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { service, network, id } = self;
        let held = view.our_service(service)?;
        let association = view.association_by_id(service, id)?;
        ours(&association.ownership, id)?;
        at_rest(association.status, id, Deed::Delete)?;
        let wanted = view.wanted_service(service).is_some_and(|w| w.networks.contains(network));
        let must_go = is_broken(association.status) || !can_stay(view, held);
        require(!wanted || must_go, || ViolationKind::Wanted { what: text(service, network) })
    }
}

impl Display for DeleteAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", text(&self.service, &self.network))
    }
}

/// Wait until the association is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitAssociationGone {
    /// The service's name.
    pub service: String,
    /// The network's name.
    pub network: String,
    /// `snsa-…`.
    pub id: String,
}

impl StepKind for AwaitAssociationGone {
    fn nature(&self) -> Nature<'_> {
        let Self { service, network, .. } = self;
        Nature::AwaitsRemoval(format!("service {service} to leave service network {network}"))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.service, &self.network)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        if let Some(service) = service_mut(state, &self.service) {
            service.associations.retain(|a| a.id != self.id || a.status != Status::DeleteInProgress);
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.association_by_id(&self.service, &self.id).map(|_| ())
    }
}

impl Display for AwaitAssociationGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait until {} is gone", text(&self.service, &self.network))
    }
}
