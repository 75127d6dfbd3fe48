//! From an SQS event to units with their hints, and from verdicts to the partial batch response. Pure.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use std::time::Duration;
use trellis_hint::{Hint, ParseHintError, UnitKey};

/// A message that holds a hint.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    /// How often the queue has given this message out, this time included.
    pub(crate) receive_count: u32,
    pub(crate) hint: Hint,
}

/// The messages of one group in their order: one unit's, since the unit is the group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) unit: UnitKey,
    pub(crate) records: Vec<Record>,
}

impl Group {
    /// Whether these are hints that are to come later. They are never in one group with others.
    pub(crate) fn is_later(&self) -> bool {
        self.records.iter().any(|record| record.hint.later.is_some())
    }

    /// The highest receive count of the group: what a retry's delay grows with.
    pub(crate) fn receive_count(&self) -> u32 {
        self.records.iter().map(|record| record.receive_count).max().unwrap_or(1)
    }
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

/// Sorts a batch by unit, keeping the order within each.
pub(crate) fn sort(event: SqsEvent) -> (Vec<Group>, Vec<(Option<String>, Unreadable)>) {
    let mut groups: Vec<Group> = vec![];
    let mut unreadable = vec![];
    for message in event.records {
        let id = message.message_id.clone();
        match record(message) {
            Err(why) => unreadable.push((id, why)),
            Ok(record) => {
                let (unit, is_later) = (&record.hint.unit, record.hint.later.is_some());
                match groups.iter_mut().find(|group| group.unit == *unit && group.is_later() == is_later) {
                    Some(group) => group.records.push(record),
                    None => groups.push(Group { unit: unit.clone(), records: vec![record] }),
                }
            }
        }
    }
    (groups, unreadable)
}

fn record(message: SqsMessage) -> Result<Record, Unreadable> {
    let (Some(message_id), Some(receipt_handle)) = (message.message_id, message.receipt_handle) else {
        return Err(Unreadable::NoIdentity);
    };
    let hint = Hint::parse(message.body.as_deref().unwrap_or_default())?;
    let group = message.attributes.get("MessageGroupId").map(String::as_str).unwrap_or_default();
    let expected = hint.group_id();
    if group != expected {
        return Err(Unreadable::WrongGroup {
            group: group.to_owned(),
            unit: hint.unit.to_string(),
            expected,
        });
    }
    let receive_count =
        message.attributes.get("ApproximateReceiveCount").and_then(|n| n.parse().ok()).unwrap_or(1);
    Ok(Record { message_id, receipt_handle, receive_count, hint })
}

/// When a failed unit is tried again: after 2, 4, 8, … 256 seconds, by how often it was tried. The cap keeps the tries of
/// the queue's redrive policy within about an hour.
pub(crate) fn retry_after(receive_count: u32) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(receive_count.clamp(1, 8)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use trellis_hint::{Kind, ObjectRef, Operation};

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

    fn event(messages: &[(&str, &str, &str)]) -> SqsEvent {
        let records: Vec<_> = messages
            .iter()
            .map(|(id, group, body)| {
                json!({"messageId": id, "receiptHandle": format!("h-{id}"), "body": body,
                       "attributes": {"MessageGroupId": group, "ApproximateReceiveCount": "3"}})
            })
            .collect();
        serde_json::from_value(json!({ "Records": records })).unwrap()
    }

    #[test]
    fn messages_of_one_unit_stay_together_in_their_order() {
        let (a, b) = (body("gateway/123456789012/us-west-2/a"), body("gateway/123456789012/us-west-2/b"));
        let (groups, unreadable) = sort(event(&[
            ("1", "gateway/123456789012/us-west-2/a", &a),
            ("2", "gateway/123456789012/us-west-2/b", &b),
            ("3", "gateway/123456789012/us-west-2/a", &a),
        ]));
        let ids: Vec<Vec<&str>> = groups
            .iter()
            .map(|group| group.records.iter().map(|record| record.message_id.as_str()).collect())
            .collect();
        assert_eq!(ids, [vec!["1", "3"], vec!["2"]]);
        assert_eq!(groups[0].receive_count(), 3);
        assert!(unreadable.is_empty());
    }

    #[test]
    fn the_sample_batch_is_sorted_into_its_units() {
        let sample = include_str!("../../../events/sqs-hints.json");
        let (groups, unreadable) = sort(serde_json::from_str(sample).unwrap());
        assert!(unreadable.is_empty(), "{unreadable:?}");
        let told: Vec<String> =
            groups.iter().map(|group| format!("{} {}", group.unit, group.records.len())).collect();
        assert_eq!(
            told,
            [
                "gateway/123456789012/us-west-2/my-hotel 1",
                "route/123456789012/us-west-2/HTTPRoute/trellis-one/default/inventory 1"
            ]
        );
    }

    #[test]
    fn hints_for_later_are_a_group_beside_their_units() {
        let now = Hint::parse(&body("gateway/123456789012/us-west-2/a")).unwrap();
        let later = now.clone().in_a_while(15);
        let (groups, unreadable) = sort(event(&[
            ("1", "later/gateway/123456789012/us-west-2/a", &later.body()),
            ("2", "gateway/123456789012/us-west-2/a", &now.body()),
            ("3", "gateway/123456789012/us-west-2/a", &later.body()),
        ]));
        let told: Vec<(bool, usize)> =
            groups.iter().map(|group| (group.is_later(), group.records.len())).collect();
        assert_eq!(told, [(true, 1), (false, 1)]);
        assert!(matches!(unreadable[..], [(_, Unreadable::WrongGroup { .. })]), "{unreadable:?}");
    }

    #[test]
    fn what_is_no_hint_is_told_apart_and_blocks_nobody() {
        let a = body("gateway/123456789012/us-west-2/a");
        let unknown = r#"{"schema": 99}"#;
        let (groups, unreadable) = sort(event(&[
            ("1", "x", "]"),
            ("2", "x", unknown),
            ("3", "x", &a),
            ("4", "gateway/123456789012/us-west-2/a", &a),
        ]));
        assert_eq!(groups.len(), 1);
        let reasons: Vec<String> = unreadable.iter().map(|(_, why)| why.to_string()).collect();
        assert!(
            reasons[0].contains("not a hint")
                && reasons[1].contains("schema 99")
                && reasons[2].contains("two writers"),
            "{reasons:?}"
        );
    }

    #[test]
    fn retries_are_spread_and_bounded() {
        assert_eq!([1, 2, 5, 8, 40].map(|count| retry_after(count).as_secs()), [2, 4, 32, 256, 256]);
    }
}
