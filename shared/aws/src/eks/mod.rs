//! Registered clusters and the tokens that their API servers take.

mod clusters;
mod known;
mod registry;
mod token;

pub use clusters::Clusters;
pub use registry::{ClusterTag, ParseClusterTagError, RegisteredCluster, Registration, Registry, Unusable};
pub use token::{TokenError, eks_token};
