//! Tests of the data plane with real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod forwarding;
mod load;
mod outlets;
mod page;
mod resources;
mod secure;
mod site;
mod targets;
