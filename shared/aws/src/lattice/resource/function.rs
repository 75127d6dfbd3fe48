//! Functions behind routes.

use crate::AwsError;
use crate::lattice::LatticeClient;
use crate::lattice::names::Names;
use crate::lattice::step::{Lane, Perform, StepEnd};
use std::time::Instant;
use trellis_lattice::AllowInvoke;

impl Perform for AllowInvoke {
    const LANE: Lane = Lane::Make;

    async fn perform(&self, client: &LatticeClient, _: &Names, _: Instant) -> Result<StepEnd, AwsError> {
        client.limited("AddPermission", client.inner.lambda.allow_invoke(&self.function)).await?;
        Ok(StepEnd::Done)
    }
}
