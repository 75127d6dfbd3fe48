//! Registered clusters and the tokens that their API servers take.

mod clusters;
mod known;
mod registry;
mod token;

pub use clusters::Clusters;
pub use registry::{
    CLUSTER_SET_TAG, ClusterTag, MODE_TAG, Membership, ParseClusterTagError, RegisteredCluster, Registration,
    Registry, Unusable,
};
pub(crate) use token::regional_endpoint;
pub use token::{TokenError, eks_token};
