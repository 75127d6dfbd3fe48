//! A target group that somebody else made, or another unit: it is read, and nothing more.

use super::target_group::{SeenTargetGroup, protocol_version};
use crate::AwsError;
use crate::lattice::LatticeClient;
use crate::lattice::convert::target_protocol;
use aws_sdk_vpclattice::types as sdk;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use trellis_lattice::{ExternalGroup, ExternalTargetGroup, Tags, TargetProtocol};

impl LatticeClient {
    /// What is known of each of these target groups, with one read and that of its tags, which may be a minute old.
    pub async fn external_groups(&self, arns: &BTreeSet<String>) -> BTreeMap<String, ExternalGroup> {
        let read = join_all(arns.iter().map(|arn| Box::pin(self.external_group(arn)))).await;
        arns.iter().cloned().zip(read).collect()
    }

    async fn external_group(&self, arn: &str) -> ExternalGroup {
        let (read, tags) = futures::join!(self.target_group_of(arn), self.tags_of(arn));
        match read {
            // A group whose tags may not be read is there all the same.
            Ok(Some(seen)) => known(arn, seen, tags.unwrap_or_default()),
            Ok(None) => ExternalGroup::Missing,
            Err(error) => ExternalGroup::Unknown(text(&error)),
        }
    }
}

/// An error with its causes, in a line.
fn text(error: &AwsError) -> String {
    let causes = std::iter::successors(Some(error as &dyn Error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What GetTargetGroup tells, if it is of this ARN.
fn known(arn: &str, seen: SeenTargetGroup, tags: Option<Tags>) -> ExternalGroup {
    let SeenTargetGroup { entry, details } = seen;
    if entry.arn != arn {
        // The id is unique in an account and Region: another one's is none that this ARN names.
        return ExternalGroup::Missing;
    }
    let config = details.as_ref().and_then(|details| details.config.as_ref());
    let protocol = config.and_then(|config| target_protocol(config.protocol.as_ref()));
    let version = config.and_then(|config| config.protocol_version.as_ref()).and_then(protocol_version);
    let kind = details.as_ref().and_then(|details| details.r#type.as_ref());
    ExternalGroup::Known(Box::new(ExternalTargetGroup {
        name: entry.name,
        status: entry.status,
        kind: kind.map_or("unknown", sdk::TargetGroupType::as_str).to_owned(),
        protocol_version: version.filter(|_| protocol != Some(TargetProtocol::Tcp)),
        protocol,
        vpc: config.and_then(|config| config.vpc_identifier.clone()),
        service_arns: entry.service_arns,
        tags,
    }))
}
