//! What VPC Lattice has of resources beside a unit's own.

use trellis_lattice::{Actual, ActualResourceGateway, Desired, Ownership, Status, Tags};

/// With the resource gateways that a unit's resources lead through, as another unit has made them.
pub(crate) fn with_gateways(desired: &Desired, mut actual: Actual) -> Actual {
    for wanted in &desired.resource_configurations {
        if actual.resource_gateways.iter().all(|held| held.name != wanted.gateway) {
            actual.resource_gateways.push(ActualResourceGateway {
                id: format!("rgw-of-{}", wanted.gateway),
                arn: format!(
                    "arn:aws:vpc-lattice:us-west-2:123456789012:resourcegateway/rgw-of-{}",
                    wanted.gateway
                ),
                name: wanted.gateway.clone(),
                status: Status::Active,
                security_groups: [].into(),
                users: [].into(),
                ownership: Ownership::OtherUnit("resource".into()),
                tags: Tags::new(),
            });
        }
    }
    actual
}
