use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// Service associations per service network, L-75D4A19E.
    pub services_per_network: usize,
    /// VPC associations per service network, L-EF6E2D62.
    pub vpcs_per_network: usize,
    /// Service networks per Region, L-9CAD07FB.
    pub networks_per_region: usize,
    /// Services per Region, L-620C821E.
    pub services_per_region: usize,
    /// Target groups per Region, L-BB11C6B9.
    pub target_groups_per_region: usize,
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
            services_per_network: 500,
            vpcs_per_network: 500,
            networks_per_region: 50,
            services_per_region: 2000,
            target_groups_per_region: 500,
            target_groups_per_rule: 10,
            headers_per_rule: 5,
            path_chars: 128,
            priority_max: 100,
        }
    }
}

impl Limits {
    /// Quotas that Service Quotas knows, by their codes.
    fn quotas(&mut self) -> [(&'static str, &mut usize); 9] {
        [
            ("L-CF78395E", &mut self.rules_per_listener),
            ("L-D64E952E", &mut self.listeners_per_service),
            ("L-3DEC3B9F", &mut self.target_groups_per_service),
            ("L-D71303F3", &mut self.targets_per_target_group),
            ("L-75D4A19E", &mut self.services_per_network),
            ("L-EF6E2D62", &mut self.vpcs_per_network),
            ("L-9CAD07FB", &mut self.networks_per_region),
            ("L-620C821E", &mut self.services_per_region),
            ("L-BB11C6B9", &mut self.target_groups_per_region),
        ]
    }

    /// These limits with the values of quotas that apply, by their Service Quotas codes. Other codes are passed over, and
    /// so is zero: nothing could be made then, and it is likelier that the answer is wrong.
    #[must_use]
    pub fn with_quotas(mut self, values: &BTreeMap<String, u64>) -> Self {
        for (code, limit) in self.quotas() {
            if let Some(value) = values.get(code).filter(|value| **value > 0) {
                *limit = usize::try_from(*value).unwrap_or(usize::MAX);
            }
        }
        self
    }

    /// Whether values are there for all quotas that Service Quotas knows.
    pub fn are_told_by(values: &BTreeMap<String, u64>) -> bool {
        Self::default().quotas().iter().all(|(code, _)| values.contains_key(*code))
    }
}

/// Limits that a person has set by name; they count before what AWS tells.
///
/// ```
/// use trellis_lattice::{LimitOverrides, Limits};
///
/// let set: LimitOverrides = serde_json::from_str(r#"{"rulesPerListener": 100}"#)?;
/// let told = Limits { services_per_network: 900, ..Limits::default() };
/// let limits = set.over(&told);
/// assert_eq!((limits.rules_per_listener, limits.services_per_network), (100, 900));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the field of Limits of the same name")]
pub struct LimitOverrides {
    pub rules_per_listener: Option<usize>,
    pub listeners_per_service: Option<usize>,
    pub target_groups_per_service: Option<usize>,
    pub targets_per_target_group: Option<usize>,
    pub services_per_network: Option<usize>,
    pub vpcs_per_network: Option<usize>,
    pub networks_per_region: Option<usize>,
    pub services_per_region: Option<usize>,
    pub target_groups_per_region: Option<usize>,
    pub target_groups_per_rule: Option<usize>,
    pub headers_per_rule: Option<usize>,
    pub path_chars: Option<usize>,
    pub priority_max: Option<u16>,
}

impl LimitOverrides {
    /// `told`, with what a person has set in place of it.
    pub fn over(&self, told: &Limits) -> Limits {
        Limits {
            rules_per_listener: self.rules_per_listener.unwrap_or(told.rules_per_listener),
            listeners_per_service: self.listeners_per_service.unwrap_or(told.listeners_per_service),
            target_groups_per_service: self
                .target_groups_per_service
                .unwrap_or(told.target_groups_per_service),
            targets_per_target_group: self.targets_per_target_group.unwrap_or(told.targets_per_target_group),
            services_per_network: self.services_per_network.unwrap_or(told.services_per_network),
            vpcs_per_network: self.vpcs_per_network.unwrap_or(told.vpcs_per_network),
            networks_per_region: self.networks_per_region.unwrap_or(told.networks_per_region),
            services_per_region: self.services_per_region.unwrap_or(told.services_per_region),
            target_groups_per_region: self.target_groups_per_region.unwrap_or(told.target_groups_per_region),
            target_groups_per_rule: self.target_groups_per_rule.unwrap_or(told.target_groups_per_rule),
            headers_per_rule: self.headers_per_rule.unwrap_or(told.headers_per_rule),
            path_chars: self.path_chars.unwrap_or(told.path_chars),
            priority_max: self.priority_max.unwrap_or(told.priority_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_that_apply_replace_defaults_and_odd_ones_change_nothing() {
        let values = [("L-BB11C6B9", 1_000), ("L-CF78395E", 0), ("L-00000000", 7)];
        let values = values.map(|(code, value)| (code.to_owned(), value)).into();
        let limits = Limits::default().with_quotas(&values);
        assert_eq!(limits, Limits { target_groups_per_region: 1_000, ..Limits::default() });
        assert!(!Limits::are_told_by(&values));
        let all = Limits::default().quotas().map(|(code, _)| (code.to_owned(), 7)).into();
        assert!(Limits::are_told_by(&all));
    }

    #[test]
    fn every_limit_can_be_set_by_its_name() {
        // What a person sets has the names of what it replaces, no more and no fewer.
        let names = serde_json::to_value(Limits::default()).unwrap();
        let all: serde_json::Map<String, serde_json::Value> =
            names.as_object().unwrap().keys().map(|name| (name.clone(), 7.into())).collect();
        let set: LimitOverrides = serde_json::from_value(all.into()).unwrap();
        let limits = serde_json::to_value(set.over(&Limits::default())).unwrap();
        assert!(limits.as_object().unwrap().values().all(|value| *value == 7), "{limits}");
    }
}
