//! The health check of a target group.

use crate::AwsError;
use crate::lattice::LatticeClient;
use crate::lattice::convert::{sdk_target_protocol, small, target_protocol};
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use aws_sdk_vpclattice::types as sdk;
use std::time::Instant;
use trellis_lattice::{HealthCheck, ProtocolVersion, UpdateHealthCheck};

impl Perform for UpdateHealthCheck {
    const LANE: Lane = Lane::Make;

    async fn perform(&self, client: &LatticeClient, names: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        const OPERATION: &str = "UpdateTargetGroup";
        let known = names.target_group(OPERATION, &self.target_group)?;
        let update = client.api().update_target_group().target_group_identifier(known.id);
        let request = update.health_check(sdk_health_check(&self.health_check)).send();
        client.write(OPERATION, request).await?;
        Ok(StepEnd::Done)
    }
}

/// A health check as it was echoed; none when a setting is one that this project never makes.
pub(super) fn health_check(check: &sdk::HealthCheckConfig) -> Option<HealthCheck> {
    let matcher = match &check.matcher {
        Some(sdk::Matcher::HttpCode(codes)) => codes.clone(),
        None => "200".to_owned(),
        Some(_) => return None,
    };
    Some(HealthCheck {
        enabled: check.enabled.unwrap_or(true),
        protocol: target_protocol(check.protocol.as_ref())?,
        protocol_version: match &check.protocol_version {
            None | Some(sdk::HealthCheckProtocolVersion::Http1) => ProtocolVersion::Http1,
            Some(sdk::HealthCheckProtocolVersion::Http2) => ProtocolVersion::Http2,
            Some(_) => return None,
        },
        path: check.path.clone().filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned()),
        // 0 means the traffic port (API model, HealthCheckPort).
        port: small(check.port).filter(|port| *port != 0),
        matcher,
        interval_seconds: small(check.health_check_interval_seconds)?,
        timeout_seconds: small(check.health_check_timeout_seconds)?,
        healthy_threshold: small(check.healthy_threshold_count)?,
        unhealthy_threshold: small(check.unhealthy_threshold_count)?,
    })
}

pub(super) fn sdk_health_check(check: &HealthCheck) -> sdk::HealthCheckConfig {
    let version = match check.protocol_version {
        ProtocolVersion::Http2 => sdk::HealthCheckProtocolVersion::Http2,
        // gRPC is no health check version.
        ProtocolVersion::Http1 | ProtocolVersion::Grpc => sdk::HealthCheckProtocolVersion::Http1,
    };
    sdk::HealthCheckConfig::builder()
        .enabled(check.enabled)
        .protocol(sdk_target_protocol(check.protocol))
        .protocol_version(version)
        .path(&check.path)
        // An absent member of UpdateTargetGroup leaves the setting as it is, 0 resets it to the traffic port.
        .port(check.port.map_or(0, i32::from))
        .matcher(sdk::Matcher::HttpCode(check.matcher.clone()))
        .health_check_interval_seconds(check.interval_seconds.into())
        .health_check_timeout_seconds(check.timeout_seconds.into())
        .healthy_threshold_count(check.healthy_threshold.into())
        .unhealthy_threshold_count(check.unhealthy_threshold.into())
        .build()
}
