//! All resources as one document, for people and tests.

use serde_json::{Value, json};

use super::document::Output;
use super::kind::Kind;
use super::{Document, Moment, State};

impl State {
    /// All resources with their tags, statuses and, for target groups, targets with their health.
    pub fn report(&mut self, now: Moment) -> Value {
        self.advance(now);
        let store = &self.store;
        let tagged = |view: Option<Document>| view.map(|view| self.tagged(view));
        let services: Vec<Document> = store
            .services
            .keys()
            .filter_map(|id| tagged(self.view_service(id)).map(|it| self.nested(id, it)))
            .collect();
        let groups: Vec<Document> = store
            .groups
            .iter()
            .filter_map(|(id, group)| {
                let targets: Vec<Value> = group
                    .targets
                    .iter()
                    .map(|(key, target)| {
                        let (status, reason) = group.status_of(target);
                        let view = Output::new()
                            .with("id", key.id.as_str())
                            .maybe("port", key.port)
                            .with("status", status)
                            .maybe("reasonCode", reason);
                        Value::Object(view.done())
                    })
                    .collect();
                let mut view = tagged(self.view_group(id))?;
                view.insert("targets".to_owned(), Value::Array(targets));
                Some(view)
            })
            .collect();
        let others = |kind: Kind| -> Vec<Document> {
            self.others_of(kind).filter_map(|it| tagged(self.view_other(&it.meta.id))).collect()
        };
        json!({
            "serviceNetworks": store.networks.keys().filter_map(|id| tagged(self.view_network(id))).collect::<Vec<_>>(),
            "services": services,
            "targetGroups": groups,
            "serviceNetworkServiceAssociations": store.service_associations.keys()
                .filter_map(|id| tagged(self.view_service_link(id))).collect::<Vec<_>>(),
            "serviceNetworkVpcAssociations": store.vpc_associations.keys()
                .filter_map(|id| tagged(self.view_vpc_link(id))).collect::<Vec<_>>(),
            "vpcEndpoints": store.endpoints.keys()
                .filter_map(|id| tagged(self.view_endpoint(id))).collect::<Vec<_>>(),
            "serviceNetworkResourceAssociations": others(Kind::ResourceAssociation),
            "accessLogSubscriptions": others(Kind::AccessLogSubscription),
            "resourceGateways": others(Kind::ResourceGateway),
            "resourceConfigurations": others(Kind::ResourceConfiguration),
            "domainVerifications": others(Kind::DomainVerification),
            "authPolicies": store.auth_policies,
            "resourcePolicies": store.resource_policies,
            "vpcs": store.vpcs,
        })
    }

    fn tagged(&self, mut view: Document) -> Document {
        let arn = view.get("arn").and_then(Value::as_str).unwrap_or_default();
        let tags = json!(self.store.tags.get(arn));
        view.insert("tags".to_owned(), tags);
        view
    }

    /// A service with its listeners, and those with their rules.
    fn nested(&self, service: &str, mut view: Document) -> Document {
        let ids = self.store.services.get(service).map(|it| it.listeners.clone()).unwrap_or_default();
        let listeners: Vec<Value> = ids
            .iter()
            .filter_map(|id| {
                let mut view = self.tagged(self.view_listener(id)?);
                let mut rules: Vec<Document> = self
                    .store
                    .listeners
                    .get(id)?
                    .rules
                    .iter()
                    .filter_map(|rule| self.view_rule(rule).map(|rule| self.tagged(rule)))
                    .collect();
                let priority = |rule: &Document| rule.get("priority").and_then(Value::as_u64);
                rules.sort_by_key(|rule| priority(rule).unwrap_or(u64::MAX));
                view.insert("rules".to_owned(), json!(rules));
                Some(Value::Object(view))
            })
            .collect();
        view.insert("listeners".to_owned(), Value::Array(listeners));
        view
    }

    /// How many resources of all kinds there are.
    pub fn count(&self) -> usize {
        self.store.tags.len()
    }
}
