//! Service networks.

use serde_json::Value;

use super::document::{Input, Output};
use super::kind::Kind;
use super::page::Found;
use super::resources::ServiceNetwork;
use super::{Document, Moment, Refusal, State, quota};

impl State {
    pub(super) fn create_network(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let name = input.text("name");
        let taken = |network: &&ServiceNetwork| network.name == name && !self.foreign(&network.meta);
        if let Some(other) = self.store.networks.values().find(taken) {
            let message = format!("A service network with the name {name} exists.");
            return Err(self.clash(Kind::ServiceNetwork, &other.meta.id, "name", &message));
        }
        if self.store.networks.len() >= self.settings.quotas.service_networks {
            return Err(over(Kind::ServiceNetwork, quota::NETWORKS, None));
        }
        let tags = self.checked_tags(input)?;
        let meta = self.new_meta(now, Kind::ServiceNetwork, None);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, tags);
        let network = ServiceNetwork {
            meta,
            name: name.to_owned(),
            auth_type: input.maybe("authType").unwrap_or("NONE").to_owned(),
            sharing: input.value("sharingConfig").cloned(),
        };
        self.store.networks.insert(id.clone(), network);
        self.view_network(&id).ok_or_else(|| Refusal::not_found("SERVICE_NETWORK", &id))
    }

    /// Everything there is to show of a service network.
    pub(super) fn view_network(&self, id: &str) -> Option<Document> {
        let network = self.store.networks.get(id)?;
        let services = self.store.service_associations.values().filter(|link| link.network == id).count();
        let vpcs = self.store.vpc_associations.values().filter(|link| link.network == id).count();
        let resources = self.resource_links_of(id).count();
        let view = Self::base(&network.meta)
            .with("name", network.name.as_str())
            .with("authType", network.auth_type.as_str())
            .maybe("sharingConfig", network.sharing.clone())
            .with("numberOfAssociatedServices", services)
            .with("numberOfAssociatedVPCs", vpcs)
            .with("numberOfAssociatedResourceConfigurations", resources);
        Some(view.done())
    }

    pub(super) fn get_network(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkIdentifier");
        let id = self.find(Kind::ServiceNetwork, given)?;
        self.view_network(&id).ok_or_else(|| Refusal::not_found("SERVICE_NETWORK", given))
    }

    pub(super) fn list_networks(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let shared = self.settings.switches.list_shared;
        let networks = self.store.networks.values().filter(|it| shared || !self.foreign(&it.meta));
        let found = networks.map(|it| Found::by_seq(it.meta.seq, &it.meta.id)).collect();
        self.page("networks", input, found, Self::view_network)
    }

    pub(super) fn update_network(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkIdentifier");
        let id = self.find(Kind::ServiceNetwork, given)?;
        if let Some(network) = self.store.networks.get_mut(&id) {
            input.text("authType").clone_into(&mut network.auth_type);
            network.meta.updated = now;
        }
        self.view_network(&id).ok_or_else(|| Refusal::not_found("SERVICE_NETWORK", given))
    }

    pub(super) fn delete_network(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::ServiceNetwork, input.text("serviceNetworkIdentifier"))?;
        let attached = if self.store.vpc_associations.values().any(|link| link.network == id) {
            Some("VPC(s)")
        } else if self.store.service_associations.values().any(|link| link.network == id) {
            Some("service(s)")
        } else if self.store.endpoints.values().any(|one| one.network == id) {
            Some("VPC endpoint(s)")
        } else if self.resource_links_of(&id).next().is_some() {
            Some("resource configuration(s)")
        } else {
            None
        };
        if let Some(what) = attached {
            let message = format!("service network has {what} associated");
            return Err(Refusal::conflict("SERVICE_NETWORK", &id, message));
        }
        self.remove(now, Kind::ServiceNetwork, &id);
        Ok(Self::nothing())
    }

    /// The generated domain name of a service as the API shows it.
    pub(super) fn dns_entry(domain: &str) -> Value {
        Value::Object(
            Output::new().with("domainName", domain).with("hostedZoneId", super::HOSTED_ZONE).done(),
        )
    }
}

/// A quota is used up.
pub(super) fn over(kind: Kind, code: &'static str, of: Option<&str>) -> Refusal {
    let name = kind.label().replace('-', " ");
    Refusal::Quota {
        message: format!("The quota of {name} resources is used up."),
        kind: kind.resource_type(),
        code,
        id: of.map(str::to_owned),
    }
}
