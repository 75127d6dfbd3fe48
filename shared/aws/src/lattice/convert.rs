//! Between the SDK's types and the model's: what several resources have in common. Absent members are tolerated, unknown
//! values kept apart, and what may be written in two ways (an empty list or none, an id or an ARN) is read in one.

use super::wait::PROPAGATION;
use aws_sdk_vpclattice::primitives::DateTime;
use aws_sdk_vpclattice::types as sdk;
use std::collections::HashMap;
use std::time::SystemTime;
use trellis_lattice::{Status, Tags, TargetProtocol};

/// Reads a status from its text, so that one function serves the statuses of all resources.
pub(super) fn status(text: Option<&str>) -> Status {
    match text {
        Some("ACTIVE") => Status::Active,
        Some("CREATE_IN_PROGRESS") => Status::CreateInProgress,
        Some("UPDATE_IN_PROGRESS") => Status::UpdateInProgress,
        Some("DELETE_IN_PROGRESS") => Status::DeleteInProgress,
        Some("CREATE_FAILED") => Status::CreateFailed,
        Some("UPDATE_FAILED") => Status::UpdateFailed,
        Some("DELETE_FAILED") => Status::DeleteFailed,
        _ => Status::Unknown,
    }
}

/// Ports, weights and priorities; one that does not fit is none of ours.
pub(super) fn small(number: Option<i32>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK's enum is open; what is new in it is none of ours"
)]
pub(super) fn target_protocol(protocol: Option<&sdk::TargetGroupProtocol>) -> Option<TargetProtocol> {
    match protocol? {
        sdk::TargetGroupProtocol::Http => Some(TargetProtocol::Http),
        sdk::TargetGroupProtocol::Https => Some(TargetProtocol::Https),
        sdk::TargetGroupProtocol::Tcp => Some(TargetProtocol::Tcp),
        _ => None,
    }
}

pub(super) fn sdk_target_protocol(protocol: TargetProtocol) -> sdk::TargetGroupProtocol {
    match protocol {
        TargetProtocol::Http => sdk::TargetGroupProtocol::Http,
        TargetProtocol::Https => sdk::TargetGroupProtocol::Https,
        TargetProtocol::Tcp => sdk::TargetGroupProtocol::Tcp,
    }
}

/// The id at the end of an ARN, or the id itself.
pub(super) fn last_part(identifier: &str) -> &str {
    identifier.rsplit('/').next().unwrap_or(identifier)
}

pub(super) fn sdk_tags(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether the data plane may not have followed a change of this time yet. AWS's clock and this one may differ by a little.
pub(super) fn is_propagating(changed: Option<&DateTime>) -> bool {
    let changed = changed.and_then(|changed| SystemTime::try_from(*changed).ok());
    let distance = |changed: SystemTime| match changed.duration_since(SystemTime::now()) {
        Ok(ahead) => ahead,
        Err(behind) => behind.duration(),
    };
    changed.is_some_and(|changed| distance(changed) < PROPAGATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_statuses_are_unknown_and_absent_ones_too() {
        assert_eq!(status(Some("ACTIVE")), Status::Active);
        assert_eq!(status(Some("PARTIAL")), Status::Unknown);
        assert_eq!(status(None), Status::Unknown);
        assert_eq!(small(Some(-1)), None);
    }
}
