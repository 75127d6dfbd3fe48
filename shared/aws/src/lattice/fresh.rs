//! Which tags must be those of now. Another process works on the same unit the next time, and marks what nobody wants any
//! more ([`trellis_lattice::Grace`]): a mark is decided on, so neither it nor its absence is believed from memory.

use super::LatticeClient;
use crate::AwsError;
use std::time::SystemTime;
use trellis_lattice::{Actual, Desired, marks_that_matter};

impl LatticeClient {
    /// Reads the marks anew that something depends on, unless they were read since this time.
    pub(super) async fn read_marks_anew(
        &self,
        desired: &Desired,
        actual: &mut Actual,
        not_before: SystemTime,
    ) -> Result<(), AwsError> {
        let arns = marks_that_matter(desired, actual);
        for arn in &arns {
            self.inner.tags.forget_before(arn, not_before);
        }
        let read = self.tags(&arns).await?;
        for resource in actual.resources_mut() {
            if let (Some(tags), Some(seen)) = (resource.tags, read.get(resource.arn)) {
                *resource.ownership = desired.owner.of(seen);
                tags.clone_from(seen);
            }
        }
        Ok(())
    }
}
