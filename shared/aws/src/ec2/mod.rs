//! EC2, as much of it as VPC endpoints take: calls of its Query API.
//!
//! The SDK's own crate for EC2 was measured: 326 seconds of CPU time and 4.7 GB of memory were not enough to compile it for
//! tests, where all else of this workspace takes five minutes. The calls below are eight.

mod answer;
mod calls;

pub(crate) use calls::{Endpoint, EndpointState};

use crate::counts::CallCounts;
use crate::direct::{Direct, Request, Service};
use crate::{AwsError, ErrorClass};
use aws_config::SdkConfig;
use aws_runtime::auth::SigningOptions;
use aws_sdk_vpclattice::error::ErrorMetadata;
use aws_smithy_query::QueryWriter;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

const VERSION: &str = "2016-11-15";
const EC2: Service = Service { id: "EC2", name: "ec2", error, signing: SigningOptions::default };

/// EC2's Query API.
#[derive(Debug, Clone)]
pub(crate) struct Ec2Api(Direct);

impl Ec2Api {
    pub(crate) fn new(config: SdkConfig, counts: CallCounts) -> Self {
        Self(Direct::new(EC2, config, counts))
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
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        self.0.call(operation, Request { method: "POST", path: "/".to_owned(), content_type, body }).await
    }
}

/// An answer that cannot be read did not come from EC2 itself.
fn unreadable(operation: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> AwsError {
    AwsError::unreadable(operation, ErrorClass::Retry, error)
}

/// What an answer of XML that is no success tells.
pub(crate) fn error(response: &HttpResponse) -> ErrorMetadata {
    answer::error(response.body().bytes().unwrap_or_default())
}
