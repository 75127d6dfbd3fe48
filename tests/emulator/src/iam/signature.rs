//! Signatures of requests: SigV4 in the Authorization header or, for presigned requests, in the query string.
//! The data plane verifies requests to services with it, the control plane its own calls.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::Identity;
use crate::state::{Delay, Moment};

/// The only algorithm that is taken here.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What the names of all of AWS's algorithms start with.
const FAMILY: &str = "AWS4-";

/// The payload hash of a payload that is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// How far the signature's time may be off, as for all of AWS's services.
const SKEW: Delay = Delay::seconds(5 * 60);

/// Longest life in seconds that a presigned request may ask for, as for all of AWS's services.
const MAX_EXPIRES: u64 = 7 * 24 * 60 * 60;

/// What stays as it is in a canonical path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Query parameter that holds the signature and is not signed itself.
const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

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

/// What the receiver expects of a signature.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Region in the credential scope.
    pub region: &'a str,
    /// Service name in the credential scope.
    pub service: &'a str,
    /// What was signed of the payload.
    pub payload: Payload<'a>,
    /// Time of the machine, which clients sign by too; a clock that tests put forward would make every
    /// signature old.
    pub now: Moment,
}

/// What was signed of the payload.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// Nothing: payloads of requests to services are not signed.
    Unsigned,
    /// The hash of these bytes.
    Signed(&'a [u8]),
}

/// What is wrong with a signature. The texts are AWS's kind of texts; clients read only the code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none, and one is asked for.
    #[error("Missing Authentication Token")]
    Missing,
    /// A part of it is missing.
    #[error("{0}")]
    Incomplete(&'static str),
    /// It is for something else: another algorithm, time, service or Region.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// Nobody has this access key.
    #[error("The security token included in the request is invalid.")]
    Unknown,
    /// The signature is not what the secret makes of the request.
    #[error("The request signature we calculated does not match the signature you provided.")]
    Mismatch,
}

impl SignatureError {
    /// Name of the exception.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::Invalid(_) | Self::Mismatch => "InvalidSignatureException",
            Self::Unknown => "UnrecognizedClientException",
        }
    }

    fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(text.into())
    }
}

/// The parts of a signature, wherever it stands.
struct Claim<'a> {
    credential: Cow<'a, str>,
    names: Cow<'a, str>,
    signature: Cow<'a, str>,
    time: Cow<'a, str>,
    token: Option<Cow<'a, str>>,
    /// Life of a presigned request.
    expires: Option<Delay>,
}

/// The caller that signed a request; `None` = the request is not signed.
///
/// # Errors
/// When it is signed and the signature is not good.
pub fn verify<'a>(
    request: Signed<'_>,
    scope: Scope<'_>,
    identities: &'a [Identity],
) -> Result<Option<&'a Identity>, SignatureError> {
    let Some(claim) = claim(request)? else { return Ok(None) };
    let incomplete = SignatureError::Incomplete;
    let (key, claimed) =
        claim.credential.split_once('/').ok_or_else(|| incomplete("The credential has no scope."))?;
    let signed_at = moment(&claim.time).ok_or_else(|| incomplete("The date cannot be read."))?;
    check_scope(claimed, claim.time.get(..8).unwrap_or_default(), scope)?;
    check_time(&claim, signed_at, scope.now)?;
    if !claim.names.split(';').any(|name| name == "host") {
        return Err(SignatureError::invalid("'Host' must be a 'SignedHeader' in the signature."));
    }
    let hash = payload_hash(&claim, request.headers, scope.payload)?;
    let identity = identities.iter().find(|it| it.access_key == key).ok_or(SignatureError::Unknown)?;
    if identity.session_token.as_deref() != claim.token.as_deref() {
        return Err(SignatureError::Unknown);
    }
    let canonical = canonical(request, &claim.names, &hash)
        .ok_or_else(|| SignatureError::invalid("A signed header is missing in the request."))?;
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("{ALGORITHM}\n{}\n{claimed}\n{digest}", claim.time);
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(signed_at.0).unwrap_or(0));
    let signing_key = generate_signing_key(&identity.secret_key, at, scope.region, scope.service);
    if calculate_signature(signing_key, text.as_bytes()) == claim.signature {
        Ok(Some(identity))
    } else {
        Err(SignatureError::Mismatch)
    }
}

/// The signature of a request: in its Authorization header, else in its query string.
fn claim(request: Signed<'_>) -> Result<Option<Claim<'_>>, SignatureError> {
    // Another scheme in the header is between the client and the target.
    let authorization = header(request.headers, "authorization").filter(|it| it.starts_with(FAMILY));
    if let Some(authorization) = authorization {
        return in_header(request, authorization).map(Some);
    }
    let parameter = |name: &str| {
        let mut pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find_map(|(key, value)| (key == name).then_some(value))?;
        percent_decode_str(value).decode_utf8().ok()
    };
    let Some(algorithm) = parameter("X-Amz-Algorithm") else { return Ok(None) };
    check_algorithm(&algorithm)?;
    let needed = |name, text| parameter(name).ok_or(SignatureError::Incomplete(text));
    let seconds = needed("X-Amz-Expires", "There is no X-Amz-Expires parameter.")?.parse().ok();
    let expires = seconds.filter(|seconds| (1..=MAX_EXPIRES).contains(seconds));
    let expires = expires.ok_or_else(|| SignatureError::invalid("X-Amz-Expires must be 1 to 604800."))?;
    Ok(Some(Claim {
        credential: needed("X-Amz-Credential", "There is no X-Amz-Credential parameter.")?,
        names: needed("X-Amz-SignedHeaders", "There is no X-Amz-SignedHeaders parameter.")?,
        signature: needed(SIGNATURE_PARAMETER, "There is no X-Amz-Signature parameter.")?,
        time: needed("X-Amz-Date", "There is no X-Amz-Date parameter.")?,
        token: parameter("X-Amz-Security-Token"),
        expires: Some(Delay::seconds(expires)),
    }))
}

fn in_header<'a>(request: Signed<'a>, authorization: &'a str) -> Result<Claim<'a>, SignatureError> {
    let (algorithm, fields) = authorization.split_once(' ').unwrap_or((authorization, ""));
    check_algorithm(algorithm)?;
    let field = |name: &str, text| {
        let mut parts = fields.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name)).map(Cow::from).ok_or(SignatureError::Incomplete(text))
    };
    let time = header(request.headers, "x-amz-date");
    Ok(Claim {
        credential: field("Credential=", "Authorization header requires 'Credential' parameter.")?,
        names: field("SignedHeaders=", "Authorization header requires 'SignedHeaders' parameter.")?,
        signature: field("Signature=", "Authorization header requires 'Signature' parameter.")?,
        time: time.ok_or(SignatureError::Incomplete("There is no X-Amz-Date header."))?.into(),
        token: header(request.headers, "x-amz-security-token").map(Cow::from),
        expires: None,
    })
}

fn check_algorithm(algorithm: &str) -> Result<(), SignatureError> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    Err(SignatureError::invalid("The algorithm is not supported; sign with AWS4-HMAC-SHA256."))
}

fn check_scope(claimed: &str, date: &str, scope: Scope<'_>) -> Result<(), SignatureError> {
    let parts: Vec<&str> = claimed.split('/').collect();
    let [day, region, service, "aws4_request"] = parts.as_slice() else {
        return Err(SignatureError::Incomplete("The credential scope has not the form of SigV4."));
    };
    let wrong = |what, wanted: &str| {
        Err(SignatureError::invalid(format!("Credential should be scoped to {what} '{wanted}'.")))
    };
    if *region != scope.region {
        wrong("the Region", scope.region)
    } else if *service != scope.service {
        wrong("the service", scope.service)
    } else if *day != date {
        wrong("the date", date)
    } else {
        Ok(())
    }
}

/// A request is good around the time of its signature; a presigned one from then on as long as it asks for.
fn check_time(claim: &Claim<'_>, signed_at: Moment, now: Moment) -> Result<(), SignatureError> {
    let last = signed_at.after(claim.expires.unwrap_or(SKEW));
    if now > last {
        let text = format!("Signature expired: {} is now earlier than {}", last.iso(), now.iso());
        return Err(SignatureError::invalid(text));
    }
    if signed_at > now.after(SKEW) {
        let text = format!("Signature not yet current: {} is still later than {}", claim.time, now.iso());
        return Err(SignatureError::invalid(text));
    }
    Ok(())
}

/// The payload's hash as it stands in the canonical request.
fn payload_hash(
    claim: &Claim<'_>,
    headers: &HeaderMap,
    payload: Payload<'_>,
) -> Result<String, SignatureError> {
    match payload {
        Payload::Signed(body) => Ok(hex(&Sha256::digest(body))),
        Payload::Unsigned => {
            let said = header(headers, "x-amz-content-sha256");
            // A presigned request can do without the header.
            if said == Some(UNSIGNED) || (claim.expires.is_some() && said.is_none()) {
                return Ok(UNSIGNED.to_owned());
            }
            Err(SignatureError::invalid("The header x-amz-content-sha256 must be UNSIGNED-PAYLOAD."))
        }
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
fn canonical(request: Signed<'_>, names: &str, payload: &str) -> Option<String> {
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
        .filter(|(name, _)| *name != SIGNATURE_PARAMETER)
        .collect();
    pairs.sort_unstable();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = utf8_percent_encode(&normal(request.path), PATH).to_string();
    Some(format!("{}\n{path}\n{}\n{lines}\n{names}\n{payload}", request.method, query.join("&")))
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
