//! Associations of service networks with services and with VPCs.

use super::document::Input;
use super::kind::{Kind, Life, Status};
use super::network::over;
use super::page::Found;
use super::resources::{ServiceAssociation, VpcAssociation};
use super::settings::FailureKind;
use super::{Document, Moment, Refusal, State, quota};

/// Kinds in errors.
const SERVICE_LINK: &str = "SERVICE_NETWORK_SERVICE_ASSOCIATION";
const VPC_LINK: &str = "SERVICE_NETWORK_VPC_ASSOCIATION";

impl State {
    pub(super) fn create_service_link(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let service = self.find(Kind::Service, input.text("serviceIdentifier"))?;
        let network = self.find(Kind::ServiceNetwork, input.text("serviceNetworkIdentifier"))?;
        self.check_service_link(&service, &network)?;
        let tags = self.checked_tags(input)?;
        let meta = self.new_meta(now, Kind::ServiceAssociation, None);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, tags);
        let link = ServiceAssociation { meta, life: Life::begun(), service: service.clone(), network };
        self.store.service_associations.insert(id.clone(), link);
        if let Some(service) = self.store.services.get_mut(&service) {
            service.associations.insert(id.clone());
        }
        self.begin(now, Kind::ServiceAssociation, &id, FailureKind::Create, self.settings.delays.association);
        self.view_service_link(&id).ok_or_else(|| Refusal::not_found(SERVICE_LINK, &id))
    }

    fn check_service_link(&self, service: &str, network: &str) -> Result<(), Refusal> {
        let Some(it) = self.store.services.get(service) else {
            return Err(Refusal::not_found("SERVICE", service));
        };
        let theirs = self.store.networks.get(network).is_some_and(|it| self.foreign(&it.meta));
        if theirs && self.foreign(&it.meta) {
            return Err(Refusal::other(
                "A service and a service network that are both shared with the caller cannot be associated.",
            ));
        }
        let links = || self.store.service_associations.values().filter(|link| link.network == network);
        if let Some(link) = links().find(|link| link.service == service) {
            let message = if link.life.status == Status::DeleteInProgress {
                "Disassociation is in progress."
            } else {
                "Association already exists."
            };
            return Err(Refusal::conflict(SERVICE_LINK, &link.meta.id, message));
        }
        if it.life.status != Status::Active {
            return Err(Refusal::status("SERVICE", service, it.life.status.text()));
        }
        let same_domain = |other: &ServiceAssociation| {
            it.custom_domain.is_some()
                && self.store.services.get(&other.service).is_some_and(|other| {
                    other.custom_domain.as_deref().map(str::to_ascii_lowercase)
                        == it.custom_domain.as_deref().map(str::to_ascii_lowercase)
                })
        };
        if let Some(other) = links().find(|link| same_domain(link)) {
            let message = "Another service of the service network has the same custom domain name.";
            return Err(Refusal::conflict("SERVICE", &other.service, message));
        }
        if links().count() >= self.settings.quotas.services_per_network {
            return Err(over(Kind::ServiceAssociation, quota::SERVICES_PER_NETWORK, Some(network)));
        }
        Ok(())
    }

    /// Everything there is to show of an association with a service.
    pub(super) fn view_service_link(&self, id: &str) -> Option<Document> {
        let link = self.store.service_associations.get(id)?;
        let service = self.store.services.get(&link.service)?;
        let network = self.store.networks.get(&link.network)?;
        let view = Self::living(&link.meta, &link.life)
            .with("createdBy", self.home.account.as_str())
            .with("serviceId", service.meta.id.as_str())
            .with("serviceArn", service.meta.arn.as_str())
            .with("serviceName", service.name.as_str())
            .with("serviceNetworkId", network.meta.id.as_str())
            .with("serviceNetworkArn", network.meta.arn.as_str())
            .with("serviceNetworkName", network.name.as_str())
            .maybe("customDomainName", service.custom_domain.clone())
            .with("dnsEntry", Self::dns_entry(&service.domain));
        Some(view.done())
    }

    pub(super) fn get_service_link(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkServiceAssociationIdentifier");
        let id = self.find(Kind::ServiceAssociation, given)?;
        self.view_service_link(&id).ok_or_else(|| Refusal::not_found(SERVICE_LINK, given))
    }

    pub(super) fn list_service_links(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let service = self.filter(Kind::Service, input.maybe("serviceIdentifier"));
        let network = self.filter(Kind::ServiceNetwork, input.maybe("serviceNetworkIdentifier"));
        if service.is_none() && network.is_none() {
            return Err(neither("serviceIdentifier", "serviceNetworkIdentifier"));
        }
        let found = self
            .store
            .service_associations
            .values()
            .filter(|link| service.as_ref().is_none_or(|id| *id == link.service))
            .filter(|link| network.as_ref().is_none_or(|id| *id == link.network))
            .map(|link| Found::by_seq(link.meta.seq, &link.meta.id))
            .collect();
        self.page("service associations", input, found, Self::view_service_link)
    }

    /// Id that a filter means; one that nothing has is kept as it is, so that the list is empty.
    pub(super) fn filter(&self, kind: Kind, given: Option<&str>) -> Option<String> {
        given.map(|given| self.find(kind, given).unwrap_or_else(|_| given.to_owned()))
    }

    pub(super) fn delete_service_link(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkServiceAssociationIdentifier");
        let id = self.find(Kind::ServiceAssociation, given)?;
        let creating = self.life(Kind::ServiceAssociation, &id).map(|life| life.status);
        if creating == Some(Status::CreateInProgress) {
            return Err(Refusal::conflict(SERVICE_LINK, &id, "Creation is in progress."));
        }
        self.begin_delete(now, Kind::ServiceAssociation, &id, self.settings.delays.association_delete);
        self.view_service_link(&id).ok_or_else(|| Refusal::not_found(SERVICE_LINK, given))
    }

    pub(super) fn create_vpc_link(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let network = self.find(Kind::ServiceNetwork, input.text("serviceNetworkIdentifier"))?;
        let vpc = input.text("vpcIdentifier");
        if let Some(link) = self.store.vpc_associations.values().find(|link| link.vpc == vpc) {
            let message = "VPC has already been associated to a service network.";
            return Err(Refusal::conflict(VPC_LINK, &link.meta.id, message));
        }
        let links = self.store.vpc_associations.values().filter(|link| link.network == network);
        if links.count() >= self.settings.quotas.vpcs_per_network {
            return Err(over(Kind::VpcAssociation, quota::VPCS_PER_NETWORK, Some(&network)));
        }
        let tags = self.checked_tags(input)?;
        self.ensure_vpc(vpc);
        let meta = self.new_meta(now, Kind::VpcAssociation, None);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, tags);
        let link = VpcAssociation {
            meta,
            life: Life::begun(),
            network,
            vpc: vpc.to_owned(),
            security_groups: input.texts("securityGroupIds"),
            private_dns: input.flag("privateDnsEnabled"),
            dns_options: input.value("dnsOptions").cloned(),
        };
        self.store.vpc_associations.insert(id.clone(), link);
        self.begin(now, Kind::VpcAssociation, &id, FailureKind::Create, self.settings.delays.vpc_association);
        self.view_vpc_link(&id).ok_or_else(|| Refusal::not_found(VPC_LINK, &id))
    }

    /// Everything there is to show of an association with a VPC.
    pub(super) fn view_vpc_link(&self, id: &str) -> Option<Document> {
        let link = self.store.vpc_associations.get(id)?;
        let network = self.store.networks.get(&link.network)?;
        let view = Self::living(&link.meta, &link.life)
            .with("createdBy", self.home.account.as_str())
            .with("serviceNetworkId", network.meta.id.as_str())
            .with("serviceNetworkArn", network.meta.arn.as_str())
            .with("serviceNetworkName", network.name.as_str())
            .with("vpcId", link.vpc.as_str())
            .maybe("securityGroupIds", link.security_groups.clone())
            .maybe("privateDnsEnabled", link.private_dns)
            .maybe("dnsOptions", link.dns_options.clone());
        Some(view.done())
    }

    pub(super) fn get_vpc_link(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkVpcAssociationIdentifier");
        let id = self.find(Kind::VpcAssociation, given)?;
        self.view_vpc_link(&id).ok_or_else(|| Refusal::not_found(VPC_LINK, given))
    }

    pub(super) fn list_vpc_links(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let vpc = input.maybe("vpcIdentifier");
        let network = self.filter(Kind::ServiceNetwork, input.maybe("serviceNetworkIdentifier"));
        if vpc.is_none() && network.is_none() {
            return Err(neither("vpcIdentifier", "serviceNetworkIdentifier"));
        }
        let found = self
            .store
            .vpc_associations
            .values()
            .filter(|link| vpc.is_none_or(|vpc| vpc == link.vpc))
            .filter(|link| network.as_ref().is_none_or(|id| *id == link.network))
            .map(|link| Found::by_seq(link.meta.seq, &link.meta.id))
            .collect();
        self.page("VPC associations", input, found, Self::view_vpc_link)
    }

    fn settled_vpc_link(&self, input: Input<'_>) -> Result<String, Refusal> {
        let id = self.find(Kind::VpcAssociation, input.text("serviceNetworkVpcAssociationIdentifier"))?;
        match self.store.vpc_associations.get(&id).map(|link| link.life.status) {
            Some(status @ (Status::CreateInProgress | Status::UpdateInProgress)) => {
                Err(Refusal::status(VPC_LINK, &id, status.text()))
            }
            _ => Ok(id),
        }
    }

    pub(super) fn update_vpc_link(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.settled_vpc_link(input)?;
        let Some(link) = self.store.vpc_associations.get_mut(&id) else {
            return Err(Refusal::not_found(VPC_LINK, &id));
        };
        if link.life.status == Status::DeleteInProgress {
            return Err(Refusal::status(VPC_LINK, &id, link.life.status.text()));
        }
        link.security_groups = input.texts("securityGroupIds").or_else(|| link.security_groups.take());
        link.private_dns = input.flag("privateDnsEnabled").or(link.private_dns);
        link.dns_options = input.value("dnsOptions").cloned().or_else(|| link.dns_options.take());
        link.life.status = Status::UpdateInProgress;
        link.meta.updated = now;
        let delay = self.settings.delays.vpc_association_update;
        self.begin(now, Kind::VpcAssociation, &id, FailureKind::Update, delay);
        self.view_vpc_link(&id).ok_or_else(|| Refusal::not_found(VPC_LINK, &id))
    }

    pub(super) fn delete_vpc_link(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.settled_vpc_link(input)?;
        self.begin_delete(now, Kind::VpcAssociation, &id, self.settings.delays.vpc_association_delete);
        self.view_vpc_link(&id).ok_or_else(|| Refusal::not_found(VPC_LINK, &id))
    }
}

/// A list that needs one of two filters has neither.
pub(super) fn neither(one: &str, other: &str) -> Refusal {
    Refusal::other(format!("You must provide either {one} or {other}."))
}
