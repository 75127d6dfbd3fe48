use std::collections::{BTreeMap, BTreeSet};
use trellis_gateway::{BalancerFacts, InstanceFacts, Selector};
use trellis_lattice::FunctionFacts;

/// What AWS knows of things that objects name, beside VPC Lattice: the second source of facts beside the clusters.
///
/// An answer tells of each thing that is asked for whether it is there, is not there, or is not known. What is not known deletes
/// nothing and moves no request.
pub trait Facts: Send + Sync + 'static {
    /// What is known of these functions, by ARN with its qualifier: of each of them something.
    fn functions(
        &self,
        arns: &BTreeSet<String>,
    ) -> impl Future<Output = BTreeMap<String, FunctionFacts>> + Send;

    /// What is known of the instances that are meant: of each of these something.
    fn instances(
        &self,
        selectors: &BTreeSet<Selector>,
    ) -> impl Future<Output = BTreeMap<Selector, InstanceFacts>> + Send;

    /// What is known of these load balancers, by ARN: of each of them something.
    fn load_balancers(
        &self,
        arns: &BTreeSet<String>,
    ) -> impl Future<Output = BTreeMap<String, BalancerFacts>> + Send;
}
