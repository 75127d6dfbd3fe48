//! Auth policies and resource policies.

use super::document::{Input, Output};
use super::kind::Kind;
use super::settings::Permission;
use super::{Document, Moment, Policy, Refusal, State};

impl State {
    /// The service or service network that an auth policy is for, with its auth type.
    fn policy_holder(&self, input: Input<'_>) -> Result<(String, &str), Refusal> {
        let given = input.text("resourceIdentifier");
        if let Ok(id) = self.find(Kind::Service, given) {
            let auth_type = self.store.services.get(&id).map_or("NONE", |service| &service.auth_type);
            return Ok((id, auth_type));
        }
        let id = self.find(Kind::ServiceNetwork, given)?;
        let auth_type = self.store.networks.get(&id).map_or("NONE", |network| &network.auth_type);
        Ok((id, auth_type))
    }

    pub(super) fn put_auth_policy(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let text = input.text("policy");
        let max = self.settings.switches.auth_policy_max;
        if text.len() > max {
            return Err(Refusal::field("policy", format!("must have at most {max} bytes")));
        }
        if text.contains(['\n', '\r']) {
            return Err(Refusal::field("policy", "must have no newlines"));
        }
        if !serde_json::from_str::<serde_json::Value>(text).is_ok_and(|policy| policy.is_object()) {
            return Err(Refusal::field("policy", "must be a JSON object"));
        }
        let (id, auth_type) = self.policy_holder(input)?;
        let state = state_of(auth_type);
        let before = self.store.auth_policies.get(&id);
        let created = before.map_or(now, |policy| policy.created);
        let previous = before.map(|policy| policy.text.clone());
        self.store
            .auth_policies
            .insert(id, Policy { text: text.to_owned(), previous, created, updated: now });
        Ok(Output::new().with("policy", text).with("state", state).done())
    }

    pub(super) fn get_auth_policy(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let (id, auth_type) = self.policy_holder(input)?;
        let view = match self.store.auth_policies.get(&id) {
            None => return Err(Refusal::not_found("AUTH_POLICY", input.text("resourceIdentifier"))),
            Some(policy) => Output::new()
                .with("policy", policy.text.as_str())
                .with("state", state_of(auth_type))
                .with("createdAt", policy.created.iso())
                .with("lastUpdatedAt", policy.updated.iso()),
        };
        Ok(view.done())
    }

    pub(super) fn delete_auth_policy(&mut self, input: Input<'_>) -> Result<Document, Refusal> {
        let (id, auth_type) = self.policy_holder(input)?;
        let guarded = self.settings.switches.delete_auth_policy == Permission::Conflict;
        if guarded && auth_type == "AWS_IAM" {
            // The operation's error list has no conflict.
            return Err(Refusal::other("The auth type is AWS_IAM; set it to NONE first."));
        }
        if self.store.auth_policies.remove(&id).is_none() {
            return Err(Refusal::not_found("AUTH_POLICY", input.text("resourceIdentifier")));
        }
        Ok(Self::nothing())
    }

    fn shareable(&self, input: Input<'_>) -> Result<String, Refusal> {
        let arn = input.text("resourceArn");
        let known = [Kind::Service, Kind::ServiceNetwork, Kind::ResourceConfiguration]
            .into_iter()
            .any(|kind| self.find(kind, arn).is_ok());
        if known { Ok(arn.to_owned()) } else { Err(Refusal::not_found("RESOURCE", arn)) }
    }

    pub(super) fn put_resource_policy(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let arn = self.shareable(input)?;
        let text = input.text("policy");
        if !serde_json::from_str::<serde_json::Value>(text).is_ok_and(|policy| policy.is_object()) {
            return Err(Refusal::field("policy", "must be a JSON object"));
        }
        let policy = Policy { text: text.to_owned(), previous: None, created: now, updated: now };
        self.store.resource_policies.insert(arn, policy);
        Ok(Self::nothing())
    }

    pub(super) fn get_resource_policy(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let arn = self.shareable(input)?;
        match self.store.resource_policies.get(&arn) {
            Some(policy) => Ok(Output::new().with("policy", policy.text.as_str()).done()),
            None => Err(Refusal::not_found("RESOURCE_POLICY", &arn)),
        }
    }

    pub(super) fn delete_resource_policy(&mut self, input: Input<'_>) -> Result<Document, Refusal> {
        let arn = self.shareable(input)?;
        match self.store.resource_policies.remove(&arn) {
            Some(_) => Ok(Self::nothing()),
            None => Err(Refusal::not_found("RESOURCE_POLICY", &arn)),
        }
    }
}

fn state_of(auth_type: &str) -> &'static str {
    if auth_type == "AWS_IAM" { "Active" } else { "Inactive" }
}
