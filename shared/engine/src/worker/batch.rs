//! From a batch of messages to units with their hints. Pure.

use super::changes::{Told, told};
use crate::Task;
use std::time::{Duration, SystemTime};
use trellis_hint::{Hint, Moved, ParseHintError, Touched, UnitKey};
use trellis_ports::Message;

/// A message that holds a hint.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    /// How often the queue has given this message out, this time included.
    pub(crate) receives: u32,
    pub(crate) sent: Option<SystemTime>,
    pub(crate) hint: Hint,
}

/// The messages of one group in their order: one unit's, since the unit is the group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) unit: UnitKey,
    pub(crate) records: Vec<Record>,
}

impl Group {
    /// The highest receive count of the group: what a retry's delay grows with.
    pub(crate) fn receives(&self) -> u32 {
        self.records.iter().map(|record| record.receives).max().unwrap_or(1)
    }

    /// The work that the messages ask for. `retried`: the message whose last try may have left something untold.
    pub(crate) fn task(&self, retried: Option<String>) -> Task {
        Task {
            unit: self.unit.clone(),
            hints: self.records.iter().map(|record| record.hint.clone()).collect(),
            retried,
        }
    }
}

/// A message that tells what others have changed in VPC Lattice.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) message_id: String,
    pub(crate) touched: Vec<Touched>,
}

/// A message that tells what has become of instances.
#[derive(Debug, Clone)]
pub(crate) struct Movement {
    pub(crate) message_id: String,
    pub(crate) moved: Moved,
}

/// Why a message is no work. It is acknowledged: no retry can mend it, a lost hint is found by the drift pass, and one
/// kept in the queue would block its group.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the message has no id or no receipt handle")]
    NoIdentity,
    #[error(transparent)]
    NotAHint(#[from] ParseHintError),
    #[error(
        "the message group is {group:?}, that of its unit {unit} is {expected:?}: two writers could meet"
    )]
    WrongGroup { group: String, unit: String, expected: String },
}

/// A batch, sorted.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// By unit, with the order within each kept.
    pub(crate) groups: Vec<Group>,
    /// Hints whose time has come: to be sent on to their units.
    pub(crate) due: Vec<Record>,
    /// What has become of instances.
    pub(crate) movements: Vec<Movement>,
    /// What others have changed.
    pub(crate) changes: Vec<Change>,
    /// Messages that are no work, by id.
    pub(crate) unreadable: Vec<(String, Unreadable)>,
}

/// Sorts a batch, of the installation of that name.
pub(crate) fn sort(messages: Vec<Message>, installation: &str) -> Batch {
    let mut batch = Batch::default();
    for message in messages {
        let (id, is_due) = (message.id.clone(), message.group.is_none());
        // Only a queue without groups has events; in a group they would be nobody's.
        match is_due.then(|| told(&message.body, installation)).flatten() {
            Some(Told::Changes(touched)) => {
                batch.changes.push(Change { message_id: id, touched });
                continue;
            }
            Some(Told::Moved(moved)) => {
                batch.movements.push(Movement { message_id: id, moved });
                continue;
            }
            None => {}
        }
        match record(message) {
            Err(why) => batch.unreadable.push((id, why)),
            Ok(record) if is_due => batch.due.push(record),
            Ok(record) => match batch.groups.iter_mut().find(|group| group.unit == record.hint.unit) {
                Some(group) => group.records.push(record),
                None => batch.groups.push(Group { unit: record.hint.unit.clone(), records: vec![record] }),
            },
        }
    }
    batch
}

fn record(message: Message) -> Result<Record, Unreadable> {
    let Message { id: message_id, receipt_handle, group, body, receives, sent } = message;
    if message_id.is_empty() || receipt_handle.is_empty() {
        return Err(Unreadable::NoIdentity);
    }
    let hint = Hint::parse(&body)?;
    let expected = hint.unit.group_id();
    if let Some(group) = group.filter(|group| *group != expected) {
        return Err(Unreadable::WrongGroup { group, unit: hint.unit.to_string(), expected });
    }
    Ok(Record { message_id, receipt_handle, receives, sent, hint })
}

/// When a failed unit is tried again: after 2, 4, 8, … 256 seconds, by how often it was tried. The cap keeps the tries of
/// the queue's redrive policy within about an hour.
pub(crate) fn retry_after(receives: u32) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(receives.clamp(1, 8)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_hint::{Kind, ObjectRef, Operation};

    const A: &str = "gateway/123456789012/us-west-2/a";
    const B: &str = "gateway/123456789012/us-west-2/b";

    fn body(unit: &str) -> String {
        let object = ObjectRef {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            kind: Kind::HTTPRoute,
            namespace: "default".into(),
            name: "r".into(),
            uid: String::new(),
            generation: 1,
        };
        Hint::new(unit.parse().unwrap(), object, Operation::Update).body()
    }

    fn message(id: &str, group: Option<&str>, body: &str) -> Message {
        Message {
            id: id.into(),
            receipt_handle: format!("h-{id}"),
            group: group.map(Into::into),
            body: body.into(),
            receives: 3,
            sent: None,
        }
    }

    fn sorted(messages: Vec<Message>) -> Batch {
        sort(messages, "trellis")
    }

    #[test]
    fn an_event_counts_only_from_a_queue_without_groups() {
        let event = r#"{"detail-type": "AWS API Call via CloudTrail"}"#;
        let batch = sorted(vec![message("1", None, event), message("2", Some(A), event)]);
        assert_eq!((batch.changes.len(), batch.unreadable.len()), (1, 1));
    }

    #[test]
    fn messages_of_one_unit_stay_together_in_their_order() {
        let (a, b) = (body(A), body(B));
        let batch =
            sorted(vec![message("1", Some(A), &a), message("2", Some(B), &b), message("3", Some(A), &a)]);
        let ids: Vec<Vec<&str>> = batch
            .groups
            .iter()
            .map(|group| group.records.iter().map(|record| record.message_id.as_str()).collect())
            .collect();
        assert_eq!(ids, [vec!["1", "3"], vec!["2"]]);
        assert_eq!(batch.groups[0].receives(), 3);
        assert!(batch.unreadable.is_empty() && batch.due.is_empty());
    }

    #[test]
    fn hints_whose_time_has_come_are_no_work_of_their_own() {
        let a = body(A);
        let batch = sorted(vec![message("1", None, &a), message("2", Some(A), &a)]);
        assert_eq!((batch.due.len(), batch.groups.len()), (1, 1));
    }

    #[test]
    fn what_is_no_hint_is_told_apart_and_blocks_nobody() {
        let a = body(A);
        let unknown = r#"{"schema": 99}"#;
        let batch = sorted(vec![
            message("1", Some("x"), "]"),
            message("2", Some("x"), unknown),
            message("3", Some("x"), &a),
            message("4", None, "]"),
            message("", Some(A), &a),
            message("6", Some(A), &a),
        ]);
        assert_eq!(batch.groups.len(), 1);
        let reasons: Vec<String> = batch.unreadable.iter().map(|(_, why)| why.to_string()).collect();
        let expected = ["not a hint", "schema 99", "two writers", "not a hint", "no id"];
        assert_eq!(reasons.len(), expected.len());
        assert!(reasons.iter().zip(expected).all(|(why, part)| why.contains(part)), "{reasons:?}");
    }

    #[test]
    fn retries_are_spread_and_bounded() {
        assert_eq!([1, 2, 5, 8, 40].map(|count| retry_after(count).as_secs()), [2, 4, 32, 256, 256]);
    }
}
