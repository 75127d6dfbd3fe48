//! EC2, as much of it as VPC endpoints take: calls of its Query API on the runtime of the SDK's other clients, with their time limits,
//! retries, credentials and counts.
//!
//! The SDK's own crate for EC2 was measured: 326 seconds of CPU time and 4.7 GB of memory were not enough to compile it for
//! tests, where all else of this workspace takes five minutes. The calls below are eight.

mod answer;
mod calls;

pub(crate) use calls::{Endpoint, EndpointState};

use crate::counts::CallCounts;
use crate::partitions::PartitionByOperation;
use crate::{AwsError, ErrorClass};
use answer::Ec2Error;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_query::QueryWriter;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_runtime_api::client::runtime_plugin::{SharedRuntimePlugin, StaticRuntimePlugin};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use http_body_util::Limited;
use std::fmt;

const VERSION: &str = "2016-11-15";
/// The largest answer that is read: a page has a hundred endpoints, each with 50 tags of 384 characters at most.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// EC2's Query API.
#[derive(Clone)]
pub(crate) struct Ec2Api {
    config: SdkConfig,
    counts: CallCounts,
    plugin: SharedRuntimePlugin,
    endpoint: Option<String>,
}

impl Ec2Api {
    pub(crate) fn new(config: SdkConfig, counts: CallCounts) -> Self {
        let mut layer = Layer::new("ec2");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig::default());
        layer.store_put(SigningName::from_static("ec2"));
        layer.store_put(ApiMetadata::new("ec2", env!("CARGO_PKG_VERSION")));
        if let Some(region) = config.region() {
            layer.store_put(SigningRegion::from(region.clone()));
        }
        if let Some(name) = config.app_name() {
            layer.store_put(name.clone());
        }
        let resolver = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
        let mut components = RuntimeComponentsBuilder::new("ec2")
            .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(resolver)))
            .with_identity_cache(Some(
                config.identity_cache().unwrap_or_else(|| IdentityCache::lazy().build()),
            ));
        if let Some(credentials) = config.credentials_provider() {
            components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        }
        let plugin =
            StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components);
        let endpoint = endpoint_url(&config);
        Self { config, counts, plugin: SharedRuntimePlugin::new(plugin), endpoint }
    }

    /// One call: the answer's text.
    async fn call(
        &self,
        operation: &'static str,
        write: impl FnOnce(&mut QueryWriter),
    ) -> Result<String, AwsError> {
        let mut body = String::new();
        let mut writer = QueryWriter::new(&mut body, operation, VERSION);
        write(&mut writer);
        writer.finish();
        let Some(endpoint) = &self.endpoint else {
            return Err(AwsError::refused(operation, "no Region is configured".to_owned()));
        };
        let retries = self.config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let mut builder = Operation::builder()
            .service_name("EC2")
            .operation_name(operation)
            .endpoint_url(endpoint)
            .standard_retry(&retries)
            .retry_classifier(TransientErrorClassifier::<Ec2Error>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Ec2Error>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .interceptor(self.counts.clone())
            .interceptor(PartitionByOperation)
            .interceptor(UserAgentInterceptor::new())
            .interceptor(BoundedAnswer)
            .runtime_plugin(self.plugin.clone());
        if let Some(client) = self.config.http_client() {
            builder = builder.http_client(client);
        }
        if let Some(timeouts) = self.config.timeout_config() {
            builder = builder.timeout_config(timeouts.clone());
        }
        if let Some(sleep) = self.config.sleep_impl() {
            builder = builder.sleep_impl(sleep);
        }
        if let Some(time) = self.config.time_source() {
            builder = builder.time_source(time);
        }
        let built = builder.serializer(request).deserializer(text).build();
        built.invoke(body).await.map_err(|error| AwsError::from_sdk(operation, error))
    }
}

impl fmt::Debug for Ec2Api {
    /// Without what signs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2Api").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Where EC2 is: as the environment says (`AWS_ENDPOINT_URL_EC2` and the like), else the Region's own address.
fn endpoint_url(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder();
    let key = key.service_id("EC2").env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
    let set = config.service_config().and_then(|set| set.load_config(key));
    let set = set.or_else(|| config.endpoint_url().map(str::to_owned));
    let own = || crate::eks::regional_endpoint(config.region()?.as_ref(), "ec2");
    set.or_else(own)
}

fn request(body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    Ok(request)
}

fn text(response: &HttpResponse) -> Result<String, OrchestratorError<Ec2Error>> {
    let bytes = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(Ec2Error::read(bytes)));
    }
    String::from_utf8(bytes.to_vec()).map_err(|error| OrchestratorError::response(error.into()))
}

/// No answer is read beyond [`ANSWER_MAX`].
#[derive(Debug)]
struct BoundedAnswer;

impl Intercept for BoundedAnswer {
    fn name(&self) -> &'static str {
        "BoundedAnswer"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let body = Limited::new(response.take_body(), ANSWER_MAX);
        *response.body_mut() = SdkBody::from_body_1_x(body);
        Ok(())
    }
}

/// An answer that cannot be read did not come from EC2 itself.
fn unreadable(operation: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> AwsError {
    AwsError::unreadable(operation, ErrorClass::Retry, error)
}
