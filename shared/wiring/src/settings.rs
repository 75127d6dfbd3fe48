use std::collections::BTreeSet;
use std::time::Duration;
use trellis_aws::ClusterTag;
use trellis_engine::Rotation;
use trellis_gateway::{ServicePer, Settings};
use trellis_lattice::{LimitOverrides, Limits, Mode};

/// What is replaced by a person or a tool is away for a second or two, and a deletion is still seen as one.
const GRACE: Duration = Duration::from_secs(20);

/// A hint for later can wait so long (SQS, DelaySeconds is 900 at most), with room for a retry.
const GRACE_MAX: Duration = Duration::from_mins(10);

/// The functions' settings.
#[derive(Debug, Clone)]
pub struct WiringSettings {
    /// `TRELLIS_QUEUE_URL`.
    pub queue_url: String,
    /// `TRELLIS_LATER_QUEUE_URL`: of the function that reconciles.
    pub later_queue_url: Option<String>,
    /// `TRELLIS_CLUSTER_TAG`, `key=value`; default `trellis:registered=true`.
    pub cluster_tag: ClusterTag,
    /// `TRELLIS_DEEP_LOOK_MINUTES` (default 60): within this time each unit is looked at in depth; and
    /// `TRELLIS_DRIFT_SCHEDULE`, which tells how often a pass is made if it is `rate(…)`. Without a rate each pass looks at
    /// everything in depth.
    pub rotation: Rotation,
    /// `TRELLIS_LIMITS` (JSON; default none): limits instead of those that AWS tells of the account.
    pub limits: LimitOverrides,
    /// `TRELLIS_GRACE_SECONDS` (default 20): how long stays what nobody wants any more.
    pub grace: Duration,
    /// `TRELLIS_CERTIFICATE_SECRETS` (`true` or `false`, the default), `TRELLIS_OWNER` (default `trellis`) and `TRELLIS_ALLOWED_NETWORKS` (names or ARNs
    /// with commas between; default none), `TRELLIS_MODE` (default `sync`), `TRELLIS_SERVICE_PER` (default `route`), `TRELLIS_LEAVING_CLUSTERS`; limits as
    /// they are where AWS tells nothing.
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
        let grace = match get("TRELLIS_GRACE_SECONDS").as_deref().map(str::parse) {
            None => GRACE,
            Some(Ok(seconds)) if seconds <= GRACE_MAX.as_secs() => Duration::from_secs(seconds),
            Some(_) => {
                let most = GRACE_MAX.as_secs();
                return Err(invalid("TRELLIS_GRACE_SECONDS", &format!("it is no number from 0 to {most}")));
            }
        };
        let mode = match get("TRELLIS_MODE") {
            Some(text) => text.parse().map_err(|error| invalid("TRELLIS_MODE", &error))?,
            None => Mode::default(),
        };
        let certificate_secrets = match get("TRELLIS_CERTIFICATE_SECRETS") {
            Some(text) => text.parse().map_err(|error| invalid("TRELLIS_CERTIFICATE_SECRETS", &error))?,
            None => false,
        };
        let service_per = match get("TRELLIS_SERVICE_PER") {
            Some(text) => ServicePer::parse(&text).map_err(|error| invalid("TRELLIS_SERVICE_PER", &error))?,
            None => ServicePer::default(),
        };
        let within = match get("TRELLIS_DEEP_LOOK_MINUTES") {
            Some(text) => text.parse().map_err(|error| invalid("TRELLIS_DEEP_LOOK_MINUTES", &error))?,
            None => DEEP_LOOK_MINUTES,
        };
        let every = get("TRELLIS_DRIFT_SCHEDULE").as_deref().and_then(period);
        let installation = get("TRELLIS_OWNER").unwrap_or_else(|| "trellis".into());
        Ok(Self {
            queue_url: get("TRELLIS_QUEUE_URL").ok_or(ConfigError::Missing("TRELLIS_QUEUE_URL"))?,
            later_queue_url: get("TRELLIS_LATER_QUEUE_URL"),
            cluster_tag,
            rotation: Rotation { within: Duration::from_secs(60 * u64::from(within)), every },
            gateway: Settings {
                installation,
                limits: limits.over(&Limits::default()),
                allowed_networks,
                mode,
                certificate_secrets,
                leaving,
                service_per,
                grace: None,
            },
            grace,
            limits,
        })
    }
}

/// Where the service directory goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySettings {
    /// `TRELLIS_DIRECTORY_BUCKET`: without it none is written.
    pub bucket: String,
    /// `TRELLIS_DIRECTORY_MINUTES` (default 60): it is written by the first pass after so long; 0: by each.
    pub every: Duration,
}

impl DirectorySettings {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ConfigError> {
        let Some(bucket) = get("TRELLIS_DIRECTORY_BUCKET") else { return Ok(None) };
        let name = "TRELLIS_DIRECTORY_MINUTES";
        let minutes: u32 = match get(name).as_deref().map(str::parse) {
            None => DIRECTORY_MINUTES,
            Some(Ok(minutes)) => minutes,
            Some(Err(error)) => return Err(ConfigError::Invalid { name, reason: error.to_string() }),
        };
        Ok(Some(Self { bucket, every: Duration::from_secs(60 * u64::from(minutes)) }))
    }
}

/// Of `TRELLIS_DIRECTORY_MINUTES`.
const DIRECTORY_MINUTES: u32 = 60;
/// Of `TRELLIS_DEEP_LOOK_MINUTES`.
const DEEP_LOOK_MINUTES: u32 = 60;

/// The period of a schedule `rate(5 minutes)` (EventBridge Scheduler User Guide, rate-based schedules); none of any other.
fn period(schedule: &str) -> Option<Duration> {
    let (count, unit) = schedule.trim().strip_prefix("rate(")?.strip_suffix(')')?.trim().split_once(' ')?;
    let seconds = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
    Some(Duration::from_secs(seconds * u64::from(count)))
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
    fn a_directory_is_written_where_a_bucket_is_named_and_once_an_hour_by_default() {
        let from = |pairs: &[(&str, &str)]| {
            let find =
                |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            DirectorySettings::from(find)
        };
        let every =
            |minutes| Some(DirectorySettings { bucket: "b".into(), every: Duration::from_mins(minutes) });
        let bucket = ("TRELLIS_DIRECTORY_BUCKET", "b");
        assert_eq!(from(&[]).unwrap(), None);
        assert_eq!(from(&[bucket]).unwrap(), every(60));
        assert_eq!(from(&[bucket, ("TRELLIS_DIRECTORY_MINUTES", "0")]).unwrap(), every(0));
        assert!(from(&[bucket, ("TRELLIS_DIRECTORY_MINUTES", "soon")]).is_err());
    }

    #[test]
    fn a_queue_is_all_that_must_be_said() {
        let settings = from(&[("TRELLIS_QUEUE_URL", "q")]).unwrap();
        assert_eq!(settings.gateway.installation, "trellis");
        assert_eq!(settings.cluster_tag.to_string(), "trellis:registered=true");
        assert!(matches!(from(&[]), Err(ConfigError::Missing("TRELLIS_QUEUE_URL"))));
    }

    #[test]
    fn services_are_per_route_hostname_or_gateway_and_anything_else_is_refused() {
        let per = |value| from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_SERVICE_PER", value)]);
        assert_eq!(from(&[("TRELLIS_QUEUE_URL", "q")]).unwrap().gateway.service_per, ServicePer::Route);
        assert_eq!(per("hostname").unwrap().gateway.service_per, ServicePer::Hostname);
        assert!(per("namespace").unwrap_err().to_string().contains("TRELLIS_SERVICE_PER"));
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
    fn how_often_a_pass_is_made_is_told_by_a_rate_and_by_nothing_else() {
        let minutes = |text: &str| period(text).map(|every| every.as_secs() / 60);
        assert_eq!(minutes("rate(5 minutes)"), Some(5));
        assert_eq!(minutes("rate(1 minute)"), Some(1));
        assert_eq!(minutes("rate(2 hours)"), Some(120));
        assert_eq!(minutes("rate(1 day)"), Some(24 * 60));
        for text in
            ["cron(0 * * * ? *)", "rate(0 minutes)", "rate(5)", "rate(5 moons)", "rate(99999999999 days)", ""]
        {
            assert_eq!(minutes(text), None, "{text}");
        }
        let settings = from(&[
            ("TRELLIS_QUEUE_URL", "q"),
            ("TRELLIS_DEEP_LOOK_MINUTES", "240"),
            ("TRELLIS_DRIFT_SCHEDULE", "rate(10 minutes)"),
        ]);
        let rotation = settings.unwrap().rotation;
        assert_eq!(rotation.within, Duration::from_hours(4));
        assert_eq!(rotation.every, Some(Duration::from_mins(10)));
        assert!(from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_DEEP_LOOK_MINUTES", "soon")]).is_err());
    }

    #[test]
    fn certificates_of_secrets_are_for_who_says_so() {
        let read = |value| from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_CERTIFICATE_SECRETS", value)]);
        assert!(read("true").unwrap().gateway.certificate_secrets);
        assert!(!read("false").unwrap().gateway.certificate_secrets);
        assert!(!from(&[("TRELLIS_QUEUE_URL", "q")]).unwrap().gateway.certificate_secrets);
        assert!(read("yes").unwrap_err().to_string().contains("TRELLIS_CERTIFICATE_SECRETS"));
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
        for (text, seconds) in
            [("0", Some(0)), ("600", Some(600)), ("601", None), ("-1", None), ("soon", None)]
        {
            let read = from(&[("TRELLIS_QUEUE_URL", "q"), ("TRELLIS_GRACE_SECONDS", text)]);
            assert_eq!(read.ok().map(|settings| settings.grace.as_secs()), seconds, "{text}");
        }
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
