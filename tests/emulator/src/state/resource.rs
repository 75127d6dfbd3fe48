//! Resource gateways, resource configurations, domain verifications. They have the control-plane behaviour of the
//! model; requests do not flow through them.

use serde_json::{Value, json};

use super::access_log::text;
use super::document::{Input, Output};
use super::kind::{Kind, Life, Status};
use super::network::over;
use super::page::Found;
use super::resource_link::{PARENT, PARTIAL};
use super::resources::Generic;
use super::settings::FailureKind;
use super::{Document, Moment, Refusal, State, quota};

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
        if id.starts_with(Kind::DomainVerification.prefix()) {
            self.finish_verification(it, &mut view);
        }
        if let Some(verification) = self.store.others.get(text(it, "domainVerificationId")) {
            let status = self.verification_status(verification);
            view.insert("domainVerificationStatus".to_owned(), status.into());
        }
        if id.starts_with(&format!("{}-", Kind::ResourceAssociation.prefix())) {
            self.name_link(it, &mut view);
        }
        if self.is_partial(it) {
            view.insert("status".to_owned(), PARTIAL.into());
        }
        Some(view)
    }

    pub(super) fn show(&self, kind: Kind, id: &str) -> Result<Document, Refusal> {
        self.view_other(id).ok_or_else(|| Refusal::not_found(kind.resource_type(), id))
    }

    pub(super) fn list_others(
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

    pub(super) fn add_other(
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

    pub(super) fn settled(&self, kind: Kind, given: &str) -> Result<String, Refusal> {
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
        self.ensure_vpc(vpc);
        let there = self.others_of(Kind::ResourceGateway).filter(|it| text(it, "vpcId") == vpc).count();
        if there >= self.settings.quotas.resource_gateways_per_vpc {
            return Err(over(Kind::ResourceGateway, quota::GATEWAYS, Some(vpc)));
        }
        let members = Output::new()
            .with("name", name)
            .maybe("vpcIdentifier", input.owned("vpcIdentifier"))
            .maybe("vpcId", input.owned("vpcIdentifier"))
            .maybe("subnetIds", input.texts("subnetIds"))
            .with("securityGroupIds", input.texts("securityGroupIds").unwrap_or_default())
            .with("ipAddressType", input.maybe("ipAddressType").unwrap_or("IPV4"))
            .maybe("ipv4AddressesPerEni", input.number("ipv4AddressesPerEni"))
            .with(
                "resourceConfigDnsResolution",
                input.maybe("resourceConfigDnsResolution").unwrap_or("PUBLIC"),
            )
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
            return Err(over(Kind::ResourceConfiguration, quota::CONFIGURATIONS, None));
        }
        let reference = |kind, member| input.maybe(member).map(|given| self.find(kind, given)).transpose();
        let gateway = reference(Kind::ResourceGateway, "resourceGatewayIdentifier")?;
        let group = reference(Kind::ResourceConfiguration, "resourceConfigurationGroupIdentifier")?;
        let verification = reference(Kind::DomainVerification, "domainVerificationIdentifier")?;
        let parent = group.as_ref().and_then(|group| self.store.others.get(group));
        check_configuration(kind, parent, input)?;
        // A child has its parent's gateway.
        let gateway =
            gateway.or_else(|| parent?.members.get("resourceGatewayId")?.as_str().map(str::to_owned));
        if let Some(group) = &group {
            let children = self
                .others_of(Kind::ResourceConfiguration)
                .filter(|it| text(it, "resourceConfigurationGroupId") == group)
                .count();
            if children >= self.settings.quotas.children_per_group {
                return Err(over(Kind::ResourceConfiguration, quota::CHILDREN, Some(group)));
            }
        }
        let proved = verification.as_ref().and_then(|id| self.store.others.get(id));
        let members = Output::new()
            .with("name", name)
            .with("type", kind)
            .maybe("portRanges", input.texts("portRanges").or_else(|| all_ports(kind)))
            .with("protocol", input.maybe("protocol").unwrap_or("TCP"))
            .maybe("resourceGatewayId", gateway)
            .maybe("resourceConfigurationGroupId", group.clone())
            .maybe("resourceConfigurationDefinition", input.value("resourceConfigurationDefinition").cloned())
            .with(
                "allowAssociationToShareableServiceNetwork",
                input.flag("allowAssociationToShareableServiceNetwork").unwrap_or(true),
            )
            .maybe("customDomainName", input.owned("customDomainName"))
            .maybe("groupDomain", input.owned("groupDomain"))
            .maybe("domainVerificationArn", proved.map(|it| it.meta.arn.clone()))
            .maybe("domainVerificationId", verification)
            .with("amazonManaged", false)
            .done();
        let made = self.add_other(now, Kind::ResourceConfiguration, input, members)?;
        if let (Some(group), Some(id)) = (group, made.get("id").and_then(Value::as_str)) {
            self.link_new_child(now, &group, id);
        }
        Ok(made)
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
        check_ports(input)?;
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
        let link = self
            .others_of(Kind::ResourceAssociation)
            .find(|it| text(it, "resourceConfigurationId") == id && text(it, PARENT).is_empty());
        if let Some(user) = child.or(link) {
            let message = format!("Resource configuration {id} is used by {}.", user.meta.id);
            return Err(Refusal::conflict("RESOURCE_CONFIGURATION", &id, message));
        }
        self.unlink_child(now, &id);
        self.begin_delete(now, Kind::ResourceConfiguration, &id, self.settings.delays.resource_delete);
        Ok(Self::nothing())
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
            return Err(over(Kind::DomainVerification, quota::VERIFICATIONS, None));
        }
        let proof = super::lifecycle::scramble(self.seed ^ self.store.seq);
        let members = Output::new()
            .with("domainName", domain)
            .with(
                "txtMethodConfig",
                json!({"name": format!("_vpc-lattice.{domain}"), "value": format!("vpc-lattice:{proof:016x}")}),
            )
            .done();
        self.add_other(now, Kind::DomainVerification, input, members)
    }

    pub(super) fn get_verification(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::DomainVerification, input.text("domainVerificationIdentifier"))?;
        self.show(Kind::DomainVerification, &id)
    }

    /// A domain is verified when the settings say that its owner has made the TXT record.
    fn verification_status(&self, it: &Generic) -> &'static str {
        let domain = text(it, "domainName");
        let verified = self.settings.verified_domains.iter().any(|known| known.eq_ignore_ascii_case(domain));
        if verified { "VERIFIED" } else { "PENDING" }
    }

    /// Status and tags of a verification as they are now.
    fn finish_verification(&self, it: &Generic, view: &mut Document) {
        let status = self.verification_status(it);
        view.insert("status".to_owned(), status.into());
        if status == "VERIFIED" {
            view.insert("lastVerifiedTime".to_owned(), it.meta.created.iso().into());
        }
        if let Some(tags) = self.store.tags.get(&it.meta.arn).filter(|tags| !tags.is_empty()) {
            view.insert("tags".to_owned(), json!(tags));
        }
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

/// What the types of configurations allow, by the documentation of the members.
fn check_configuration(kind: &str, parent: Option<&Generic>, input: Input<'_>) -> Result<(), Refusal> {
    let group = "resourceConfigurationGroupIdentifier";
    match (kind == "CHILD", parent) {
        (true, None) => return Err(Refusal::field(group, "is required for CHILD")),
        (false, Some(_)) => return Err(Refusal::field(group, "is possible for CHILD only")),
        (true, Some(parent)) if text(parent, "type") != "GROUP" => {
            return Err(Refusal::field(group, "must name a resource configuration of the type GROUP"));
        }
        _ => {}
    }
    for (name, unfit, message) in [
        ("portRanges", kind == "ARN", "is not possible for ARN"),
        ("groupDomain", kind != "GROUP", "is possible for GROUP only"),
    ] {
        if unfit && input.value(name).is_some() {
            return Err(Refusal::field(name, message));
        }
    }
    if input.maybe("protocol") == Some("TCP_UDP") && kind != "CIDR" {
        return Err(Refusal::field("protocol", "can be TCP_UDP for CIDR only"));
    }
    check_ports(input)
}

/// Port ranges run upwards within the ports that there are.
fn check_ports(input: Input<'_>) -> Result<(), Refusal> {
    for (index, range) in input.texts("portRanges").unwrap_or_default().iter().enumerate() {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let ports = low.parse::<u16>().ok().zip(high.parse::<u16>().ok());
        if !ports.is_some_and(|(low, high)| low > 0 && low <= high) {
            return Err(Refusal::field(&format!("portRanges[{index}]"), "is no range of ports"));
        }
    }
    Ok(())
}
