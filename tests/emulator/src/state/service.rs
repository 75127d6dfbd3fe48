//! Services.

use std::collections::BTreeSet;

use super::document::Input;
use super::kind::{Kind, Life, Status};
use super::network::over;
use super::page::Found;
use super::resources::Service;
use super::settings::FailureKind;
use super::{Document, Moment, PARTITION, Refusal, State, quota};

impl State {
    pub(super) fn create_service(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let name = input.text("name");
        let taken = |service: &&Service| service.name == name && !self.foreign(&service.meta);
        if let Some(other) = self.store.services.values().find(taken) {
            let message = format!("A service with the name {name} exists.");
            return Err(self.clash(Kind::Service, &other.meta.id, "name", &message));
        }
        if self.store.services.len() >= self.settings.quotas.services {
            return Err(over(Kind::Service, quota::SERVICES, None));
        }
        let tags = self.checked_tags(input)?;
        let meta = self.new_meta(now, Kind::Service, None);
        let id = meta.id.clone();
        let unique = id.strip_prefix("svc-").unwrap_or(&id);
        let domain = format!("{name}-{unique}.{PARTITION}.vpc-lattice-svcs.{}.on.aws", self.home.region);
        self.store_tags(now, &meta.arn, tags);
        let service = Service {
            meta,
            life: Life::begun(),
            name: name.to_owned(),
            auth_type: input.maybe("authType").unwrap_or("NONE").to_owned(),
            custom_domain: input.owned("customDomainName"),
            certificate: input.owned("certificateArn").filter(|arn| !arn.is_empty()),
            idle_timeout: input.number("idleTimeoutSeconds"),
            domain,
            listeners: BTreeSet::new(),
            associations: BTreeSet::new(),
            groups: BTreeSet::new(),
        };
        self.store.services.insert(id.clone(), service);
        self.index_domains(&id);
        self.begin(now, Kind::Service, &id, FailureKind::Create, self.settings.delays.service);
        self.view_service(&id).ok_or_else(|| Refusal::not_found("SERVICE", &id))
    }

    /// Makes the service findable by its domain names.
    pub(super) fn index_domains(&mut self, id: &str) {
        let Some(service) = self.store.services.get(id) else { return };
        let custom = service.custom_domain.iter().map(|domain| domain.to_ascii_lowercase());
        let names: Vec<String> = custom.chain([service.domain.clone()]).collect();
        for name in names {
            self.domains.entry(name).or_default().insert(id.to_owned());
        }
    }

    /// Everything there is to show of a service.
    pub(super) fn view_service(&self, id: &str) -> Option<Document> {
        let service = self.store.services.get(id)?;
        let view = Self::living(&service.meta, &service.life)
            .with("name", service.name.as_str())
            .with("authType", service.auth_type.as_str())
            .maybe("customDomainName", service.custom_domain.clone())
            .maybe("certificateArn", service.certificate.clone())
            .maybe("idleTimeoutSeconds", service.idle_timeout)
            .with("dnsEntry", Self::dns_entry(&service.domain));
        Some(view.done())
    }

    pub(super) fn get_service(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceIdentifier");
        let id = self.find(Kind::Service, given)?;
        self.view_service(&id).ok_or_else(|| Refusal::not_found("SERVICE", given))
    }

    pub(super) fn list_services(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let found = self.store.services.values().map(|it| Found::by_seq(it.meta.seq, &it.meta.id)).collect();
        self.page("services", input, found, Self::view_service)
    }

    pub(super) fn update_service(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.changeable_service(input.text("serviceIdentifier"))?;
        if let Some(service) = self.store.services.get_mut(&id) {
            if let Some(certificate) = input.owned("certificateArn") {
                service.certificate = Some(certificate).filter(|arn| !arn.is_empty());
            }
            if let Some(auth_type) = input.owned("authType") {
                service.auth_type = auth_type;
            }
            service.idle_timeout = input.number("idleTimeoutSeconds").or(service.idle_timeout);
            service.meta.updated = now;
        }
        self.view_service(&id).ok_or_else(|| Refusal::not_found("SERVICE", &id))
    }

    /// Id of a service that is not being deleted.
    pub(super) fn changeable_service(&self, given: &str) -> Result<String, Refusal> {
        let id = self.find(Kind::Service, given)?;
        match self.store.services.get(&id) {
            Some(service) if service.life.status == Status::DeleteInProgress => {
                Err(Refusal::status("SERVICE", &id, service.life.status.text()))
            }
            _ => Ok(id),
        }
    }

    pub(super) fn delete_service(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("serviceIdentifier");
        let id = self.find(Kind::Service, given)?;
        if self.store.services.get(&id).is_some_and(|service| !service.associations.is_empty()) {
            let message = format!("Service {id} has one or more associated service networks.");
            return Err(Refusal::conflict("SERVICE", &id, message));
        }
        self.begin_delete(now, Kind::Service, &id, self.settings.delays.service_delete);
        self.view_service(&id).ok_or_else(|| Refusal::not_found("SERVICE", given))
    }

    /// Removes a service with its listeners, rules, policies and access log subscriptions.
    pub(super) fn remove_service(&mut self, at: Moment, id: &str) {
        let listeners = self.store.services.get(id).map(|service| service.listeners.clone());
        for listener in listeners.unwrap_or_default() {
            self.remove(at, Kind::Listener, &listener);
        }
        self.store.auth_policies.remove(id);
        self.remove_subscriptions(at, id);
        if let Some(service) = self.store.services.remove(id) {
            for name in service.custom_domain.iter().map(|d| d.to_ascii_lowercase()).chain([service.domain]) {
                if let Some(ids) = self.domains.get_mut(&name) {
                    ids.remove(id);
                    if ids.is_empty() {
                        self.domains.remove(&name);
                    }
                }
            }
        }
        self.plans.remove(id);
    }
}
