//! The resource gateway: where traffic for resources (databases, say) comes into the VPC that they are in.
//!
//! Its VPC, subnets and addresses cannot be changed (UpdateResourceGateway): whoever wishes for others wishes for another name.

use super::ResourceMut;
use crate::check::{Deed, View, at_rest, is_broken, ours, ready, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// Families of addresses, of a resource gateway or of what a domain name is resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ResourceFamily {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Both.
    Dualstack,
}

impl ResourceFamily {
    /// As VPC Lattice writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPV4",
            Self::Ipv6 => "IPV6",
            Self::Dualstack => "DUALSTACK",
        }
    }
}

/// A wanted resource gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredResourceGateway {
    /// 3–40 characters, unique in the account and Region.
    pub name: String,
    /// The VPC's id.
    pub vpc: String,
    /// The subnets that it has addresses in.
    pub subnets: BTreeSet<String>,
    /// Where traffic may go on to; at most 5.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub security_groups: BTreeSet<String>,
    /// The addresses that it has.
    pub family: ResourceFamily,
    /// IPv4 addresses of each network interface, 1–62; none for AWS' own number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv4_addresses_per_eni: Option<u8>,
    /// Tags set at creation and kept; tags of others are left alone.
    pub tags: Tags,
}

/// A resource gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualResourceGateway {
    /// `rgw-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// Status.
    pub status: Status,
    /// Security groups.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub security_groups: BTreeSet<String>,
    /// Names of the resource configurations that lead through it: read of one of ours that nobody wants.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub users: BTreeSet<String>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualResourceGateway {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

impl<'a> View<'a> {
    pub(super) fn resource_gateway(&self, name: &str) -> Result<&'a ActualResourceGateway, ViolationKind> {
        there(self.state.resource_gateways.iter().find(|one| one.name == name), || subject(name))
    }

    fn resource_gateway_by_id(&self, id: &str) -> Result<&'a ActualResourceGateway, ViolationKind> {
        there(self.state.resource_gateways.iter().find(|one| one.id == id), || subject(id))
    }

    fn wanted_resource_gateway(&self, name: &str) -> Option<&'a DesiredResourceGateway> {
        self.desired.resource_gateways.iter().find(|one| one.name == name)
    }

    /// The gateway, if resources may be reached through it: one of this installation, whichever unit it is of.
    pub(super) fn usable_resource_gateway(&self, name: &str) -> Result<(), ViolationKind> {
        let gateway = self.resource_gateway(name)?;
        let is_known = matches!(gateway.ownership, Ownership::Ours | Ownership::OtherUnit(_));
        require(is_known, || ViolationKind::NotAllowed { what: subject(name) })?;
        ready(gateway.status, &subject(name))
    }
}

fn subject(gateway: &str) -> String {
    format!("resource gateway {gateway}")
}

/// CreateResourceGateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateResourceGateway {
    /// Name.
    pub gateway: String,
    /// The VPC's id.
    pub vpc: String,
    /// Subnets.
    pub subnets: BTreeSet<String>,
    /// Security groups.
    pub security_groups: BTreeSet<String>,
    /// The addresses that it has.
    pub family: ResourceFamily,
    /// IPv4 addresses of each network interface.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv4_addresses_per_eni: Option<u8>,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateResourceGateway {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.gateway)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { gateway, security_groups, tags, .. } = self;
        state.resource_gateways.push(ActualResourceGateway {
            id: format!("rgw-{gateway}"),
            arn: format!("arn:rgw-{gateway}"),
            name: gateway.clone(),
            status: Status::CreateInProgress,
            security_groups: security_groups.clone(),
            users: BTreeSet::new(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { gateway, vpc, subnets, security_groups, family, ipv4_addresses_per_eni, tags } = self;
        view.bears_owner(tags)?;
        let taken = view.resource_gateway(gateway).is_err();
        require(taken, || ViolationKind::ThereAlready { what: subject(gateway) })?;
        let unwanted = || ViolationKind::Unwanted { what: subject(gateway) };
        let Some(wanted) = view.wanted_resource_gateway(gateway) else { return Err(unwanted()) };
        let is_as_wished = (vpc, subnets, security_groups, family, ipv4_addresses_per_eni)
            == (
                &wanted.vpc,
                &wanted.subnets,
                &wanted.security_groups,
                &wanted.family,
                &wanted.ipv4_addresses_per_eni,
            );
        require(is_as_wished, unwanted)
    }
}

impl Display for CreateResourceGateway {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        let Self { gateway, vpc, subnets, security_groups, .. } = self;
        write!(f, "+ {} {vpc}", subject(gateway))?;
        subnets.iter().chain(security_groups).try_for_each(|one| write!(f, " {one}"))
    }
}

/// UpdateResourceGateway: security groups are all that can be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateResourceGateway {
    /// Name.
    pub gateway: String,
    /// `rgw-…`.
    pub id: String,
    /// Security groups, all of them.
    pub security_groups: BTreeSet<String>,
}

impl StepKind for UpdateResourceGateway {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.gateway)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        for held in state.resource_gateways.iter_mut().filter(|one| one.id == self.id) {
            held.security_groups.clone_from(&self.security_groups);
            held.status = Status::UpdateInProgress;
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.resource_gateway_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        at_rest(held.status, &self.id, Deed::Change)?;
        let wanted = view.wanted_resource_gateway(&held.name);
        let is_wished = wanted.is_some_and(|wanted| wanted.security_groups == self.security_groups);
        require(is_wished, || ViolationKind::Unwanted { what: self.subject() })
    }
}

impl Display for UpdateResourceGateway {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ {} security groups", subject(&self.gateway))?;
        self.security_groups.iter().try_for_each(|one| write!(f, " {one}"))
    }
}

/// Wait until the resource gateway is active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitResourceGateway {
    /// Name.
    pub gateway: String,
}

impl StepKind for AwaitResourceGateway {
    fn nature(&self) -> Nature<'_> {
        Nature::Awaits(format!("{} to become active", subject(&self.gateway)))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.gateway)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let awaited = state.resource_gateways.iter_mut().filter(|one| one.name == self.gateway);
        awaited.for_each(|one| one.status.finish());
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.resource_gateway(&self.gateway).map(|_| ())
    }
}

impl Display for AwaitResourceGateway {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for {}", subject(&self.gateway))
    }
}

/// DeleteResourceGateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteResourceGateway {
    /// Name.
    pub gateway: String,
    /// `rgw-…`.
    pub id: String,
}

impl StepKind for DeleteResourceGateway {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.gateway)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let deleted = state.resource_gateways.iter_mut().filter(|one| one.id == self.id);
        deleted.for_each(|one| one.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.resource_gateway_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        at_rest(held.status, &self.id, Deed::Delete)?;
        let is_wanted = view.wanted_resource_gateway(&held.name).is_some() && !is_broken(held.status);
        require(!is_wanted, || ViolationKind::Wanted { what: self.subject() })?;
        match held.users.first() {
            None => Ok(()),
            Some(by) => {
                Err(ViolationKind::InUse { what: self.subject(), by: format!("resource configuration {by}") })
            }
        }
    }
}

impl Display for DeleteResourceGateway {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", subject(&self.gateway))
    }
}

/// Wait until the resource gateway is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitResourceGatewayGone {
    /// Name.
    pub gateway: String,
    /// `rgw-…`.
    pub id: String,
}

impl StepKind for AwaitResourceGatewayGone {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("{} to be gone", subject(&self.gateway)))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.gateway)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.resource_gateways.retain(|one| one.id != self.id || one.status != Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.resource_gateway_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitResourceGatewayGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for the end of {}", subject(&self.gateway))
    }
}
