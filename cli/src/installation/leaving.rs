//! What the drift function says of a cluster: where it stands, and what of it is left.

use super::aws::{Aws, AwsError};
use super::found::{Installation, words};
use super::steps::LEAVING;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a drift pass tells of one cluster (`DriftReport` of the engine, `clusters`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Said {
    /// `registered`, `unknown`, `leaving` or `notRegistered`.
    pub state: String,
    /// Why it is unknown.
    pub why: Option<String>,
    /// Kinds that it does not serve.
    pub not_served: Vec<String>,
    /// What it has in VPC Lattice.
    pub has: Has,
    /// What is to be done.
    pub advice: Option<String>,
}

/// Resources of VPC Lattice, counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Has {
    /// Services.
    pub services: usize,
    /// Target groups.
    pub target_groups: usize,
}

impl Said {
    /// Whether the function knows that the cluster leaves, and nothing of it is left.
    pub fn is_drained(&self) -> bool {
        self.state == LEAVING && self.has == Has::default()
    }

    /// What is left, in words.
    pub fn left(&self) -> String {
        let counted = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        format!(
            "{} and {}",
            counted(self.has.services, "service"),
            counted(self.has.target_groups, "target group")
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    clusters: Option<BTreeMap<String, Said>>,
    error_message: Option<String>,
}

/// Has the drift function make a pass, and what it says of a cluster; none where it knows nothing of it.
///
/// # Errors
///
/// The call's, and the function's own.
pub fn said(aws: &dyn Aws, of: &Installation, arn: &str) -> Result<Option<Said>, AwsError> {
    let arguments = words(["lambda", "invoke", "--function-name", &of.drift_function, "/dev/stdout"]);
    let answer = aws.call(&arguments)?;
    let failed = |why: String| AwsError::Failed(format!("lambda invoke: {}: {why}", of.drift_function));
    let answer: Answer = serde_json::from_value(answer).map_err(|error| failed(error.to_string()))?;
    match (answer.clusters, answer.error_message) {
        (Some(mut clusters), _) => Ok(clusters.remove(arn)),
        (None, why) => Err(failed(why.unwrap_or_else(|| "its answer is no report".to_owned()))),
    }
}
