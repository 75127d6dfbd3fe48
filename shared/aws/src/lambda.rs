//! Lambda, as much of it as a function behind a route takes: its tags, its resource-based policy, and one statement more in that
//! (Lambda API reference, 2015-03-31 and 2017-03-31). Nothing that shows code or environment is asked for.

use crate::counts::CallCounts;
use crate::direct::{Direct, Request, Service};
use crate::{AwsError, ErrorClass};
use aws_config::SdkConfig;
use aws_runtime::auth::SigningOptions;
use aws_sdk_vpclattice::error::ErrorMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::stream::{self, StreamExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{Function, FunctionFacts, Tags};

const LAMBDA: Service = Service { id: "Lambda", name: "lambda", error, signing: SigningOptions::default };
/// Functions that are read at once.
const AT_ONCE: usize = 8;
/// The id of our statement in a function's policy.
const STATEMENT: &str = "trellis-vpc-lattice";
/// Who is let in.
const PRINCIPAL: &str = "vpc-lattice.amazonaws.com";

/// Lambda's API.
#[derive(Debug, Clone)]
pub(crate) struct LambdaApi(Direct);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListTags {
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetPolicy {
    policy: Option<String>,
}

impl LambdaApi {
    pub(crate) fn new(config: SdkConfig, counts: CallCounts) -> Self {
        Self(Direct::new(LAMBDA, config, counts))
    }

    /// What is known of each of these functions, by ARN, with two reads.
    pub(crate) async fn functions(&self, arns: &BTreeSet<String>) -> BTreeMap<String, FunctionFacts> {
        let told = stream::iter(arns.iter().cloned()).map(|arn| async move {
            let told = Box::pin(self.function(&arn)).await;
            (arn, told)
        });
        told.buffer_unordered(AT_ONCE).collect().await
    }

    async fn function(&self, arn: &str) -> FunctionFacts {
        let (plain, qualifier) = parts(arn);
        let tags = self.get::<ListTags>("ListTags", format!("/2017-03-31/tags/{}", encoded(plain)));
        let policy = self.get::<GetPolicy>("GetPolicy", policy_path(plain, qualifier));
        match futures::join!(tags, policy) {
            (Ok(None), _) => FunctionFacts::Missing,
            (Ok(Some(ListTags { tags })), Ok(policy)) => {
                FunctionFacts::Known(Function { tags, policy: policy.and_then(|one| one.policy) })
            }
            (Err(error), _) | (_, Err(error)) => FunctionFacts::Unknown(error.to_string()),
        }
    }

    /// Lets VPC Lattice invoke a function for the target groups of its account and Region.
    pub(crate) async fn allow_invoke(&self, arn: &str) -> Result<(), AwsError> {
        let (plain, qualifier) = parts(arn);
        let mut of_arn = plain.split(':').skip(1);
        let (partition, region, account) = (of_arn.next(), of_arn.nth(1), of_arn.next());
        let (Some(partition), Some(region), Some(account)) = (partition, region, account) else {
            return Err(AwsError::refused("AddPermission", format!("{arn} is no ARN of a function")));
        };
        let source = format!("arn:{partition}:vpc-lattice:{region}:{account}:targetgroup/*");
        let body = json!({"StatementId": STATEMENT, "Action": "lambda:InvokeFunction", "Principal": PRINCIPAL,
            "SourceArn": source});
        let content_type = "application/json";
        let path = policy_path(plain, qualifier);
        let request = Request { method: "POST", path, content_type, body: body.to_string() };
        self.0.call("AddPermission", request).await.map(|_| ())
    }

    async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: String,
    ) -> Result<Option<T>, AwsError> {
        let request = Request { method: "GET", path, content_type: "application/json", body: String::new() };
        match self.0.call(operation, request).await {
            Ok(answer) => serde_json::from_str(&answer)
                .map(Some)
                .map_err(|error| AwsError::unreadable(operation, ErrorClass::Retry, error)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn policy_path(plain: &str, qualifier: Option<&str>) -> String {
    let qualifier = qualifier.map(|one| format!("?Qualifier={}", encoded(one))).unwrap_or_default();
    format!("/2015-03-31/functions/{}/policy{qualifier}", encoded(plain))
}

/// The ARN without a qualifier, and that.
fn parts(arn: &str) -> (&str, Option<&str>) {
    match arn.match_indices(':').nth(6) {
        Some((at, _)) => (&arn[..at], arn.get(at + 1..)),
        None => (arn, None),
    }
}

/// A segment of a path or a value of a query.
fn encoded(text: &str) -> String {
    crate::eks::percent_encoded(text)
}

/// The code and the message of an error: the code stands in a header (AWS restJson1 protocol), or in the body.
fn error(response: &HttpResponse) -> ErrorMetadata {
    let body = response.body().bytes().unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |member: &str| body.get(member).and_then(Value::as_str);
    let code = response.headers().get("x-amzn-errortype").or_else(|| text("__type")).or_else(|| text("code"));
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = code {
        let code = code.split(':').next().unwrap_or_default();
        metadata = metadata.code(code.rsplit('#').next().unwrap_or_default());
    }
    if let Some(message) = text("message").or_else(|| text("Message")) {
        metadata = metadata.message(message);
    }
    metadata.build()
}
