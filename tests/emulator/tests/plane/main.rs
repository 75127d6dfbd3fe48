//! Tests of the data plane with real sockets.

mod forwarding;
mod load;
mod secure;
mod site;
