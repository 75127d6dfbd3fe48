//! The resource gateway.

use crate::AwsError;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::{Names, forget};
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{GONE, RESOURCE, Reading, Seen, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use trellis_lattice::{
    ActualResourceGateway, AwaitResourceGateway, AwaitResourceGatewayGone, CreateResourceGateway,
    DeleteResourceGateway, Desired, Ownership, ResourceFamily, UpdateResourceGateway, names,
};

const GET: &str = "GetResourceGateway";

/// Ids and names by ARN.
pub(in crate::lattice) type ResourceIndex = BTreeMap<String, ResourceEntry>;

/// A resource gateway or a resource configuration, as a listing shows it.
#[derive(Debug, Clone)]
pub(in crate::lattice) struct ResourceEntry {
    pub(in crate::lattice) id: String,
    pub(in crate::lattice) arn: String,
    pub(in crate::lattice) name: String,
}

impl ResourceEntry {
    /// Entries without id, ARN or name (the model requires none) cannot be worked with and are left out.
    pub(super) fn index(
        all: impl Iterator<Item = (Option<String>, Option<String>, Option<String>)>,
    ) -> ResourceIndex {
        let entries = all.filter_map(|(id, arn, name)| Some(Self { id: id?, arn: arn?, name: name? }));
        entries.map(|entry| (entry.arn.clone(), entry)).collect()
    }
}

fn seen_status(wire: Option<&sdk::ResourceGatewayStatus>) -> trellis_lattice::Status {
    status(wire.map(sdk::ResourceGatewayStatus::as_str))
}

fn sdk_family(family: ResourceFamily) -> sdk::ResourceGatewayIpAddressType {
    match family {
        ResourceFamily::Ipv4 => sdk::ResourceGatewayIpAddressType::Ipv4,
        ResourceFamily::Ipv6 => sdk::ResourceGatewayIpAddressType::Ipv6,
        ResourceFamily::Dualstack => sdk::ResourceGatewayIpAddressType::Dualstack,
    }
}

impl LatticeClient {
    /// The resource gateways of the account.
    async fn resource_gateways(&self, not_before: SystemTime) -> Result<Arc<ResourceIndex>, AwsError> {
        let load = async {
            let pages =
                self.api().list_resource_gateways().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let listed = self.list("ListResourceGateways", pages).await?;
            Ok(ResourceEntry::index(listed.into_iter().map(|one| (one.id, one.arn, one.name))))
        };
        self.inner.resource_gateways.get(not_before, load).await
    }

    /// The resource gateways that bear a wanted name or the unit's hash in theirs, and those of these ids.
    pub(in crate::lattice) async fn inspect_resource_gateways(
        &self,
        desired: &Desired,
        ids: &BTreeSet<String>,
        not_before: SystemTime,
    ) -> Result<Vec<ActualResourceGateway>, AwsError> {
        let index = self.resource_gateways(not_before).await?;
        let hash = names::unit_hash(&desired.owner.unit);
        let own = desired.resource_gateways.iter().map(|one| one.name.as_str());
        let used = desired.resource_configurations.iter().map(|one| one.gateway.as_str());
        let named: BTreeSet<&str> = own.chain(used).collect();
        let concerns = |entry: &&ResourceEntry| {
            named.contains(entry.name.as_str()) || entry.name.contains(hash) || ids.contains(&entry.id)
        };
        let read = index.values().filter(concerns).map(|entry| self.inspect_resource_gateway(desired, entry));
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    async fn inspect_resource_gateway(
        &self,
        desired: &Desired,
        entry: &ResourceEntry,
    ) -> Result<Option<ActualResourceGateway>, AwsError> {
        let get = self.api().get_resource_gateway().resource_gateway_identifier(&entry.id).send();
        let Some(read) = found(self.read(GET, get).await)? else { return Ok(None) };
        let Some((ownership, tags)) = self.ownership(&desired.owner, &entry.arn).await? else {
            return Ok(None);
        };
        let is_wanted = desired.resource_gateways.iter().any(|one| one.name == entry.name);
        let status = seen_status(read.status.as_ref());
        let users = if ownership == Ownership::Ours && !(is_wanted && status.lasts()) {
            self.users_of_gateway(&entry.id).await?
        } else {
            BTreeSet::new()
        };
        let ResourceEntry { id, arn, name } = entry.clone();
        let security_groups = read.security_group_ids.unwrap_or_default().into_iter().collect();
        Ok(Some(ActualResourceGateway { id, arn, name, status, security_groups, users, ownership, tags }))
    }

    /// Names of the resource configurations that lead through a gateway.
    async fn users_of_gateway(&self, id: &str) -> Result<BTreeSet<String>, AwsError> {
        let list = self.api().list_resource_configurations().resource_gateway_identifier(id);
        let pages = list.into_paginator().page_size(PAGE_ENTRIES).items().send();
        let listed = self.list("ListResourceConfigurations", pages).await?;
        Ok(listed.into_iter().filter_map(|one| one.name.or(one.id)).collect())
    }

    async fn resource_gateway_reading(&self, id: &str) -> Result<Reading, AwsError> {
        let request = self.api().get_resource_gateway().resource_gateway_identifier(id).send();
        let reading = self.reading(GET, request, |read| Seen {
            status: seen_status(read.status.as_ref()),
            failure_code: None,
            failure_message: None,
        });
        reading.await
    }
}

impl Perform for CreateResourceGateway {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateResourceGateway";
        let Self { gateway, vpc, subnets, security_groups, family, ipv4_addresses_per_eni, tags } = self;
        let request = client
            .api()
            .create_resource_gateway()
            .name(gateway)
            .vpc_identifier(vpc)
            .set_subnet_ids(Some(subnets.iter().cloned().collect()))
            .set_security_group_ids(Some(security_groups.iter().cloned().collect()))
            .ip_address_type(sdk_family(*family))
            .set_ipv4_addresses_per_eni(ipv4_addresses_per_eni.map(i32::from))
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let written = client.write(OPERATION, request).await;
        let is_taken = async {
            Ok(client.resource_gateways(SystemTime::now()).await?.values().any(|one| one.name == *gateway))
        };
        let output = client.unless_taken(OPERATION, written, is_taken).await?;
        let mut made = client.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ResourceGatewayStatus::Active);
        let entry = ResourceEntry { id: made.id.clone(), arn: made.arn.clone(), name: gateway.clone() };
        names.lock().resource_gateways.insert(gateway.clone(), made);
        client.inner.resource_gateways.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateResourceGateway {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let request = client
            .api()
            .update_resource_gateway()
            .resource_gateway_identifier(&self.id)
            .set_security_group_ids(Some(self.security_groups.iter().cloned().collect()))
            .send();
        client.write("UpdateResourceGateway", request).await?;
        names.lock().is_changing(|known| &mut known.resource_gateways, &self.gateway);
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitResourceGateway {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let known = names.resource_gateway(GET, &self.gateway)?;
        until_active(&RESOURCE, &known, until, || client.resource_gateway_reading(&known.id)).await
    }
}

impl Perform for DeleteResourceGateway {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { gateway, id } = self;
        let request = client.api().delete_resource_gateway().resource_gateway_identifier(id).send();
        found(client.write("DeleteResourceGateway", request).await)?;
        forget(&mut names.lock().resource_gateways, gateway, id);
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitResourceGatewayGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&GONE, until, || client.resource_gateway_reading(&self.id)).await
    }
}
