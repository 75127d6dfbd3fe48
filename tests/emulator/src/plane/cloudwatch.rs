//! Access log entries to CloudWatch Logs, at the endpoint of a local AWS.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::access_log::Entry;
use super::client::{Http1, http1};
use super::tls::TlsError;
use crate::state::Home;

/// Name of the log stream that entries go to.
const STREAM: &str = "lattice-emulator";

/// A client of CloudWatch Logs.
#[derive(Debug)]
pub(super) struct CloudWatch {
    endpoint: Uri,
    home: Home,
    client: Http1<Full<Bytes>>,
    /// Log groups whose stream is there.
    ready: Mutex<BTreeSet<String>>,
}

impl CloudWatch {
    /// A client of an endpoint such as `http://127.0.0.1:4566`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub(super) fn new(endpoint: Uri, home: Home) -> Result<Self, TlsError> {
        Ok(Self { endpoint, home, client: http1(true)?, ready: Mutex::new(BTreeSet::new()) })
    }

    /// Puts an entry into the log groups among its destinations. What goes wrong is logged: an access log never
    /// holds up requests.
    pub(super) async fn put(&self, entry: &Entry) {
        for arn in &entry.destinations {
            let Some(group) = log_group(arn) else { continue };
            if self.ready.lock().is_ok_and(|mut ready| ready.insert(group.to_owned())) {
                let stream = json!({"logGroupName": group, "logStreamName": STREAM});
                // One that exists from an earlier run is refused, and good.
                let _ = self.call("CreateLogStream", &stream).await;
            }
            let at = entry
                .line
                .get("startTime")
                .and_then(Value::as_str)
                .and_then(|at| at.parse::<jiff::Timestamp>().ok());
            let event = json!({"timestamp": at.map_or(0, jiff::Timestamp::as_millisecond),
                               "message": entry.line.to_string()});
            let put = json!({"logGroupName": group, "logStreamName": STREAM, "logEvents": [event]});
            if let Err(error) = self.call("PutLogEvents", &put).await {
                tracing::warn!(group, %error, "an access log entry was not taken by CloudWatch Logs");
            }
        }
    }

    async fn call(&self, operation: &str, body: &Value) -> anyhow::Result<()> {
        // A local AWS reads account and Region from the credential and checks no signature.
        let date = "20000101";
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{date}/{}/logs/aws4_request, SignedHeaders=host, Signature=0",
            self.home.account, self.home.region
        );
        let request = Request::post(&self.endpoint)
            .header("host", self.endpoint.authority().map(ToString::to_string).unwrap_or_default())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .header("authorization", authorization)
            .body(Full::from(body.to_string()))?;
        let response = self.client.request(request).await?;
        let status = response.status();
        let text = response.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status.is_success(), "{status} {}", String::from_utf8_lossy(&text));
        Ok(())
    }
}

/// Name of the log group in its ARN; `None` for other destinations.
fn log_group(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(7, ':');
    let (service, kind, name) = (parts.nth(2)?, parts.nth(2)?, parts.next()?);
    (service == "logs" && kind == "log-group").then(|| name.strip_suffix(":*").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_group_is_read_from_its_arn() {
        let group = log_group("arn:aws:logs:us-west-2:000000000000:log-group:/lattice/all:*");
        assert_eq!(group, Some("/lattice/all"));
        assert_eq!(log_group("arn:aws:s3:::bucket"), None);
    }
}
