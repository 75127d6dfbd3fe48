//! S3, as much of it as the service directory takes: writing a few objects of one bucket (S3 API reference, PutObject).

use crate::AwsError;
use crate::counts::CallCounts;
use crate::direct::{Direct, Request, Service};
use crate::query;
use aws_config::SdkConfig;
use aws_runtime::auth::SigningOptions;

const S3: Service = Service { id: "S3", name: "s3", error: query::error, signing };

/// S3 signs a path as it is, and wants to be told the hash of the body (S3 API reference, Signature calculations).
fn signing() -> SigningOptions {
    let mut options = SigningOptions::default();
    options.double_uri_encode = false;
    options.normalize_uri_path = false;
    options.content_sha256_header = true;
    options
}

/// A bucket that objects are written to.
#[derive(Debug, Clone)]
pub struct Bucket {
    api: Direct,
    name: String,
}

impl Bucket {
    pub(crate) fn new(config: SdkConfig, counts: CallCounts, name: &str) -> Self {
        Self { api: Direct::new(S3, config, counts), name: name.to_owned() }
    }

    /// Writes an object, in the place of what was there. `key`: of letters, digits, dots and hyphens.
    pub async fn put(&self, key: &str, content_type: &'static str, body: String) -> Result<(), AwsError> {
        let path = format!("/{}/{key}", self.name);
        self.api.call("PutObject", Request { method: "PUT", path, content_type, body }).await.map(|_| ())
    }

    /// Where an object is.
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }
}
