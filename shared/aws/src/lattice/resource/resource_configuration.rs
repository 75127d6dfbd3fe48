//! The resource configuration.

use super::resource_gateway::{ResourceEntry, ResourceIndex};
use crate::AwsError;
use crate::lattice::convert::{sdk_tags, status};
use crate::lattice::names::{Names, forget};
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{GONE, RESOURCE, Reading, Seen, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::types as sdk;
use futures::future::try_join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use trellis_hint::Kind;
use trellis_lattice::{
    Actual, ActualResourceConfiguration, AwaitResourceConfiguration, AwaitResourceConfigurationGone,
    CreateResourceConfiguration, DeleteResourceConfiguration, Desired, Ownership, ResourceDefinition,
    ResourceFamily, Status, UpdateResourceConfiguration, names,
};

const GET: &str = "GetResourceConfiguration";

fn seen_status(wire: Option<&sdk::ResourceConfigurationStatus>) -> Status {
    status(wire.map(sdk::ResourceConfigurationStatus::as_str))
}

/// What the SDK calls a definition, with the type of the configuration.
fn sdk_definition(
    definition: &ResourceDefinition,
) -> (sdk::ResourceConfigurationDefinition, sdk::ResourceConfigurationType) {
    match definition {
        ResourceDefinition::Dns { domain_name, family } => {
            let family = match family {
                ResourceFamily::Ipv4 => sdk::ResourceConfigurationIpAddressType::Ipv4,
                ResourceFamily::Ipv6 => sdk::ResourceConfigurationIpAddressType::Ipv6,
                ResourceFamily::Dualstack => sdk::ResourceConfigurationIpAddressType::Dualstack,
            };
            let dns = sdk::DnsResource::builder().domain_name(domain_name).ip_address_type(family).build();
            (sdk::ResourceConfigurationDefinition::DnsResource(dns), sdk::ResourceConfigurationType::Single)
        }
        ResourceDefinition::Ip { address } => {
            let ip = sdk::IpResource::builder().ip_address(address).build();
            (sdk::ResourceConfigurationDefinition::IpResource(ip), sdk::ResourceConfigurationType::Single)
        }
        ResourceDefinition::Arn { arn } => {
            let arn = sdk::ArnResource::builder().arn(arn).build();
            (sdk::ResourceConfigurationDefinition::ArnResource(arn), sdk::ResourceConfigurationType::Arn)
        }
    }
}

/// None for what is none of ours.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK's enum is open; what is new in it is none of ours"
)]
fn definition(wire: sdk::ResourceConfigurationDefinition) -> Option<ResourceDefinition> {
    match wire {
        sdk::ResourceConfigurationDefinition::DnsResource(dns) => {
            let family = match dns.ip_address_type {
                None | Some(sdk::ResourceConfigurationIpAddressType::Ipv4) => ResourceFamily::Ipv4,
                Some(sdk::ResourceConfigurationIpAddressType::Ipv6) => ResourceFamily::Ipv6,
                Some(sdk::ResourceConfigurationIpAddressType::Dualstack) => ResourceFamily::Dualstack,
                Some(_) => return None,
            };
            Some(ResourceDefinition::Dns { domain_name: dns.domain_name?, family })
        }
        sdk::ResourceConfigurationDefinition::IpResource(ip) => {
            Some(ResourceDefinition::Ip { address: ip.ip_address? })
        }
        sdk::ResourceConfigurationDefinition::ArnResource(arn) => {
            Some(ResourceDefinition::Arn { arn: arn.arn? })
        }
        _ => None,
    }
}

/// Absent rather than empty: a resource that is named by its ARN takes none.
fn sdk_ports(ports: &BTreeSet<String>) -> Option<Vec<String>> {
    Some(ports.iter().cloned().collect()).filter(|ports: &Vec<String>| !ports.is_empty())
}

impl LatticeClient {
    /// What there is of a ResourceGateway's or a ResourceConfiguration's unit, of what it names, and of the gateways that its
    /// configurations lead through.
    pub(in crate::lattice) async fn inspect_resources(
        &self,
        desired: &Desired,
        kind: Kind,
        not_before: SystemTime,
    ) -> Result<Actual, AwsError> {
        let wanted = desired.resource_configurations.iter().flat_map(|one| &one.networks);
        let wanted: BTreeSet<&str> = wanted.map(String::as_str).collect();
        let mut actual = Actual::default();
        if !wanted.is_empty() {
            actual.networks = self.inspect_networks(desired, &wanted, not_before).await?;
        }
        let mut gateways = BTreeSet::new();
        if kind == Kind::ResourceConfiguration {
            let index = self.resource_configurations(not_before).await?;
            let hash = names::unit_hash(&desired.owner.unit);
            let concerns = |entry: &&ResourceEntry| {
                entry.name.contains(hash)
                    || desired.resource_configurations.iter().any(|one| one.name == entry.name)
            };
            let read = index.values().filter(concerns);
            let read = read.map(|entry| self.inspect_resource_configuration(desired, entry, &actual));
            let (configurations, through): (Vec<_>, Vec<_>) =
                try_join_all(read).await?.into_iter().flatten().unzip();
            actual.resource_configurations = configurations;
            gateways.extend(through.into_iter().flatten());
        }
        actual.resource_gateways = self.inspect_resource_gateways(desired, &gateways, not_before).await?;
        self.read_marks_anew(desired, &mut actual, not_before).await?;
        Ok(actual)
    }

    /// The resource configurations of the account, and those that others share with it.
    async fn resource_configurations(&self, not_before: SystemTime) -> Result<Arc<ResourceIndex>, AwsError> {
        let load = async {
            let list = self.api().list_resource_configurations();
            let pages = list.into_paginator().page_size(PAGE_ENTRIES).items().send();
            let listed = self.list("ListResourceConfigurations", pages).await?;
            Ok(ResourceEntry::index(listed.into_iter().map(|one| (one.id, one.arn, one.name))))
        };
        self.inner.resource_configurations.get(not_before, load).await
    }

    /// One of them, with the id of its gateway.
    async fn inspect_resource_configuration(
        &self,
        desired: &Desired,
        entry: &ResourceEntry,
        beside: &Actual,
    ) -> Result<Option<(ActualResourceConfiguration, Option<String>)>, AwsError> {
        let get = self.api().get_resource_configuration().resource_configuration_identifier(&entry.id).send();
        let Some(read) = found(self.read(GET, get).await)? else { return Ok(None) };
        let Some((ownership, tags)) = self.ownership(&desired.owner, &entry.arn).await? else {
            return Ok(None);
        };
        let is_ours = ownership == Ownership::Ours;
        let associations =
            if is_ours { self.resource_associations(desired, &entry.id, beside).await? } else { vec![] };
        let ResourceEntry { id, arn, name } = entry.clone();
        let configuration = ActualResourceConfiguration {
            id,
            arn,
            name,
            status: seen_status(read.status.as_ref()),
            definition: read.resource_configuration_definition.filter(|_| is_ours).and_then(definition),
            port_ranges: read.port_ranges.unwrap_or_default().into_iter().collect(),
            custom_domain: read.custom_domain_name,
            associations,
            ownership,
            tags,
        };
        Ok(Some((configuration, read.resource_gateway_id.filter(|_| is_ours))))
    }

    async fn resource_configuration_reading(&self, id: &str) -> Result<Reading, AwsError> {
        let request = self.api().get_resource_configuration().resource_configuration_identifier(id).send();
        let reading = self.reading(GET, request, |read| Seen {
            status: seen_status(read.status.as_ref()),
            failure_code: None,
            failure_message: read.failure_reason,
        });
        reading.await
    }
}

impl Perform for CreateResourceConfiguration {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateResourceConfiguration";
        let Self { configuration, gateway, definition, port_ranges, custom_domain, tags } = self;
        let (definition, kind) = sdk_definition(definition);
        let request = client
            .api()
            .create_resource_configuration()
            .name(configuration)
            .r#type(kind)
            .resource_gateway_identifier(names.resource_gateway(OPERATION, gateway)?.id)
            .resource_configuration_definition(definition)
            .set_port_ranges(sdk_ports(port_ranges))
            .set_custom_domain_name(custom_domain.clone())
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let written = client.write(OPERATION, request).await;
        let is_taken = async {
            let all = client.resource_configurations(SystemTime::now()).await?;
            Ok(all.values().any(|one| one.name == *configuration))
        };
        let output = client.unless_taken(OPERATION, written, is_taken).await?;
        let mut made = client.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::ResourceConfigurationStatus::Active);
        let entry = ResourceEntry { id: made.id.clone(), arn: made.arn.clone(), name: configuration.clone() };
        names.lock().resource_configurations.insert(configuration.clone(), made);
        client.inner.resource_configurations.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(StepEnd::Done)
    }
}

impl Perform for UpdateResourceConfiguration {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { configuration, id, definition, port_ranges } = self;
        let request = client
            .api()
            .update_resource_configuration()
            .resource_configuration_identifier(id)
            .resource_configuration_definition(sdk_definition(definition).0)
            .set_port_ranges(sdk_ports(port_ranges))
            .send();
        client.write("UpdateResourceConfiguration", request).await?;
        names.lock().is_changing(|known| &mut known.resource_configurations, configuration);
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitResourceConfiguration {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let known = names.resource_configuration(GET, &self.configuration)?;
        until_active(&RESOURCE, &known, until, || client.resource_configuration_reading(&known.id)).await
    }
}

impl Perform for DeleteResourceConfiguration {
    const LANE: Lane = Lane::Alone;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { configuration, id } = self;
        let delete = client.api().delete_resource_configuration().resource_configuration_identifier(id);
        found(client.write("DeleteResourceConfiguration", delete.send()).await)?;
        forget(&mut names.lock().resource_configurations, configuration, id);
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitResourceConfigurationGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&GONE, until, || client.resource_configuration_reading(&self.id)).await
    }
}
