//! What is wrong with a cluster's registration: what registering it would do, and what the functions say.

use super::aws::{Aws, AwsError};
use super::found::{Cluster, Installation, Named, words};
use super::leaving::{Has, Said};
use super::steps::{Doing, LEAVING, Step, finding, registering};
use crate::finding::Finding;
use trellis_gateway::Code;

/// How many messages could not be worked off.
///
/// # Errors
///
/// The call's.
pub fn dead_letters(aws: &dyn Aws, of: &Installation) -> Result<u64, AwsError> {
    const COUNT: &str = "ApproximateNumberOfMessages";
    let arguments = words([
        "sqs",
        "get-queue-attributes",
        "--queue-url",
        &of.dead_letters_url,
        "--attribute-names",
        COUNT,
    ]);
    let answer = aws.call(&arguments)?;
    let count = answer["Attributes"][COUNT].as_str().and_then(|text| text.parse().ok());
    count.ok_or_else(|| AwsError::Failed(format!("sqs get-queue-attributes: the answer has no {COUNT}")))
}

/// What AWS itself shows.
pub fn of_cluster(named: &Named, of: &Installation, found: &Cluster) -> Vec<Finding> {
    let Doing { steps, findings } = registering(named, of, found);
    let missing = steps.into_iter().map(|step| {
        let remedy = named.trellis("register");
        let (place, code, text) = match step {
            Step::Grant { role } => {
                let text = "The role has none, so the API server answers its function with 401";
                (format!("access entry of {role}"), Code::AccessEntryMissing, text.to_owned())
            }
            Step::AddAgent => {
                let text = "It is not there, so the webhook gets no role and sends no hint";
                ("Pod Identity agent".to_owned(), Code::AgentMissing, text.to_owned())
            }
            Step::Associate { .. } => {
                let text = "There is none, so the webhook gets no role and sends no hint";
                (format!("Pod Identity of {}", named.namespace), Code::AssociationMissing, text.to_owned())
            }
            Step::Tag { key, value } => {
                let text = match found.tags.get(&key).map(String::as_str) {
                    Some(LEAVING) => "The cluster is being taken out".to_owned(),
                    _ => format!("The cluster has no tag {key}={value}, so nobody looks at it"),
                };
                (format!("tag {key}"), Code::NotRegistered, text)
            }
            Step::Revoke { .. } | Step::Dissociate { .. } | Step::Untag { .. } => {
                (step.to_string(), Code::Invalid, "It is too much".to_owned())
            }
        };
        finding(&place, code, format!("{text}; {remedy}."))
    });
    findings.into_iter().chain(missing).collect()
}

/// What the functions say.
pub fn of_functions(of: &Installation, said: Option<&Said>, is_registered: bool) -> Vec<Finding> {
    let place = format!("function {}", of.drift_function);
    let Some(said) = said else {
        let text = "It does not know the cluster yet; it looks for new ones once a minute, so ask again.";
        return if is_registered { vec![finding(&place, Code::ClusterNew, text.to_owned())] } else { vec![] };
    };
    let mut findings = vec![];
    if !is_registered && said.has != Has::default() {
        let advice = said.advice.clone().unwrap_or_default();
        findings.push(finding(&place, Code::Pending, format!("{}. {advice}", said.has.left())));
    }
    if let Some(why) = &said.why {
        let text = format!("The cluster cannot be read: {why}. What it has in VPC Lattice stays as it is.");
        findings.push(finding(&place, Code::ClusterUnreadable, text));
    }
    if !said.not_served.is_empty() {
        let text = format!(
            "The cluster does not serve {}, so such objects cannot be; install their CRDs if they are wanted.",
            said.not_served.join(", ")
        );
        findings.push(finding(&place, Code::KindsNotServed, text));
    }
    findings
}

/// What is told of messages that could not be worked off.
pub fn of_dead_letters(of: &Installation, count: u64) -> Option<Finding> {
    let messages = if count == 1 { "message" } else { "messages" };
    let text = format!(
        "{count} {messages} could not be worked off; OPERATIONS.md says how to read them and to send them again."
    );
    (count > 0).then(|| finding(&of.dead_letters_url, Code::DeadLetters, text))
}
