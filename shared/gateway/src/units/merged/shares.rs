//! From the rules of one route in several clusters to one list: equal matches lead to the endpoints of all of them.

use crate::priority::{Candidate, Origin};
use crate::route::RouteId;
use crate::units::contest::{Port, ServiceDraft};
use crate::units::kept::{self, Kept, KeptPort};
use crate::view::View;
use crate::weights::weights;
use crate::{Settings, naming};
use std::collections::{BTreeMap, BTreeSet};
use trellis_hint::ClusterId;
use trellis_lattice::{
    Action, DesiredTargetGroup, Ownership, PathMatch, RuleMatch, TARGET_GROUP_ID, WeightedTargetGroup,
};

/// What a cluster's shares of a rule sum up to before they become weights of VPC Lattice.
const WHOLE: u64 = 1_000_000;

/// What a port has of clusters whose share stays; the targets follow the Pods, as far as these are known. A target group that
/// the unit did not make tells of no cluster: one that nobody whose rules are known (`led_to`) leads to is theirs.
pub(crate) fn kept_shares(
    view: &View,
    draft: &ServiceDraft,
    (number, port): (u16, &Port),
    (stays, from): (&BTreeSet<ClusterId>, usize),
    (id, settings): (&RouteId, &Settings),
    led_to: &BTreeSet<String>,
    groups: &mut BTreeMap<String, DesiredTargetGroup>,
) -> KeptPort {
    let held = kept::service_of(view.actual, draft);
    let listeners = held.into_iter().flat_map(|service| &service.listeners);
    let listeners = listeners.filter(|one| one.port == number && one.protocol == port.protocol);
    // The default action may stand for the rule that takes everything.
    let everything = RuleMatch { path: Some(PathMatch::Prefix("/".into())), ..RuleMatch::default() };
    let rules = listeners.flat_map(|listener| {
        let ours = listener.rules.iter().filter(|rule| rule.ownership == Ownership::Ours);
        ours.map(|rule| (&rule.matches, &rule.action)).chain([(&everything, &listener.default_action)])
    });
    let mut kept = KeptPort::default();
    for (at, (matches, action)) in rules.enumerate() {
        let Action::Forward(forward) = action else { continue };
        for (number, cluster) in stays.iter().enumerate() {
            let is_theirs = |share: &&WeightedTargetGroup| {
                let group = view.actual.target_groups.iter().find(|group| group.name == share.target_group);
                group.is_some_and(|group| {
                    group.ownership == Ownership::Ours
                        && group.tags.get(&naming::tag_key("ClusterName")) == Some(&cluster.name)
                }) || number == 0
                    && share.target_group.starts_with(TARGET_GROUP_ID)
                    && !led_to.contains(&share.target_group)
            };
            let theirs: Vec<WeightedTargetGroup> = forward.iter().filter(is_theirs).cloned().collect();
            if theirs.is_empty() {
                continue;
            }
            let held = view
                .actual
                .target_groups
                .iter()
                .filter(|group| theirs.iter().any(|one| one.target_group == group.name));
            for group in held {
                let route = RouteId { cluster: cluster.clone(), ..id.clone() };
                let one = Kept { group: group.clone(), route };
                let followed = kept::followed(view, &one, settings);
                groups.extend(followed.map(|group| (group.name.clone(), group)));
                kept.groups.push(one);
            }
            kept.candidates.push(Candidate {
                contributor: from + number,
                specificity: kept::specificity(matches),
                origin: Origin { rule: at, matched: 0, alternative: 0 },
                priority: None,
                matches: matches.clone(),
                action: Action::Forward(theirs),
            });
        }
    }
    kept
}

/// Candidates of several clusters with equal matches as one each: it leads to all of them.
pub(crate) fn merge(
    mut candidates: Vec<Candidate>,
    groups: &BTreeMap<String, DesiredTargetGroup>,
) -> Vec<Candidate> {
    candidates.sort_by_key(|one| (one.contributor, std::cmp::Reverse(one.specificity), one.origin));
    let mut merged: Vec<(RuleMatch, Vec<Candidate>)> = vec![];
    for one in candidates {
        let matches = one.matches.normalised();
        match merged.iter_mut().find(|(known, _)| *known == matches) {
            // Of equal matches of one route the first by precedence stands.
            Some((_, all)) if all.iter().any(|other| other.contributor == one.contributor) => {}
            Some((_, all)) => all.push(one),
            None => merged.push((matches, vec![one])),
        }
    }
    let joined = merged.into_iter().filter_map(|(_, all)| {
        let action = shared(&all.iter().map(|one| &one.action).collect::<Vec<_>>(), groups)?;
        all.into_iter().next().map(|first| Candidate { action, ..first })
    });
    joined.collect()
}

/// One action for what several clusters ask for: each has the same share. Who leads nowhere, or to no endpoint while another one
/// has some, has none.
fn shared(actions: &[&Action], groups: &BTreeMap<String, DesiredTargetGroup>) -> Option<Action> {
    let forwards = actions.iter().filter_map(|action| match action {
        Action::Forward(forward) => Some(forward),
        Action::FixedResponse(_) => None,
    });
    let has_targets = |forward: &&Vec<WeightedTargetGroup>| {
        forward.iter().any(|one| groups.get(&one.target_group).is_none_or(|group| !group.targets.is_empty()))
    };
    let busy: Vec<&Vec<WeightedTargetGroup>> = forwards.clone().filter(has_targets).collect();
    let busy = if busy.is_empty() { forwards.collect() } else { busy };
    let scaled = busy.iter().flat_map(|forward| {
        let sum: u64 = forward.iter().map(|one| u64::from(one.weight)).sum();
        forward.iter().map(move |one| {
            let share = (u64::from(one.weight) * WHOLE / sum.max(1)).max(1);
            (u32::try_from(share).unwrap_or(u32::MAX), vec![one.target_group.as_str()])
        })
    });
    let scaled: Vec<(u32, Vec<&str>)> = scaled.collect();
    match busy.as_slice() {
        [] => actions.first().map(|action| (*action).clone()),
        [only] => Some(Action::Forward((*only).clone())),
        _ => Some(Action::Forward(
            weights(&scaled)
                .into_iter()
                .map(|(group, weight)| WeightedTargetGroup { target_group: group.to_owned(), weight })
                .collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use trellis_lattice::{HealthCheck, IpConfig, IpFamily, Tags, Target, TargetGroupConfig, TargetProtocol};

    fn group(name: &str, has_targets: bool) -> (String, DesiredTargetGroup) {
        let config = IpConfig {
            port: 80,
            protocol: TargetProtocol::Http,
            protocol_version: None,
            ip_family: IpFamily::Ipv4,
            vpc: "vpc-1".into(),
        };
        let target = Target::at("10.0.0.1", 80);
        let group = DesiredTargetGroup {
            name: name.to_owned(),
            health_check: Some(HealthCheck::default_for(config.protocol, config.protocol_version)),
            config: TargetGroupConfig::Ip(config),
            targets: has_targets.then_some(target).into_iter().collect(),
            tags: Tags::new(),
        };
        (name.to_owned(), group)
    }

    /// What clusters `0`, `1`, … ask for: the weights of their groups `0.0`, `0.1`, …
    fn forwards(clusters: &[Vec<u16>]) -> Vec<Action> {
        let forward = |(cluster, weights): (usize, &Vec<u16>)| {
            let groups = weights.iter().enumerate().map(|(at, weight)| WeightedTargetGroup {
                target_group: format!("{cluster}.{at}"),
                weight: *weight,
            });
            Action::Forward(groups.collect())
        };
        clusters.iter().enumerate().map(forward).collect()
    }

    fn shared_weights(
        actions: &[Action],
        groups: &BTreeMap<String, DesiredTargetGroup>,
    ) -> BTreeMap<String, u16> {
        let actions: Vec<&Action> = actions.iter().collect();
        match shared(&actions, groups) {
            Some(Action::Forward(all)) => all.into_iter().map(|one| (one.target_group, one.weight)).collect(),
            Some(Action::FixedResponse(_)) | None => BTreeMap::new(),
        }
    }

    #[test]
    fn who_has_no_endpoint_has_no_share_unless_nobody_has_any() {
        let both = forwards(&[vec![1], vec![1]]);
        let names = |one, two| {
            let groups = [group("0.0", one), group("1.0", two)].into_iter().collect();
            shared_weights(&both, &groups).into_keys().collect::<Vec<_>>()
        };
        assert_eq!(names(true, true), ["0.0", "1.0"]);
        assert_eq!(names(true, false), ["0.0"]);
        assert_eq!(names(false, false), ["0.0", "1.0"]);
    }

    #[test]
    fn who_leads_nowhere_leaves_its_share_to_the_others() {
        let actions = [Action::FixedResponse(500), forwards(&[vec![3]]).remove(0)];
        assert_eq!(shared_weights(&actions, &BTreeMap::new()), BTreeMap::from([("0.0".to_owned(), 3)]));
        let nowhere = Action::FixedResponse(500);
        assert_eq!(shared(&[&nowhere, &nowhere], &BTreeMap::new()), Some(Action::FixedResponse(500)));
    }

    proptest! {
        /// Each cluster has as much as the others, divided as its own weights say, as far as whole numbers up to 999 can say
        /// it; and nobody who asks for requests gets none.
        #[test]
        fn each_cluster_has_as_much_as_the_others(
            clusters in prop::collection::vec(prop::collection::vec(1_u16..=999, 1..4), 2..6)
        ) {
            let weights = shared_weights(&forwards(&clusters), &BTreeMap::new());
            let sum: f64 = weights.values().map(|weight| f64::from(*weight)).sum();
            for (cluster, own) in clusters.iter().enumerate() {
                let total: f64 = own.iter().map(|weight| f64::from(*weight)).sum();
                for (at, weight) in own.iter().enumerate() {
                    let got = f64::from(weights[&format!("{cluster}.{at}")]);
                    let count = f64::from(u32::try_from(clusters.len()).unwrap());
                    let wanted = f64::from(*weight) / total / count;
                    prop_assert!(got > 0.0);
                    prop_assert!((got / sum - wanted).abs() < 0.02, "{} of {}, wanted {}", got, sum, wanted);
                }
            }
        }
    }
}
