//! The association of a resource configuration with a service network: clients in the network's VPCs reach the resource by it.

use super::ResourceMut;
use crate::check::{Deed, View, at_rest, is_broken, ours, ready, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter, Result as Written};

/// A resource configuration's association with a service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualResourceAssociation {
    /// `snra-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The network's name.
    pub network: String,
    /// Status.
    pub status: Status,
    /// The generated domain name under which clients in the network's VPCs reach the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualResourceAssociation {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

impl<'a> View<'a> {
    fn resource_association(
        &self,
        configuration: &str,
        network: &str,
    ) -> Result<&'a ActualResourceAssociation, ViolationKind> {
        let mut all = self.resource_configuration(configuration)?.associations.iter();
        there(all.find(|one| one.network == network), || subject(configuration, network))
    }

    fn resource_association_by_id(&self, id: &str) -> Result<&'a ActualResourceAssociation, ViolationKind> {
        let mut all = self.state.resource_configurations.iter().flat_map(|one| &one.associations);
        there(all.find(|one| one.id == id), || format!("resource association {id}"))
    }
}

fn subject(configuration: &str, network: &str) -> String {
    format!("resource configuration {configuration} with service network {network}")
}

fn text(configuration: &str, network: &str) -> String {
    format!("resource association {configuration} {network}")
}

fn of_configuration<'a>(
    state: &'a mut Actual,
    configuration: &str,
) -> impl Iterator<Item = &'a mut Vec<ActualResourceAssociation>> {
    let all = state.resource_configurations.iter_mut().filter(move |one| one.name == configuration);
    all.map(|one| &mut one.associations)
}

/// CreateServiceNetworkResourceAssociation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateResourceAssociation {
    /// The resource configuration's name.
    pub configuration: String,
    /// The network's name.
    pub network: String,
    /// Whether VPCs that let it be resolve the configuration's custom domain.
    pub private_dns: bool,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateResourceAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "associate"
    }

    fn subject(&self) -> String {
        subject(&self.configuration, &self.network)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { configuration, network, tags, .. } = self;
        for associations in of_configuration(state, configuration) {
            associations.push(ActualResourceAssociation {
                id: format!("snra-{configuration}-{network}"),
                arn: format!("arn:snra-{configuration}-{network}"),
                network: network.clone(),
                status: Status::CreateInProgress,
                dns_name: None,
                ownership: owner.of(tags),
                tags: tags.clone(),
            });
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { configuration, network, private_dns, tags } = self;
        view.bears_owner(tags)?;
        let held = view.resource_configuration(configuration)?;
        ours(&held.ownership, &held.id)?;
        ready(held.status, &held.id)?;
        view.usable_network(network)?;
        let is_new = view.resource_association(configuration, network).is_err();
        require(is_new, || ViolationKind::ThereAlready { what: self.subject() })?;
        let wanted = view.wanted_resource_configuration(configuration);
        let is_as_wished = wanted.is_some_and(|wanted| {
            wanted.networks.contains(network) && *private_dns == wanted.custom_domain.is_some()
        });
        require(is_as_wished, || ViolationKind::Unwanted { what: self.subject() })?;
        // A name is one resource's in a network.
        let mut others = view.state.resource_configurations.iter().filter(|one| one.name != *configuration);
        let has_domain = others.any(|one| {
            held.custom_domain.is_some()
                && one.custom_domain == held.custom_domain
                && one.associations.iter().any(|association| association.network == *network)
        });
        let domain = held.custom_domain.as_deref().unwrap_or_default();
        let what = || format!("the domain {domain} in service network {network}");
        require(!has_domain, || ViolationKind::Taken { what: what() })
    }
}

impl Display for CreateResourceAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let private = if self.private_dns { " with private DNS" } else { "" };
        write!(f, "+ {}{private}", text(&self.configuration, &self.network))
    }
}

/// Wait until the association is active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitResourceAssociation {
    /// The resource configuration's name.
    pub configuration: String,
    /// The network's name.
    pub network: String,
}

impl StepKind for AwaitResourceAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::Awaits(format!("{} to become active", text(&self.configuration, &self.network)))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.configuration, &self.network)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let all = of_configuration(state, &self.configuration).flatten();
        all.filter(|one| one.network == self.network).for_each(|one| one.status.finish());
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.resource_association(&self.configuration, &self.network).map(|_| ())
    }
}

impl Display for AwaitResourceAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for {}", text(&self.configuration, &self.network))
    }
}

/// DeleteServiceNetworkResourceAssociation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteResourceAssociation {
    /// The resource configuration's name.
    pub configuration: String,
    /// The network's name.
    pub network: String,
    /// `snra-…`.
    pub id: String,
}

impl StepKind for DeleteResourceAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "disassociate"
    }

    fn subject(&self) -> String {
        subject(&self.configuration, &self.network)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let all = of_configuration(state, &self.configuration).flatten();
        all.filter(|one| one.id == self.id).for_each(|one| one.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { configuration, network, id } = self;
        let held = view.resource_association_by_id(id)?;
        ours(&held.ownership, id)?;
        at_rest(held.status, id, Deed::Delete)?;
        let of = view.resource_configuration(configuration)?;
        let wanted = view.wanted_resource_configuration(configuration);
        let is_wanted = wanted.is_some_and(|wanted| wanted.networks.contains(network));
        let is_spare = is_broken(held.status) || is_broken(of.status);
        require(!is_wanted || is_spare, || ViolationKind::Wanted { what: self.subject() })
    }
}

impl Display for DeleteResourceAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", text(&self.configuration, &self.network))
    }
}

/// Wait until the association is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitResourceAssociationGone {
    /// The resource configuration's name.
    pub configuration: String,
    /// The network's name.
    pub network: String,
    /// `snra-…`.
    pub id: String,
}

impl StepKind for AwaitResourceAssociationGone {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("{} to be gone", text(&self.configuration, &self.network)))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.configuration, &self.network)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        for associations in of_configuration(state, &self.configuration) {
            associations.retain(|one| one.id != self.id || one.status != Status::DeleteInProgress);
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.resource_association_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitResourceAssociationGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for the end of {}", text(&self.configuration, &self.network))
    }
}
