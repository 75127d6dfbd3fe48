//! The association of a resource configuration with a service network.

use crate::AwsError;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{ASSOCIATION, GONE, Reading, Seen, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::time::Instant;
use trellis_lattice::{
    Actual, ActualResourceAssociation, AwaitResourceAssociation, AwaitResourceAssociationGone,
    CreateResourceAssociation, DeleteResourceAssociation, Desired, Status,
};

const GET: &str = "GetServiceNetworkResourceAssociation";

fn seen_status(wire: Option<&sdk::ServiceNetworkResourceAssociationStatus>) -> Status {
    status(wire.map(sdk::ServiceNetworkResourceAssociationStatus::as_str))
}

impl LatticeClient {
    /// The associations of a resource configuration. A network is called as the unit calls it, if it is one that the unit wants.
    pub(super) async fn resource_associations(
        &self,
        desired: &Desired,
        configuration: &str,
        beside: &Actual,
    ) -> Result<Vec<ActualResourceAssociation>, AwsError> {
        let list = self.api().list_service_network_resource_associations();
        let list = list.resource_configuration_identifier(configuration);
        let pages = list.into_paginator().page_size(PAGE_ENTRIES).items().send();
        let listed = self.list("ListServiceNetworkResourceAssociations", pages).await?;
        let read = listed.into_iter().map(|one| self.resource_association(desired, one, beside));
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    /// None for one that is gone meanwhile, or that lacks what the model does not require.
    async fn resource_association(
        &self,
        desired: &Desired,
        summary: sdk::ServiceNetworkResourceAssociationSummary,
        beside: &Actual,
    ) -> Result<Option<ActualResourceAssociation>, AwsError> {
        let (Some(id), Some(arn)) = (summary.id, summary.arn) else { return Ok(None) };
        let known = beside.networks.iter().find(|one| Some(&one.arn) == summary.service_network_arn.as_ref());
        // Another account's network may bear the name of the wanted one.
        let is_namesake = |name: &String| beside.networks.iter().any(|one| one.name == *name);
        let other = summary.service_network_name.filter(|name| !is_namesake(name));
        let named = known.map(|one| one.name.clone()).or(other).or(summary.service_network_arn);
        let Some(network) = named else { return Ok(None) };
        let Some((ownership, tags)) = self.ownership(&desired.owner, &arn).await? else { return Ok(None) };
        let dns_name = summary.dns_entry.and_then(|entry| entry.domain_name);
        let status = seen_status(summary.status.as_ref());
        Ok(Some(ActualResourceAssociation { id, arn, network, status, dns_name, ownership, tags }))
    }

    /// Reads how an association is; with its generated domain name.
    async fn resource_association_reading(
        &self,
        id: &str,
        told: impl FnOnce(String) + Send,
    ) -> Result<Reading, AwsError> {
        let get = self.api().get_service_network_resource_association();
        let request = get.service_network_resource_association_identifier(id).send();
        let reading = self.reading(GET, request, |read| {
            if let Some(name) = read.dns_entry.and_then(|entry| entry.domain_name) {
                told(name);
            }
            Seen {
                status: seen_status(read.status.as_ref()),
                failure_code: read.failure_code,
                failure_message: read.failure_reason,
            }
        });
        reading.await
    }
}

impl Perform for CreateResourceAssociation {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateServiceNetworkResourceAssociation";
        let Self { configuration, network, private_dns, tags } = self;
        let request = client
            .api()
            .create_service_network_resource_association()
            .resource_configuration_identifier(names.resource_configuration(OPERATION, configuration)?.id)
            .service_network_identifier(names.network(OPERATION, network)?.arn)
            .private_dns_enabled(*private_dns)
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let output = client.write(OPERATION, request).await?;
        // Its answer tells no domain name: who waits for it reads that.
        let made = client.made(OPERATION, output.id, output.arn, tags)?;
        names.lock().resource_associations.insert((configuration.clone(), network.clone()), made);
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitResourceAssociation {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let Self { configuration, network } = self;
        let key = (configuration.clone(), network.clone());
        let known = names.resource_association(GET, configuration, network)?;
        let read = || {
            client.resource_association_reading(&known.id, |name| {
                if let Some(one) = names.lock().resource_associations.get_mut(&key) {
                    one.dns_name = Some(name);
                }
            })
        };
        until_active(&ASSOCIATION, &known, until, read).await
    }
}

impl Perform for DeleteResourceAssociation {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { configuration, network, id } = self;
        let delete = client.api().delete_service_network_resource_association();
        let request = delete.service_network_resource_association_identifier(id).send();
        found(client.write("DeleteServiceNetworkResourceAssociation", request).await)?;
        names.lock().resource_associations.remove(&(configuration.clone(), network.clone()));
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitResourceAssociationGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&GONE, until, || client.resource_association_reading(&self.id, drop)).await
    }
}
