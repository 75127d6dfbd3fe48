//! Where the identity and the trust in it are kept: a Secret, the ValidatingWebhookConfiguration, and the
//! MutatingWebhookConfiguration of the same name where there is one.

use super::identity::Identity;
use axum::http::Uri;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;

/// What the cluster keeps for all replicas.
pub trait Store: Send + Sync + 'static {
    /// The identity that is there, if any, and the version to replace it by.
    fn identity(&self) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// Keeps `identity` instead of what was read as `before`; [`StoreError::Conflict`] if another replica was faster.
    fn keep(
        &self,
        identity: &Identity,
        before: Option<&Stored>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What the configuration says of each webhook, by the webhook's name.
    fn registrations(
        &self,
    ) -> impl Future<Output = Result<BTreeMap<String, Registration>, StoreError>> + Send;

    /// Changes what it says of the webhooks named.
    fn register(
        &self,
        changes: &BTreeMap<String, Change>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What API servers are told of one webhook.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// Whom to trust, as PEM.
    pub bundle: Vec<u8>,
    /// The path to call; empty if none is told.
    pub path: String,
    /// Where to call, if it is a URL and no Service.
    pub url: Option<String>,
    /// Whether it may change what it reviews. Without it hints are not missed.
    pub is_mutating: bool,
}

/// What is to be told instead.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Another bundle, as PEM.
    pub bundle: Option<String>,
    /// Another path.
    pub path: Option<String>,
    /// The URL that the path is in, if it is a URL and no Service.
    pub url: Option<String>,
    /// Whether it is one of the MutatingWebhookConfiguration.
    pub is_mutating: bool,
}

/// An identity as it was read; missing or garbled parts read as empty and are found unusable later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What the Secret holds.
    pub identity: Identity,
    /// Its resourceVersion.
    pub version: Option<String>,
}

/// Why the cluster did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another replica wrote in between: read again.
    #[error("another replica was faster")]
    Conflict,
    /// The API server refused, or could not be reached.
    #[error("the API server did not do it ({what})")]
    Api {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The Secret and the ValidatingWebhookConfiguration of one installation.
#[derive(Clone)]
pub struct ClusterStore {
    secrets: Api<Secret>,
    secret_name: String,
    configurations: Api<ValidatingWebhookConfiguration>,
    mutating: Api<MutatingWebhookConfiguration>,
    configuration_name: String,
}

impl ClusterStore {
    /// The Secret `namespace/name` and the configurations of that name.
    pub fn new(client: Client, (namespace, name): (&str, &str), configuration_name: &str) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            secret_name: name.to_owned(),
            configurations: Api::all(client.clone()),
            mutating: Api::all(client),
            configuration_name: configuration_name.to_owned(),
        }
    }
}

impl Store for ClusterStore {
    async fn identity(&self) -> Result<Option<Stored>, StoreError> {
        let secret = self.secrets.get_opt(&self.secret_name).await.map_err(error("read the Secret"))?;
        Ok(secret.map(|secret| Stored {
            identity: identity_in(&secret),
            version: secret.metadata.resource_version,
        }))
    }

    async fn keep(&self, identity: &Identity, before: Option<&Stored>) -> Result<(), StoreError> {
        let mut secret = secret_of(&self.secret_name, identity);
        match before {
            None => self
                .secrets
                .create(&PostParams::default(), &secret)
                .await
                .map_err(error("create the Secret"))?,
            Some(stored) => {
                secret.metadata.resource_version.clone_from(&stored.version);
                let replaced = self.secrets.replace(&self.secret_name, &PostParams::default(), &secret).await;
                replaced.map_err(error("replace the Secret"))?
            }
        };
        Ok(())
    }

    async fn registrations(&self) -> Result<BTreeMap<String, Registration>, StoreError> {
        let configuration = self.configurations.get(&self.configuration_name).await;
        let configuration = configuration.map_err(error("read the ValidatingWebhookConfiguration"))?;
        let webhooks = configuration.webhooks.unwrap_or_default().into_iter();
        let mut all: BTreeMap<_, _> =
            webhooks.map(|hook| (hook.name, registration_of(hook.client_config))).collect();
        for hook in self.mutating_hooks().await? {
            let registration = registration_of(hook.client_config);
            all.insert(hook.name, Registration { is_mutating: true, ..registration });
        }
        Ok(all)
    }

    async fn register(&self, changes: &BTreeMap<String, Change>) -> Result<(), StoreError> {
        // A strategic merge finds each webhook by its name and leaves all else as it is.
        let patch_for = |is_mutating: bool| {
            let of_kind = changes.iter().filter(|(_, change)| change.is_mutating == is_mutating);
            let webhooks: Vec<_> = of_kind.map(|(name, change)| patch_of(name, change)).collect();
            (!webhooks.is_empty()).then(|| Patch::Strategic(json!({"webhooks": webhooks})))
        };
        let (name, parameters) = (&self.configuration_name, PatchParams::default());
        if let Some(patch) = patch_for(false) {
            let patched = self.configurations.patch(name, &parameters, &patch).await;
            patched.map_err(error("patch the ValidatingWebhookConfiguration"))?;
        }
        if let Some(patch) = patch_for(true) {
            let patched = self.mutating.patch(name, &parameters, &patch).await;
            patched.map_err(error("patch the MutatingWebhookConfiguration"))?;
        }
        Ok(())
    }
}

impl ClusterStore {
    /// What only an installation with readiness gates has: none where it is missing, or not ours to read since the role is of
    /// an earlier version. Hints must not wait for it.
    async fn mutating_hooks(&self) -> Result<Vec<MutatingWebhook>, StoreError> {
        match self.mutating.get_opt(&self.configuration_name).await {
            Ok(found) => Ok(found.and_then(|found| found.webhooks).unwrap_or_default()),
            Err(kube::Error::Api(status)) if status.code == 403 => {
                tracing::warn!(error = %status, "Pods get no readiness gate: apply the ClusterRole of deploy/webhook.yaml");
                Ok(vec![])
            }
            Err(source) => Err(error("read the MutatingWebhookConfiguration")(source)),
        }
    }
}

fn registration_of(client: WebhookClientConfig) -> Registration {
    let of_url = client.url.as_ref().and_then(|url| Some(url.parse::<Uri>().ok()?.path().to_owned()));
    let of_service = client.service.and_then(|service| service.path);
    let bundle = client.ca_bundle.unwrap_or_default().0;
    let path = of_url.or(of_service).unwrap_or_default();
    Registration { bundle, path, url: client.url, is_mutating: false }
}

fn patch_of(name: &str, change: &Change) -> Value {
    let mut client = serde_json::Map::new();
    if let Some(pem) = &change.bundle {
        client.insert("caBundle".to_owned(), json!(ByteString(pem.clone().into_bytes())));
    }
    match (&change.path, &change.url) {
        (None, _) => {}
        (Some(path), None) => _ = client.insert("service".to_owned(), json!({"path": path})),
        (Some(path), Some(url)) => _ = client.insert("url".to_owned(), json!(with_path(url, path))),
    }
    json!({"name": name, "clientConfig": client})
}

/// The URL with another path. The API server has checked it; one that cannot be read stays.
fn with_path(url: &str, path: &str) -> String {
    let Ok(parts) = url.parse::<Uri>().map(Uri::into_parts) else { return url.to_owned() };
    let scheme = parts.scheme.map(|scheme| scheme.to_string()).unwrap_or_default();
    let authority = parts.authority.map(|authority| authority.to_string()).unwrap_or_default();
    format!("{scheme}://{authority}{path}")
}

fn error(what: &'static str) -> impl Fn(kube::Error) -> StoreError {
    // 409 is Conflict on a replace and AlreadyExists on a create; 404 on a replace means that it was deleted since.
    let of_the_secret = what.ends_with("the Secret");
    move |source| match source {
        kube::Error::Api(status) if of_the_secret && matches!(status.code, 404 | 409) => StoreError::Conflict,
        kube::Error::Api(status) => StoreError::Api { what, source: status },
        source => StoreError::Api { what, source: Box::new(source) },
    }
}

const KEYS: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

fn secret_of(name: &str, identity: &Identity) -> Secret {
    let values = [&identity.authority_pem, &identity.certificate_pem, &identity.key_pem];
    let data =
        KEYS.iter().zip(values).map(|(key, pem)| ((*key).to_owned(), ByteString(pem.clone().into_bytes())));
    let mut secret = Secret {
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(data.collect()),
        ..Secret::default()
    };
    secret.metadata.name = Some(name.to_owned());
    secret
}

fn identity_in(secret: &Secret) -> Identity {
    let part = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        bytes.map(|ByteString(bytes)| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    let [authority_pem, certificate_pem, key_pem] = KEYS.map(part);
    Identity { authority_pem, certificate_pem, key_pem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::admissionregistration::v1::ServiceReference;

    #[test]
    fn a_service_and_a_url_are_told_a_path_each_in_its_way() {
        let change = |url: Option<&str>| Change {
            bundle: None,
            path: Some("/validate/x".into()),
            url: url.map(str::to_owned),
            is_mutating: false,
        };
        let of_service = patch_of("w", &change(None));
        assert_eq!(of_service, json!({"name": "w", "clientConfig": {"service": {"path": "/validate/x"}}}));
        let of_url = patch_of("w", &change(Some("https://127.0.0.1:1/validate")));
        assert_eq!(of_url, json!({"name": "w", "clientConfig": {"url": "https://127.0.0.1:1/validate/x"}}));
    }

    #[test]
    fn the_path_is_read_from_where_it_is_told() {
        let service = ServiceReference { path: Some("/a".into()), ..ServiceReference::default() };
        let by_service = WebhookClientConfig { service: Some(service), ..WebhookClientConfig::default() };
        assert_eq!(registration_of(by_service).path, "/a");
        let url = Some("https://[::1]:9443/b".to_owned());
        let by_url = WebhookClientConfig { url, ..WebhookClientConfig::default() };
        assert_eq!(registration_of(by_url).path, "/b");
        assert!(registration_of(WebhookClientConfig::default()) == Registration::default());
    }

    #[test]
    fn an_identity_is_read_back_from_its_secret_and_a_garbled_one_as_empty_parts() {
        let identity =
            Identity { authority_pem: "a".into(), certificate_pem: "c".into(), key_pem: "k".into() };
        assert_eq!(identity_in(&secret_of("s", &identity)), identity);
        let empty =
            Identity { authority_pem: String::new(), certificate_pem: String::new(), key_pem: String::new() };
        assert_eq!(identity_in(&Secret::default()), empty);
    }
}
