//! The listener of a service.

use super::action::{self, sdk_action};
use crate::AwsError;
use crate::lattice::convert::{is_propagating, sdk_tags, small};
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeMap;
use std::time::Instant;
use trellis_lattice::{
    ActualListener, CreateListener, DeleteListener, ListenerProtocol, Ownership, Tags, UpdateListener,
};

/// A service's listeners, and whether any of them or of their rules was changed a moment ago.
pub(in crate::lattice) type Listeners = (Vec<ActualListener>, bool);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK's enum is open; what is new in it is none of ours"
)]
fn listener_protocol(protocol: Option<&sdk::ListenerProtocol>) -> Option<ListenerProtocol> {
    match protocol? {
        sdk::ListenerProtocol::Http => Some(ListenerProtocol::Http),
        sdk::ListenerProtocol::Https => Some(ListenerProtocol::Https),
        sdk::ListenerProtocol::TlsPassthrough => Some(ListenerProtocol::TlsPassthrough),
        _ => None,
    }
}

fn sdk_listener_protocol(protocol: ListenerProtocol) -> sdk::ListenerProtocol {
    match protocol {
        ListenerProtocol::Http => sdk::ListenerProtocol::Http,
        ListenerProtocol::Https => sdk::ListenerProtocol::Https,
        ListenerProtocol::TlsPassthrough => sdk::ListenerProtocol::TlsPassthrough,
    }
}

impl LatticeClient {
    /// The listeners of a service, by its id, with their rules. `group_names` has the names of target groups by id.
    pub(in crate::lattice) async fn listeners(
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
                .and_then(|wire| action::action(wire, group_names))
                .unwrap_or(action::UNKNOWN),
            rules,
            ownership: Ownership::Unread,
            tags: Tags::new(),
        };
        Ok(Some((listener, changed || rules_changed)))
    }
}

impl Perform for CreateListener {
    const LANE: Lane = Lane::Attach;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateListener";
        let Self { service, listener, port, protocol, default_action, tags } = self;
        let request = client
            .api()
            .create_listener()
            .service_identifier(names.service(OPERATION, service)?.id)
            .name(listener)
            .port((*port).into())
            .protocol(sdk_listener_protocol(*protocol))
            .default_action(sdk_action(names, OPERATION, default_action)?)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = client.write(OPERATION, request).await?;
        let made = client.made(OPERATION, output.id, output.arn, tags)?;
        let mut known = names.lock();
        known.priorities.insert((service.clone(), *port), BTreeMap::new());
        known.listeners.insert((service.clone(), *port), made.id);
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateListener {
    const LANE: Lane = Lane::Attach;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "UpdateListener";
        let (service, listener) = names.listener(OPERATION, &self.service, self.port)?;
        let request = client
            .api()
            .update_listener()
            .service_identifier(service)
            .listener_identifier(listener)
            .default_action(sdk_action(names, OPERATION, &self.default_action)?)
            .send();
        client.write(OPERATION, request).await?;
        Ok(StepEnd::Done)
    }
}

impl Perform for DeleteListener {
    const LANE: Lane = Lane::DeleteListeners;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "DeleteListener";
        let (service, listener) = names.listener(OPERATION, &self.service, self.port)?;
        let delete = client.api().delete_listener().service_identifier(service);
        found(client.write(OPERATION, delete.listener_identifier(listener).send()).await)?;
        let (mut known, key) = (names.lock(), (self.service.clone(), self.port));
        known.listeners.remove(&key);
        known.priorities.remove(&key);
        Ok(StepEnd::Done)
    }
}
