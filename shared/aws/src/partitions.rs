//! Retries are counted by operation.

use aws_sdk_vpclattice::config::interceptors::BeforeSerializationInterceptorContextMut;
use aws_sdk_vpclattice::config::retry::RetryPartition;
use aws_sdk_vpclattice::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_vpclattice::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;

/// Gives each operation a retry partition of its own.
///
/// The SDK lends retries from a bucket of tokens that all calls of a client share. One operation that is throttled (VPC
/// Lattice was seen to throttle consecutive creates) would empty it, and a read of another unit that fails once would
/// get no second try. With a bucket for each operation it costs itself only.
#[derive(Debug)]
pub(crate) struct PartitionByOperation;

impl Intercept for PartitionByOperation {
    fn name(&self) -> &'static str {
        "PartitionByOperation"
    }

    fn modify_before_serialization(
        &self,
        _: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = config.load::<Metadata>() {
            let partition = RetryPartition::new(format!("{}.{}", call.service(), call.name()));
            config.interceptor_state().store_put(partition);
        }
        Ok(())
    }
}
