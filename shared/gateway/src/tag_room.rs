//! Which of a user's tags a resource has room for. It bears 50, whosever they are; a call with more of them fails, and with it everything
//! that the unit wants.
//!
//! | tag | where there is no room for all |
//! |---|---|
//! | of ours, or of somebody else | stays |
//! | a user's, and there already | stays as long as the others leave room |
//! | a user's, and new | comes in the order of keys, as long as there is room besides for what we may have to set later |
//!
//! What is left out is told by the object whose unit it is.

use crate::Translation;
use crate::naming::{OWN_TAGS_MAX, TAGS_MAX, is_mark, is_user_tag, mark_user_tags};
use crate::problem::quoted;
use crate::report::{Condition, Report};
use std::collections::BTreeSet;
use trellis_hint::Kind;
use trellis_lattice::{Actual, Ownership, TAG_PREFIX, TAG_SECRET, Tags, log_type};

/// Keys that a message names; the rest is counted.
const KEYS_SHOWN_MAX: usize = 5;

/// Leaves out the tags that there is no room for, and tells of them.
pub(crate) fn fit(translation: &mut Translation, actual: &Actual) {
    let Some(desired) = translation.desired.as_mut() else { return };
    let mut left = BTreeSet::new();
    for (wished, held) in wishes(desired, actual) {
        left.extend(fit_one(wished, held));
    }
    if left.is_empty() {
        return;
    }
    let shown: Vec<String> = left.iter().take(KEYS_SHOWN_MAX).map(|key| quoted(key)).collect();
    let more = match left.len().saturating_sub(KEYS_SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "The tags {}{more} are left out where a resource bears so many others that it has no room for them, since it can bear \
         {TAGS_MAX}; ask for fewer, or take away those that nobody needs.",
        shown.join(", ")
    );
    for report in &mut translation.reports {
        tell(report, &text);
    }
}

/// What is wished for, each with the tags that it has now.
fn wishes<'d>(
    desired: &'d mut trellis_lattice::Desired,
    actual: &'d Actual,
) -> impl Iterator<Item = (&'d mut Tags, Option<&'d Tags>)> {
    const OURS: Ownership = Ownership::Ours;
    let networks = desired.network.iter_mut().map(|wished| {
        let mut named = actual.networks.iter().filter(|one| one.name == wished.name);
        (&mut wished.tags, named.find(|one| one.ownership == OURS).map(|one| &one.tags))
    });
    let associations = desired.vpc_associations.iter_mut().map(|wished| {
        let mut same = actual.vpc_associations.iter().filter(|one| one.ownership == OURS);
        let held = same.find(|one| one.vpc == wished.vpc && one.network == wished.network);
        (&mut wished.tags, held.map(|one| &one.tags))
    });
    let endpoints = desired.vpc_endpoints.iter_mut().map(|wished| {
        let held = trellis_lattice::counting_endpoint(&actual.vpc_endpoints, &wished.network, &wished.vpc);
        (&mut wished.tags, held.map(|one| &one.tags))
    });
    let services = desired.services.iter_mut().map(|wished| {
        let mut named = actual.services.iter().filter(|one| one.name == wished.name);
        (&mut wished.tags, named.find(|one| one.ownership == OURS).map(|one| &one.tags))
    });
    let groups = desired.target_groups.iter_mut().map(|wished| {
        let mut named = actual.target_groups.iter().filter(|one| one.name == wished.name);
        (&mut wished.tags, named.find(|one| one.ownership == OURS).map(|one| &one.tags))
    });
    let logs = desired.access_logs.iter_mut().map(|wished| {
        let mut of_holder = actual.access_logs.iter().filter(|one| one.holder == wished.holder);
        let kind = log_type(&wished.destination);
        (&mut wished.tags, of_holder.find(|one| log_type(&one.destination) == kind).map(|one| &one.tags))
    });
    let certificates = desired.certificates.iter_mut().flatten().map(|wished| {
        let mut ours = actual.certificates.iter().filter(|one| one.ownership == OURS);
        let held = ours.find(|one| one.tags.get(TAG_SECRET) == Some(&wished.secret));
        (&mut wished.tags, held.map(|one| &one.tags))
    });
    let of_gateways = networks.chain(associations).chain(endpoints).chain(certificates);
    of_gateways.chain(services).chain(groups).chain(logs)
}

/// Leaves out what one resource has no room for; the keys of that.
fn fit_one(wished: &mut Tags, held: Option<&Tags>) -> BTreeSet<String> {
    let none = Tags::new();
    let held = held.unwrap_or(&none);
    let users: BTreeSet<String> = wished.keys().filter(|key| is_user_tag(key, wished)).cloned().collect();
    let is_users = |key: &&String| users.contains(*key) || is_user_tag(key, held);
    let others: BTreeSet<&String> = wished.keys().chain(held.keys()).filter(|key| !is_users(key)).collect();
    let is_own =
        |key: &&&String| (key.starts_with("trellis:") || key.starts_with(TAG_PREFIX)) && !is_mark(key);
    let to_come = OWN_TAGS_MAX.saturating_sub(others.iter().filter(is_own).count());
    let (staying, coming): (Vec<&String>, Vec<&String>) =
        users.iter().partition(|key| held.contains_key(*key));
    let most = staying.iter().map(|_| TAGS_MAX).chain(coming.iter().map(|_| TAGS_MAX - to_come));
    let most: Vec<usize> = most.collect();
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for (key, most) in staying.into_iter().chain(coming).zip(most) {
        if others.len() + kept.len() < most {
            kept.insert(key.clone());
        }
    }
    let left: BTreeSet<String> = users.difference(&kept).cloned().collect();
    if !left.is_empty() {
        wished.retain(|key, _| !left.contains(key));
        mark_user_tags(wished, &kept);
    }
    left
}

/// Adds a sentence to what an object is told of its tags.
fn tell(report: &mut Report, text: &str) {
    let add = |condition: &mut Condition| {
        if condition.is_true() {
            let between = if condition.message.is_empty() { "" } else { " " };
            condition.message = format!("{}{between}{text}", condition.message);
        }
    };
    match report {
        Report::Gateway(report) => add(&mut report.accepted),
        Report::Network(report) => add(&mut report.accepted),
        Report::Export(report) => add(&mut report.valid),
        Report::Route(report) => {
            for parent in &mut report.parents {
                let between = if parent.notes.is_empty() { "" } else { " " };
                parent.notes = format!("{}{between}{text}", parent.notes);
            }
        }
        Report::Policy(report) if bears_tags(report.subject.object.kind) => {
            for entry in &mut report.entries {
                add(&mut entry.accepted);
            }
        }
        Report::Policy(_)
        | Report::Class(_)
        | Report::Import(_)
        | Report::Backend(_)
        | Report::Pod(_)
        | Report::ResourceGateway(_)
        | Report::Resource(_) => {}
    }
}

/// Whether what a kind of policy makes has tags that it asks for.
fn bears_tags(policy: Kind) -> bool {
    matches!(policy, Kind::AccessLogPolicy | Kind::VpcAssociationPolicy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming;
    use trellis_lattice::TAG_USER;

    fn numbered(prefix: &str, count: usize) -> Tags {
        (0..count).map(|n| (format!("{prefix}{n:02}"), "x".to_owned())).collect()
    }

    fn asking(own: &Tags, user: &Tags) -> Tags {
        naming::tags(own.clone(), user)
    }

    #[test]
    fn a_users_tags_stay_whole_where_there_is_room() {
        let mut wished = asking(&numbered("trellis:", 8), &numbered("team", 34));
        let before = wished.clone();
        assert!(fit_one(&mut wished, None).is_empty());
        assert_eq!(wished, before);
        assert!(fit_one(&mut wished, Some(&before)).is_empty());
        assert_eq!(wished, before);
    }

    #[test]
    fn where_others_have_set_tags_the_last_of_a_users_are_left_out_and_the_mark_tells_of_the_rest() {
        let mut wished = asking(&numbered("trellis:", 8), &numbered("team", 34));
        let held: Tags = numbered("trellis:", 8).into_iter().chain(numbered("cost", 20)).collect();
        let left = fit_one(&mut wished, Some(&held));
        assert_eq!(left.len(), 20);
        assert!(left.contains("team33") && !left.contains("team13"));
        let all: BTreeSet<&String> = wished.keys().chain(held.keys()).collect();
        assert_eq!(all.len(), TAGS_MAX - (OWN_TAGS_MAX - 9));
        assert!(is_user_tag("team13", &wished) && !is_user_tag("team33", &wished));
    }

    /// A tool that adds tags takes a user's away only where there is no room for both.
    #[test]
    fn what_is_there_stays_while_there_is_room() {
        let first = asking(&numbered("trellis:", 8), &numbered("team", 34));
        let held = |count: usize| first.clone().into_iter().chain(numbered("cost", count)).collect::<Tags>();
        let mut wished = first.clone();
        assert!(fit_one(&mut wished, Some(&held(7))).is_empty());
        let mut wished: Tags = first.clone().into_iter().chain(numbered("trellis:new", 3)).collect();
        let left = fit_one(&mut wished, Some(&held(7)));
        assert_eq!(left, ["team31", "team32", "team33"].map(str::to_owned).into());
    }

    #[test]
    fn what_is_left_out_is_told_by_the_object_whose_resource_it_is() {
        use trellis_lattice::{ActualNetwork, Desired, DesiredNetwork, Owner};
        let owner = Owner { installation: "t".into(), unit: "u".into(), key: "k".into() };
        let own = owner.tags();
        let strangers: Tags = own.clone().into_iter().chain(numbered("cost", 45)).collect();
        let (name, ownership) = ("hotel".to_owned(), Ownership::Ours);
        let held = ActualNetwork {
            id: String::new(),
            arn: String::new(),
            name: name.clone(),
            ownership,
            tags: strangers,
        };
        let actual = Actual { networks: vec![held], ..Actual::default() };
        let network = DesiredNetwork { name, tags: asking(&own, &numbered("team", 2)) };
        let desired = Desired { network: Some(network), ..Desired::nothing(owner) };
        let subject = crate::report::Subject {
            cluster: "arn:aws:eks:us-west-2:123456789012:cluster/one".parse().unwrap(),
            object: crate::ObjectKey {
                kind: Kind::ServiceNetwork,
                namespace: String::new(),
                name: "hotel".into(),
            },
            generation: 1,
        };
        let report = Report::Network(crate::report::NetworkReport {
            subject,
            accepted: Condition::yes("Accepted", "Accepted", "Good"),
            holding: None,
            gateways: BTreeSet::new(),
            known: BTreeSet::new(),
            is_of_others: false,
        });
        let mut translation = Translation::wanting(desired, vec![report]);
        fit(&mut translation, &actual);
        let Report::Network(report) = &translation.reports[0] else { unreachable!() };
        let begins =
            "Good The tags \"team00\", \"team01\" are left out where a resource bears so many others";
        assert!(report.accepted.message.starts_with(begins), "{}", report.accepted.message);
        let network = translation.desired.unwrap().network.unwrap();
        assert_eq!(network.tags, own, "no call sets more than the resource bears");
    }

    #[test]
    fn clusters_marks_come_before_a_users_tags() {
        let mut wished = asking(&numbered("trellis:", 5), &numbered("team", 34));
        for n in 0..60 {
            let cluster = format!("arn:aws:eks:us-west-2:123456789012:cluster/c{n}").parse().unwrap();
            naming::mark(&mut wished, None, &cluster);
        }
        let left = fit_one(&mut wished, None);
        assert_eq!(wished.keys().filter(|key| is_mark(key)).count(), 38);
        assert_eq!(left.len(), 34, "all of the user's, so that there is room for what comes later");
        assert!(wished.len() <= TAGS_MAX && !wished.contains_key(TAG_USER));
    }
}
