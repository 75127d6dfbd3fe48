//! The association of a VPC with a service network.

use super::{Holder, ResourceMut};
use crate::check::{Deed, View, at_rest, is_broken, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result as Written};

/// For which domain names of resources in the network the VPC gets private hosted zones. What is not named is left out of
/// calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PrivateDns {
    /// Whether there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<DnsPreference>,
    /// The domain names of a preference that specifies them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub domains: BTreeSet<String>,
}

impl PrivateDns {
    /// Whether nothing is said.
    pub fn is_unnamed(&self) -> bool {
        self.enabled.is_none() && self.preference.is_none()
    }

    /// Whether what is named here is so there. Where VPC Lattice does not tell, it is off.
    pub fn is_met_by(&self, held: &Self) -> bool {
        let is_enabled = self.enabled.is_none_or(|wanted| held.enabled.unwrap_or_default() == wanted);
        let is_preferred =
            self.preference.is_none() || (self.preference == held.preference && self.domains == held.domains);
        is_enabled && is_preferred
    }

    fn write_to(&self, held: &mut Self) {
        held.enabled = self.enabled.or(held.enabled);
        if self.preference.is_some() {
            (held.preference, held.domains) = (self.preference, self.domains.clone());
        }
    }
}

/// `PrivateDnsPreference` of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DnsPreference {
    /// Only domain names whose owner has verified them.
    VerifiedDomainsOnly,
    /// Every custom domain name.
    AllDomains,
    /// Verified ones, and those that are specified.
    VerifiedDomainsAndSpecifiedDomains,
    /// Those that are specified.
    SpecifiedDomainsOnly,
}

impl DnsPreference {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::VerifiedDomainsOnly,
        Self::AllDomains,
        Self::VerifiedDomainsAndSpecifiedDomains,
        Self::SpecifiedDomainsOnly,
    ];

    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifiedDomainsOnly => "VERIFIED_DOMAINS_ONLY",
            Self::AllDomains => "ALL_DOMAINS",
            Self::VerifiedDomainsAndSpecifiedDomains => "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS",
            Self::SpecifiedDomainsOnly => "SPECIFIED_DOMAINS_ONLY",
        }
    }

    /// The one that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// Whether domain names go with it.
    pub const fn specifies(self) -> bool {
        matches!(self, Self::VerifiedDomainsAndSpecifiedDomains | Self::SpecifiedDomainsOnly)
    }
}

/// A VPC's association with the unit's service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredVpcAssociation {
    /// The service network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Security groups of the association; empty for none. Whoever wishes for any, or for private DNS, gives the association
    /// the tag [`crate::TAG_VPC_POLICY`]: without it they are not read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub security_groups: BTreeSet<String>,
    /// Private DNS; what is not named stays as it is.
    #[serde(skip_serializing_if = "PrivateDns::is_unnamed", default)]
    pub private_dns: PrivateDns,
    /// Tags set at creation and kept; tags of others are left alone.
    pub tags: Tags,
}

impl DesiredVpcAssociation {
    /// Whether security groups or private DNS are wished for.
    pub fn has_settings(&self) -> bool {
        !self.security_groups.is_empty() || !self.private_dns.is_unnamed()
    }
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
    /// Private DNS; read only for ours.
    #[serde(default, skip_serializing_if = "PrivateDns::is_unnamed")]
    pub private_dns: PrivateDns,
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

    fn wanted_vpc_association(&self, network: &str, vpc: &str) -> Option<&'a DesiredVpcAssociation> {
        self.desired.vpc_associations.iter().find(|one| one.network == network && one.vpc == vpc)
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

fn write_settings(f: &mut Formatter<'_>, groups: &BTreeSet<String>, private_dns: &PrivateDns) -> Written {
    groups.iter().try_for_each(|group| write!(f, " {group}"))?;
    if let Some(enabled) = private_dns.enabled {
        f.write_str(if enabled { " with private DNS" } else { " without private DNS" })?;
    }
    if let Some(preference) = private_dns.preference {
        write!(f, " {}", preference.as_str())?;
    }
    private_dns.domains.iter().try_for_each(|domain| write!(f, " {domain}"))
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
    /// Private DNS.
    #[serde(default, skip_serializing_if = "PrivateDns::is_unnamed")]
    pub private_dns: PrivateDns,
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
        let Self { network, vpc, security_groups, private_dns, tags } = self;
        state.vpc_associations.push(ActualVpcAssociation {
            id: format!("snva-{network}-{vpc}"),
            arn: format!("arn:snva-{network}-{vpc}"),
            network: network.clone(),
            vpc: vpc.clone(),
            status: Status::CreateInProgress,
            security_groups: security_groups.clone(),
            private_dns: private_dns.clone(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.bears_owner(&self.tags)?;
        view.usable_network(&self.network)?;
        view.is_secured(&Holder::Network(self.network.clone()))?;
        // Nobody enters whom the security groups keep out, not even for a moment.
        if let Some(wanted) = view.wanted_vpc_association(&self.network, &self.vpc) {
            let is_as_wanted =
                self.security_groups == wanted.security_groups && self.private_dns == wanted.private_dns;
            require(is_as_wanted, || ViolationKind::Unwanted { what: self.subject() })?;
        }
        let held = view.state.vpc_associations.iter().find(|a| a.vpc == self.vpc);
        held.map_or(Ok(()), |a| Err(ViolationKind::ThereAlready { what: text(&a.network, &a.vpc) }))
    }
}

impl Display for CreateVpcAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ {}", text(&self.network, &self.vpc))?;
        write_settings(f, &self.security_groups, &self.private_dns)
    }
}

/// UpdateServiceNetworkVpcAssociation. No security groups: those that are there stay, since the API takes no empty set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateVpcAssociation {
    /// `snva-…`.
    pub id: String,
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Security groups.
    pub security_groups: BTreeSet<String>,
    /// Private DNS.
    #[serde(default, skip_serializing_if = "PrivateDns::is_unnamed")]
    pub private_dns: PrivateDns,
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
            if !self.security_groups.is_empty() {
                association.security_groups.clone_from(&self.security_groups);
            }
            self.private_dns.write_to(&mut association.private_dns);
            association.status = Status::UpdateInProgress;
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.vpc_association_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        at_rest(held.status, &self.id, Deed::Change)?;
        let last = || ViolationKind::LastSecurityGroup { what: self.id.clone() };
        require(!self.security_groups.is_empty() || !self.private_dns.is_unnamed(), last)?;
        let wanted = there(view.wanted_vpc_association(&held.network, &held.vpc), || self.subject())?;
        let is_wanted = (self.security_groups.is_empty() || self.security_groups == wanted.security_groups)
            && (self.private_dns.is_unnamed() || self.private_dns == wanted.private_dns);
        require(is_wanted, || ViolationKind::Unwanted { what: self.subject() })
    }
}

impl Display for UpdateVpcAssociation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ VPC association of {}", self.vpc)?;
        write_settings(f, &self.security_groups, &self.private_dns)
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
