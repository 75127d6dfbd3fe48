//! What one route or tenant does changes nothing for the others: judged by what VPC Lattice would answer, over generated
//! worlds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so by failing")]

mod answers;
mod tenants;
#[path = "../support/whole.rs"]
mod whole;

use answers::{Answers, Asked, answers, asked};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tenants::{Made, Tenant, distinct, gateways, route, settings, statuses_of, world};

/// Cases of each property: less than a minute each.
const CASES: u32 = 10_000;

/// Cases of the property over statuses, which are dearer and of one piece with the answers.
const STATUS_CASES: u32 = 1_500;

/// A route that the hand of its user breaks, refuses or takes away.
#[derive(Debug, Clone, Copy)]
enum Fall {
    Deleted,
    /// No rule of it can be had.
    Broken,
    /// One of its rules cannot be had.
    Dented,
    /// It asks for more rules than a listener can have.
    TooLong,
    /// Its user gives all its rules the first place.
    Pushing,
    /// Its Gateway is not there.
    Astray,
}

const FALLS: [Fall; 6] =
    [Fall::Deleted, Fall::Broken, Fall::Dented, Fall::TooLong, Fall::Pushing, Fall::Astray];

fn fallen(fall: Fall, route: &Made) -> Option<Made> {
    let mut object = route.object.clone();
    let regular = json!({"matches": [{"path": {"type": "RegularExpression", "value": "/a.*"}}]});
    let rules = object.pointer_mut("/spec/rules").unwrap();
    match fall {
        Fall::Deleted => return None,
        Fall::Broken => *rules = json!([regular]),
        Fall::Dented => rules.as_array_mut().unwrap().push(regular),
        Fall::TooLong => {
            let many = (0..200)
                .map(|n| json!({"matches": [{"path": {"type": "Exact", "value": format!("/n{n}")}}]}));
            *rules = Value::Array(many.collect());
        }
        Fall::Pushing => {
            let first = |n: usize| (format!("application-networking.k8s.aws/rule-{n}-priority"), json!("1"));
            let all: serde_json::Map<String, Value> = (0..5).map(first).collect();
            object["metadata"]["annotations"] = Value::Object(all);
        }
        Fall::Astray => object["spec"]["parentRefs"] = json!([{"name": "nowhere"}]),
    }
    Some(Made { object, ..route.clone() })
}

/// Who has answered in both worlds, where the fall has not let in somebody who was kept out before.
fn changed<'a>(
    before: &'a Answers,
    after: &'a Answers,
    asked: &'a [Asked],
    fallen: &'a str,
) -> impl Iterator<Item = (&'a Asked, &'a str, Option<&'a str>)> {
    asked.iter().filter_map(move |asked| {
        let old = before.of(asked).filter(|old| *old != fallen)?;
        let new = after.of(asked);
        let is_let_in = after.let_in(before, asked).any(|route| route != fallen);
        (new != Some(old) && !is_let_in).then_some((asked, old, new))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    /// Bystanders: whatever becomes of one route, what the others answer they go on answering.
    #[test]
    fn what_becomes_of_one_route_changes_nothing_that_another_answers(
        gateways in gateways(&[Tenant::A]),
        routes in prop::collection::vec(route(&[Tenant::A]), 2..4),
        which in any::<Index>(),
        fall in select(FALLS.to_vec()),
    ) {
        let mut routes = distinct(routes);
        let which = which.index(routes.len());
        if matches!(fall, Fall::Pushing) {
            // What its own numbers held back may come to where the specification has it.
            routes[which].object["metadata"]["annotations"] = json!({});
        }
        let mut others = routes.clone();
        let fallen_route = others.remove(which);
        others.extend(fallen(fall, &fallen_route));
        let before = answers(&world(&gateways, &routes), &routes, &settings());
        let after = answers(&world(&gateways, &others), &others, &settings());
        let asked = asked(&[&before, &after]);
        if let Some(change) = changed(&before, &after, &asked, &fallen_route.name).next() {
            prop_assert!(false, "{fall:?} of {}: {change:?}", fallen_route.name);
        }
    }

    /// Tenants: with Gateways of one name in their own namespaces they share a service network and nothing else.
    #[test]
    fn what_one_tenant_has_changes_nothing_for_another(
        gateways in gateways(&[Tenant::A, Tenant::B]),
        routes in prop::collection::vec(route(&[Tenant::A, Tenant::B]), 1..4),
    ) {
        let routes = distinct(routes);
        let (own_gateways, own_routes) = (of_a(&gateways), of_a(&routes));
        let (both, alone) = (world(&gateways, &routes), world(&own_gateways, &own_routes));
        let (with, without) = (answers(&both, &routes, &settings()), answers(&alone, &own_routes, &settings()));
        let is_own = |asked: &&Asked| without.of(asked).is_some();
        for asked in asked(&[&with, &without]).iter().filter(is_own) {
            prop_assert_eq!(with.of(asked), without.of(asked), "{:?}", asked);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: STATUS_CASES, ..ProptestConfig::default() })]

    /// Nor do counts, addresses and conditions cross.
    #[test]
    fn what_one_tenant_has_changes_no_status_of_another(
        gateways in gateways(&[Tenant::A, Tenant::B]),
        routes in prop::collection::vec(route(&[Tenant::A, Tenant::B]), 1..4),
    ) {
        let routes = distinct(routes);
        let (own_gateways, own_routes) = (of_a(&gateways), of_a(&routes));
        let (both, alone) = (world(&gateways, &routes), world(&own_gateways, &own_routes));
        let of_both = statuses_of(&both, &[&gateways, &routes], "a");
        prop_assert_eq!(of_both, statuses_of(&alone, &[&own_gateways, &own_routes], "a"));
    }
}

fn of_a(all: &[Made]) -> Vec<Made> {
    all.iter().filter(|one| one.tenant == Tenant::A).cloned().collect()
}

/// The worlds are worth something: hostnames are shared, refused and answered.
#[test]
fn generated_worlds_have_shared_hostnames_and_refused_routes() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (gateways(&[Tenant::A]), prop::collection::vec(route(&[Tenant::A]), 2..5)).prop_map(
        |(gateways, routes)| {
            let routes = distinct(routes);
            answers(&world(&gateways, &routes), &routes, &settings())
        },
    );
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..300 {
        let answers = strategy.new_tree(&mut runner).unwrap().current();
        *seen.entry("shared").or_default() += usize::from(answers.has_shared_service());
        *seen.entry("refused").or_default() += usize::from(answers.has_refused());
        *seen.entry("several").or_default() += usize::from(answers.has_hostname_in_several_services());
    }
    assert!(seen.values().all(|count| *count > 20), "{seen:?}");
}
