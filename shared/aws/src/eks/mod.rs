//! Registered clusters and the tokens that their API servers take.

mod clusters;
mod token;

pub use clusters::{ClusterTag, Clusters, ParseClusterTagError, RegisteredCluster, Registry, Unusable};
pub use token::{TokenError, eks_token};
