//! AWS behind plain values: VPC Lattice, the registered EKS clusters, the queue of hints.
//!
//! No type of the AWS SDK is in what this crate shows. Everything begins with [`Aws`], which holds time limits, retries
//! and the call counter for all services:
//!
//! ```no_run
//! # async fn example(desired: trellis_lattice::Desired, plan: trellis_lattice::Plan) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::{Duration, Instant, SystemTime};
//!
//! let aws = trellis_aws::Aws::from_env().await;
//! let lattice = aws.lattice();
//! let actual = lattice.inspect(&desired, &["inventory-default".to_owned()], SystemTime::now()).await?;
//! let (progress, _) = tokio::sync::watch::channel(Default::default());
//! let applied = lattice.apply(&plan, &actual, Instant::now() + Duration::from_secs(20), &progress).await;
//! println!("{} steps, {:?}, calls {:?}", applied.done, applied.end, aws.counts().take());
//!
//! let clusters = aws.clusters("trellis:registered=true".parse()?);
//! for cluster in clusters.registered().await?.clusters.values() {
//!     println!("{} at {}, token of {} bytes", cluster.id, cluster.endpoint, clusters.token(&cluster.id).await?.len());
//! }
//! # Ok(()) }
//! ```

#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod answer;
mod cache;
mod certificates;
mod config;
mod counts;
mod direct;
mod ec2;
mod eks;
mod elsewhere;
mod error;
mod lambda;
mod lattice;
mod partitions;
mod ports;
mod query;
mod queue;
mod quotas;
mod s3;
mod tagging;

pub use certificates::CertificateClient;
pub use config::{Aws, AwsOptions};
pub use counts::CallCounts;
pub use eks::{
    CLUSTER_SET_TAG, ClusterTag, Clusters, MODE_TAG, Membership, ParseClusterTagError, RegisteredCluster,
    Registration, Registry, TokenError, Unusable, eks_token,
};
pub use error::AwsError;
pub use lattice::{LatticeClient, OwnedResource};
pub use ports::AwsLattice;
pub use queue::HintQueue;
pub use quotas::QuotaClient;
pub use s3::Bucket;
pub use trellis_ports::{Applied, ApplyError, End, ErrorClass, OutgoingHint, Waiting};
