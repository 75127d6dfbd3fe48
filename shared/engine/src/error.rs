use trellis_aws::AwsError;
use trellis_hint::ClusterId;
use trellis_kube::{KubeError, ObserveError};
use trellis_lattice::Violation;

/// Why a unit could not be worked on. The message comes again.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// A call to AWS outside of the plan's steps failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A status could not be written.
    #[error("status not written")]
    Kube(#[from] KubeError),
    /// The core asked for reads without end.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The plan breaks an invariant and was not applied. A fault of Trellis.
    #[error("the plan was refused by its check: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    PlanRefused(Vec<Violation>),
    /// VPC Lattice was different from what was read each time.
    #[error("VPC Lattice was changed by another writer during each of {0} plans")]
    NeverStill(usize),
    /// Somebody else writes these statuses faster than we read.
    #[error("{0} statuses were changed each time before they could be written")]
    StatusContended(usize),
    /// A cluster that a status belongs to cannot be reached any more.
    #[error("cluster {0} cannot be read: {1}")]
    ClusterUnreadable(ClusterId, String),
}
