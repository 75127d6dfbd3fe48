//! How this program talks to AWS: time limits, retries and names, in one place for all services.

use crate::ec2::Ec2Api;
use crate::elsewhere::Elsewhere;
use crate::lambda::LambdaApi;
use crate::partitions::PartitionByOperation;
use crate::tagging::TagIndex;
use crate::{
    Bucket, CallCounts, CertificateClient, ClusterTag, Clusters, HintQueue, LatticeClient, QuotaClient,
};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use std::fmt;
use std::time::Duration;

/// The User-Agent's application name.
const APP_NAME: &str = "trellis";
/// Attempts of one call. VPC Lattice names no rates, but consecutive creates are throttled; at one call a second
/// and eight calls at once the unluckiest waits about eight seconds, which this many attempts outlast.
const ATTEMPTS_MAX: u32 = 10;
/// The first backoff's upper bound: throttling at one call a second is over after that time.
const BACKOFF_INITIAL: Duration = Duration::from_millis(500);
/// The longest backoff; beyond it the message's visibility timeout waits more cheaply than a running function.
const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// Connecting to a Regional endpoint takes milliseconds; two seconds are several lost packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One attempt: control-plane calls answer in well under a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// One call with its attempts; shorter than any function timeout that template.yaml allows.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(40);
/// Attempts of a call that something else can stand in for: an older answer, a listing, a default.
const ASIDE_ATTEMPTS_MAX: u32 = 3;
/// One call of that kind with its attempts: a unit that waits for it has half a minute for everything.
const ASIDE_TIMEOUT: Duration = Duration::from_secs(10);

/// The entrance to all AWS services: one configuration, one counter.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    counts: CallCounts,
}

/// What differs from the environment's settings; for tests and tools. Functions use the default.
#[derive(Clone, Default)]
pub struct AwsOptions {
    /// The Region instead of `AWS_REGION`.
    pub region: Option<String>,
    /// One endpoint for all services instead of `AWS_ENDPOINT_URL*`.
    pub endpoint_url: Option<String>,
    /// Access key id and secret instead of the credential chain.
    pub static_credentials: Option<(String, String)>,
}

impl fmt::Debug for AwsOptions {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsOptions")
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url)
            .field("access_key_id", &self.static_credentials.as_ref().map(|(id, _)| id))
            .finish()
    }
}

impl Aws {
    /// Reads credentials, Region and endpoints from the environment, as every AWS SDK does (`AWS_ENDPOINT_URL`,
    /// `AWS_ENDPOINT_URL_VPC_LATTICE` and the like are honoured). Makes no call.
    pub async fn from_env() -> Self {
        Self::with(AwsOptions::default()).await
    }

    /// As [`Self::from_env`], with some settings given.
    pub async fn with(options: AwsOptions) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        // Standard, not adaptive: adaptive mode delays every call of a client, first attempts included, after one was
        // throttled, and one client serves all units. What keeps calls side by side from using up each other's attempts
        // is a bound of those in flight and retries counted by operation (`LatticeClient`).
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS_MAX)
            .with_initial_backoff(BACKOFF_INITIAL)
            .with_max_backoff(BACKOFF_MAX);
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).retry_config(retries);
        // The functions' own names, where template.yaml gives them, tell more in CloudTrail.
        if std::env::var_os("AWS_SDK_UA_APP_ID").is_none()
            && let Ok(name) = AppName::new(APP_NAME)
        {
            loader = loader.app_name(name);
        }
        if let Some(region) = options.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(url) = options.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some((id, secret)) = options.static_credentials {
            let keys = aws_credential_types::Credentials::new(id, secret, None, None, "static");
            loader = loader.credentials_provider(keys);
        }
        Self { config: loader.load().await, counts: CallCounts::default() }
    }

    /// Requests sent by all clients made from here.
    pub fn counts(&self) -> &CallCounts {
        &self.counts
    }

    /// A client of VPC Lattice. Make one for the life of the process: it keeps what stays true.
    pub fn lattice(&self) -> LatticeClient {
        let config = aws_sdk_vpclattice::config::Builder::from(&self.config)
            .interceptor(self.counts.clone())
            .interceptor(PartitionByOperation)
            .build();
        let acm = aws_sdk_acm::config::Builder::from(&self.config).interceptor(self.counts.clone()).build();
        let acm = aws_sdk_acm::Client::from_conf(acm);
        let ec2 = Ec2Api::new(self.config.clone(), self.counts.clone());
        let lambda = LambdaApi::new(self.config.clone(), self.counts.clone());
        LatticeClient::new(aws_sdk_vpclattice::Client::from_conf(config), acm, (ec2, lambda), self.tags())
    }

    /// The EKS clusters that bear `tag`. Make one for the life of the process: it keeps what it knows of them.
    pub fn clusters(&self, tag: ClusterTag) -> Clusters {
        let config =
            aws_sdk_eks::config::Builder::from(&self.aside()).interceptor(self.counts.clone()).build();
        let credentials = self.config.credentials_provider();
        Clusters::new(aws_sdk_eks::Client::from_conf(config), self.tags(), credentials, tag)
    }

    /// The quotas of VPC Lattice in this account and Region. Make one for the life of the process.
    pub fn quotas(&self) -> QuotaClient {
        let config = aws_sdk_servicequotas::config::Builder::from(&self.aside())
            .interceptor(self.counts.clone())
            .build();
        QuotaClient::new(aws_sdk_servicequotas::Client::from_conf(config))
    }

    /// The certificates of this account and Region. `of_secrets`: some may be of Secrets, which is looked up.
    pub fn certificates(&self, of_secrets: bool) -> CertificateClient {
        let config =
            aws_sdk_acm::config::Builder::from(&self.aside()).interceptor(self.counts.clone()).build();
        CertificateClient::new(aws_sdk_acm::Client::from_conf(config), of_secrets.then(|| self.tags()))
    }

    /// Lambda, for what is known of functions. Something can stand in for it: what was known before.
    pub(crate) fn functions(&self) -> LambdaApi {
        LambdaApi::new(self.aside(), self.counts.clone())
    }

    /// What is known of instances and load balancers, likewise.
    pub(crate) fn elsewhere(&self) -> Elsewhere {
        Elsewhere::new(&self.aside(), &self.counts)
    }

    /// The queue of hints.
    pub fn hints(&self, queue_url: &str) -> HintQueue {
        let config =
            aws_sdk_sqs::config::Builder::from(&self.config).interceptor(self.counts.clone()).build();
        HintQueue::new(aws_sdk_sqs::Client::from_conf(config), queue_url)
    }

    /// A bucket that objects are written to.
    pub fn bucket(&self, name: &str) -> Bucket {
        Bucket::new(self.aside(), self.counts.clone(), name)
    }

    fn tags(&self) -> TagIndex {
        let config = aws_sdk_resourcegroupstagging::config::Builder::from(&self.aside())
            .interceptor(self.counts.clone())
            .build();
        TagIndex::new(aws_sdk_resourcegroupstagging::Client::from_conf(config))
    }

    /// The configuration of calls that something else can stand in for.
    fn aside(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ASIDE_TIMEOUT / 2)
            .operation_timeout(ASIDE_TIMEOUT)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(ASIDE_ATTEMPTS_MAX);
        self.config.to_builder().timeout_config(timeouts).retry_config(retries).build()
    }
}
