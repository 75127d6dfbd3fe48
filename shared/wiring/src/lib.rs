//! The engine on AWS and on EKS clusters, as both functions run it: the one place that knows all adapters.

mod settings;

pub use settings::{ConfigError, DirectorySettings, WiringSettings};
pub use trellis_aws::Bucket;

use std::time::{Duration, SystemTime};
use trellis_aws::{Aws, AwsLattice, Clusters, HintQueue};
use trellis_kube::RegisteredClusters;

/// The engine as the functions run it.
pub type Engine = trellis_engine::Engine<AwsLattice, RegisteredClusters<Clusters>, HintQueue>;

/// The worker as the function `reconcile` runs it.
pub type Worker = trellis_engine::Worker<AwsLattice, RegisteredClusters<Clusters>, HintQueue>;

/// An engine with settings from `TRELLIS_*` and AWS from the SDK's environment. Makes no call.
pub async fn engine_from_env() -> Result<Engine, ConfigError> {
    let settings = WiringSettings::from_env()?;
    let aws = Aws::from_env().await;
    let mut queue = aws.hints(&settings.queue_url);
    if let Some(url) = &settings.later_queue_url {
        queue = queue.with_later(url);
    }
    Ok(Engine::new(
        AwsLattice::new(&aws, settings.limits, settings.gateway.certificate_secrets),
        RegisteredClusters::new(aws.clusters(settings.cluster_tag.clone())),
        queue,
        settings.gateway,
    )
    .with_grace(settings.grace, SystemTime::now)
    .with_rotation(settings.rotation))
}

/// Where the service directory goes and how often, if it is to be written anywhere.
pub async fn directory_from_env() -> Result<Option<(Bucket, Duration)>, ConfigError> {
    let Some(DirectorySettings { bucket, every }) = DirectorySettings::from_env()? else { return Ok(None) };
    Ok(Some((Aws::from_env().await.bucket(&bucket), every)))
}

/// Of each thread of a function, in bytes: four times the usual. A unit's work is one future through planner, clients and
/// their middleware, and in a build that is not optimised its frames come near to the usual two megabytes. Only what is used
/// of it takes memory.
const STACK: usize = 8 << 20;

/// The runtime of a function.
///
/// # Errors
///
/// The system gives no threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build()
}
