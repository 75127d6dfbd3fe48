//! Flags of the binary.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use http::Uri;
use lattice_emulator::state::{Delay, Prefix, Settings};
use serde_json::{Map, Value, json};

const AFTER: &str = "\
Delays (with --delay NAME=TIME; times are 0, 250ms, 2s, 1.5s, 2m, 1h):
  service, service-delete, target-group, target-group-delete, association, association-delete,
  vpc-association, vpc-association-update, vpc-association-delete, vpc-endpoint, vpc-endpoint-delete, resource, resource-delete, drain,
  target-register, target-deregister, propagation, auth-policy, tag-index; `all` sets every one of them.

Switches (with --switch NAME=VALUE; the first value is the default):
  prefix-mode=string|element  dup-error=conflict|validation  token-error=conflict|validation
  token-ttl=TIME  priority-max=2000  max-tags=50  auth-policy-max=10240  no-target-status=503
  batch-atomic=false|true  delete-tg-registered=conflict|allow  delete-auth-policy=allow|conflict
  page=100  list-shared=false|true  echo-tg=id|as-sent  default-rule-priority=NUMBER
  weight-default=100  weight-default-several=1  match-raw-path=true|false
  quota-counts-default=false|true  case-sensitive-default=true|false
  unknown-operation-501=false|true  scramble-messages=false|true

Admin paths under /_emulator/ of the control port: GET / (page), GET calls[?since=N], POST calls/reset,
POST reset, GET state, GET|PUT config, GET|PUT snapshot, GET|POST clock, POST shares, GET model, GET ca.pem,
GET access-log, GET picture.

When it is ready it prints one line:
  READY control=http://ADDRESS:PORT data-port=PORT";

/// Amazon VPC Lattice on one machine: control plane, data plane, and time that you can set.
///
/// Point AWS clients at it with AWS_ENDPOINT_URL_VPC_LATTICE=http://ADDRESS:PORT. Clients of a VPC send their
/// requests to PREFIX.255.254 at the data port, with the service's domain name as the host:
/// curl --connect-to ::127.65.255.254:DATA-PORT http://DOMAIN-NAME/path
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER)]
pub(crate) struct Flags {
    /// Where the control plane listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Port of the data plane, the same for all VPCs; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) data_port: u16,
    /// A VPC and its two-octet loopback prefix (repeatable). Other VPCs get the next free one from 127.70 on.
    #[arg(long = "vpc", value_name = "VPC=PREFIX", value_parser = vpc)]
    pub(crate) vpcs: Vec<(String, Prefix)>,
    /// Region.
    #[arg(long, default_value = "us-west-2")]
    pub(crate) region: String,
    /// Account, twelve digits.
    #[arg(long, default_value = "000000000000")]
    pub(crate) account: String,
    /// How long a transition takes (repeatable).
    #[arg(long = "delay", value_name = "NAME=TIME", value_parser = pair)]
    delays: Vec<(String, String)>,
    /// Behaviour that AWS does not document (repeatable).
    #[arg(long = "switch", value_name = "NAME=VALUE", value_parser = pair)]
    switches: Vec<(String, String)>,
    /// An upper limit (repeatable), such as rules-per-listener=100.
    #[arg(long = "quota", value_name = "NAME=NUMBER", value_parser = pair)]
    quotas: Vec<(String, String)>,
    /// Time added to each control-plane call.
    #[arg(long, value_name = "TIME", default_value = "0")]
    latency: Delay,
    /// Throttle calls: a rate per second for reads and one for the rest, such as 20/5, with bursts of twice that.
    #[arg(long, value_name = "READ/MUTATE")]
    throttle: Option<String>,
    /// Any settings as a JSON merge patch, in the form of GET /_emulator/config (repeatable).
    #[arg(long = "config", value_name = "JSON")]
    patches: Vec<String>,
    /// Number that decides ids and drawn faults; drawn itself when absent.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Write the certificate of the authority that signs the data plane's certificates here, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Append access log entries of services and networks that have a subscription to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,
    /// Endpoint of CloudWatch Logs, for access log subscriptions whose destination is a log group.
    #[arg(long, value_name = "URL")]
    pub(crate) logs_endpoint: Option<Uri>,
    /// Endpoint of Lambda, for target groups of type LAMBDA.
    #[arg(long, value_name = "URL")]
    pub(crate) lambda_endpoint: Option<Uri>,
    /// Endpoint of EKS, whose clusters' tags the tagging API then shows.
    #[arg(long, value_name = "URL")]
    eks_endpoint: Option<Uri>,
    /// Stop when standard input ends.
    #[arg(long)]
    pub(crate) exit_on_stdin_eof: bool,
}

/// The name that stands for every delay.
const ALL: &str = "all";

impl Flags {
    /// The settings that the flags make.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        let known: Vec<String> = match serde_json::to_value(&settings.delays)? {
            Value::Object(delays) => delays.into_iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        };
        let mut delays = Map::new();
        for (name, time) in &self.delays {
            if name == ALL {
                delays.extend(known.iter().map(|name| (name.clone(), json!(time))));
            } else {
                delays.insert(name.clone(), json!(time));
            }
        }
        let typed = |pairs: &[(String, String)]| -> Map<String, Value> {
            let scalar = |text: &str| match serde_json::from_str(text) {
                Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
                _ => json!(text),
            };
            pairs.iter().map(|(name, value)| (name.clone(), scalar(value))).collect()
        };
        let patch = json!({
            "delays": delays,
            "switches": typed(&self.switches),
            "quotas": typed(&self.quotas),
            "latency": self.latency,
        });
        settings = settings.patched(&patch)?;
        if let Some(rates) = &self.throttle {
            settings = settings.patched(&throttle(rates)?)?;
        }
        settings.eks_endpoint = self.eks_endpoint.as_ref().map(ToString::to_string);
        for patch in &self.patches {
            let patch = serde_json::from_str(patch).context("--config is no JSON")?;
            settings = settings.patched(&patch)?;
        }
        Ok(settings)
    }
}

fn throttle(text: &str) -> anyhow::Result<Value> {
    let (read, mutate) = text.split_once('/').context("--throttle needs two rates, such as 20/5")?;
    let rate = |text: &str| -> anyhow::Result<Value> {
        let rate: f64 = text.parse().with_context(|| format!("--throttle: {text} is no rate"))?;
        Ok(json!({"per-second": rate, "burst": rate * 2.0}))
    };
    Ok(json!({"throttle": {"read": rate(read)?, "mutate": rate(mutate)?}}))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn vpc(text: &str) -> Result<(String, Prefix), String> {
    let (vpc, prefix) = pair(text)?;
    Ok((vpc, prefix.parse().map_err(|error: lattice_emulator::state::vpc::PrefixError| error.to_string())?))
}
