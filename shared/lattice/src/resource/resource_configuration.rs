//! The resource configuration: one resource (a database, say) that is reached through a resource gateway.
//!
//! Its gateway, its type and its custom domain cannot be changed (UpdateResourceConfiguration): whoever wishes for others wishes
//! for another name.

use super::resource_gateway::ResourceFamily;
use super::{ActualResourceAssociation, Joined, ResourceMut};
use crate::check::{Deed, View, at_rest, is_broken, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// What a resource is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ResourceDefinition {
    /// What a domain name leads to, which anybody can resolve.
    Dns {
        /// The domain name.
        domain_name: String,
        /// The addresses that count.
        family: ResourceFamily,
    },
    /// An address in the gateway's VPC, or that it has a way to.
    Ip {
        /// The address.
        address: String,
    },
    /// What AWS knows by an ARN, such as an RDS database.
    Arn {
        /// The ARN.
        arn: String,
    },
}

impl Display for ResourceDefinition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Dns { domain_name, family: ResourceFamily::Ipv4 } => f.write_str(domain_name),
            Self::Dns { domain_name, family } => write!(f, "{domain_name} {}", family.as_str()),
            Self::Ip { address } => f.write_str(address),
            Self::Arn { arn } => f.write_str(arn),
        }
    }
}

/// A wanted resource configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredResourceConfiguration {
    /// 3–40 characters, unique in the account and Region.
    pub name: String,
    /// The name of its resource gateway, which may be another unit's.
    pub gateway: String,
    /// What the resource is.
    pub definition: ResourceDefinition,
    /// Ports and ranges such as `5432` or `9000-9010`, as VPC Lattice writes them; none for one that is named by its ARN.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub port_ranges: BTreeSet<String>,
    /// The domain name under which it is reached beside the generated ones.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub custom_domain: Option<String>,
    /// Names of the service networks that it is associated with.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub networks: BTreeSet<String>,
    /// Tags set at creation and kept, of it and of its associations; tags of others are left alone.
    pub tags: Tags,
}

/// A resource configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualResourceConfiguration {
    /// `rcfg-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Status.
    pub status: Status,
    /// What the resource is; none where this version does not know it, or where it is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<ResourceDefinition>,
    /// Ports and ranges.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub port_ranges: BTreeSet<String>,
    /// The custom domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_domain: Option<String>,
    /// Its associations with service networks; read of ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub associations: Vec<ActualResourceAssociation>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualResourceConfiguration {
    pub(crate) fn as_resources(&mut self) -> Vec<ResourceMut<'_>> {
        let Self { id, arn, ownership, tags, associations, .. } = self;
        let own = ResourceMut { id, arn, ownership, tags: Some(tags) };
        std::iter::once(own)
            .chain(associations.iter_mut().map(ActualResourceAssociation::as_resource))
            .collect()
    }
}

impl<'a> View<'a> {
    pub(super) fn resource_configuration(
        &self,
        name: &str,
    ) -> Result<&'a ActualResourceConfiguration, ViolationKind> {
        there(self.state.resource_configurations.iter().find(|one| one.name == name), || subject(name))
    }

    fn resource_configuration_by_id(
        &self,
        id: &str,
    ) -> Result<&'a ActualResourceConfiguration, ViolationKind> {
        there(self.state.resource_configurations.iter().find(|one| one.id == id), || subject(id))
    }

    pub(super) fn wanted_resource_configuration(
        &self,
        name: &str,
    ) -> Option<&'a DesiredResourceConfiguration> {
        self.desired.resource_configurations.iter().find(|one| one.name == name)
    }
}

fn subject(configuration: &str) -> String {
    format!("resource configuration {configuration}")
}

fn write_resource(
    f: &mut Formatter<'_>,
    definition: &ResourceDefinition,
    ports: &BTreeSet<String>,
) -> Written {
    write!(f, " {definition}")?;
    if ports.is_empty() { Ok(()) } else { write!(f, ":{}", Joined(ports)) }
}

/// CreateResourceConfiguration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateResourceConfiguration {
    /// Name.
    pub configuration: String,
    /// Name of the resource gateway.
    pub gateway: String,
    /// What the resource is.
    pub definition: ResourceDefinition,
    /// Ports and ranges.
    pub port_ranges: BTreeSet<String>,
    /// The custom domain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub custom_domain: Option<String>,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateResourceConfiguration {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.configuration)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { configuration, gateway, definition, port_ranges, custom_domain, tags } = self;
        state.resource_configurations.push(ActualResourceConfiguration {
            id: format!("rcfg-{configuration}"),
            arn: format!("arn:rcfg-{configuration}"),
            name: configuration.clone(),
            status: Status::CreateInProgress,
            definition: Some(definition.clone()),
            port_ranges: port_ranges.clone(),
            custom_domain: custom_domain.clone(),
            associations: vec![],
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
        for used in state.resource_gateways.iter_mut().filter(|one| one.name == *gateway) {
            // Of others' gateways the users are not read.
            if used.ownership == Ownership::Ours {
                used.users.insert(configuration.clone());
            }
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { configuration, gateway, definition, port_ranges, custom_domain, tags } = self;
        view.bears_owner(tags)?;
        let is_new = view.resource_configuration(configuration).is_err();
        require(is_new, || ViolationKind::ThereAlready { what: self.subject() })?;
        view.usable_resource_gateway(gateway)?;
        let wanted = view.wanted_resource_configuration(configuration);
        let is_as_wished = wanted.is_some_and(|wanted| {
            (gateway, definition, port_ranges, custom_domain)
                == (&wanted.gateway, &wanted.definition, &wanted.port_ranges, &wanted.custom_domain)
        });
        require(is_as_wished, || ViolationKind::Unwanted { what: self.subject() })
    }
}

impl Display for CreateResourceConfiguration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let Self { configuration, gateway, definition, port_ranges, custom_domain, .. } = self;
        write!(f, "+ {}", subject(configuration))?;
        write_resource(f, definition, port_ranges)?;
        if let Some(domain) = custom_domain {
            write!(f, " as {domain}")?;
        }
        write!(f, " through {gateway}")
    }
}

/// UpdateResourceConfiguration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateResourceConfiguration {
    /// Name.
    pub configuration: String,
    /// `rcfg-…`.
    pub id: String,
    /// What the resource is.
    pub definition: ResourceDefinition,
    /// Ports and ranges.
    pub port_ranges: BTreeSet<String>,
}

impl StepKind for UpdateResourceConfiguration {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.configuration)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        for held in state.resource_configurations.iter_mut().filter(|one| one.id == self.id) {
            held.definition = Some(self.definition.clone());
            held.port_ranges.clone_from(&self.port_ranges);
            held.status = Status::UpdateInProgress;
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.resource_configuration_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        at_rest(held.status, &self.id, Deed::Change)?;
        let wanted = view.wanted_resource_configuration(&held.name);
        let is_as_wished = wanted.is_some_and(|wanted| {
            (&self.definition, &self.port_ranges) == (&wanted.definition, &wanted.port_ranges)
        });
        require(is_as_wished, || ViolationKind::Unwanted { what: self.subject() })
    }
}

impl Display for UpdateResourceConfiguration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ {}", subject(&self.configuration))?;
        write_resource(f, &self.definition, &self.port_ranges)
    }
}

/// Wait until the resource configuration is active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitResourceConfiguration {
    /// Name.
    pub configuration: String,
}

impl StepKind for AwaitResourceConfiguration {
    fn nature(&self) -> Nature<'_> {
        Nature::Awaits(format!("{} to become active", subject(&self.configuration)))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.configuration)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let awaited = state.resource_configurations.iter_mut().filter(|one| one.name == self.configuration);
        awaited.for_each(|one| one.status.finish());
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.resource_configuration(&self.configuration).map(|_| ())
    }
}

impl Display for AwaitResourceConfiguration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for {}", subject(&self.configuration))
    }
}

/// DeleteResourceConfiguration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteResourceConfiguration {
    /// Name.
    pub configuration: String,
    /// `rcfg-…`.
    pub id: String,
}

impl StepKind for DeleteResourceConfiguration {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.configuration)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let deleted = state.resource_configurations.iter_mut().filter(|one| one.id == self.id);
        deleted.for_each(|one| one.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.resource_configuration_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        at_rest(held.status, &self.id, Deed::Delete)?;
        let is_wanted = view.wanted_resource_configuration(&held.name).is_some() && !is_broken(held.status);
        require(!is_wanted, || ViolationKind::Wanted { what: self.subject() })?;
        match held.associations.first() {
            None => Ok(()),
            Some(one) => {
                let held = format!("the association with service network {}", one.network);
                Err(ViolationKind::StillHas { what: self.subject(), held })
            }
        }
    }
}

impl Display for DeleteResourceConfiguration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", subject(&self.configuration))
    }
}

/// Wait until the resource configuration is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitResourceConfigurationGone {
    /// Name.
    pub configuration: String,
    /// `rcfg-…`.
    pub id: String,
}

impl StepKind for AwaitResourceConfigurationGone {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("{} to be gone", subject(&self.configuration)))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.configuration)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let is_gone =
            |one: &ActualResourceConfiguration| one.id == self.id && one.status == Status::DeleteInProgress;
        state.resource_configurations.retain(|one| !is_gone(one));
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.resource_configuration_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitResourceConfigurationGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for the end of {}", subject(&self.configuration))
    }
}
