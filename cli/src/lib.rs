//! The command line `trellis`: what manifests become in VPC Lattice, offline; and which clusters are registered with an installation.
//!
//! ```text
//! args ─► manifests (files → objects) ─► offline (objects → Snapshot) ─► evaluate (assess, until all rest)
//!                                                                             │
//!                        finding, quota, cost, graph  ◄────────────────────────┘ ─► text, json, github, sarif
//! ```
//!
//! ```text
//! registration ─► installation (found → steps and findings) ─► the person's AWS CLI
//! ```
//!
//! It depends on the pure crates alone: no SDK of AWS and no client of Kubernetes is compiled for it.

pub mod args;
mod assume;
pub mod cost;
pub mod evaluate;
pub mod finding;
pub mod graph;
pub mod installation;
pub mod machine;
pub mod manifests;
pub mod offline;
pub mod quota;
mod registration;
pub mod report;
pub mod run;
mod store;
pub mod text;
