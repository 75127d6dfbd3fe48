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

/// Codes by which SQS says that the batch or an entry of it, not the moment, is at fault (SQS API reference,
/// SendMessageBatch, BatchResultErrorEntry and common errors). They come bare, or after the prefix of the older protocol
/// (`AWS.SimpleQueueService.BatchRequestTooLong`, which is what the SDK shows), or after a namespace
/// (`com.amazonaws.sqs#BatchRequestTooLong`).
const FINAL_CODES: [&str; 12] = [
    "BatchEntryIdsNotDistinct",
    "BatchRequestTooLong",
    "EmptyBatchRequest",
    "InvalidAttributeValue",
    "InvalidBatchEntryId",
    "InvalidMessageContents",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingParameter",
    "RequestEntityTooLarge",
    "TooManyEntriesInBatchRequest",
    "ValidationError",
];

/// Codes that an entry may bear with `senderFault` and that are of the moment all the same: the queue is throttled, or
/// somebody has still to set it up (the same sources).
const PASSING_CODES: [&str; 12] = [
    "AccessDenied",
    "AccessDeniedException",
    "KmsAccessDenied",
    "KmsDisabled",
    "KmsInvalidState",
    "KmsNotFound",
    "KmsThrottled",
    "NonExistentQueue",
    "QueueDoesNotExist",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
];

/// Whether another try of the same cannot help. What is not known is as its sender says: the faulty side is told of an
/// entry; of a whole call nothing is told, and it may be that a person mends a policy.
fn is_final(code: &str, sender_fault: bool) -> bool {
    let code = code.split(';').next().unwrap_or_default();
    let code = code.rsplit(['.', '#']).next().unwrap_or_default();
    FINAL_CODES.contains(&code) || (sender_fault && !PASSING_CODES.contains(&code))
}

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
        Self::new(Client::new(&config), queue_url)
    }

    /// The queue of that URL, by `client`.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
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
    Some(Refusal { index, retryable: !is_final(failed.code(), failed.sender_fault()), reason })
}

fn send_error<E, R>(error: SdkError<E, R>) -> SendError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    if code.is_some_and(|code| is_final(code, false)) {
        SendError::Refused(Box::new(error))
    } else {
        SendError::Unavailable(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_the_same_with_and_without_its_prefix() {
        let forms = |code: &str| {
            [
                code.to_owned(),
                format!("AWS.SimpleQueueService.{code}"),
                format!("com.amazonaws.sqs#{code}"),
                format!("AWS.SimpleQueueService.{code};Sender"),
            ]
        };
        for code in FINAL_CODES {
            for form in forms(code) {
                assert!(is_final(&form, false) && is_final(&form, true), "{form}");
            }
        }
        for code in PASSING_CODES {
            for form in forms(code) {
                assert!(!is_final(&form, false) && !is_final(&form, true), "{form}");
            }
        }
    }

    #[test]
    fn an_unknown_code_is_as_its_sender_says() {
        for code in ["", "InternalError", "AWS.SimpleQueueService.SomethingNew"] {
            assert!(!is_final(code, false) && is_final(code, true), "{code}");
        }
    }

    #[test]
    fn no_code_is_of_both_kinds() {
        assert!(FINAL_CODES.iter().all(|code| !PASSING_CODES.contains(code)));
    }
}
