//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;
use trellis_hint::{ClusterId, Scope};
use trellis_lattice::{LimitOverrides, Limits};

/// Says what manifests become in Amazon VPC Lattice, and what is wrong with them.
#[derive(Debug, Clone, Parser)]
#[command(name = "trellis", bin_name = "trellis", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Whether to use colours. NO_COLOR and CLICOLOR_FORCE count too.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
}

impl Command {
    /// Whether it does nothing but tell: then whoever stops reading has had enough.
    pub fn only_tells(&self) -> bool {
        !matches!(self, Self::Register(_) | Self::Unregister(_) | Self::Check(_))
    }
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What there is to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show what VPC Lattice would have for these manifests, what their statuses would say, and what it costs
    ///
    /// Nothing is asked of a cluster or of AWS: the plan is that of an account that has nothing yet, for a cluster that has these
    /// objects and no others. An x in an ARN or a domain name stands for what VPC Lattice chooses. Functions, load balancers and target
    /// groups of others that the manifests name are taken to be there and to fit.
    #[command(
        after_help = "Exit status: 0 done, 1 an error; with --detailed-exitcode 2 where something would be changed."
    )]
    Plan(Plan),
    /// Say what is wrong with these manifests
    #[command(
        after_help = "Exit status: 0 nothing found, 1 findings at the level of --fail-on, or an error."
    )]
    Lint(Lint),
    /// Draw Gateways, services, rules, target groups and Services
    Graph(Graph),
    /// Say what a finding's code means and what helps
    Explain(Explain),
    /// Register a cluster: let the functions read it, give its webhook a role, tag it
    ///
    /// Says what it will do, asks once, does it, and says what it did and what is to be done next. Nothing that is there is changed but
    /// the cluster's tag. AWS is asked by the program aws, with your profile and your rights: cloudformation:DescribeStacks;
    /// eks:Describe* and eks:List* of the cluster; eks:CreateAccessEntry, eks:CreateAddon, eks:CreatePodIdentityAssociation and iam:PassRole
    /// for it, eks:TagResource.
    #[command(after_help = "Exit status: 0 registered, 1 something is in the way, or an error.")]
    Register(Register),
    /// Take a cluster out: drain what it serves, then remove what register made
    ///
    /// The first call tags the cluster, and Trellis drains its shares and removes what it has in VPC Lattice. A later one, or the same with
    /// --wait, removes the registration when two passes of the drift function, a grace apart, find that nothing is left. What register did not make is told and stays. AWS is asked by the program
    /// aws, with your profile and your rights: those of register, eks:Delete* and eks:UntagResource for it, and lambda:InvokeFunction.
    #[command(after_help = "Exit status: 0 taken out, 2 something of it is left, 1 an error.")]
    Unregister(Unregister),
    /// Say what keeps a cluster from working, and what helps
    ///
    /// AWS is asked for the registration, the functions for what they see, by the program aws with your profile and your rights:
    /// cloudformation:DescribeStacks, eks:Describe* and eks:List*, sqs:GetQueueAttributes, lambda:InvokeFunction.
    #[command(after_help = "Exit status: 0 nothing is wrong but what passes or may be meant so, 1 an error.")]
    Check(Check),
    /// Print the completion script of a shell
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version(Version),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man {
        /// The folder.
        folder: PathBuf,
    },
}

/// `trellis plan`.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// What to read.
    #[command(flatten)]
    pub input: Input,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = PlanFormat::Text)]
    pub output: PlanFormat,
    /// Exit with 2 where something would be changed.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show the waits between the steps too.
    #[arg(long)]
    pub waits: bool,
}

/// Forms of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// `trellis lint`.
#[derive(Debug, Clone, Args)]
pub struct Lint {
    /// What to read.
    #[command(flatten)]
    pub input: Input,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = LintFormat::Text)]
    pub output: LintFormat,
    /// The lowest level of a finding that makes the exit status 1.
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "LEVEL")]
    pub fail_on: FailOn,
}

/// Forms of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Annotations of a GitHub workflow.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// Levels that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// What is not in force.
    Error,
    /// Also what a person should know.
    Warning,
    /// Nothing fails.
    Never,
}

/// `trellis graph`.
#[derive(Debug, Clone, Args)]
pub struct Graph {
    /// What to read.
    #[command(flatten)]
    pub input: Input,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub output: GraphFormat,
}

/// Forms of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A flowchart of Mermaid, which GitHub and GitLab draw.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// For programs.
    Json,
}

/// `trellis explain`.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The code, such as TRL0031. Without one all codes are listed.
    pub code: Option<String>,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = PlanFormat::Text)]
    pub output: PlanFormat,
}

/// Names a cluster and the installation that it is for.
#[derive(Debug, Clone, Args)]
pub struct Registered {
    /// The cluster's name in EKS, or its ARN.
    #[arg(value_parser = cluster_name)]
    pub cluster: String,
    /// The CloudFormation stack of the installation.
    #[arg(long, default_value = "trellis", value_name = "NAME")]
    pub stack: String,
    /// The namespace of the webhook in the cluster.
    #[arg(long, short, default_value = "trellis-system", value_name = "NAME", value_parser = label)]
    pub namespace: String,
    /// The webhook's ServiceAccount, as the chart's `serviceAccount.name` has it.
    #[arg(long, default_value = "trellis-webhook", value_name = "NAME", value_parser = label)]
    pub service_account: String,
    /// The webhook has its role by another way than Pod Identity, as on Fargate.
    #[arg(long)]
    pub own_webhook_role: bool,
    /// The Region of both. Without it the one that the AWS CLI is set to.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// A profile of the AWS CLI.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = PlanFormat::Text)]
    pub output: PlanFormat,
}

/// Characters of a cluster's name (EKS API reference, CreateCluster).
const CLUSTER_CHARS_MAX: usize = 100;
/// Characters of a label of DNS (RFC 1123), as a namespace's name is one.
const LABEL_CHARS_MAX: usize = 63;

fn cluster_name(text: &str) -> Result<String, String> {
    let name = text.rsplit_once(":cluster/").map_or(text, |(_, name)| name);
    let is_name = (1..=CLUSTER_CHARS_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_name { Ok(name.to_owned()) } else { Err("this is no name of an EKS cluster".to_owned()) }
}

fn label(text: &str) -> Result<String, String> {
    let is_label = (1..=LABEL_CHARS_MAX).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if is_label { Ok(text.to_owned()) } else { Err("use lower-case letters, digits and hyphens".to_owned()) }
}

/// `trellis register`.
#[derive(Debug, Clone, Args)]
pub struct Register {
    /// The cluster.
    #[command(flatten)]
    pub of: Registered,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
    /// Do nothing; show the commands of the AWS CLI.
    #[arg(long)]
    pub dry_run: bool,
}

/// `trellis unregister`.
#[derive(Debug, Clone, Args)]
pub struct Unregister {
    /// The cluster, and how it is done.
    #[command(flatten)]
    pub of: Register,
    /// Wait until nothing is left, at most half an hour, and remove the registration then.
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
}

/// `trellis check`.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// The cluster.
    #[command(flatten)]
    pub of: Registered,
    /// Do not ask the functions, which may take a minute.
    #[arg(long)]
    pub quick: bool,
}

/// `trellis version`.
#[derive(Debug, Clone, Args)]
pub struct Version {
    /// The form of the output.
    #[arg(short, long, value_enum, default_value_t = PlanFormat::Text)]
    pub output: PlanFormat,
}

/// What is read, and what is assumed of the clusters and the account.
#[derive(Debug, Clone, Args)]
pub struct Input {
    /// A file, a folder, or - for standard input. With CLUSTER= before it, the manifests of another cluster.
    #[arg(short, long = "filename", value_name = "[CLUSTER=]PATH", value_hint = ValueHint::AnyPath)]
    #[arg(required_unless_present = "kustomize")]
    pub filename: Vec<String>,
    /// A folder that kubectl kustomize is to build. With CLUSTER= before it, of another cluster.
    #[arg(short = 'k', long, value_name = "[CLUSTER=]DIR", value_hint = ValueHint::DirPath)]
    pub kustomize: Vec<String>,
    /// Read folders in folders too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// The namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    /// The EKS cluster that the manifests are for.
    #[arg(long, env = "TRELLIS_CLUSTER_NAME", default_value = "cluster", value_name = "NAME")]
    pub cluster: String,
    /// The id of the cluster's VPC. With CLUSTER= before it, another cluster's.
    #[arg(long, default_value = VPC, value_name = "[CLUSTER=]ID")]
    pub vpc: Vec<String>,
    /// The account, 12 digits.
    #[arg(long, env = "TRELLIS_ACCOUNT", default_value = "111122223333")]
    pub account: String,
    /// The Region.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub region: String,
    /// The installation's name (the stack's parameter Owner).
    #[arg(long, default_value = "trellis", value_name = "OWNER")]
    pub owner: String,
    /// Quotas that differ from AWS's defaults, as the stack's parameter Limits has them: {"rulesPerListener": 100}.
    #[arg(long, default_value = "{}", value_name = "JSON", value_parser = limits)]
    pub limits: Limits,
    /// Service networks of others that Gateways may use (the stack's parameter AllowedNetworks).
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub allowed_networks: Vec<String>,
    /// A hostname for which ACM has a certificate, such as shop.example.com or *.example.com.
    #[arg(long, value_delimiter = ',', value_name = "HOSTNAME,…")]
    pub certificate: Vec<String>,
    /// What VPC Lattice bills for one service and hour, in USD; look it up for your Region.
    #[arg(long, default_value_t = crate::cost::USD_PER_SERVICE_HOUR, value_name = "USD")]
    pub service_hour_usd: f64,
}

/// The VPC of clusters of which none is named: no account has one of this id.
pub const VPC: &str = "vpc-00000000000000000";

/// Where manifests come from, each for a cluster or for the one that `--cluster` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin {
        /// The cluster.
        cluster: Option<String>,
    },
    /// A file or a folder.
    Path {
        /// The cluster.
        cluster: Option<String>,
        /// The path.
        path: PathBuf,
    },
    /// A kustomization.
    Kustomization {
        /// The cluster.
        cluster: Option<String>,
        /// Its folder.
        folder: PathBuf,
    },
}

impl Input {
    /// Where manifests are read from, in the order of the flags.
    pub fn sources(&self) -> Vec<Source> {
        let files = self.filename.iter().map(|text| match prefixed(text) {
            (cluster, "-") => Source::Stdin { cluster },
            (cluster, path) => Source::Path { cluster, path: path.into() },
        });
        let kustomizations = self.kustomize.iter().map(|text| {
            let (cluster, folder) = prefixed(text);
            Source::Kustomization { cluster, folder: folder.into() }
        });
        files.chain(kustomizations).collect()
    }

    /// The account and Region.
    ///
    /// # Errors
    ///
    /// A text that can be neither, for people.
    pub fn scope(&self) -> Result<Scope, String> {
        Scope::new(&self.account, &self.region).ok_or_else(|| {
            format!("{} is no account of 12 digits, or {} is no Region", self.account, self.region)
        })
    }

    /// The cluster of a name; none: the one that `--cluster` names.
    ///
    /// # Errors
    ///
    /// A name that no cluster can have, for people.
    pub fn cluster_of(&self, name: Option<&str>) -> Result<ClusterId, String> {
        let name = name.unwrap_or(&self.cluster);
        ClusterId::new(self.scope()?, name).ok_or_else(|| format!("{name:?} is no name of an EKS cluster"))
    }

    /// The VPC of a cluster.
    pub fn vpc_of(&self, name: &str) -> &str {
        let own = self.vpc.iter().find_map(|text| match prefixed(text) {
            (Some(cluster), vpc) => (cluster == name).then_some(vpc),
            (None, vpc) => (name == self.cluster).then_some(vpc),
        });
        own.unwrap_or(VPC)
    }
}

/// A cluster's name before `=`, and the rest. A path that is there counts as it stands.
fn prefixed(text: &str) -> (Option<String>, &str) {
    match text.split_once('=') {
        Some((cluster, rest)) if !cluster.contains(['/', '.']) && !PathBuf::from(text).exists() => {
            (Some(cluster.to_owned()), rest)
        }
        _ => (None, text),
    }
}

fn limits(text: &str) -> Result<Limits, String> {
    let set: LimitOverrides = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(set.over(&Limits::default()))
}
