//! Which tags below a service must be read. A tag costs a call, so those of what stays as it is are not read.

use std::collections::{BTreeMap, BTreeSet};
use trellis_lattice::{
    Actual, ActualListener, ActualRule, ActualService, Desired, DesiredListener, Ownership, Status, Tags,
    is_below_as_wished,
};

/// ARNs of listeners, rules and associations of our services whose owner matters for the plan and is not yet known.
///
/// | resource | its tags are read when |
/// |---|---|
/// | association | its network is not wanted, or it is neither ACTIVE nor being made |
/// | rule | no wanted rule is equal to it in match, action and priority |
/// | listener | it is not wanted, or anything in it differs or is missing |
/// | all below a service | its mark says that they are not as its user asks: they are compared, and set ([`trellis_lattice::TAG_BELOW`]) |
/// | any rule of a listener | some rule there is not ours: all must then be ordered around it; or its service is not wanted yet and all is to be read, since it may stay as it is or go to another unit |
///
/// The answer to the last row can change what it asks for, so callers ask again until nothing is left.
pub(super) fn unread_that_matter(desired: &Desired, actual: &Actual) -> BTreeSet<String> {
    let mut arns = BTreeSet::new();
    arns.extend(unread_below(desired, actual));
    for service in actual.services.iter().filter(|service| service.ownership == Ownership::Ours) {
        let wanted = desired.services.iter().find(|wanted| wanted.name == service.name);
        for association in &service.associations {
            let kept = wanted.is_some_and(|wanted| wanted.networks.contains(&association.network))
                && matches!(association.status, Status::Active | Status::CreateInProgress);
            if !kept && association.ownership == Ownership::Unread {
                arns.insert(association.arn.clone());
            }
        }
        let may_stay = wanted.is_none() && desired.in_full;
        for listener in &service.listeners {
            let wanted = wanted.and_then(|w| w.listeners.iter().find(|w| w.port == listener.port));
            arns.extend(unread_in(listener, wanted));
            let unread = listener.rules.iter().filter(|rule| rule.ownership == Ownership::Unread);
            arns.extend(unread.filter(|_| may_stay).map(|rule| rule.arn.clone()));
        }
    }
    arns
}

/// What is below services and may lack tags that their users ask for, or bear such that they do not ask for any more.
pub(super) fn unread_below(desired: &Desired, actual: &Actual) -> Vec<String> {
    let ours = actual.services.iter().filter(|service| service.ownership == Ownership::Ours);
    let differing = ours.filter(|held| {
        let mut wanted = desired.services.iter().filter(|wanted| wanted.name == held.name);
        wanted.any(|wanted| !is_below_as_wished(&wanted.tags, &held.tags))
    });
    let below = differing.flat_map(ActualService::tagged_below);
    below.filter(|(_, ownership, _)| **ownership == Ownership::Unread).map(|(arn, ..)| arn.clone()).collect()
}

fn unread_in(listener: &ActualListener, wanted: Option<&DesiredListener>) -> Vec<String> {
    let unread = |ownership: &Ownership| *ownership == Ownership::Unread;
    let Some(wanted) = wanted else {
        return if unread(&listener.ownership) { vec![listener.arn.clone()] } else { vec![] };
    };
    let differs = |rule: &ActualRule| {
        !wanted.rules.iter().any(|w| {
            w.priority == rule.priority
                && w.matches.normalised() == rule.matches.normalised()
                && w.action.normalised() == rule.action.normalised()
        })
    };
    let strangers = listener
        .rules
        .iter()
        .any(|rule| matches!(rule.ownership, Ownership::Foreign | Ownership::OtherUnit(_)));
    let mut arns: Vec<String> = listener
        .rules
        .iter()
        .filter(|rule| unread(&rule.ownership) && (strangers || differs(rule)))
        .map(|rule| rule.arn.clone())
        .collect();
    let settled = listener.protocol == wanted.protocol
        && listener.default_action.normalised() == wanted.default_action.normalised()
        && listener.rules.len() == wanted.rules.len()
        && !listener.rules.iter().any(differs);
    if !settled && unread(&listener.ownership) {
        arns.push(listener.arn.clone());
    }
    arns
}

/// Writes down what the tags told.
pub(super) fn set(actual: &mut Actual, told: &BTreeMap<String, (Ownership, Tags)>) {
    for one in actual.resources_mut() {
        if let Some((ownership, tags)) = told.get(one.arn) {
            one.ownership.clone_from(ownership);
            if let Some(held) = one.tags {
                held.clone_from(tags);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_lattice::{
        Action, ActualService, DesiredRule, DesiredService, ListenerProtocol, Owner, PathMatch, RuleMatch,
        TAG_BELOW, TAG_USER, user_tags_mark,
    };

    fn path(text: &str) -> RuleMatch {
        RuleMatch { path: Some(PathMatch::Exact(text.into())), ..RuleMatch::default() }
    }

    fn rule(name: &str, priority: u16) -> ActualRule {
        ActualRule {
            id: format!("rule-{name}"),
            arn: format!("arn/{name}"),
            name: name.into(),
            priority,
            matches: path(name),
            action: Action::FixedResponse(404),
            ownership: Ownership::Unread,
            tags: Tags::new(),
        }
    }

    /// A settled service with rules `/a` and `/b` at 1 and 2, and its wish.
    fn settled() -> (Desired, Actual) {
        let owner = Owner { installation: "t".into(), unit: "u".into(), key: "k".into() };
        let wanted_rule = |name: &str, priority| DesiredRule {
            name: "another".into(),
            priority,
            matches: path(name),
            action: Action::FixedResponse(404),
        };
        let desired = DesiredService {
            name: "s".into(),
            custom_domain: None,
            certificate_arn: None,
            idle_timeout_seconds: None,
            networks: ["n".to_owned()].into(),
            listeners: vec![DesiredListener {
                name: "l".into(),
                port: 80,
                protocol: ListenerProtocol::Http,
                default_action: Action::FixedResponse(404),
                rules: vec![wanted_rule("/a", 1), wanted_rule("/b", 2)],
            }],
            tags: Tags::new(),
        };
        let listener = ActualListener {
            id: "listener-1".into(),
            arn: "arn/listener".into(),
            name: "l".into(),
            port: 80,
            protocol: ListenerProtocol::Http,
            default_action: Action::FixedResponse(404),
            rules: vec![rule("/a", 1), rule("/b", 2)],
            ownership: Ownership::Unread,
            tags: Tags::new(),
        };
        let association = trellis_lattice::ActualAssociation {
            id: "snsa-1".into(),
            arn: "arn/association".into(),
            network: "n".into(),
            status: Status::Active,
            ownership: Ownership::Unread,
            tags: Tags::new(),
        };
        let service = ActualService {
            id: "svc-1".into(),
            arn: "arn/service".into(),
            name: "s".into(),
            status: Status::Active,
            dns_name: None,
            custom_domain: None,
            certificate_arn: None,
            idle_timeout_seconds: None,
            ownership: Ownership::Ours,
            tags: Tags::new(),
            listeners: vec![listener],
            is_propagating: false,
            associations: vec![association],
        };
        let wish = Desired { services: vec![desired], ..Desired::nothing(owner) };
        (wish, Actual { services: vec![service], ..Actual::default() })
    }

    fn asked(desired: &Desired, actual: &Actual) -> Vec<String> {
        unread_that_matter(desired, actual).into_iter().collect()
    }

    #[test]
    fn of_a_settled_service_no_tag_below_it_is_read() {
        let (desired, actual) = settled();
        assert!(asked(&desired, &actual).is_empty());
    }

    #[test]
    fn a_rule_that_differs_is_asked_for_with_its_listener_and_the_equal_one_is_not() {
        let (desired, mut actual) = settled();
        actual.services[0].listeners[0].rules[1].priority = 3;
        assert_eq!(asked(&desired, &actual), ["arn//b", "arn/listener"]);
    }

    #[test]
    fn a_stranger_among_the_rules_makes_all_of_them_matter() {
        let (desired, mut actual) = settled();
        actual.services[0].listeners[0].rules.push(rule("/x", 7));
        assert_eq!(asked(&desired, &actual), ["arn//x", "arn/listener"]);
        let told = [("arn//x", Ownership::Foreign), ("arn/listener", Ownership::Ours)];
        set(&mut actual, &told.into_iter().map(|(arn, o)| (arn.to_owned(), (o, Tags::new()))).collect());
        assert_eq!(asked(&desired, &actual), ["arn//a", "arn//b"]);
    }

    #[test]
    fn where_the_users_tags_change_all_below_is_asked_for() {
        let (mut desired, mut actual) = settled();
        let mark = user_tags_mark([&"team".to_owned()]);
        let tags: Tags = [("team", "a"), (TAG_USER, mark.as_str())].map(|(k, v)| (k.into(), v.into())).into();
        desired.services[0].tags = tags.clone();
        actual.services[0].tags = tags;
        let all = ["arn//a", "arn//b", "arn/association", "arn/listener"];
        assert_eq!(asked(&desired, &actual), all, "they were made before there was a mark");
        desired.services[0].tags.clear();
        assert!(asked(&desired, &actual).is_empty(), "nobody asks, and nobody did");
        actual.services[0].tags.insert(TAG_BELOW.into(), "of others".into());
        assert_eq!(asked(&desired, &actual), all);
    }

    #[test]
    fn what_is_not_wanted_or_failed_is_asked_for() {
        let (mut desired, mut actual) = settled();
        actual.services[0].associations[0].status = Status::CreateFailed;
        assert_eq!(asked(&desired, &actual), ["arn/association"]);
        desired.services.clear();
        assert_eq!(asked(&desired, &actual), ["arn/association", "arn/listener"]);
        actual.services[0].ownership = Ownership::Foreign;
        assert!(asked(&desired, &actual).is_empty(), "nothing below a stranger's service is touched");
    }
}
