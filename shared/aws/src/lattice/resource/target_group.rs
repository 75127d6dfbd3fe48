//! The target group. Its targets and its health check have modules of their own.

use super::health_check::{health_check, sdk_health_check};
use super::target::actual_targets;
use crate::AwsError;
use crate::lattice::convert::{last_part, sdk_tags, sdk_target_protocol, small, status, target_protocol};
use crate::lattice::names::{Names, forget};
use crate::lattice::step::{Lane, Perform, StepEnd};
use crate::lattice::wait::{GONE, RESOURCE, Reading, Seen, until_active, until_gone};
use crate::lattice::{LatticeClient, PAGE_ENTRIES, found};
use aws_sdk_vpclattice::operation::get_target_group::GetTargetGroupOutput;
use aws_sdk_vpclattice::types as sdk;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use trellis_lattice::{
    ActualTargetGroup, AwaitTargetGroup, AwaitTargetGroupGone, CreateTargetGroup, DeleteTargetGroup, Desired,
    EventVersion, HealthCheck, IpConfig, IpFamily, LambdaConfig, Ownership, ProtocolVersion, ResourceKind,
    Status, TargetGroupConfig, TargetProtocol, VpcConfig,
};

const GET: &str = "GetTargetGroup";

/// By ARN.
pub(in crate::lattice) type TargetGroupIndex = BTreeMap<String, TargetGroupEntry>;

#[derive(Debug, Clone)]
pub(in crate::lattice) struct TargetGroupEntry {
    pub(in crate::lattice) id: String,
    pub(in crate::lattice) arn: String,
    pub(in crate::lattice) name: String,
    pub(in crate::lattice) status: Status,
    pub(in crate::lattice) service_arns: BTreeSet<String>,
}

impl TargetGroupEntry {
    /// Entries without id, ARN or name (the model requires none) cannot be worked with and are left out.
    fn of(summary: sdk::TargetGroupSummary) -> Option<Self> {
        Some(Self {
            id: summary.id?,
            arn: summary.arn?,
            name: summary.name?,
            status: seen_status(summary.status.as_ref()),
            service_arns: summary.service_arns.into_iter().flatten().collect(),
        })
    }
}

/// A target group, with all that GetTargetGroup tells if that was read.
#[derive(Debug)]
pub(in crate::lattice) struct SeenTargetGroup {
    pub(in crate::lattice) entry: TargetGroupEntry,
    pub(super) details: Option<GetTargetGroupOutput>,
}

impl SeenTargetGroup {
    /// One of a listing.
    pub(in crate::lattice) fn listed(entry: TargetGroupEntry) -> Self {
        Self { entry, details: None }
    }

    /// One that was read; none where id, ARN or name is missing.
    fn read(details: GetTargetGroupOutput) -> Option<Self> {
        let entry = TargetGroupEntry {
            id: details.id.clone()?,
            arn: details.arn.clone()?,
            name: details.name.clone()?,
            status: seen_status(details.status.as_ref()),
            service_arns: details.service_arns.clone().into_iter().flatten().collect(),
        };
        Some(Self { entry, details: Some(details) })
    }
}

fn seen_status(wire: Option<&sdk::TargetGroupStatus>) -> Status {
    status(wire.map(sdk::TargetGroupStatus::as_str))
}

impl LatticeClient {
    pub(in crate::lattice) async fn target_groups(
        &self,
        not_before: SystemTime,
    ) -> Result<Arc<TargetGroupIndex>, AwsError> {
        let load = async {
            let pages =
                self.api().list_target_groups().into_paginator().page_size(PAGE_ENTRIES).items().send();
            let groups = self.list("ListTargetGroups", pages).await?;
            Ok(groups.into_iter().filter_map(TargetGroupEntry::of).map(|e| (e.arn.clone(), e)).collect())
        };
        self.inner.target_groups.get(not_before, load).await
    }

    /// The target group of this ARN; none if it is gone or the ARN is another resource's.
    pub(in crate::lattice) async fn target_group_of(
        &self,
        arn: &str,
    ) -> Result<Option<SeenTargetGroup>, AwsError> {
        if ResourceKind::of(arn) == ResourceKind::TargetGroup {
            self.target_group_by_id(last_part(arn)).await
        } else {
            Ok(None)
        }
    }

    pub(in crate::lattice) async fn target_group_by_id(
        &self,
        id: &str,
    ) -> Result<Option<SeenTargetGroup>, AwsError> {
        let request = self.api().get_target_group().target_group_identifier(id).send();
        Ok(found(self.read(GET, request).await)?.and_then(SeenTargetGroup::read))
    }

    /// A target group with its targets; none if it has gone meanwhile. Its settings are read as long as the unit wants
    /// anything: what is to stay as it is shows only when it was read.
    pub(in crate::lattice) async fn inspect_target_group(
        &self,
        desired: &Desired,
        seen: SeenTargetGroup,
    ) -> Result<Option<ActualTargetGroup>, AwsError> {
        let SeenTargetGroup { entry, details } = seen;
        let Some((ownership, tags)) = self.ownership(&desired.owner, &entry.arn).await? else {
            return Ok(None);
        };
        let mut group = ActualTargetGroup {
            id: entry.id,
            arn: entry.arn,
            name: entry.name,
            status: entry.status,
            config: None,
            health_check: None,
            targets: vec![],
            service_arns: entry.service_arns,
            ownership,
            tags,
        };
        if group.ownership != Ownership::Ours || group.status == Status::DeleteInProgress {
            return Ok(Some(group));
        }
        let details = async {
            match details {
                None if desired.reads_in_full() => {
                    let request = self.api().get_target_group().target_group_identifier(&group.id).send();
                    self.read(GET, request).await.map(Some)
                }
                details => Ok(details),
            }
        };
        let read = futures::try_join!(details, self.targets(&group.id));
        let Some((details, targets)) = found(read)? else { return Ok(None) };
        let default_port = details.as_ref().and_then(|d| d.config.as_ref()).and_then(|c| small(c.port));
        group.targets = actual_targets(targets, default_port);
        if let Some(details) = details {
            group.status = seen_status(details.status.as_ref());
            let config = details.config.as_ref();
            group.config = target_group_config(details.r#type.as_ref(), config);
            group.health_check = config.and_then(|c| c.health_check.as_ref()).and_then(health_check);
            group.service_arns.extend(details.service_arns.into_iter().flatten());
        }
        Ok(Some(group))
    }

    /// Reads a target group, for the listing too.
    async fn target_group_reading(&self, id: &str) -> Result<Reading, AwsError> {
        let request = self.api().get_target_group().target_group_identifier(id).send();
        let mut arn = String::new();
        let reading = self.reading(GET, request, |read| {
            arn = read.arn.unwrap_or_default();
            Seen {
                status: seen_status(read.status.as_ref()),
                failure_code: read.failure_code,
                failure_message: read.failure_message,
            }
        });
        let reading = reading.await?;
        if let Some(status) = reading.status() {
            let listed = &self.inner.target_groups;
            listed.change(|index| index.get_mut(&arn).into_iter().for_each(|e| e.status = status)).await;
        }
        Ok(reading)
    }
}

impl Perform for CreateTargetGroup {
    const LANE: Lane = Lane::MakeTargetGroups;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "CreateTargetGroup";
        let Self { target_group, config, health_check, tags } = self;
        let request = client
            .api()
            .create_target_group()
            .name(target_group)
            .r#type(sdk_type(config))
            .config(sdk_target_group_config(config, health_check.as_ref()))
            .set_tags(Some(sdk_tags(tags)))
            .send();
        let written = client.write(OPERATION, request).await;
        let is_taken = async {
            Ok(client.target_groups(SystemTime::now()).await?.values().any(|one| one.name == *target_group))
        };
        let output = client.unless_taken(OPERATION, written, is_taken).await?;
        let mut made = client.made(OPERATION, output.id, output.arn, tags)?;
        made.active = output.status == Some(sdk::TargetGroupStatus::Active);
        let entry = TargetGroupEntry {
            id: made.id.clone(),
            arn: made.arn.clone(),
            name: target_group.clone(),
            status: if made.active { Status::Active } else { Status::CreateInProgress },
            service_arns: BTreeSet::new(),
        };
        names.lock().target_groups.insert(target_group.clone(), made);
        client.inner.target_groups.change(|index| _ = index.insert(entry.arn.clone(), entry)).await;
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitTargetGroup {
    const LANE: Lane = Lane::Await;

    async fn perform(
        &self,
        client: &LatticeClient,
        names: &Names,
        until: Instant,
    ) -> Result<StepEnd, AwsError> {
        let known = names.target_group(GET, &self.target_group)?;
        until_active(&RESOURCE, &known, until, || client.target_group_reading(&known.id)).await
    }
}

impl Perform for DeleteTargetGroup {
    const LANE: Lane = Lane::DeleteTargetGroups;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        let Self { target_group, id } = self;
        let request = client.api().delete_target_group().target_group_identifier(id).send();
        found(client.write("DeleteTargetGroup", request).await)?;
        forget(&mut names.lock().target_groups, target_group, id);
        client.inner.target_groups.change(|index| index.retain(|_, entry| entry.id != *id)).await;
        Ok(StepEnd::Done)
    }
}

impl Perform for AwaitTargetGroupGone {
    const LANE: Lane = Lane::Await;

    async fn perform(&self, client: &LatticeClient, _: &Names, until: Instant) -> Result<StepEnd, AwsError> {
        until_gone(&GONE, until, || client.target_group_reading(&self.id)).await
    }
}

/// The immutable part of a target group; none for a type or value that this project never makes.
fn target_group_config(
    kind: Option<&sdk::TargetGroupType>,
    config: Option<&sdk::TargetGroupConfig>,
) -> Option<TargetGroupConfig> {
    if kind == Some(&sdk::TargetGroupType::Lambda) {
        // One without a version is V1 (API reference, TargetGroupConfig).
        let version = match config.and_then(|config| config.lambda_event_structure_version.as_ref()) {
            None | Some(sdk::LambdaEventStructureVersion::V1) => EventVersion::V1,
            Some(sdk::LambdaEventStructureVersion::V2) => EventVersion::V2,
            Some(_) => return None,
        };
        return Some(TargetGroupConfig::Lambda(LambdaConfig { event_structure_version: version }));
    }
    let config = config?;
    let protocol_version = match &config.protocol_version {
        None => None,
        Some(version) => Some(protocol_version(version)?),
    };
    let protocol = target_protocol(config.protocol.as_ref())?;
    // TCP has no version; whatever is echoed for it says nothing.
    let protocol_version = protocol_version.filter(|_| protocol != TargetProtocol::Tcp);
    let (port, vpc) = (small(config.port)?, config.vpc_identifier.clone()?);
    let reached = VpcConfig { port, protocol, protocol_version, vpc: vpc.clone() };
    if kind == Some(&sdk::TargetGroupType::Instance) {
        return Some(TargetGroupConfig::Instances { instances: reached });
    }
    if kind == Some(&sdk::TargetGroupType::Alb) {
        return Some(TargetGroupConfig::LoadBalancer { load_balancer: reached });
    }
    (kind == Some(&sdk::TargetGroupType::Ip)).then_some(())?;
    Some(TargetGroupConfig::Ip(IpConfig {
        port,
        protocol_version,
        protocol,
        ip_family: match &config.ip_address_type {
            None | Some(sdk::IpAddressType::Ipv4) => IpFamily::Ipv4,
            Some(sdk::IpAddressType::Ipv6) => IpFamily::Ipv6,
            Some(_) => return None,
        },
        vpc,
    }))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK's enum is open; what is new in it is none of ours"
)]
pub(super) fn protocol_version(version: &sdk::TargetGroupProtocolVersion) -> Option<ProtocolVersion> {
    match version {
        sdk::TargetGroupProtocolVersion::Http1 => Some(ProtocolVersion::Http1),
        sdk::TargetGroupProtocolVersion::Http2 => Some(ProtocolVersion::Http2),
        sdk::TargetGroupProtocolVersion::Grpc => Some(ProtocolVersion::Grpc),
        _ => None,
    }
}

fn sdk_type(config: &TargetGroupConfig) -> sdk::TargetGroupType {
    match config {
        TargetGroupConfig::Ip(_) => sdk::TargetGroupType::Ip,
        TargetGroupConfig::Lambda(_) => sdk::TargetGroupType::Lambda,
        TargetGroupConfig::Instances { .. } => sdk::TargetGroupType::Instance,
        TargetGroupConfig::LoadBalancer { .. } => sdk::TargetGroupType::Alb,
    }
}

fn sdk_target_group_config(
    config: &TargetGroupConfig,
    health_check: Option<&HealthCheck>,
) -> sdk::TargetGroupConfig {
    let (reached, family) = match config {
        TargetGroupConfig::Ip(config) => (config.reached(), Some(&config.ip_family)),
        TargetGroupConfig::Instances { instances: config }
        | TargetGroupConfig::LoadBalancer { load_balancer: config } => (config.clone(), None),
        TargetGroupConfig::Lambda(config) => {
            let version = match config.event_structure_version {
                EventVersion::V1 => sdk::LambdaEventStructureVersion::V1,
                EventVersion::V2 => sdk::LambdaEventStructureVersion::V2,
            };
            return sdk::TargetGroupConfig::builder().lambda_event_structure_version(version).build();
        }
    };
    let version = reached.protocol_version.map(|version| match version {
        ProtocolVersion::Http1 => sdk::TargetGroupProtocolVersion::Http1,
        ProtocolVersion::Http2 => sdk::TargetGroupProtocolVersion::Http2,
        ProtocolVersion::Grpc => sdk::TargetGroupProtocolVersion::Grpc,
    });
    let family = family.map(|family| match family {
        IpFamily::Ipv4 => sdk::IpAddressType::Ipv4,
        IpFamily::Ipv6 => sdk::IpAddressType::Ipv6,
    });
    sdk::TargetGroupConfig::builder()
        .port(reached.port.into())
        .protocol(sdk_target_protocol(reached.protocol))
        .set_protocol_version(version)
        .set_ip_address_type(family)
        .vpc_identifier(&reached.vpc)
        .set_health_check(health_check.map(sdk_health_check))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_groups_come_back_as_they_were_sent_whatever_their_protocol() {
        for (protocol, protocol_version, ip_family) in [
            (TargetProtocol::Http, Some(ProtocolVersion::Http1), IpFamily::Ipv4),
            (TargetProtocol::Https, Some(ProtocolVersion::Http2), IpFamily::Ipv6),
            (TargetProtocol::Http, Some(ProtocolVersion::Grpc), IpFamily::Ipv4),
            (TargetProtocol::Tcp, None, IpFamily::Ipv4),
        ] {
            let config = IpConfig { port: 8090, protocol, protocol_version, ip_family, vpc: "vpc-1".into() };
            let check = HealthCheck {
                port: Some(9000),
                ..HealthCheck::default_for(config.protocol, config.protocol_version)
            };
            let config = TargetGroupConfig::Ip(config);
            let wire = sdk_target_group_config(&config, Some(&check));
            assert_eq!(target_group_config(Some(&sdk::TargetGroupType::Ip), Some(&wire)), Some(config));
            assert_eq!(wire.health_check.as_ref().and_then(health_check), Some(check));
            assert_eq!(target_group_config(None, Some(&wire)), None);
        }
    }

    #[test]
    fn groups_of_instances_and_of_a_load_balancer_come_back_as_they_were_sent_and_have_no_family() {
        let reached = VpcConfig {
            port: 8080,
            protocol: TargetProtocol::Https,
            protocol_version: Some(ProtocolVersion::Http1),
            vpc: "vpc-1".into(),
        };
        let instances = TargetGroupConfig::Instances { instances: reached.clone() };
        let balancer = TargetGroupConfig::LoadBalancer { load_balancer: reached };
        for config in [instances, balancer] {
            let wire = sdk_target_group_config(&config, None);
            assert!(wire.ip_address_type.is_none() && wire.health_check.is_none());
            assert_eq!(target_group_config(Some(&sdk_type(&config)), Some(&wire)), Some(config));
        }
    }

    #[test]
    fn a_group_of_a_function_has_the_version_of_its_event_and_nothing_else() {
        let lambda = sdk::TargetGroupType::Lambda;
        for event_structure_version in [EventVersion::V1, EventVersion::V2] {
            let config = TargetGroupConfig::Lambda(LambdaConfig { event_structure_version });
            let wire = sdk_target_group_config(&config, None);
            assert!(wire.port.is_none() && wire.vpc_identifier.is_none() && wire.health_check.is_none());
            assert_eq!(target_group_config(Some(&lambda), Some(&wire)), Some(config));
        }
        let plain = TargetGroupConfig::Lambda(LambdaConfig { event_structure_version: EventVersion::V1 });
        assert_eq!(target_group_config(Some(&lambda), None), Some(plain));
    }
}
