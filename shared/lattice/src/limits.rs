use serde::{Deserialize, Serialize};

/// Quotas and bounds of VPC Lattice that translation and planning keep. They are inputs: an account can have raised ones.
///
/// Defaults are AWS's (User Guide, Quotas, with the Service Quotas code at each field).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    /// Rules per listener, L-CF78395E.
    pub rules_per_listener: usize,
    /// Listeners per service, L-D64E952E.
    pub listeners_per_service: usize,
    /// Target groups per service, L-3DEC3B9F.
    pub target_groups_per_service: usize,
    /// Targets per target group, L-D71303F3.
    pub targets_per_target_group: usize,
    /// Target groups in one forward action; not adjustable (API reference, ForwardAction).
    pub target_groups_per_rule: usize,
    /// Header matches in one rule; not adjustable (API reference, HttpMatch).
    pub headers_per_rule: usize,
    /// Characters of a path match; the stricter of the API's 200 and CloudFormation's 128.
    pub path_chars: usize,
    /// Highest priority; User Guide and CloudFormation say 100, the API model 2000.
    pub priority_max: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rules_per_listener: 10,
            listeners_per_service: 2,
            target_groups_per_service: 10,
            targets_per_target_group: 1000,
            target_groups_per_rule: 10,
            headers_per_rule: 5,
            path_chars: 128,
            priority_max: 100,
        }
    }
}
