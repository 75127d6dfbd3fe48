//! Tags of what is below services.

use crate::support::{
    forward, made, only_listener, only_service, plan_within, rule, simple_route, user_tags,
};
use trellis_lattice::{Actual, Desired, Limits, Ownership, Plan, Step, TAG_BELOW, TAG_USER, plan, simulate};

fn wanted() -> Desired {
    simple_route(vec![rule(1, "/a", forward(&[("tg", 100)]))], &["tg"])
}

fn within(desired: &Desired, actual: &Actual) -> Plan {
    plan_within(desired, actual, &Limits::default())
}

#[test]
fn tags_of_what_is_below_a_service_follow_its_users_and_those_of_others_stay() {
    let with = |team: &str| {
        let mut desired = wanted();
        desired.services[0].tags = user_tags(team);
        desired
    };
    let mut actual = made(&with("a"));
    assert!(within(&with("a"), &actual).steps.is_empty(), "all is made with them");
    only_listener(&mut actual).tags.insert("audit".into(), "theirs".into());
    let edited = within(&with("b"), &actual);
    let tagged = |plan: &Plan| -> Vec<String> {
        let steps = plan.steps.iter().filter_map(|step| match step {
            Step::Tag(tag) => Some(tag.arn.clone()),
            _ => None,
        });
        steps.collect()
    };
    let arns = tagged(&edited);
    assert_eq!(arns.first(), arns.last(), "the service first, and its mark last");
    let below = only_service(&mut actual).tagged_below().count();
    assert_eq!(arns.len(), below + 2, "{edited}");
    let mut then = simulate(&actual, &edited);
    assert_eq!(only_listener(&mut then).tags["team"], "b");
    let gone = within(&wanted(), &then);
    let mut then = simulate(&then, &gone);
    let left = &only_listener(&mut then).tags;
    assert!(
        left.contains_key("audit") && !left.contains_key("team") && !left.contains_key(TAG_USER),
        "{left:?}"
    );
    assert_eq!(only_service(&mut then).tags[TAG_BELOW], "", "nobody asks for any more");
}

#[test]
fn what_was_not_read_below_a_service_is_not_tagged_and_the_service_not_marked() {
    let mut desired = wanted();
    let mut actual = made(&desired);
    only_listener(&mut actual).ownership = Ownership::Unread;
    desired.services[0].tags = user_tags("a");
    let plan = plan(&desired, &actual, &Limits::default());
    let marks = |step: &Step| matches!(step, Step::Tag(tag) if tag.tags.contains_key(TAG_BELOW));
    assert!(!plan.steps.iter().any(marks), "{plan}");
}
