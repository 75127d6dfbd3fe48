//! Reads a service with all below it.

use super::convert::{action, listener_protocol, rule_match, small, status};
use super::index::{NetworkEntry, ServiceEntry};
use super::wait::PROPAGATION;
use super::{LatticeClient, PAGE_ENTRIES, found};
use crate::AwsError;
use aws_sdk_vpclattice::primitives::DateTime;
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::time::SystemTime;
use trellis_lattice::{
    Action, ActualAssociation, ActualListener, ActualRule, ActualService, Desired, DesiredService,
    ListenerProtocol, Ownership, PathMatch, RuleMatch, Status,
};

impl LatticeClient {
    /// A service, and the networks that it is associated with.
    ///
    /// `group_names` has the names of all target groups by id; `shares_target_group` says whether the service uses one
    /// that the unit wants.
    pub(super) async fn inspect_service(
        &self,
        desired: &Desired,
        entry: &ServiceEntry,
        group_names: &BTreeMap<String, String>,
        shares_target_group: bool,
    ) -> Result<Option<(ActualService, Vec<NetworkEntry>)>, AwsError> {
        let Some((ownership, tags)) = self.ownership(&desired.owner, &entry.arn).await? else {
            return Ok(None);
        };
        let wanted = desired.services.iter().find(|wanted| wanted.name == entry.name);
        let mut service = ActualService {
            id: entry.id.clone(),
            arn: entry.arn.clone(),
            name: entry.name.clone(),
            status: entry.status,
            dns_name: entry.dns_name.clone(),
            custom_domain: entry.custom_domain.clone(),
            certificate_arn: None,
            ownership,
            tags,
            listeners: vec![],
            is_propagating: false,
            associations: vec![],
        };
        if service.ownership != Ownership::Ours || service.status == Status::DeleteInProgress {
            return Ok(Some((service, vec![])));
        }
        let parts = match wanted {
            Some(wanted) => futures::try_join!(
                self.associations(&entry.id),
                self.listeners(&entry.id, group_names),
                self.certificate(&entry.id, wanted),
            ),
            None => self.parts_of_unwanted(desired, entry, group_names, shares_target_group).await,
        };
        let Some((associations, (listeners, is_propagating), certificate_arn)) = found(parts)? else {
            return Ok(None);
        };
        service.is_propagating = is_propagating;
        let networks;
        (service.associations, networks) = associations.into_iter().unzip();
        service.listeners = listeners;
        service.certificate_arn = certificate_arn;
        Ok(Some((service, networks)))
    }

    /// Of a service that is to go. Its listeners go with it and need not be read, unless they must go before: because
    /// they use a target group that a wanted service is to have, or because the service has to stay, since an
    /// association that is not ours holds it.
    async fn parts_of_unwanted(
        &self,
        desired: &Desired,
        entry: &ServiceEntry,
        group_names: &BTreeMap<String, String>,
        shares_target_group: bool,
    ) -> Result<(Vec<(ActualAssociation, NetworkEntry)>, Listeners, Option<String>), AwsError> {
        let associations = self.associations(&entry.id).await?;
        let arns = associations.iter().map(|(association, _)| association.arn.clone()).collect();
        let tags = self.tags(&arns).await?;
        let held = tags.values().any(|tags| desired.owner.of(tags) != Ownership::Ours);
        let listeners = if held || shares_target_group {
            self.listeners(&entry.id, group_names).await?
        } else {
            (vec![], false)
        };
        Ok((associations, listeners, None))
    }

    async fn associations(&self, service: &str) -> Result<Vec<(ActualAssociation, NetworkEntry)>, AwsError> {
        let pages = self
            .api()
            .list_service_network_service_associations()
            .service_identifier(service)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let summaries = self.list("ListServiceNetworkServiceAssociations", pages).await?;
        let mut associations: Vec<_> = summaries
            .into_iter()
            .filter_map(|summary| {
                let network = NetworkEntry {
                    id: summary.service_network_id?,
                    arn: summary.service_network_arn?,
                    name: summary.service_network_name?,
                };
                let association = ActualAssociation {
                    id: summary.id?,
                    arn: summary.arn?,
                    network: network.name.clone(),
                    status: status(
                        summary.status.as_ref().map(sdk::ServiceNetworkServiceAssociationStatus::as_str),
                    ),
                    ownership: Ownership::Unread,
                };
                Some((association, network))
            })
            .collect();
        associations.sort_by(|(a, _), (b, _)| (&a.network, &a.arn).cmp(&(&b.network, &b.arn)));
        Ok(associations)
    }

    /// Only GetService tells the certificate; without a wish for one there is nothing to compare.
    async fn certificate(&self, service: &str, wanted: &DesiredService) -> Result<Option<String>, AwsError> {
        if wanted.certificate_arn.is_none() {
            return Ok(None);
        }
        let request = self.api().get_service().service_identifier(service).send();
        let output = self.read("GetService", request).await?;
        Ok(output.certificate_arn.filter(|arn| !arn.is_empty()))
    }

    async fn listeners(
        &self,
        service: &str,
        group_names: &BTreeMap<String, String>,
    ) -> Result<Listeners, AwsError> {
        let pages = self
            .api()
            .list_listeners()
            .service_identifier(service)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let summaries = self.list("ListListeners", pages).await?;
        let listeners = summaries.into_iter().map(|summary| self.listener(service, summary, group_names));
        let read: Vec<(ActualListener, bool)> =
            try_join_all(listeners).await?.into_iter().flatten().collect();
        let is_propagating = read.iter().any(|(_, is_propagating)| *is_propagating);
        let mut listeners: Vec<_> = read.into_iter().map(|(listener, _)| listener).collect();
        listeners.sort_by_key(|listener| listener.port);
        Ok((listeners, is_propagating))
    }

    async fn listener(
        &self,
        service: &str,
        summary: sdk::ListenerSummary,
        group_names: &BTreeMap<String, String>,
    ) -> Result<Option<(ActualListener, bool)>, AwsError> {
        let changed = is_propagating(summary.last_updated_at.as_ref());
        let (Some(id), Some(arn), Some(name), Some(port)) =
            (summary.id, summary.arn, summary.name, small(summary.port))
        else {
            return Ok(None);
        };
        let get = self.api().get_listener().service_identifier(service).listener_identifier(&id).send();
        let (details, (rules, rules_changed)) =
            futures::try_join!(self.read("GetListener", get), self.rules(service, &id, group_names))?;
        let listener = ActualListener {
            id,
            arn,
            name,
            port,
            // One of a protocol that this version does not know is changed into none of ours: it is not wanted.
            protocol: listener_protocol(summary.protocol.as_ref())
                .unwrap_or(ListenerProtocol::TlsPassthrough),
            default_action: details
                .default_action
                .as_ref()
                .and_then(|wire| action(wire, group_names))
                .unwrap_or(UNKNOWN_ACTION),
            rules,
            ownership: Ownership::Unread,
        };
        Ok(Some((listener, changed || rules_changed)))
    }

    async fn rules(
        &self,
        service: &str,
        listener: &str,
        group_names: &BTreeMap<String, String>,
    ) -> Result<(Vec<ActualRule>, bool), AwsError> {
        let pages = self
            .api()
            .list_rules()
            .service_identifier(service)
            .listener_identifier(listener)
            .into_paginator()
            .page_size(PAGE_ENTRIES)
            .items()
            .send();
        let summaries = self.list("ListRules", pages).await?;
        let changed = summaries.iter().any(|summary| is_propagating(summary.last_updated_at.as_ref()));
        let rules = summaries
            .into_iter()
            .filter(|summary| summary.is_default != Some(true))
            .filter_map(|summary| summary.id)
            .map(|id| self.rule(service, listener, id, group_names));
        let mut rules: Vec<_> = try_join_all(rules).await?.into_iter().flatten().collect();
        rules.sort_by_key(|rule| rule.priority);
        Ok((rules, changed))
    }

    async fn rule(
        &self,
        service: &str,
        listener: &str,
        id: String,
        group_names: &BTreeMap<String, String>,
    ) -> Result<Option<ActualRule>, AwsError> {
        let request = self
            .api()
            .get_rule()
            .service_identifier(service)
            .listener_identifier(listener)
            .rule_identifier(&id)
            .send();
        let Some(rule) = found(self.read("GetRule", request).await)? else { return Ok(None) };
        let (Some(arn), Some(name), Some(priority)) = (rule.arn, rule.name, small(rule.priority)) else {
            return Ok(None);
        };
        Ok(Some(ActualRule {
            id,
            arn,
            name,
            priority,
            matches: rule.r#match.as_ref().and_then(rule_match).unwrap_or_else(unknown_match),
            action: rule.action.as_ref().and_then(|wire| action(wire, group_names)).unwrap_or(UNKNOWN_ACTION),
            ownership: Ownership::Unread,
        }))
    }
}

/// A service's listeners, and whether any of them or of their rules was changed a moment ago.
type Listeners = (Vec<ActualListener>, bool);

/// Whether the data plane may not have followed a change of this time yet. AWS's clock and this one may differ by a little.
fn is_propagating(changed: Option<&DateTime>) -> bool {
    let changed = changed.and_then(|changed| SystemTime::try_from(*changed).ok());
    let distance = |changed: SystemTime| match changed.duration_since(SystemTime::now()) {
        Ok(ahead) => ahead,
        Err(behind) => behind.duration(),
    };
    changed.is_some_and(|changed| distance(changed) < PROPAGATION)
}

/// Stands for an action that this version cannot express. It is equal to no wish: a forward has at least one group.
const UNKNOWN_ACTION: Action = Action::Forward(Vec::new());

/// Stands for a match that this version cannot express. It is equal to no wish: a path begins with a slash.
fn unknown_match() -> RuleMatch {
    RuleMatch { path: Some(PathMatch::Exact("(unknown match)".to_owned())), ..RuleMatch::default() }
}
