//! The queue itself: SendMessageBatch of a FIFO queue.

use crate::queue::{Entry, Refusal, SendBatch, SendError};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use std::time::Duration;

/// Tries of the SDK for one call; the hint queue's own retries begin where they end.
const SDK_TRIES_MAX: u32 = 3;

/// Connecting, with TLS, to an endpoint of the same region takes milliseconds; this allows for a lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One try: SQS answers within 100 ms, and a try that takes longer than this is better made anew.
const TRY_TIMEOUT: Duration = Duration::from_secs(3);

/// All tries of one call, so that a drain has time for a second call.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// Codes by which SQS says that the batch, not the moment, is at fault (SQS API reference, SendMessageBatch and common
/// errors).
const REFUSALS: [&str; 6] = [
    "BatchRequestTooLong",
    "BatchEntryIdsNotDistinct",
    "InvalidBatchEntryId",
    "InvalidMessageContents",
    "InvalidParameterValue",
    "MissingParameter",
];

/// One SQS FIFO queue.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    queue_url: String,
}

impl Sqs {
    /// Takes region, credentials and endpoint from the environment.
    pub async fn from_environment(queue_url: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(TRY_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT)
            .build();
        let config = aws_config::from_env()
            .retry_config(RetryConfig::standard().with_max_attempts(SDK_TRIES_MAX))
            .timeout_config(timeouts)
            .load()
            .await;
        Self { client: Client::new(&config), queue_url }
    }
}

impl SendBatch for Sqs {
    async fn send_batch(&self, batch: &[Entry]) -> Result<Vec<Refusal>, SendError> {
        let entries = batch.iter().enumerate().map(|(index, entry)| request_entry(index, entry));
        let entries =
            entries.collect::<Result<Vec<_>, _>>().map_err(|error| SendError::Refused(Box::new(error)))?;
        let call = self.client.send_message_batch().queue_url(&self.queue_url).set_entries(Some(entries));
        let output = call.send().await.map_err(send_error)?;
        Ok(output.failed().iter().filter_map(refusal).collect())
    }
}

fn request_entry(index: usize, entry: &Entry) -> Result<SendMessageBatchRequestEntry, BuildError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_group_id(&entry.group_id)
        .message_deduplication_id(&entry.deduplication_id)
        .message_body(&entry.body)
        .build()
}

fn refusal(failed: &aws_sdk_sqs::types::BatchResultErrorEntry) -> Option<Refusal> {
    let index = failed.id().parse().ok()?;
    let reason = format!("{}: {}", failed.code(), failed.message().unwrap_or_default());
    Some(Refusal { index, retryable: !failed.sender_fault(), reason })
}

fn send_error<E, R>(error: SdkError<E, R>) -> SendError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let refused = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .is_some_and(|code| REFUSALS.contains(&code));
    if refused { SendError::Refused(Box::new(error)) } else { SendError::Unavailable(Box::new(error)) }
}
