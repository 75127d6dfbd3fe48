//! Which hints go next. Pure: the caller tells the time and what became of each call.
//!
//! A hint that cannot be sent holds up later ones of its own message group, whose order counts, and nobody else:
//!
//! - a group has one call under way at a time, and what failed goes before anything newer of its group;
//! - what failed waits for its own next try, while others go;
//! - a batch that SQS refuses as a whole is sent again entry by entry, so that only the guilty one is lost; so is one that
//!   fails while SQS takes others.

use super::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Entry, Pace, Refusal, SendError};
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// A hint on its way.
#[derive(Debug)]
pub(super) struct Waiting<P> {
    pub(super) entry: Entry,
    /// Kept as long as the hint is on its way: its place in the queue.
    _place: P,
    tries: usize,
    /// When its last try failed without a word about it.
    failed_at: Option<Instant>,
    /// Not sent before.
    not_before: Instant,
    /// Sent then, with company or without.
    due: Instant,
    /// Sent in a call of its own.
    alone: bool,
}

/// What to do now.
#[derive(Debug)]
pub(super) enum Next<P> {
    /// Send these, in this order.
    Send(Vec<Waiting<P>>),
    /// Ask again then.
    At(Instant),
    /// Ask again when something has come or a call has ended.
    Idle,
}

/// Why a hint is lost.
#[derive(Debug)]
pub(super) enum Loss {
    /// SQS says that the hint itself is at fault.
    Refused(String),
    /// It has had all its tries.
    GivenUp,
}

/// What a call led to.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Hints that SQS took.
    pub(super) sent: usize,
    /// Hints that will be tried again.
    pub(super) again: usize,
    pub(super) lost: Vec<(Entry, Loss)>,
}

/// The hints that wait, in their order, and the groups that have a call under way.
#[derive(Debug)]
pub(super) struct Outbox<P> {
    pace: Pace,
    waiting: VecDeque<Waiting<P>>,
    busy: HashSet<String>,
    /// When SQS last took anything.
    taken_at: Option<Instant>,
}

impl<P> Outbox<P> {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, waiting: VecDeque::new(), busy: HashSet::new(), taken_at: None }
    }

    /// Takes a new hint.
    pub(super) fn push(&mut self, entry: Entry, place: P, now: Instant) {
        let due = now + self.pace.linger;
        let new =
            Waiting { entry, _place: place, tries: 0, failed_at: None, not_before: now, due, alone: false };
        self.waiting.push_back(new);
    }

    /// Whether nothing waits; calls may be under way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What to do at `now`. The groups of a batch given out are busy until [`Outbox::settle`].
    pub(super) fn next(&mut self, now: Instant) -> Next<P> {
        let (picked, is_full) = self.pick(now);
        let Some(due) = picked.iter().filter_map(|&index| Some(self.waiting.get(index)?.due)).min() else {
            return self.next_try().map_or(Next::Idle, Next::At);
        };
        if !is_full && due > now {
            return Next::At(due);
        }
        // From behind, so that the places of the others stay.
        let mut batch: Vec<Waiting<P>> =
            picked.into_iter().rev().filter_map(|index| self.waiting.remove(index)).collect();
        batch.reverse();
        self.busy.extend(batch.iter().map(|one| one.entry.group_id.clone()));
        Next::Send(batch)
    }

    /// When the first of any group that has no call under way may go: what is behind it waits for it.
    fn next_try(&self) -> Option<Instant> {
        let mut seen: HashSet<&str> = self.busy.iter().map(String::as_str).collect();
        let firsts = self.waiting.iter().filter(|one| seen.insert(&one.entry.group_id));
        firsts.map(|one| one.not_before).min()
    }

    /// The places of what can go in one call, and whether nothing more fits.
    fn pick(&self, now: Instant) -> (Vec<usize>, bool) {
        let (mut picked, mut bytes) = (Vec::new(), 0);
        let mut held: HashSet<&str> = HashSet::new();
        for (index, one) in self.waiting.iter().enumerate() {
            let group = one.entry.group_id.as_str();
            if self.busy.contains(group) || held.contains(group) {
                continue;
            }
            if one.not_before > now || (one.alone && !picked.is_empty()) {
                held.insert(group);
                continue;
            }
            bytes += one.entry.bytes();
            if !picked.is_empty() && bytes > BATCH_BYTES_MAX {
                return (picked, true);
            }
            picked.push(index);
            if one.alone || picked.len() == BATCH_ENTRIES_MAX {
                return (picked, true);
            }
        }
        (picked, false)
    }

    /// Takes back a batch after its call has ended at `now`.
    pub(super) fn settle(
        &mut self,
        batch: Vec<Waiting<P>>,
        result: &Result<Vec<Refusal>, SendError>,
        now: Instant,
    ) -> Settled {
        for one in &batch {
            self.busy.remove(&one.entry.group_id);
        }
        let mut settled = Settled::default();
        let mut again = Vec::new();
        let is_lone = batch.len() == 1;
        for (index, one) in batch.into_iter().enumerate() {
            match result {
                Ok(refusals) => match refusals.iter().find(|refusal| refusal.index == index) {
                    None => settled.sent += 1,
                    Some(refusal) if refusal.retryable => again.push(self.later(one, now)),
                    Some(refusal) => {
                        settled.lost.push((one.entry, Loss::Refused(refusal.reason.clone())));
                    }
                },
                Err(SendError::Refused(error)) if is_lone => {
                    settled.lost.push((one.entry, Loss::Refused(error.to_string())));
                }
                Err(SendError::Refused(_)) => {
                    again.push(Ok(Waiting { alone: true, not_before: now, due: now, ..one }));
                }
                Err(SendError::Unavailable(_)) => {
                    // SQS took others since it failed the last time: something of this batch is at fault.
                    let alone = one.alone || (one.failed_at.is_some() && one.failed_at < self.taken_at);
                    again.push(self.later(Waiting { alone, failed_at: Some(now), ..one }, now));
                }
            }
        }
        if settled.sent > 0 {
            self.taken_at = Some(now);
        }
        // Before anything newer, in the same order.
        for one in again.into_iter().rev() {
            match one {
                Ok(one) => {
                    settled.again += 1;
                    self.waiting.push_front(one);
                }
                Err(entry) => settled.lost.push((entry, Loss::GivenUp)),
            }
        }
        settled
    }

    /// The hint, to be tried again after a while; the entry alone where it has had all its tries.
    fn later(&self, one: Waiting<P>, now: Instant) -> Result<Waiting<P>, Entry> {
        let tries = one.tries + 1;
        if tries >= self.pace.tries_max {
            return Err(one.entry);
        }
        let at = now + self.pace.backoff(tries);
        Ok(Waiting { tries, not_before: at, due: at, ..one })
    }
}

impl Pace {
    /// The wait after that many tries, at least one.
    pub(crate) fn backoff(self, tries: usize) -> Duration {
        // 2^16 times the shortest wait is far beyond the longest.
        let doublings = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        (self.backoff_min * 2u32.pow(doublings)).min(self.backoff_max)
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
