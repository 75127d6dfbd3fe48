//! Listeners.

use lattice_routing::Conditions;
use std::collections::BTreeSet;

use super::action::{Use, groups_of};
use super::document::Input;
use super::kind::Kind;
use super::network::over;
use super::page::Found;
use super::resources::{Listener, Rule};
use super::{Document, Moment, Refusal, State, quota};

/// Name of the rule that holds the default action.
const DEFAULT_RULE: &str = "default";

impl State {
    pub(super) fn create_listener(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let service = self.changeable_service(input.text("serviceIdentifier"))?;
        let (name, protocol) = (input.text("name"), input.text("protocol"));
        let port = input.port("port").unwrap_or(if protocol == "HTTP" { 80 } else { 443 });
        self.check_new_listener(&service, name, protocol, port)?;
        let action = input.object("defaultAction").ok_or_else(|| Refusal::other("There is no action."))?;
        let action = self.read_action(Use { service: &service, protocol, replaces: None }, action)?;
        let tags = self.checked_tags(input)?;
        let parent = self.meta(Kind::Service, &service).map(|meta| meta.arn.clone());
        let meta = self.new_meta(now, Kind::Listener, parent.as_deref());
        let rule_meta = self.new_meta(now, Kind::Rule, Some(&meta.arn));
        let (id, default_rule) = (meta.id.clone(), rule_meta.id.clone());
        self.store_tags(now, &meta.arn, tags);
        self.store_tags(now, &rule_meta.arn, std::collections::BTreeMap::new());
        let listener = Listener {
            meta,
            service: service.clone(),
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            port,
            default_rule: default_rule.clone(),
            rules: BTreeSet::from([default_rule.clone()]),
        };
        let rule = Rule {
            meta: rule_meta,
            service: service.clone(),
            listener: id.clone(),
            name: DEFAULT_RULE.to_owned(),
            priority: None,
            conditions: Conditions::default(),
            action,
        };
        self.store.rules.insert(default_rule, rule);
        self.store.listeners.insert(id.clone(), listener);
        if let Some(owner) = self.store.services.get_mut(&service) {
            owner.listeners.insert(id.clone());
        }
        self.routes_changed(now, &service);
        self.view_listener(&id).ok_or_else(|| Refusal::not_found("LISTENER", &id))
    }

    fn check_new_listener(
        &self,
        service: &str,
        name: &str,
        protocol: &str,
        port: u16,
    ) -> Result<(), Refusal> {
        let siblings: Vec<&Listener> =
            self.store.listeners.values().filter(|listener| listener.service == service).collect();
        if let Some(other) = siblings.iter().find(|listener| listener.name == name) {
            let message = format!("A listener with the name {name} exists in {service}.");
            return Err(self.clash(Kind::Listener, &other.meta.id, "name", &message));
        }
        if let Some(other) = siblings.iter().find(|listener| listener.port == port) {
            let message = format!("A listener with the port {port} exists in {service}.");
            return Err(self.clash(Kind::Listener, &other.meta.id, "port", &message));
        }
        if siblings.len() >= self.settings.quotas.listeners_per_service {
            return Err(over(Kind::Listener, quota::LISTENERS, Some(service)));
        }
        let custom = self.store.services.get(service).is_some_and(|it| it.custom_domain.is_some());
        if protocol == "TLS_PASSTHROUGH" && !custom {
            let message = "needs a service with a custom domain name for TLS_PASSTHROUGH";
            return Err(Refusal::field("protocol", message));
        }
        Ok(())
    }

    /// Ids of a service and one of its listeners.
    pub(super) fn find_listener(&self, input: Input<'_>) -> Result<(String, String), Refusal> {
        let service = self.find(Kind::Service, input.text("serviceIdentifier"))?;
        let given = input.text("listenerIdentifier");
        let listener = self.find(Kind::Listener, given)?;
        let owned = self.store.listeners.get(&listener).is_some_and(|it| it.service == service);
        if owned { Ok((service, listener)) } else { Err(Refusal::not_found("LISTENER", given)) }
    }

    /// As [`State::find_listener`], of a service that is not being deleted.
    pub(super) fn changeable_listener(&self, input: Input<'_>) -> Result<(String, String), Refusal> {
        let found = self.find_listener(input)?;
        self.changeable_service(&found.0)?;
        Ok(found)
    }

    /// Everything there is to show of a listener.
    pub(super) fn view_listener(&self, id: &str) -> Option<Document> {
        let listener = self.store.listeners.get(id)?;
        let service = self.meta(Kind::Service, &listener.service)?;
        let rule = self.store.rules.get(&listener.default_rule)?;
        let view = Self::base(&listener.meta)
            .with("name", listener.name.as_str())
            .with("protocol", listener.protocol.as_str())
            .with("port", listener.port)
            .with("serviceId", service.id.as_str())
            .with("serviceArn", service.arn.as_str())
            .with("defaultAction", self.view_action(&rule.action));
        Some(view.done())
    }

    pub(super) fn get_listener(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let (_, id) = self.find_listener(input)?;
        self.view_listener(&id).ok_or_else(|| Refusal::not_found("LISTENER", &id))
    }

    pub(super) fn list_listeners(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let service = self.find(Kind::Service, input.text("serviceIdentifier"))?;
        let ids = self.store.services.get(&service).map(|it| it.listeners.clone()).unwrap_or_default();
        let found = ids
            .iter()
            .filter_map(|id| self.meta(Kind::Listener, id))
            .map(|meta| Found::by_seq(meta.seq, &meta.id))
            .collect();
        self.page("listeners", input, found, Self::view_listener)
    }

    pub(super) fn update_listener(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (service, id) = self.changeable_listener(input)?;
        let Some(listener) = self.store.listeners.get(&id) else {
            return Err(Refusal::not_found("LISTENER", &id));
        };
        let action = input.object("defaultAction").ok_or_else(|| Refusal::other("There is no action."))?;
        let at =
            Use { service: &service, protocol: &listener.protocol, replaces: Some(&listener.default_rule) };
        let action = self.read_action(at, action)?;
        let default_rule = listener.default_rule.clone();
        if let Some(rule) = self.store.rules.get_mut(&default_rule) {
            rule.action = action;
            rule.meta.updated = now;
        }
        if let Some(listener) = self.store.listeners.get_mut(&id) {
            listener.meta.updated = now;
        }
        self.routes_changed(now, &service);
        self.view_listener(&id).ok_or_else(|| Refusal::not_found("LISTENER", &id))
    }

    pub(super) fn delete_listener(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (_, id) = self.changeable_listener(input)?;
        self.remove(now, Kind::Listener, &id);
        Ok(Self::nothing())
    }

    /// Removes a listener with its rules.
    pub(super) fn remove_listener(&mut self, at: Moment, id: &str) {
        let Some(listener) = self.store.listeners.get(id).cloned() else { return };
        for rule in &listener.rules {
            self.remove(at, Kind::Rule, rule);
        }
        self.store.listeners.remove(id);
        if let Some(service) = self.store.services.get_mut(&listener.service) {
            service.listeners.remove(id);
        }
        self.routes_changed(at, &listener.service);
    }

    /// Follows a change of listeners or rules: which target groups the service uses, and what the data plane
    /// will see after the propagation delay.
    pub(super) fn routes_changed(&mut self, now: Moment, service: &str) {
        let groups: BTreeSet<String> = self
            .store
            .services
            .get(service)
            .map(|it| it.listeners.clone())
            .unwrap_or_default()
            .iter()
            .filter_map(|listener| self.store.listeners.get(listener))
            .flat_map(|listener| listener.rules.iter().filter_map(|rule| self.store.rules.get(rule)))
            .flat_map(|rule| groups_of(&rule.action).map(str::to_owned))
            .collect();
        if let Some(it) = self.store.services.get_mut(service) {
            let before = std::mem::replace(&mut it.groups, groups.clone());
            for gone in before.difference(&groups) {
                self.group_used(now, gone, service, false);
            }
            for new in groups.difference(&before) {
                self.group_used(now, new, service, true);
            }
        }
        self.publish_at(now.after(self.settings.delays.propagation), service);
    }
}
