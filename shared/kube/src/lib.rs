//! The way to the clusters' API servers: reads for the pure core, status patches back.
//!
//! - [`ClusterClient::connect`] makes the client of one registered cluster from what EKS says of it.
//! - [`ClusterClient::read`] answers one [`trellis_gateway::Read`]; [`ClusterClient::read_at_least`] waits until what a
//!   hint told of is stored.
//! - [`observe()`] asks all clusters for what the core wants until it wants nothing more.
//! - [`ClusterClient::patch_status`] writes one object's status, guarded by its resourceVersion.
//!
//! The client gets, lists and patches status: nothing here can create, change or delete an object.

mod client;
mod error;
mod observe;
mod patch;
mod read;
mod resource;
mod stored;
mod token;
mod transport;

pub use client::{ANSWER_BYTES_MAX, ANSWER_TIMEOUT, CONNECT_TIMEOUT, ClusterClient};
pub use error::{ErrorClass, KubeError};
pub use observe::{ObserveError, Observed, READS_AT_ONCE_MAX, ROUNDS_MAX, Reader, observe};
pub use patch::{PatchOutcome, StatusChange};
pub use read::{PAGE_OBJECTS, PAGES_MAX};
pub use stored::{Awaited, STORED_WAIT_MAX};
pub use token::{Clock, TOKEN_LIFETIME, TokenError, TokenSource};
