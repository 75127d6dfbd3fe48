//! The way to the clusters' API servers: reads for the pure core, status patches back.
//!
//! - [`ClusterClient::connect`] makes the client of one registered cluster from what EKS says of it.
//! - [`RegisteredClusters`] keeps one for each cluster that a registry knows.
//! - [`ClusterClient::try_read`] answers one [`trellis_gateway::Read`].
//! - [`ClusterClient::patch_status`] writes one object's status, guarded by its resourceVersion.
//! - [`ClusterClient::read_secret`] reads one Secret's certificate.
//! - [`ClusterClient::try_change`] makes, changes or deletes an object that Trellis makes for others, guarded likewise.

mod change;
mod client;
mod clusters;
mod error;
mod events;
mod patch;
mod ports;
mod read;
mod resource;
mod secrets;
mod stored;
mod token;
mod transport;

pub use client::{ANSWER_BYTES_MAX, ANSWER_TIMEOUT, CONNECT_TIMEOUT, ClusterClient};
pub use clusters::{DESCRIBE_AGAIN_AFTER, RegisteredClusters};
pub use error::{ErrorClass, KubeError};
pub use patch::StatusChange;
pub use read::{PAGE_OBJECTS, PAGES_MAX};
pub use stored::STORED_WAIT_MAX;
pub use token::{Clock, TOKEN_LIFETIME, TokenError, TokenSource};
