use crate::names::is_network_id;
use crate::resource::{
    DesiredAccessLog, DesiredAuth, DesiredCertificate, DesiredNetwork, DesiredResourceConfiguration,
    DesiredResourceGateway, DesiredService, DesiredTargetGroup, DesiredVpcAssociation, DesiredVpcEndpoint,
};
use crate::{ActualNetwork, Grace, Invocation, Mode, Owner, Ownership};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All that one unit wants to exist in VPC Lattice. What its owner has and this does not name is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// The unit.
    pub owner: Owner,
    /// Gateway units: the service network, created if there is none of that name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network: Option<DesiredNetwork>,
    /// Gateway units: the VPCs of the clusters that have the Gateway.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vpc_associations: Vec<DesiredVpcAssociation>,
    /// Gateway units: the VPCs that reach the network by an endpoint, as the Gateways of their clusters ask.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vpc_endpoints: Vec<DesiredVpcEndpoint>,
    /// Units of a ResourceGateway: one, unless it is refused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resource_gateways: Vec<DesiredResourceGateway>,
    /// Units of a ResourceConfiguration: one, unless it is refused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub resource_configurations: Vec<DesiredResourceConfiguration>,
    /// Route units: one service for each custom domain, or one without.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub services: Vec<DesiredService>,
    /// Route and export units. A target group is used by one service only (CreateTargetGroup, API reference).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub target_groups: Vec<DesiredTargetGroup>,
    /// Services of ours that another unit of the installation has from now on, by name: they are given to it as they are,
    /// with all below them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub handovers: BTreeMap<String, Owner>,
    /// How much of the way there may be gone.
    #[serde(skip_serializing_if = "is_sync", default)]
    pub mode: Mode,
    /// Access logs of the network or the services.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub access_logs: Vec<DesiredAccessLog>,
    /// Who may call the network or the services; what is not named stays as it is.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub auth: Vec<DesiredAuth>,
    /// Gateway units: certificates of Secrets that listeners name. None: nothing is read or changed of certificates, since the
    /// installation imports none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificates: Option<Vec<DesiredCertificate>>,
    /// Service networks that others made and that may be used all the same, by name, id or ARN.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub allowed_networks: BTreeSet<String>,
    /// Ids of target groups that the unit did not make and that rules may lead to all the same. Actions name them by the id;
    /// nothing of them is ever changed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub external_groups: BTreeSet<String>,
    /// Functions that rules lead to, by ARN, and whether VPC Lattice may invoke each already.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub functions: BTreeMap<String, Invocation>,
    /// Services, each with a network in which it is not wanted any more and in which another route's waits for its custom domain
    /// ([`place_taken`](crate::place_taken)): it leaves at once, and not only once it, or the one in its place, has come into the
    /// networks in which that is wanted. Two that change places or hostnames would wait for each other for good.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub giving_way: BTreeSet<(String, String)>,
    /// How long what is not wanted any more stays; none: it goes at once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grace: Option<Grace>,
    /// Whether all that the owner has is to be read, also where nothing is wanted yet: once it is known, some of it may be
    /// wanted as it is, or go to another unit. It says nothing of what is wanted.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub in_full: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_sync(mode: &Mode) -> bool {
    *mode == Mode::Sync
}

impl Desired {
    /// A unit that wants nothing: whatever it owns is to be deleted.
    pub fn nothing(owner: Owner) -> Self {
        Self {
            owner,
            network: None,
            vpc_associations: vec![],
            vpc_endpoints: vec![],
            resource_gateways: vec![],
            resource_configurations: vec![],
            services: vec![],
            target_groups: vec![],
            handovers: BTreeMap::new(),
            mode: Mode::default(),
            access_logs: vec![],
            auth: vec![],
            certificates: None,
            in_full: false,
            allowed_networks: BTreeSet::new(),
            external_groups: BTreeSet::new(),
            functions: BTreeMap::new(),
            giving_way: BTreeSet::new(),
            grace: None,
        }
    }

    /// Whether it wants a service or a target group.
    pub fn wants_anything(&self) -> bool {
        !(self.services.is_empty() && self.target_groups.is_empty())
    }

    /// Whether all that the owner has is read in full. Of one that can want none of it only what is needed to delete is read.
    pub fn reads_in_full(&self) -> bool {
        self.in_full || self.wants_anything()
    }

    /// Whether VPCs and services may be associated with a network that exists: one of this installation, or one that
    /// somebody has allowed. Whoever may make a Gateway of any name would else join any network of the account.
    pub fn may_use(&self, network: &ActualNetwork) -> bool {
        match network.ownership {
            Ownership::Ours | Ownership::OtherUnit(_) => true,
            Ownership::Foreign | Ownership::Unread => self.allows(&network.name, &network.arn),
        }
    }

    /// Whether a network may be used whosever it is.
    pub fn allows(&self, name: &str, arn: &str) -> bool {
        self.allows_by_name(name) || self.allows_by_arn(arn)
    }

    /// An id that is allowed is nobody's name, whoever names his network so.
    fn allows_by_name(&self, name: &str) -> bool {
        !is_network_id(name) && self.allowed_networks.contains(name)
    }

    fn allows_by_arn(&self, arn: &str) -> bool {
        let id = arn.rsplit_once('/').map_or(arn, |(_, id)| id);
        self.allowed_networks.contains(arn) || self.allowed_networks.contains(id)
    }

    /// Of the networks of one name, one's own and those that other accounts share, those that are meant: this installation's,
    /// else what is allowed by its ARN or id, else what is allowed by the name. Whoever shares a network gives it a name that he
    /// likes, and must take nobody's network away by that.
    pub fn meant(&self, networks: &[ActualNetwork]) -> Vec<ActualNetwork> {
        let rank = |network: &ActualNetwork| match network.ownership {
            Ownership::Ours | Ownership::OtherUnit(_) => 0,
            Ownership::Foreign | Ownership::Unread if self.allows_by_arn(&network.arn) => 1,
            Ownership::Foreign | Ownership::Unread if self.allows_by_name(&network.name) => 2,
            Ownership::Foreign | Ownership::Unread => 3,
        };
        let best = |name: &str| networks.iter().filter(|one| one.name == name).map(rank).min();
        networks.iter().filter(|one| Some(rank(one)) == best(&one.name)).cloned().collect()
    }
}
