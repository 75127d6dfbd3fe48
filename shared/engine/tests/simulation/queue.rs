//! The queue: first in first out within a group, at least once, what is in flight or put off blocks its group.

use crate::sim::Sim;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use trellis_aws::{AwsError, ErrorClass, OutgoingHint};
use trellis_engine::Queue;
use trellis_hint::Hint;

/// Within this many seconds a second message of the same id is dropped (SQS API reference, SendMessage).
const DEDUPLICATION_S: u64 = 300;
/// After this many seconds a message in flight comes again: the template's VisibilityTimeout.
pub(crate) const VISIBILITY_S: u64 = 360;
/// After so many receives a message is moved to the dead-letter queue: the template's maxReceiveCount.
const RECEIVES_MAX: u32 = 20;
/// The most messages of one batch (SQS event source, FIFO).
const BATCH_MAX: usize = 10;

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) hint: Hint,
    pub(crate) receives: u32,
    visible_at: u64,
}

#[derive(Default)]
pub(crate) struct Fifo {
    groups: BTreeMap<String, VecDeque<Message>>,
    seen: BTreeMap<String, u64>,
    next: u64,
    /// Messages that went to the dead-letter queue.
    pub(crate) dead: usize,
    /// Messages that were sent.
    pub(crate) sent: usize,
}

impl Fifo {
    pub(crate) fn send(&mut self, outgoing: &OutgoingHint, now: u64, delay_s: u64) {
        self.seen.retain(|_, at| *at + DEDUPLICATION_S > now);
        if self.seen.insert(outgoing.deduplication_id.clone(), now).is_some() {
            return;
        }
        self.next += 1;
        self.sent += 1;
        let message =
            Message { id: self.next, hint: outgoing.hint.clone(), receives: 0, visible_at: now + delay_s };
        self.groups.entry(outgoing.hint.group_id()).or_default().push_back(message);
    }

    /// Groups whose first message can be received.
    pub(crate) fn ready(&self, now: u64) -> Vec<String> {
        let ready =
            self.groups.iter().filter(|(_, messages)| messages.front().is_some_and(|m| m.visible_at <= now));
        ready.map(|(group, _)| group.clone()).collect()
    }

    /// The messages of a group that go into one batch.
    pub(crate) fn receive(&mut self, group: &str, now: u64) -> Vec<Message> {
        let Some(messages) = self.groups.get_mut(group) else { return vec![] };
        while messages.front().is_some_and(|message| message.receives >= RECEIVES_MAX) {
            messages.pop_front();
            self.dead += 1;
        }
        let visible = messages.iter_mut().take_while(|message| message.visible_at <= now).take(BATCH_MAX);
        visible
            .map(|message| {
                message.receives += 1;
                message.visible_at = now + VISIBILITY_S;
                message.clone()
            })
            .collect()
    }

    pub(crate) fn acknowledge(&mut self, message: &Message) {
        if let Some(messages) = self.groups.get_mut(&message.hint.group_id()) {
            messages.retain(|one| one.id != message.id);
        }
        self.groups.retain(|_, messages| !messages.is_empty());
    }

    pub(crate) fn put_off(&mut self, message: &Message, now: u64, seconds: u64) {
        let messages = self.groups.get_mut(&message.hint.group_id());
        for one in messages.into_iter().flatten().filter(|one| one.id == message.id) {
            one.visible_at = now + seconds;
        }
    }

    /// When the next message can be received; none when there is none at all.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.groups.values().filter_map(|messages| Some(messages.front()?.visible_at)).min()
    }
}

/// The queue as the engine sees it.
pub(crate) struct Hints(pub(crate) Arc<Sim>);

impl Queue for Hints {
    async fn send(&self, hints: &[OutgoingHint]) -> Result<(), AwsError> {
        for outgoing in hints {
            self.0.pause().await;
            let mut state = self.0.state();
            let chance = state.faults.error_before();
            if state.dice.percent(chance) {
                return Err(AwsError::model("SendMessageBatch", ErrorClass::Retry, "no answer in time"));
            }
            let now = state.now;
            state.tell(format!("hint {}", outgoing.hint.unit));
            state.queue.send(outgoing, now, 0);
        }
        Ok(())
    }

    async fn put_off(&self, _: &str, _: Duration) -> Result<(), AwsError> {
        // The function's handler calls this; the simulation's own handler puts messages off itself.
        Ok(())
    }
}
