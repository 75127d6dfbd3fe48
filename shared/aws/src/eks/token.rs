use aws_credential_types::Credentials;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use std::error::Error;
use std::time::{Duration, SystemTime};

/// `X-Amz-Expires` as the AWS CLI sends it; the API server does not count it.
const URL_LIFE: Duration = Duration::from_mins(1);
const TOKEN_PREFIX: &str = "k8s-aws-v1.";
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// Why no token could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign a token for cluster {cluster:?}")]
pub struct TokenError {
    cluster: String,
    source: Box<dyn Error + Send + Sync>,
}

impl TokenError {
    pub(crate) fn new(cluster: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cluster: cluster.to_owned(), source: source.into() }
    }
}

/// A bearer token for the API server of `cluster`: the URL of a signed `GetCallerIdentity` that the cluster's
/// authenticator calls, with the cluster's name in a signed header (EKS, "cluster authentication"). No call is made.
///
/// `region` is the cluster's. An API server takes a token for 15 minutes from its date.
pub fn eks_token(
    credentials: &Credentials,
    region: &str,
    cluster: &str,
    now: SystemTime,
) -> Result<String, TokenError> {
    let url = presigned_url(credentials, region, cluster, now)
        .map_err(|source| TokenError::new(cluster, source))?;
    Ok(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(url)))
}

fn presigned_url(
    credentials: &Credentials,
    region: &str,
    cluster: &str,
    now: SystemTime,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let endpoint = sts_endpoint(region)?;
    let host = endpoint.strip_prefix("https://").ok_or("the endpoint of STS is not https")?;
    let url = format!("{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15");

    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(URL_LIFE);
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let headers = [("host", host), (CLUSTER_HEADER, cluster)];
    let request = SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &params)?.into_parts();
    let (_, query) = instructions.into_parts();
    Ok(query.iter().fold(url, |url, (name, value)| format!("{url}&{name}={}", percent_encoded(value))))
}

/// STS in this Region, by the SDK's own table of partitions: China, GovCloud, the European Sovereign Cloud and the isolated
/// partitions have domains of their own. The settings' endpoints are not used: the cluster's authenticator, not this
/// program, calls the URL, and takes AWS's hosts only.
fn sts_endpoint(region: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let params = Params::builder().region(region).build()?;
    let resolver = DefaultResolver::new();
    // The rules are evaluated in place: the answer is there at once.
    let endpoint = resolver.resolve_endpoint(&params).now_or_never().ok_or("STS has no endpoint here")??;
    Ok(endpoint.url().trim_end_matches('/').to_owned())
}

/// The address of another service of the Region's that is named as STS is; none where STS has none.
pub(crate) fn regional_endpoint(region: &str, service: &str) -> Option<String> {
    sts_endpoint(region).ok().map(|url| url.replacen("//sts.", &format!("//{service}."), 1))
}

/// Everything but RFC 3986's unreserved characters, as SigV4's canonical query wants it.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |encoded, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            encoded + (byte as char).encode_utf8(&mut [0; 4])
        }
        _ => encoded + &format!("%{byte:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What botocore's `RequestSigner.generate_presigned_url` makes of the same keys, cluster and date.
    const BOTOCORE_URL: &str = "https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
        &X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Fus-west-2%2Fsts%2Faws4_request&X-Amz-Date=20261124T221118Z\
        &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Expires=60\
        &X-Amz-Security-Token=IQoJ%2Bb3JpZ2lu%2FX2Vj%3D%3D\
        &X-Amz-Signature=391b5816acee2ea8dfaf8f332589b38c35146e50ee7ca5788f61a186a2a204a3";
    const DATE: Duration = Duration::from_secs(1_795_558_278);

    fn credentials(session_token: Option<&str>) -> Credentials {
        Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session_token.map(str::to_owned),
            None,
            "test",
        )
    }

    fn url(token: &str) -> String {
        let encoded = token.strip_prefix(TOKEN_PREFIX).unwrap();
        String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
    }

    fn query(url: &str) -> BTreeSet<&str> {
        url.split_once('?').unwrap().1.split('&').collect()
    }

    #[test]
    fn a_token_is_signed_as_botocore_signs_it_also_with_signs_that_need_encoding() {
        let now = SystemTime::UNIX_EPOCH + DATE;
        let token =
            eks_token(&credentials(Some("IQoJ+b3JpZ2lu/X2Vj==")), "us-west-2", "trellis-one", now).unwrap();
        let url = url(&token);
        assert_eq!(query(&url), query(BOTOCORE_URL));
        assert!(url.starts_with("https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&"), "{url}");
    }

    #[test]
    fn each_partition_has_its_own_host() {
        for (region, host) in [
            ("us-west-2", "sts.us-west-2.amazonaws.com"),
            ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
        ] {
            let token = eks_token(&credentials(None), region, "one", SystemTime::UNIX_EPOCH + DATE).unwrap();
            assert!(url(&token).starts_with(&format!("https://{host}/?")), "{}", url(&token));
        }
    }

    #[test]
    fn a_region_that_is_no_host_label_gives_an_error() {
        for region in ["", "us west 2", "us-west-2.example.com/"] {
            let made = eks_token(&credentials(None), region, "one", SystemTime::UNIX_EPOCH + DATE);
            assert!(made.is_err(), "{region}: {:?}", made.map(|token| url(&token)));
        }
    }

    #[test]
    fn a_token_holds_for_one_cluster_only_and_has_no_session_token_without_one() {
        let now = SystemTime::UNIX_EPOCH + DATE;
        let one = eks_token(&credentials(None), "us-west-2", "one", now).unwrap();
        let two = eks_token(&credentials(None), "us-west-2", "two", now).unwrap();
        assert_ne!(one, two);
        assert!(!url(&one).contains("Security-Token"));
        assert!(one.len() <= 4096 && !one.contains('='), "what an authenticator accepts");
    }
}
