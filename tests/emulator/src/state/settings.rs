//! Everything that can be set: delays, switches, quotas, rates, faults. It is one document, so that flags, the
//! admin path and a snapshot speak of the same names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use lattice_routing::PrefixMode;

use super::address::{Cidr, Instance};
use super::quota::Quotas;
use super::time::Delay;
use crate::iam::Identity;

/// The whole of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Time that each control-plane call takes longer, after its effect and before its answer.
    pub latency: Delay,
    /// How long transitions take.
    pub delays: Delays,
    /// Behaviour that AWS does not document, by choice.
    pub switches: Switches,
    /// Upper limits, as Service Quotas has them.
    pub quotas: Quotas,
    /// Codes of quotas whose applied value Service Quotas does not tell.
    pub untold_quotas: Vec<String>,
    /// Rates of calls; absent = no limit.
    pub throttle: Option<Throttle>,
    /// Faults of calls, tried in order.
    pub faults: Vec<Fault>,
    /// Transitions that shall fail, by kind of resource.
    pub failures: Vec<Failure>,
    /// Instances by id, for target groups of type INSTANCE.
    pub instances: BTreeMap<String, Instance>,
    /// Addresses of application load balancers by ARN, for target groups of type ALB.
    pub load_balancers: BTreeMap<String, Vec<IpAddr>>,
    /// Addresses that domain names and ARNs of resources lead to, in the VPC of their resource gateway.
    pub names: BTreeMap<String, IpAddr>,
    /// CIDR blocks by VPC: an address outside of them is refused as a target. A VPC that is not named has all addresses.
    pub vpc_cidrs: BTreeMap<String, Vec<Cidr>>,
    /// Subnets by id, which VPC endpoints can have addresses in.
    pub subnets: BTreeMap<String, Subnet>,
    /// Endpoint of a local EKS, whose clusters' tags the tagging API then shows.
    pub eks_endpoint: Option<String>,
    /// Certificates that ACM lists.
    pub certificates: Vec<Certificate>,
    /// Domains whose owner has made the TXT record that a domain verification asks for.
    pub verified_domains: Vec<String>,
    /// Callers whose signatures are known.
    pub identities: Vec<Identity>,
    /// Whether calls of the control plane must be signed by one of these; requests to services always are held
    /// against them when they are signed.
    pub check_signatures: bool,
}

/// A patch that does not fit the settings.
#[derive(Debug, thiserror::Error)]
#[error("these settings cannot be read: {0}")]
pub struct SettingsError(#[from] serde_json::Error);

impl Settings {
    /// The settings after a merge patch (RFC 7396): objects merge, null resets to absent, the rest replaces.
    ///
    /// # Errors
    /// When a name or a value is unknown. Nothing has changed then.
    pub fn patched(&self, patch: &Value) -> Result<Self, SettingsError> {
        let mut document = serde_json::to_value(self)?;
        merge(&mut document, patch);
        Ok(serde_json::from_value(document)?)
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(target), Value::Object(patch)) = (&mut *target, patch) else {
        target.clone_from(patch);
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// How long transitions take. AWS documents none of them except draining; the rest are observations of others or
/// plausible guesses, and each can be zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Delays {
    /// Service: CREATE_IN_PROGRESS to ACTIVE.
    pub service: Delay,
    /// Service: DELETE_IN_PROGRESS to gone.
    pub service_delete: Delay,
    /// Target group: CREATE_IN_PROGRESS to ACTIVE.
    pub target_group: Delay,
    /// Target group: DELETE_IN_PROGRESS to gone.
    pub target_group_delete: Delay,
    /// Service-network service (and resource) association: creation.
    pub association: Delay,
    /// Service-network service (and resource) association: deletion.
    pub association_delete: Delay,
    /// Service-network VPC association: creation.
    pub vpc_association: Delay,
    /// Service-network VPC association: change of its security groups.
    pub vpc_association_update: Delay,
    /// Service-network VPC association: deletion.
    pub vpc_association_delete: Delay,
    /// VPC endpoint of a service network: pending to available.
    pub vpc_endpoint: Delay,
    /// VPC endpoint of a service network: deleting to gone.
    pub vpc_endpoint_delete: Delay,
    /// Resource gateway and resource configuration: creation and change.
    pub resource: Delay,
    /// Resource gateway and resource configuration: deletion.
    pub resource_delete: Delay,
    /// Deregistered target: DRAINING to gone.
    pub drain: Delay,
    /// Registered target: until it can get requests and its first health check is due; it is INITIAL so long.
    pub target_register: Delay,
    /// Deregistered target: until requests feel it.
    pub target_deregister: Delay,
    /// From a change of listeners and rules until requests feel it.
    pub propagation: Delay,
    /// From a change of an auth policy until requests feel it.
    pub auth_policy: Delay,
    /// From a change of tags until the Resource Groups Tagging API shows it.
    pub tag_index: Delay,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            service: Delay::seconds(2),
            service_delete: Delay::seconds(2),
            target_group: Delay::seconds(2),
            target_group_delete: Delay::seconds(2),
            association: Delay::seconds(3),
            association_delete: Delay::seconds(3),
            vpc_association: Delay::seconds(10),
            vpc_association_update: Delay::seconds(3),
            vpc_association_delete: Delay::seconds(75),
            vpc_endpoint: Delay::seconds(60),
            vpc_endpoint_delete: Delay::seconds(60),
            resource: Delay::seconds(2),
            resource_delete: Delay::seconds(2),
            drain: Delay::seconds(60),
            target_register: Delay(0),
            target_deregister: Delay(0),
            propagation: Delay::seconds(2),
            auth_policy: Delay::seconds(2),
            tag_index: Delay(0),
        }
    }
}

/// The error of a name, priority, port or token that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clash {
    /// ConflictException, 409.
    Conflict,
    /// ValidationException, 400.
    Validation,
}

/// Whether something is done or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// It is done.
    Allow,
    /// ConflictException, 409; ValidationException where the operation cannot raise a conflict.
    Conflict,
}

/// How a target group is echoed in actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Echo {
    /// As its id, whatever the caller sent.
    Id,
    /// As the caller sent it.
    AsSent,
}

/// Switches for what AWS's sources leave open or answer differently.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own with two documented settings")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Switches {
    /// 1: path prefixes by string or by path element.
    pub prefix_mode: PrefixMode,
    /// 2: error class of a name, priority or port in use.
    pub dup_error: Clash,
    /// 3: error class of a client token used with other parameters.
    pub token_error: Clash,
    /// 3: how long tokens are kept; absent = as long as the resource lives.
    pub token_ttl: Option<Delay>,
    /// 4: largest rule priority, 2000 (API model) or 100 (user guide).
    pub priority_max: u32,
    /// 5: tags that a resource may have.
    pub max_tags: usize,
    /// 6: bytes that an auth policy may have.
    pub auth_policy_max: usize,
    /// 7: status when a forward has nowhere to go: all weights zero, or a group without targets.
    pub no_target_status: u16,
    /// 8: whether one refused entry refuses the whole BatchUpdateRule.
    pub batch_atomic: bool,
    /// 9: DeleteTargetGroup while targets are registered.
    pub delete_tg_registered: Permission,
    /// 10: DeleteAuthPolicy while the auth type is AWS_IAM.
    pub delete_auth_policy: Permission,
    /// 13: page size when the caller names none.
    pub page: usize,
    /// 14: whether lists show service networks that other accounts share.
    pub list_shared: bool,
    /// 15: echo of target group identifiers in actions.
    pub echo_tg: Echo,
    /// 16: priority shown on a default rule; absent = the member is left out.
    pub default_rule_priority: Option<u32>,
    /// 17: weight of the only target group of an action that names none.
    pub weight_default: u32,
    /// 17: weight of one of several target groups that names none.
    pub weight_default_several: u32,
    /// 19: whether paths match as they are on the wire; else percent-decoded.
    pub match_raw_path: bool,
    /// 20: whether the quota of rules counts the default rule.
    pub quota_counts_default: bool,
    /// Case sensitivity of path and header values where the caller sets none (sources disagree).
    pub case_sensitive_default: bool,
    /// Whether an unsupported operation answers 501 instead of a modelled ValidationException.
    pub unknown_operation_501: bool,
    /// Replace all error messages, to prove that a client branches on classes only.
    pub scramble_messages: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            prefix_mode: PrefixMode::String,
            dup_error: Clash::Conflict,
            token_error: Clash::Conflict,
            token_ttl: None,
            priority_max: 2000,
            max_tags: 50,
            auth_policy_max: 10_240,
            no_target_status: 503,
            batch_atomic: false,
            delete_tg_registered: Permission::Conflict,
            delete_auth_policy: Permission::Allow,
            page: 100,
            list_shared: false,
            echo_tg: Echo::Id,
            default_rule_priority: None,
            weight_default: 100,
            weight_default_several: 1,
            match_raw_path: true,
            quota_counts_default: false,
            case_sensitive_default: true,
            unknown_operation_501: false,
            scramble_messages: false,
        }
    }
}

/// Rates of calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Throttle {
    /// All Get* and List* together.
    pub read: Rate,
    /// All other operations together.
    pub mutate: Rate,
    /// Operations with a rate of their own, by name.
    pub operations: BTreeMap<String, Rate>,
}

impl Default for Throttle {
    /// AWS documents no rates; these are the project's guess.
    fn default() -> Self {
        Self {
            read: Rate { per_second: 20.0, burst: 40.0 },
            mutate: Rate { per_second: 5.0, burst: 10.0 },
            operations: BTreeMap::new(),
        }
    }
}

/// A token bucket's measures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rate {
    /// Calls a second in the long run.
    pub per_second: f64,
    /// Calls at once after a rest.
    pub burst: f64,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// InternalServerException, and nothing has happened.
    ErrorBefore,
    /// InternalServerException, and the call has had its effect.
    ErrorAfter,
    /// The connection breaks, and the call has had its effect.
    TimeoutAfter,
    /// ThrottlingException with Retry-After.
    Throttle,
    /// AccessDeniedException, and nothing has happened.
    Deny,
    /// The call is slow.
    Slow,
    /// A list as it was a while ago.
    StaleList,
}

/// A rule that makes calls go wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Name of the operation, or its beginning with a `*` behind; absent = every operation. Those of the neighbours have
    /// the service before them, such as `tagging:GetResources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Probability from 0 to 1, drawn from the seed.
    #[serde(default = "certain")]
    pub probability: f64,
    /// How many calls it may still hit; absent = any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// How slow, or how long ago.
    #[serde(default)]
    pub delay: Delay,
}

fn certain() -> f64 {
    1.0
}

impl Fault {
    /// Whether the rule speaks of this operation.
    pub fn covers(&self, operation: &str) -> bool {
        self.operation.as_deref().is_none_or(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => operation.starts_with(prefix),
            None => operation == pattern,
        })
    }
}

/// A subnet, as EC2 knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Subnet {
    /// Id of its VPC.
    pub vpc: String,
    /// Id of its Availability Zone.
    pub zone: String,
}

/// A certificate that ACM lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// ARN; made from its place in the list when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The name that it is for, perhaps with a wildcard as its first label.
    pub domain: String,
    /// Further names.
    #[serde(default)]
    pub alternative_names: Vec<String>,
    /// Algorithm of its key; VPC Lattice takes RSA_2048 only.
    #[serde(default = "key_algorithm")]
    pub key_algorithm: String,
}

impl Certificate {
    /// All names.
    pub fn names(&self) -> Vec<&str> {
        std::iter::once(&self.domain).chain(&self.alternative_names).map(String::as_str).collect()
    }
}

fn key_algorithm() -> String {
    "RSA_2048".to_owned()
}

/// Which transition fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A creation ends in CREATE_FAILED.
    Create,
    /// A deletion ends in DELETE_FAILED.
    Delete,
    /// A change ends in UPDATE_FAILED.
    Update,
}

/// A rule that makes transitions fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    /// Which transition.
    pub transition: FailureKind,
    /// Kind of resource: service, target-group, service-association, vpc-association, resource-association,
    /// resource-gateway, resource-configuration.
    pub resource: String,
    /// How many transitions pass before the rule bites.
    #[serde(default)]
    pub skip: u32,
    /// How many transitions then fail.
    #[serde(default = "once")]
    pub count: u32,
    /// failureCode shown afterwards.
    #[serde(default = "failure_code")]
    pub code: String,
    /// failureMessage (or failureReason) shown afterwards.
    #[serde(default = "failure_message")]
    pub message: String,
}

fn once() -> u32 {
    1
}

fn failure_code() -> String {
    "InternalFailure".to_owned()
}

fn failure_message() -> String {
    "The transition was made to fail.".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let patch = serde_json::json!({"delays": {"service": "1s"}, "switches": {"prefix-mode": "element"}});
        let settings = Settings::default().patched(&patch).unwrap();
        assert_eq!(settings.delays.service, Delay(1000));
        assert_eq!(settings.switches.prefix_mode, PrefixMode::Element);
        assert_eq!(settings.delays.target_group, Delays::default().target_group);
    }

    #[test]
    fn a_patch_with_an_unknown_name_is_refused() {
        let patch = serde_json::json!({"delays": {"sevrice": "1s"}});
        assert!(Settings::default().patched(&patch).is_err());
    }

    #[test]
    fn a_null_in_a_patch_resets_to_the_default() {
        let with =
            Settings::default().patched(&serde_json::json!({"throttle": {}, "latency": "1s"})).unwrap();
        assert!(with.throttle.is_some());
        let without = with.patched(&serde_json::json!({"throttle": null, "latency": null})).unwrap();
        assert_eq!(without, Settings::default());
    }
}
