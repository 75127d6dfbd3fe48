//! What routes that share a Lattice service tell each other: a condition on the leader's entries names the followers
//! whose rules the service has, and one on a follower's names the leader.

use super::told::{conditions_of, dns_names};
use crate::report::{Condition, RouteReport, Serving};
use crate::snapshot::{ObjectKey, Snapshot};
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::BTreeSet;
use trellis_hint::{ClusterId, Kind, UnitKey};

/// Characters between a service's name and the next dot in its domain name: a service id without `svc-`.
const ID_CHARS: usize = 17;

/// The condition for a report; none where nothing is shared.
pub(super) fn condition(report: &RouteReport) -> Option<Condition> {
    let sentences: Vec<String> = report
        .services
        .iter()
        .filter_map(|serving| {
            let hostname = serving.hostname.as_deref().unwrap_or_default();
            match &serving.leader {
                Some(leader) => {
                    Some(format!("The service of {} serves {hostname} for this route too.", named(leader)))
                }
                None if serving.followers.is_empty() => None,
                None => {
                    let followers: Vec<String> = serving
                        .followers
                        .iter()
                        .map(|(follower, generation)| listed(follower, *generation))
                        .collect();
                    Some(format!(
                        "The service for {hostname} also has the rules of {}.",
                        followers.join(", ")
                    ))
                }
            }
        })
        .collect();
    (!sentences.is_empty())
        .then(|| Condition::yes(conditions::SHARED_SERVICE, reasons::SAME_HOSTNAME, sentences.join(" ")))
}

/// The routes that a route's status names as sharing a service with it.
pub(crate) fn mentioned(cluster: &ClusterId, route: &Value) -> BTreeSet<UnitKey> {
    let conditions = conditions_of(route)
        .filter(|one| one.get("type").and_then(Value::as_str) == Some(conditions::SHARED_SERVICE));
    let messages = conditions.filter_map(|one| one.get("message").and_then(Value::as_str));
    messages.flat_map(|message| units_in(cluster, message)).collect()
}

/// The units of routes that a message names as `<kind> <namespace>/<name>`.
fn units_in(cluster: &ClusterId, message: &str) -> Vec<UnitKey> {
    let words: Vec<&str> = message.split_whitespace().collect();
    let pairs = words.windows(2).filter_map(|pair| {
        let kind = Kind::parse(pair[0]).filter(|kind| kind.is_route())?;
        let (namespace, name) = pair[1].trim_end_matches([',', '.']).split_once('/')?;
        Some(UnitKey::Route {
            kind,
            cluster: cluster.clone(),
            namespace: namespace.into(),
            name: name.into(),
        })
    });
    pairs.collect()
}

/// How the service of a leader stands, as the leader's status tells.
pub(super) struct Leader<'a> {
    object: Option<&'a Value>,
    pub(super) key: &'a ObjectKey,
}

impl<'a> Leader<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, cluster: &ClusterId, serving: &'a Serving) -> Option<Self> {
        let key = serving.leader.as_ref()?;
        Some(Self { object: snapshot.get(cluster, key.kind, &key.namespace, &key.name), key })
    }

    /// The domain name of one of its services.
    pub(super) fn dns_name(&self, service: &str) -> Option<String> {
        dns_names(self.object?).into_iter().find(|name| {
            let rest = name.strip_prefix(service).and_then(|rest| rest.strip_prefix('-'));
            rest.and_then(|rest| rest.split('.').next()).is_some_and(|id| id.len() == ID_CHARS)
        })
    }

    /// Whether its service has the rules of that generation of a follower.
    pub(super) fn lists(&self, follower: &ObjectKey, generation: i64) -> bool {
        let text = listed(follower, generation);
        self.conditions(conditions::SHARED_SERVICE).any(|one| {
            one.get("message").and_then(Value::as_str).is_some_and(|message| message.contains(&text))
        })
    }

    /// Whether it is programmed.
    pub(super) fn is_programmed(&self) -> bool {
        self.conditions(conditions::PROGRAMMED)
            .any(|one| one.get("status").and_then(Value::as_str) == Some("True"))
    }

    pub(super) fn unit(&self, cluster: &ClusterId) -> UnitKey {
        let ObjectKey { kind, namespace, name } = self.key.clone();
        UnitKey::Route { kind, cluster: cluster.clone(), namespace, name }
    }

    fn conditions(&self, kind: &'static str) -> impl Iterator<Item = &'a Value> {
        let all = self.object.into_iter().flat_map(conditions_of);
        all.filter(move |one| one.get("type").and_then(Value::as_str) == Some(kind))
    }
}

pub(super) fn named(key: &ObjectKey) -> String {
    format!("{} {}/{}", key.kind, key.namespace, key.name)
}

fn listed(key: &ObjectKey, generation: i64) -> String {
    format!("{} (generation {generation})", named(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::CONTROLLER;
    use crate::report::Subject;
    use crate::status::merge::MESSAGE_CHARS_MAX;
    use serde_json::json;

    fn one() -> ClusterId {
        "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey { kind: Kind::HTTPRoute, namespace: "shop".into(), name: name.into() }
    }

    fn report(serving: Serving) -> RouteReport {
        let subject = Subject { cluster: one(), object: key("own"), generation: 1 };
        RouteReport { subject, parents: vec![], services: vec![serving] }
    }

    fn serving(leader: Option<ObjectKey>, followers: Vec<(ObjectKey, i64)>) -> Serving {
        Serving { service: "s".into(), hostname: Some("a.example".into()), leader, followers }
    }

    fn route_with(message: &str) -> Value {
        json!({"status": {"parents": [{"controllerName": CONTROLLER, "conditions": [{"type": "application-networking.k8s.aws/SharedService", "message": message}]}]}})
    }

    fn names(units: &BTreeSet<UnitKey>) -> Vec<&str> {
        units
            .iter()
            .filter_map(|unit| match unit {
                UnitKey::Route { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Routes of one hostname read each other's sentences, perhaps those of an older version: rewording one is a change of
    /// protocol.
    #[test]
    fn the_sentences_of_a_leader_and_its_followers_are_a_wire_format() {
        let lead = condition(&report(serving(None, vec![(key("b"), 3), (key("c"), 12)]))).unwrap();
        assert_eq!(
            (lead.kind, lead.status, lead.reason),
            ("application-networking.k8s.aws/SharedService", "True", "SameHostname")
        );
        assert_eq!(
            lead.message,
            "The service for a.example also has the rules of HTTPRoute shop/b (generation 3), HTTPRoute shop/c \
             (generation 12)."
        );
        let followed = condition(&report(serving(Some(key("lead")), vec![]))).unwrap();
        assert_eq!(
            followed.message,
            "The service of HTTPRoute shop/lead serves a.example for this route too."
        );
        assert_eq!(names(&mentioned(&one(), &route_with(&lead.message))), ["b", "c"]);
        assert_eq!(names(&mentioned(&one(), &route_with(&followed.message))), ["lead"]);

        let (object, leader_key) = (route_with(&lead.message), key("lead"));
        let leader = Leader { object: Some(&object), key: &leader_key };
        assert!(leader.lists(&key("b"), 3) && leader.lists(&key("c"), 12));
        assert!(!leader.lists(&key("b"), 4) && !leader.lists(&key("c"), 1) && !leader.lists(&key("d"), 3));
    }

    /// A message that is cut would leave the last followers waiting for ever. The quota of rules in a listener, 10 by
    /// default, lets fewer routes share one.
    #[test]
    fn a_leaders_message_holds_ninety_followers_of_the_longest_names() {
        let longest = ObjectKey { namespace: "n".repeat(63), name: "r".repeat(253), ..key("") };
        let all = condition(&report(serving(None, vec![(longest, 1_000_000); 90]))).unwrap();
        assert!(all.message.chars().count() <= MESSAGE_CHARS_MAX, "{}", all.message.len());
    }
}
