use std::collections::{BTreeMap, BTreeSet};
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
}
