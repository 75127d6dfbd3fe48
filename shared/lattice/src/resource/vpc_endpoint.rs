//! The VPC endpoint by which a VPC reaches a service network that it is not associated with. EC2 makes it, with its own
//! words for how it is; here it has those of VPC Lattice's resources.

use super::{Holder, ResourceMut};
use crate::check::{Deed, View, at_rest, is_broken, ours, require, there};
use crate::step::{Nature, StepKind};
use crate::{Actual, Owner, Ownership, Status, Tags, ViolationKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter, Result as Written};

/// A VPC's endpoint of the unit's service network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredVpcEndpoint {
    /// The service network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// The subnets that it has addresses in.
    pub subnets: BTreeSet<String>,
    /// Whether one of the subnets is enough in each Availability Zone. An endpoint can have one there (CreateVpcEndpoint), and
    /// whoever named none for it is given one for each.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub one_for_each_zone: bool,
    /// Who may call it. Empty: an endpoint has the VPC's default group, and keeps those that it has.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub security_groups: BTreeSet<String>,
    /// Tags set at creation and kept; tags of others are left alone.
    pub tags: Tags,
}

impl DesiredVpcEndpoint {
    /// The subnets of these that it is to be in, of which one stands in each zone: the one that it is in already, else the first
    /// by its id. Those whose zone nobody knows are not there any more.
    pub fn subnets_of(&self, zones: &BTreeMap<String, String>, held: &BTreeSet<String>) -> BTreeSet<String> {
        if !self.one_for_each_zone {
            return self.subnets.clone();
        }
        let mut chosen: BTreeMap<&String, &String> = BTreeMap::new();
        let (first, rest): (Vec<_>, Vec<_>) = self.subnets.iter().partition(|one| held.contains(*one));
        for subnet in first.into_iter().chain(rest) {
            if let Some(zone) = zones.get(subnet) {
                chosen.entry(zone).or_insert(subnet);
            }
        }
        chosen.into_values().cloned().collect()
    }

    fn is_of(&self, network: &str, vpc: &str) -> bool {
        self.network == network && self.vpc == vpc
    }
}

/// A VPC endpoint of a service network. Only ours are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActualVpcEndpoint {
    /// `vpce-…`.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// The network's name; its ARN where no network of the unit's name has that.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// How it is: pending and pendingAcceptance are CREATE_IN_PROGRESS, available ACTIVE, deleting DELETE_IN_PROGRESS; rejected, failed
    /// and expired CREATE_FAILED.
    pub status: Status,
    /// The subnets that it has addresses in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub subnets: BTreeSet<String>,
    /// Who may call it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub security_groups: BTreeSet<String>,
    /// The domain names under which it answers for the services of the network, by their ids (DescribeVpcEndpointAssociations).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Told by the tags.
    pub ownership: Ownership,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
}

impl ActualVpcEndpoint {
    pub(crate) fn as_resource(&mut self) -> ResourceMut<'_> {
        let Self { id, arn, ownership, tags, .. } = self;
        ResourceMut { id, arn, ownership, tags: Some(tags) }
    }

    /// Whether it is ours, and a VPC's way into a network or soon to be.
    pub fn counts_for(&self, network: &str, vpc: &str) -> bool {
        self.network == network
            && self.vpc == vpc
            && self.ownership == Ownership::Ours
            && self.status != Status::DeleteInProgress
    }
}

/// The endpoint that counts for a VPC and a network: of several, which a call whose answer was lost may have left, the one whose id
/// is less.
pub fn counting_endpoint<'a>(
    all: &'a [ActualVpcEndpoint],
    network: &str,
    vpc: &str,
) -> Option<&'a ActualVpcEndpoint> {
    all.iter().filter(|one| one.counts_for(network, vpc)).min_by_key(|one| (is_broken(one.status), &one.id))
}

impl<'a> View<'a> {
    fn vpc_endpoint_by_id(&self, id: &str) -> Result<&'a ActualVpcEndpoint, ViolationKind> {
        let found = self.state.vpc_endpoints.iter().find(|one| one.id == id);
        there(found, || format!("VPC endpoint {id}"))
    }

    fn wanted_vpc_endpoint(&self, network: &str, vpc: &str) -> Option<&'a DesiredVpcEndpoint> {
        self.desired.vpc_endpoints.iter().find(|one| one.is_of(network, vpc))
    }

    /// An endpoint's subnets are those that are wished for, and no two of one zone where each has been given one.
    fn subnets_fit(
        &self,
        wanted: &DesiredVpcEndpoint,
        subnets: &BTreeSet<String>,
        what: &str,
    ) -> Result<(), ViolationKind> {
        let unwanted = || ViolationKind::Unwanted { what: format!("the subnets of {what}") };
        let zones: BTreeSet<_> = subnets.iter().filter_map(|one| self.state.subnet_zones.get(one)).collect();
        let is_one_each = !wanted.one_for_each_zone || zones.len() == subnets.len();
        require(!subnets.is_empty() && subnets.is_subset(&wanted.subnets) && is_one_each, unwanted)
    }
}

fn subject(network: &str, vpc: &str) -> String {
    format!("the endpoint of VPC {vpc} for service network {network}")
}

fn text(network: &str, vpc: &str) -> String {
    format!("VPC endpoint {network} {vpc}")
}

fn write_all(f: &mut Formatter<'_>, sign: &str, all: &BTreeSet<String>) -> Written {
    all.iter().try_for_each(|one| write!(f, " {sign}{one}"))
}

/// CreateVpcEndpoint of the type ServiceNetwork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateVpcEndpoint {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Subnets.
    pub subnets: BTreeSet<String>,
    /// Security groups; empty: the VPC's default one.
    pub security_groups: BTreeSet<String>,
    /// Tags.
    pub tags: Tags,
}

impl StepKind for CreateVpcEndpoint {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "create"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, owner: &Owner) {
        let Self { network, vpc, subnets, security_groups, tags } = self;
        state.vpc_endpoints.push(ActualVpcEndpoint {
            id: format!("vpce-{network}-{vpc}"),
            arn: format!("arn:vpce-{network}-{vpc}"),
            network: network.clone(),
            vpc: vpc.clone(),
            status: Status::CreateInProgress,
            subnets: subnets.clone(),
            security_groups: security_groups.clone(),
            names: BTreeMap::new(),
            ownership: owner.of(tags),
            tags: tags.clone(),
        });
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { network, vpc, subnets, security_groups, tags } = self;
        view.bears_owner(tags)?;
        view.usable_network(network)?;
        view.is_secured(&Holder::Network(network.clone()))?;
        let unwanted = || ViolationKind::Unwanted { what: self.subject() };
        let Some(wanted) = view.wanted_vpc_endpoint(network, vpc) else { return Err(unwanted()) };
        view.subnets_fit(wanted, subnets, &self.subject())?;
        // Nobody enters whom the security groups keep out, not even for a moment.
        require(*security_groups == wanted.security_groups, unwanted)?;
        let held = view.state.vpc_endpoints.iter().filter(|one| one.counts_for(network, vpc));
        let mut lasting = held.filter(|one| !is_broken(one.status));
        require(lasting.next().is_none(), || ViolationKind::ThereAlready { what: text(network, vpc) })
    }
}

impl Display for CreateVpcEndpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "+ {}", text(&self.network, &self.vpc))?;
        write_all(f, "", &self.subnets)?;
        write_all(f, "", &self.security_groups)
    }
}

/// ModifyVpcEndpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateVpcEndpoint {
    /// `vpce-…`.
    pub id: String,
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// Subnets that it is to be in as well.
    pub add_subnets: BTreeSet<String>,
    /// Subnets that it leaves.
    pub remove_subnets: BTreeSet<String>,
    /// Security groups that it gets.
    pub add_groups: BTreeSet<String>,
    /// Security groups that it loses.
    pub remove_groups: BTreeSet<String>,
}

impl UpdateVpcEndpoint {
    fn subnets_of(&self, held: &ActualVpcEndpoint) -> BTreeSet<String> {
        held.subnets
            .union(&self.add_subnets)
            .filter(|one| !self.remove_subnets.contains(*one))
            .cloned()
            .collect()
    }

    fn groups_of(&self, held: &ActualVpcEndpoint) -> BTreeSet<String> {
        let all = held.security_groups.union(&self.add_groups);
        all.filter(|one| !self.remove_groups.contains(*one)).cloned().collect()
    }
}

impl StepKind for UpdateVpcEndpoint {
    fn nature(&self) -> Nature<'_> {
        Nature::BUILDS
    }

    fn verb(&self) -> &'static str {
        "update"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        for held in state.vpc_endpoints.iter_mut().filter(|one| one.id == self.id) {
            held.subnets = self.subnets_of(held);
            held.security_groups = self.groups_of(held);
            held.status = Status::UpdateInProgress;
        }
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let held = view.vpc_endpoint_by_id(&self.id)?;
        ours(&held.ownership, &self.id)?;
        at_rest(held.status, &self.id, Deed::Change)?;
        let wanted = there(view.wanted_vpc_endpoint(&held.network, &held.vpc), || self.subject())?;
        if !self.add_subnets.is_empty() || !self.remove_subnets.is_empty() {
            view.subnets_fit(wanted, &self.subnets_of(held), &self.subject())?;
        }
        let changes_groups = !self.add_groups.is_empty() || !self.remove_groups.is_empty();
        let is_wanted = !changes_groups
            || (!wanted.security_groups.is_empty() && self.groups_of(held) == wanted.security_groups);
        require(is_wanted, || ViolationKind::Unwanted { what: self.subject() })
    }
}

impl Display for UpdateVpcEndpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "~ {}", text(&self.network, &self.vpc))?;
        write_all(f, "+", &self.add_subnets)?;
        write_all(f, "-", &self.remove_subnets)?;
        write_all(f, "+", &self.add_groups)?;
        write_all(f, "-", &self.remove_groups)
    }
}

/// Wait until the VPC's endpoint is available.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitVpcEndpoint {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
}

impl StepKind for AwaitVpcEndpoint {
    fn nature(&self) -> Nature<'_> {
        Nature::Awaits(format!("{} to become available", subject(&self.network, &self.vpc)))
    }

    fn verb(&self) -> &'static str {
        "wait for"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let awaited = |one: &&mut ActualVpcEndpoint| one.counts_for(&self.network, &self.vpc);
        state.vpc_endpoints.iter_mut().filter(awaited).for_each(|one| one.status.finish());
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let found = counting_endpoint(&view.state.vpc_endpoints, &self.network, &self.vpc);
        there(found, || text(&self.network, &self.vpc)).map(|_| ())
    }
}

impl Display for AwaitVpcEndpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait for {}", text(&self.network, &self.vpc))
    }
}

/// DeleteVpcEndpoints of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteVpcEndpoint {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// `vpce-…`.
    pub id: String,
}

impl StepKind for DeleteVpcEndpoint {
    fn nature(&self) -> Nature<'_> {
        Nature::TAKES_AWAY
    }

    fn verb(&self) -> &'static str {
        "delete"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        let deleted = state.vpc_endpoints.iter_mut().filter(|one| one.id == self.id);
        deleted.for_each(|one| one.status = Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        let Self { network, vpc, id } = self;
        let held = view.vpc_endpoint_by_id(id)?;
        ours(&held.ownership, id)?;
        let is_spare = is_broken(held.status)
            || counting_endpoint(&view.state.vpc_endpoints, &held.network, &held.vpc)
                .is_some_and(|counting| counting.id != held.id);
        let is_wanted = view.wanted_vpc_endpoint(&held.network, &held.vpc).is_some();
        require(!is_wanted || is_spare, || ViolationKind::Wanted { what: text(network, vpc) })
    }
}

impl Display for DeleteVpcEndpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "- {}", text(&self.network, &self.vpc))
    }
}

/// Wait until the VPC's endpoint is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitVpcEndpointGone {
    /// The network's name.
    pub network: String,
    /// The VPC's id.
    pub vpc: String,
    /// `vpce-…`.
    pub id: String,
}

impl StepKind for AwaitVpcEndpointGone {
    fn nature(&self) -> Nature<'_> {
        Nature::AwaitsRemoval(format!("{} to be gone", subject(&self.network, &self.vpc)))
    }

    fn verb(&self) -> &'static str {
        "wait for the end of"
    }

    fn subject(&self) -> String {
        subject(&self.network, &self.vpc)
    }

    fn simulate(&self, state: &mut Actual, _: &Owner) {
        state.vpc_endpoints.retain(|one| one.id != self.id || one.status != Status::DeleteInProgress);
    }

    fn judge(&self, view: &View) -> Result<(), ViolationKind> {
        view.vpc_endpoint_by_id(&self.id).map(|_| ())
    }
}

impl Display for AwaitVpcEndpointGone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "… wait until {} is gone", text(&self.network, &self.vpc))
    }
}
