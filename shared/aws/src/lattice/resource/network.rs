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

    /// The entry by each name that it is wanted by, its own or its id, as a Gateway may be named after either; else by its own.
    pub(in crate::lattice) fn called(&self, wanted: &BTreeSet<&str>) -> Vec<Self> {
        let names = [&self.name, &self.id].into_iter().filter(|name| wanted.contains(name.as_str()));
        let called: Vec<Self> = names.map(|name| Self { name: name.clone(), ..self.clone() }).collect();
        if called.is_empty() { vec![self.clone()] } else { called }
    }

    fn network(&self, ownership: Ownership, tags: Tags) -> ActualNetwork {
        let Self { id, arn, name, services: _ } = self.clone();
        ActualNetwork { id, arn, name, ownership, tags }
    }
}

impl LatticeClient {
    /// The networks of the account, those that others share with it, and those of `allowed` that are named by their ARN: a
    /// listing need not show what is shared.
    async fn networks(
        &self,
        allowed: &BTreeSet<String>,
        not_before: SystemTime,
    ) -> Result<Arc<NetworkIndex>, AwsError> {
        let load = async {
            let pages =
                self.api().list_service_networks().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let networks = self.list("ListServiceNetworks", pages).await?;
            let entries = networks.into_iter().filter_map(NetworkEntry::of);
            let mut index: NetworkIndex = entries.map(|entry| (entry.arn.clone(), entry)).collect();
            let unlisted = allowed.iter().filter(|one| one.starts_with("arn:") && !index.contains_key(*one));
            let read = try_join_all(unlisted.map(|arn| self.network_of(arn))).await?;
            index.extend(read.into_iter().flatten().map(|entry| (entry.arn.clone(), entry)));
            Ok(index)
        };
        self.inner.networks.get(not_before, load).await
    }

    /// One network by its ARN; none where there is none, or none that this account may see.
    async fn network_of(&self, arn: &str) -> Result<Option<NetworkEntry>, AwsError> {
        let request = self.api().get_service_network().service_network_identifier(arn).send();
        match found(self.read("GetServiceNetwork", request).await) {
            Ok(read) => Ok(read.and_then(|read| {
                let services = read.number_of_associated_services.and_then(|count| count.try_into().ok());
                Some(NetworkEntry { id: read.id?, arn: read.arn?, name: read.name?, services })
            })),
            // Of what is no network's ARN AWS says that it is invalid; it must not cost those that are.
            Err(error) if error.is_access_denied() || error.is_invalid() => {
                tracing::warn!(arn, error = %error, "a network that is allowed cannot be read: taken as absent");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Every network of these names, with its tags.
    pub(in crate::lattice) async fn inspect_networks(
        &self,
        desired: &Desired,
        names: &BTreeSet<&str>,
        not_before: SystemTime,
    ) -> Result<Vec<ActualNetwork>, AwsError> {
        let index = self.networks(&desired.allowed_networks, not_before).await?;
        let entries = index.values().flat_map(|entry| entry.called(names));
        let read = entries.filter(|entry| names.contains(entry.name.as_str())).map(|entry| async move {
            let owned = self.ownership(&desired.owner, &entry.arn).await?;
            Ok(owned.map(|(ownership, tags)| entry.network(ownership, tags)))
        });
        let networks: Vec<Option<ActualNetwork>> = try_join_all(read).await?;
        Ok(desired.meant(&networks.into_iter().flatten().collect::<Vec<_>>()))
    }

    /// The wanted networks that exist. One that a service is associated with is known to exist; the others are
    /// looked up, in a fresh listing if the kept one lacks any. Whose a network is matters where a service is still to be
    /// associated with it, or again because that failed, unless it may be used whosever it is.
    pub(in crate::lattice) async fn networks_of_services(
        &self,
        desired: &Desired,
        services: &[ActualService],
        associated: impl IntoIterator<Item = NetworkEntry>,
        not_before: SystemTime,
    ) -> Result<(Vec<ActualNetwork>, BTreeMap<String, usize>), AwsError> {
        let associated = associated.into_iter().map(|entry| ((entry.name.clone(), entry.arn.clone()), entry));
        let mut networks: BTreeMap<(String, String), NetworkEntry> = associated.collect();
        let mut missing = networks_wanted(desired);
        missing.retain(|name| !networks.values().any(|entry| entry.name == *name));
        if !missing.is_empty() {
            let allowed = &desired.allowed_networks;
            let found = |index: &NetworkIndex| -> Vec<NetworkEntry> {
                let called = index.values().flat_map(|entry| entry.called(&missing));
                called.filter(|entry| missing.contains(entry.name.as_str())).collect()
            };
            let mut there = found(&*self.networks(allowed, SystemTime::UNIX_EPOCH).await?);
            if !missing.iter().all(|name| there.iter().any(|entry| entry.name == *name)) {
                there = found(&*self.networks(allowed, not_before).await?);
            }
            networks.extend(there.into_iter().map(|entry| ((entry.name.clone(), entry.arn.clone()), entry)));
        }
        let networks: Vec<NetworkEntry> = networks.into_values().collect();
        let lacks = |wanted: &DesiredService, network: &str| {
            let held = services.iter().find(|service| service.name == wanted.name);
            wanted.networks.contains(network)
                && !held.is_some_and(|held| {
                    held.associations.iter().any(|one| one.network == network && one.status.lasts())
                })
        };
        let is_one_of_several = |entry: &NetworkEntry| {
            networks.iter().any(|other| other.name == entry.name && other.arn != entry.arn)
        };
        let read = networks.iter().map(|entry| async move {
            let is_to_be_used = desired.services.iter().any(|wanted| lacks(wanted, &entry.name));
            let is_certain = desired.allows(&entry.name, &entry.arn) && !is_one_of_several(entry);
            if !is_to_be_used || is_certain {
                return Ok(Some(entry.network(Ownership::Unread, Tags::new())));
            }
            let owned = self.ownership(&desired.owner, &entry.arn).await?;
            Ok(owned.map(|(ownership, tags)| entry.network(ownership, tags)))
        });
        let read: Vec<Option<ActualNetwork>> = try_join_all(read).await?;
        let meant = desired.meant(&read.into_iter().flatten().collect::<Vec<_>>());
        let is_meant = |entry: &&NetworkEntry| meant.iter().any(|one| one.arn == entry.arn);
        let counted = networks.iter().filter(is_meant);
        let usage = counted.filter_map(|entry| Some((entry.name.clone(), entry.services?))).collect();
        Ok((meant, usage))
    }
}

/// The account that owns what an ARN names.
pub(in crate::lattice) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// What the networks of the wanted services are called.
pub(in crate::lattice) fn networks_wanted(desired: &Desired) -> BTreeSet<&str> {
    desired.services.iter().flat_map(|service| &service.networks).map(String::as_str).collect()
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
