//! What the tests share: clusters made of YAML, and an API server that answers from them.

pub(crate) mod adopted;
mod applied;
pub(crate) mod brief;
pub(crate) mod case;
pub(crate) mod foreign;
mod resources;
pub(crate) mod vpcs;
pub(crate) mod world;
