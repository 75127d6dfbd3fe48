//! What AWS has of an installation and of a cluster that is, or is to be, registered with it.

use super::aws::{Aws, AwsError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What names an installation and where its webhook runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The CloudFormation stack.
    pub stack: String,
    /// The cluster's name.
    pub cluster: String,
    /// The webhook's namespace.
    pub namespace: String,
    /// The webhook's ServiceAccount.
    pub service_account: String,
    /// Whether a person gives the webhook its role by another way than Pod Identity.
    pub has_own_webhook_role: bool,
    /// What else a command needs to mean the same account and Region, such as ` --region us-east-1`.
    pub flags: String,
}

impl Named {
    /// A command of the AWS CLI for the cluster, for people.
    pub fn aws(&self, command: &str) -> String {
        format!("aws eks {command} --cluster-name {}{}", self.cluster, self.flags)
    }

    /// A command of this program for the cluster, for people.
    pub fn trellis(&self, command: &str) -> String {
        format!(
            "trellis {command} {} --stack {} --namespace {}{}",
            self.cluster, self.stack, self.namespace, self.flags
        )
    }
}

/// The add-on that gives Pods of an EKS cluster their roles.
pub const AGENT: &str = "eks-pod-identity-agent";

/// An installation, by its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The stack's status, such as `CREATE_COMPLETE`.
    pub status: String,
    /// What its resources bear as `trellis:owner`.
    pub owner: String,
    /// The tag that registers a cluster.
    pub tag: (String, String),
    /// The reconcile function's role.
    pub reconciler_role: String,
    /// The drift function's role.
    pub drift_role: String,
    /// The webhook's role.
    pub webhook_role: String,
    /// The queue of hints.
    pub queue_url: String,
    /// Where messages go that could not be worked off.
    pub dead_letters_url: String,
    /// The name of the drift function.
    pub drift_function: String,
    /// For how long what nobody wants any more stays.
    pub grace_seconds: u64,
}

impl Installation {
    /// The roles that read clusters.
    pub fn readers(&self) -> [&str; 2] {
        [&self.reconciler_role, &self.drift_role]
    }
}

/// A cluster of EKS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// Its ARN.
    pub arn: String,
    /// Such as `ACTIVE`.
    pub status: String,
    /// `API`, `API_AND_CONFIG_MAP` or `CONFIG_MAP`.
    pub authentication: String,
    /// Whether it is in Auto Mode, which has the agent of Pod Identity in it.
    pub is_auto: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The access entries of those who are to read it, by principal.
    pub entries: BTreeMap<String, Entry>,
    /// The status of the add-on [`AGENT`]; none where it is not there.
    pub agent: Option<String>,
    /// Who gives roles to ServiceAccounts of the webhook's name, in all namespaces.
    pub associations: Vec<Association>,
}

/// An access entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Its groups in Kubernetes.
    pub groups: BTreeSet<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A Pod Identity association.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Association {
    /// Its id.
    pub id: String,
    /// The ServiceAccount's namespace.
    pub namespace: String,
    /// The role that it gives.
    pub role: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoundError {
    /// AWS did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is no such stack.
    #[error(
        "there is no stack {0} in this account and Region; name it by --stack, and its Region by --region"
    )]
    NoStack(String),
    /// A stack that is not deployed yet, or no more.
    #[error("stack {stack} is in state {status}; deploy it first")]
    NotDeployed {
        /// The stack.
        stack: String,
        /// Its status.
        status: String,
    },
    /// AWS gave an answer that lacks what it always has.
    #[error("the answer of aws eks {0} has not what it should have; see what it prints by itself")]
    Odd(&'static str),
    /// A stack that is none of Trellis, or of a version that has not all outputs yet.
    #[error(
        "stack {stack} has no {lacks}: it is no stack of Trellis, or of an older version; deploy this one first"
    )]
    NotOurs {
        /// The stack.
        stack: String,
        /// What it has not.
        lacks: &'static str,
    },
    /// There is no such cluster.
    #[error(
        "EKS has no cluster {0} in this account and Region; correct its name, or name its Region by --region"
    )]
    NoCluster(String),
}

/// Reads what the stack says.
///
/// # Errors
///
/// What AWS does not tell, and what a stack of Trellis would have.
pub fn installation(aws: &dyn Aws, stack: &str) -> Result<Installation, FoundError> {
    let answer = match aws.call(&words(["cloudformation", "describe-stacks", "--stack-name", stack])) {
        // The code is the same for whatever is wrong with the name.
        Err(AwsError::Refused { message, .. }) if message.contains("does not exist") => {
            return Err(FoundError::NoStack(stack.to_owned()));
        }
        answer => answer?,
    };
    let described = &answer["Stacks"][0];
    let status = text(&described["StackStatus"]);
    if described["Outputs"].as_array().is_none_or(Vec::is_empty) && !status.is_empty() {
        return Err(FoundError::NotDeployed { stack: stack.to_owned(), status });
    }
    let output = |lacks: &'static str| {
        let value = pair(described, "Outputs", ("OutputKey", "OutputValue"), lacks);
        value.ok_or_else(|| FoundError::NotOurs { stack: stack.to_owned(), lacks })
    };
    let parameter = |lacks: &'static str| {
        let value = pair(described, "Parameters", ("ParameterKey", "ParameterValue"), lacks);
        value.ok_or_else(|| FoundError::NotOurs { stack: stack.to_owned(), lacks })
    };
    let tag = parameter("ClusterTag")?;
    let (key, value) = tag.split_once('=').unwrap_or((&tag, ""));
    Ok(Installation {
        status,
        grace_seconds: parameter("GraceSeconds")?
            .parse()
            .map_err(|_| FoundError::NotOurs { stack: stack.to_owned(), lacks: "GraceSeconds" })?,
        owner: parameter("Owner")?,
        tag: (key.to_owned(), value.to_owned()),
        reconciler_role: output("ReconcilerRoleArn")?,
        drift_role: output("DriftRoleArn")?,
        webhook_role: output("WebhookRoleArn")?,
        queue_url: output("QueueUrl")?,
        dead_letters_url: output("DeadLetterQueueUrl")?,
        drift_function: output("DriftFunctionName")?,
    })
}

fn pair(described: &Value, list: &str, (key, value): (&str, &str), name: &str) -> Option<String> {
    let all = described[list].as_array().into_iter().flatten();
    let mut named = all.filter(|one| one[key] == name);
    named.next().map(|one| text(&one[value]))
}

/// Reads what EKS says of a cluster, as far as it has to do with an installation.
///
/// # Errors
///
/// What AWS does not tell.
pub fn cluster(aws: &dyn Aws, named: &Named, of: &Installation) -> Result<Cluster, FoundError> {
    let name = named.cluster.as_str();
    let described = missing_is_none(aws.call(&eks("describe-cluster", ["--name", name])))?;
    let described = described.ok_or_else(|| FoundError::NoCluster(name.to_owned()))?;
    let described = &described["cluster"];
    let arn = text(&described["arn"]);
    let tags = aws.call(&eks("list-tags-for-resource", ["--resource-arn", &arn]))?;
    // An answer that says nothing does not say that there is no tag.
    if arn.is_empty() || !tags["tags"].is_object() {
        return Err(FoundError::Odd("list-tags-for-resource"));
    }
    let authentication = text(&described["accessConfig"]["authenticationMode"]);
    let mut entries = BTreeMap::new();
    // In the other mode EKS knows no entries, and refuses to tell of them.
    for role in of.readers().into_iter().filter(|_| authentication != "CONFIG_MAP") {
        let call = eks("describe-access-entry", ["--cluster-name", name, "--principal-arn", role]);
        if let Some(found) = missing_is_none(aws.call(&call))? {
            let entry = &found["accessEntry"];
            let groups = entry["kubernetesGroups"].as_array().into_iter().flatten().map(text).collect();
            entries.insert(role.to_owned(), Entry { groups, tags: tags_of(&entry["tags"]) });
        }
    }
    let agent = eks("describe-addon", ["--cluster-name", name, "--addon-name", AGENT]);
    let agent = missing_is_none(aws.call(&agent))?.map(|found| text(&found["addon"]["status"]));
    Ok(Cluster {
        status: text(&described["status"]),
        authentication,
        is_auto: described["computeConfig"]["enabled"] == true,
        tags: tags_of(&tags["tags"]),
        entries,
        agent,
        associations: associations(aws, named)?,
        arn,
    })
}

/// Of a namespace that the webhook was in before too: what register made there is ours.
fn associations(aws: &dyn Aws, named: &Named) -> Result<Vec<Association>, FoundError> {
    let name = ["--cluster-name", named.cluster.as_str()];
    let listed = aws.call(&eks("list-pod-identity-associations", name))?;
    let listed =
        listed["associations"].as_array().ok_or(FoundError::Odd("list-pod-identity-associations"))?;
    let mut found = vec![];
    for one in listed.iter().filter(|one| one["serviceAccount"] == named.service_account.as_str()) {
        let id = text(&one["associationId"]);
        let call =
            eks("describe-pod-identity-association", name.into_iter().chain(["--association-id", &id]));
        if let Some(described) = missing_is_none(aws.call(&call))? {
            let described = &described["association"];
            let (role, tags) = (text(&described["roleArn"]), tags_of(&described["tags"]));
            found.push(Association { id, namespace: text(&one["namespace"]), role, tags });
        }
    }
    Ok(found)
}

fn missing_is_none(answer: Result<Value, AwsError>) -> Result<Option<Value>, AwsError> {
    match answer {
        Err(error) if error.is_missing() => Ok(None),
        answer => answer.map(Some),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn tags_of(value: &Value) -> BTreeMap<String, String> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

/// The arguments of a call to EKS.
pub(crate) fn eks<'a>(operation: &'a str, rest: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words(["eks", operation].into_iter().chain(rest))
}

pub(crate) fn words<'a>(all: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    all.into_iter().map(str::to_owned).collect()
}
