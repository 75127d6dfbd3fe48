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
pub use token::{TokenError, eks_token};
pub(crate) use token::{percent_encoded, regional_endpoint};
