//! The queues: one that is first in first out within a group, at least once, where what is in flight or put off blocks its
//! group; and one for hints of later, whose messages come when their time has come.

use crate::sim::Sandbox;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use trellis_hint::{Hint, UnitKey};
use trellis_ports::{CallError, ErrorClass, LATER_MAX, Lane, Message, OutgoingHint, Queue};

/// Within this many seconds a second message of the same id is dropped (SQS API reference, SendMessage).
const DEDUPLICATION_S: u64 = 300;
/// After this many seconds a message in flight comes again: the template's VisibilityTimeout.
const VISIBILITY_S: u64 = 360;
/// After so many receives a message is moved to the dead-letter queue: the template's maxReceiveCount.
const RECEIVES_MAX: u32 = 20;
/// The most messages of one batch (SQS event source, FIFO).
const BATCH_MAX: usize = 10;

/// The name under which the queue for later stands beside the groups; no group has such a name.
pub(crate) const LATER: &str = "(later)";

#[derive(Debug, Clone)]
struct Stored {
    id: u64,
    body: String,
    /// The unit, if the body is a hint.
    unit: Option<UnitKey>,
    receives: u32,
    sent_at: u64,
    visible_at: u64,
}

#[derive(Default)]
pub(crate) struct Queues {
    groups: BTreeMap<String, VecDeque<Stored>>,
    later: Vec<Stored>,
    /// Messages that somebody is about to send: when, the group, the body.
    to_come: Vec<(u64, String, String)>,
    seen: BTreeMap<String, u64>,
    next: u64,
    /// Messages that went to the dead-letter queue.
    pub(crate) dead: usize,
    /// Messages that were sent.
    pub(crate) sent: usize,
}

impl Queues {
    pub(crate) fn send(&mut self, outgoing: &OutgoingHint, now: u64, delay_s: u64) {
        self.seen.retain(|_, at| *at + DEDUPLICATION_S > now);
        if self.seen.insert(outgoing.deduplication_id.clone(), now).is_some() {
            return;
        }
        let stored = self.stored(outgoing.hint.body(), now, delay_s);
        self.groups.entry(outgoing.hint.unit.group_id()).or_default().push_back(stored);
    }

    fn send_later(&mut self, hint: &Hint, now: u64, delay_s: u64) {
        let stored = self.stored(hint.body(), now, delay_s);
        self.later.push(stored);
    }

    /// A message that did not come from the functions or the webhook.
    pub(crate) fn forge(&mut self, group: &str, body: String, at: u64) {
        self.to_come.push((at, group.to_owned(), body));
    }

    /// Takes in what has been sent by now.
    pub(crate) fn arrive(&mut self, now: u64) {
        let (arrived, to_come) =
            std::mem::take(&mut self.to_come).into_iter().partition(|(at, ..)| *at <= now);
        self.to_come = to_come;
        for (at, group, body) in arrived {
            let stored = self.stored(body, at, 0);
            self.groups.entry(group).or_default().push_back(stored);
        }
    }

    fn stored(&mut self, body: String, now: u64, delay_s: u64) -> Stored {
        self.next += 1;
        let unit = Hint::parse(&body).ok().map(|hint| hint.unit);
        // A look at a cluster changes nothing by itself.
        self.sent += usize::from(!matches!(unit, Some(UnitKey::Cluster { .. })));
        Stored { id: self.next, body, unit, receives: 0, sent_at: now, visible_at: now + delay_s }
    }

    /// The last message of a group overtakes the one before, if that is not in flight.
    pub(crate) fn swap_last(&mut self, group: &str) {
        if let Some(messages) = self.groups.get_mut(group)
            && let Some(before) = messages.len().checked_sub(2)
            && messages[before].receives == 0
        {
            messages.swap(before, before + 1);
        }
    }

    /// Whether any message for that unit is still to come.
    pub(crate) fn holds(&self, unit: &str) -> bool {
        let mut all = self.groups.values().flatten().chain(&self.later);
        all.any(|one| one.unit.as_ref().is_some_and(|held| held.to_string() == unit))
    }

    /// Groups whose first message can be received, and [`LATER`] if there is one for later whose time has come.
    pub(crate) fn ready(&self, now: u64) -> Vec<String> {
        let ready =
            self.groups.iter().filter(|(_, messages)| messages.front().is_some_and(|m| m.visible_at <= now));
        let later = self.later.iter().any(|message| message.visible_at <= now);
        ready.map(|(group, _)| group.clone()).chain(later.then(|| LATER.to_owned())).collect()
    }

    /// The messages of a group that go into one batch with `room` for so many.
    pub(crate) fn receive(&mut self, group: &str, now: u64, room: usize) -> Vec<Message> {
        let room = room.min(BATCH_MAX);
        if group == LATER {
            let visible = self.later.iter_mut().filter(|message| message.visible_at <= now).take(room);
            return visible.map(|message| given_out(message, None, now)).collect();
        }
        let Some(messages) = self.groups.get_mut(group) else { return vec![] };
        while messages.front().is_some_and(|message| message.receives >= RECEIVES_MAX) {
            messages.pop_front();
            self.dead += 1;
        }
        let visible = messages.iter_mut().take_while(|message| message.visible_at <= now).take(room);
        visible.map(|message| given_out(message, Some(group), now)).collect()
    }

    /// The messages that bring looks at clusters.
    pub(crate) fn receive_looks(&mut self, now: u64) -> Vec<Message> {
        let ready = self.ready(now).into_iter().filter(|group| group.starts_with("cluster/"));
        ready.collect::<Vec<_>>().iter().flat_map(|group| self.receive(group, now, BATCH_MAX)).collect()
    }

    pub(crate) fn acknowledge(&mut self, message: &Message) {
        let others = |one: &Stored| one.id.to_string() != message.id;
        self.later.retain(others);
        self.groups.values_mut().for_each(|messages| messages.retain(others));
        self.groups.retain(|_, messages| !messages.is_empty());
    }

    fn put_off(&mut self, lane: Lane, receipt_handle: &str, now: u64, seconds: u64) {
        let all: Vec<&mut Stored> = match lane {
            Lane::Units => self.groups.values_mut().flatten().collect(),
            Lane::Later => self.later.iter_mut().collect(),
        };
        for one in all.into_iter().filter(|one| one.id.to_string() == receipt_handle) {
            one.visible_at = now + seconds;
        }
    }

    /// When the next message can be received; none when there is none at all, or none but looks at clusters that could not be read: as
    /// long as they cannot, there is one more a minute.
    pub(crate) fn next_at(&self) -> Option<u64> {
        let is_look = |one: &Stored| matches!(one.unit, Some(UnitKey::Cluster { .. }));
        if self.groups.is_empty() && self.to_come.is_empty() && self.later.iter().all(is_look) {
            return None;
        }
        let fronts = self.groups.values().filter_map(|messages| Some(messages.front()?.visible_at));
        let later = self.later.iter().map(|message| message.visible_at);
        fronts.chain(later).chain(self.to_come.iter().map(|(at, ..)| *at)).min()
    }
}

fn given_out(message: &mut Stored, group: Option<&str>, now: u64) -> Message {
    message.receives += 1;
    message.visible_at = now + VISIBILITY_S;
    Message {
        id: message.id.to_string(),
        receipt_handle: message.id.to_string(),
        group: group.map(str::to_owned),
        body: message.body.clone(),
        receives: message.receives,
        sent: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(message.sent_at)),
    }
}

/// The queues as the engine sees them.
pub(crate) struct Hints(pub(crate) Arc<Sandbox>);

impl Hints {
    async fn call(&self) -> Result<(), CallError> {
        self.0.pause().await;
        let mut state = self.0.state();
        let chance = state.faults.error_before();
        let fails = state.dice.percent(chance);
        if fails { Err(CallError::new(ErrorClass::Retry, "no answer in time")) } else { Ok(()) }
    }
}

impl Queue for Hints {
    async fn send(&self, hints: &[OutgoingHint]) -> Result<(), CallError> {
        for outgoing in hints {
            self.call().await?;
            let mut state = self.0.state();
            let now = state.now;
            state.tell(format!("hint {}", outgoing.hint.unit));
            state.queue.send(outgoing, now, 0);
        }
        Ok(())
    }

    async fn send_later(&self, hint: &Hint, after: Duration) -> Result<(), CallError> {
        self.call().await?;
        let mut state = self.0.state();
        if after > LATER_MAX {
            state.violate(format!("{} is to come after {after:?}", hint.unit));
        }
        let now = state.now;
        state.tell(format!("later {} in {} s", hint.unit, after.as_secs()));
        state.queue.send_later(hint, now, after.as_secs());
        Ok(())
    }

    async fn put_off(&self, lane: Lane, receipt_handle: &str, after: Duration) -> Result<(), CallError> {
        self.call().await?;
        let mut state = self.0.state();
        let now = state.now;
        state.queue.put_off(lane, receipt_handle, now, after.as_secs());
        Ok(())
    }
}
