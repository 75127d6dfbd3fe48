//! What the drift function says of a cluster: where it stands, and what of it is left.

use super::aws::{Aws, AwsError};
use super::found::{Installation, words};
use super::steps::LEAVING;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a drift pass tells of one cluster (`DriftReport` of the engine, `clusters`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    /// `registered`, `unknown`, `leaving` or `notRegistered`.
    pub state: String,
    /// Why it is unknown.
    #[serde(default)]
    pub why: Option<String>,
    /// Kinds that it does not serve.
    #[serde(default)]
    pub not_served: Vec<String>,
    /// What it has in VPC Lattice.
    pub has: Has,
    /// What is to be done.
    #[serde(default)]
    pub advice: Option<String>,
}

/// Resources of VPC Lattice, counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Has {
    /// Services.
    pub services: usize,
    /// Target groups.
    pub target_groups: usize,
}

impl Has {
    /// In words.
    pub fn counted(self) -> String {
        let counted = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        };
        format!("{} and {}", counted(self.services, "service"), counted(self.target_groups, "target group"))
    }

    /// That they are left.
    pub fn left(self) -> String {
        format!("{} are left", self.counted())
    }
}

/// What a pass tells that has to do with one cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    /// The cluster; none where the function knows nothing of it.
    pub cluster: Option<Said>,
    /// Units that clusters share, service networks and merged routes, which the pass found to differ or could not look at.
    pub shared: Vec<String>,
}

impl Told {
    /// What of a cluster that leaves is still there or not known, in words; none where nothing is.
    pub fn left(&self) -> Option<String> {
        match &self.cluster {
            Some(said) if said.state != LEAVING => {
                Some("The functions have not seen yet that it is being taken out".to_owned())
            }
            None => Some("The functions do not know it yet".to_owned()),
            Some(said) if said.has != Has::default() => Some(said.has.left()),
            // What a cluster has in a network, such as its VPC's association, is counted for no cluster.
            Some(_) if !self.shared.is_empty() => Some(format!(
                "Of what clusters share something is still being changed ({})",
                self.shared.join(", ")
            )),
            Some(_) => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    clusters: Option<BTreeMap<String, Said>>,
    #[serde(default)]
    drifted: Vec<Drifted>,
    #[serde(default)]
    failed: BTreeMap<String, String>,
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct Drifted {
    unit: String,
}

/// Has the drift function make a pass, and what it says that has to do with a cluster.
///
/// # Errors
///
/// The call's, and the function's own.
pub fn told(aws: &dyn Aws, of: &Installation, arn: &str) -> Result<Told, AwsError> {
    let arguments = words(["lambda", "invoke", "--function-name", &of.drift_function, "/dev/stdout"]);
    let answer = aws.call(&arguments)?;
    let failed = |why: String| AwsError::Failed(format!("lambda invoke: {}: {why}", of.drift_function));
    let answer: Answer = serde_json::from_value(answer).map_err(|error| failed(error.to_string()))?;
    match (answer.clusters, answer.error_message) {
        (Some(mut clusters), None) => {
            let shared = answer.drifted.into_iter().map(|one| one.unit).chain(answer.failed.into_keys());
            Ok(Told { cluster: clusters.remove(arn), shared: shared.collect() })
        }
        (_, why) => Err(failed(why.unwrap_or_else(|| "its answer is no report".to_owned()))),
    }
}
