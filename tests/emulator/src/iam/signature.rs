//! Signatures of requests: SigV4 for the service name `vpc-lattice-svcs`, with an unsigned payload.

use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::Identity;
use crate::state::Moment;

/// Service name in the credential scope.
const SERVICE: &str = "vpc-lattice-svcs";

/// The only algorithm that is taken here.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What the names of all of AWS's algorithms start with.
const FAMILY: &str = "AWS4-";

/// What the payload hash must say: payloads are not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// How far the signature's time may be off, as for all of AWS's services.
const SKEW: u64 = 5 * 60 * 1000;

/// What stays as it is in a canonical path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A request as it was signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// Method.
    pub method: &'a str,
    /// Path on the wire.
    pub path: &'a str,
    /// Query string on the wire.
    pub query: &'a str,
    /// Host as the client named it.
    pub host: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
}

/// What is wrong with a signature. The texts are AWS's kind of texts; clients read only the status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header cannot be read, or names another algorithm, service or Region.
    #[error("InvalidSignatureException: {0}")]
    Malformed(&'static str),
    /// Nobody has this access key.
    #[error("UnrecognizedClientException: The security token included in the request is invalid.")]
    Unknown,
    /// The signature is not what the secret makes of the request.
    #[error(
        "InvalidSignatureException: The request signature we calculated does not match the signature you provided."
    )]
    Mismatch,
}

/// The caller that signed a request; `None` = the request is not signed.
///
/// # Errors
/// When it is signed and the signature is not good.
pub fn verify<'a>(
    request: Signed<'_>,
    now: Moment,
    region: &str,
    identities: &'a [Identity],
) -> Result<Option<&'a Identity>, SignatureError> {
    // Another scheme is between the client and the target.
    let authorization = header(request.headers, "authorization").filter(|it| it.starts_with(FAMILY));
    let Some(authorization) = authorization else { return Ok(None) };
    let malformed = SignatureError::Malformed;
    let fields =
        authorization.strip_prefix(ALGORITHM).ok_or_else(|| malformed("The algorithm is not supported."))?;
    let field = |name: &str| fields.split(',').find_map(|part| part.trim().strip_prefix(name));
    let credential = field("Credential=").ok_or_else(|| malformed("There is no credential."))?;
    let names = field("SignedHeaders=").ok_or_else(|| malformed("There are no signed headers."))?;
    let signature = field("Signature=").ok_or_else(|| malformed("There is no signature."))?;
    let (key, scope) = credential.split_once('/').ok_or_else(|| malformed("The credential has no scope."))?;
    let time = header(request.headers, "x-amz-date").ok_or_else(|| malformed("There is no date."))?;
    let signed_at = moment(time).ok_or_else(|| malformed("The date cannot be read."))?;
    let date = time.get(..8).unwrap_or_default();
    if scope != format!("{date}/{region}/{SERVICE}/aws4_request") {
        return Err(malformed("The credential is scoped to another date, Region or service."));
    }
    if now.since(signed_at).max(signed_at.since(now)) > SKEW {
        return Err(malformed("The signature is not of this time."));
    }
    if header(request.headers, "x-amz-content-sha256") != Some(UNSIGNED) {
        return Err(malformed("The payload must be UNSIGNED-PAYLOAD."));
    }
    if !names.split(';').any(|name| name == "host") {
        return Err(malformed("The host is not signed."));
    }
    let identity = identities.iter().find(|it| it.access_key == key).ok_or(SignatureError::Unknown)?;
    if identity.session_token.as_deref() != header(request.headers, "x-amz-security-token") {
        return Err(SignatureError::Unknown);
    }
    let canonical = canonical(request, names).ok_or_else(|| malformed("A signed header is missing."))?;
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{digest}");
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(signed_at.0).unwrap_or(0));
    let signing_key = generate_signing_key(&identity.secret_key, at, region, SERVICE);
    if calculate_signature(signing_key, text.as_bytes()) == signature {
        Ok(Some(identity))
    } else {
        Err(SignatureError::Mismatch)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `20250102T030405Z`.
fn moment(text: &str) -> Option<Moment> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Moment(zoned.timestamp().as_millisecond()))
}

/// The canonical request; `None` when a signed header is missing.
fn canonical(request: Signed<'_>, names: &str) -> Option<String> {
    let mut lines = String::new();
    for name in names.split(';') {
        let value = if name == "host" {
            request.host.to_owned()
        } else {
            let values: Option<Vec<String>> = request
                .headers
                .get_all(name)
                .iter()
                .map(|value| Some(value.to_str().ok()?.split_whitespace().collect::<Vec<_>>().join(" ")))
                .collect();
            values.filter(|values| !values.is_empty())?.join(",")
        };
        lines.extend([name, ":", &value, "\n"]);
    }
    let mut pairs: Vec<(&str, &str)> = request
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = utf8_percent_encode(&normal(request.path), PATH).to_string();
    Some(format!("{}\n{path}\n{}\n{lines}\n{names}\n{UNSIGNED}", request.method, query.join("&")))
}

/// A path without empty, `.` and `..` segments, as signers normalise it.
fn normal(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
        if segment == ".." {
            segments.pop();
        } else {
            segments.push(segment);
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
