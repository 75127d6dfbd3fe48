//! Associations of service networks with resource configurations. The association of a group brings one for each of
//! its children along; those are listed on request only, come and go with it, and make its status PARTIAL when not
//! all of them are there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::access_log::text;
use super::document::{Input, Output};
use super::kind::{Kind, Life, Status};
use super::link::neither;
use super::network::over;
use super::resources::Generic;
use super::settings::FailureKind;
use super::{Document, Moment, Refusal, State, quota};

/// Member of a child's association that names the association of its group. No response shows it.
pub(super) const PARENT: &str = "parentAssociation";

/// Status of a group's association when some of its children are not associated.
pub(super) const PARTIAL: &str = "PARTIAL";

impl State {
    fn all_links(&self) -> impl Iterator<Item = &Generic> {
        self.others_of(Kind::ResourceAssociation)
    }

    /// Associations of a service network with resource configurations, without those of children of a group.
    pub(super) fn resource_links_of<'a>(&'a self, network: &'a str) -> impl Iterator<Item = &'a Generic> {
        self.all_links()
            .filter(move |it| text(it, "serviceNetworkId") == network && text(it, PARENT).is_empty())
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
        self.check_not_linked(&configuration, &network)?;
        if self.resource_links_of(&network).count() >= self.settings.quotas.resources_per_network {
            return Err(over(Kind::ResourceAssociation, quota::RESOURCES_PER_NETWORK, Some(&network)));
        }
        let private_dns = input.flag("privateDnsEnabled").unwrap_or(false);
        let members = self.link_members(it, &network, private_dns).done();
        let made = self.add_other(now, Kind::ResourceAssociation, input, members)?;
        let children = self.others_of(Kind::ResourceConfiguration);
        let children = children.filter(|it| text(it, "resourceConfigurationGroupId") == configuration);
        // In the order of their creation, so that a failure of the n-th means the same one in every run.
        let children: BTreeMap<u64, String> = children.map(|it| (it.meta.seq, it.meta.id.clone())).collect();
        let id = made.get("id").and_then(Value::as_str).unwrap_or_default();
        for child in children.values() {
            self.link_child(now, id, child);
        }
        Ok(made)
    }

    fn check_not_linked(&self, configuration: &str, network: &str) -> Result<(), Refusal> {
        let mut there = self.all_links().filter(|it| text(it, "serviceNetworkId") == network);
        match there.find(|it| text(it, "resourceConfigurationId") == configuration) {
            None => Ok(()),
            Some(link) => {
                let kind = Kind::ResourceAssociation.resource_type();
                Err(Refusal::conflict(kind, &link.meta.id, "Association already exists."))
            }
        }
    }

    fn link_members(&self, configuration: &Generic, network: &str, private_dns: bool) -> Output {
        let network_name = self.store.networks.get(network).map(|it| it.name.clone());
        let network_arn = self.meta(Kind::ServiceNetwork, network).map(|meta| meta.arn.clone());
        Output::new()
            .with("createdBy", self.home.account.as_str())
            .with("resourceConfigurationArn", configuration.meta.arn.as_str())
            .with("resourceConfigurationName", text(configuration, "name"))
            .with("resourceConfigurationId", configuration.meta.id.as_str())
            .maybe("serviceNetworkArn", network_arn)
            .maybe("serviceNetworkName", network_name)
            .with("serviceNetworkId", network)
            .with("privateDnsEnabled", private_dns)
            .with("isManagedAssociation", false)
    }

    /// The association of a child, under that of its group.
    fn link_child(&mut self, now: Moment, parent: &str, child: &str) {
        let (Some(link), Some(child)) = (self.store.others.get(parent), self.store.others.get(child)) else {
            return;
        };
        let private_dns = link.members.get("privateDnsEnabled").and_then(Value::as_bool).unwrap_or(false);
        let members = self.link_members(child, text(link, "serviceNetworkId"), private_dns);
        let members = members.with(PARENT, parent).done();
        let meta = self.new_meta(now, Kind::ResourceAssociation, None);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, BTreeMap::new());
        self.store.others.insert(id.clone(), Generic { meta, life: Some(Life::begun()), members });
        let delay = self.settings.delays.association;
        self.begin(now, Kind::ResourceAssociation, &id, FailureKind::Create, delay);
    }

    /// The domain names under which clients reach a resource by an association.
    pub(super) fn name_link(&self, it: &Generic, view: &mut Document) {
        let configuration = text(it, "resourceConfigurationId");
        let generated =
            format!("{}.{configuration}.4232ccc.vpc-lattice-rsc.{}.on.aws", it.meta.id, self.home.region);
        view.insert("dnsEntry".to_owned(), Self::dns_entry(&generated));
        let custom = self.store.others.get(configuration).map(|of| text(of, "customDomainName"));
        let custom = custom.filter(|name| !name.is_empty());
        let is_private = it.members.get("privateDnsEnabled").and_then(Value::as_bool) == Some(true);
        if let Some(name) = custom.filter(|_| is_private) {
            view.insert("privateDnsEntry".to_owned(), Self::dns_entry(name));
        }
    }

    /// Associates a new child of a group wherever the group is.
    pub(super) fn link_new_child(&mut self, now: Moment, group: &str, child: &str) {
        let links: Vec<String> = self
            .all_links()
            .filter(|it| text(it, "resourceConfigurationId") == group)
            .filter(|it| it.life.as_ref().is_some_and(|life| life.status != Status::DeleteInProgress))
            .map(|it| it.meta.id.clone())
            .collect();
        for link in links {
            self.link_child(now, &link, child);
        }
    }

    /// Ends the associations that a child has by its group.
    pub(super) fn unlink_child(&mut self, now: Moment, child: &str) {
        self.delete_links(now, |it| {
            text(it, "resourceConfigurationId") == child && !text(it, PARENT).is_empty()
        });
    }

    fn delete_links(&mut self, now: Moment, which: impl Fn(&Generic) -> bool) {
        let ids: Vec<String> = self.all_links().filter(|it| which(it)).map(|it| it.meta.id.clone()).collect();
        for id in ids {
            let delay = self.settings.delays.association_delete;
            self.begin_delete(now, Kind::ResourceAssociation, &id, delay);
        }
    }

    /// Whether a group is associated and some of its children are not.
    pub(super) fn is_partial(&self, it: &Generic) -> bool {
        let active = |it: &Generic| it.life.as_ref().is_some_and(|life| life.status == Status::Active);
        let kind = Kind::ResourceAssociation.prefix();
        it.meta.id.starts_with(kind)
            && active(it)
            && self.all_links().any(|child| text(child, PARENT) == it.meta.id && !active(child))
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
        let children = input.flag("includeChildren").unwrap_or(false);
        self.list_others(Kind::ResourceAssociation, input, |it| {
            let here = network.as_ref().is_none_or(|id| text(it, "serviceNetworkId") == id);
            let parent = self.store.others.get(text(it, PARENT));
            here && match (&configuration, parent) {
                (None, parent) => parent.is_none() || children,
                (Some(id), _) if text(it, "resourceConfigurationId") == id => true,
                (Some(id), Some(parent)) => children && text(parent, "resourceConfigurationId") == id,
                (Some(_), None) => false,
            }
        })
    }

    pub(super) fn delete_resource_link(
        &mut self,
        now: Moment,
        input: Input<'_>,
    ) -> Result<Document, Refusal> {
        let given = input.text("serviceNetworkResourceAssociationIdentifier");
        let id = self.settled(Kind::ResourceAssociation, given)?;
        let parent = self.store.others.get(&id).map(|it| text(it, PARENT)).unwrap_or_default();
        if self.store.others.contains_key(parent) {
            let message = format!("Association {id} belongs to {parent}, the association of its group.");
            return Err(Refusal::conflict(Kind::ResourceAssociation.resource_type(), &id, message));
        }
        self.delete_links(now, |it| it.meta.id == id || text(it, PARENT) == id);
        self.show(Kind::ResourceAssociation, &id)
    }
}
