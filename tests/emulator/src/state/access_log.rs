//! Access log subscriptions.

use serde_json::Value;

use super::document::{Input, Output};
use super::kind::Kind;
use super::page::Found;
use super::resources::Generic;
use super::{Document, Moment, Refusal, State};

/// The kind in errors.
const SUBSCRIPTION: &str = "ACCESS_LOG_SUBSCRIPTION";

impl State {
    fn loggable(&self, given: &str) -> Result<(Kind, String), Refusal> {
        let kinds = [Kind::Service, Kind::ServiceNetwork, Kind::ResourceConfiguration];
        let found = kinds.into_iter().find_map(|kind| Some((kind, self.find(kind, given).ok()?)));
        found.ok_or_else(|| {
            let service = given.rsplit('/').next().is_some_and(|id| id.starts_with("svc-"));
            Refusal::not_found(if service { "SERVICE" } else { "SERVICE_NETWORK" }, given)
        })
    }

    pub(super) fn create_access_log(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let (kind, resource) = self.loggable(input.text("resourceIdentifier"))?;
        let destination = input.text("destinationArn");
        let kind_of_log = destination_type(destination)
            .ok_or_else(|| Refusal::field("destinationArn", "must name a log group, a bucket or a stream"))?;
        if let Some((other, _)) = self
            .subscriptions_of(&resource)
            .find(|(_, it)| destination_type(text(it, "destinationArn")) == Some(kind_of_log))
        {
            let message = format!("{resource} has a subscription with a destination of this type.");
            return Err(Refusal::conflict(SUBSCRIPTION, other, message));
        }
        let tags = self.checked_tags(input)?;
        let arn = self.meta(kind, &resource).map(|meta| meta.arn.clone());
        let log_type = (kind == Kind::ServiceNetwork)
            .then(|| input.maybe("serviceNetworkLogType").unwrap_or("SERVICE").to_owned());
        let meta = self.new_meta(now, Kind::AccessLogSubscription, None);
        let id = meta.id.clone();
        self.store_tags(now, &meta.arn, tags);
        let members = Output::new()
            .with("resourceId", resource)
            .maybe("resourceArn", arn)
            .with("destinationArn", destination)
            .maybe("serviceNetworkLogType", log_type)
            .done();
        self.store.others.insert(id.clone(), Generic { meta, life: None, members });
        self.view_other(&id).ok_or_else(|| Refusal::not_found(SUBSCRIPTION, &id))
    }

    fn subscriptions_of<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = (&'a str, &'a Generic)> {
        self.others_of(Kind::AccessLogSubscription)
            .filter(move |it| text(it, "resourceId") == resource)
            .map(|it| (it.meta.id.as_str(), it))
    }

    /// Removes the subscriptions of a resource that goes.
    pub(super) fn remove_subscriptions(&mut self, at: Moment, resource: &str) {
        let ids: Vec<String> = self.subscriptions_of(resource).map(|(id, _)| id.to_owned()).collect();
        for id in ids {
            self.remove(at, Kind::AccessLogSubscription, &id);
        }
    }

    pub(super) fn get_access_log(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("accessLogSubscriptionIdentifier");
        let id = self.find(Kind::AccessLogSubscription, given)?;
        self.view_other(&id).ok_or_else(|| Refusal::not_found(SUBSCRIPTION, given))
    }

    pub(super) fn list_access_logs(&self, input: Input<'_>) -> Result<Document, Refusal> {
        let given = input.text("resourceIdentifier");
        let found = match self.loggable(given) {
            Ok((_, resource)) => {
                self.subscriptions_of(&resource).map(|(id, it)| Found::by_seq(it.meta.seq, id)).collect()
            }
            // The operation's error list has no ResourceNotFoundException.
            Err(_) => Vec::new(),
        };
        self.page("access logs", input, found, Self::view_other)
    }

    pub(super) fn update_access_log(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::AccessLogSubscription, input.text("accessLogSubscriptionIdentifier"))?;
        let destination = input.text("destinationArn");
        let Some(it) = self.store.others.get_mut(&id) else {
            return Err(Refusal::not_found(SUBSCRIPTION, &id));
        };
        if destination_type(text(it, "destinationArn")) != destination_type(destination) {
            let message = "The destination must be of the same type as before.";
            return Err(Refusal::conflict(SUBSCRIPTION, &id, message));
        }
        it.members.insert("destinationArn".to_owned(), Value::from(destination));
        it.meta.updated = now;
        self.view_other(&id).ok_or_else(|| Refusal::not_found(SUBSCRIPTION, &id))
    }

    pub(super) fn delete_access_log(&mut self, now: Moment, input: Input<'_>) -> Result<Document, Refusal> {
        let id = self.find(Kind::AccessLogSubscription, input.text("accessLogSubscriptionIdentifier"))?;
        self.remove(now, Kind::AccessLogSubscription, &id);
        Ok(Self::nothing())
    }

    /// Whether a service or its network has an access log.
    pub(super) fn logged(&self, service: &str, network: &str) -> bool {
        // Asked for every request.
        !self.store.others.is_empty()
            && self.subscriptions_of(service).chain(self.subscriptions_of(network)).next().is_some()
    }

    /// Destinations of the access logs of a service and its network.
    pub fn log_destinations(&self, service: &str, network: &str) -> Vec<String> {
        let both = self.subscriptions_of(service).chain(self.subscriptions_of(network));
        both.map(|(_, it)| text(it, "destinationArn").to_owned()).collect()
    }
}

/// A string member of a resource; empty when absent.
pub(super) fn text<'a>(it: &'a Generic, name: &str) -> &'a str {
    it.members.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The service that a destination belongs to: `logs`, `s3` or `firehose`.
fn destination_type(arn: &str) -> Option<&'static str> {
    let service = arn.split(':').nth(2)?;
    ["logs", "s3", "firehose"].into_iter().find(|known| *known == service)
}
