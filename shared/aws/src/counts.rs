//! Counts requests by operation, so that every invocation can say what it cost.

use aws_sdk_vpclattice::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_vpclattice::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_vpclattice::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use trellis_ports::Calls;

/// Requests sent, by operation, each attempt of a retried call counted. Clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct CallCounts(Arc<Mutex<Calls>>);

/// VPC Lattice as its SDK names it.
const LATTICE: &str = "VPC Lattice";

impl CallCounts {
    /// The counts since the last call; starts anew. Call it at the end of an invocation.
    pub fn take(&self) -> BTreeMap<String, u64> {
        self.take_calls().by_operation
    }

    /// As [`Self::take`], with how many of the requests went to VPC Lattice.
    pub fn take_calls(&self) -> Calls {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for CallCounts {
    fn name(&self) -> &'static str {
        "CallCounts"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = config.load::<Metadata>() {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.by_operation.entry(call.name().to_owned()).or_default() += 1;
            counts.lattice += u64::from(call.service() == LATTICE);
        }
        Ok(())
    }
}
