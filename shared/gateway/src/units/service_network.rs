//! ServiceNetwork objects: the service network of their name is wanted, with a Gateway or without.
//!
//! | the object | the network | what is told |
//! |---|---|---|
//! | stands | wanted, with its tags before a Gateway's | Accepted, Programmed, ARN and id, and which Gateways use it |
//! | has a name that no network can have, or an id's form, by which none is made | not wanted by it | Accepted is False |
//! | is being deleted, and finalizers of others hold it | not wanted by it | Programmed is False/DeleteBlocked and names Gateways and finalizers |
//! | is gone | stays as long as a Gateway or an object of any cluster wants it | `kubectl delete` has told which Gateways do |
//! | cannot be read, or its kind is served no more where it was asked for | stays as it is | what is not known |
//! | bears the AWS Gateway API Controller's finalizer | as the rows above | nothing: its status is that controller's |
//!
//! The network bears a mark for each cluster whose object asks for it, as a VPC association does for its Gateways.

use crate::annotations;
use crate::api;
use crate::naming;
use crate::problem::{Problem, message, quoted};
use crate::report::{Condition, NetworkReport};
use crate::units::subject;
use crate::view::{Found, View};
use crate::{conditions, reasons};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::{ClusterId, Kind};
use trellis_lattice::{ActualNetwork, Tags};

/// What the AWS Gateway API Controller holds its objects with.
const CONTROLLERS_FINALIZER: &str = "servicenetwork.k8s.aws/resources";

/// Whether a cluster asks for a network by a ServiceNetwork object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// It does, with these tags of the user's.
    Yes(Tags),
    /// It has no such object, or one that is on its way out.
    No,
    /// Nobody knows.
    Unknown,
}

/// What is read of a cluster's object, and what is to be told of it.
pub(super) struct Object {
    pub(super) asked: Asked,
    pub(super) report: Option<NetworkReport>,
    /// What is not known.
    pub(super) unknown: Option<String>,
}

/// Whether a cluster asks for the network. `held` is the network as it is, if it is ours.
pub(super) fn object(
    view: &View,
    cluster: &ClusterId,
    name: &str,
    held: Option<&ActualNetwork>,
    name_problem: Option<Problem>,
) -> Object {
    let object = match view.get_even_terminating(cluster, Kind::ServiceNetwork, "", name) {
        Found::Unknown(why) => return Object { asked: Asked::Unknown, report: None, unknown: Some(why) },
        Found::Missing => return absent(view, cluster, held),
        Found::Object(object) => object,
    };
    let meta = api::meta(object);
    let finalizers = finalizers(object);
    let is_leaving = api::is_terminating(object);
    let is_good = name_problem.is_none();
    let accepted = name_problem.map_or_else(
        || {
            let notes = message(&annotations::problems(Kind::ServiceNetwork, &meta));
            let told = ["ServiceNetwork is accepted", &notes];
            let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
            Condition::yes(conditions::ACCEPTED, reasons::ACCEPTED, told.join(". "))
        },
        |problem| Condition::no_for(conditions::ACCEPTED, reasons::INVALID, vec![problem]),
    );
    let report = NetworkReport {
        subject: subject(cluster, Kind::ServiceNetwork, object),
        accepted,
        holding: is_leaving.then(|| finalizers.clone()),
        gateways: BTreeSet::new(),
        known: BTreeSet::new(),
        is_of_others: false,
    };
    let is_controllers = finalizers.iter().any(|one| one == CONTROLLERS_FINALIZER);
    let asked = if is_good && !is_leaving { Asked::Yes(naming::user_tags(&meta).0) } else { Asked::No };
    Object { asked, report: (!is_controllers).then_some(report), unknown: None }
}

/// A cluster that serves the kind no more has no such object either; nobody has deleted it for the network's sake.
fn absent(view: &View, cluster: &ClusterId, held: Option<&ActualNetwork>) -> Object {
    let has_asked = held.is_some_and(|held| naming::wanting(&held.tags).any(|(_, one)| one == *cluster));
    if !has_asked || !view.is_kind_missing(cluster, Kind::ServiceNetwork) || view.snapshot.is_leaving(cluster)
    {
        return Object { asked: Asked::No, report: None, unknown: None };
    }
    let why = format!(
        "Cluster {} has asked for the service network by a ServiceNetwork and does not serve that kind any more",
        cluster.name
    );
    Object { asked: Asked::Unknown, report: None, unknown: Some(why) }
}

fn finalizers(object: &Value) -> Vec<String> {
    let all = object.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether somebody may ask for the network of whom nothing is known.
pub(super) fn may_be_asked_for(held: &ActualNetwork, asked: &BTreeMap<ClusterId, Asked>) -> bool {
    asked.values().any(|one| *one == Asked::Unknown) || was_asked_for_by_an_unknown(held, asked)
}

/// Whether nothing is known of a cluster that has asked for the network: its tags may be from there.
pub(super) fn was_asked_for_by_an_unknown(held: &ActualNetwork, asked: &BTreeMap<ClusterId, Asked>) -> bool {
    let is_unknown = |cluster: &ClusterId| matches!(asked.get(cluster), None | Some(Asked::Unknown));
    naming::wanting(&held.tags).any(|(_, cluster)| is_unknown(&cluster))
}

/// What is not known of those who have asked for the network.
pub(super) fn unknown_askers<'a>(
    view: &'a View,
    held: Option<&'a ActualNetwork>,
    asked: &'a BTreeMap<ClusterId, Asked>,
) -> impl Iterator<Item = String> + 'a {
    let marked = held.into_iter().flat_map(|held| naming::wanting(&held.tags));
    let strangers = marked.filter(|(_, cluster)| !asked.contains_key(cluster));
    strangers.filter_map(|(_, cluster)| view.snapshot.unknown(&cluster))
}

/// Sets the marks of those who ask, and takes the value from those who are known to ask no more.
pub(super) fn mark(tags: &mut Tags, held: Option<&ActualNetwork>, asked: &BTreeMap<ClusterId, Asked>) {
    let held: Tags = held.map(|held| held.tags.clone()).unwrap_or_default();
    for (mark, cluster) in naming::wanting(&held) {
        let is_given_up = asked.get(&cluster) == Some(&Asked::No);
        tags.insert(mark, if is_given_up { String::new() } else { cluster.to_string() });
    }
    for (cluster, _) in asked.iter().filter(|(_, asked)| matches!(asked, Asked::Yes(_))) {
        naming::mark(tags, Some(&held), cluster);
    }
}

/// What whoever deletes a ServiceNetwork is to be told: the Gateways that its status names keep the network.
pub(crate) fn deletion_warning(object: &Value) -> Option<String> {
    let gateways = object.pointer("/status/gateways").and_then(Value::as_array)?;
    let gateways: Vec<&str> = gateways.iter().filter_map(Value::as_str).collect();
    (!gateways.is_empty()).then(|| {
        format!(
            "The service network {} stays as long as a Gateway uses it, and goes with the last one: {}",
            quoted(&api::meta(object).name),
            gateways.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use trellis_lattice::{Ownership, TAG_WANTED_BY};

    fn cluster(name: &str) -> ClusterId {
        format!("arn:aws:eks:us-west-2:123456789012:cluster/{name}").parse().unwrap()
    }

    #[test]
    fn who_deletes_one_that_gateways_use_is_told_which() {
        let used = json!({"metadata": {"name": "my-hotel"}, "status": {"gateways": ["one/default/my-hotel", "two/a/my-hotel"]}});
        assert_eq!(
            deletion_warning(&used).unwrap(),
            "The service network \"my-hotel\" stays as long as a Gateway uses it, and goes with the last one: \
             one/default/my-hotel, two/a/my-hotel"
        );
        for unused in [json!({}), json!({"status": {"gateways": []}}), json!({"status": {"gateways": 7}})] {
            assert_eq!(deletion_warning(&unused), None, "{unused}");
        }
    }

    /// A call with more tags than a resource bears would fail, and with it everything that the unit wants.
    #[test]
    fn marks_leave_room_for_other_tags_however_many_clusters_ask() {
        let asking = |count: usize| -> BTreeMap<ClusterId, Asked> {
            (0..count).map(|n| (cluster(&format!("c{n}")), Asked::Yes(Tags::new()))).collect()
        };
        let held = |tags: &Tags| ActualNetwork {
            id: String::new(),
            arn: String::new(),
            name: String::new(),
            ownership: Ownership::Ours,
            tags: tags.clone(),
        };
        let mut first = Tags::new();
        mark(&mut first, None, &asking(100));
        assert_eq!(first.len(), naming::TAGS_WITH_MARKS_MAX);
        let (before, mut then) = (held(&first), Tags::new());
        mark(&mut then, Some(&before), &asking(200));
        assert_eq!(then, first);
        let gone = (0..100).map(|n| (cluster(&format!("c{n}")), Asked::No)).collect();
        mark(&mut then, Some(&before), &gone);
        assert!(then.iter().all(|(key, value)| key.starts_with(TAG_WANTED_BY) && value.is_empty()));
    }
}
