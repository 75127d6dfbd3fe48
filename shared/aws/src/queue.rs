//! The queue of hints.

use crate::AwsError;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use std::collections::BTreeSet;
use std::time::Duration;
use trellis_hint::Hint;
use trellis_ports::{LATER_MAX, Lane, OutgoingHint};

/// Entries of one SendMessageBatch (SQS API reference).
const BATCH_ENTRIES_MAX: usize = 10;
/// The longest visibility timeout (SQS API reference, ChangeMessageVisibility).
const VISIBILITY_MAX: Duration = Duration::from_hours(12);

/// Sends hints, and puts messages off.
#[derive(Debug, Clone)]
pub struct HintQueue {
    sqs: Client,
    url: String,
    later_url: Option<String>,
}

impl HintQueue {
    pub(crate) fn new(sqs: Client, url: &str) -> Self {
        Self { sqs, url: url.to_owned(), later_url: None }
    }

    /// With the queue for hints that are to come later: a standard queue, since a FIFO queue has no delay for a message of
    /// its own.
    #[must_use]
    pub fn with_later(self, url: &str) -> Self {
        Self { later_url: Some(url.to_owned()), ..self }
    }

    /// Sends a hint that can be received only after this time, at most [`LATER_MAX`], from the queue for later.
    pub async fn send_later(&self, hint: &Hint, after: Duration) -> Result<(), AwsError> {
        const OPERATION: &str = "SendMessage";
        let url = self.url_of(Lane::Later, OPERATION)?;
        let seconds = i32::try_from(after.min(LATER_MAX).as_secs()).unwrap_or(i32::MAX);
        let request = self.sqs.send_message().queue_url(url).message_body(hint.body()).delay_seconds(seconds);
        request.send().await.map_err(|error| AwsError::from_sdk(OPERATION, error))?;
        Ok(())
    }

    /// Sends all hints, ten a call, in their order. Those with equal id are sent once. On an error the ones before it
    /// are sent; sending all again is safe, since the ids are the same.
    pub async fn send(&self, hints: &[OutgoingHint]) -> Result<(), AwsError> {
        let mut seen = BTreeSet::new();
        let hints: Vec<&OutgoingHint> =
            hints.iter().filter(|hint| seen.insert(hint.deduplication_id.as_str())).collect();
        for batch in hints.chunks(BATCH_ENTRIES_MAX) {
            self.send_batch(batch).await?;
        }
        Ok(())
    }

    async fn send_batch(&self, batch: &[&OutgoingHint]) -> Result<(), AwsError> {
        const OPERATION: &str = "SendMessageBatch";
        let entries = batch
            .iter()
            .enumerate()
            .map(|(index, outgoing)| {
                SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(outgoing.hint.body())
                    .message_group_id(outgoing.hint.unit.group_id())
                    .message_deduplication_id(&outgoing.deduplication_id)
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| AwsError::unbuildable(OPERATION, error))?;
        let output = self
            .sqs
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, error))?;
        let Some(first) = output.failed.first() else { return Ok(()) };
        let text = format!(
            "{} of {} hints were refused, the first with {}: {}",
            output.failed.len(),
            batch.len(),
            first.code,
            first.message.as_deref().unwrap_or("no message")
        );
        Err(if first.sender_fault {
            AwsError::refused(OPERATION, text)
        } else {
            AwsError::late(OPERATION, text)
        })
    }

    fn url_of(&self, lane: Lane, operation: &'static str) -> Result<&str, AwsError> {
        let none = || AwsError::refused(operation, "no queue for hints of later is configured".to_owned());
        match lane {
            Lane::Units => Ok(&self.url),
            Lane::Later => self.later_url.as_deref().ok_or_else(none),
        }
    }

    /// Makes a message that was received from that queue visible again `after` this time from now (at most twelve hours): for
    /// work that waits for something slow. The message must then be reported as failed, so that it is not deleted.
    pub async fn put_off(&self, lane: Lane, receipt_handle: &str, after: Duration) -> Result<(), AwsError> {
        const OPERATION: &str = "ChangeMessageVisibility";
        let seconds = after.min(VISIBILITY_MAX).as_secs();
        self.sqs
            .change_message_visibility()
            .queue_url(self.url_of(lane, OPERATION)?)
            .receipt_handle(receipt_handle)
            .visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, error))?;
        Ok(())
    }
}
