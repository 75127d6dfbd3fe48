use std::collections::BTreeSet;
use trellis_aws::ClusterTag;
use trellis_gateway::Settings;
use trellis_lattice::{LimitOverrides, Limits};

/// The functions' settings.
#[derive(Debug, Clone)]
pub struct WiringSettings {
    /// `TRELLIS_QUEUE_URL`.
    pub queue_url: String,
    /// `TRELLIS_LATER_QUEUE_URL`: of the function that reconciles.
    pub later_queue_url: Option<String>,
    /// `TRELLIS_CLUSTER_TAG`, `key=value`; default `trellis:registered=true`.
    pub cluster_tag: ClusterTag,
    /// `TRELLIS_LIMITS` (JSON; default none): limits instead of those that AWS tells of the account.
    pub limits: LimitOverrides,
    /// `TRELLIS_OWNER` (default `trellis`) and `TRELLIS_ALLOWED_NETWORKS` (names or ARNs with commas between; default none);
    /// limits as they are where AWS tells nothing.
    pub gateway: Settings,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The variable must be there.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The variable's value is of no use.
    #[error("the environment variable {name} cannot be used: {reason}")]
    Invalid {
        /// The variable's name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl WiringSettings {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let invalid =
            |name, error: &dyn std::fmt::Display| ConfigError::Invalid { name, reason: error.to_string() };
        let cluster_tag = match get("TRELLIS_CLUSTER_TAG") {
            Some(tag) => tag.parse().map_err(|error| invalid("TRELLIS_CLUSTER_TAG", &error))?,
            None => ClusterTag::default(),
        };
        let limits: LimitOverrides = match get("TRELLIS_LIMITS") {
            Some(json) => serde_json::from_str(&json).map_err(|error| invalid("TRELLIS_LIMITS", &error))?,
            None => LimitOverrides::default(),
        };
        let allowed_networks = get("TRELLIS_ALLOWED_NETWORKS").unwrap_or_default();
        let allowed_networks = allowed_networks.split(',').map(str::trim).filter(|one| !one.is_empty());
        let allowed_networks = allowed_networks.map(str::to_owned).collect();
        let leaving = get("TRELLIS_LEAVING_CLUSTERS").unwrap_or_default();
        let leaving = leaving.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::parse);
        let leaving = leaving
            .collect::<Result<BTreeSet<_>, _>>()
            .map_err(|error| invalid("TRELLIS_LEAVING_CLUSTERS", &error))?;
        let installation = get("TRELLIS_OWNER").unwrap_or_else(|| "trellis".into());
        Ok(Self {
            queue_url: get("TRELLIS_QUEUE_URL").ok_or(ConfigError::Missing("TRELLIS_QUEUE_URL"))?,
            later_queue_url: get("TRELLIS_LATER_QUEUE_URL"),
            cluster_tag,
            gateway: Settings {
                installation,
                limits: limits.over(&Limits::default()),
                allowed_networks,
                leaving,
            },
            limits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn from(pairs: &[(&str, &str)]) -> Result<WiringSettings, ConfigError> {
        let find =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        WiringSettings::from(find)
    }

    #[test]
    fn a_queue_is_all_that_must_be_said() {
        let settings = from(&[("TRELLIS_QUEUE_URL", "q")]).unwrap();
        assert_eq!(settings.gateway.installation, "trellis");
        assert_eq!(settings.cluster_tag.to_string(), "trellis:registered=true");
        assert!(matches!(from(&[]), Err(ConfigError::Missing("TRELLIS_QUEUE_URL"))));
    }

    #[test]
    fn clusters_that_leave_are_a_list_of_arns_and_anything_else_is_refused() {
        let leaving = |value| from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_LEAVING_CLUSTERS", value)]);
        let arn = "arn:aws:eks:us-west-2:123456789012:cluster/gone";
        let found: Vec<String> =
            leaving(arn).unwrap().gateway.leaving.iter().map(ToString::to_string).collect();
        assert_eq!(found, [arn]);
        assert!(leaving("").unwrap().gateway.leaving.is_empty());
        assert!(leaving("gone").unwrap_err().to_string().contains("TRELLIS_LEAVING_CLUSTERS"));
    }

    #[test]
    fn allowed_networks_are_a_list() {
        let settings =
            from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_ALLOWED_NETWORKS", "corporate, arn:x ,,")]).unwrap();
        let allowed: Vec<&str> = settings.gateway.allowed_networks.iter().map(String::as_str).collect();
        assert_eq!(allowed, ["arn:x", "corporate"]);
        assert!(from(&[("TRELLIS_QUEUE_URL", "q")]).unwrap().gateway.allowed_networks.is_empty());
    }

    #[test]
    fn a_raised_quota_is_told_by_its_name_and_a_misspelt_one_is_refused() {
        let raised =
            from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_LIMITS", r#"{"rulesPerListener": 100}"#)]).unwrap();
        assert_eq!(raised.gateway.limits.rules_per_listener, 100);
        assert_eq!(
            raised.limits,
            LimitOverrides { rules_per_listener: Some(100), ..LimitOverrides::default() }
        );
        let error = from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_LIMITS", r#"{"rules": 100}"#)]).unwrap_err();
        assert!(error.to_string().contains("TRELLIS_LIMITS"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn an_environment_of_any_texts_is_refused_by_name_or_read(
            values in prop::collection::btree_map(
                prop::sample::select(vec![
                    "TRELLIS_CLUSTER_TAG", "TRELLIS_LIMITS", "TRELLIS_ALLOWED_NETWORKS", "TRELLIS_LEAVING_CLUSTERS",
                    "TRELLIS_OWNER", "TRELLIS_LATER_QUEUE_URL",
                ]),
                prop_oneof![
                    ".{0,60}",
                    "[a-z:]{0,12}=[a-z]{0,8}",
                    r#"\{"(rulesPerListener|pathChars|x)": (-?[0-9]{1,22}|1e9|null|"1")\}"#,
                    "(arn:aws:eks:us-west-2:123456789012:cluster/[a-z]{0,4},?){0,3}",
                ],
                0..5,
            ),
        ) {
            let get = |name: &str| if name == "TRELLIS_QUEUE_URL" { Some("q".to_owned()) } else { values.get(name).cloned() };
            match WiringSettings::from(get) {
                Ok(settings) => prop_assert!(settings.gateway.allowed_networks.iter().all(|one| !one.trim().is_empty())),
                Err(error) => prop_assert!(error.to_string().contains("TRELLIS_")),
            }
        }
    }
}
