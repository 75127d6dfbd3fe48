//! Secrets with certificates, each by its name.

use crate::{
    ClusterClient, KubeError,
    error::{Asked, Subject},
    resource::can_be_a_name,
};
use k8s_openapi::{Resource as _, api::core::v1::Secret};
use kube::{
    api::GetParams,
    core::{Request, Resource as _},
};
use trellis_gateway::{SecretRead, TlsSecret};
use trellis_lattice::PrivateKey;

/// The most that is kept of a Secret: chains are a few KB, and a function holds those of many listeners at once.
const CERTIFICATE_BYTES_MAX: usize = 128 * 1024;

const ASKED: Asked = Asked { verb: "get", subject: Subject::Secret, subresource: None };

impl ClusterClient {
    /// What a Secret has of a certificate. What else is in it is dropped here, and no error's text has anything of it. That no Role
    /// lets it be read is an answer, not a failure: a namespace says by a Role which of its Secrets may be read.
    pub async fn read_secret(&self, namespace: &str, name: &str) -> Result<SecretRead, KubeError> {
        if !can_be_a_name(name) || !can_be_a_name(namespace) {
            return Ok(SecretRead::Missing);
        }
        let path = Secret::url_path(&(), Some(namespace));
        let request = Request::new(path).get(name, &GetParams::default()).map_err(KubeError::Request)?;
        match self.send_repeatedly(&request, ASKED, Some(name)).await {
            Ok(body) => Ok(found(&body)?),
            Err(KubeError::Missing) => Ok(SecretRead::Missing),
            Err(KubeError::Forbidden { .. }) => Ok(SecretRead::Forbidden),
            Err(error) => Err(error),
        }
    }
}

fn found(body: &[u8]) -> Result<SecretRead, KubeError> {
    // What serde says of a wrong value may quote it.
    let unreadable = |_| KubeError::Answer(serde::de::Error::custom(format!("this is no {}", Secret::KIND)));
    let secret: Secret = serde_json::from_slice(body).map_err(unreadable)?;
    if secret.metadata.deletion_timestamp.is_some() {
        return Ok(SecretRead::Missing);
    }
    let mut data = secret.data.unwrap_or_default();
    let mut take = |name: &str| data.remove(name).map(|bytes| bytes.0);
    let (certificate, key) = (take("tls.crt"), take("tls.key"));
    if [&certificate, &key].into_iter().flatten().map(Vec::len).sum::<usize>() > CERTIFICATE_BYTES_MAX {
        let text = format!("its certificate and key are longer than {CERTIFICATE_BYTES_MAX} bytes");
        return Ok(SecretRead::Unreadable(text));
    }
    Ok(SecretRead::Found(Box::new(TlsSecret {
        type_name: secret.type_.unwrap_or_default(),
        certificate,
        key: key.map(PrivateKey::new),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_far_too_long_is_not_kept() {
        let of = |bytes: usize| {
            let data = k8s_openapi::ByteString(vec![b'a'; bytes]);
            let secret = serde_json::json!({"type": "kubernetes.io/tls", "data": {"tls.crt": data}});
            found(secret.to_string().as_bytes()).unwrap()
        };
        assert!(matches!(of(CERTIFICATE_BYTES_MAX), SecretRead::Found(_)));
        let refused = SecretRead::Unreadable("its certificate and key are longer than 131072 bytes".into());
        assert_eq!(of(CERTIFICATE_BYTES_MAX + 1), refused);
    }

    #[test]
    fn of_a_secret_only_the_certificate_and_its_key_are_kept_and_no_text_has_the_key() {
        let body = br#"{"metadata": {"name": "a"}, "type": "kubernetes.io/tls",
                        "data": {"tls.crt": "cHVibGlj", "tls.key": "aGlkZGVu", "other": "b3RoZXI="}}"#;
        let secret = found(body).unwrap();
        let SecretRead::Found(tls) = &secret else { panic!("{secret:?}") };
        assert_eq!(
            (tls.type_name.as_str(), tls.certificate.as_deref()),
            ("kubernetes.io/tls", Some(&b"public"[..]))
        );
        assert_eq!(tls.key.as_ref().unwrap().expose(), b"hidden");
        assert!(!format!("{secret:?}").contains("104, 105, 100"));
    }

    #[test]
    fn what_is_on_its_way_out_is_missing_and_an_answer_that_is_none_is_told_without_its_content() {
        let going = br#"{"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}"#;
        assert_eq!(found(going).unwrap(), SecretRead::Missing);
        let wrong = found(br#"{"data": {"tls.key": "hidden!"}}"#).unwrap_err();
        let text = format!("{wrong:?} {}", trellis_telemetry::chain(&wrong));
        assert!(text.contains("no Secret") && !text.contains("hidden"), "{text}");
    }
}
