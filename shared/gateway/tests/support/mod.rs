//! What the tests share: clusters made of YAML, and an API server that answers from them.

pub mod case;
pub mod world;
