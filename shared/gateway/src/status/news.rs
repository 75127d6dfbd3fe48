//! What a new status tells that the old one did not: Kubernetes Events, which `kubectl describe` shows.
//!
//! | a condition | event |
//! |---|---|
//! | is False or Unknown, and was not for this reason; unless it waits | Warning |
//! | tells of something that is not as asked for (PartiallyInvalid, Conflicted, RefusedTargets), and was not there | Warning |
//! | Programmed is True, and was not | Normal |
//! | another one is True, and was there and was not | Normal |
//! | else | none |
//!
//! The message alone makes none: it names domain names and times of waiting. Nothing depends on an event.

use crate::StatusPatch;
use crate::{api, conditions, reasons};
use serde_json::{Map, Value, json};
use trellis_hint::ClusterId;

/// Events of one status at most: what more there is, the status says.
const EVENTS_MAX: usize = 4;

/// Characters of a note (Kubernetes, events.k8s.io/v1).
const NOTE_BYTES_MAX: usize = 1_024;

/// The longest name of an event that Kubernetes takes, without the hash.
const NAME_CHARS_MAX: usize = 230;

/// Condition types that are True where something is wrong.
const BAD: [&str; 3] = [conditions::PARTIALLY_INVALID, conditions::CONFLICTED, conditions::REFUSED_TARGETS];

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Whether a person should look at it.
    pub is_warning: bool,
    /// The condition's reason.
    pub reason: String,
    /// The condition, and its message.
    pub note: String,
}

/// An Event to be made, or counted where it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterEvent {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its namespace.
    pub namespace: String,
    /// Its name: equal for what is told again of the same object.
    pub name: String,
    /// The whole object.
    pub object: Value,
    /// When it was seen, RFC 3339 with microseconds.
    pub time: String,
}

/// The news in a status of which these members change.
pub(super) fn of(old: &Value, changed: &Map<String, Value>) -> Vec<News> {
    let mut all: Vec<News> = vec![];
    for (member, value) in changed {
        let before = old.get(member);
        if member == "conditions" {
            all.extend(compared(before, Some(value), ""));
            continue;
        }
        for entry in value.as_array().into_iter().flatten() {
            let is_same = |one: &&Value| identity(one) == identity(entry);
            let same = before.and_then(Value::as_array).into_iter().flatten().find(is_same);
            let before = same.and_then(|one| one.get("conditions"));
            all.extend(compared(before, entry.get("conditions"), &called(entry)));
        }
    }
    all.dedup();
    all.truncate(EVENTS_MAX);
    all
}

/// What an entry of a list is about; entries of others have none of our news, since they do not change.
fn identity(entry: &Value) -> [Option<&Value>; 4] {
    ["parentRef", "ancestorRef", "name", "controllerName"].map(|member| entry.get(member))
}

fn called(entry: &Value) -> String {
    let reference = entry.get("parentRef").or_else(|| entry.get("ancestorRef"));
    let name = reference.unwrap_or(entry).get("name").and_then(Value::as_str);
    name.map(|name| format!(" at {name}")).unwrap_or_default()
}

fn compared<'a>(old: Option<&'a Value>, new: Option<&'a Value>, at: &'a str) -> Vec<News> {
    let old = old.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let new = new.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let news = new.iter().filter_map(|one| {
        let [kind, status, reason, message] =
            ["type", "status", "reason", "message"].map(|name| text(one, name));
        let before = old.iter().find(|before| text(before, "type") == kind);
        let is_same = before.is_some_and(|before| text(before, "status") == status);
        let is_bad = (status == "True") == BAD.contains(&kind);
        let is_warning = if is_bad {
            let told = is_same && before.is_some_and(|before| text(before, "reason") == reason);
            (!told && reason != reasons::PENDING).then_some(true)
        } else {
            let counts = !is_same && (before.is_some() || kind == conditions::PROGRAMMED);
            counts.then_some(false)
        }?;
        let note = cut(&format!("{kind} is {status}{at}: {message}"));
        Some(News { is_warning, reason: reason.to_owned(), note })
    });
    news.collect()
}

fn text<'a>(condition: &'a Value, member: &str) -> &'a str {
    condition.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn cut(note: &str) -> String {
    let mut end = note.len().min(NOTE_BYTES_MAX);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].trim_end_matches([':', ' ']).to_owned()
}

/// The Events of a status that was written to an object. `time` is RFC 3339 with microseconds.
pub fn cluster_events(patch: &StatusPatch, object: &Value, time: &str) -> Vec<ClusterEvent> {
    let meta = api::meta(object);
    // Of a cluster-scoped object they are in this one.
    let namespace = if patch.namespace.is_empty() { "default" } else { &patch.namespace };
    let event = |news: &News| {
        let hash = trellis_lattice::names::short_hash(&[&meta.uid, &news.reason, &news.note], 10);
        let base: String = patch.name.chars().take(NAME_CHARS_MAX).collect();
        // A label of a name ends in a letter or digit.
        let name = format!("{}.{hash}", base.trim_end_matches(['.', '-']));
        let object = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": time,
            "type": if news.is_warning { "Warning" } else { "Normal" },
            "reason": news.reason,
            "note": news.note,
            "action": "Reconcile",
            "reportingController": crate::CONTROLLER,
            "reportingInstance": "trellis",
            "regarding": {
                "apiVersion": object.get("apiVersion"),
                "kind": patch.kind.as_str(),
                "namespace": patch.namespace,
                "name": patch.name,
                "uid": meta.uid,
                "resourceVersion": meta.resource_version,
            },
        });
        let (cluster, namespace, time) = (patch.cluster.clone(), namespace.to_owned(), time.to_owned());
        ClusterEvent { cluster, namespace, name, object, time }
    };
    patch.news.iter().map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": "m"})
    }

    fn told(old: &[Value], new: &[Value]) -> Vec<(bool, String)> {
        let parents = |conditions: &[Value]| json!([{"parentRef": {"name": "g"}, "conditions": conditions}]);
        let changed = Map::from_iter([("parents".to_owned(), parents(new))]);
        of(&json!({"parents": parents(old)}), &changed)
            .into_iter()
            .map(|one| (one.is_warning, one.note))
            .collect()
    }

    #[test]
    fn a_change_of_status_or_reason_is_news_and_a_message_is_not() {
        let done = [condition("Programmed", "True", "Programmed")];
        let waits = [condition("Programmed", "False", "Pending")];
        let invalid = [condition("Programmed", "False", "Invalid")];
        let conflict = [condition("Programmed", "False", "Conflicted")];
        assert_eq!(told(&[], &waits), [], "it waits");
        assert_eq!(told(&waits, &done), [(false, "Programmed is True at g: m".to_owned())]);
        assert_eq!(told(&done, &invalid).len(), 1);
        assert_eq!(told(&invalid, &conflict), [(true, "Programmed is False at g: m".to_owned())]);
        let mut other = invalid.clone();
        other[0]["message"] = json!("another");
        assert_eq!(told(&invalid, &other), []);
        let [done] = done;
        let both = [condition("Accepted", "True", "Accepted"), done];
        assert_eq!(told(&[], &both).len(), 1, "once for a new object");
        let partial = [condition("PartiallyInvalid", "True", "UnsupportedValue")];
        assert_eq!(told(&[], &partial), [(true, "PartiallyInvalid is True at g: m".to_owned())]);
        assert_eq!(told(&partial, &[]), []);
    }

    #[test]
    fn an_event_of_an_object_with_a_long_name_has_a_name_that_kubernetes_takes() {
        let news = News { is_warning: true, reason: "Invalid".into(), note: "m".into() };
        for name in [
            "a".repeat(253),
            format!("{}-{}", "a".repeat(229), "b".repeat(23)),
            format!("{}.b", "a".repeat(229)),
        ] {
            let patch = StatusPatch {
                cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
                kind: trellis_hint::Kind::HTTPRoute,
                namespace: "default".into(),
                name,
                resource_version: "1".into(),
                status: Value::Null,
                summary: String::new(),
                news: vec![news.clone()],
                notify: vec![],
            };
            let told =
                cluster_events(&patch, &json!({"metadata": {"uid": "u"}}), "2026-02-03T04:05:06.000000Z");
            let name = &told[0].name;
            let is_label =
                |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
            assert!(name.len() <= 253 && name.split('.').all(is_label), "{name}");
        }
    }

    #[test]
    fn a_note_has_1024_bytes_at_most_whatever_its_characters() {
        for message in ["ä".repeat(2_000), "a".repeat(2_000), "€".repeat(700)] {
            let mut long = condition("Accepted", "False", "Invalid");
            long["message"] = json!(message);
            let (_, note) = told(&[], &[long]).remove(0);
            assert!(note.len() <= NOTE_BYTES_MAX && note.len() > NOTE_BYTES_MAX - 4);
        }
    }
}
