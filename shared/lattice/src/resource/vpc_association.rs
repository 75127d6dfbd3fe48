//! The association of a VPC with a service network.

use super::{Holder, ResourceMut};
use crate::check::{Deed, View, at_rest, is_broken, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// A VPC's association with the unit's service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredVpcAssociation {
    /// The service network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Security groups of the association; empty for none.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub security_groups: BTreeSet<String>,
    /// Tags set at creation and kept; tags of others are left alone.
    pub tags: Tags,
}

/// A VPC's association with a service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualVpcAssociation {
    /// `snva-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Status.
    pub status: Status,
    /// Security groups; read only for ours.
    #[serde(default)]
    pub security_groups: BTreeSet<String>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags; empty when not read.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualVpcAssociation {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }
}

impl<'a> View<'a> {
    fn vpc_association(&self, network: &str, vpc: &str) -> Result<&'a ActualVpcAssociation, ViolationKind> {
        let mut all = self.state.vpc_associations.iter();
        there(all.find(|a| a.network == network && a.vpc == vpc), || text(network, vpc))
    }

    fn vpc_association_by_id(&self, id: &str) -> Result<&'a ActualVpcAssociation, ViolationKind> {
        let found = self.state.vpc_associations.iter().find(|a| a.id == id);
        there(found, || format!("VPC association {id}"))
    }
}

fn subject(network: &str, vpc: &str) -> String {
    format!("VPC {vpc} with service network {network}")
}

fn text(network: &str, vpc: &str) -> String {
    format!("VPC association {network} {vpc}")
}

fn write_security_groups(f: &mut Formatter<'_>, security_groups: &BTreeSet<String>) -> Written {
    security_groups.iter().try_for_each(|group| write!(f, " {group}"))
}

/// CreateServiceNetworkVpcAssociation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateVpcAssociation {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Security groups.
    pub security_groups: BTreeSet<String>,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateVpcAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "associate"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { network, vpc, security_groups, tags } = self;
        state.vpc_associations.push(ActualVpcAssociation {
            id: format!("snva-{network}-{vpc}"),
            arn: format!("arn:snva-{network}-{vpc}"),
            network: network.clone(),
            vpc: vpc.clone(),
            status: Status::CreateInProgress,
            security_groups: security_groups.clone(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.bears_owner(&self.tags)?;
        view.usable_network(&self.network)?;
        view.is_secured(&Holder::Network(self.network.clone()))?;
        let held = view.state.vpc_associations.iter().find(|a| a.vpc == self.vpc);
        held.map_or(Ok(()), |a| Err(ViolationKind::ThereAlready { what: text(&a.network, &a.vpc) }))
    }
}

impl Display for CreateVpcAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ {}", text(&self.network, &self.vpc))?;
        write_security_groups(f, &self.security_groups)
    }
}

/// UpdateServiceNetworkVpcAssociation; never to an empty set, which the API refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateVpcAssociation {
    /// `snva-…`.
    pub id: String,
    /// The VPC's id.
    pub vpc: String,
    /// Security groups.
    pub security_groups: BTreeSet<String>,
}

impl StepKind for UpdateVpcAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        format!("association of VPC {}", self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        for association in state.vpc_associations.iter_mut().filter(|a| a.id == self.id) {
            association.security_groups.clone_from(&self.security_groups);
            association.status = Status::UpdateInProgress;
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.vpc_association_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        at_rest(held.status, &self.id, Deed::Change)?;
        let last = || ViolationKind::LastSecurityGroup { what: self.id.clone() };
        require(!self.security_groups.is_empty(), last)
    }
}

impl Display for UpdateVpcAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ VPC association of {}", self.vpc)?;
        write_security_groups(f, &self.security_groups)
    }
}

/// Wait until the VPC's association with the network is ACTIVE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitVpcAssociation {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
}

impl StepKind for AwaitVpcAssociation {
    fn nature(&self) -> Nature<'_> {
        let Self { network, vpc } = self;
        Nature::Awaits(format!("VPC {vpc} to be associated with service network {network}"))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let awaited = |a: &&mut ActualVpcAssociation| a.network == self.network && a.vpc == self.vpc;
        state.vpc_associations.iter_mut().filter(awaited).for_each(|a| a.status.finish());
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.vpc_association(&self.network, &self.vpc).map(|_| ())
    }
}

impl Display for AwaitVpcAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for {}", text(&self.network, &self.vpc))
    }
}

/// DeleteServiceNetworkVpcAssociation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteVpcAssociation {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// `snva-…`.
    pub id: String,
}

impl StepKind for DeleteVpcAssociation {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "disassociate"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let deleted = state.vpc_associations.iter_mut().filter(|a| a.id == self.id);
        deleted.for_each(|a| a.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { network, vpc, id } = self;
        let held = view.vpc_association_by_id(id)?;
        ours(&held.ownership, id)?;
        at_rest(held.status, id, Deed::Delete)?;
        let wanted = view.desired.vpc_associations.iter().any(|w| w.vpc == *vpc && w.network == *network);
        let what = || ViolationKind::Wanted { what: text(network, vpc) };
        require(!wanted || is_broken(held.status), what)
    }
}

impl Display for DeleteVpcAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", text(&self.network, &self.vpc))
    }
}

/// Wait until the VPC's association is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitVpcAssociationGone {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// `snva-…`.
    pub id: String,
}

impl StepKind for AwaitVpcAssociationGone {
    fn nature(&self) -> Nature<'_> {
        let Self { network, vpc, .. } = self;
        Nature::AwaitsRemoval(format!("VPC {vpc} to leave service network {network}"))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.vpc_associations.retain(|a| a.id != self.id || a.status != Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.vpc_association_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitVpcAssociationGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait until {} is gone", text(&self.network, &self.vpc))
    }
}
