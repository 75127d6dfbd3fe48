//! The queue, the clusters and the quotas against an HTTP server that answers what the test has prepared.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod clusters;
mod elsewhere;
mod functions;
mod hostile;
mod queue;
mod quotas;
mod server;
mod throttling;
