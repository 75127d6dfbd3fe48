//! What is to be done so that a cluster is registered, as steps and as findings: what a person made differently is told and not changed.

use super::found::{AGENT, Association, Cluster, Entry, Installation, Named, eks};
use crate::finding::Finding;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use trellis_gateway::Code;
use trellis_lattice::TAG_OWNER;

/// The group in Kubernetes that may read what Trellis reads and write statuses (the charts' RBAC).
pub const GROUP: &str = "trellis-reconcilers";
/// The value of the registering tag that takes a cluster out.
pub const LEAVING: &str = "leaving";

/// One change in EKS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A role reads the cluster.
    Grant {
        /// Its ARN.
        role: String,
    },
    /// The agent that gives Pods their roles.
    AddAgent,
    /// The webhook has its role.
    Associate {
        /// Its ARN.
        role: String,
    },
    /// The cluster's tag says where it stands.
    Tag {
        /// The tag's key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A role reads the cluster no more.
    Revoke {
        /// Its ARN.
        role: String,
    },
    /// The webhook has no role any more.
    Dissociate {
        /// The association's id.
        id: String,
    },
    /// The cluster has nothing to do with the installation any more.
    Untag {
        /// The tag's key.
        key: String,
    },
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant { role } => write!(f, "+ access entry of {role} with the group {GROUP}"),
            Self::AddAgent => write!(f, "+ add-on {AGENT}"),
            Self::Associate { role } => write!(f, "+ Pod Identity association of the webhook with {role}"),
            Self::Tag { key, value } => write!(f, "~ tag {key}={value}"),
            Self::Revoke { role } => write!(f, "- access entry of {role}"),
            Self::Dissociate { id } => write!(f, "- Pod Identity association {id}"),
            Self::Untag { key } => write!(f, "- tag {key}"),
        }
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Step {
    /// The arguments that the AWS CLI does it by.
    pub fn command(&self, named: &Named, arn: &str, owner: &str) -> Vec<String> {
        let cluster = ["--cluster-name", named.cluster.as_str()];
        let bears = tags(TAG_OWNER, owner);
        let of_cluster =
            |operation, rest: &[&str]| eks(operation, cluster.into_iter().chain(rest.iter().copied()));
        match self {
            Self::Grant { role } => of_cluster(
                "create-access-entry",
                &["--principal-arn", role, "--kubernetes-groups", GROUP, "--tags", &bears],
            ),
            Self::AddAgent => of_cluster("create-addon", &["--addon-name", AGENT]),
            Self::Associate { role } => {
                let account = ["--namespace", &named.namespace, "--service-account", &named.service_account];
                let rest: Vec<&str> =
                    account.into_iter().chain(["--role-arn", role, "--tags", &bears]).collect();
                of_cluster("create-pod-identity-association", &rest)
            }
            Self::Tag { key, value } => {
                eks("tag-resource", ["--resource-arn", arn, "--tags", &tags(key, value)])
            }
            Self::Revoke { role } => of_cluster("delete-access-entry", &["--principal-arn", role]),
            Self::Dissociate { id } => {
                of_cluster("delete-pod-identity-association", &["--association-id", id])
            }
            Self::Untag { key } => eks("untag-resource", ["--resource-arn", arn, "--tag-keys", key]),
        }
    }
}

/// One tag as JSON: in the CLI's shorter form a comma or a brace of its value would count.
fn tags(key: &str, value: &str) -> String {
    serde_json::json!({key: value}).to_string()
}

/// What there is to do, and what a person has to do or to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doing {
    /// In order.
    pub steps: Vec<Step>,
    /// What stands in the way, or is otherwise than it would be made.
    pub findings: Vec<Finding>,
}

/// What registers a cluster. Nothing that is there is changed but the tag.
pub fn registering(named: &Named, of: &Installation, found: &Cluster) -> Doing {
    let mut doing = Doing { steps: vec![], findings: obstacles(named, of, found) };
    for role in of.readers() {
        match found.entries.get(role) {
            None => doing.steps.push(Step::Grant { role: role.to_owned() }),
            Some(Entry { groups, .. }) if groups.contains(GROUP) => {}
            Some(Entry { groups, .. }) => {
                // The call replaces all groups.
                let all: Vec<&str> = groups.iter().map(String::as_str).chain([GROUP]).collect();
                let text = format!(
                    "It is there without the group {GROUP}, and is not changed; {} --principal-arn {role} \
                     --kubernetes-groups {}.",
                    named.aws("update-access-entry"),
                    all.join(" ")
                );
                let place = format!("access entry of {role}");
                doing.findings.push(finding(&place, Code::AccessEntryGroups, text));
            }
        }
    }
    if !named.has_own_webhook_role {
        give_role(named, of, found, &mut doing);
    }
    let (key, value) = &of.tag;
    if found.tags.get(key) != Some(value) && of_another(of, found).is_none() {
        // Last: from then on the functions read the cluster.
        doing.steps.push(Step::Tag { key: key.clone(), value: value.clone() });
    }
    doing
}

/// The webhook's role, by Pod Identity.
fn give_role(named: &Named, of: &Installation, found: &Cluster, doing: &mut Doing) {
    match &found.agent {
        None if !found.is_auto => doing.steps.push(Step::AddAgent),
        Some(status) if !matches!(status.as_str(), "ACTIVE" | "CREATING" | "UPDATING") => {
            let text =
                format!("It is in state {status}, so Pods may get no roles; see it in the console of EKS.");
            doing.findings.push(finding(&format!("add-on {AGENT}"), Code::AgentNotReady, text));
        }
        None | Some(_) => {}
    }
    match found.associations.iter().find(|one| one.namespace == named.namespace) {
        None => doing.steps.push(Step::Associate { role: of.webhook_role.clone() }),
        Some(Association { role, .. }) if *role == of.webhook_role => {}
        Some(Association { role, id, .. }) => {
            let text = format!(
                "It gives {}/{} the role {role}, which need not be allowed to send to the queue, and is not changed; {} \
                 --association-id {id} --role-arn {}.",
                named.namespace,
                named.service_account,
                named.aws("update-pod-identity-association"),
                of.webhook_role
            );
            let place = format!("Pod Identity association {id}");
            doing.findings.push(finding(&place, Code::AssociationRole, text));
        }
    }
}

/// What keeps a cluster from being registered at all.
fn obstacles(named: &Named, of: &Installation, found: &Cluster) -> Vec<Finding> {
    let mut findings = vec![];
    // Also after an update that was rolled back, and while old resources are cleaned up, the stack works.
    let is_deployed =
        ["CREATE_COMPLETE", "UPDATE_", "IMPORT_"].iter().any(|begin| of.status.starts_with(begin))
            && ["_COMPLETE", "_COMPLETE_CLEANUP_IN_PROGRESS"].iter().any(|end| of.status.ends_with(end));
    if !is_deployed {
        let text = format!("It is in state {}; wait until it is deployed, or mend it.", of.status);
        findings.push(finding(&format!("stack {}", named.stack), Code::StackNotReady, text));
    }
    let place = format!("cluster {}", named.cluster);
    if !matches!(found.status.as_str(), "ACTIVE" | "UPDATING") {
        let text = format!("It is in state {}; wait until it is ACTIVE.", found.status);
        findings.push(finding(&place, Code::ClusterNotReady, text));
    }
    if found.authentication == "CONFIG_MAP" {
        let text = format!(
            "Its authentication mode is CONFIG_MAP, which knows no access entries; aws eks update-cluster-config --name {}{} \
             --access-config authenticationMode=API_AND_CONFIG_MAP (there is no way back).",
            named.cluster, named.flags
        );
        findings.push(finding(&place, Code::AuthenticationMode, text));
    }
    findings.extend(of_another(of, found));
    findings
}

/// What is told of a cluster whose tag has a value that is not this installation's. Nor may it be `leaving` then: the other one reads that too.
pub fn of_another(of: &Installation, found: &Cluster) -> Option<Finding> {
    let (key, own) = &of.tag;
    let value = found.tags.get(key).filter(|value| *value != own && *value != LEAVING)?;
    let text = format!(
        "It is {value:?}, and this installation's is {own:?}: another installation may have the cluster, so it is not changed; \
         take the cluster out there, or remove the tag."
    );
    Some(finding(&format!("tag {key}"), Code::RegisteredElsewhere, text))
}

/// What takes away what [`registering`] made; what bears no tag of this installation is told and left.
pub fn removing(named: &Named, of: &Installation, found: &Cluster) -> Doing {
    let mut doing = Doing::default();
    let is_ours = |tags: &BTreeMap<String, String>| tags.get(TAG_OWNER) == Some(&of.owner);
    let foreign = |what: String, command: String| {
        let text = format!(
            "It bears no tag {TAG_OWNER}={}, so a person made it, and it stays; {command}.",
            of.owner
        );
        finding(&what, Code::MadeByHand, text)
    };
    for one in &found.associations {
        if is_ours(&one.tags) {
            doing.steps.push(Step::Dissociate { id: one.id.clone() });
        } else if one.namespace == named.namespace {
            let command = named.aws("delete-pod-identity-association");
            let place = format!("Pod Identity association {}", one.id);
            doing.findings.push(foreign(place, format!("{command} --association-id {}", one.id)));
        }
    }
    for (role, entry) in &found.entries {
        if is_ours(&entry.tags) {
            doing.steps.push(Step::Revoke { role: role.clone() });
        } else {
            doing.findings.push(foreign(
                format!("access entry of {role}"),
                format!("{} --principal-arn {role}", named.aws("delete-access-entry")),
            ));
        }
    }
    if found.tags.contains_key(&of.tag.0) && of_another(of, found).is_none() {
        doing.steps.push(Step::Untag { key: of.tag.0.clone() });
    }
    doing
}

pub(crate) fn finding(path: &str, code: Code, message: String) -> Finding {
    Finding::new(None, path, code, message)
}
