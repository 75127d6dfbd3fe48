//! One module for each resource of VPC Lattice, as in `trellis_lattice`: how it is read, how its steps are done, and what
//! stands between the SDK's types and the model's.

mod access_log;
pub(super) mod action;
mod auth;
mod external;
mod function;
pub(super) mod health_check;
mod holder;
pub(super) mod imported;
pub(super) mod listener;
pub(super) mod network;
mod resource_association;
mod resource_configuration;
pub(super) mod resource_gateway;
pub(super) mod rule;
pub(super) mod rule_match;
pub(super) mod service;
pub(super) mod service_association;
pub(super) mod target;
pub(super) mod target_group;
pub(super) mod vpc_association;
pub(super) mod vpc_endpoint;
