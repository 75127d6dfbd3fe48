//! What the engine needs of the world, in plain values: VPC Lattice, the clusters, the queue, and time.
//!
//! Neither the AWS SDK nor a Kubernetes client is known here. Each adapter lives in the crate that has its SDK
//! (`shared/aws`, `shared/kube`) and turns the SDK's errors into a [`CallError`], which says what a caller can do about it.

mod awaited;
mod budget;
mod cluster;
mod error;
mod facts;
mod lattice;
mod queue;
mod registry;

pub use awaited::Awaited;
pub use budget::{Budget, TimeOver};
pub use cluster::{Answer, Cluster, Clusters, Fleet, PatchOutcome};
pub use error::{CallError, ErrorClass};
pub use facts::Facts;
pub use lattice::{Applied, ApplyError, Calls, End, Lattice, Owned, Waiting};
pub use queue::{LATER_MAX, Lane, Message, OutgoingHint, Queue};
pub use registry::{Described, Registered, Registry};
