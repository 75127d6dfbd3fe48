//! Services of AWS that are spoken to without a crate of the SDK for each: calls on the runtime of the SDK's other clients, with their
//! time limits, retries, credentials and counts.

use crate::AwsError;
use crate::counts::CallCounts;
use crate::partitions::PartitionByOperation;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_sdk_vpclattice::error::{ErrorMetadata, ProvideErrorMetadata};
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

/// The largest answer that is read. The largest that is asked for is a page of a hundred VPC endpoints, each with 50 tags of 384
/// characters at most.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// A service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Its id, as in `AWS_ENDPOINT_URL_<ID>`.
    pub(crate) id: &'static str,
    /// Its name in signatures and host names.
    pub(crate) name: &'static str,
    /// What an answer that is no success tells.
    pub(crate) error: fn(&HttpResponse) -> ErrorMetadata,
    /// How its requests are signed.
    pub(crate) signing: fn() -> SigningOptions,
}

/// A request, without what all have.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// Path and query, encoded.
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// A client of one service.
#[derive(Clone)]
pub(crate) struct Direct {
    service: Service,
    config: SdkConfig,
    counts: CallCounts,
    plugin: SharedRuntimePlugin,
    endpoint: Option<String>,
}

impl Direct {
    pub(crate) fn new(service: Service, config: SdkConfig, counts: CallCounts) -> Self {
        let mut layer = Layer::new(service.name);
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        let signing_options = (service.signing)();
        layer.store_put(SigV4OperationSigningConfig { signing_options, ..Default::default() });
        layer.store_put(SigningName::from_static(service.name));
        layer.store_put(ApiMetadata::new(service.name, env!("CARGO_PKG_VERSION")));
        if let Some(region) = config.region() {
            layer.store_put(SigningRegion::from(region.clone()));
        }
        if let Some(name) = config.app_name() {
            layer.store_put(name.clone());
        }
        let resolver = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
        let mut components = RuntimeComponentsBuilder::new(service.name)
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
        let endpoint = endpoint_url(service, &config);
        Self { service, config, counts, plugin: SharedRuntimePlugin::new(plugin), endpoint }
    }

    /// One call: the answer's text.
    pub(crate) async fn call(&self, operation: &'static str, request: Request) -> Result<String, AwsError> {
        let Some(endpoint) = &self.endpoint else {
            return Err(AwsError::refused(operation, "no Region is configured".to_owned()));
        };
        let retries = self.config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let mut builder = Operation::builder()
            .service_name(self.service.id)
            .operation_name(operation)
            .endpoint_url(endpoint)
            .standard_retry(&retries)
            .retry_classifier(TransientErrorClassifier::<DirectError>::new())
            .retry_classifier(AwsErrorCodeClassifier::<DirectError>::new())
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
        let error = self.service.error;
        let text = move |response: &HttpResponse| text(response, error);
        let built = builder.serializer(serialized).deserializer(text).build();
        built.invoke(request).await.map_err(|error| AwsError::from_sdk(operation, error))
    }
}

impl fmt::Debug for Direct {
    /// Without what signs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.service.id).field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Where a service is: as the environment says (`AWS_ENDPOINT_URL_EC2` and the like), else the Region's own address.
fn endpoint_url(service: Service, config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder();
    let key = key.service_id(service.id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
    let set = config.service_config().and_then(|set| set.load_config(key));
    let set = set.or_else(|| config.endpoint_url().map(str::to_owned));
    let own = || crate::eks::regional_endpoint(config.region()?.as_ref(), service.name);
    set.or_else(own)
}

fn serialized(request: Request) -> Result<HttpRequest, BoxError> {
    let Request { method, path, content_type, body } = request;
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method(method)?;
    request.set_uri(path)?;
    request.headers_mut().insert("content-type", content_type);
    Ok(request)
}

fn text(
    response: &HttpResponse,
    error: fn(&HttpResponse) -> ErrorMetadata,
) -> Result<String, OrchestratorError<DirectError>> {
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(DirectError(error(response))));
    }
    let bytes = response.body().bytes().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).map_err(|error| OrchestratorError::response(error.into()))
}

/// An error that a service answers: its code and its message.
#[derive(Debug, Clone)]
struct DirectError(ErrorMetadata);

impl ProvideErrorMetadata for DirectError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl fmt::Display for DirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DirectError {}

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
