//! The service directory: all that an account and Region has in VPC Lattice in one view, with the clusters, routes and Gateways that it
//! stands for. Pure: [`Directory::of`] joins what was read, and [`page()`] draws it as one HTML page that needs nothing else.

mod join;
mod listing;
mod model;
mod page;

pub use listing::{
    Health, ListedGroup, ListedNetwork, ListedService, ListedVpcAssociation, Listing, Membership,
};
pub use model::{
    Backend, Cluster, ClusterState, Directory, Gateway, Network, Remark, Route, Seen, Service, Sources,
    Totals, Vpc, Whose,
};
pub use page::page;

/// What a service of VPC Lattice costs, in USD: 0.025 an hour (VPC Lattice pricing, us-east-1), 730 hours a month.
pub const SERVICE_USD_A_MONTH: f64 = 0.025 * 730.0;
