//! The in-cluster admission webhook of Trellis.
//!
//! It listens to what users and controllers do with the objects that VPC Lattice resources are made from, and tells the
//! reconciler where to look: [`review`] decides, [`queue`] and [`sqs`] carry the hints, [`server`] answers the API
//! server, always with `allowed: true`, and [`losses`] makes good what may be missing. [`interest`] and [`watch`] know who
//! refers to a Service, so that those that no route names cost nothing; [`neighbours`] what a route stands beside, for the
//! warnings about it, and which Pods stand behind one, which [`gate`] gives a readiness gate; [`tls`] makes the certificate and the path and renews
//! them; [`listen`] bounds who connects; [`ops`] and [`metrics`] show how it fares. [`app`] puts it all together.

pub mod app;
pub mod args;
pub mod gate;
pub mod interest;
pub mod listen;
pub mod losses;
pub mod metrics;
pub mod neighbours;
pub mod ops;
pub mod queue;
mod recent;
pub mod review;
mod seldom;
pub mod server;
pub mod sqs;
pub mod tls;
pub mod watch;
