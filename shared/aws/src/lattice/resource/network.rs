//! The service network.

use crate::AwsError;
use crate::lattice::convert::sdk_tags;
use crate::lattice::names::{Names, forget};
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use trellis_lattice::{
    ActualNetwork, ActualService, CreateNetwork, DeleteNetwork, Desired, DesiredService, Ownership, Tags,
};

/// By ARN, since a shared network may bear the name of one's own.
pub(in crate::lattice) type NetworkIndex = BTreeMap<String, NetworkEntry>;

#[derive(Debug, Clone)]
pub(in crate::lattice) struct NetworkEntry {
    pub(in crate::lattice) id: String,
    pub(in crate::lattice) arn: String,
    pub(in crate::lattice) name: String,
    /// How many services it has; none if that was not read.
    pub(in crate::lattice) services: Option<usize>,
}

impl NetworkEntry {
    /// Entries without id, ARN or name (the model requires none) cannot be worked with and are left out.
    fn of(summary: sdk::ServiceNetworkSummary) -> Option<Self> {
        let services = summary.number_of_associated_services.and_then(|count| count.try_into().ok());
        Some(Self { id: summary.id?, arn: summary.arn?, name: summary.name?, services })
    }

    fn network(&self, ownership: Ownership, tags: Tags) -> ActualNetwork {
        let Self { id, arn, name, services: _ } = self.clone();
        ActualNetwork { id, arn, name, ownership, tags }
    }
}

impl LatticeClient {
    pub(in crate::lattice) async fn networks(
        &self,
        not_before: SystemTime,
    ) -> Result<Arc<NetworkIndex>, AwsError> {
        let load = async {
            let pages =
                self.api().list_service_networks().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let networks = self.list("ListServiceNetworks", pages).await?;
            Ok(networks.into_iter().filter_map(NetworkEntry::of).map(|e| (e.arn.clone(), e)).collect())
        };
        self.inner.networks.get(not_before, load).await
    }

    /// Every network of these names, with its tags.
    pub(in crate::lattice) async fn inspect_networks(
        &self,
        desired: &Desired,
        names: &BTreeSet<&str>,
        not_before: SystemTime,
    ) -> Result<Vec<ActualNetwork>, AwsError> {
        let index = self.networks(not_before).await?;
        let entries = index.values().filter(|entry| names.contains(entry.name.as_str()));
        let read = entries.map(|entry| async move {
            let owned = self.ownership(&desired.owner, &entry.arn).await?;
            Ok(owned.map(|(ownership, tags)| entry.network(ownership, tags)))
        });
        let networks: Vec<Option<ActualNetwork>> = try_join_all(read).await?;
        Ok(networks.into_iter().flatten().collect())
    }

    /// The wanted networks that exist, by ARN. One that a service is associated with is known to exist; the others are
    /// looked up, in a fresh listing if the kept one lacks any. Whose a network is matters where a service is still to be
    /// associated with it, or again because that failed, unless it may be used whosever it is.
    pub(in crate::lattice) async fn networks_of_services(
        &self,
        desired: &Desired,
        services: &[ActualService],
        associated: BTreeMap<String, NetworkEntry>,
        not_before: SystemTime,
    ) -> Result<(Vec<ActualNetwork>, BTreeMap<String, usize>), AwsError> {
        let mut networks = associated;
        let missing: BTreeSet<&String> = desired
            .services
            .iter()
            .flat_map(|service| &service.networks)
            .filter(|name| !networks.values().any(|entry| entry.name == **name))
            .collect();
        if !missing.is_empty() {
            let mut index = self.networks(SystemTime::UNIX_EPOCH).await?;
            if !missing.iter().all(|name| index.values().any(|entry| entry.name == **name)) {
                index = self.networks(not_before).await?;
            }
            let found: Vec<_> = index.iter().filter(|(_, entry)| missing.contains(&entry.name)).collect();
            networks.extend(found.into_iter().map(|(arn, entry)| (arn.clone(), entry.clone())));
        }
        let lacks = |wanted: &DesiredService, network: &str| {
            let held = services.iter().find(|service| service.name == wanted.name);
            wanted.networks.contains(network)
                && !held.is_some_and(|held| {
                    held.associations.iter().any(|one| one.network == network && one.status.lasts())
                })
        };
        let read = networks.values().map(|entry| async move {
            let is_to_be_used = desired.services.iter().any(|wanted| lacks(wanted, &entry.name));
            if !is_to_be_used || desired.allows(&entry.name, &entry.arn) {
                return Ok(Some(entry.network(Ownership::Unread, Tags::new())));
            }
            let owned = self.ownership(&desired.owner, &entry.arn).await?;
            Ok(owned.map(|(ownership, tags)| entry.network(ownership, tags)))
        });
        let read: Vec<Option<ActualNetwork>> = try_join_all(read).await?;
        let usage =
            networks.values().filter_map(|entry| Some((entry.name.clone(), entry.services?))).collect();
        Ok((read.into_iter().flatten().collect(), usage))
    }
}

impl Perform for CreateNetwork {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateServiceNetwork";
        let Self { network, tags } = self;
        let request =
            client.api().create_service_network().name(network).set_tags(Some(sdk_tags(tags))).send();
        let output = client.write(OPERATION, request).await?;
        let made = client.made(OPERATION, output.id, output.arn, tags)?;
        let entry = NetworkEntry {
            id: made.id.clone(),
            arn: made.arn.clone(),
            name: network.clone(),
            services: Some(0),
        };
        names.lock().networks.insert(network.clone(), made);
        client.inner.networks.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(StepEnd::Done)
    }
}

impl Perform for DeleteNetwork {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { network, id } = self;
        let request = client.api().delete_service_network().service_network_identifier(id).send();
        found(client.write("DeleteServiceNetwork", request).await)?;
        forget(&mut names.lock().networks, network, id);
        client.inner.networks.change(|index| index.retain(|_, entry| entry.id != *id)).await;
        Ok(StepEnd::Done)
    }
}
