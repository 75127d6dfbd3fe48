//! An emulator of Amazon VPC Lattice: control plane, data plane, and the clock between them.
//!
//! * [`model`]: the API model as a table, and checks of documents against it.
//! * [`state`]: behaviour. Pure: time and settings go in, documents and refusals come out.
//! * `lattice_routing`, a crate of its own: which service, rule and share a request means.
//! * [`iam`]: signatures and policies of requests to services.
//! * [`protocol`]: REST-JSON around the state: routes, decoding, rendering.
//! * [`plane`]: the data plane: requests on their way to targets, and health checks.
//! * [`picture`]: the network as HTML, for people.
//! * [`admin`]: what only people and tests use: counts, reset, settings, clock, snapshots.

pub mod admin;
mod emulator;
pub mod iam;
pub mod model;
pub mod picture;
pub mod plane;
pub mod protocol;
pub mod server;
pub mod state;

pub use emulator::{Clock, Emulator};
