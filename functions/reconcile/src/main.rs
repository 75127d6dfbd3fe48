//! The `reconcile` Lambda: a batch of messages in, a partial batch response out. What is done with a batch is the worker's.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{LambdaEvent, service_fn};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trellis_ports::{Budget, Message};
use trellis_wiring::Worker;

/// Kept of the function's time for answering.
const RESERVE: Duration = Duration::from_secs(1);

fn main() -> Result<(), lambda_runtime::Error> {
    trellis_telemetry::init("reconcile");
    trellis_wiring::runtime()?.block_on(serve())
}

async fn serve() -> Result<(), lambda_runtime::Error> {
    let worker = Arc::new(Worker::new(Arc::new(trellis_wiring::engine_from_env().await?)));
    // On a thread of the runtime, whose stack is large: the main thread's is the system's to say.
    let serving = lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let worker = Arc::clone(&worker);
        async move { Ok::<_, lambda_runtime::Error>(handle(&worker, event).await) }
    }));
    tokio::spawn(serving).await?
}

async fn handle(worker: &Worker, event: LambdaEvent<SqsEvent>) -> SqsBatchResponse {
    let remaining = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let messages = event.payload.records.into_iter().map(message).collect();
    let ended = worker.work(messages, Budget::lasting(remaining.saturating_sub(RESERVE))).await;
    ended.metrics.emit("reconcile");
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = ended.returned.into_iter().map(failure).collect();
    response
}

/// A message of the event. Only a FIFO queue's ARN ends in `.fifo` (SQS Developer Guide): what comes from the other queue
/// has no group, whatever its attributes say.
fn message(message: SqsMessage) -> Message {
    let attribute = |name: &str| message.attributes.get(name);
    let is_fifo =
        message.event_source_arn.as_deref().is_none_or(|arn| arn.rsplit('.').next() == Some("fifo"));
    let sent: Option<u64> = attribute("SentTimestamp").and_then(|ms| ms.parse().ok());
    Message {
        group: is_fifo.then(|| attribute("MessageGroupId").cloned().unwrap_or_default()),
        receives: attribute("ApproximateReceiveCount").and_then(|n| n.parse().ok()).unwrap_or(1),
        sent: sent.and_then(|ms| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms))),
        id: message.message_id.unwrap_or_default(),
        receipt_handle: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
    }
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> SqsEvent {
        serde_json::from_str(include_str!("../../../events/sqs-hints.json")).unwrap()
    }

    #[test]
    fn the_sample_batch_is_of_the_hint_queue_with_its_groups_and_counts() {
        let messages: Vec<Message> = sample().records.into_iter().map(message).collect();
        let groups: Vec<&str> = messages.iter().filter_map(|one| one.group.as_deref()).collect();
        assert_eq!(
            groups,
            [
                "gateway/123456789012/us-west-2/my-hotel",
                "route/123456789012/us-west-2/HTTPRoute/trellis-one/default/inventory"
            ]
        );
        assert!(messages.iter().all(|one| one.receives >= 1 && one.sent.is_some()), "{messages:?}");
    }

    #[test]
    fn what_comes_from_the_queue_for_later_has_no_group_whatever_it_says() {
        let mut record = sample().records.remove(0);
        record.event_source_arn = Some("arn:aws:sqs:us-west-2:000000000000:trellis-LaterQueue".into());
        assert_eq!(message(record).group, None);
    }

    #[test]
    fn a_message_that_lacks_everything_is_still_one() {
        let message = message(SqsMessage::default());
        assert_eq!((message.id.as_str(), message.receives, message.sent), ("", 1, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// Whatever an envelope says, it is a message with the body as it came, and a group only from a FIFO queue.
        #[test]
        fn an_envelope_of_any_texts_is_a_message(
            body in proptest::option::of(".*"),
            id in proptest::option::of(".*"),
            arn in proptest::option::of("arn:aws:sqs:(.*|us-west-2:0:q(\\.fifo)?)"),
            values in proptest::collection::vec("-?[0-9]{0,25}|.*", 3),
        ) {
            let names = ["MessageGroupId", "ApproximateReceiveCount", "SentTimestamp"];
            let attributes = names.into_iter().map(str::to_owned).zip(values.clone()).collect();
            let mut envelope = SqsMessage::default();
            (envelope.body, envelope.message_id, envelope.event_source_arn) = (body.clone(), id.clone(), arn.clone());
            envelope.attributes = attributes;
            let message = message(envelope);
            prop_assert_eq!(message.body, body.unwrap_or_default());
            prop_assert_eq!(message.id, id.unwrap_or_default());
            let is_fifo = arn.is_none_or(|arn| arn.split('.').next_back() == Some("fifo"));
            prop_assert_eq!(message.group, is_fifo.then(|| values[0].clone()));
            prop_assert_eq!(message.receives, values[1].parse().unwrap_or(1));
        }
    }
}
