//! Resource gateways, resource configurations, their associations with service networks, domain verifications.
//! They have the control-plane behaviour of the model; requests do not flow through them.

use serde_json::{Value, json};

use super::access_log::text;
use super::document::{Input, Output};
use super::kind::{Kind, Life, Status};
use super::link::neither;
use super::network::over;
use super::page::Found;
use super::resources::Generic;
use super::settings::FailureKind;
use super::{Document, Moment, Refusal, State};

const QUOTA_CONFIGURATIONS: &str = "L-5FF8F9B9";
const QUOTA_CHILDREN: &str = "L-9BC96FEF";
const QUOTA_GATEWAYS: &str = "L-0DCA4434";
const QUOTA_LINKS: &str = "L-6095700C";
const QUOTA_VERIFICATIONS: &str = "L-73D0F278";

impl State {
    /// All resources of one of the kinds that are stored alike.
    pub(super) fn others_of(&self, kind: Kind) -> impl Iterator<Item = &Generic> {
        let from = format!("{}-", kind.prefix());
        let end = format!("{}.", kind.prefix());
        self.store.others.range(from..end).map(|(_, it)| it)
    }

    /// Everything there is to show of one of them.
    pub(super) fn view_other(&self, id: &str) -> Option<Document> {
        let it = self.store.others.get(id)?;
        let mut view = match &it.life {
            Some(life) => Self::living(&it.meta, life).done(),
            None => Self::base(&it.meta).done(),
        };
        view.extend(it.members.clone());
        Some(view)
    }

    fn show(&self, kind: Kind, id: &str) -> Result<Document, Refusal> {
        self.view_other(id).ok_or_else(|| Refusal::not_found(kind.resource_type(), id))
    }

    fn list_others(
        &self,
        kind: Kind,
        input: Input<'_>,
        keep: impl Fn(&Generic) -> bool,
    ) -> Result<Document, Refusal> {
        let found = self
            .others_of(kind)
            .filter(|it| keep(it))
            .map(|it| Found::by_seq(it.meta.seq, &it.meta.id))
            .collect();
        self.page(kind.label(), input, found, Self::view_other)
    }

    fn add_other(
        &mut self,
        now: Moment,
        kind: Kind,
        input: Input<'_>,
        members: Document,
    ) -> Result<Document, Refusal> {
        let tags = self.checked_tags(input)?;
        let meta = self.new_meta(now, kind, None);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, tags);
        let delay = match kind {
            Kind::DomainVerification => None,
            Kind::ResourceAssociation => Some(self.settings.delays.association),
            _ => Some(self.settings.delays.resource),
        };
        let life = delay.is_some().then(Life::begun);
        self.store.others.insert(id.clone(), Generic { meta, life, members });
        if let Some(delay) = delay {
            self.begin(now, kind, &id, FailureKind::Create, delay);
        }
        self.show(kind, &id)
    }

    fn check_name(&self, kind: Kind, name: &str) -> Result<(), Refusal> {
        match self.others_of(kind).find(|it| text(it, "name") == name) {
            None => Ok(()),
            Some(other) => {
                let what = kind.label().replace('-', " ");
                let message = format!("A {what} with the name {name} exists.");
                Err(self.clash(kind, &other.meta.id, "name", &message))
            }
        }
    }

    fn settled(&self, kind: Kind, given: &str) -> Result<String, Refusal> {
        let id = self.find(kind, given)?;
        match self.store.others.get(&id).and_then(|it| it.life.as_ref()).map(|life| life.status) {
            Some(status @ (Status::CreateInProgress | Status::UpdateInProgress)) => {
                Err(Refusal::status(kind.resource_type(), &id, status.text()))
            }
            _ => Ok(id),
        }
    }

    fn change_other(
        &mut self,
        now: Moment,
        kind: Kind,
        id: &str,
        input: Input<'_>,
        names: &[&str],
    ) -> Result<Document, Refusal> {
        if let Some(it) = self.store.others.get_mut(id) {
            for name in names {
                if let Some(value) = input.value(name) {
                    it.members.insert((*name).to_owned(), value.clone());
                }
            }
            it.meta.updated = now;
            it.life = Some(Life { status: Status::UpdateInProgress, failure: None });
        }
        self.begin(now, kind, id, FailureKind::Update, self.settings.delays.resource);
        self.show(kind, id)
    }

    pub(super) fn create_gateway(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let name = input.text("name");
        self.check_name(Kind::ResourceGateway, name)?;
        let vpc = input.text("vpcIdentifier");
        let there = self.others_of(Kind::ResourceGateway).filter(|it| text(it, "vpcId") == vpc).count();
        if there >= self.settings.quotas.resource_gateways_per_vpc {
            return Err(over(Kind::ResourceGateway, QUOTA_GATEWAYS, Some(vpc)));
        }
        let members = Output::new()
            .with("name", name)
            .maybe("vpcIdentifier", input.owned("vpcIdentifier"))
            .maybe("vpcId", input.owned("vpcIdentifier"))
            .maybe("subnetIds", input.texts("subnetIds"))
            .with("securityGroupIds", input.texts("securityGroupIds").unwrap_or_default())
            .with("ipAddressType", input.maybe("ipAddressType").unwrap_or("IPV4"))
            .maybe("ipv4AddressesPerEni", input.number("ipv4AddressesPerEni"))
            .maybe("resourceConfigDnsResolution", input.owned("resourceConfigDnsResolution"))
            .done();
        self.add_other(now, Kind::ResourceGateway, input, members)
    }

    pub(super) fn get_gateway(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::ResourceGateway, input.text("resourceGatewayIdentifier"))?;
        self.show(Kind::ResourceGateway, &id)
    }

    pub(super) fn list_gateways(&self, input: Input<'_>) -> Result<Document, Refusal> {
        self.list_others(Kind::ResourceGateway, input, |_| true)
    }

    pub(super) fn update_gateway(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.settled(Kind::ResourceGateway, input.text("resourceGatewayIdentifier"))?;
        let names = ["securityGroupIds", "resourceConfigDnsResolution"];
        self.change_other(now, Kind::ResourceGateway, &id, input, &names)
    }

    pub(super) fn delete_gateway(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.settled(Kind::ResourceGateway, input.text("resourceGatewayIdentifier"))?;
        if let Some(user) =
            self.others_of(Kind::ResourceConfiguration).find(|it| text(it, "resourceGatewayId") == id)
        {
            let message = format!("Resource gateway {id} is used by {}.", user.meta.id);
            return Err(Refusal::conflict("RESOURCE_GATEWAY", &id, message));
        }
        self.begin_delete(now, Kind::ResourceGateway, &id, self.settings.delays.resource_delete);
        self.show(Kind::ResourceGateway, &id)
    }

    pub(super) fn create_configuration(
        &mut self,
        now: Moment,
        input: Input<'_>,
    ) -> Result<Document, Refusal> {
        let (name, kind) = (input.text("name"), input.text("type"));
        self.check_name(Kind::ResourceConfiguration, name)?;
        if self.others_of(Kind::ResourceConfiguration).count() >= self.settings.quotas.resource_configurations
        {
            return Err(over(Kind::ResourceConfiguration, QUOTA_CONFIGURATIONS, None));
        }
        let reference = |kind, member| input.maybe(member).map(|given| self.find(kind, given)).transpose();
        let gateway = reference(Kind::ResourceGateway, "resourceGatewayIdentifier")?;
        let group = reference(Kind::ResourceConfiguration, "resourceConfigurationGroupIdentifier")?;
        let verification = reference(Kind::DomainVerification, "domainVerificationIdentifier")?;
        if let Some(group) = &group {
            let children = self
                .others_of(Kind::ResourceConfiguration)
                .filter(|it| text(it, "resourceConfigurationGroupId") == group)
                .count();
            if children >= self.settings.quotas.children_per_group {
                return Err(over(Kind::ResourceConfiguration, QUOTA_CHILDREN, Some(group)));
            }
        }
        let proved = verification.as_ref().and_then(|id| self.store.others.get(id));
        let members = Output::new()
            .with("name", name)
            .with("type", kind)
            .maybe("portRanges", input.texts("portRanges").or_else(|| all_ports(kind)))
            .with("protocol", input.maybe("protocol").unwrap_or("TCP"))
            .maybe("resourceGatewayId", gateway)
            .maybe("resourceConfigurationGroupId", group)
            .maybe("resourceConfigurationDefinition", input.value("resourceConfigurationDefinition").cloned())
            .with(
                "allowAssociationToShareableServiceNetwork",
                input.flag("allowAssociationToShareableServiceNetwork").unwrap_or(true),
            )
            .maybe("customDomainName", input.owned("customDomainName"))
            .maybe("groupDomain", input.owned("groupDomain"))
            .maybe("domainVerificationArn", proved.map(|it| it.meta.arn.clone()))
            .maybe("domainVerificationStatus", proved.map(|it| text(it, "status").to_owned()))
            .maybe("domainVerificationId", verification)
            .with("amazonManaged", false)
            .done();
        self.add_other(now, Kind::ResourceConfiguration, input, members)
    }

    pub(super) fn get_configuration(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::ResourceConfiguration, input.text("resourceConfigurationIdentifier"))?;
        self.show(Kind::ResourceConfiguration, &id)
    }

    pub(super) fn list_configurations(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let gateway = self.filter(Kind::ResourceGateway, input.maybe("resourceGatewayIdentifier"));
        let group =
            self.filter(Kind::ResourceConfiguration, input.maybe("resourceConfigurationGroupIdentifier"));
        let domain = self.filter(Kind::DomainVerification, input.maybe("domainVerificationIdentifier"));
        self.list_others(Kind::ResourceConfiguration, input, |it| {
            gateway.as_ref().is_none_or(|id| text(it, "resourceGatewayId") == id)
                && group.as_ref().is_none_or(|id| text(it, "resourceConfigurationGroupId") == id)
                && domain.as_ref().is_none_or(|id| text(it, "domainVerificationId") == id)
        })
    }

    pub(super) fn update_configuration(
        &mut self,
        now: Moment,
        input: Input<'_>,
    ) -> Result<Document, Refusal> {
        let given = input.text("resourceConfigurationIdentifier");
        // The operation's error list has no conflict.
        let id = self.settled(Kind::ResourceConfiguration, given).map_err(|refusal| match refusal {
            Refusal::Conflict { message, .. } => Refusal::other(message),
            other => other,
        })?;
        let names =
            ["resourceConfigurationDefinition", "allowAssociationToShareableServiceNetwork", "portRanges"];
        self.change_other(now, Kind::ResourceConfiguration, &id, input, &names)
    }

    pub(super) fn delete_configuration(
        &mut self,
        now: Moment,
        input: Input<'_>,
    ) -> Result<Document, Refusal> {
        let id = self.settled(Kind::ResourceConfiguration, input.text("resourceConfigurationIdentifier"))?;
        let child = self
            .others_of(Kind::ResourceConfiguration)
            .find(|it| text(it, "resourceConfigurationGroupId") == id);
        let link =
            self.others_of(Kind::ResourceAssociation).find(|it| text(it, "resourceConfigurationId") == id);
        if let Some(user) = child.or(link) {
            let message = format!("Resource configuration {id} is used by {}.", user.meta.id);
            return Err(Refusal::conflict("RESOURCE_CONFIGURATION", &id, message));
        }
        self.begin_delete(now, Kind::ResourceConfiguration, &id, self.settings.delays.resource_delete);
        Ok(Self::nothing())
    }

    /// Associations of a service network with resource configurations.
    pub(super) fn resource_links_of<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a Generic> {
        self.others_of(Kind::ResourceAssociation).filter(move |it| text(it, "serviceNetworkId") == network)
    }

    pub(super) fn create_resource_link(
        &mut self,
        now: Moment,
        input: Input<'_>,
    ) -> Result<Document, Refusal> {
        let configuration =
            self.find(Kind::ResourceConfiguration, input.text("resourceConfigurationIdentifier"))?;
        let network = self.find(Kind::ServiceNetwork, input.text("serviceNetworkIdentifier"))?;
        let Some(it) = self.store.others.get(&configuration) else {
            return Err(Refusal::not_found("RESOURCE_CONFIGURATION", &configuration));
        };
        if let Some(status) = it.life.as_ref().map(|life| life.status).filter(|it| *it != Status::Active) {
            return Err(Refusal::status("RESOURCE_CONFIGURATION", &configuration, status.text()));
        }
        let existing =
            self.resource_links_of(&network).find(|it| text(it, "resourceConfigurationId") == configuration);
        if let Some(link) = existing {
            let kind = Kind::ResourceAssociation.resource_type();
            return Err(Refusal::conflict(kind, &link.meta.id, "Association already exists."));
        }
        if self.resource_links_of(&network).count() >= self.settings.quotas.resources_per_network {
            return Err(over(Kind::ResourceAssociation, QUOTA_LINKS, Some(&network)));
        }
        let network_name = self.store.networks.get(&network).map(|it| it.name.clone());
        let network_arn = self.meta(Kind::ServiceNetwork, &network).map(|meta| meta.arn.clone());
        let members = Output::new()
            .with("createdBy", self.home.account.as_str())
            .with("resourceConfigurationArn", it.meta.arn.as_str())
            .with("resourceConfigurationName", text(it, "name"))
            .with("resourceConfigurationId", configuration)
            .maybe("serviceNetworkArn", network_arn)
            .maybe("serviceNetworkName", network_name)
            .with("serviceNetworkId", network)
            .with("privateDnsEnabled", input.flag("privateDnsEnabled").unwrap_or(false))
            .with("isManagedAssociation", false)
            .done();
        self.add_other(now, Kind::ResourceAssociation, input, members)
    }

    pub(super) fn get_resource_link(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkResourceAssociationIdentifier");
        let id = self.find(Kind::ResourceAssociation, given)?;
        self.show(Kind::ResourceAssociation, &id)
    }

    pub(super) fn list_resource_links(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let network = self.filter(Kind::ServiceNetwork, input.maybe("serviceNetworkIdentifier"));
        let configuration =
            self.filter(Kind::ResourceConfiguration, input.maybe("resourceConfigurationIdentifier"));
        if network.is_none() && configuration.is_none() {
            return Err(neither("resourceConfigurationIdentifier", "serviceNetworkIdentifier"));
        }
        self.list_others(Kind::ResourceAssociation, input, |it| {
            network.as_ref().is_none_or(|id| text(it, "serviceNetworkId") == id)
                && configuration.as_ref().is_none_or(|id| text(it, "resourceConfigurationId") == id)
        })
    }

    pub(super) fn delete_resource_link(
        &mut self,
        now: Moment,
        input: Input<'_>,
    ) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkResourceAssociationIdentifier");
        let id = self.settled(Kind::ResourceAssociation, given)?;
        self.begin_delete(now, Kind::ResourceAssociation, &id, self.settings.delays.association_delete);
        self.show(Kind::ResourceAssociation, &id)
    }

    /// Resource endpoints are made by another service, so there are none here.
    pub(super) fn list_resource_endpoints(&self, input: Input<'_>) -> Result<Document, Refusal> {
        self.page("resource endpoints", input, Vec::new(), |_, _| None)
    }

    pub(super) fn delete_resource_endpoint(input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("resourceEndpointAssociationIdentifier");
        Err(Refusal::not_found("RESOURCE_ENDPOINT_ASSOCIATION", given))
    }

    pub(super) fn start_verification(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let domain = input.text("domainName");
        if let Some(other) =
            self.others_of(Kind::DomainVerification).find(|it| text(it, "domainName") == domain)
        {
            let message = format!("A verification of {domain} exists.");
            return Err(Refusal::conflict("DOMAIN_VERIFICATION", &other.meta.id, message));
        }
        if self.others_of(Kind::DomainVerification).count() >= self.settings.quotas.domain_verifications {
            return Err(over(Kind::DomainVerification, QUOTA_VERIFICATIONS, None));
        }
        let proof = super::lifecycle::scramble(self.seed ^ self.store.seq);
        let members = Output::new()
            .with("domainName", domain)
            .with("status", "PENDING")
            .with(
                "txtMethodConfig",
                json!({"name": format!("_vpc-lattice.{domain}"), "value": format!("vpc-lattice:{proof:016x}")}),
            )
            .maybe("tags", input.value("tags").cloned())
            .done();
        self.add_other(now, Kind::DomainVerification, input, members)
    }

    pub(super) fn get_verification(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::DomainVerification, input.text("domainVerificationIdentifier"))?;
        let mut view = self.show(Kind::DomainVerification, &id)?;
        // Tags may have changed since the verification began.
        let arn = view.get("arn").and_then(Value::as_str).unwrap_or_default();
        let tags = self.store.tags.get(arn).filter(|tags| !tags.is_empty()).map(|tags| json!(tags));
        match tags {
            Some(tags) => view.insert("tags".to_owned(), tags),
            None => view.remove("tags"),
        };
        Ok(view)
    }

    pub(super) fn list_verifications(&self, input: Input<'_>) -> Result<Document, Refusal> {
        self.list_others(Kind::DomainVerification, input, |_| true)
    }

    pub(super) fn delete_verification(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::DomainVerification, input.text("domainVerificationIdentifier"))?;
        self.remove(now, Kind::DomainVerification, &id);
        Ok(Self::nothing())
    }
}

/// Port ranges of a configuration that names none.
fn all_ports(kind: &str) -> Option<Vec<String>> {
    (kind == "SINGLE").then(|| vec!["1-65535".to_owned()])
}
