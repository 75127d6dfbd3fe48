//! VPC endpoints of the type ServiceNetwork, which EC2 makes: a VPC's way into a service network beside its association.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::certificate::NotDone;
use super::document::{Input, Output};
use super::kind::{Kind, Life, Meta, Status};
use super::page::Found;
use super::settings::FailureKind;
use super::tag::Tags;
use super::{Document, Moment, PARTITION, Refusal, State};

/// Tags of one endpoint at most (EC2 User Guide, tag restrictions).
const MAX_TAGS: usize = 50;

/// The security group of an endpoint for which none is named: the VPC's default one, which only EC2 knows.
const DEFAULT_GROUP: &str = "sg-00000000000000000";

/// A VPC endpoint of a service network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// Id, ARN, times.
    pub meta: Meta,
    /// Status.
    pub life: Life,
    /// Id of the service network.
    pub network: String,
    /// Id of the VPC.
    pub vpc: String,
    /// The subnets that it has addresses in.
    pub subnets: BTreeSet<String>,
    /// Who may call it.
    pub groups: BTreeSet<String>,
    /// The token of the call that made it.
    pub token: String,
}

impl VpcEndpoint {
    /// The state as EC2 writes it.
    pub fn state(&self) -> &'static str {
        match self.life.status {
            Status::CreateInProgress => "pending",
            Status::Active | Status::UpdateInProgress | Status::UpdateFailed => "available",
            Status::DeleteInProgress => "deleting",
            Status::CreateFailed | Status::DeleteFailed => "failed",
        }
    }
}

/// What CreateVpcEndpoint is asked for.
#[derive(Debug, Clone, Default)]
pub struct NewEndpoint {
    /// ARN of the service network.
    pub network: String,
    /// Id of the VPC.
    pub vpc: String,
    /// Subnets.
    pub subnets: BTreeSet<String>,
    /// Security groups.
    pub groups: BTreeSet<String>,
    /// Client token; empty for none.
    pub token: String,
    /// Tags.
    pub tags: Tags,
}

/// A service that an endpoint answers for: the association's id, the service's ARN, and the domain name.
pub(crate) type Answered = (String, String, String);

impl State {
    /// The endpoints by id.
    pub fn endpoints(&self) -> &BTreeMap<String, VpcEndpoint> {
        &self.store.endpoints
    }

    /// The tags of a resource.
    pub fn tags_by_arn(&self, arn: &str) -> Tags {
        self.store.tags.get(arn).cloned().unwrap_or_default()
    }

    /// The ARN of a service network.
    pub fn network_arn(&self, id: &str) -> String {
        self.store.networks.get(id).map(|network| network.meta.arn.clone()).unwrap_or_default()
    }

    /// Makes an endpoint. A call with a token that was used answers with what that call made.
    ///
    /// # Errors
    /// When the network is not there, or subnets are not as EC2 wants them.
    pub fn create_endpoint(&mut self, now: Moment, new: NewEndpoint) -> Result<String, NotDone> {
        self.advance(now);
        let mut made = self.store.endpoints.values();
        if let Some(one) = made.find(|one| !new.token.is_empty() && one.token == new.token) {
            return Ok(one.meta.id.clone());
        }
        let network = self.find(Kind::ServiceNetwork, &new.network).map_err(|_| {
            NotDone("InvalidServiceNetworkArn.NotFound", format!("{} does not exist", new.network))
        })?;
        self.check_subnets(&new.vpc, &new.subnets)?;
        if new.tags.len() > MAX_TAGS {
            return Err(NotDone("TagLimitExceeded", format!("more than {MAX_TAGS} tags")));
        }
        self.ensure_vpc(&new.vpc);
        let mut meta = self.new_meta(now, Kind::VpcEndpoint, None);
        meta.arn = format!("arn:aws:ec2:{}:{}:vpc-endpoint/{}", self.home.region, self.home.account, meta.id);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, new.tags);
        let groups =
            if new.groups.is_empty() { BTreeSet::from([DEFAULT_GROUP.to_owned()]) } else { new.groups };
        let (life, token) = (Life::begun(), new.token);
        let endpoint = VpcEndpoint { meta, life, network, vpc: new.vpc, subnets: new.subnets, groups, token };
        self.store.endpoints.insert(id.clone(), endpoint);
        self.begin(now, Kind::VpcEndpoint, &id, FailureKind::Create, self.settings.delays.vpc_endpoint);
        self.advance(now);
        Ok(id)
    }

    fn check_subnets(&self, vpc: &str, subnets: &BTreeSet<String>) -> Result<(), NotDone> {
        if subnets.is_empty() {
            return Err(NotDone("MissingParameter", "The request must contain a subnet".into()));
        }
        let mut zones = BTreeSet::new();
        for id in subnets {
            let Some(subnet) = self.settings.subnets.get(id) else {
                return Err(NotDone(
                    "InvalidSubnetID.NotFound",
                    format!("The subnet ID '{id}' does not exist"),
                ));
            };
            if subnet.vpc != vpc {
                return Err(NotDone("InvalidParameter", format!("Subnet {id} is not of VPC {vpc}")));
            }
            if !zones.insert(&subnet.zone) {
                let text = format!("Found another subnet in the zone of {id}");
                return Err(NotDone("DuplicateSubnetsInSameZone", text));
            }
        }
        Ok(())
    }

    fn endpoint(&mut self, id: &str) -> Result<&mut VpcEndpoint, NotDone> {
        let found = self.store.endpoints.get_mut(id);
        found.ok_or_else(|| {
            NotDone("InvalidVpcEndpointId.NotFound", format!("The Vpc Endpoint Id '{id}' does not exist"))
        })
    }

    /// Changes subnets and security groups of an endpoint.
    ///
    /// # Errors
    /// When there is none, it is not available, or would be left with none of either.
    pub fn modify_endpoint(
        &mut self,
        now: Moment,
        id: &str,
        change: impl FnOnce(&mut BTreeSet<String>, &mut BTreeSet<String>),
    ) -> Result<(), NotDone> {
        self.advance(now);
        let held = self.endpoint(id)?;
        if held.state() != "available" {
            return Err(NotDone("IncorrectState", format!("{id} is {}", held.state())));
        }
        let (mut subnets, mut groups) = (held.subnets.clone(), held.groups.clone());
        let vpc = held.vpc.clone();
        change(&mut subnets, &mut groups);
        if groups.is_empty() {
            return Err(NotDone("InvalidParameter", "An endpoint must have a security group".into()));
        }
        self.check_subnets(&vpc, &subnets)?;
        let held = self.endpoint(id)?;
        (held.subnets, held.groups, held.meta.updated) = (subnets, groups, now);
        Ok(())
    }

    /// Begins the deletion of an endpoint.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_endpoint(&mut self, now: Moment, id: &str) -> Result<(), NotDone> {
        self.advance(now);
        self.endpoint(id)?;
        self.begin_delete(now, Kind::VpcEndpoint, id, self.settings.delays.vpc_endpoint_delete);
        self.advance(now);
        Ok(())
    }

    /// Changes the tags of an endpoint.
    ///
    /// # Errors
    /// When there is none, or its tags are too many.
    pub fn retag_endpoint(
        &mut self,
        now: Moment,
        id: &str,
        change: impl FnOnce(&mut Tags),
    ) -> Result<(), NotDone> {
        self.advance(now);
        let arn = self.endpoint(id)?.meta.arn.clone();
        let mut tags = self.tags_by_arn(&arn);
        change(&mut tags);
        if tags.len() > MAX_TAGS {
            return Err(NotDone("TagLimitExceeded", format!("more than {MAX_TAGS} tags")));
        }
        self.store_tags(now, &arn, tags);
        Ok(())
    }

    /// What an endpoint answers for: the services that are in its network.
    pub fn answered_by(&self, endpoint: &VpcEndpoint) -> Vec<Answered> {
        let links = self.store.service_associations.values();
        let active =
            links.filter(|link| link.network == endpoint.network && link.life.status == Status::Active);
        let answered = |service: &str, link: &str| {
            let arn = self.store.services.get(service)?.meta.arn.clone();
            Some((link.to_owned(), arn, self.endpoint_name(&endpoint.meta.id, link)))
        };
        active.filter_map(|link| answered(&link.service, &link.meta.id)).collect()
    }

    /// The domain name of an association behind an endpoint (VPC Lattice User Guide, service network endpoints).
    fn endpoint_name(&self, endpoint: &str, link: &str) -> String {
        format!("{endpoint}-{link}.{PARTITION}.vpc-lattice-svcs.{}.on.aws", self.home.region)
    }

    /// Whether a host is the generated name of an endpoint.
    pub(super) fn is_endpoint_name(host: &str) -> bool {
        host.starts_with("vpce-")
    }

    /// The service that a host means for clients of a VPC that come by an endpoint, and the service network between them: by the
    /// endpoint's own name for it, or by a custom domain whose record leads to the endpoint. The service's generated name leads to
    /// addresses that only associated VPCs reach.
    pub(super) fn reach_by_endpoint(&self, vpc: &str, host: &str) -> Option<(String, String)> {
        let of_vpc = self.store.endpoints.values().filter(|one| one.vpc == vpc && one.state() == "available");
        for endpoint in of_vpc {
            for link in self.store.service_associations.values() {
                let service = self.store.services.get(&link.service)?;
                let is_meant = self.endpoint_name(&endpoint.meta.id, &link.meta.id) == host
                    || service.custom_domain.as_ref().is_some_and(|domain| domain.eq_ignore_ascii_case(host));
                if is_meant && link.network == endpoint.network && link.life.status == Status::Active {
                    return Some((link.service.clone(), link.network.clone()));
                }
            }
        }
        None
    }

    /// The endpoints of a service network, as VPC Lattice lists them.
    pub(super) fn list_endpoint_links(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let network = self.find(Kind::ServiceNetwork, input.text("serviceNetworkIdentifier"))?;
        let found = self.store.endpoints.values().filter(|one| one.network == network);
        let found = found.map(|one| Found::by_seq(one.meta.seq, &one.meta.id)).collect();
        self.page("endpoint associations", input, found, |state, id| {
            let one = state.store.endpoints.get(id)?;
            let view = Output::new()
                .with("id", id.replacen("vpce", "snea", 1))
                .with("createdAt", one.meta.created.iso())
                .with("serviceNetworkArn", state.network_arn(&one.network))
                .with("state", one.life.status.text())
                .with("vpcEndpointId", id)
                .with("vpcEndpointOwnerId", state.home.account.as_str())
                .with("vpcId", one.vpc.as_str());
            Some(view.done())
        })
    }

    /// Everything there is to show of an endpoint, for people and tests.
    pub(super) fn view_endpoint(&self, id: &str) -> Option<Document> {
        let one = self.store.endpoints.get(id)?;
        let names = self.answered_by(one).into_iter().map(|(_, arn, name)| (arn, json!(name)));
        let view = Self::living(&one.meta, &one.life)
            .with("vpcId", one.vpc.as_str())
            .with("serviceNetworkArn", self.network_arn(&one.network))
            .with("subnetIds", one.subnets.iter().cloned().collect::<Vec<_>>())
            .with("securityGroupIds", one.groups.iter().cloned().collect::<Vec<_>>())
            .with("names", serde_json::Value::Object(names.collect()));
        Some(view.done())
    }
}
