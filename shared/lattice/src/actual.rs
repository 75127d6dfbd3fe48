use crate::RefusedTarget;
use crate::resource::{
    ActualAccessLog, ActualAuth, ActualCertificate, ActualNetwork, ActualResourceConfiguration,
    ActualResourceGateway, ActualService, ActualTargetGroup, ActualVpcAssociation, ActualVpcEndpoint,
    ResourceMut, TakenDomain,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was read from VPC Lattice for one unit: what its owner has, and what else bears the names it wants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actual {
    /// Service networks that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub networks: Vec<ActualNetwork>,
    /// VPC associations of the wanted VPCs (with whatever network) and of the unit's own network.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vpc_associations: Vec<ActualVpcAssociation>,
    /// VPC endpoints of the unit's: read where a Gateway wishes for one, and where one may be left.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vpc_endpoints: Vec<ActualVpcEndpoint>,
    /// The Availability Zones of the subnets that the wished-for endpoints may have addresses in.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub subnet_zones: BTreeMap<String, String>,
    /// Resource gateways that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resource_gateways: Vec<ActualResourceGateway>,
    /// Resource configurations that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resource_configurations: Vec<ActualResourceConfiguration>,
    /// Services that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub services: Vec<ActualService>,
    /// Target groups that the unit names or owns, ours or not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub target_groups: Vec<ActualTargetGroup>,
    /// Access log subscriptions of services and networks that bear [`crate::TAG_ACCESS_LOGS`] or are wanted to have one; of
    /// others they are not read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub access_logs: Vec<ActualAccessLog>,
    /// Who may call the services and networks that bear [`crate::TAG_AUTH`] or are wanted to have a policy; of others it is
    /// not read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub auth: Vec<ActualAuth>,
    /// Certificates of ACM that bear the unit's tags, where the unit says anything of certificates.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificates: Vec<ActualCertificate>,
    /// Targets that VPC Lattice refused a while ago, and that are not to be tried again yet.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused: Vec<RefusedTarget>,
    /// Functions, by ARN, that VPC Lattice was given the right to invoke since the wish was made. Never read: the wish tells what
    /// was there before.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub allowed_functions: BTreeSet<String>,
    /// How many services are associated with a service network, by its name. Of networks that the unit is about to join; of
    /// others it is not read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub network_usage: BTreeMap<String, usize>,
    /// Custom domains of wanted services that others have in networks that these are not in yet; of others it is not read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub taken_domains: BTreeSet<TakenDomain>,
}

impl Actual {
    /// All resources that there are, also those below a service.
    pub fn resources_mut(&mut self) -> Vec<ResourceMut<'_>> {
        let Self {
            networks,
            vpc_associations,
            vpc_endpoints,
            subnet_zones: _,
            resource_gateways,
            resource_configurations,
            services,
            target_groups,
            access_logs,
            // It bears no tags of its own.
            auth: _,
            certificates,
            refused: _,
            allowed_functions: _,
            network_usage: _,
            taken_domains: _,
        } = self;
        let mut all: Vec<_> = networks.iter_mut().map(ActualNetwork::as_resource).collect();
        all.extend(vpc_associations.iter_mut().map(ActualVpcAssociation::as_resource));
        all.extend(vpc_endpoints.iter_mut().map(ActualVpcEndpoint::as_resource));
        all.extend(resource_gateways.iter_mut().map(ActualResourceGateway::as_resource));
        all.extend(resource_configurations.iter_mut().flat_map(ActualResourceConfiguration::as_resources));
        all.extend(target_groups.iter_mut().map(ActualTargetGroup::as_resource));
        all.extend(certificates.iter_mut().map(ActualCertificate::as_resource));
        all.extend(access_logs.iter_mut().map(ActualAccessLog::as_resource));
        all.extend(services.iter_mut().flat_map(ActualService::as_resources));
        all
    }

    /// What else a service network is called in this unit: one Gateway may name it by its name and another by its id, and what is
    /// associated with it is read under each.
    pub(crate) fn other_names_of_network(&self, network: &str) -> BTreeSet<String> {
        let own = self.networks.iter().filter(|one| one.name == network);
        let arns: BTreeSet<&str> = own.map(|one| one.arn.as_str()).collect();
        let others =
            self.networks.iter().filter(|one| one.name != network && arns.contains(one.arn.as_str()));
        others.map(|one| one.name.clone()).collect()
    }
}

/// The status of a resource that takes time (Service, target group, association).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Usable.
    Active,
    /// Being made.
    CreateInProgress,
    /// Being changed.
    UpdateInProgress,
    /// Being removed; then it is gone.
    DeleteInProgress,
    /// Must be deleted and made again.
    CreateFailed,
    /// The old settings hold.
    UpdateFailed,
    /// May be deleted again.
    DeleteFailed,
    /// A value this version does not know.
    Unknown,
}

impl Status {
    /// Whether it need not be made anew, and its tags are of use: neither failed nor about to be gone.
    pub fn lasts(self) -> bool {
        !matches!(self, Self::CreateFailed | Self::DeleteFailed | Self::DeleteInProgress)
    }

    /// A change under way ends well.
    pub(crate) fn finish(&mut self) {
        if matches!(self, Self::CreateInProgress | Self::UpdateInProgress) {
            *self = Self::Active;
        }
    }
}
