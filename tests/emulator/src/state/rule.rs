//! Rules.

use super::action::{Use, view_conditions};
use super::document::Input;
use super::kind::Kind;
use super::network::over;
use super::page::Found;
use super::resources::Rule;
use super::{Document, Moment, Refusal, State, quota};
use lattice_routing::Conditions;

impl State {
    pub(super) fn create_rule(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (service, listener) = self.changeable_listener(input)?;
        let Some(owner) = self.store.listeners.get(&listener) else {
            return Err(Refusal::not_found("LISTENER", &listener));
        };
        if owner.protocol == "TLS_PASSTHROUGH" {
            return Err(Refusal::other("A TLS_PASSTHROUGH listener has only its default rule."));
        }
        let name = input.text("name");
        let siblings: Vec<&Rule> = owner.rules.iter().filter_map(|rule| self.store.rules.get(rule)).collect();
        if let Some(other) = siblings.iter().find(|rule| rule.name == name) {
            let message = format!("A rule with the name {name} exists in {listener}.");
            return Err(self.clash(Kind::Rule, &other.meta.id, "name", &message));
        }
        let counted = siblings.len() - usize::from(!self.settings.switches.quota_counts_default);
        if counted >= self.settings.quotas.rules_per_listener {
            return Err(over(Kind::Rule, quota::RULES, Some(&listener)));
        }
        let priority = self.read_priority(input)?.unwrap_or_default();
        self.check_priority(&listener, "", priority)?;
        let conditions = self.required_conditions(input)?;
        let action = input.object("action").ok_or_else(|| Refusal::other("There is no action."))?;
        let at = Use { service: &service, protocol: &owner.protocol, replaces: None };
        let action = self.read_action(at, action)?;
        let tags = self.checked_tags(input)?;
        let parent = owner.meta.arn.clone();
        let meta = self.new_meta(now, Kind::Rule, Some(&parent));
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, tags);
        let rule = Rule {
            meta,
            service: service.clone(),
            listener: listener.clone(),
            name: name.to_owned(),
            priority: Some(priority),
            conditions,
            action,
        };
        self.store.rules.insert(id.clone(), rule);
        if let Some(owner) = self.store.listeners.get_mut(&listener) {
            owner.rules.insert(id.clone());
        }
        self.routes_changed(now, &service);
        self.view_rule(&id).ok_or_else(|| Refusal::not_found("RULE", &id))
    }

    fn required_conditions(&self, input: Input<'_>) -> Result<Conditions, Refusal> {
        let matcher = input.object("match").ok_or_else(|| Refusal::field("match", "is required"))?;
        Ok(self.read_conditions(matcher))
    }

    /// The priority of the request, checked against the largest allowed one.
    pub(super) fn read_priority(&self, input: Input<'_>) -> Result<Option<u32>, Refusal> {
        let Some(priority) = input.number("priority") else { return Ok(None) };
        let max = self.settings.switches.priority_max;
        match u32::try_from(priority) {
            Ok(priority) if priority <= max => Ok(Some(priority)),
            _ => Err(Refusal::field("priority", format!("must be 1 to {max}"))),
        }
    }

    fn check_priority(&self, listener: &str, own: &str, priority: u32) -> Result<(), Refusal> {
        let other =
            self.store.rules.values().find(|rule| {
                rule.listener == listener && rule.meta.id != own && rule.priority == Some(priority)
            });
        match other {
            None => Ok(()),
            Some(other) => {
                let message = format!("Priority {priority} is in use in {listener}.");
                Err(self.clash(Kind::Rule, &other.meta.id, "priority", &message))
            }
        }
    }

    /// Ids of a service, one of its listeners, and one of that listener's rules.
    pub(super) fn find_rule(&self, input: Input<'_>) -> Result<(String, String, String), Refusal> {
        let (service, listener) = self.find_listener(input)?;
        let given = input.text("ruleIdentifier");
        let rule = self.find(Kind::Rule, given)?;
        let owned = self.store.rules.get(&rule).is_some_and(|it| it.listener == listener);
        if owned { Ok((service, listener, rule)) } else { Err(Refusal::not_found("RULE", given)) }
    }

    /// Everything there is to show of a rule.
    pub(super) fn view_rule(&self, id: &str) -> Option<Document> {
        let rule = self.store.rules.get(id)?;
        let priority = rule.priority.or(self.settings.switches.default_rule_priority);
        let matcher = (!rule.is_default()).then(|| view_conditions(&rule.conditions, false));
        let view = Self::base(&rule.meta)
            .with("name", rule.name.as_str())
            .with("isDefault", rule.is_default())
            .maybe("match", matcher)
            .maybe("priority", priority)
            .with("action", self.view_action(&rule.action));
        Some(view.done())
    }

    pub(super) fn get_rule(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let (_, _, id) = self.find_rule(input)?;
        let (Some(mut view), Some(rule)) = (self.view_rule(&id), self.store.rules.get(&id)) else {
            return Err(Refusal::not_found("RULE", &id));
        };
        if !rule.is_default() {
            view.insert("match".to_owned(), view_conditions(&rule.conditions, true));
        }
        Ok(view)
    }

    pub(super) fn list_rules(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let (_, listener) = self.find_listener(input)?;
        let ids = self.store.listeners.get(&listener).map(|it| it.rules.clone()).unwrap_or_default();
        let found = ids
            .iter()
            .filter_map(|id| self.meta(Kind::Rule, id))
            .map(|meta| Found::by_seq(meta.seq, &meta.id))
            .collect();
        self.page("rules", input, found, Self::view_rule)
    }

    pub(super) fn update_rule(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (service, listener, id) = self.find_rule(input)?;
        self.changeable_service(&service)?;
        let change = self.read_rule_change(&service, &listener, &id, input)?;
        if let Some(priority) = change.priority {
            self.check_priority(&listener, &id, priority)?;
        }
        self.apply_rule_change(now, &id, change);
        self.routes_changed(now, &service);
        self.view_rule(&id).ok_or_else(|| Refusal::not_found("RULE", &id))
    }

    /// Reads a change of a rule; the clash of priorities is left to the caller.
    pub(super) fn read_rule_change(
        &self,
        service: &str,
        listener: &str,
        id: &str,
        input: Input<'_>,
    ) -> Result<Change, Refusal> {
        let rule = self.store.rules.get(id).ok_or_else(|| Refusal::not_found("RULE", id))?;
        if rule.is_default() {
            let message = "is the default rule; change the listener's default action instead";
            return Err(Refusal::field("ruleIdentifier", message));
        }
        let protocol = self.store.listeners.get(listener).map_or("HTTP", |it| it.protocol.as_str());
        let at = Use { service, protocol, replaces: Some(id) };
        Ok(Change {
            priority: self.read_priority(input)?,
            conditions: input.object("match").map(|matcher| self.read_conditions(matcher)),
            action: input.object("action").map(|action| self.read_action(at, action)).transpose()?,
        })
    }

    /// Carries out a change of a rule.
    pub(super) fn apply_rule_change(&mut self, now: Moment, id: &str, change: Change) {
        if let Some(rule) = self.store.rules.get_mut(id) {
            rule.priority = change.priority.or(rule.priority);
            if let Some(conditions) = change.conditions {
                rule.conditions = conditions;
            }
            if let Some(action) = change.action {
                rule.action = action;
            }
            rule.meta.updated = now;
        }
    }

    pub(super) fn delete_rule(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (service, listener, id) = self.find_rule(input)?;
        self.changeable_service(&service)?;
        if self.store.rules.get(&id).is_some_and(Rule::is_default) {
            return Err(Refusal::field("ruleIdentifier", "is the default rule, which cannot be deleted"));
        }
        self.remove(now, Kind::Rule, &id);
        if let Some(owner) = self.store.listeners.get_mut(&listener) {
            owner.rules.remove(&id);
        }
        self.routes_changed(now, &service);
        Ok(Self::nothing())
    }
}

/// A change of a rule that has been checked.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) priority: Option<u32>,
    pub(super) conditions: Option<Conditions>,
    pub(super) action: Option<lattice_routing::Action>,
}
