//! Where the identity and the trust in it are kept: a Secret, and the ValidatingWebhookConfiguration.

use super::identity::Identity;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
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

    /// The CA bundle of each webhook in the configuration, by the webhook's name.
    fn bundles(&self) -> impl Future<Output = Result<BTreeMap<String, Vec<u8>>, StoreError>> + Send;

    /// Sets the CA bundles of the webhooks named.
    fn set_bundles(
        &self,
        bundles: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
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
    configuration_name: String,
}

impl ClusterStore {
    /// The Secret `namespace/name` and the configuration of that name.
    pub fn new(client: Client, (namespace, name): (&str, &str), configuration_name: &str) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            secret_name: name.to_owned(),
            configurations: Api::all(client),
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

    async fn bundles(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let configuration = self.configurations.get(&self.configuration_name).await;
        let configuration = configuration.map_err(error("read the ValidatingWebhookConfiguration"))?;
        let webhooks = configuration.webhooks.unwrap_or_default().into_iter();
        Ok(webhooks.map(|hook| (hook.name, hook.client_config.ca_bundle.unwrap_or_default().0)).collect())
    }

    async fn set_bundles(&self, bundles: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let bundle = |pem: &String| ByteString(pem.clone().into_bytes());
        let webhooks: Vec<_> = bundles
            .iter()
            .map(|(name, pem)| json!({"name": name, "clientConfig": {"caBundle": bundle(pem)}}))
            .collect();
        // A strategic merge finds each webhook by its name and leaves all else as it is.
        let patch = Patch::Strategic(json!({"webhooks": webhooks}));
        let patched =
            self.configurations.patch(&self.configuration_name, &PatchParams::default(), &patch).await;
        patched.map_err(error("patch the ValidatingWebhookConfiguration"))?;
        Ok(())
    }
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
