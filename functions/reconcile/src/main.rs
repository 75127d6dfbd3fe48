//! The `reconcile` Lambda: an SQS batch of hints in, a partial batch response out.

mod batch;
mod handler;

use lambda_runtime::{LambdaEvent, service_fn};
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    trellis_telemetry::init("reconcile");
    let engine = Arc::new(trellis_engine::Engine::from_env().await?);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<_>| handler::handle(Arc::clone(&engine), event)))
        .await
}
