//! The in-cluster admission webhook of Trellis.
//!
//! It listens to what users and controllers do with the objects that VPC Lattice resources are made from, and tells the
//! reconciler where to look: [`review`] decides, [`queue`] and [`sqs`] carry the hints, [`server`] answers the API
//! server, always with `allowed: true`. [`interest`] and [`watch`] keep Services and EndpointSlices that no route names
//! from costing anything; [`tls`] makes the certificate and renews it; [`ops`] and [`metrics`] show how it fares.
//! [`app`] puts it all together.

pub mod app;
pub mod args;
pub mod interest;
pub mod metrics;
pub mod ops;
pub mod queue;
pub mod review;
pub mod server;
pub mod sqs;
pub mod tls;
mod warnings;
pub mod watch;
